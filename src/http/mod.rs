//! The HTTP face: GraphQL, webhooks, health, and the explorer.
//!
//! One request runs: who asks (`client.rs`) → request id and log line (`request_id.rs`) → whether it may go on
//! (`client.rs`) → route → for `/graphql` credentials (`csrf.rs`, `viewer.rs`), negotiation, parameters, a place to work
//! (`room/`), document and cost (`documents/`, `cost.rs`), execution (`graphql.rs`) → answer (`answer.rs`, or `error.rs`
//! when nothing ran). [`serve()`] accepts connections and ends them (`accept/`). Bodies are read here only, and never
//! beyond their limit.

mod accept;
mod answer;
mod body;
mod budget;
mod client;
mod cors;
mod cost;
mod csrf;
mod documents;
mod error;
mod explorer;
mod framing;
mod graphql;
mod headers;
mod health;
mod limits;
mod media;
mod metrics;
mod params;
mod pay_url;
mod rate;
mod request_id;
mod revoke;
mod room;
mod session;
mod transport;
mod variables;
mod viewer;
mod webhook_pace;
mod webhooks;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{any, delete, get, post};

use crate::auth::Authenticator;
use crate::domain::clock::Clock;
use crate::graphql::Schema;
use crate::links::Links;
use crate::stats::{ConnectionStats, GraphqlStats, HttpStats, RoomStats};
use crate::store::Store;

pub use accept::{listen, serve};
pub use cost::CostLimits;
pub use documents::{
    DocumentFault, DocumentHash, DocumentSettings, Documents, Manifest, ManifestError, Trusted, TrustedMode, Written,
    listed_document,
};
pub use explorer::ExplorerMode;
pub use limits::RequestLimits;
pub use metrics::metrics_router;
pub use rate::{RateSettings, Rates};
pub use room::Room;
pub use transport::Transport;
pub use webhook_pace::WebhookPace;
pub use webhooks::Inbox;

/// Where GraphQL is answered.
const GRAPHQL_PATH: &str = "/graphql";

/// What every request is answered with. Made once, by `app`.
pub struct AppState {
    /// The schema.
    pub schema: Schema,
    /// The database.
    pub store: Store,
    /// What tells who asks; holds the credential clock.
    pub auth: Authenticator,
    /// Whether the cookie of a session may have its plain name, as it must without TLS.
    pub plain_cookie: bool,
    /// Links at Stripe.
    pub links: Arc<Links>,
    /// What takes webhooks.
    pub inbox: Inbox,
    /// Documents: what they may ask for, and those that are known.
    pub documents: Documents,
    /// The clock that says what is overdue and how old a link is.
    pub billing_clock: Clock,
    /// Which explorer is served.
    pub explorer: ExplorerMode,
    /// What `/explorer/config.json` answers.
    pub explorer_config: serde_json::Value,
    /// Whether the header `x-debug: 1` works for every caller, not only with `invoices.internal:read`.
    pub debug_for_everyone: bool,
    /// What requests are counted in.
    pub stats: RequestStats,
    /// What clients may hold of the server, and which of them are believed.
    pub transport: Transport,
    /// Where requests are worked on; made of `transport`.
    pub room: Room,
    /// What one request may bring and be answered with.
    pub limits: RequestLimits,
    /// How much callers may ask for over time.
    pub rates: Rates,
    /// Set when the process was asked to stop; `/readyz` then says no.
    pub draining: AtomicBool,
}

/// What requests are counted in.
#[derive(Clone, Debug, Default)]
pub struct RequestStats {
    /// Requests of every sort.
    pub http: HttpStats,
    /// Operations of GraphQL.
    pub graphql: GraphqlStats,
    /// Connections, whatever is asked on them.
    pub connections: ConnectionStats,
    /// Places to work.
    pub room: RoomStats,
}

/// All routes.
pub fn router(state: Arc<AppState>) -> Router {
    let routes = Router::new()
        .route(GRAPHQL_PATH, any(graphql::handle))
        .route(pay_url::PATH, get(pay_url::handle))
        .route(session::PATH, delete(session::handle))
        .route(revoke::PATH, post(revoke::handle))
        .route(webhooks::PATH, post(webhooks::handle))
        .route(health::LIVE, get(health::live))
        .route(health::READY, get(health::ready))
        .route(health::VERSION, get(health::version))
        .merge(explorer::routes(state.explorer))
        .fallback(error::not_found)
        .method_not_allowed_fallback(error::method_not_allowed);
    let routes = match cors::layer(&state.transport.cors_origins) {
        Some(cors) => routes.layer(cors),
        None => routes,
    };
    routes
        .layer(from_fn_with_state(Arc::clone(&state), client::admit))
        .layer(from_fn_with_state(Some(state.stats.http.clone()), request_id::follow))
        .layer(from_fn_with_state(state.transport.hsts, headers::secure))
        .layer(from_fn_with_state(Arc::clone(&state), client::identify))
        .with_state(state)
}
