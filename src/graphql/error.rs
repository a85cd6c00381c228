//! The only place that turns an error of the layers below into an answer of GraphQL.
//!
//! Two families: what a client did, whose message is safe to show, and what failed inside, which leaves as a fixed
//! sentence and is logged here with its whole chain. `extensions.code` is a stable part of the API.

use async_graphql::{Error, ErrorExtensions};

use crate::domain::viewer::Scope;
use crate::links::LinkError;
use crate::loaders::LoadError;
use crate::store::StoreError;

/// Why a field has no value.
#[derive(Debug)]
pub(super) enum Failure {
    /// The credential lacks the scope of the field.
    Forbidden(Scope),
    /// A value that a rule refuses; the text says which, without repeating the value.
    BadInput(String),
    /// The answer would have more objects than this.
    TooMany(usize),
    /// Reading failed.
    Load(LoadError),
    /// Reading a list failed.
    Store(StoreError),
    /// A link cannot be had.
    Link(LinkError),
    /// A defect of ours, named for the log.
    Defect(&'static str),
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        Self::Load(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<LinkError> for Failure {
    fn from(error: LinkError) -> Self {
        Self::Link(error)
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Forbidden(scope) => coded(&format!("This field needs the scope {}.", scope.name()), "FORBIDDEN")
                .extend_with(|_, extensions| extensions.set("requiredScope", scope.name())),
            Failure::BadInput(message) => coded(&message, "BAD_USER_INPUT"),
            Failure::TooMany(limit) => coded(
                &format!("The lists of one answer may have {limit} objects in all; ask for fewer at once."),
                "QUERY_TOO_COMPLEX",
            ),
            // Logged where the batch was read, once for all who asked.
            Failure::Load(LoadError::Read(error)) => shown(&error),
            Failure::Load(LoadError::Lost) => defect("a batch was lost"),
            Failure::Store(error) => {
                error.log();
                shown(&error)
            }
            Failure::Link(error) => upstream(error),
            Failure::Defect(what) => defect(what),
        }
    }
}

/// What Stripe says itself never leaves; the code and when to ask again do.
fn upstream(error: LinkError) -> Error {
    let code = match error {
        LinkError::NotConfigured | LinkError::Unavailable(_) => "UPSTREAM_UNAVAILABLE",
        LinkError::Timeout => "UPSTREAM_TIMEOUT",
        LinkError::RateLimited(_) => "UPSTREAM_RATE_LIMITED",
        LinkError::TooOften(_) => "RATE_LIMITED",
        LinkError::Auth => "UPSTREAM_AUTH",
        LinkError::NotFound => "UPSTREAM_NOT_FOUND",
        LinkError::BadResponse => "UPSTREAM_BAD_RESPONSE",
        LinkError::BadUrl => "UPSTREAM_BAD_URL",
    };
    coded(&error.to_string(), code).extend_with(|_, extensions| {
        // What is asked for too often never went to Stripe.
        if !matches!(error, LinkError::TooOften(_)) {
            extensions.set("upstream", "stripe");
        }
        extensions.set("retryable", error.retryable());
        if let Some(after) = error.retry_after() {
            extensions.set("retryAfterMs", u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
        }
        if error == LinkError::NotConfigured {
            extensions.set("reason", "NOT_CONFIGURED");
        }
    })
}

fn shown(error: &StoreError) -> Error {
    match error {
        StoreError::Unavailable(_) | StoreError::Conflict(_) => {
            coded("The store is not available at the moment.", "STORE_UNAVAILABLE")
        }
        StoreError::Timeout(_) => coded("The store did not answer in time.", "TIMEOUT"),
        _ => coded(INTERNAL, "INTERNAL"),
    }
}

fn defect(what: &str) -> Error {
    tracing::error!(what, "a defect");
    coded(INTERNAL, "INTERNAL")
}

/// What a client hears of a defect. The request id finds the rest in the log.
pub(crate) const INTERNAL: &str = "Something failed on our side.";

fn coded(message: &str, code: &'static str) -> Error {
    Error::new(message).extend_with(|_, extensions| extensions.set("code", code))
}
