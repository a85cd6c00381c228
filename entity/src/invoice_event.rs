//! Table `invoice_events`: the history of an invoice; append-only.

use sea_orm::entity::prelude::*;

use crate::{EventSource, Instant, InvoiceEventId, InvoiceId, InvoiceStatus, Json, TenantId};

#[derive(Clone, Debug, Default, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "invoice_events")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: InvoiceEventId,
    pub invoice_id: InvoiceId,
    #[sea_orm(column_name = "type")]
    pub kind: String,
    pub from_status: Option<InvoiceStatus>,
    pub to_status: Option<InvoiceStatus>,
    pub source: EventSource,
    pub actor_kind: String,
    pub actor_id: Option<String>,
    pub webhook_event_id: Option<String>,
    #[sea_orm(column_type = "JsonBinary")]
    pub data: Json,
    pub occurred_at: Instant,
    pub recorded_at: Instant,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
