//! Changes in mid-cycle that an invoice prorates.

use std::sync::Arc;

use async_graphql::{Context, Object, Result};
use entity::{invoice, invoice_change};

use super::context::request;
use super::error::Failure;
use super::line_item::LineItem;
use super::money::Money;
use super::scalars::DateTime;
use crate::store::line_item::Part;

/// Lines of one invoice at the most: documents with more are refused.
const LINES_MAX: u64 = 1_000;

/// A prorated change, with the invoice it is on.
pub(super) struct InvoiceChange {
    row: Arc<invoice_change::Model>,
    invoice: Arc<invoice::Model>,
}

impl InvoiceChange {
    pub(super) fn of(row: &Arc<invoice_change::Model>, invoice: &Arc<invoice::Model>) -> Self {
        Self { row: Arc::clone(row), invoice: Arc::clone(invoice) }
    }

    /// The lines of the invoice that the source names by these ids.
    async fn lines(&self, ctx: &Context<'_>, named: &entity::Json) -> Result<Vec<LineItem>> {
        let named = texts(named);
        if named.is_empty() {
            return Ok(Vec::new());
        }
        let part = Part { first: LINES_MAX, after: None };
        let rows = request(ctx)?.loaders.line_items_of(self.invoice.id.clone(), part).await.map_err(Failure::from)?;
        request(ctx)?.charge(rows.len())?;
        let wanted = rows.iter().filter(|row| row.external_id.as_ref().is_some_and(|id| named.contains(id)));
        Ok(wanted.map(|row| LineItem::of(row, &self.invoice)).collect())
    }
}

/// A change in mid-cycle that the invoice prorates: what was billed before, and what instead.
#[Object]
impl InvoiceChange {
    /// When it took effect.
    fn occurred_at(&self) -> DateTime {
        DateTime(self.row.occurred_at)
    }

    /// What it says on the invoice.
    fn description(&self) -> &String {
        &self.row.description
    }

    /// What it adds to the invoice before discounts.
    fn subtotal(&self) -> Money {
        Money::new(self.row.subtotal, &self.invoice.currency)
    }

    /// What is taken off.
    fn discount(&self) -> Money {
        Money::new(self.row.discount, &self.invoice.currency)
    }

    /// The quantity before.
    fn start_quantity(&self) -> i32 {
        self.row.start_quantity
    }

    /// The quantity after.
    fn end_quantity(&self) -> i32 {
        self.row.end_quantity
    }

    /// Lines of the invoice that bill the time before.
    async fn start_items(&self, ctx: &Context<'_>) -> Result<Vec<LineItem>> {
        self.lines(ctx, &self.row.start_item_ids).await
    }

    /// Lines of the invoice that bill the time after.
    async fn end_items(&self, ctx: &Context<'_>) -> Result<Vec<LineItem>> {
        self.lines(ctx, &self.row.end_item_ids).await
    }

    /// Ids of the lines before, in the source system; not all need be on the invoice.
    fn start_item_ids(&self) -> Vec<String> {
        texts(&self.row.start_item_ids)
    }

    /// Ids of the lines after, in the source system; not all need be on the invoice.
    fn end_item_ids(&self) -> Vec<String> {
        texts(&self.row.end_item_ids)
    }
}

fn texts(list: &entity::Json) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(|text| text.as_str().map(str::to_owned)).collect()
}
