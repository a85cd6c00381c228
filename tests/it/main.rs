//! Integration tests: one binary, one module per noun or behaviour.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails says so at once"
)]

mod access;
mod architecture;
mod audited;
mod backfill;
mod batching;
mod bounds;
mod canaries;
mod cli;
mod cost;
mod credentials;
mod demo;
mod document_paths;
mod documents;
mod examples;
mod fuzz;
mod gate;
mod generate;
mod http;
mod import;
mod invariants;
mod jwks;
mod limits;
mod links;
mod lists;
mod livemode;
mod metrics;
mod missed;
mod outages;
mod pay_url;
mod persisted;
mod plans;
mod problems;
mod promises;
mod rate;
mod readme;
mod reconcile;
mod schema;
mod sdl;
mod side_by_side;
mod stripe_client;
mod stripe_verify;
mod support;
mod tenancy;
mod transport;
mod traps;
mod verify;
mod webhooks;
