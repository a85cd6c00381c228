//! Documents that clients have sent once and ask for by their hash from then on: automatic persisted queries.
//!
//! Each tenant has a shelf of its own, so that no tenant learns what another asks, nor crowds its documents out. Kept
//! are texts, in memory, for as long as there is room: a client whose document is gone sends it again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use entity::TenantId;

use super::hash::DocumentHash;

/// Bytes of one tenant's documents: some hundred as they usually are, 25 of the largest.
const TENANT_BYTES_MAX: usize = 512 * 1024;

/// Tenants with documents. When there is one more, the one goes that has not asked for the longest time.
const TENANTS_MAX: usize = 256;

/// What an entry takes beside its text, in bytes.
const ENTRY_BYTES: usize = 200;

/// The shelves of all tenants.
#[derive(Default)]
pub(super) struct Shelves(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    tenants: HashMap<TenantId, Shelf>,
    /// Goes up with each use, so that it can be told what was used last.
    now: u64,
}

#[derive(Default)]
struct Shelf {
    documents: HashMap<DocumentHash, Kept>,
    bytes: usize,
    used: u64,
}

struct Kept {
    text: Arc<str>,
    used: u64,
}

impl Shelves {
    /// The text that the tenant keeps under a hash.
    pub(super) fn get(&self, tenant: &TenantId, hash: DocumentHash) -> Option<Arc<str>> {
        let mut inner = self.0.lock().ok()?;
        inner.now = inner.now.wrapping_add(1);
        let now = inner.now;
        let own = inner.tenants.get_mut(tenant)?;
        own.used = now;
        let kept = own.documents.get_mut(&hash)?;
        kept.used = now;
        Some(Arc::clone(&kept.text))
    }

    /// Keeps a text for the tenant; the hash must be its own.
    pub(super) fn put(&self, tenant: &TenantId, hash: DocumentHash, text: &str) {
        let Ok(mut inner) = self.0.lock() else { return };
        inner.now = inner.now.wrapping_add(1);
        let now = inner.now;
        if !inner.tenants.contains_key(tenant) && inner.tenants.len() >= TENANTS_MAX {
            let idle = inner.tenants.iter().min_by_key(|(_, shelf)| shelf.used).map(|(tenant, _)| tenant.clone());
            idle.and_then(|idle| inner.tenants.remove(&idle));
        }
        let own = inner.tenants.entry(tenant.clone()).or_default();
        own.used = now;
        own.put(hash, Kept { text: Arc::from(text), used: now });
    }
}

impl Shelf {
    fn put(&mut self, hash: DocumentHash, kept: Kept) {
        let added = kept.bytes();
        if added > TENANT_BYTES_MAX {
            return;
        }
        if let Some(before) = self.documents.remove(&hash) {
            self.bytes = self.bytes.saturating_sub(before.bytes());
        }
        while self.bytes.saturating_add(added) > TENANT_BYTES_MAX {
            let oldest = self.documents.iter().min_by_key(|(_, kept)| kept.used).map(|(hash, _)| *hash);
            let Some(gone) = oldest.and_then(|oldest| self.documents.remove(&oldest)) else { break };
            self.bytes = self.bytes.saturating_sub(gone.bytes());
        }
        self.bytes = self.bytes.saturating_add(added);
        self.documents.insert(hash, kept);
    }
}

impl Kept {
    fn bytes(&self) -> usize {
        self.text.len().saturating_add(ENTRY_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(shelves: &Shelves, tenant: &str, text: &str) -> DocumentHash {
        let hash = DocumentHash::of(text);
        shelves.put(&tenant.to_owned().into(), hash, text);
        hash
    }

    fn has(shelves: &Shelves, tenant: &str, hash: DocumentHash) -> bool {
        shelves.get(&tenant.to_owned().into(), hash).is_some()
    }

    /// A text of 10,000 bytes with the entry it makes, so that 52 have room.
    fn large(number: usize) -> String {
        format!("{number:0>9800}")
    }

    #[test]
    fn a_document_is_there_for_the_tenant_that_sent_it_and_for_no_other() {
        let shelves = Shelves::default();
        let hash = put(&shelves, "a", "{ x }");
        assert_eq!(shelves.get(&"a".to_owned().into(), hash).as_deref(), Some("{ x }"));
        assert!(!has(&shelves, "b", hash));
        assert!(!has(&shelves, "a", DocumentHash::of("{ y }")));
    }

    #[test]
    fn a_full_shelf_gives_up_what_was_not_used_for_the_longest_time() {
        let shelves = Shelves::default();
        let of_others = put(&shelves, "b", "{ theirs }");
        let hashes: Vec<_> = (0..52).map(|number| put(&shelves, "a", &large(number))).collect();
        assert!(has(&shelves, "a", hashes[0]), "all have room, and the first was just used");
        put(&shelves, "a", &large(52));
        assert!(has(&shelves, "a", hashes[0]) && !has(&shelves, "a", hashes[1]));
        for number in 100..1_000 {
            put(&shelves, "a", &large(number));
        }
        assert!(has(&shelves, "b", of_others), "nobody crowds out another tenant's documents");
        let inner = shelves.0.lock().unwrap();
        let shelf = &inner.tenants[&"a".to_owned().into()];
        let bytes: usize = shelf.documents.values().map(Kept::bytes).sum();
        assert!(shelf.bytes <= TENANT_BYTES_MAX && shelf.bytes == bytes);
    }

    #[test]
    fn the_same_document_is_kept_once_and_one_that_is_too_large_not_at_all() {
        let shelves = Shelves::default();
        let hash = put(&shelves, "a", "{ x }");
        put(&shelves, "a", "{ x }");
        let huge = put(&shelves, "a", &"x".repeat(TENANT_BYTES_MAX));
        assert!(has(&shelves, "a", hash) && !has(&shelves, "a", huge));
        assert_eq!(shelves.0.lock().unwrap().tenants[&"a".to_owned().into()].bytes, 5 + ENTRY_BYTES);
    }

    #[test]
    fn the_tenant_that_was_idle_the_longest_makes_room_for_another() {
        let shelves = Shelves::default();
        let hash = put(&shelves, "0", "{ x }");
        for tenant in 1..TENANTS_MAX {
            put(&shelves, &tenant.to_string(), "{ x }");
        }
        assert!(has(&shelves, "0", hash));
        put(&shelves, "new", "{ x }");
        assert!(has(&shelves, "0", hash) && !has(&shelves, "1", hash));
        assert_eq!(shelves.0.lock().unwrap().tenants.len(), TENANTS_MAX);
    }
}
