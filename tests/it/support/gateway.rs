//! The gateway without HTTP: the schema over a store of its own, asked as any viewer, with statements counted.

use std::sync::{Arc, Mutex};

use async_graphql::{Request, Variables};
use billing_gateway::domain::actor::Actor;
use billing_gateway::domain::browser_session::SessionPolicy;
use billing_gateway::domain::clock::Clock;
use billing_gateway::domain::link::LinkHosts;
use billing_gateway::domain::viewer::{PrincipalKind, Scope, ScopeSet, Viewer};
use billing_gateway::graphql::{RequestContext, Schema, Writes, schema};
use billing_gateway::links::{Links, UpstreamStats};
use billing_gateway::loaders::batch::unconstrained;
use billing_gateway::store::{DatabaseUrl, PoolSettings, StatementStats, Store};
use chrono::{DateTime, Utc};
use entity::{CustomerId, Instant, TenantId};
use serde_json::Value;

use super::database::{Engine, TestDatabase};

/// Short time-outs and few connections: many tests run at once.
pub(crate) const POOLS: PoolSettings = PoolSettings {
    connections: 3,
    acquire_timeout: std::time::Duration::from_secs(10),
    read_timeout: std::time::Duration::from_secs(10),
    write_timeout: std::time::Duration::from_mins(1),
};

/// The schema over a migrated store.
pub(crate) struct Gateway {
    pub(crate) store: Store,
    pub(crate) now: Instant,
    /// Where links come from: the mirror, unless a test says otherwise.
    pub(crate) links: Arc<Links>,
    schema: Schema,
    texts: Arc<Mutex<Vec<String>>>,
    pub(crate) database: TestDatabase,
}

/// What a query answered, and how many statements it took.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) data: Value,
    pub(crate) errors: Vec<Value>,
    pub(crate) statements: u64,
    pub(crate) upstream: Arc<UpstreamStats>,
}

impl Answer {
    /// The data, after making sure that nothing failed.
    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        assert!(self.errors.is_empty(), "{:#?}", self.errors);
        self.data
    }

    /// The codes of the errors, in order.
    pub(crate) fn codes(&self) -> Vec<&str> {
        self.errors.iter().map(|error| error["extensions"]["code"].as_str().unwrap_or("none")).collect()
    }
}

impl Gateway {
    /// An empty, migrated store.
    pub(crate) async fn new(engine: Engine) -> Self {
        let database = TestDatabase::new(engine).await;
        let url: DatabaseUrl = database.url.parse().unwrap();
        let mut store = Store::open(&url, &POOLS).await.unwrap();
        let texts = Arc::<Mutex<Vec<String>>>::default();
        let noted = Arc::clone(&texts);
        store.observe(move |text, _elapsed| noted.lock().unwrap().push(text.to_owned()));
        let now = Instant::new("2026-06-15T00:00:00Z".parse().unwrap());
        let links = Arc::new(Links::new(LinkHosts::default()));
        Self { store, now, links, schema: schema(), texts, database }
    }

    /// Asks as `viewer`.
    pub(crate) async fn ask(&self, viewer: &Viewer, query: &str, variables: Value) -> Answer {
        let stats = Arc::new(StatementStats::default());
        let links = Arc::clone(&self.links);
        let context = RequestContext::new(viewer.clone(), self.store.reader(viewer.tenant(), &stats), links, self.now);
        let context = context.writing(writes(&self.store, viewer));
        let upstream = context.upstream();
        let request = Request::new(query).variables(Variables::from_json(variables)).data(context);
        let response = unconstrained(self.schema.execute(request)).await;
        let response = serde_json::to_value(response).unwrap();
        Answer {
            data: response["data"].clone(),
            errors: response["errors"].as_array().cloned().unwrap_or_default(),
            statements: stats.statements(),
            upstream,
        }
    }

    /// The texts of all statements since the last call, but for those that only say whose rows are asked for.
    pub(crate) fn statement_texts(&self) -> Vec<String> {
        let texts = std::mem::take(&mut *self.texts.lock().unwrap());
        texts.into_iter().filter(|text| !text.starts_with("SELECT set_config(")).collect()
    }
}

/// What mutations of a viewer write with.
pub(crate) fn writes(store: &Store, viewer: &Viewer) -> Writes {
    Writes {
        store: store.clone(),
        actor: Actor::of(viewer).in_request(Some("test".to_owned()), None),
        credentials_now: Clock::system().now(),
        sessions: SessionPolicy::default(),
    }
}

/// A viewer of `tenant` who may do everything.
pub(crate) fn merchant(tenant: &TenantId) -> Viewer {
    viewer(PrincipalKind::Merchant, tenant, Scope::ALL.into_iter().collect(), None)
}

/// A viewer of `tenant` with these scopes, perhaps limited to some customers.
pub(crate) fn viewer(
    kind: PrincipalKind,
    tenant: &TenantId,
    scopes: ScopeSet,
    customers: Option<Vec<CustomerId>>,
) -> Viewer {
    let expires: DateTime<Utc> = "2100-01-01T00:00:00Z".parse().unwrap();
    Viewer::new(kind, "test".to_owned(), scopes, expires, tenant.clone(), customers)
}
