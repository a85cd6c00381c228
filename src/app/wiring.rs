//! From settings to a running server, and down again.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use entity::{Json, TenantId, WebhookStatus, tenant, webhook_event};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::accounts::{self, Pace};
use super::config::{Config, DEFAULT_ENDPOINT, DocumentConfig, RateConfig, RowSecurityMode, StoreConfig, TokenConfig};
use super::demo::{self, Demo, DemoToken, Filled, Other};
use super::jobs::pruner::Pruner;
use super::jobs::reconciler::{LOOK, Reconciler};
use super::jobs::webhooks::{Running, Worker, WorkerSettings};
use super::metrics::Metrics;
use super::{AppError, descriptors, documents};
use crate::actions::create_tenant::{self, NewTenant};
use crate::actions::replay_events;
use crate::actions::take_event::Endpoint;
use crate::auth::{AuthConfig, Authenticator, Jwks, JwksParties, JwksTimes, JwtKeys};
use crate::demo::Plan;
use crate::domain::actor::Actor;
use crate::domain::clock::Clock;
use crate::domain::link::LinkHosts;
use crate::graphql::{self, Schema};
use crate::http::{self, AppState, Documents, ExplorerMode, Inbox, Rates, RequestStats, Room, Trusted, WebhookPace};
use crate::links::{Links, PayLinkPace, Refresher};
use crate::rate::Limiter;
use crate::stats::{ReconcilerStats, StripeStats, WebhookStats};
use crate::store::row_security::RowSecurity;
use crate::store::tenant::System;
use crate::store::webhook_event::Replay;
use crate::store::{self, Dump, MigrationState, Store};
use crate::stripe::webhook::Webhook;

/// Where GraphQL is asked.
const GRAPHQL_PATH: &str = "/graphql";

/// How long the pools may take to close once requests are done: with the shutdown deadline, less than five seconds.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(500);

/// How long the worker of the webhooks may go on once requests are done: it was told to stop when they were.
const WORKER_TIMEOUT: Duration = Duration::from_millis(300);

/// What a program that started the server needs to know.
#[derive(Clone, Debug, Serialize)]
pub struct Ready {
    /// The server's address.
    pub url: String,
    /// Where GraphQL is asked.
    pub graphql: String,
    /// Where the explorer is; none when it is switched off.
    pub explorer: Option<String>,
    /// Where metrics are; none when they are not shown.
    pub metrics: Option<String>,
    /// The process.
    pub pid: u32,
    /// The database, without a password.
    pub database: String,
    /// A token for each principal of the demo; empty without it.
    pub tokens: BTreeMap<&'static str, String>,
    /// The cookie of a customer of the demo, as it is sent; none without it.
    pub cookie: Option<String>,
    /// The named invoices of the demo.
    pub characters: BTreeMap<&'static str, String>,
    /// The documents that the demo imported, by system.
    pub imported: BTreeMap<&'static str, String>,
}

/// Opens the store, which must have every migration this program knows.
///
/// # Errors
/// [`AppError::Open`] or [`AppError::Behind`].
pub async fn open(config: &StoreConfig) -> Result<Store, AppError> {
    let store = Store::open(&config.url, &config.pool)
        .await
        .map_err(|source| AppError::Open { database: config.url.shown(), source })?;
    if config.row_security == RowSecurityMode::Required
        && let Some(gap) = store.row_security().await?.gap()
    {
        return Err(AppError::RowSecurity(gap));
    }
    let steps = store.migrations().await?;
    let mut missing = steps.iter().filter(|step| !step.applied);
    match missing.next() {
        None => Ok(store),
        Some(first) => Err(AppError::Behind {
            database: config.url.shown(),
            missing: missing.count().saturating_add(1),
            known: steps.len(),
            first: first.name.clone(),
        }),
    }
}

/// Applies every migration that the database lacks.
///
/// # Errors
/// [`AppError::Migrate`]; nothing has changed then.
pub async fn migrate_up(config: &StoreConfig) -> Result<(), AppError> {
    let failed = |source| AppError::Migrate { database: config.url.shown(), source };
    store::migrate_up(&config.url, &config.pool).await.map_err(failed)
}

/// Takes back the last `steps` migrations, with all data that only they held.
///
/// # Errors
/// [`AppError::Migrate`]; nothing has changed then.
pub async fn migrate_down(config: &StoreConfig, steps: u32) -> Result<(), AppError> {
    let failed = |source| AppError::Migrate { database: config.url.shown(), source };
    store::migrate_down(&config.url, &config.pool, steps).await.map_err(failed)
}

/// Switches row-level security on or off.
///
/// # Errors
/// [`AppError::NoRowSecurity`] on `SQLite`, and [`AppError::Migrate`]; nothing has changed then.
pub async fn switch_row_security(config: &StoreConfig, on: bool) -> Result<(), AppError> {
    let failed = |source| AppError::Migrate { database: config.url.shown(), source };
    let switched = store::row_security::switch(&config.url, &config.pool, on).await.map_err(failed)?;
    if switched { Ok(()) } else { Err(AppError::NoRowSecurity) }
}

/// Where row-level security stands.
///
/// # Errors
/// [`AppError::Open`] or [`AppError::Store`].
pub async fn row_security(config: &StoreConfig) -> Result<RowSecurity, AppError> {
    let store = Store::open(&config.url, &config.pool)
        .await
        .map_err(|source| AppError::Open { database: config.url.shown(), source })?;
    let found = store.row_security().await?;
    store.close().await?;
    Ok(found)
}

/// The state of every migration that this program knows, oldest first.
///
/// # Errors
/// [`AppError::Open`] or [`AppError::Store`].
pub async fn migrations(config: &StoreConfig) -> Result<Vec<MigrationState>, AppError> {
    let store = Store::open(&config.url, &config.pool)
        .await
        .map_err(|source| AppError::Open { database: config.url.shown(), source })?;
    let steps = store.migrations().await?;
    store.close().await?;
    Ok(steps)
}

/// Makes a tenant and gives its id.
///
/// # Errors
/// [`AppError`] when the store is not ready or refuses it.
pub async fn create_tenant(config: &StoreConfig, new: NewTenant) -> Result<TenantId, AppError> {
    let store = open(config).await?;
    let id = create_tenant::create_tenant(&store, &Actor::operator(), new).await?;
    store.close().await?;
    Ok(id)
}

/// Every tenant, oldest first.
///
/// # Errors
/// [`AppError`] when the store is not ready.
pub async fn tenants(config: &StoreConfig) -> Result<Vec<tenant::Model>, AppError> {
    let store = open(config).await?;
    let operator = System::operator();
    let tenants = store::tenant::all(&operator, &store.reader(&operator, &Arc::default())).await?;
    store.close().await?;
    Ok(tenants)
}

/// The newest events of the inbox, of one status or of all.
///
/// # Errors
/// [`AppError`] when the store is not ready.
pub async fn events(
    config: &StoreConfig,
    status: Option<WebhookStatus>,
    limit: u64,
) -> Result<Vec<webhook_event::Model>, AppError> {
    let store = open(config).await?;
    let system = System::operator();
    let events = store::webhook_event::list(&system, &store.reader(&system, &Arc::default()), status, limit).await?;
    store.close().await?;
    Ok(events)
}

/// Lets events of the inbox be worked on again by whatever server runs, and gives how many.
///
/// # Errors
/// [`AppError`] when the store is not ready.
pub async fn replay(config: &StoreConfig, which: &Replay) -> Result<u64, AppError> {
    let store = open(config).await?;
    let events =
        replay_events::replay_events(&store, &System::operator(), &Actor::operator(), which, Clock::system().now())
            .await?;
    store.close().await?;
    Ok(events)
}

/// Serves until the process is told to stop (SIGTERM or SIGINT). `announce` is called once, when requests are taken.
///
/// The demo migrates its store and fills it; otherwise the store must be ready.
///
/// # Errors
/// [`AppError`] when the server cannot start.
pub async fn serve(
    config: &Config,
    demo: Option<DemoOptions>,
    announce: impl FnOnce(&Ready, Option<&Demo>),
) -> Result<(), AppError> {
    descriptors::reserve(config.transport.connections_max);
    let listen = |source| AppError::Listen { address: config.listen, source };
    let listener = http::listen(config.listen).map_err(listen)?;
    let address = listener.local_addr().map_err(listen)?;
    let metrics_listener = metrics_listener(config).await?;
    if let Some(options) = &demo {
        if !address.ip().is_loopback() {
            tracing::warn!(%address, "The demo hands its tokens to everyone who can reach this address");
        }
        prepare_demo(&config.store, options.reset).await?;
    }
    let answering = answering(&config.documents).await?;
    let store = open(&config.store).await?;
    warn_of_unsafe_settings(&store).await?;
    let keys = config.tokens.secret.as_ref().map(|_secret| keys(&config.tokens)).transpose()?;
    let hosts = config.store.link_hosts();
    let demo = match &demo {
        Some(demo) => Some(load_demo(&store, keys.as_ref(), &hosts, demo, webhook_of_demo(config, address)).await?),
        None => None,
    };
    let metrics_url = metrics_listener.as_ref().map(|(_, url)| url.clone());
    let ready = Ready { metrics: metrics_url, ..ready(config, &format!("http://{address}"), demo.as_ref()) };
    let (stripe, rounds) = (StripeStats::default(), ReconcilerStats::default());
    let limiter = Arc::new(limiter(&config.rate));
    let (links, refresher) = links(config, &store, &stripe, &limiter).await?;
    let refreshing = refresher.map(|refresher| tokio::spawn(refresher.run()));
    let inbox = inbox(config)?;
    let (auth, beside) = authenticator(config, &store, keys)?;
    let state =
        Arc::new(state(config, store.clone(), auth, answering, (links, inbox, limiter), (demo.as_ref(), address)));
    let worker = start_worker(&state);
    let (stop_jobs, stopping) = watch::channel(false);
    let showing = metrics_listener.map(|(listener, _)| {
        let metrics = Metrics::new(&state, stripe, &rounds);
        tokio::spawn(metrics.serve(listener, stopping.clone()))
    });
    let pruning = pruner(config, &state).map(|pruner| tokio::spawn(pruner.run(stopping.clone())));
    let reconciling = reconciler(config, &state, rounds).map(|reconciler| tokio::spawn(reconciler.run(stopping)));
    let signal = stop_signal().map_err(AppError::Serve)?;
    let draining = Arc::clone(&state);
    let worker_stop = worker.as_ref().map(Running::stopper);
    let stop = async move {
        signal.await;
        draining.draining.store(true, Ordering::Relaxed);
        if let Some(stop) = worker_stop {
            stop.send_replace(true);
        }
        tracing::info!("Stopping");
    };
    tracing::info!(%address, database = ready.database, engine = store.engine(), "Ready");
    announce(&ready, demo.as_ref());
    let (transport, connections) = (config.transport.clone(), state.stats.connections.clone());
    http::serve(listener, http::router(state), transport, connections, stop, config.shutdown_deadline).await;
    if let Some(worker) = worker {
        worker.stop(WORKER_TIMEOUT).await;
    }
    stop_jobs.send_replace(true);
    for job in [pruning, reconciling].into_iter().flatten() {
        // Its round ends with the statement it is at.
        let _ended = tokio::time::timeout(WORKER_TIMEOUT, job).await;
    }
    if let Some(showing) = showing {
        let _ended = tokio::time::timeout(WORKER_TIMEOUT, showing).await;
    }
    refreshing.into_iter().chain(beside).for_each(|running| running.abort());
    close(store).await;
    tracing::info!("Stopped");
    Ok(())
}

/// The listener for metrics, where they are shown, and its address.
async fn metrics_listener(config: &Config) -> Result<Option<(TcpListener, String)>, AppError> {
    let Some(address) = config.metrics_listen else { return Ok(None) };
    let listen = |source| AppError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(listen)?;
    let address = listener.local_addr().map_err(listen)?;
    Ok(Some((listener, format!("http://{address}/metrics"))))
}

/// Says it at the start when what is acknowledged may be lost with the power.
async fn warn_of_unsafe_settings(store: &Store) -> Result<(), AppError> {
    let settings = store.unsafe_settings().await?;
    if !settings.is_empty() {
        let settings = settings.join(", ");
        tracing::warn!(settings, "The database may lose acknowledged webhooks and payments in a power failure");
    }
    Ok(())
}

/// Loads the demo, and tells a fake of Stripe about it, and where to send its webhooks.
async fn load_demo(
    store: &Store,
    keys: Option<&JwtKeys>,
    hosts: &LinkHosts,
    options: &DemoOptions,
    webhook: Option<Json>,
) -> Result<Demo, AppError> {
    let keys = keys.ok_or_else(|| AppError::Demo("it has no secret to sign with".to_owned()))?;
    let demo = demo::load(store, keys, hosts, &options.plan).await?;
    if let Some(path) = &options.stripe_state {
        let mut state = demo.plan.stripe_state();
        if let Some(state) = state.as_object_mut() {
            state.extend(webhook.map(|webhook| ("webhook".to_owned(), webhook)));
        }
        let failed = |source| AppError::Write { path: path.clone(), source };
        write_for_us(path, &state.to_string()).await.map_err(failed)?;
    }
    Ok(demo)
}

/// Writes a file that only its owner may read, since a secret is in it. It is there at once and whole.
async fn write_for_us(path: &Path, text: &str) -> std::io::Result<()> {
    let draft = path.with_extension("new");
    let mut options = tokio::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&draft).await?;
    file.write_all(text.as_bytes()).await?;
    file.flush().await?;
    tokio::fs::rename(&draft, path).await
}

/// Where a fake of Stripe sends the webhooks of the demo's company, and what it signs them with.
fn webhook_of_demo(config: &Config, address: SocketAddr) -> Option<Json> {
    let endpoint = config.webhooks.get(DEFAULT_ENDPOINT)?;
    let secret = endpoint.secrets.first()?.expose_secret();
    // Who listens everywhere is found here too.
    let host = if address.ip().is_unspecified() { Ipv4Addr::LOCALHOST.into() } else { address.ip() };
    let address = SocketAddr::new(host, address.port());
    Some(json!({ "url": format!("http://{address}/webhooks/stripe/{DEFAULT_ENDPOINT}"), "secret": secret }))
}

/// What demo a server shows.
#[derive(Clone, Debug)]
pub struct DemoOptions {
    /// What its store is filled with, where it holds no other demo.
    pub plan: Plan,
    /// Whether everything the store holds is taken away first.
    pub reset: bool,
    /// Where to write what a fake of Stripe is to know of it.
    pub stripe_state: Option<PathBuf>,
}

/// Fills a database with a demo, and gives what it holds then.
///
/// # Errors
/// [`AppError::OtherDemo`] when it holds another demo and is not reset, [`AppError::NotOnlyDemo`] when a reset would
/// take away more than a demo; those of the store.
pub async fn generate_demo(
    config: &StoreConfig,
    plan: &Plan,
    reset: bool,
    tell: impl FnMut(Filled),
) -> Result<Dump, AppError> {
    prepare_demo(config, reset).await?;
    let store = open(config).await?;
    demo::fill(&store, plan, Other::Refuse, tell).await?;
    demo::import_documents(&store, &config.link_hosts(), plan.now).await?;
    let operator = System::operator();
    let dump = store::dump(&operator, &store.reader(&operator, &Arc::default())).await?;
    store.close().await?;
    Ok(dump)
}

/// Brings the schema up; to start anew, it is taken down first with everything in it, unless that is more than a demo.
async fn prepare_demo(config: &StoreConfig, reset: bool) -> Result<(), AppError> {
    migrate_up(config).await?;
    if !reset {
        return Ok(());
    }
    let store = open(config).await?;
    let operator = System::operator();
    let tenants = store::tenant::all(&operator, &store.reader(&operator, &Arc::default())).await?;
    let steps = store.migrations().await?.len();
    store.close().await?;
    if let Some(foreign) = tenants.into_iter().find(|tenant| !Plan::has_company(&tenant.id)) {
        return Err(AppError::NotOnlyDemo(foreign.id));
    }
    migrate_down(config, u32::try_from(steps).unwrap_or(u32::MAX)).await?;
    migrate_up(config).await
}

/// The keys that tokens are signed and verified with, on the real time.
///
/// # Errors
/// [`AppError::Keys`] when they do not work.
pub fn keys(tokens: &TokenConfig) -> Result<JwtKeys, AppError> {
    let none = SecretString::default();
    let secret = tokens.secret.as_ref().unwrap_or(&none);
    Ok(JwtKeys::new(secret, &tokens.issuer, &tokens.audience, Clock::system())?)
}

/// What tells who asks, and what runs beside it: use is noted, and the keys of an identity provider are kept current.
fn authenticator(
    config: &Config,
    store: &Store,
    tokens: Option<JwtKeys>,
) -> Result<(Authenticator, Vec<JoinHandle<()>>), AppError> {
    let jwks = jwks(&config.tokens)?;
    let (auth, usage) = Authenticator::new(AuthConfig {
        tokens,
        jwks: jwks.clone(),
        store: store.clone(),
        system: System::operator(),
        clock: Clock::system(),
        sessions: config.sessions,
    });
    let keeping = jwks.map(|jwks| tokio::spawn(jwks.keep()));
    Ok((auth, keeping.into_iter().chain([tokio::spawn(usage.run())]).collect()))
}

/// The keys of the identity provider, where there is one. None are read yet.
fn jwks(tokens: &TokenConfig) -> Result<Option<Arc<Jwks>>, AppError> {
    let Some(url) = tokens.jwks.clone() else { return Ok(None) };
    let parties = JwksParties { issuer: tokens.issuer.clone(), audience: tokens.audience.clone() };
    Ok(Some(Arc::new(Jwks::new(url, parties, JwksTimes::default())?)))
}

fn ready(config: &Config, url: &str, demo: Option<&Demo>) -> Ready {
    let named =
        |list: &[(&'static str, entity::InvoiceId)]| list.iter().map(|(name, id)| (*name, id.0.clone())).collect();
    let token = |token: &DemoToken| (token.name, token.token.clone());
    Ready {
        url: url.to_owned(),
        graphql: format!("{url}{GRAPHQL_PATH}"),
        explorer: (config.explorer != ExplorerMode::Off).then(|| format!("{url}/")),
        metrics: None,
        pid: std::process::id(),
        database: config.store.url.shown(),
        tokens: demo.map(|demo| demo.tokens.iter().map(token).collect()).unwrap_or_default(),
        cookie: demo.map(|demo| demo.cookie.clone()),
        characters: demo.map(|demo| named(&demo.characters)).unwrap_or_default(),
        imported: demo.map(|demo| named(&demo.imported)).unwrap_or_default(),
    }
}

/// Where is counted what callers may ask for.
fn limiter(config: &RateConfig) -> Limiter {
    match &config.shared {
        Some(url) => Limiter::shared(url, config.without_shared),
        None => Limiter::local(),
    }
}

/// Links of the mirror, or live ones where there is a key to ask with.
async fn links(
    config: &Config,
    store: &Store,
    stats: &StripeStats,
    limiter: &Arc<Limiter>,
) -> Result<(Links, Option<Refresher>), AppError> {
    let hosts = accounts::link_hosts(&config.store, &config.stripe);
    let system = System::operator();
    let tenants = store::tenant::all(&system, &store.reader(&system, &Arc::default())).await?;
    accounts::check_modes(&config.stripe, &config.webhooks, &tenants)?;
    if !config.stripe.is_given() {
        return Ok((Links::new(hosts), None));
    }
    let accounts = accounts::accounts(&config.stripe, &hosts, Pace::Live, stats)?;
    accounts.know_modes(&tenants);
    let pace = PayLinkPace::new(Arc::clone(limiter), config.stripe.pay_links_per_minute);
    let (links, refresher) = Links::live(hosts, Arc::new(accounts), store.clone(), pace);
    Ok((links, Some(refresher)))
}

/// The schema, and the documents that are asked of it.
async fn answering(config: &DocumentConfig) -> Result<(Schema, Documents), AppError> {
    let trusted = match &config.trusted {
        Some(path) => documents::trusted(path, &config.settings.limits).await?,
        None => Trusted::default(),
    };
    let schema = graphql::schema();
    let documents = Documents::new(&schema, config.settings.clone(), trusted);
    Ok((schema, documents.map_err(|error| AppError::Schema(error.to_string()))?))
}

/// What takes webhooks.
fn inbox(config: &Config) -> Result<Inbox, AppError> {
    let endpoints = config.webhooks.iter().map(|(name, given)| {
        let webhook = Webhook::new(given.secrets.clone(), accounts::link_hosts(&config.store, &config.stripe))?;
        let webhook = webhook.with_bodies_of(config.limits.webhook_body_bytes);
        Ok((name.clone(), Endpoint { owner: given.owner.clone(), livemode: given.livemode, webhook }))
    });
    Ok(Inbox {
        endpoints: Arc::new(endpoints.collect::<Result<_, AppError>>()?),
        system: System::operator(),
        clock: Clock::system(),
        stats: WebhookStats::default(),
        taken: Arc::default(),
        pace: WebhookPace::new(config.webhooks_per_second),
    })
}

/// What asks Stripe about open invoices, where there is someone to ask.
fn reconciler(config: &Config, state: &AppState, rounds: ReconcilerStats) -> Option<Reconciler> {
    Some(Reconciler {
        store: state.store.clone(),
        system: System::operator(),
        accounts: state.links.accounts()?,
        billing_clock: state.billing_clock,
        stats: rounds,
        intervals: config.stripe.reconcile,
        look: LOOK,
    })
}

/// What keeps the inbox from growing, where webhooks can come.
fn pruner(config: &Config, state: &AppState) -> Option<Pruner> {
    let Inbox { system, clock, .. } = state.inbox;
    let pruner = Pruner { store: state.store.clone(), system, clock, keep: config.webhook_keep };
    (!config.webhooks.is_empty()).then_some(pruner)
}

/// Starts to work on webhooks, where some can come.
fn start_worker(state: &AppState) -> Option<Running> {
    let worker = Worker {
        store: state.store.clone(),
        inbox: state.inbox.clone(),
        accounts: state.links.accounts(),
        billing_clock: state.billing_clock,
        settings: WorkerSettings::of(&state.store),
    };
    (!worker.inbox.endpoints.is_empty()).then(|| Running::start(worker))
}

fn state(
    config: &Config,
    store: Store,
    auth: Authenticator,
    (schema, documents): (Schema, Documents),
    (links, inbox, limiter): (Links, Inbox, Arc<Limiter>),
    (demo, address): (Option<&Demo>, SocketAddr),
) -> AppState {
    let stats = RequestStats::default();
    AppState {
        schema,
        store,
        auth,
        // Without TLS in front, browsers take the cookie under its plain name only. That is for trying things out.
        plain_cookie: demo.is_some() && address.ip().is_loopback(),
        links: Arc::new(links),
        inbox,
        documents,
        // The demo's bills stand at one instant, whatever the day; tokens run on the real time all the same.
        billing_clock: demo.map_or(Clock::system(), |demo| Clock::starting_at(demo.plan.now.utc())),
        explorer: config.explorer,
        explorer_config: demo
            .map_or_else(|| demo::plain_explorer_config(GRAPHQL_PATH), |demo| demo.explorer_config(GRAPHQL_PATH)),
        debug_for_everyone: demo.is_some(),
        room: Room::new(&config.transport, &stats.room),
        stats,
        transport: config.transport.clone(),
        limits: config.limits,
        rates: Rates { limiter, settings: config.rate.settings },
        draining: AtomicBool::new(false),
    }
}

/// Closes the pools, but does not wait for a connection that something still holds.
async fn close(store: Store) {
    match tokio::time::timeout(CLOSE_TIMEOUT, store.close()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(error = &error as &dyn std::error::Error, "The store did not close"),
        Err(_elapsed) => tracing::warn!("The store was still busy"),
    }
}

/// Waits for SIGTERM or SIGINT. From the call on, neither ends the process by itself.
///
/// # Errors
/// The system's own.
pub fn stop_signal() -> std::io::Result<impl Future<Output = ()> + Send> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
