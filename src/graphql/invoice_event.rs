//! Entries of an invoice's history.

use std::sync::Arc;

use async_graphql::{ID, Object};
use entity::invoice_event;

use super::kinds::{EventSource, InvoiceStatus};
use super::scalars::{DateTime, Json};

/// An entry of an invoice's history.
pub(super) struct InvoiceEvent(pub(super) Arc<invoice_event::Model>);

/// Something that happened to an invoice. Entries are only ever added.
#[Object]
impl InvoiceEvent {
    /// The id: `iev_` and a ULID.
    pub(super) async fn id(&self) -> ID {
        ID(self.0.id.0.clone())
    }

    /// What happened, such as `finalized` or `paid`.
    fn r#type(&self) -> &String {
        &self.0.kind
    }

    /// The state before. Null when the state did not change.
    fn from(&self) -> Option<InvoiceStatus> {
        self.0.from_status.map(Into::into)
    }

    /// The state after. Null when the state did not change.
    fn to(&self) -> Option<InvoiceStatus> {
        self.0.to_status.map(Into::into)
    }

    /// Who caused it.
    fn source(&self) -> EventSource {
        self.0.source.into()
    }

    /// The principal behind it, as its credential names it.
    fn actor(&self) -> Option<&String> {
        self.0.actor_id.as_ref()
    }

    /// Details. Null when there are none.
    fn data(&self) -> Option<Json> {
        let empty = self.0.data.as_object().is_none_or(serde_json::Map::is_empty);
        (!empty).then(|| Json(self.0.data.clone()))
    }

    /// When it happened.
    fn occurred_at(&self) -> DateTime {
        DateTime(self.0.occurred_at)
    }

    /// When it was recorded here.
    fn recorded_at(&self) -> DateTime {
        DateTime(self.0.recorded_at)
    }
}
