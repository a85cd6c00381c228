//! Holds every bill of the demo to the rules that bind native invoices, and its rows to each other.

mod cast;
mod population;

use std::collections::{BTreeSet, HashMap};

use entity::{
    Instant, InvoiceStatus, Minor, PaymentKind, PaymentStatus, customer, invoice, payment_method, rental, subscription,
    tenant,
};

use super::{Books, DemoInvoice, Plan};
use crate::domain::{
    audit::{Subject, breaches},
    bill::{Bill, BillLine},
    decimal::Decimal,
    invoice::{amount_overpaid, amount_remaining},
    link::LinkHosts,
    money::exponent,
};

/// A demo as a whole.
#[derive(Clone, Debug, PartialEq)]
struct World {
    now: Instant,
    tenants: Vec<tenant::Model>,
    customers: Vec<customer::Model>,
    payment_methods: Vec<payment_method::Model>,
    subscriptions: Vec<subscription::Model>,
    rentals: Vec<rental::Model>,
    invoices: Vec<DemoInvoice>,
}

fn world(plan: &Plan) -> World {
    let mut books = super::cast();
    for number in 0..plan.customers {
        books.extend(plan.customer(number));
    }
    let Books { customers, payment_methods, subscriptions, rentals, invoices } = books;
    World { now: plan.now, tenants: plan.companies(), customers, payment_methods, subscriptions, rentals, invoices }
}

/// Everything that holds for every demo.
fn assert_laws(world: &World) {
    every_bill_keeps_the_rules_of_native_invoices(world);
    histories_lead_to_the_present_state(world);
    ids_are_unique_and_shared_rows_are_equal(world);
    what_must_be_unique_within_a_tenant_is(world);
    references_lead_to_rows_of_the_same_tenant_and_customer(world);
    links_lead_to_allowed_hosts_and_were_read_before_now(world);
    nothing_happens_before_the_company_or_after_now(world);
}

fn decimal(text: &str) -> Decimal {
    Decimal::parse(text).unwrap()
}

fn product(quantity: &str, price: &str, digits: u32) -> i64 {
    let exact = decimal(quantity).times(decimal(price)).unwrap();
    exact.to_minor(digits).unwrap().amount().0
}

fn percent(base: Minor, rate: &str) -> i64 {
    let exact = Decimal::from_integer(base.0).times(decimal(rate)).unwrap();
    exact.shifted(-2).unwrap().to_minor(0).unwrap().amount().0
}

/// Fails unless the bill keeps the amounts, the states and the order of a native invoice: by the rules that stores are
/// checked with, and computed once more by other means.
fn assert_holds(entry: &DemoInvoice) {
    let DemoInvoice { bill, events, .. } = entry;
    assert_eq!(breaches(&Subject { bill, events, namesakes: 1 }), [], "{}", bill.invoice.id);
    assert_lines(bill);
    assert_amounts(bill);
    assert_payments(bill);
    assert_state(&bill.invoice);
    assert_keys(bill);
}

fn assert_lines(bill: &Bill) {
    let digits = exponent(&bill.invoice.currency);
    for line in &bill.lines {
        let row = &line.row;
        let rated = match &row.unit_price {
            Some(price) => product(&row.quantity.0, &price.0, digits),
            None => line.sub_lines.iter().map(|part| part.amount.0).sum(),
        };
        assert_eq!(row.subtotal.0, rated + row.setup_fee.unwrap_or_default().0, "{}", row.id);
        assert_ne!(row.subtotal.0, 0, "{}", row.id);
        let reductions: i64 = line.discounts.iter().map(|discount| discount.amount.0).sum();
        assert_eq!(row.discount_total.0, reductions, "{}", row.id);
        assert_eq!(row.amount.0, row.subtotal.0 - row.discount_total.0, "{}", row.id);
        assert!(row.period_start <= row.period_end, "{}", row.id);
        assert_parts(line, digits);
    }
}

fn assert_parts(line: &BillLine, digits: u32) {
    for part in &line.sub_lines {
        let rated = product(&part.quantity.0, &part.unit_price.0, digits);
        assert_eq!(part.amount.0, rated, "{}", part.id);
    }
}

fn assert_amounts(bill: &Bill) {
    let invoice = &bill.invoice;
    let lines: i64 = bill.lines.iter().map(|line| line.row.amount.0).sum();
    assert_eq!(invoice.subtotal.0, lines, "{}", invoice.id);
    let discounts: i64 = bill.discounts.iter().map(|discount| discount.amount.0).sum();
    assert_eq!(invoice.discount_total.0, discounts, "{}", invoice.id);
    let net = Minor(invoice.subtotal.0 - invoice.discount_total.0);
    for tax in &bill.taxes {
        assert_eq!(tax.taxable_amount, net, "{}", tax.id);
        assert_eq!(tax.tax_amount.0, percent(net, &tax.rate.0), "{}", tax.id);
    }
    let taxes: i64 = bill.taxes.iter().map(|tax| tax.tax_amount.0).sum();
    assert_eq!(invoice.tax_total.0, taxes, "{}", invoice.id);
    assert_eq!(invoice.total.0, net.0 + taxes, "{}", invoice.id);
    let balance = invoice.balance_applied.unwrap_or_default().0;
    let due = (invoice.total.0 - invoice.applied_credits.0 + balance).max(0);
    assert_eq!(invoice.amount_due.0, due, "{}", invoice.id);
    if invoice.balance_applied.is_some() {
        let end = invoice.balance_start.unwrap().0 + balance;
        assert_eq!(invoice.balance_end, Some(Minor(end)), "{}", invoice.id);
    }
    for change in &bill.changes {
        assert!(change.occurred_at <= invoice.created_at, "{}", change.id);
    }
}

fn assert_payments(bill: &Bill) {
    let invoice = &bill.invoice;
    let rows = || bill.payments.iter().map(|payment| &payment.row);
    let sum = |kind| {
        let rows = rows().filter(|row| row.kind == kind && row.status == PaymentStatus::Succeeded);
        rows.map(|row| row.amount_paid.0).sum::<i64>()
    };
    assert_eq!(invoice.amount_paid.0, sum(PaymentKind::Payment), "{}", invoice.id);
    assert_eq!(invoice.amount_refunded.0, sum(PaymentKind::Refund), "{}", invoice.id);
    assert!(invoice.amount_refunded <= invoice.amount_paid, "{}", invoice.id);
    for row in rows() {
        assert_eq!(row.currency, invoice.currency, "{}", row.id);
        assert!(row.amount_requested.0 > 0 && row.amount_paid.0 >= 0, "{}", row.id);
        assert_eq!(row.status == PaymentStatus::Succeeded, row.paid_at.is_some(), "{}", row.id);
        assert_eq!(row.status == PaymentStatus::Failed, row.failed_at.is_some(), "{}", row.id);
        assert!(Some(row.created_at) >= invoice.finalized_at, "{}", row.id);
        let refunds = rows().filter(|refund| refund.refunded_payment_id.as_ref() == Some(&row.id));
        let refunded: i64 = refunds.map(|refund| refund.amount_paid.0).sum();
        assert_eq!(row.amount_refunded.0, refunded, "{}", row.id);
        assert_eq!(row.kind == PaymentKind::Refund, row.refunded_payment_id.is_some(), "{}", row.id);
    }
    let created: Vec<_> = rows().map(|row| row.created_at).collect();
    assert!(created.is_sorted(), "{}", invoice.id);
}

fn assert_state(invoice: &invoice::Model) {
    let status = invoice.status;
    let is = |wanted| status == wanted;
    assert_eq!(is(InvoiceStatus::Paid), invoice.paid_at.is_some(), "{}", invoice.id);
    assert_eq!(is(InvoiceStatus::Void), invoice.voided_at.is_some(), "{}", invoice.id);
    assert_eq!(is(InvoiceStatus::Draft), invoice.finalized_at.is_none(), "{}", invoice.id);
    assert_eq!(is(InvoiceStatus::Draft), invoice.number.is_none(), "{}", invoice.id);
    let written_off = invoice.uncollectible_at.is_some();
    assert!(!is(InvoiceStatus::Uncollectible) || written_off, "{}", invoice.id);
    assert!(invoice.paid_at.is_none() || invoice.voided_at.is_none(), "{}", invoice.id);
    for later in [invoice.paid_at, invoice.voided_at, invoice.uncollectible_at] {
        assert!(later.is_none() || invoice.finalized_at <= later, "{}", invoice.id);
    }
    if let Some(finalized_at) = invoice.finalized_at {
        assert!(invoice.created_at <= finalized_at, "{}", invoice.id);
    }
    let remaining = amount_remaining(invoice).0;
    assert!(!is(InvoiceStatus::Paid) || remaining == 0, "{}", invoice.id);
    assert!(!is(InvoiceStatus::Void) || invoice.amount_paid.0 == 0, "{}", invoice.id);
    if !is(InvoiceStatus::Void) {
        let (paid, due) = (invoice.amount_paid.0, invoice.amount_due.0);
        assert_eq!(paid + remaining, due + amount_overpaid(invoice).0, "{}", invoice.id);
    }
}

fn assert_keys(bill: &Bill) {
    let (tenant, id) = (&bill.invoice.tenant_id, &bill.invoice.id);
    for (position, line) in (0_i32..).zip(&bill.lines) {
        assert_eq!((&line.row.tenant_id, &line.row.invoice_id), (tenant, id));
        assert_eq!(line.row.position, position, "{}", line.row.id);
        for (position, part) in (0_i32..).zip(&line.sub_lines) {
            assert_eq!((&part.line_item_id, part.position), (&line.row.id, position));
        }
    }
    let issued = bill.invoice.finalized_at;
    assert_eq!(bill.snapshot.is_some(), issued.is_some(), "{id}");
    if let Some(snapshot) = &bill.snapshot {
        assert_eq!((&snapshot.invoice_id, snapshot.snapshot_at), (id, issued));
        assert!(!snapshot.name.is_empty(), "{id}");
    }
    for currency in bill.prices.iter().map(|price| &price.currency) {
        assert_eq!(*currency, bill.invoice.currency, "{id}");
    }
}

fn every_bill_keeps_the_rules_of_native_invoices(world: &World) {
    for entry in &world.invoices {
        assert_holds(entry);
    }
}

fn histories_lead_to_the_present_state(world: &World) {
    for entry in &world.invoices {
        let invoice = &entry.bill.invoice;
        let mut state = None;
        for event in &entry.events {
            assert_eq!((&event.invoice_id, &event.tenant_id), (&invoice.id, &invoice.tenant_id));
            assert!(event.data.is_object(), "{}", event.id);
            if event.to_status.is_some() {
                assert_eq!(event.from_status, state, "{}", event.id);
                assert_ne!(event.from_status, event.to_status, "{}", event.id);
                state = event.to_status;
            }
        }
        assert_eq!(state, Some(invoice.status), "{}", invoice.id);
        let times: Vec<_> = entry.events.iter().map(|event| event.occurred_at).collect();
        assert!(times.is_sorted_by(|earlier, later| earlier < later), "{}", invoice.id);
        let ids: Vec<_> = entry.events.iter().map(|event| event.id.clone()).collect();
        assert!(ids.is_sorted(), "{}", invoice.id);
        assert_eq!(times.last(), Some(&invoice.updated_at));
    }
}

/// Ids of all rows by kind; a row that several bills carry must be the same in each.
fn ids_are_unique_and_shared_rows_are_equal(world: &World) {
    let mut seen = BTreeSet::new();
    let mut shared = HashMap::new();
    let own = |seen: &mut BTreeSet<String>, id: &str| assert!(seen.insert(id.to_owned()), "{id}");
    for entry in &world.invoices {
        let bill = &entry.bill;
        own(&mut seen, bill.invoice.id.as_str());
        bill.lines.iter().for_each(|line| own(&mut seen, line.row.id.as_str()));
        let parts = bill.lines.iter().flat_map(|line| &line.sub_lines);
        parts.for_each(|part| own(&mut seen, part.id.as_str()));
        let cuts = bill.lines.iter().flat_map(|line| &line.discounts).chain(&bill.discounts);
        cuts.for_each(|discount| own(&mut seen, discount.id.as_str()));
        bill.taxes.iter().for_each(|tax| own(&mut seen, tax.id.as_str()));
        bill.changes.iter().for_each(|change| own(&mut seen, change.id.as_str()));
        bill.payments.iter().for_each(|payment| own(&mut seen, payment.row.id.as_str()));
        entry.events.iter().for_each(|event| own(&mut seen, event.id.as_str()));
        for product in &bill.products {
            let first = shared.entry(product.id.0.clone()).or_insert_with(|| format!("{product:?}"));
            assert_eq!(*first, format!("{product:?}"));
        }
        for price in &bill.prices {
            let first = shared.entry(price.id.0.clone()).or_insert_with(|| format!("{price:?}"));
            assert_eq!(*first, format!("{price:?}"));
        }
        if let Some(subscription) = &bill.subscription {
            assert!(world.subscriptions.contains(subscription));
        }
    }
    world.rentals.iter().for_each(|rental| own(&mut seen, rental.id.as_str()));
    world.customers.iter().for_each(|customer| own(&mut seen, customer.id.as_str()));
    world.payment_methods.iter().for_each(|method| own(&mut seen, method.id.as_str()));
    world.subscriptions.iter().for_each(|subscription| own(&mut seen, subscription.id.as_str()));
    world.tenants.iter().for_each(|tenant| own(&mut seen, tenant.id.as_str()));
    assert!(seen.iter().all(|id| id.len() <= 64));
}

fn what_must_be_unique_within_a_tenant_is(world: &World) {
    let mut seen = BTreeSet::new();
    for bill in world.invoices.iter().map(|entry| &entry.bill) {
        let tenant = bill.invoice.tenant_id.as_str();
        let mut once = |what: &str, value: &str| assert!(seen.insert([tenant, what, value].join(" ")), "{value}");
        let legacy_number = bill.invoice.legacy_number.unwrap();
        assert!(legacy_number >= 1_000_000_000);
        once("legacy number", &legacy_number.to_string());
        bill.invoice.number.iter().for_each(|number| once("number", number));
        let mirror = bill.upstream.as_ref().and_then(|mirror| mirror.stripe_invoice_id.as_ref());
        if let Some(id) = mirror {
            once("stripe invoice", id);
        }
        for row in bill.payments.iter().map(|payment| &payment.row) {
            if let Some(id) = &row.provider_payment_id {
                once("provider payment", &format!("{} {:?} {id}", row.provider, row.kind));
            }
        }
    }
}

fn references_lead_to_rows_of_the_same_tenant_and_customer(world: &World) {
    let customers: HashMap<_, _> = world.customers.iter().map(|row| (&row.id, row)).collect();
    let rentals: HashMap<_, _> = world.rentals.iter().map(|row| (&row.id, row)).collect();
    let methods: HashMap<_, _> = world.payment_methods.iter().map(|row| (&row.id, row)).collect();
    for bill in world.invoices.iter().map(|entry| &entry.bill) {
        let invoice = &bill.invoice;
        let customer = customers[&invoice.customer_id];
        assert_eq!((&customer.tenant_id, customer.currency.as_ref()), (&invoice.tenant_id, Some(&invoice.currency)));
        assert!(customer.created_at <= invoice.created_at, "{}", invoice.id);
        if let Some(id) = &invoice.rental_id {
            assert_eq!(rentals[id].customer_id, invoice.customer_id);
        }
        for row in bill.lines.iter().map(|line| &line.row) {
            if let Some(id) = &row.rental_id {
                assert_eq!(rentals[id].customer_id, invoice.customer_id);
                assert!(rentals[id].started_at <= row.period_start.unwrap(), "{}", row.description);
                let end = rentals[id].stopped_at.unwrap_or(world.now);
                assert!(row.period_end.unwrap() <= end, "{}", row.description);
            }
        }
        for payment in &bill.payments {
            let stored = payment.row.payment_method_id.as_ref().map(|id| methods[id]);
            assert_eq!(payment.method.as_ref(), stored);
            assert!(stored.is_none_or(|method| method.customer_id == invoice.customer_id));
        }
    }
    let mut parents = world.customers.iter().filter_map(|row| row.parent_id.as_ref());
    assert!(parents.all(|id| customers.contains_key(id)));
}

fn links_lead_to_allowed_hosts_and_were_read_before_now(world: &World) {
    let hosts = LinkHosts::default();
    for bill in world.invoices.iter().map(|entry| &entry.bill) {
        let mut links = Vec::new();
        if let Some(mirror) = &bill.upstream {
            links.extend([&mirror.hosted_invoice_url, &mirror.invoice_pdf_url, &mirror.receipt_url]);
            for read_at in [mirror.links_fetched_at, mirror.receipt_fetched_at].into_iter().flatten() {
                assert!(read_at < world.now && Some(read_at) >= bill.invoice.finalized_at, "{}", bill.invoice.id);
            }
        }
        links.extend(bill.payments.iter().map(|payment| &payment.row.receipt_url));
        for link in links.into_iter().flatten() {
            assert!(hosts.allow(link), "{link}");
        }
        for action in bill.payments.iter().filter_map(|payment| payment.row.next_action.as_ref()) {
            assert!(hosts.allow(action["redirect_url"].as_str().unwrap()));
        }
    }
}

/// A misspelt moment would be the epoch.
fn nothing_happens_before_the_company_or_after_now(world: &World) {
    let founded = world.tenants[0].created_at;
    let within = |at| assert!(founded <= at && at <= world.now, "{at:?}");
    for entry in &world.invoices {
        entry.events.iter().for_each(|event| within(event.occurred_at));
        let rows = entry.bill.lines.iter().map(|line| &line.row);
        rows.filter_map(|row| row.period_start).for_each(within);
        entry.bill.payments.iter().for_each(|payment| within(payment.row.updated_at));
    }
    world.rentals.iter().for_each(|row| within(row.updated_at));
    world.customers.iter().for_each(|row| within(row.created_at));
    world.subscriptions.iter().for_each(|row| within(row.created_at));
}
