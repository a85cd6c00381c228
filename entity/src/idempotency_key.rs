//! Table `idempotency_keys`: what was made for a request that named itself. Of names and requests only digests are kept.

use sea_orm::entity::prelude::*;

use crate::{Instant, TenantId};

#[derive(Clone, Debug, Default, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "idempotency_keys")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// Of the principal and the name it gave.
    #[sea_orm(primary_key, auto_increment = false)]
    pub key_sha256: String,
    /// Of everything that was asked for.
    pub request_sha256: String,
    /// What was made. Absent only within the transaction that makes it.
    pub object_id: Option<String>,
    pub created_at: Instant,
    /// From then on the name may be given to another request.
    pub expires_at: Instant,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
