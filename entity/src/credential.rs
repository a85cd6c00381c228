//! Table `credentials`: API keys that the gateway issued. Of the secret only a digest is kept.

use sea_orm::entity::prelude::*;

use crate::{CredentialId, CredentialKind, Instant, Json, TenantId};

#[derive(Clone, Debug, Default, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "credentials")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: CredentialId,
    /// The eight characters of the key by which it is looked up.
    pub handle: String,
    pub secret_sha256: String,
    pub last4: String,
    pub kind: CredentialKind,
    #[sea_orm(column_type = "Text")]
    pub name: String,
    pub livemode: bool,
    /// With spaces between them.
    #[sea_orm(column_type = "Text")]
    pub scopes: String,
    /// A list of ids; absent means all of the tenant.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub customer_ids: Option<Json>,
    #[sea_orm(column_type = "Text")]
    pub created_by: String,
    /// The key it was issued in the place of.
    pub replaces: Option<CredentialId>,
    pub created_at: Instant,
    pub expires_at: Instant,
    pub last_used_at: Option<Instant>,
    pub revoked_at: Option<Instant>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
