//! Table `subscriptions`: what recurring invoices are made from.

use sea_orm::entity::prelude::*;

use crate::{CustomerId, Instant, Json, SourceSystem, SubscriptionId, TenantId};

#[derive(Clone, Debug, Default, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "subscriptions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SubscriptionId,
    pub customer_id: CustomerId,
    pub source_system: SourceSystem,
    pub external_id: Option<String>,
    pub status: Option<String>,
    pub plan_name: Option<String>,
    #[sea_orm(column_type = "JsonBinary")]
    pub metadata: Json,
    pub current_period_start: Option<Instant>,
    pub current_period_end: Option<Instant>,
    pub created_at: Instant,
    pub updated_at: Instant,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
