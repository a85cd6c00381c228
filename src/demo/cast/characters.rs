//! The named invoices of the demo: each shows one thing that happens to bills. Their ids never change.

use chrono::TimeDelta;
use entity::{BillingReason, Instant, LineItemKind, Minor, rental};
use serde_json::json;

use super::recipes::{Cast, monthly, overage, topup};
use crate::demo::{
    DemoInvoice,
    calendar::{after, ago, on},
    draft::{Actor, Draft},
    line::{LineDraft, Quantity},
    machine::item_of,
    usage::{Beside, daily_lines, extra_lines},
};

/// Every named invoice, in the order of the reference.
pub(super) fn characters(cast: Cast<'_>) -> Vec<DemoInvoice> {
    vec![
        declined_topup(cast),
        overage_week(cast),
        paid_with_receipt(cast),
        receipt_expired(cast),
        rotated_link(cast),
        stripe_never_heard(cast),
        three_attempts(cast),
        sca_required(cast),
        bank_debit_processing(cast),
        half_paid(cast),
        overpaid(cast),
        refunded_twice(cast),
        voided(cast),
        written_off_then_paid(cast),
        yen(cast),
        dinar(cast),
        reverse_charge(cast),
        two_taxes(cast),
        whale(cast),
        empty_draft(cast),
        drifted(cast),
        other_tenant(cast),
    ]
}

/// From start to stop.
fn all_of(rental: &rental::Model) -> [Instant; 2] {
    [rental.started_at, rental.stopped_at.unwrap_or(rental.started_at)]
}

fn hours_ago(hours: i64) -> Instant {
    ago(TimeDelta::hours(hours))
}

/// The invoice of document A, as the gateway would have made it itself.
fn declined_topup(cast: Cast<'_>) -> DemoInvoice {
    topup(&cast.people.mara, "declined-topup", "2026-06-07T04:14:22Z", 10_000)
        .finalize(on("2026-06-07T04:14:23Z"))
        .mirrored(hours_ago(5))
        .upstream(|mirror| {
            mirror.hosted_invoice_url = Some("https://invoice.stripe.com/i/acct_test/abc".to_owned());
            mirror.invoice_pdf_url = Some("https://pay.stripe.com/invoice/abc/pdf".to_owned());
        })
        .done(Some("declined-topup"))
}

/// A week that outran the wallet: two rentals, rate bands, a declined card and a part paid.
fn overage_week(cast: Cast<'_>) -> DemoInvoice {
    let (first, second) = (&cast.fleet.diffusion, &cast.fleet.evaluation);
    let created_at = on("2026-06-08T00:10:00Z");
    Draft::new(&cast.people.mara, "overage-week", BillingReason::Overage, created_at)
        .due_in(14)
        .rental(first)
        .lines(daily_lines(first, all_of(first)))
        .lines(daily_lines(second, all_of(second)))
        .lines(extra_lines(first, all_of(first), Beside { volume: 2_000, traffic: 1_310 }))
        .with(|invoice| {
            invoice.description = Some("Usage beyond the wallet, 1 to 7 June 2026".to_owned());
            invoice.metadata = json!({ "project": "diffusion-42", "cost_center": "research" });
            invoice.external_attributes = json!({ "meter": { "run": "2026-W23", "buckets": 238 } });
        })
        .finalize(on("2026-06-08T00:15:00Z"))
        .declined(on("2026-06-08T00:15:31Z"), "insufficient_funds")
        .paid_amount(on("2026-06-10T17:22:08Z"), 150_000)
        .mirrored(hours_ago(2))
        .receipt(hours_ago(2))
        .done(Some("overage-week"))
}

fn paid_with_receipt(cast: Cast<'_>) -> DemoInvoice {
    topup(&cast.people.tobias, "paid-with-receipt", "2026-06-11T20:30:00Z", 2_500)
        .finalize(on("2026-06-11T20:30:01Z"))
        .paid(on("2026-06-12T18:02:44Z"))
        .mirrored(hours_ago(3))
        .receipt(hours_ago(3))
        .done(Some("paid-with-receipt"))
}

/// Paid forty days ago; the receipt was read then and is dead at Stripe by now.
fn receipt_expired(cast: Cast<'_>) -> DemoInvoice {
    let paid_at = ago(TimeDelta::days(40));
    let read_at = after(paid_at, TimeDelta::seconds(90));
    topup(&cast.people.tobias, "receipt-expired", "2026-05-05T19:12:00Z", 5_000)
        .finalize(on("2026-05-05T19:12:01Z"))
        .paid(paid_at)
        .mirrored(read_at)
        .receipt(read_at)
        .done(Some("receipt-expired"))
}

/// A pay link that leaked and was replaced; the mirror holds the new one.
fn rotated_link(cast: Cast<'_>) -> DemoInvoice {
    let replaced_at = ago(TimeDelta::days(3));
    let used = ["2026-05-30T08:00:00Z", "2026-06-02T08:50:00Z"];
    overage(&cast.people.tidepool, "rotated-link", &cast.fleet.screening, used)
        .finalize(on("2026-06-02T09:00:40Z"))
        .mirrored(replaced_at)
        .upstream(|mirror| {
            for link in [&mut mirror.hosted_invoice_url, &mut mirror.invoice_pdf_url] {
                *link = link.take().map(|link| link + "?generation=2");
            }
        })
        .event(replaced_at, "links_refreshed", Actor::System, json!({ "reason": "rotated" }))
        .done(Some("rotated-link"))
}

/// Issued, but never sent to Stripe: there is no mirror, and nothing to pay at.
fn stripe_never_heard(cast: Cast<'_>) -> DemoInvoice {
    let used = ["2026-06-10T18:00:00Z", "2026-06-12T17:30:00Z"];
    overage(&cast.people.norrsken, "stripe-never-heard", &cast.fleet.stems, used)
        .finalize(on("2026-06-12T17:40:15Z"))
        .done(Some("stripe-never-heard"))
}

fn three_attempts(cast: Cast<'_>) -> DemoInvoice {
    topup(&cast.people.tidepool, "three-attempts", "2026-05-28T14:00:00Z", 25_000)
        .finalize(on("2026-05-28T14:00:01Z"))
        .declined(on("2026-05-28T14:00:20Z"), "card_declined")
        .declined(on("2026-05-30T14:00:00Z"), "insufficient_funds")
        .with_spare()
        .paid(on("2026-06-01T08:31:15Z"))
        .mirrored(hours_ago(9))
        .receipt(hours_ago(9))
        .done(Some("three-attempts"))
}

fn sca_required(cast: Cast<'_>) -> DemoInvoice {
    let used = ["2026-06-01T00:00:00Z", "2026-06-08T00:00:00Z"];
    overage(&cast.people.falkenried, "sca-required", &cast.fleet.simulation, used)
        .finalize(on("2026-06-08T00:10:25Z"))
        .action_required(on("2026-06-08T00:10:55Z"))
        .mirrored(hours_ago(1))
        .done(Some("sca-required"))
}

fn bank_debit_processing(cast: Cast<'_>) -> DemoInvoice {
    let (who, rental) = (&cast.people.brightwater, &cast.fleet.routing);
    let used = ["2026-05-01T00:00:00Z", "2026-06-01T00:00:00Z"];
    monthly(who, "bank-debit-processing", rental, used)
        .finalize(on("2026-06-01T06:05:00Z"))
        .debit_underway(on("2026-06-12T13:00:00Z"))
        .mirrored(hours_ago(4))
        .done(Some("bank-debit-processing"))
}

fn half_paid(cast: Cast<'_>) -> DemoInvoice {
    let (who, rental) = (&cast.people.brightwater, &cast.fleet.routing);
    let used = ["2026-04-01T00:00:00Z", "2026-05-01T00:00:00Z"];
    let issued = monthly(who, "half-paid", rental, used).finalize(on("2026-05-01T06:05:00Z"));
    let half = issued.bill.invoice.amount_due.0 / 2;
    issued
        .paid_amount(on("2026-06-03T12:45:00Z"), half)
        .mirrored(hours_ago(6))
        .receipt(hours_ago(6))
        .done(Some("half-paid"))
}

fn overpaid(cast: Cast<'_>) -> DemoInvoice {
    let (who, rental) = (&cast.people.brightwater, &cast.fleet.routing);
    let used = ["2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z"];
    let issued = monthly(who, "overpaid", rental, used).finalize(on("2026-04-01T06:05:00Z"));
    let too_much = issued.bill.invoice.amount_due.0 + 5_000;
    issued
        .paid_amount(on("2026-04-28T09:10:00Z"), too_much)
        .mirrored(hours_ago(7))
        .receipt(hours_ago(7))
        .done(Some("overpaid"))
}

fn refunded_twice(cast: Cast<'_>) -> DemoInvoice {
    let used = ["2026-05-09T18:00:00Z", "2026-05-10T19:19:00Z"];
    overage(&cast.people.tobias, "refunded-twice", &cast.fleet.comfy, used)
        .finalize(on("2026-05-10T19:29:20Z"))
        .paid(on("2026-05-10T19:29:48Z"))
        .refunded(on("2026-05-14T10:30:00Z"), 0, 400)
        .refunded(on("2026-05-21T15:05:00Z"), 0, 250)
        .mirrored(hours_ago(11))
        .receipt(hours_ago(11))
        .done(Some("refunded-twice"))
}

fn voided(cast: Cast<'_>) -> DemoInvoice {
    let migration = "Migration of two datasets (billed twice by mistake)";
    let created_at = on("2026-05-22T10:00:00Z");
    Draft::new(&cast.people.halden, "voided", BillingReason::Manual, created_at)
        .net(30)
        .line(LineDraft::flat(LineItemKind::OneOff, migration, 48_000))
        .finalize(on("2026-05-22T10:12:00Z"))
        .void(on("2026-05-25T07:40:00Z"))
        .mirrored(hours_ago(8))
        .done(Some("voided"))
}

fn written_off_then_paid(cast: Cast<'_>) -> DemoInvoice {
    let used = ["2025-11-30T03:15:00Z", "2025-12-14T01:00:00Z"];
    overage(&cast.people.piet, "written-off-then-paid", &cast.fleet.renders, used)
        .finalize(on("2025-12-14T01:10:30Z"))
        .declined(on("2025-12-14T01:11:15Z"), "card_declined")
        .declined(on("2025-12-21T05:00:00Z"), "card_declined")
        .write_off(on("2026-02-15T09:00:00Z"))
        .with_spare()
        .paid(on("2026-04-03T22:18:00Z"))
        .mirrored(hours_ago(12))
        .receipt(hours_ago(12))
        .done(Some("written-off-then-paid"))
}

/// A currency without decimals.
fn yen(cast: Cast<'_>) -> DemoInvoice {
    let used = ["2026-06-09T00:00:00Z", "2026-06-09T09:26:31Z"];
    overage(&cast.people.kumo, "yen", &cast.fleet.frames, used)
        .finalize(on("2026-06-09T09:37:00Z"))
        .mirrored(hours_ago(10))
        .done(Some("yen"))
}

/// A currency with three decimals.
fn dinar(cast: Cast<'_>) -> DemoInvoice {
    let used = ["2026-06-06T00:00:00Z", "2026-06-08T11:12:13Z"];
    overage(&cast.people.noor, "dinar", &cast.fleet.arabic, used)
        .finalize(on("2026-06-08T11:22:30Z"))
        .paid(on("2026-06-08T11:23:02Z"))
        .mirrored(hours_ago(13))
        .receipt(hours_ago(13))
        .done(Some("dinar"))
}

fn reverse_charge(cast: Cast<'_>) -> DemoInvoice {
    let used = ["2026-05-25T07:00:00Z", "2026-06-01T00:00:00Z"];
    overage(&cast.people.falkenried, "reverse-charge", &cast.fleet.simulation, used)
        .with(|invoice| invoice.memo = Some("The tax is owed by the recipient (reverse charge).".to_owned()))
        .finalize(on("2026-06-01T00:10:25Z"))
        .paid(on("2026-06-01T00:11:10Z"))
        .mirrored(hours_ago(14))
        .receipt(hours_ago(14))
        .done(Some("reverse-charge"))
}

fn two_taxes(cast: Cast<'_>) -> DemoInvoice {
    let used = ["2026-05-29T12:00:00Z", "2026-06-05T12:00:00Z"];
    let support = LineDraft::flat(LineItemKind::Fee, "Priority support, one week", 17_500);
    let (who, rental) = (&cast.people.brightwater_canada, &cast.fleet.forecast);
    monthly(who, "two-taxes", rental, used)
        .line(support.during(on("2026-05-29T12:00:00Z"), on("2026-06-05T12:00:00Z")))
        .taxed()
        .finalize(on("2026-06-05T18:03:00Z"))
        .mirrored(hours_ago(15))
        .done(Some("two-taxes"))
}

/// A thousand lines: one per job of a batch that ran on three rentals.
fn whale(cast: Cast<'_>) -> DemoInvoice {
    let created_at = on("2026-05-31T08:00:00Z");
    Draft::new(&cast.people.halden, "whale", BillingReason::Manual, created_at)
        .net(30)
        .rental(&cast.fleet.batch_a)
        .lines((0..1_000).map(|job| whale_line(cast, job)))
        .finalize(on("2026-05-31T08:20:00Z"))
        .mirrored(hours_ago(16))
        .done(Some("whale"))
}

/// Jobs start 58 minutes apart, take 15 to 55 minutes and go round the three rentals.
fn whale_line(cast: Cast<'_>, job: i64) -> LineDraft {
    let rental = match job % 3 {
        0 => &cast.fleet.batch_a,
        1 => &cast.fleet.batch_b,
        _ => &cast.fleet.relax,
    };
    let start = after(on("2026-04-20T07:00:00Z"), TimeDelta::minutes(job * 58));
    let seconds = 900 + job * 37 % 2_400;
    let quantity = Quantity::hours(i64::from(rental.gpu_count), seconds);
    let number = job + 1;
    let description = format!("Job {number:04} on {}", rental.name.as_deref().unwrap_or_default());
    LineDraft::of(LineItemKind::Usage, &description, item_of(rental), quantity)
        .billing(rental)
        .during(start, after(start, TimeDelta::seconds(seconds)))
        .with(|row| row.metadata = json!({ "job": number.to_string() }))
}

fn empty_draft(cast: Cast<'_>) -> DemoInvoice {
    let created_at = on("2026-06-14T15:30:00Z");
    Draft::new(&cast.people.halden, "empty-draft", BillingReason::Manual, created_at).done(Some("empty-draft"))
}

/// Someone changed the invoice at Stripe: its amounts are not ours.
fn drifted(cast: Cast<'_>) -> DemoInvoice {
    let used = ["2026-06-02T09:00:00Z", "2026-06-04T09:50:00Z"];
    overage(&cast.people.tidepool, "drifted", &cast.fleet.screening, used)
        .finalize(on("2026-06-04T10:00:45Z"))
        .mirrored(hours_ago(2))
        .upstream(|mirror| {
            mirror.upstream_amount_due = Some(Minor(48_760));
            mirror.upstream_amount_paid = Some(Minor(5_000));
        })
        .done(Some("drifted"))
}

/// An invoice of the other company, which must never show.
fn other_tenant(cast: Cast<'_>) -> DemoInvoice {
    let used = ["2026-06-04T07:00:00Z", "2026-06-06T19:00:00Z"];
    overage(&cast.people.castor, "other-tenant", &cast.fleet.glaze, used)
        .finalize(on("2026-06-06T19:10:20Z"))
        .declined(on("2026-06-06T19:10:50Z"), "expired_card")
        .mirrored(hours_ago(5))
        .done(Some("other-tenant"))
}
