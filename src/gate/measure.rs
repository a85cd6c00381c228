//! The numbers of a document, found in three stages of growing cost.
//!
//! 1. [`Measured::of_text`] reads the tokens and keeps nothing.
//! 2. [`Measured::add_outline`] counts definitions.
//! 3. [`Measured::add_expansion`] works out each fragment once, after the fragments it spreads, and
//!    then each operation. Its work is the number of definitions and spreads in the text, however
//!    large the expanded document would be.
//!
//! The caller compares with the limits between the stages, so each works on bounded input. What a query costs is no
//! number of the document alone: `plan.rs` has it.

use std::collections::HashMap;

use super::extent::Extent;
use super::lexer::{Kind, Lexer, Unreadable};
use super::outline::{Definition, Outline};

/// What a document asks for; `Limits` says why each number is counted.
///
/// "After expansion" means with every fragment written out at each place it is spread. A number that
/// would not fit is `usize::MAX`. The validators visit unused fragments too, so where a comment says
/// "any fragment", each is also measured as if it were an operation of its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Measured {
    /// Length of the text in bytes.
    pub bytes: usize,
    /// Tokens in the text.
    pub tokens: usize,
    /// Bytes of the longest name.
    pub name_bytes: usize,
    /// Most brackets of any sort open at the same time.
    pub nesting: usize,
    /// Directives in the text.
    pub directives: usize,
    /// Most directives in one place.
    pub field_directives: usize,
    /// Operations in the text, selected or not.
    pub operations: usize,
    /// Fragment definitions in the text, used or not.
    pub fragments: usize,
    /// Variables declared by all operations together.
    pub variables: usize,
    /// Most selection sets on one path of any operation or fragment, after expansion.
    pub levels: usize,
    /// Most fields on one path of any operation, after expansion, outside introspection.
    ///
    /// Not of fragments on their own: they do not know whether they are spread in introspection.
    pub depth: usize,
    /// The same from `__schema` or `__type` on, both counted.
    pub introspection_depth: usize,
    /// Most introspection lists on one path of any operation, after expansion.
    pub introspection_lists: usize,
    /// Most `__schema` and `__type` fields of any one operation, after expansion.
    pub introspections: usize,
    /// How often any one operation asks for the same list of introspection, after expansion.
    pub introspection_repeats: usize,
    /// Most fields of any one operation, after expansion.
    pub height: usize,
    /// Fields and spreads of all operations together or of any fragment, after expansion.
    pub fields_expanded: usize,
    /// Tokens of all operations together or of any fragment, after expansion.
    pub tokens_expanded: usize,
    /// Aliased fields of all operations together or of any fragment, after expansion.
    pub aliases: usize,
    /// Most root fields of any one operation, after expansion.
    pub root_fields: usize,
}

impl Measured {
    /// Counts bytes, tokens, nesting and directives.
    ///
    /// # Errors
    /// [`Unreadable`] at the first thing in the text that is no token.
    pub(super) fn of_text(document: &str) -> Result<Self, Unreadable> {
        let mut measured = Self { bytes: document.len(), ..Self::default() };
        let mut lexer = Lexer::new(document);
        let mut open: usize = 0;
        while let Some(token) = lexer.next_token()? {
            measured.tokens = measured.tokens.saturating_add(1);
            if token.kind.opens() {
                open = open.saturating_add(1);
                measured.nesting = measured.nesting.max(open);
            } else if token.kind.closes() {
                open = open.saturating_sub(1);
            } else if token.kind == Kind::At {
                measured.directives = measured.directives.saturating_add(1);
            } else if token.kind == Kind::Name {
                measured.name_bytes = measured.name_bytes.max(token.text.len());
            }
        }
        Ok(measured)
    }

    /// Adds the numbers of definitions.
    pub(super) fn add_outline(&mut self, outline: &Outline<'_>) {
        self.operations = outline.operations.len();
        self.fragments = outline.fragments.len();
        self.variables = outline.variables;
        self.field_directives = outline.field_directives;
    }

    /// Adds the numbers that depend on what fragments hold, which are worked out in `order`.
    pub(super) fn add_expansion(&mut self, outline: &Outline<'_>, order: &[usize]) {
        let fragments = expand_fragments(&outline.fragments, order);
        let mut all_operations = Extent::default();
        for operation in &outline.operations {
            let extent = operation.body.expand(&fragments);
            self.cover_operation(&extent);
            all_operations.add_sums(&extent);
        }
        self.cover_walk(&all_operations);
        for extent in fragments.values() {
            self.cover_walk(extent);
        }
    }

    /// Takes the numbers that say what running an operation may take.
    fn cover_operation(&mut self, extent: &Extent) {
        self.levels = self.levels.max(extent.levels);
        self.depth = self.depth.max(extent.depth);
        self.introspection_depth = self.introspection_depth.max(extent.introspection_depth);
        self.introspection_lists = self.introspection_lists.max(extent.lists);
        self.introspections = self.introspections.max(extent.introspections);
        let most_of_a_list = extent.schema_lists.into_iter().max().unwrap_or_default();
        self.introspection_repeats = self.introspection_repeats.max(most_of_a_list);
        self.height = self.height.max(extent.height);
        self.root_fields = self.root_fields.max(extent.root_fields);
    }

    /// Takes the numbers that say how far the validators have to walk.
    fn cover_walk(&mut self, extent: &Extent) {
        self.levels = self.levels.max(extent.levels);
        self.fields_expanded = self.fields_expanded.max(extent.fields);
        self.tokens_expanded = self.tokens_expanded.max(extent.tokens);
        self.aliases = self.aliases.max(extent.aliases);
    }
}

impl Definition<'_> {
    /// Its numbers with fragments written out; a fragment that is not in `fragments` adds nothing.
    fn expand(&self, fragments: &HashMap<&str, Extent>) -> Extent {
        let mut extent = self.own;
        for spread in &self.spreads {
            if let Some(fragment) = fragments.get(spread.fragment) {
                extent.add_fragment(spread.place, fragment);
            }
        }
        extent
    }
}

/// The numbers of every fragment by name, each worked out once, after those it spreads.
fn expand_fragments<'a>(fragments: &[(&'a str, Definition<'a>)], order: &[usize]) -> HashMap<&'a str, Extent> {
    let mut known: HashMap<&'a str, Extent> = HashMap::with_capacity(fragments.len());
    for (name, definition) in order.iter().filter_map(|at| fragments.get(*at)) {
        known.insert(name, definition.expand(&known));
    }
    known
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use proptest::prelude::{Strategy, any, prop, prop_assert_eq, proptest};

    use super::super::order::{Endless, order};
    use super::{HashMap, Measured, Outline, expand_fragments};

    fn measure(document: &str) -> Measured {
        let mut measured = Measured::of_text(document).unwrap();
        let outline = Outline::read(document).unwrap();
        measured.add_outline(&outline);
        measured.add_expansion(&outline, &order(&outline.fragments).unwrap());
        measured
    }

    fn endless(document: &str) -> Endless {
        order(&Outline::read(document).unwrap().fragments).unwrap_err()
    }

    #[test]
    fn a_query_without_fragments_is_measured_as_written() {
        let measured = measure("query A($a: Int) { b(x: [$a]) { c @skip(if: true) { d } e: f } }");
        assert_eq!(
            measured,
            Measured {
                bytes: 64,
                tokens: 35,
                name_bytes: 5,
                nesting: 3,
                directives: 1,
                field_directives: 1,
                operations: 1,
                variables: 1,
                levels: 3,
                depth: 3,
                fields_expanded: 4,
                tokens_expanded: 35,
                height: 4,
                aliases: 1,
                root_fields: 1,
                ..Measured::default()
            }
        );
    }

    #[test]
    fn fragments_count_at_each_place_they_are_spread() {
        let measured = measure("{ a { ...F } ...F ... { ...F } } fragment F on T { x: b { c } }");
        assert_eq!(measured.depth, 3);
        assert_eq!(measured.levels, 4);
        assert_eq!(measured.root_fields, 3);
        assert_eq!(measured.aliases, 3);
        assert_eq!(measured.fields_expanded, 1 + 3 + 3 * 2);
        assert_eq!(measured.height, 1 + 3 * 2);
        assert_eq!(measured.tokens_expanded, 14 + 3 * 12);
    }

    #[test]
    fn the_largest_operation_sets_the_root_fields_and_the_depth() {
        let measured = measure("query A { a b } query B { a { b { c } } } query C { a b c }");
        assert_eq!(measured.root_fields, 3);
        assert_eq!(measured.depth, 3);
        assert_eq!(measured.height, 3);
        assert_eq!(measured.fields_expanded, 8);
    }

    #[test]
    fn a_fragment_that_nothing_spreads_is_measured_for_the_walk_alone() {
        let measured = measure("{ a } fragment F on T { x: b { c { d } } e f g }");
        assert_eq!(measured.levels, 3);
        assert_eq!(measured.depth, 1);
        assert_eq!(measured.aliases, 1);
        assert_eq!(measured.fields_expanded, 6);
        assert_eq!(measured.root_fields, 1);
    }

    #[test]
    fn introspection_has_its_own_depth_inside_and_outside_fragments() {
        let measured =
            measure("{ a { b } __schema { types { ...T } } } fragment T on __Type { fields { type { name } } }");
        assert_eq!(measured.introspection_depth, 5);
        assert_eq!(measured.introspection_lists, 1);
        assert_eq!(measured.introspections, 1);
    }

    #[test]
    fn introspection_in_a_fragment_of_the_root_is_introspection() {
        let measured = measure("{ ...Q } fragment Q on Query { x: __type(name: \"A\") { name } }");
        assert_eq!(measured.introspection_depth, 2);
        assert_eq!(measured.introspections, 1);
        assert_eq!(measured.depth, 0);
    }

    #[test]
    fn a_field_is_introspection_by_its_name_not_by_its_alias() {
        let measured = measure("{ __schema: a { b } c { __typename } }");
        assert_eq!((measured.depth, measured.introspection_depth), (2, 0));
    }

    #[test]
    fn introspection_lists_are_counted_along_fragments() {
        let measured = measure(
            "{ __schema { types { fields { type { ...T } } } } } fragment T on __Type { possibleTypes { interfaces { name } } }",
        );
        assert_eq!(measured.introspection_lists, 3);
    }

    #[test]
    fn the_list_of_introspection_that_is_asked_for_most_counts_wherever_it_stands() {
        let measured = measure(
            "{ __schema { ...S x: types { name } } } query B { __schema { directives { args { name } } } } \
             fragment S on __Schema { types { fields { args { name } } } a: types { fields { name } } }",
        );
        assert_eq!(measured.introspection_repeats, 3);
        assert_eq!(measured.introspections, 1);
    }

    #[test]
    fn a_doubling_chain_saturates_instead_of_overflowing() {
        let mut document = String::from("{ ...F0 } fragment F90 on T { x: a }");
        for level in 0..90 {
            let next = level + 1;
            write!(document, "fragment F{level} on T {{ ...F{next} ...F{next} }}").unwrap();
        }
        let measured = measure(&document);
        assert_eq!(measured.fields_expanded, usize::MAX);
        assert_eq!((measured.aliases, measured.height), (usize::MAX, usize::MAX));
        assert_eq!(measured.root_fields, usize::MAX);
        assert_eq!(measured.levels, 92);
    }

    #[test]
    fn a_cycle_is_found_wherever_it_stands() {
        assert_eq!(endless("{ ...A } fragment A on T { ...A }"), Endless::Cycle);
        assert_eq!(endless("{ a } fragment A on T { b { ...B } } fragment B on T { ...A }"), Endless::Cycle);
        assert_eq!(
            endless("fragment A on T { a ...B } fragment B on T { ...C } fragment C on T { ...B }"),
            Endless::Cycle
        );
    }

    #[test]
    fn two_fragments_of_one_name_are_refused() {
        assert_eq!(endless("{ ...A } fragment A on T { a } fragment A on T { b }"), Endless::Duplicate);
    }

    #[test]
    fn a_spread_without_a_fragment_is_left_to_the_validators() {
        assert_eq!(measure("{ ...Nowhere }").fields_expanded, 1);
    }

    /// Fragments that may spread any later one, and an operation that spreads them all.
    fn layered() -> impl Strategy<Value = String> {
        let body = prop::collection::vec((any::<bool>(), 1usize..5), 0..4);
        prop::collection::vec(body, 1..8).prop_map(|bodies| {
            let mut document = String::from("{");
            for at in 0..bodies.len() {
                write!(document, " ...F{at}").unwrap();
            }
            document.push('}');
            for (at, body) in bodies.iter().enumerate() {
                write!(document, " fragment F{at} on T {{ x: leaf").unwrap();
                for (nested, step) in body.iter().filter(|(_, step)| at + step < bodies.len()) {
                    let target = at + step;
                    let (open, close) = if *nested { ("in {", "}") } else { ("", "") };
                    write!(document, " {open} ...F{target} {close}").unwrap();
                }
                document.push('}');
            }
            document
        })
    }

    /// Writes every fragment out, as the gate must never do; unknown spreads stand for the known.
    fn write_out(document: &str) -> String {
        let mut parts = document.split(" fragment ");
        let mut written = parts.next().unwrap().to_owned();
        let bodies: HashMap<&str, &str> = parts.map(|part| (&part[..2], &part[part.find('{').unwrap()..])).collect();
        while let Some(at) = written.find("...F") {
            let body = format!("...Gone ... {}", bodies[&written[at + 3..at + 5]]);
            written.replace_range(at..at + 5, &body);
        }
        written
    }

    proptest! {
        #[test]
        fn the_memoised_numbers_are_those_of_the_document_written_out(document in layered()) {
            let folded = measure(&document);
            let plain = measure(&write_out(&document));
            prop_assert_eq!(folded.fields_expanded, plain.fields_expanded);
            prop_assert_eq!(folded.aliases, plain.aliases);
            prop_assert_eq!(folded.root_fields, plain.root_fields);
            prop_assert_eq!(folded.depth, plain.depth);
            prop_assert_eq!(folded.levels, plain.levels);
            prop_assert_eq!(folded.height, plain.height);
        }

        #[test]
        fn every_token_is_read_once_and_every_fragment_worked_out_once(document in layered()) {
            let outline = Outline::read(&document).unwrap();
            let fragments = outline.fragments.iter().map(|(_, fragment)| fragment);
            let bodies = outline.operations.iter().map(|operation| &operation.body);
            let read: usize = bodies.chain(fragments).map(|one| one.own.tokens).sum();
            prop_assert_eq!(read, Measured::of_text(&document).unwrap().tokens);
            let known = expand_fragments(&outline.fragments, &order(&outline.fragments).unwrap());
            prop_assert_eq!(known.len(), outline.fragments.len());
        }
    }
}
