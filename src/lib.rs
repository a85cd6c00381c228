//! The billing gateway: one GraphQL query answers the whole bill.
//!
//! The layers and what each may import stand in `ARCHITECTURE.md`; `tests/it/architecture.rs` holds the code to it.

pub mod domain;
