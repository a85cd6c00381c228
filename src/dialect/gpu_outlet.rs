//! Documents of GPU Outlet: `GET /v1/billing/invoices/:id`.
//!
//! Amounts are whole minor units. The document names no customer, no number and no tax; its payments are at Stripe, so
//! a paid invoice counts as paid in full. `rentalId` is taken as stated: whether such a rental exists is for the
//! import action to find out.

use entity::{
    BillingReason, CollectionMethod, DecimalText, Instant, InvoiceStatus, InvoiceType, LineItemKind, Minor, OriginKind,
    RentalId, invoice, line_item, upstream_invoice,
};

use super::reader::{Read, Reader, Unit, day_of, refuse_duplicates, sum};
use super::{Draft, ImportContext, created};
use crate::domain::bill::{Bill, BillLine};
use crate::domain::integrity::{self, Statement, code};

const STATUSES: [(&str, InvoiceStatus); 5] = [
    ("draft", InvoiceStatus::Draft),
    ("open", InvoiceStatus::Open),
    ("paid", InvoiceStatus::Paid),
    ("void", InvoiceStatus::Void),
    ("uncollectible", InvoiceStatus::Uncollectible),
];

const REASONS: [(&str, BillingReason); 3] = [
    ("topup_failed", BillingReason::TopupFailed),
    ("overage", BillingReason::Overage),
    ("manual", BillingReason::Manual),
];

/// Reads an invoice of GPU Outlet.
pub(super) fn import(mut root: Reader, context: &ImportContext<'_>) -> Read<Draft> {
    let external_id = root.required_id("id")?;
    let created_at = created(&mut root, "createdAt", context)?;
    let mut row = head(&mut root, context, created_at)?;
    let lines = root.rows("lineItems", |line| read_line(line, row.billing_reason))?;
    refuse_duplicates("lineItems", "id", lines.iter().map(|line| line.row.external_id.as_ref()))?;
    row.subtotal = sum("lineItems", lines.iter().map(|line| line.row.amount))?;
    let statement = read_amount(&mut root, &mut row)?;
    let upstream = read_upstream(&mut root, context, created_at)?;
    let mut bill = Bill { invoice: row, lines, upstream, ..Default::default() };
    root.add_issues(integrity::check(&bill, &statement));
    bill.invoice.external_attributes = root.leftover();
    Ok(Draft { bill, external_id, customer_external_id: None, updated_at: None, issues: root.into_issues() })
}

fn head(root: &mut Reader, context: &ImportContext<'_>, created_at: Instant) -> Read<invoice::Model> {
    let (status, source_status) = root.status("status", &STATUSES)?;
    let billing_reason = root.word("reason", &REASONS)?.value.unwrap_or_default();
    let rental_id = root.id("rentalId")?.map(RentalId);
    let due_at = root.instant("dueAt")?;
    Ok(invoice::Model {
        status,
        source_status,
        billing_reason,
        invoice_type: match billing_reason {
            BillingReason::TopupFailed => InvoiceType::TopUp,
            BillingReason::Overage => InvoiceType::Adjustment,
            _ => InvoiceType::OneOff,
        },
        origin_kind: origin(rental_id.as_ref(), billing_reason),
        rental_id,
        collection_method: CollectionMethod::ChargeAutomatically,
        currency: root.currency("currency", context.currency)?,
        livemode: context.livemode,
        issue_date: day_of(created_at),
        due_date: due_at.map(day_of),
        due_at,
        paid_at: root.instant("paidAt")?,
        voided_at: root.instant("voidedAt")?,
        created_at,
        updated_at: created_at,
        ..Default::default()
    })
}

fn origin(rental: Option<&RentalId>, reason: BillingReason) -> OriginKind {
    match (rental, reason) {
        (Some(_), _) => OriginKind::Rental,
        (None, BillingReason::TopupFailed) => OriginKind::Wallet,
        (None, _) => OriginKind::None,
    }
}

fn read_line(line: &mut Reader, reason: BillingReason) -> Read<BillLine> {
    let amount = line.known_amount("amountCents", Unit::Minor)?;
    let start = line.instant("periodStart")?;
    let end = line.instant("periodEnd")?;
    let (period_start, period_end) = line.ordered(("periodStart", start), ("periodEnd", end));
    let rental_id = line.id("rentalId")?.map(RentalId);
    let row = line_item::Model {
        external_id: line.id("id")?,
        kind: match reason {
            BillingReason::TopupFailed => LineItemKind::TopUp,
            BillingReason::Overage => LineItemKind::Overage,
            _ => LineItemKind::Other,
        },
        description: line.text("description")?.unwrap_or_default(),
        origin_kind: origin(rental_id.as_ref(), reason),
        rental_id,
        quantity: DecimalText("1".to_owned()),
        subtotal: amount,
        amount,
        period_start,
        period_end,
        external_attributes: line.leftover(),
        ..Default::default()
    };
    Ok(BillLine { row, ..Default::default() })
}

/// `amountCents` is all that is owed, and stays so once it is paid.
fn read_amount(root: &mut Reader, row: &mut invoice::Model) -> Read<Statement> {
    let stated = root.positive_amount("amountCents", Unit::Minor)?;
    if stated.is_none() {
        root.issue(code::AMOUNT_UNKNOWN, "amountCents", None, Some(&row.subtotal.0.to_string()));
    }
    let amount = stated.unwrap_or(row.subtotal.max(Minor(0)));
    row.total = amount;
    row.amount_due = amount;
    row.amount_paid = match row.status {
        InvoiceStatus::Paid => amount,
        _ => Minor(0),
    };
    Ok(Statement { total: root.stated("amountCents", stated), ..Default::default() })
}

/// The mirror at Stripe. The moment of creation is the earliest at which a link can have been read.
fn read_upstream(
    root: &mut Reader,
    context: &ImportContext<'_>,
    created_at: Instant,
) -> Read<Option<upstream_invoice::Model>> {
    let stripe_invoice_id = root.id("stripeInvoiceId")?;
    let hosted_invoice_url = root.link("hostedInvoiceUrl", context.link_hosts)?;
    let invoice_pdf_url = root.link("invoicePdfUrl", context.link_hosts)?;
    let receipt_url = root.link("receiptUrl", context.link_hosts)?;
    let links = hosted_invoice_url.is_some() || invoice_pdf_url.is_some();
    if stripe_invoice_id.is_none() && !links && receipt_url.is_none() {
        return Ok(None);
    }
    Ok(Some(upstream_invoice::Model {
        provider: "stripe".to_owned(),
        stripe_invoice_id,
        hosted_invoice_url,
        invoice_pdf_url,
        links_fetched_at: links.then_some(created_at),
        receipt_fetched_at: receipt_url.is_some().then_some(created_at),
        receipt_url,
        updated_at: created_at,
        ..Default::default()
    }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::System;
    use super::super::tests::{at, changed, codes, import, issue};
    use super::*;

    const SAMPLE: &str = include_str!("../../tests/it/fixtures/gpu-outlet.json");

    #[test]
    fn the_sample_is_read_without_an_issue() {
        let imported = import(System::GpuOutlet, SAMPLE).unwrap();
        assert_eq!(imported.issues, []);
        assert_eq!(imported.external_id, "inv_01HZ3J9...");
        assert_eq!(imported.customer_external_id, None);
        assert_eq!(imported.updated_at, None);
        assert_eq!(imported.document, SAMPLE);
        let row = &imported.bill.invoice;
        assert_eq!(row.status, InvoiceStatus::Open);
        assert_eq!(row.billing_reason, BillingReason::TopupFailed);
        assert_eq!(row.invoice_type, InvoiceType::TopUp);
        assert_eq!(row.origin_kind, OriginKind::Wallet);
        assert_eq!((row.subtotal, row.total), (Minor(10_000), Minor(10_000)));
        assert_eq!((row.amount_due, row.amount_paid), (Minor(10_000), Minor(0)));
        assert_eq!(row.issue_date.to_string(), "2026-06-07");
        assert_eq!(row.due_date.unwrap().to_string(), "2026-06-14");
        assert_eq!(row.due_at, Some(at("2026-06-14T04:14:22Z")));
        assert_eq!((row.paid_at, row.voided_at), (None, None));
        assert_eq!(row.external_attributes, json!({}));
        assert_eq!(row.integrity_issues, json!([]));
        assert!(row.locked);
    }

    #[test]
    fn the_line_and_the_mirror_of_the_sample_are_read() {
        let bill = import(System::GpuOutlet, SAMPLE).unwrap().bill;
        let line = &bill.lines[0].row;
        assert_eq!(line.external_id.as_deref(), Some("li_…"));
        assert_eq!(line.description, "Auto-topup of $100.00 (card declined)");
        assert_eq!((line.amount, line.quantity.0.as_str()), (Minor(10_000), "1"));
        assert_eq!(line.kind, LineItemKind::TopUp);
        let upstream = bill.upstream.unwrap();
        assert_eq!(upstream.stripe_invoice_id.as_deref(), Some("in_3Q…"));
        let hosted = "https://invoice.stripe.com/i/acct_test/abc";
        assert_eq!(upstream.hosted_invoice_url.as_deref(), Some(hosted));
        let pdf = "https://pay.stripe.com/invoice/abc/pdf";
        assert_eq!(upstream.invoice_pdf_url.as_deref(), Some(pdf));
        assert_eq!(upstream.links_fetched_at, Some(at("2026-06-07T04:14:22Z")));
        assert_eq!((upstream.receipt_url, upstream.receipt_fetched_at), (None, None));
    }

    #[test]
    fn a_paid_invoice_counts_as_paid_in_full() {
        let text = changed(SAMPLE, &[("\"open\"", "\"paid\"")]);
        let row = import(System::GpuOutlet, &text).unwrap().bill.invoice;
        assert_eq!((row.amount_due, row.amount_paid), (Minor(10_000), Minor(10_000)));
        assert_eq!(row.paid_at, None);
    }

    #[test]
    fn lines_that_do_not_add_up_are_an_issue() {
        let text = changed(SAMPLE, &[("\"amountCents\": 10000,\n  \"c", "\"amountCents\": 9000,\n  \"c")]);
        let imported = import(System::GpuOutlet, &text).unwrap();
        let wanted = issue(code::TOTAL_MISMATCH, "amountCents", Some("9000"), Some("10000"));
        assert_eq!(imported.issues, [wanted]);
        assert_eq!(imported.bill.invoice.total, Minor(9_000));
        assert_eq!(imported.bill.invoice.integrity_issues[0]["path"], "amountCents");
    }

    #[test]
    fn a_link_to_a_strange_host_is_dropped_and_the_other_kept() {
        let text = changed(SAMPLE, &[("https://invoice.stripe.com/i", "https://evil.example/i")]);
        let imported = import(System::GpuOutlet, &text).unwrap();
        assert_eq!(imported.issues, [issue(code::UNSAFE_LINK, "hostedInvoiceUrl", None, None)]);
        let upstream = imported.bill.upstream.unwrap();
        assert_eq!(upstream.hosted_invoice_url, None);
        assert!(upstream.invoice_pdf_url.is_some());
        assert!(!imported.bill.invoice.external_attributes.to_string().contains("evil"));
    }

    #[test]
    fn the_least_document_is_an_open_invoice_over_nothing() {
        let imported = import(System::GpuOutlet, r#"{"id": "x", "extra": [1, {"a": "b"}]}"#).unwrap();
        let wanted = [
            (code::CREATED_UNKNOWN, "createdAt"),
            (code::UNKNOWN_WORD, "status"),
            (code::CURRENCY_UNKNOWN, "currency"),
            (code::AMOUNT_UNKNOWN, "amountCents"),
        ];
        assert_eq!(codes(&imported), wanted);
        let row = imported.bill.invoice;
        assert_eq!(row.status, InvoiceStatus::Open);
        assert_eq!(row.external_attributes, json!({"extra": [1, {"a": "b"}]}));
        assert_eq!(imported.bill.upstream, None);
    }

    #[test]
    fn an_overage_names_its_rental_on_invoice_and_line() {
        let edits = [("topup_failed", "overage"), ("\"rentalId\": null", "\"rentalId\": \"rent_1\"")];
        let bill = import(System::GpuOutlet, &changed(SAMPLE, &edits)).unwrap().bill;
        assert_eq!(bill.invoice.rental_id, Some(RentalId("rent_1".to_owned())));
        assert_eq!(bill.invoice.origin_kind, OriginKind::Rental);
        assert_eq!(bill.invoice.invoice_type, InvoiceType::Adjustment);
        assert_eq!(bill.lines[0].row.rental_id, Some(RentalId("rent_1".to_owned())));
        assert_eq!(bill.lines[0].row.kind, LineItemKind::Overage);
    }
    #[test]
    fn broken_documents_are_refused_with_path_and_reason() {
        let refused = |text: &str| import(System::GpuOutlet, text).unwrap_err().to_string();
        let edited = |from, to| refused(&changed(SAMPLE, &[(from, to)]));
        assert_eq!(refused("{}"), "id: required, but absent");
        assert_eq!(refused(r#"{"id": 5}"#), "id: expected an id as text, found a number");
        assert_eq!(refused(&format!(r#"{{"id": "{}"}}"#, "x".repeat(129))), "id: 129 characters, at most 128 are kept");
        assert_eq!(edited("\"open\"", "true"), "status: expected a text, found a boolean");
        assert_eq!(
            edited("\"amountCents\": 10000,\n  \"c", "\"amountCents\": 1e400,\n  \"c"),
            "amountCents: 1e400 does not fit: numbers have at most 38 digits"
        );
        assert_eq!(
            edited("\"amountCents\": 10000,\n      \"r", "\"amountCents\": \"10000\",\n      \"r"),
            "lineItems[0].amountCents: expected a number, found a text"
        );
        assert_eq!(
            edited("\"lineItems\": [", "\"lineItems\": [[], "),
            "lineItems[0]: expected an object, found a list"
        );
        assert_eq!(edited("Auto-topup", "Auto\\u0000topup"), "lineItems[0].description: contains a NUL character");
    }

    #[test]
    fn lines_have_ids_of_their_own_and_are_a_thousand_at_most() {
        let text = |line: &str, count| format!(r#"{{"id": "x", "lineItems": [{}]}}"#, vec![line; count].join(","));
        let refused = |text: String| import(System::GpuOutlet, &text).unwrap_err().to_string();
        assert!(import(System::GpuOutlet, &text("{}", 1_000)).is_ok());
        assert_eq!(refused(text("{}", 1_001)), "lineItems: 1001 entries, at most 1000 are read");
        assert_eq!(refused(text(r#"{"id": "li_1"}"#, 2)), "lineItems[1].id: li_1 occurs twice");
    }

    #[test]
    fn dates_that_cannot_be_read_are_null_with_an_issue_and_kept() {
        let text = changed(SAMPLE, &[("\"2026-06-14T04:14:22Z\"", "\"soon\"")]);
        let imported = import(System::GpuOutlet, &text).unwrap();
        assert_eq!(imported.issues, [issue(code::UNREADABLE_DATE, "dueAt", Some("soon"), None)]);
        let row = imported.bill.invoice;
        assert_eq!((row.due_at, row.due_date), (None, None));
        assert_eq!(row.external_attributes, json!({"$raw": {"dueAt": "soon"}}));
    }
}
