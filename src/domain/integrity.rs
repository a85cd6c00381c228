//! Whether an imported invoice adds up, and the codes of everything that an import can find wrong.
//!
//! Stated amounts are never corrected: they are compared with what the parts give, and each difference is an issue.
//! A bill whose sums hold has no issue, and one without an issue has sums that hold.

use entity::{DecimalText, InvoiceStatus, Minor, PaymentKind, PaymentStatus, TaxMode, discount};

use super::bill::{Bill, BillLine, Issue};
use super::decimal::Decimal;
use super::{invoice, money};

/// What an issue is about. The words are stable: programs read them.
pub mod code {
    /// The total is not subtotal less discounts, plus tax where prices do not contain it.
    pub const TOTAL_MISMATCH: &str = "TOTAL_MISMATCH";
    /// The subtotal is not the sum of the lines.
    pub const SUBTOTAL_MISMATCH: &str = "SUBTOTAL_MISMATCH";
    /// The discount is not the sum of the discounts.
    pub const DISCOUNT_TOTAL_MISMATCH: &str = "DISCOUNT_TOTAL_MISMATCH";
    /// The tax is not the sum of the tax rows.
    pub const TAX_TOTAL_MISMATCH: &str = "TAX_TOTAL_MISMATCH";
    /// A line's subtotal is not quantity times unit price plus setup fee.
    pub const LINE_SUBTOTAL_MISMATCH: &str = "LINE_SUBTOTAL_MISMATCH";
    /// A line's amount is not its subtotal less its discount, plus the tax it contains.
    pub const LINE_AMOUNT_MISMATCH: &str = "LINE_AMOUNT_MISMATCH";
    /// A line's amount is not the sum of the lines below it.
    pub const SUB_LINES_MISMATCH: &str = "SUB_LINES_MISMATCH";
    /// What is due is not the total less credits and what the balance paid.
    pub const AMOUNT_DUE_MISMATCH: &str = "AMOUNT_DUE_MISMATCH";
    /// What was paid is not the sum of the payments that succeeded.
    pub const AMOUNT_PAID_MISMATCH: &str = "AMOUNT_PAID_MISMATCH";
    /// What remains is not what is due less what was paid.
    pub const AMOUNT_REMAINING_MISMATCH: &str = "AMOUNT_REMAINING_MISMATCH";
    /// The balance afterwards is not the balance before plus what was applied.
    pub const BALANCE_MISMATCH: &str = "BALANCE_MISMATCH";
    /// A tax row contradicts another statement of the same tax.
    pub const TAX_MISMATCH: &str = "TAX_MISMATCH";
    /// An amount below zero where there can be none.
    pub const STATED_AMOUNT_IMPOSSIBLE: &str = "STATED_AMOUNT_IMPOSSIBLE";
    /// An amount that should be there and is not; what follows from the rest is taken.
    pub const AMOUNT_UNKNOWN: &str = "AMOUNT_UNKNOWN";
    /// An amount with more digits than its currency; rounded half away from zero.
    pub const ROUNDED_AMOUNT: &str = "ROUNDED_AMOUNT";
    /// A text that is no date or time.
    pub const UNREADABLE_DATE: &str = "UNREADABLE_DATE";
    /// A text that is no decimal number.
    pub const UNREADABLE_DECIMAL: &str = "UNREADABLE_DECIMAL";
    /// A text that is neither yes nor no.
    pub const UNREADABLE_FLAG: &str = "UNREADABLE_FLAG";
    /// A text that is no whole number.
    pub const UNREADABLE_INTEGER: &str = "UNREADABLE_INTEGER";
    /// A text that is not what the field documents, such as a country of more than two letters.
    pub const UNREADABLE_TEXT: &str = "UNREADABLE_TEXT";
    /// A word that the system does not document.
    pub const UNKNOWN_WORD: &str = "UNKNOWN_WORD";
    /// No currency, or one that is not known here; the tenant's or the invoice's is taken.
    pub const CURRENCY_UNKNOWN: &str = "CURRENCY_UNKNOWN";
    /// No moment of creation; that of the import is taken.
    pub const CREATED_UNKNOWN: &str = "CREATED_UNKNOWN";
    /// A period that ends before it starts.
    pub const PERIOD_REVERSED: &str = "PERIOD_REVERSED";
    /// A link that does not lead to a known host; it is not kept.
    pub const UNSAFE_LINK: &str = "UNSAFE_LINK";
    /// A list that says it has more entries than the document holds.
    pub const INCOMPLETE_LIST: &str = "INCOMPLETE_LIST";
    /// A reference to another thing than the one it stands in.
    pub const REFERENCE_MISMATCH: &str = "REFERENCE_MISMATCH";
    /// A rental that this tenant and customer do not have.
    pub const RENTAL_UNKNOWN: &str = "RENTAL_UNKNOWN";
}

/// An amount as a document states it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stated {
    /// Where: `items[0].subtotalAmount`.
    pub path: String,
    /// How much.
    pub amount: Minor,
}

/// The amounts that a document states and that follow from others. What it does not state is not checked.
#[derive(Clone, Debug, Default)]
pub struct Statement {
    /// Digits behind the point in which the document writes amounts: 0 where it writes minor units.
    pub digits: u32,
    /// The sum of the lines, before discounts of the whole invoice and taxes.
    pub subtotal: Option<Stated>,
    /// The discounts of the whole invoice. Compared only where the bill lists discounts.
    pub discount_total: Option<Stated>,
    /// The taxes. Compared only where the bill lists taxes.
    pub tax_total: Option<Stated>,
    /// What the invoice comes to.
    pub total: Option<Stated>,
    /// What is to be paid in all.
    pub amount_due: Option<Stated>,
    /// What was paid. State it only when the document lists all payments.
    pub amount_paid: Option<Stated>,
    /// What is still to be paid.
    pub amount_remaining: Option<Stated>,
    /// The balance of the account afterwards.
    pub balance_end: Option<Stated>,
    /// Of each line, in order: before its discount and tax. Compared only where the unit price is known.
    pub line_subtotals: Vec<Option<Stated>>,
    /// Of each line, in order: what it adds to the invoice.
    pub line_amounts: Vec<Option<Stated>>,
}

/// Compares what a document states with what the rows of its bill give.
///
/// Lines first, then the invoice, in the order of the calculation. Sums that do not fit 64 bits count as different.
pub fn check(bill: &Bill, statement: &Statement) -> Vec<Issue> {
    let mut issues = Vec::new();
    let digits = money::exponent(&bill.invoice.currency);
    for (index, line) in bill.lines.iter().enumerate() {
        let subtotal = statement.line_subtotals.get(index).and_then(Option::as_ref);
        let amount = statement.line_amounts.get(index).and_then(Option::as_ref);
        if line.row.unit_price.is_some() {
            let rated = rated(line, digits);
            compare(&mut issues, code::LINE_SUBTOTAL_MISMATCH, statement, subtotal, rated);
        }
        compare(&mut issues, code::LINE_AMOUNT_MISMATCH, statement, amount, line_amount(line));
    }
    check_totals(bill, statement, &mut issues);
    check_settlement(bill, statement, &mut issues);
    issues
}

fn check_totals(bill: &Bill, statement: &Statement, issues: &mut Vec<Issue>) {
    compare(issues, code::SUBTOTAL_MISMATCH, statement, statement.subtotal.as_ref(), subtotal(bill));
    if !bill.discounts.is_empty() {
        let stated = statement.discount_total.as_ref();
        compare(issues, code::DISCOUNT_TOTAL_MISMATCH, statement, stated, discounts(&bill.discounts));
    }
    if !bill.taxes.is_empty() {
        let stated = statement.tax_total.as_ref();
        compare(issues, code::TAX_TOTAL_MISMATCH, statement, stated, taxes(bill));
    }
    compare(issues, code::TOTAL_MISMATCH, statement, statement.total.as_ref(), total(&bill.invoice));
}

fn check_settlement(bill: &Bill, statement: &Statement, issues: &mut Vec<Issue>) {
    let row = &bill.invoice;
    let due = amount_due(row);
    let stated = statement.amount_due.as_ref();
    compare(issues, code::AMOUNT_DUE_MISMATCH, statement, stated, due);
    let stated = statement.amount_paid.as_ref();
    compare(issues, code::AMOUNT_PAID_MISMATCH, statement, stated, amount_paid(bill));
    let remaining = Some(invoice::amount_remaining(row));
    // Of a void invoice nothing remains; some systems go on stating what would have been due.
    let void = row.status == InvoiceStatus::Void;
    let stated = statement.amount_remaining.as_ref();
    let stated = stated.filter(|stated| !(void && stated.amount == row.amount_due));
    compare(issues, code::AMOUNT_REMAINING_MISMATCH, statement, stated, remaining);
    if let (Some(start), Some(applied)) = (row.balance_start, row.balance_applied) {
        let end = sum([Some(start.0), Some(applied.0)]);
        let stated = statement.balance_end.as_ref();
        compare(issues, code::BALANCE_MISMATCH, statement, stated, end);
    }
}

fn compare(
    issues: &mut Vec<Issue>,
    code: &str,
    statement: &Statement,
    stated: Option<&Stated>,
    expected: Option<Minor>,
) {
    let Some(stated) = stated else {
        return;
    };
    if Some(stated.amount) != expected {
        let text = |amount: Minor| Decimal::from_minor(amount, statement.digits).text().0;
        issues.push(Issue {
            code: code.to_owned(),
            path: stated.path.clone(),
            stated: Some(text(stated.amount)),
            expected: expected.map(text),
        });
    }
}

/// The sum; none when an amount is missing or it does not fit.
pub(super) fn sum(amounts: impl IntoIterator<Item = Option<i64>>) -> Option<Minor> {
    let total = amounts.into_iter().try_fold(0_i64, |total, amount| total.checked_add(amount?));
    total.map(Minor)
}

/// The lines less their own discounts.
pub(super) fn subtotal(bill: &Bill) -> Option<Minor> {
    sum(bill.lines.iter().map(|line| line.row.subtotal.0.checked_sub(line.row.discount_total.0)))
}

/// The sum of discounts.
pub(super) fn discounts(rows: &[discount::Model]) -> Option<Minor> {
    sum(rows.iter().map(|discount| Some(discount.amount.0)))
}

/// The sum of the taxes.
pub(super) fn taxes(bill: &Bill) -> Option<Minor> {
    sum(bill.taxes.iter().map(|tax| Some(tax.tax_amount.0)))
}

/// Subtotal less discounts, plus the tax where prices do not contain it.
pub(super) fn total(row: &entity::invoice::Model) -> Option<Minor> {
    let tax = match row.tax_mode {
        TaxMode::Exclusive => row.tax_total.0,
        TaxMode::Inclusive => 0,
    };
    sum([Some(row.subtotal.0), row.discount_total.0.checked_neg(), Some(tax)])
}

/// Total less credits, plus what the account's balance adds (less than zero when it pays), never negative.
pub(super) fn amount_due(row: &entity::invoice::Model) -> Option<Minor> {
    let balance = row.balance_applied.unwrap_or_default().0;
    let due = sum([Some(row.total.0), row.applied_credits.0.checked_neg(), Some(balance)])?;
    Some(due.max(Minor(0)))
}

/// The sum of what payments paid that succeeded. Refunds do not reduce it.
pub fn amount_paid(bill: &Bill) -> Option<Minor> {
    let paid = bill
        .payments
        .iter()
        .map(|payment| &payment.row)
        .filter(|row| row.kind == PaymentKind::Payment && row.status == PaymentStatus::Succeeded);
    sum(paid.map(|row| Some(row.amount_paid.0)))
}

/// Subtotal less discount, plus the tax where the amount contains it.
pub(super) fn line_amount(line: &BillLine) -> Option<Minor> {
    let row = &line.row;
    let tax = row.tax_total.filter(|_| row.amount_includes_tax).unwrap_or_default();
    sum([Some(row.subtotal.0), row.discount_total.0.checked_neg(), Some(tax.0)])
}

/// Quantity times unit price plus setup fee; none when the unit price is unknown or the product does not fit.
pub(super) fn rated(line: &BillLine, digits: u32) -> Option<Minor> {
    let row = &line.row;
    let product = rate(&row.quantity, row.unit_price.as_ref()?, digits)?;
    sum([Some(product.0), Some(row.setup_fee.unwrap_or_default().0)])
}

/// Quantity times unit price, rounded half away from zero to `digits`; none when either is no number or too large.
pub fn rate(quantity: &DecimalText, unit_price: &DecimalText, digits: u32) -> Option<Minor> {
    let quantity = Decimal::parse(&quantity.0).ok()?;
    let unit_price = Decimal::parse(&unit_price.0).ok()?;
    let amount = quantity.times(unit_price).ok()?.to_minor(digits).ok()?;
    Some(amount.amount())
}

#[cfg(test)]
mod tests {
    use entity::{CurrencyCode, line_item, payment, tax};

    use super::super::bill::BillPayment;
    use super::*;

    fn stated(path: &str, amount: i64) -> Stated {
        Stated { path: path.to_owned(), amount: Minor(amount) }
    }

    fn line(quantity: &str, unit_price: &str, subtotal: i64, discount: i64) -> BillLine {
        BillLine {
            row: line_item::Model {
                quantity: DecimalText(quantity.to_owned()),
                unit_price: Some(DecimalText(unit_price.to_owned())),
                subtotal: Minor(subtotal),
                discount_total: Minor(discount),
                ..Default::default()
            },
            ..Default::default()
        }
    }

    /// Two lines of 20.00 less 1.00 and 5.01, 2.00 off, 4.18 tax: 26.19, less 1.19 credit.
    fn bill() -> Bill {
        let mut bill = Bill {
            lines: vec![line("2", "10", 2_000, 100), line("1.5", "3.339", 501, 0)],
            discounts: vec![discount::Model { amount: Minor(200), ..Default::default() }],
            taxes: vec![tax::Model { tax_amount: Minor(418), ..Default::default() }],
            payments: vec![BillPayment {
                row: payment::Model {
                    status: PaymentStatus::Succeeded,
                    amount_paid: Minor(1_000),
                    ..Default::default()
                },
                ..Default::default()
            }],
            ..Default::default()
        };
        let row = &mut bill.invoice;
        row.status = InvoiceStatus::Open;
        row.currency = CurrencyCode("EUR".to_owned());
        row.subtotal = Minor(2_401);
        row.discount_total = Minor(200);
        row.tax_total = Minor(418);
        row.total = Minor(2_619);
        row.applied_credits = Minor(119);
        row.amount_due = Minor(2_500);
        row.amount_paid = Minor(1_000);
        bill
    }

    fn statement() -> Statement {
        Statement {
            digits: 2,
            subtotal: Some(stated("subtotal", 2_401)),
            discount_total: Some(stated("discount", 200)),
            tax_total: Some(stated("tax", 418)),
            total: Some(stated("total", 2_619)),
            amount_due: Some(stated("due", 2_500)),
            amount_paid: Some(stated("paid", 1_000)),
            amount_remaining: Some(stated("remaining", 1_500)),
            balance_end: None,
            line_subtotals: vec![Some(stated("lines[0].subtotal", 2_000)), Some(stated("lines[1].subtotal", 501))],
            line_amounts: vec![Some(stated("lines[0].amount", 1_900)), Some(stated("lines[1].amount", 501))],
        }
    }

    #[test]
    fn a_bill_that_adds_up_has_no_issue() {
        assert_eq!(check(&bill(), &statement()), []);
    }

    #[test]
    fn every_amount_that_does_not_follow_is_an_issue_of_its_own() {
        type Field = fn(&mut Statement) -> &mut Option<Stated>;
        let fields: [(&str, Field); 10] = [
            (code::SUBTOTAL_MISMATCH, |all| &mut all.subtotal),
            (code::DISCOUNT_TOTAL_MISMATCH, |all| &mut all.discount_total),
            (code::TAX_TOTAL_MISMATCH, |all| &mut all.tax_total),
            (code::TOTAL_MISMATCH, |all| &mut all.total),
            (code::AMOUNT_DUE_MISMATCH, |all| &mut all.amount_due),
            (code::AMOUNT_PAID_MISMATCH, |all| &mut all.amount_paid),
            (code::AMOUNT_REMAINING_MISMATCH, |all| &mut all.amount_remaining),
            (code::BALANCE_MISMATCH, |all| &mut all.balance_end),
            (code::LINE_SUBTOTAL_MISMATCH, |all| &mut all.line_subtotals[0]),
            (code::LINE_AMOUNT_MISMATCH, |all| &mut all.line_amounts[1]),
        ];
        let mut bill = bill();
        bill.invoice.balance_start = Some(Minor(10_000));
        bill.invoice.balance_applied = Some(Minor(0));
        for (code, field) in fields {
            let mut statement = statement();
            *field(&mut statement) = Some(stated("somewhere", 7));
            let issues = check(&bill, &statement);
            assert_eq!(issues.len(), 1, "{issues:?}");
            assert_eq!(issues[0].code, code);
            assert_eq!(issues[0].path, "somewhere");
            assert_eq!(issues[0].stated.as_deref(), Some("0.07"));
        }
    }

    #[test]
    fn tax_in_the_prices_is_not_added_again() {
        let mut bill = bill();
        bill.invoice.tax_mode = TaxMode::Inclusive;
        let issues = check(&bill, &statement());
        assert_eq!(issues[0].code, code::TOTAL_MISMATCH);
        assert_eq!(issues[0].expected.as_deref(), Some("22.01"));
    }

    #[test]
    fn the_balance_pays_what_it_can_and_no_more() {
        let mut bill = bill();
        bill.invoice.balance_applied = Some(Minor(-10_000));
        let issues = check(&bill, &statement());
        assert_eq!(issues[0].code, code::AMOUNT_DUE_MISMATCH);
        assert_eq!(issues[0].expected.as_deref(), Some("0"));
    }

    #[test]
    fn a_void_invoice_may_state_what_would_have_been_due() {
        let mut bill = bill();
        bill.invoice.status = InvoiceStatus::Void;
        let with_remaining =
            |amount| Statement { amount_remaining: Some(stated("remaining", amount)), ..Default::default() };
        assert_eq!(check(&bill, &with_remaining(0)), []);
        assert_eq!(check(&bill, &with_remaining(2_500)), []);
        assert_eq!(check(&bill, &with_remaining(1_500)).len(), 1);
    }
}
