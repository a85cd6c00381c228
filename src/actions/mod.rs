//! Everything that changes something, one file per use case; `upstream_news` puts Stripe's objects into our words.
//!
//! An action opens its transaction, checks what only the stored rows can tell, and writes all of it or nothing. None
//! is open across a call to anyone else. What people change is written to the audit log in the same transaction
//! (`store::audit_log::append`). GraphQL types are unknown here: a mutation and a command call the same action.

pub mod apply_event;
pub mod backfill_invoice;
pub mod create_tenant;
pub mod end_session;
pub mod import_document;
pub mod issue_key;
pub mod mirror_invoice;
pub mod note_pay_link;
pub mod once;
pub mod open_session;
pub mod prune_events;
pub mod replay_events;
pub mod revoke_key;
pub mod revoke_token;
pub mod rotate_key;
pub mod sync_invoice;
pub mod take_event;
pub mod take_missed;
pub(crate) mod upstream_news;
