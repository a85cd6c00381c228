//! `DELETE /v1/session`: a customer logs out. The session ends everywhere, and the browser forgets its cookie.
//!
//! Logging out twice is logging out once. A session that is not there any more is cleared like one that is.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, HeaderMap, HeaderValue, SET_COOKIE};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use entity::SessionId;

use super::error::Refusal;
use super::graphql::actor;
use super::request_id::RequestId;
use super::{AppState, viewer};
use crate::actions::end_session::end_session;
use crate::actions::issue_key::{CredentialError, Manager};
use crate::auth::{AuthFailure, Credential};
use crate::domain::rights::Grantor;

/// Where it is asked.
pub(super) const PATH: &str = "/v1/session";

/// What makes browsers forget the cookie, in both of its names.
const FORGOTTEN: [&str; 2] = [
    "__Host-sid=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax",
    "sid=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax",
];

pub(super) async fn handle(
    State(state): State<Arc<AppState>>,
    Extension(id): Extension<RequestId>,
    request: Request,
) -> Response {
    let (head, _body) = request.into_parts();
    let sid = match viewer::session(&state, &head) {
        Ok(sid) => sid,
        Err(refusal) => return refusal.problem(&id),
    };
    match end(&state, sid, &head).await {
        Ok(()) => {
            let forgotten = FORGOTTEN.iter().take(if state.plain_cookie { 2 } else { 1 });
            let mut headers: HeaderMap =
                forgotten.map(|cookie| (SET_COOKIE, HeaderValue::from_static(cookie))).collect();
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            (StatusCode::NO_CONTENT, headers).into_response()
        }
        Err(refusal) => refusal.problem(&id),
    }
}

async fn end(state: &AppState, sid: &str, head: &Parts) -> Result<(), Refusal> {
    let viewer = match state.auth.viewer(Credential::Session(sid)).await {
        Ok(viewer) => viewer,
        Err(AuthFailure::Refused(_)) => return Ok(()),
        Err(failure) => return Err(Refusal::Unverifiable(failure)),
    };
    let actor = actor(&viewer, head);
    let by = Manager { tenant: viewer.tenant(), grantor: Grantor::of(&viewer), actor: &actor, now: state.auth.now() };
    let session = SessionId::from(viewer.credential().unwrap_or_default());
    let ended = end_session(&state.store, &by, &session).await;
    state.auth.forget_session(sid).await;
    match ended {
        Ok(_) | Err(CredentialError::Unknown) => Ok(()),
        Err(CredentialError::Store(error)) => {
            error.log();
            Err(Refusal::Unverifiable(AuthFailure::Store(Arc::new(error))))
        }
        Err(error) => {
            tracing::error!(%error, "a session was not ended");
            Err(Refusal::Internal)
        }
    }
}
