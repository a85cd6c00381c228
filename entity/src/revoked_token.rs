//! Table `revoked_tokens`: tokens that are refused although they have not expired, by the digest of their own id.

use sea_orm::entity::prelude::*;

use crate::{Instant, TenantId};

#[derive(Clone, Debug, Default, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "revoked_tokens")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub jti_sha256: String,
    #[sea_orm(column_type = "Text")]
    pub revoked_by: String,
    pub revoked_at: Instant,
    /// When the token has expired anyway, and the row is of no use any more.
    pub expires_at: Instant,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
