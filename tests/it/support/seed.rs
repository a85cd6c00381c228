//! Small worlds for tests: just what shows a behaviour.

use billing_gateway::domain::bill::{Bill, BillKeys, BillLine, BillPayment};
use billing_gateway::domain::ids;
use billing_gateway::store::{Store, Whose, bill};
use chrono::{Duration, NaiveDate};
use entity::{
    CurrencyCode, CustomerId, Instant, InvoiceId, InvoiceStatus, Minor, PaymentStatus, RentalId, RentalStatus,
    TenantId, customer, customer_snapshot, invoice, line_item, payment, rental, sub_line, tenant, upstream_invoice,
};

/// A tenant with customers, rentals and invoices of one shape.
pub(crate) struct Seed {
    pub(crate) tenant: TenantId,
    pub(crate) customers: Vec<CustomerId>,
    pub(crate) rentals: Vec<RentalId>,
    pub(crate) invoices: Vec<InvoiceId>,
}

/// How large the world is.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    pub(crate) customers: usize,
    pub(crate) rentals: usize,
    pub(crate) invoices: usize,
    pub(crate) lines: usize,
}

pub(crate) fn start() -> Instant {
    Instant::new("2026-05-01T00:00:00Z".parse().unwrap())
}

/// `start` and `minutes` more.
pub(crate) fn minutes(minutes: usize) -> Instant {
    Instant::new(start().utc() + Duration::minutes(i64::try_from(minutes).unwrap()))
}

/// Writes a world in which every relation of the reference query occurs: each invoice has a rental of its own, lines
/// that bill other rentals, sub lines, a payment and a mirror.
pub(crate) async fn seed(store: &Store, name: &str, size: Size) -> Seed {
    let tenant: TenantId = ids::derived(&[name]);
    let customers: Vec<CustomerId> = (0..size.customers).map(|n| ids::derived(&[name, &n.to_string()])).collect();
    let rentals: Vec<RentalId> = (0..size.rentals).map(|n| ids::derived(&[name, &n.to_string()])).collect();
    let tx = store.begin(Whose::Everyones).await.unwrap();
    bill::insert_tenants(&tx, vec![tenant_row(&tenant, name)]).await.unwrap();
    let rows = customers.iter().map(|id| customer_row(&tenant, id)).collect();
    bill::write_customers(&tx, rows, bill::Existing::Keep).await.unwrap();
    let rows = rentals.iter().enumerate().map(|(n, id)| rental_row(&tenant, id, &customers[n % customers.len()], n));
    bill::insert_rentals(&tx, rows.collect()).await.unwrap();
    let invoices: Vec<InvoiceId> = (0..size.invoices).map(|n| ids::at(minutes(n), &[name, &n.to_string()])).collect();
    let bills = invoices.iter().enumerate().map(|(n, id)| {
        let keys = BillKeys { tenant: &tenant, invoice: id, customer: &customers[n % customers.len()] };
        draft(n, size.lines, &rentals).keyed(keys)
    });
    bill::insert_all(&tx, bills.collect()).await.unwrap();
    tx.commit().await.unwrap();
    Seed { tenant, customers, rentals, invoices }
}

pub(crate) fn tenant_row(id: &TenantId, name: &str) -> tenant::Model {
    tenant::Model { id: id.clone(), name: name.to_owned(), settings: serde_json::json!({}), ..Default::default() }
}

pub(crate) fn customer_row(tenant: &TenantId, id: &CustomerId) -> customer::Model {
    customer::Model {
        tenant_id: tenant.clone(),
        id: id.clone(),
        name: format!("Customer {id}"),
        email: Some("someone@example.com".to_owned()),
        metadata: serde_json::json!({}),
        external_attributes: serde_json::json!({}),
        ..Default::default()
    }
}

fn rental_row(tenant: &TenantId, id: &RentalId, customer: &CustomerId, n: usize) -> rental::Model {
    rental::Model {
        tenant_id: tenant.clone(),
        id: id.clone(),
        customer_id: customer.clone(),
        status: RentalStatus::Running,
        gpu_family: "h100-80gb".to_owned(),
        gpu_count: 8,
        price_per_hour: Minor(2_240),
        started_at: minutes(n),
        created_at: minutes(n),
        updated_at: minutes(n),
        ..Default::default()
    }
}

/// The nth invoice without its keys: every third one is paid, every fifth one has no due moment.
pub(crate) fn draft(n: usize, lines: usize, rentals: &[RentalId]) -> Bill {
    let rental = |offset: usize| rentals.get((n + offset) % rentals.len().max(1)).cloned();
    let total = Minor(i64::try_from(lines * 100 + n % 7).unwrap());
    let paid = n.is_multiple_of(3);
    let at = minutes(n);
    let line = |position: usize| BillLine {
        row: line_item::Model {
            description: format!("Line {position}"),
            rental_id: rental(position + 1),
            subtotal: Minor(100),
            amount: Minor(100),
            ..Default::default()
        },
        sub_lines: vec![sub_line::Model { name: "Night rate".to_owned(), amount: Minor(100), ..Default::default() }],
        ..Default::default()
    };
    let attempt = payment::Model {
        status: if paid { PaymentStatus::Succeeded } else { PaymentStatus::Failed },
        amount_requested: total,
        amount_paid: if paid { total } else { Minor(0) },
        provider: "stripe".to_owned(),
        created_at: at,
        updated_at: at,
        paid_at: paid.then_some(at),
        ..Default::default()
    };
    Bill {
        invoice: invoice::Model {
            number: Some(format!("T-{n:05}")),
            status: if paid { InvoiceStatus::Paid } else { InvoiceStatus::Open },
            currency: CurrencyCode("USD".to_owned()),
            rental_id: rental(0),
            subtotal: total,
            total,
            amount_due: total,
            amount_paid: if paid { total } else { Minor(0) },
            issue_date: NaiveDate::from_ymd_opt(2026, 5, 1).unwrap() + Duration::days(i64::try_from(n % 20).unwrap()),
            due_at: (!n.is_multiple_of(5)).then(|| minutes(n % 11)),
            finalized_at: Some(at),
            paid_at: paid.then_some(at),
            created_at: at,
            updated_at: minutes(n % 13),
            ..Default::default()
        },
        lines: (0..lines).map(line).collect(),
        payments: vec![BillPayment { row: attempt, ..Default::default() }],
        snapshot: Some(customer_snapshot::Model { name: "Customer".to_owned(), ..Default::default() }),
        upstream: Some(upstream_invoice::Model {
            provider: "stripe".to_owned(),
            stripe_invoice_id: Some(format!("in_test{n}")),
            hosted_invoice_url: Some("https://invoice.stripe.com/i/acct_test/abc".to_owned()),
            links_fetched_at: Some(at),
            updated_at: at,
            ..Default::default()
        }),
        ..Default::default()
    }
}
