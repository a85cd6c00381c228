//! Table `sessions`: browsers of customers that are logged in. Of the cookie only a digest is kept.

use sea_orm::entity::prelude::*;

use crate::{CustomerId, Instant, SessionId, TenantId};

#[derive(Clone, Debug, Default, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "sessions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SessionId,
    pub customer_id: CustomerId,
    #[sea_orm(column_type = "Text")]
    pub subject: String,
    pub sid_sha256: String,
    /// With spaces between them.
    #[sea_orm(column_type = "Text")]
    pub scopes: String,
    #[sea_orm(column_type = "Text")]
    pub created_by: String,
    pub created_at: Instant,
    /// Moves ahead while the session is used.
    pub idle_until: Instant,
    /// Does not move.
    pub expires_at: Instant,
    pub revoked_at: Option<Instant>,
    pub last_used_at: Option<Instant>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
