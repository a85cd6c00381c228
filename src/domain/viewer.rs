//! Who asks: the kind of principal, the tenant it belongs to, and what its credential opens.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use entity::{CustomerId, TenantId};

/// What a credential may open; matched exactly, without hierarchy or wildcards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Invoices and their scalars, lines, taxes, discounts.
    InvoicesRead,
    /// Changing invoices; partners also see drafts with it.
    InvoicesWrite,
    /// Pay page, PDF and receipt links.
    InvoicesLinksRead,
    /// History, integrity, notes, foreign attributes.
    InvoicesInternalRead,
    /// Payments and means of payment.
    PaymentsRead,
    /// Recording and refunding payments.
    PaymentsWrite,
    /// Rentals.
    RentalsRead,
    /// Host and port of a rental.
    RentalsConnectionRead,
    /// Customers: name, status, currency.
    CustomersRead,
    /// What identifies a person.
    CustomersPiiRead,
    /// Wallets.
    WalletsRead,
    /// Issuing and revoking credentials.
    TokensManage,
    /// Documents as they were imported.
    DocumentsRead,
    /// Importing documents.
    DocumentsWrite,
    /// The audit log.
    AuditRead,
}

impl Scope {
    /// Every scope, in the order of the documentation.
    pub const ALL: [Self; 15] = [
        Self::InvoicesRead,
        Self::InvoicesWrite,
        Self::InvoicesLinksRead,
        Self::InvoicesInternalRead,
        Self::PaymentsRead,
        Self::PaymentsWrite,
        Self::RentalsRead,
        Self::RentalsConnectionRead,
        Self::CustomersRead,
        Self::CustomersPiiRead,
        Self::WalletsRead,
        Self::TokensManage,
        Self::DocumentsRead,
        Self::DocumentsWrite,
        Self::AuditRead,
    ];

    /// The scope as tokens write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::InvoicesRead => "invoices:read",
            Self::InvoicesWrite => "invoices:write",
            Self::InvoicesLinksRead => "invoices.links:read",
            Self::InvoicesInternalRead => "invoices.internal:read",
            Self::PaymentsRead => "payments:read",
            Self::PaymentsWrite => "payments:write",
            Self::RentalsRead => "rentals:read",
            Self::RentalsConnectionRead => "rentals.connection:read",
            Self::CustomersRead => "customers:read",
            Self::CustomersPiiRead => "customers.pii:read",
            Self::WalletsRead => "wallets:read",
            Self::TokensManage => "tokens:manage",
            Self::DocumentsRead => "documents:read",
            Self::DocumentsWrite => "documents:write",
            Self::AuditRead => "audit:read",
        }
    }

    /// The scope of that exact name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }

    const fn bit(self) -> u16 {
        1 << (self as u16)
    }
}

/// A set of scopes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScopeSet(u16);

impl ScopeSet {
    /// Reads space-separated names. Names that are not ours are passed over: a token may serve several products.
    pub fn parse(text: &str) -> Self {
        text.split(' ').filter_map(Scope::named).collect()
    }

    /// Whether the set has `scope`.
    pub const fn has(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// The scopes in the order of the documentation.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.has(*scope))
    }
}

impl FromIterator<Scope> for ScopeSet {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | scope.bit()))
    }
}

impl std::fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.iter().map(Scope::name).collect();
        f.write_str(&names.join(" "))
    }
}

/// The sort of principal behind a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrincipalKind {
    /// A customer, who sees only the own bills.
    Customer,
    /// The company itself: everything of the tenant.
    Merchant,
    /// An integration, cut by scopes and perhaps by customers.
    Partner,
    /// A program of the company's own.
    Service,
}

impl PrincipalKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Customer, Self::Merchant, Self::Partner, Self::Service];

    /// The kind as tokens write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Merchant => "merchant",
            Self::Partner => "partner",
            Self::Service => "service",
        }
    }

    /// The kind of that exact name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Whose rows a caller may see. Every store function on tenant-owned rows takes one first.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tenant {
    id: TenantId,
    customers: Option<Arc<[CustomerId]>>,
    drafts: bool,
}

impl Tenant {
    /// Everything of one tenant.
    pub const fn whole(id: TenantId) -> Self {
        Self { id, customers: None, drafts: true }
    }

    /// The same tenant, cut to some customers.
    #[must_use]
    pub fn limited_to(self, customers: Vec<CustomerId>) -> Self {
        Self { customers: Some(customers.into()), ..self }
    }

    /// The same tenant without invoices in the state DRAFT.
    #[must_use]
    pub fn without_drafts(self) -> Self {
        Self { drafts: false, ..self }
    }

    /// The tenant's id.
    pub const fn id(&self) -> &TenantId {
        &self.id
    }

    /// The customers the caller is limited to; absent means all.
    pub fn customers(&self) -> Option<&[CustomerId]> {
        self.customers.as_deref()
    }

    /// Whether invoices in the state DRAFT exist for the caller.
    pub const fn sees_drafts(&self) -> bool {
        self.drafts
    }
}

/// A caller whose credential was verified.
#[derive(Clone, Debug)]
pub struct Viewer {
    /// The sort of principal.
    pub kind: PrincipalKind,
    /// Who it is, as the credential's subject names it.
    pub subject: String,
    /// What it may open.
    pub scopes: ScopeSet,
    /// When the credential ends.
    pub expires_at: DateTime<Utc>,
    tenant: Tenant,
    credential: Option<Arc<str>>,
    has_token: bool,
}

impl Viewer {
    /// A caller; what it sees follows from its kind, its scopes and the customers it is limited to.
    pub fn new(
        kind: PrincipalKind,
        subject: String,
        scopes: ScopeSet,
        expires_at: DateTime<Utc>,
        tenant: TenantId,
        customers: Option<Vec<CustomerId>>,
    ) -> Self {
        let tenant = Tenant::whole(tenant);
        let tenant = match customers {
            Some(customers) => tenant.limited_to(customers),
            None => tenant,
        };
        let own_people = matches!(kind, PrincipalKind::Merchant | PrincipalKind::Service);
        let tenant = if own_people || scopes.has(Scope::InvoicesWrite) { tenant } else { tenant.without_drafts() };
        Self { kind, subject, scopes, expires_at, tenant, credential: None, has_token: false }
    }

    /// The same caller by the credential with this id.
    #[must_use]
    pub fn by(self, credential: &str) -> Self {
        Self { credential: Some(credential.into()), has_token: false, ..self }
    }

    /// The same caller by the token with this id of its own.
    #[must_use]
    pub fn by_token(self, id: &str) -> Self {
        Self { has_token: true, ..self.by(id) }
    }

    /// The id of the token that the caller has, where it has one.
    pub fn token(&self) -> Option<&str> {
        self.credential().filter(|_id| self.has_token)
    }

    /// The id of the credential: a key's, a session's, or the token's own.
    pub fn credential(&self) -> Option<&str> {
        self.credential.as_deref()
    }

    /// The same caller through an application that may do only so much: what both may. Nothing when the application is
    /// of another tenant, or not for the caller's customers.
    pub fn through(self, application: &Self) -> Option<Self> {
        let theirs = application.tenant.customers();
        let within = |own: &[CustomerId]| theirs.is_none_or(|ids| own.iter().all(|id| ids.contains(id)));
        let fits = self.tenant.customers().map_or(theirs.is_none(), within);
        if !fits || self.tenant.id() != application.tenant.id() {
            return None;
        }
        let scopes = self.scopes.iter().filter(|scope| application.scopes.has(*scope)).collect();
        let (tenant, customers) = (self.tenant.id().clone(), self.tenant.customers().map(<[CustomerId]>::to_vec));
        let expires_at = self.expires_at.min(application.expires_at);
        let both = Self::new(self.kind, self.subject, scopes, expires_at, tenant, customers);
        Some(Self { credential: self.credential, has_token: self.has_token, ..both })
    }

    /// Whose rows the caller may see.
    pub const fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// The one customer behind a credential of kind customer.
    pub fn own_customer(&self) -> Option<&CustomerId> {
        match (self.kind, self.tenant.customers()) {
            (PrincipalKind::Customer, Some([customer])) => Some(customer),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_match_exactly() {
        let set = ScopeSet::parse("invoices:read payments:READ invoices openid  customers.pii:read");
        let names: Vec<_> = set.iter().map(Scope::name).collect();
        assert_eq!(names, ["invoices:read", "customers.pii:read"]);
        assert_eq!(set.to_string(), "invoices:read customers.pii:read");
    }

    #[test]
    fn an_application_narrows_its_user_and_never_widens() {
        let of = |scopes: &str, tenant: &str, customers: Option<&[&str]>| {
            let customers = customers.map(|ids| ids.iter().map(|id| CustomerId::from(*id)).collect());
            let scopes = ScopeSet::parse(scopes);
            Viewer::new(PrincipalKind::Partner, "s".into(), scopes, DateTime::UNIX_EPOCH, tenant.into(), customers)
        };
        let user = of("invoices:read payments:read", "ten_1", Some(&["cus_1"])).by_token("token");
        let both = user.clone().through(&of("payments:read tokens:manage", "ten_1", None)).unwrap();
        assert_eq!((both.scopes.to_string().as_str(), both.credential()), ("payments:read", Some("token")));
        assert_eq!((both.token(), user.clone().by("key_1").token()), (Some("token"), None));
        assert_eq!(both.tenant().customers(), user.tenant().customers());
        assert!(user.clone().through(&of("", "ten_2", None)).is_none(), "another tenant");
        assert!(user.clone().through(&of("", "ten_1", Some(&["cus_2"]))).is_none(), "other customers");
        assert!(user.through(&of("", "ten_1", Some(&["cus_1", "cus_2"]))).is_some());
        assert!(of("", "ten_1", None).through(&of("", "ten_1", Some(&["cus_1"]))).is_none(), "all, through some");
    }

    #[test]
    fn partners_see_drafts_only_with_the_scope_to_write_invoices() {
        let sees = |kind, scopes: &str| {
            let scopes = ScopeSet::parse(scopes);
            Viewer::new(kind, "s".into(), scopes, DateTime::UNIX_EPOCH, "ten_1".into(), None).tenant().sees_drafts()
        };
        assert!(sees(PrincipalKind::Merchant, ""));
        assert!(!sees(PrincipalKind::Partner, "invoices:read"));
        assert!(sees(PrincipalKind::Partner, "invoices:read invoices:write"));
        assert!(!sees(PrincipalKind::Customer, "invoices:read"));
    }
}
