//! The gate and the parser read the same document: what both accept has the same numbers, so that nothing the gate
//! lets through is larger for the executor than it was for the gate.

use async_graphql::parser::parse_query;
use async_graphql::parser::types::{ExecutableDocument, Selection, SelectionSet};
use billing_gateway::gate::{Limits, check};
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// Documents to begin with: each construct of the language occurs.
const SEEDS: [&str; 5] = [
    "query A($a:Int=1 $b:[T!]!){ a b:c(x:{y:[1 $a]} z:\"s\"){ ...F ... on T @d(x:1){ e } ...{ f } } g } fragment F on T { h i:j { k } }",
    "{ a { b { ...F } } ...F } fragment F on T { x: y { ...G z } } fragment G on Q { q(s:\"\"\"b\"\"\") }",
    "{ __schema { types { ...F fields { name } } } } fragment F on __Type { fields { type { ofType { name } } } }",
    "query one { a } query two { b: a ...F } fragment F on T { c: a { d } }",
    "{ a(x: [1, {y: -2.5e3, z: ENUM}], n: null, b: true) @skip(if: false) { \"\"\"no\"\"\" } }",
];

/// Pieces that are put in: whole constructs, halves of them, and what lexers quarrel about.
const PIECES: [&str; 52] = [
    "{ ",
    "} ",
    "{a} ",
    "(",
    ")",
    "[",
    "]",
    ":",
    "=",
    "!",
    "@d ",
    "@",
    "$",
    "...",
    "...F ",
    "...on ",
    "... on T{a}",
    "on ",
    "query ",
    "query",
    "mutation ",
    "fragment ",
    "fragment F on T{a}",
    "fragment",
    "F ",
    "G",
    "a ",
    "b:",
    "a(x:1) ",
    "a(x:[1 2]) ",
    "{x:",
    "1",
    "01",
    "-1",
    "1.5",
    "1e",
    ".",
    " ",
    "\"\"",
    "\"",
    "\"\"\"",
    "\"\"\"a\"\"\"",
    "\\",
    "#c\n",
    "#",
    "\n",
    ",",
    "true",
    "null",
    "\u{feff}",
    "\"s{\\\"\"",
    "$a:[Int!]=",
];

/// A seed with some pieces put in, or put over what stands there.
fn documents() -> impl Strategy<Value = String> {
    let edit = (any::<Index>(), select(&PIECES[..]), 0_usize..7);
    (select(&SEEDS[..]), proptest::collection::vec(edit, 0..6)).prop_map(|(seed, edits)| {
        let mut text: Vec<char> = seed.chars().collect();
        for (place, piece, over) in edits {
            let at = place.index(text.len() + 1);
            let end = (at + over.saturating_sub(3)).min(text.len());
            text.splice(at..end, piece.chars());
        }
        text.into_iter().collect()
    })
}

/// What a document is once its fragments are written out, counted on the parser's own tree.
#[derive(Debug, Default, PartialEq)]
struct Size {
    fields: usize,
    aliases: usize,
    root_fields: usize,
    levels: usize,
}

impl Size {
    fn add(&mut self, document: &ExecutableDocument, set: &SelectionSet, level: usize, at_root: bool) {
        self.levels = self.levels.max(level);
        for item in &set.items {
            match &item.node {
                Selection::Field(field) => {
                    self.fields += 1;
                    self.aliases += usize::from(field.node.alias.is_some());
                    self.root_fields += usize::from(at_root);
                    let below = &field.node.selection_set.node;
                    if !below.items.is_empty() {
                        self.add(document, below, level + 1, false);
                    }
                }
                Selection::InlineFragment(inline) => {
                    self.add(document, &inline.node.selection_set.node, level + 1, at_root);
                }
                Selection::FragmentSpread(spread) => {
                    self.fields += 1;
                    if let Some(fragment) = document.fragments.get(&spread.node.fragment_name.node) {
                        self.add(document, &fragment.node.selection_set.node, level + 1, at_root);
                    }
                }
            }
        }
    }

    /// Sums over operations and the most of any one, as the gate takes them; fragments count alone as well.
    fn of(document: &ExecutableDocument) -> Self {
        let mut all = Self::default();
        for (_, operation) in document.operations.iter() {
            let mut one = Self::default();
            one.add(document, &operation.node.selection_set.node, 1, true);
            all.fields += one.fields;
            all.aliases += one.aliases;
            all.root_fields = all.root_fields.max(one.root_fields);
            all.levels = all.levels.max(one.levels);
        }
        for fragment in document.fragments.values() {
            let mut one = Self::default();
            one.add(document, &fragment.node.selection_set.node, 1, false);
            all.fields = all.fields.max(one.fields);
            all.aliases = all.aliases.max(one.aliases);
            all.levels = all.levels.max(one.levels);
        }
        all
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_gate_and_parser_both_accept_has_the_same_size_for_both(document in documents()) {
        let measured = check(&document, &Limits::default());
        if let (Ok(measured), Ok(parsed)) = (measured, parse_query(&document)) {
            let wanted = Size::of(&parsed);
            let found = Size {
                fields: measured.fields_expanded,
                aliases: measured.aliases,
                root_fields: measured.root_fields,
                levels: measured.levels,
            };
            prop_assert_eq!(found, wanted, "{}", document);
        }
    }
}

#[test]
fn the_seeds_are_read_by_both() {
    for seed in &SEEDS[..4] {
        assert!(parse_query(seed).is_ok() && check(seed, &Limits::default()).is_ok(), "{seed}");
    }
}
