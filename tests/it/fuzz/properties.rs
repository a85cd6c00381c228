//! What holds for any input whatever. The fuzz targets in `fuzz/` take the same functions.

use std::sync::LazyLock;

use async_graphql::parser::parse_query;
use async_graphql::parser::types::{ExecutableDocument, OperationDefinition, OperationType, Selection, SelectionSet};
use async_graphql::{Name, Value};
use billing_gateway::auth::JwtKeys;
use billing_gateway::dialect::{ImportContext, System, import};
use billing_gateway::domain::clock::Clock;
use billing_gateway::domain::link::LinkHosts;
use billing_gateway::gate::{self, CostTable, Limits, Measured, Size, Times};
use billing_gateway::graphql;
use billing_gateway::stripe::webhook::Webhook;
use entity::{CurrencyCode, Instant};
use secrecy::SecretString;

static COSTS: LazyLock<CostTable> = LazyLock::new(|| graphql::cost::table(&graphql::schema()).unwrap());

static KEYS: LazyLock<JwtKeys> = LazyLock::new(|| {
    let secret = SecretString::from("a secret of the tests, longer than 32 bytes");
    JwtKeys::new(&secret, "billing-gateway", "billing-gateway", Clock::system()).unwrap()
});

static WEBHOOK: LazyLock<Webhook> = LazyLock::new(|| {
    Webhook::new(vec![SecretString::from("whsec_one"), SecretString::from("whsec_two")], LinkHosts::default()).unwrap()
});

/// A document: the gate answers, in few words that are its own, and what it admits is no more to the parser than it
/// was to the gate, in size and in cost. Gives whether both accept it.
pub(crate) fn document(text: &str) -> bool {
    let (measured, plan) = match gate::examine(text, &Limits::default(), &COSTS) {
        Ok(examined) => examined,
        Err(refused) => {
            assert!(refused.to_string().len() <= 200, "{refused}");
            return false;
        }
    };
    assert!(plan.len() <= 2 * measured.tokens, "{} items of {} tokens", plan.len(), measured.tokens);
    let Ok(parsed) = parse_query(text) else { return false };
    assert_eq!(Sizes::of_gate(&measured), Sizes::of(&parsed), "{text}");
    for (name, operation) in parsed.operations.iter().filter(|(_, operation)| has_each_variable_once(&operation.node)) {
        let naive = Naive { document: &parsed, operation: &operation.node };
        if let Some(cost) = naive.cost() {
            assert_eq!(plan.cost(name.map(Name::as_str), variable), cost, "{name:?} {text}");
        }
    }
    true
}

/// Of a variable that is declared twice, gate and parser may take either: the validators refuse it (a test in
/// `tests/it/cost.rs`), so that nothing runs at either cost.
fn has_each_variable_once(operation: &OperationDefinition) -> bool {
    let mut seen = std::collections::BTreeSet::new();
    operation.variable_definitions.iter().all(|one| seen.insert(&one.node.name.node))
}

/// A text that claims to be a cursor is read or not.
pub(crate) fn cursor(text: &str) {
    let _read = graphql::is_cursor(text);
}

/// A token that we did not sign opens nothing.
pub(crate) fn token(text: &str) {
    assert!(KEYS.verify(text).is_err(), "{text}");
}

/// A webhook that nobody signed is refused, and a body that claims to be an event is read or not.
pub(crate) fn webhook(body: &[u8], header: &[u8]) {
    let now = Instant::new("2026-06-15T00:00:00Z".parse().unwrap());
    assert!(WEBHOOK.verify(body, header, now).is_err());
    let _read = WEBHOOK.reread(body);
}

/// A document of a foreign system is imported or refused, by a message of bounded length.
pub(crate) fn dialect(system: System, bytes: &[u8]) {
    let context = ImportContext {
        currency: &CurrencyCode("USD".to_owned()),
        currency_ids: &std::collections::BTreeMap::new(),
        link_hosts: &LinkHosts::default(),
        now: Instant::new("2026-06-15T00:00:00Z".parse().unwrap()),
        livemode: false,
    };
    if let Err(refused) = import(system, bytes, &context) {
        assert!(refused.to_string().len() <= 2_000, "{refused}");
    }
}

// ---- The same numbers, counted on the parser's tree ---------------------------------------------------------------

/// What a document is once its fragments are written out.
#[derive(Debug, Default, PartialEq)]
struct Sizes {
    fields: usize,
    height: usize,
    aliases: usize,
    root_fields: usize,
    levels: usize,
}

impl Sizes {
    fn of_gate(measured: &Measured) -> Self {
        Self {
            fields: measured.fields_expanded,
            height: measured.height,
            aliases: measured.aliases,
            root_fields: measured.root_fields,
            levels: measured.levels,
        }
    }

    /// Sums over operations and the most of any one, as the gate takes them; fragments count alone as well.
    fn of(document: &ExecutableDocument) -> Self {
        let mut all = Self::default();
        for (_, operation) in document.operations.iter() {
            let mut one = Self::default();
            one.add(document, &operation.node.selection_set.node, 1, true);
            all.fields += one.fields;
            all.height = all.height.max(one.height);
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

    fn add(&mut self, document: &ExecutableDocument, set: &SelectionSet, level: usize, at_root: bool) {
        self.levels = self.levels.max(level);
        for item in &set.items {
            match &item.node {
                Selection::Field(field) => {
                    self.fields += 1;
                    self.height += 1;
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
}

/// The values of variables: some are given, the others have their default or none.
fn variable(name: &str) -> Option<Size> {
    match name {
        "n" => Some(Size::Number(7)),
        "ids" => Some(Size::Entries(3)),
        "nothing" => Some(Size::Null),
        "wrong" => Some(Size::Other),
        _ => None,
    }
}

/// The cost of an operation, worked out by writing every fragment out.
struct Naive<'a> {
    document: &'a ExecutableDocument,
    operation: &'a OperationDefinition,
}

impl Naive<'_> {
    /// Nothing where a list has words in it: the parser reads `nullnull` as two, and no list of ids may have either.
    fn cost(&self) -> Option<u64> {
        let root = match self.operation.ty {
            OperationType::Query => "Query",
            OperationType::Mutation => "Mutation",
            OperationType::Subscription => "Subscription",
        };
        self.of_set(&self.operation.selection_set.node, root)
    }

    fn of_set(&self, set: &SelectionSet, type_name: &str) -> Option<u64> {
        set.items.iter().try_fold(0_u64, |sum, item| {
            let cost = match &item.node {
                Selection::Field(field) => {
                    let field = &field.node;
                    let rule = COSTS.rule(type_name, &field.name.node);
                    let below = self.of_set(&field.selection_set.node, rule.map_or("", |rule| &rule.gives))?;
                    let Some(rule) = rule else { return Some(sum.saturating_add(below)) };
                    let given = |names: &[&str]| -> Option<Vec<Size>> {
                        let asked = field.arguments.iter().filter(|(name, _)| names.contains(&name.node.as_str()));
                        let values = asked.map(|(_, value)| {
                            let value = value.node.clone().into_const_with(|name| Ok::<_, ()>(self.value(&name)));
                            size(&value.unwrap())
                        });
                        let sizes: Option<Vec<_>> = values.collect();
                        Some(sizes?.into_iter().flatten().collect())
                    };
                    rule_times(rule.times, given)?.saturating_mul(rule.own.saturating_add(below))
                }
                Selection::InlineFragment(inline) => {
                    let on = inline.node.type_condition.as_ref();
                    let on = on.map_or(type_name, |on| on.node.on.node.as_str());
                    self.of_set(&inline.node.selection_set.node, on)?
                }
                Selection::FragmentSpread(spread) => {
                    let fragment = self.document.fragments.get(&spread.node.fragment_name.node);
                    let Some(fragment) = fragment else { return Some(sum) };
                    let on = fragment.node.type_condition.node.on.node.as_str();
                    self.of_set(&fragment.node.selection_set.node, on)?
                }
            };
            Some(sum.saturating_add(cost))
        })
    }

    /// What a variable has in this operation.
    fn value(&self, name: &Name) -> Value {
        let declared = self.operation.variable_definitions.iter().find(|one| one.node.name.node == *name);
        let default = declared.and_then(|one| one.node.default_value.as_ref());
        match variable(name) {
            Some(Size::Null) => Value::Null,
            Some(Size::Number(number)) => Value::from(number),
            Some(Size::Entries(entries)) => Value::List(vec![Value::from(1); entries]),
            Some(Size::Other) => Value::from("x"),
            None => default.map_or_else(|| Value::Enum(Name::new(ABSENT)), |default| default.node.clone()),
        }
    }
}

/// Stands for a variable without a value.
const ABSENT: &str = "ABSENT";

/// What a value says: `Some(None)` when the argument counts as not given, nothing when it is not to be compared.
#[expect(clippy::option_option, reason = "not to be compared, not given, given")]
fn size(value: &Value) -> Option<Option<Size>> {
    Some(Some(match value {
        Value::Enum(name) if name == ABSENT => return Some(None),
        Value::Null => Size::Null,
        Value::Number(number) => number.as_i64().map_or(Size::Other, Size::Number),
        Value::List(entries) => {
            let is_word = |entry: &Value| match entry {
                Value::Null | Value::Boolean(_) => true,
                Value::Enum(name) => name != ABSENT,
                _ => false,
            };
            if entries.iter().any(is_word) {
                return None;
            }
            Size::Entries(entries.len())
        }
        _ => Size::Other,
    }))
}

fn rule_times(times: Times, given: impl Fn(&[&str]) -> Option<Vec<Size>>) -> Option<u64> {
    Some(match times {
        Times::Fixed(times) => times,
        Times::Counted { arguments, default, max } => {
            let counts = given(arguments)?.into_iter().filter_map(|size| match size {
                Size::Null => None,
                Size::Number(number) if number < 0 => Some(0),
                Size::Number(number) => Some(number.unsigned_abs().min(max)),
                _ => Some(max),
            });
            counts.max().unwrap_or(default)
        }
        Times::Listed { argument, max } => {
            let counts = given(&[argument])?.into_iter().map(|size| match size {
                Size::Null => 0,
                Size::Entries(entries) => (entries as u64).min(max),
                _ => 1,
            });
            counts.max().unwrap_or(max)
        }
    })
}
