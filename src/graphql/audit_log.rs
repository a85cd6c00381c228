//! The audit log.

use async_graphql::{Context, InputObject, Object, SimpleObject};
use entity::audit_entry;

use super::connection::{ListOrder, PageInfo, ValueKind, page_info};
use super::context::request;
use super::error::Failure;
use super::input;
use super::scalars::{DateTime, Json, SafeInt};
use crate::store;
use crate::store::Page;
use crate::store::audit_log::Filter;

/// Entries are listed by their numbers.
pub(super) const ORDER: ListOrder = ListOrder { name: "SEQUENCE", value: ValueKind::Integer };

/// Which entries to list. Given fields must all hold.
#[derive(Clone, Debug, Default, InputObject)]
pub(super) struct AuditLogFilter {
    /// Of exactly this action, such as `api_key.issue`.
    action: Option<String>,
    /// About the object with this id.
    object_id: Option<String>,
    /// By the principal of exactly this name.
    actor: Option<String>,
    /// Written at this moment or later.
    since: Option<DateTime>,
    /// Written before this moment.
    until: Option<DateTime>,
}

impl AuditLogFilter {
    pub(super) fn checked(self) -> Result<Filter, Failure> {
        Ok(Filter {
            action: input::text("action", self.action)?,
            object_id: input::text("objectId", self.object_id)?,
            actor_id: input::text("actor", self.actor)?,
            since: self.since.map(|at| at.0),
            until: self.until.map(|at| at.0),
        })
    }
}

/// An entry of the audit log.
#[derive(Clone)]
pub(super) struct AuditEntry(audit_entry::Model);

/// Something that someone changed. Entries are only ever added, and each holds the hash of the one before it.
#[Object]
impl AuditEntry {
    /// Its number in the tenant's log, from 1 on and without gaps.
    fn sequence(&self) -> SafeInt {
        SafeInt(self.0.sequence)
    }

    /// When it was done.
    fn at(&self) -> DateTime {
        DateTime(self.0.at)
    }

    /// The sort of principal that did it: `merchant`, `partner`, …, or `operator` for whoever runs the gateway.
    fn actor_kind(&self) -> &String {
        &self.0.actor_kind
    }

    /// Who did it, as their credential names them.
    fn actor(&self) -> &String {
        &self.0.actor_id
    }

    /// The id of the key or session it was done with, or the token's own id. Null at the command line.
    fn credential_id(&self) -> Option<&String> {
        self.0.credential_id.as_ref()
    }

    /// The id of the application's key, where a user came through an application: both credentials did it.
    fn application_id(&self) -> Option<&String> {
        self.0.application_id.as_ref()
    }

    /// What was done: a noun and a verb, such as `api_key.issue`.
    fn action(&self) -> &String {
        &self.0.action
    }

    /// The sort of thing it was done to.
    fn object_type(&self) -> &String {
        &self.0.object_type
    }

    /// The thing it was done to.
    fn object_id(&self) -> &String {
        &self.0.object_id
    }

    /// What of it was before. Null when there was nothing.
    fn before(&self) -> Option<Json> {
        json(self.0.state_before.as_ref())
    }

    /// What of it was afterwards. Null when there is nothing.
    fn after(&self) -> Option<Json> {
        json(self.0.state_after.as_ref())
    }

    /// The request it was done in, by the id that the gateway gave it; an id of the client's own stands in the log beside
    /// it. Null at the command line.
    fn request_id(&self) -> Option<&String> {
        self.0.request_id.as_ref()
    }

    /// The address that the request came from, where it is known.
    fn address(&self) -> Option<&String> {
        self.0.address.as_ref()
    }

    /// The hash of the entry before it.
    fn previous_hash(&self) -> &String {
        &self.0.previous_hash
    }

    /// The hash of this entry, the one before it included.
    fn hash(&self) -> &String {
        &self.0.hash
    }
}

fn json(text: Option<&String>) -> Option<Json> {
    Some(Json(serde_json::from_str(text?).ok()?))
}

/// One page of the audit log.
pub(super) struct AuditLogConnection {
    page: Page,
    rows: Vec<audit_entry::Model>,
    more: bool,
}

impl AuditLogConnection {
    /// A page of what the filter has.
    pub(super) async fn load(ctx: &Context<'_>, filter: &Filter, page: Page) -> Result<Self, Failure> {
        let (tenant, reader) = request(ctx)?.loaders.reader();
        let (rows, more) = store::audit_log::list(tenant, reader, filter, &page).await?;
        request(ctx)?.charge(rows.len())?;
        Ok(Self { page, rows, more })
    }
}

/// A page of the audit log, newest first.
#[Object]
impl AuditLogConnection {
    /// The entries with their cursors.
    fn edges(&self) -> Vec<AuditEntryEdge> {
        let edge = |row: &audit_entry::Model| AuditEntryEdge { cursor: cursor(row), node: AuditEntry(row.clone()) };
        self.rows.iter().map(edge).collect()
    }

    /// The entries.
    fn nodes(&self) -> Vec<AuditEntry> {
        self.rows.iter().cloned().map(AuditEntry).collect()
    }

    /// Where the page stands in the list.
    fn page_info(&self) -> PageInfo {
        let ends = self.rows.first().zip(self.rows.last());
        page_info(&self.page, self.more, ends.map(|(first, last)| (cursor(first), cursor(last))))
    }
}

fn cursor(row: &audit_entry::Model) -> String {
    ORDER.cursor(&store::audit_log::place(row))
}

/// An entry in a page.
#[derive(SimpleObject)]
pub(super) struct AuditEntryEdge {
    /// Where it stands: give it as `after` or `before` to go on from here.
    cursor: String,
    /// The entry.
    node: AuditEntry,
}
