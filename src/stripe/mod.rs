//! Everything that is said to Stripe and heard from it: calls to its API, and its webhooks verified and parsed.
//!
//! Reads only: there is no call that changes anything. A client is one account's; its limits, its bulkhead and its
//! breaker are shared by everyone who has a clone. Every call ends by a [`Deadline`], whatever it waits for. What
//! Stripe says is checked before it leaves this layer: ids by their form, links by where they lead. Its messages are
//! never kept. Nothing here knows our tables.

mod breaker;
mod call;
mod client;
mod config;
mod deadline;
mod error;
mod event;
mod id;
mod json;
mod limits;
mod objects;
pub mod webhook;

pub use client::{EventsAsked, InvoicesAsked, ListedEvent, Page, StripeClient};
pub use config::{ApiKey, BaseUrl, StripeConfig, StripeConfigError, StripeLimits};
pub use deadline::Deadline;
pub use error::{Endpoint, StripeError, StripeErrorKind};
pub use event::{Event, EventObject};
pub use id::{BadId, ChargeId, PaymentIntentId, StripeAccountId, StripeCustomerId, StripeEventId, StripeInvoiceId};
pub use objects::{
    BadLink, Charge, Invoice, InvoicePayment, InvoicePaymentStatus, InvoicePayments, InvoiceStatus, Link, PaidBy,
    PaymentError, PaymentIntent, Receipt, Receipts, Refund, RefundStatus, StatusTransitions,
};

/// The version of the API whose shapes are read. Events come in the version of the webhook endpoint instead.
pub const STRIPE_VERSION: &str = "2026-04-22.dahlia";
