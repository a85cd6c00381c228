//! Unnamed invoices that show the rarer parts of a bill: subscriptions, discounts, credits, balances, errors.

use chrono::TimeDelta;
use entity::{BillingReason, Instant, LineItemKind, Minor, invoice_change};
use serde_json::json;

use super::recipes::{Cast, monthly, overage, topup, usage};
use crate::demo::{
    DemoInvoice,
    calendar::{after, ago, on},
    catalogue::RESERVED,
    draft::{Actor, Draft},
    line::{LineDraft, Quantity},
};

/// The subscription item whose number of GPUs changes in May.
const SEATS: &str = "si_demo_reserved_h100";

/// Every invoice of this file.
pub(super) fn specials(cast: Cast<'_>) -> Vec<DemoInvoice> {
    vec![
        reserved_may(cast),
        reserved_june(cast),
        hosting_june(cast),
        coupon_and_line_discount(cast),
        applied_credits(cast),
        from_balance(cast),
        refused_by_the_tax_office(cast),
        onboarding(cast),
        by_wire(cast),
        gone_upstream(cast),
        never_read(cast),
    ]
}

fn hours_ago(hours: i64) -> Instant {
    ago(TimeDelta::hours(hours))
}

/// The first month of reserved capacity.
fn reserved_may(cast: Cast<'_>) -> DemoInvoice {
    let created_at = on("2026-05-01T00:00:05Z");
    let month = [on("2026-05-01T00:00:00Z"), on("2026-06-01T00:00:00Z")];
    let who = &cast.people.tidepool;
    Draft::new(who, "reserved-may", BillingReason::SubscriptionCreate, created_at)
        .subscription(&cast.plans.reserved)
        .due_in(7)
        .line(seats("4 reserved H100, May 2026", 4, month))
        .finalize(after(created_at, TimeDelta::seconds(4)))
        .paid(after(created_at, TimeDelta::seconds(16)))
        .mirrored(ago(TimeDelta::days(17)))
        .receipt(ago(TimeDelta::days(17)))
        .done(None)
}

/// The second month: the customer doubled the GPUs on 16 May, which this invoice prorates.
fn reserved_june(cast: Cast<'_>) -> DemoInvoice {
    let created_at = on("2026-06-01T00:00:05Z");
    let month = [on("2026-06-01T00:00:00Z"), on("2026-07-01T00:00:00Z")];
    let changed_at = on("2026-05-16T00:00:00Z");
    let rest = [changed_at, on("2026-06-01T00:00:00Z")];
    let (unused, added) = (prorated(4 * 149_000), prorated(8 * 149_000));
    let proration = |description: &str, cents: i64, external_id: &str| {
        let [start, end] = rest;
        LineDraft::flat(LineItemKind::Adjustment, description, cents)
            .during(start, end)
            .subscribed("sub_demo_reserved", SEATS)
            .with(|row| {
                row.is_proration = true;
                row.external_id = Some(external_id.to_owned());
            })
    };
    let who = &cast.people.tidepool;
    Draft::new(who, "reserved-june", BillingReason::SubscriptionCycle, created_at)
        .subscription(&cast.plans.reserved)
        .due_in(7)
        .line(seats("8 reserved H100, June 2026", 8, month))
        .line(proration("Unused time of 4 reserved H100 after 16 May", -unused, "il_demo_4_h100"))
        .line(proration("Remaining time of 8 reserved H100 after 16 May", added, "il_demo_8_h100"))
        .change(invoice_change::Model {
            occurred_at: changed_at,
            description: "Reserved H100: from 4 to 8".to_owned(),
            subtotal: Minor(added - unused),
            start_quantity: 4,
            end_quantity: 8,
            start_item_ids: json!(["il_demo_4_h100"]),
            end_item_ids: json!(["il_demo_8_h100"]),
            ..Default::default()
        })
        .with(|invoice| {
            invoice.period_start = month.first().copied();
            invoice.period_end = month.last().copied();
        })
        .finalize(after(created_at, TimeDelta::seconds(4)))
        .declined(after(created_at, TimeDelta::seconds(15)), "card_declined")
        .with_spare()
        .paid(on("2026-06-03T16:08:40Z"))
        .mirrored(hours_ago(20))
        .receipt(hours_ago(20))
        .done(None)
}

/// 16 of the 31 days of May, rounded half up to the cent.
const fn prorated(cents: i64) -> i64 {
    (cents * 16 * 2 + 31) / (31 * 2)
}

fn seats(description: &str, count: i64, [start, end]: [Instant; 2]) -> LineDraft {
    LineDraft::of(LineItemKind::Recurring, description, RESERVED, Quantity::units(count))
        .subscribed("sub_demo_reserved", SEATS)
        .during(start, end)
}

/// A subscription at the other company, due and not paid.
fn hosting_june(cast: Cast<'_>) -> DemoInvoice {
    let created_at = on("2026-06-01T00:00:20Z");
    let line = LineDraft::of(LineItemKind::Recurring, "1 reserved H100, June 2026", RESERVED, Quantity::units(1));
    let line = line.subscribed("sub_demo_hosting", "si_demo_hosting_h100");
    let who = &cast.people.castor;
    Draft::new(who, "hosting-june", BillingReason::SubscriptionCycle, created_at)
        .subscription(&cast.plans.hosting)
        .due_in(7)
        .line(line.during(on("2026-06-01T00:00:00Z"), on("2026-07-01T00:00:00Z")))
        .taxed()
        .finalize(after(created_at, TimeDelta::seconds(3)))
        .mirrored(hours_ago(30))
        .done(None)
}

/// One line is reduced, the whole invoice has a coupon, and tax is due on the rest.
fn coupon_and_line_discount(cast: Cast<'_>) -> DemoInvoice {
    let rental = &cast.fleet.stems;
    let created_at = on("2026-05-18T09:20:00Z");
    let first = usage(LineItemKind::Overage, rental, ["2026-05-11T09:00:00Z", "2026-05-13T21:00:00Z"]);
    let second = usage(LineItemKind::Overage, rental, ["2026-05-15T18:00:00Z", "2026-05-18T09:00:00Z"]);
    let who = &cast.people.norrsken;
    Draft::new(who, "coupon", BillingReason::Overage, created_at)
        .due_in(14)
        .rental(rental)
        .line(first)
        .line(second.reduced("Weekend rate", "WEEKEND-15", 15))
        .coupon("SPRING10", "Spring 2026, 10 %", 10)
        .taxed()
        .finalize(after(created_at, TimeDelta::seconds(12)))
        .paid(after(created_at, TimeDelta::seconds(44)))
        .mirrored(hours_ago(50))
        .receipt(hours_ago(50))
        .done(None)
}

/// Credits granted after an outage pay a part.
fn applied_credits(cast: Cast<'_>) -> DemoInvoice {
    let used = ["2026-05-04T08:00:00Z", "2026-05-06T20:00:00Z"];
    overage(&cast.people.tidepool, "credits", &cast.fleet.screening, used)
        .with(|invoice| {
            invoice.applied_credits = Minor(12_000);
            invoice.memo = Some("Less the credit for the outage of 2 May.".to_owned());
        })
        .finalize(on("2026-05-06T20:10:20Z"))
        .paid(on("2026-05-06T20:11:02Z"))
        .mirrored(hours_ago(26))
        .receipt(hours_ago(26))
        .done(None)
}

/// The customer's balance pays a part: 100.00 before, 65.00 taken, 35.00 left.
fn from_balance(cast: Cast<'_>) -> DemoInvoice {
    let used = ["2026-06-05T12:00:00Z", "2026-06-11T16:45:00Z"];
    overage(&cast.people.tidepool, "balance", &cast.fleet.screening, used)
        .balance(10_000, -6_500)
        .finalize(on("2026-06-11T16:55:30Z"))
        .mirrored(hours_ago(31))
        .done(None)
}

/// Stripe refused to finalize it: the customer's address does not tell where tax is due.
fn refused_by_the_tax_office(cast: Cast<'_>) -> DemoInvoice {
    let (who, rental) = (&cast.people.brightwater_canada, &cast.fleet.forecast);
    monthly(who, "unplaceable", rental, ["2026-05-22T12:00:00Z", "2026-05-29T12:00:00Z"])
        .taxed()
        .with(|invoice| {
            invoice.last_finalization_error = Some(json!({
                "code": "customer_tax_location_invalid",
                "message": "The customer's address does not tell where tax is due.",
                "type": "invalid_request_error",
                "param": "customer",
                "doc_url": "https://docs.stripe.com/error-codes#customer-tax-location-invalid",
                "decline_code": null,
                "advice_code": null,
                "network_advice_code": null,
                "network_decline_code": null,
                "payment_method_type": null,
            }));
        })
        .event(
            on("2026-05-29T18:02:00Z"),
            "finalization_failed",
            Actor::Stripe,
            json!({ "code": "customer_tax_location_invalid" }),
        )
        .mirror_unread()
        .done(None)
}

/// A setup fee on top of the price of the line.
fn onboarding(cast: Cast<'_>) -> DemoInvoice {
    let who = &cast.people.falkenried;
    let created_at = on("2026-05-20T08:30:00Z");
    let hosts = LineDraft::flat(LineItemKind::OneOff, "Private network between two hosts", 9_900);
    let (first, last) = (who.row.first_name.as_deref(), who.row.last_name.as_deref());
    let contact = [first, last].into_iter().flatten().collect::<Vec<_>>().join(" ");
    Draft::new(who, "onboarding", BillingReason::Manual, created_at)
        .net(14)
        .line(hosts.with(|row| {
            row.setup_fee = Some(Minor(25_000));
            row.details = Some("Set up once, then kept as long as both hosts run.".to_owned());
        }))
        .taxed()
        .with(|invoice| invoice.external_attributes = json!({ "erp": { "document": "RE-88121", "contact": contact } }))
        .finalize(after(created_at, TimeDelta::minutes(9)))
        .paid(on("2026-05-29T06:00:12Z"))
        .mirrored(hours_ago(18))
        .receipt(hours_ago(18))
        .done(None)
}

/// Paid by a wire that never passed through Stripe.
fn by_wire(cast: Cast<'_>) -> DemoInvoice {
    let used = ["2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"];
    monthly(&cast.people.brightwater, "by-wire", &cast.fleet.routing, used)
        .finalize(on("2026-03-01T06:05:00Z"))
        .paid_elsewhere(on("2026-03-24T14:00:00Z"), "wire-20260324-0417")
        .mirrored(hours_ago(22))
        .done(None)
}

/// Stripe answered that it does not know the invoice any more.
fn gone_upstream(cast: Cast<'_>) -> DemoInvoice {
    topup(&cast.people.piet, "gone-upstream", "2026-01-09T03:00:00Z", 2_500)
        .finalize(on("2026-01-09T03:00:01Z"))
        .declined(on("2026-01-09T03:00:19Z"), "card_declined")
        .write_off(on("2026-03-12T09:00:00Z"))
        .mirrored(on("2026-01-09T03:01:00Z"))
        .upstream(|mirror| {
            mirror.last_error_code = Some("NOT_FOUND".to_owned());
            mirror.last_error_at = Some(on("2026-06-14T02:30:00Z"));
            mirror.fetch_failures = 3;
        })
        .done(None)
}

/// Sent to Stripe, but nobody has asked for its links yet.
fn never_read(cast: Cast<'_>) -> DemoInvoice {
    let used = ["2026-06-13T00:00:00Z", "2026-06-14T00:00:00Z"];
    overage(&cast.people.halden, "never-read", &cast.fleet.relax, used)
        .finalize(on("2026-06-14T00:10:30Z"))
        .mirror_unread()
        .done(None)
}
