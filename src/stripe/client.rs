//! What Stripe can be asked.
//!
//! Each question is one call, checked before it is sent and after it was answered; how calls are made stands in
//! `call.rs`.

use std::sync::Arc;

use entity::Instant as Moment;
use serde_json::value::RawValue;
use url::Url;

use super::call::Caller;
use super::config::{StripeConfig, StripeConfigError};
use super::deadline::Deadline;
use super::error::{Endpoint, StripeError};
use super::event::{Event, NoEvent};
use super::id::{BadId, ChargeId, PaymentIntentId, StripeCustomerId, StripeEventId, StripeInvoiceId};
use super::objects::wire::{ChargeObject, InvoiceObject, InvoicePaymentObject, List};
use super::objects::{Charge, Invoice, InvoicePayment, PaidBy, Receipts};
use crate::domain::link::LinkHosts;

/// Objects on a page: the most that Stripe gives.
const PAGE: &str = "100";

/// Pages of one invoice's payments: nobody pays an invoice in five hundred parts.
const PAYMENT_PAGES_MAX: usize = 5;

/// The receipt of a payment lies four segments deep, which is as deep as Stripe expands.
const RECEIPT_BY_INTENT: &str = "data.payment.payment_intent.latest_charge";

/// The same for charges without an intent.
const RECEIPT_BY_CHARGE: &str = "data.payment.charge";

/// Why an answer about something else is of no use.
const ANOTHER: &str = "it is another object than was asked for";

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// Newest first, at most 100.
    pub items: Vec<T>,
    /// Whether older ones follow: asked for with the id of the last item.
    pub has_more: bool,
}

/// An event of a list, with what Stripe wrote of it.
#[derive(Clone, PartialEq, Eq)]
pub struct ListedEvent {
    /// The event.
    pub event: Event,
    /// The same as it came. There may be links in it.
    pub json: String,
}

impl std::fmt::Debug for ListedEvent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ListedEvent").field("event", &self.event).finish_non_exhaustive()
    }
}

/// Which events are asked for.
#[derive(Clone, Debug, Default)]
pub struct EventsAsked {
    /// Only those that happened then or later. Stripe keeps 30 days.
    pub since: Option<Moment>,
    /// The last event of the page before.
    pub after: Option<StripeEventId>,
}

/// Which invoices are asked for.
#[derive(Clone, Debug, Default)]
pub struct InvoicesAsked {
    /// Only those that were made then or later.
    pub since: Option<Moment>,
    /// Only those that were made before.
    pub until: Option<Moment>,
    /// The last invoice of the page before.
    pub after: Option<StripeInvoiceId>,
    /// Whether each comes with its payments.
    pub payments: bool,
}

/// Asks Stripe about one account. Clones share everything.
#[derive(Clone, Debug)]
pub struct StripeClient(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    config: StripeConfig,
    caller: Caller,
}

impl StripeClient {
    /// A client for one account.
    ///
    /// # Errors
    /// [`StripeConfigError`] when the library for HTTPS cannot be set up.
    pub fn new(config: StripeConfig) -> Result<Self, StripeConfigError> {
        let caller = Caller::new(&config)?;
        Ok(Self(Arc::new(Shared { config, caller })))
    }

    /// Whether its key opens real money.
    pub fn livemode(&self) -> bool {
        self.0.config.key.livemode()
    }

    /// Whether calls fail at once for now, because too many failed before.
    pub fn is_open(&self) -> bool {
        self.0.caller.is_open()
    }

    /// One invoice.
    ///
    /// # Errors
    /// [`StripeError`], by the deadline.
    pub async fn invoice(&self, id: &StripeInvoiceId, deadline: Deadline) -> Result<Invoice, StripeError> {
        let url = self.0.config.base.path(&format!("v1/invoices/{id}"));
        self.0
            .caller
            .get(Endpoint::Invoice, url, deadline, |object: InvoiceObject| {
                let invoice = object.checked(self.hosts()).map_err(no_id)?;
                if invoice.id == *id { Ok(invoice) } else { Err(ANOTHER) }
            })
            .await
    }

    /// A page of the invoices of a customer, newest first; `after` is the last invoice of the page before.
    ///
    /// # Errors
    /// [`StripeError`], by the deadline.
    pub async fn invoices_of_customer(
        &self,
        customer: &StripeCustomerId,
        after: Option<&StripeInvoiceId>,
        deadline: Deadline,
    ) -> Result<Page<Invoice>, StripeError> {
        self.invoices(&[("customer", customer.as_str())], after, deadline).await
    }

    /// A page of all invoices, newest first.
    ///
    /// # Errors
    /// [`StripeError`], by the deadline.
    pub async fn invoices_made(&self, asked: &InvoicesAsked, deadline: Deadline) -> Result<Page<Invoice>, StripeError> {
        let seconds = |at: Option<Moment>| at.map(|at| at.utc().timestamp().to_string());
        let (since, until) = (seconds(asked.since), seconds(asked.until));
        let since = since.as_deref().map(|since| ("created[gte]", since));
        let until = until.as_deref().map(|until| ("created[lt]", until));
        let payments = asked.payments.then_some(("expand[]", "data.payments"));
        let which: Vec<(&str, &str)> = [since, until, payments].into_iter().flatten().collect();
        self.invoices(&which, asked.after.as_ref(), deadline).await
    }

    async fn invoices(
        &self,
        which: &[(&str, &str)],
        after: Option<&StripeInvoiceId>,
        deadline: Deadline,
    ) -> Result<Page<Invoice>, StripeError> {
        let after = after.map(|id| ("starting_after", id.as_str()));
        let url = self.list("v1/invoices", which.iter().copied().chain(after));
        self.0
            .caller
            .get(Endpoint::Invoices, url, deadline, |list: List<InvoiceObject>| {
                let items = list.data.into_iter().map(|object| object.checked(self.hosts()).map_err(no_id));
                Ok(Page { items: items.collect::<Result<_, _>>()?, has_more: list.has_more })
            })
            .await
    }

    /// The receipts of an invoice's payments. Of more than five hundred payments, those of the newest.
    ///
    /// # Errors
    /// [`StripeError`], by the deadline.
    pub async fn receipts(&self, id: &StripeInvoiceId, deadline: Deadline) -> Result<Receipts, StripeError> {
        let expanded = [("status", "paid"), ("expand[]", RECEIPT_BY_INTENT), ("expand[]", RECEIPT_BY_CHARGE)];
        Ok(Receipts::of(self.payments_of(id, &expanded, deadline).await?))
    }

    /// The payments of an invoice, without their charges. Of more than five hundred, the newest.
    ///
    /// # Errors
    /// [`StripeError`], by the deadline.
    pub async fn payments(&self, id: &StripeInvoiceId, deadline: Deadline) -> Result<Vec<InvoicePayment>, StripeError> {
        self.payments_of(id, &[], deadline).await
    }

    /// All pages of an invoice's payments, up to the most that are read. They come by when they were begun, so the one
    /// that was paid last may stand on any page.
    async fn payments_of(
        &self,
        id: &StripeInvoiceId,
        which: &[(&str, &str)],
        deadline: Deadline,
    ) -> Result<Vec<InvoicePayment>, StripeError> {
        let mut payments: Vec<InvoicePayment> = Vec::new();
        for _page in 0..PAYMENT_PAGES_MAX {
            let after = payments.last().map(|payment| ("starting_after", payment.id.clone()));
            let after = after.as_ref().map(|(name, id)| (*name, id.as_str()));
            let invoice = std::iter::once(("invoice", id.as_str()));
            let url = self.list("v1/invoice_payments", invoice.chain(which.iter().copied()).chain(after));
            let page = self.payments_page(url, deadline).await?;
            let more = page.has_more && !page.items.is_empty();
            payments.extend(page.items);
            if !more {
                break;
            }
        }
        Ok(payments)
    }

    async fn payments_page(&self, url: Url, deadline: Deadline) -> Result<Page<InvoicePayment>, StripeError> {
        self.0
            .caller
            .get(Endpoint::InvoicePayments, url, deadline, |list: List<InvoicePaymentObject>| {
                let items = list.data.into_iter().map(|object| object.checked(self.hosts()).map_err(no_id));
                Ok(Page { items: items.collect::<Result<_, _>>()?, has_more: list.has_more })
            })
            .await
    }

    /// The invoice that a payment intent pays; none when it pays something else.
    ///
    /// # Errors
    /// [`StripeError`], by the deadline.
    pub async fn invoice_of_intent(
        &self,
        intent: &PaymentIntentId,
        deadline: Deadline,
    ) -> Result<Option<StripeInvoiceId>, StripeError> {
        let which = [("payment[type]", "payment_intent"), ("payment[payment_intent]", intent.as_str())];
        let url = self.list("v1/invoice_payments", which);
        self.0
            .caller
            .get(Endpoint::InvoicePayments, url, deadline, |list: List<InvoicePaymentObject>| {
                let payments = list.data.into_iter().map(|object| object.checked(self.hosts()).map_err(no_id));
                let payments: Vec<_> = payments.collect::<Result<_, _>>()?;
                // Only what pays through this intent is an answer.
                let of_intent = |paid_by: &PaidBy| matches!(paid_by, PaidBy::Intent(id, _) if id == intent);
                Ok(payments.into_iter().find(|payment| of_intent(&payment.paid_by)).and_then(|it| it.invoice))
            })
            .await
    }

    /// One charge.
    ///
    /// # Errors
    /// [`StripeError`], by the deadline.
    pub async fn charge(&self, id: &ChargeId, deadline: Deadline) -> Result<Charge, StripeError> {
        let url = self.0.config.base.path(&format!("v1/charges/{id}"));
        self.0
            .caller
            .get(Endpoint::Charge, url, deadline, |object: ChargeObject| {
                let charge = object.checked(self.hosts()).map_err(no_id)?;
                if charge.id == *id { Ok(charge) } else { Err(ANOTHER) }
            })
            .await
    }

    /// A page of events, newest first.
    ///
    /// # Errors
    /// [`StripeError`], by the deadline.
    pub async fn events(&self, asked: &EventsAsked, deadline: Deadline) -> Result<Page<ListedEvent>, StripeError> {
        let since = asked.since.map(|since| since.utc().timestamp().to_string());
        let since = since.as_deref().map(|since| ("created[gte]", since));
        let after = asked.after.as_ref().map(|id| ("starting_after", id.as_str()));
        let url = self.list("v1/events", [since, after].into_iter().flatten());
        self.0
            .caller
            .get(Endpoint::Events, url, deadline, |list: List<Box<RawValue>>| {
                let items = list.data.iter().map(|json| {
                    let event = Event::read(json.get().as_bytes(), self.hosts())?;
                    Ok(ListedEvent { event, json: json.get().to_owned() })
                });
                let items: Result<_, NoEvent> = items.collect();
                Ok(Page { items: items.map_err(|_none| "an event in the list is none")?, has_more: list.has_more })
            })
            .await
    }

    fn hosts(&self) -> &LinkHosts {
        &self.0.config.hosts
    }

    fn list<'a>(&self, path: &str, parameters: impl IntoIterator<Item = (&'a str, &'a str)>) -> Url {
        let mut url = self.0.config.base.path(path);
        url.query_pairs_mut().append_pair("limit", PAGE).extend_pairs(parameters);
        url
    }
}

const fn no_id(_bad: BadId) -> &'static str {
    "it has an id that is none"
}
