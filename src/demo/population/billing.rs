//! From what is due to invoices: lines, discounts, taxes, credits, then what became of them and how Stripe has them.

use chrono::TimeDelta;
use entity::{BillingReason, Instant, InvoiceStatus, LineItemKind, Minor, rental};

use super::{
    chance::Chance,
    meter::{Due, Span, Story, What},
    people::Customer,
};
use crate::demo::{
    DemoInvoice,
    calendar::after,
    catalogue::RESERVED,
    draft::Draft,
    line::{LineDraft, Quantity},
    usage::{Beside, daily_lines, extra_lines, plain_line},
};

/// The integer ids of simulated invoices start here, above those of the cast.
const LEGACY_NUMBER_FIRST: i64 = 1_100_000_000;

/// Integer ids of one customer.
const LEGACY_NUMBERS: i64 = 10_000;

/// Coupons of whole invoices, with what they take off in percent.
const COUPONS: [(&str, &str, i64); 3] =
    [("SPRING10", "Spring 2026, 10 %", 10), ("RESEARCH20", "Research, 20 %", 20), ("WELCOME5", "Welcome, 5 %", 5)];

/// Every invoice of a customer, oldest first, with their numbers.
pub(super) fn invoices(customer: &Customer, story: &Story, chance: &mut Chance, now: Instant) -> Vec<DemoInvoice> {
    let legacy = LEGACY_NUMBER_FIRST + i64::from(customer.number) * LEGACY_NUMBERS;
    let bills = (0_i64..).zip(&story.dues).map(|(place, due)| {
        let name = format!("{}-{}", customer.mark(), place + 1);
        let draft = draft(customer, &story.rentals, &name, due);
        let mut entry = issued(draft, due, chance, now);
        entry.bill.invoice.legacy_number = Some(legacy + place);
        entry
    });
    let mut invoices: Vec<DemoInvoice> = bills.collect();
    let mut issued: Vec<_> = invoices.iter_mut().map(|entry| &mut entry.bill.invoice).collect();
    issued.retain(|invoice| invoice.status != InvoiceStatus::Draft);
    issued.sort_by_key(|invoice| (invoice.finalized_at, invoice.legacy_number));
    for (number, invoice) in (1_u32..).zip(issued) {
        invoice.number = Some(format!("{}-{number:04}", customer.prefix));
    }
    invoices
}

fn draft<'a>(customer: &'a Customer, rentals: &[rental::Model], name: &str, due: &Due) -> Draft<'a> {
    let who = &customer.person;
    let of = |span: &Span| rentals.get(span.rental).map(|rental| (rental, span.time));
    let first = |spans: &[Span]| spans.first().and_then(of).map(|(rental, _)| rental);
    let bare = |reason| Draft::new(who, name, reason, due.at);
    match &due.what {
        What::Topup(amount) => Draft::topup(who, name, due.at, Minor(*amount)),
        What::Overage(spans) => {
            let lines = spans.iter().filter_map(of).flat_map(|(rental, time)| daily_lines(rental, time));
            let bill = about(bare(BillingReason::Overage), first(spans)).due_in(due.days).lines(lines);
            bill.lines(storage(customer, spans.iter().filter_map(of)))
        }
        What::Monthly(spans) => {
            let lines = spans.iter().filter_map(of);
            let lines = lines.map(|(rental, time)| plain_line(LineItemKind::Usage, rental, time));
            let bill = about(bare(BillingReason::Manual), first(spans)).net(30).lines(lines);
            let bill = bill.lines(storage(customer, spans.iter().filter_map(of)));
            bill.with(|invoice| {
                invoice.purchase_order = Some(format!("PO-{:06}", customer.number));
                invoice.memo = Some("Thank you for your business.".to_owned());
            })
        }
        What::Reserved(month, first) => {
            let reason = if *first { BillingReason::SubscriptionCreate } else { BillingReason::SubscriptionCycle };
            reserved(customer, bare(reason), *month).due_in(due.days)
        }
        What::Service(service, amount) => {
            bare(BillingReason::Manual).net(30).line(LineDraft::flat(LineItemKind::OneOff, service, *amount))
        }
    }
}

/// What companies keep beside their GPUs while they run: a volume, an address, traffic.
fn storage<'a>(customer: &Customer, spans: impl Iterator<Item = (&'a rental::Model, [Instant; 2])>) -> Vec<LineDraft> {
    let company = customer.person.row.is_company == Some(true);
    let long = spans.filter(|(_, [start, end])| company && (end.utc() - start.utc()).num_hours() >= 6);
    let beside = |rental: &rental::Model| Beside {
        volume: 250 * i64::from(rental.gpu_count),
        traffic: 40 * i64::from(rental.gpu_count),
    };
    long.flat_map(|(rental, time)| extra_lines(rental, time, beside(rental))).collect()
}

fn about<'a>(draft: Draft<'a>, rental: Option<&rental::Model>) -> Draft<'a> {
    match rental {
        Some(rental) => draft.rental(rental),
        None => draft,
    }
}

fn reserved<'a>(customer: &Customer, draft: Draft<'a>, [start, end]: [Instant; 2]) -> Draft<'a> {
    let Some((plan, count)) = &customer.reserved else {
        return draft;
    };
    let key = plan.external_id.as_deref().unwrap_or_default();
    let description = format!("{count} reserved H100, {}", start.utc().format("%B %Y"));
    let line = LineDraft::of(LineItemKind::Recurring, &description, RESERVED, Quantity::units(*count))
        .subscribed(key, &format!("{key}_h100"))
        .during(start, end);
    draft.subscription(plan).line(line)
}

/// Discounts, taxes and credits; then it is issued, unless it is forgotten as a draft.
fn issued(draft: Draft<'_>, due: &Due, chance: &mut Chance, now: Instant) -> DemoInvoice {
    let discounted = !matches!(due.what, What::Topup(_)) && chance.per_mille(170);
    let (coupon, title, percent) = chance.any(&COUPONS);
    let draft = if discounted { draft.coupon(coupon, title, percent) } else { draft };
    let draft = if matches!(due.what, What::Topup(_)) { draft } else { draft.taxed() };
    let credited = matches!(due.what, What::Overage(_) | What::Monthly(_)) && chance.per_mille(110);
    let credit = chance.between(5, 40);
    let draft = if credited { draft.credited(credit) } else { draft };
    let forgotten = matches!(due.what, What::Service(..)) && chance.per_mille(230);
    let issued_at = after(due.at, TimeDelta::seconds(20));
    if forgotten || issued_at > now {
        return draft.done(None);
    }
    mirrored(due.fate.befall(draft.finalize(issued_at)), chance, now).done(None)
}

/// How Stripe has it: read lately, read long ago, never read, gone, changed there, or with new links.
fn mirrored<'a>(draft: Draft<'a>, chance: &mut Chance, now: Instant) -> Draft<'a> {
    let known = after(draft.last_change(), TimeDelta::minutes(2)).min(now);
    let lately = after(now, -TimeDelta::minutes(chance.between(5, 2 * 1_440))).max(known);
    let state = chance.mostly(0, &[(240, 1), (50, 2), (20, 3), (30, 4), (20, 5)]);
    if state == 2 {
        return draft.mirror_unread();
    }
    let read_at = if state == 1 { known } else { lately };
    let elsewhere = draft.bill.invoice.paid_out_of_band;
    let paid = draft.bill.invoice.amount_paid.0 > 0 && !elsewhere;
    let draft = draft.mirrored(read_at);
    let draft = if paid { draft.receipt(read_at) } else { draft };
    draft.upstream(|mirror| match state {
        3 => {
            mirror.last_error_code = Some("NOT_FOUND".to_owned());
            mirror.last_error_at = Some(now);
            mirror.fetch_failures = 3;
        }
        4 => mirror.upstream_amount_due = Some(Minor(1_234)),
        5 => {
            for link in [&mut mirror.hosted_invoice_url, &mut mirror.invoice_pdf_url] {
                *link = link.take().map(|link| link + "?generation=2");
            }
        }
        _ => {}
    })
}
