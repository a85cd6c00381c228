//! The audit log: one chain of entries for each tenant, to which rows are only ever added.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, text, text_null, timestamp_with_time_zone as instant};
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

use crate::parts::{NewTable, Words, drop_tables};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Rows are neither changed nor taken away, whoever asks.
const GUARDS_SQLITE: [&str; 2] = [
    "CREATE TRIGGER audit_log_keeps_its_rows BEFORE UPDATE ON audit_log \
     BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END",
    "CREATE TRIGGER audit_log_loses_no_rows BEFORE DELETE ON audit_log \
     BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END",
];

const GUARDS_POSTGRES: [&str; 2] = [
    "CREATE FUNCTION audit_log_is_append_only() RETURNS trigger LANGUAGE plpgsql AS \
     $$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$",
    "CREATE TRIGGER audit_log_keeps_its_rows BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log \
     FOR EACH STATEMENT EXECUTE FUNCTION audit_log_is_append_only()",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let words = Words::of(manager);
        audit_heads(words).create(manager).await?;
        audit_log(words).create(manager).await?;
        let guards = match manager.get_database_backend() {
            DbBackend::Postgres => GUARDS_POSTGRES,
            _ => GUARDS_SQLITE,
        };
        for guard in guards {
            manager.get_connection().execute_unprepared(guard).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["audit_log", "audit_heads"]).await?;
        if manager.get_database_backend() == DbBackend::Postgres {
            manager.get_connection().execute_unprepared("DROP FUNCTION audit_log_is_append_only()").await?;
        }
        Ok(())
    }
}

/// The end of each chain. Whoever adds an entry holds this row, so that a chain never forks.
///
/// The chain of whoever runs the gateway has no tenant: its id is empty, so neither table refers to `tenants`.
fn audit_heads(words: Words) -> NewTable {
    NewTable::new("audit_heads")
        .columns([words.id("tenant_id"), big_integer("entries"), words.digest("hash")])
        .key(&["tenant_id"])
        .not_negative(&["entries"])
}

/// What was before and after is kept as the very text that was hashed.
fn audit_log(words: Words) -> NewTable {
    NewTable::new("audit_log")
        .columns([
            words.id("tenant_id"),
            big_integer("sequence"),
            instant("at"),
            words.code("actor_kind"),
            text("actor_id"),
            text_null("credential_id"),
            words.code("action"),
            words.code("object_type"),
            text("object_id"),
            text_null("state_before"),
            text_null("state_after"),
            words.code_null("request_id"),
            words.code_null("address"),
            words.digest("previous_hash"),
            words.digest("hash"),
        ])
        .key(&["tenant_id", "sequence"])
        .index(&["action", "sequence"])
        .index(&["object_id", "sequence"])
}
