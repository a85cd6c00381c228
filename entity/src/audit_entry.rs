//! Table `audit_log`: who changed what. Rows are only ever added; each holds the hash of the one before it.

use sea_orm::entity::prelude::*;

use crate::{Instant, TenantId};

#[derive(Clone, Debug, Default, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_log")]
pub struct Model {
    /// Empty for what whoever runs the gateway did to no tenant in particular.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// From 1 on, without gaps.
    #[sea_orm(primary_key, auto_increment = false)]
    pub sequence: i64,
    pub at: Instant,
    pub actor_kind: String,
    #[sea_orm(column_type = "Text")]
    pub actor_id: String,
    #[sea_orm(column_type = "Text", nullable)]
    pub credential_id: Option<String>,
    pub action: String,
    pub object_type: String,
    #[sea_orm(column_type = "Text")]
    pub object_id: String,
    /// JSON, as it was hashed.
    #[sea_orm(column_type = "Text", nullable)]
    pub state_before: Option<String>,
    /// JSON, as it was hashed.
    #[sea_orm(column_type = "Text", nullable)]
    pub state_after: Option<String>,
    pub request_id: Option<String>,
    pub address: Option<String>,
    pub previous_hash: String,
    pub hash: String,
    /// The key of the application that stood between. Hashed where there is one.
    #[sea_orm(column_type = "Text", nullable)]
    pub application_id: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
