//! Tokens that are refused before they expire: inputs, payload and who may. The resolvers stand in `mutation.rs`.

use async_graphql::{InputObject, SimpleObject};

use super::context::RequestContext;
use super::credentials::{manager, told};
use super::error::Failure;
use super::mutation::{UserError, UserErrorCode, given_back};
use super::scalars::DateTime;
use crate::actions::revoke_token::{Which, revoke_token};

/// A token to be refused from now on.
#[derive(InputObject)]
pub(super) struct RevokeTokenInput {
    /// The token's own id, its claim `jti`, 1 to 255 bytes; never the token itself. When it would have ended is not asked: it
    /// is refused for longer than any token lives.
    jti: String,
    /// Given back as it is, at most 255 bytes.
    client_mutation_id: Option<String>,
}

/// The token of this request, to be refused from now on.
#[derive(Default, InputObject)]
pub(super) struct RevokeOwnTokenInput {
    /// Given back as it is, at most 255 bytes.
    client_mutation_id: Option<String>,
}

/// A token that is refused from now on, or why it is not.
#[derive(SimpleObject)]
pub(super) struct RevokeTokenPayload {
    /// What the client gave.
    client_mutation_id: Option<String>,
    /// Since when it is refused.
    revoked_at: Option<DateTime>,
    /// What stood in the way. Empty when the token is refused, now or before.
    user_errors: Vec<UserError>,
}

pub(super) async fn revoke(request: &RequestContext, input: RevokeTokenInput) -> Result<RevokeTokenPayload, Failure> {
    let client_mutation_id = given_back(input.client_mutation_id)?;
    refuse(request, Which::Any(&input.jti), client_mutation_id).await
}

pub(super) async fn revoke_own(
    request: &RequestContext,
    input: RevokeOwnTokenInput,
) -> Result<RevokeTokenPayload, Failure> {
    let client_mutation_id = given_back(input.client_mutation_id)?;
    if let Some(jti) = request.viewer.token() {
        return refuse(request, Which::Own(jti), client_mutation_id).await;
    }
    let message = "This request has no token. A session ends by DELETE /v1/session, a key by revokeApiKey.";
    let error = UserError::of_all(UserErrorCode::NotFound, message);
    Ok(RevokeTokenPayload { client_mutation_id, revoked_at: None, user_errors: vec![error] })
}

async fn refuse(
    request: &RequestContext,
    which: Which<'_>,
    client_mutation_id: Option<String>,
) -> Result<RevokeTokenPayload, Failure> {
    let writes = request.writes()?;
    let (revoked_at, user_errors) = match told(revoke_token(&writes.store, &manager(request, writes), which).await)? {
        Ok(revoked) => (Some(DateTime(revoked.at)), Vec::new()),
        Err(error) => (None, vec![error]),
    };
    Ok(RevokeTokenPayload { client_mutation_id, revoked_at, user_errors })
}
