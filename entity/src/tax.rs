//! Table `invoice_taxes`: one row per rate and level.

use sea_orm::entity::prelude::*;

use crate::{DecimalText, InvoiceId, Minor, TaxExemption, TaxId, TenantId};

#[derive(Clone, Debug, Default, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "invoice_taxes")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: TaxId,
    pub invoice_id: InvoiceId,
    pub position: i32,
    pub level: i32,
    /// The key under which the document listed the row, where it used a map.
    pub source_key: Option<String>,
    pub name: String,
    /// Percent.
    pub rate: DecimalText,
    pub taxable_amount: Minor,
    pub tax_amount: Minor,
    pub gross_amount: Option<Minor>,
    pub exemption: Option<TaxExemption>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
