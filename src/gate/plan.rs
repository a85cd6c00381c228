//! How the cost of an operation follows from its text and its variables.
//!
//! A document is read once and asked often: the plan keeps of it only what costs something, knows the prices already,
//! and needs the variables alone. Each fragment is worked out once, after those it spreads, so the work is the length
//! of the plan, which is at most the number of fields and spreads in the text. All sums saturate.

use std::collections::HashMap;

use super::cost::{CostTable, Rule, Times};
use super::outline::{Definition, Operation, Outline, Step};
use super::size::{Argument, Size, Written};

/// What the operations of one document cost.
#[derive(Debug, Default)]
pub struct CostPlan {
    /// Each after those that it spreads.
    fragments: Vec<Vec<Item>>,
    operations: Vec<OperationPlan>,
}

#[derive(Debug)]
struct OperationPlan {
    name: Option<String>,
    /// The variables that have a default.
    defaults: Vec<(String, Size)>,
    items: Vec<Item>,
}

#[derive(Debug)]
enum Item {
    /// Something that costs its own price and what stands up to its end, so many times.
    Begin { own: u64, times: Times, given: Vec<Asked> },
    /// The end of what began last.
    End,
    /// The fragment at this place.
    Spread(usize),
}

/// An argument that says how many.
#[derive(Debug)]
enum Asked {
    Here(Size),
    Variable(String),
}

impl CostPlan {
    /// The plan of a document whose fragments can be worked out in `order`.
    pub(super) fn new(outline: &Outline<'_>, order: &[usize], costs: &CostTable) -> Self {
        let mut places = HashMap::with_capacity(order.len());
        let mut fragments = Vec::with_capacity(order.len());
        for (name, definition) in order.iter().filter_map(|at| outline.fragments.get(*at)) {
            let items = items(definition, definition.type_name, &places, costs);
            places.insert(*name, fragments.len());
            fragments.push(items);
        }
        let operations = outline.operations.iter().map(|operation| OperationPlan::new(operation, &places, costs));
        Self { operations: operations.collect(), fragments }
    }

    /// What the operation of that name costs, or the only one, with the values that `variables` has by name.
    ///
    /// Nothing when there is no such operation. `u64::MAX` when it cannot be counted.
    pub fn cost(&self, operation: Option<&str>, variables: impl Fn(&str) -> Option<Size>) -> u64 {
        let named = |one: &&OperationPlan| operation.is_none() || one.name.as_deref() == operation;
        let Some(operation) = self.operations.iter().find(named) else { return 0 };
        let value = |name: &str| {
            variables(name).or_else(|| {
                operation.defaults.iter().find(|(declared, _)| declared == name).map(|(_, default)| *default)
            })
        };
        let mut known = Vec::with_capacity(self.fragments.len());
        for fragment in &self.fragments {
            known.push(sum(fragment, &known, &value));
        }
        sum(&operation.items, &known, &value)
    }

    /// How many items the plan has: what working out a cost takes, and nearly all the memory it needs.
    pub fn len(&self) -> usize {
        let operations = self.operations.iter().map(|operation| operation.items.len());
        operations.chain(self.fragments.iter().map(Vec::len)).fold(0, usize::saturating_add)
    }

    /// Whether nothing in the document costs anything.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl OperationPlan {
    fn new(operation: &Operation<'_>, places: &HashMap<&str, usize>, costs: &CostTable) -> Self {
        let defaults = operation.variables.iter().filter_map(|one| Some((one.name.to_owned(), one.default?)));
        Self {
            name: operation.name.map(str::to_owned),
            defaults: defaults.collect(),
            items: items(&operation.body, costs.root(operation.root), places, costs),
        }
    }
}

/// What of a definition costs something, in the order of the text.
fn items(
    definition: &Definition<'_>,
    type_name: &str,
    fragments: &HashMap<&str, usize>,
    costs: &CostTable,
) -> Vec<Item> {
    let mut items = Vec::new();
    let mut types: Vec<&str> = vec![type_name];
    for step in &definition.steps {
        let here = types.last().copied().unwrap_or_default();
        match step {
            Step::Field { name, arguments, opens } => {
                let rule = costs.rule(here, name);
                items.push(begin(rule, arguments));
                if *opens {
                    types.push(rule.map_or("", |rule| &rule.gives));
                } else {
                    end(&mut items);
                }
            }
            Step::Inline(on) => {
                items.push(begin(None, &[]));
                types.push(on.unwrap_or(here));
            }
            Step::Spread(name) => items.extend(fragments.get(name).copied().map(Item::Spread)),
            Step::Up => {
                types.pop();
                end(&mut items);
            }
        }
    }
    items
}

fn begin(rule: Option<&Rule>, arguments: &[Argument<'_>]) -> Item {
    let Some(rule) = rule else {
        return Item::Begin { own: 0, times: Times::Fixed(1), given: Vec::new() };
    };
    let telling = arguments.iter().filter(|argument| rule.times.arguments().contains(&argument.name));
    let given = telling.map(|argument| match argument.value {
        Written::Here(size) => Asked::Here(size),
        Written::Variable(name) => Asked::Variable(name.to_owned()),
    });
    Item::Begin { own: rule.own, times: rule.times, given: given.collect() }
}

/// Ends what began last; takes it away when it costs nothing.
fn end(items: &mut Vec<Item>) {
    if matches!(items.last(), Some(Item::Begin { own: 0, .. })) {
        items.pop();
    } else {
        items.push(Item::End);
    }
}

/// The cost of a definition, those of the fragments before it being `known`.
fn sum(items: &[Item], known: &[u64], variables: &impl Fn(&str) -> Option<Size>) -> u64 {
    // What was added up around what is open now, and how often that counts.
    let mut around: Vec<(u64, u64)> = Vec::new();
    let mut here: u64 = 0;
    for item in items {
        match item {
            Item::Begin { own, times, given } => {
                let given = given.iter().filter_map(|asked| match asked {
                    Asked::Here(size) => Some(*size),
                    Asked::Variable(name) => variables(name),
                });
                around.push((here, times.count(given)));
                here = *own;
            }
            Item::End => {
                if let Some((before, times)) = around.pop() {
                    here = before.saturating_add(here.saturating_mul(times));
                }
            }
            Item::Spread(place) => here = here.saturating_add(known.get(*place).copied().unwrap_or_default()),
        }
    }
    here
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::super::{Limits, examine};
    use super::*;

    /// Nodes that give pages of nodes, plain lists of them, some by their ids, and leaves.
    fn table() -> CostTable {
        let mut table = CostTable::new("Query", "Mutation", "");
        let rule = |own, times, gives: &str| Rule { own, times, gives: gives.to_owned() };
        let page = Times::Counted { arguments: &["first", "last"], default: 20, max: 100 };
        for of in ["Query", "Node"] {
            table.insert(of, "page", rule(1, page, "Page"));
            table.insert(of, "one", rule(1, Times::Fixed(1), "Node"));
            table.insert(of, "ten", rule(1, Times::Fixed(10), "Node"));
            table.insert(of, "ids", rule(1, Times::Listed { argument: "ids", max: 100 }, "Node"));
            table.insert(of, "link", rule(5, Times::Fixed(1), "URL"));
            table.insert(of, "money", rule(0, Times::Fixed(1), "Money"));
        }
        table.insert("Page", "nodes", rule(0, Times::Fixed(1), "Node"));
        table.insert("Mutation", "change", rule(10, Times::Fixed(1), "Node"));
        table
    }

    fn plan(document: &str) -> CostPlan {
        examine(document, &Limits::default(), &table()).unwrap().1
    }

    fn cost(document: &str) -> u64 {
        plan(document).cost(None, |_| None)
    }

    fn cost_with(document: &str, n: Size) -> u64 {
        plan(document).cost(None, |name| (name == "n").then_some(n))
    }

    #[test]
    fn a_field_costs_its_own_price_and_what_is_below_it_so_many_times() {
        assert_eq!(cost("{ one { link } }"), 6);
        assert_eq!(cost("{ ten { one { link } } }"), 10 * (1 + 6));
        assert_eq!(cost("{ page { nodes { ten { link } } } }"), 20 * (1 + 60));
        assert_eq!(cost("mutation { change { link } }"), 15);
    }

    #[test]
    fn leaves_values_and_fields_that_are_not_in_the_table_cost_nothing() {
        for document in [
            "{ money { amount } }",
            "{ __schema { types { fields { name } } } __typename }",
            "{ unknown(first: 5) { one { link } } }",
            "query A { ... on Nothing { one { link } } }",
            "subscription { one }",
        ] {
            assert!(plan(document).is_empty(), "{document}");
            assert_eq!(cost(document), 0, "{document}");
        }
    }

    #[test]
    fn pages_cost_what_they_ask_for_within_what_they_give() {
        for (arguments, times) in [
            ("", 20),
            ("(first: 3)", 3),
            ("(last: 4)", 4),
            ("(first: null)", 20),
            ("(first: 100)", 100),
            ("(first: 101)", 100),
            ("(first: 99999999999999999999)", 100),
            ("(first: 1.5)", 100),
            ("(first: \"3\")", 100),
            ("(first: [3])", 100),
            ("(first: 0)", 0),
            ("(first: -5)", 0),
            ("(first: 2, last: 7)", 7),
            ("(first: 2, first: 7)", 7),
            ("(after: \"first: 9\", filter: {first: 9, last: [9]}, first: 2)", 2),
            ("(filter: {first: 9})", 20),
        ] {
            assert_eq!(cost(&format!("{{ page{arguments} {{ nodes {{ link }} }} }}")), times * 6, "{arguments}");
        }
    }

    #[test]
    fn a_variable_counts_with_its_value_its_default_or_as_not_given() {
        let document = "query($n: Int = 7) { page(first: $n) { nodes { link } } }";
        assert_eq!(cost(document), 7 * 6);
        let without = "query($n: Int) { page(first: $n) { nodes { link } } }";
        assert_eq!(cost(without), 20 * 6);
        for document in [document, without] {
            for (value, times) in [
                (Size::Number(2), 2),
                (Size::Number(1_000), 100),
                (Size::Number(-1), 0),
                (Size::Null, 20),
                (Size::Other, 100),
                (Size::Entries(2), 100),
            ] {
                assert_eq!(cost_with(document, value), times * 6, "{document} {value:?}");
            }
        }
    }

    #[test]
    fn a_list_of_ids_costs_one_for_each() {
        for (ids, times) in [
            ("[\"a\", \"b\"]", 2),
            ("[\"a\" $n \"b\", 4, null]", 5),
            ("[]", 0),
            ("[[\"a\", \"b\"], {x: [1]}, \"\"\"]]\"\"\"]", 3),
            ("\"a\"", 1),
            ("null", 0),
        ] {
            assert_eq!(cost(&format!("{{ ids(ids: {ids}) {{ link }} }}")), times * 6, "{ids}");
        }
        let document = "query($n: [ID!]! = [1, 2, 3]) { ids(ids: $n) { link } }";
        assert_eq!(cost(document), 3 * 6);
        assert_eq!(cost_with(document, Size::Entries(1_000)), 100 * 6);
        assert_eq!(cost_with(document, Size::Other), 6);
        assert_eq!(cost("query($n: [ID!]!) { ids(ids: $n) { link } }"), 100 * 6);
    }

    #[test]
    fn fragments_cost_where_they_are_spread_by_the_type_they_are_about() {
        assert_eq!(cost("{ ten { ...F } one { ...F } } fragment F on Node { link }"), 10 * 6 + 6);
        assert_eq!(cost("{ ten { ... on Node { link } ... { link } } }"), 10 * 11);
        assert_eq!(cost("{ page { ...P } } fragment P on Page { nodes { link } }"), 20 * 6);
        assert_eq!(cost("{ one { ...A } } fragment B on Node { link } fragment A on Node { ten { ...B } ...B }"), 66);
        assert_eq!(cost("{ one { ...Nowhere } }"), 1);
    }

    #[test]
    fn the_operation_that_is_asked_for_counts_with_its_own_defaults() {
        let plan = plan(
            "query A($n: Int = 1) { ...F } query B($n: Int = 2) { ...F } fragment F on Query { page(first: $n) { x } }",
        );
        assert_eq!(plan.cost(Some("A"), |_| None), 1);
        assert_eq!(plan.cost(Some("B"), |_| None), 2);
        assert_eq!(plan.cost(Some("C"), |_| None), 0);
    }

    #[test]
    fn a_cost_that_cannot_be_counted_is_the_largest() {
        let open = "ten { ".repeat(40);
        let mut document = format!("{{ {open} link {} }}", "}".repeat(40));
        for level in 0..10 {
            write!(document, " fragment F{level} on Node {{ ten {{ ...F{} }} }}", level + 1).unwrap();
        }
        let wide = Limits { nesting_brackets: 100, depth_fields: 100, selection_levels: 100, ..Limits::default() };
        let plan = examine(&document, &wide, &table()).unwrap().1;
        assert_eq!(plan.cost(None, |_| None), u64::MAX);
    }

    #[test]
    fn a_plan_has_two_items_for_each_field_at_the_most() {
        let fields = "one { link money { amount } } ".repeat(50);
        let plan = plan(&format!("{{ x {{ a }} ...F }} fragment F on Query {{ one {{ {fields} }} }}"));
        assert_eq!(plan.len(), 1 + 2 + 50 * 4);
    }
}
