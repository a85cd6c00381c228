//! A JSON document as a tree that keeps the order of keys and the spelling of numbers.
//!
//! Numbers stay text: they are read by `domain::decimal`, never through a float. Credentials are left out of the tree,
//! so that nothing behind it can keep one. Refused on the way: text that is no JSON, keys that occur twice, NUL
//! characters, numbers of more than 38 digits, nesting beyond [`DEPTH_MAX`].

use std::collections::HashSet;
use std::fmt;

use entity::Json;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::error::{DialectError, quoted};
use super::redact::{Credential, is_credential};
use crate::domain::decimal::{Decimal, DecimalError};

/// The most lists and objects inside each other; real documents have seven.
pub(super) const DEPTH_MAX: usize = 20;

/// The fields of an object, in the order of the document.
pub(super) type Object = Vec<(String, Value)>;

/// A JSON value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as it is spelled.
    Number(String),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Value>),
    /// An object.
    Object(Object),
}

/// A document and the credentials found in it.
#[derive(Debug)]
pub(super) struct Document {
    /// The tree, without the credentials.
    pub(super) root: Value,
    /// In the order of the text.
    pub(super) credentials: Vec<Credential>,
}

impl Value {
    /// What sort of value this is, for messages.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        }
    }

    /// The value as it is kept in a JSON column. A number that a JSON column would not give back is kept as text.
    pub(super) fn json(self) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Bool(value) => Json::Bool(value),
            Self::Number(text) => number_json(text),
            Self::Text(text) => Json::String(text),
            Self::List(values) => values.into_iter().map(Self::json).collect(),
            Self::Object(fields) => fields.into_iter().map(|(key, value)| (key, value.json())).collect(),
        }
    }
}

fn number_json(text: String) -> Json {
    let number = serde_json::from_str::<serde_json::Number>(&text).ok();
    let faithful = number.filter(|number| Decimal::parse(&number.to_string()) == Decimal::parse(&text));
    faithful.map_or(Json::String(text), Json::Number)
}

/// Reads a document.
///
/// # Errors
/// [`DialectError`] for everything named at the head of this file.
pub(super) fn parse(text: &str) -> Result<Document, DialectError> {
    let raw: &RawValue = read(text, Path::Root)?;
    let mut parser = Parser { text, credentials: Vec::new() };
    let root = parser.value(raw.get(), Path::Root, 1)?;
    Ok(Document { root, credentials: parser.credentials })
}

/// The way from the root to a value; written out only when it is needed.
#[derive(Clone, Copy)]
enum Path<'a> {
    Root,
    Key(&'a Path<'a>, &'a str),
    Index(&'a Path<'a>, usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_str("$"),
            Self::Key(Self::Root, key) => f.write_str(&quoted(key)),
            Self::Key(parent, key) => write!(f, "{parent}.{}", quoted(key)),
            Self::Index(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

struct Parser<'t> {
    text: &'t str,
    credentials: Vec<Credential>,
}

impl Parser<'_> {
    /// Reads `raw`, a part of the text without blanks around it. Calls itself at most [`DEPTH_MAX`] times deep.
    fn value(&mut self, raw: &str, path: Path<'_>, depth: usize) -> Result<Value, DialectError> {
        let nested = raw.starts_with(['{', '[']);
        if nested && depth > DEPTH_MAX {
            return Err(DialectError::TooDeep { path: path.to_string(), max: DEPTH_MAX });
        }
        match raw.as_bytes().first() {
            Some(b'{') => self.object(raw, path, depth),
            Some(b'[') => self.list(raw, path, depth),
            Some(b'"') => Ok(Value::Text(without_nul(read(raw, path)?, path)?)),
            Some(b't') => Ok(Value::Bool(true)),
            Some(b'f') => Ok(Value::Bool(false)),
            Some(b'n') => Ok(Value::Null),
            _ => number(raw, path),
        }
    }

    fn list(&mut self, raw: &str, path: Path<'_>, depth: usize) -> Result<Value, DialectError> {
        let entries: Vec<&RawValue> = read(raw, path)?;
        let values = entries
            .into_iter()
            .enumerate()
            .map(|(index, entry)| self.value(entry.get(), Path::Index(&path, index), depth + 1));
        values.collect::<Result<_, _>>().map(Value::List)
    }

    fn object(&mut self, raw: &str, path: Path<'_>, depth: usize) -> Result<Value, DialectError> {
        let entries: Entries<'_> = read(raw, path)?;
        let mut known = HashSet::new();
        let mut fields = Vec::with_capacity(entries.0.len());
        for (key, entry) in &entries.0 {
            let path = Path::Key(&path, key);
            let entry = entry.get();
            if !known.insert(key) {
                return Err(DialectError::Duplicate { path: path.to_string(), found: "the key".to_owned() });
            }
            if key.contains('\0') {
                return Err(nul(path));
            }
            if is_credential(key) && entry != "null" {
                self.note_credential(entry, path);
            } else {
                fields.push((key.clone(), self.value(entry, path, depth + 1)?));
            }
        }
        Ok(Value::Object(fields))
    }

    fn note_credential(&mut self, raw: &str, path: Path<'_>) {
        // Every part is a slice of the text itself, so the distance of the two is the position.
        let start = raw.as_ptr().addr().saturating_sub(self.text.as_ptr().addr());
        self.credentials.push(Credential { path: path.to_string(), span: start..start.saturating_add(raw.len()) });
    }
}

fn number(raw: &str, path: Path<'_>) -> Result<Value, DialectError> {
    match Decimal::parse(raw) {
        Ok(_) => Ok(Value::Number(raw.to_owned())),
        Err(DecimalError::TooLarge) => Err(DialectError::OutOfRange {
            path: path.to_string(),
            found: quoted(raw),
            reason: "numbers have at most 38 digits",
        }),
        Err(DecimalError::Malformed) => {
            Err(DialectError::NotJson { path: path.to_string(), reason: "not a number".to_owned() })
        }
    }
}

fn without_nul(text: String, path: Path<'_>) -> Result<String, DialectError> {
    if text.contains('\0') { Err(nul(path)) } else { Ok(text) }
}

fn nul(path: Path<'_>) -> DialectError {
    DialectError::NulCharacter { path: path.to_string() }
}

fn read<'t, T: Deserialize<'t>>(text: &'t str, path: Path<'_>) -> Result<T, DialectError> {
    serde_json::from_str(text).map_err(|source| {
        let reason = source.to_string();
        // Inside the document the position would be counted from the start of the value.
        let reason = match path {
            Path::Root => reason.as_str(),
            _ => reason.split(" at line").next().unwrap_or_default(),
        };
        DialectError::NotJson { path: path.to_string(), reason: quoted(reason) }
    })
}

/// The fields of one object, not yet read.
struct Entries<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<'de>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        parse(text).unwrap_err().to_string()
    }

    #[test]
    fn order_and_spelling_are_kept() {
        let document = parse(r#" {"b": 1.50, "a": [null, true, "x\u00e9"], "c": 1e2} "#).unwrap();
        let Value::Object(fields) = document.root else {
            panic!("an object");
        };
        let keys: Vec<&str> = fields.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, ["b", "a", "c"]);
        assert_eq!(fields[0].1, Value::Number("1.50".to_owned()));
        assert_eq!(fields[1].1, Value::List(vec![Value::Null, Value::Bool(true), Value::Text("xé".to_owned())]));
        assert_eq!(fields[2].1, Value::Number("1e2".to_owned()));
    }

    #[test]
    fn a_number_becomes_a_json_number_only_when_that_is_faithful() {
        let json = |text: &str| Value::Number(text.to_owned()).json();
        assert_eq!(json("12"), serde_json::json!(12));
        assert_eq!(json("1.50"), serde_json::json!(1.5));
        let long = "0.12345678901234567890123456789";
        assert_eq!(json(long), serde_json::json!(long));
    }

    #[test]
    fn what_cannot_be_kept_is_refused_with_its_path() {
        let cases = [
            ("", "$: not JSON: EOF while parsing a value at line 1 column 0"),
            ("{\"a\":1,}", "$: not JSON: key must be a string at line 1 column 8"),
            ("{} {}", "$: not JSON: trailing characters at line 1 column 4"),
            ("{\"a\":{\"b\":1,\"b\":2}}", "a.b: the key occurs twice"),
            ("{\"a\":[0,\"\\u0000\"]}", "a[1]: contains a NUL character"),
            ("{\"a\":{\"x\\u0000\":1}}", "a.x\u{fffd}: contains a NUL character"),
            ("{\"a\":[1e400]}", "a[0]: 1e400 does not fit: numbers have at most 38 digits"),
            ("{\"a\":\"\\ud800\"}", "a: not JSON: unexpected end of hex escape"),
        ];
        for (text, wanted) in cases {
            assert_eq!(refused(text), wanted, "{text}");
        }
    }

    #[test]
    fn twenty_levels_pass_and_the_next_is_refused() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(parse(&nested(DEPTH_MAX)).is_ok());
        let error = parse(&nested(DEPTH_MAX + 1)).unwrap_err();
        assert!(matches!(error, DialectError::TooDeep { max: 20, .. }), "{error}");
        assert_eq!(error.path(), format!("${}", "[0]".repeat(20)));
        assert!(matches!(parse(&nested(500_000)).unwrap_err(), DialectError::TooDeep { .. }));
        assert!(parse(&"[".repeat(1_000_000)).is_err());
    }

    #[test]
    fn credentials_are_left_out_of_the_tree() {
        let text = r#"{"user": {"reset_token": {"a": "\ud800"}, "name": "x"}, "cvc": null, "keys": [{"api_key": 1}]}"#;
        let document = parse(text).unwrap();
        let paths: Vec<&str> = document.credentials.iter().map(|found| found.path.as_str()).collect();
        assert_eq!(paths, ["user.reset_token", "keys[0].api_key"]);
        assert_eq!(document.root.json(), serde_json::json!({"user": {"name": "x"}, "cvc": null, "keys": [{}]}));
        let spans: Vec<&str> = document.credentials.iter().map(|found| &text[found.span.clone()]).collect();
        assert_eq!(spans, [r#"{"a": "\ud800"}"#, "1"]);
    }
}
