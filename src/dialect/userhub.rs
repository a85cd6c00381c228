//! Documents of `UserHub`: `GET /user/v1/invoices/{invoiceId}`.
//!
//! Amounts are decimal texts in major units. The customer is known from the snapshot `account` alone. What is due is the
//! total plus what the balance applied, which is negative when the balance pays. `paymentIntent` names no payment that
//! could be told from another, so it stays an attribute, without its client secret.

use entity::{
    CollectionMethod, CurrencyCode, DecimalText, Instant, InvoiceStatus, InvoiceType, Json, Minor, OriginKind,
    ProductId, customer_snapshot, invoice, invoice_change, line_item, price, product,
};

use super::reader::{Read, Reader, Unit, Written, day_of, refuse_duplicates, sum};
use super::{DialectError, Draft, ImportContext, created, keep_first};
use crate::domain::bill::{Bill, BillLine};
use crate::domain::integrity::{self, Statement, code};
use crate::domain::money;

const STATES: [(&str, InvoiceStatus); 3] =
    [("OPEN", InvoiceStatus::Open), ("PAID", InvoiceStatus::Paid), ("VOID", InvoiceStatus::Void)];

const PAYMENT_STATES: [(&str, ()); 3] = [("PAYMENT_METHOD_REQUIRED", ()), ("ACTION_REQUIRED", ()), ("PROCESSING", ())];

/// What every part of a document needs to know of the whole.
#[derive(Clone, Debug)]
struct Frame {
    currency: CurrencyCode,
    unit: Unit,
    created_at: Instant,
}

/// Reads an invoice of `UserHub`.
pub(super) fn import(mut root: Reader, context: &ImportContext<'_>) -> Read<Draft> {
    let external_id = root.required_id("id")?;
    let created_at = created(&mut root, "createTime", context)?;
    let updated_at = root.instant("updateTime")?;
    let currency = root.currency("currencyCode", context.currency)?;
    let digits = money::exponent(&currency);
    let frame = Frame { currency, unit: Unit::MajorText(digits), created_at };
    let mut bill = Bill {
        invoice: head(&mut root, context, &frame)?,
        snapshot: root.within("account", read_account)?,
        ..Default::default()
    };
    bill.invoice.updated_at = updated_at.unwrap_or(created_at);
    read_items(&mut root, &mut bill, &frame)?;
    bill.changes = root.rows("changes", |change| read_change(change, &frame))?;
    let statement = Statement { digits, ..read_amounts(&mut root, &mut bill, frame.unit)? };
    keep_payment_intent(&mut root)?;
    root.add_issues(integrity::check(&bill, &statement));
    bill.invoice.external_attributes = root.leftover();
    Ok(Draft { bill, external_id, customer_external_id: None, updated_at, issues: root.into_issues() })
}

fn head(root: &mut Reader, context: &ImportContext<'_>, frame: &Frame) -> Read<invoice::Model> {
    let (status, source_status) = root.status("state", &STATES)?;
    let due_at = root.instant("dueTime")?;
    let (period_start, period_end) = root.within("period", read_period)?.unwrap_or_default();
    let mut row = invoice::Model {
        number: root.id("number")?,
        status,
        source_status,
        source_payment_status: root.word("paymentState", &PAYMENT_STATES)?.stated,
        invoice_type: InvoiceType::OneOff,
        origin_kind: OriginKind::None,
        collection_method: CollectionMethod::ChargeAutomatically,
        currency: frame.currency.clone(),
        livemode: context.livemode,
        issue_date: day_of(frame.created_at),
        due_date: due_at.map(day_of),
        due_at,
        period_start,
        period_end,
        description: root.text("description")?,
        finalized_at: root.instant("effectiveTime")?,
        created_at: frame.created_at,
        ..Default::default()
    };
    read_state_time(root, &mut row)?;
    Ok(row)
}

/// When the present state was entered. An open invoice usually does not say; where it does, both are kept.
fn read_state_time(root: &mut Reader, row: &mut invoice::Model) -> Read<()> {
    let stated = root.peek("stateTime");
    let at = root.instant("stateTime")?;
    match row.status {
        InvoiceStatus::Paid => row.paid_at = at,
        InvoiceStatus::Void => row.voided_at = at,
        _ => {
            row.finalized_at = row.finalized_at.or(at);
            if let Some(stated) = stated {
                root.keep_raw("stateTime", stated);
            }
        }
    }
    Ok(())
}

fn read_period(period: &mut Reader) -> Read<(Option<Instant>, Option<Instant>)> {
    let start = period.instant("startTime")?;
    let end = period.instant("endTime")?;
    Ok(period.ordered(("startTime", start), ("endTime", end)))
}

fn read_account(account: &mut Reader) -> Read<customer_snapshot::Model> {
    let mut row = customer_snapshot::Model {
        name: account.text("fullName")?.unwrap_or_default(),
        email: account.text("email")?,
        phone: account.text("phoneNumber")?,
        ..Default::default()
    };
    account.within("address", |address| {
        let mut lines = address.texts("lines")?.into_iter();
        row.line1 = lines.next();
        row.line2 = lines.next();
        let more: Vec<Json> = lines.map(Json::String).collect();
        row.extra_lines = (!more.is_empty()).then_some(Json::Array(more));
        row.city = address.text("city")?;
        row.state = address.text("state")?;
        row.postal_code = address.text("postalCode")?;
        row.country = address.country("country")?;
        Ok(())
    })?;
    row.external_attributes = account.leftover();
    Ok(row)
}

/// A line with the product and the price that it writes out.
struct Item {
    line: BillLine,
    product: Option<product::Model>,
    price: Option<price::Model>,
}

fn read_items(root: &mut Reader, bill: &mut Bill, frame: &Frame) -> Read<()> {
    let items = root.rows("items", |item| read_item(item, frame))?;
    let ids = items.iter().map(|item| item.line.row.external_id.as_ref());
    refuse_duplicates("items", "id", ids)?;
    for item in items {
        bill.lines.push(item.line);
        bill.products.extend(item.product);
        bill.prices.extend(item.price);
    }
    keep_first(&mut bill.products, |product| product.external_id.clone());
    keep_first(&mut bill.prices, |price| price.external_id.clone());
    Ok(())
}

fn read_item(item: &mut Reader, frame: &Frame) -> Read<Item> {
    let product = item.within("product", |product| read_product(product, frame))?.flatten();
    let product_id = product.as_ref().and_then(|product| product.external_id.clone());
    let price = item.within("price", |price| read_price(price, product_id.as_deref(), frame))?.flatten();
    let subtotal = item.known_amount("subtotalAmount", frame.unit)?;
    let discount_total = item.amount("discountAmount", frame.unit)?.unwrap_or_default();
    let (period_start, period_end) = item.within("period", read_period)?.unwrap_or_default();
    let row = line_item::Model {
        external_id: item.id("id")?,
        description: item.text("description")?.unwrap_or_default(),
        quantity: item.decimal("quantity", Written::Number)?.unwrap_or_else(|| DecimalText("1".to_owned())),
        subtotal,
        discount_total,
        amount: sum(&item.path("subtotalAmount"), [subtotal, Minor(-discount_total.0)])?,
        is_proration: item.boolean("proration")?.unwrap_or_default(),
        period_start,
        period_end,
        external_attributes: item.leftover(),
        ..Default::default()
    };
    let line = BillLine {
        row,
        product: product_id,
        price: price.as_ref().and_then(|price| price.external_id.clone()),
        ..Default::default()
    };
    Ok(Item { line, product, price })
}

/// A product without an id is none that others could refer to: its fields stay with the line.
fn read_product(product: &mut Reader, frame: &Frame) -> Read<Option<product::Model>> {
    let Some(external_id) = product.id("id")? else {
        return Ok(None);
    };
    Ok(Some(product::Model {
        unique_id: product.id("uniqueId")?,
        display_name: product.text("displayName")?.unwrap_or_else(|| external_id.clone()),
        external_id: Some(external_id),
        created_at: frame.created_at,
        ..Default::default()
    }))
}

fn read_price(price: &mut Reader, product: Option<&str>, frame: &Frame) -> Read<Option<price::Model>> {
    let Some(external_id) = price.id("id")? else {
        return Ok(None);
    };
    let currency = if price.has("currencyCode") {
        price.currency("currencyCode", &frame.currency)?
    } else {
        frame.currency.clone()
    };
    Ok(Some(price::Model {
        product_id: product.map(ProductId::from),
        external_id: Some(external_id),
        currency,
        billing_mode: price.text("billingMode")?,
        interval: price.json("interval"),
        details: price.leftover(),
        created_at: frame.created_at,
        ..Default::default()
    }))
}

fn read_change(change: &mut Reader, frame: &Frame) -> Read<invoice_change::Model> {
    if !change.has("time") {
        change.issue(code::UNREADABLE_DATE, "time", None, None);
    }
    let ids = |texts: Vec<String>| texts.into_iter().map(Json::String).collect();
    Ok(invoice_change::Model {
        occurred_at: change.instant("time")?.unwrap_or(frame.created_at),
        description: change.text("description")?.unwrap_or_default(),
        subtotal: change.amount("subtotalAmount", frame.unit)?.unwrap_or_default(),
        discount: change.amount("discountAmount", frame.unit)?.unwrap_or_default(),
        start_quantity: change.integer("startQuantity", Written::Number)?.unwrap_or_default(),
        end_quantity: change.integer("endQuantity", Written::Number)?.unwrap_or_default(),
        start_item_ids: ids(change.texts("startItemIds")?),
        end_item_ids: ids(change.texts("endItemIds")?),
        ..Default::default()
    })
}

/// Fills the amounts of the invoice. What is not stated follows from the rest.
fn read_amounts(root: &mut Reader, bill: &mut Bill, unit: Unit) -> Read<Statement> {
    let lines = bill.lines.iter().map(|line| line.row.amount);
    let lines = sum("items", lines)?;
    let subtotal = root.amount("subtotalAmount", unit)?;
    let discount = root.positive_amount("discountAmount", unit)?;
    let tax = root.amount("taxAmount", unit)?;
    let total = root.positive_amount("totalAmount", unit)?;
    let due = root.positive_amount("dueAmount", unit)?;
    let paid = root.positive_amount("paidAmount", unit)?;
    let remaining = root.amount("remainingDueAmount", unit)?;
    let balance_end = read_balance(root, &mut bill.invoice, unit)?;
    if due.is_none() {
        root.issue(code::AMOUNT_UNKNOWN, "dueAmount", None, None);
    }
    let row = &mut bill.invoice;
    row.subtotal = subtotal.unwrap_or(lines);
    row.discount_total = discount.unwrap_or_default();
    row.tax_total = tax.unwrap_or_default();
    let derived = [row.subtotal, Minor(-row.discount_total.0), row.tax_total];
    row.total = total.unwrap_or(sum("totalAmount", derived)?.max(Minor(0)));
    let derived = [row.total, row.balance_applied.unwrap_or_default()];
    row.amount_due = due.unwrap_or(sum("dueAmount", derived)?.max(Minor(0)));
    row.amount_paid = paid.unwrap_or(match row.status {
        InvoiceStatus::Paid => row.amount_due,
        _ => Minor(0),
    });
    Ok(Statement {
        subtotal: root.stated("subtotalAmount", subtotal),
        total: root.stated("totalAmount", total),
        amount_due: root.stated("dueAmount", due),
        amount_remaining: root.stated("remainingDueAmount", remaining),
        balance_end,
        ..Default::default()
    })
}

fn read_balance(root: &mut Reader, row: &mut invoice::Model, unit: Unit) -> Read<Option<integrity::Stated>> {
    let end = root.within("balance", |balance| {
        row.balance_start = balance.amount("startAmount", unit)?;
        row.balance_applied = balance.amount("appliedAmount", unit)?;
        row.balance_end = balance.amount("endAmount", unit)?;
        Ok(balance.stated("endAmount", row.balance_end))
    })?;
    Ok(end.flatten())
}

fn keep_payment_intent(root: &mut Reader) -> Read<()> {
    let object = root.is_object("paymentIntent");
    match root.take("paymentIntent") {
        None => Ok(()),
        Some(intent) if object => {
            root.keep("paymentIntent", intent.json());
            Ok(())
        }
        Some(other) => Err(DialectError::WrongType {
            path: root.path("paymentIntent"),
            expected: "an object",
            found: other.kind(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::System;
    use super::super::tests::{at, changed, codes, import, issue};
    use super::*;

    const SAMPLE: &str = include_str!("../../tests/it/fixtures/userhub.json");

    #[test]
    fn the_sample_is_read_with_the_two_sums_that_do_not_hold() {
        let imported = import(System::Userhub, SAMPLE).unwrap();
        assert_eq!(
            imported.issues,
            [
                issue(code::AMOUNT_DUE_MISMATCH, "dueAmount", Some("10"), Some("0")),
                issue(code::BALANCE_MISMATCH, "balance.endAmount", Some("200"), Some("0")),
            ]
        );
        assert_eq!(imported.external_id, "in_4QPqKvtqkpJzP7");
        assert_eq!(imported.updated_at, Some(at("2024-06-15T13:00:00Z")));
        let row = &imported.bill.invoice;
        assert_eq!((row.status, row.number.as_deref()), (InvoiceStatus::Open, Some("ACME-123")));
        assert_eq!((row.subtotal, row.discount_total), (Minor(900), Minor(100)));
        assert_eq!((row.tax_total, row.total), (Minor(200), Minor(1_000)));
        assert_eq!((row.amount_due, row.amount_paid), (Minor(1_000), Minor(0)));
        assert_eq!(row.applied_credits, Minor(0));
        assert_eq!(row.balance_start, Some(Minor(10_000)));
        assert_eq!(row.balance_applied, Some(Minor(-10_000)));
        assert_eq!(row.balance_end, Some(Minor(20_000)));
        assert_eq!(row.finalized_at, Some(at("2024-06-15T13:00:00Z")));
        assert_eq!(row.period_start, row.period_end);
        assert_eq!(row.due_date.unwrap().to_string(), "2024-06-15");
        assert_eq!(row.external_attributes, json!({}));
    }

    #[test]
    fn the_line_and_the_account_of_the_sample_are_read() {
        let bill = import(System::Userhub, SAMPLE).unwrap().bill;
        let line = &bill.lines[0].row;
        assert_eq!(line.external_id.as_deref(), Some("ii_35kH3awC"));
        assert_eq!((line.quantity.0.as_str(), line.amount), ("2", Minor(900)));
        assert_eq!((line.subtotal, line.discount_total), (Minor(1_000), Minor(100)));
        assert_eq!((line.period_start, line.period_end), (None, None));
        assert_eq!(bill.customer, None);
        let account = bill.snapshot.unwrap();
        assert_eq!(account.name, "Jane Doe");
        assert_eq!(account.email.as_deref(), Some("[email\u{a0}protected]"));
        assert_eq!(account.line1.as_deref(), Some("42 West St"));
        assert_eq!((account.line2, account.extra_lines), (None, None));
        assert_eq!(account.postal_code.as_deref(), Some("11222"));
    }

    #[test]
    fn a_balance_that_pays_a_part_is_no_issue() {
        let edits = [
            ("\"endAmount\": \"200\"", "\"endAmount\": \"96\""),
            ("\"appliedAmount\": \"-100\"", "\"appliedAmount\": \"-4.00\""),
            ("\"dueAmount\": \"10\"", "\"dueAmount\": \"6\", \"totalAmount\": \"10\", \"remainingDueAmount\": \"6\""),
        ];
        let imported = import(System::Userhub, &changed(SAMPLE, &edits)).unwrap();
        assert_eq!(imported.issues, []);
        let row = imported.bill.invoice;
        assert_eq!((row.total, row.amount_due), (Minor(1_000), Minor(600)));
        let raw = json!({"$raw": {"balance.appliedAmount": "-4.00"}});
        assert_eq!(row.external_attributes, raw);
    }

    #[test]
    fn products_prices_changes_and_the_payment_intent_find_their_places() {
        let edits = [
            ("\"product\": null", r#""product": {"id": "prod_1", "uniqueId": "pro", "displayName": "Pro"}"#),
            (
                "\"price\": null",
                r#""price": {"id": "price_1", "currencyCode": "USD", "interval": {"unit": "month"}, "tiers": []}"#,
            ),
            ("\"quantity\": 2", "\"quantity\": 2, \"proration\": true"),
            (
                "\"changes\": []",
                r#""changes": [{"time": "2024-06-15T13:00:00Z", "description": "more seats", "subtotalAmount": "1",
                    "discountAmount": "0", "startQuantity": 1, "endQuantity": 2, "startItemIds": ["a"]}]"#,
            ),
            (
                "\"paymentIntent\": null",
                r#""paymentIntent": {"stripe": {"accountId": "acct_1", "live": false, "clientSecret": "pi_1_secret_2"}}"#,
            ),
        ];
        let imported = import(System::Userhub, &changed(SAMPLE, &edits)).unwrap();
        assert_eq!(imported.redacted_paths, ["paymentIntent.stripe.clientSecret"]);
        assert!(!imported.document.contains("pi_1_secret_2"));
        let bill = imported.bill;
        assert!(bill.lines[0].row.is_proration);
        assert_eq!(bill.lines[0].product.as_deref(), Some("prod_1"));
        assert_eq!(bill.lines[0].price.as_deref(), Some("price_1"));
        assert_eq!(bill.products[0].display_name, "Pro");
        assert_eq!(bill.prices[0].product_id, Some(ProductId("prod_1".to_owned())));
        assert_eq!(bill.prices[0].details, json!({"tiers": []}));
        assert_eq!(bill.changes[0].end_quantity, 2);
        assert_eq!(bill.changes[0].start_item_ids, json!(["a"]));
        assert_eq!(bill.changes[0].end_item_ids, json!([]));
        assert_eq!(
            bill.invoice.external_attributes,
            json!({"paymentIntent": {"stripe": {"accountId": "acct_1", "live": false}}})
        );
    }

    #[test]
    fn the_time_of_the_state_goes_to_the_state_it_belongs_to() {
        let time = ("\"stateTime\": null", "\"stateTime\": \"2024-06-16T00:00:00Z\"");
        let paid =
            changed(SAMPLE, &[time, ("\"OPEN\"", "\"PAID\""), ("\"paidAmount\": \"0\"", "\"paidAmount\": null")]);
        let row = import(System::Userhub, &paid).unwrap().bill.invoice;
        assert_eq!(row.paid_at, Some(at("2024-06-16T00:00:00Z")));
        assert_eq!(row.amount_paid, row.amount_due);
        let void = changed(SAMPLE, &[time, ("\"OPEN\"", "\"VOID\"")]);
        let row = import(System::Userhub, &void).unwrap().bill.invoice;
        assert_eq!((row.voided_at, row.paid_at), (Some(at("2024-06-16T00:00:00Z")), None));
        let open = import(System::Userhub, &changed(SAMPLE, &[time])).unwrap().bill.invoice;
        assert_eq!(open.finalized_at, Some(at("2024-06-15T13:00:00Z")));
        assert_eq!(open.external_attributes["$raw"]["stateTime"], "2024-06-16T00:00:00Z");
    }

    #[test]
    fn amounts_must_be_texts_and_have_the_digits_of_their_currency() {
        let text = changed(SAMPLE, &[("\"dueAmount\": \"10\"", "\"dueAmount\": 10")]);
        let error = import(System::Userhub, &text).unwrap_err();
        assert_eq!(error.to_string(), "dueAmount: expected a number as text, found a number");
        let text = changed(SAMPLE, &[("\"USD\"", "\"JPY\""), ("\"taxAmount\": \"2\"", "\"taxAmount\": \"2.4\"")]);
        let imported = import(System::Userhub, &text).unwrap();
        assert_eq!(imported.bill.invoice.tax_total, Minor(2));
        assert_eq!(imported.bill.invoice.amount_due, Minor(10));
        assert_eq!(codes(&imported)[0], (code::ROUNDED_AMOUNT, "taxAmount"));
    }
    #[test]
    fn broken_documents_are_refused_with_path_and_reason() {
        let refused = |text: &str| import(System::Userhub, text).unwrap_err().to_string();
        let edited = |from, to| refused(&changed(SAMPLE, &[(from, to)]));
        assert_eq!(refused("{\"id\": null}"), "id: required, but absent");
        assert_eq!(
            edited("\"subtotalAmount\": \"9\"", "\"subtotalAmount\": \"90071992547409.92\""),
            "subtotalAmount: 90071992547409.92 does not fit: amounts stop at 2^53 - 1 minor units"
        );
        assert_eq!(
            edited("\"quantity\": 2", "\"quantity\": \"2\""),
            "items[0].quantity: expected a number, found a text"
        );
        assert_eq!(edited("\"42 West St\"", "42"), "account.address.lines[0]: expected a text, found a number");
        assert_eq!(
            edited("\"paymentIntent\": null", "\"paymentIntent\": \"pi_1\""),
            "paymentIntent: expected an object, found a text"
        );
        let items = |item: &str, count| format!(r#"{{"id": "x", "items": [{}]}}"#, vec![item; count].join(","));
        assert_eq!(refused(&items("{}", 1_001)), "items: 1001 entries, at most 1000 are read");
        assert_eq!(refused(&items("{\"id\": \"a\"}", 2)), "items[1].id: a occurs twice");
    }

    #[test]
    fn amounts_below_zero_count_as_none_where_there_can_be_none() {
        let text = changed(SAMPLE, &[("\"paidAmount\": \"0\"", "\"paidAmount\": \"-3.0\"")]);
        let imported = import(System::Userhub, &text).unwrap();
        let wanted = issue(code::STATED_AMOUNT_IMPOSSIBLE, "paidAmount", Some("-3"), Some("0"));
        assert_eq!(imported.issues[0], wanted);
        let row = imported.bill.invoice;
        assert_eq!(row.amount_paid, Minor(0));
        assert_eq!(row.external_attributes, json!({"$raw": {"paidAmount": "-3.0"}}));
    }
}
