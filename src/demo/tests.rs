//! Holds every bill of the demo to the rules that bind native invoices.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::TimeDelta;
use entity::{CurrencyCode, InvoiceStatus, Minor, PaymentKind, PaymentStatus, RentalStatus, invoice, rental};

use super::{DemoInvoice, World, import_targets, principals, world};
use crate::domain::{
    audit::{Subject, breaches},
    bill::{Bill, BillLine},
    decimal::Decimal,
    invoice::{amount_overpaid, amount_remaining, is_overdue},
    link::LinkHosts,
    money::exponent,
    viewer::{PrincipalKind, Scope},
};

/// The named invoices and their ids: examples, documentation and tests rely on them.
const CHARACTERS: [(&str, &str); 22] = [
    ("declined-topup", "inv_01KTG4KX9GXSPDWTMZ53X9NNGY"),
    ("overage-week", "inv_01KTJ915Y0RM9WQDSV6VTKV6XG"),
    ("paid-with-receipt", "inv_01KTW617A0QR4W7Q3TXF571FB9"),
    ("receipt-expired", "inv_01KQWRVT002SJQZRZKP39K9BFF"),
    ("rotated-link", "inv_01KT3RZAM03FH6G91FQ4F1PG4V"),
    ("stripe-never-heard", "inv_01KTYEPNC0HWPSFM1036VMDE4Z"),
    ("three-attempts", "inv_01KSQE51R0S0NBPEDPJJCP9FT7"),
    ("sca-required", "inv_01KTJ915Y0E30DDSHX4HEM4VHA"),
    ("bank-debit-processing", "inv_01KT0W90R0XESTB0WF23S3SW71"),
    ("half-paid", "inv_01KQH1YQR0JXYA4XCQABH0XZJ9"),
    ("overpaid", "inv_01KN3T15R0B897RBAZ5PMJG2FF"),
    ("refunded-twice", "inv_01KR9NTH308ZDTY3Z3WPV53ST2"),
    ("voided", "inv_01KS7J1980BV8R2X7KZ6M1QPSH"),
    ("written-off-then-paid", "inv_01KCD6GHJ07GT1H1N4F2NBPMR1"),
    ("yen", "inv_01KTNVV78RTJAFG5A1K9AG8HE5"),
    ("dinar", "inv_01KTKFG1M8ZHZNHZFBQJF83TNC"),
    ("reverse-charge", "inv_01KT0884Y0SXXB0Z8JBCM5PWRQ"),
    ("two-taxes", "inv_01KTCF2880FJE3BH4C9R3E6EK1"),
    ("whale", "inv_01KSYGR10030HVHY53D4Q75YJH"),
    ("empty-draft", "inv_01KV3C2260QASCT3ECWTJCTJAQ"),
    ("drifted", "inv_01KT916M807Y4KQW5AXVGYXQKF"),
    ("other-tenant", "inv_01KTF5F4T0406NKSN9N7X7NA0R"),
];

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

fn character<'a>(world: &'a World, name: &str) -> &'a DemoInvoice {
    let named = world.invoices.iter().find(|entry| entry.character == Some(name));
    named.unwrap_or_else(|| panic!("{name}"))
}

#[test]
fn every_bill_keeps_the_rules_of_native_invoices() {
    for entry in &world().invoices {
        assert_holds(entry);
    }
}

#[test]
fn the_world_is_the_same_every_time() {
    assert_eq!(world(), world());
    assert_eq!(principals(), principals());
}

#[test]
fn histories_lead_to_the_present_state() {
    for entry in &world().invoices {
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

#[test]
fn the_named_invoices_have_their_ids() {
    let world = world();
    let named: Vec<_> = world.invoices.iter().filter(|entry| entry.character.is_some()).collect();
    assert_eq!(named.len(), CHARACTERS.len());
    let found: Vec<_> = CHARACTERS.map(|(name, _)| (name, character(&world, name).bill.invoice.id.as_str())).to_vec();
    assert_eq!(found, CHARACTERS);
}

/// Ids of all rows by kind; a row that several bills carry must be the same in each.
#[test]
fn ids_are_unique_and_shared_rows_are_equal() {
    let world = world();
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

#[test]
fn what_must_be_unique_within_a_tenant_is() {
    let world = world();
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
    let numbers: Vec<_> = world.invoices.iter().filter_map(|entry| entry.bill.invoice.number.as_deref()).collect();
    assert!(numbers.contains(&"GRID-2026-0042"), "{numbers:?}");
    assert!(numbers.contains(&"NF-2026-0001"), "{numbers:?}");
}

#[test]
fn references_lead_to_rows_of_the_same_tenant_and_customer() {
    let world = world();
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
    let parents = world.customers.iter().filter_map(|row| row.parent_id.as_ref());
    assert!(parents.clone().count() > 0 && parents.into_iter().all(|id| customers.contains_key(id)));
}

#[test]
fn links_lead_to_allowed_hosts_and_were_read_before_now() {
    let world = world();
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
#[test]
fn nothing_happens_before_the_company_or_after_now() {
    let world = world();
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

#[test]
fn mirrors_are_as_old_as_their_characters_say() {
    let world = world();
    let age = |name| {
        let mirror = character(&world, name).bill.upstream.as_ref().unwrap();
        world.now.utc() - mirror.links_fetched_at.unwrap().utc()
    };
    for fresh in ["declined-topup", "overage-week", "paid-with-receipt", "drifted"] {
        assert!(age(fresh) < TimeDelta::hours(24), "{fresh}");
    }
    assert_eq!(age("rotated-link"), TimeDelta::days(3));
    assert!(age("receipt-expired") > TimeDelta::days(39));
    assert_eq!(character(&world, "stripe-never-heard").bill.upstream, None);
    let mirrors = world.invoices.iter().filter_map(|entry| entry.bill.upstream.as_ref());
    let stale = mirrors.filter_map(|mirror| mirror.links_fetched_at);
    let stale = stale.filter(|read_at| world.now.utc() - read_at.utc() > TimeDelta::days(9));
    assert!(stale.count() >= 5);
}

#[test]
fn declined_topup_is_document_a() {
    let world = world();
    let bill = &character(&world, "declined-topup").bill;
    let invoice = &bill.invoice;
    assert_eq!((invoice.amount_due, &invoice.currency), (Minor(10_000), &CurrencyCode("USD".into())));
    assert_eq!(invoice.created_at.utc().to_rfc3339(), "2026-06-07T04:14:22+00:00");
    assert_eq!(invoice.due_at.unwrap().utc().to_rfc3339(), "2026-06-14T04:14:22+00:00");
    let [line] = bill.lines.as_slice() else { panic!("one line") };
    assert_eq!(line.row.description, "Auto-topup of $100.00 (card declined)");
    assert!(invoice.rental_id.is_none() && bill.payments.is_empty());
}

#[test]
fn overage_week_has_every_relation() {
    let world = world();
    let bill = &character(&world, "overage-week").bill;
    assert_eq!(bill.lines.len(), 14);
    assert!(bill.lines.iter().all(|line| !line.sub_lines.is_empty() && line.row.period_end.is_some()));
    let mut lines: BTreeMap<_, usize> = BTreeMap::new();
    for line in &bill.lines {
        *lines.entry(line.row.rental_id.clone()).or_default() += 1;
    }
    assert_eq!(lines.remove(&bill.invoice.rental_id), Some(10));
    assert_eq!(lines.into_values().collect::<Vec<_>>(), [4]);
    let rental: &rental::Model =
        world.rentals.iter().find(|row| Some(&row.id) == bill.invoice.rental_id.as_ref()).unwrap();
    assert_eq!((rental.gpu_family.as_str(), rental.gpu_count), ("h100-80gb", 8));
    assert_eq!(rental.price_per_hour, Minor(2_240));
    let seconds: i64 = bill
        .lines
        .iter()
        .filter(|line| line.row.rental_id == bill.invoice.rental_id)
        .take(7)
        .map(|line| (line.row.period_end.unwrap().utc() - line.row.period_start.unwrap().utc()).num_seconds())
        .sum();
    assert_eq!(seconds, rental.seconds_billed);
    assert!(bill.invoice.amount_paid.0 > 0 && amount_remaining(&bill.invoice).0 > 0);
    assert!(bill.upstream.is_some() && !bill.products.is_empty());
}

#[test]
fn the_other_characters_show_what_they_are_named_for() {
    let world = world();
    let bill = |name| &character(&world, name).bill;
    let statuses = |name| bill(name).payments.iter().map(|payment| payment.row.status).collect::<Vec<_>>();
    assert_eq!(statuses("three-attempts"), [PaymentStatus::Failed, PaymentStatus::Failed, PaymentStatus::Succeeded]);
    assert_eq!(statuses("sca-required"), [PaymentStatus::RequiresAction]);
    assert_eq!(statuses("bank-debit-processing"), [PaymentStatus::Pending]);
    assert_eq!(statuses("refunded-twice"), [PaymentStatus::Succeeded; 3]);
    let half = &bill("half-paid").invoice;
    assert_eq!(half.amount_paid.0, half.amount_due.0 / 2);
    assert!(is_overdue(half, world.now));
    assert_eq!(amount_overpaid(&bill("overpaid").invoice), Minor(5_000));
    assert_eq!(bill("voided").invoice.status, InvoiceStatus::Void);
    let late = &bill("written-off-then-paid").invoice;
    assert!(late.uncollectible_at.is_some() && late.uncollectible_at < late.paid_at);
    for (name, currency) in [("yen", "JPY"), ("dinar", "KWD"), ("two-taxes", "CAD")] {
        assert_eq!(bill(name).invoice.currency.0, currency);
    }
    assert_eq!(bill("reverse-charge").taxes[0].exemption, Some(entity::TaxExemption::ReverseCharge));
    let rates: Vec<_> = bill("two-taxes").taxes.iter().map(|tax| tax.rate.0.as_str()).collect();
    assert_eq!(rates, ["5", "9.975"]);
    assert_eq!(bill("whale").lines.len(), 1_000);
    assert!(bill("empty-draft").lines.is_empty());
    let drifted = bill("drifted");
    assert_ne!(drifted.upstream.as_ref().unwrap().upstream_amount_due, Some(drifted.invoice.amount_due));
    assert_ne!(bill("other-tenant").invoice.tenant_id, half.tenant_id);
}

#[test]
fn rare_parts_of_a_bill_occur() {
    let world = world();
    let has = |what: fn(&Bill) -> bool| world.invoices.iter().any(|entry| what(&entry.bill));
    assert!(has(|bill| !bill.discounts.is_empty() && bill.lines.iter().any(|line| !line.discounts.is_empty())));
    assert!(has(|bill| bill.invoice.applied_credits.0 > 0));
    assert!(has(|bill| bill.invoice.balance_applied.is_some()));
    assert!(has(|bill| bill.invoice.last_finalization_error.is_some()));
    assert!(has(|bill| bill.invoice.paid_out_of_band));
    assert!(has(|bill| !bill.changes.is_empty() && bill.lines.iter().any(|line| line.row.is_proration)));
    let reserved = world
        .invoices
        .iter()
        .filter(|entry| entry.bill.invoice.subscription_id.as_ref() == Some(&world.subscriptions[0].id));
    assert_eq!(reserved.count(), 2);
    for status in [RentalStatus::Running, RentalStatus::Stopped, RentalStatus::Failed] {
        assert!(world.rentals.iter().any(|row| row.status == status), "{status:?}");
    }
    let first = world.invoices.iter().filter(|entry| entry.bill.invoice.tenant_id == world.tenants[0].id);
    let statuses: BTreeSet<_> = first.clone().map(|entry| entry.bill.invoice.status).collect();
    assert_eq!((first.count(), statuses.len()), (64, 5));
}

#[test]
fn principals_are_cut_as_they_are_described() {
    let world = world();
    let all = principals();
    let named = |name| all.iter().find(|principal| principal.name == name).unwrap();
    let own = named("customer").customers.as_deref();
    for bill in ["declined-topup", "overage-week"] {
        assert_eq!(own, Some([character(&world, bill).bill.invoice.customer_id.clone()].as_slice()));
    }
    assert_eq!(named("customer").kind, PrincipalKind::Customer);
    assert_eq!(named("merchant").scopes.iter().count(), Scope::ALL.len());
    let written = named("partner").scopes.iter().filter(|scope| !scope.name().ends_with(":read")).count();
    assert_eq!((written, named("partner").scopes.iter().count()), (0, 11));
    assert!(!named("partner_without_payments").scopes.has(Scope::PaymentsRead));
    assert!(!named("partner_without_links").scopes.has(Scope::InvoicesLinksRead));
    assert_eq!(named("partner_two_customers").customers.as_ref().map(Vec::len), Some(2));
    assert_eq!(named("other_tenant").tenant, world.tenants[1].id);
    assert!(named("expired").lifetime < TimeDelta::zero());
    assert!(all.iter().all(|principal| principal.description.ends_with('.')));
    for target in import_targets() {
        assert_eq!(target.tenant, world.tenants[0].id);
        assert!(target.customer.is_none_or(|id| world.customers.iter().any(|row| row.id == id)));
    }
}
