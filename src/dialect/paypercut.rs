//! Documents of Paypercut: `GET /v1/invoices/{id}`, with or without `expand=customer`.
//!
//! Amounts are whole minor units. `customer` is an id or the whole customer. Lists say with `has_more` that they are
//! cut; then nothing is compared with their sums. A line's subscription is kept as such where it is the invoice's own,
//! and stays an attribute otherwise.

use entity::{
    BillingReason, CollectionMethod, CurrencyCode, CustomerStatus, DecimalText, Instant, InvoiceStatus, InvoiceType,
    LineItemKind, Minor, OriginKind, PaymentKind, PaymentReferenceKind, PaymentStatus, ProductId, customer, invoice,
    line_item, payment, price, product, subscription,
};

use super::reader::{Read, Reader, Unit, Written, day_of, refuse_duplicates, sum};
use super::{DialectError, Draft, ImportContext, created, keep_first};
use crate::domain::bill::{Bill, BillLine, BillPayment};
use crate::domain::integrity::{self, Statement, code};

/// Who took the payments.
const PROVIDER: &str = "paypercut";

const STATUSES: [(&str, InvoiceStatus); 5] = [
    ("draft", InvoiceStatus::Draft),
    ("open", InvoiceStatus::Open),
    ("paid", InvoiceStatus::Paid),
    ("void", InvoiceStatus::Void),
    ("uncollectible", InvoiceStatus::Uncollectible),
];

const REASONS: [(&str, BillingReason); 7] = [
    ("manual", BillingReason::Manual),
    ("subscription_create", BillingReason::SubscriptionCreate),
    ("subscription_cycle", BillingReason::SubscriptionCycle),
    ("subscription_update", BillingReason::SubscriptionUpdate),
    ("subscription_threshold", BillingReason::SubscriptionThreshold),
    ("quote_accept", BillingReason::QuoteAccept),
    ("upcoming", BillingReason::Upcoming),
];

const COLLECTION_METHODS: [(&str, CollectionMethod); 2] =
    [("charge_automatically", CollectionMethod::ChargeAutomatically), ("send_invoice", CollectionMethod::SendInvoice)];

const PARENTS: [(&str, OriginKind); 2] =
    [("subscription_details", OriginKind::Subscription), ("quote_details", OriginKind::Quote)];

const LINE_PARENTS: [(&str, OriginKind); 2] =
    [("subscription_item_details", OriginKind::SubscriptionItem), ("invoice_item_details", OriginKind::InvoiceItem)];

const PAYMENT_STATUSES: [(&str, PaymentStatus); 5] = [
    ("paid", PaymentStatus::Succeeded),
    ("failed", PaymentStatus::Failed),
    ("requires_action", PaymentStatus::RequiresAction),
    ("open", PaymentStatus::Pending),
    ("canceled", PaymentStatus::Canceled),
];

const REFERENCES: [(&str, PaymentReferenceKind); 3] = [
    ("payment_intent", PaymentReferenceKind::PaymentIntent),
    ("payment_record", PaymentReferenceKind::PaymentRecord),
    ("charge", PaymentReferenceKind::Charge),
];

/// What every part of a document needs to know of the whole.
struct Frame {
    invoice: String,
    subscription: Option<String>,
    currency: CurrencyCode,
    created_at: Instant,
    livemode: bool,
}

/// Reads an invoice of Paypercut.
pub(super) fn import(mut root: Reader, context: &ImportContext<'_>) -> Read<Draft> {
    let external_id = root.required_id("id")?;
    root.constant("object", "invoice");
    let mut frame = Frame {
        invoice: external_id.clone(),
        subscription: None,
        currency: root.currency("currency", context.currency)?,
        created_at: created(&mut root, "created", context)?,
        livemode: root.boolean("livemode")?.unwrap_or(context.livemode),
    };
    let updated_at = root.instant("updated")?;
    let mut row = head(&mut root, &frame)?;
    row.updated_at = updated_at.unwrap_or(frame.created_at);
    frame.subscription = read_parent(&mut root, &mut row)?;
    let mut bill = Bill {
        invoice: row,
        subscription: frame.subscription.clone().map(|id| subscription_row(id, &frame)),
        customer: read_customer(&mut root, &frame)?,
        ..Default::default()
    };
    let all_lines = read_lines(&mut root, &mut bill, &frame)?;
    let all_payments = read_payments(&mut root, &mut bill, &frame)?;
    let statement = read_amounts(&mut root, &mut bill, all_lines, all_payments)?;
    root.add_issues(integrity::check(&bill, &statement));
    bill.invoice.external_attributes = root.leftover();
    Ok(Draft {
        customer_external_id: bill.customer.as_ref().and_then(|customer| customer.external_id.clone()),
        bill,
        external_id,
        updated_at,
        issues: root.into_issues(),
    })
}

fn head(root: &mut Reader, frame: &Frame) -> Read<invoice::Model> {
    let (status, source_status) = root.status("status", &STATUSES)?;
    let billing_reason = root.word("billing_reason", &REASONS)?.value.unwrap_or_default();
    let method = root.word("collection_method", &COLLECTION_METHODS)?;
    let (period_start, period_end) = root.within("period", read_period)?.unwrap_or_default();
    let mut row = invoice::Model {
        status,
        source_status,
        billing_reason,
        invoice_type: invoice_type(billing_reason),
        collection_method: match method.stated {
            Some(_) => method.value.unwrap_or_default(),
            None => CollectionMethod::ChargeAutomatically,
        },
        currency: frame.currency.clone(),
        livemode: frame.livemode,
        issue_date: day_of(frame.created_at),
        period_start,
        period_end,
        metadata: root.string_map("metadata")?,
        created_at: frame.created_at,
        ..Default::default()
    };
    root.within("status_transitions", |moments| {
        row.finalized_at = moments.instant("finalized_at")?;
        row.paid_at = moments.instant("paid_at")?;
        row.voided_at = moments.instant("voided_at")?;
        row.uncollectible_at = moments.instant("marked_uncollectible_at")?;
        Ok(())
    })?;
    let object = root.is_object("last_finalization_error");
    row.last_finalization_error = match root.take("last_finalization_error") {
        Some(other) if !object => {
            return Err(DialectError::WrongType {
                path: root.path("last_finalization_error"),
                expected: "an object",
                found: other.kind(),
            });
        }
        error => error.map(super::document::Value::json),
    };
    Ok(row)
}

fn invoice_type(reason: BillingReason) -> InvoiceType {
    match reason {
        BillingReason::SubscriptionCreate
        | BillingReason::SubscriptionCycle
        | BillingReason::SubscriptionUpdate
        | BillingReason::SubscriptionThreshold => InvoiceType::Recurring,
        _ => InvoiceType::OneOff,
    }
}

fn read_period(period: &mut Reader) -> Read<(Option<Instant>, Option<Instant>)> {
    let start = period.instant("start")?;
    let end = period.instant("end")?;
    Ok(period.ordered(("start", start), ("end", end)))
}

/// What the invoice was made from. Gives the id of the subscription; its metadata is a copy of that time.
fn read_parent(root: &mut Reader, row: &mut invoice::Model) -> Read<Option<String>> {
    let subscription = root.within("parent", |parent| {
        row.origin_kind = parent.word("type", &PARENTS)?.value.unwrap_or_default();
        let details = parent.within("subscription_details", |details| {
            row.origin_metadata = details.string_map("metadata")?;
            details.id("subscription")
        })?;
        Ok(details.flatten())
    })?;
    Ok(subscription.flatten())
}

fn subscription_row(external_id: String, frame: &Frame) -> subscription::Model {
    subscription::Model {
        external_id: Some(external_id),
        created_at: frame.created_at,
        updated_at: frame.created_at,
        ..Default::default()
    }
}

fn read_customer(root: &mut Reader, frame: &Frame) -> Read<Option<customer::Model>> {
    if root.is_object("customer") {
        return root.within("customer", |customer| read_expanded(customer, frame));
    }
    Ok(root.id("customer")?.map(|external_id| customer::Model {
        name: external_id.clone(),
        external_id: Some(external_id),
        status: CustomerStatus::Unknown,
        livemode: frame.livemode,
        created_at: frame.created_at,
        updated_at: frame.created_at,
        ..Default::default()
    }))
}

fn read_expanded(customer: &mut Reader, frame: &Frame) -> Read<customer::Model> {
    let external_id = customer.required_id("id")?;
    customer.constant("object", "customer");
    let created_at = customer.instant("created")?.unwrap_or(frame.created_at);
    let mut row = customer::Model {
        name: customer.text("name")?.unwrap_or_else(|| external_id.clone()),
        external_id: Some(external_id),
        email: customer.text("email")?,
        phone: customer.text("phone")?,
        status: CustomerStatus::Unknown,
        livemode: customer.boolean("livemode")?.unwrap_or(frame.livemode),
        metadata: customer.string_map("metadata")?,
        created_at,
        updated_at: customer.instant("updated")?.unwrap_or(created_at),
        ..Default::default()
    };
    customer.within("address", |address| {
        row.line1 = address.text("line1")?;
        row.line2 = address.text("line2")?;
        row.city = address.text("city")?;
        row.state = address.text("state")?;
        row.postal_code = address.text("postal_code")?;
        row.country = address.country("country")?;
        Ok(())
    })?;
    row.external_attributes = customer.leftover();
    Ok(row)
}

/// Reads a list with its envelope. Says whether the document holds all of it.
fn read_list<T>(
    root: &mut Reader,
    key: &str,
    url: &str,
    mut read: impl FnMut(&mut Reader) -> Read<T>,
) -> Read<Option<(Vec<T>, bool)>> {
    root.within(key, |list| {
        list.constant("object", "list");
        list.constant("url", url);
        let rows = list.rows("data", &mut read)?;
        let more = list.boolean("has_more")?.unwrap_or_default();
        if more {
            list.issue(code::INCOMPLETE_LIST, "has_more", Some("true"), Some("false"));
            list.keep_raw("has_more", true.into());
        }
        Ok((rows, !more))
    })
}

/// A line with the product and the price that it names.
struct Found {
    line: BillLine,
    product: Option<product::Model>,
    price: Option<price::Model>,
}

fn read_lines(root: &mut Reader, bill: &mut Bill, frame: &Frame) -> Read<bool> {
    let url = format!("/v1/invoice_lines?invoice={}", frame.invoice);
    let list = read_list(root, "lines", &url, |line| read_line(line, frame))?;
    let (lines, all) = list.unwrap_or((Vec::new(), true));
    let ids = lines.iter().map(|line| line.line.row.external_id.as_ref());
    refuse_duplicates("lines.data", "id", ids)?;
    for line in lines {
        bill.lines.push(line.line);
        bill.products.extend(line.product);
        bill.prices.extend(line.price);
    }
    keep_first(&mut bill.products, |product| product.external_id.clone());
    keep_first(&mut bill.prices, |price| price.external_id.clone());
    Ok(all)
}

fn read_line(line: &mut Reader, frame: &Frame) -> Read<Found> {
    let external_id = line.id("id")?;
    line.constant("object", "invoice_line_item");
    line.same_id("invoice", &frame.invoice)?;
    line.same_currency("currency", &frame.currency)?;
    let amount = line.known_amount("amount", Unit::Minor)?;
    let (period_start, period_end) = line.within("period", read_period)?.unwrap_or_default();
    let quantity = line.decimal("quantity", Written::Number)?;
    let mut found = Found { line: BillLine::default(), product: None, price: None };
    found.line.row = line_item::Model {
        external_id,
        description: line.text("description")?.unwrap_or_default(),
        quantity: quantity.unwrap_or_else(|| DecimalText("1".to_owned())),
        subtotal: amount,
        amount,
        period_start,
        period_end,
        metadata: line.string_map("metadata")?,
        ..Default::default()
    };
    read_line_parent(line, &mut found.line, frame)?;
    line.within("pricing", |pricing| read_pricing(pricing, &mut found, frame))?;
    found.line.row.external_attributes = line.leftover();
    Ok(found)
}

fn read_line_parent(line: &mut Reader, found: &mut BillLine, frame: &Frame) -> Read<()> {
    line.within("parent", |parent| {
        let origin = parent.word("type", &LINE_PARENTS)?.value.unwrap_or_default();
        found.row.origin_kind = origin;
        found.row.kind = match origin {
            OriginKind::SubscriptionItem => LineItemKind::Recurring,
            OriginKind::InvoiceItem => LineItemKind::OneOff,
            _ => LineItemKind::Other,
        };
        parent.within("subscription_item_details", |details| {
            found.row.subscription_item_external_id = details.id("subscription_item")?;
            let own = frame.subscription.as_deref();
            if own.is_some_and(|own| details.says("subscription", own)) {
                found.subscription = details.id("subscription")?;
            }
            Ok(())
        })
    })?;
    Ok(())
}

fn read_pricing(pricing: &mut Reader, found: &mut Found, frame: &Frame) -> Read<()> {
    let product = pricing.id("product")?;
    let price = pricing.id("price")?;
    found.product = product.clone().map(|external_id| product::Model {
        display_name: external_id.clone(),
        external_id: Some(external_id),
        created_at: frame.created_at,
        ..Default::default()
    });
    found.price = price.clone().map(|external_id| price::Model {
        product_id: product.clone().map(ProductId),
        external_id: Some(external_id),
        currency: frame.currency.clone(),
        created_at: frame.created_at,
        ..Default::default()
    });
    found.line.product = product;
    found.line.price = price;
    Ok(())
}

/// Says whether the document lists all payments; none at all is not a list.
fn read_payments(root: &mut Reader, bill: &mut Bill, frame: &Frame) -> Read<bool> {
    let url = format!("/v1/invoice_payments?invoice={}", frame.invoice);
    let list = read_list(root, "payments", &url, |payment| read_payment(payment, frame))?;
    let Some((mut payments, all)) = list else {
        return Ok(false);
    };
    let ids = payments.iter().map(|payment| payment.row.external_id.as_ref());
    refuse_duplicates("payments.data", "id", ids)?;
    let ids = payments.iter().map(|payment| payment.row.provider_payment_id.as_ref());
    refuse_duplicates("payments.data", "payment.payment", ids)?;
    payments.sort_by_key(|payment| payment.row.created_at);
    bill.payments = payments;
    Ok(all)
}

fn read_payment(payment: &mut Reader, frame: &Frame) -> Read<BillPayment> {
    let external_id = payment.id("id")?;
    payment.constant("object", "invoice_payment");
    payment.same_id("invoice", &frame.invoice)?;
    payment.same_currency("currency", &frame.currency)?;
    let status = payment.word("status", &PAYMENT_STATUSES)?;
    let created_at = payment.instant("created")?.unwrap_or(frame.created_at);
    let paid_at = payment.instant("paid_at")?;
    let failed_at = payment.instant("failed_at")?;
    let canceled_at = payment.instant("canceled_at")?;
    let mut row = payment::Model {
        external_id,
        kind: PaymentKind::Payment,
        status: status.value.unwrap_or_default(),
        source_status: status.stated,
        currency: frame.currency.clone(),
        amount_requested: payment.positive_amount("amount_requested", Unit::Minor)?.unwrap_or_default(),
        amount_paid: payment.positive_amount("amount_paid", Unit::Minor)?.unwrap_or_default(),
        reference_kind: PaymentReferenceKind::PaymentRecord,
        provider: PROVIDER.to_owned(),
        is_default: payment.boolean("is_default")?.unwrap_or_default(),
        paid_at,
        failed_at,
        canceled_at,
        created_at,
        updated_at: paid_at.max(failed_at).max(canceled_at).unwrap_or(created_at),
        ..Default::default()
    };
    payment.within("payment", |reference| {
        row.payment_intent_id = reference.id("payment_intent")?;
        row.provider_payment_id = reference.id("payment")?;
        row.charge_id = reference.id("charge")?;
        let kind = reference.word("type", &REFERENCES)?;
        row.reference_kind = kind.value.unwrap_or(PaymentReferenceKind::PaymentRecord);
        Ok(())
    })?;
    row.external_attributes = payment.leftover();
    Ok(BillPayment { row, ..Default::default() })
}

/// Fills the amounts of the invoice: there is no tax and no discount, and what is due is the total.
fn read_amounts(root: &mut Reader, bill: &mut Bill, all_lines: bool, all_payments: bool) -> Read<Statement> {
    let lines = sum("lines.data", bill.lines.iter().map(|line| line.row.amount))?;
    let paid_by_rows = integrity::amount_paid(bill);
    let due = root.positive_amount("amount_due", Unit::Minor)?;
    let paid = root.positive_amount("amount_paid", Unit::Minor)?;
    let remaining = root.amount("amount_remaining", Unit::Minor)?;
    if due.is_none() {
        root.issue(code::AMOUNT_UNKNOWN, "amount_due", None, Some(&lines.0.to_string()));
    }
    let row = &mut bill.invoice;
    row.amount_due = due.unwrap_or(lines.max(Minor(0)));
    row.total = row.amount_due;
    row.subtotal = if all_lines { lines } else { row.total };
    let settled = match row.status {
        InvoiceStatus::Paid if bill.payments.is_empty() => Some(row.amount_due),
        _ => paid_by_rows,
    };
    row.amount_paid = paid.or(settled).unwrap_or_default();
    Ok(Statement {
        total: root.stated("amount_due", due).filter(|_| all_lines),
        amount_paid: root.stated("amount_paid", paid).filter(|_| all_payments),
        amount_remaining: root.stated("amount_remaining", remaining),
        ..Default::default()
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::System;
    use super::super::tests::{at, changed, codes, import, issue};
    use super::*;

    const SAMPLE: &str = include_str!("../../tests/it/fixtures/paypercut.json");

    fn refused(edits: &[(&str, &str)]) -> String {
        import(System::Paypercut, &changed(SAMPLE, edits)).unwrap_err().to_string()
    }

    #[test]
    fn the_sample_is_read_without_an_issue() {
        let imported = import(System::Paypercut, SAMPLE).unwrap();
        assert_eq!(imported.issues, []);
        assert_eq!(imported.external_id, "01KA9TBINVOICE123456789");
        assert_eq!(imported.customer_external_id.as_deref(), Some("01KA9SXYZ123456789ABCDEFGH"));
        assert_eq!(imported.updated_at, Some(at("2026-03-01T00:00:12Z")));
        let row = &imported.bill.invoice;
        assert_eq!(row.status, InvoiceStatus::Paid);
        assert_eq!(row.billing_reason, BillingReason::SubscriptionCycle);
        assert_eq!(row.invoice_type, InvoiceType::Recurring);
        assert_eq!(row.origin_kind, OriginKind::Subscription);
        assert_eq!(row.origin_metadata, json!({"plan": "pro"}));
        assert_eq!(row.metadata, json!({"order_id": "sub-renewal-1042"}));
        assert!(row.livemode);
        assert_eq!((row.subtotal, row.total), (Minor(2_000), Minor(2_000)));
        assert_eq!((row.amount_due, row.amount_paid), (Minor(2_000), Minor(2_000)));
        assert_eq!(row.period_end, Some(at("2026-04-01T00:00:00Z")));
        assert_eq!(row.finalized_at, Some(at("2026-03-01T00:00:03Z")));
        assert_eq!(row.paid_at, Some(at("2026-03-01T00:00:12Z")));
        assert_eq!(row.external_attributes, json!({}));
    }

    #[test]
    fn the_line_and_the_payment_of_the_sample_are_read() {
        let bill = import(System::Paypercut, SAMPLE).unwrap().bill;
        let line = &bill.lines[0];
        assert_eq!(line.row.description, "Pro plan - monthly");
        assert_eq!(line.row.origin_kind, OriginKind::SubscriptionItem);
        assert_eq!(line.row.subscription_item_external_id.as_deref(), Some("01KA9TITEM123456789"));
        assert_eq!(line.subscription.as_deref(), Some("01KA9TSUBSCRIPTION123"));
        assert_eq!(line.row.external_attributes, json!({}));
        assert_eq!(bill.subscription.unwrap().external_id, line.subscription);
        assert_eq!(bill.products[0].external_id, line.product);
        assert_eq!(bill.prices[0].external_id, line.price);
        let payment = &bill.payments[0].row;
        assert_eq!(payment.status, PaymentStatus::Succeeded);
        assert_eq!(payment.source_status.as_deref(), Some("paid"));
        assert_eq!((payment.amount_requested, payment.amount_paid), (Minor(2_000), Minor(2_000)));
        assert_eq!(payment.reference_kind, PaymentReferenceKind::PaymentIntent);
        assert_eq!(payment.payment_intent_id.as_deref(), Some("01KA9T0ABC123456789DEFGHIJ"));
        assert_eq!(payment.provider_payment_id.as_deref(), Some("01KA9TPAY123456789"));
        assert_eq!(payment.created_at, at("2026-03-01T00:00:05Z"));
        assert_eq!(payment.external_attributes, json!({}));
    }

    #[test]
    fn an_expanded_customer_is_read_whole() {
        let customer = r#"{"id": "c_1", "object": "customer", "name": "Ada", "email": "ada@example.com",
            "address": {"line1": "1 Way", "postal_code": "123", "zone": "b"}, "metadata": {"k": "v"}, "tier": 3}"#;
        let text = changed(SAMPLE, &[("\"01KA9SXYZ123456789ABCDEFGH\"", customer)]);
        let imported = import(System::Paypercut, &text).unwrap();
        assert_eq!(imported.customer_external_id.as_deref(), Some("c_1"));
        let row = imported.bill.customer.unwrap();
        assert_eq!((row.name.as_str(), row.line1.as_deref()), ("Ada", Some("1 Way")));
        assert_eq!(row.metadata, json!({"k": "v"}));
        assert_eq!(row.external_attributes, json!({"address": {"zone": "b"}, "tier": 3}));
        let bare = import(System::Paypercut, SAMPLE).unwrap().bill.customer.unwrap();
        assert_eq!(bare.name, "01KA9SXYZ123456789ABCDEFGH");
    }

    #[test]
    fn a_list_that_goes_on_is_an_issue_and_its_sum_is_not_compared() {
        let text =
            changed(SAMPLE, &[("\"has_more\": false", "\"has_more\": true"), ("\"amount\": 2000", "\"amount\": 500")]);
        let imported = import(System::Paypercut, &text).unwrap();
        let wanted = [(code::INCOMPLETE_LIST, "lines.has_more"), (code::INCOMPLETE_LIST, "payments.has_more")];
        assert_eq!(codes(&imported), wanted);
        assert_eq!(imported.bill.invoice.subtotal, Minor(2_000));
        let raw = json!({"$raw": {"lines.has_more": true, "payments.has_more": true}});
        assert_eq!(imported.bill.invoice.external_attributes, raw);
    }

    #[test]
    fn sums_that_do_not_hold_are_issues() {
        let text = changed(
            SAMPLE,
            &[
                ("\"amount\": 2000", "\"amount\": 1500"),
                ("\"amount_remaining\": 0", "\"amount_remaining\": 100"),
                ("\"status\": \"paid\",\n\"amount_r", "\"status\": \"failed\",\n\"amount_r"),
            ],
        );
        let imported = import(System::Paypercut, &text).unwrap();
        assert_eq!(
            imported.issues,
            [
                issue(code::TOTAL_MISMATCH, "amount_due", Some("2000"), Some("1500")),
                issue(code::AMOUNT_PAID_MISMATCH, "amount_paid", Some("2000"), Some("0")),
                issue(code::AMOUNT_REMAINING_MISMATCH, "amount_remaining", Some("100"), Some("0")),
            ]
        );
    }

    #[test]
    fn unknown_words_are_kept_and_named() {
        let text = changed(
            SAMPLE,
            &[
                ("subscription_cycle", "solstice"),
                ("charge_automatically", "carrier_pigeon"),
                ("\"type\": \"payment_intent\"", "\"type\": \"barter\""),
            ],
        );
        let imported = import(System::Paypercut, &text).unwrap();
        let wanted = [
            (code::UNKNOWN_WORD, "billing_reason"),
            (code::UNKNOWN_WORD, "collection_method"),
            (code::UNKNOWN_WORD, "payments.data[0].payment.type"),
        ];
        assert_eq!(codes(&imported), wanted);
        let row = &imported.bill.invoice;
        assert_eq!(row.billing_reason, BillingReason::Unknown);
        assert_eq!(row.collection_method, CollectionMethod::Unknown);
        assert_eq!(row.external_attributes["$raw"]["billing_reason"], "solstice");
        let payment = &imported.bill.payments[0].row;
        assert_eq!(payment.external_attributes["$raw"]["payments.data[0].payment.type"], "barter");
    }

    #[test]
    fn a_line_of_another_subscription_keeps_it_as_an_attribute() {
        let text = changed(
            SAMPLE,
            &[(
                "\"subscription\": \"01KA9TSUBSCRIPTION123\",\n\"subscription_item",
                "\"subscription\": \"other\",\n\"subscription_item",
            )],
        );
        let line = &import(System::Paypercut, &text).unwrap().bill.lines[0];
        assert_eq!(line.subscription, None);
        let kept = json!({"parent": {"subscription_item_details": {"subscription": "other"}}});
        assert_eq!(line.row.external_attributes, kept);
    }

    #[test]
    fn broken_documents_are_refused_with_path_and_reason() {
        assert_eq!(
            refused(&[("\"amount\": 2000,\n\"currency\": \"USD\"", "\"amount\": 2000,\n\"currency\": \"EUR\"")]),
            "lines.data[0].currency: currency EUR, but the invoice is in USD"
        );
        assert_eq!(
            refused(&[("\"amount_due\": 2000", "\"amount_due\": \"2000\"")]),
            "amount_due: expected a number, found a text"
        );
        assert_eq!(
            refused(&[("\"amount_due\": 2000", "\"amount_due\": 1e16")]),
            "amount_due: 1e16 does not fit: amounts stop at 2^53 - 1 minor units"
        );
        assert_eq!(
            refused(&[("\"quantity\": 1", "\"quantity\": 1e400")]),
            "lines.data[0].quantity: 1e400 does not fit: numbers have at most 38 digits"
        );
        assert_eq!(
            refused(&[("\"last_finalization_error\": null", "\"last_finalization_error\": \"x\"")]),
            "last_finalization_error: expected an object, found a text"
        );
        assert_eq!(refused(&[("{\n\"id\": \"01KA9TBINVOICE123456789\",", "{")]), "id: required, but absent");
    }

    #[test]
    fn ids_that_occur_twice_and_lists_that_are_too_long_are_refused() {
        let twice = r#""data": [{"id": "a", "amount": 1}, {"id": "a", "amount": 1}]"#;
        let text = |list: &str, data: &str| format!(r#"{{"id": "x", "{list}": {{{data}}}}}"#);
        let refused = |text: &str| import(System::Paypercut, text).unwrap_err().to_string();
        assert_eq!(refused(&text("lines", twice)), "lines.data[1].id: a occurs twice");
        assert_eq!(refused(&text("payments", twice)), "payments.data[1].id: a occurs twice");
        let many = |count| format!(r#""data": [{}]"#, vec![r#"{"amount": 1}"#; count].join(","));
        assert!(import(System::Paypercut, &text("lines", &many(1_000))).is_ok());
        assert_eq!(refused(&text("lines", &many(1_001))), "lines.data: 1001 entries, at most 1000 are read");
    }
}
