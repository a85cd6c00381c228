//! Table `products`: what is sold.

use sea_orm::entity::prelude::*;

use crate::{Instant, ProductId, SourceSystem, TenantId};

#[derive(Clone, Debug, Default, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "products")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ProductId,
    pub source_system: SourceSystem,
    pub external_id: Option<String>,
    pub unique_id: Option<String>,
    pub display_name: String,
    pub created_at: Instant,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
