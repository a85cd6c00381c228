//! What always holds of an invoice, by number: after any sequence of what Stripe does, tells late, twice and in any order,
//! of asking it, and of working on everything again.
//!
//! Each test breaks a row by hand at its end, and finds that too: it can fail.

mod life;

use std::sync::Arc;

use billing_gateway::domain::invoice::{amount_overpaid, amount_remaining};
use billing_gateway::domain::link::LinkHosts;
use billing_gateway::domain::viewer::Tenant;
use billing_gateway::links::{Accounts, Ask, Asker, LinkKey, Links, Seen, UpstreamStats, Wanted};
use billing_gateway::store::Whose;
use billing_gateway::store::upstream_invoice;
use billing_gateway::stripe::Deadline;
use entity::{InvoiceStatus, Minor, invoice};
use fake_stripe::{Fault, FaultKind, Hostile, Invoice};
use url::Url;

use self::life::{AT_STRIPE, Life, Step, for_random_lives};
use crate::support::app::pay_links;
use crate::support::database::Engine;
use crate::support::hooks::client_of;

/// Goes through a life and looks after each step whether these rules of the audit hold; then breaks one by hand.
async fn audited(engine: Engine, steps: Vec<Step>, rules: &[&str], breaks: &str) {
    let mut life = Life::begin(engine).await;
    for step in steps {
        life.live(std::slice::from_ref(&step)).await;
        assert_eq!(life.broken(rules).await, [""; 0], "after {step:?}");
    }
    life.end().await;
    assert_eq!(life.broken(rules).await, [""; 0]);
    life.break_by_hand(breaks).await;
    assert_ne!(life.broken(rules).await, [""; 0], "it cannot fail");
}

/// Both invoices once everything is told, each beside what Stripe has.
async fn beside_stripe(life: &Life) -> Vec<(invoice::Model, Invoice)> {
    let mut both = Vec::new();
    for (id, at_stripe) in life.ids.iter().zip(AT_STRIPE) {
        both.push((life.hooks.invoice(id).await, life.fake.invoice(at_stripe).unwrap()));
    }
    both
}

/// Whether what was paid and remains is what is due and beyond, here and as Stripe counts it.
fn adds_up((ours, theirs): &(invoice::Model, Invoice)) -> bool {
    let remaining = amount_remaining(ours).0;
    let here = ours.amount_paid.0 + remaining == ours.amount_due.0 + amount_overpaid(ours).0;
    let there = ours.amount_paid.0 == theirs.amount_paid.unwrap() + theirs.amount_overpaid
        && remaining == theirs.amount_remaining.unwrap()
        && ours.amount_due.0 == theirs.amount_due.unwrap();
    ours.status == InvoiceStatus::Void || (here && there)
}

#[test]
fn invariant_01_paid_and_remaining_are_due_and_overpaid() {
    for_random_lives(async |engine, steps| {
        let mut life = Life::begin(engine).await;
        life.live(&steps).await;
        life.end().await;
        let both = beside_stripe(&life).await;
        assert!(both.iter().all(adds_up), "{both:#?}");
        life.break_by_hand("UPDATE invoices SET amount_paid = amount_paid + 1, status = 'OPEN' WHERE id = $").await;
        assert!(!beside_stripe(&life).await.iter().all(adds_up), "it cannot fail");
    });
}

#[test]
fn invariant_02_nothing_is_negative_and_no_more_goes_back_than_came() {
    let rules = ["REFUNDED_BEYOND_PAID", "PAYMENT_REFUNDED_MISMATCH"];
    let breaks = "UPDATE invoices SET amount_refunded = amount_paid + 1 WHERE id = $";
    for_random_lives(async |engine, steps| {
        Box::pin(audited(engine, steps.clone(), &rules, breaks)).await;
        // And it is what went back at Stripe.
        let mut life = Life::begin(engine).await;
        life.live(&steps).await;
        life.end().await;
        for (ours, theirs) in beside_stripe(&life).await {
            let back: i64 = theirs.payments.iter().map(|payment| payment.amount_refunded).sum();
            assert_eq!(ours.amount_refunded, Minor(back));
        }
    });
}

#[test]
fn invariant_03_every_sum_is_the_sum_of_its_parts() {
    let rules = ["LINE_", "SUB_LINE", "SUBTOTAL_", "DISCOUNT_", "TAX_", "TOTAL_", "BALANCE_", "AMOUNT_"];
    let breaks = "UPDATE invoices SET applied_credits = applied_credits + 1 WHERE id = $";
    for_random_lives(async |engine, steps| Box::pin(audited(engine, steps, &rules, breaks)).await);
}

#[test]
fn invariant_04_each_state_has_its_moment() {
    let breaks = "UPDATE invoices SET finalized_at = NULL WHERE id = $";
    for_random_lives(async |engine, steps| {
        Box::pin(audited(engine, steps, &["STATUS_TIMESTAMP_MISMATCH"], breaks)).await;
    });
}

#[test]
fn invariant_05_nothing_remains_of_a_paid_invoice_unless_it_was_settled_elsewhere() {
    let breaks = "UPDATE invoices SET status = 'PAID', paid_out_of_band = FALSE, amount_due = amount_paid + 1 \
        WHERE id = $";
    for_random_lives(async |engine, steps| Box::pin(audited(engine, steps, &["SETTLEMENT_MISMATCH"], breaks)).await);
}

/// Whether a final state is never left.
fn is_final(seen: &[InvoiceStatus]) -> bool {
    let over = |status: &InvoiceStatus| matches!(status, InvoiceStatus::Paid | InvoiceStatus::Void);
    seen.windows(2).all(|pair| !over(&pair[0]) || pair[0] == pair[1])
}

#[test]
fn invariant_06_paid_and_void_are_final() {
    for_random_lives(async |engine, steps| {
        let mut life = Life::begin(engine).await;
        life.live(&steps).await;
        life.end().await;
        life.replay().await;
        life.live(&[Step::Sync(0), Step::Sync(1)]).await;
        assert!(life.seen.iter().all(|seen| is_final(seen)), "{:?}", life.seen);
        life.break_by_hand("UPDATE invoices SET status = 'PAID' WHERE id = $").await;
        life.live(&[]).await;
        life.seen[0].push(life.hooks.invoice(&life.ids[0]).await.status);
        life.break_by_hand("UPDATE invoices SET status = 'OPEN' WHERE id = $").await;
        life.seen[0].push(life.hooks.invoice(&life.ids[0]).await.status);
        assert!(!is_final(&life.seen[0]), "it cannot fail");
    });
}

#[test]
fn invariant_07_moments_are_in_order() {
    let breaks = "UPDATE invoices SET finalized_at = NULL, created_at = '2100-01-01 00:00:00.000+00:00', \
        uncollectible_at = '2000-01-01 00:00:00.000+00:00' WHERE id = $";
    let breaks = breaks.replace("finalized_at = NULL", "finalized_at = '2050-01-01 00:00:00.000+00:00'");
    for_random_lives(async |engine, steps| {
        Box::pin(audited(engine, steps, &["TIMESTAMPS_OUT_OF_ORDER"], &breaks)).await;
    });
}

#[test]
fn invariant_08_an_invoice_is_not_paid_and_void() {
    for_random_lives(async |engine, steps| {
        let both = async |life: &Life| {
            let row = life.hooks.invoice(&life.ids[0]).await;
            row.paid_at.is_some() && row.voided_at.is_some()
        };
        let mut life = Life::begin(engine).await;
        for step in steps {
            life.live(&[step]).await;
            assert!(!both(&life).await);
        }
        life.end().await;
        assert!(!both(&life).await);
        life.break_by_hand("UPDATE invoices SET paid_at = created_at, voided_at = created_at WHERE id = $").await;
        assert!(both(&life).await, "it cannot fail");
    });
}

#[test]
fn invariant_09_the_history_leads_to_the_present_state() {
    let breaks = "DELETE FROM invoice_events WHERE invoice_id = $ AND to_status = 'OPEN'";
    for_random_lives(async |engine, steps| Box::pin(audited(engine, steps, &["HISTORY_MISMATCH"], breaks)).await);
}

/// What must not depend on order: all that follows from Stripe, without what was written when the invoice was made.
async fn outcome(life: &Life) -> String {
    let mut outcome = Vec::new();
    for id in &life.ids {
        let (row, payments, _) = life.hooks.state(id).await;
        let moments = (row.paid_at, row.voided_at, row.uncollectible_at);
        let amounts = (row.amount_due, row.amount_paid, row.amount_refunded, row.applied_credits);
        let payments: Vec<_> = payments
            .iter()
            .map(|row| (&row.id, row.status, row.amount_paid, row.amount_refunded, &row.failure_code, &row.charge_id))
            .collect();
        outcome.push(format!("{:?} {moments:?} {amounts:?} {payments:#?}", row.status));
    }
    outcome.join("\n")
}

#[test]
fn invariant_10_the_end_does_not_depend_on_order_and_number() {
    for_random_lives(async |engine, steps| {
        // What was told to one store late, twice and mixed up, the other hears once and in order.
        let mut mixed = Life::begin(engine).await;
        let only_changes = |step: &Step| !matches!(step, Step::Sync(_));
        let steps: Vec<Step> = steps.into_iter().filter(only_changes).collect();
        mixed.live(&steps).await;
        mixed.end().await;
        let mut sorted = Life::begin(engine).await;
        sorted.ask(&mixed.fake);
        for event in mixed.fake.events() {
            sorted.take(&event).await;
        }
        sorted.work().await;
        let (one, other) = (outcome(&mixed).await, outcome(&sorted).await);
        assert_eq!(one, other);
        sorted.break_by_hand("UPDATE invoices SET amount_refunded = amount_refunded + 1 WHERE id = $").await;
        assert_ne!(one, outcome(&sorted).await, "it cannot fail");
    });
}

#[test]
fn invariant_11_hearing_everything_once_more_changes_nothing() {
    for_random_lives(async |engine, steps| {
        let mut life = Life::begin(engine).await;
        life.live(&steps).await;
        life.end().await;
        let before = life.rows().await;
        life.replay().await;
        assert_eq!(life.rows().await, before);
        life.break_by_hand("UPDATE invoices SET version = version + 1 WHERE id = $").await;
        assert_ne!(life.rows().await, before, "it cannot fail");
    });
}

/// Whether an invoice may have a pay link.
fn payable(row: &invoice::Model) -> bool {
    matches!(row.status, InvoiceStatus::Open | InvoiceStatus::Uncollectible) && amount_remaining(row).0 > 0
}

/// What is seen of one kind of link of each invoice, with the invoice.
async fn seen(life: &Life, links: &Links, ask: Ask) -> Vec<(invoice::Model, Seen)> {
    let tenant = Tenant::whole(life.hooks.tenant.clone());
    let reader = life.hooks.store.reader(Whose::Everyones, &Arc::default());
    let mirrors = upstream_invoice::of_invoices(&tenant, &reader, &life.ids).await.unwrap();
    let mut all = Vec::new();
    for id in &life.ids {
        let row = life.hooks.invoice(id).await;
        let mirror = Arc::new(mirrors[id].clone());
        let key = LinkKey { invoice: Arc::new(row.clone()), mirror, ask: ask.clone() };
        let deadline = Deadline::after(std::time::Duration::from_secs(5));
        let asker = Asker { tenant: &tenant, subject: &"someone".into(), now: life.now, deadline };
        let mut answers = links.resolve(asker, vec![key.clone()], &UpstreamStats::default()).await;
        all.push((row, answers.remove(&key).unwrap()));
    }
    all
}

fn links(life: &Life) -> Links {
    let accounts = Accounts::new([(life.hooks.tenant.clone(), client_of(&life.fake))], None);
    Links::live(LinkHosts::default(), Arc::new(accounts), life.hooks.store.clone(), pay_links()).0
}

#[test]
fn invariant_23_only_what_can_be_paid_has_a_pay_link() {
    for_random_lives(async |engine, steps| {
        let allowed = |(row, seen): &(invoice::Model, Seen)| !matches!(seen, Seen::Link(_)) || payable(row);
        let mut life = Life::begin(engine).await;
        let links = links(&life);
        for step in steps {
            life.live(&[step]).await;
            let seen = seen(&life, &links, Ask::Pay).await;
            assert!(seen.iter().all(allowed), "{:?}", life.seen);
        }
        life.end().await;
        let (_, link) = seen(&life, &links, Ask::Pay).await.remove(0);
        life.break_by_hand("UPDATE invoices SET status = 'VOID' WHERE id = $").await;
        let void = life.hooks.invoice(&life.ids[0]).await;
        // What is void has none, and a link that it had would be found.
        assert!(!matches!(seen(&life, &links, Ask::Pay).await.remove(0).1, Seen::Link(_)), "{link:?}");
        assert!(!allowed(&(void, Seen::Link("https://invoice.stripe.com/i/1".to_owned()))), "it cannot fail");
    });
}

/// Whether a link leads to Stripe: read here by other means than the gateway's.
fn leads_to_stripe(link: &str) -> bool {
    let hosts = ["invoice.stripe.com", "pay.stripe.com"];
    let known = |url: Url| {
        let plain = url.username().is_empty() && url.password().is_none() && url.port().is_none();
        url.scheme() == "https" && plain && url.host_str().is_some_and(|host| hosts.contains(&host))
    };
    !link.contains('\\') && Url::parse(link).is_ok_and(known)
}

#[test]
fn invariant_24_no_link_leads_anywhere_but_to_known_hosts() {
    for_random_lives(async |engine, steps| {
        let mut life = Life::begin(engine).await;
        let links = links(&life);
        let asks = [Ask::Page(Wanted::RequireFresh), Ask::Pdf(Wanted::Cached), Ask::Receipt(Wanted::Cached), Ask::Pay];
        for (number, step) in steps.into_iter().enumerate() {
            life.live(&[step]).await;
            // Stripe, or whoever speaks for it, gives a bad link.
            let hostile = Hostile::ALL[number % Hostile::ALL.len()].clone();
            life.fake.fault(Fault::new(FaultKind::HostileUrl(hostile.clone())).times(1));
            for (_, seen) in seen(&life, &links, asks[number % asks.len()].clone()).await {
                assert!(!matches!(&seen, Seen::Link(link) if !leads_to_stripe(link)), "{hostile:?}");
            }
            life.fake.clear_faults();
        }
        // One that is in the store all the same is not shown.
        let evil = "https://invoice.stripe.com.evil.example/i/1";
        let breaks = format!("UPDATE upstream_invoices SET hosted_invoice_url = '{evil}' WHERE invoice_id = $");
        life.break_by_hand(&breaks).await;
        let stored = life.hooks.mirror(&life.ids[0]).await.hosted_invoice_url.unwrap();
        assert!(!leads_to_stripe(&stored), "it cannot fail");
        let kept = Links::new(LinkHosts::default());
        assert!(!matches!(seen(&life, &kept, Ask::Page(Wanted::Cached)).await.remove(0).1, Seen::Link(_)));
    });
}
