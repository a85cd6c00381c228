//! Fills a store with the demo world and makes what a visitor needs: tokens, names and examples.
//!
//! Loading is done once: a store that has the demo's companies keeps its data. Tokens are made anew at each start.

use chrono::{Months, TimeDelta};
use entity::{Instant, InvoiceId};
use serde_json::{Map, Value, json};

use super::AppError;
use crate::actions::import_document::{ImportRequest, Mode, import_document};
use crate::auth::{JwtKeys, NewToken};
use crate::demo::{self, ImportTarget, Principal, World};
use crate::dialect::System;
use crate::domain::clock::Clock;
use crate::domain::link::LinkHosts;
use crate::domain::viewer::{PrincipalKind, Tenant};
use crate::store::bill::{self, Existing};
use crate::store::{self, Store, StoreError};

/// The example that explorers open with.
const FIRST_EXAMPLE: &str = "reference.graphql";

/// The invoice that examples ask for: it has lines, a rental, several payments and every link, and since it is paid
/// there is no pay link to miss.
const EXAMPLE_INVOICE: &str = "written-off-then-paid";

/// The invoice whose rental the examples ask for: one of the customer who has a token.
const EXAMPLE_RENTAL: &str = "overage-week";

/// The kinds of user that examples are grouped by.
const GROUPS: [&str; 4] = ["customer", "merchant", "partner", "operator"];

/// The group of examples that are for all of them.
const FOR_EVERYONE: &str = "everyone";

/// The GraphQL documents that README, explorer and tests share.
#[derive(rust_embed::Embed)]
#[folder = "$CARGO_MANIFEST_DIR/examples"]
#[allow_missing = true]
struct Examples;

/// A loaded demo.
#[derive(Clone, Debug)]
pub struct Demo {
    /// The billing clock's time when the demo starts.
    pub now: Instant,
    /// A token for each principal.
    pub tokens: Vec<DemoToken>,
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

    /// What the explorer is told: tokens to choose from and examples with their variables.
    pub fn explorer_config(&self, endpoint: &str) -> Value {
        let tokens: Vec<Value> = self
            .tokens
            .iter()
            .map(|token| json!({"name": token.name, "token": token.token, "description": token.description}))
            .collect();
        let documents = Examples::iter().filter(|file| file.ends_with(".graphql"));
        let mut files: Vec<String> = documents.map(String::from).collect();
        files.sort_by_key(|file| (file != FIRST_EXAMPLE, file.clone()));
        let examples: Vec<Value> = files.iter().filter_map(|file| self.example(file)).collect();
        json!({"endpoint": endpoint, "demo": true, "tokens": tokens, "examples": examples})
    }

    fn example(&self, file: &str) -> Option<Value> {
        let text = Examples::get(file)?;
        let query = std::str::from_utf8(&text.data).ok()?.trim();
        let declared = |name: &str| query.contains(&format!("${name}:"));
        let variables: Map<String, Value> = self
            .variables
            .iter()
            .filter(|(name, _)| declared(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        Some(json!({"name": title(file), "group": group(file, query), "query": query, "variables": variables}))
    }
}

/// What the explorer of a server is told that is no demo: paste a token.
pub fn plain_explorer_config(endpoint: &str) -> Value {
    json!({"endpoint": endpoint, "demo": false, "tokens": [], "examples": []})
}

/// The name of an example, from that of its file: `rental-bills.graphql` is "Rental bills".
fn title(file: &str) -> String {
    let words = file.trim_end_matches(".graphql").replace('-', " ");
    let mut letters = words.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).collect()
}

/// Whose question an example is: the kind of user its file's name begins with, else the one its first line tells of.
fn group(file: &str, query: &str) -> &'static str {
    let told = query.lines().next().unwrap_or_default();
    let named = GROUPS.into_iter().find(|kind| file.starts_with(kind));
    named.or_else(|| GROUPS.into_iter().find(|kind| told.contains(kind))).unwrap_or(FOR_EVERYONE)
}

/// Fills the store where it is empty, and makes the tokens.
///
/// # Errors
/// [`AppError`] when the store fails, or a document of the demo does not import.
pub async fn load(store: &Store, keys: &JwtKeys, hosts: &LinkHosts) -> Result<Demo, AppError> {
    let world = demo::world();
    let now = world.now;
    let characters = characters(&world);
    let variables = variables(&world)?;
    if !is_loaded(store, &world).await? {
        tracing::info!(invoices = world.invoices.len(), "Loading the demo data");
        match write_world(store, world).await {
            // Another server was faster with the same data.
            Err(AppError::Store(StoreError::Refused { rule: "unique", .. })) => {}
            written => written?,
        }
    }
    let mut imported = Vec::new();
    for target in demo::import_targets() {
        imported.push(import(store, target, now, hosts).await?);
    }
    Ok(Demo { now, tokens: tokens(keys)?, characters, imported, variables })
}

fn characters(world: &World) -> Vec<(&'static str, InvoiceId)> {
    let named = |entry: &demo::DemoInvoice| Some((entry.character?, entry.bill.invoice.id.clone()));
    world.invoices.iter().filter_map(named).collect()
}

/// What the examples ask for: one invoice with everything around it, and the month that it was made in.
fn variables(world: &World) -> Result<Map<String, Value>, AppError> {
    let entry = world.invoices.iter().find(|entry| entry.character == Some(EXAMPLE_INVOICE));
    let bill = entry.map(|entry| &entry.bill);
    let bill = bill.ok_or_else(|| AppError::Demo(format!("it has no invoice {EXAMPLE_INVOICE}")))?;
    let invoice = &bill.invoice;
    let customer = world.customers.iter().find(|row| row.id == invoice.customer_id);
    let rental = world.invoices.iter().find(|entry| entry.character == Some(EXAMPLE_RENTAL));
    let rental = rental.and_then(|entry| entry.bill.invoice.rental_id.as_ref());
    let month = invoice.created_at.utc().format("%Y-%m-01T00:00:00Z").to_string();
    let next_month = invoice.created_at.utc().checked_add_months(Months::new(1));
    let variables = [
        ("id", json!(invoice.id)),
        ("number", json!(invoice.number)),
        ("customer", json!(customer.map(|row| &row.name))),
        ("rental", json!(rental)),
        ("from", json!(month)),
        ("until", json!(next_month.map(|at| at.format("%Y-%m-01T00:00:00Z").to_string()))),
    ];
    Ok(variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

async fn is_loaded(store: &Store, world: &World) -> Result<bool, AppError> {
    let Some(first) = world.tenants.first() else {
        return Err(AppError::Demo("it has no tenant".to_owned()));
    };
    let found =
        store::tenant::find(&Tenant::whole(first.id.clone()), &store.reader(&std::sync::Arc::default())).await?;
    Ok(found.is_some())
}

/// Writes the whole world, or nothing.
async fn write_world(store: &Store, world: World) -> Result<(), AppError> {
    let tx = store.begin().await?;
    bill::insert_tenants(&tx, world.tenants).await?;
    bill::write_customers(&tx, world.customers, Existing::Keep).await?;
    bill::insert_rentals(&tx, world.rentals).await?;
    bill::insert_subscriptions(&tx, world.subscriptions).await?;
    bill::insert_payment_methods(&tx, world.payment_methods).await?;
    let (bills, events): (Vec<_>, Vec<_>) =
        world.invoices.into_iter().map(|invoice| (invoice.bill, invoice.events)).unzip();
    bill::insert_all(&tx, bills).await?;
    bill::insert_events(&tx, events.into_iter().flatten().collect()).await?;
    tx.commit().await?;
    store.analyze().await?;
    Ok(())
}

/// Imports one of the five documents, unless its invoice is there: whatever was imported later stays.
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
        System::GpuOutlet => include_bytes!("../../tests/it/fixtures/gpu-outlet.json"),
        System::Paypercut => include_bytes!("../../tests/it/fixtures/paypercut.json"),
        System::Meteroid => include_bytes!("../../tests/it/fixtures/meteroid.json"),
        System::Userhub => include_bytes!("../../tests/it/fixtures/userhub.json"),
        System::Hostup => include_bytes!("../../tests/it/fixtures/hostup.json"),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_come_with_values_for_the_variables_they_declare() {
        let demo = Demo {
            now: Instant::default(),
            tokens: Vec::new(),
            characters: Vec::new(),
            imported: Vec::new(),
            variables: variables(&demo::world()).unwrap(),
        };
        let config = demo.explorer_config("/graphql");
        let examples = config["examples"].as_array().unwrap();
        assert_eq!(examples[0]["name"], "Reference");
        assert!(examples[0]["variables"]["id"].as_str().unwrap().starts_with("inv_"));
        for example in examples {
            let query = example["query"].as_str().unwrap();
            let required = query.match_indices('$').filter_map(|(at, _)| {
                let (name, behind) = query[at + 1..].split_once(':')?;
                let kind = behind.split([',', ')', '\n']).next()?;
                (name.chars().all(char::is_alphanumeric) && kind.trim().ends_with('!')).then_some(name)
            });
            for name in required {
                assert!(!example["variables"][name].is_null(), "{}: ${name}", example["name"]);
            }
        }
        for kind in GROUPS.into_iter().chain([FOR_EVERYONE]) {
            assert!(examples.iter().any(|example| example["group"] == kind), "{kind}");
        }
    }

    #[test]
    fn an_example_is_grouped_by_its_name_else_by_its_first_line() {
        assert_eq!(group("partner-export.graphql", "# What a customer owes."), "partner");
        assert_eq!(group("rental-bills.graphql", "# A customer looks at a machine.\n# A merchant"), "customer");
        assert_eq!(group("reference.graphql", "{ viewer }"), "everyone");
    }
}
