//! Plain invoices that fill lists and pages: one line each, written down as a table.

use chrono::TimeDelta;
use entity::{Instant, rental};

use super::{
    people::People,
    recipes::{Cast, monthly, overage, topup},
    rentals::Fleet,
};
use crate::demo::{
    DemoInvoice,
    calendar::{after, ago, now},
    draft::Draft,
    person::Person,
};

/// Links this old are not fresh any more.
const STALE_AFTER_DAYS: i64 = 9;

/// Whom a row bills.
type Who = fn(&People) -> &Person;

/// What a row bills.
#[derive(Clone, Copy)]
enum What {
    /// A declined top-up: when, and how many cents.
    Topup(&'static str, i64),
    /// Use of a rental that the wallet did not cover: from, until.
    Overage(fn(&Fleet) -> &rental::Model, [&'static str; 2]),
    /// The same, by mail.
    Monthly(fn(&Fleet) -> &rental::Model, [&'static str; 2]),
}

/// What became of a row: days and hours count from the moment it was issued.
#[derive(Clone, Copy)]
enum Then {
    Open,
    /// The card was declined, nothing came since.
    Declined,
    /// Paid after so many hours.
    Paid(i64),
    /// Declined at once, paid after so many hours.
    PaidLate(i64),
    /// Declined at once, written off after so many days.
    WrittenOff(i64),
    /// Withdrawn after so many hours.
    Void(i64),
    /// Never issued.
    Draft,
}

use Then::{Declined, Open, Paid, PaidLate, Void, WrittenOff};
use What::{Monthly, Overage, Topup};

// A table: one row, one line.
#[rustfmt::skip]
const ROWS: [(Who, What, Then); 33] = [
    (|p| &p.tobias, Topup("2025-12-02T20:15:00Z", 2_500), Paid(2)),
    (|p| &p.halden, Topup("2025-12-19T09:00:00Z", 100_000), Paid(26)),
    (|p| &p.piet, Topup("2025-12-28T03:40:00Z", 2_500), WrittenOff(60)),
    (|p| &p.brightwater, Monthly(|f| &f.routing, ["2025-12-01T00:00:00Z", "2026-01-01T00:00:00Z"]), Paid(410)),
    (|p| &p.tobias, Topup("2026-01-10T22:05:00Z", 2_500), PaidLate(40)),
    (|p| &p.piet, Overage(|f| &f.renders, ["2026-01-02T02:00:00Z", "2026-01-12T02:00:00Z"]), WrittenOff(58)),
    (|p| &p.falkenried, Topup("2026-01-21T07:00:00Z", 50_000), Paid(1)),
    (|p| &p.norrsken, Topup("2026-01-30T12:00:00Z", 25_000), Void(3)),
    (|p| &p.brightwater, Monthly(|f| &f.routing, ["2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"]), Paid(500)),
    (|p| &p.mara, Topup("2026-02-14T05:05:00Z", 10_000), Paid(12)),
    (|p| &p.piet, Overage(|f| &f.renders, ["2026-02-10T00:00:00Z", "2026-02-20T00:00:00Z"]), WrittenOff(45)),
    (|p| &p.tidepool, Topup("2026-02-27T18:30:00Z", 100_000), Paid(4)),
    (|p| &p.tidepool, Overage(|f| &f.screening, ["2026-03-04T08:00:00Z", "2026-03-09T08:00:00Z"]), Paid(20)),
    (|p| &p.tobias, Topup("2026-03-15T21:45:00Z", 2_500), Paid(1)),
    (|p| &p.mara, Topup("2026-03-21T04:10:00Z", 10_000), PaidLate(30)),
    (|p| &p.piet, Topup("2026-03-29T02:20:00Z", 5_000), Declined),
    (|p| &p.tidepool, Overage(|f| &f.screening, ["2026-04-06T08:00:00Z", "2026-04-08T14:30:00Z"]), Paid(3)),
    (|p| &p.tobias, Overage(|f| &f.comfy, ["2026-04-11T18:00:00Z", "2026-04-12T06:40:00Z"]), Paid(1)),
    (|p| &p.norrsken, Overage(|f| &f.stems, ["2026-04-20T09:00:00Z", "2026-04-22T09:00:00Z"]), Paid(5)),
    (|p| &p.mara, Topup("2026-04-25T06:30:00Z", 10_000), Paid(7)),
    (|p| &p.halden, Monthly(|f| &f.batch_b, ["2026-04-20T06:00:00Z", "2026-05-01T06:00:00Z"]), Paid(600)),
    (|p| &p.tidepool, Topup("2026-05-08T16:00:00Z", 25_000), Void(20)),
    (|p| &p.tobias, Topup("2026-05-17T20:50:00Z", 2_500), Paid(1)),
    (|p| &p.kumo, Overage(|f| &f.frames, ["2026-05-11T00:00:00Z", "2026-05-18T00:00:00Z"]), Paid(2)),
    (|p| &p.noor, Overage(|f| &f.arabic, ["2026-05-17T05:00:00Z", "2026-05-24T05:00:00Z"]), PaidLate(50)),
    (|p| &p.halden, Monthly(|f| &f.relax, ["2026-05-01T00:00:00Z", "2026-05-12T00:00:00Z"]), Open),
    (|p| &p.norrsken, Overage(|f| &f.stems, ["2026-05-28T09:00:00Z", "2026-05-29T21:00:00Z"]), Declined),
    (|p| &p.mara, Topup("2026-05-30T05:45:00Z", 10_000), Paid(9)),
    (|p| &p.kumo, Overage(|f| &f.frames, ["2026-05-25T00:00:00Z", "2026-06-01T00:00:00Z"]), Open),
    (|p| &p.noor, Overage(|f| &f.arabic, ["2026-05-30T00:00:00Z", "2026-06-05T00:00:00Z"]), Open),
    (|p| &p.tobias, Overage(|f| &f.comfy, ["2026-06-10T12:00:00Z", "2026-06-10T23:41:12Z"]), Open),
    (|p| &p.tidepool, Topup("2026-06-13T15:25:00Z", 25_000), Declined),
    (|p| &p.halden, Overage(|f| &f.relax, ["2026-06-14T00:00:00Z", "2026-06-14T20:00:00Z"]), Then::Draft),
];

/// Rows of the other company.
#[rustfmt::skip]
const OTHER_ROWS: [(Who, What, Then); 4] = [
    (|p| &p.castor, Topup("2026-04-14T10:00:00Z", 10_000), Paid(3)),
    (|p| &p.penhallow, Topup("2026-05-13T19:00:00Z", 5_000), PaidLate(28)),
    (|p| &p.castor, Overage(|f| &f.glaze, ["2026-05-10T07:00:00Z", "2026-05-12T07:00:00Z"]), Paid(1)),
    (|p| &p.penhallow, Topup("2026-06-09T21:00:00Z", 2_500), Open),
];

/// Every row as an invoice, with mirrors of all ages.
pub(super) fn background(cast: Cast<'_>) -> Vec<DemoInvoice> {
    let rows = ROWS.into_iter().chain(OTHER_ROWS);
    (1_i64..).zip(rows).map(|(number, row)| invoice(cast, number, row)).collect()
}

fn invoice(cast: Cast<'_>, number: i64, (who, what, then): (Who, What, Then)) -> DemoInvoice {
    let (who, name) = (who(cast.people), format!("plain-{number:02}"));
    let draft = match what {
        Topup(created, cents) => topup(who, &name, created, cents),
        Overage(rental, used) => overage(who, &name, rental(cast.fleet), used),
        Monthly(rental, used) => monthly(who, &name, rental(cast.fleet), used).taxed(),
    };
    if matches!(then, Then::Draft) {
        return draft.done(None);
    }
    let issued_at = after(draft.bill.invoice.created_at, TimeDelta::seconds(20));
    let settled = settle(draft.finalize(issued_at), issued_at, then);
    let read_at = read_at(number, &settled);
    let mirrored = settled.mirrored(read_at);
    let paid = mirrored.bill.invoice.paid_at.is_some();
    let receipted = if paid { mirrored.receipt(read_at) } else { mirrored };
    receipted.done(None)
}

fn settle(issued: Draft<'_>, issued_at: Instant, then: Then) -> Draft<'_> {
    let declined_at = after(issued_at, TimeDelta::seconds(25));
    let hours = |count| after(issued_at, TimeDelta::hours(count));
    match then {
        Then::Draft | Open => issued,
        Declined => issued.declined(declined_at, "card_declined"),
        Paid(count) => issued.paid(hours(count)),
        PaidLate(count) => issued.declined(declined_at, "insufficient_funds").paid(hours(count)),
        WrittenOff(days) => issued.declined(declined_at, "card_declined").write_off(hours(days * 24)),
        Void(count) => issued.void(hours(count)),
    }
}

/// Every fourth mirror is stale where the invoice is old enough; the others were read within the last two days.
fn read_at(number: i64, settled: &Draft<'_>) -> Instant {
    let last_change = settled.last_change();
    let stale = after(last_change, TimeDelta::minutes(2));
    let old_enough = now().utc() - stale.utc() > TimeDelta::days(STALE_AFTER_DAYS);
    if number % 4 == 0 && old_enough {
        stale
    } else {
        let recent = ago(TimeDelta::hours(1 + number));
        recent.max(after(last_change, TimeDelta::minutes(1)))
    }
}
