//! Credentials at the command line: whoever has the database's own credentials may issue and revoke any.

use std::sync::Arc;

use chrono::TimeDelta;
use entity::{CredentialId, CustomerId, SessionId, TenantId, browser_session, credential};

use super::AppError;
use super::config::StoreConfig;
use super::wiring::open;
use crate::actions::end_session::end_session as end;
use crate::actions::issue_key::{KeyIssued, KeyWanted, Manager, issue_key as issue};
use crate::actions::open_session::{SessionOpened, SessionWanted, open_session as begin};
use crate::actions::revoke_key::revoke_key as revoke;
use crate::actions::revoke_token::{TokenRevoked, Which, revoke_token as refuse};
use crate::actions::rotate_key::rotate_key as rotate;
use crate::domain::actor::Actor;
use crate::domain::clock::Clock;
use crate::domain::rights::Grantor;
use crate::domain::viewer::Tenant;
use crate::store::{self, Page};

/// Credentials that are listed at most.
const LISTED_MAX: u64 = 10_000;

/// Does something with one tenant's credentials, as the operator.
macro_rules! managed {
    ($config:expr, $tenant:expr, |$store:ident, $by:ident| $done:expr) => {{
        let $store = open($config).await?;
        let (tenant, actor) = (Tenant::whole($tenant.clone()), Actor::operator());
        let now = Clock::system().now();
        let $by = Manager { tenant: &tenant, grantor: Grantor::operator(), actor: &actor, now };
        let done = $done.await;
        $store.close().await?;
        Ok(done?)
    }};
}

/// Issues a key.
///
/// # Errors
/// [`AppError`]; nothing was written then.
pub async fn issue_key(config: &StoreConfig, tenant: &TenantId, wanted: KeyWanted) -> Result<KeyIssued, AppError> {
    managed!(config, tenant, |store, by| issue(&store, &by, wanted))
}

/// Issues a key in the place of another.
///
/// # Errors
/// [`AppError`]; nothing was written then.
pub async fn rotate_key(
    config: &StoreConfig,
    tenant: &TenantId,
    id: &CredentialId,
    grace: TimeDelta,
) -> Result<KeyIssued, AppError> {
    managed!(config, tenant, |store, by| rotate(&store, &by, id, grace, None))
}

/// Revokes a key.
///
/// # Errors
/// [`AppError`]; nothing was written then.
pub async fn revoke_key(
    config: &StoreConfig,
    tenant: &TenantId,
    id: &CredentialId,
) -> Result<credential::Model, AppError> {
    managed!(config, tenant, |store, by| revoke(&store, &by, id))
}

/// The keys of a tenant, newest first, at most 10,000; all, or those that are good for something now.
///
/// # Errors
/// [`AppError`] when the store is not ready.
pub async fn keys(config: &StoreConfig, tenant: &TenantId, active: bool) -> Result<Vec<credential::Model>, AppError> {
    let store = open(config).await?;
    let page = Page { limit: LISTED_MAX, ..Page::default() };
    let tenant = Tenant::whole(tenant.clone());
    let filter = store::credential::Filter { active: active.then(|| (true, Clock::system().now())) };
    let (keys, _more) =
        store::credential::list(&tenant, &store.reader(&tenant, &Arc::default()), &filter, &page).await?;
    store.close().await?;
    Ok(keys)
}

/// The sessions of a tenant, or of one of its customers, newest first, at most 10,000; all, or those that last now.
///
/// # Errors
/// [`AppError`] when the store is not ready.
pub async fn sessions(
    config: &StoreConfig,
    tenant: &TenantId,
    customer: Option<CustomerId>,
    active: bool,
) -> Result<Vec<browser_session::Model>, AppError> {
    let store = open(config).await?;
    let page = Page { limit: LISTED_MAX, ..Page::default() };
    let tenant = Tenant::whole(tenant.clone());
    let filter = store::browser_session::Filter { active: active.then(|| (true, Clock::system().now())), customer };
    let (sessions, _more) =
        store::browser_session::list(&tenant, &store.reader(&tenant, &Arc::default()), &filter, &page).await?;
    store.close().await?;
    Ok(sessions)
}

/// Opens a session.
///
/// # Errors
/// [`AppError`]; nothing was written then.
pub async fn open_session(
    config: &StoreConfig,
    tenant: &TenantId,
    wanted: SessionWanted,
) -> Result<SessionOpened, AppError> {
    managed!(config, tenant, |store, by| begin(&store, &by, wanted))
}

/// Ends a session.
///
/// # Errors
/// [`AppError`]; nothing was written then.
pub async fn end_session(
    config: &StoreConfig,
    tenant: &TenantId,
    id: &SessionId,
) -> Result<browser_session::Model, AppError> {
    managed!(config, tenant, |store, by| end(&store, &by, id))
}

/// Refuses a token by its own id.
///
/// # Errors
/// [`AppError`]; nothing was written then.
pub async fn revoke_token(config: &StoreConfig, tenant: &TenantId, jti: &str) -> Result<TokenRevoked, AppError> {
    managed!(config, tenant, |store, by| refuse(&store, &by, Which::Any(jti)))
}
