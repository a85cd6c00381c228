//! What is known of an invoice's mirror at Stripe.

use std::sync::Arc;

use async_graphql::{Context, Object, SimpleObject};
use entity::invoice;

use super::context::{Nullable, guarded, guarded_value};
use super::kinds::{Freshness, UpstreamErrorCode};
use super::scalars::DateTime;
use crate::domain::drift::{Drift, drift, estimated_expiry};
use crate::links::{State, guaranteed_until};

/// A mirror, with what was fetched for this answer.
pub(super) struct UpstreamInvoice {
    pub(super) state: State,
    pub(super) invoice: Arc<invoice::Model>,
}

/// What is known of an invoice's mirror at Stripe, and how current it is.
#[Object]
impl UpstreamInvoice {
    /// Who has the mirror: `stripe`.
    fn provider(&self) -> &String {
        &self.state.mirror.provider
    }

    /// The invoice's id at Stripe. Null while Stripe has not made it.
    fn stripe_invoice_id(&self) -> Option<&String> {
        self.state.mirror.stripe_invoice_id.as_ref()
    }

    /// The state of the invoice at Stripe when it was last read, in Stripe's words.
    fn status(&self) -> Option<&String> {
        self.state.mirror.upstream_status.as_ref()
    }

    /// How current the pay page and the PDF are.
    fn freshness(&self) -> Freshness {
        self.state.freshness.into()
    }

    /// When they were read from Stripe.
    fn fetched_at(&self) -> Option<DateTime> {
        self.state.mirror.links_fetched_at.map(DateTime)
    }

    /// Until when they work for certain: ten days after they were read.
    fn guaranteed_until(&self) -> Option<DateTime> {
        self.state.mirror.links_fetched_at.map(|at| DateTime(guaranteed_until(at)))
    }

    /// When they probably end: 30 days after the invoice is due (or was issued), at most 120 after it was issued, and not
    /// before `guaranteedUntil`. Null while they were never read.
    fn estimated_expiry(&self) -> Option<DateTime> {
        let guaranteed = guaranteed_until(self.state.mirror.links_fetched_at?);
        Some(DateTime(estimated_expiry(&self.invoice).map_or(guaranteed, |end| end.max(guaranteed))))
    }

    /// How current the receipt is. Null when there is none.
    fn receipt_freshness(&self) -> Option<Freshness> {
        self.state.mirror.receipt_url.as_ref().map(|_| self.state.receipt_freshness.into())
    }

    /// When the receipt was read from Stripe.
    fn receipt_fetched_at(&self) -> Option<DateTime> {
        self.state.mirror.receipt_fetched_at.map(DateTime)
    }

    /// Why Stripe could not be read the last time. Null when it could. Needs the scope `invoices.internal:read`.
    async fn last_error_code(&self, ctx: &Context<'_>) -> Nullable<UpstreamErrorCode> {
        let code = self.state.mirror.last_error_code.as_deref().map(UpstreamErrorCode::of);
        guarded_value(ctx, ("UpstreamInvoice", "lastErrorCode"), code)
    }

    /// When that was. Needs the scope `invoices.internal:read`.
    async fn last_error_at(&self, ctx: &Context<'_>) -> Nullable<DateTime> {
        let at = self.state.mirror.last_error_at.map(DateTime);
        guarded_value(ctx, ("UpstreamInvoice", "lastErrorAt"), at)
    }

    /// Where Stripe says something else than this gateway, since the mirror was last read. Needs the scope
    /// `invoices.internal:read`.
    async fn drift(&self, ctx: &Context<'_>) -> Nullable<Vec<DriftIssue>> {
        guarded(ctx, ("UpstreamInvoice", "drift"), async {
            let found = drift(&self.invoice, &self.state.mirror);
            let read_at = DateTime(self.state.mirror.updated_at);
            Ok(Some(found.into_iter().map(|drift| DriftIssue::of(drift, read_at)).collect()))
        })
        .await
    }
}

/// A field whose value Stripe states differently.
#[derive(SimpleObject)]
pub(super) struct DriftIssue {
    /// The field, by its name on the invoice.
    field: String,
    /// What is stored here; amounts in minor units.
    local: Option<String>,
    /// What Stripe stated; amounts in minor units.
    upstream: Option<String>,
    /// When Stripe was read.
    detected_at: DateTime,
}

impl DriftIssue {
    fn of(drift: Drift, detected_at: DateTime) -> Self {
        let Drift { field, local, upstream } = drift;
        Self { field: field.to_owned(), local: Some(local), upstream: Some(upstream), detected_at }
    }
}
