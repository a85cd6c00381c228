//! Every path of the five sample documents has a home in the API, or a reason why not.
//!
//! `fixtures/document_paths.tsv` is the table: system, path in the document, field path in GraphQL (or `-`), reason or
//! note. These tests hold it to the samples on one side and to `schema.graphql` on the other, so that no path of a
//! document is lost silently and no field it is promised under goes away.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use async_graphql::parser::{
    parse_schema,
    types::{BaseType, Type, TypeKind, TypeSystemDefinition},
};
use serde_json::Value;

const TABLE: &str = include_str!("fixtures/document_paths.tsv");

const SAMPLES: [(&str, &str); 5] = [
    ("GPU_OUTLET", include_str!("fixtures/gpu-outlet.json")),
    ("PAYPERCUT", include_str!("fixtures/paypercut.json")),
    ("METEROID", include_str!("fixtures/meteroid.json")),
    ("USERHUB", include_str!("fixtures/userhub.json")),
    ("HOSTUP", include_str!("fixtures/hostup.json")),
];

/// Distinct paths of the five samples together: 21 + 73 + 80 + 44 + 166.
const PATHS_TOTAL: usize = 384;

/// Types that list a document's own keys; `field["key"]` is allowed on these only.
const KEYED_LISTS: [&str; 2] = ["MetadataEntry", "ExternalAttribute"];

/// One line of the table. `field` is absent where the document's path has no field in the API.
struct Row {
    system: &'static str,
    path: &'static str,
    field: Option<&'static str>,
    reason: &'static str,
}

fn rows() -> Vec<Row> {
    TABLE.lines().skip(1).map(row).collect()
}

fn row(line: &'static str) -> Row {
    let mut cells = line.split('\t');
    let mut cell = || cells.next().unwrap_or_default();
    let (system, path, field, reason) = (cell(), cell(), cell(), cell());
    assert_eq!(cells.next(), None, "a cell too many: {line}");
    Row { system, path, field: (field != "-").then_some(field), reason }
}

/// Collects `a`, `a.b`, `a[].c` … of everything below `value`; elements that are no containers count as `a[]`.
fn collect_paths(value: &Value, at: &str, paths: &mut BTreeSet<String>) {
    match value {
        Value::Object(entries) => {
            for (key, below) in entries {
                let path = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
                collect_paths(below, &path, paths);
                paths.insert(path);
            }
        }
        Value::Array(elements) => {
            for element in elements {
                let path = format!("{at}[]");
                collect_paths(element, &path, paths);
                if !element.is_object() && !element.is_array() {
                    paths.insert(path);
                }
            }
        }
        _ => {}
    }
}

fn sample_paths(sample: &str) -> BTreeSet<String> {
    let document = serde_json::from_str(sample).unwrap();
    let mut paths = BTreeSet::new();
    collect_paths(&document, "", &mut paths);
    paths
}

/// Each object and interface of the schema: its fields, and the named type of each.
type Fields = BTreeMap<String, BTreeMap<String, String>>;

fn schema_fields() -> Fields {
    let sdl = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/schema.graphql")).unwrap();
    let mut types = Fields::new();
    for definition in parse_schema(sdl).unwrap().definitions {
        let TypeSystemDefinition::Type(definition) = definition else {
            continue;
        };
        let name = definition.node.name.node.to_string();
        let fields = match definition.node.kind {
            TypeKind::Object(object) => object.fields,
            TypeKind::Interface(interface) => interface.fields,
            _ => continue,
        };
        let fields =
            fields.into_iter().map(|field| (field.node.name.node.to_string(), named_type(&field.node.ty.node)));
        types.entry(name).or_default().extend(fields);
    }
    types
}

/// The type inside all lists and non-null marks.
fn named_type(wrapped: &Type) -> String {
    match &wrapped.base {
        BaseType::Named(name) => name.to_string(),
        BaseType::List(element) => named_type(element),
    }
}

/// Splits `metadata["plan"]` into the field and the key asked for.
fn field_and_key(segment: &str) -> (&str, Option<&str>) {
    match segment.strip_suffix("\"]").and_then(|rest| rest.split_once("[\"")) {
        Some((field, key)) => (field, Some(key)),
        None => (segment, None),
    }
}

/// Walks `Type.field.field` and says where it ends, or which step does not exist.
fn resolve(types: &Fields, field_path: &str) -> Result<String, String> {
    let mut segments = field_path.split('.');
    let mut at = segments.next().unwrap_or_default().to_owned();
    for segment in segments {
        let (field, key) = field_and_key(segment);
        let Some(next) = types.get(&at).and_then(|fields| fields.get(field)) else {
            return Err(format!("{field_path}: type {at} has no field {field}"));
        };
        if key.is_some() && !KEYED_LISTS.contains(&next.as_str()) {
            return Err(format!("{field_path}: {field} does not list keys"));
        }
        at.clone_from(next);
    }
    Ok(at)
}

#[test]
fn the_table_lists_exactly_the_paths_of_the_samples() {
    let rows = rows();
    for (system, sample) in SAMPLES {
        let listed: BTreeSet<String> =
            rows.iter().filter(|row| row.system == system).map(|row| row.path.to_owned()).collect();
        assert_eq!(listed, sample_paths(sample), "{system}");
    }
    assert_eq!(rows.len(), PATHS_TOTAL);
}

#[test]
fn no_path_is_listed_twice() {
    let mut seen = BTreeSet::new();
    for row in rows() {
        assert!(seen.insert((row.system, row.path)), "{} {}", row.system, row.path);
    }
}

#[test]
fn a_path_without_a_field_has_a_reason() {
    for row in rows() {
        assert!(row.field.is_some() || !row.reason.is_empty(), "{} {}", row.system, row.path);
        assert_ne!(row.field, Some(""), "{} {}", row.system, row.path);
    }
}

#[test]
fn every_field_of_the_table_exists_in_the_schema() {
    let types = schema_fields();
    let missing: Vec<String> =
        rows().iter().filter_map(|row| row.field).filter_map(|field| resolve(&types, field).err()).collect();
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn a_key_that_is_asked_for_is_the_last_step_of_the_documents_path() {
    for row in rows() {
        let key = row.field.and_then(|field| field_and_key(field).1);
        let last = row.path.rsplit('.').next();
        assert!(key.is_none() || key == last, "{} {}", row.system, row.path);
    }
}

#[test]
fn only_redacted_credentials_are_kept_nowhere() {
    let redacted: BTreeSet<&str> =
        rows().iter().filter(|row| row.reason == "redacted credential").map(|row| row.path).collect();
    let expected = BTreeSet::from([
        "data.invoice.client.reset_expiry",
        "data.invoice.client.reset_token",
        "data.invoice.metadata.client.reset_expiry",
        "data.invoice.metadata.client.reset_token",
    ]);
    assert_eq!(redacted, expected);
}

#[test]
fn a_step_that_does_not_exist_is_named() {
    let money = BTreeMap::from([("amount".to_owned(), "Decimal".to_owned())]);
    let entry = BTreeMap::from([("key".to_owned(), "String".to_owned())]);
    let invoice =
        BTreeMap::from([("total".to_owned(), "Money".to_owned()), ("metadata".to_owned(), "MetadataEntry".to_owned())]);
    let types = BTreeMap::from([
        ("Invoice".to_owned(), invoice),
        ("Money".to_owned(), money),
        ("MetadataEntry".to_owned(), entry),
    ]);
    assert_eq!(resolve(&types, "Invoice.total.amount").unwrap(), "Decimal");
    assert_eq!(resolve(&types, "Invoice.metadata[\"plan\"]").unwrap(), "MetadataEntry");
    assert!(resolve(&types, "Invoice.total.cents").is_err());
    assert!(resolve(&types, "Invoice.total[\"amount\"]").is_err());
    assert!(resolve(&types, "Bill.total").is_err());
}
