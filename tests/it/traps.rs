//! What the libraries do by themselves: each attack *without* our defence, beside the same attack with it.
//!
//! These tests hold that the attacks are real. One that fails after an update of a library says that a defence may have
//! become needless. What ends or stalls a process is done to one of its own (`process.rs`).

mod documents;
mod library;
mod process;
mod requests;
mod rows;
mod tokens;
