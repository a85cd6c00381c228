//! The inbox of webhooks, and what was heard of each invoice at Stripe.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    boolean, integer, json_binary, text, text_null, timestamp_with_time_zone as instant,
    timestamp_with_time_zone_null as instant_null,
};

use crate::parts::{NewTable, Words, drop_tables};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let words = Words::of(manager);
        webhook_events(words).create(manager).await?;
        upstream_facts(words).create(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["upstream_facts", "webhook_events"]).await
    }
}

/// Whose an event is turns out only when it is worked on, so its key is the endpoint's and its tenant refers to none:
/// an event is taken whatever became of the tenant.
fn webhook_events(words: Words) -> NewTable {
    NewTable::new("webhook_events")
        .columns([
            words.code("endpoint"),
            words.foreign_id("event_id"),
            words.id_null("tenant_id"),
            words.code("provider"),
            text("type"),
            text_null("api_version"),
            boolean("livemode"),
            words.foreign_id_null("account_id"),
            words.foreign_id_null("object_id"),
            words.id_null("invoice_id"),
            instant("event_created"),
            text("payload"),
            words.kind("status"),
            integer("attempts"),
            instant_null("next_attempt_at"),
            words.code_null("leased_by"),
            instant_null("leased_until"),
            text_null("error"),
            instant("received_at"),
            instant_null("processed_at"),
        ])
        .key(&["endpoint", "event_id"])
        .one_of("status", &["RECEIVED", "PROCESSED", "IGNORED", "PARKED", "FAILED"])
        .not_negative(&["attempts"])
        .index_over_tenants(&["next_attempt_at"])
        .index_over_tenants(&["status", "received_at"])
        .index_over_tenants(&["object_id"])
}

fn upstream_facts(words: Words) -> NewTable {
    NewTable::new("upstream_facts")
        .columns([words.id("tenant_id"), words.id("invoice_id"), json_binary("facts")])
        .key(&["tenant_id", "invoice_id"])
        .references("invoice_id", "invoices")
}
