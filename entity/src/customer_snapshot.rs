//! Table `invoice_customer_snapshots`: the customer as printed on one invoice, frozen when it was issued.

use sea_orm::entity::prelude::*;

use crate::{CurrencyCode, CustomerStatus, Day, DecimalText, Instant, InvoiceId, Json, TenantId};

#[derive(Clone, Debug, Default, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "invoice_customer_snapshots")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub invoice_id: InvoiceId,
    pub customer_external_id: Option<String>,
    pub parent_external_id: Option<String>,
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
    pub status: Option<CustomerStatus>,
    pub source_status: Option<String>,
    pub tax_exempt: Option<bool>,
    pub tax_rate: Option<DecimalText>,
    pub tax_rate_override_enabled: Option<bool>,
    pub brand_external_id: Option<String>,
    pub brand_name: Option<String>,
    pub billing_contact_external_id: Option<String>,
    pub notes: Option<String>,
    pub source_created_on: Option<Day>,
    pub snapshot_at: Option<Instant>,
    #[sea_orm(column_type = "JsonBinary")]
    pub external_attributes: Json,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
