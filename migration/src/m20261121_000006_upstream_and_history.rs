//! What is known of the mirrors at Stripe, what happened to invoices, and the documents they were imported from.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer_null, integer, json_binary, text, text_null, timestamp_with_time_zone as instant,
    timestamp_with_time_zone_null as instant_null,
};

use crate::parts::{NewTable, Words, drop_tables};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let words = Words::of(manager);
        upstream_invoices(words).create(manager).await?;
        invoice_events(words).create(manager).await?;
        source_documents(words).create(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["source_documents", "invoice_events", "upstream_invoices"]).await
    }
}

fn upstream_invoices(words: Words) -> NewTable {
    NewTable::new("upstream_invoices")
        .columns([
            words.id("tenant_id"),
            words.id("invoice_id"),
            words.code("provider"),
            words.code_null("stripe_account_id"),
            words.code_null("stripe_invoice_id"),
            words.code_null("stripe_customer_id"),
            text_null("upstream_status"),
            text_null("hosted_invoice_url"),
            text_null("invoice_pdf_url"),
            instant_null("links_fetched_at"),
            text_null("receipt_url"),
            text_null("receipt_number"),
            instant_null("receipt_fetched_at"),
            big_integer_null("upstream_amount_due"),
            big_integer_null("upstream_amount_paid"),
            instant_null("last_event_created"),
            text_null("last_error_code"),
            instant_null("last_error_at"),
            integer("fetch_failures"),
            instant("updated_at"),
        ])
        .key(&["tenant_id", "invoice_id"])
        .references("invoice_id", "invoices")
        .not_negative(&["fetch_failures"])
        .unique(&["stripe_invoice_id"])
        .index_present(&["stripe_customer_id"])
        .index_over_tenants(&["links_fetched_at"])
}

fn invoice_events(words: Words) -> NewTable {
    let statuses = ["DRAFT", "OPEN", "PAID", "VOID", "UNCOLLECTIBLE"];
    NewTable::new("invoice_events")
        .columns([
            words.id("tenant_id"),
            words.id("id"),
            words.id("invoice_id"),
            words.code("type"),
            words.kind_null("from_status"),
            words.kind_null("to_status"),
            words.kind("source"),
            words.code("actor_kind"),
            words.code_null("actor_id"),
            words.code_null("webhook_event_id"),
            json_binary("data"),
            instant("occurred_at"),
            instant("recorded_at"),
        ])
        .key(&["tenant_id", "id"])
        .references("invoice_id", "invoices")
        .one_of("from_status", &statuses)
        .one_of("to_status", &statuses)
        .one_of("source", &["SYSTEM", "API", "WEBHOOK", "RECONCILER", "IMPORT"])
        .index(&["invoice_id", "id"])
}

fn source_documents(words: Words) -> NewTable {
    NewTable::new("source_documents")
        .columns([
            words.id("tenant_id"),
            words.id("id"),
            words.kind("system"),
            words.code("entity_type"),
            words.id("entity_id"),
            words.code_null("external_id"),
            words.digest("sha256"),
            text("document"),
            json_binary("redacted_paths"),
            json_binary("issues"),
            instant("imported_at"),
        ])
        .key(&["tenant_id", "id"])
        .of_tenant()
        .one_of("system", &["NATIVE", "STRIPE", "GPU_OUTLET", "PAYPERCUT", "METEROID", "USERHUB", "HOSTUP"])
        .check("sha256", "length(sha256) = 64")
        .unique(&["system", "entity_type", "external_id", "sha256"])
        // Rows without an external id never collide in the key above: their bytes alone tell them apart.
        .unique_where(&["system", "entity_type", "sha256"], "external_id IS NULL")
        .index(&["entity_type", "entity_id"])
}
