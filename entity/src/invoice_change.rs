//! Table `invoice_changes`: changes in the middle of a cycle that the invoice prorates.

use sea_orm::entity::prelude::*;

use crate::{Instant, InvoiceChangeId, InvoiceId, Json, Minor, TenantId};

#[derive(Clone, Debug, Default, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "invoice_changes")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: InvoiceChangeId,
    pub invoice_id: InvoiceId,
    pub position: i32,
    pub occurred_at: Instant,
    pub description: String,
    pub subtotal: Minor,
    pub discount: Minor,
    pub start_quantity: i32,
    pub end_quantity: i32,
    /// Foreign ids of the lines before the change: a list of strings.
    #[sea_orm(column_type = "JsonBinary")]
    pub start_item_ids: Json,
    /// Foreign ids of the lines after the change: a list of strings.
    #[sea_orm(column_type = "JsonBinary")]
    pub end_item_ids: Json,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
