//! Fills a store with the demo by its plan: the cast first, then the simulated customers, some in each transaction.
//!
//! How far it came is written down with the rows, in the settings of the demo's company. So what was interrupted goes
//! on where it stopped, a larger demo of the same plan only adds to a smaller one, and servers that fill the same
//! store at the same time share the work: whoever holds the company's row writes the next customers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use entity::{TenantId, tenant};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::app::AppError;
use crate::demo::{self, Books, Plan};
use crate::domain::clock::Clock;
use crate::domain::viewer::Tenant;
use crate::store::bill::{self, Existing};
use crate::store::tenant::System;
use crate::store::{self, Store, StoreError, Tx};

/// Customers of one transaction.
const BATCH: usize = 20;

/// How long another server may hold the company's row.
const PATIENCE: Duration = Duration::from_mins(1);

/// Between two attempts to get it.
const PAUSE: Duration = Duration::from_millis(50);

/// Where a company's settings say what of the demo the store holds.
const SETTING: &str = "demo";

/// What of a demo a store holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// What chance starts from.
    pub seed: u64,
    /// Companies.
    pub tenants: u32,
    /// The instant the simulation ran to.
    pub now: entity::Instant,
    /// Simulated customers there are to be.
    pub customers: u32,
    /// Simulated customers there are.
    pub loaded: u32,
}

impl Held {
    /// The plan of a store that holds this.
    pub const fn plan(&self) -> Plan {
        Plan { seed: self.seed, customers: self.customers, tenants: self.tenants, now: self.now }
    }

    const fn none(plan: &Plan) -> Self {
        Self { seed: plan.seed, tenants: plan.tenants, now: plan.now, customers: plan.customers, loaded: 0 }
    }

    /// What a company's row says.
    fn of(company: &tenant::Model) -> Option<Self> {
        Self::deserialize(company.settings.get(SETTING)?).ok()
    }

    /// Whether a store that holds this becomes one of the plan by adding customers.
    fn grows_to(&self, plan: &Plan) -> bool {
        self.customers <= plan.customers && Plan { customers: plan.customers, ..self.plan() } == *plan
    }
}

/// How far the filling came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filled {
    /// Simulated customers that are stored.
    pub customers: u32,
    /// Simulated customers there are to be.
    pub of: u32,
}

/// What to do with a store that holds another demo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Other {
    /// It stays as it is.
    Keep,
    /// That is an error.
    Refuse,
}

/// Fills the store until it holds what the plan says, and gives the plan that it then holds. `tell` is called for
/// every step forward.
///
/// # Errors
/// [`AppError::OtherDemo`] when it holds another demo and that is not to be kept; [`AppError::Store`].
pub async fn fill(store: &Store, plan: &Plan, other: Other, mut tell: impl FnMut(Filled)) -> Result<Plan, AppError> {
    let held = match held(store, plan).await? {
        Some(held) => held,
        None => begin(store, plan).await?,
    };
    let plan = match other {
        _ if held.grows_to(plan) => *plan,
        Other::Keep => held.plan(),
        Other::Refuse => return Err(AppError::OtherDemo { held: held.plan(), asked: *plan }),
    };
    tell(Filled { customers: held.loaded, of: plan.customers });
    if held.loaded >= plan.customers && held.customers == plan.customers {
        return Ok(plan);
    }
    let mut batches = simulate(plan, held.loaded);
    let mut loaded = held.loaded;
    while let Some(batch) = batches.recv().await {
        loaded = write(store, &plan, batch).await?;
        tell(Filled { customers: loaded, of: plan.customers });
    }
    if loaded < plan.customers {
        return Err(AppError::Demo(format!("the simulation ended after {loaded} customers")));
    }
    store.analyze().await?;
    Ok(plan)
}

/// The demo's own company.
fn company(plan: &Plan) -> Result<tenant::Model, AppError> {
    plan.companies().into_iter().next().ok_or_else(|| AppError::Demo("it has no company".to_owned()))
}

/// What the store holds of a demo; none when it has no row of it.
async fn held(store: &Store, plan: &Plan) -> Result<Option<Held>, AppError> {
    let id = company(plan)?.id;
    let tenant = Tenant::whole(id);
    let row = store::tenant::find(&tenant, &store.reader(&tenant, &Arc::default())).await?;
    Ok(row.map(|row| Held::of(&row).unwrap_or(Held::none(plan))))
}

/// The clock that the bills of a store go by: the demo's stand at its instant, all others at the system's time.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn billing_clock(store: &Store) -> Result<Clock, StoreError> {
    let operator = System::operator();
    let tenants = store::tenant::all(&operator, &store.reader(&operator, &Arc::default())).await?;
    let held = tenants.iter().find_map(Held::of);
    Ok(held.map_or_else(Clock::system, |held| Clock::starting_at(held.now.utc())))
}

/// Writes the companies and the cast, unless another server is faster.
async fn begin(store: &Store, plan: &Plan) -> Result<Held, AppError> {
    let held = Held::none(plan);
    let mut companies = plan.companies();
    if let Some(first) = companies.first_mut() {
        set(&mut first.settings, &held)?;
    }
    let written = patiently(async || {
        let tx = store.begin(&System::operator()).await?;
        bill::insert_tenants(&tx, companies.clone()).await?;
        insert(&tx, demo::cast()).await?;
        tx.commit().await
    });
    match written.await {
        Ok(()) => Ok(held),
        Err(StoreError::Refused { rule: "unique", .. }) => {
            self::held(store, plan).await?.ok_or_else(|| AppError::Demo("its company is gone".to_owned()))
        }
        Err(error) => Err(error.into()),
    }
}

/// Tries again as long as another server holds what is needed.
async fn patiently<T>(attempt: impl AsyncFn() -> Result<T, StoreError>) -> Result<T, StoreError> {
    let begun = Instant::now();
    loop {
        match attempt().await {
            Err(StoreError::Timeout(_) | StoreError::Conflict(_) | StoreError::Unavailable(_))
                if begun.elapsed() < PATIENCE =>
            {
                tokio::time::sleep(PAUSE).await;
            }
            other => return other,
        }
    }
}

/// Simulates customers on a thread of its own, a batch ahead of what is written.
fn simulate(plan: Plan, from: u32) -> mpsc::Receiver<Vec<(u32, Books)>> {
    let (batches, received) = mpsc::channel(1);
    tokio::task::spawn_blocking(move || {
        let mut numbers = (from..plan.customers).peekable();
        // An empty batch at least, which says that the store is complete.
        loop {
            let batch = numbers.by_ref().take(BATCH).map(|number| (number, plan.customer(number))).collect();
            if batches.blocking_send(batch).is_err() || numbers.peek().is_none() {
                return;
            }
        }
    });
    received
}

/// Writes those of the customers that no other server has written meanwhile. Gives how many are stored then.
async fn write(store: &Store, plan: &Plan, batch: Vec<(u32, Books)>) -> Result<u32, AppError> {
    let operator = System::operator();
    let id: TenantId = company(plan)?.id;
    let (tx, row) = patiently(async || {
        let tx = store.begin(&operator).await?;
        let row = store::tenant::lock(&operator, &tx, &id).await?;
        Ok((tx, row))
    })
    .await?;
    let mut row = row.ok_or_else(|| AppError::Demo("its company is gone".to_owned()))?;
    let mut held = Held::of(&row).unwrap_or(Held::none(plan));
    let mut books = Books::default();
    for (number, customer) in batch {
        if number == held.loaded {
            books.extend(customer);
            held.loaded += 1;
        }
    }
    held.customers = held.customers.max(plan.customers);
    insert(&tx, books).await?;
    set(&mut row.settings, &held)?;
    store::tenant::save_settings(&operator, &tx, &id, row.settings).await?;
    tx.commit().await?;
    Ok(held.loaded)
}

fn set(settings: &mut entity::Json, held: &Held) -> Result<(), AppError> {
    let value = serde_json::to_value(held).map_err(StoreError::from)?;
    if let Some(settings) = settings.as_object_mut() {
        settings.insert(SETTING.to_owned(), value);
    }
    Ok(())
}

async fn insert(tx: &Tx, books: Books) -> Result<(), StoreError> {
    bill::write_customers(tx, books.customers, Existing::Keep).await?;
    bill::insert_rentals(tx, books.rentals).await?;
    bill::insert_subscriptions(tx, books.subscriptions).await?;
    bill::insert_payment_methods(tx, books.payment_methods).await?;
    let (bills, events): (Vec<_>, Vec<_>) =
        books.invoices.into_iter().map(|invoice| (invoice.bill, invoice.events)).unzip();
    bill::insert_all(tx, bills).await?;
    bill::insert_events(tx, events.into_iter().flatten().collect()).await
}
