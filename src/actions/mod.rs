//! Everything that changes something, one file per use case.
//!
//! An action opens its transaction, checks what only the stored rows can tell, and writes all of it or nothing. None
//! is open across a call to anyone else. GraphQL types are unknown here: a mutation and a command call the same action.

pub mod create_tenant;
pub mod import_document;
