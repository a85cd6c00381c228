//! How an event came into the inbox: sent by Stripe, or fetched from its list.

use sea_orm_migration::prelude::*;

use crate::parts::Words;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Until now all were sent.
const BEFORE: &str = "WEBHOOK";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let known = Expr::cust("source IN ('WEBHOOK', 'LIST')");
        let mut source = Words::of(manager).kind("source");
        source.default(BEFORE).check(("ck_webhook_events_source", known));
        manager.alter_table(Table::alter().table("webhook_events").add_column(source).to_owned()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let drop_column = "ALTER TABLE webhook_events DROP COLUMN source";
        manager.get_connection().execute_unprepared(drop_column).await.map(drop)
    }
}
