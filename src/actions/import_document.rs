//! Imports one document of a foreign billing system: the same bytes twice are one import, and an older document
//! never overwrites a newer one.
//!
//! Reading is pure and comes first (`dialect`); what only the stored rows can tell comes inside the one transaction
//! that also writes: whose invoice it is (`owner.rs`), whether its rentals exist, and whether it is news. A dry run
//! does all of it and then takes it back, so it also meets what the database would refuse.

use std::collections::BTreeMap;
use std::sync::Arc;

use entity::{
    CurrencyCode, CustomerId, EventSource, Instant, InvoiceId, Json, RentalId, TenantId, invoice, invoice_event,
    source_document,
};
use serde::Serialize;

use crate::dialect::{self, DialectError, ImportContext, Imported, System};
use crate::domain::actor::Actor;
use crate::domain::bill::{self, Bill, BillKeys, Issue};
use crate::domain::ids;
use crate::domain::integrity::code;
use crate::domain::link::LinkHosts;
use crate::domain::trail::Deed;
use crate::domain::viewer::Tenant;
use crate::store::{self, StatementStats, Store, StoreError, Tx};

mod owner;

/// Where a foreign rental's id is kept that cannot stand in the column.
const RENTAL_ID: &str = "rentalId";

/// What becomes of a document with issues.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// It is imported, and the issues are kept with the invoice.
    #[default]
    Lenient,
    /// It is refused.
    Strict,
}

/// A document to import, and how.
#[derive(Clone, Debug)]
pub struct ImportRequest<'a> {
    /// The system it comes from.
    pub system: System,
    /// The document as it came.
    pub bytes: &'a [u8],
    /// Whom it bills. Needed where documents name no customer; elsewhere it overrides what the document says.
    pub customer: Option<CustomerId>,
    /// Whether an unknown `customer` is made.
    pub create_customer: bool,
    /// What becomes of a document with issues.
    pub mode: Mode,
    /// Whether everything is taken back in the end.
    pub dry_run: bool,
    /// The moment of the import.
    pub now: Instant,
    /// The hosts that links may lead to.
    pub link_hosts: &'a LinkHosts,
    /// Who imports it, for the audit log; nobody does what belongs to a demo.
    pub actor: Option<&'a Actor>,
}

/// What an import did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Outcome {
    /// The invoice is new.
    Created,
    /// The invoice was there and is now as the document says.
    Updated,
    /// This very document was the last one imported: nothing was written.
    Unchanged,
    /// The stored invoice is newer than the document: nothing was written.
    Ignored,
    /// It would have been imported; nothing was written.
    DryRun,
}

/// The report of one import.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImportReport {
    /// The invoice.
    pub invoice_id: InvoiceId,
    /// Its id in the source system.
    pub external_id: String,
    /// Whether the invoice is new; in a dry run, whether it would be.
    pub created: bool,
    /// What was done.
    pub outcome: Outcome,
    /// What does not hold or could not be kept as stated.
    pub issues: Vec<Issue>,
    /// Where credentials stood that were cut out.
    pub redacted_paths: Vec<String>,
}

/// A document that was not imported. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The document cannot be read.
    #[error(transparent)]
    Document(#[from] DialectError),
    /// A strict import met something that does not hold.
    #[error("{}; {count} in all, and a strict import allows none", spelled(.first))]
    Issues {
        /// The first of them.
        first: Issue,
        /// How many there are.
        count: usize,
    },
    /// Documents of the system do not say whom they bill, and nobody else did.
    #[error("$: documents of {system} do not name their customer; say whose it is")]
    CustomerRequired {
        /// The system's name.
        system: &'static str,
    },
    /// The named customer does not exist, or is not the caller's.
    #[error("$: there is no customer {0}")]
    CustomerUnknown(CustomerId),
    /// A customer cannot be made under that id.
    #[error("$: {0:?} cannot be a customer's id: `cus_` and at most 60 letters, digits, `_` or `-`")]
    CustomerIdUnfit(String),
    /// The invoice is there already and bills somebody else.
    #[error("$: invoice {invoice} bills another customer, {customer}")]
    OtherCustomer {
        /// The stored invoice.
        invoice: InvoiceId,
        /// Whom it bills.
        customer: CustomerId,
    },
    /// The tenant does not exist.
    #[error("$: there is no tenant {0}")]
    TenantUnknown(TenantId),
    /// Another row has something that only one may have.
    #[error("$: {what} belongs to another row of this tenant already")]
    Taken {
        /// What the document brings that must be unique.
        what: String,
    },
    /// The database failed.
    #[error("$: the document could not be stored")]
    Store(#[from] StoreError),
}

/// Imports `request.bytes` as an invoice of `tenant`.
///
/// # Errors
/// [`ImportError`]; nothing was written then.
pub async fn import_document(
    store: &Store,
    tenant: &Tenant,
    request: &ImportRequest<'_>,
) -> Result<ImportReport, ImportError> {
    let row = store::tenant::find(tenant, &store.reader(tenant, &Arc::new(StatementStats::default()))).await?;
    let row = row.ok_or_else(|| ImportError::TenantUnknown(tenant.id().clone()))?;
    let context = ImportContext {
        currency: &row.default_currency,
        currency_ids: &currency_ids(&row.settings),
        link_hosts: request.link_hosts,
        now: request.now,
        livemode: row.livemode,
    };
    let imported = dialect::import(request.system, request.bytes, &context)?;
    request.mode.accept(&imported.issues)?;
    // Boxed, like the write of the bill below: bills are large, and every caller would carry their room along.
    match Box::pin(write(store, tenant, request, imported.clone())).await {
        // Another import of the same document may have been faster: a second try meets its row.
        Err(ImportError::Taken { .. }) => Box::pin(write(store, tenant, request, imported)).await,
        result => result,
    }
}

impl Mode {
    fn accept(self, issues: &[Issue]) -> Result<(), ImportError> {
        match (self, issues.first()) {
            (Self::Strict, Some(first)) => Err(ImportError::Issues { first: first.clone(), count: issues.len() }),
            _ => Ok(()),
        }
    }
}

/// The tenant's table of numeric currency ids; empty where it has none.
fn currency_ids(settings: &Json) -> BTreeMap<String, CurrencyCode> {
    let table = settings.get("currency_ids").and_then(Json::as_object);
    let code = |json: &Json| json.as_str().map(|code| CurrencyCode(code.to_owned()));
    table.into_iter().flatten().filter_map(|(id, json)| Some((id.clone(), code(json)?))).collect()
}

async fn write(
    store: &Store,
    tenant: &Tenant,
    request: &ImportRequest<'_>,
    mut imported: Imported,
) -> Result<ImportReport, ImportError> {
    let tx = store.begin(tenant).await?;
    let id: InvoiceId = bill::imported(tenant.id(), request.system.source(), &imported.external_id);
    let stored = store::invoice::by_ids(tenant, &tx, std::slice::from_ref(&id)).await?.remove(&id);
    let owner = owner::resolve(tenant, &tx, request, &imported, stored.as_ref()).await?;
    let created = stored.is_none();
    if let Some(stored) = &stored
        && let Some(outcome) = not_news(tenant, &tx, stored, &imported).await?
    {
        return Ok(report(id, imported, created, outcome));
    }
    check_rentals(tenant, &tx, &owner.id, &mut imported).await?;
    request.mode.accept(&imported.issues)?;
    let keys = BillKeys { tenant: tenant.id(), invoice: &id, customer: &owner.id };
    imported.bill.customer = owner.row;
    let mut bill = std::mem::take(&mut imported.bill).keyed(keys);
    bill.invoice.version = 1;
    if let Some(stored) = &stored {
        carry_over(tenant, &tx, stored, &mut bill).await?;
    }
    let document = source_document(tenant, request, &id, &imported);
    let event = event(request, stored.as_ref(), &bill.invoice, &imported);
    let deed = deed(stored.as_ref(), &bill.invoice, &imported);
    Box::pin(write_bill(&tx, bill, created)).await?;
    store::source_document::keep(&tx, document).await?;
    store::upstream_facts::forget_own(tenant, &tx, &id).await?;
    store::bill::insert_events(&tx, vec![event]).await?;
    if let Some(actor) = request.actor {
        store::audit_log::append(tenant, &tx, actor, deed, request.now).await?;
    }
    let outcome = match (request.dry_run, created) {
        (true, _) => Outcome::DryRun,
        (false, true) => Outcome::Created,
        (false, false) => Outcome::Updated,
    };
    if !request.dry_run {
        tx.commit().await?;
    }
    Ok(report(id, imported, created, outcome))
}

fn report(invoice_id: InvoiceId, imported: Imported, created: bool, outcome: Outcome) -> ImportReport {
    ImportReport {
        invoice_id,
        external_id: imported.external_id,
        created,
        outcome,
        issues: imported.issues,
        redacted_paths: imported.redacted_paths,
    }
}

/// Why a document changes nothing, if so: it is what was imported last, or older than what is stored.
async fn not_news(
    tenant: &Tenant,
    tx: &Tx,
    stored: &invoice::Model,
    imported: &Imported,
) -> Result<Option<Outcome>, StoreError> {
    let last = store::source_document::of_invoices(tenant, tx, std::slice::from_ref(&stored.id)).await?;
    if last.get(&stored.id).is_some_and(|last| last.sha256 == imported.sha256) {
        return Ok(Some(Outcome::Unchanged));
    }
    let older = imported.updated_at.is_some_and(|at| at < stored.updated_at);
    Ok(older.then_some(Outcome::Ignored))
}

/// Keeps the rentals that the tenant has for this customer. Another one's id moves beside the row, with an issue.
async fn check_rentals(
    tenant: &Tenant,
    tx: &Tx,
    customer: &CustomerId,
    imported: &mut Imported,
) -> Result<(), StoreError> {
    let bill = &mut imported.bill;
    let lines = bill.lines.iter().filter_map(|line| line.row.rental_id.clone());
    let named: Vec<RentalId> = bill.invoice.rental_id.iter().cloned().chain(lines).collect();
    if named.is_empty() {
        return Ok(());
    }
    let known = store::rental::by_ids(tenant, tx, &named).await?;
    let has = |id: &RentalId| known.get(id).is_some_and(|rental| rental.customer_id == *customer);
    let mut issues = Vec::new();
    let mut check = |path: String, id: &mut Option<RentalId>, attributes: &mut Json| {
        if let Some(foreign) = id.take_if(|id| !has(id)) {
            keep_beside(attributes, &foreign);
            issues.push(Issue { code: code::RENTAL_UNKNOWN.to_owned(), path, stated: Some(foreign.0), expected: None });
        }
    };
    let row = &mut bill.invoice;
    check(RENTAL_ID.to_owned(), &mut row.rental_id, &mut row.external_attributes);
    for (index, line) in bill.lines.iter_mut().enumerate() {
        let path = format!("lineItems[{index}].{RENTAL_ID}");
        check(path, &mut line.row.rental_id, &mut line.row.external_attributes);
    }
    if let Some(list) = bill.invoice.integrity_issues.as_array_mut() {
        list.extend(issues.iter().map(issue_json));
    }
    imported.issues.extend(issues);
    Ok(())
}

fn keep_beside(attributes: &mut Json, rental: &RentalId) {
    if !attributes.is_object() {
        *attributes = Json::Object(serde_json::Map::new());
    }
    if let Some(map) = attributes.as_object_mut() {
        map.insert(RENTAL_ID.to_owned(), Json::String(rental.0.clone()));
    }
}

/// An issue in one line: path, code, what is stated and what was expected.
pub fn spelled(issue: &Issue) -> String {
    let stated = issue.stated.as_ref().map(|stated| format!(", stated {stated:?}"));
    let expected = issue.expected.as_ref().map(|expected| format!(", expected {expected:?}"));
    let (stated, expected) = (stated.unwrap_or_default(), expected.unwrap_or_default());
    format!("{}: {}{stated}{expected}", issue.path, issue.code)
}

fn issue_json(issue: &Issue) -> Json {
    serde_json::json!({
        "code": issue.code,
        "path": issue.path,
        "stated": issue.stated,
        "expected": issue.expected,
    })
}

/// What a stored invoice keeps when a newer document replaces it: its age, the id its clients know it by, and what
/// was learned of its mirror at Stripe.
async fn carry_over(tenant: &Tenant, tx: &Tx, stored: &invoice::Model, bill: &mut Bill) -> Result<(), StoreError> {
    let row = &mut bill.invoice;
    row.version = stored.version.saturating_add(1);
    row.created_at = stored.created_at;
    row.legacy_number = row.legacy_number.or(stored.legacy_number);
    if bill.upstream.is_none() {
        let mut mirrors = store::upstream_invoice::of_invoices(tenant, tx, std::slice::from_ref(&stored.id)).await?;
        bill.upstream = mirrors.remove(&stored.id);
    }
    Ok(())
}

async fn write_bill(tx: &Tx, bill: Bill, created: bool) -> Result<(), ImportError> {
    let what = unique_values(&bill);
    let written = if created { store::bill::insert(tx, bill).await } else { store::bill::replace(tx, bill).await };
    written.map_err(|source| match source {
        StoreError::Refused { rule: "unique", .. } => ImportError::Taken { what },
        source => ImportError::Store(source),
    })
}

/// What of a bill may be in the store only once, for people. The two engines do not agree on which one they report.
fn unique_values(bill: &Bill) -> String {
    let row = &bill.invoice;
    let mirror = bill.upstream.as_ref().and_then(|mirror| mirror.stripe_invoice_id.as_ref());
    let values = [
        row.external_id.as_ref().map(|id| format!("id {id}")),
        row.number.as_ref().map(|number| format!("number {number}")),
        row.legacy_number.map(|number| format!("legacy number {number}")),
        mirror.map(|id| format!("Stripe invoice {id}")),
    ];
    let values: Vec<String> = values.into_iter().flatten().collect();
    values.join(" or ")
}

fn source_document(
    tenant: &Tenant,
    request: &ImportRequest<'_>,
    invoice: &InvoiceId,
    imported: &Imported,
) -> source_document::Model {
    let system = request.system.source();
    let key = [tenant.id().as_str(), &system.word(), &imported.external_id, &imported.sha256];
    source_document::Model {
        tenant_id: tenant.id().clone(),
        id: ids::derived(&key),
        system,
        entity_type: store::source_document::INVOICE.to_owned(),
        entity_id: invoice.0.clone(),
        external_id: Some(imported.external_id.clone()),
        sha256: imported.sha256.clone(),
        document: imported.document.clone(),
        redacted_paths: imported.redacted_paths.iter().cloned().collect(),
        issues: imported.issues.iter().map(issue_json).collect(),
        imported_at: request.now,
    }
}

/// What the audit log says of the import. The document itself is kept beside it, by its digest.
fn deed(stored: Option<&invoice::Model>, row: &invoice::Model, imported: &Imported) -> Deed {
    let shown = |row: &invoice::Model| serde_json::json!({ "status": row.status, "version": row.version });
    let mut after = shown(row);
    if let Some(after) = after.as_object_mut() {
        after.insert("documentSha256".to_owned(), imported.sha256.clone().into());
    }
    Deed {
        action: "invoice.import",
        object_type: "Invoice",
        object_id: row.id.0.clone(),
        before: stored.map(shown),
        after: Some(after),
    }
}

fn event(
    request: &ImportRequest<'_>,
    stored: Option<&invoice::Model>,
    row: &invoice::Model,
    imported: &Imported,
) -> invoice_event::Model {
    invoice_event::Model {
        tenant_id: row.tenant_id.clone(),
        id: ids::at(request.now, &[row.id.as_str(), "imported", &imported.sha256]),
        invoice_id: row.id.clone(),
        kind: "imported".to_owned(),
        from_status: stored.map(|stored| stored.status),
        to_status: Some(row.status),
        source: EventSource::Import,
        actor_kind: "system".to_owned(),
        actor_id: None,
        webhook_event_id: None,
        data: serde_json::json!({
            "system": request.system.name(),
            "externalId": imported.external_id,
            "sha256": imported.sha256,
            "issues": imported.issues.len(),
        }),
        occurred_at: request.now,
        recorded_at: request.now,
    }
}
