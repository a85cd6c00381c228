//! What the gateway promises to those who rely on it, whatever happens around it, each in a test of its own.
//!
//! `docs/proof.md` lists the promises with the names of their tests, and `table.rs` holds that list to the tests. Here
//! are those that need the program itself and something that goes wrong: its database, its disk, its clock, its
//! clients. The others stand beside what they are about.

mod clients;
mod clock;
mod crowd;
mod database;
mod disk;
mod hostile;
mod memory;
mod overload;
mod replay;
mod served;
mod table;
mod texts;
