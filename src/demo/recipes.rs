//! The usual sorts of demo invoices, ready to be finalized.

use chrono::TimeDelta;
use entity::{BillingReason, LineItemKind, Minor, rental};

use super::{
    calendar::{after, on},
    draft::Draft,
    line::{LineDraft, Quantity},
    people::{People, Person},
    rentals::{Fleet, item_of},
    subscriptions::Plans,
};
use crate::domain::money::Money;

/// Who and what invoices are made of.
#[derive(Clone, Copy)]
pub(super) struct Cast<'a> {
    pub(super) people: &'a People,
    pub(super) fleet: &'a Fleet,
    pub(super) plans: &'a Plans,
}

/// A top-up that the card refused, now to be paid by hand.
pub(super) fn topup<'a>(who: &'a Person, name: &str, created: &str, cents: i64) -> Draft<'a> {
    let money = Money::new(Minor(cents), &who.currency());
    let amount = match money.currency.0.as_str() {
        "USD" => format!("${}", money.amount()),
        _ => money.formatted(),
    };
    let description = format!("Auto-topup of {amount} (card declined)");
    Draft::new(who, name, BillingReason::TopupFailed, on(created)).due_in(7).line(LineDraft::flat(
        LineItemKind::TopUp,
        &description,
        cents,
    ))
}

/// Use of a rental that the wallet did not cover, from the first moment until before the second; made ten minutes
/// after it, taxed as the customer is.
pub(super) fn overage<'a>(who: &'a Person, name: &str, rental: &rental::Model, used: [&str; 2]) -> Draft<'a> {
    let [_, until] = used;
    let created_at = after(on(until), TimeDelta::minutes(10));
    Draft::new(who, name, BillingReason::Overage, created_at)
        .due_in(14)
        .rental(rental)
        .line(usage(LineItemKind::Overage, rental, used))
        .taxed()
}

/// An invoice by mail for the use of a rental, with thirty days to pay; not taxed yet.
pub(super) fn monthly<'a>(who: &'a Person, name: &str, rental: &rental::Model, used: [&str; 2]) -> Draft<'a> {
    let [_, until] = used;
    let created_at = after(on(until), TimeDelta::hours(6));
    Draft::new(who, name, BillingReason::Manual, created_at)
        .net(30)
        .rental(rental)
        .line(usage(LineItemKind::Usage, rental, used))
        .with(|invoice| {
            invoice.purchase_order = Some("PO-771203".to_owned());
            invoice.reference = Some(format!("{}-{name}", who.row.alias.as_deref().unwrap_or_default()));
            invoice.memo = Some("Thank you for your business.".to_owned());
        })
}

/// A line for every GPU of a rental, for every second of a span.
pub(super) fn usage(kind: LineItemKind, rental: &rental::Model, [start, end]: [&str; 2]) -> LineDraft {
    let (item, start, end) = (item_of(rental), on(start), on(end));
    let lasted = (end.utc() - start.utc()).num_seconds();
    let description = format!("{}× {} on {}", rental.gpu_count, item.title, rental.name.as_deref().unwrap_or_default());
    let quantity = Quantity::hours(i64::from(rental.gpu_count), lasted);
    LineDraft::of(kind, &description, item, quantity).billing(rental).during(start, end)
}
