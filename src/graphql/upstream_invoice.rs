//! What is known of an invoice's mirror at Stripe.

use std::sync::Arc;

use async_graphql::Object;
use entity::{Instant, upstream_invoice};

use super::kinds::Freshness;
use super::scalars::DateTime;
use crate::links;

/// A mirror, seen at one moment.
pub(super) struct UpstreamInvoice {
    pub(super) row: Arc<upstream_invoice::Model>,
    pub(super) now: Instant,
}

/// What is known of an invoice's mirror at Stripe, and how current it is.
#[Object]
impl UpstreamInvoice {
    /// Who has the mirror: `stripe`.
    fn provider(&self) -> &String {
        &self.row.provider
    }

    /// The invoice's id at Stripe. Null while Stripe has not made it.
    fn stripe_invoice_id(&self) -> Option<&String> {
        self.row.stripe_invoice_id.as_ref()
    }

    /// The state of the invoice at Stripe when it was last read, in Stripe's words.
    fn status(&self) -> Option<&String> {
        self.row.upstream_status.as_ref()
    }

    /// How current the pay page and the PDF are.
    fn freshness(&self) -> Freshness {
        links::links_freshness(&self.row, self.now).into()
    }

    /// When they were read from Stripe.
    fn fetched_at(&self) -> Option<DateTime> {
        self.row.links_fetched_at.map(DateTime)
    }

    /// Until when they work for certain: ten days after they were read.
    fn guaranteed_until(&self) -> Option<DateTime> {
        self.row.links_fetched_at.map(|at| DateTime(links::guaranteed_until(at)))
    }

    /// How current the receipt is. Null when there is none.
    fn receipt_freshness(&self) -> Option<Freshness> {
        self.row.receipt_url.as_ref().map(|_| links::receipt_freshness(&self.row, self.now).into())
    }

    /// When the receipt was read from Stripe.
    fn receipt_fetched_at(&self) -> Option<DateTime> {
        self.row.receipt_fetched_at.map(DateTime)
    }
}
