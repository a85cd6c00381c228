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

    /// How much a kind sees and hands on beside its scopes: more with a higher number.
    const fn reach(self) -> u8 {
        match self {
            Self::Customer => 0,
            Self::Partner => 1,
            Self::Service => 2,
            Self::Merchant => 3,
        }
    }

    /// The one of two kinds that may do less.
    #[must_use]
    pub const fn weaker(self, other: Self) -> Self {
        if other.reach() < self.reach() { other } else { self }
    }
}

/// The sort of credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialSort {
    /// A token, which names itself and its user.
    Token,
    /// An API key. Its name is for people and names nobody.
    Key,
    /// A session of a customer's browser.
    Session,
}

impl CredentialSort {
    /// The sort as a word.
    const fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Key => "key",
            Self::Session => "session",
        }
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
    /// The sort of principal; behind an application, the weaker one of both.
    pub kind: PrincipalKind,
    /// Who it is, as the credential's subject names it.
    pub subject: String,
    /// What it may open.
    pub scopes: ScopeSet,
    /// When the credential ends.
    pub expires_at: DateTime<Utc>,
    tenant: Tenant,
    own_kind: PrincipalKind,
    credential: Option<(CredentialSort, Arc<str>)>,
    application: Option<Arc<Viewer>>,
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
        Self { kind, subject, scopes, expires_at, tenant, own_kind: kind, credential: None, application: None }
    }

    /// The same caller by the token with this id of its own.
    #[must_use]
    pub fn by_token(self, id: &str) -> Self {
        self.by(CredentialSort::Token, id)
    }

    /// The same caller by the key with this id.
    #[must_use]
    pub fn by_key(self, id: &str) -> Self {
        self.by(CredentialSort::Key, id)
    }

    /// The same caller by the session with this id.
    #[must_use]
    pub fn by_session(self, id: &str) -> Self {
        self.by(CredentialSort::Session, id)
    }

    fn by(self, sort: CredentialSort, id: &str) -> Self {
        Self { credential: Some((sort, id.into())), ..self }
    }

    /// The id of the token that the caller has, where it has one.
    pub fn token(&self) -> Option<&str> {
        match &self.credential {
            Some((CredentialSort::Token, id)) => Some(id),
            _ => None,
        }
    }

    /// The id of the credential: a key's, a session's, or the token's own.
    pub fn credential(&self) -> Option<&str> {
        self.credential.as_ref().map(|(_sort, id)| &**id)
    }

    /// Whether the credential is a key.
    pub const fn is_by_key(&self) -> bool {
        matches!(self.credential, Some((CredentialSort::Key, _)))
    }

    /// The credential's sort and id, which no other credential of the tenant has.
    pub fn credential_name(&self) -> Option<[&str; 2]> {
        self.credential.as_ref().map(|(sort, id)| [sort.name(), &**id])
    }

    /// The sort of principal that the credential is for, whatever stands between.
    pub const fn own_kind(&self) -> PrincipalKind {
        self.own_kind
    }

    /// The application that the caller came through, as it would be by itself.
    pub fn application(&self) -> Option<&Self> {
        self.application.as_deref()
    }

    /// Who is behind the credential, as a text that nobody else of the tenant has. People name keys as they like, so a key
    /// is only ever itself; the name in a session is told apart by its customer. The texts in it have no control
    /// characters, so no two make the same by being cut elsewhere.
    pub fn principal(&self) -> String {
        let customer = || self.tenant.customers().and_then(<[CustomerId]>::first).map_or("", CustomerId::as_str);
        let [sort, whose, name] = match &self.credential {
            Some((CredentialSort::Key, id)) => ["key", &**id, ""],
            Some((CredentialSort::Session, _)) => ["session", customer(), &self.subject],
            Some((CredentialSort::Token, _)) => ["token", self.own_kind.name(), &self.subject],
            None => ["", self.own_kind.name(), &self.subject],
        };
        format!("{sort}\u{1f}{whose}\u{1f}{name}")
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
        let drafts = self.tenant.drafts && application.tenant.drafts;
        Some(Self {
            kind: self.kind.weaker(application.kind),
            scopes,
            expires_at: self.expires_at.min(application.expires_at),
            tenant: Tenant { drafts, ..self.tenant },
            application: Some(Arc::new(application.clone())),
            ..self
        })
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
        assert_eq!((both.token(), user.clone().by_key("key_1").token()), (Some("token"), None));
        assert_eq!(both.tenant().customers(), user.tenant().customers());
        assert!(user.clone().through(&of("", "ten_2", None)).is_none(), "another tenant");
        assert!(user.clone().through(&of("", "ten_1", Some(&["cus_2"]))).is_none(), "other customers");
        assert!(user.through(&of("", "ten_1", Some(&["cus_1", "cus_2"]))).is_some());
        assert!(of("", "ten_1", None).through(&of("", "ten_1", Some(&["cus_1"]))).is_none(), "all, through some");
    }

    #[test]
    fn a_user_behind_an_application_is_no_more_than_the_weaker_of_both() {
        use PrincipalKind::{Customer, Merchant, Partner, Service};
        let of = |kind, scopes: &str| {
            let customers = (kind == Customer).then(|| vec!["cus_1".into()]);
            let scopes = ScopeSet::parse(scopes);
            Viewer::new(kind, "s".into(), scopes, DateTime::UNIX_EPOCH, "ten_1".into(), customers)
        };
        for (user, application, both) in [
            (Merchant, Partner, Partner),
            (Merchant, Service, Service),
            (Service, Partner, Partner),
            (Partner, Merchant, Partner),
            (Customer, Merchant, Customer),
            (Merchant, Merchant, Merchant),
        ] {
            let seen =
                of(user, "invoices:read").by_token("t").through(&of(application, "invoices:read").by_key("key_1"));
            let seen = seen.unwrap();
            assert_eq!((seen.kind, seen.own_kind()), (both, user), "{user:?} through {application:?}");
            let drafts = matches!(both, Merchant | Service);
            assert_eq!(seen.tenant().sees_drafts(), drafts, "{user:?} through {application:?}");
            assert_eq!(seen.application().and_then(Viewer::credential), Some("key_1"));
        }
        let scopes = "invoices:read invoices:write";
        let seen = of(Merchant, "invoices:read").through(&of(Partner, scopes)).unwrap();
        assert!(seen.tenant().sees_drafts(), "both see them");
    }

    #[test]
    fn who_is_behind_a_credential_is_told_apart_from_everyone_else() {
        let of = |kind, name: &str, customer: Option<&str>| {
            let customers = customer.map(|id| vec![id.into()]);
            Viewer::new(kind, name.into(), ScopeSet::default(), DateTime::UNIX_EPOCH, "ten_1".into(), customers)
        };
        let partner = |name| of(PrincipalKind::Partner, name, None);
        let mara = |customer| of(PrincipalKind::Customer, "mara", Some(customer));
        let others = [
            partner("mara").by_token("1"),
            partner("mara").by_key("1"),
            partner("mara").by_key("2"),
            partner("other").by_token("1"),
            of(PrincipalKind::Service, "mara", None).by_token("1"),
            mara("cus_1").by_session("1"),
            mara("cus_2").by_session("1"),
            mara("cus_1").by_token("1"),
        ];
        let names: std::collections::BTreeSet<_> = others.iter().map(Viewer::principal).collect();
        assert_eq!(names.len(), others.len(), "{names:?}");
        assert_eq!(partner("mara").by_token("1").principal(), partner("mara").by_token("2").principal());
        assert_eq!(partner("one").by_key("1").principal(), partner("two").by_key("1").principal());
        let direct = of(PrincipalKind::Merchant, "mara", None).by_token("1");
        assert_eq!(direct.clone().through(&partner("app").by_key("1")).unwrap().principal(), direct.principal());
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
