//! What can go wrong with Stripe, in the few classes that callers treat differently.
//!
//! Every failure is classified once, here or in `call.rs`. What Stripe writes into its errors is never kept: it may
//! quote what was sent. An address is never part of a failure either.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::id::BadId;
use super::objects::BadLink;

/// A part of the API with a limit of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// One invoice.
    Invoice,
    /// Lists of invoices.
    Invoices,
    /// Payments of an invoice.
    InvoicePayments,
    /// One charge.
    Charge,
    /// Lists of events.
    Events,
}

impl Endpoint {
    /// Every one.
    pub const ALL: [Self; 5] = [Self::Invoice, Self::Invoices, Self::InvoicePayments, Self::Charge, Self::Events];

    /// Whether it answers with up to a hundred objects. Payments come for one invoice at a time.
    pub(super) const fn is_list(self) -> bool {
        matches!(self, Self::Invoices | Self::Events)
    }

    /// The name in logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Invoice => "invoice",
            Self::Invoices => "invoices",
            Self::InvoicePayments => "invoice_payments",
            Self::Charge => "charge",
            Self::Events => "events",
        }
    }
}

/// The class of a failure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StripeErrorKind {
    /// There was no answer in time, or no turn to ask.
    #[error("Stripe did not answer in time")]
    Timeout,
    /// Stripe, or our own share of what it allows, takes no more calls for now.
    #[error("too many calls to Stripe")]
    RateLimited {
        /// When the next call may be tried.
        retry_after: Duration,
    },
    /// Stripe cannot be reached or fails, or failed so often that it is not asked for now.
    #[error("Stripe is not available")]
    Unavailable {
        /// When the next call may be tried, where that is known.
        retry_after: Option<Duration>,
    },
    /// Stripe does not take the key, or it may not read this.
    #[error("Stripe refuses the key")]
    Auth,
    /// The answer is not what Stripe documents.
    #[error("Stripe's answer cannot be used: {0}")]
    BadResponse(&'static str),
    /// A link leads where links may not lead.
    #[error("Stripe gave a link that may not be shown")]
    BadUrl,
    /// Stripe does not know it.
    #[error("Stripe does not know it")]
    NotFound,
    /// There is nobody to ask.
    #[error("no connection to Stripe is configured")]
    NotConfigured,
    /// What was asked for is no id of Stripe's.
    #[error("{0}")]
    BadId(#[from] BadId),
}

impl StripeErrorKind {
    /// The word for it where failures are counted.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::RateLimited { .. } => "rate_limited",
            Self::Unavailable { .. } => "unavailable",
            Self::Auth => "auth",
            Self::BadResponse(_) | Self::BadId(_) => "bad_response",
            Self::BadUrl => "bad_url",
            Self::NotFound => "not_found",
            Self::NotConfigured => "not_configured",
        }
    }
}

/// A call that failed. Cheap to clone: many may have waited for the same one.
#[derive(Clone)]
pub struct StripeError {
    kind: StripeErrorKind,
    endpoint: Option<Endpoint>,
    request_id: Option<Arc<str>>,
    /// What the library for HTTP says, without the address.
    source: Option<Arc<reqwest::Error>>,
}

impl StripeError {
    /// A failure of a class.
    pub const fn new(kind: StripeErrorKind) -> Self {
        Self { kind, endpoint: None, request_id: None, source: None }
    }

    pub(super) fn at(mut self, endpoint: Endpoint) -> Self {
        self.endpoint = Some(endpoint);
        self
    }

    pub(super) fn with_request_id(mut self, id: Option<&Arc<str>>) -> Self {
        self.request_id = id.cloned();
        self
    }

    pub(super) fn because(mut self, source: reqwest::Error) -> Self {
        self.source = Some(Arc::new(source.without_url()));
        self
    }

    /// The class.
    pub const fn kind(&self) -> &StripeErrorKind {
        &self.kind
    }

    /// What was asked; absent when it was nothing yet.
    pub const fn endpoint(&self) -> Option<Endpoint> {
        self.endpoint
    }

    /// What Stripe calls the request, for its support; absent when it did not answer.
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// Whether the same call may work later.
    pub const fn retryable(&self) -> bool {
        use StripeErrorKind as Kind;
        matches!(self.kind, Kind::Timeout | Kind::RateLimited { .. } | Kind::Unavailable { .. })
    }

    /// When the same call may work, where that is known.
    pub const fn retry_after(&self) -> Option<Duration> {
        match &self.kind {
            StripeErrorKind::RateLimited { retry_after } => Some(*retry_after),
            StripeErrorKind::Unavailable { retry_after } => *retry_after,
            _ => None,
        }
    }
}

impl fmt::Display for StripeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}

impl fmt::Debug for StripeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StripeError")
            .field("kind", &self.kind)
            .field("endpoint", &self.endpoint.map(Endpoint::name))
            .field("request_id", &self.request_id)
            .field("source", &self.source.as_ref().map(ToString::to_string))
            .finish()
    }
}

impl std::error::Error for StripeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn std::error::Error + 'static))
    }
}

impl From<BadId> for StripeError {
    fn from(bad: BadId) -> Self {
        Self::new(bad.into())
    }
}

impl From<BadLink> for StripeError {
    fn from(_bad: BadLink) -> Self {
        Self::new(StripeErrorKind::BadUrl)
    }
}
