//! The schema: one file per type. Resolvers are the mapping from row to API.
//!
//! A resolver reads through the loaders of its request and writes nothing. What stands behind a scope or behind
//! Stripe is nullable and answered through `context::guarded`, which reads the one table in [`access`].

pub mod access;
pub mod cost;

mod api_key;
mod audit_log;
mod catalogue;
mod connection;
mod context;
mod credentials;
mod customer;
mod customer_connection;
mod customer_snapshot;
mod discount;
mod error;
mod input;
mod integrity;
mod invoice;
mod invoice_change;
mod invoice_connection;
mod invoice_event;
mod kinds;
mod line_item;
mod money;
mod mutation;
mod node;
mod payment;
mod query;
mod rate_limit;
mod rental;
mod rental_connection;
mod scalars;
mod source_document;
mod tax;
mod upstream_invoice;
mod validation;
mod viewer;

use async_graphql::{EmptySubscription, SDLExportOptions, ValidationMode};

pub use context::{RequestContext, Writes};
pub(crate) use error::INTERNAL;
pub use mutation::Mutation;
pub use query::Query;
pub use rate_limit::Charged;
pub use validation::Validator;

/// The schema, ready to execute.
pub type Schema = async_graphql::Schema<Query, Mutation, EmptySubscription>;

/// Builds the schema. Hints at similar names are off: they would tell what exists.
pub fn schema() -> Schema {
    Schema::build(Query, Mutation, EmptySubscription).disable_suggestions().finish()
}

/// The same schema for documents that it has validated before, with variables of the same shape: most rules are left
/// out.
pub fn schema_for_known_documents() -> Schema {
    let builder = Schema::build(Query, Mutation, EmptySubscription).disable_suggestions();
    builder.validation_mode(ValidationMode::Fast).finish()
}

/// Whether a text is a cursor of some list. Any text may be asked about.
pub fn is_cursor(text: &str) -> bool {
    connection::is_cursor(text)
}

/// The schema as SDL: what `schema.graphql` holds.
pub fn sdl() -> String {
    let sdl = schema().sdl_with_options(SDLExportOptions::new().include_specified_by());
    format!("{}\n", sdl.trim_end())
}
