//! What the gate lets through and what it refuses, by whole documents.

use std::fmt::Write as _;

use proptest::prelude::{TestCaseError, any, prop, prop_assert, prop_assert_eq, proptest};

use super::{Excess, GateError, Limits, Measured, check};

/// The longest query the product promises: everything about one bill.
const REFERENCE_QUERY: &str = "query Bill($id: ID!) { invoice(id: $id) { id number status amountDue { amount currency } amountRemaining { minorUnits } lineItems { description amount { amount } period { start end } rental { id gpuFamily } subLines { name } } rental { id name status pricePerHour { amount } totalCharged { amount } } payments { status amountPaid { amount } paidAt paymentMethodSnapshot { cardBrand cardLast4 } } hostedInvoiceUrl invoicePdfUrl receiptUrl payUrl upstream { freshness fetchedAt } } }";

/// The query that `GraphiQL` and code generators send to learn the schema, all its options on.
const INTROSPECTION_QUERY: &str = "
    query IntrospectionQuery {
      __schema {
        description
        queryType { name kind }
        mutationType { name kind }
        subscriptionType { name kind }
        types { ...FullType }
        directives {
          name
          description
          isRepeatable
          locations
          args(includeDeprecated: true) { ...InputValue }
        }
      }
    }

    fragment FullType on __Type {
      kind
      name
      description
      specifiedByURL
      isOneOf
      fields(includeDeprecated: true) {
        name
        description
        args(includeDeprecated: true) { ...InputValue }
        type { ...TypeRef }
        isDeprecated
        deprecationReason
      }
      inputFields(includeDeprecated: true) { ...InputValue }
      interfaces { ...TypeRef }
      enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason }
      possibleTypes { ...TypeRef }
    }

    fragment InputValue on __InputValue {
      name
      description
      type { ...TypeRef }
      defaultValue
      isDeprecated
      deprecationReason
    }

    fragment TypeRef on __Type {
      kind
      name
      ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType {
        kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name } }
      } } } } } } }
    }
";

fn pass(document: &str) -> Measured {
    check(document, &Limits::default()).unwrap()
}

fn refuse(document: &str) -> GateError {
    check(document, &Limits::default()).unwrap_err()
}

fn numbered(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).map(line).collect()
}

/// `count` levels of `open`, then `inside`, then as many of `close`.
fn nested(count: usize, open: &str, inside: &str, close: &str) -> String {
    format!("{}{inside}{}", open.repeat(count), close.repeat(count))
}

/// An operation and fragments of which each spreads the next one `width` times.
fn fan_out(width: usize, levels: usize) -> String {
    let mut document = String::from("{ ...F0 }");
    for level in 0..levels {
        let spreads = format!("...F{} ", level + 1).repeat(width);
        write!(document, " fragment F{level} on Query {{ {spreads}}}").unwrap();
    }
    write!(document, " fragment F{levels} on Query {{ version }}").unwrap();
    document
}

/// A document one step inside a limit of the same name and one step above it.
struct Edge {
    inside: String,
    above: String,
    error: fn(Excess) -> GateError,
    limit: usize,
    code: &'static str,
}

fn edge(limit: usize, code: &'static str, error: fn(Excess) -> GateError, document: impl Fn(usize) -> String) -> Edge {
    Edge { inside: document(limit), above: document(limit + 1), error, limit, code }
}

fn text_edges() -> Vec<Edge> {
    vec![
        edge(20_000, "QUERY_TOO_LARGE", GateError::DocumentTooLarge, |n| format!("{{ a }}#{}", "x".repeat(n - 6))),
        edge(2_000, "QUERY_TOO_LARGE", GateError::TooManyTokens, |n| format!("{{ a(x: [{}]) }}", "1 ".repeat(n - 9))),
        edge(128, "QUERY_TOO_LARGE", GateError::NameTooLong, |n| format!("{{ {} }}", "a".repeat(n))),
        edge(40, "QUERY_TOO_DEEP", GateError::NestingTooDeep, |n| {
            format!("{{ a(x: {}) }}", nested(n - 2, "[", "", "]"))
        }),
        edge(20, "QUERY_TOO_COMPLEX", GateError::TooManyDirectives, |n| format!("{{ a {{ {} }} }}", "a @d ".repeat(n))),
        edge(4, "QUERY_TOO_COMPLEX", GateError::TooManyFieldDirectives, |n| {
            format!("{{ a {} }}", "@d(x: [1]) ".repeat(n))
        }),
    ]
}

fn definition_edges() -> Vec<Edge> {
    vec![
        edge(10, "QUERY_TOO_COMPLEX", GateError::TooManyOperations, |n| {
            numbered(n, |at| format!("query Q{at} {{ a }} "))
        }),
        edge(50, "QUERY_TOO_COMPLEX", GateError::TooManyFragments, |n| {
            numbered(n, |at| format!("fragment F{at} on T {{ a }} "))
        }),
        edge(50, "QUERY_TOO_COMPLEX", GateError::TooManyVariables, |n| {
            let variables = numbered(n - 25, |at| format!("$v{at}: [Int!] = [1] "));
            format!("query A({variables}) {{ a(x: $v1) }} query B({}) {{ a }}", "$a: T ".repeat(25))
        }),
    ]
}

fn expansion_edges() -> Vec<Edge> {
    vec![
        edge(12, "QUERY_TOO_DEEP", GateError::DepthTooDeep, |n| {
            let fragment = nested(n - 4, "a { ", "b", " }");
            format!("{{ a {{ ... {{ b {{ c {{ ...F }} }} }} }} }} fragment F on T {{ {fragment} }}")
        }),
        edge(20, "QUERY_TOO_DEEP", GateError::IntrospectionTooDeep, |n| {
            let fragment = nested(n - 2, "ofType { ", "name", " }");
            format!("{{ __type {{ ...F }} }} fragment F on T {{ {fragment} }}")
        }),
        edge(2, "QUERY_TOO_DEEP", GateError::IntrospectionListsTooDeep, |n| {
            format!("{{ __type {{ {} }} }}", nested(n, "fields { type { ", "name", " } }"))
        }),
        edge(32, "QUERY_TOO_DEEP", GateError::LevelsTooDeep, |n| {
            let fragment = nested(n - 3, "... { ", "a", " }");
            format!("{{ a {{ ...F }} }} fragment F on T {{ {fragment} }}")
        }),
        edge(1, "QUERY_TOO_COMPLEX", GateError::TooManyIntrospections, |n| {
            let fields = "__type { name } ".repeat(n - 1);
            format!(
                "query A {{ __schema {{ kind }} }} {{ ...F {fields} }} fragment F on Query {{ __schema {{ kind }} }}"
            )
        }),
        edge(2, "QUERY_TOO_COMPLEX", GateError::TooManyIntrospectionRepeats, |n| {
            let types = numbered(n, |at| format!("t{at}: types {{ ...F }} "));
            format!("{{ __schema {{ {types} }} }} fragment F on T {{ enumValues {{ name }} }}")
        }),
        edge(500, "QUERY_TOO_COMPLEX", GateError::TooManyFields, |n| {
            let rest = "a ".repeat(n - 4 * 100 - 1);
            let (spreads, fields) = ("...F ".repeat(4), "a ".repeat(100));
            format!("query A {{ a }} {{ a {{ {spreads} ... {{ {rest} }} }} }} fragment F on T {{ {fields} }}")
        }),
        edge(10_000, "QUERY_TOO_COMPLEX", GateError::TooManyExpandedFields, |n| {
            let rest = "a ".repeat(n - 99 * 101 - 1);
            let spread = format!("fragment F on T {{ {} }}", "a ".repeat(100));
            format!("{{ a }} fragment E on T {{ a {{ {} {rest} }} }} {spread}", "...F ".repeat(99))
        }),
        edge(50_000, "QUERY_TOO_COMPLEX", GateError::TooManyExpandedTokens, |n| {
            let spreads = "...F ".repeat(100);
            let list = "1 ".repeat(480);
            let outer_tokens = 9 + 2 * 100;
            let inner_tokens = 13 + 480;
            let rest = "a ".repeat(n - outer_tokens - 100 * inner_tokens);
            format!("{{ a }} fragment E on T {{ a {{ {spreads} {rest} }} }} fragment F on T {{ a(x: [{list}]) }}")
        }),
        edge(30, "QUERY_TOO_COMPLEX", GateError::TooManyAliases, |n| {
            let aliases = "b: a ".repeat(n - 20);
            format!("{{ a {{ ...F ...F {aliases} }} }} fragment F on T {{ {} }}", "c: d ".repeat(10))
        }),
        edge(20, "QUERY_TOO_COMPLEX", GateError::TooManyRootFields, |n| {
            let fields = "a ".repeat(n - 10);
            format!("query A {{ a }} {{ ...F ... {{ ...F }} {fields} }} fragment F on T {{ {} }}", "b ".repeat(5))
        }),
    ]
}

#[test]
fn every_limit_passes_its_number_and_refuses_the_next() {
    for edge in text_edges().into_iter().chain(definition_edges()).chain(expansion_edges()) {
        pass(&edge.inside);
        let refused = refuse(&edge.above);
        let excess = Excess { found: edge.limit + 1, limit: edge.limit };
        assert_eq!(refused, (edge.error)(excess));
        assert_eq!(refused.code(), edge.code);
    }
}

#[test]
fn the_reference_query_passes() {
    let measured = pass(REFERENCE_QUERY);
    assert_eq!((measured.depth, measured.root_fields, measured.variables), (4, 1, 1));
}

#[test]
fn twenty_aliases_of_an_invoice_pass() {
    let fields = numbered(20, |at| format!("i{at}: invoice(id: \"in_{at}\") {{ id number status }} "));
    let measured = pass(&format!("{{ {fields} }}"));
    assert_eq!((measured.aliases, measured.root_fields), (20, 20));
}

#[test]
fn ten_aliases_of_the_whole_bill_pass_as_a_fragment() {
    let body = REFERENCE_QUERY.split_once("(id: $id)").unwrap().1.trim_end().strip_suffix('}').unwrap();
    let fields = numbered(10, |at| format!("i{at}: invoice(id: \"in_{at}\") {{ ...Bill }} "));
    assert_eq!(
        pass(&format!("{{ {fields} }} fragment Bill on Invoice {body}")).height,
        10 * pass(REFERENCE_QUERY).height
    );
}

#[test]
fn the_standard_introspection_query_passes() {
    let measured = pass(INTROSPECTION_QUERY);
    assert_eq!((measured.depth, measured.introspection_depth), (0, 15));
    assert_eq!((measured.introspection_lists, measured.introspections), (1, 1));
    assert_eq!((measured.introspection_repeats, measured.height), (2, 230));
}

#[test]
fn an_operation_may_ask_for_the_schema_or_a_type_and_no_more() {
    let fragment = "fragment F on Query { a: __type(name: \"A\") { name } }";
    pass(&format!("query One {{ __schema {{ d }} }} query Two {{ ...F }} {fragment}"));
    let refused = refuse(&format!("{{ __schema {{ d }} ... {{ b: __schema {{ d }} }} ...F }} {fragment}"));
    assert_eq!(refused, GateError::TooManyIntrospections(Excess { found: 3, limit: 1 }));
    assert_eq!(refused.code(), "QUERY_TOO_COMPLEX");
}

#[test]
fn strings_comments_and_arguments_may_hold_any_bracket() {
    let brackets = "[{(".repeat(100);
    let document = format!("{{ a(x: \"{brackets}\\\"\", y: \"\"\"{brackets}\\\"\"\"\"\"\") # {brackets}\n}}");
    assert_eq!(pass(&document).nesting, 2);
}

#[test]
fn deep_lists_and_objects_in_values_are_refused() {
    let lists = format!("{{ a @include(if: {}) }}", nested(1_500, "[", "", "]"));
    let objects = format!("{{ a(x: {}) }}", nested(2_000, "{a:", "1", "}"));
    let never_closed = format!("query($a: [Int] = {}", "[".repeat(1_500));
    for document in [lists, objects, never_closed] {
        assert!(matches!(refuse(&document).code(), "QUERY_TOO_DEEP" | "QUERY_TOO_LARGE"));
    }
    let few_tokens = format!("{{ a(x: {}) }}", nested(300, "{a:", "1", "}"));
    assert_eq!(refuse(&few_tokens).code(), "QUERY_TOO_DEEP");
}

#[test]
fn deep_lists_in_types_are_refused() {
    let document = format!("query($a: {}) {{ a }}", nested(500, "[", "Int", "]"));
    assert_eq!(refuse(&document).code(), "QUERY_TOO_DEEP");
}

#[test]
fn a_block_string_without_its_end_does_not_hide_brackets() {
    let document = format!("{{ a(x: [\"\"\"b\" {}]) }}", nested(600, "[", "", "]"));
    assert_eq!(refuse(&document).code(), "GRAPHQL_PARSE_FAILED");
}

#[test]
fn doubling_fragments_are_refused() {
    let document = fan_out(2, 28);
    assert!(document.len() < 1_500);
    assert_eq!(refuse(&document).code(), "QUERY_TOO_COMPLEX");
}

#[test]
fn forty_way_fan_out_is_refused() {
    assert_eq!(refuse(&fan_out(40, 6)).code(), "QUERY_TOO_COMPLEX");
}

#[test]
fn a_bomb_in_an_operation_that_is_not_selected_is_refused() {
    let bomb = fan_out(2, 28).replacen("{ ...F0 }", "query Bomb { ...F0 }", 1);
    assert_eq!(refuse(&format!("query Used {{ version }} {bomb}")).code(), "QUERY_TOO_COMPLEX");
}

#[test]
fn a_bomb_in_fragments_that_nothing_spreads_is_refused() {
    let bomb = fan_out(2, 28).replacen("...F0", "version", 1);
    assert_eq!(refuse(&bomb).code(), "QUERY_TOO_COMPLEX");
}

#[test]
fn a_chain_of_fragments_and_inline_fragments_is_refused() {
    let chain = numbered(40, |at| format!("fragment F{at} on T {{ ...F{} }} ", at + 1));
    assert_eq!(refuse(&chain).code(), "QUERY_TOO_DEEP");
    let inline = nested(38, "... on Query { ", "version", " }");
    assert_eq!(refuse(&format!("{{ {inline} }}")).code(), "QUERY_TOO_DEEP");
}

#[test]
fn a_fragment_cycle_is_refused_and_ends() {
    let document = "{ a } fragment A on T { b { ...B ...B } } fragment B on T { ...A ...A }";
    assert_eq!(refuse(document), GateError::FragmentCycle);
    assert_eq!(refuse(document).code(), "GRAPHQL_VALIDATION_FAILED");
}

#[test]
fn two_fragments_of_one_name_are_refused() {
    let document = "{ ...A } fragment A on T { a } fragment A on T { b }";
    assert_eq!(refuse(document), GateError::FragmentDuplicate);
    assert_eq!(refuse(document).code(), "GRAPHQL_VALIDATION_FAILED");
}

#[test]
fn a_very_long_document_is_refused_by_its_length_alone() {
    let refused = refuse(&"\"".repeat(300_000));
    assert_eq!(refused, GateError::DocumentTooLarge(Excess { found: 300_000, limit: 20_000 }));
}

#[test]
fn a_syntax_error_says_where_and_what() {
    let refused = refuse("{\r\n  a\r  é\n}");
    assert_eq!(refused.to_string(), "syntax error at line 3, column 3: expected a token");
    assert_eq!(refused.code(), "GRAPHQL_PARSE_FAILED");
    assert_eq!(refuse("").to_string(), "syntax error at line 1, column 1: expected an operation or a fragment");
    assert_eq!(refuse("{ a(x: \"é\") é").to_string(), "syntax error at line 1, column 13: expected a token");
}

/// A chain that multiplies by 40 at each level has passed every number long before the last.
#[test]
fn a_number_that_cannot_be_counted_is_told_as_such() {
    let wide = Limits { expanded_fields: 9, ..Limits::default() };
    let refused = check(&fan_out(40, 15), &wide).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the document has too many fields, fragments written out: more than can be counted, 9 allowed"
    );
}

/// Pieces that begin, end or break every construct of the language.
const PIECES: [&str; 34] = [
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    ":",
    "=",
    "!",
    "@",
    "$",
    "...",
    "on ",
    "query ",
    "mutation ",
    "fragment ",
    "F ",
    "G ",
    "__schema ",
    "fields ",
    "a ",
    "b:",
    "1",
    "-",
    ".",
    "\"",
    "\"\"\"",
    "\\",
    "#",
    "\n",
    ",",
    "true",
    "é",
    "\u{feff}",
];

fn says_nothing_of_the_document(document: &str) -> Result<(), TestCaseError> {
    if let Err(refused) = check(document, &Limits::default()) {
        prop_assert!(refused.to_string().len() <= 200);
        prop_assert!(!refused.to_string().contains("secret"));
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_text_gets_an_answer(document in ".*") {
        says_nothing_of_the_document(&document)?;
    }

    #[test]
    fn any_bytes_get_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..500)) {
        says_nothing_of_the_document(&String::from_utf8_lossy(&bytes))?;
    }

    #[test]
    fn any_pieces_of_graphql_get_an_answer(
        pieces in prop::collection::vec(prop::sample::select(PIECES.to_vec()), 0..80),
    ) {
        says_nothing_of_the_document(&format!("{{ secret {}", pieces.concat()))?;
    }

    #[test]
    fn a_document_with_one_piece_changed_gets_an_answer(
        at in 0..INTROSPECTION_QUERY.len(),
        piece in prop::sample::select(PIECES.to_vec()),
    ) {
        let (before, after) = INTROSPECTION_QUERY.split_at(at);
        says_nothing_of_the_document(&format!("{before}{piece}{after}"))?;
    }

    #[test]
    fn what_passes_with_the_limits_passes_with_any_wider_ones(
        pieces in prop::collection::vec(prop::sample::select(PIECES.to_vec()), 0..30),
    ) {
        let document = format!("{{ a {} }}", pieces.concat());
        if let Ok(measured) = check(&document, &Limits::default()) {
            let wider = Limits { tokens: 4_000, aliases: 60, ..Limits::default() };
            prop_assert_eq!(check(&document, &wider), Ok(measured));
        }
    }
}
