//! Issues an API key: its text leaves once, in the answer, and only a digest of it stays.

use chrono::TimeDelta;
use entity::{CredentialId, CustomerId, Instant, credential};
use secrecy::SecretString;
use serde_json::json;

use super::once::{NAME_BYTES_MAX, Turn, turn};
use crate::domain::actor::Actor;
use crate::domain::api_key::{NewKey, prefix};
use crate::domain::browser_session::after;
use crate::domain::ids;
use crate::domain::rights::{CUSTOMERS_MAX, Grantor, NotGrantable, Rights};
use crate::domain::secret::NoRandomness;
use crate::domain::trail::Deed;
use crate::domain::viewer::{ScopeSet, Tenant};
use crate::store::{self, Store, StoreError, Tx};

/// Characters of a key's name.
pub const NAME_MAX: usize = 100;

/// The longest lifetime of a key.
pub const LIFETIME_MAX: TimeDelta = TimeDelta::days(365);

/// Keys that a tenant may have at the same time.
pub const LIVE_MAX: i64 = 1_000;

/// What sort of thing the audit log calls a key.
pub(super) const OBJECT: &str = "ApiKey";

/// Who asks for a change of credentials, and how far the own rights go.
#[derive(Clone, Copy, Debug)]
pub struct Manager<'a> {
    /// Whose credentials, as far as the caller sees them.
    pub tenant: &'a Tenant,
    /// How far the own rights go.
    pub grantor: Grantor,
    /// What the audit log says of them.
    pub actor: &'a Actor,
    /// The credential clock's time.
    pub now: Instant,
}

/// A key to be issued.
#[derive(Clone, Debug)]
pub struct KeyWanted {
    /// What people call it.
    pub name: String,
    /// What it may do.
    pub rights: Rights,
    /// When it ends.
    pub expires_at: Instant,
    /// What its request calls itself, so that it can be sent again.
    pub request: Option<String>,
}

/// A key that was issued.
#[derive(Clone, Debug)]
pub struct KeyIssued {
    /// What is kept of it.
    pub row: credential::Model,
    /// The key itself, which nobody can tell again. Absent where it was issued for the same request before.
    pub text: Option<SecretString>,
}

/// Why a credential was not issued, or not changed. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// There is no such credential, or it is not the caller's to see.
    #[error("there is no such credential")]
    Unknown,
    /// There is no such tenant.
    #[error("there is no such tenant")]
    TenantUnknown,
    /// There is no such customer, or it is not the caller's to see.
    #[error("there is no customer {0}")]
    CustomerUnknown(CustomerId),
    /// The name is empty, too long, or has control characters.
    #[error("a name has 1 to {NAME_MAX} characters")]
    Name,
    /// The end is past, or too far ahead.
    #[error("a key ends within {} days, and not before it begins", LIFETIME_MAX.num_days())]
    Lifetime,
    /// The list of customers is empty or too long.
    #[error("a key is limited to 1 to {CUSTOMERS_MAX} customers")]
    Customers,
    /// It would be able to do more than who asks for it.
    #[error("a credential cannot do more than who issues it")]
    NotGrantable(NotGrantable),
    /// It is there, and can do more than who wants to end it or to issue another in its place.
    #[error("the credential can do more than the caller's own")]
    Stronger(NotGrantable),
    /// The tenant has too many keys already.
    #[error("a tenant has at most {LIVE_MAX} keys at the same time")]
    TooMany,
    /// It has ended or was revoked.
    #[error("the credential has ended or was revoked")]
    Ended,
    /// There is a limit to the tokens that a tenant may refuse.
    #[error("a tenant refuses at most {} tokens at the same time", super::revoke_token::LIVE_MAX)]
    TooManyTokens,
    /// The token is not the caller's to refuse: who is limited to some customers cannot know whose it is.
    #[error("there is no such token")]
    UnknownToken,
    /// It is not the own id of any token.
    #[error("the own id of a token has 1 to {} bytes", super::revoke_token::JTI_BYTES_MAX)]
    Jti,
    /// The name of a request is empty, too long, or has control characters.
    #[error("the name of a request has 1 to {NAME_BYTES_MAX} bytes")]
    RequestName,
    /// Another request has this name, or what was made for it is not the caller's to see.
    #[error("another request has this name")]
    Reused,
    /// A secret could not be made.
    #[error(transparent)]
    Random(#[from] NoRandomness),
    /// The database failed.
    #[error("the credential could not be stored")]
    Store(#[from] StoreError),
}

impl From<NotGrantable> for CredentialError {
    fn from(why: NotGrantable) -> Self {
        Self::NotGrantable(why)
    }
}

/// Issues a key; for a request that was made before, under the same name, gives the key of that time without its text.
///
/// # Errors
/// [`CredentialError`]; nothing was written then.
pub async fn issue_key(store: &Store, by: &Manager<'_>, wanted: KeyWanted) -> Result<KeyIssued, CredentialError> {
    let (request, asked) = (wanted.request.clone(), asked(&wanted));
    let allowed = match (allowed(by, wanted), &request) {
        (Err(error), None) => return Err(error),
        (allowed, _) => allowed,
    };
    let tx = store.begin(by.tenant).await?;
    let turn = turn(&tx, by, request.as_deref(), asked).await?;
    if let Turn::Again(id) = turn {
        return issued_before(&tx, by, id).await;
    }
    // What was issued before is told whatever the time; what is new has to be allowed now.
    let wanted = allowed?;
    check_customers(by.tenant, &tx, wanted.rights.customers.as_deref()).await?;
    let issued = write(&tx, by, wanted, None).await?;
    turn.settle(&tx, by, issued.row.id.as_str()).await?;
    let deed = Deed {
        action: "api_key.issue",
        object_type: OBJECT,
        object_id: issued.row.id.0.clone(),
        before: None,
        after: Some(shown(&issued.row)),
    };
    store::audit_log::append(by.tenant, &tx, by.actor, deed, by.now).await?;
    tx.commit().await?;
    Ok(issued)
}

/// A key that may be issued now, by its name, its end and the rights of who asks.
fn allowed(by: &Manager<'_>, wanted: KeyWanted) -> Result<KeyWanted, CredentialError> {
    let wanted = checked(by, wanted)?;
    by.grantor.may_grant(by.tenant, &wanted.rights)?;
    Ok(wanted)
}

/// Everything that a request for a key asks for.
fn asked(wanted: &KeyWanted) -> serde_json::Value {
    let Rights { kind, scopes, customers } = &wanted.rights;
    json!(["issue", wanted.name, kind, scopes.to_string(), customers, wanted.expires_at])
}

/// The key that was issued for the same request, as far as it can be told.
pub(super) async fn issued_before(tx: &Tx, by: &Manager<'_>, id: String) -> Result<KeyIssued, CredentialError> {
    match found(by, tx, &CredentialId(id)).await {
        Ok(row) => Ok(KeyIssued { row, text: None }),
        // A caller who sees less by now.
        Err(CredentialError::Unknown) => Err(CredentialError::Reused),
        Err(error) => Err(error),
    }
}

fn checked(by: &Manager<'_>, wanted: KeyWanted) -> Result<KeyWanted, CredentialError> {
    let name = wanted.name.trim();
    if name.is_empty() || name.chars().count() > NAME_MAX || name.contains(char::is_control) {
        return Err(CredentialError::Name);
    }
    if wanted.expires_at <= by.now || wanted.expires_at > after(by.now, LIFETIME_MAX) {
        return Err(CredentialError::Lifetime);
    }
    if wanted.rights.customers.as_ref().is_some_and(|ids| !(1..=CUSTOMERS_MAX).contains(&ids.len())) {
        return Err(CredentialError::Customers);
    }
    Ok(KeyWanted { name: name.to_owned(), ..wanted })
}

/// Every customer that a credential is limited to is there, and the caller's.
pub(super) async fn check_customers(
    tenant: &Tenant,
    tx: &Tx,
    customers: Option<&[CustomerId]>,
) -> Result<(), CredentialError> {
    let customers = customers.unwrap_or_default();
    if customers.is_empty() {
        return Ok(());
    }
    let known = store::customer::by_ids(tenant, tx, customers).await?;
    let unknown = customers.iter().find(|id| !known.contains_key(*id));
    unknown.map_or(Ok(()), |id| Err(CredentialError::CustomerUnknown(id.clone())))
}

/// Writes a key whose rights are checked.
pub(super) async fn write(
    tx: &Tx,
    by: &Manager<'_>,
    wanted: KeyWanted,
    replaces: Option<CredentialId>,
) -> Result<KeyIssued, CredentialError> {
    let tenant = store::tenant::find(by.tenant, tx).await?.ok_or(CredentialError::TenantUnknown)?;
    if store::credential::count_live(by.tenant, tx, by.now).await? >= LIVE_MAX {
        return Err(CredentialError::TooMany);
    }
    let key = NewKey::random(tenant.livemode)?;
    let Rights { kind, scopes, customers } = wanted.rights;
    let row = credential::Model {
        tenant_id: by.tenant.id().clone(),
        id: ids::at(by.now, &[&key.handle, &key.secret_sha256]),
        handle: key.handle,
        secret_sha256: key.secret_sha256,
        last4: key.last4,
        kind,
        name: wanted.name,
        livemode: tenant.livemode,
        scopes: scopes.to_string(),
        customer_ids: customers.map(|ids| json!(ids)),
        created_by: by.actor.subject.clone(),
        replaces,
        created_at: by.now,
        expires_at: wanted.expires_at,
        last_used_at: None,
        revoked_at: None,
    };
    store::credential::insert(by.tenant, tx, row.clone()).await?;
    Ok(KeyIssued { row, text: Some(key.text) })
}

/// A key, found and held as the caller sees it.
pub(super) async fn found(by: &Manager<'_>, tx: &Tx, id: &CredentialId) -> Result<credential::Model, CredentialError> {
    let found = store::credential::by_ids(by.tenant, tx, std::slice::from_ref(id)).await?.remove(id);
    found.ok_or(CredentialError::Unknown)
}

/// The rights that a stored key has.
pub(super) fn rights(row: &credential::Model) -> Rights {
    Rights { kind: row.kind, scopes: ScopeSet::parse(&row.scopes), customers: customers(row) }
}

/// The customers that a stored key is limited to. A list that cannot be read is an empty one: it opens nothing.
pub fn customers(row: &credential::Model) -> Option<Vec<CustomerId>> {
    let list = row.customer_ids.as_ref()?;
    Some(serde_json::from_value(list.clone()).unwrap_or_default())
}

/// What the audit log says of a key.
pub(super) fn shown(row: &credential::Model) -> serde_json::Value {
    json!({
        "prefix": prefix(row.livemode, &row.handle),
        "name": row.name,
        "kind": row.kind,
        "scopes": row.scopes,
        "customerIds": row.customer_ids,
        "replaces": row.replaces,
        "expiresAt": row.expires_at,
        "revokedAt": row.revoked_at,
    })
}
