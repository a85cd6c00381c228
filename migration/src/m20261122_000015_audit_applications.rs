//! The application that a change was made through; and on SQLite, entries of the audit log that cannot be replaced.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::text_null;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// SQLite takes away the row in the way of `INSERT OR REPLACE` without asking the triggers that guard deletes. A row is in
/// the way by its key, and by the number that SQLite itself gives to rows. On Postgres the trigger that guards updates
/// is asked for `ON CONFLICT DO UPDATE`, too.
const GUARD_SQLITE: &str = "CREATE TRIGGER audit_log_replaces_no_rows BEFORE INSERT ON audit_log \
     WHEN EXISTS (SELECT 1 FROM audit_log WHERE tenant_id = NEW.tenant_id AND sequence = NEW.sequence) \
     OR EXISTS (SELECT 1 FROM audit_log WHERE rowid = NEW.rowid) \
     BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let through = Table::alter().table("audit_log").add_column(text_null("application_id")).to_owned();
        manager.alter_table(through).await?;
        if manager.get_database_backend() == DbBackend::Sqlite {
            manager.get_connection().execute_unprepared(GUARD_SQLITE).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        if manager.get_database_backend() == DbBackend::Sqlite {
            connection.execute_unprepared("DROP TRIGGER audit_log_replaces_no_rows").await?;
        }
        connection.execute_unprepared("ALTER TABLE audit_log DROP COLUMN application_id").await.map(drop)
    }
}
