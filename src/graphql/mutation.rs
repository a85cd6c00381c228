//! What can be changed, or asked of Stripe anew.
//!
//! What a caller did wrong stands in `userErrors` of the payload; a missing scope is an error of the field.

use std::sync::Arc;
use std::time::Duration;

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use entity::{EventSource, InvoiceId, InvoiceStatus, invoice};

use super::context::{Nullable, RequestContext, allowed, guarded, nullable, request};
use super::credentials::{
    self, IssueApiKeyInput, IssueApiKeyPayload, IssueSessionInput, IssueSessionPayload, RevokeApiKeyInput,
    RevokeApiKeyPayload, RevokeSessionInput, RevokeSessionPayload, RotateApiKeyInput, RotateApiKeyPayload,
};
use super::error::Failure;
use super::input;
use super::invoice::Invoice;
use super::revoke_token::{self, RevokeOwnTokenInput, RevokeTokenInput, RevokeTokenPayload};
use super::scalars::{DateTime, Link, SafeInt};
use crate::actions::mirror_invoice::{By, Mirrored};
use crate::actions::note_pay_link::note_pay_link;
use crate::actions::sync_invoice::{Sync, Synced, sync_invoice};
use crate::domain::drift::estimated_expiry;
use crate::domain::invoice::amount_remaining;
use crate::links::{Ask, LinkError, Seen, guaranteed_until};
use crate::stripe::Deadline;

/// How long Stripe may take for an invoice that someone waits for.
const SYNC_TIME: Duration = Duration::from_secs(3);

/// The longest text that a client may give a mutation to recognize it by, in bytes.
const CLIENT_MUTATION_ID_MAX: usize = 255;

/// The root of all changes.
#[derive(Clone, Copy, Debug)]
pub struct Mutation;

/// Changes. What you may not see does not exist here either.
#[Object]
impl Mutation {
    /// Asks Stripe for a pay link, now and in any case: what to do right before a customer is sent to pay. Changes
    /// nothing at Stripe. Needs the scopes `invoices:read` and `invoices.links:read`.
    async fn refresh_pay_url(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Of which invoice.")] input: RefreshPayUrlInput,
    ) -> Nullable<RefreshPayUrlPayload> {
        guarded(ctx, ("Mutation", "refreshPayUrl"), async {
            allowed(ctx, ("Query", "invoice"))?;
            let RefreshPayUrlInput { invoice_id, client_mutation_id } = input;
            let id = input::id("invoiceId", invoice_id)?;
            let client_mutation_id = given_back(client_mutation_id)?;
            let request = request(ctx)?;
            let found = request.loaders.invoice(id).await?;
            let refreshed = match &found {
                None => Err(UserError::no_invoice()),
                Some(invoice) => match refusal(invoice) {
                    Some(refusal) => Err(refusal),
                    None => refreshed(request.link(invoice, Ask::Pay).await?),
                },
            };
            let (url, user_errors) = match refreshed {
                Ok(url) => (Some(Link(url)), Vec::new()),
                Err(error) => (None, vec![error]),
            };
            if let (Some(Link(url)), Some(invoice)) = (&url, &found) {
                let writes = request.writes()?;
                let tenant = request.viewer.tenant();
                let link = (&invoice.id, url.as_str());
                Box::pin(note_pay_link(&writes.store, tenant, &writes.actor, link, writes.credentials_now)).await?;
            }
            let expires_at = found.as_ref().filter(|_invoice| url.is_some()).map(|invoice| {
                let guaranteed = guaranteed_until(request.now);
                DateTime(estimated_expiry(invoice).map_or(guaranteed, |end| end.max(guaranteed)))
            });
            Ok(Some(RefreshPayUrlPayload {
                client_mutation_id,
                url,
                expires_at,
                invoice: Invoice::some(found),
                user_errors,
            }))
        })
        .await
    }

    /// Asks Stripe about an invoice now and takes over what it says: state, payments and links. What to do when a
    /// customer says that it has paid, and no webhook came. Needs the scopes `invoices:read` and `invoices:write`.
    async fn sync_invoice(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which invoice.")] input: SyncInvoiceInput,
    ) -> Nullable<SyncInvoicePayload> {
        guarded(ctx, ("Mutation", "syncInvoice"), async {
            allowed(ctx, ("Query", "invoice"))?;
            let SyncInvoiceInput { invoice_id, client_mutation_id } = input;
            let id: InvoiceId = input::id("invoiceId", invoice_id)?;
            let client_mutation_id = given_back(client_mutation_id)?;
            let request = request(ctx)?;
            let synced = synced(request, &id).await?;
            // Read now, so that it shows what was taken over.
            let invoice = request.loaders.invoice(id).await?;
            let (changed, user_errors) = match (synced, &invoice) {
                (_, None) => (false, vec![UserError::no_invoice()]),
                (Ok(changed), Some(_)) => (changed, Vec::new()),
                (Err(error), Some(_)) => (false, vec![error]),
            };
            Ok(Some(SyncInvoicePayload { client_mutation_id, changed, invoice: Invoice::some(invoice), user_errors }))
        })
        .await
    }

    /// Issues an API key. Nobody can issue one that may do more than the own credential. Needs the scope
    /// `tokens:manage`.
    async fn issue_api_key(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which key.")] input: IssueApiKeyInput,
    ) -> Nullable<IssueApiKeyPayload> {
        guarded(ctx, ("Mutation", "issueApiKey"), async {
            Ok(Some(Box::pin(credentials::issue(request(ctx)?, input)).await?))
        })
        .await
    }

    /// Issues an API key in the place of another, with the same rights and for as long. The old one lives on for a
    /// while. Nobody can do so with a key that may do more than the own credential. Needs the scope `tokens:manage`.
    async fn rotate_api_key(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which key.")] input: RotateApiKeyInput,
    ) -> Nullable<RotateApiKeyPayload> {
        guarded(ctx, ("Mutation", "rotateApiKey"), async {
            Ok(Some(Box::pin(credentials::rotate(request(ctx)?, input)).await?))
        })
        .await
    }

    /// Revokes an API key. It is refused everywhere within five seconds. Revoking twice is revoking once. Needs the
    /// scope `tokens:manage`.
    async fn revoke_api_key(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which key.")] input: RevokeApiKeyInput,
    ) -> Nullable<RevokeApiKeyPayload> {
        guarded(ctx, ("Mutation", "revokeApiKey"), async {
            Ok(Some(Box::pin(credentials::revoke(request(ctx)?, input)).await?))
        })
        .await
    }

    /// Opens a session for a customer whom the company's own login has let in. For credentials of the kinds MERCHANT and
    /// SERVICE. Needs the scope `tokens:manage`.
    async fn issue_session(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whose session.")] input: IssueSessionInput,
    ) -> Nullable<IssueSessionPayload> {
        guarded(ctx, ("Mutation", "issueSession"), async {
            Ok(Some(Box::pin(credentials::open(request(ctx)?, input)).await?))
        })
        .await
    }

    /// Ends a session. Its cookie is refused everywhere within five seconds. Needs the scope `tokens:manage`.
    async fn revoke_session(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which session.")] input: RevokeSessionInput,
    ) -> Nullable<RevokeSessionPayload> {
        guarded(ctx, ("Mutation", "revokeSession"), async {
            Ok(Some(Box::pin(credentials::end(request(ctx)?, input)).await?))
        })
        .await
    }

    /// Refuses a token before it expires, by its own id, everywhere within five seconds. Revoking twice is revoking once. A
    /// token of the same id of another tenant is not touched. Who is limited to some customers may revoke the own token
    /// alone. Needs the scope `tokens:manage`.
    async fn revoke_token(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which token.")] input: RevokeTokenInput,
    ) -> Nullable<RevokeTokenPayload> {
        guarded(ctx, ("Mutation", "revokeToken"), async {
            Ok(Some(Box::pin(revoke_token::revoke(request(ctx)?, input)).await?))
        })
        .await
    }

    /// Refuses the token of this request from now on, everywhere within five seconds: what to do where somebody logs out.
    /// Needs no scope.
    async fn revoke_own_token(
        &self,
        ctx: &Context<'_>,
        #[graphql(default_with = "RevokeOwnTokenInput::default()", desc = "What to call it.")]
        input: RevokeOwnTokenInput,
    ) -> Nullable<RevokeTokenPayload> {
        nullable(async { Ok(Some(Box::pin(revoke_token::revoke_own(request(ctx)?, input)).await?)) }).await
    }
}

/// What a client recognizes a mutation by, if it is not too long.
pub(super) fn given_back(id: Option<String>) -> Result<Option<String>, Failure> {
    if id.as_ref().is_some_and(|id| id.len() > CLIENT_MUTATION_ID_MAX) {
        let problem = format!("clientMutationId must have at most {CLIENT_MUTATION_ID_MAX} bytes.");
        return Err(Failure::BadInput(problem));
    }
    Ok(id)
}

/// Whether anything changed by asking Stripe, or why nothing could.
async fn synced(request: &RequestContext, id: &InvoiceId) -> Result<Result<bool, UserError>, Failure> {
    let failed = |code, message: &str| Ok(Err(UserError::new(code, message, "invoiceId")));
    let Some(accounts) = request.links.accounts() else {
        return failed(UserErrorCode::UpstreamUnavailable, &LinkError::NotConfigured.to_string());
    };
    let writes = request.writes()?;
    let sync = Sync {
        store: &writes.store,
        accounts: &accounts,
        deadline: Deadline::after(SYNC_TIME),
        now: request.now,
        source: EventSource::Api,
        by: Some(By { actor: &writes.actor, at: writes.credentials_now }),
    };
    // Boxed: an invoice with all its rows is large, and every resolver would carry its room along.
    match Box::pin(sync_invoice(&sync, request.viewer.tenant(), id)).await? {
        Synced::Mirrored(Mirrored::Changed(_)) => Ok(Ok(true)),
        Synced::Mirrored(Mirrored::Unchanged(_) | Mirrored::Unknown) => Ok(Ok(false)),
        Synced::Mirrored(Mirrored::Unfit(why)) => failed(UserErrorCode::UpstreamRejected, why),
        Synced::NotMirrored => failed(UserErrorCode::UpstreamRejected, "Stripe never had this invoice."),
        Synced::Failed(error @ LinkError::NotFound) => failed(UserErrorCode::UpstreamRejected, &error.to_string()),
        Synced::Failed(error) => failed(UserErrorCode::UpstreamUnavailable, &error.to_string()),
    }
}

/// Why an invoice has no pay link, whatever Stripe says.
fn refusal(invoice: &Arc<invoice::Model>) -> Option<UserError> {
    let (code, message) = match invoice.status {
        InvoiceStatus::Draft => (UserErrorCode::InvalidStateTransition, "A draft cannot be paid."),
        InvoiceStatus::Paid => (UserErrorCode::AlreadyPaid, "The invoice is paid."),
        InvoiceStatus::Void => (UserErrorCode::NothingDue, "The invoice is void."),
        _ if amount_remaining(invoice).0 <= 0 => (UserErrorCode::NothingDue, "Nothing remains to be paid."),
        _ => return None,
    };
    Some(UserError::new(code, message, "invoiceId"))
}

fn refreshed(seen: Seen) -> Result<String, UserError> {
    let at_invoice = |code, message: &str| Err(UserError::new(code, message, "invoiceId"));
    match seen {
        Seen::Link(url) => Ok(url),
        Seen::Failed(error @ LinkError::NotFound) => at_invoice(UserErrorCode::UpstreamRejected, &error.to_string()),
        Seen::Failed(error) => {
            let often = matches!(error, LinkError::TooOften(_));
            let code = if often { UserErrorCode::RateLimited } else { UserErrorCode::UpstreamUnavailable };
            let after = error.retry_after().and_then(|after| i64::try_from(after.as_millis()).ok());
            let error = UserError::new(code, &error.to_string(), "invoiceId");
            Err(UserError { retry_after_ms: after.map(SafeInt), ..error })
        }
        Seen::Nothing | Seen::State(_) => at_invoice(
            UserErrorCode::UpstreamRejected,
            "At Stripe there is nothing to pay: it never had the invoice, or it is settled there.",
        ),
    }
}

/// Which pay link is asked for.
#[derive(InputObject)]
struct RefreshPayUrlInput {
    /// The invoice: `inv_…`.
    invoice_id: ID,
    /// Given back as it is, at most 255 bytes.
    client_mutation_id: Option<String>,
}

/// A pay link that was just read from Stripe, or why there is none.
#[derive(SimpleObject)]
pub(super) struct RefreshPayUrlPayload {
    /// What the client gave.
    client_mutation_id: Option<String>,
    /// Where to pay now.
    url: Option<Link>,
    /// When the link probably ends.
    expires_at: Option<DateTime>,
    /// The invoice.
    invoice: Option<Invoice>,
    /// What stood in the way. Empty when there is a link.
    user_errors: Vec<UserError>,
}

/// Which invoice is asked for at Stripe.
#[derive(InputObject)]
struct SyncInvoiceInput {
    /// The invoice: `inv_…`.
    invoice_id: ID,
    /// Given back as it is, at most 255 bytes.
    client_mutation_id: Option<String>,
}

/// An invoice that Stripe was just asked about.
#[derive(SimpleObject)]
pub(super) struct SyncInvoicePayload {
    /// What the client gave.
    client_mutation_id: Option<String>,
    /// Whether anything changed.
    changed: bool,
    /// The invoice, as it is now.
    invoice: Option<Invoice>,
    /// What stood in the way. Empty when Stripe answered.
    user_errors: Vec<UserError>,
}

/// Something that the caller can mend, or wait for.
#[derive(SimpleObject)]
pub(super) struct UserError {
    /// What sort of thing: stable, for programs.
    code: UserErrorCode,
    /// The same in words.
    message: String,
    /// The field of the input it is about.
    field: Option<Vec<String>>,
    /// When to try again at the earliest, in milliseconds. Null when that is not known, or of no use.
    retry_after_ms: Option<SafeInt>,
}

impl UserError {
    fn no_invoice() -> Self {
        Self::new(UserErrorCode::NotFound, "There is no such invoice.", "invoiceId")
    }

    /// One that is about no field in particular.
    pub(super) fn of_all(code: UserErrorCode, message: &str) -> Self {
        Self { code, message: message.to_owned(), field: None, retry_after_ms: None }
    }

    pub(super) fn new(code: UserErrorCode, message: &str, field: &str) -> Self {
        let field = Some(vec!["input".to_owned(), field.to_owned()]);
        Self { field, ..Self::of_all(code, message) }
    }
}

/// What stands in the way of a change.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub(super) enum UserErrorCode {
    /// There is no such object, or it is not yours.
    NotFound,
    /// A value cannot be used.
    InvalidValue,
    /// It would be able to do more than the caller.
    ScopeNotGrantable,
    /// There are as many as there may be.
    LimitExceeded,
    /// Another request has this `idempotencyKey`.
    IdempotencyKeyReused,
    /// The object's state does not allow it.
    InvalidStateTransition,
    /// It is paid already.
    AlreadyPaid,
    /// Nothing remains to be paid.
    NothingDue,
    /// Stripe knows nothing of it, or says otherwise.
    UpstreamRejected,
    /// Stripe did not answer; try again.
    UpstreamUnavailable,
    /// You asked too often; `retryAfterMs` says when to try again.
    RateLimited,
}
