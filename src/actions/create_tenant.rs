//! Makes a tenant: the company whose bills, customers and credentials everything else belongs to.

use entity::{CurrencyCode, Instant, Json, TenantId, tenant};
use serde_json::json;

use crate::domain::actor::Actor;
use crate::domain::ids;
use crate::domain::trail::Deed;
use crate::domain::viewer::Tenant;
use crate::store::{self, Store, StoreError};

/// What a new tenant is.
#[derive(Clone, Debug)]
pub struct NewTenant {
    /// Its name.
    pub name: String,
    /// The currency of what names none.
    pub currency: CurrencyCode,
    /// Whether its bills are real.
    pub livemode: bool,
    /// When it is made.
    pub now: Instant,
}

/// Makes a tenant and gives its id.
///
/// # Errors
/// Those of [`StoreError`]; nothing was written then.
pub async fn create_tenant(store: &Store, actor: &Actor, new: NewTenant) -> Result<TenantId, StoreError> {
    let id: TenantId = ids::at(new.now, &[&new.name]);
    let row = tenant::Model {
        id: id.clone(),
        name: new.name,
        default_currency: new.currency,
        livemode: new.livemode,
        stripe_account_id: None,
        settings: Json::Object(serde_json::Map::new()),
        created_at: new.now,
        updated_at: new.now,
    };
    let deed = Deed {
        action: "tenant.create",
        object_type: "Tenant",
        object_id: id.0.clone(),
        before: None,
        after: Some(json!({
            "name": row.name,
            "defaultCurrency": row.default_currency,
            "livemode": row.livemode,
        })),
    };
    let tenant = Tenant::whole(id.clone());
    let tx = store.begin(&tenant).await?;
    store::bill::insert_tenants(&tx, vec![row]).await?;
    store::audit_log::append(&tenant, &tx, actor, deed, new.now).await?;
    tx.commit().await?;
    Ok(id)
}
