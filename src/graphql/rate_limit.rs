//! What the caller may still ask for.

use async_graphql::Object;
use entity::Instant;

use super::scalars::{DateTime, SafeInt};

/// What a request took of what its caller may ask for over time, and what is left.
#[derive(Clone, Copy, Debug)]
pub struct Charged {
    /// Points that this request took.
    pub cost: u64,
    /// Points in all.
    pub limit: u64,
    /// Points that are left.
    pub remaining: u64,
    /// When all are there again if nothing is asked until then.
    pub full_at: Instant,
}

pub(super) struct RateLimit(pub(super) Charged);

/// What you may still ask for. Each operation takes what it costs (`extensions.cost`), and what was taken comes back
/// evenly over time. Operations that cost more than is left are refused with `RATE_LIMITED` and HTTP status 429.
#[Object]
impl RateLimit {
    /// Points in all.
    fn limit(&self) -> SafeInt {
        shown(self.0.limit)
    }

    /// Points that are left after this operation.
    fn remaining(&self) -> SafeInt {
        shown(self.0.remaining)
    }

    /// Points that this operation took.
    fn cost(&self) -> SafeInt {
        shown(self.0.cost)
    }

    /// When all points are there again if nothing is asked until then.
    fn reset_at(&self) -> DateTime {
        DateTime(self.0.full_at)
    }
}

/// Settings keep the numbers far below what clients can read exactly.
fn shown(points: u64) -> SafeInt {
    SafeInt(i64::try_from(points).unwrap_or(i64::MAX))
}
