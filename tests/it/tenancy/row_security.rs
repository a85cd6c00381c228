//! Row-level security: with it, a statement whose condition was forgotten finds and changes nothing of another tenant.
//! Without it, the same statement does.
//!
//! That everything works behind it is for all the other tests: each that runs on every engine runs on Postgres with it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use billing_gateway::domain::viewer::Tenant;
use billing_gateway::store::{DatabaseUrl, Reader, Store, StoreError, Tx, Whose, migrate_up, row_security};
use entity::{InvoiceStatus, TenantId};
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use serde_json::{Value, json};
use sqlx::Connection as _;

use super::{World, world};
use crate::support::database::{Engine, TestDatabase};
use crate::support::full::{full, tenant};
use crate::support::gateway::{Gateway, POOLS, merchant};
use crate::support::program::{program, run};

fn sql(text: impl Into<String>) -> Statement {
    Statement::from_string(DbBackend::Postgres, text)
}

/// The column that says whose a row of that table is.
fn column(table: &str) -> &str {
    if table == "tenants" { "id" } else { "tenant_id" }
}

async fn tables(store: &Store) -> Vec<String> {
    store.row_security().await.unwrap().tables.into_iter().map(|table| table.name).collect()
}

/// The tenants whose rows a statement without a condition sees, of all tables and of one.
async fn owners(reader: &Reader, table: &str) -> Vec<String> {
    let column = column(table);
    let rows = reader.query_all_raw(sql(format!("SELECT DISTINCT {column} AS owner FROM {table} ORDER BY 1"))).await;
    rows.unwrap().iter().map(|row| row.try_get("", "owner").unwrap()).collect()
}

/// Rows of others that a statement without a condition changes, and takes away.
async fn touched(tx: &Tx, table: &str, own: &TenantId) -> u64 {
    let column = column(table);
    let sql = format!("UPDATE {table} SET {column} = {column} WHERE {column} <> '{own}'");
    tx.execute_unprepared(&sql).await.unwrap().rows_affected()
}

#[tokio::test]
async fn a_condition_that_was_forgotten_sees_and_changes_only_the_own_rows() {
    let World { gateway, tenant, foreign, .. } = world(Engine::WalledPostgres).await;
    let store = &gateway.store;
    let (own, all) = (Tenant::whole(tenant.clone()), Whose::Everyones);
    assert_eq!(store.row_security().await.unwrap().gap(), None);
    let mut seen = 0;
    for table in tables(store).await {
        let mine = owners(&store.reader(&own, &Arc::default()), &table).await;
        assert!(mine.iter().all(|owner| *owner == tenant.0), "{table}: {mine:?}");
        seen += usize::from(!mine.is_empty());
        if table != "audit_log" {
            assert_eq!(touched(&store.begin(&own).await.unwrap(), &table, &tenant).await, 0, "{table}");
            // What is there for whoever is for everyone, as it would be without a wall.
            let others = owners(&store.reader(all.clone(), &Arc::default()), &table).await.len() - mine.len();
            let changed = touched(&store.begin(all.clone()).await.unwrap(), &table, &tenant).await;
            assert_eq!(others > 0, changed > 0, "{table}");
        }
    }
    assert!(seen > 15, "{seen} tables have rows of the tenant");

    // A row for another tenant is not taken.
    let tx = store.begin(&own).await.unwrap();
    let theirs = format!(
        "INSERT INTO revoked_tokens (tenant_id, jti_sha256, revoked_by, revoked_at, expires_at) \
         VALUES ('{}', '{}', 'nobody', now(), now() + interval '1 hour')",
        foreign.tenant,
        "0".repeat(64)
    );
    let refused = tx.execute_unprepared(&theirs).await.unwrap_err().to_string();
    assert!(refused.contains("row-level security"), "{refused}");
}

#[tokio::test]
async fn without_row_security_a_condition_that_was_forgotten_sees_and_changes_everything() {
    let World { gateway, tenant, foreign, .. } = world(Engine::Postgres).await;
    let store = &gateway.store;
    let own = Tenant::whole(tenant.clone());
    assert!(!store.row_security().await.unwrap().stands());
    for table in ["invoices", "customers", "payments", "rentals"] {
        let seen = owners(&store.reader(&own, &Arc::default()), table).await;
        assert!(seen.contains(&foreign.tenant.0), "{table}: {seen:?}");
        assert!(touched(&store.begin(&own).await.unwrap(), table, &tenant).await > 0, "{table}");
    }
}

#[tokio::test]
async fn what_was_said_of_a_connection_does_not_stay_with_it() {
    let World { gateway, tenant, foreign, .. } = world(Engine::WalledPostgres).await;
    let url: DatabaseUrl = gateway.database.url.parse().unwrap();
    // One connection, which goes from one to the other.
    let store = Store::open(&url, &billing_gateway::store::PoolSettings { connections: 1, ..POOLS }).await.unwrap();
    for id in [&tenant, &foreign.tenant, &tenant] {
        let reader = store.reader(&Tenant::whole(id.clone()), &Arc::default());
        assert_eq!(owners(&reader, "invoices").await, [id.0.as_str()]);
    }
    let mut connection = sqlx::PgConnection::connect(&gateway.database.url).await.unwrap();
    let unsaid = sqlx::query("SELECT id FROM invoices").fetch_all(&mut connection).await.unwrap_err();
    assert!(unsaid.to_string().contains("billing.tenant"), "{unsaid}");
    // Neither does it outlive its transaction: whoever comes next sees nothing, and not everything.
    let say = format!(
        "BEGIN; SELECT set_config('billing.tenant', '{tenant}', true), set_config('billing.all_tenants', '', true); COMMIT"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(say)).execute(&mut connection).await.unwrap();
    let rows = sqlx::query("SELECT id FROM invoices").fetch_all(&mut connection).await.unwrap();
    assert_eq!(rows.len(), 0);
}

#[tokio::test]
async fn a_program_that_runs_learns_that_it_was_switched_on_and_off() {
    // The role owns this database's tables, and is no superuser.
    let database = TestDatabase::empty(Engine::WalledPostgres).await;
    let url: DatabaseUrl = database.url.parse().unwrap();
    migrate_up(&url, &POOLS).await.unwrap();
    let store = Store::open(&url, &POOLS).await.unwrap();
    let own = tenant(&store, "acme").await;
    full(&store, &own, "own", InvoiceStatus::Open).await;
    let other = tenant(&store, "other").await;
    full(&store, &other, "foreign", InvoiceStatus::Open).await;
    let whole = Tenant::whole(own.clone());
    let mine = [own.0.as_str()];
    assert_eq!(owners(&store.reader(&whole, &Arc::default()), "invoices").await.len(), 2);

    assert!(row_security::switch(&url, &POOLS, true).await.unwrap());
    // A write that is under way fails as one that may be tried again, and is stored the next time.
    let write = async || {
        let tx = store.begin(&whole).await?;
        tx.execute_unprepared(&format!("UPDATE invoices SET version = version WHERE tenant_id = '{own}'")).await?;
        tx.commit().await
    };
    assert!(matches!(write().await, Err(StoreError::Unavailable(_))));
    write().await.unwrap();
    assert_eq!(owners(&store.reader(&whole, &Arc::default()), "invoices").await, mine);

    // A reader finds out by itself, in the same statement.
    let other_program = Store::open(&url, &POOLS).await.unwrap();
    assert!(row_security::switch(&url, &POOLS, false).await.unwrap());
    let unaware = Store::open(&url, &POOLS).await.unwrap();
    assert_eq!(owners(&unaware.reader(&whole, &Arc::default()), "invoices").await.len(), 2);
    assert!(row_security::switch(&url, &POOLS, true).await.unwrap());
    for program in [&unaware, &other_program] {
        assert_eq!(owners(&program.reader(&whole, &Arc::default()), "invoices").await, mine);
    }
}

#[tokio::test]
async fn every_table_with_a_tenant_has_it_and_one_that_is_new_gets_it_with_its_migration() {
    let gateway = Gateway::new(Engine::WalledPostgres).await;
    let connection = gateway.database.connect().await;
    let all = "SELECT table_name::text AS name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1";
    let all = connection.query_all_raw(sql(all)).await.unwrap();
    let all: Vec<String> = all.iter().map(|row| row.try_get("", "name").unwrap()).collect();
    let held = tables(&gateway.store).await;
    let open: Vec<_> = all.iter().filter(|name| !held.contains(name)).collect();
    assert_eq!(open, ["seaql_migrations", "webhook_events"], "tables whose rows are no tenant's");

    let new = "CREATE TABLE later (tenant_id text NOT NULL, id text NOT NULL)";
    connection.execute_unprepared(new).await.unwrap();
    connection.execute_unprepared("ALTER TABLE rentals NO FORCE ROW LEVEL SECURITY").await.unwrap();
    let gap = gateway.store.row_security().await.unwrap().gap();
    assert_eq!(gap.as_deref(), Some("it is off for later, rentals"));
    let admin: DatabaseUrl = gateway.database.admin_url().parse().unwrap();
    migrate_up(&admin, &POOLS).await.unwrap();
    assert_eq!(gateway.store.row_security().await.unwrap().gap(), None);
}

#[tokio::test]
async fn it_is_switched_and_looked_at_by_command_and_can_be_required() {
    let gateway = Gateway::new(Engine::Postgres).await;
    let (plain, folder) = (gateway.database.url.clone(), tempfile::tempdir().unwrap());
    let command = |words: &[&str], url: &str| {
        let mut command = program(folder.path());
        command.args(words).env("DATABASE_URL", url);
        run(command)
    };
    let status = |url: &str| -> Value {
        serde_json::from_str(&command(&["migrate", "row-security", "status", "--json"], url).ok()).unwrap()
    };
    let held = |found: &Value| found["tables"].as_array().unwrap().iter().filter(|table| table["held"] == true).count();
    assert_eq!(held(&status(&plain)), 0);
    let said = command(&["migrate", "row-security", "on"], &plain).ok();
    // A superuser is held by nothing, and told so.
    assert!(said.contains("on     invoices\n") && said.contains("is a superuser"), "{said}");
    assert!(held(&status(&plain)) > 20);
    let required = ["tenant", "list", "--db-row-security", "required"];
    let refused = command(&required, &plain);
    assert!(refused.err.contains("row-level security is required: the role postgres"), "{refused:?}");
    assert_eq!(refused.code, Some(1));
    command(&["migrate", "row-security", "off"], &plain).ok();
    assert_eq!(held(&status(&plain)), 0);

    let walled = Gateway::new(Engine::WalledPostgres).await;
    command(&required, &walled.database.url).ok();
    let sqlite = Gateway::new(Engine::Sqlite).await;
    let refused = command(&["migrate", "row-security", "on"], &sqlite.database.url);
    assert!(refused.err.contains("SQLite has no row-level security"), "{refused:?}");
    let refused = command(&required, &sqlite.database.url);
    assert!(refused.err.contains("BILLING_DB_ROW_SECURITY"), "{refused:?}");
}

// ---- What it costs ----------------------------------------------------------------------------------------------

const REFERENCE: &str = include_str!("../../../examples/reference.graphql");

/// Times of the reference query without and with row-level security, one after the other, in pairs.
#[tokio::test]
#[ignore = "a measurement: ./dev bench row-security"]
#[allow(clippy::print_stdout, reason = "the measurement is what it prints")]
async fn what_it_costs() {
    let (plain, walled) = (world(Engine::Postgres).await, world(Engine::WalledPostgres).await);
    let one = async |world: &World| {
        let id = &world.own.invoice.0;
        // But for the pay link, which nobody gives.
        let answer = world.gateway.ask(&merchant(&world.tenant), REFERENCE, json!({ "id": id })).await;
        assert_eq!(answer.data["invoice"]["id"].as_str(), Some(id.as_str()));
    };
    let read = async |world: &World| {
        let reader = world.gateway.store.reader(&Tenant::whole(world.tenant.clone()), &Arc::default());
        reader.query_one_raw(sql("SELECT id FROM invoices LIMIT 1")).await.unwrap()
    };
    let (mut queries, mut reads) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    for _ in 0..300 {
        for (at, world) in [&plain, &walled].into_iter().enumerate() {
            let begun = Instant::now();
            one(world).await;
            queries[at].push(begun.elapsed());
            let begun = Instant::now();
            read(world).await;
            reads[at].push(begun.elapsed());
        }
    }
    let told = |name: &str, times: [Vec<Duration>; 2]| {
        let [plain, walled] = times.map(|mut times| {
            times.sort_unstable();
            times[times.len() / 2].as_secs_f64() * 1e6
        });
        println!("{name}: {plain:.0} µs without, {walled:.0} µs with row-level security: {:.2} times", walled / plain);
    };
    told("reference query", queries);
    told("one statement", reads);
}
