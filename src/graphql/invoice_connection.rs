//! Pages of invoices.

use std::sync::Arc;

use async_graphql::{Context, Object, Result, SimpleObject};
use entity::{CustomerId, Instant, invoice};

use super::connection::{ListOrder, PageArguments, PageInfo, ValueKind, page_info};
use super::context::{Nullable, nullable, request};
use super::error::Failure;
use super::input::{InvoiceFilter, InvoiceOrder};
use super::invoice::Invoice;
use super::money::Money;
use super::scalars::CurrencyCode;
use crate::loaders::RowsPage;
use crate::store;
use crate::store::invoice::{List, OrderField};

/// The list that a client asks for.
pub(super) fn list(
    page: PageArguments,
    filter: Option<InvoiceFilter>,
    order: Option<InvoiceOrder>,
    now: Instant,
) -> Result<List, Failure> {
    let field = order.map_or(OrderField::CreatedAt, |order| order.field.into());
    Ok(List {
        page: page.page(list_order(field))?,
        filter: filter.unwrap_or_default().checked(now)?,
        order: field,
        direction: order.map_or(store::Direction::Descending, |order| order.direction.into()),
    })
}

const fn list_order(field: OrderField) -> ListOrder {
    let (name, value) = match field {
        OrderField::CreatedAt => ("CREATED_AT", ValueKind::Instant),
        OrderField::IssueDate => ("ISSUE_DATE", ValueKind::Day),
        OrderField::DueAt => ("DUE_AT", ValueKind::Instant),
        OrderField::PaidAt => ("PAID_AT", ValueKind::Instant),
        OrderField::AmountDue => ("AMOUNT_DUE", ValueKind::Integer),
        OrderField::Number => ("NUMBER", ValueKind::Text),
        OrderField::UpdatedAt => ("UPDATED_AT", ValueKind::Instant),
    };
    ListOrder { name, value }
}

/// One page of a list of invoices: of all, or of one customer's.
pub(super) struct InvoiceConnection {
    list: Arc<List>,
    customer: Option<CustomerId>,
    rows: RowsPage<invoice::Model>,
}

impl InvoiceConnection {
    /// A page of everything the caller may see.
    pub(super) async fn of_all(ctx: &Context<'_>, list: List) -> Result<Self, Failure> {
        let (tenant, reader) = request(ctx)?.loaders.reader();
        let (rows, more) = store::invoice::list(tenant, reader, &list).await?;
        request(ctx)?.charge(rows.len())?;
        let rows = rows.into_iter().map(Arc::new).collect();
        Ok(Self { list: Arc::new(list), customer: None, rows: (rows, more) })
    }

    /// A page of one customer's invoices, read together with those of other customers.
    pub(super) async fn of_customer(ctx: &Context<'_>, customer: CustomerId, list: List) -> Result<Self, Failure> {
        let list = Arc::new(list);
        let rows = request(ctx)?.loaders.invoices_of_customer(customer.clone(), Arc::clone(&list)).await?;
        request(ctx)?.charge(rows.0.len())?;
        Ok(Self { list, customer: Some(customer), rows })
    }

    fn cursor(&self, row: &invoice::Model) -> String {
        list_order(self.list.order).cursor(&self.list.order.place(row))
    }
}

/// A page of invoices.
#[Object]
impl InvoiceConnection {
    /// The invoices with their cursors.
    fn edges(&self) -> Vec<InvoiceEdge> {
        self.rows.0.iter().map(|row| InvoiceEdge { cursor: self.cursor(row), node: Invoice(Arc::clone(row)) }).collect()
    }

    /// The invoices.
    fn nodes(&self) -> Vec<Invoice> {
        self.rows.0.iter().cloned().map(Invoice).collect()
    }

    /// Where the page stands in the list.
    fn page_info(&self) -> PageInfo {
        let ends = self.rows.0.first().zip(self.rows.0.last());
        let ends = ends.map(|(first, last)| (self.cursor(first), self.cursor(last)));
        page_info(&self.list.page, self.rows.1, ends)
    }

    /// How many invoices match the filter, on all pages. Counted only when asked for.
    async fn total_count(&self, ctx: &Context<'_>) -> Nullable<i32> {
        nullable(async {
            let loaders = &request(ctx)?.loaders;
            let filter = Arc::new(self.list.filter.clone());
            let count = if let Some(customer) = &self.customer {
                loaders.invoice_count_of_customer(customer.clone(), filter).await?
            } else {
                let (tenant, reader) = loaders.reader();
                store::invoice::count(tenant, reader, &filter).await?
            };
            Ok(Some(i32::try_from(count).unwrap_or(i32::MAX)))
        })
        .await
    }

    /// The sums of the invoices that match the filter, on all pages, by currency. Computed only when asked for.
    async fn totals(&self, ctx: &Context<'_>) -> Result<Vec<CurrencyTotals>> {
        let loaders = &request(ctx)?.loaders;
        let filter = Arc::new(self.list.filter.clone());
        let totals = if let Some(customer) = &self.customer {
            loaders.invoice_totals_of_customer(customer.clone(), filter).await.map_err(Failure::from)?
        } else {
            let (tenant, reader) = loaders.reader();
            let totals = store::invoice::totals(tenant, reader, &filter).await.map_err(Failure::from)?;
            totals.into_iter().map(Arc::new).collect()
        };
        Ok(totals.iter().map(|row| CurrencyTotals::of(row)).collect())
    }
}

/// An invoice in a page.
#[derive(SimpleObject)]
pub(super) struct InvoiceEdge {
    /// Where it stands: give it as `after` or `before` to go on from here.
    cursor: String,
    /// The invoice.
    node: Invoice,
}

/// Sums of invoices in one currency.
#[derive(SimpleObject)]
pub(super) struct CurrencyTotals {
    /// The currency.
    currency: CurrencyCode,
    /// How many invoices.
    count: i32,
    /// Sum of their totals.
    total: Money,
    /// Sum of what is due.
    amount_due: Money,
    /// Sum of what was paid.
    amount_paid: Money,
    /// Sum of what is still to pay.
    amount_remaining: Money,
}

impl CurrencyTotals {
    fn of(row: &store::invoice::CurrencyTotals) -> Self {
        let money = |minor| Money::new(minor, &row.currency);
        Self {
            currency: CurrencyCode(row.currency.clone()),
            count: i32::try_from(row.count).unwrap_or(i32::MAX),
            total: money(row.total),
            amount_due: money(row.amount_due),
            amount_paid: money(row.amount_paid),
            amount_remaining: money(row.amount_remaining),
        }
    }
}
