//! `demo generate`: the same arguments give the same rows in every database, however they came there.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sea_orm::{EntityTrait, PaginatorTrait};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::database::{Engine, TestDatabase, for_each_engine};
use crate::support::program::{Said, program, run};

/// What `--seed 42 --size tiny` comes to. It changes only with the demo data itself.
const TINY: &str = "e50527cd03dc81794fb40a0544806a7a738b2dc72d702a7eab9e1ccd319bfc97";

/// Customers of a demo that takes a while.
const MANY: u32 = 120;

fn folder() -> TempDir {
    TempDir::with_prefix("billing-gateway-generate-").unwrap()
}

fn command(folder: &TempDir, database: &TestDatabase, arguments: &[&str]) -> Command {
    let mut command = program(folder.path());
    command.args(["demo", "generate", "--database-url", &database.url]).args(arguments);
    command
}

fn generate(database: &TestDatabase, arguments: &[&str]) -> Said {
    run(command(&folder(), database, arguments))
}

/// Counts and digest of a database that is filled.
fn report(database: &TestDatabase, arguments: &[&str]) -> Value {
    let said = generate(database, &[arguments, &["--json"]].concat());
    serde_json::from_str(&said.ok()).unwrap()
}

/// What the same arguments come to in a database of their own.
async fn alone(engine: Engine, arguments: &[&str]) -> Value {
    report(&TestDatabase::empty(engine).await, arguments)
}

fn verify(database: &TestDatabase) -> String {
    let mut verify = program(folder().path().parent().unwrap());
    verify.args(["verify", "--database-url", &database.url]);
    run(verify).ok()
}

#[tokio::test]
async fn tiny_comes_to_the_same_on_both_engines_and_keeps_every_rule() {
    for_each_engine(async |engine| {
        let database = TestDatabase::empty(engine).await;
        let tiny = report(&database, &["--seed", "42", "--size", "tiny"]);
        assert_eq!(tiny["sha256"], TINY, "{tiny:#}");
        assert_eq!((&tiny["customers"], &tiny["tables"]["customers"]), (&Value::from(8), &Value::from(24)));
        assert!(verify(&database).starts_with("Every rule holds: "));
        // Once more changes nothing.
        assert_eq!(report(&database, &[]), tiny);
    })
    .await;
}

#[tokio::test]
async fn arguments_change_what_they_say() {
    let other = alone(Engine::Sqlite, &["--seed", "43"]).await;
    assert_ne!(other["sha256"], TINY);
    let later = alone(Engine::Sqlite, &["--now", "2026-08-01T12:00:00+02:00", "--tenants", "3", "--size", "30"]).await;
    assert_eq!(later["now"], "2026-08-01T10:00:00Z");
    assert_eq!((&later["tables"]["tenants"], &later["customers"]), (&Value::from(3), &Value::from(30)));
}

#[tokio::test]
async fn a_smaller_demo_grows_to_a_larger_one_and_not_back() {
    for_each_engine(async |engine| {
        let database = TestDatabase::empty(engine).await;
        report(&database, &["--size", "8"]);
        let grown = report(&database, &["--size", "33"]);
        assert_eq!(grown, alone(engine, &["--size", "33"]).await);
        let refused = generate(&database, &["--size", "8"]).failure();
        let held = "the store holds the demo (seed 42, 33 customers, 2 tenants, until 2026-06-15T00:00:00Z)";
        assert!(refused.contains(held) && refused.contains("--reset"), "{refused}");
        assert!(generate(&database, &["--size", "33", "--seed", "1"]).failure().contains(held));
        let anew = report(&database, &["--size", "tiny", "--reset"]);
        assert_eq!(anew["sha256"], TINY);
    })
    .await;
}

#[tokio::test]
async fn what_is_killed_goes_on_where_it_stopped() {
    for_each_engine(async |engine| {
        let (database, folder) = (TestDatabase::empty(engine).await, folder());
        let size = MANY.to_string();
        let mut killed = command(&folder, &database, &["--size", &size]);
        let mut killed = killed.stdout(Stdio::null()).spawn().unwrap();
        wait_for_customers(&database).await;
        killed.kill().unwrap();
        assert!(!killed.wait().unwrap().success(), "it ended before it could be killed");
        assert_eq!(report(&database, &["--size", &size]), alone(engine, &["--size", &size]).await);
    })
    .await;
}

/// Waits until a first part of the simulated customers is there.
async fn wait_for_customers(database: &TestDatabase) {
    let begun = Instant::now();
    let file = database.url.strip_prefix("sqlite://").and_then(|rest| rest.split('?').next());
    while file.is_some_and(|file| !Path::new(file).exists()) {
        assert!(begun.elapsed() < Duration::from_mins(1), "no database came");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let connection = database.connect().await;
    let cast = billing_gateway::demo::cast().customers.len() as u64;
    while !entity::customer::Entity::find().count(&connection).await.is_ok_and(|count| count > cast) {
        assert!(begun.elapsed() < Duration::from_mins(1), "no customer came");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn two_that_fill_the_same_database_share_the_work() {
    for_each_engine(async |engine| {
        let (database, folder) = (TestDatabase::empty(engine).await, folder());
        let size = MANY.to_string();
        let start = || {
            let mut command = command(&folder, &database, &["--size", &size, "--json"]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        };
        let reports = [start(), start()].map(|mut one| {
            let mut text = String::new();
            one.stdout.take().unwrap().read_to_string(&mut text).unwrap();
            let output = one.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            serde_json::from_str::<Value>(&text).unwrap()
        });
        // The first to end may have counted before the other's last import; the database itself is complete.
        let complete = alone(engine, &["--size", &size]).await;
        assert!(reports.contains(&complete), "{reports:#?}");
        assert_eq!(report(&database, &["--size", &size]), complete);
    })
    .await;
}

#[tokio::test]
async fn a_reset_never_takes_away_a_company_that_is_no_demo() {
    for_each_engine(async |engine| {
        let database = TestDatabase::empty(engine).await;
        generate(&database, &["--size", "0"]).ok();
        let mut create = program(folder().path().parent().unwrap());
        create.args(["tenant", "create", "--name", "A real one", "--currency", "EUR", "--database-url", &database.url]);
        run(create).ok();
        let before = report(&database, &["--size", "0"]);
        let refused = generate(&database, &["--reset"]).failure();
        assert!(refused.contains("no company of the demo"), "{refused}");
        assert_eq!(report(&database, &["--size", "0"]), before);
    })
    .await;
}

#[tokio::test]
async fn progress_is_told_in_plain_lines_where_there_is_no_terminal() {
    let said = generate(&TestDatabase::empty(Engine::Sqlite).await, &["--size", "120"]);
    let lines: Vec<&str> = said.err.lines().collect();
    assert_eq!(lines, ["100 of 120 customers"], "{said:?}");
    let out = said.ok();
    assert!(out.lines().any(|line| line.trim() == "2  tenants"), "{out}");
    assert!(out.lines().last().unwrap().starts_with("SHA-256 "), "{out}");
}

#[tokio::test]
async fn wrong_arguments_are_told_before_anything_is_written() {
    let database = TestDatabase::empty(Engine::Sqlite).await;
    for (arguments, told) in [
        (["--size", "enormous"], "sizes are tiny, small, medium, large, or a number of customers up to 100000"),
        (["--size", "100001"], "sizes are"),
        (["--tenants", "1"], "1 is not in 2..=10"),
        (["--now", "2026-06-14T23:59:59Z"], "the named invoices stand at 2026-06-15T00:00:00Z"),
        (["--now", "tomorrow"], "no instant like"),
        (["--seed", "-1"], "unexpected argument"),
    ] {
        let said = generate(&database, &arguments);
        assert_eq!(said.code, Some(2), "{said:?}");
        assert!(said.err.contains(told), "{said:?}");
    }
}
