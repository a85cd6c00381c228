//! Documents of Meteroid: `GET /api/v1/invoices/{invoice_id}`.
//!
//! Amounts are whole minor units, rates are fractions, periods are days.
//! `amount_due` is what is still owed, it shrinks with every payment. So the amount due here is what the invoice comes
//! to less the credits, and the amount paid is what `amount_due` says is missing from that. Coupons reduce the whole
//! invoice; the amount of a line holds its tax and its share of the coupons, which is not stated.

use entity::{
    CollectionMethod, CurrencyCode, DecimalText, DiscountKind, InvoiceStatus, InvoiceType, Json, Minor, OriginKind,
    PaymentKind, PaymentMethodType, PaymentReferenceKind, PaymentStatus, TaxExemption, customer, customer_snapshot,
    discount, invoice, line_item, payment, payment_method, sub_line, subscription, tax,
};

use super::reader::{Read, Reader, Unit, Written, day_of, end_of_day, refuse_duplicates, sum};
use super::{Draft, ImportContext, created};
use crate::domain::bill::{Bill, BillLine, BillPayment};
use crate::domain::decimal::Decimal;
use crate::domain::integrity::{self, Statement, code};
use crate::domain::money;

/// Under which name its payments are known.
const PROVIDER: &str = "meteroid";

/// How far the stated tax of a line may be from its rate, in minor units: several taxes are rounded one by one.
const TAX_ROUNDING_MAX: i64 = 1;

/// Digits behind the point with which a tax is taken out of an amount.
const RATE_DIGITS: i32 = 12;

const STATUSES: [(&str, InvoiceStatus); 4] = [
    ("Draft", InvoiceStatus::Draft),
    ("Finalized", InvoiceStatus::Open),
    ("Uncollectible", InvoiceStatus::Uncollectible),
    ("Void", InvoiceStatus::Void),
];

/// Whether the word says that a finalized invoice is paid.
const PAYMENT_STATUSES: [(&str, bool); 5] =
    [("Unpaid", false), ("PartiallyPaid", false), ("Paid", true), ("Errored", false), ("Processing", false)];

const INVOICE_TYPES: [(&str, InvoiceType); 4] = [
    ("Recurring", InvoiceType::Recurring),
    ("OneOff", InvoiceType::OneOff),
    ("Adjustment", InvoiceType::Adjustment),
    ("UsageThreshold", InvoiceType::UsageThreshold),
];

const EXEMPTIONS: [(&str, TaxExemption); 3] = [
    ("ReverseCharge", TaxExemption::ReverseCharge),
    ("TaxExempt", TaxExemption::TaxExempt),
    ("NotRegistered", TaxExemption::NotRegistered),
];

const PAYMENT_KINDS: [(&str, PaymentKind); 2] = [("Payment", PaymentKind::Payment), ("Refund", PaymentKind::Refund)];

const TRANSACTION_STATUSES: [(&str, PaymentStatus); 6] = [
    ("Ready", PaymentStatus::Ready),
    ("Pending", PaymentStatus::Pending),
    ("Settled", PaymentStatus::Succeeded),
    ("Cancelled", PaymentStatus::Canceled),
    ("Failed", PaymentStatus::Failed),
    ("Refunded", PaymentStatus::Refunded),
];

const METHOD_TYPES: [(&str, PaymentMethodType); 7] = [
    ("Card", PaymentMethodType::Card),
    ("BankTransfer", PaymentMethodType::BankTransfer),
    ("DirectDebitSepa", PaymentMethodType::DirectDebit),
    ("DirectDebitAch", PaymentMethodType::DirectDebit),
    ("DirectDebitBacs", PaymentMethodType::DirectDebit),
    ("Wallet", PaymentMethodType::Wallet),
    ("Other", PaymentMethodType::Other),
];

/// Reads an invoice of Meteroid.
pub(super) fn import(mut root: Reader, context: &ImportContext<'_>) -> Read<Draft> {
    let external_id = root.required_id("id")?;
    let currency = root.currency("currency", context.currency)?;
    let mut bill = Bill { invoice: head(&mut root, currency, context)?, ..Default::default() };
    let updated_at = read_dates(&mut root, &mut bill.invoice, context)?;
    bill.discounts = root.rows("coupons", read_coupon)?;
    bill.lines = root.rows("line_items", read_line)?;
    bill.taxes = root.rows("tax_breakdown", read_tax)?;
    bill.payments = root.rows("transactions", |transaction| read_payment(transaction, &bill.invoice))?;
    refuse_twins(&bill)?;
    let statement = read_amounts(&mut root, &mut bill)?;
    bill.subscription = read_subscription(&mut root, &mut bill.invoice)?;
    let customer_external_id = read_customer(&mut root, &mut bill, context)?;
    root.add_issues(integrity::check(&bill, &statement));
    bill.invoice.external_attributes = root.leftover();
    Ok(Draft { bill, external_id, customer_external_id, updated_at, issues: root.into_issues() })
}

fn head(root: &mut Reader, currency: CurrencyCode, context: &ImportContext<'_>) -> Read<invoice::Model> {
    let status = root.word("status", &STATUSES)?;
    if status.stated.is_none() {
        root.issue(code::UNKNOWN_WORD, "status", None, Some("OPEN"));
    }
    let payment_status = root.word("payment_status", &PAYMENT_STATUSES)?;
    let state = match status.value {
        Some(InvoiceStatus::Open) if payment_status.value == Some(true) => InvoiceStatus::Paid,
        other => other.unwrap_or(InvoiceStatus::Open),
    };
    let invoice_type = root.word("invoice_type", &INVOICE_TYPES)?;
    Ok(invoice::Model {
        currency,
        status: state,
        source_status: status.stated,
        source_payment_status: payment_status.stated,
        invoice_type: invoice_type.value.unwrap_or_default(),
        collection_method: CollectionMethod::ChargeAutomatically,
        livemode: context.livemode,
        number: root.id("invoice_number")?,
        net_terms_days: read_net_terms(root)?,
        memo: root.text("memo")?,
        reference: root.text("reference")?,
        purchase_order: root.text("purchase_order")?,
        ..Default::default()
    })
}

fn read_net_terms(root: &mut Reader) -> Read<Option<i32>> {
    let days = root.integer("net_terms", Written::Number)?;
    if let Some(days) = days.filter(|days| *days < 0) {
        root.issue(code::UNREADABLE_INTEGER, "net_terms", Some(&days.to_string()), None);
        root.keep_raw("net_terms", Json::from(days));
        return Ok(None);
    }
    Ok(days)
}

/// Reads the moments of the invoice. Gives the one of its last change, where it is stated.
fn read_dates(
    root: &mut Reader,
    invoice: &mut invoice::Model,
    context: &ImportContext<'_>,
) -> Read<Option<entity::Instant>> {
    invoice.created_at = created(root, "created_at", context)?;
    let updated_at = root.instant("updated_at")?;
    invoice.updated_at = updated_at.unwrap_or(invoice.created_at);
    let issued = root.day("invoice_date")?;
    invoice.issue_date = issued.unwrap_or_else(|| day_of(invoice.created_at));
    invoice.due_date = root.day("due_date")?;
    invoice.due_at = invoice.due_date.map(end_of_day);
    invoice.finalized_at = root.instant("finalized_at")?;
    invoice.paid_at = root.instant("paid_at")?;
    invoice.voided_at = root.instant("voided_at")?;
    invoice.uncollectible_at = root.instant("marked_as_uncollectible_at")?;
    Ok(updated_at)
}

fn read_coupon(reader: &mut Reader) -> Read<discount::Model> {
    let coupon_external_id = reader.id("coupon_id")?;
    let name = reader.text("name")?.or_else(|| coupon_external_id.clone());
    Ok(discount::Model {
        kind: DiscountKind::Coupon,
        name: name.unwrap_or_default(),
        coupon_external_id,
        amount: reader.positive_amount("total", Unit::Minor)?.unwrap_or_default(),
        ..Default::default()
    })
}

fn read_tax(reader: &mut Reader) -> Read<tax::Model> {
    let exemption = reader.word("exemption_type", &EXEMPTIONS)?;
    Ok(tax::Model {
        level: 1,
        name: reader.text("name")?.unwrap_or_default(),
        rate: reader.percent("tax_rate", Written::Text)?.unwrap_or_default(),
        taxable_amount: reader.amount("taxable_amount", Unit::Minor)?.unwrap_or_default(),
        tax_amount: reader.amount("tax_amount", Unit::Minor)?.unwrap_or_default(),
        exemption: exemption.stated.map(|_| exemption.value.unwrap_or_default()),
        ..Default::default()
    })
}

fn read_subscription(root: &mut Reader, invoice: &mut invoice::Model) -> Read<Option<subscription::Model>> {
    let Some(external_id) = root.id("subscription_id")? else {
        return Ok(None);
    };
    invoice.origin_kind = OriginKind::Subscription;
    Ok(Some(subscription::Model {
        external_id: Some(external_id),
        created_at: invoice.created_at,
        updated_at: invoice.updated_at,
        ..Default::default()
    }))
}

fn refuse_twins(bill: &Bill) -> Read<()> {
    let lines = bill.lines.iter().map(|line| line.row.external_id.as_ref());
    refuse_duplicates("line_items", "id", lines)?;
    let payments = bill.payments.iter().map(|payment| payment.row.external_id.as_ref());
    refuse_duplicates("transactions", "id", payments)
}

// Lines.

fn read_line(reader: &mut Reader) -> Read<BillLine> {
    let name = reader.text("name")?;
    let description = reader.text("description")?.or_else(|| name.clone());
    let start = reader.day("start_date")?;
    let end = reader.day("end_date")?;
    let (period_start, period_end) = reader.ordered_days(("start_date", start), ("end_date", end));
    let sub_lines = reader.rows("sub_line_items", read_sub_line)?;
    let quantity = reader.decimal("quantity", Written::Text)?;
    let tax_rate = reader.percent("tax_rate", Written::Text)?;
    let row = line_item::Model {
        external_id: reader.id("id")?,
        name,
        description: description.unwrap_or_default(),
        quantity: quantity.unwrap_or_else(one),
        unit_price: reader.decimal("unit_price", Written::Text)?,
        taxable: tax_rate.is_some(),
        tax_rate,
        amount: reader.known_amount("amount_total", Unit::Minor)?,
        amount_includes_tax: true,
        period_start,
        period_end,
        period_is_date: true,
        external_attributes: reader.leftover(),
        ..Default::default()
    };
    Ok(BillLine { row, sub_lines, ..Default::default() })
}

fn read_sub_line(reader: &mut Reader) -> Read<sub_line::Model> {
    Ok(sub_line::Model {
        external_id: reader.id("id")?,
        name: reader.text("name")?.unwrap_or_default(),
        quantity: reader.decimal("quantity", Written::Text)?.unwrap_or_else(one),
        unit_price: reader.decimal("unit_price", Written::Text)?.unwrap_or_default(),
        amount: reader.known_amount("total", Unit::Minor)?,
        attributes: reader.leftover(),
        ..Default::default()
    })
}

fn one() -> DecimalText {
    Decimal::from_integer(1).text()
}

/// Gives a line its subtotal: what its parts come to, else quantity times unit price, else its amount without tax.
///
/// Says whether that is known in spite of coupons, whose share is missing from the amount.
fn give_subtotal(line: &mut BillLine, digits: u32) -> Read<bool> {
    let row = &mut line.row;
    let known = if line.sub_lines.is_empty() {
        let unit_price = row.unit_price.as_ref();
        unit_price.and_then(|unit_price| integrity::rate(&row.quantity, unit_price, digits))
    } else {
        Some(sum("line_items[].sub_line_items", line.sub_lines.iter().map(|part| part.amount))?)
    };
    row.subtotal = known.unwrap_or_else(|| without_tax(row.amount, row.tax_rate.as_ref()));
    Ok(known.is_some())
}

/// Gives a line without a share of coupons its tax: what its amount holds, unless that is not what the rate gives.
fn give_tax(row: &mut line_item::Model) {
    let rated = row.tax_rate.as_ref().and_then(|rate| tax_on(row.subtotal, rate));
    let held = row.amount.0.saturating_sub(row.subtotal.0);
    row.tax_total =
        rated.map(|rated| if held.abs_diff(rated.0) <= TAX_ROUNDING_MAX.unsigned_abs() { Minor(held) } else { rated });
}

fn tax_on(amount: Minor, percent: &DecimalText) -> Option<Minor> {
    let tax = Decimal::from_integer(amount.0).times(Decimal::parse(&percent.0).ok()?);
    Some(tax.ok()?.shifted(-2).ok()?.to_minor(0).ok()?.amount())
}

/// The amount without the tax it contains, rounded half away from zero; the amount itself where the rate is unknown.
fn without_tax(amount: Minor, percent: Option<&DecimalText>) -> Minor {
    let Some(rate) = percent.and_then(scaled_rate) else {
        return amount;
    };
    let one = scaled_one();
    let divisor = one.saturating_add(rate);
    if divisor <= 0 {
        return amount;
    }
    let dividend = i128::from(amount.0).saturating_mul(one);
    let half = divisor.saturating_mul(dividend.signum()) / 2;
    i64::try_from(dividend.saturating_add(half) / divisor).map_or(amount, Minor)
}

/// The rate as a fraction, times [`scaled_one`].
fn scaled_rate(percent: &DecimalText) -> Option<i128> {
    let fraction = Decimal::parse(&percent.0).ok()?.shifted(RATE_DIGITS - 2).ok()?;
    Some(i128::from(fraction.to_minor(0).ok()?.amount().0))
}

fn scaled_one() -> i128 {
    10_i128.pow(RATE_DIGITS.unsigned_abs())
}

// Amounts.

/// Reads the amounts of the invoice and says which of them are to be checked. What is not stated follows from the rest.
fn read_amounts(root: &mut Reader, bill: &mut Bill) -> Read<Statement> {
    let discounted = !bill.discounts.is_empty();
    let subtotals_known = rate_lines(bill, discounted)?;
    let subtotal = root.amount("subtotal", Unit::Minor)?;
    let tax_total = root.amount("tax_amount", Unit::Minor)?;
    let total = root.positive_amount("total", Unit::Minor)?;
    let credits = root.positive_amount("applied_credits", Unit::Minor)?;
    let remaining = root.positive_amount("amount_due", Unit::Minor)?;
    if total.is_none() {
        root.issue(code::AMOUNT_UNKNOWN, "total", None, None);
    }
    let lines = sum("line_items", bill.lines.iter().map(|line| line.row.subtotal))?;
    let taxes = sum("tax_breakdown", bill.taxes.iter().map(|tax| tax.tax_amount))?;
    let fallback = [remaining.unwrap_or_default(), credits.unwrap_or_default()];
    let row = &mut bill.invoice;
    row.subtotal = subtotal.unwrap_or(lines);
    row.subtotal_recurring = root.amount("subtotal_recurring", Unit::Minor)?;
    row.discount_total = sum("coupons", bill.discounts.iter().map(|discount| discount.amount))?;
    row.tax_total = tax_total.unwrap_or(taxes);
    row.applied_credits = credits.unwrap_or_default();
    row.total = total.unwrap_or(sum("amount_due", fallback)?);
    settle(root, bill, remaining)?;
    let line_amounts = bill.lines.iter().enumerate().map(|(index, line)| {
        let path = format!("line_items[{index}].amount_total");
        root.stated(&path, Some(line.row.amount)).filter(|_| !discounted)
    });
    Ok(Statement {
        subtotal: root.stated("subtotal", subtotal).filter(|_| subtotals_known || !discounted),
        tax_total: root.stated("tax_amount", tax_total),
        total: root.stated("total", total),
        line_amounts: line_amounts.collect(),
        ..Default::default()
    })
}

/// Gives every line its subtotal and its tax. Says whether all subtotals are known in spite of coupons.
fn rate_lines(bill: &mut Bill, discounted: bool) -> Read<bool> {
    let digits = money::exponent(&bill.invoice.currency);
    let mut all_known = true;
    for line in &mut bill.lines {
        all_known &= give_subtotal(line, digits)?;
        if !discounted {
            give_tax(&mut line.row);
        }
    }
    Ok(all_known)
}

/// Gives the invoice what is due, paid and refunded; `remaining` is what the document states as `amount_due`.
fn settle(root: &mut Reader, bill: &mut Bill, remaining: Option<Minor>) -> Read<()> {
    let settled = integrity::amount_paid(bill).unwrap_or_default().0;
    let refunds = bill.payments.iter().map(|payment| &payment.row);
    let refunds = refunds.filter(|row| row.kind == PaymentKind::Refund && row.status == PaymentStatus::Succeeded);
    bill.invoice.amount_refunded = sum("transactions", refunds.map(|row| row.amount_paid))?;
    let invoice = &mut bill.invoice;
    let due = invoice.total.0.saturating_sub(invoice.applied_credits.0).max(0);
    invoice.amount_due = Minor(due);
    let Some(stated) = remaining.map(|remaining| remaining.0) else {
        let paid = if invoice.status == InvoiceStatus::Paid { due } else { settled };
        invoice.amount_paid = Minor(paid);
        return Ok(());
    };
    let void = invoice.status == InvoiceStatus::Void;
    // Nothing is owed once void, so there 0 does not mean that it was paid.
    let paid = if void && stated == 0 { settled } else { due.saturating_sub(stated) };
    invoice.amount_paid = Minor(paid.max(0));
    if paid < 0 {
        root.keep_raw("amount_due", Json::from(stated));
    }
    let expected = if bill.payments.is_empty() { stated.min(due) } else { due.saturating_sub(settled).max(0) };
    if stated != expected && !(void && stated <= due) {
        let (stated, expected) = (stated.to_string(), expected.to_string());
        root.issue(code::AMOUNT_REMAINING_MISMATCH, "amount_due", Some(&stated), Some(&expected));
    }
    Ok(())
}

// Payments.

fn read_payment(reader: &mut Reader, invoice: &invoice::Model) -> Read<BillPayment> {
    reader.same_currency("currency", &invoice.currency)?;
    let kind = reader.word("payment_type", &PAYMENT_KINDS)?;
    let status = reader.word("status", &TRANSACTION_STATUSES)?;
    let mut row = payment::Model {
        external_id: reader.id("id")?,
        kind: kind.value.unwrap_or_default(),
        status: status.value.unwrap_or_default(),
        source_status: status.stated,
        currency: invoice.currency.clone(),
        amount_requested: reader.positive_amount("amount", Unit::Minor)?.unwrap_or_default(),
        reference_kind: PaymentReferenceKind::PaymentRecord,
        provider_payment_id: reader.id("provider_transaction_id")?,
        provider: PROVIDER.to_owned(),
        processed_at: reader.instant("processed_at")?,
        ..Default::default()
    };
    happened(&mut row, invoice);
    if let Some(error) = reader.text("error")? {
        if is_failure_code(&error) {
            row.failure_code = Some(error);
        } else {
            row.failure_message = Some(error);
        }
    }
    let method = read_method(reader, &mut row)?;
    row.external_attributes = reader.leftover();
    Ok(BillPayment { row, method, refund_of: None })
}

/// Follows from the status what was paid, and what happened when it was processed.
fn happened(row: &mut payment::Model, invoice: &invoice::Model) {
    match row.status {
        PaymentStatus::Succeeded => {
            row.amount_paid = row.amount_requested;
            row.paid_at = row.processed_at;
        }
        PaymentStatus::Refunded => {
            row.amount_paid = row.amount_requested;
            row.amount_refunded = row.amount_requested;
        }
        PaymentStatus::Failed => row.failed_at = row.processed_at,
        PaymentStatus::Canceled => row.canceled_at = row.processed_at,
        _ => {}
    }
    row.created_at = row.processed_at.unwrap_or(invoice.created_at);
    row.updated_at = row.created_at;
}

/// Whether an error is a code such as `card_declined` and not a sentence.
fn is_failure_code(error: &str) -> bool {
    let mut characters = error.chars();
    error.contains('_') && characters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// Reads the means of payment: what it was at the time goes to the payment, and the stored one is named by its id.
fn read_method(reader: &mut Reader, row: &mut payment::Model) -> Read<Option<payment_method::Model>> {
    let external_id = reader.id("payment_method_id")?;
    reader.within("payment_method_info", |info| {
        let kind = info.word("payment_method_type", &METHOD_TYPES)?;
        row.pm_type = Some(kind.value.unwrap_or_default());
        row.pm_account_hint = info.text("account_number_hint")?;
        row.pm_card_brand = info.text("card_brand")?;
        row.pm_card_last4 = info.card_last4("card_last4")?;
        Ok(())
    })?;
    Ok(external_id.map(|external_id| payment_method::Model {
        external_id: Some(external_id),
        kind: row.pm_type.unwrap_or_default(),
        card_brand: row.pm_card_brand.clone(),
        card_last4: row.pm_card_last4.clone(),
        account_hint: row.pm_account_hint.clone(),
        created_at: row.created_at,
        ..Default::default()
    }))
}

// The customer.

/// Reads the customer and the copy on the invoice. Gives the customer's id.
fn read_customer(root: &mut Reader, bill: &mut Bill, context: &ImportContext<'_>) -> Read<Option<String>> {
    let stated = root.id("customer_id")?;
    bill.snapshot = root.within("customer_details", |details| read_snapshot(details, stated.as_deref()))?;
    let copied = bill.snapshot.as_ref().and_then(|copy| copy.customer_external_id.clone());
    let external_id = stated.or(copied);
    let named = bill.snapshot.as_ref().map(|copy| copy.name.clone());
    bill.customer = external_id.clone().map(|external_id| customer::Model {
        name: named.filter(|name| !name.is_empty()).unwrap_or_else(|| external_id.clone()),
        external_id: Some(external_id),
        livemode: context.livemode,
        created_at: bill.invoice.created_at,
        updated_at: bill.invoice.updated_at,
        ..Default::default()
    });
    Ok(external_id)
}

fn read_snapshot(details: &mut Reader, customer: Option<&str>) -> Read<customer_snapshot::Model> {
    let external_id = details.id("id")?;
    if let (Some(id), Some(customer)) = (external_id.as_deref(), customer)
        && id != customer
    {
        details.issue(code::REFERENCE_MISMATCH, "id", Some(id), Some(customer));
    }
    let called = external_id.as_deref().or(customer).unwrap_or_default().to_owned();
    let mut copy = customer_snapshot::Model {
        customer_external_id: external_id,
        name: details.text("name")?.unwrap_or(called),
        alias: details.text("alias")?,
        email: details.text("email")?,
        tax_id: details.text("vat_number")?,
        snapshot_at: details.instant("snapshot_at")?,
        ..Default::default()
    };
    details.within("billing_address", |address| {
        copy.line1 = address.text("line1")?;
        copy.line2 = address.text("line2")?;
        copy.city = address.text("city")?;
        copy.state = address.text("state")?;
        copy.postal_code = address.text("zip_code")?;
        copy.country = address.country("country")?;
        Ok(())
    })?;
    copy.external_attributes = details.leftover();
    Ok(copy)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::System;
    use super::super::tests::{at, codes, import, issue};
    use super::*;

    const SAMPLE: &str = include_str!("../../tests/it/fixtures/meteroid.json");

    /// An invoice as the system writes it: seats and rated usage, 20 % tax, a part paid by credits, nothing else yet.
    fn document() -> Json {
        json!({
            "id": "inv_7n42DGM5Tflk9n8mt7Fhc7", "invoice_number": "INV-2026-0042", "customer_id": "cus_1",
            "customer_details": {
                "id": "cus_1", "name": "Acme GmbH", "snapshot_at": "2026-03-01T08:00:00Z", "alias": "acme",
                "email": "billing@acme.example", "vat_number": "DE123456789",
                "billing_address": {"line1": "Hauptstr. 1", "city": "Berlin", "country": "DE", "zip_code": "10115"}
            },
            "subscription_id": "sub_1", "currency": "EUR", "status": "Finalized", "payment_status": "Unpaid",
            "invoice_type": "Recurring", "invoice_date": "2026-03-01", "due_date": "2026-03-31", "net_terms": 30,
            "created_at": "2026-03-01T07:59:00Z", "updated_at": "2026-03-02T00:00:00Z",
            "finalized_at": "2026-03-01T08:00:00Z",
            "subtotal": 11_900, "subtotal_recurring": 9_900, "tax_amount": 2_380, "total": 14_280,
            "applied_credits": 1_280, "amount_due": 13_000, "coupons": [],
            "line_items": [
                {"name": "Seats", "description": "Seats in March", "quantity": "2", "unit_price": "49.50",
                 "tax_rate": "0.2", "amount_total": 11_880, "start_date": "2026-03-01", "end_date": "2026-03-31",
                 "sub_line_items": []},
                {"name": "Usage", "tax_rate": "0.2", "amount_total": 2_400, "start_date": "2026-02-01",
                 "end_date": "2026-02-28", "sub_line_items": [
                    {"id": "a", "name": "A100", "quantity": "3702", "unit_price": "0.00333333", "total": 1_234},
                    {"id": "b", "name": "L4", "quantity": "766", "unit_price": "0.01", "total": 766}]}
            ],
            "tax_breakdown": [{"name": "MwSt.", "tax_rate": "0.2", "taxable_amount": 11_900, "tax_amount": 2_380}],
            "transactions": []
        })
    }

    fn with(changes: &[(&str, Json)]) -> Json {
        let mut document = document();
        for (pointer, value) in changes {
            let (parent, key) = pointer.rsplit_once('/').unwrap();
            document.pointer_mut(parent).unwrap()[key] = value.clone();
        }
        document
    }

    fn imported(document: &Json) -> super::super::Imported {
        import(System::Meteroid, &document.to_string()).unwrap()
    }

    fn transaction(id: &str, status: &str, amount: i64) -> Json {
        json!({"id": id, "status": status, "amount": amount, "currency": "EUR", "payment_type": "Payment",
               "processed_at": "2026-03-05T10:00:00Z", "provider_transaction_id": format!("pi_{id}")})
    }

    #[test]
    fn the_sample_is_read_with_exactly_these_issues() {
        let imported = import(System::Meteroid, SAMPLE).unwrap();
        let placeholder = |code, path| issue(code, path, Some("<string>"), None);
        let wanted = [
            placeholder(code::UNREADABLE_DECIMAL, "line_items[0].sub_line_items[0].quantity"),
            placeholder(code::UNREADABLE_DECIMAL, "line_items[0].sub_line_items[0].unit_price"),
            placeholder(code::UNREADABLE_DECIMAL, "line_items[0].quantity"),
            placeholder(code::UNREADABLE_DECIMAL, "line_items[0].tax_rate"),
            placeholder(code::UNREADABLE_DECIMAL, "line_items[0].unit_price"),
            placeholder(code::UNREADABLE_DECIMAL, "tax_breakdown[0].tax_rate"),
            issue(code::CURRENCY_UNKNOWN, "transactions[0].currency", Some("<string>"), Some("AED")),
            placeholder(code::UNREADABLE_TEXT, "transactions[0].payment_method_info.card_last4"),
            issue(code::AMOUNT_REMAINING_MISMATCH, "amount_due", Some("123"), Some("0")),
            issue(code::TAX_TOTAL_MISMATCH, "tax_amount", Some("123"), Some("1")),
        ];
        assert_eq!(imported.issues, wanted);
    }

    #[test]
    fn what_the_sample_states_is_kept() {
        let imported = import(System::Meteroid, SAMPLE).unwrap();
        assert_eq!(imported.external_id, "<string>");
        assert_eq!(imported.customer_external_id.as_deref(), Some("<string>"));
        assert_eq!(imported.updated_at, Some(at("2023-11-07T05:31:56Z")));
        let bill = &imported.bill;
        let row = &bill.invoice;
        assert_eq!((row.status, row.source_status.as_deref()), (InvoiceStatus::Draft, Some("Draft")));
        assert_eq!((row.total, row.applied_credits), (Minor(123), Minor(123)));
        assert_eq!((row.amount_due, row.amount_paid), (Minor(0), Minor(0)));
        assert_eq!(row.external_attributes["$raw"]["amount_due"], json!(123));
        assert_eq!(row.due_at, Some(at("2023-12-25T23:59:59Z")));
        assert_eq!(bill.discounts[0].kind, DiscountKind::Coupon);
        assert_eq!(bill.lines[0].sub_lines[0].quantity.0, "1");
        assert_eq!(bill.taxes[0].exemption, Some(TaxExemption::ReverseCharge));
        assert_eq!(bill.taxes[0].rate.0, "0");
        let payment = &bill.payments[0];
        assert_eq!((payment.row.status, payment.row.amount_paid), (PaymentStatus::Ready, Minor(0)));
        assert_eq!(payment.row.pm_card_last4, None);
        let raw = &payment.row.external_attributes["$raw"];
        assert_eq!(raw["transactions[0].payment_method_info.card_last4"], "<string>");
        let method = payment.method.as_ref().unwrap();
        assert_eq!(method.external_id.as_deref(), Some("pm_7n42DGM5Tflk9n8mt7Fhc7"));
        assert_eq!(method.kind, PaymentMethodType::Card);
        let subscription = bill.subscription.as_ref().unwrap();
        assert_eq!(subscription.external_id.as_deref(), Some("sub_7n42DGM5Tflk9n8mt7Fhc7"));
    }

    #[test]
    fn an_open_invoice_is_read_without_an_issue() {
        let imported = imported(&document());
        assert_eq!(imported.issues, []);
        let row = &imported.bill.invoice;
        assert_eq!((row.status, row.invoice_type), (InvoiceStatus::Open, InvoiceType::Recurring));
        assert_eq!(row.source_payment_status.as_deref(), Some("Unpaid"));
        assert_eq!((row.total, row.amount_due, row.amount_paid), (Minor(14_280), Minor(13_000), Minor(0)));
        assert_eq!((row.subtotal, row.tax_total, row.net_terms_days), (Minor(11_900), Minor(2_380), Some(30)));
        assert_eq!(row.due_at, Some(at("2026-03-31T23:59:59Z")));
        assert_eq!((row.origin_kind, row.number.as_deref()), (OriginKind::Subscription, Some("INV-2026-0042")));
        assert_eq!(row.collection_method, CollectionMethod::ChargeAutomatically);
        assert_eq!(row.external_attributes, json!({}));
    }

    #[test]
    fn lines_taxes_and_customer_are_read() {
        let bill = imported(&document()).bill;
        let [seats, usage] = bill.lines.as_slice() else {
            panic!("two lines");
        };
        assert_eq!((seats.row.description.as_str(), usage.row.description.as_str()), ("Seats in March", "Usage"));
        assert_eq!((seats.row.subtotal, seats.row.tax_total), (Minor(9_900), Some(Minor(1_980))));
        assert_eq!((usage.row.subtotal, usage.row.tax_total), (Minor(2_000), Some(Minor(400))));
        assert_eq!((seats.row.amount, seats.row.amount_includes_tax), (Minor(11_880), true));
        assert_eq!(seats.row.tax_rate.as_ref().unwrap().0, "20");
        let days = (seats.row.period_start, seats.row.period_end, seats.row.period_is_date);
        assert_eq!(days, (Some(at("2026-03-01T00:00:00Z")), Some(at("2026-03-31T00:00:00Z")), true));
        assert_eq!(usage.sub_lines[0].unit_price.0, "0.00333333");
        assert_eq!((bill.taxes[0].rate.0.as_str(), bill.taxes[0].taxable_amount), ("20", Minor(11_900)));
        let copy = bill.snapshot.unwrap();
        assert_eq!((copy.name.as_str(), copy.tax_id.as_deref()), ("Acme GmbH", Some("DE123456789")));
        assert_eq!((copy.postal_code.as_deref(), copy.country.as_deref()), (Some("10115"), Some("DE")));
        let customer = bill.customer.unwrap();
        assert_eq!((customer.name.as_str(), customer.external_id.as_deref()), ("Acme GmbH", Some("cus_1")));
    }

    #[test]
    fn a_customer_without_a_name_is_called_by_its_id() {
        let mut document = document();
        document.as_object_mut().unwrap().remove("customer_details");
        let bill = imported(&document).bill;
        assert_eq!(bill.customer.unwrap().name, "cus_1");
        assert_eq!(bill.snapshot, None);
    }

    #[test]
    fn what_is_missing_from_the_amount_due_was_paid() {
        let imported = imported(&with(&[
            ("/payment_status", json!("PartiallyPaid")),
            ("/amount_due", json!(8_000)),
            ("/transactions", json!([transaction("1", "Failed", 13_000), transaction("2", "Settled", 5_000)])),
        ]));
        assert_eq!(imported.issues, []);
        let row = &imported.bill.invoice;
        assert_eq!((row.status, row.amount_due, row.amount_paid), (InvoiceStatus::Open, Minor(13_000), Minor(5_000)));
        let [failed, settled] = imported.bill.payments.as_slice() else {
            panic!("two payments");
        };
        let processed = Some(at("2026-03-05T10:00:00Z"));
        assert_eq!((failed.row.status, failed.row.failed_at), (PaymentStatus::Failed, processed));
        assert_eq!((failed.row.amount_requested, failed.row.amount_paid), (Minor(13_000), Minor(0)));
        assert_eq!((settled.row.status, settled.row.paid_at), (PaymentStatus::Succeeded, processed));
        assert_eq!(settled.row.amount_paid, Minor(5_000));
    }

    #[test]
    fn a_paid_invoice_is_not_free() {
        let imported = imported(&with(&[
            ("/payment_status", json!("PAID")),
            ("/status", json!("FINALIZED")),
            ("/amount_due", json!(0)),
            ("/paid_at", json!("2026-03-05T10:00:00Z")),
            ("/transactions", json!([transaction("1", "SETTLED", 13_000)])),
        ]));
        assert_eq!(imported.issues, []);
        let row = &imported.bill.invoice;
        assert_eq!((row.status, row.amount_due, row.amount_paid), (InvoiceStatus::Paid, Minor(13_000), Minor(13_000)));
        assert_eq!(row.source_status.as_deref(), Some("FINALIZED"));
        assert_eq!(row.external_attributes["$raw"]["payment_status"], "PAID");
        assert_eq!(imported.bill.payments[0].row.source_status.as_deref(), Some("SETTLED"));
    }

    #[test]
    fn payments_that_do_not_explain_the_amount_due_are_an_issue() {
        let imported = imported(&with(&[
            ("/amount_due", json!(8_000)),
            ("/transactions", json!([transaction("1", "Settled", 4_000)])),
        ]));
        let wanted = issue(code::AMOUNT_REMAINING_MISMATCH, "amount_due", Some("8000"), Some("9000"));
        assert_eq!(imported.issues, [wanted]);
        assert_eq!(imported.bill.invoice.amount_paid, Minor(5_000));
    }

    #[test]
    fn nothing_was_paid_of_a_void_invoice() {
        for remaining in [0, 13_000] {
            let imported = imported(&with(&[("/status", json!("Void")), ("/amount_due", json!(remaining))]));
            assert_eq!(imported.issues, []);
            assert_eq!(imported.bill.invoice.status, InvoiceStatus::Void);
            assert_eq!(imported.bill.invoice.amount_paid, Minor(0));
        }
    }

    #[test]
    fn refunds_do_not_reduce_what_was_paid() {
        let mut refund = transaction("2", "Settled", 2_000);
        refund["payment_type"] = json!("Refund");
        refund["error"] = json!("requested_by_customer");
        let bill = imported(&with(&[
            ("/amount_due", json!(0)),
            ("/payment_status", json!("Paid")),
            ("/transactions", json!([transaction("1", "Settled", 13_000), refund])),
        ]))
        .bill;
        assert_eq!((bill.invoice.amount_paid, bill.invoice.amount_refunded), (Minor(13_000), Minor(2_000)));
        let row = &bill.payments[1].row;
        assert_eq!((row.kind, row.amount_paid), (PaymentKind::Refund, Minor(2_000)));
        assert_eq!(row.failure_code.as_deref(), Some("requested_by_customer"));
    }

    #[test]
    fn coupons_reduce_the_whole_invoice() {
        let imported = imported(&with(&[
            ("/coupons", json!([{"coupon_id": "cou_1", "name": "Ten percent", "total": 1_190}])),
            ("/tax_amount", json!(2_142)),
            ("/total", json!(12_852)),
            ("/amount_due", json!(11_572)),
            ("/line_items/0/amount_total", json!(10_692)),
            ("/line_items/1/amount_total", json!(2_160)),
            ("/tax_breakdown/0/taxable_amount", json!(10_710)),
            ("/tax_breakdown/0/tax_amount", json!(2_142)),
        ]));
        assert_eq!(imported.issues, []);
        let bill = &imported.bill;
        assert_eq!((bill.invoice.discount_total, bill.invoice.total), (Minor(1_190), Minor(12_852)));
        assert_eq!(bill.discounts[0].coupon_external_id.as_deref(), Some("cou_1"));
        assert_eq!((bill.lines[0].row.subtotal, bill.lines[0].row.tax_total), (Minor(9_900), None));
    }

    #[test]
    fn a_line_that_states_its_amount_only_is_divided_by_its_rate() {
        let line = json!({"name": "Fee", "amount_total": 14_280, "tax_rate": "0.2"});
        let imported = imported(&with(&[("/line_items", json!([line]))]));
        assert_eq!(imported.issues, []);
        assert_eq!(imported.bill.lines[0].row.subtotal, Minor(11_900));
        assert_eq!(without_tax(Minor(-105), Some(&DecimalText("5.5".to_owned()))), Minor(-100));
        assert_eq!(without_tax(Minor(7), Some(&DecimalText("-100".to_owned()))), Minor(7));
        assert_eq!(without_tax(Minor(7), None), Minor(7));
    }

    #[test]
    fn a_line_that_does_not_add_up_is_an_issue() {
        let imported = imported(&with(&[("/line_items/0/amount_total", json!(9_900))]));
        let path = "line_items[0].amount_total";
        let wanted = issue(code::LINE_AMOUNT_MISMATCH, path, Some("9900"), Some("11880"));
        assert_eq!(imported.issues, [wanted]);
        let rounded = super::tests::imported(&with(&[("/line_items/0/amount_total", json!(11_881))]));
        assert_eq!(rounded.issues, []);
    }

    #[test]
    fn unknown_words_and_impossible_values_are_issues() {
        let imported = imported(&with(&[
            ("/status", json!("Archived")),
            ("/payment_status", json!("Paid")),
            ("/invoice_type", json!("Gift")),
            ("/net_terms", json!(-1)),
            ("/created_at", json!("yesterday")),
            ("/line_items/0/end_date", json!("2026-02-01")),
        ]));
        let wanted = [
            (code::UNKNOWN_WORD, "status"),
            (code::UNKNOWN_WORD, "invoice_type"),
            (code::UNREADABLE_INTEGER, "net_terms"),
            (code::UNREADABLE_DATE, "created_at"),
            (code::PERIOD_REVERSED, "line_items[0].end_date"),
        ];
        assert_eq!(codes(&imported), wanted);
        let row = &imported.bill.invoice;
        assert_eq!((row.status, row.invoice_type), (InvoiceStatus::Open, InvoiceType::Unknown));
        assert_eq!((row.net_terms_days, row.created_at), (None, at("2026-01-01T00:00:00Z")));
        assert_eq!(row.external_attributes["$raw"]["net_terms"], json!(-1));
        let raw = &imported.bill.lines[0].row.external_attributes["$raw"];
        assert_eq!(raw["line_items[0].end_date"], "2026-02-01");
    }

    #[test]
    fn the_number_of_a_card_is_not_kept() {
        let mut paid = transaction("1", "Failed", 100);
        paid["error"] = json!("Your card was declined.");
        paid["payment_method_info"] = json!({"payment_method_type": "Card", "card_last4": "4242424242424242"});
        let imported = imported(&with(&[("/transactions", json!([paid]))]));
        let path = "transactions[0].payment_method_info.card_last4";
        assert_eq!(imported.issues, [issue(code::UNREADABLE_TEXT, path, None, None)]);
        assert!(!format!("{:?}", imported.bill).contains("42424242"));
        let row = &imported.bill.payments[0].row;
        assert_eq!(row.failure_message.as_deref(), Some("Your card was declined."));
    }

    #[test]
    fn what_nobody_knows_is_kept() {
        let bill = imported(&with(&[
            ("/odd", json!(1)),
            ("/line_items/0/odd", json!("a")),
            ("/customer_details/odd", json!("b")),
            ("/tax_breakdown/0/odd", json!("c")),
        ]))
        .bill;
        let kept = json!({"odd": 1, "tax_breakdown": {"0": {"odd": "c"}}});
        assert_eq!(bill.invoice.external_attributes, kept);
        assert_eq!(bill.lines[0].row.external_attributes["odd"], "a");
        assert_eq!(bill.snapshot.unwrap().external_attributes, json!({"odd": "b"}));
    }

    #[test]
    fn broken_documents_are_refused() {
        let mut dollars = transaction("1", "Settled", 1);
        dollars["currency"] = json!("USD");
        let twice = json!([transaction("1", "Settled", 1), transaction("1", "Failed", 1)]);
        let cases = [
            (with(&[("/id", json!(null))]), "id: required, but absent"),
            (with(&[("/total", json!("14280"))]), "total: expected a number, found a text"),
            (with(&[("/line_items", json!({}))]), "line_items: expected a list, found an object"),
            (
                with(&[("/line_items/0/quantity", json!(2))]),
                "line_items[0].quantity: expected a number as text, found a number",
            ),
            (
                with(&[("/transactions", json!([dollars]))]),
                "transactions[0].currency: currency USD, but the invoice is in EUR",
            ),
            (with(&[("/transactions", twice)]), "transactions[1].id: 1 occurs twice"),
            (
                with(&[("/subtotal", json!(9_007_199_254_740_992_i64))]),
                "subtotal: 9007199254740992 does not fit: amounts stop at 2^53 - 1 minor units",
            ),
        ];
        for (document, wanted) in cases {
            let error = import(System::Meteroid, &document.to_string()).unwrap_err();
            assert_eq!(error.to_string(), wanted);
        }
    }
}
