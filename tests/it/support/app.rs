//! The whole server over real HTTP, in the test's own process, with the demo loaded.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use billing_gateway::app::demo;
use billing_gateway::auth::{AuthConfig, Authenticator, Jwks, JwtKeys};
use billing_gateway::demo::Plan;
use billing_gateway::domain::browser_session::SessionPolicy;
use billing_gateway::domain::clock::Clock;
use billing_gateway::domain::link::LinkHosts;
use billing_gateway::http::{
    self, AppState, DocumentSettings, Documents, ExplorerMode, Rates, RequestLimits, RequestStats, Room, Transport,
    Trusted,
};
use billing_gateway::links::{Accounts, Links, PayLinkPace};
use billing_gateway::rate::Limiter;
use billing_gateway::stats::StripeStats;
use billing_gateway::store::tenant::System;
use billing_gateway::store::{DatabaseUrl, PoolSettings, Store};
use billing_gateway::stripe::{ApiKey, BaseUrl, StripeConfig, StripeLimits};
use fake_stripe::{FakeStripe, State};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::database::{Engine, TestDatabase};
use super::gateway::POOLS;

/// What the tests' tokens are signed with.
pub(crate) const SECRET: &str = "a secret of the tests, longer than 32 bytes";

/// Pay links that one caller may have in a minute.
pub(crate) const PAY_LINKS: NonZeroU32 = NonZeroU32::new(30).unwrap();

/// The pace of pay links of one server.
pub(crate) fn pay_links() -> PayLinkPace {
    PayLinkPace::new(Arc::new(Limiter::local()), PAY_LINKS)
}

/// A client for servers on this machine. It needs no certificates, and does not read those of the system.
pub(crate) fn http_client() -> reqwest::Client {
    reqwest::Client::builder().tls_certs_only(std::iter::empty()).build().unwrap()
}

/// Documents as they are by default, none of them trusted.
pub(crate) fn documents() -> Documents {
    Documents::new(&billing_gateway::graphql::schema(), DocumentSettings::default(), Trusted::default()).unwrap()
}

/// What tells who asks: by tokens of a shared secret, by keys and sessions of the store, and perhaps by tokens of an
/// identity provider, all by one clock. What notes their use runs beside it.
pub(crate) fn authenticator(store: &Store, keys: JwtKeys, jwks: Option<Arc<Jwks>>, clock: Clock) -> Authenticator {
    let (auth, usage) = Authenticator::new(AuthConfig {
        tokens: Some(keys),
        jwks,
        store: store.clone(),
        system: System::operator(),
        clock,
        sessions: SessionPolicy::default(),
    });
    tokio::spawn(usage.run());
    auth
}

/// Links of the demo's accounts, by the platform's key.
fn live_links(base: &str, store: &Store) -> Links {
    let base = BaseUrl::parse(base, true).unwrap();
    let hosts = LinkHosts::default().and_local(base.url());
    let platform = StripeConfig {
        base,
        key: ApiKey::parse("rk_test_demo").unwrap(),
        account: None,
        hosts: hosts.clone(),
        limits: StripeLimits::default(),
        stats: StripeStats::default(),
    };
    let (links, refresher) =
        Links::live(hosts, Arc::new(Accounts::new([], Some(platform))), store.clone(), pay_links());
    tokio::spawn(refresher.run());
    links
}

/// What a test's server is made of.
struct Setup {
    engine: Engine,
    pools: Option<PoolSettings>,
    /// Where a fake of Stripe is.
    stripe: Option<String>,
    transport: Transport,
    documents: Documents,
    /// The keys of an identity provider.
    jwks: Option<Arc<Jwks>>,
    /// How much callers may ask for.
    rates: Rates,
    /// What one request may bring and be answered with.
    limits: RequestLimits,
}

impl Setup {
    fn new() -> Self {
        let (transport, documents) = (Transport::default(), documents());
        let rates = Rates::default();
        let limits = RequestLimits::default();
        Self { engine: Engine::Sqlite, pools: None, stripe: None, transport, documents, jwks: None, rates, limits }
    }
}

/// A running server. It stops when the test's runtime does.
pub(crate) struct TestApp {
    pub(crate) client: reqwest::Client,
    pub(crate) store: Store,
    base: String,
    tokens: BTreeMap<&'static str, String>,
    pub(crate) cookie: String,
    invoices: BTreeMap<&'static str, String>,
    pub(crate) database: TestDatabase,
}

impl TestApp {
    /// A server on SQLite.
    pub(crate) async fn new() -> Self {
        Self::on(Engine::Sqlite).await
    }

    /// A server on either engine.
    pub(crate) async fn on(engine: Engine) -> Self {
        Self::start(Setup { engine, ..Setup::new() }).await
    }

    /// A server on SQLite beside a fake of Stripe that knows the demo's invoices.
    pub(crate) async fn with_stripe() -> (Self, FakeStripe) {
        Self::with_stripe_and_pools(None).await
    }

    /// The same, perhaps with pools of its own.
    pub(crate) async fn with_stripe_and_pools(pools: Option<PoolSettings>) -> (Self, FakeStripe) {
        let state = serde_json::from_value(Plan::of(0).stripe_state()).unwrap();
        let fake = FakeStripe::start(State { rate_per_second: 0, ..state }).await.unwrap();
        let app = Self::start(Setup { stripe: Some(fake.url().to_owned()), pools, ..Setup::new() }).await;
        (app, fake)
    }

    /// A server on either engine with pools of its own. The demo is loaded through ordinary ones.
    pub(crate) async fn with_pools(engine: Engine, pools: PoolSettings) -> Self {
        Self::start(Setup { engine, pools: Some(pools), ..Setup::new() }).await
    }

    /// A server on SQLite that knows these documents.
    pub(crate) async fn with_documents(documents: Documents) -> Self {
        Self::start(Setup { documents, ..Setup::new() }).await
    }

    /// A server on SQLite whose callers may ask for so much.
    pub(crate) async fn with_rates(rates: Rates) -> Self {
        Self::start(Setup { rates, ..Setup::new() }).await
    }

    /// A server on SQLite with limits of its own.
    pub(crate) async fn with_limits(limits: RequestLimits) -> Self {
        Self::start(Setup { limits, ..Setup::new() }).await
    }

    /// A server on SQLite that meets clients in its own way.
    pub(crate) async fn with_transport(transport: Transport) -> Self {
        Self::start(Setup { transport, ..Setup::new() }).await
    }

    /// A server on Postgres with pools of its own that meets clients in its own way.
    pub(crate) async fn with_pools_and_transport(pools: PoolSettings, transport: Transport) -> Self {
        Self::start(Setup { engine: Engine::Postgres, pools: Some(pools), transport, ..Setup::new() }).await
    }

    /// A server on SQLite that takes tokens of an identity provider as well.
    pub(crate) async fn with_jwks(jwks: Arc<Jwks>) -> Self {
        Self::start(Setup { jwks: Some(jwks), ..Setup::new() }).await
    }

    async fn start(setup: Setup) -> Self {
        let Setup { engine, pools, stripe, transport, documents, jwks, rates, limits } = setup;
        let database = TestDatabase::new(engine).await;
        let url: DatabaseUrl = database.url.parse().unwrap();
        let mut store = Store::open(&url, &POOLS).await.unwrap();
        let secret = SecretString::from(SECRET);
        let keys = || JwtKeys::new(&secret, "billing-gateway", "billing-gateway", Clock::system()).unwrap();
        let hosts = LinkHosts::default();
        let demo = demo::load(&store, &keys(), &hosts, &Plan::of(0)).await.unwrap();
        if let Some(pools) = pools {
            store.close().await.unwrap();
            store = Store::open(&url, &pools).await.unwrap();
        }
        let counted = RequestStats::default();
        let connections = counted.connections.clone();
        let state = AppState {
            schema: billing_gateway::graphql::schema(),
            store: store.clone(),
            auth: authenticator(&store, keys(), jwks, Clock::system()),
            plain_cookie: true,
            links: Arc::new(stripe.map_or_else(|| Links::new(hosts), |base| live_links(&base, &store))),
            inbox: super::hooks::no_inbox(),
            documents,
            billing_clock: Clock::starting_at(demo.plan.now.utc()),
            explorer: ExplorerMode::Fallback,
            explorer_config: demo.explorer_config("/graphql"),
            debug_for_everyone: true,
            room: Room::new(&transport, &counted.room),
            stats: counted,
            transport: transport.clone(),
            limits,
            rates,
            draining: AtomicBool::new(false),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let router = http::router(Arc::new(state));
        let never = std::future::pending::<()>();
        tokio::spawn(http::serve(listener, router, transport, connections, never, Duration::from_secs(1)));
        let named = demo.characters.iter().chain(&demo.imported);
        Self {
            client: http_client(),
            store,
            base,
            tokens: demo.tokens.iter().map(|token| (token.name, token.token.clone())).collect(),
            cookie: demo.cookie.clone(),
            invoices: named.map(|(name, id)| (*name, id.0.clone())).collect(),
            database,
        }
    }

    /// The address of `path`.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// The token of a principal of the demo.
    pub(crate) fn token(&self, principal: &str) -> String {
        self.tokens[principal].clone()
    }

    /// The id of a named invoice of the demo, or of an imported document by its system.
    pub(crate) fn invoice(&self, name: &str) -> String {
        self.invoices[name].clone()
    }

    /// Asks with a token, and gives the whole body.
    pub(crate) async fn ask(&self, token: &str, query: &str, variables: Value) -> Value {
        let request = self.client.post(self.url("/graphql")).bearer_auth(token).header("x-debug", "1");
        let answer = request.json(&json!({ "query": query, "variables": variables })).send().await.unwrap();
        answer.json().await.unwrap()
    }
}
