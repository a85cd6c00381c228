//! Table `payment_methods`: stored means of payment. Card numbers are never here: brand and last four digits only.

use sea_orm::entity::prelude::*;

use crate::{CustomerId, Instant, PaymentMethodId, PaymentMethodType, SourceSystem, TenantId};

#[derive(Clone, Debug, Default, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "payment_methods")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: PaymentMethodId,
    pub customer_id: CustomerId,
    pub source_system: SourceSystem,
    pub external_id: Option<String>,
    pub kind: PaymentMethodType,
    pub card_brand: Option<String>,
    pub card_last4: Option<String>,
    pub exp_month: Option<i32>,
    pub exp_year: Option<i32>,
    pub account_hint: Option<String>,
    pub is_default: bool,
    pub detached_at: Option<Instant>,
    pub created_at: Instant,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
