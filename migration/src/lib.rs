//! Schema history of the billing store, the same on SQLite and on Postgres.
//!
//! Append-only: a released step never changes, so each step spells its words and rules out instead of taking them
//! from the program, and `parts.rs` must go on making what it made. A test compares the result with the rows.
//! No foreign key cascades: bills are never deleted along with something else.
#![expect(
    elided_lifetimes_in_paths,
    reason = "the migration trait leaves the manager's lifetime out, and async_trait accepts no other spelling"
)]

mod m20261121_000001_tenants_and_customers;
mod m20261121_000002_catalogue;
mod m20261121_000003_invoices;
mod m20261121_000004_invoice_parts;
mod m20261121_000005_payments;
mod m20261121_000006_upstream_and_history;
mod m20261122_000007_webhooks;
mod m20261122_000008_jobs;
mod m20261122_000010_credentials;
mod m20261122_000011_audit_log;
mod m20261122_000013_credentials_in_use;
mod m20261122_000014_events_that_were_fetched;
mod m20261122_000015_audit_applications;
mod parts;

use sea_orm_migration::MigrationTrait;
pub use sea_orm_migration::MigratorTrait;

/// Every step of the schema's history, oldest first.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261121_000001_tenants_and_customers::Migration),
            Box::new(m20261121_000002_catalogue::Migration),
            Box::new(m20261121_000003_invoices::Migration),
            Box::new(m20261121_000004_invoice_parts::Migration),
            Box::new(m20261121_000005_payments::Migration),
            Box::new(m20261121_000006_upstream_and_history::Migration),
            Box::new(m20261122_000007_webhooks::Migration),
            Box::new(m20261122_000008_jobs::Migration),
            Box::new(m20261122_000010_credentials::Migration),
            Box::new(m20261122_000011_audit_log::Migration),
            Box::new(m20261122_000013_credentials_in_use::Migration),
            Box::new(m20261122_000014_events_that_were_fetched::Migration),
            Box::new(m20261122_000015_audit_applications::Migration),
        ]
    }
}
