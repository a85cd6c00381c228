//! Table `upstream_facts`: everything heard of an invoice at Stripe, joined so that the order of hearing does not
//! matter. The mirror, the payments and the state of the invoice follow from it; made by `domain::upstream` only.

use sea_orm::entity::prelude::*;

use crate::{InvoiceId, Json, TenantId};

#[derive(Clone, Debug, Default, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "upstream_facts")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub invoice_id: InvoiceId,
    #[sea_orm(column_type = "JsonBinary")]
    pub facts: Json,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
