//! Table `upstream_invoices`: what is known of an invoice's mirror at Stripe, with the moment each link was read.

use sea_orm::entity::prelude::*;

use crate::{Instant, InvoiceId, Minor, TenantId};

#[derive(Clone, Debug, Default, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "upstream_invoices")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub invoice_id: InvoiceId,
    pub provider: String,
    pub stripe_account_id: Option<String>,
    pub stripe_invoice_id: Option<String>,
    pub stripe_customer_id: Option<String>,
    pub upstream_status: Option<String>,
    pub hosted_invoice_url: Option<String>,
    pub invoice_pdf_url: Option<String>,
    pub links_fetched_at: Option<Instant>,
    pub receipt_url: Option<String>,
    pub receipt_number: Option<String>,
    pub receipt_fetched_at: Option<Instant>,
    pub upstream_amount_due: Option<Minor>,
    pub upstream_amount_paid: Option<Minor>,
    pub last_event_created: Option<Instant>,
    pub last_error_code: Option<String>,
    pub last_error_at: Option<Instant>,
    pub fetch_failures: i32,
    pub updated_at: Instant,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
