//! Table `rentals`: GPUs rented by the hour, which invoices bill.

use sea_orm::entity::prelude::*;

use crate::{CurrencyCode, CustomerId, Instant, Minor, RentalId, RentalStatus, TenantId};

#[derive(Clone, Debug, Default, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "rentals")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: RentalId,
    pub customer_id: CustomerId,
    pub name: Option<String>,
    pub status: RentalStatus,
    pub gpu_family: String,
    pub gpu_count: i32,
    pub template: Option<String>,
    pub region: Option<String>,
    pub provider: Option<String>,
    pub host: Option<String>,
    pub port: Option<i32>,
    pub currency: CurrencyCode,
    pub price_per_hour: Minor,
    pub seconds_billed: i64,
    pub total_charged: Minor,
    pub auto_stop_after_hours: Option<i32>,
    pub error: Option<String>,
    pub started_at: Instant,
    pub stopped_at: Option<Instant>,
    pub created_at: Instant,
    pub updated_at: Instant,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
