//! From what a request names to a document that may be executed.
//!
//! A request brings a text, the hash of one, or the id of a trusted one. Every text passes the gate before the parser
//! sees it (`document.rs`). What turned out to be valid is kept by its hash, bounded by bytes: for everyone in the
//! cache, and for the tenant that sent it on its shelf (`shelf.rs`), where it is found without its text.

mod document;
mod hash;
mod manifest;
mod shelf;
mod trusted;

use std::collections::HashSet;
use std::sync::Arc;

use async_graphql::Variables;
use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{OperationDefinition, TypeKind, TypeSystemDefinition};
use entity::TenantId;
use moka::future::Cache;
use moka::notification::RemovalCause;

use super::cost::CostLimits;
use super::error::Refusal;
use super::params::Asked;
use crate::gate::{CostTable, Limits};
use crate::graphql::{self, Schema};
use crate::stats::{DocumentStats, Persisted, Registry, Source};

pub(super) use document::{Document, Shape};
pub use hash::DocumentHash;
pub(super) use manifest::ID_BYTES_MAX;
pub use manifest::{Manifest, ManifestError, Written};
use shelf::Shelves;
pub use trusted::{DocumentFault, Trusted, TrustedMode, listed_document};

/// What holds for documents.
#[derive(Clone, Debug)]
pub struct DocumentSettings {
    /// What a document may contain.
    pub limits: Limits,
    /// What an operation may cost.
    pub cost_limits: CostLimits,
    /// Bytes of the documents that are kept parsed; 0 keeps none.
    pub cache_bytes: u64,
    /// Whether clients may ask by the hash of a document that they sent before.
    pub persisted: bool,
    /// What trusted documents are for, where there are any.
    pub trusted_mode: TrustedMode,
}

impl Default for DocumentSettings {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            cost_limits: CostLimits::default(),
            cache_bytes: 32 * 1024 * 1024,
            persisted: true,
            trusted_mode: TrustedMode::default(),
        }
    }
}

/// All documents that are known, and how others are read.
pub struct Documents {
    pub(super) settings: DocumentSettings,
    costs: CostTable,
    /// Types of variables whose values are checked in each request.
    scalars: HashSet<String>,
    cache: Cache<DocumentHash, Arc<Document>>,
    shelves: Shelves,
    trusted: Trusted,
    /// The schema for documents that are known to be valid.
    known: Schema,
    stats: DocumentStats,
}

/// A document that a request asks for, and where it is to be kept if it turns out to be valid.
pub(super) struct Found {
    pub(super) document: Arc<Document>,
    /// Whether it was read for this request.
    is_new: bool,
    /// Its text, where the tenant is to find it by its hash from now on.
    to_shelve: Option<String>,
}

impl Documents {
    /// Documents of `schema`.
    ///
    /// # Errors
    /// The one of the parser when the schema cannot be read back, which a test excludes.
    pub fn new(
        schema: &Schema,
        settings: DocumentSettings,
        trusted: Trusted,
    ) -> Result<Self, async_graphql::parser::Error> {
        let weigh = |_: &DocumentHash, document: &Arc<Document>| u32::try_from(document.bytes).unwrap_or(u32::MAX);
        let stats = DocumentStats::default();
        let evictions = stats.clone();
        let evicted = move |_, _, cause: RemovalCause| {
            if cause == RemovalCause::Size {
                evictions.evicted();
            }
        };
        let cache =
            Cache::builder().max_capacity(settings.cache_bytes).weigher(weigh).eviction_listener(evicted).build();
        Ok(Self {
            costs: graphql::cost::table(schema)?,
            scalars: scalars(schema)?,
            cache,
            shelves: Shelves::default(),
            trusted,
            known: graphql::schema_for_known_documents(),
            settings,
            stats,
        })
    }

    /// Takes note of the cache as it is now, for whoever counts.
    pub async fn see(&self) {
        self.cache.run_pending_tasks().await;
        self.stats.see(self.cache.entry_count(), self.cache.weighted_size());
    }

    /// Shows what is counted of documents.
    pub fn register(&self, registry: &mut Registry) {
        self.stats.register(registry);
    }

    /// The document that a request asks for.
    pub(super) async fn find(&self, tenant: &TenantId, asked: Asked) -> Result<Found, Refusal> {
        let Asked { text, id, hash } = asked;
        if let Some(id) = &id {
            let found = self.trusted_by_id(id, text.as_deref(), hash.as_deref());
            return self.counted(found, text.is_some());
        }
        let (is_named, has_text) = (hash.is_some(), text.is_some());
        let found = self.find_unnamed(tenant, text, hash).await;
        if is_named { self.counted(found, has_text) } else { found }
    }

    /// Counts what became of a request with a hash or an id; `found` is handed on.
    fn counted(&self, found: Result<Found, Refusal>, has_text: bool) -> Result<Found, Refusal> {
        match &found {
            Ok(_) if !has_text => self.stats.asked(Persisted::Hit),
            Err(Refusal::NotPersisted | Refusal::PersistedOff) => self.stats.asked(Persisted::Miss),
            Err(Refusal::PersistedMismatch) => self.stats.asked(Persisted::Mismatch),
            // With its text it is counted once it is kept; others say what is wrong with a text.
            Ok(_) | Err(_) => {}
        }
        found
    }

    async fn find_unnamed(
        &self,
        tenant: &TenantId,
        text: Option<String>,
        hash: Option<String>,
    ) -> Result<Found, Refusal> {
        match (text, hash) {
            (Some(text), None) => self.of_text(text).await,
            (Some(text), Some(hash)) => self.of_text_and_hash(text, &hash).await,
            (None, Some(hash)) => self.of_hash(tenant, &hash).await,
            (None, None) => Err(Refusal::Params(super::params::ParamsError::QueryMissing)),
        }
    }

    fn trusted_by_id(&self, id: &str, text: Option<&str>, hash: Option<&str>) -> Result<Found, Refusal> {
        let document = self.trusted(id).ok_or(Refusal::NotPersisted)?;
        self.stats.found(Source::Trusted);
        let other_text = text.is_some_and(|text| DocumentHash::of(text) != document.hash);
        let other_hash = hash.is_some_and(|hash| hash != id && DocumentHash::parse(hash) != Some(document.hash));
        if other_text || other_hash {
            return Err(Refusal::PersistedMismatch);
        }
        Ok(Found::known(document))
    }

    async fn of_text(&self, text: String) -> Result<Found, Refusal> {
        let hash = self.hash(&text)?;
        let (document, is_new) = self.read(&text, hash).await?;
        Ok(Found { document, is_new, to_shelve: None })
    }

    async fn of_text_and_hash(&self, text: String, hash: &str) -> Result<Found, Refusal> {
        if let Some(document) = self.trusted(hash) {
            return self.trusted_by_id(hash, Some(&text), None).map(|_same| Found::known(document));
        }
        let said = DocumentHash::parse(hash).ok_or(Refusal::PersistedMismatch)?;
        if said != self.hash(&text)? {
            return Err(Refusal::PersistedMismatch);
        }
        let (document, is_new) = self.read(&text, said).await?;
        let to_shelve = self.keeps_for_tenants().then_some(text);
        Ok(Found { document, is_new, to_shelve })
    }

    async fn of_hash(&self, tenant: &TenantId, hash: &str) -> Result<Found, Refusal> {
        if let Some(document) = self.trusted(hash) {
            self.stats.found(Source::Trusted);
            return Ok(Found::known(document));
        }
        if !self.settings.persisted && !self.has_trusted() {
            return Err(Refusal::PersistedOff);
        }
        let hash = DocumentHash::parse(hash).filter(|_hash| self.keeps_for_tenants()).ok_or(Refusal::NotPersisted)?;
        let text = self.shelves.get(tenant, hash).ok_or(Refusal::NotPersisted)?;
        let (document, is_new) = self.read(&text, hash).await?;
        Ok(Found { document, is_new, to_shelve: None })
    }

    /// Whether documents that tenants send are kept for them.
    fn keeps_for_tenants(&self) -> bool {
        self.settings.persisted && self.settings.trusted_mode != TrustedMode::Only
    }

    fn has_trusted(&self) -> bool {
        self.settings.trusted_mode != TrustedMode::Off && !self.trusted.is_empty()
    }

    fn trusted(&self, id: &str) -> Option<Arc<Document>> {
        if !self.has_trusted() {
            return None;
        }
        let by_hash = || DocumentHash::parse(id).and_then(|hash| self.trusted.by_hash(hash));
        self.trusted.by_id(id).or_else(by_hash).cloned()
    }

    /// The hash of a text that is not too long to be looked at.
    fn hash(&self, text: &str) -> Result<DocumentHash, Refusal> {
        // The gate says in which way it is too long.
        if text.len() > self.settings.limits.document_bytes {
            crate::gate::check(text, &self.settings.limits)?;
        }
        Ok(DocumentHash::of(text))
    }

    /// The document of a text, as it is kept or read anew, and whether it was.
    async fn read(&self, text: &str, hash: DocumentHash) -> Result<(Arc<Document>, bool), Refusal> {
        if self.has_trusted()
            && let Some(document) = self.trusted.by_hash(hash)
        {
            self.stats.found(Source::Trusted);
            return Ok((Arc::clone(document), false));
        }
        if self.settings.trusted_mode == TrustedMode::Only {
            return Err(Refusal::NotTrusted);
        }
        if let Some(document) = self.cache.get(&hash).await {
            self.stats.found(Source::Cache);
            return Ok((document, false));
        }
        self.stats.found(Source::Read);
        let document = Document::read(text, hash, &self.settings.limits, &self.costs)?;
        Ok((Arc::new(document), true))
    }

    /// The shape of a request, where it says all that validity depends on.
    pub(super) fn shape(
        &self,
        operation: &OperationDefinition,
        name: Option<&str>,
        variables: &Variables,
    ) -> Option<Shape> {
        Shape::of(operation, name, variables, &self.scalars)
    }

    /// The schema to execute with: most rules are left out where they held for the same document and shape before.
    pub(super) fn schema<'a>(&'a self, full: &'a Schema, document: &Document, shape: Option<&Shape>) -> &'a Schema {
        if shape.is_some_and(|shape| document.is_valid(shape)) { &self.known } else { full }
    }

    /// Takes note that a request was valid.
    pub(super) async fn learn(&self, tenant: &TenantId, found: Found, shape: Option<Shape>) {
        let Found { document, is_new, to_shelve } = found;
        if let Some(shape) = shape {
            document.remember(shape);
        }
        if let Some(text) = to_shelve {
            self.shelves.put(tenant, document.hash, &text);
            self.stats.asked(Persisted::Registered);
        }
        if is_new && self.settings.cache_bytes > 0 {
            self.cache.insert(document.hash, document).await;
        }
    }
}

impl Found {
    fn known(document: Arc<Document>) -> Self {
        Self { document, is_new: false, to_shelve: None }
    }
}

/// The scalar types of a schema.
fn scalars(schema: &Schema) -> Result<HashSet<String>, async_graphql::parser::Error> {
    let own = parse_schema(schema.sdl())?.definitions.into_iter().filter_map(|definition| match definition {
        TypeSystemDefinition::Type(of) if matches!(of.node.kind, TypeKind::Scalar) => {
            Some(of.node.name.node.to_string())
        }
        _ => None,
    });
    Ok(own.chain(["Int", "Float", "String", "Boolean", "ID"].map(str::to_owned)).collect())
}
