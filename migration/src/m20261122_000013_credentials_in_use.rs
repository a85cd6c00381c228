//! When sessions were last used, so that they can be listed for people; and requests that may come again.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{timestamp_with_time_zone as instant, timestamp_with_time_zone_null as instant_null};

use crate::parts::{NewTable, Words, drop_tables};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const BY_AGE: &str = "ix_sessions_created_at_id";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let used = Table::alter().table("sessions").add_column(instant_null("last_used_at")).to_owned();
        manager.alter_table(used).await?;
        let by_age =
            Index::create().name(BY_AGE).table("sessions").col("tenant_id").col("created_at").col("id").to_owned();
        manager.create_index(by_age).await?;
        idempotency_keys(Words::of(manager)).create(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["idempotency_keys"]).await?;
        manager.drop_index(Index::drop().name(BY_AGE).table("sessions").to_owned()).await?;
        let connection = manager.get_connection();
        connection.execute_unprepared("ALTER TABLE sessions DROP COLUMN last_used_at").await.map(drop)
    }
}

/// What was made for a request that named itself, so that the same request makes nothing a second time. The object is
/// absent only within the transaction that makes it.
fn idempotency_keys(words: Words) -> NewTable {
    NewTable::new("idempotency_keys")
        .columns([
            words.id("tenant_id"),
            words.digest("key_sha256"),
            words.digest("request_sha256"),
            words.id_null("object_id"),
            instant("created_at"),
            instant("expires_at"),
        ])
        .key(&["tenant_id", "key_sha256"])
        .of_tenant()
        .check("key_sha256", "length(key_sha256) = 64")
        .check("request_sha256", "length(request_sha256) = 64")
        .check("expires_at", "expires_at > created_at")
        .index(&["expires_at"])
}
