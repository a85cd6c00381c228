//! Whether the variables of an operation have values, and of the right built-in type.
//!
//! The library checks values where they are used as arguments, and misses a required variable without a value: the
//! field that uses it would fail, where the specification refuses the whole request. Enums, input objects and our
//! scalars are left to the library.

use async_graphql::parser::types::{BaseType, Type, VariableDefinition};
use async_graphql::{Pos, Positioned, Value, Variables};

/// A variable whose value is missing or does not fit.
#[derive(Debug, thiserror::Error)]
#[error("The variable `${name}` needs a value of type `{of_type}`.")]
pub(super) struct VariableError {
    name: String,
    of_type: String,
    /// Where it is declared.
    pub(super) position: Pos,
}

/// Compares what an operation declares with what the request brings; more than that is allowed.
pub(super) fn check(declared: &[Positioned<VariableDefinition>], values: &Variables) -> Result<(), VariableError> {
    match declared.iter().find(|variable| !is_satisfied(&variable.node, values)) {
        None => Ok(()),
        Some(variable) => Err(VariableError {
            name: variable.node.name.node.to_string(),
            of_type: variable.node.var_type.node.to_string(),
            position: variable.pos,
        }),
    }
}

fn is_satisfied(declared: &VariableDefinition, values: &Variables) -> bool {
    let of_type = &declared.var_type.node;
    match values.get(&declared.name.node) {
        Some(value) => fits(value, of_type),
        None => of_type.nullable || declared.default_value.is_some(),
    }
}

/// Recurses once per list in the type, which the gate bounds.
fn fits(value: &Value, of_type: &Type) -> bool {
    match (value, &of_type.base) {
        (Value::Null, _) => of_type.nullable,
        (Value::List(elements), BaseType::List(of_element)) => elements.iter().all(|element| fits(element, of_element)),
        // A single value stands for a list of one.
        (single, BaseType::List(of_element)) => fits(single, of_element),
        (single, BaseType::Named(name)) => fits_named(single, name),
    }
}

fn fits_named(value: &Value, name: &str) -> bool {
    match name {
        "Int" => matches!(value, Value::Number(number) if number.as_i64().is_some_and(|n| i32::try_from(n).is_ok())),
        "Float" => matches!(value, Value::Number(_)),
        "String" => matches!(value, Value::String(_)),
        "Boolean" => matches!(value, Value::Boolean(_)),
        "ID" => match value {
            Value::Number(number) => number.is_i64(),
            other => matches!(other, Value::String(_)),
        },
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;
    use serde_json::json;

    use super::*;

    fn check_declared(declared: &str, values: serde_json::Value) -> Result<(), VariableError> {
        let document = parse_query(format!("query({declared}) {{ a }}")).unwrap();
        let (_, operation) = document.operations.iter().next().unwrap();
        check(&operation.node.variable_definitions, &Variables::from_json(values))
    }

    #[test]
    fn values_that_fit_are_accepted() {
        for (declared, values) in [
            ("$a: ID!", json!({"a": "x"})),
            ("$a: ID!", json!({"a": 5})),
            ("$a: ID", json!({})),
            ("$a: ID", json!({"a": null, "unknown": 1})),
            ("$a: Int! = 1", json!({})),
            ("$a: Int", json!({"a": 2_147_483_647})),
            ("$a: Float", json!({"a": 1})),
            ("$a: [Int!]", json!({"a": [1, 2]})),
            ("$a: [Int]", json!({"a": [1, null]})),
            ("$a: [[Int]]", json!({"a": 1})),
            ("$a: InvoiceFilter", json!({"a": {"anything": true}})),
        ] {
            assert!(check_declared(declared, values).is_ok(), "{declared}");
        }
    }

    #[test]
    fn values_that_do_not_fit_are_refused() {
        for (declared, values) in [
            ("$a: ID!", json!({})),
            ("$a: ID!", json!({"a": null})),
            ("$a: Int! = 1", json!({"a": null})),
            ("$a: ID", json!({"a": 1.5})),
            ("$a: ID", json!({"a": {"b": 1}})),
            ("$a: Int", json!({"a": 2_147_483_648_u32})),
            ("$a: Int", json!({"a": "1"})),
            ("$a: Int", json!({"a": 1.5})),
            ("$a: Float", json!({"a": "1"})),
            ("$a: String", json!({"a": 1})),
            ("$a: Boolean", json!({"a": "true"})),
            ("$a: [Int!]", json!({"a": [null]})),
            ("$a: [Int]", json!({"a": ["x"]})),
            ("$a: Filter!", json!({})),
        ] {
            let error = check_declared(declared, values).unwrap_err();
            assert!(error.to_string().starts_with("The variable `$a` needs a value of type `"), "{declared}");
        }
    }
}
