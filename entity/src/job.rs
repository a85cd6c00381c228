//! Table `jobs`: work that goes on beside requests, by tenant and name. Who does it now, and how far it came.

use sea_orm::entity::prelude::*;

use crate::{Instant, Json, TenantId};

#[derive(Clone, Debug, Default, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "jobs")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    /// Whoever does it; nobody when it is absent or the lease has run out.
    pub leased_by: Option<String>,
    pub leased_until: Option<Instant>,
    /// Where to go on; absent when there is nothing to go on with.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub state: Option<Json>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
