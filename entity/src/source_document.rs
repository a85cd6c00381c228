//! Table `source_documents`: foreign documents byte for byte as they came, minus redactions, hashed before redaction.

use sea_orm::entity::prelude::*;

use crate::{Instant, Json, SourceDocumentId, SourceSystem, TenantId};

#[derive(Clone, Debug, Default, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "source_documents")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SourceDocumentId,
    pub system: SourceSystem,
    pub entity_type: String,
    /// The id of what the document became, an invoice for the type `invoice`.
    pub entity_id: String,
    pub external_id: Option<String>,
    /// SHA-256 of the bytes before redaction, lower-case hexadecimal.
    pub sha256: String,
    #[sea_orm(column_type = "Text")]
    pub document: String,
    #[sea_orm(column_type = "JsonBinary")]
    pub redacted_paths: Json,
    #[sea_orm(column_type = "JsonBinary")]
    pub issues: Json,
    pub imported_at: Instant,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
