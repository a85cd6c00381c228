//! What one operation may cost, and how an answer says what it did.

use async_graphql::Value;
use async_graphql::value;

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
    /// Of what the caller has over time.
    pub(super) remaining: u64,
}

impl CostLimits {
    /// The most that one operation of this caller may cost.
    pub(super) const fn of(self, viewer: &Viewer) -> u64 {
        self.of_kind(viewer.kind)
    }

    /// The same of callers of this kind.
    pub(super) const fn of_kind(self, kind: PrincipalKind) -> u64 {
        match kind {
            PrincipalKind::Customer => self.customers,
            PrincipalKind::Merchant | PrincipalKind::Partner | PrincipalKind::Service => self.others,
        }
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

    #[test]
    fn what_one_operation_may_cost_depends_on_who_asks() {
        let expires: DateTime<Utc> = "2100-01-01T00:00:00Z".parse().unwrap();
        for (kind, limit) in [
            (PrincipalKind::Customer, 1_000),
            (PrincipalKind::Merchant, 10_000),
            (PrincipalKind::Partner, 10_000),
            (PrincipalKind::Service, 10_000),
        ] {
            let viewer = Viewer::new(kind, "test".to_owned(), ScopeSet::default(), expires, "ten_1".into(), None);
            assert_eq!(CostLimits::default().of(&viewer), limit);
        }
    }

    #[test]
    fn numbers_are_shown_as_far_as_clients_can_read_them() {
        let shown = Cost { requested: u64::MAX, limit: 5, remaining: 5 }.shown().into_json().unwrap();
        assert_eq!(shown, serde_json::json!({"requested": EXACT_MAX, "limit": 5, "remaining": 5}));
    }
}
