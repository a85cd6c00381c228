//! `POST /oauth/revoke`: whoever shows a key or a token may end it (RFC 7009), as partners do who are done with theirs, and
//! those who find leaked ones.
//!
//! To show it is to be allowed to: who has a secret can do worse with it. The answer is the same whether it was good or
//! not, and one that was not is counted like every bad credential. Sessions are not ended here: their customers log out.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use entity::CredentialId;
use tokio::time::timeout;
use url::form_urlencoded;

use super::body::BodyError;
use super::budget::Of;
use super::error::Refusal;
use super::graphql::actor;
use super::request_id::RequestId;
use super::{AppState, body, client, viewer};
use crate::actions::issue_key::{CredentialError, Manager};
use crate::actions::revoke_key::revoke_key;
use crate::actions::revoke_token::{Which, revoke_token};
use crate::auth::Credential;
use crate::domain::rights::Grantor;

/// Where it is asked.
pub(super) const PATH: &str = "/oauth/revoke";

/// The largest body, in bytes: twice what a token may have.
const BODY_BYTES_MAX: usize = 16 * 1024;

/// Fields of the form that are looked at. Those of the standard are two.
const FIELDS_MAX: usize = 16;

pub(super) async fn handle(
    State(state): State<Arc<AppState>>,
    Extension(id): Extension<RequestId>,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let revoked = match shown(&state, &head, body).await {
        Ok(token) => revoke(&state, &head, &token).await,
        Err(refusal) => Err(refusal),
    };
    match revoked {
        Ok(()) => (StatusCode::OK, [(CACHE_CONTROL, "no-store")]).into_response(),
        Err(refusal) => refusal.problem(&id),
    }
}

/// The one token of the form.
async fn shown(state: &AppState, head: &Parts, body: Body) -> Result<String, Refusal> {
    if !is_form(&head.headers) {
        return Err(Refusal::Form);
    }
    let memory = state.room.body(Of::Anyone, client::address_of(&head.extensions));
    let read = body::read(body, &head.headers, BODY_BYTES_MAX, memory);
    let body = match timeout(state.transport.body_timeout, read).await.map_err(|_elapsed| Refusal::BodyTooSlow)? {
        Ok(body) => body,
        Err(BodyError::TooLarge(_)) => return Err(Refusal::Form),
        Err(error) => return Err(error.into()),
    };
    token(&body).ok_or(Refusal::Form)
}

fn is_form(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let (Some(stated), None) = (types.next(), types.next()) else { return false };
    let essence = stated.to_str().ok().and_then(|stated| stated.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded"))
}

/// The field `token`, when there is exactly one with something in it. Other fields are hints that we need none of.
fn token(form: &[u8]) -> Option<String> {
    let fields: Vec<_> = form_urlencoded::parse(form).take(FIELDS_MAX + 1).collect();
    if fields.len() > FIELDS_MAX {
        return None;
    }
    let mut tokens = fields.into_iter().filter(|(name, _)| name == "token").map(|(_, token)| token);
    let only = tokens.next().filter(|token| !token.is_empty())?;
    if tokens.next().is_some() { None } else { Some(only.into_owned()) }
}

async fn revoke(state: &AppState, head: &Parts, token: &str) -> Result<(), Refusal> {
    let viewer = match viewer::behind(state, head, Credential::Bearer(token)).await {
        Ok(viewer) => viewer,
        // It is good for nothing already.
        Err(Refusal::Unauthenticated) => return Ok(()),
        Err(refusal) => return Err(refusal),
    };
    let _seat = state.room.enter(viewer.tenant().id()).await.map_err(|_full| Refusal::Overloaded)?;
    let actor = actor(&viewer, head);
    let by = Manager { tenant: viewer.tenant(), grantor: Grantor::of(&viewer), actor: &actor, now: state.auth.now() };
    let own = viewer.credential().unwrap_or_default();
    let ended = if viewer.is_by_key() {
        revoke_key(&state.store, &by, &CredentialId::from(own)).await.map(drop)
    } else {
        revoke_token(&state.store, &by, Which::Own(own)).await.map(drop)
    };
    match ended {
        // A token of a tenant that is not stored opens nothing.
        Ok(()) | Err(CredentialError::Unknown | CredentialError::TenantUnknown) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_has_one_token_and_whatever_else() {
        assert_eq!(token(b"token=a.b.c").as_deref(), Some("a.b.c"));
        assert_eq!(token(b"token_type_hint=access_token&token=bgk%5Fx").as_deref(), Some("bgk_x"));
        for bad in ["", "token=", "token", "Token=a", "token=a&token=b", "token=a&token=", "{\"token\":\"a\"}"] {
            assert_eq!(token(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(token(format!("{}token=a", "x=1&".repeat(16)).as_bytes()), None, "too many fields");
        assert_eq!(token(format!("{}token=a", "x=1&".repeat(15)).as_bytes()).as_deref(), Some("a"));
    }
}
