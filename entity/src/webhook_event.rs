//! Table `webhook_events`: the inbox. An event is stored before it is acknowledged, and worked on afterwards.

use sea_orm::entity::prelude::*;

use crate::{InboxSource, Instant, InvoiceId, TenantId, WebhookStatus};

#[derive(Clone, Debug, Default, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "webhook_events")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub endpoint: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub event_id: String,
    /// Absent until it is known, and for accounts that nobody has.
    pub tenant_id: Option<TenantId>,
    pub provider: String,
    #[sea_orm(column_name = "type", column_type = "Text")]
    pub kind: String,
    #[sea_orm(column_type = "Text", nullable)]
    pub api_version: Option<String>,
    pub livemode: bool,
    pub account_id: Option<String>,
    /// What it tells of at Stripe: the invoice where it names one.
    pub object_id: Option<String>,
    pub invoice_id: Option<InvoiceId>,
    pub event_created: Instant,
    /// The body as it came.
    #[sea_orm(column_type = "Text")]
    pub payload: String,
    pub status: WebhookStatus,
    /// How often it was taken up; also the fencing number of its lease.
    pub attempts: i32,
    /// Absent: it is not taken up again by itself.
    pub next_attempt_at: Option<Instant>,
    pub leased_by: Option<String>,
    pub leased_until: Option<Instant>,
    #[sea_orm(column_type = "Text", nullable)]
    pub error: Option<String>,
    pub received_at: Instant,
    pub processed_at: Option<Instant>,
    pub source: InboxSource,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
