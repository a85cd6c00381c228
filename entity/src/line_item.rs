//! Table `invoice_line_items`: what an invoice bills, in printed order.

use sea_orm::entity::prelude::*;

use crate::{
    CustomerId, DecimalText, Instant, InvoiceId, Json, LineItemId, LineItemKind, Minor, OriginKind, PriceId, ProductId,
    RentalId, SubscriptionId, TenantId,
};

#[expect(clippy::struct_excessive_bools, reason = "each is a column")]
#[derive(Clone, Debug, Default, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "invoice_line_items")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: LineItemId,
    pub invoice_id: InvoiceId,
    pub customer_id: CustomerId,
    pub position: i32,
    pub external_id: Option<String>,
    pub kind: LineItemKind,
    pub source_kind: Option<String>,
    pub name: Option<String>,
    pub description: String,
    pub details: Option<String>,
    pub rental_id: Option<RentalId>,
    pub subscription_id: Option<SubscriptionId>,
    pub origin_kind: OriginKind,
    pub origin_external_id: Option<String>,
    pub subscription_item_external_id: Option<String>,
    pub product_id: Option<ProductId>,
    pub price_id: Option<PriceId>,
    pub group_external_id: Option<String>,
    pub quantity: DecimalText,
    /// Major units per unit, as many digits as needed.
    pub unit_price: Option<DecimalText>,
    pub subtotal: Minor,
    pub discount_total: Minor,
    pub setup_fee: Option<Minor>,
    /// Percent.
    pub tax_rate: Option<DecimalText>,
    pub tax_total: Option<Minor>,
    pub taxable: bool,
    pub amount: Minor,
    pub amount_includes_tax: bool,
    pub is_proration: bool,
    pub raw_quantity: Option<DecimalText>,
    pub unit: Option<String>,
    pub period_start: Option<Instant>,
    pub period_end: Option<Instant>,
    pub period_is_date: bool,
    #[sea_orm(column_type = "JsonBinary")]
    pub metadata: Json,
    #[sea_orm(column_type = "JsonBinary")]
    pub external_attributes: Json,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
