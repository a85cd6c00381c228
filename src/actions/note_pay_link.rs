//! Notes that someone was given a link that an invoice can be paid at: who has one can see and pay the bill.

use entity::{Instant, InvoiceId};
use serde_json::json;

use crate::domain::actor::Actor;
use crate::domain::secret;
use crate::domain::trail::Deed;
use crate::domain::viewer::Tenant;
use crate::store::{self, Store, StoreError};

/// Notes it, before the link is told. Of the link itself only a digest is kept, by which a leaked one can be traced.
///
/// # Errors
/// Those of [`StoreError`]; the link is not to be told then.
pub async fn note_pay_link(
    store: &Store,
    tenant: &Tenant,
    actor: &Actor,
    (invoice, url): (&InvoiceId, &str),
    now: Instant,
) -> Result<(), StoreError> {
    let deed = Deed {
        action: "invoice.pay_link",
        object_type: "Invoice",
        object_id: invoice.0.clone(),
        before: None,
        after: Some(json!({ "urlSha256": secret::sha256(url) })),
    };
    let tx = store.begin(tenant).await?;
    store::audit_log::append(tenant, &tx, actor, deed, now).await?;
    tx.commit().await
}
