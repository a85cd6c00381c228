//! Whether a caller may ask for what an operation costs.

use async_graphql::Value;
use async_graphql::value;

use super::error::Refusal;
use crate::domain::viewer::{PrincipalKind, Viewer};

/// The most that one operation may cost, by who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CostLimits {
    /// Customers, in apps that show a page at a time.
    pub customers: u64,
    /// Merchants, partners and services: a page of 100 whole bills costs 7,000.
    pub others: u64,
}

impl Default for CostLimits {
    fn default() -> Self {
        Self { customers: 1_000, others: 10_000 }
    }
}

/// What an operation costs, what it may cost, and what is left for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cost {
    pub(super) requested: u64,
    pub(super) limit: u64,
    pub(super) remaining: u64,
}

/// Takes what an operation costs from what the caller has.
///
/// The one place that knows how much that is: the limit of an operation, anew for each.
///
/// # Errors
/// [`Refusal::TooCostly`] when it is more than one operation may cost; nothing is taken then.
pub(super) fn charge(limits: CostLimits, viewer: &Viewer, requested: u64) -> Result<Cost, Refusal> {
    let limit = match viewer.kind {
        PrincipalKind::Customer => limits.customers,
        PrincipalKind::Merchant | PrincipalKind::Partner | PrincipalKind::Service => limits.others,
    };
    match limit.checked_sub(requested) {
        Some(remaining) => Ok(Cost { requested, limit, remaining }),
        None => Err(Refusal::TooCostly(Cost { requested, limit, remaining: limit })),
    }
}

impl Cost {
    /// As an answer's `extensions.cost`.
    pub(super) fn shown(self) -> Value {
        // Clients read numbers as floating-point ones: what is not exact there is shown as the largest that is.
        let exact = |number: u64| number.min(EXACT_MAX);
        value!({"requested": exact(self.requested), "limit": exact(self.limit), "remaining": exact(self.remaining)})
    }
}

/// 2^53 - 1.
const EXACT_MAX: u64 = 9_007_199_254_740_991;

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::*;
    use crate::domain::viewer::ScopeSet;

    fn viewer(kind: PrincipalKind) -> Viewer {
        let expires: DateTime<Utc> = "2100-01-01T00:00:00Z".parse().unwrap();
        Viewer::new(kind, "test".to_owned(), ScopeSet::default(), expires, "ten_1".to_owned().into(), None)
    }

    #[test]
    fn an_operation_may_cost_its_limit_and_no_more() {
        for (kind, limit) in [
            (PrincipalKind::Customer, 1_000),
            (PrincipalKind::Merchant, 10_000),
            (PrincipalKind::Partner, 10_000),
            (PrincipalKind::Service, 10_000),
        ] {
            let charged = |cost| charge(CostLimits::default(), &viewer(kind), cost);
            assert_eq!(charged(0).unwrap(), Cost { requested: 0, limit, remaining: limit });
            assert_eq!(charged(limit).unwrap(), Cost { requested: limit, limit, remaining: 0 });
            assert!(matches!(charged(limit + 1), Err(Refusal::TooCostly(cost)) if cost.requested == limit + 1));
        }
    }

    #[test]
    fn numbers_are_shown_as_far_as_clients_can_read_them() {
        let shown = Cost { requested: u64::MAX, limit: 5, remaining: 5 }.shown().into_json().unwrap();
        assert_eq!(shown, serde_json::json!({"requested": EXACT_MAX, "limit": 5, "remaining": 5}));
    }
}
