//! Table `invoices`: canonical values that satisfy the CHECKs. What an imported document stated otherwise stands in
//! `external_attributes["$raw"]`, and every difference in `integrity_issues`.

use sea_orm::entity::prelude::*;

use crate::{
    BillingReason, CollectionMethod, CurrencyCode, CustomerId, Day, DecimalText, Instant, InvoiceId, InvoiceStatus,
    InvoiceType, Json, Minor, OriginKind, RentalId, SourceSystem, SubscriptionId, TaxMode, TenantId,
};

#[expect(clippy::struct_excessive_bools, reason = "each is a column")]
#[derive(Clone, Debug, Default, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "invoices")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: InvoiceId,
    pub customer_id: CustomerId,
    pub source_system: SourceSystem,
    pub external_id: Option<String>,
    /// The integer id that HostBill-like clients know the invoice by.
    pub legacy_number: Option<i64>,
    pub number: Option<String>,
    pub paid_number: Option<String>,
    pub proforma_number: Option<String>,
    pub status: InvoiceStatus,
    pub source_status: Option<String>,
    pub source_payment_status: Option<String>,
    pub billing_reason: BillingReason,
    pub invoice_type: InvoiceType,
    pub origin_kind: OriginKind,
    #[sea_orm(column_type = "JsonBinary")]
    pub origin_metadata: Json,
    pub rental_id: Option<RentalId>,
    pub subscription_id: Option<SubscriptionId>,
    pub collection_method: CollectionMethod,
    pub currency: CurrencyCode,
    pub livemode: bool,
    /// Imported invoices are read-only, except through a Stripe mirror.
    pub locked: bool,
    pub subtotal: Minor,
    pub subtotal_recurring: Option<Minor>,
    pub discount_total: Minor,
    pub tax_total: Minor,
    pub total: Minor,
    pub applied_credits: Minor,
    pub balance_start: Option<Minor>,
    pub balance_applied: Option<Minor>,
    pub balance_end: Option<Minor>,
    pub amount_due: Minor,
    pub amount_paid: Minor,
    pub amount_refunded: Minor,
    pub paid_out_of_band: bool,
    pub tax_mode: TaxMode,
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub tax_config: Option<Json>,
    pub tax_exempt: bool,
    pub exchange_rate: Option<DecimalText>,
    pub provider_external_id: Option<String>,
    pub provider_name: Option<String>,
    pub issue_date: Day,
    pub due_date: Option<Day>,
    pub due_at: Option<Instant>,
    pub pay_by_date: Option<Day>,
    pub net_terms_days: Option<i32>,
    pub period_start: Option<Instant>,
    pub period_end: Option<Instant>,
    pub period_is_date: bool,
    pub description: Option<String>,
    pub memo: Option<String>,
    pub reference: Option<String>,
    pub purchase_order: Option<String>,
    pub order_external_id: Option<String>,
    pub order_number: Option<String>,
    pub is_first_order: Option<bool>,
    pub recurring_external_id: Option<String>,
    pub contact_external_id: Option<String>,
    pub brand_external_id: Option<String>,
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub last_finalization_error: Option<Json>,
    pub finalized_at: Option<Instant>,
    pub paid_at: Option<Instant>,
    pub voided_at: Option<Instant>,
    pub uncollectible_at: Option<Instant>,
    #[sea_orm(column_type = "JsonBinary")]
    pub metadata: Json,
    #[sea_orm(column_type = "JsonBinary")]
    pub external_attributes: Json,
    /// A list of `{code, path, stated, expected}`.
    #[sea_orm(column_type = "JsonBinary")]
    pub integrity_issues: Json,
    /// Counts the writes; every update names the version it read.
    pub version: i64,
    pub deleted_at: Option<Instant>,
    pub created_at: Instant,
    pub updated_at: Instant,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
