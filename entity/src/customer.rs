//! Table `customers`: whom a tenant bills, as known now (the copy on an invoice is `customer_snapshot`).

use sea_orm::entity::prelude::*;

use crate::{CurrencyCode, CustomerId, CustomerStatus, Day, DecimalText, Instant, Json, SourceSystem, TenantId};

#[derive(Clone, Debug, Default, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "customers")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: CustomerId,
    pub source_system: SourceSystem,
    pub external_id: Option<String>,
    pub alias: Option<String>,
    pub name: String,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub company_name: Option<String>,
    pub is_company: Option<bool>,
    pub email: Option<String>,
    pub phone: Option<String>,
    pub tax_id: Option<String>,
    pub organization_number: Option<String>,
    pub tax_exempt: Option<bool>,
    pub tax_rate: Option<DecimalText>,
    pub tax_rate_override_enabled: Option<bool>,
    pub line1: Option<String>,
    pub line2: Option<String>,
    /// Third and later address lines: a list of strings.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub extra_lines: Option<Json>,
    pub city: Option<String>,
    pub state: Option<String>,
    pub postal_code: Option<String>,
    pub country: Option<String>,
    pub locale: Option<String>,
    pub currency: Option<CurrencyCode>,
    pub status: CustomerStatus,
    pub source_status: Option<String>,
    pub parent_id: Option<CustomerId>,
    pub parent_external_id: Option<String>,
    pub billing_contact_external_id: Option<String>,
    pub brand_external_id: Option<String>,
    pub brand_name: Option<String>,
    pub notes: Option<String>,
    pub stripe_customer_id: Option<String>,
    pub livemode: bool,
    #[sea_orm(column_type = "JsonBinary")]
    pub metadata: Json,
    #[sea_orm(column_type = "JsonBinary")]
    pub external_attributes: Json,
    pub source_created_on: Option<Day>,
    pub created_at: Instant,
    pub updated_at: Instant,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
