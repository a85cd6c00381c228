//! Sessions of customers' browsers, as far as they can be shown: never what the cookie holds.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use entity::{Instant, browser_session};

use super::connection::{ListOrder, PageInfo, ValueKind, page_info};
use super::context::{Nullable, guarded, nullable, request};
use super::customer::Customer;
use super::error::Failure;
use super::input;
use super::kinds::CredentialState;
use super::scalars::DateTime;
use crate::domain::credential_state;
use crate::domain::viewer::{Scope, ScopeSet};
use crate::store;
use crate::store::Page;
use crate::store::browser_session::Filter;

/// Sessions are listed by when they were opened.
pub(super) const ORDER: ListOrder = ListOrder { name: "OPENED_AT", value: ValueKind::Instant };

/// Which sessions to list. Given fields must all hold.
#[derive(Clone, Debug, Default, InputObject)]
pub(super) struct SessionFilter {
    /// Those that last now. False gives those that have ended.
    active: Option<bool>,
    /// Of this customer.
    customer_id: Option<ID>,
}

impl SessionFilter {
    pub(super) fn checked(self, now: Instant) -> Result<Filter, Failure> {
        Ok(Filter {
            active: self.active.map(|active| (active, now)),
            customer: self.customer_id.map(|id| input::id("customerId", id)).transpose()?,
        })
    }
}

/// A session.
pub(super) struct Session(pub(super) Arc<browser_session::Model>);

/// A customer's browser that is logged in, or was until a week ago. `revokeSession` ends it.
#[Object]
impl Session {
    /// The id: `ses_` and a ULID.
    pub(super) async fn id(&self) -> ID {
        ID(self.0.id.0.clone())
    }

    /// Who it is, as the company's login named them.
    fn subject(&self) -> &String {
        &self.0.subject
    }

    /// Whose bills it opens.
    fn customer_id(&self) -> ID {
        ID(self.0.customer_id.0.clone())
    }

    /// The customer whose bills it opens. Needs the scope `customers:read`.
    async fn customer(&self, ctx: &Context<'_>) -> Nullable<Customer> {
        guarded(ctx, ("Session", "customer"), async {
            Ok(Customer::some(request(ctx)?.loaders.customer(self.0.customer_id.clone()).await?))
        })
        .await
    }

    /// What it opens, in the order of the documentation.
    fn scopes(&self) -> Vec<&'static str> {
        ScopeSet::parse(&self.0.scopes).iter().map(Scope::name).collect()
    }

    /// How it stands with it now.
    fn state(&self, ctx: &Context<'_>) -> Result<CredentialState> {
        Ok(credential_state::CredentialState::of_session(&self.0, request(ctx)?.credentials_now()?).into())
    }

    /// Who opened it, as their credential names them.
    fn created_by(&self) -> &String {
        &self.0.created_by
    }

    /// When it was opened.
    fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// When it was last used, to a minute. Null when it never was.
    fn last_used_at(&self) -> Option<DateTime> {
        self.0.last_used_at.map(DateTime)
    }

    /// When it ends if it is not used again. Moves ahead while it is used.
    fn idle_until(&self) -> DateTime {
        DateTime(self.0.idle_until)
    }

    /// When it ends in any case.
    fn expires_at(&self) -> DateTime {
        DateTime(self.0.expires_at)
    }

    /// When somebody ended it. Null while nobody did.
    fn revoked_at(&self) -> Option<DateTime> {
        self.0.revoked_at.map(DateTime)
    }
}

/// One page of the list of sessions.
pub(super) struct SessionConnection {
    filter: Filter,
    page: Page,
    rows: Vec<Arc<browser_session::Model>>,
    more: bool,
}

impl SessionConnection {
    /// A page of the sessions that the caller may see.
    pub(super) async fn load(ctx: &Context<'_>, filter: Filter, page: Page) -> Result<Self, Failure> {
        let (tenant, reader) = request(ctx)?.loaders.reader();
        let (rows, more) = store::browser_session::list(tenant, reader, &filter, &page).await?;
        request(ctx)?.charge(rows.len())?;
        Ok(Self { filter, page, rows: rows.into_iter().map(Arc::new).collect(), more })
    }
}

/// A page of sessions, newest first.
#[Object]
impl SessionConnection {
    /// The sessions with their cursors.
    fn edges(&self) -> Vec<SessionEdge> {
        let edge = |row: &Arc<_>| SessionEdge { cursor: cursor(row), node: Session(Arc::clone(row)) };
        self.rows.iter().map(edge).collect()
    }

    /// The sessions.
    fn nodes(&self) -> Vec<Session> {
        self.rows.iter().cloned().map(Session).collect()
    }

    /// Where the page stands in the list.
    fn page_info(&self) -> PageInfo {
        let ends = self.rows.first().zip(self.rows.last());
        page_info(&self.page, self.more, ends.map(|(first, last)| (cursor(first), cursor(last))))
    }

    /// How many sessions there are on all pages. Counted only when asked for.
    async fn total_count(&self, ctx: &Context<'_>) -> Nullable<i32> {
        nullable(async {
            let (tenant, reader) = request(ctx)?.loaders.reader();
            let count = store::browser_session::count(tenant, reader, &self.filter).await?;
            Ok(Some(i32::try_from(count).unwrap_or(i32::MAX)))
        })
        .await
    }
}

fn cursor(row: &browser_session::Model) -> String {
    ORDER.cursor(&store::browser_session::place(row))
}

/// A session in a page.
#[derive(SimpleObject)]
pub(super) struct SessionEdge {
    /// Where it stands: give it as `after` or `before` to go on from here.
    cursor: String,
    /// The session.
    node: Session,
}
