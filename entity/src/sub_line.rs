//! Table `invoice_sub_lines`: the parts of a line, such as rate bands. Keyed by invoice too, so that one statement
//! reads those of a whole page.

use sea_orm::entity::prelude::*;

use crate::{DecimalText, InvoiceId, Json, LineItemId, Minor, SubLineId, TenantId};

#[derive(Clone, Debug, Default, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "invoice_sub_lines")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SubLineId,
    pub line_item_id: LineItemId,
    pub invoice_id: InvoiceId,
    pub position: i32,
    pub external_id: Option<String>,
    pub name: String,
    pub quantity: DecimalText,
    pub unit_price: DecimalText,
    pub amount: Minor,
    #[sea_orm(column_type = "JsonBinary")]
    pub attributes: Json,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
