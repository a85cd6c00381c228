//! Events: what happened at Stripe, by webhook or read from the list.
//!
//! Only the id, the type and the time must be there. What an event tells of is read as far as it is known; where it
//! cannot be read, the event is still one and names what should be read again.

use chrono::DateTime;
use entity::Instant;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::id::{ChargeId, PaymentIntentId, StripeAccountId, StripeEventId, StripeInvoiceId};
use super::json::without_nul;
use super::objects::wire::{
    ChargeObject, InvoiceObject, InvoicePaymentObject, Named, PaymentIntentObject, Reference, RefundObject,
};
use super::objects::{Charge, Invoice, InvoicePayment, PaymentIntent, Refund};
use crate::domain::link::LinkHosts;

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its id. The same event may come more than once.
    pub id: StripeEventId,
    /// `invoice.paid` and the like, as Stripe writes it.
    pub kind: String,
    /// When it happened, to the second. Events of one second have no order.
    pub created: Instant,
    /// Whether it is about real money; absent on some events of the second version of the API.
    pub livemode: Option<bool>,
    /// The connected account it happened in; absent for the key's own.
    pub account: Option<StripeAccountId>,
    /// In which version of the API its object is written; absent when there is none.
    pub api_version: Option<String>,
    /// What it tells of.
    pub object: EventObject,
}

/// What an event tells of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventObject {
    /// An invoice, as it was at that time.
    Invoice(Box<Invoice>),
    /// A payment of an invoice.
    InvoicePayment(Box<InvoicePayment>),
    /// A charge.
    Charge(Box<Charge>),
    /// A refund.
    Refund(Box<Refund>),
    /// A payment intent.
    PaymentIntent(Box<PaymentIntent>),
    /// Something else, or something that could not be read.
    Other {
        /// The sort of object; empty when it does not say.
        object: String,
        /// Its id.
        id: Option<String>,
        /// The invoice it belongs to, or is: to be read again.
        invoice: Option<StripeInvoiceId>,
        /// The charge it belongs to, or is.
        charge: Option<ChargeId>,
        /// The payment intent it belongs to.
        payment_intent: Option<PaymentIntentId>,
    },
    /// An event of the second version of the API: it only names what changed.
    Related {
        /// The sort of object; empty when it does not say.
        kind: String,
        /// Its id.
        id: Option<String>,
    },
}

impl Event {
    /// The invoice that it is about, where it says so.
    pub fn invoice(&self) -> Option<&StripeInvoiceId> {
        match &self.object {
            EventObject::Invoice(invoice) => Some(&invoice.id),
            EventObject::InvoicePayment(payment) => payment.invoice.as_ref(),
            EventObject::Other { invoice, .. } => invoice.as_ref(),
            EventObject::PaymentIntent(intent) => intent.invoice.as_ref(),
            EventObject::Charge(_) | EventObject::Refund(_) | EventObject::Related { .. } => None,
        }
    }

    /// Reads an event.
    ///
    /// # Errors
    /// [`NoEvent`] when something that every event has is missing or wrong.
    pub(super) fn read(json: &[u8], hosts: &LinkHosts) -> Result<Self, NoEvent> {
        let json = without_nul(json);
        serde_json::from_slice::<Wire<'_>>(&json).map_err(|error| NoEvent(error.classify()))?.checked(hosts)
    }
}

/// A text that is no event. Nothing of it is kept, only what sort of fault it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no event of Stripe ({0:?})")]
pub struct NoEvent(pub(super) serde_json::error::Category);

/// An event as it comes.
#[derive(Deserialize)]
pub(super) struct Wire<'a> {
    id: String,
    #[serde(default)]
    object: String,
    #[serde(rename = "type")]
    kind: String,
    created: Moment,
    livemode: Option<bool>,
    /// Where the first version of the API names the account.
    account: Option<String>,
    /// Where the second one does.
    context: Option<String>,
    api_version: Option<String>,
    #[serde(borrow)]
    data: Option<Data<'a>>,
    related_object: Option<RelatedObject>,
}

/// Seconds in the first version of the API, a text in the second.
#[derive(Deserialize)]
#[serde(untagged)]
enum Moment {
    Seconds(i64),
    Text(DateTime<chrono::Utc>),
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow)]
    object: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct RelatedObject {
    id: Option<String>,
    #[serde(rename = "type", default)]
    kind: String,
}

/// What every object may have.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Sketch {
    id: Option<String>,
    object: String,
    invoice: Option<Reference<Named>>,
    charge: Option<Reference<Named>>,
    payment_intent: Option<Reference<Named>>,
}

impl Wire<'_> {
    pub(super) fn checked(self, hosts: &LinkHosts) -> Result<Event, NoEvent> {
        let wrong = || NoEvent(serde_json::error::Category::Data);
        let created = match self.created {
            Moment::Seconds(seconds) => DateTime::from_timestamp(seconds, 0).ok_or_else(wrong)?,
            Moment::Text(moment) => moment,
        };
        let object = match (self.related_object, self.data.and_then(|data| data.object)) {
            (Some(related), _) => EventObject::Related { kind: related.kind, id: related.id },
            (None, Some(object)) => read_object(object.get(), hosts),
            (None, None) if self.object == "v2.core.event" => EventObject::Related { kind: String::new(), id: None },
            (None, None) => other(Sketch::default()),
        };
        Ok(Event {
            id: StripeEventId::parse(&self.id).map_err(|_bad| wrong())?,
            kind: self.kind,
            created: Instant::new(created),
            livemode: self.livemode,
            account: self.account.or(self.context).and_then(|account| StripeAccountId::parse(&account).ok()),
            api_version: self.api_version,
            object,
        })
    }
}

fn read_object(json: &str, hosts: &LinkHosts) -> EventObject {
    let sketch: Sketch = serde_json::from_str(json).unwrap_or_default();
    let known = match sketch.object.as_str() {
        "invoice" => parsed::<InvoiceObject>(json)
            .and_then(|object| object.checked(hosts).ok())
            .map(|invoice| EventObject::Invoice(Box::new(invoice))),
        "invoice_payment" => parsed::<InvoicePaymentObject>(json)
            .and_then(|object| object.checked(hosts).ok())
            .map(|payment| EventObject::InvoicePayment(Box::new(payment))),
        "charge" => parsed::<ChargeObject>(json)
            .and_then(|object| object.checked(hosts).ok())
            .map(|charge| EventObject::Charge(Box::new(charge))),
        "refund" => parsed::<RefundObject>(json)
            .and_then(|object| object.checked().ok())
            .map(|refund| EventObject::Refund(Box::new(refund))),
        "payment_intent" => parsed::<PaymentIntentObject>(json)
            .and_then(|object| object.checked().ok())
            .map(|intent| EventObject::PaymentIntent(Box::new(intent))),
        _ => None,
    };
    known.unwrap_or_else(|| other(sketch))
}

fn parsed<'a, T: Deserialize<'a>>(json: &'a str) -> Option<T> {
    serde_json::from_str(json).ok()
}

fn other(sketch: Sketch) -> EventObject {
    let own = sketch.id.as_deref().unwrap_or_default();
    let named = |reference: &Option<Reference<Named>>| reference.as_ref().map(|it| it.id().to_owned());
    let invoice = named(&sketch.invoice);
    let charge = named(&sketch.charge);
    let intent = named(&sketch.payment_intent);
    EventObject::Other {
        invoice: StripeInvoiceId::parse(invoice.as_deref().unwrap_or(own)).ok(),
        charge: ChargeId::parse(charge.as_deref().unwrap_or(own)).ok(),
        payment_intent: intent.and_then(|intent| PaymentIntentId::parse(&intent).ok()),
        object: sketch.object,
        id: sketch.id,
    }
}
