//! A server that takes webhooks over real HTTP, a tenant with invoices that Stripe knows, and the worker.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant as Stopwatch};

use billing_gateway::actions::apply_event::Backoff;
use billing_gateway::actions::take_event::{Endpoint, Owner};
use billing_gateway::app::jobs::webhooks::{Running, Worker, WorkerSettings};
use billing_gateway::app::verify::verify;
use billing_gateway::auth::JwtKeys;
use billing_gateway::domain::bill::{Bill, BillKeys, BillLine};
use billing_gateway::domain::clock::Clock;
use billing_gateway::domain::link::LinkHosts;
use billing_gateway::http::{
    self, AppState, ExplorerMode, Inbox, Rates, RequestLimits, RequestStats, Room, Transport, WebhookPace,
};
use billing_gateway::links::Accounts;
use billing_gateway::links::Links;
use billing_gateway::stats::{ConnectionStats, RoomStats, StripeStats, WebhookStats};
use billing_gateway::store::tenant::System;
use billing_gateway::store::{DatabaseUrl, Store, Whose, bill};
use billing_gateway::stripe::webhook::Webhook;
use billing_gateway::stripe::{ApiKey, BaseUrl, StripeClient, StripeConfig, StripeLimits};
use entity::{
    CurrencyCode, CustomerId, Instant, InvoiceId, InvoiceStatus, Minor, SourceSystem, TenantId, invoice, invoice_event,
    line_item, payment, tenant, upstream_facts, upstream_invoice, webhook_event,
};
use fake_stripe::{Change, Delivery, FakeStripe, Invoice, State, signature};
use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter, QueryOrder};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::app::{SECRET as TOKEN_SECRET, authenticator, http_client};
use super::database::{Engine, TestDatabase};
use super::gateway::POOLS;
use super::seed::customer_row;

/// What endpoints' webhooks are signed with.
pub(crate) const SECRET: &str = "whsec_test";

/// The total of every invoice here.
pub(crate) const TOTAL: i64 = 1_000;

/// Pays what is left.
pub(crate) const PAY_ALL: Change = Change::Pay { amount: None, out_of_band: false };

/// How long an event may take until it is worked on.
const PATIENCE: Duration = Duration::from_secs(30);

/// No endpoint at all.
pub(crate) fn no_inbox() -> Inbox {
    Inbox {
        endpoints: Arc::default(),
        system: System::operator(),
        clock: Clock::system(),
        stats: WebhookStats::default(),
        taken: Arc::default(),
        pace: WebhookPace::default(),
    }
}

fn endpoint(owner: Owner, secrets: &[&str], limits: RequestLimits) -> Endpoint {
    let secrets = secrets.iter().map(|secret| SecretString::from(*secret)).collect();
    let webhook = Webhook::new(secrets, LinkHosts::default()).unwrap().with_bodies_of(limits.webhook_body_bytes);
    Endpoint { owner, livemode: false, webhook }
}

/// A worker that does not keep tests waiting.
pub(crate) fn quick() -> WorkerSettings {
    WorkerSettings {
        lease: Duration::from_secs(30),
        poll: Duration::from_millis(20),
        batch: 64,
        at_once: 4,
        backoff: Backoff {
            first: Duration::from_millis(40),
            longest: Duration::from_millis(80),
            give_up: Duration::from_hours(1),
        },
    }
}

/// A server with the endpoints `default` (of the tenant) and `connect` (of the platform).
pub(crate) struct Hooks {
    pub(crate) store: Store,
    pub(crate) tenant: TenantId,
    pub(crate) inbox: Inbox,
    base: String,
    client: reqwest::Client,
    connection: DatabaseConnection,
    worker: Option<Running>,
    pub(crate) database: TestDatabase,
}

impl Hooks {
    /// Without a worker.
    pub(crate) async fn on(engine: Engine) -> Self {
        let database = TestDatabase::new(engine).await;
        let hooks = Self::at(Clock::system(), database).await;
        company(&hooks.store, &hooks.tenant).await;
        hooks
    }

    /// Without a worker, on a database that there is, by a clock that may be wrong.
    pub(crate) async fn at(clock: Clock, database: TestDatabase) -> Self {
        Self::serving(clock, database, WebhookPace::default(), Rates::default(), RequestLimits::default()).await
    }

    /// Without a worker, which takes so many webhooks within a second, and bears so many that are forged.
    pub(crate) async fn paced(engine: Engine, pace: WebhookPace, rates: Rates) -> Self {
        let database = TestDatabase::new(engine).await;
        let hooks = Self::serving(Clock::system(), database, pace, rates, RequestLimits::default()).await;
        company(&hooks.store, &hooks.tenant).await;
        hooks
    }

    /// Without a worker, with limits of its own.
    pub(crate) async fn limited(engine: Engine, limits: RequestLimits) -> Self {
        let database = TestDatabase::new(engine).await;
        let (pace, rates) = (WebhookPace::default(), Rates::default());
        let hooks = Self::serving(Clock::system(), database, pace, rates, limits).await;
        company(&hooks.store, &hooks.tenant).await;
        hooks
    }

    async fn serving(
        clock: Clock,
        database: TestDatabase,
        pace: WebhookPace,
        rates: Rates,
        limits: RequestLimits,
    ) -> Self {
        let url: DatabaseUrl = database.url.parse().unwrap();
        let store = Store::open(&url, &POOLS).await.unwrap();
        let tenant = TenantId::from("ten_hooks");
        let endpoints = BTreeMap::from([
            ("default".to_owned(), endpoint(Owner::Tenant(tenant.clone()), &["whsec_old", SECRET], limits)),
            ("connect".to_owned(), endpoint(Owner::Connect, &[SECRET], limits)),
        ]);
        let inbox = Inbox { endpoints: Arc::new(endpoints), clock, pace, ..no_inbox() };
        let base = serve(&store, inbox.clone(), (rates, limits)).await;
        let connection = database.connect().await;
        Self { store, tenant, inbox, base, client: http_client(), connection, worker: None, database }
    }

    /// The same on the same database by another clock, without a worker.
    pub(crate) async fn moved(self, clock: Clock) -> Self {
        Self::at(clock, self.database).await
    }

    /// With a worker that has nobody to ask.
    pub(crate) async fn working(engine: Engine) -> Self {
        let mut hooks = Self::on(engine).await;
        hooks.start(quick(), None);
        hooks
    }

    pub(crate) fn start(&mut self, settings: WorkerSettings, stripe: Option<StripeClient>) {
        self.worker = Some(Running::start(self.worker(settings, stripe)));
    }

    pub(crate) fn worker(&self, settings: WorkerSettings, stripe: Option<StripeClient>) -> Worker {
        let (store, inbox) = (self.store.clone(), self.inbox.clone());
        let accounts = stripe.map(|client| Arc::new(Accounts::new([(self.tenant.clone(), client)], None)));
        Worker { store, billing_clock: inbox.clock, inbox, accounts, settings }
    }

    pub(crate) async fn stop(&mut self) {
        if let Some(worker) = self.worker.take() {
            worker.stop(PATIENCE).await;
        }
    }

    /// What a caller with this token is answered.
    pub(crate) async fn ask(&self, token: &str, query: &str) -> (u16, Value) {
        let request = self.client.post(format!("{}/graphql", self.base)).bearer_auth(token);
        let answer = request.json(&json!({ "query": query })).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    /// The address of an endpoint.
    pub(crate) fn url(&self, endpoint: &str) -> String {
        format!("{}/webhooks/stripe/{endpoint}", self.base)
    }

    /// Sends a body as it is, and gives status and answer.
    pub(crate) async fn post(&self, endpoint: &str, body: &str, signature: Option<&str>) -> (u16, Value) {
        let mut request = self.client.post(self.url(endpoint)).body(body.to_owned());
        if let Some(signature) = signature {
            request = request.header("stripe-signature", signature);
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    /// Sends an event with a good signature to an endpoint, and makes sure that it is taken.
    pub(crate) async fn send_to(&self, endpoint: &str, event: &Value) -> Value {
        let body = event.to_string();
        let (status, answer) = self.post(endpoint, &body, Some(&signed(&body))).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    pub(crate) async fn send(&self, event: &Value) -> Value {
        self.send_to("default", event).await
    }

    /// Sends events and waits until each was worked on.
    pub(crate) async fn hear<'a>(&self, events: impl IntoIterator<Item = &'a Value>) {
        for event in events {
            self.send(event).await;
        }
        self.settled().await;
    }

    /// Has a fake deliver events in some order, each twice, and waits until every one is processed: those that no webhook
    /// took yet, or all that there are.
    pub(crate) async fn delivered(&self, fake: &FakeStripe, all: bool, shuffle: Option<u64>) {
        let events = all.then(|| fake.events().into_iter().map(|it| it.id).collect());
        let delivery = Delivery { copies: 2, shuffle, events, ..Delivery::to(&self.url("default"), SECRET) };
        assert_eq!(fake.deliver(delivery).await.unwrap().failed, 0);
        self.until(|events| events.iter().all(|event| event.status == entity::WebhookStatus::Processed)).await;
        self.assert_sound().await;
    }

    /// Waits until no event is due or parked with a wait before it.
    pub(crate) async fn settled(&self) {
        self.until(|events| events.iter().all(|event| event.status != entity::WebhookStatus::Received)).await;
    }

    /// Waits until the inbox is as wanted.
    pub(crate) async fn until(&self, wanted: impl Fn(&[webhook_event::Model]) -> bool) {
        let begun = Stopwatch::now();
        loop {
            let events = self.events().await;
            if wanted(&events) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "not in time: {events:#?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub(crate) async fn events(&self) -> Vec<webhook_event::Model> {
        let order = webhook_event::Entity::find().order_by_asc(webhook_event::Column::EventId);
        order.all(&self.connection).await.unwrap()
    }

    pub(crate) async fn event(&self, id: &str) -> webhook_event::Model {
        let found = webhook_event::Entity::find().filter(webhook_event::Column::EventId.eq(id));
        found.one(&self.connection).await.unwrap().unwrap()
    }

    pub(crate) async fn invoice(&self, id: &InvoiceId) -> invoice::Model {
        let key = (self.tenant.clone(), id.clone());
        invoice::Entity::find_by_id(key).one(&self.connection).await.unwrap().unwrap()
    }

    pub(crate) async fn mirror(&self, id: &InvoiceId) -> upstream_invoice::Model {
        let key = (self.tenant.clone(), id.clone());
        upstream_invoice::Entity::find_by_id(key).one(&self.connection).await.unwrap().unwrap()
    }

    pub(crate) async fn payments(&self, id: &InvoiceId) -> Vec<payment::Model> {
        let rows = payment::Entity::find().filter(payment::Column::InvoiceId.eq(id.clone()));
        rows.order_by_asc(payment::Column::Id).all(&self.connection).await.unwrap()
    }

    /// The history that Stripe caused.
    pub(crate) async fn history(&self, id: &InvoiceId) -> Vec<invoice_event::Model> {
        let rows = invoice_event::Entity::find().filter(invoice_event::Column::InvoiceId.eq(id.clone()));
        let rows = rows.filter(invoice_event::Column::ActorKind.eq("stripe"));
        rows.order_by_asc(invoice_event::Column::Id).all(&self.connection).await.unwrap()
    }

    /// Everything that must not depend on the order of events: all but the count of writes, and the history.
    pub(crate) async fn state(&self, id: &InvoiceId) -> (invoice::Model, Vec<payment::Model>, Vec<Value>) {
        let invoice = invoice::Model { version: 0, ..self.invoice(id).await };
        let facts = upstream_facts::Entity::find_by_id((self.tenant.clone(), id.clone()));
        let facts = facts.one(&self.connection).await.unwrap().map(|row| row.facts);
        let mirror = format!("{:?}", self.mirror(id).await);
        (invoice, self.payments(id).await, vec![json!(mirror), json!(facts)])
    }

    /// Every native invoice keeps every rule.
    pub(crate) async fn assert_sound(&self) {
        let mut found = Vec::new();
        let verified = verify(&self.store, |progress| {
            if let billing_gateway::app::verify::Progress::Violated(violation) = progress {
                found.push(violation.clone());
            }
        });
        let verified = verified.await.unwrap();
        assert!(verified.invoices > 0 && found.is_empty(), "{found:#?}");
    }

    /// Writes an invoice of ours, open, with a mirror of that id at Stripe.
    pub(crate) async fn open(&self, name: &str, stripe_id: Option<&str>) -> InvoiceId {
        write(&self.store, &self.tenant, name, stripe_id, InvoiceStatus::Open).await
    }

    /// The same as a draft.
    pub(crate) async fn draft(&self, name: &str, stripe_id: Option<&str>) -> InvoiceId {
        write(&self.store, &self.tenant, name, stripe_id, InvoiceStatus::Draft).await
    }
}

/// The header for a body, signed now.
pub(crate) fn signed(body: &str) -> String {
    signature(&[SECRET], body.as_bytes(), now())
}

pub(crate) fn now() -> i64 {
    Clock::system().now().utc().timestamp()
}

/// A fake that has these invoices since ten minutes ago.
pub(crate) async fn fake_of(invoices: impl IntoIterator<Item = Invoice>) -> FakeStripe {
    FakeStripe::start(State { now: Some(now() - 600), ..State::with(invoices) }).await.unwrap()
}

/// A fake whose `in_1`, an open invoice of [`TOTAL`], went through this.
pub(crate) async fn lived(changes: &[Change]) -> FakeStripe {
    let fake = fake_of([Invoice::open("in_1", TOTAL).of("cus_stripe")]).await;
    for change in changes {
        fake.change("in_1", change).unwrap();
    }
    fake
}

/// A client for a fake.
pub(crate) fn client_of(fake: &FakeStripe) -> StripeClient {
    let config = StripeConfig {
        base: BaseUrl::parse(fake.url(), true).unwrap(),
        key: ApiKey::parse(fake_stripe::state::KEY).unwrap(),
        account: None,
        hosts: LinkHosts::default(),
        limits: StripeLimits::default(),
        stats: StripeStats::default(),
    };
    StripeClient::new(config).unwrap()
}

/// An event around an object.
pub(crate) fn event(id: &str, kind: &str, created: i64, object: &Value) -> Value {
    json!({ "id": id, "object": "event", "type": kind, "created": created, "livemode": false,
        "api_version": "2026-04-22.dahlia", "data": { "object": object } })
}

/// An invoice at Stripe.
pub(crate) fn object(id: &str, status: &str, amount_paid: i64) -> Value {
    json!({ "id": id, "object": "invoice", "status": status, "currency": "usd", "customer": "cus_stripe",
        "amount_due": TOTAL, "amount_paid": amount_paid, "amount_remaining": TOTAL - amount_paid, "metadata": {} })
}

/// Writes a tenant with one customer, whom Stripe knows as `cus_stripe`.
pub(crate) async fn company(store: &Store, id: &TenantId) {
    let tx = store.begin(Whose::Everyones).await.unwrap();
    let row = tenant::Model { id: id.clone(), name: "Hooks".to_owned(), settings: json!({}), ..Default::default() };
    let customer = entity::customer::Model {
        stripe_customer_id: Some("cus_stripe".to_owned()),
        ..customer_row(id, &CustomerId::from("cus_1"))
    };
    bill::insert_tenants(&tx, vec![row]).await.unwrap();
    bill::write_customers(&tx, vec![customer], bill::Existing::Keep).await.unwrap();
    tx.commit().await.unwrap();
}

/// Writes an invoice that keeps every rule, made an hour ago.
pub(crate) async fn write(
    store: &Store,
    tenant: &TenantId,
    name: &str,
    stripe_id: Option<&str>,
    status: InvoiceStatus,
) -> InvoiceId {
    let id = InvoiceId(format!("inv_{name}"));
    let made = Instant::new(Clock::system().now().utc() - chrono::TimeDelta::hours(1));
    let issued = (status == InvoiceStatus::Open).then_some(made);
    let row = invoice::Model {
        source_system: SourceSystem::Native,
        status,
        currency: CurrencyCode("USD".to_owned()),
        number: issued.map(|_| format!("N-{name}")),
        subtotal: Minor(TOTAL),
        total: Minor(TOTAL),
        amount_due: Minor(TOTAL),
        issue_date: made.utc().date_naive(),
        finalized_at: issued,
        created_at: made,
        updated_at: made,
        version: 1,
        ..Default::default()
    };
    let line = line_item::Model { subtotal: Minor(TOTAL), amount: Minor(TOTAL), ..Default::default() };
    let mirror = upstream_invoice::Model {
        provider: "stripe".to_owned(),
        stripe_invoice_id: stripe_id.map(str::to_owned),
        hosted_invoice_url: Some("https://invoice.stripe.com/i/old".to_owned()),
        invoice_pdf_url: Some("https://pay.stripe.com/invoice/old/pdf".to_owned()),
        links_fetched_at: Some(made),
        updated_at: made,
        ..Default::default()
    };
    let bill = Bill {
        invoice: row,
        lines: vec![BillLine { row: line, ..Default::default() }],
        upstream: stripe_id.map(|_| mirror),
        ..Default::default()
    };
    let bill = bill.keyed(BillKeys { tenant, invoice: &id, customer: &CustomerId::from("cus_1") });
    let entry = |from: Option<InvoiceStatus>, to: InvoiceStatus| invoice_event::Model {
        tenant_id: tenant.clone(),
        id: format!("iev_{name}_{}", to.word()).into(),
        invoice_id: id.clone(),
        kind: "begun".to_owned(),
        from_status: from,
        to_status: Some(to),
        actor_kind: "system".to_owned(),
        data: json!({}),
        occurred_at: made,
        recorded_at: made,
        ..Default::default()
    };
    let mut history = vec![entry(None, InvoiceStatus::Draft)];
    history.extend(issued.map(|_| entry(Some(InvoiceStatus::Draft), InvoiceStatus::Open)));
    let tx = store.begin(Whose::Everyones).await.unwrap();
    bill::insert(&tx, bill).await.unwrap();
    bill::insert_events(&tx, history).await.unwrap();
    tx.commit().await.unwrap();
    id
}

async fn serve(store: &Store, inbox: Inbox, (rates, limits): (Rates, RequestLimits)) -> String {
    let secret = SecretString::from(TOKEN_SECRET);
    let state = AppState {
        schema: billing_gateway::graphql::schema(),
        store: store.clone(),
        auth: authenticator(
            store,
            JwtKeys::new(&secret, "billing-gateway", "billing-gateway", inbox.clock).unwrap(),
            None,
            inbox.clock,
        ),
        plain_cookie: false,
        links: Arc::new(Links::new(LinkHosts::default())),
        billing_clock: inbox.clock,
        inbox,
        documents: super::app::documents(),
        explorer: ExplorerMode::Off,
        explorer_config: json!({}),
        debug_for_everyone: false,
        room: Room::new(&Transport::default(), &RoomStats::default()),
        stats: RequestStats::default(),
        transport: Transport::default(),
        limits,
        rates,
        draining: AtomicBool::new(false),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let router = http::router(Arc::new(state));
    tokio::spawn(http::serve(
        listener,
        router,
        Transport::default(),
        ConnectionStats::default(),
        std::future::pending::<()>(),
        Duration::from_secs(1),
    ));
    base
}
