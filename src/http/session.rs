//! `DELETE /v1/session`: a customer logs out. The session ends everywhere, and the browser forgets its cookie.
//!
//! Logging out twice is logging out once. A session that is not there any more is cleared like one that is, and counted
//! like every bad credential.

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
use crate::actions::end_session::log_out;
use crate::actions::issue_key::{CredentialError, Manager};
use crate::auth::Credential;
use crate::domain::rights::Grantor;
use crate::domain::viewer::Viewer;

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
    let viewer = match viewer::behind(&state, &head, Credential::Session(sid)).await {
        Ok(viewer) => Some(viewer),
        // There is nothing to end, and the browser may forget it.
        Err(Refusal::Unauthenticated) => None,
        Err(refusal) => return refusal.problem(&id),
    };
    let mut account = viewer.as_ref().map(|viewer| state.rates.account(viewer, state.documents.settings.cost_limits));
    if let Some(account) = &mut account {
        // Whoever has used up everything may log out all the same: it is done once.
        let _charged = account.charge(1).await;
    }
    let ended = match &viewer {
        Some(viewer) => end(&state, viewer, sid, &head).await,
        None => Ok(()),
    };
    let mut response = match ended {
        Ok(()) => {
            let forgotten = FORGOTTEN.iter().take(if state.plain_cookie { 2 } else { 1 });
            let mut headers: HeaderMap =
                forgotten.map(|cookie| (SET_COOKIE, HeaderValue::from_static(cookie))).collect();
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            (StatusCode::NO_CONTENT, headers).into_response()
        }
        Err(refusal) => refusal.problem(&id),
    };
    response.headers_mut().extend(account.map(|account| account.headers()).unwrap_or_default());
    response
}

async fn end(state: &AppState, viewer: &Viewer, sid: &str, head: &Parts) -> Result<(), Refusal> {
    let _seat = state.room.enter(viewer.tenant().id()).await.map_err(|_full| Refusal::Overloaded)?;
    let actor = actor(viewer, head);
    let by = Manager { tenant: viewer.tenant(), grantor: Grantor::of(viewer), actor: &actor, now: state.auth.now() };
    let session = SessionId::from(viewer.credential().unwrap_or_default());
    let ended = log_out(&state.store, &by, &session).await;
    state.auth.forget_session(sid).await;
    match ended {
        Ok(_) | Err(CredentialError::Unknown) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
