//! Everything that is stored, row by row, and a log that cannot be written.

use std::collections::BTreeMap;

use entity as e;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, EntityName, EntityTrait};

/// The rows of each table, in no order.
pub(crate) type Stored = BTreeMap<String, Vec<String>>;

/// Every row of every table that somebody's doing may change.
pub(crate) async fn stored(db: &DatabaseConnection) -> Stored {
    let mut tables = Stored::new();
    macro_rules! read {
        ($($table:ident),* $(,)?) => {$(
            let rows = e::$table::Entity::find().all(db).await.unwrap();
            let mut rows: Vec<_> = rows.iter().map(|row| format!("{row:?}")).collect();
            rows.sort();
            tables.insert(e::$table::Entity.table_name().to_owned(), rows);
        )*};
    }
    read!(
        audit_entry,
        audit_head,
        browser_session,
        credential,
        customer,
        customer_snapshot,
        discount,
        idempotency_key,
        invoice,
        invoice_change,
        invoice_event,
        line_item,
        payment,
        payment_method,
        price,
        product,
        rental,
        revoked_token,
        source_document,
        sub_line,
        subscription,
        tax,
        tenant,
        upstream_facts,
        upstream_invoice,
        webhook_event,
    );
    tables
}

/// The names of the tables that are not alike.
pub(crate) fn differing(one: &Stored, other: &Stored) -> Vec<String> {
    one.iter().filter(|(table, rows)| other[*table] != **rows).map(|(table, _)| table.clone()).collect()
}

/// Refuses new rows of a table from now on, as a full disk might.
pub(crate) async fn refuse_rows(db: &DatabaseConnection, table: &str) {
    let statements = match db.get_database_backend() {
        DbBackend::Postgres => vec![
            "CREATE FUNCTION takes_no_rows() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN RAISE EXCEPTION 'no more rows'; END $$"
                .to_owned(),
            format!(
                "CREATE TRIGGER takes_no_rows BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION takes_no_rows()"
            ),
        ],
        _ => vec![format!(
            "CREATE TRIGGER takes_no_rows BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'no more rows'); END"
        )],
    };
    for statement in statements {
        db.execute_unprepared(&statement).await.unwrap();
    }
}

/// Takes new rows again.
pub(crate) async fn take_rows(db: &DatabaseConnection, table: &str) {
    let statements = match db.get_database_backend() {
        DbBackend::Postgres => {
            vec![format!("DROP TRIGGER takes_no_rows ON {table}"), "DROP FUNCTION takes_no_rows()".to_owned()]
        }
        _ => vec!["DROP TRIGGER takes_no_rows".to_owned()],
    };
    for statement in statements {
        db.execute_unprepared(&statement).await.unwrap();
    }
}
