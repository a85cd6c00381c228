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
mod revoke_token;
mod scalars;
mod session;
mod source_document;
mod tax;
mod upstream_invoice;
mod validation;
mod viewer;

use async_graphql::{EmptySubscription, SDLExportOptions, SchemaBuilder, ValidationMode};

use crate::gate::Limits;
pub use context::{OBJECTS_MAX, RequestContext, Writes};
pub(crate) use error::INTERNAL;
pub use mutation::Mutation;
pub use query::Query;
pub use rate_limit::Charged;
pub use validation::Validator;

/// The schema, ready to execute.
pub type Schema = async_graphql::Schema<Query, Mutation, EmptySubscription>;

/// Builds the schema. Hints at similar names are off: they would tell what exists.
pub fn schema() -> Schema {
    builder().finish()
}

/// The same schema for documents that it has validated before, with variables of the same shape: most rules are left
/// out.
pub fn schema_for_known_documents() -> Schema {
    builder().validation_mode(ValidationMode::Fast).finish()
}

/// What both have in common. The library's own limit on levels never refuses what the gate admitted.
fn builder() -> SchemaBuilder<Query, Mutation, EmptySubscription> {
    let builder = Schema::build(Query, Mutation, EmptySubscription).disable_suggestions();
    builder.limit_recursive_depth(Limits::CEILING.selection_levels)
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
