//! Credentials, issued and revoked: inputs, payloads and what stands in the way. The resolvers stand in `mutation.rs`.

use std::sync::Arc;

use async_graphql::{ID, InputObject, SimpleObject};
use chrono::TimeDelta;
use entity::{CredentialId, CustomerId, SessionId};
use secrecy::ExposeSecret;

use super::api_key::ApiKey;
use super::context::{RequestContext, Writes};
use super::error::Failure;
use super::input;
use super::kinds::ApiKeyKind;
use super::mutation::{UserError, UserErrorCode, given_back};
use super::scalars::DateTime;
use crate::actions::end_session::end_session;
use crate::actions::issue_key::{CredentialError, KeyIssued, KeyWanted, Manager, issue_key};
use crate::actions::open_session::{SessionWanted, open_session};
use crate::actions::revoke_key::revoke_key;
use crate::actions::rotate_key::rotate_key;
use crate::domain::rights::{Grantor, NotGrantable, Rights};
use crate::domain::viewer::{Scope, ScopeSet};

/// How long an old key lives on, when nobody says, in minutes: a day.
const GRACE_MINUTES: i32 = 24 * 60;

/// An API key to be issued.
#[derive(InputObject)]
pub(super) struct IssueApiKeyInput {
    /// What people call it, 1 to 100 characters.
    name: String,
    /// What it opens: names of scopes, each of which the caller must have.
    scopes: Vec<String>,
    /// The sort of principal behind it. A partner may issue keys of partners only.
    #[graphql(default_with = "ApiKeyKind::Partner")]
    kind: ApiKeyKind,
    /// The customers it is limited to, 1 to 100. Without it: all, which only who sees all may issue.
    customer_ids: Option<Vec<ID>>,
    /// When it ends: within a year.
    expires_at: DateTime,
    /// What you call this request, 1 to 255 bytes, such as a UUID; yours alone, whatever others call theirs. Sent again
    /// within a day with the same input, it issues nothing: the key of the first time is given back with
    /// `alreadyIssued: true`, and without its secret, of which only a digest is kept. Where the first answer was lost,
    /// rotate that key for another secret. With another input it is refused: `IDEMPOTENCY_KEY_REUSED`.
    idempotency_key: Option<String>,
    /// Given back as it is, at most 255 bytes.
    client_mutation_id: Option<String>,
}

/// An API key that was just issued, or why none was.
#[derive(SimpleObject)]
pub(super) struct IssueApiKeyPayload {
    /// What the client gave.
    client_mutation_id: Option<String>,
    /// What is kept of the key.
    api_key: Option<ApiKey>,
    /// The key itself. It is told here and never again.
    secret: Option<String>,
    /// Whether the same request, by its `idempotencyKey`, issued the key before. Its secret was told then.
    already_issued: bool,
    /// What stood in the way. Empty when there is a key.
    user_errors: Vec<UserError>,
}

/// An API key in whose place another is to be issued.
#[derive(InputObject)]
pub(super) struct RotateApiKeyInput {
    /// The key: `key_…`.
    id: ID,
    /// How many minutes the old key lives on; 1,440 (a day) when not said, at most 43,200 (30 days), 0 for none.
    grace_minutes: Option<i32>,
    /// What you call this request, 1 to 255 bytes; as with `issueApiKey`, the same request issues one successor however often
    /// it is sent within a day.
    idempotency_key: Option<String>,
    /// Given back as it is, at most 255 bytes.
    client_mutation_id: Option<String>,
}

/// The key that was issued in the place of another, or why none was.
#[derive(SimpleObject)]
pub(super) struct RotateApiKeyPayload {
    /// What the client gave.
    client_mutation_id: Option<String>,
    /// What is kept of the new key.
    api_key: Option<ApiKey>,
    /// The new key itself. It is told here and never again.
    secret: Option<String>,
    /// Whether the same request, by its `idempotencyKey`, issued the key before. Its secret was told then.
    already_issued: bool,
    /// What stood in the way. Empty when there is a key.
    user_errors: Vec<UserError>,
}

/// An API key to be revoked.
#[derive(InputObject)]
pub(super) struct RevokeApiKeyInput {
    /// The key: `key_…`.
    id: ID,
    /// Given back as it is, at most 255 bytes.
    client_mutation_id: Option<String>,
}

/// An API key that is revoked, or why it is not.
#[derive(SimpleObject)]
pub(super) struct RevokeApiKeyPayload {
    /// What the client gave.
    client_mutation_id: Option<String>,
    /// The key, as it is now.
    api_key: Option<ApiKey>,
    /// What stood in the way. Empty when the key is revoked, now or before.
    user_errors: Vec<UserError>,
}

/// A session for a customer whom the company's own login has let in.
#[derive(InputObject)]
pub(super) struct IssueSessionInput {
    /// Whose: `cus_…`.
    customer_id: ID,
    /// Who it is, for people and for the audit log, 1 to 100 characters.
    subject: String,
    /// What it opens: names of scopes, each of which the caller must have.
    scopes: Vec<String>,
    /// Given back as it is, at most 255 bytes.
    client_mutation_id: Option<String>,
}

/// A session that was just opened, or why none was.
#[derive(SimpleObject)]
pub(super) struct IssueSessionPayload {
    /// What the client gave.
    client_mutation_id: Option<String>,
    /// The id, to revoke it by.
    session_id: Option<ID>,
    /// What the cookie holds. It is told here and never again.
    secret: Option<String>,
    /// The header `set-cookie` that gives it to the customer's browser.
    set_cookie: Option<String>,
    /// When it ends in any case; when it is not used it ends before.
    expires_at: Option<DateTime>,
    /// What stood in the way. Empty when there is a session.
    user_errors: Vec<UserError>,
}

/// A session to be ended.
#[derive(InputObject)]
pub(super) struct RevokeSessionInput {
    /// The session: `ses_…`.
    id: ID,
    /// Given back as it is, at most 255 bytes.
    client_mutation_id: Option<String>,
}

/// A session that is ended, or why it is not.
#[derive(SimpleObject)]
pub(super) struct RevokeSessionPayload {
    /// What the client gave.
    client_mutation_id: Option<String>,
    /// When it was ended.
    revoked_at: Option<DateTime>,
    /// What stood in the way. Empty when the session is ended, now or before.
    user_errors: Vec<UserError>,
}

/// Who manages credentials in this request.
pub(super) fn manager<'a>(request: &'a RequestContext, writes: &'a Writes) -> Manager<'a> {
    Manager {
        tenant: request.viewer.tenant(),
        grantor: Grantor::of(&request.viewer),
        actor: &writes.actor,
        now: writes.credentials_now,
    }
}

pub(super) async fn issue(request: &RequestContext, input: IssueApiKeyInput) -> Result<IssueApiKeyPayload, Failure> {
    let writes = request.writes()?;
    let client_mutation_id = given_back(input.client_mutation_id)?;
    let customers = input::ids::<CustomerId>("customerIds", input.customer_ids)?;
    let name = input::plain("name", input.name)?;
    let done = match scopes(&input.scopes)? {
        Err(error) => Err(error),
        Ok(scopes) => {
            let rights = Rights { kind: input.kind.into(), scopes, customers };
            let (expires_at, request_name) = (input.expires_at.0, input.idempotency_key);
            let wanted = KeyWanted { name, rights, expires_at, request: request_name };
            told(issue_key(&writes.store, &manager(request, writes), wanted).await)?
        }
    };
    let (api_key, secret, user_errors) = shown(done);
    let already_issued = api_key.is_some() && secret.is_none();
    Ok(IssueApiKeyPayload { client_mutation_id, api_key, secret, already_issued, user_errors })
}

pub(super) async fn rotate(request: &RequestContext, input: RotateApiKeyInput) -> Result<RotateApiKeyPayload, Failure> {
    let writes = request.writes()?;
    let client_mutation_id = given_back(input.client_mutation_id)?;
    let id: CredentialId = input::id("id", input.id)?;
    let grace = TimeDelta::minutes(input.grace_minutes.unwrap_or(GRACE_MINUTES).into());
    let name = input.idempotency_key.as_deref();
    let done = told(rotate_key(&writes.store, &manager(request, writes), &id, grace, name).await)?;
    let (api_key, secret, user_errors) = shown(done);
    let already_issued = api_key.is_some() && secret.is_none();
    Ok(RotateApiKeyPayload { client_mutation_id, api_key, secret, already_issued, user_errors })
}

fn shown(done: Result<KeyIssued, UserError>) -> (Option<ApiKey>, Option<String>, Vec<UserError>) {
    match done {
        Ok(KeyIssued { row, text }) => {
            (Some(ApiKey(Arc::new(row))), text.map(|text| text.expose_secret().to_owned()), Vec::new())
        }
        Err(error) => (None, None, vec![error]),
    }
}

pub(super) async fn revoke(request: &RequestContext, input: RevokeApiKeyInput) -> Result<RevokeApiKeyPayload, Failure> {
    let writes = request.writes()?;
    let client_mutation_id = given_back(input.client_mutation_id)?;
    let id: CredentialId = input::id("id", input.id)?;
    let (api_key, user_errors) = match told(revoke_key(&writes.store, &manager(request, writes), &id).await)? {
        Ok(row) => (Some(ApiKey(Arc::new(row))), Vec::new()),
        Err(error) => (None, vec![error]),
    };
    Ok(RevokeApiKeyPayload { client_mutation_id, api_key, user_errors })
}

pub(super) async fn open(request: &RequestContext, input: IssueSessionInput) -> Result<IssueSessionPayload, Failure> {
    let writes = request.writes()?;
    let client_mutation_id = given_back(input.client_mutation_id)?;
    let customer: CustomerId = input::id("customerId", input.customer_id)?;
    let subject = input::plain("subject", input.subject)?;
    let done = match scopes(&input.scopes)? {
        Err(error) => Err(error),
        Ok(scopes) => {
            let wanted = SessionWanted { customer, scopes, subject, policy: writes.sessions };
            told(open_session(&writes.store, &manager(request, writes), wanted).await)?
        }
    };
    Ok(match done {
        Ok(opened) => IssueSessionPayload {
            client_mutation_id,
            session_id: Some(ID(opened.row.id.0.clone())),
            set_cookie: Some(set_cookie(opened.sid.expose_secret(), writes.sessions.longest)),
            secret: Some(opened.sid.expose_secret().to_owned()),
            expires_at: Some(DateTime(opened.row.expires_at)),
            user_errors: Vec::new(),
        },
        Err(error) => IssueSessionPayload {
            client_mutation_id,
            session_id: None,
            set_cookie: None,
            secret: None,
            expires_at: None,
            user_errors: vec![error],
        },
    })
}

/// What gives a session to a browser: for this host alone, over TLS, unreadable for scripts.
fn set_cookie(sid: &str, lifetime: TimeDelta) -> String {
    format!("__Host-sid={sid}; Path=/; Max-Age={}; HttpOnly; Secure; SameSite=Lax", lifetime.num_seconds())
}

pub(super) async fn end(request: &RequestContext, input: RevokeSessionInput) -> Result<RevokeSessionPayload, Failure> {
    let writes = request.writes()?;
    let client_mutation_id = given_back(input.client_mutation_id)?;
    let id: SessionId = input::id("id", input.id)?;
    let (revoked_at, user_errors) = match told(end_session(&writes.store, &manager(request, writes), &id).await)? {
        Ok(row) => (row.revoked_at.map(DateTime), Vec::new()),
        Err(error) => (None, vec![error]),
    };
    Ok(RevokeSessionPayload { client_mutation_id, revoked_at, user_errors })
}

/// The scopes of these names. A name that is none of ours would open nothing, so it is a mistake.
fn scopes(names: &[String]) -> Result<Result<ScopeSet, UserError>, Failure> {
    if names.len() > Scope::ALL.len() {
        return Err(Failure::BadInput(format!("scopes must have at most {} entries.", Scope::ALL.len())));
    }
    let all: Option<ScopeSet> = names.iter().map(|name| Scope::named(name)).collect();
    Ok(all.ok_or_else(|| UserError::new(UserErrorCode::InvalidValue, "There is no scope of that name.", "scopes")))
}

/// What the caller can mend, or what failed.
pub(super) fn told<T>(done: Result<T, CredentialError>) -> Result<Result<T, UserError>, Failure> {
    use UserErrorCode::{
        IdempotencyKeyReused, InvalidStateTransition, InvalidValue, LimitExceeded, NotFound, ScopeNotGrantable,
    };
    let error = match done {
        Ok(done) => return Ok(Ok(done)),
        Err(CredentialError::Store(error)) => return Err(Failure::Store(error)),
        Err(CredentialError::Random(_)) => return Err(Failure::Defect("there is no randomness")),
        Err(CredentialError::TenantUnknown) => return Err(Failure::Defect("the caller's tenant is not stored")),
        Err(error) => error,
    };
    let (code, field) = match &error {
        CredentialError::Unknown => (NotFound, "id"),
        CredentialError::CustomerUnknown(_) => (NotFound, "customerIds"),
        CredentialError::Name => (InvalidValue, "name"),
        CredentialError::Lifetime => (InvalidValue, "expiresAt"),
        CredentialError::Customers => (InvalidValue, "customerIds"),
        CredentialError::NotGrantable(NotGrantable::Scope(_)) => (ScopeNotGrantable, "scopes"),
        CredentialError::NotGrantable(NotGrantable::Kind) => (ScopeNotGrantable, "kind"),
        CredentialError::NotGrantable(NotGrantable::Customers) => (ScopeNotGrantable, "customerIds"),
        CredentialError::Stronger(_) => (ScopeNotGrantable, "id"),
        CredentialError::TooMany => (LimitExceeded, "name"),
        CredentialError::UnknownToken => (NotFound, "jti"),
        CredentialError::Jti => (InvalidValue, "jti"),
        CredentialError::TooManyTokens => (LimitExceeded, "jti"),
        CredentialError::RequestName => (InvalidValue, "idempotencyKey"),
        CredentialError::Reused => (IdempotencyKeyReused, "idempotencyKey"),
        _ => (InvalidStateTransition, "id"),
    };
    // Ids that a client names are not repeated.
    let message = match &error {
        CredentialError::CustomerUnknown(_) => "There is no such customer.".to_owned(),
        CredentialError::NotGrantable(NotGrantable::Scope(scope)) => {
            format!("The scope {} is not the caller's own.", scope.name())
        }
        other => sentence(&other.to_string()),
    };
    Ok(Err(UserError::new(code, &message, field)))
}

/// Words of an error as a sentence.
fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).chain(['.']).collect()
}
