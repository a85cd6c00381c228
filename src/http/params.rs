//! The parameters of a GraphQL request, from a JSON body or from the query string.
//!
//! Members that are not ours are passed over; ours must have the right type. An empty `operationName` counts as absent,
//! and so does an empty `query` where the document is named in another way.

use async_graphql::Variables;
use serde_json::{Map, Value};

use super::documents::ID_BYTES_MAX;

/// A GraphQL request as the client wrote it.
#[derive(Debug)]
pub(super) struct Params {
    /// The document, or what names it: at least one of the three.
    pub(super) document: Asked,
    /// Which of its operations to run.
    pub(super) operation_name: Option<String>,
    /// Values of its variables.
    pub(super) variables: Variables,
}

/// How a request names its document.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    /// Its text: `query`.
    pub(super) text: Option<String>,
    /// The id of a trusted document: `documentId`.
    pub(super) id: Option<String>,
    /// Its hash by Apollo's protocol, or the id of a trusted one: `extensions.persistedQuery.sha256Hash`.
    pub(super) hash: Option<String>,
}

/// Why a request cannot be read. The messages are for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ParamsError {
    /// The body is not JSON in UTF-8, or is nested too deep to be read.
    #[error("The body is not valid JSON.")]
    NotJson,
    /// There are more values than one request may have.
    #[error("The parameters have more than {0} values.")]
    TooManyValues(usize),
    /// The body is a list: several requests at once.
    #[error("Several requests in one body are not supported; send them one by one.")]
    Batch,
    /// The body is a number, a string, …
    #[error("The body must be a JSON object.")]
    NotAnObject,
    /// There is no document.
    #[error("The parameter `query` is missing.")]
    QueryMissing,
    /// The id or hash of a document has no such length.
    #[error("The id of a document has 1 to {ID_BYTES_MAX} bytes.")]
    DocumentId,
    /// `extensions.persistedQuery` is not as it must be.
    #[error("`extensions.persistedQuery` must have the `version` 1 and a `sha256Hash`.")]
    PersistedQuery,
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
    /// Reads the body of a POST, with at most so many values.
    pub(super) fn from_json(body: &[u8], values_max: usize) -> Result<Self, ParamsError> {
        count(body, values_max)?;
        match serde_json::from_slice(body) {
            Ok(Value::Object(members)) => Self::from_members(members),
            Ok(Value::Array(_)) => Err(ParamsError::Batch),
            Ok(_) => Err(ParamsError::NotAnObject),
            Err(_unreadable) => Err(ParamsError::NotJson),
        }
    }

    /// Reads the query string of a GET; `variables` and `extensions` are JSON texts of at most so many values.
    pub(super) fn from_query_string(text: &str, values_max: usize) -> Result<Self, ParamsError> {
        let mut members = Map::new();
        for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
            let (name, value) = match name.as_ref() {
                "query" => ("query", Value::String(value.into_owned())),
                "documentId" => ("documentId", Value::String(value.into_owned())),
                "operationName" => ("operationName", Value::String(value.into_owned())),
                "variables" => ("variables", json_text(&value, "variables", values_max)?),
                "extensions" => ("extensions", json_text(&value, "extensions", values_max)?),
                _ => continue,
            };
            if members.insert(name.to_owned(), value).is_some() {
                return Err(ParamsError::Repeated(name));
            }
        }
        Self::from_members(members)
    }

    fn from_members(mut members: Map<String, Value>) -> Result<Self, ParamsError> {
        let extensions = map(&mut members, "extensions")?;
        let id = text(&mut members, "documentId")?;
        let hash = persisted_query(extensions)?;
        if id.iter().chain(&hash).any(|id| id.is_empty() || id.len() > ID_BYTES_MAX) {
            return Err(ParamsError::DocumentId);
        }
        let is_named = id.is_some() || hash.is_some();
        let query = text(&mut members, "query")?.filter(|query| !(is_named && query.is_empty()));
        if query.is_none() && !is_named {
            return Err(ParamsError::QueryMissing);
        }
        let document = Asked { text: query, id, hash };
        let operation_name = text(&mut members, "operationName")?.filter(|name| !name.is_empty());
        let variables = map(&mut members, "variables")?;
        Ok(Self { document, operation_name, variables: Variables::from_json(Value::Object(variables)) })
    }
}

/// The hash of a document that Apollo's protocol names it by.
fn persisted_query(mut extensions: Map<String, Value>) -> Result<Option<String>, ParamsError> {
    match extensions.remove("persistedQuery") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(mut persisted)) => match (persisted.remove("version"), persisted.remove("sha256Hash")) {
            (Some(version), Some(Value::String(hash))) if version.as_u64() == Some(1) => Ok(Some(hash)),
            _ => Err(ParamsError::PersistedQuery),
        },
        Some(_) => Err(ParamsError::PersistedQuery),
    }
}

fn json_text(text: &str, name: &'static str, values_max: usize) -> Result<Value, ParamsError> {
    if text.is_empty() {
        return Ok(Value::Null);
    }
    count(text.as_bytes(), values_max)?;
    serde_json::from_str(text).map_err(|_unreadable| ParamsError::NotAMap(name))
}

/// Counts the values of a JSON text before it is read: what separates and what begins them, outside of strings.
fn count(json: &[u8], values_max: usize) -> Result<(), ParamsError> {
    let (mut values, mut in_string, mut escaped) = (1_usize, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b',' | b'[' | b'{' if !in_string => values += 1,
            _ => {}
        }
    }
    if values > values_max { Err(ParamsError::TooManyValues(values_max)) } else { Ok(()) }
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

    const VALUES_MAX: usize = 10_000;

    fn from_json(body: &[u8]) -> Result<Params, ParamsError> {
        Params::from_json(body, VALUES_MAX)
    }

    fn from_query_string(text: &str) -> Result<Params, ParamsError> {
        Params::from_query_string(text, VALUES_MAX)
    }

    #[test]
    fn values_are_counted_before_they_are_read_and_commas_in_texts_are_none() {
        let body = |values: usize| {
            let (list, commas) = (vec!["1"; values].join(","), ",".repeat(20_000));
            format!(r#"{{"query":"{{ a(b: \"{commas}\") }}","variables":{{"l":[{list}]}}}}"#)
        };
        assert!(from_json(body(VALUES_MAX - 10).as_bytes()).is_ok());
        assert_eq!(from_json(body(VALUES_MAX).as_bytes()).unwrap_err(), ParamsError::TooManyValues(VALUES_MAX));
        let list = "1,".repeat(VALUES_MAX);
        let query = format!("query={{a}}&variables={{\"l\":[{list}1]}}");
        assert_eq!(from_query_string(&query).unwrap_err(), ParamsError::TooManyValues(VALUES_MAX));
    }

    fn refused(body: &Value) -> ParamsError {
        from_json(body.to_string().as_bytes()).unwrap_err()
    }

    #[test]
    fn a_body_gives_its_parameters() {
        let body = json!({"query": "{ a }", "operationName": "A", "variables": {"n": 1}, "extensions": {}, "more": 1});
        let params = from_json(body.to_string().as_bytes()).unwrap();
        assert_eq!(params.document.text.as_deref(), Some("{ a }"));
        assert_eq!(params.operation_name.as_deref(), Some("A"));
        assert_eq!(params.variables.into_value().into_json().unwrap(), json!({"n": 1}));

        let nulls = json!({"query": "{ a }", "operationName": null, "variables": null, "extensions": null});
        let params = from_json(nulls.to_string().as_bytes()).unwrap();
        assert_eq!(params.operation_name, None);
        assert!(params.variables.is_empty());
    }

    #[test]
    fn a_query_string_gives_its_parameters() {
        let params = from_query_string("query=%7B+a%20%7D&operationName=&variables=%7B%22n%22%3A1%7D&x=1").unwrap();
        assert_eq!(params.document.text.as_deref(), Some("{ a }"));
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
            assert_eq!(from_query_string(text).unwrap_err(), error, "{text}");
        }
    }

    #[test]
    fn bodies_of_another_shape_are_refused() {
        let deep = "[".repeat(5_000);
        for text in ["", "{", "{\"query\":", "\u{feff}{}", "{'query': 1}", "{}{}", deep.as_str()] {
            assert_eq!(from_json(text.as_bytes()).unwrap_err(), ParamsError::NotJson);
        }
        assert_eq!(from_json(b"{\"query\": \"\xff\"}").unwrap_err(), ParamsError::NotJson);
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

    #[test]
    fn a_document_is_named_by_its_text_its_id_or_its_hash() {
        let asked = |body: Value| from_json(body.to_string().as_bytes()).map(|params| params.document);
        let hash = json!({"persistedQuery": {"version": 1, "sha256Hash": "ab"}});
        let wanted = Asked { text: None, id: None, hash: Some("ab".to_owned()) };
        assert_eq!(asked(json!({"extensions": hash})).unwrap(), wanted);
        assert_eq!(asked(json!({"query": "", "extensions": hash})).unwrap(), wanted);
        let by_id = asked(json!({"documentId": "a", "extensions": {"persistedQuery": null}})).unwrap();
        assert_eq!(by_id, Asked { text: None, id: Some("a".to_owned()), hash: None });
        let get = from_query_string(
            "extensions=%7B%22persistedQuery%22%3A%7B%22version%22%3A1%2C%22sha256Hash%22%3A%22ab%22%7D%7D",
        );
        assert_eq!(get.unwrap().document, wanted);
        let get = from_query_string("documentId=a&documentId=b");
        assert_eq!(get.unwrap_err(), ParamsError::Repeated("documentId"));
    }

    #[test]
    fn names_of_documents_that_cannot_be_are_refused() {
        for persisted in [json!(1), json!({}), json!({"version": 1}), json!({"version": 2, "sha256Hash": "ab"})] {
            assert_eq!(refused(&json!({"extensions": {"persistedQuery": persisted}})), ParamsError::PersistedQuery);
        }
        for id in [String::new(), "x".repeat(129)] {
            let hash = json!({"persistedQuery": {"version": 1, "sha256Hash": id}});
            assert_eq!(refused(&json!({"documentId": id})), ParamsError::DocumentId);
            assert_eq!(refused(&json!({"extensions": hash})), ParamsError::DocumentId);
        }
        assert_eq!(refused(&json!({"documentId": 1})), ParamsError::NotText("documentId"));
        let empty = from_json(b"{\"query\": \"\"}").unwrap();
        assert_eq!(empty.document.text.as_deref(), Some(""), "an empty text alone is told by the gate");
    }
}
