//! Foreign documents as they were imported. Source of truth: table `source_documents`.

use std::collections::HashMap;

use entity::{InvoiceId, SourceDocumentId, SourceSystem, source_document, source_document::Column};
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
};

use super::StoreError;
use super::engine::any_of;
use super::scope::{owned, shown, texts};
use crate::domain::viewer::Tenant;

/// The entity type of documents that became an invoice.
pub const INVOICE: &str = "invoice";

/// Documents by id; those that are unknown, or not the caller's, are left out.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn by_ids(
    tenant: &Tenant,
    db: &impl ConnectionTrait,
    ids: &[SourceDocumentId],
) -> Result<HashMap<SourceDocumentId, source_document::Model>, StoreError> {
    let backend = db.get_database_backend();
    let these =
        Condition::all().add(Column::TenantId.eq(tenant.id().clone())).add(any_of(backend, Column::Id, texts(ids))?);
    let rows = source_document::Entity::find().filter(shown(backend, tenant, these, Column::EntityId)?).all(db).await?;
    Ok(rows.into_iter().map(|row| (row.id.clone(), row)).collect())
}

/// The document that each invoice was last imported from.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn of_invoices(
    tenant: &Tenant,
    db: &impl ConnectionTrait,
    invoices: &[InvoiceId],
) -> Result<HashMap<InvoiceId, source_document::Model>, StoreError> {
    let backend = db.get_database_backend();
    let these = Condition::all()
        .add(Column::TenantId.eq(tenant.id().clone()))
        .add(Column::EntityType.eq(INVOICE))
        .add(any_of(backend, Column::EntityId, texts(invoices))?);
    let rows = source_document::Entity::find()
        .filter(owned(backend, tenant, these, Column::EntityId)?)
        .order_by_asc(Column::ImportedAt)
        .order_by_asc(Column::Id)
        .all(db)
        .await?;
    // Later rows replace earlier ones.
    Ok(rows.into_iter().map(|row| (InvoiceId(row.entity_id.clone()), row)).collect())
}

/// Whether this very document was imported before.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn known(
    tenant: &Tenant,
    db: &impl ConnectionTrait,
    system: SourceSystem,
    external_id: &str,
    sha256: &str,
) -> Result<Option<source_document::Model>, StoreError> {
    let row = source_document::Entity::find()
        .filter(Column::TenantId.eq(tenant.id().clone()))
        .filter(Column::System.eq(system))
        .filter(Column::EntityType.eq(INVOICE))
        .filter(Column::ExternalId.eq(external_id))
        .filter(Column::Sha256.eq(sha256))
        .one(db)
        .await?;
    Ok(row)
}

/// Keeps a document. One that is kept already (the same bytes) moves to the moment of this import.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn keep(db: &impl ConnectionTrait, document: source_document::Model) -> Result<(), StoreError> {
    let again = OnConflict::columns([Column::TenantId, Column::Id]).update_column(Column::ImportedAt).to_owned();
    source_document::Entity::insert(document.into_active_model().reset_all())
        .on_conflict(again)
        .exec_without_returning(db)
        .await?;
    Ok(())
}
