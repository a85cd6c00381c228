//! The billing gateway: one GraphQL query answers the whole bill.
//!
//! The layers and what each may import stand in `ARCHITECTURE.md`; `tests/it/architecture.rs` holds the code to it.

pub mod actions;
pub mod app;
pub mod auth;
pub mod cli;
pub mod demo;
pub mod dialect;
pub mod domain;
pub mod gate;
pub mod graphql;
pub mod http;
pub mod links;
pub mod loaders;
pub mod rate;
pub mod stats;
pub mod store;
pub mod stripe;
