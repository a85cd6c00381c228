//! A tenant with invoices, a Stripe that knows them, and what commands need to ask it.

use std::num::NonZeroU32;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use billing_gateway::app::config::{OwnKey, RowSecurityMode, StoreConfig, StripeAccess};
use billing_gateway::app::jobs::reconciler::Intervals;
use billing_gateway::store::{self, Whose, tenant::System};
use billing_gateway::stripe::{ApiKey, BaseUrl};
use entity::{Instant, InvoiceId, TenantId};
use fake_stripe::{FakeStripe, Invoice, State};
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};

use super::gateway::POOLS;
use super::hooks::{Hooks, TOTAL, now};
use super::program::program;

/// The key of the fake.
pub(crate) const KEY: &str = fake_stripe::state::KEY;

/// Where invoices of nobody begin, in seconds: newer ones first.
const AGE: i64 = 60;

pub(crate) struct Upstream {
    pub(crate) hooks: Hooks,
    pub(crate) fake: FakeStripe,
    pub(crate) connection: DatabaseConnection,
}

/// An invoice of Stripe's that names ours.
pub(crate) fn at_stripe(name: &str) -> Invoice {
    let mut invoice = Invoice::open(&format!("in_{name}"), TOTAL).of("cus_stripe");
    invoice.metadata.insert("billing_invoice_id".to_owned(), format!("inv_{name}"));
    invoice.number = Some(format!("N-{name}"));
    invoice.created = Some(now() - 1_800);
    invoice
}

/// Invoices of Stripe's that are nobody's here, one a minute back from now.
pub(crate) fn foreign(count: i64) -> impl Iterator<Item = Invoice> {
    (0..count).map(|number| Invoice {
        created: Some(now() - AGE * (number + 1)),
        ..Invoice::open(&format!("in_foreign{number}"), 5)
    })
}

impl Upstream {
    /// Those invoices at Stripe, and the named ones here, open and mirrored.
    pub(crate) async fn new(hooks: Hooks, names: &[&str], invoices: impl IntoIterator<Item = Invoice>) -> Self {
        let fake = FakeStripe::start(State { rate_per_second: 0, ..State::with(invoices) }).await.unwrap();
        for name in names {
            hooks.open(name, Some(&format!("in_{name}"))).await;
        }
        let connection = hooks.database.connect().await;
        Self { hooks, fake, connection }
    }

    pub(crate) fn config(&self) -> (StoreConfig, StripeAccess) {
        self.config_of(&self.hooks.tenant, KEY)
    }

    pub(crate) fn config_of(&self, tenant: &TenantId, key: &str) -> (StoreConfig, StripeAccess) {
        let url = self.hooks.database.url.parse().unwrap();
        let store = StoreConfig { url, pool: POOLS, row_security: RowSecurityMode::Auto, more_link_hosts: Vec::new() };
        let key = ApiKey::parse(key).unwrap();
        let intervals = Intervals { open: Duration::from_hours(6), paying: Duration::from_mins(2) };
        let access = StripeAccess {
            own: vec![OwnKey { tenant: tenant.clone(), key, setting: "BILLING_STRIPE_KEY" }],
            platform: None,
            base: Some(BaseUrl::parse(self.fake.url(), true).unwrap()),
            replicas: NonZeroU32::MIN,
            reconcile: intervals,
            pay_links_per_minute: std::num::NonZeroU32::new(30).unwrap(),
        };
        (store, access)
    }

    /// The program with settings to ask this Stripe about this store.
    pub(crate) fn program(&self, folder: &Path, arguments: &[&str]) -> Command {
        let mut command = program(folder);
        command.args(arguments).env("DATABASE_URL", &self.hooks.database.url).env("BILLING_DB_CONNECTIONS", "3");
        command.env("BILLING_STRIPE_KEY", KEY).env("BILLING_STRIPE_TENANT", self.hooks.tenant.as_str());
        command.env("BILLING_STRIPE_BASE_URL", self.fake.url());
        command
    }

    pub(crate) async fn sql(&self, statement: &str) {
        self.connection.execute_unprepared(statement).await.unwrap();
    }

    /// The rows that a count gives.
    pub(crate) async fn count(&self, table: &str) -> i64 {
        let count = format!("SELECT count(*) AS n FROM {table}");
        let statement = Statement::from_string(self.connection.get_database_backend(), count);
        self.connection.query_one_raw(statement).await.unwrap().unwrap().try_get("", "n").unwrap()
    }

    /// Everything that is stored, the tables that the digest leaves out by their number of rows.
    pub(crate) async fn digest(&self) -> (String, i64, i64) {
        let reader = self.hooks.store.reader(Whose::Everyones, &std::sync::Arc::default());
        let dump = store::dump(&System::operator(), &reader).await.unwrap();
        (dump.sha256, self.count("upstream_facts").await, self.count("jobs").await)
    }

    /// What webhooks and a backfill must agree about: everything but when it was heard, and by which way.
    pub(crate) async fn told(&self, name: &str) -> String {
        let id = InvoiceId(format!("inv_{name}"));
        let mut invoice = self.hooks.invoice(&id).await;
        (invoice.version, invoice.updated_at, invoice.created_at) = (0, Instant::default(), Instant::default());
        // The two worlds were made one after the other.
        invoice.issue_date = chrono::NaiveDate::default();
        invoice.finalized_at = invoice.finalized_at.map(|_| Instant::default());
        let mut mirror = self.hooks.mirror(&id).await;
        (mirror.updated_at, mirror.last_event_created) = (Instant::default(), None);
        // Events name even a key's own account, and lists do not.
        mirror.stripe_account_id = None;
        mirror.links_fetched_at = mirror.links_fetched_at.map(|_| Instant::default());
        format!("{invoice:#?}\n{:#?}\n{mirror:#?}", self.hooks.payments(&id).await)
    }
}

/// The moment so many seconds from now.
pub(crate) fn seconds(from_now: i64) -> Instant {
    Instant::new(chrono::DateTime::from_timestamp(now() + from_now, 0).unwrap())
}
