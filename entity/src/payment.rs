//! Table `payments`: attempts to pay an invoice, and refunds (kind REFUND, positive amounts).

use sea_orm::entity::prelude::*;

use crate::{
    CurrencyCode, CustomerId, Instant, InvoiceId, Json, Minor, PaymentId, PaymentKind, PaymentMethodId,
    PaymentMethodType, PaymentReferenceKind, PaymentStatus, TenantId,
};

#[derive(Clone, Debug, Default, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "payments")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: PaymentId,
    pub invoice_id: InvoiceId,
    pub customer_id: CustomerId,
    pub external_id: Option<String>,
    pub kind: PaymentKind,
    pub refunded_payment_id: Option<PaymentId>,
    pub status: PaymentStatus,
    pub source_status: Option<String>,
    pub currency: CurrencyCode,
    pub amount_requested: Minor,
    pub amount_paid: Minor,
    pub amount_refunded: Minor,
    pub reference_kind: PaymentReferenceKind,
    pub payment_intent_id: Option<String>,
    pub provider_payment_id: Option<String>,
    pub charge_id: Option<String>,
    pub provider: String,
    pub is_default: bool,
    pub payment_method_id: Option<PaymentMethodId>,
    pub pm_type: Option<PaymentMethodType>,
    pub pm_card_brand: Option<String>,
    pub pm_card_last4: Option<String>,
    pub pm_account_hint: Option<String>,
    pub failure_code: Option<String>,
    pub failure_message: Option<String>,
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub next_action: Option<Json>,
    /// The newest receipt link of this payment, with the moment it was read.
    pub receipt_url: Option<String>,
    pub receipt_fetched_at: Option<Instant>,
    #[sea_orm(column_type = "JsonBinary")]
    pub external_attributes: Json,
    pub processed_at: Option<Instant>,
    pub paid_at: Option<Instant>,
    pub failed_at: Option<Instant>,
    pub canceled_at: Option<Instant>,
    pub created_at: Instant,
    pub updated_at: Instant,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
