//! Documents that are known before anyone asks: each passed the gate and fits the schema.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use async_graphql::parser::types::DocumentOperations;

use super::document::Document;
use super::hash::DocumentHash;
use super::manifest::{Manifest, Written};
use crate::gate::{CostTable, Limits};
use crate::graphql::Validator;

/// Whether trusted documents are asked for by id, and whether others are answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TrustedMode {
    /// They are not asked for.
    Off,
    /// They are asked for by id; others are answered as well.
    #[default]
    Prefer,
    /// They are asked for by id or with their text; no other document is answered.
    Only,
}

/// The trusted documents, read and known to be valid.
#[derive(Default)]
pub struct Trusted {
    by_id: HashMap<String, Arc<Document>>,
    by_hash: HashMap<DocumentHash, Arc<Document>>,
}

/// What is wrong with one document of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentFault {
    /// Its id.
    pub id: String,
    /// What is wrong.
    pub problem: String,
}

impl fmt::Display for DocumentFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.id, self.problem)
    }
}

impl Trusted {
    /// Reads the documents of a file.
    ///
    /// # Errors
    /// Everything that is wrong with any of them.
    pub async fn read(manifest: Manifest, limits: &Limits, costs: &CostTable) -> Result<Self, Vec<DocumentFault>> {
        let validator = Validator::new();
        let mut trusted = Self::default();
        let mut faults = Vec::new();
        for listed in manifest.documents {
            let hash = DocumentHash::of(&listed.text);
            if let Some(known) = trusted.by_hash.get(&hash) {
                trusted.by_id.insert(listed.id, Arc::clone(known));
                continue;
            }
            match valid(&validator, &listed.text, hash, limits, costs).await {
                Ok(document) => {
                    let document = Arc::new(document);
                    trusted.by_hash.insert(hash, Arc::clone(&document));
                    trusted.by_id.insert(listed.id, document);
                }
                Err(problems) => {
                    faults.extend(problems.into_iter().map(|problem| DocumentFault { id: listed.id.clone(), problem }));
                }
            }
        }
        if faults.is_empty() { Ok(trusted) } else { Err(faults) }
    }

    /// How many ids there are.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    pub(super) fn by_id(&self, id: &str) -> Option<&Arc<Document>> {
        self.by_id.get(id)
    }

    pub(super) fn by_hash(&self, hash: DocumentHash) -> Option<&Arc<Document>> {
        self.by_hash.get(&hash)
    }
}

/// The document, or everything that is wrong with it.
async fn valid(
    validator: &Validator,
    text: &str,
    hash: DocumentHash,
    limits: &Limits,
    costs: &CostTable,
) -> Result<Document, Vec<String>> {
    let document = Document::read(text, hash, limits, costs).map_err(|refusal| vec![refusal.to_string()])?;
    let faults = validator.faults(document.parsed.clone(), first_name(&document)).await;
    if faults.is_empty() {
        return Ok(document);
    }
    let told = faults.into_iter().map(|error| match error.locations.first() {
        Some(at) => format!("line {}, column {}: {}", at.line, at.column, error.message),
        None => error.message,
    });
    Err(told.collect())
}

/// The name of a document's operation, the first one where there are several.
fn first_name(document: &Document) -> Option<String> {
    match &document.parsed.operations {
        DocumentOperations::Single(_) => None,
        DocumentOperations::Multiple(named) => named.keys().map(ToString::to_string).min(),
    }
}

/// The document of a file as a manifest lists it: by its hash.
///
/// # Errors
/// Everything that is wrong with it.
pub async fn listed_document(text: &str, limits: &Limits, costs: &CostTable) -> Result<Written, Vec<String>> {
    let text = text.trim();
    let hash = DocumentHash::of(text);
    let document = valid(&Validator::new(), text, hash, limits, costs).await?;
    let name = first_name(&document);
    let operation = document.operation(name.as_deref()).map_err(|refusal| vec![refusal.to_string()])?;
    let operation = match operation.ty {
        async_graphql::parser::types::OperationType::Query => "query",
        async_graphql::parser::types::OperationType::Mutation => "mutation",
        async_graphql::parser::types::OperationType::Subscription => "subscription",
    };
    let name = name.unwrap_or_default();
    Ok(Written { id: hash.to_string(), name, operation, text: text.to_owned() })
}
