//! Table `audit_heads`: the end of each tenant's chain in the audit log.

use sea_orm::entity::prelude::*;

use crate::TenantId;

#[derive(Clone, Debug, Default, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_heads")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// How many entries the chain has; also the number of the last one.
    pub entries: i64,
    /// The hash of the last one.
    pub hash: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
