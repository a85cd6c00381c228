//! Whom an imported document bills, and what it says of that customer.

use entity::{CustomerId, customer, invoice};

use super::{ImportError, ImportRequest};
use crate::dialect::Imported;
use crate::domain::bill;
use crate::domain::viewer::Tenant;
use crate::store::{self, StoreError, Tx};

/// The longest id of a customer, in bytes: that of the column.
const ID_LENGTH_MAX: usize = 64;

/// The customer behind a document.
pub(super) struct Owner {
    /// The customer's id.
    pub(super) id: CustomerId,
    /// The row to write; none when the stored one stays as it is.
    pub(super) row: Option<customer::Model>,
}

/// Finds the customer, or makes the row of a new one. A stored invoice never moves to another one. Writes nothing.
pub(super) async fn resolve(
    tenant: &Tenant,
    tx: &Tx,
    request: &ImportRequest<'_>,
    imported: &Imported,
    stored: Option<&invoice::Model>,
) -> Result<Owner, ImportError> {
    let owner = match (&request.customer, &imported.customer_external_id) {
        (Some(id), _) => given(tenant, tx, request, imported, id).await?,
        (None, Some(external_id)) => named(tenant, tx, request, imported, external_id).await?,
        (None, None) => {
            return Err(ImportError::CustomerRequired { system: request.system.name() });
        }
    };
    match stored.filter(|stored| stored.customer_id != owner.id) {
        Some(stored) => {
            Err(ImportError::OtherCustomer { invoice: stored.id.clone(), customer: stored.customer_id.clone() })
        }
        None => Ok(owner),
    }
}

/// The customer that the caller names. A document about another customer of the system leaves its row alone.
async fn given(
    tenant: &Tenant,
    tx: &Tx,
    request: &ImportRequest<'_>,
    imported: &Imported,
    id: &CustomerId,
) -> Result<Owner, ImportError> {
    let known = store::customer::by_ids(tenant, tx, std::slice::from_ref(id)).await?.remove(id);
    let id = id.clone();
    match known {
        Some(known) => {
            let same = known.external_id.is_some()
                && known.external_id == imported.customer_external_id
                && known.source_system == request.system.source();
            let row = if same { renewed(request, imported, &known) } else { None };
            Ok(Owner { id, row })
        }
        None if request.create_customer => {
            check_new(tenant, &id)?;
            let row = Some(row(request, imported, &id));
            Ok(Owner { id, row })
        }
        None => Err(ImportError::CustomerUnknown(id)),
    }
}

/// The customer that the document names: the one known under that id of the source system, else a new one.
async fn named(
    tenant: &Tenant,
    tx: &Tx,
    request: &ImportRequest<'_>,
    imported: &Imported,
    external_id: &str,
) -> Result<Owner, ImportError> {
    if let Some(known) = find(tenant, tx, request, external_id).await? {
        let row = renewed(request, imported, &known);
        return Ok(Owner { id: known.id, row });
    }
    let id: CustomerId = bill::imported(tenant.id(), request.system.source(), external_id);
    check_new(tenant, &id)?;
    let row = Some(row(request, imported, &id));
    Ok(Owner { id, row })
}

async fn find(
    tenant: &Tenant,
    tx: &Tx,
    request: &ImportRequest<'_>,
    external_id: &str,
) -> Result<Option<customer::Model>, StoreError> {
    let filter = store::customer::Filter { external_id: Some(external_id.to_owned()), ..Default::default() };
    let page = store::Page {
        // One for each system at most.
        limit: 16,
        ..Default::default()
    };
    let (rows, _more) = store::customer::list(tenant, tx, &filter, &page).await?;
    Ok(rows.into_iter().find(|row| row.source_system == request.system.source()))
}

/// Whether the caller may make a customer under this id.
fn check_new(tenant: &Tenant, id: &CustomerId) -> Result<(), ImportError> {
    let text = id.as_str();
    let fit = text.len() <= ID_LENGTH_MAX
        && text.strip_prefix(CustomerId::PREFIX).is_some_and(|rest| {
            !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
        });
    if !fit {
        return Err(ImportError::CustomerIdUnfit(text.to_owned()));
    }
    match tenant.customers() {
        Some(own) if !own.contains(id) => Err(ImportError::CustomerUnknown(id.clone())),
        _ => Ok(()),
    }
}

/// The row of a new customer: as the document describes it, or named as well as can be.
fn row(request: &ImportRequest<'_>, imported: &Imported, id: &CustomerId) -> customer::Model {
    let printed = imported.bill.snapshot.as_ref().map(|snapshot| snapshot.name.clone());
    let external_id = imported.customer_external_id.clone();
    let changed_at = imported.updated_at.unwrap_or(request.now);
    let invoice = &imported.bill.invoice;
    let described = imported.bill.customer.clone().unwrap_or_else(|| customer::Model {
        name: printed.filter(|name| !name.is_empty()).or_else(|| external_id.clone()).unwrap_or_else(|| id.0.clone()),
        currency: Some(invoice.currency.clone()),
        livemode: invoice.livemode,
        created_at: changed_at,
        ..Default::default()
    });
    customer::Model { source_system: request.system.source(), external_id, updated_at: changed_at, ..described }
}

/// The row as the document describes it, unless it says nothing or is older than what is known.
fn renewed(request: &ImportRequest<'_>, imported: &Imported, known: &customer::Model) -> Option<customer::Model> {
    imported.bill.customer.as_ref()?;
    let row = row(request, imported, &known.id);
    (row.updated_at >= known.updated_at).then(|| customer::Model {
        stripe_customer_id: row.stripe_customer_id.clone().or_else(|| known.stripe_customer_id.clone()),
        parent_id: row.parent_id.clone().or_else(|| known.parent_id.clone()),
        created_at: known.created_at,
        ..row
    })
}
