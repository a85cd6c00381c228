//! Is it alive, can it work, what is it: for balancers and the people who run it.
//!
//! Reasons are the store's own sentences, which name no host and no credential.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::AppState;
use crate::store::{MigrationState, Store};

/// Whether the process runs.
pub(super) const LIVE: &str = "/livez";

/// Whether requests can be answered.
pub(super) const READY: &str = "/readyz";

/// What runs.
pub(super) const VERSION: &str = "/version";

/// How long the database has to answer.
const TIMEOUT: Duration = Duration::from_secs(1);

const NO_STORE: [(axum::http::HeaderName, &str); 1] = [(CACHE_CONTROL, "no-store")];

/// The answer of `/readyz`.
#[derive(Serialize)]
struct Readiness {
    status: &'static str,
    checks: Vec<Check>,
}

#[derive(Debug, PartialEq, Serialize)]
struct Check {
    name: &'static str,
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl Check {
    fn new(name: &'static str, result: Result<(), String>) -> Self {
        Self { name, ok: result.is_ok(), reason: result.err() }
    }
}

/// `/livez`: the process runs.
pub(super) async fn live() -> Response {
    (NO_STORE, Json(serde_json::json!({"status": "ok"}))).into_response()
}

/// `/readyz`: requests can be answered; if not, says what is missing.
pub(super) async fn ready(State(state): State<Arc<AppState>>) -> Response {
    let [database, migrations] = check_store(&state.store).await;
    let stopping = state.draining.load(Ordering::Relaxed);
    let shutdown = if stopping { Err("the process is stopping".to_owned()) } else { Ok(()) };
    let mut checks = vec![database, migrations, Check::new("shutdown", shutdown)];
    let (code, status) = if checks.iter().all(|check| check.ok) {
        (StatusCode::OK, "ok")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "unavailable")
    };
    // Told and not counted: other credentials work, and no balancer could send requests to a better replica.
    if let Some(known) = state.auth.has_provider_keys() {
        let reason = "the keys of the identity provider are not known".to_owned();
        checks.push(Check::new("jwks", if known { Ok(()) } else { Err(reason) }));
    }
    if let Some(answers) = state.rates.limiter.reachable().await {
        let reason = "the server that counts for all replicas does not answer".to_owned();
        checks.push(Check::new("rates", if answers { Ok(()) } else { Err(reason) }));
    }
    (code, NO_STORE, Json(Readiness { status, checks })).into_response()
}

/// `/version`.
pub(super) async fn version() -> Response {
    let version = serde_json::json!({"name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION")});
    (NO_STORE, Json(version)).into_response()
}

async fn check_store(store: &Store) -> [Check; 2] {
    let answered = match tokio::time::timeout(TIMEOUT, store.migrations()).await {
        Ok(Ok(steps)) => Ok(steps),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_elapsed) => Err("the database did not answer within a second".to_owned()),
    };
    match answered {
        Ok(steps) => [Check::new("database", Ok(())), Check::new("migrations", all_applied(&steps))],
        Err(reason) => {
            let unknown = Err("unknown while the database does not answer".to_owned());
            [Check::new("database", Err(reason)), Check::new("migrations", unknown)]
        }
    }
}

fn all_applied(steps: &[MigrationState]) -> Result<(), String> {
    let missing: Vec<_> = steps.iter().filter(|step| !step.applied).collect();
    match missing.first() {
        None => Ok(()),
        Some(first) => Err(format!("{} steps are not applied, the first is {}", missing.len(), first.name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_that_are_missing_are_named() {
        let step = |name: &str, applied| MigrationState { name: name.to_owned(), applied };
        assert_eq!(all_applied(&[step("a", true)]), Ok(()));
        let reason = all_applied(&[step("a", true), step("b", false), step("c", false)]).unwrap_err();
        assert_eq!(reason, "2 steps are not applied, the first is b");
    }
}
