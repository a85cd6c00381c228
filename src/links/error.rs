//! Why a link cannot be given, in the classes that clients treat differently.

use std::time::Duration;

use crate::stripe::{StripeError, StripeErrorKind};

/// Why a link cannot be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// There is nobody to ask: no account at Stripe is configured.
    #[error("No connection to Stripe is configured.")]
    NotConfigured,
    /// Stripe did not answer within the time that this request had for it.
    #[error("Stripe did not answer in time.")]
    Timeout,
    /// Stripe was asked too often.
    #[error("Stripe is asked too often at the moment.")]
    RateLimited(Option<Duration>),
    /// The caller asked for too many pay links; after so long there is one again.
    #[error("You asked for too many pay links.")]
    TooOften(Duration),
    /// Stripe cannot be reached, or fails.
    #[error("Stripe is not available at the moment.")]
    Unavailable(Option<Duration>),
    /// Stripe refuses the key of this gateway.
    #[error("Stripe refuses the key of this gateway.")]
    Auth,
    /// Stripe does not know the invoice any more.
    #[error("Stripe does not know this invoice.")]
    NotFound,
    /// Stripe's answer could not be read.
    #[error("Stripe gave an answer that cannot be used.")]
    BadResponse,
    /// Stripe's link leads where links may not lead.
    #[error("Stripe gave a link that may not be shown.")]
    BadUrl,
}

impl LinkError {
    /// The word of the API for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::NotConfigured => "NOT_CONFIGURED",
            Self::Timeout => "TIMEOUT",
            Self::RateLimited(_) => "RATE_LIMITED",
            Self::TooOften(_) => "TOO_OFTEN",
            Self::Unavailable(_) => "UNAVAILABLE",
            Self::Auth => "AUTH",
            Self::NotFound => "NOT_FOUND",
            Self::BadResponse => "BAD_RESPONSE",
            Self::BadUrl => "BAD_URL",
        }
    }

    /// Whether the same question may be answered later.
    pub const fn retryable(self) -> bool {
        matches!(self, Self::Timeout | Self::RateLimited(_) | Self::TooOften(_) | Self::Unavailable(_))
    }

    /// When to ask again at the earliest, where that is known.
    pub const fn retry_after(self) -> Option<Duration> {
        match self {
            Self::RateLimited(after) | Self::Unavailable(after) => after,
            Self::TooOften(after) => Some(after),
            _ => None,
        }
    }
}

impl From<&StripeError> for LinkError {
    fn from(error: &StripeError) -> Self {
        match error.kind() {
            StripeErrorKind::Timeout => Self::Timeout,
            StripeErrorKind::RateLimited { .. } => Self::RateLimited(error.retry_after()),
            StripeErrorKind::Unavailable { .. } => Self::Unavailable(error.retry_after()),
            StripeErrorKind::Auth => Self::Auth,
            StripeErrorKind::NotFound => Self::NotFound,
            StripeErrorKind::BadResponse(_) | StripeErrorKind::BadId(_) => Self::BadResponse,
            StripeErrorKind::BadUrl => Self::BadUrl,
            StripeErrorKind::NotConfigured => Self::NotConfigured,
        }
    }
}
