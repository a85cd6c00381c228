//! Credentials of the demo that are rows and not tokens: API keys, and the session of a customer's browser.
//!
//! What opens something is made anew at each start and lasts for a day, as tokens do. Two keys are always the same: one
//! that is revoked, whose text everyone may know, and one that nobody knows, for commands to be tried on.

use chrono::TimeDelta;
use entity::{CredentialId, CredentialKind, Instant, browser_session, credential};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::DemoToken;
use crate::app::AppError;
use crate::demo::{Principal, principals};
use crate::domain::api_key::NewKey;
use crate::domain::browser_session::{SessionPolicy, after};
use crate::domain::clock::Clock;
use crate::domain::ids;
use crate::domain::secret::{self, NoRandomness, SECRET_LENGTH};
use crate::domain::viewer::Tenant;
use crate::store::{self, Store, StoreError};

/// How long the keys last that are always the same.
const LONG: TimeDelta = TimeDelta::days(300);

/// How long the others do.
const DAY: TimeDelta = TimeDelta::hours(24);

/// What is made at a start.
pub(super) struct Made {
    /// Keys, to be used like tokens.
    pub(super) keys: Vec<DemoToken>,
    /// The cookie of a customer.
    pub(super) cookie: String,
}

/// Makes the demo's keys and its session. None of it is written to the audit log: nobody did it.
///
/// # Errors
/// [`AppError::Store`]; [`AppError::Demo`] when the cast lacks someone.
pub(super) async fn make(store: &Store) -> Result<Made, AppError> {
    // Credentials run on the real time, even in the demo.
    let now = Clock::system().now();
    let (merchant, customer) = (principal("merchant")?, principal("customer")?);
    let service = NewKey::random(false).map_err(no_randomness)?;
    let nightly = NewKey::of(false, "Nightly0".to_owned(), &secret::random(SECRET_LENGTH).map_err(no_randomness)?);
    let revoked = NewKey::of(false, "Revoked0".to_owned(), &SecretString::from("R".repeat(SECRET_LENGTH)));
    let partner = || principal("partner");
    let issued = key(&merchant, &service, "demo service", ids::at(now, &[&service.handle]), (now, DAY));
    keep(store, credential::Model { kind: CredentialKind::Service, ..issued }).await?;
    let nightly = key(&partner()?, &nightly, "nightly export", fixed("nightly export"), (now, LONG));
    keep(store, nightly).await?;
    let dead = key(&partner()?, &revoked, "left in a repository", fixed("revoked"), (now, LONG));
    keep(store, credential::Model { revoked_at: Some(now), ..dead }).await?;
    let told =
        |name, description, key: &NewKey| DemoToken { name, description, token: key.text.expose_secret().to_owned() };
    Ok(Made {
        keys: vec![
            told("service_key", "An API key of a program of Gridlight Compute: everything of the company.", &service),
            told("revoked_key", "An API key that was found in a repository and revoked: refused.", &revoked),
        ],
        cookie: session(store, &customer, now).await?,
    })
}

fn principal(name: &str) -> Result<Principal, AppError> {
    let found = principals().into_iter().find(|who| who.name == name);
    found.ok_or_else(|| AppError::Demo(format!("it has no principal {name}")))
}

fn no_randomness(none: NoRandomness) -> AppError {
    AppError::Demo(none.to_string())
}

/// The id of a key that is always the same.
fn fixed(name: &str) -> CredentialId {
    ids::derived(&["demo", name])
}

fn key(
    who: &Principal,
    key: &NewKey,
    name: &str,
    id: CredentialId,
    (now, lifetime): (Instant, TimeDelta),
) -> credential::Model {
    credential::Model {
        tenant_id: who.tenant.clone(),
        id,
        handle: key.handle.clone(),
        secret_sha256: key.secret_sha256.clone(),
        last4: key.last4.clone(),
        kind: CredentialKind::Partner,
        name: name.to_owned(),
        livemode: false,
        scopes: who.scopes.to_string(),
        customer_ids: who.customers.as_ref().map(|ids| json!(ids)),
        created_by: "demo".to_owned(),
        replaces: None,
        created_at: now,
        expires_at: after(now, lifetime),
        last_used_at: None,
        revoked_at: None,
    }
}

/// Writes a key unless it is there, perhaps since another server that starts at the same moment.
async fn keep(store: &Store, row: credential::Model) -> Result<(), StoreError> {
    let tenant = Tenant::whole(row.tenant_id.clone());
    let tx = store.begin(&tenant).await?;
    match store::credential::insert(&tenant, &tx, row).await {
        Err(StoreError::Refused { rule: "unique", .. }) => Ok(()),
        Err(error) => Err(error),
        Ok(()) => tx.commit().await,
    }
}

async fn session(store: &Store, who: &Principal, now: Instant) -> Result<String, AppError> {
    let customer = who.customers.iter().flatten().next();
    let customer = customer.ok_or_else(|| AppError::Demo("its customer has no customer".to_owned()))?;
    let sid = secret::random(SECRET_LENGTH).map_err(no_randomness)?;
    let sid_sha256 = secret::sha256_of(&sid);
    let policy = SessionPolicy { idle: DAY, longest: DAY };
    let row = browser_session::Model {
        tenant_id: who.tenant.clone(),
        id: ids::at(now, &[&sid_sha256]),
        customer_id: customer.clone(),
        subject: who.name.to_owned(),
        sid_sha256,
        scopes: who.scopes.to_string(),
        created_by: "demo".to_owned(),
        created_at: now,
        idle_until: policy.idle_until(now, policy.end(now)),
        expires_at: policy.end(now),
        revoked_at: None,
        last_used_at: None,
    };
    let tenant = Tenant::whole(who.tenant.clone());
    let tx = store.begin(&tenant).await?;
    store::browser_session::insert(&tenant, &tx, row).await?;
    tx.commit().await?;
    Ok(format!("sid={}", sid.expose_secret()))
}
