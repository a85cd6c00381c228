//! Documents as they were imported.

use std::sync::Arc;

use async_graphql::{ID, Object};
use entity::source_document;

use super::integrity::IntegrityIssue;
use super::kinds::SourceSystem;
use super::scalars::{DateTime, Json};

/// A document that was imported.
pub(super) struct SourceDocument(pub(super) Arc<source_document::Model>);

/// A document as it was imported, without the credentials it held.
#[Object]
impl SourceDocument {
    /// The id: `src_` and a ULID.
    pub(super) async fn id(&self) -> ID {
        ID(self.0.id.0.clone())
    }

    /// The system it comes from.
    fn system(&self) -> SourceSystem {
        self.0.system.into()
    }

    /// SHA-256 of the bytes as they came, in hexadecimal.
    fn sha256(&self) -> &String {
        &self.0.sha256
    }

    /// The document. Numbers are as JavaScript would read them.
    fn document(&self) -> Option<Json> {
        serde_json::from_str(&self.0.document).ok().map(Json)
    }

    /// Where credentials were removed.
    fn redacted_paths(&self) -> Vec<String> {
        let paths = self.0.redacted_paths.as_array().into_iter().flatten();
        paths.filter_map(|path| path.as_str().map(str::to_owned)).collect()
    }

    /// What does not hold in it; the same list as `Invoice.integrity`.
    fn issues(&self) -> Vec<IntegrityIssue> {
        IntegrityIssue::all(&self.0.issues)
    }

    /// When it was imported.
    fn imported_at(&self) -> DateTime {
        DateTime(self.0.imported_at)
    }
}
