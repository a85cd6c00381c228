//! What differs between Stripe and the store is told, field by field, and nothing is changed.

use std::time::Duration;

use billing_gateway::app::AppError;
use billing_gateway::app::stripe_verify::{Compared, Difference, Options, Progress, Span, verify};
use entity::InvoiceId;
use fake_stripe::{Change, Endpoint, Fault, FaultKind, Invoice, State};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::database::{Engine, for_each_engine};
use crate::support::hooks::{Hooks, now};
use crate::support::program::run;
use crate::support::upstream::{Upstream, at_stripe, foreign, seconds};

fn options() -> Options {
    Options { span: Span::default(), tenant: None, patience: Duration::ZERO }
}

async fn compared(world: &Upstream, options: &Options) -> (Compared, Vec<Difference>) {
    let (mut found, config) = (Vec::new(), world.config());
    let compared = verify(&config, options, |progress| {
        if let Progress::Found(difference) = progress {
            found.push(difference.clone());
        }
    });
    (compared.await.unwrap(), found)
}

/// A store that Stripe agrees with.
async fn agreed(engine: Engine, names: &[&str]) -> Upstream {
    let due = now() + 86_400;
    let invoices = names.iter().map(|name| Invoice { due_date: Some(due), ..at_stripe(name) });
    let world = Upstream::new(Hooks::on(engine).await, names, invoices.collect::<Vec<_>>()).await;
    let span = Span { since: Some(seconds(-86_400)), until: None };
    let options = billing_gateway::app::backfill::Options {
        span,
        tenant: None,
        dry_run: false,
        restart: false,
        patience: Duration::ZERO,
    };
    let mut summary = billing_gateway::app::backfill::Summary::default();
    let config = world.config();
    let done =
        billing_gateway::app::backfill::backfill(&config, &options, &mut summary, std::future::pending(), |_| {});
    done.await.unwrap();
    world.fake.reset_counts();
    world
}

/// One field broken by hand, and what is said of it.
const BROKEN: [(&str, &str, &str, &str); 11] = [
    ("invoices", "status = 'UNCOLLECTIBLE', uncollectible_at = finalized_at", "status", "uncollectible"),
    ("invoices", "amount_due = 999", "amountDue", "999"),
    ("invoices", "amount_paid = 1", "amountPaid", "1"),
    ("invoices", "number = 'N-other'", "number", "N-other"),
    ("invoices", "due_at = NULL", "dueAt", "absent"),
    ("upstream_invoices", "upstream_status = 'paid'", "upstream.status", "paid"),
    ("upstream_invoices", "upstream_amount_due = 999", "upstream.amountDue", "999"),
    ("upstream_invoices", "upstream_amount_paid = NULL", "upstream.amountPaid", "absent"),
    ("upstream_invoices", "stripe_customer_id = 'cus_other'", "upstream.customer", "cus_other"),
    ("upstream_invoices", "hosted_invoice_url = NULL", "hostedInvoiceUrl", "absent"),
    ("upstream_invoices", "invoice_pdf_url = NULL", "invoicePdfUrl", "absent"),
];

#[tokio::test]
async fn every_field_that_is_broken_by_hand_is_found() {
    for_each_engine(async |engine| {
        let names: Vec<String> = (0..BROKEN.len()).map(|place| format!("n{place}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let world = agreed(engine, &names).await;
        let (clean, found) = compared(&world, &options()).await;
        assert_eq!((clean.compared, clean.differences), (11, 0), "{found:#?}");
        for (place, (table, change, ..)) in BROKEN.iter().enumerate() {
            let key = if *table == "invoices" { "id" } else { "invoice_id" };
            world.sql(&format!("UPDATE {table} SET {change} WHERE {key} = 'inv_n{place}'")).await;
        }
        let before = world.digest().await;
        world.fake.reset_counts();
        let (compared, found) = compared(&world, &options()).await;
        assert_eq!((compared.compared, compared.differing, compared.differences), (11, 11, 11), "{found:#?}");
        for (place, (_, _, field, ours)) in BROKEN.iter().enumerate() {
            let id = InvoiceId(format!("inv_n{place}"));
            let difference = found.iter().find(|difference| difference.invoice.as_ref() == Some(&id)).unwrap();
            assert_eq!((difference.field, difference.ours.as_deref()), (*field, Some(*ours)), "{difference:?}");
            assert_ne!(difference.theirs.as_deref(), Some(*ours));
        }
        assert!(!format!("{found:?}").contains("http"), "links are not told");
        assert_eq!(world.digest().await, before, "nothing is changed");
        assert_eq!((world.fake.count(Endpoint::Invoices), world.fake.count(Endpoint::Invoice)), (1, 0));
    })
    .await;
}

#[tokio::test]
async fn what_only_one_side_has_is_found() {
    for_each_engine(async |engine| {
        let world = agreed(engine, &["both", "unmirrored", "gone"]).await;
        world.sql("DELETE FROM upstream_invoices WHERE invoice_id = 'inv_unmirrored'").await;
        let mut invoices = world.fake.state().invoices;
        invoices.retain(|invoice| invoice.id != "in_gone");
        invoices.extend(foreign(120));
        world.fake.replace(State { rate_per_second: 0, ..State::with(invoices) });
        let (compared_all, found) = compared(&world, &options()).await;
        let Compared { compared: both, only_at_stripe, only_here, differences, .. } = compared_all;
        assert_eq!((both, only_at_stripe, only_here, differences), (1, 121, 1, 122), "{found:#?}");
        let of = |id: &str| found.iter().find(|difference| difference.stripe_invoice == id).unwrap();
        let told = |id: &str| (of(id).field, of(id).ours.as_deref(), of(id).theirs.as_deref());
        assert_eq!(told("in_gone"), ("invoice", Some("open"), None));
        assert_eq!(told("in_foreign7"), ("invoice", None, Some("open")));
        assert_eq!(told("in_unmirrored"), ("upstream", None, Some("open")));
        assert_eq!(of("in_unmirrored").invoice, Some("inv_unmirrored".into()));
        assert_eq!(world.fake.count(Endpoint::Invoice), 1, "only what stood in no page is asked for alone");
        // Before then, nothing was made.
        let span = Span { since: None, until: Some(seconds(-2 * 86_400)) };
        assert_eq!(compared(&world, &Options { span, ..options() }).await.0, Compared::default());
    })
    .await;
}

#[tokio::test]
async fn a_stripe_that_cannot_be_asked_is_no_agreement() {
    let world = agreed(Engine::Sqlite, &["a"]).await;
    world.fake.fault(Fault::new(FaultKind::status(401)));
    let failed = verify(&world.config(), &options(), |_| {}).await.unwrap_err();
    assert!(matches!(failed, AppError::Asking { .. }), "{failed:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exit_codes_tell_agreement_difference_and_doubt_apart() {
    let world = agreed(Engine::Sqlite, &["a", "b"]).await;
    let folder = TempDir::with_prefix("billing-gateway-verify-").unwrap();
    let verify = |more: &[&str]| {
        let mut command = world.program(folder.path(), &["stripe", "verify", "--patience", "0"]);
        command.args(more);
        run(command)
    };
    let agreed = verify(&[]).ok();
    assert!(agreed.starts_with("2 invoices compared, 0 of them differ"), "{agreed}");
    world.fake.change("in_b", &Change::Pay { amount: None, out_of_band: false }).unwrap();
    let differs = verify(&[]);
    assert!(differs.failure().contains("4 differences"));
    let json = verify(&["--json", "--tenant", world.hooks.tenant.as_str()]);
    assert_eq!(json.code, Some(1));
    let report: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!((&report["compared"], &report["differing"], &report["differences"]), (&2.into(), &1.into(), &4.into()));
    let status = report["listed"].as_array().unwrap().iter().find(|one| one["field"] == "status").unwrap();
    assert_eq!((&status["ours"], &status["theirs"]), (&"open".into(), &"paid".into()), "{report}");
    world.fake.fault(Fault::new(FaultKind::status(503)));
    let doubt = verify(&[]);
    assert_eq!((doubt.code, doubt.out.as_str()), (Some(2), ""), "{doubt:?}");
    assert!(doubt.err.contains("nothing can be said about the rest"), "{doubt:?}");
    let mut no_key = world.program(folder.path(), &["stripe", "verify"]);
    no_key.env_remove("BILLING_STRIPE_KEY").env_remove("BILLING_STRIPE_TENANT");
    assert_eq!(run(no_key).code, Some(2));
}
