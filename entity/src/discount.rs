//! Table `invoice_discounts`: reductions of the whole invoice, or of one line where `line_item_id` is set.

use sea_orm::entity::prelude::*;

use crate::{DiscountId, DiscountKind, InvoiceId, LineItemId, Minor, TenantId};

#[derive(Clone, Debug, Default, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "invoice_discounts")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: DiscountId,
    pub invoice_id: InvoiceId,
    pub line_item_id: Option<LineItemId>,
    pub position: i32,
    pub kind: DiscountKind,
    pub coupon_external_id: Option<String>,
    pub name: String,
    pub amount: Minor,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
