//! The rules that every native invoice keeps: its amounts, its states and moments, its history.
//!
//! One function for each rule, all of them in [`RULES`]. The sums themselves are those of `integrity`, which compares
//! them with what imported documents state; here they are compared with what the rows hold.

use entity::{Instant, InvoiceStatus, Minor, PaymentKind, PaymentStatus, invoice_event, payment};

use super::bill::{Bill, BillLine, Issue};
use super::decimal::Decimal;
use super::integrity::{self, code, sum};
use super::invoice::amount_remaining;
use super::money;

/// A native invoice with all that its rules speak of.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The invoice and everything under it.
    pub bill: &'a Bill,
    /// Its history, oldest first.
    pub events: &'a [invoice_event::Model],
    /// How many issued native invoices of the tenant have its number, itself among them; 0 when it has none.
    pub namesakes: i64,
}

/// A rule.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// What a breach of it is called, in upper case: stable, for programs.
    pub name: &'static str,
    /// What holds, in words.
    pub says: &'static str,
    check: fn(&Subject<'_>, &mut Breaches),
}

/// Every rule, in the order of the calculation.
pub const RULES: [Rule; 22] = [
    rule(code::LINE_SUBTOTAL_MISMATCH, "a line's subtotal is quantity times unit price plus setup fee", line_subtotals),
    rule(code::SUB_LINES_MISMATCH, "a line without unit price is the sum of its parts plus setup fee", sub_lines),
    rule("SUB_LINE_AMOUNT_MISMATCH", "a part of a line is quantity times unit price", sub_line_amounts),
    rule("LINE_DISCOUNT_MISMATCH", "a line's discount is the sum of its discounts", line_discounts),
    rule(code::LINE_AMOUNT_MISMATCH, "a line's amount is subtotal less discount, plus tax it includes", line_amounts),
    rule(code::SUBTOTAL_MISMATCH, "the subtotal is the sum of the lines less their discounts", subtotal),
    rule(code::DISCOUNT_TOTAL_MISMATCH, "the discount is the sum of the invoice's own discounts", discount_total),
    rule(code::TAX_TOTAL_MISMATCH, "the tax is the sum of the taxes", tax_total),
    rule(code::TOTAL_MISMATCH, "the total is subtotal less discount, plus tax that prices do not include", total),
    rule(code::BALANCE_MISMATCH, "the balance afterwards is the one before plus what was applied", balance),
    rule(
        code::AMOUNT_DUE_MISMATCH,
        "the amount due is total less credits plus balance applied, at least 0",
        amount_due,
    ),
    rule(code::AMOUNT_PAID_MISMATCH, "the amount paid is the sum of payments that succeeded", amount_paid),
    rule("AMOUNT_REFUNDED_MISMATCH", "the amount refunded is the sum of refunds that succeeded", amount_refunded),
    rule("PAYMENT_REFUNDED_MISMATCH", "what went back of a payment is the sum of its refunds", payment_refunded),
    rule("REFUNDED_BEYOND_PAID", "no more goes back than was paid, in all and of each payment", refunded_beyond_paid),
    rule("CURRENCY_MISMATCH", "payments are in the currency of the invoice", currency),
    rule("STATUS_TIMESTAMP_MISMATCH", "each state has its moment, and no other has it", status_timestamps),
    rule("TIMESTAMPS_OUT_OF_ORDER", "made, then issued, then paid, void or written off", timestamp_order),
    rule("SETTLEMENT_MISMATCH", "nothing remains of a paid invoice, nothing was paid of a void one", settlement),
    rule("POSITION_REPEATED", "lines, their parts and taxes have positions of their own", positions),
    rule("NUMBER_REPEATED", "no other issued invoice of the tenant has the number", number),
    rule("HISTORY_MISMATCH", "the history leads from state to state to the present one", history),
];

const fn rule(name: &'static str, says: &'static str, check: fn(&Subject<'_>, &mut Breaches)) -> Rule {
    Rule { name, says, check }
}

/// Everything that does not hold, by rule. Amounts are in major units of the invoice's currency.
pub fn breaches(subject: &Subject<'_>) -> Vec<Issue> {
    let digits = money::exponent(&subject.bill.invoice.currency);
    let mut breaches = Breaches { rule: "", digits, found: Vec::new() };
    for rule in RULES {
        breaches.rule = rule.name;
        (rule.check)(subject, &mut breaches);
    }
    breaches.found
}

/// What was found so far.
struct Breaches {
    rule: &'static str,
    digits: u32,
    found: Vec<Issue>,
}

impl Breaches {
    /// An amount that follows from others; none when what follows does not fit.
    fn amount(&mut self, path: impl Into<String>, stated: Minor, expected: Option<Minor>) {
        if Some(stated) != expected {
            let text = |amount| Decimal::from_minor(amount, self.digits).with_digits(self.digits);
            let expected = expected.map_or_else(|| "an amount that fits".to_owned(), text);
            let stated = text(stated);
            self.add(path, stated, expected);
        }
    }

    /// An amount that may not pass another.
    fn at_most(&mut self, path: impl Into<String>, stated: Minor, limit: Minor) {
        self.amount(path, stated, Some(stated.min(limit)));
    }

    fn add(&mut self, path: impl Into<String>, stated: impl Into<String>, expected: impl Into<String>) {
        self.found.push(Issue {
            code: self.rule.to_owned(),
            path: path.into(),
            stated: Some(stated.into()),
            expected: Some(expected.into()),
        });
    }
}

// ---- Lines ------------------------------------------------------------------------------------------------------

fn lines<'a>(subject: &Subject<'a>) -> impl Iterator<Item = (String, &'a BillLine)> {
    subject.bill.lines.iter().enumerate().map(|(index, line)| (format!("lineItems[{index}]"), line))
}

fn line_subtotals(subject: &Subject<'_>, breaches: &mut Breaches) {
    for (path, line) in lines(subject).filter(|(_, line)| line.row.unit_price.is_some()) {
        let rated = integrity::rated(line, breaches.digits);
        breaches.amount(format!("{path}.subtotal"), line.row.subtotal, rated);
    }
}

fn sub_lines(subject: &Subject<'_>, breaches: &mut Breaches) {
    let in_parts = |line: &BillLine| line.row.unit_price.is_none() && !line.sub_lines.is_empty();
    for (path, line) in lines(subject).filter(|(_, line)| in_parts(line)) {
        let fee = line.row.setup_fee.unwrap_or_default().0;
        let parts = line.sub_lines.iter().map(|part| Some(part.amount.0)).chain([Some(fee)]);
        breaches.amount(format!("{path}.subtotal"), line.row.subtotal, sum(parts));
    }
}

fn sub_line_amounts(subject: &Subject<'_>, breaches: &mut Breaches) {
    for (path, line) in lines(subject) {
        for (index, part) in line.sub_lines.iter().enumerate() {
            let rated = integrity::rate(&part.quantity, &part.unit_price, breaches.digits);
            breaches.amount(format!("{path}.subLines[{index}].amount"), part.amount, rated);
        }
    }
}

fn line_discounts(subject: &Subject<'_>, breaches: &mut Breaches) {
    for (path, line) in lines(subject) {
        let discounts = integrity::discounts(&line.discounts);
        breaches.amount(format!("{path}.discountTotal"), line.row.discount_total, discounts);
    }
}

fn line_amounts(subject: &Subject<'_>, breaches: &mut Breaches) {
    for (path, line) in lines(subject) {
        breaches.amount(format!("{path}.amount"), line.row.amount, integrity::line_amount(line));
    }
}

// ---- Totals -----------------------------------------------------------------------------------------------------

fn subtotal(subject: &Subject<'_>, breaches: &mut Breaches) {
    breaches.amount("subtotal", subject.bill.invoice.subtotal, integrity::subtotal(subject.bill));
}

fn discount_total(subject: &Subject<'_>, breaches: &mut Breaches) {
    let discounts = integrity::discounts(&subject.bill.discounts);
    breaches.amount("discountTotal", subject.bill.invoice.discount_total, discounts);
}

fn tax_total(subject: &Subject<'_>, breaches: &mut Breaches) {
    breaches.amount("taxTotal", subject.bill.invoice.tax_total, integrity::taxes(subject.bill));
}

fn total(subject: &Subject<'_>, breaches: &mut Breaches) {
    breaches.amount("total", subject.bill.invoice.total, integrity::total(&subject.bill.invoice));
}

fn balance(subject: &Subject<'_>, breaches: &mut Breaches) {
    let row = &subject.bill.invoice;
    if let (Some(start), Some(applied)) = (row.balance_start, row.balance_applied) {
        breaches.amount("balanceEnd", row.balance_end.unwrap_or_default(), sum([Some(start.0), Some(applied.0)]));
    }
}

fn amount_due(subject: &Subject<'_>, breaches: &mut Breaches) {
    breaches.amount("amountDue", subject.bill.invoice.amount_due, integrity::amount_due(&subject.bill.invoice));
}

// ---- Payments ---------------------------------------------------------------------------------------------------

fn payments<'a>(subject: &Subject<'a>) -> impl Iterator<Item = (String, &'a payment::Model)> {
    subject.bill.payments.iter().enumerate().map(|(index, payment)| (format!("payments[{index}]"), &payment.row))
}

/// The refunds that succeeded.
fn refunds<'a>(subject: &Subject<'a>) -> impl Iterator<Item = &'a payment::Model> {
    let refunded = |row: &&payment::Model| row.kind == PaymentKind::Refund && row.status == PaymentStatus::Succeeded;
    subject.bill.payments.iter().map(|payment| &payment.row).filter(refunded)
}

fn amount_paid(subject: &Subject<'_>, breaches: &mut Breaches) {
    breaches.amount("amountPaid", subject.bill.invoice.amount_paid, integrity::amount_paid(subject.bill));
}

fn amount_refunded(subject: &Subject<'_>, breaches: &mut Breaches) {
    let refunded = sum(refunds(subject).map(|row| Some(row.amount_paid.0)));
    breaches.amount("amountRefunded", subject.bill.invoice.amount_refunded, refunded);
}

fn payment_refunded(subject: &Subject<'_>, breaches: &mut Breaches) {
    for (path, row) in payments(subject).filter(|(_, row)| row.kind == PaymentKind::Payment) {
        let own = refunds(subject).filter(|refund| refund.refunded_payment_id.as_ref() == Some(&row.id));
        let refunded = sum(own.map(|refund| Some(refund.amount_paid.0)));
        breaches.amount(format!("{path}.amountRefunded"), row.amount_refunded, refunded);
    }
}

fn refunded_beyond_paid(subject: &Subject<'_>, breaches: &mut Breaches) {
    let invoice = &subject.bill.invoice;
    breaches.at_most("amountRefunded", invoice.amount_refunded, invoice.amount_paid);
    for (path, row) in payments(subject) {
        breaches.at_most(format!("{path}.amountRefunded"), row.amount_refunded, row.amount_paid);
    }
}

fn currency(subject: &Subject<'_>, breaches: &mut Breaches) {
    let expected = &subject.bill.invoice.currency;
    for (path, row) in payments(subject).filter(|(_, row)| row.currency != *expected) {
        breaches.add(format!("{path}.currency"), &row.currency.0, &expected.0);
    }
}

// ---- States and moments -----------------------------------------------------------------------------------------

/// An invoice that was written off and then paid or withdrawn keeps the moment of the former.
fn status_timestamps(subject: &Subject<'_>, breaches: &mut Breaches) {
    let row = &subject.bill.invoice;
    let is = |status| row.status == status;
    let written_off = row.uncollectible_at.is_some();
    let moments = [
        ("finalizedAt", row.finalized_at, !is(InvoiceStatus::Draft)),
        ("paidAt", row.paid_at, is(InvoiceStatus::Paid)),
        ("voidedAt", row.voided_at, is(InvoiceStatus::Void)),
        ("uncollectibleAt", row.uncollectible_at, is(InvoiceStatus::Uncollectible) || written_off),
    ];
    for (path, moment, expected) in moments {
        if moment.is_some() != expected {
            let expected = if expected { "a moment" } else { "none" };
            breaches.add(path, moment_text(moment), format!("{expected}, being {}", row.status.word()));
        }
    }
}

fn timestamp_order(subject: &Subject<'_>, breaches: &mut Breaches) {
    let row = &subject.bill.invoice;
    let made = Some(row.created_at);
    let steps = [
        ("finalizedAt", made, row.finalized_at),
        ("paidAt", row.finalized_at, row.paid_at),
        ("voidedAt", row.finalized_at, row.voided_at),
        ("uncollectibleAt", row.finalized_at, row.uncollectible_at),
    ];
    for (path, earlier, later) in steps {
        if later.is_some() && later < earlier {
            breaches.add(path, moment_text(later), format!("not before {}", moment_text(earlier)));
        }
    }
}

fn moment_text(moment: Option<Instant>) -> String {
    moment.map_or_else(|| "none".to_owned(), |at| at.utc().to_rfc3339_opts(chrono::SecondsFormat::Millis, true))
}

fn settlement(subject: &Subject<'_>, breaches: &mut Breaches) {
    let row = &subject.bill.invoice;
    match row.status {
        InvoiceStatus::Paid if !row.paid_out_of_band => {
            breaches.amount("amountRemaining", amount_remaining(row), Some(Minor(0)));
        }
        InvoiceStatus::Void => breaches.amount("amountPaid", row.amount_paid, Some(Minor(0))),
        _ => {}
    }
}

// ---- Places, numbers, history -----------------------------------------------------------------------------------

fn positions(subject: &Subject<'_>, breaches: &mut Breaches) {
    let bill = subject.bill;
    repeated("lineItems", bill.lines.iter().map(|line| line.row.position), breaches);
    for (path, line) in lines(subject) {
        repeated(&format!("{path}.subLines"), line.sub_lines.iter().map(|part| part.position), breaches);
    }
    repeated("taxes", bill.taxes.iter().map(|tax| tax.position), breaches);
}

fn repeated(path: &str, positions: impl Iterator<Item = i32>, breaches: &mut Breaches) {
    let mut seen = std::collections::BTreeSet::new();
    for (index, position) in positions.enumerate() {
        if !seen.insert(position) {
            breaches.add(format!("{path}[{index}].position"), position.to_string(), "a position of its own");
        }
    }
}

fn number(subject: &Subject<'_>, breaches: &mut Breaches) {
    if subject.namesakes > 1 {
        let number = subject.bill.invoice.number.clone().unwrap_or_default();
        let stated = format!("{number} on {} invoices", subject.namesakes);
        breaches.add("number", stated, "a number of its own");
    }
}

/// Entries of one moment are taken in the order that leads on, if there is one.
fn history(subject: &Subject<'_>, breaches: &mut Breaches) {
    let changes = subject.events.iter().enumerate().filter(|(_, event)| event.to_status.is_some());
    let mut changes: Vec<_> = changes.collect();
    let mut state = None;
    while let Some((_, first)) = changes.first() {
        let at = first.occurred_at;
        let mut together = changes.iter().take_while(|(_, event)| event.occurred_at == at);
        let next = together.position(|(_, event)| event.from_status == state).unwrap_or_default();
        let (index, event) = changes.remove(next);
        if event.from_status != state {
            breaches.add(format!("events[{index}].from"), word(event.from_status), word(state));
        }
        state = event.to_status;
    }
    let status = Some(subject.bill.invoice.status);
    if status != state {
        breaches.add("status", word(status), word(state));
    }
}

fn word(status: Option<InvoiceStatus>) -> String {
    status.map_or_else(|| "none".to_owned(), InvoiceStatus::word)
}
