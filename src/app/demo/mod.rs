//! Fills a store with the demo world and makes what a visitor needs: tokens, names and examples.
//!
//! What a store holds of the demo stays; only what is missing is added. Tokens are made anew at each start.

mod credentials;
mod explorer;
mod fill;

use chrono::TimeDelta;
use entity::{Instant, InvoiceId};
use serde_json::{Map, Value};

pub use self::explorer::plain_explorer_config;
pub use self::fill::{Filled, Held, Other, billing_clock, fill};
use super::AppError;
use crate::actions::import_document::{ImportRequest, Mode, import_document};
use crate::auth::{JwtKeys, NewToken};
use crate::demo::{self, Books, ImportTarget, Plan, Principal};
use crate::dialect::System;
use crate::domain::clock::Clock;
use crate::domain::link::LinkHosts;
use crate::domain::viewer::{PrincipalKind, Tenant};
use crate::store::Store;

/// A loaded demo.
#[derive(Clone, Debug)]
pub struct Demo {
    /// What the store holds. The billing clock starts at its instant.
    pub plan: Plan,
    /// A token for each principal, and API keys that are used like tokens.
    pub tokens: Vec<DemoToken>,
    /// The cookie of a customer's browser, as it is sent: `sid=…`.
    pub cookie: String,
    /// The named invoices.
    pub characters: Vec<(&'static str, InvoiceId)>,
    /// The imported documents, by the system they come from.
    pub imported: Vec<(&'static str, InvoiceId)>,
    /// A value for each variable of the examples that has no default.
    variables: Map<String, Value>,
}

/// A token ready to use.
#[derive(Clone, Debug)]
pub struct DemoToken {
    /// What it is called.
    pub name: &'static str,
    /// One sentence: whose it is.
    pub description: &'static str,
    /// The token.
    pub token: String,
}

impl Demo {
    /// The token of the company itself, which may do everything.
    pub fn merchant(&self) -> Option<&DemoToken> {
        self.tokens.first()
    }

    /// The id of a named invoice, of the world or imported.
    pub fn invoice(&self, name: &str) -> Option<&InvoiceId> {
        let all = self.characters.iter().chain(&self.imported);
        all.into_iter().find(|(known, _)| *known == name).map(|(_, id)| id)
    }
}

/// Fills the store where it lacks something, and makes the tokens. A store that holds another demo keeps it.
///
/// # Errors
/// [`AppError`] when the store fails, or a document of the demo does not import.
pub async fn load(store: &Store, keys: &JwtKeys, hosts: &LinkHosts, plan: &Plan) -> Result<Demo, AppError> {
    let shown = |filled: Filled| {
        if filled.customers < filled.of {
            tracing::info!(customers = filled.customers, of = filled.of, "Loading the demo data");
        }
    };
    let held = fill(store, plan, Other::Keep, shown).await?;
    if held != *plan {
        let customers = held.customers;
        tracing::warn!(customers, "The store holds another demo, which it keeps; --reset starts anew");
    }
    let imported = import_documents(store, hosts, held.now).await?;
    let cast = demo::cast();
    let mut tokens = tokens(keys)?;
    let made = credentials::make(store).await?;
    tokens.extend(made.keys);
    Ok(Demo {
        plan: held,
        tokens,
        cookie: made.cookie,
        characters: characters(&cast),
        imported,
        variables: explorer::variables(&cast)?,
    })
}

/// Imports the five documents, but those that are there: whatever was imported later stays.
///
/// # Errors
/// [`AppError::DemoDocument`] when one does not import.
pub async fn import_documents(
    store: &Store,
    hosts: &LinkHosts,
    now: Instant,
) -> Result<Vec<(&'static str, InvoiceId)>, AppError> {
    let mut imported = Vec::new();
    for target in demo::import_targets() {
        imported.push(import(store, target, now, hosts).await?);
    }
    Ok(imported)
}

/// The id at Stripe of a named invoice.
pub fn stripe_invoice(character: &str) -> Option<String> {
    let cast = demo::cast();
    let entry = cast.invoices.iter().find(|entry| entry.character == Some(character))?;
    entry.bill.upstream.as_ref()?.stripe_invoice_id.clone()
}

fn characters(cast: &Books) -> Vec<(&'static str, InvoiceId)> {
    let named = |entry: &demo::DemoInvoice| Some((entry.character?, entry.bill.invoice.id.clone()));
    cast.invoices.iter().filter_map(named).collect()
}

/// Imports a document, unless its invoice is there.
async fn import(
    store: &Store,
    target: ImportTarget,
    now: Instant,
    link_hosts: &LinkHosts,
) -> Result<(&'static str, InvoiceId), AppError> {
    let Some(system) = System::of(target.system) else {
        return Err(AppError::Demo(format!("no documents come from {}", target.system.word())));
    };
    let name = system.name();
    let tenant = Tenant::whole(target.tenant);
    let mut request = ImportRequest {
        system,
        bytes: document(system),
        customer: target.customer,
        create_customer: false,
        mode: Mode::Lenient,
        dry_run: true,
        now,
        link_hosts,
        actor: None,
    };
    let failed = |source| AppError::DemoDocument { name, source };
    let mut report = import_document(store, &tenant, &request).await.map_err(failed)?;
    if report.created {
        request.dry_run = false;
        report = import_document(store, &tenant, &request).await.map_err(failed)?;
    }
    Ok((name, report.invoice_id))
}

/// The literal sample of each system's documentation.
const fn document(system: System) -> &'static [u8] {
    match system {
        System::GpuOutlet => include_bytes!("../../../tests/it/fixtures/gpu-outlet.json"),
        System::Paypercut => include_bytes!("../../../tests/it/fixtures/paypercut.json"),
        System::Meteroid => include_bytes!("../../../tests/it/fixtures/meteroid.json"),
        System::Userhub => include_bytes!("../../../tests/it/fixtures/userhub.json"),
        System::Hostup => include_bytes!("../../../tests/it/fixtures/hostup.json"),
    }
}

/// A token for each principal, that of the company itself first.
fn tokens(keys: &JwtKeys) -> Result<Vec<DemoToken>, AppError> {
    // Tokens run on the credential clock, which is the real one even in the demo.
    let now = Clock::system().now();
    let mut principals = demo::principals();
    // Sorting keeps the order of the others.
    principals.sort_by_key(|who| who.kind != PrincipalKind::Merchant || who.name != "merchant");
    principals.into_iter().map(|who| token(keys, who, now)).collect()
}

fn token(keys: &JwtKeys, who: Principal, now: Instant) -> Result<DemoToken, AppError> {
    // A negative lifetime means a token that ended so long ago: it lived for as long before that.
    let lifetime = who.lifetime.abs();
    let over = if who.lifetime < TimeDelta::zero() { lifetime + lifetime } else { TimeDelta::zero() };
    let token = keys.sign(&NewToken {
        kind: who.kind,
        tenant: who.tenant,
        customers: who.customers,
        scopes: who.scopes,
        subject: who.name.to_owned(),
        issued_at: Instant::new(now.utc() - over),
        lifetime,
    })?;
    Ok(DemoToken { name: who.name, description: who.description, token })
}
