//! What a credential may do, and what whoever has one may hand on: never more than the own.

use std::collections::BTreeSet;

use entity::{CredentialKind, CustomerId};

use super::viewer::{PrincipalKind, Scope, ScopeSet, Tenant, Viewer};

/// Customers that one key may be limited to.
pub const CUSTOMERS_MAX: usize = 100;

/// The rights of an API key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rights {
    /// The sort of principal behind it.
    pub kind: CredentialKind,
    /// What it opens.
    pub scopes: ScopeSet,
    /// The customers it is limited to; absent means all of the tenant's.
    pub customers: Option<Vec<CustomerId>>,
}

/// Who hands out a credential: how far its own rights go.
#[derive(Clone, Copy, Debug)]
pub struct Grantor {
    kind: Option<PrincipalKind>,
    scopes: ScopeSet,
}

/// Why rights cannot be handed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotGrantable {
    /// Keys of this kind see more than the grantor does.
    Kind,
    /// The grantor has not this scope itself.
    Scope(Scope),
    /// The grantor is limited to customers, and these are others or none.
    Customers,
}

impl Grantor {
    /// Whoever runs the gateway.
    pub fn operator() -> Self {
        Self { kind: None, scopes: Scope::ALL.into_iter().collect() }
    }

    /// A caller.
    pub const fn of(viewer: &Viewer) -> Self {
        Self { kind: Some(viewer.kind), scopes: viewer.scopes }
    }

    /// Whether these rights may be handed on by this grantor, who sees `tenant`.
    ///
    /// # Errors
    /// The first reason why not.
    pub fn may_grant(&self, tenant: &Tenant, rights: &Rights) -> Result<(), NotGrantable> {
        if !self.may_grant_kind(rights.kind) {
            return Err(NotGrantable::Kind);
        }
        self.may_grant_scopes(rights.scopes)?;
        let Some(own) = tenant.customers() else { return Ok(()) };
        let own: BTreeSet<&CustomerId> = own.iter().collect();
        match &rights.customers {
            Some(given) if given.iter().all(|id| own.contains(id)) => Ok(()),
            _ => Err(NotGrantable::Customers),
        }
    }

    /// Whether these scopes may be handed on.
    ///
    /// # Errors
    /// The first that is not the grantor's own.
    pub fn may_grant_scopes(&self, scopes: ScopeSet) -> Result<(), NotGrantable> {
        let missing = scopes.iter().find(|scope| !self.scopes.has(*scope));
        missing.map_or(Ok(()), |scope| Err(NotGrantable::Scope(scope)))
    }

    /// Kinds differ in what they see beside their scopes: drafts exist for a merchant and its services.
    const fn may_grant_kind(self, kind: CredentialKind) -> bool {
        match self.kind {
            None | Some(PrincipalKind::Merchant) => true,
            Some(PrincipalKind::Service) => matches!(kind, CredentialKind::Service | CredentialKind::Partner),
            Some(PrincipalKind::Partner) => matches!(kind, CredentialKind::Partner),
            Some(PrincipalKind::Customer) => false,
        }
    }

    /// Whether the grantor may log customers in: only the company itself and its programs may.
    pub const fn may_open_sessions(&self) -> bool {
        matches!(self.kind, None | Some(PrincipalKind::Merchant | PrincipalKind::Service))
    }
}

impl From<CredentialKind> for PrincipalKind {
    fn from(kind: CredentialKind) -> Self {
        match kind {
            CredentialKind::Merchant => Self::Merchant,
            CredentialKind::Partner => Self::Partner,
            CredentialKind::Service => Self::Service,
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn grantor(kind: PrincipalKind, scopes: &str) -> Grantor {
        let scopes = ScopeSet::parse(scopes);
        Grantor::of(&Viewer::new(kind, "s".into(), scopes, DateTime::UNIX_EPOCH, "ten_1".into(), None))
    }

    fn rights(kind: CredentialKind, scopes: &str, customers: Option<&[&str]>) -> Rights {
        let customers = customers.map(|ids| ids.iter().map(|id| CustomerId::from(*id)).collect());
        Rights { kind, scopes: ScopeSet::parse(scopes), customers }
    }

    #[test]
    fn nobody_hands_on_a_scope_that_is_not_the_own() {
        let partner = grantor(PrincipalKind::Partner, "invoices:read tokens:manage");
        let whole = Tenant::whole("ten_1".into());
        let of = |scopes| partner.may_grant(&whole, &rights(CredentialKind::Partner, scopes, None));
        assert_eq!(of("invoices:read"), Ok(()));
        assert_eq!(of(""), Ok(()));
        assert_eq!(of("invoices:read payments:read"), Err(NotGrantable::Scope(Scope::PaymentsRead)));
    }

    #[test]
    fn a_kind_that_sees_more_is_not_handed_on() {
        use CredentialKind::{Merchant, Partner, Service};
        let whole = Tenant::whole("ten_1".into());
        let allowed = |kind: PrincipalKind| {
            let granted = |given| grantor(kind, "").may_grant(&whole, &rights(given, "", None)).is_ok();
            [Merchant, Service, Partner].map(granted)
        };
        assert_eq!(allowed(PrincipalKind::Merchant), [true, true, true]);
        assert_eq!(allowed(PrincipalKind::Service), [false, true, true]);
        assert_eq!(allowed(PrincipalKind::Partner), [false, false, true]);
        assert_eq!(allowed(PrincipalKind::Customer), [false, false, false]);
    }

    #[test]
    fn who_is_limited_to_customers_hands_on_no_others_and_not_all() {
        let limited = Tenant::whole("ten_1".into()).limited_to(vec!["cus_1".into(), "cus_2".into()]);
        let partner = grantor(PrincipalKind::Partner, "");
        let of = |customers| partner.may_grant(&limited, &rights(CredentialKind::Partner, "", customers));
        assert_eq!(of(Some(&["cus_2"])), Ok(()));
        assert_eq!(of(Some(&["cus_1", "cus_3"])), Err(NotGrantable::Customers));
        assert_eq!(of(None), Err(NotGrantable::Customers));
    }
}
