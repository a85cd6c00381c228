//! What one request may bring, how long it may take, and what it may be answered with. Each is a setting.

use std::time::Duration;

use crate::graphql::OBJECTS_MAX;
use crate::stripe::webhook::BODY_BYTES_MAX;

/// The most that is read, waited for and given for one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestLimits {
    /// Bytes of the body of a GraphQL request.
    pub body_bytes: usize,
    /// Values in its JSON: far more than 50 variables with lists of 100 need. Each takes some hundred bytes of memory for
    /// the two that it has on the wire.
    pub body_values: usize,
    /// Bytes of the body of a webhook.
    pub webhook_body_bytes: usize,
    /// How long a GraphQL request may take, from its headers to its answer.
    pub timeout: Duration,
    /// Objects that the lists of one answer may have in all.
    pub answer_objects: usize,
    /// Errors of one answer; the rest are counted.
    pub answer_errors: usize,
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self {
            body_bytes: 256 * 1024,
            body_values: 10_000,
            webhook_body_bytes: BODY_BYTES_MAX,
            timeout: Duration::from_secs(10),
            answer_objects: OBJECTS_MAX,
            answer_errors: 100,
        }
    }
}
