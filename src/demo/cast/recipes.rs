//! The usual sorts of demo invoices, ready to be finalized.

use chrono::TimeDelta;
use entity::{BillingReason, LineItemKind, Minor, rental};

use super::{people::People, rentals::Fleet, subscriptions::Plans};
use crate::demo::{
    calendar::{after, on},
    draft::Draft,
    line::LineDraft,
    person::Person,
    usage::plain_line,
};

/// Who and what invoices are made of.
#[derive(Clone, Copy)]
pub(super) struct Cast<'a> {
    pub(super) people: &'a People,
    pub(super) fleet: &'a Fleet,
    pub(super) plans: &'a Plans,
}

/// A top-up that the card refused, now to be paid by hand.
pub(super) fn topup<'a>(who: &'a Person, name: &str, created: &str, cents: i64) -> Draft<'a> {
    Draft::topup(who, name, on(created), Minor(cents))
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
    plain_line(kind, rental, [on(start), on(end)])
}
