//! The shape of a document: which fields stand where, and which fragments are spread where.
//!
//! One pass over the tokens, with a stack of its own instead of recursion. Values and types are
//! stepped over as balanced brackets; of arguments and variables only what tells a number of
//! objects is kept. What is kept per definition: its own numbers, its list of spreads, and its
//! steps. No fragment is looked into here; `measure.rs` and `plan.rs` put them together.
//! Only what this reading understands gets past the gate. Where the parser behind it reads more
//! than the specification allows (`fragmentF on T`, a comment behind `on`), the document is refused.

use super::extent::{Extent, Place};
use super::lexer::{Kind, Lexer, Token, Unreadable};
use super::size::{Argument, Size, Variable, Written};

/// All definitions of a document.
#[derive(Debug, Default)]
pub(super) struct Outline<'a> {
    /// Operations, in the order of the text.
    pub(super) operations: Vec<Operation<'a>>,
    /// Fragments with their names, in the order of the text; a name may repeat.
    pub(super) fragments: Vec<(&'a str, Definition<'a>)>,
    /// Variables declared by all operations together.
    pub(super) variables: usize,
    /// The most directives found in one place.
    pub(super) field_directives: usize,
}

/// Which root type an operation begins at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Root {
    #[default]
    Query,
    Mutation,
    Subscription,
}

/// An operation and its head.
#[derive(Debug, Default)]
pub(super) struct Operation<'a> {
    /// Where it begins.
    pub(super) root: Root,
    /// Its name.
    pub(super) name: Option<&'a str>,
    /// What it declares.
    pub(super) variables: Vec<Variable<'a>>,
    /// What it selects.
    pub(super) body: Definition<'a>,
}

/// One operation or fragment, fragments inside it not written out.
#[derive(Debug, Default)]
pub(super) struct Definition<'a> {
    /// The type that a fragment is about; empty for an operation.
    pub(super) type_name: &'a str,
    /// What its own text amounts to; each spread counts as one field without anything below.
    pub(super) own: Extent,
    /// The fragments it spreads, once per spread.
    pub(super) spreads: Vec<SpreadAt<'a>>,
    /// Its text as a walk: one step for each field, spread and inline fragment, and one at the end of each that has a
    /// selection set.
    pub(super) steps: Vec<Step<'a>>,
}

/// One step of the walk through a definition.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step<'a> {
    /// To a field, and below it when it has a selection set.
    Field {
        /// Its name, not its alias.
        name: &'a str,
        /// Its arguments.
        arguments: Vec<Argument<'a>>,
        /// Whether there is something below.
        opens: bool,
    },
    /// Into an inline fragment, perhaps on a type.
    Inline(Option<&'a str>),
    /// Over the spread of a fragment.
    Spread(&'a str),
    /// Back up from a selection set.
    Up,
}

/// A fragment spread and the place where its selection set is to be put.
#[derive(Debug)]
pub(super) struct SpreadAt<'a> {
    /// Name of the fragment; there may be none of that name.
    pub(super) fragment: &'a str,
    /// Where in the definition it stands.
    pub(super) place: Place,
}

impl<'a> Outline<'a> {
    /// Reads the outline of `document`.
    ///
    /// Holds a few words per field spread and per open selection set, so the caller bounds the
    /// text first.
    ///
    /// # Errors
    /// [`Unreadable`] at the first token that fits no executable definition, and at the end of a
    /// document that has none.
    pub(super) fn read(document: &'a str) -> Result<Self, Unreadable> {
        let mut reader = Reader::new(document)?;
        loop {
            reader.definition()?;
            if reader.next.is_none() {
                return Ok(reader.outline);
            }
        }
    }
}

/// The tokens still to come and the outline so far.
struct Reader<'a> {
    lexer: Lexer<'a>,
    /// The token to be read next; `None` at the end.
    next: Option<Token<'a>>,
    /// Tokens read since the definition began.
    read: usize,
    outline: Outline<'a>,
}

impl<'a> Reader<'a> {
    fn new(document: &'a str) -> Result<Self, Unreadable> {
        let mut lexer = Lexer::new(document);
        let next = lexer.next_token()?;
        Ok(Self { lexer, next, read: 0, outline: Outline::default() })
    }

    /// Reads one operation or fragment.
    fn definition(&mut self) -> Result<(), Unreadable> {
        self.read = 0;
        match self.next.map(|first| (first.kind, first.text)) {
            Some((Kind::BraceOpen, _)) => self.operation(Operation::default()),
            Some((Kind::Name, "query" | "mutation" | "subscription")) => self.named_operation(),
            Some((Kind::Name, "fragment")) => self.fragment(),
            _ => Err(self.misfit("an operation or a fragment")),
        }
    }

    fn named_operation(&mut self) -> Result<(), Unreadable> {
        let root = match self.next.map(|keyword| keyword.text) {
            Some("mutation") => Root::Mutation,
            Some("subscription") => Root::Subscription,
            _ => Root::Query,
        };
        self.advance()?;
        let name = self.next.filter(|token| token.kind == Kind::Name).map(|token| token.text);
        if name.is_some() {
            self.advance()?;
        }
        let variables = if self.at(Kind::ParenOpen) { self.variables()? } else { Vec::new() };
        self.directives()?;
        self.operation(Operation { root, name, variables, ..Operation::default() })
    }

    /// Reads the selection set of an operation, all before it having been read.
    fn operation(&mut self, head: Operation<'a>) -> Result<(), Unreadable> {
        let body = self.selections()?;
        self.outline.operations.push(Operation { body, ..head });
        Ok(())
    }

    fn fragment(&mut self) -> Result<(), Unreadable> {
        self.advance()?;
        let name = self.expect(Kind::Name, "the name of the fragment")?;
        let on = self.expect(Kind::Name, "`on`")?;
        if on.text != "on" {
            return Err(Unreadable { offset: on.start, expected: "`on`" });
        }
        let type_name = self.expect(Kind::Name, "the type of the fragment")?.text;
        self.directives()?;
        let definition = Definition { type_name, ..self.selections()? };
        self.outline.fragments.push((name.text, definition));
        Ok(())
    }

    /// Reads a selection set with everything below it.
    fn selections(&mut self) -> Result<Definition<'a>, Unreadable> {
        self.expect(Kind::BraceOpen, "`{`")?;
        let mut definition = Definition::default();
        let mut open = vec![Place::top()];
        while let Some(place) = open.last().copied() {
            definition.own.reach(place);
            if self.at(Kind::BraceClose) {
                self.advance()?;
                open.pop();
                definition.steps.extend((!open.is_empty()).then_some(Step::Up));
            } else if self.at(Kind::Spread) {
                open.extend(self.spread(place, &mut definition)?);
            } else {
                open.extend(self.field(place, &mut definition)?);
            }
        }
        definition.own.tokens = self.read;
        Ok(definition)
    }

    /// Reads a field; gives the place of its selection set when that has just been opened.
    fn field(&mut self, place: Place, definition: &mut Definition<'a>) -> Result<Option<Place>, Unreadable> {
        let first = self.expect(Kind::Name, "a field, `...` or `}`")?;
        let aliased = self.at(Kind::Colon);
        let name = if aliased {
            self.advance()?;
            self.expect(Kind::Name, "the name of a field")?
        } else {
            first
        };
        let arguments = if self.at(Kind::ParenOpen) { self.arguments()? } else { Vec::new() };
        self.directives()?;
        let below = definition.own.add_field(place, name.text, aliased);
        definition.steps.push(Step::Field { name: name.text, arguments, opens: self.at(Kind::BraceOpen) });
        self.open_set(below)
    }

    /// Reads a spread or the head of an inline fragment, as [`Self::field`] does.
    fn spread(&mut self, place: Place, definition: &mut Definition<'a>) -> Result<Option<Place>, Unreadable> {
        self.advance()?;
        if !self.at(Kind::Name) {
            definition.steps.push(Step::Inline(None));
            return self.inline_fragment(place);
        }
        let name = self.expect(Kind::Name, "the name of a fragment")?;
        if name.text == "on" {
            definition.steps.push(Step::Inline(Some(self.type_condition()?)));
            return self.inline_fragment(place);
        }
        self.directives()?;
        definition.own.add_spread();
        definition.steps.push(Step::Spread(name.text));
        definition.spreads.push(SpreadAt { fragment: name.text, place });
        Ok(None)
    }

    /// Reads the type behind `on`.
    ///
    /// With a comment in between the parser takes `on` for the name of a fragment and the type for
    /// a field, so such a document is refused.
    fn type_condition(&mut self) -> Result<&'a str, Unreadable> {
        let name = self.expect(Kind::Name, "the name of a type")?;
        if name.after_comment {
            let expected = "the type on the same line as `on`";
            return Err(Unreadable { offset: name.start, expected });
        }
        Ok(name.text)
    }

    fn inline_fragment(&mut self, place: Place) -> Result<Option<Place>, Unreadable> {
        self.directives()?;
        if !self.at(Kind::BraceOpen) {
            return Err(self.misfit("`{`"));
        }
        self.open_set(place)
    }

    /// Opens the selection set that stands next, if one does, below `place`.
    fn open_set(&mut self, place: Place) -> Result<Option<Place>, Unreadable> {
        if !self.at(Kind::BraceOpen) {
            return Ok(None);
        }
        self.advance()?;
        Ok(Some(place.one_set_deeper()))
    }

    /// Reads all directives that stand next and notes how many they are.
    fn directives(&mut self) -> Result<(), Unreadable> {
        let mut count: usize = 0;
        while self.at(Kind::At) {
            self.advance()?;
            self.expect(Kind::Name, "the name of a directive")?;
            if self.at(Kind::ParenOpen) {
                self.group(|_, _| Ok(()))?;
            }
            count = count.saturating_add(1);
        }
        self.outline.field_directives = self.outline.field_directives.max(count);
        Ok(())
    }

    /// Reads the arguments of a field. One that is written in no way that is read here is passed over.
    ///
    /// The parser reads `(after: nullfirst: 100)` as two arguments, of which one would go unseen here; it is refused.
    fn arguments(&mut self) -> Result<Vec<Argument<'a>>, Unreadable> {
        let mut found = Vec::new();
        let mut name = None;
        // The first token of the value that was read last.
        let mut value_start = 0;
        self.group(|reader, token| {
            if token.kind == Kind::Name && reader.at(Kind::Colon) {
                if token.start == value_start {
                    let expected = "white space between a value and the next argument";
                    return Err(Unreadable { offset: token.start, expected });
                }
                name = Some(token.text);
            } else if token.kind == Kind::Colon
                && let Some(name) = name.take()
            {
                value_start = reader.next.map_or(0, |next| next.start);
                found.push(Argument { name, value: reader.written()? });
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// Reads the variables that an operation declares, and counts them.
    fn variables(&mut self) -> Result<Vec<Variable<'a>>, Unreadable> {
        let mut found: Vec<Variable<'a>> = Vec::new();
        self.group(|reader, token| {
            match token.kind {
                Kind::Dollar => {
                    let name = reader.next.filter(|next| next.kind == Kind::Name).map_or("", |next| next.text);
                    found.push(Variable { name, default: None });
                }
                Kind::Equals => {
                    if let (Some(last), Written::Here(size)) = (found.last_mut(), reader.written()?) {
                        last.default = Some(size);
                    }
                }
                _ => {}
            }
            Ok(())
        })?;
        self.outline.variables = self.outline.variables.saturating_add(found.len());
        Ok(found)
    }

    /// What the value that stands next says; of values in brackets, the lists are read to their end.
    fn written(&mut self) -> Result<Written<'a>, Unreadable> {
        let Some(token) = self.next else { return Ok(Written::Here(Size::Other)) };
        Ok(match token.kind {
            Kind::Number => Written::Here(Size::of_number(token.text)),
            Kind::Name => Written::Here(Size::of_name(token.text)),
            Kind::Dollar => {
                self.advance()?;
                let name = self.next.filter(|next| next.kind == Kind::Name);
                name.map_or(Written::Here(Size::Other), |name| Written::Variable(name.text))
            }
            Kind::ListOpen => {
                let mut entries: usize = 0;
                self.group(|_, token| {
                    // The list's own bracket is not in it, and a variable is one value of two tokens.
                    let counts = !matches!(token.kind, Kind::ListOpen | Kind::Dollar);
                    entries = entries.saturating_add(usize::from(counts));
                    Ok(())
                })?;
                Written::Here(Size::Entries(entries))
            }
            _ => Written::Here(Size::Other),
        })
    }

    /// Reads a bracket with everything up to its end; calls `inside` behind each token directly inside it, the opening
    /// one included, and behind each bracket inside it that has closed.
    ///
    /// Brackets are counted, not matched by sort: where `(]` would end a group here, the parser
    /// has already refused the document.
    fn group(
        &mut self,
        mut inside: impl FnMut(&mut Self, Token<'a>) -> Result<(), Unreadable>,
    ) -> Result<(), Unreadable> {
        let mut open: usize = 0;
        loop {
            let Some(token) = self.next else {
                return Err(self.misfit("a closing bracket"));
            };
            self.advance()?;
            if token.kind.opens() {
                open = open.saturating_add(1);
            } else if token.kind.closes() {
                open = open.saturating_sub(1);
            }
            match open {
                0 => return Ok(()),
                1 => inside(self, token)?,
                _ => {}
            }
        }
    }

    fn at(&self, kind: Kind) -> bool {
        self.next.is_some_and(|token| token.kind == kind)
    }

    fn advance(&mut self) -> Result<(), Unreadable> {
        self.next = self.lexer.next_token()?;
        self.read = self.read.saturating_add(1);
        Ok(())
    }

    fn expect(&mut self, kind: Kind, expected: &'static str) -> Result<Token<'a>, Unreadable> {
        let found = self.next.filter(|token| token.kind == kind);
        let token = found.ok_or_else(|| self.misfit(expected))?;
        self.advance()?;
        Ok(token)
    }

    /// The error for the token that stands next.
    fn misfit(&self, expected: &'static str) -> Unreadable {
        let offset = self.next.map_or_else(|| self.lexer.offset(), |token| token.start);
        Unreadable { offset, expected }
    }
}

#[cfg(test)]
mod tests {
    use super::Outline;

    fn read(document: &str) -> Outline<'_> {
        Outline::read(document).unwrap()
    }

    fn refusal(document: &str) -> (usize, &'static str) {
        let unreadable = Outline::read(document).unwrap_err();
        (unreadable.offset, unreadable.expected)
    }

    #[test]
    fn keywords_are_ordinary_names_of_fields_and_arguments() {
        let outline = read("{ query fragment: on(true: null, query: on) subscription { null } }");
        assert_eq!(outline.operations[0].body.own.fields, 4);
    }

    #[test]
    fn every_sort_of_definition_is_read() {
        let outline = read(
            "query A($a: [Int!]! = [1] @d(x: {y: 2}), $b: T) @e { a } mutation { a } subscription S { a }
             fragment F on T @d { a ...G ... on T { b } ... @include(if: $a) { c } ... { d } }",
        );
        assert_eq!(outline.operations.len(), 3);
        assert_eq!(outline.variables, 2);
        assert_eq!(outline.fragments.len(), 1);
        assert_eq!(outline.fragments[0].0, "F");
        assert_eq!(outline.fragments[0].1.own.fields, 5);
        assert_eq!(outline.fragments[0].1.spreads.len(), 1);
    }

    #[test]
    fn brackets_in_strings_and_comments_do_not_end_arguments() {
        let outline = read("{ a(x: \")}]\", y: {z: [\"\"\"}})\"\"\"]} # )\n) { b } c }");
        assert_eq!(outline.operations[0].body.own.fields, 3);
    }

    #[test]
    fn a_definition_counts_the_tokens_of_its_own_text() {
        let outline = read("query A($a: Int) { a(x: $a) } fragment F on T { b }");
        assert_eq!(outline.operations[0].body.own.tokens, 17);
        assert_eq!(outline.fragments[0].1.own.tokens, 7);
    }

    #[test]
    fn the_most_directives_in_one_place_are_noted() {
        let outline = read("query @a { b @a @b(x: 1) @c ...F @a ... @a @b { c } }");
        assert_eq!(outline.field_directives, 3);
    }

    #[test]
    fn a_document_cut_short_is_unreadable_at_its_end() {
        let whole = "query A($a: Int) { b: a(x: [1]) @d(y: 2) { ...F ... on T { c } } }";
        for (end, _) in whole.match_indices(' ') {
            assert_eq!(refusal(&whole[..end]).0, end);
        }
        assert_eq!(refusal("").0, 0);
    }

    #[test]
    fn what_the_specification_does_not_allow_is_unreadable() {
        assert_eq!(refusal("{ a } }"), (6, "an operation or a fragment"));
        assert_eq!(refusal("type T { a: Int }"), (0, "an operation or a fragment"));
        assert_eq!(refusal("{ a: b: c }").0, 6);
        assert_eq!(refusal("{ 1 }").0, 2);
        assert_eq!(refusal("{ ...F { a } }").0, 7);
        assert_eq!(refusal("fragment on T { a }").0, 12);
        assert_eq!(refusal("query A B { a }").0, 8);
    }

    #[test]
    fn keywords_glued_to_names_are_unreadable_although_the_parser_takes_them() {
        assert_eq!(refusal("queryA { a }").0, 0);
        assert_eq!(refusal("fragmentF on T { a }").0, 0);
    }

    #[test]
    fn an_argument_glued_to_the_value_before_it_is_unreadable_although_the_parser_takes_it() {
        assert_eq!(refusal("{ a(after: nullfirst: 100) }").0, 11);
        assert_eq!(refusal("{ a(x: truefirst: 100) }").0, 7);
        assert_eq!(read("{ a(after: null first: 100, x: first y: {first: null}) }").operations.len(), 1);
    }

    #[test]
    fn a_spread_that_the_parser_would_take_for_a_fragment_named_on_is_unreadable() {
        assert_eq!(refusal("{ ... on # why\n T { a } }").0, 16);
        assert_eq!(refusal("{ ...on }").0, 8);
        assert_eq!(refusal("{ ...on @d }").0, 8);
        assert_eq!(refusal("{ ...on { a } }").0, 8);
    }
}
