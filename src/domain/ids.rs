//! How ids are made: a prefix that names the kind and a ULID.
//!
//! Ids of one store must not depend on when it was filled: what is imported, and what belongs to something else,
//! gets an id that is a hash of its natural key, so importing twice meets the same rows. Foreign ids are never parsed.

use entity::Instant;
use sha2::{Digest, Sha256};
use ulid::Ulid;

/// Ids that can be made here.
pub trait TypedId: From<String> {
    /// What ids of this kind start with, the underscore included.
    const PREFIX: &'static str;
}

macro_rules! typed {
    ($($id:ident),* $(,)?) => {$(
        impl TypedId for entity::$id {
            const PREFIX: &'static str = entity::$id::PREFIX;
        }
    )*};
}

typed!(
    TenantId,
    CustomerId,
    InvoiceId,
    LineItemId,
    SubLineId,
    TaxId,
    DiscountId,
    InvoiceChangeId,
    PaymentId,
    PaymentMethodId,
    RentalId,
    SubscriptionId,
    ProductId,
    PriceId,
    InvoiceEventId,
    SourceDocumentId,
    CredentialId,
    SessionId,
);

/// The id of a thing that is known by `key`: the same key gives the same id, in every store.
pub fn derived<Id: TypedId>(key: &[&str]) -> Id {
    format!("{}{}", Id::PREFIX, Ulid::from(digest(Id::PREFIX, key))).into()
}

/// The id of a thing made at a known moment: sorts by that moment, and the same arguments give the same id.
pub fn at<Id: TypedId>(moment: Instant, key: &[&str]) -> Id {
    let millis = u64::try_from(moment.utc().timestamp_millis()).unwrap_or_default();
    format!("{}{}", Id::PREFIX, Ulid::from_parts(millis, digest(Id::PREFIX, key))).into()
}

/// The first 128 bits of the SHA-256 over the prefix and the parts, each closed by a byte that no text contains.
fn digest(prefix: &str, key: &[&str]) -> u128 {
    let mut hash = Sha256::new();
    for part in std::iter::once(prefix).chain(key.iter().copied()) {
        hash.update(part.as_bytes());
        hash.update([0xff]);
    }
    hash.finalize().iter().take(16).fold(0, |bits, byte| (bits << 8) | u128::from(*byte))
}

#[cfg(test)]
mod tests {
    use entity::{CustomerId, InvoiceId};

    use super::*;

    #[test]
    fn the_same_key_gives_the_same_id_and_another_kind_another() {
        let first: InvoiceId = derived(&["ten_1", "METEROID", "42"]);
        let again: InvoiceId = derived(&["ten_1", "METEROID", "42"]);
        let other: CustomerId = derived(&["ten_1", "METEROID", "42"]);
        assert_eq!(first, again);
        assert_ne!(first.as_str().trim_start_matches("inv_"), other.as_str().trim_start_matches("cus_"));
    }

    #[test]
    fn parts_do_not_run_together() {
        let left: InvoiceId = derived(&["ab", "c"]);
        let right: InvoiceId = derived(&["a", "bc"]);
        assert_ne!(left, right);
    }

    #[test]
    fn ids_of_a_moment_sort_by_it() {
        let early: InvoiceId = at(Instant::new(chrono::DateTime::from_timestamp_nanos(1_000_000)), &["z"]);
        let late: InvoiceId = at(Instant::new(chrono::DateTime::from_timestamp_nanos(2_000_000_000)), &["a"]);
        assert!(early < late, "{early} {late}");
        assert_eq!(early.as_str().len(), "inv_".len() + 26);
    }
}
