//! Rows of the billing store: one file per table, in the compact form of SeaORM.
//!
//! A row holds newtypes (ids, money, decimal text, instants) and closed enums, never bare strings where a rule
//! applies. Rows know nothing of GraphQL; a column becomes public when a resolver is written for it.
//! Foreign keys live in `migration` only; store functions read by keys, so there are no relations here.
#![expect(
    missing_docs,
    reason = "columns are described once, in the GraphQL descriptions and the domain reference; repeating each here would drift"
)]

pub mod ids;
pub mod kinds;
pub mod values;

pub mod audit_entry;
pub mod audit_head;
pub mod browser_session;
pub mod credential;
pub mod customer;
pub mod customer_snapshot;
pub mod discount;
pub mod idempotency_key;
pub mod invoice;
pub mod invoice_change;
pub mod invoice_event;
pub mod job;
pub mod line_item;
pub mod payment;
pub mod payment_method;
pub mod price;
pub mod product;
pub mod rental;
pub mod revoked_token;

pub mod source_document;
pub mod sub_line;
pub mod subscription;
pub mod tax;
pub mod tenant;
pub mod upstream_facts;
pub mod upstream_invoice;
pub mod webhook_event;

pub use ids::*;
pub use kinds::*;
pub use values::*;
