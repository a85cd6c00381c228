//! The check of a whole store: nothing is found in what the gateway writes, and every rule finds what breaks it.

use std::collections::{BTreeMap, BTreeSet};

use billing_gateway::app::demo::{self, Demo};
use billing_gateway::app::verify::{Progress, Verified, Violation, verify};
use billing_gateway::auth::JwtKeys;
use billing_gateway::demo::Plan;
use billing_gateway::domain::audit::RULES;
use billing_gateway::domain::clock::Clock;
use billing_gateway::domain::link::LinkHosts;
use sea_orm::{ConnectionTrait, TransactionTrait};
use secrecy::SecretString;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::app::SECRET;
use crate::support::database::{Engine, TestDatabase, for_each_engine};
use crate::support::gateway::Gateway;
use crate::support::program::{program, run};
use crate::support::seed::{Seed, Size, seed};

/// Customers of the demo beside the cast.
const SIMULATED: u32 = 8;

async fn load(gateway: &Gateway) -> Demo {
    let secret = SecretString::from(SECRET);
    let keys = JwtKeys::new(&secret, "billing-gateway", "billing-gateway", Clock::system()).unwrap();
    demo::load(&gateway.store, &keys, &LinkHosts::default(), &Plan::of(SIMULATED)).await.unwrap()
}

/// What is found, and the announced and the counted number of invoices.
async fn check(gateway: &Gateway) -> (Verified, Vec<Violation>) {
    let (mut begun, mut checked, mut found) = (0, 0, Vec::new());
    let verified = verify(&gateway.store, |progress| match progress {
        Progress::Begun(invoices) => begun = invoices,
        Progress::Violated(violation) => found.push(violation.clone()),
        Progress::Checked(invoices) => checked += invoices,
    });
    let verified = verified.await.unwrap();
    assert_eq!((begun, checked), (verified.invoices, verified.invoices));
    assert_eq!(found.len() as u64, verified.violations);
    (verified, found)
}

#[tokio::test]
async fn the_demo_keeps_every_rule() {
    for_each_engine(async |engine| {
        let gateway = Gateway::new(engine).await;
        assert_eq!(check(&gateway).await.0, Verified::default());
        load(&gateway).await;
        let (verified, found) = check(&gateway).await;
        assert_eq!(found, []);
        let simulated = (0..SIMULATED).map(|number| Plan::of(SIMULATED).customer(number).invoices.len());
        let native = (billing_gateway::demo::cast().invoices.len() + simulated.sum::<usize>()) as u64;
        assert_eq!((verified.tenants, verified.invoices), (2, native));
    })
    .await;
}

/// Lets rows in that the schema refuses, by the store's engine. On SQLite the checks are off for this connection only.
pub(crate) const LOOSEN: [(&str, &str); 2] = [
    ("sqlite", "PRAGMA ignore_check_constraints = ON"),
    (
        "postgres",
        "DO $$ DECLARE found record; BEGIN \
            FOR found IN SELECT conrelid::regclass AS place, conname FROM pg_constraint WHERE contype = 'c' \
                AND connamespace = 'public'::regnamespace \
            LOOP EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', found.place, found.conname); END LOOP; END $$",
    ),
];

const UNIQUE: [&str; 2] =
    ["DROP INDEX ux_invoices_source_system_number", "DROP INDEX ux_invoice_line_items_invoice_id_position"];

/// A rule, the invoice that shall break it, and how; `$` is the invoice's id.
const BROKEN: [(&str, &str, &str); 22] = [
    (
        "LINE_SUBTOTAL_MISMATCH",
        "paid-with-receipt",
        "UPDATE invoice_line_items SET quantity = '0.5' WHERE invoice_id = $",
    ),
    (
        "SUB_LINES_MISMATCH",
        "overage-week",
        "DELETE FROM invoice_sub_lines WHERE id = (SELECT min(id) FROM invoice_sub_lines WHERE invoice_id = $)",
    ),
    ("SUB_LINE_AMOUNT_MISMATCH", "overage-week", "UPDATE invoice_sub_lines SET quantity = '0.1' WHERE invoice_id = $"),
    (
        "LINE_DISCOUNT_MISMATCH",
        "rotated-link",
        "UPDATE invoice_line_items SET discount_total = discount_total + 1 WHERE invoice_id = $",
    ),
    (
        "LINE_AMOUNT_MISMATCH",
        "receipt-expired",
        "UPDATE invoice_line_items SET amount = amount + 1 WHERE invoice_id = $",
    ),
    ("SUBTOTAL_MISMATCH", "stripe-never-heard", "UPDATE invoices SET subtotal = subtotal + 1 WHERE id = $"),
    (
        "DISCOUNT_TOTAL_MISMATCH",
        "three-attempts",
        "UPDATE invoices SET discount_total = discount_total + 1 WHERE id = $",
    ),
    ("TAX_TOTAL_MISMATCH", "two-taxes", "UPDATE invoice_taxes SET tax_amount = tax_amount + 1 WHERE invoice_id = $"),
    ("TOTAL_MISMATCH", "sca-required", "UPDATE invoices SET total = total + 1 WHERE id = $"),
    (
        "BALANCE_MISMATCH",
        "bank-debit-processing",
        "UPDATE invoices SET balance_start = 100, balance_applied = 0, balance_end = 7 WHERE id = $",
    ),
    ("AMOUNT_DUE_MISMATCH", "half-paid", "UPDATE invoices SET amount_due = amount_due + 1 WHERE id = $"),
    ("AMOUNT_PAID_MISMATCH", "overpaid", "UPDATE invoices SET amount_paid = amount_paid + 1 WHERE id = $"),
    ("AMOUNT_REFUNDED_MISMATCH", "refunded-twice", "UPDATE invoices SET amount_refunded = 651 WHERE id = $"),
    (
        "PAYMENT_REFUNDED_MISMATCH",
        "refunded-twice",
        "UPDATE payments SET amount_refunded = 1 WHERE invoice_id = $ AND kind = 'PAYMENT'",
    ),
    ("REFUNDED_BEYOND_PAID", "dinar", "UPDATE invoices SET amount_refunded = amount_paid + 1 WHERE id = $"),
    ("CURRENCY_MISMATCH", "written-off-then-paid", "UPDATE payments SET currency = 'JPY' WHERE invoice_id = $"),
    ("STATUS_TIMESTAMP_MISMATCH", "voided", "UPDATE invoices SET voided_at = NULL WHERE id = $"),
    (
        "TIMESTAMPS_OUT_OF_ORDER",
        "reverse-charge",
        "UPDATE invoices SET finalized_at = (SELECT min(created_at) FROM tenants) WHERE id = $",
    ),
    ("SETTLEMENT_MISMATCH", "voided", "UPDATE invoices SET amount_paid = 1 WHERE id = $"),
    ("POSITION_REPEATED", "whale", "UPDATE invoice_line_items SET position = 0 WHERE invoice_id = $ AND position = 1"),
    (
        "NUMBER_REPEATED",
        "drifted",
        "UPDATE invoices SET number = (SELECT i.number FROM invoices i WHERE i.tenant_id = invoices.tenant_id \
            AND i.source_system = 'NATIVE' AND i.id <> $ AND i.number IS NOT NULL LIMIT 1) WHERE id = $",
    ),
    ("HISTORY_MISMATCH", "other-tenant", "DELETE FROM invoice_events WHERE invoice_id = $"),
];

async fn break_rows(gateway: &Gateway, demo: &Demo) {
    let tx = gateway.database.connect().await.begin().await.unwrap();
    for (_, statement) in LOOSEN.iter().filter(|(engine, _)| *engine == gateway.store.engine()) {
        tx.execute_unprepared(statement).await.unwrap();
    }
    for statement in UNIQUE {
        tx.execute_unprepared(statement).await.unwrap();
    }
    for (rule, character, statement) in BROKEN {
        let id = demo.invoice(character).unwrap();
        let done = tx.execute_unprepared(&statement.replace('$', &format!("'{id}'"))).await.unwrap();
        assert!(done.rows_affected() > 0, "{rule}");
    }
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn every_rule_finds_the_row_that_breaks_it() {
    assert_eq!(BROKEN.map(|(rule, ..)| rule), RULES.map(|rule| rule.name));
    for_each_engine(async |engine| {
        let gateway = Gateway::new(engine).await;
        let demo = load(&gateway).await;
        break_rows(&gateway, &demo).await;
        let (_, found) = check(&gateway).await;
        let mut rules: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for violation in &found {
            assert!(violation.stated != violation.expected, "{violation:?}");
            rules.entry(violation.invoice_id.as_str()).or_default().insert(&violation.rule);
        }
        for (rule, character, _) in BROKEN {
            let of_invoice = rules.get(demo.invoice(character).unwrap().as_str());
            assert!(of_invoice.is_some_and(|rules| rules.contains(rule)), "{rule} of {character}: {of_invoice:?}");
        }
        // Whoever had the repeated number first has it twice now; nothing is said of any other invoice.
        let broken: BTreeSet<_> = BROKEN.iter().map(|(_, name, _)| demo.invoice(name).unwrap().as_str()).collect();
        let others: Vec<_> = rules.iter().filter(|(id, _)| !broken.contains(*id)).map(|(_, rules)| rules).collect();
        assert!(others.iter().all(|rules| **rules == BTreeSet::from(["NUMBER_REPEATED"])), "{others:?}");
        assert!(others.len() <= 1, "{others:?}");
    })
    .await;
}

/// The seed writes no history, so that every invoice breaks one rule.
#[tokio::test]
async fn every_invoice_of_many_pages_is_checked_once() {
    for_each_engine(async |engine| {
        let gateway = Gateway::new(engine).await;
        let size = Size { customers: 3, rentals: 2, invoices: 250, lines: 2 };
        let (first, second) = (seed(&gateway.store, "first", size).await, seed(&gateway.store, "second", size).await);
        let (verified, found) = check(&gateway).await;
        assert_eq!((verified.tenants, verified.invoices), (2, 500));
        let missing: Vec<_> = found.iter().filter(|violation| violation.rule == "HISTORY_MISMATCH").collect();
        let told: BTreeSet<_> = missing.iter().map(|violation| (&violation.tenant_id, &violation.invoice_id)).collect();
        let of = |seed: &Seed| seed.invoices.iter().map(|id| (seed.tenant.clone(), id.clone())).collect::<Vec<_>>();
        let all: BTreeSet<_> = [of(&first), of(&second)].concat().into_iter().collect();
        assert_eq!(told, all.iter().map(|(tenant, id)| (tenant, id)).collect());
        assert_eq!(missing.len(), all.len());
    })
    .await;
}

#[tokio::test]
async fn an_invoice_that_does_not_add_up_ends_the_command_with_1_and_its_line() {
    let gateway = Gateway::new(Engine::Sqlite).await;
    let demo = load(&gateway).await;
    let id = demo.invoice("half-paid").unwrap();
    let connection = gateway.database.connect().await;
    let statement = format!("UPDATE invoices SET amount_due = amount_due + 1 WHERE id = '{id}'");
    connection.execute_unprepared(&statement).await.unwrap();
    let said = verified(&gateway.database, &[]);
    assert_eq!((said.code, said.out.lines().count()), (Some(1), 1), "{said:?}");
    assert!(said.out.contains(&format!(" {id} AMOUNT_DUE_MISMATCH amountDue: ")), "{said:?}");
    assert!(said.out.contains(", expected "), "{said:?}");
    assert!(said.err.starts_with("error: 1 violations in "), "{said:?}");

    let said = verified(&gateway.database, &["--json"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    let report: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((&report["tenants"], &report["violations"]), (&Value::from(2), &Value::from(1)));
    let listed = &report["listed"][0];
    assert_eq!((&listed["invoiceId"], &listed["path"]), (&Value::from(id.as_str()), &Value::from("amountDue")));
    assert!(report["listed"].as_array().is_some_and(|listed| listed.len() == 1));
}

fn verified(database: &TestDatabase, arguments: &[&str]) -> crate::support::program::Said {
    let folder = TempDir::with_prefix("billing-gateway-verify-").unwrap();
    let mut command = program(folder.path());
    command.arg("verify").args(arguments).args(["--database-url", &database.url]);
    run(command)
}
