//! Discounts of invoices and lines.

use async_graphql::{ID, SimpleObject};
use entity::{CurrencyCode as Code, discount};

use super::kinds::DiscountKind;
use super::money::Money;

/// A reduction of an invoice or of one of its lines.
#[derive(SimpleObject)]
pub(super) struct Discount {
    /// What it says on the invoice.
    name: String,
    /// Where it comes from.
    kind: DiscountKind,
    /// The coupon's id in the source system.
    coupon_id: Option<String>,
    /// By how much. Zero when the source names a discount without an amount.
    amount: Money,
    /// The line it reduces. Null when it reduces the whole invoice.
    line_item_id: Option<ID>,
}

impl Discount {
    pub(super) fn of(row: &discount::Model, currency: &Code) -> Self {
        Self {
            name: row.name.clone(),
            kind: row.kind.into(),
            coupon_id: row.coupon_external_id.clone(),
            amount: Money::new(row.amount, currency),
            line_item_id: row.line_item_id.as_ref().map(|id| ID(id.0.clone())),
        }
    }
}
