//! A document as it is kept: parsed, with the plan of its cost, and what is known of its validity.

use std::collections::HashSet;
use std::sync::Mutex;

use async_graphql::parser::types::{BaseType, DocumentOperations, ExecutableDocument, OperationDefinition};
use async_graphql::parser::{self, parse_query};
use async_graphql::{Value, Variables};

use super::super::error::Refusal;
use super::hash::DocumentHash;
use crate::gate::{self, CostPlan, CostTable, Limits, Size};

/// What a document takes in memory beside its text, in bytes for each token: 170 to 220 as they usually are, 331 for
/// nothing but fields. A test counts it on the tree.
const BYTES_OF_A_TOKEN: usize = 400;

/// What an item of its plan takes.
const BYTES_OF_AN_ITEM: usize = 100;

/// What it takes however short it is.
const BYTES_OF_A_DOCUMENT: usize = 1_000;

/// How many shapes of variables are remembered. Clients send one or two.
const SHAPES_MAX: usize = 16;

/// A document that passed the gate and the parser.
pub(in crate::http) struct Document {
    /// What the executor needs.
    pub(in crate::http) parsed: ExecutableDocument,
    pub(super) hash: DocumentHash,
    cost: CostPlan,
    /// What it takes in memory, about.
    pub(super) bytes: usize,
    /// With which variables it is known to be valid.
    valid: Mutex<HashSet<Shape>>,
}

/// Which operation is asked for, and which of its variables are given: absent, null, or a value, two bits each.
///
/// All the library's rules look at are the document and, of variables of scalar types, whether a value has the right
/// type, which `variables.rs` checks in each request. So what was valid once is valid with every request of the same
/// shape.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::http) struct Shape {
    operation: Option<String>,
    given: u128,
}

impl Document {
    /// Reads `text`: through the gate, then through the parser.
    pub(super) fn read(text: &str, hash: DocumentHash, limits: &Limits, costs: &CostTable) -> Result<Self, Refusal> {
        let (measured, cost) = gate::examine(text, limits, costs)?;
        let parsed = parse_query(text).map_err(|error| refused_by_parser(&error))?;
        let bytes = BYTES_OF_A_DOCUMENT
            .saturating_add(text.len())
            .saturating_add(measured.tokens.saturating_mul(BYTES_OF_A_TOKEN))
            .saturating_add(cost.len().saturating_mul(BYTES_OF_AN_ITEM));
        Ok(Self { parsed, hash, cost, bytes, valid: Mutex::default() })
    }

    /// What an operation costs with these variables: that of the name, or the only one.
    pub(in crate::http) fn cost(&self, operation: Option<&str>, variables: &Variables) -> u64 {
        self.cost.cost(operation, |name| variables.get(name).map(size))
    }

    /// The operation to run, by the rules of the specification.
    pub(in crate::http) fn operation(&self, name: Option<&str>) -> Result<&OperationDefinition, Refusal> {
        match (&self.parsed.operations, name) {
            (DocumentOperations::Single(only), None) => Ok(&only.node),
            (DocumentOperations::Single(_), Some(_)) => Err(Refusal::Operation(UNKNOWN_OPERATION)),
            (DocumentOperations::Multiple(named), Some(name)) => match named.get(name) {
                Some(operation) => Ok(&operation.node),
                None => Err(Refusal::Operation(UNKNOWN_OPERATION)),
            },
            (DocumentOperations::Multiple(named), None) => {
                let mut operations = named.values();
                match (operations.next(), operations.next()) {
                    (Some(only), None) => Ok(&only.node),
                    _ => Err(Refusal::Operation("The document has several operations; `operationName` must name one.")),
                }
            }
        }
    }

    /// Whether a request of this shape was valid before.
    pub(in crate::http) fn is_valid(&self, shape: &Shape) -> bool {
        self.valid.lock().is_ok_and(|valid| valid.contains(shape))
    }

    /// Remembers that a request of this shape is valid.
    pub(in crate::http) fn remember(&self, shape: Shape) {
        if let Ok(mut valid) = self.valid.lock()
            && valid.len() < SHAPES_MAX
        {
            valid.insert(shape);
        }
    }
}

impl Shape {
    /// The shape of a request; none when a variable's value could make the document invalid in ways that only the
    /// library checks: enums and input objects. `scalars` are the types of which this is not so.
    pub(in crate::http) fn of(
        operation: &OperationDefinition,
        name: Option<&str>,
        variables: &Variables,
        scalars: &HashSet<String>,
    ) -> Option<Self> {
        let mut given: u128 = 0;
        let mut bits: u32 = 0;
        for variable in &operation.variable_definitions {
            let mut of = &variable.node.var_type.node.base;
            while let BaseType::List(inner) = of {
                of = &inner.base;
            }
            let BaseType::Named(type_name) = of else { return None };
            if !scalars.contains(type_name.as_str()) || bits >= u128::BITS {
                return None;
            }
            let value = match variables.get(&variable.node.name.node) {
                None => 0,
                Some(Value::Null) => 1,
                Some(_) => 2,
            };
            given |= value << bits;
            bits = bits.saturating_add(2);
        }
        Some(Self { operation: name.map(str::to_owned), given })
    }
}

fn size(value: &Value) -> Size {
    match value {
        Value::Null => Size::Null,
        Value::Number(number) => number.as_i64().map_or(Size::Other, Size::Number),
        Value::List(entries) => Size::Entries(entries.len()),
        _ => Size::Other,
    }
}

const UNKNOWN_OPERATION: &str = "The document has no operation with the name given in `operationName`.";

/// The gate reads the same grammar, so what is left are rules about the document as a whole.
fn refused_by_parser(error: &parser::Error) -> Refusal {
    match error {
        parser::Error::MultipleOperations { .. } => {
            Refusal::Invalid("An operation without a name must be the only one of its document.")
        }
        parser::Error::OperationDuplicated { .. } => Refusal::Invalid("Two operations have the same name."),
        parser::Error::FragmentDuplicated { .. } => Refusal::Invalid("Two fragments have the same name."),
        parser::Error::MissingOperation => Refusal::Operation("The document has no operation."),
        other => Refusal::Syntax(other.positions().next()),
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::types::{Directive, Field, OperationType, Selection, SelectionSet};
    use async_graphql::{Name, Positioned};
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Result<Document, Refusal> {
        Document::read(text, DocumentHash::of(text), &Limits::default(), &CostTable::default())
    }

    fn resolved(text: &str, name: Option<&str>) -> Result<OperationType, String> {
        let document = read(text).map_err(|refusal| refusal.to_string())?;
        document.operation(name).map(|operation| operation.ty).map_err(|refusal| refusal.to_string())
    }

    #[test]
    fn the_operation_is_resolved_by_name_or_because_it_is_the_only_one() {
        assert_eq!(resolved("{ a }", None), Ok(OperationType::Query));
        assert_eq!(resolved("mutation A { a }", None), Ok(OperationType::Mutation));
        assert_eq!(resolved("query A { a } mutation B { b }", Some("B")), Ok(OperationType::Mutation));
        assert!(resolved("query A { a } query B { b }", None).unwrap_err().contains("several"));
        assert_eq!(resolved("query A { a }", Some("B")).unwrap_err(), UNKNOWN_OPERATION);
        assert_eq!(resolved("{ a }", Some("B")).unwrap_err(), UNKNOWN_OPERATION);
    }

    #[test]
    fn rules_about_the_whole_document_are_told_in_fixed_words() {
        for (text, words) in [
            ("{ a } query A { a }", "An operation without a name"),
            ("query A { a } query A { a }", "Two operations"),
            ("fragment F on Query { a }", "no operation"),
            ("{ a(x: \"\\q\") }", "cannot be parsed"),
        ] {
            assert!(resolved(text, None).unwrap_err().contains(words), "{text}");
        }
    }

    fn numbered(count: usize, part: impl Fn(usize) -> String) -> String {
        (0..count).map(part).collect()
    }

    fn shape(declared: &str, values: serde_json::Value) -> Option<Shape> {
        let document = read(&format!("query A({declared}) {{ a }}")).unwrap();
        let scalars = ["Int", "ID"].map(str::to_owned).into_iter().collect();
        Shape::of(document.operation(None).unwrap(), None, &Variables::from_json(values), &scalars)
    }

    #[test]
    fn a_shape_says_which_variables_are_given_and_not_what() {
        let declared = "$a: Int, $b: [ID!]";
        let both = shape(declared, json!({"a": 1, "b": ["x"], "c": 3}));
        assert!(both.is_some());
        assert_eq!(both, shape(declared, json!({"a": 2, "b": "y"})));
        for other in [json!({}), json!({"a": 1}), json!({"a": null, "b": ["x"]}), json!({"b": ["x"]})] {
            assert_ne!(both, shape(declared, other));
        }
    }

    #[test]
    fn there_is_no_shape_where_values_decide_what_is_valid() {
        assert_eq!(shape("$a: Int, $f: InvoiceFilter", json!({})), None);
        let many = numbered(50, |at| format!("$v{at}: Int "));
        assert!(shape(&many, json!({})).is_some());
    }

    #[test]
    fn what_was_valid_once_is_remembered_by_its_shape() {
        let document = read("query($n: Int) { a(n: $n) }").unwrap();
        let known = shape("$n: Int", json!({"n": 1})).unwrap();
        assert!(!document.is_valid(&known));
        document.remember(known.clone());
        assert!(document.is_valid(&known));
        assert!(!document.is_valid(&shape("$n: Int", json!({"n": null})).unwrap()));
    }

    /// Bytes of a parsed document, counted on its tree, with 16 for what an allocation needs for itself.
    struct Held(usize);

    impl Held {
        fn of(document: &ExecutableDocument) -> usize {
            let mut held = Self(size_of::<ExecutableDocument>());
            for (_, operation) in document.operations.iter() {
                held.allocation(size_of::<OperationDefinition>());
                for variable in &operation.node.variable_definitions {
                    held.allocation(size_of_val(variable));
                    held.name(&variable.node.name.node);
                    held.allocation(variable.node.var_type.node.to_string().len() * 4);
                    variable.node.default_value.iter().for_each(|value| held.value(&value.node));
                }
                held.directives(&operation.node.directives);
                held.set(&operation.node.selection_set.node);
            }
            for (name, fragment) in &document.fragments {
                held.allocation(size_of_val(fragment) + size_of_val(name));
                held.name(name);
                held.name(&fragment.node.type_condition.node.on.node);
                held.set(&fragment.node.selection_set.node);
            }
            held.0
        }

        fn allocation(&mut self, bytes: usize) {
            self.0 += bytes + 16;
        }

        fn name(&mut self, name: &str) {
            self.allocation(name.len() + 16);
        }

        fn set(&mut self, set: &SelectionSet) {
            self.allocation(set.items.capacity() * size_of::<Positioned<Selection>>());
            for item in &set.items {
                match &item.node {
                    Selection::Field(field) => {
                        self.name(&field.node.name.node);
                        field.node.alias.iter().for_each(|alias| self.name(&alias.node));
                        self.field_arguments(&field.node);
                        self.directives(&field.node.directives);
                        self.set(&field.node.selection_set.node);
                    }
                    Selection::InlineFragment(inline) => {
                        inline.node.type_condition.iter().for_each(|on| self.name(&on.node.on.node));
                        self.directives(&inline.node.directives);
                        self.set(&inline.node.selection_set.node);
                    }
                    Selection::FragmentSpread(spread) => {
                        self.name(&spread.node.fragment_name.node);
                        self.directives(&spread.node.directives);
                    }
                }
            }
        }

        fn directives(&mut self, directives: &[Positioned<Directive>]) {
            self.allocation(size_of_val(directives));
            for directive in directives {
                self.name(&directive.node.name.node);
                self.allocation(size_of_val(directive.node.arguments.as_slice()));
            }
        }

        fn field_arguments(&mut self, field: &Field) {
            self.allocation(size_of_val(field.arguments.as_slice()));
            for (name, value) in &field.arguments {
                self.name(&name.node);
                // A variable is as large as an enum.
                let value = value.node.clone().into_const_with(|name| Ok::<_, ()>(Value::Enum(name)));
                self.value(&value.unwrap());
            }
        }

        /// Twice what is in a list or an object, which may have grown to that.
        fn value(&mut self, value: &Value) {
            match value {
                Value::Enum(name) => self.name(name),
                Value::String(text) => self.allocation(text.len()),
                Value::List(values) => {
                    self.allocation(2 * values.len() * size_of::<Value>());
                    for value in values {
                        self.value(value);
                    }
                }
                Value::Object(members) => {
                    self.allocation(2 * members.len() * (size_of::<(Name, Value)>() + 24));
                    for (name, value) in members {
                        self.name(name);
                        self.value(value);
                    }
                }
                _ => {}
            }
        }
    }

    #[test]
    fn a_document_takes_no_more_memory_than_it_is_taken_to_take() {
        let field = |arguments: &str| format!("{{ a({arguments}) }}");
        let below =
            |fields: &str, many: usize| format!("{{ a }} fragment F on T {{ a {{ {} }} }}", fields.repeat(many));
        let documents = [
            include_str!("../../../examples/reference.graphql").to_owned(),
            include_str!("../../../examples/partner-export.graphql").to_owned(),
            include_str!("../../../examples/operator-search.graphql").to_owned(),
            below("a ", 1_500),
            below("b: a ", 30),
            below("a { b } ", 400),
            below("... { b } ", 400),
            below("a(x: 1) ", 300),
            below("a(x: [[1]]) ", 150),
            below("a(x: {y: 1}) ", 150),
            field(&format!("x: [{}]", "1 ".repeat(1_900))),
            field(&format!("x: [{}]", "{} ".repeat(900))),
            field(&format!("x: {{{}}}", numbered(450, |at| format!("k{at}: [] ")))),
            format!("query({}) {{ a }}", numbered(50, |at| format!("$v{at}: [Int!]! = [1] "))),
            numbered(50, |at| format!("fragment F{at} on T {{ ...F{at}x }} ")) + "{ a }",
        ];
        for text in documents {
            let document = read(&text).unwrap();
            let held = Held::of(&document.parsed) + text.len();
            let shown = text.get(..60).unwrap_or(&text);
            assert!(document.bytes >= held, "{} taken, {held} held: {shown}", document.bytes);
        }
    }
}
