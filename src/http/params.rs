//! The parameters of a GraphQL request, from a JSON body or from the query string.
//!
//! Members that are not ours are passed over; ours must have the right type. `extensions` must be an object and is
//! not used yet. An empty `operationName` counts as absent.

use async_graphql::Variables;
use serde_json::{Map, Value};

/// A GraphQL request as the client wrote it.
#[derive(Debug)]
pub(super) struct Params {
    /// The document.
    pub(super) query: String,
    /// Which of its operations to run.
    pub(super) operation_name: Option<String>,
    /// Values of its variables.
    pub(super) variables: Variables,
}

/// Why a request cannot be read. The messages are for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ParamsError {
    /// The body is not JSON in UTF-8, or is nested too deep to be read.
    #[error("The body is not valid JSON.")]
    NotJson,
    /// The body is a list: several requests at once.
    #[error("Several requests in one body are not supported; send them one by one.")]
    Batch,
    /// The body is a number, a string, …
    #[error("The body must be a JSON object.")]
    NotAnObject,
    /// There is no document.
    #[error("The parameter `query` is missing.")]
    QueryMissing,
    /// A parameter must be a string.
    #[error("The parameter `{0}` must be a string.")]
    NotText(&'static str),
    /// A parameter must be an object.
    #[error("The parameter `{0}` must be a JSON object.")]
    NotAMap(&'static str),
    /// A parameter of the query string is there twice.
    #[error("The parameter `{0}` is given more than once.")]
    Repeated(&'static str),
}

impl Params {
    /// Reads the body of a POST.
    pub(super) fn from_json(body: &[u8]) -> Result<Self, ParamsError> {
        match serde_json::from_slice(body) {
            Ok(Value::Object(members)) => Self::from_members(members),
            Ok(Value::Array(_)) => Err(ParamsError::Batch),
            Ok(_) => Err(ParamsError::NotAnObject),
            Err(_unreadable) => Err(ParamsError::NotJson),
        }
    }

    /// Reads the query string of a GET; `variables` and `extensions` are JSON texts.
    pub(super) fn from_query_string(text: &str) -> Result<Self, ParamsError> {
        let mut members = Map::new();
        for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
            let (name, value) = match name.as_ref() {
                "query" => ("query", Value::String(value.into_owned())),
                "operationName" => ("operationName", Value::String(value.into_owned())),
                "variables" => ("variables", json_text(&value, "variables")?),
                "extensions" => ("extensions", json_text(&value, "extensions")?),
                _ => continue,
            };
            if members.insert(name.to_owned(), value).is_some() {
                return Err(ParamsError::Repeated(name));
            }
        }
        Self::from_members(members)
    }

    fn from_members(mut members: Map<String, Value>) -> Result<Self, ParamsError> {
        let query = text(&mut members, "query")?.ok_or(ParamsError::QueryMissing)?;
        let operation_name = text(&mut members, "operationName")?.filter(|name| !name.is_empty());
        let variables = map(&mut members, "variables")?;
        map(&mut members, "extensions")?;
        Ok(Self { query, operation_name, variables: Variables::from_json(Value::Object(variables)) })
    }
}

fn json_text(text: &str, name: &'static str) -> Result<Value, ParamsError> {
    match text {
        "" => Ok(Value::Null),
        _ => serde_json::from_str(text).map_err(|_unreadable| ParamsError::NotAMap(name)),
    }
}

fn text(members: &mut Map<String, Value>, name: &'static str) -> Result<Option<String>, ParamsError> {
    match members.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(ParamsError::NotText(name)),
    }
}

fn map(members: &mut Map<String, Value>, name: &'static str) -> Result<Map<String, Value>, ParamsError> {
    match members.remove(name) {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(map)) => Ok(map),
        Some(_) => Err(ParamsError::NotAMap(name)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(body: &Value) -> ParamsError {
        Params::from_json(body.to_string().as_bytes()).unwrap_err()
    }

    #[test]
    fn a_body_gives_its_parameters() {
        let body = json!({"query": "{ a }", "operationName": "A", "variables": {"n": 1}, "extensions": {}, "more": 1});
        let params = Params::from_json(body.to_string().as_bytes()).unwrap();
        assert_eq!(params.query, "{ a }");
        assert_eq!(params.operation_name.as_deref(), Some("A"));
        assert_eq!(params.variables.into_value().into_json().unwrap(), json!({"n": 1}));

        let nulls = json!({"query": "{ a }", "operationName": null, "variables": null, "extensions": null});
        let params = Params::from_json(nulls.to_string().as_bytes()).unwrap();
        assert_eq!(params.operation_name, None);
        assert!(params.variables.is_empty());
    }

    #[test]
    fn a_query_string_gives_its_parameters() {
        let params =
            Params::from_query_string("query=%7B+a%20%7D&operationName=&variables=%7B%22n%22%3A1%7D&x=1").unwrap();
        assert_eq!(params.query, "{ a }");
        assert_eq!(params.operation_name, None);
        assert_eq!(params.variables.into_value().into_json().unwrap(), json!({"n": 1}));
        for (text, error) in [
            ("", ParamsError::QueryMissing),
            ("variables=%7B%7D", ParamsError::QueryMissing),
            ("query=a&query=b", ParamsError::Repeated("query")),
            ("query=a&variables=1", ParamsError::NotAMap("variables")),
            ("query=a&variables=%7B", ParamsError::NotAMap("variables")),
            ("query=a&extensions=%5B%5D", ParamsError::NotAMap("extensions")),
        ] {
            assert_eq!(Params::from_query_string(text).unwrap_err(), error, "{text}");
        }
    }

    #[test]
    fn bodies_of_another_shape_are_refused() {
        let deep = "[".repeat(100_000);
        for text in ["", "{", "{\"query\":", "\u{feff}{}", "{'query': 1}", "{}{}", deep.as_str()] {
            assert_eq!(Params::from_json(text.as_bytes()).unwrap_err(), ParamsError::NotJson);
        }
        assert_eq!(Params::from_json(b"{\"query\": \"\xff\"}").unwrap_err(), ParamsError::NotJson);
        for list in [json!([]), json!([{"query": "{ a }"}])] {
            assert_eq!(refused(&list), ParamsError::Batch);
        }
        for other in [json!(null), json!(1), json!("{ a }"), json!(true)] {
            assert_eq!(refused(&other), ParamsError::NotAnObject);
        }
    }

    #[test]
    fn parameters_of_another_type_are_refused() {
        assert_eq!(refused(&json!({})), ParamsError::QueryMissing);
        assert_eq!(refused(&json!({"query": null})), ParamsError::QueryMissing);
        for wrong in [json!({}), json!(0), json!(false), json!(["a"])] {
            assert_eq!(refused(&json!({"query": wrong})), ParamsError::NotText("query"));
            assert_eq!(refused(&json!({"query": "", "operationName": wrong})), ParamsError::NotText("operationName"));
        }
        for wrong in [json!("{}"), json!(0), json!(false), json!(["a"])] {
            assert_eq!(refused(&json!({"query": "", "variables": wrong})), ParamsError::NotAMap("variables"));
            assert_eq!(refused(&json!({"query": "", "extensions": wrong})), ParamsError::NotAMap("extensions"));
        }
    }
}
