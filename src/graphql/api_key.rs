//! API keys, as far as they can be shown: never the secret.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use entity::{Instant, credential};

use super::connection::{ListOrder, PageInfo, ValueKind, page_info};
use super::context::{Nullable, nullable, request};
use super::error::Failure;
use super::kinds::{ApiKeyKind, CredentialState};
use super::scalars::DateTime;
use crate::actions::issue_key;
use crate::domain::api_key::prefix;
use crate::domain::credential_state;
use crate::domain::viewer::{Scope, ScopeSet};
use crate::store;
use crate::store::Page;
use crate::store::credential::Filter;

/// Keys are listed by when they were issued.
pub(super) const ORDER: ListOrder = ListOrder { name: "ISSUED_AT", value: ValueKind::Instant };

/// Which API keys to list.
#[derive(Clone, Copy, Debug, Default, InputObject)]
pub(super) struct ApiKeyFilter {
    /// Those that are good for something now. False gives those that have ended or were revoked.
    active: Option<bool>,
}

impl ApiKeyFilter {
    pub(super) fn at(self, now: Instant) -> Filter {
        Filter { active: self.active.map(|active| (active, now)) }
    }
}

/// An API key.
pub(super) struct ApiKey(pub(super) Arc<credential::Model>);

/// A credential that the gateway issued to a program. The key itself was shown when it was issued, and cannot be read.
#[Object]
impl ApiKey {
    /// The id: `key_` and a ULID.
    pub(super) async fn id(&self) -> ID {
        ID(self.0.id.0.clone())
    }

    /// What people call it.
    fn name(&self) -> &String {
        &self.0.name
    }

    /// The sort of principal behind it.
    fn kind(&self) -> ApiKeyKind {
        self.0.kind.into()
    }

    /// What the key begins with; the secret comes behind it.
    fn prefix(&self) -> String {
        prefix(self.0.livemode, &self.0.handle)
    }

    /// The last four characters of the key.
    fn last4(&self) -> &String {
        &self.0.last4
    }

    /// What it opens, in the order of the documentation.
    fn scopes(&self) -> Vec<&'static str> {
        ScopeSet::parse(&self.0.scopes).iter().map(Scope::name).collect()
    }

    /// The customers it is limited to. Null means all.
    fn customer_ids(&self) -> Option<Vec<ID>> {
        Some(issue_key::customers(&self.0)?.into_iter().map(|id| ID(id.0)).collect())
    }

    /// Who issued it, as their credential names them.
    fn created_by(&self) -> &String {
        &self.0.created_by
    }

    /// The id of the key that it was issued in the place of.
    fn replaces_id(&self) -> Option<ID> {
        self.0.replaces.as_ref().map(|id| ID(id.0.clone()))
    }

    /// When it was issued.
    fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// When it ends.
    fn expires_at(&self) -> DateTime {
        DateTime(self.0.expires_at)
    }

    /// How it stands with it now.
    fn state(&self, ctx: &Context<'_>) -> Result<CredentialState> {
        Ok(credential_state::CredentialState::of_key(&self.0, request(ctx)?.credentials_now()?).into())
    }

    /// When it was revoked. Null while it was not.
    fn revoked_at(&self) -> Option<DateTime> {
        self.0.revoked_at.map(DateTime)
    }

    /// When it was last used, to a minute. Null when it never was.
    fn last_used_at(&self) -> Option<DateTime> {
        self.0.last_used_at.map(DateTime)
    }
}

/// One page of the list of keys.
pub(super) struct ApiKeyConnection {
    filter: Filter,
    page: Page,
    rows: Vec<Arc<credential::Model>>,
    more: bool,
}

impl ApiKeyConnection {
    /// A page of the keys that the caller may see.
    pub(super) async fn load(ctx: &Context<'_>, filter: Filter, page: Page) -> Result<Self, Failure> {
        let (tenant, reader) = request(ctx)?.loaders.reader();
        let (rows, more) = store::credential::list(tenant, reader, &filter, &page).await?;
        request(ctx)?.charge(rows.len())?;
        Ok(Self { filter, page, rows: rows.into_iter().map(Arc::new).collect(), more })
    }
}

/// A page of API keys, newest first.
#[Object]
impl ApiKeyConnection {
    /// The keys with their cursors.
    fn edges(&self) -> Vec<ApiKeyEdge> {
        let edge = |row: &Arc<_>| ApiKeyEdge { cursor: cursor(row), node: ApiKey(Arc::clone(row)) };
        self.rows.iter().map(edge).collect()
    }

    /// The keys.
    fn nodes(&self) -> Vec<ApiKey> {
        self.rows.iter().cloned().map(ApiKey).collect()
    }

    /// Where the page stands in the list.
    fn page_info(&self) -> PageInfo {
        let ends = self.rows.first().zip(self.rows.last());
        page_info(&self.page, self.more, ends.map(|(first, last)| (cursor(first), cursor(last))))
    }

    /// How many keys there are on all pages. Counted only when asked for.
    async fn total_count(&self, ctx: &Context<'_>) -> Nullable<i32> {
        nullable(async {
            let (tenant, reader) = request(ctx)?.loaders.reader();
            let count = store::credential::count(tenant, reader, &self.filter).await?;
            Ok(Some(i32::try_from(count).unwrap_or(i32::MAX)))
        })
        .await
    }
}

fn cursor(row: &credential::Model) -> String {
    ORDER.cursor(&store::credential::place(row))
}

/// A key in a page.
#[derive(SimpleObject)]
pub(super) struct ApiKeyEdge {
    /// Where it stands: give it as `after` or `before` to go on from here.
    cursor: String,
    /// The key.
    node: ApiKey,
}
