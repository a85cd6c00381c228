//! Documents: where they were found, and how much is kept of them.

use std::sync::Arc;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

/// Where a document came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// It is a trusted one.
    Trusted,
    /// It was kept parsed.
    Cache,
    /// It was read: by the gate and the parser.
    Read,
}

impl Source {
    const ALL: [Self; 3] = [Self::Trusted, Self::Cache, Self::Read];

    const fn word(self) -> &'static str {
        match self {
            Self::Trusted => "trusted",
            Self::Cache => "cache",
            Self::Read => "read",
        }
    }
}

/// What became of a request with the hash or id of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persisted {
    /// It was found without its text.
    Hit,
    /// It was not.
    Miss,
    /// It came with its text, and is found from now on.
    Registered,
    /// It came with a text that is another's.
    Mismatch,
}

impl Persisted {
    const ALL: [Self; 4] = [Self::Hit, Self::Miss, Self::Registered, Self::Mismatch];

    const fn word(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Registered => "registered",
            Self::Mismatch => "mismatch",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct From {
    source: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Asked {
    result: &'static str,
}

/// Counts documents.
#[derive(Clone, Debug)]
pub struct DocumentStats(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    found: Family<From, Counter>,
    persisted: Family<Asked, Counter>,
    evicted: Counter,
    entries: Gauge,
    bytes: Gauge,
}

impl Default for DocumentStats {
    fn default() -> Self {
        let counts = Counts::default();
        for source in Source::ALL.map(Source::word) {
            drop(counts.found.get_or_create_owned(&From { source }));
        }
        for result in Persisted::ALL.map(Persisted::word) {
            drop(counts.persisted.get_or_create_owned(&Asked { result }));
        }
        Self(Arc::new(counts))
    }
}

impl DocumentStats {
    /// A document was found there.
    pub fn found(&self, source: Source) {
        self.0.found.get_or_create(&From { source: source.word() }).inc();
    }

    /// A document was asked for by its hash or id.
    pub fn asked(&self, result: Persisted) {
        self.0.persisted.get_or_create(&Asked { result: result.word() }).inc();
    }

    /// A document had no room in the cache, or made room for another.
    pub fn evicted(&self) {
        self.0.evicted.inc();
    }

    /// Takes note of the cache as it is now.
    pub fn see(&self, entries: u64, bytes: u64) {
        self.0.entries.set(i64::try_from(entries).unwrap_or(i64::MAX));
        self.0.bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// Shows what is counted.
    pub fn register(&self, registry: &mut Registry) {
        let counts = &self.0;
        registry.register("documents", "Documents of requests, by where they were found", counts.found.clone());
        registry.register(
            "document_persisted_queries",
            "Requests with the hash or id of a document, by what became of it",
            counts.persisted.clone(),
        );
        registry.register(
            "document_cache_evictions",
            "Documents that had no room in the cache, or made room for others",
            counts.evicted.clone(),
        );
        registry.register("document_cache_entries", "Documents that are kept parsed", counts.entries.clone());
        registry.register_with_unit(
            "document_cache",
            "What they take in memory, about",
            Unit::Bytes,
            counts.bytes.clone(),
        );
    }
}
