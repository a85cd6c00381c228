//! A digest of everything a store holds: the same rows give the same digest, on every engine.
//!
//! Each row is hashed as the JSON array of its columns. The hashes of a table are added up, so that no order has to be
//! agreed on between engines that sort texts differently.
//!
//! Left out are the inbox of webhooks, whose rows may have no tenant, and what was heard from Stripe, which shows in
//! the mirrors and payments that follow from it.

use entity::{
    TenantId, customer, customer_snapshot, discount, invoice, invoice_change, invoice_event, line_item, payment,
    payment_method, price, product, rental, source_document, sub_line, subscription, tax, tenant, upstream_invoice,
};
use sea_orm::sea_query::{self, Value};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityName, EntityTrait, Iterable, ModelTrait, QueryFilter, QueryOrder, QuerySelect,
};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::StoreError;
use super::tenant::System;

/// Rows in memory at a time.
const PAGE_ROWS: u64 = 2_000;

/// What a store holds, in numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Dump {
    /// Rows of each table.
    pub tables: Vec<(String, u64)>,
    /// SHA-256 over all tables, in lower-case hexadecimal digits.
    pub sha256: String,
}

/// Reads everything and gives its digest.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn dump(system: &System, db: &impl ConnectionTrait) -> Result<Dump, StoreError> {
    let tenants = super::tenant::all(system, db).await?;
    let mut sums = vec![Sum::over(&tenants, tenant::Entity.table_name())?];
    macro_rules! add {
        ($($table:ident by $key:ident),* $(,)?) => {$(
            let mut sum = Sum::new($table::Entity.table_name());
            for tenant in &tenants {
                read::<$table::Entity>(db, &tenant.id, ($table::Column::TenantId, $table::Column::$key), &mut sum)
                    .await?;
            }
            sums.push(sum);
        )*};
    }
    add!(
        customer by Id, subscription by Id, product by Id, price by Id, rental by Id, payment_method by Id,
        invoice by Id, line_item by Id, sub_line by Id, tax by Id, discount by Id, invoice_change by Id,
        customer_snapshot by InvoiceId, payment by Id, upstream_invoice by InvoiceId, invoice_event by Id,
        source_document by Id,
    );
    let mut all = Sha256::new();
    for sum in &sums {
        all.update(format!("{} {} {:032x}{:032x}\n", sum.table, sum.rows, sum.high, sum.low));
    }
    Ok(Dump { tables: sums.into_iter().map(|sum| (sum.table, sum.rows)).collect(), sha256: hex(&all.finalize()) })
}

/// The rows of one tenant in one table, page by page in the order of their key.
async fn read<E>(
    db: &impl ConnectionTrait,
    tenant: &TenantId,
    (tenant_column, key): (E::Column, E::Column),
    sum: &mut Sum,
) -> Result<(), StoreError>
where
    E: EntityTrait,
    E::Model: ModelTrait<Entity = E>,
{
    let mut last: Option<Value> = None;
    loop {
        let mut page = E::find().filter(tenant_column.eq(tenant.clone()));
        if let Some(last) = last.take() {
            page = page.filter(key.gt(last));
        }
        let rows = page.order_by_asc(key).limit(PAGE_ROWS).all(db).await?;
        for row in &rows {
            sum.add(row)?;
        }
        match rows.last() {
            Some(row) if rows.len() as u64 == PAGE_ROWS => last = Some(row.get(key)),
            _ => return Ok(()),
        }
    }
}

/// What the rows of a table add up to.
struct Sum {
    table: String,
    rows: u64,
    high: u128,
    low: u128,
}

impl Sum {
    fn new(table: &str) -> Self {
        Self { table: table.to_owned(), rows: 0, high: 0, low: 0 }
    }

    fn over<M: ModelTrait>(rows: &[M], table: &str) -> Result<Self, StoreError> {
        let mut sum = Self::new(table);
        for row in rows {
            sum.add(row)?;
        }
        Ok(sum)
    }

    /// Adds a row. Each half of its hash is added to its own half of the sum.
    fn add<M: ModelTrait>(&mut self, row: &M) -> Result<(), StoreError> {
        let columns = <M::Entity as EntityTrait>::Column::iter();
        let values: Vec<_> = columns.map(|column| sea_query::sea_value_to_json_value(&row.get(column))).collect();
        let hash = Sha256::digest(serde_json::to_vec(&values)?);
        let half = |bytes: &[u8]| bytes.iter().fold(0_u128, |bits, byte| (bits << 8) | u128::from(*byte));
        let (high, low) = hash.split_at(hash.len() / 2);
        self.high = self.high.wrapping_add(half(high));
        self.low = self.low.wrapping_add(half(low));
        self.rows += 1;
        Ok(())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
