//! Work that goes on beside requests: who does it now, and how far it came.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{json_binary_null, timestamp_with_time_zone_null as instant_null};

use crate::parts::{NewTable, Words, drop_tables};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        jobs(Words::of(manager)).create(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["jobs"]).await
    }
}

fn jobs(words: Words) -> NewTable {
    NewTable::new("jobs")
        .columns([
            words.id("tenant_id"),
            words.code("name"),
            words.code_null("leased_by"),
            instant_null("leased_until"),
            json_binary_null("state"),
        ])
        .key(&["tenant_id", "name"])
        .of_tenant()
}
