//! Puts the program together: settings, wiring, run and shutdown. No rules live here.

pub mod accounts;
pub mod audit;
pub mod backfill;
pub mod config;
pub mod credentials;
pub mod demo;
mod descriptors;
pub mod documents;
pub mod jobs;
mod listing;
pub mod log;
pub mod metrics;
pub mod missed;
pub mod stripe_verify;
pub mod verify;
pub mod wiring;

use std::net::SocketAddr;
use std::path::PathBuf;

use entity::TenantId;

use crate::actions::import_document::ImportError;
use crate::actions::issue_key::CredentialError;
use crate::auth::{AuthConfigError, JwksClientError, SignError};
use crate::demo::Plan;
use crate::store::StoreError;
use crate::stripe::{StripeConfigError, StripeError};

/// Why the program cannot start, or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// Settings are wrong.
    #[error(transparent)]
    Config(#[from] config::Faults),
    /// The database does not open.
    #[error("cannot open {database}")]
    Open {
        /// Where it is, without a password.
        database: String,
        /// Why not.
        #[source]
        source: StoreError,
    },
    /// The schema does not go up or down.
    #[error("cannot migrate {database}")]
    Migrate {
        /// Where it is, without a password.
        database: String,
        /// Why not.
        #[source]
        source: StoreError,
    },
    /// Steps of the schema are missing that this program needs.
    #[error("{database} lacks {missing} of {known} migrations, first {first}; run `billing-gateway migrate up`")]
    Behind {
        /// Where it is, without a password.
        database: String,
        /// How many are missing.
        missing: usize,
        /// How many this program knows.
        known: usize,
        /// The first that is missing.
        first: String,
    },
    /// Row-level security is asked of an engine that has none.
    #[error("SQLite has no row-level security; it is for Postgres")]
    NoRowSecurity,
    /// Row-level security is required, and this is missing.
    #[error("row-level security is required: {0}")]
    RowSecurity(String),
    /// The database failed.
    #[error("the database failed")]
    Store(#[from] StoreError),
    /// The demo world is not complete in the code.
    #[error("the demo cannot be loaded: {0}")]
    Demo(String),
    /// The store holds another demo than the one asked for, and cannot grow to it.
    #[error("the store holds the demo {held}, asked for is {asked}; --reset takes all of it away first")]
    OtherDemo {
        /// What it holds.
        held: Plan,
        /// What was asked for.
        asked: Plan,
    },
    /// The store holds more than a demo, which a reset would take away.
    #[error("the store has {0}, no company of the demo; only a store that holds nothing else can be reset")]
    NotOnlyDemo(TenantId),
    /// A document of the demo does not import.
    #[error("the demo's document {name} cannot be imported")]
    DemoDocument {
        /// The system it comes from.
        name: &'static str,
        /// Why not.
        #[source]
        source: ImportError,
    },
    /// Tokens cannot be signed or verified.
    #[error("tokens cannot be made")]
    Keys(#[from] AuthConfigError),
    /// Keys of the identity provider cannot be read.
    #[error(transparent)]
    Jwks(#[from] JwksClientError),
    /// A credential was not issued or not revoked.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// A token cannot be signed.
    #[error("the token cannot be made")]
    Sign(#[from] SignError),
    /// A file cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// Which one.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The trusted documents cannot be served.
    #[error("the trusted documents cannot be served")]
    Documents(#[from] documents::DocumentsError),
    /// The schema cannot be read back; a test excludes it.
    #[error("the schema cannot be read: {0}")]
    Schema(String),
    /// Stripe cannot be asked.
    #[error("calls to Stripe cannot be set up")]
    Stripe(#[from] StripeConfigError),
    /// The store has no such tenant.
    #[error("the store has no tenant {0}")]
    NoTenant(TenantId),
    /// No key opens anything of this tenant.
    #[error(
        "there is no key for {0}: its own stands in stripe_accounts, a platform's opens the account that the tenant \
         or its invoices name, and either is of the tenant's mode"
    )]
    NoKey(TenantId),
    /// No key opens anything of any tenant.
    #[error("no key opens an account of any tenant")]
    NoKeys,
    /// Another process does the same.
    #[error("another backfill of {0} is running")]
    Running(TenantId),
    /// Stripe did not answer about an invoice or a page of them, for as long as it was tried.
    #[error("Stripe cannot be asked about {tenant}: {source}")]
    Asking {
        /// Whose invoices were asked for.
        tenant: TenantId,
        /// The last failure.
        source: StripeError,
    },
    /// Somebody asked the process to stop.
    #[error("it was told to stop")]
    Interrupted,
    /// The address is taken, or not ours.
    #[error("cannot listen on {address}; choose another address with --listen")]
    Listen {
        /// What was asked for.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// Serving ended with an error.
    #[error("serving failed")]
    Serve(#[source] std::io::Error),
}
