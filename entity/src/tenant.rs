//! Table `tenants`: the companies whose bills live here. The root of every key.

use sea_orm::entity::prelude::*;

use crate::{CurrencyCode, Instant, Json, TenantId};

#[derive(Clone, Debug, Default, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "tenants")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: TenantId,
    pub name: String,
    pub default_currency: CurrencyCode,
    pub livemode: bool,
    pub stripe_account_id: Option<String>,
    /// Tenant-wide tables, such as `currency_ids` of the HostBill dialect.
    #[sea_orm(column_type = "JsonBinary")]
    pub settings: Json,
    pub created_at: Instant,
    pub updated_at: Instant,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
