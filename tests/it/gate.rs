//! The gate and the parser read the same document: what both accept has the same numbers, so that nothing the gate
//! lets through is larger for the executor than it was for the gate.

use async_graphql::parser::parse_query;
use billing_gateway::gate::{Limits, check};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::fuzz::properties::document as document_property;

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

proptest! {
    #![proptest_config(ProptestConfig { cases: 5_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_gate_and_parser_both_accept_has_the_same_size_for_both(document in documents()) {
        document_property(&document);
    }
}

#[test]
fn the_seeds_are_read_by_both() {
    for seed in &SEEDS[..4] {
        assert!(parse_query(seed).is_ok() && check(seed, &Limits::default()).is_ok(), "{seed}");
    }
}
