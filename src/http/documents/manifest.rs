//! Files of trusted documents: ids and texts.
//!
//! Two forms are read: the persisted query manifest that Apollo's tools write, and a JSON object of texts by id, which
//! Relay's compiler and others write. Apollo's is written.

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// What Apollo's manifests say they are.
const FORMAT: &str = "apollo-persisted-query-manifest";

/// The version of that form.
const VERSION: u64 = 1;

/// Documents in one file.
const DOCUMENTS_MAX: usize = 10_000;

/// Bytes of an id.
pub(in crate::http) const ID_BYTES_MAX: usize = 128;

/// Documents as a file has them, with ids that differ.
#[derive(Debug, Default)]
pub struct Manifest {
    /// In the order of the file.
    pub(super) documents: Vec<Listed>,
}

/// A document of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) id: String,
    pub(super) text: String,
}

/// Why a file holds no documents.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// It is no JSON.
    #[error("it is no JSON: {0}")]
    NotJson(String),
    /// It is JSON of another form.
    #[error("it is neither an {FORMAT} of version {VERSION} nor an object of documents by their ids")]
    OtherForm,
    /// There are too many.
    #[error("it has {0} documents; {DOCUMENTS_MAX} are allowed")]
    TooMany(usize),
    /// An id cannot be asked for.
    #[error("the id {0:?} does not have 1 to {ID_BYTES_MAX} letters, digits and signs without spaces")]
    Id(String),
    /// Two documents have the same id.
    #[error("two documents have the id {0:?}")]
    Repeated(String),
}

/// Members of an object as they stand, those of one name too.
struct Members(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Every;
        impl<'de> Visitor<'de> for Every {
            type Value = Members;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Every)
    }
}

/// A document as Apollo's manifest writes it.
#[derive(Serialize)]
struct ApolloDocument<'a> {
    id: &'a str,
    name: &'a str,
    r#type: &'a str,
    body: &'a str,
}

#[derive(Serialize)]
struct ApolloManifest<'a> {
    format: &'static str,
    version: u64,
    operations: Vec<ApolloDocument<'a>>,
}

/// A document to be written.
#[derive(Debug)]
pub struct Written {
    /// What it is asked for by.
    pub id: String,
    /// Its operation; empty when that has no name.
    pub name: String,
    /// `query`, `mutation` or `subscription`.
    pub operation: &'static str,
    /// Its text.
    pub text: String,
}

impl Manifest {
    /// Reads a file of either form.
    ///
    /// # Errors
    /// [`ManifestError`] for the first thing that is wrong with the file; its documents are not looked at.
    pub fn read(bytes: &[u8]) -> Result<Self, ManifestError> {
        let members: Members = serde_json::from_slice(bytes).map_err(|error| match error.classify() {
            serde_json::error::Category::Data => ManifestError::OtherForm,
            _ => ManifestError::NotJson(error.to_string()),
        })?;
        let is_apollo = members.0.iter().any(|(name, value)| name == "operations" && value.is_array());
        let documents = if is_apollo { of_apollo(members.0) } else { of_map(members.0) };
        let documents = documents.ok_or(ManifestError::OtherForm)?;
        if documents.len() > DOCUMENTS_MAX {
            return Err(ManifestError::TooMany(documents.len()));
        }
        let mut ids = std::collections::HashSet::new();
        for Listed { id, .. } in &documents {
            if id.is_empty() || id.len() > ID_BYTES_MAX || !id.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(ManifestError::Id(id.chars().take(ID_BYTES_MAX).collect()));
            }
            if !ids.insert(id) {
                return Err(ManifestError::Repeated(id.clone()));
            }
        }
        Ok(Self { documents })
    }

    /// A file of these documents, in Apollo's form.
    pub fn write(documents: &[Written]) -> impl Serialize {
        let operations = documents.iter().map(|one| ApolloDocument {
            id: &one.id,
            name: &one.name,
            r#type: one.operation,
            body: &one.text,
        });
        ApolloManifest { format: FORMAT, version: VERSION, operations: operations.collect() }
    }

    /// Documents by ids that are known to be fit.
    pub fn of(documents: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { documents: documents.into_iter().map(|(id, text)| Listed { id, text }).collect() }
    }

    /// How many documents there are.
    pub fn len(&self) -> usize {
        self.documents.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.documents.is_empty()
    }
}

fn of_apollo(members: Vec<(String, Value)>) -> Option<Vec<Listed>> {
    let (mut format, mut version, mut operations) = (None, None, None);
    for (name, value) in members {
        match (name.as_str(), value) {
            ("format", value) => format = value.as_str().map(str::to_owned),
            ("version", value) => version = value.as_u64(),
            ("operations", Value::Array(list)) => operations = Some(list),
            _ => {}
        }
    }
    if format.as_deref() != Some(FORMAT) || version != Some(VERSION) {
        return None;
    }
    let document = |operation: Value| match (operation.get("id"), operation.get("body")) {
        (Some(Value::String(id)), Some(Value::String(text))) => Some(Listed { id: id.clone(), text: text.clone() }),
        _ => None,
    };
    operations?.into_iter().map(document).collect()
}

fn of_map(members: Vec<(String, Value)>) -> Option<Vec<Listed>> {
    let document = |(id, value)| match value {
        Value::String(text) => Some(Listed { id, text }),
        _ => None,
    };
    members.into_iter().map(document).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: &Value) -> Result<Vec<(String, String)>, ManifestError> {
        let manifest = Manifest::read(value.to_string().as_bytes())?;
        Ok(manifest.documents.into_iter().map(|listed| (listed.id, listed.text)).collect())
    }

    fn pair(id: &str, text: &str) -> (String, String) {
        (id.to_owned(), text.to_owned())
    }

    #[test]
    fn both_forms_are_read() {
        let apollo = json!({"format": FORMAT, "version": 1, "operations": [
            {"id": "b", "name": "B", "type": "query", "body": "{ b }"}, {"id": "a", "body": "{ a }", "more": 1},
        ]});
        assert_eq!(read(&apollo), Ok(vec![pair("b", "{ b }"), pair("a", "{ a }")]));
        assert_eq!(read(&json!({"x": "{ x }", "y": "{ y }"})), Ok(vec![pair("x", "{ x }"), pair("y", "{ y }")]));
        assert_eq!(read(&json!({})), Ok(Vec::new()));
    }

    #[test]
    fn what_is_written_is_read_again() {
        let written = Written {
            id: "1".to_owned(),
            name: "A".to_owned(),
            operation: "query",
            text: "query A { \"é\\n\" }".to_owned(),
        };
        let value = serde_json::to_value(Manifest::write(std::slice::from_ref(&written))).unwrap();
        assert_eq!(read(&value), Ok(vec![pair("1", &written.text)]));
    }

    #[test]
    fn files_of_another_form_are_refused() {
        for other in [
            json!([]),
            json!("x"),
            json!(1),
            json!({"a": 1}),
            json!({"a": {"b": "c"}}),
            json!({"format": FORMAT, "version": 2, "operations": []}),
            json!({"format": "other", "version": 1, "operations": []}),
            json!({"format": FORMAT, "version": 1, "operations": [{"id": "a"}]}),
        ] {
            assert_eq!(read(&other), Err(ManifestError::OtherForm), "{other}");
        }
        assert!(matches!(Manifest::read(b"{"), Err(ManifestError::NotJson(_))));
        assert!(matches!(Manifest::read(b"\xff"), Err(ManifestError::NotJson(_))));
        assert!(matches!(Manifest::read(&[b'['; 10_000]), Err(ManifestError::NotJson(_) | ManifestError::OtherForm)));
    }

    #[test]
    fn ids_are_short_plain_and_differ() {
        for id in ["", "a b", "é", "a\n", &"x".repeat(129)] {
            assert!(matches!(read(&json!({ id: "{ a }" })), Err(ManifestError::Id(_))), "{id:?}");
        }
        let twice = Manifest::read(b"{\"a\": \"{ a }\", \"a\": \"{ b }\"}").unwrap_err();
        assert_eq!(twice, ManifestError::Repeated("a".to_owned()));
        let many: serde_json::Map<String, Value> = (0..=10_000).map(|id| (id.to_string(), json!("{ a }"))).collect();
        assert_eq!(read(&Value::Object(many)), Err(ManifestError::TooMany(10_001)));
    }
}
