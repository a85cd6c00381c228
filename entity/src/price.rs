//! Table `prices`: what a product costs. Unit amounts are decimals in major units, not money: sub-cent prices are normal.

use sea_orm::entity::prelude::*;

use crate::{CurrencyCode, DecimalText, Instant, Json, PriceId, ProductId, SourceSystem, TenantId};

#[derive(Clone, Debug, Default, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "prices")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: PriceId,
    pub source_system: SourceSystem,
    pub product_id: Option<ProductId>,
    pub external_id: Option<String>,
    pub currency: CurrencyCode,
    pub unit_amount: Option<DecimalText>,
    pub billing_mode: Option<String>,
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub interval: Option<Json>,
    #[sea_orm(column_type = "JsonBinary")]
    pub details: Json,
    pub created_at: Instant,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
