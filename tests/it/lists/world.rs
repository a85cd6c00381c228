//! Invoices of every sort, with ties and gaps in everything that a list can be ordered or filtered by.

use billing_gateway::domain::bill::{Bill, BillKeys, BillLine, BillPayment};
use billing_gateway::domain::ids;
use billing_gateway::store::{Store, Whose, bill};
use chrono::Duration;
use entity as e;
use sea_orm::Iterable;
use serde_json::json;

use crate::support::full::{full, tenant};
use crate::support::seed::{customer_row, minutes};

const INVOICES: usize = 60;

/// Minutes of a day.
const DAY: usize = 24 * 60;

/// What is stored, as it was written.
pub(super) struct World {
    pub(super) tenant: e::TenantId,
    pub(super) customers: Vec<e::customer::Model>,
    pub(super) rentals: Vec<e::rental::Model>,
    pub(super) bills: Vec<Bill>,
}

/// Writes the world, and a second tenant beside it.
pub(super) async fn world(store: &Store) -> World {
    let other = tenant(store, "other").await;
    full(store, &other, "other", e::InvoiceStatus::Open).await;
    let tenant = tenant(store, "acme").await;
    let customers: Vec<_> = (0..6).map(|n| customer(&tenant, n)).collect();
    let rentals: Vec<_> = (0..8).map(|n| rental(&tenant, &customers, n)).collect();
    let tx = store.begin(Whose::Everyones).await.unwrap();
    bill::write_customers(&tx, customers.clone(), bill::Existing::Keep).await.unwrap();
    bill::insert_rentals(&tx, rentals.clone()).await.unwrap();
    let mut world = World { tenant, customers, rentals, bills: Vec::new() };
    world.bills = (0..INVOICES).map(|n| world.bill(n)).collect();
    bill::insert_all(&tx, world.bills.clone()).await.unwrap();
    tx.commit().await.unwrap();
    // What was deleted is in no list.
    world.bills.retain(|bill| bill.invoice.deleted_at.is_none());
    world
}

fn customer(tenant: &e::TenantId, n: usize) -> e::customer::Model {
    let names = ["Ada", "50% off", "a_b", "ADA & co", "Åke", "x\\y"];
    let aliases = [Some("ops-%"), None, Some("Ada-2"), None, None, Some("A_B")];
    e::customer::Model {
        source_system: e::SourceSystem::Hostup,
        external_id: (n != 2).then(|| format!("C-{n}")),
        name: names[n].to_owned(),
        alias: aliases[n].map(str::to_owned),
        company_name: (n == 4).then(|| "aXb Ltd".to_owned()),
        email: (n != 5).then(|| format!("Person{}@Example.com", n % 3)),
        status: e::CustomerStatus::iter().nth(n % 4).unwrap(),
        created_at: minutes(n / 2),
        ..customer_row(tenant, &ids::derived(&["list", &n.to_string()]))
    }
}

fn rental(tenant: &e::TenantId, customers: &[e::customer::Model], n: usize) -> e::rental::Model {
    e::rental::Model {
        tenant_id: tenant.clone(),
        id: ids::derived(&["list", &n.to_string()]),
        customer_id: customers[n % 4].id.clone(),
        status: e::RentalStatus::iter().nth(n % 5).unwrap(),
        gpu_family: ["h100-80gb", "l40s", "rtx-4090"][n % 3].to_owned(),
        gpu_count: 1,
        started_at: minutes(n / 3),
        created_at: minutes(n),
        updated_at: minutes(n),
        ..Default::default()
    }
}

impl World {
    /// The nth invoice, with keys.
    pub(super) fn bill(&self, n: usize) -> Bill {
        let id = ids::derived(&["list", &n.to_string()]);
        let keys = BillKeys { tenant: &self.tenant, invoice: &id, customer: &self.customers[n % 5].id };
        Bill {
            invoice: self.invoice(n),
            lines: self.lines(n),
            subscription: n
                .is_multiple_of(6)
                .then(|| e::subscription::Model { external_id: Some(format!("S-{n}")), ..Default::default() }),
            upstream: n.is_multiple_of(2).then(|| e::upstream_invoice::Model {
                provider: "stripe".to_owned(),
                stripe_invoice_id: Some(format!("in_{n}")),
                ..Default::default()
            }),
            payments: vec![attempt(n)],
            ..Default::default()
        }
        .keyed(keys)
    }

    fn lines(&self, n: usize) -> Vec<BillLine> {
        let line = |rental: Option<usize>| BillLine {
            row: e::line_item::Model { rental_id: rental.map(|n| self.rentals[n].id.clone()), ..Default::default() },
            ..Default::default()
        };
        match n % 4 {
            0 => Vec::new(),
            1 => vec![line(Some(n % 5)), line(Some(n % 5)), line(Some((n + 1) % 5))],
            2 => vec![line(None)],
            _ => vec![line(None), line(Some((n + 2) % 5))],
        }
    }

    fn invoice(&self, n: usize) -> e::invoice::Model {
        use e::InvoiceStatus::{Draft, Open, Paid, Uncollectible, Void};
        let status = [Open, Paid, Draft, Void, Uncollectible, Open, Paid, Open][n % 8];
        let native = n.is_multiple_of(5);
        let imported = [
            e::SourceSystem::GpuOutlet,
            e::SourceSystem::Paypercut,
            e::SourceSystem::Meteroid,
            e::SourceSystem::Hostup,
        ];
        // Ties, and moments that differ by less than a second.
        let at = e::Instant::new(minutes(n % 17).utc() + Duration::milliseconds([0, 1, 500][n % 3]));
        let later = e::Instant::new(at.utc() + Duration::minutes(i64::try_from(n % 4).unwrap()));
        let due = [0, 100, 100, 2_500, 1_000_000_000_000][n % 5];
        e::invoice::Model {
            source_system: if native { e::SourceSystem::Native } else { imported[n % 4] },
            external_id: (!native).then(|| format!("ext-{n}")),
            number: number(n).filter(|_| status != Draft),
            status,
            billing_reason: e::BillingReason::iter().nth(n % 10).unwrap(),
            invoice_type: e::InvoiceType::iter().nth(n % 6).unwrap(),
            rental_id: n.is_multiple_of(3).then(|| self.rentals[n % 7].id.clone()),
            currency: e::CurrencyCode(["USD", "EUR", "USD", "JPY"][n % 4].to_owned()),
            livemode: n.is_multiple_of(3),
            total: e::Minor(due + 7),
            amount_due: e::Minor(due),
            amount_paid: e::Minor([0, due / 2, due, due + 50][(n / 5) % 4]),
            issue_date: minutes((n % 9) * DAY).utc().date_naive(),
            due_at: (n % 7 != 3).then(|| minutes(((n * 15) % 90) * DAY)),
            reference: n.is_multiple_of(4).then(|| format!("REF-{}", n % 8)),
            purchase_order: n.is_multiple_of(3).then(|| format!("PO {}", n % 9)),
            finalized_at: (status != Draft).then_some(at),
            paid_at: (status == Paid && (native || n % 8 == 1)).then_some(later),
            voided_at: (status == Void).then_some(later),
            uncollectible_at: (status == Uncollectible).then_some(later),
            deleted_at: (n == INVOICES - 1).then_some(later),
            external_attributes: json!({}),
            created_at: at,
            updated_at: minutes(n % 13),
            ..Default::default()
        }
    }
}

/// The same number in several systems, and such as patterns and languages might confuse.
fn number(n: usize) -> Option<String> {
    let starts = ["A-%", "A-_", "a-", "A-", "AX", "Ä", "B\\", "A"];
    (n % 11 != 4).then(|| format!("{}{}", starts[(n / 4) % 8], n / 4))
}

fn attempt(n: usize) -> BillPayment {
    use e::PaymentStatus::{Failed, Pending, RequiresAction, Succeeded};
    BillPayment {
        row: e::payment::Model {
            status: [Succeeded, Failed, Pending, RequiresAction][n % 4],
            provider: "stripe".to_owned(),
            created_at: minutes(n),
            ..Default::default()
        },
        ..Default::default()
    }
}
