//! The simulated part: any seed gives bills that hold, and the shares of the marketplace that the demo is to show.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use entity::{BillingReason, Instant, InvoiceStatus, PaymentKind, PaymentStatus, RentalStatus};
use proptest::prelude::*;

use super::{World, assert_holds, assert_laws, world};
use crate::demo::{DemoInvoice, Plan};
use crate::domain::bill::Bill;

/// Enough customers for shares to settle.
const MANY: u32 = 250;

#[test]
fn the_laws_hold_for_the_cast_and_the_population_together() {
    for (seed, tenants) in [(42, 2), (7, 10)] {
        assert_laws(&world(&Plan { seed, tenants, ..Plan::of(40) }));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_seed_gives_bills_that_hold(seed: u64, number in 0_u32..Plan::CUSTOMERS_MAX, days in 0_i64..700) {
        let plan = Plan::of(0);
        let plan = Plan { seed, now: Instant::new(plan.now.utc() + TimeDelta::days(days)), ..plan };
        let books = plan.customer(number);
        prop_assert_eq!(&books, &plan.customer(number));
        for entry in &books.invoices {
            assert_holds(entry);
        }
    }
}

#[test]
fn a_larger_demo_begins_with_the_smaller_one() {
    let (tiny, larger) = (world(&Plan::of(8)), world(&Plan::of(12)));
    assert_eq!(larger.customers[..tiny.customers.len()], tiny.customers[..]);
    assert_eq!(larger.invoices[..tiny.invoices.len()], tiny.invoices[..]);
    assert!(larger.invoices.len() > tiny.invoices.len());
}

#[test]
fn another_seed_changes_all_but_the_cast() {
    let cast = world(&Plan::of(0)).invoices.len();
    let (one, other) = (world(&Plan::of(8)), world(&Plan { seed: 43, ..Plan::of(8) }));
    assert_eq!(one.invoices[..cast], other.invoices[..cast]);
    let known: Vec<_> = one.invoices[cast..].iter().map(|entry| &entry.bill.invoice.id).collect();
    assert!(other.invoices[cast..].iter().all(|entry| !known.contains(&&entry.bill.invoice.id)));
}

#[test]
fn most_customers_are_the_own_companys_and_every_other_company_has_some() {
    let cast = world(&Plan::of(0)).customers.len();
    let many = world(&Plan { tenants: 4, ..Plan::of(80) });
    let mut counts = BTreeMap::new();
    for row in &many.customers[cast..] {
        *counts.entry(&row.tenant_id).or_insert(0) += 1;
    }
    let counts: Vec<i32> = many.tenants.iter().map(|row| counts[&row.id]).collect();
    assert_eq!(counts, [70, 4, 3, 3]);
}

/// How many in a thousand.
fn share<T>(all: &[T], of: impl Fn(&T) -> bool) -> usize {
    all.iter().filter(|one| of(one)).count() * 1_000 / all.len()
}

#[track_caller]
fn assert_about(found: usize, low: usize, high: usize) {
    assert!((low..=high).contains(&found), "{found} is not between {low} and {high} of 1,000");
}

#[test]
fn the_marketplace_looks_as_it_is_meant_to() {
    let cast = world(&Plan::of(0));
    let mut many = world(&Plan::of(MANY));
    many.invoices.drain(..cast.invoices.len());
    many.rentals.drain(..cast.rentals.len());
    let reason = |wanted| share(&many.invoices, |entry| entry.bill.invoice.billing_reason == wanted);
    assert_about(reason(BillingReason::Overage), 380, 520);
    assert_about(reason(BillingReason::TopupFailed), 260, 400);
    assert_about(reason(BillingReason::Manual), 80, 200);
    assert_about(reason(BillingReason::SubscriptionCreate) + reason(BillingReason::SubscriptionCycle), 50, 150);
    let status = |wanted| share(&many.invoices, |entry| entry.bill.invoice.status == wanted);
    assert_about(status(InvoiceStatus::Paid), 640, 780);
    assert_about(status(InvoiceStatus::Open), 90, 220);
    assert_about(status(InvoiceStatus::Uncollectible), 30, 100);
    assert_about(status(InvoiceStatus::Void), 30, 80);
    assert_about(status(InvoiceStatus::Draft), 5, 40);
    let rental = |wanted| share(&many.rentals, |row| row.status == wanted);
    assert_about(rental(RentalStatus::Running), 15, 80);
    assert_about(rental(RentalStatus::Failed), 30, 80);
    for (count, low, high) in [(1, 650, 750), (2, 120, 180), (4, 60, 120), (8, 40, 80)] {
        assert_about(share(&many.rentals, |row| row.gpu_count == count), low, high);
    }
    let of = |code: &str| share(&many.invoices, |entry| entry.bill.invoice.currency.0 == code);
    assert_about(of("USD"), 820, 970);
    for code in ["EUR", "GBP", "SEK", "JPY", "KWD"] {
        assert_about(of(code), 1, 80);
    }
    assert_rare_things(&many);
}

/// What examples and explorers of the data expect to find somewhere.
fn assert_rare_things(many: &World) {
    let bill = |what: &str, has: fn(&Bill) -> bool| {
        let found = many.invoices.iter().any(|DemoInvoice { bill, .. }| has(bill));
        assert!(found, "no invoice {what}");
    };
    let payments = || many.invoices.iter().flat_map(|entry| entry.bill.payments.iter().map(|payment| &payment.row));
    for status in [PaymentStatus::Pending, PaymentStatus::RequiresAction, PaymentStatus::Failed] {
        assert!(payments().any(|row| row.status == status), "{status:?}");
    }
    assert!(payments().any(|row| row.kind == PaymentKind::Refund));
    bill("with four attempts", |bill| bill.payments.len() > 3);
    bill("paid elsewhere", |bill| bill.invoice.paid_out_of_band);
    bill("paid twice", |bill| bill.invoice.amount_paid > bill.invoice.amount_due);
    bill("paid in part", |bill| bill.invoice.status == InvoiceStatus::Open && bill.invoice.amount_paid.0 > 0);
    bill("with two taxes", |bill| bill.taxes.len() == 2);
    bill("without tax for a reason", |bill| bill.taxes.iter().any(|tax| tax.exemption.is_some()));
    bill("with discount and credit", |bill| !bill.discounts.is_empty() && bill.invoice.applied_credits.0 > 0);
    bill("written off, then paid", |bill| {
        bill.invoice.uncollectible_at.is_some() && bill.invoice.status == InvoiceStatus::Paid
    });
    let mirror = |has: fn(&entity::upstream_invoice::Model) -> bool| {
        many.invoices.iter().filter_map(|entry| entry.bill.upstream.as_ref()).any(has)
    };
    assert!(mirror(|mirror| mirror.links_fetched_at.is_none()));
    assert!(mirror(|mirror| mirror.last_error_code.is_some()));
    assert!(mirror(|mirror| mirror.hosted_invoice_url.as_ref().is_some_and(|link| link.ends_with("generation=2"))));
}
