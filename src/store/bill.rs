//! Writing whole bills, and the world they need.
//!
//! One path for import, demo and tests: multi-row inserts of at most `BATCH_ROWS` rows, each statement within the
//! parameter limit of both engines. A bill that is written again replaces what belongs to it alone (lines, taxes,
//! payments); rows that others may share are left as they are (subscriptions, products, prices, means of
//! payment: a bill only names them) or written over (the customer, where the bill brings a newer one).

use entity::{
    customer, customer_snapshot, discount, invoice, invoice_change, invoice_event, line_item, payment, payment_method,
    price, product, rental, sub_line, subscription, tax, tenant, upstream_invoice,
};
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, IdenStatic, IntoActiveModel, Iterable, PrimaryKeyToColumn, QueryFilter,
};

use super::{StoreError, Tx};
use crate::domain::bill::Bill;

/// Rows of one insert. Larger batches are slower on both engines.
const BATCH_ROWS: usize = 500;

/// Parameters of one statement that SQLite, the stricter engine, takes.
const PARAMETERS_MAX: usize = 32_766;

/// What is written when a row with the same key is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// It stays as it is.
    Keep,
    /// It becomes the new row.
    Replace,
}

/// Writes a bill whose invoice is not stored yet, with what it refers to.
///
/// # Errors
/// Those of [`StoreError`]; the transaction is lost then.
pub async fn insert(tx: &Tx, bill: Bill) -> Result<(), StoreError> {
    insert_all(tx, vec![bill]).await
}

/// Writes many bills whose invoices are not stored yet, table by table.
///
/// # Errors
/// Those of [`StoreError`]; the transaction is lost then.
pub async fn insert_all(tx: &Tx, bills: Vec<Bill>) -> Result<(), StoreError> {
    let mut rows = Rows::default();
    for bill in bills {
        rows.add(bill);
    }
    rows.write_shared(tx).await?;
    write::<invoice::Entity>(tx, rows.invoices.split_off(0), None).await?;
    rows.write_parts(tx).await
}

/// Writes a bill over the one that is stored under the same invoice id. Its history stays.
///
/// # Errors
/// Those of [`StoreError`]; the transaction is lost then.
pub async fn replace(tx: &Tx, bill: Bill) -> Result<(), StoreError> {
    let (tenant, invoice) = (bill.invoice.tenant_id.clone(), bill.invoice.id.clone());
    macro_rules! clear {
        ($($table:ident),*) => {$(
            $table::Entity::delete_many()
                .filter($table::Column::TenantId.eq(tenant.clone()))
                .filter($table::Column::InvoiceId.eq(invoice.clone()))
                .exec(tx)
                .await?;
        )*};
    }
    clear!(sub_line, discount, line_item, tax, invoice_change, customer_snapshot, payment, upstream_invoice);
    let mut rows = Rows::default();
    rows.add(bill);
    rows.write_shared(tx).await?;
    write::<invoice::Entity>(tx, rows.invoices.split_off(0), Some(Existing::Replace)).await?;
    rows.write_parts(tx).await
}

/// Writes tenants that are not stored yet.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn insert_tenants(tx: &Tx, rows: Vec<tenant::Model>) -> Result<(), StoreError> {
    write::<tenant::Entity>(tx, rows, None).await
}

/// Writes customers, those a tenant has already being left or replaced.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn write_customers(tx: &Tx, rows: Vec<customer::Model>, existing: Existing) -> Result<(), StoreError> {
    write::<customer::Entity>(tx, rows, Some(existing)).await
}

/// Writes subscriptions that are not stored yet.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn insert_subscriptions(tx: &Tx, rows: Vec<subscription::Model>) -> Result<(), StoreError> {
    write::<subscription::Entity>(tx, rows, None).await
}

/// Writes means of payment that are not stored yet.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn insert_payment_methods(tx: &Tx, rows: Vec<payment_method::Model>) -> Result<(), StoreError> {
    write::<payment_method::Entity>(tx, rows, None).await
}

/// Writes rentals that are not stored yet.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn insert_rentals(tx: &Tx, rows: Vec<rental::Model>) -> Result<(), StoreError> {
    write::<rental::Entity>(tx, rows, None).await
}

/// Adds entries to the history of invoices; one that is there already stays.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn insert_events(tx: &Tx, rows: Vec<invoice_event::Model>) -> Result<(), StoreError> {
    write::<invoice_event::Entity>(tx, rows, Some(Existing::Keep)).await
}

/// The rows of some bills, by table.
#[derive(Default)]
struct Rows {
    invoices: Vec<invoice::Model>,
    lines: Vec<line_item::Model>,
    sub_lines: Vec<sub_line::Model>,
    taxes: Vec<tax::Model>,
    discounts: Vec<discount::Model>,
    changes: Vec<invoice_change::Model>,
    snapshots: Vec<customer_snapshot::Model>,
    payments: Vec<payment::Model>,
    upstream: Vec<upstream_invoice::Model>,
    customers: Vec<customer::Model>,
    subscriptions: Vec<subscription::Model>,
    products: Vec<product::Model>,
    prices: Vec<price::Model>,
    methods: Vec<payment_method::Model>,
}

impl Rows {
    fn add(&mut self, bill: Bill) {
        self.invoices.push(bill.invoice);
        for line in bill.lines {
            self.lines.push(line.row);
            self.sub_lines.extend(line.sub_lines);
            self.discounts.extend(line.discounts);
        }
        self.taxes.extend(bill.taxes);
        self.discounts.extend(bill.discounts);
        self.changes.extend(bill.changes);
        self.snapshots.extend(bill.snapshot);
        for payment in bill.payments {
            self.payments.push(payment.row);
            self.methods.extend(payment.method);
        }
        self.upstream.extend(bill.upstream);
        self.customers.extend(bill.customer);
        self.subscriptions.extend(bill.subscription);
        self.products.extend(bill.products);
        self.prices.extend(bill.prices);
    }

    /// What other bills may refer to as well. A row that several of these bills bring is written once.
    async fn write_shared(&mut self, tx: &Tx) -> Result<(), StoreError> {
        // Refunds refer to payments of the same bill, which must be there first.
        self.payments.sort_by_key(|payment| payment.refunded_payment_id.is_some());
        once(&mut self.customers, |row| (row.tenant_id.clone(), row.id.clone()));
        once(&mut self.subscriptions, |row| (row.tenant_id.clone(), row.id.clone()));
        once(&mut self.products, |row| (row.tenant_id.clone(), row.id.clone()));
        once(&mut self.prices, |row| (row.tenant_id.clone(), row.id.clone()));
        once(&mut self.methods, |row| (row.tenant_id.clone(), row.id.clone()));
        write::<customer::Entity>(tx, self.customers.split_off(0), Some(Existing::Replace)).await?;
        write::<subscription::Entity>(tx, self.subscriptions.split_off(0), Some(Existing::Keep)).await?;
        write::<product::Entity>(tx, self.products.split_off(0), Some(Existing::Keep)).await?;
        write::<price::Entity>(tx, self.prices.split_off(0), Some(Existing::Keep)).await?;
        write::<payment_method::Entity>(tx, self.methods.split_off(0), Some(Existing::Keep)).await
    }

    async fn write_parts(self, tx: &Tx) -> Result<(), StoreError> {
        write::<line_item::Entity>(tx, self.lines, None).await?;
        write::<sub_line::Entity>(tx, self.sub_lines, None).await?;
        write::<tax::Entity>(tx, self.taxes, None).await?;
        write::<discount::Entity>(tx, self.discounts, None).await?;
        write::<invoice_change::Entity>(tx, self.changes, None).await?;
        write::<customer_snapshot::Entity>(tx, self.snapshots, None).await?;
        write::<payment::Entity>(tx, self.payments, None).await?;
        write::<upstream_invoice::Entity>(tx, self.upstream, None).await
    }
}

/// Keeps the last row of each key.
fn once<T, K: Eq + std::hash::Hash>(rows: &mut Vec<T>, key: impl Fn(&T) -> K) {
    let mut seen = std::collections::HashSet::new();
    rows.reverse();
    rows.retain(|row| seen.insert(key(row)));
    rows.reverse();
}

/// Writes rows over those with the same keys, in batches.
pub(super) async fn overwrite<E>(tx: &Tx, rows: Vec<E::Model>) -> Result<(), StoreError>
where
    E: EntityTrait,
    E::Model: IntoActiveModel<E::ActiveModel>,
    E::ActiveModel: ActiveModelTrait<Entity = E> + Send,
{
    write::<E>(tx, rows, Some(Existing::Replace)).await
}

/// Inserts rows in batches. Without `existing`, a row that is there already is an error.
async fn write<E>(tx: &Tx, rows: Vec<E::Model>, existing: Option<Existing>) -> Result<(), StoreError>
where
    E: EntityTrait,
    E::Model: IntoActiveModel<E::ActiveModel>,
    E::ActiveModel: ActiveModelTrait<Entity = E> + Send,
{
    let batch = BATCH_ROWS.min(PARAMETERS_MAX / E::Column::iter().count().max(1));
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        let models = rows.by_ref().take(batch).map(|row| row.into_active_model().reset_all());
        let insert = E::insert_many(models);
        match existing {
            Some(existing) => insert.on_conflict(on_conflict::<E>(existing)).exec_without_returning(tx).await?,
            None => insert.exec_without_returning(tx).await?,
        };
    }
    Ok(())
}

fn on_conflict<E: EntityTrait>(existing: Existing) -> OnConflict {
    let keys: Vec<E::Column> = E::PrimaryKey::iter().map(PrimaryKeyToColumn::into_column).collect();
    let is_key = |column: &E::Column| keys.iter().any(|key| key.as_str() == column.as_str());
    let others: Vec<E::Column> = E::Column::iter().filter(|column| !is_key(column)).collect();
    let mut conflict = OnConflict::columns(keys.iter().copied());
    match existing {
        Existing::Keep => conflict.do_nothing_on(keys.iter().copied()),
        Existing::Replace => conflict.update_columns(others),
    };
    conflict
}
