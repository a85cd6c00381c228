//! Pages of customers.

use std::sync::Arc;

use async_graphql::{Context, Object, SimpleObject};
use entity::customer;

use super::connection::{ListOrder, PageInfo, ValueKind, page_info};
use super::context::{Nullable, nullable, request};
use super::customer::Customer;
use super::error::Failure;
use crate::loaders::RowsPage;
use crate::store;
use crate::store::Page;
use crate::store::customer::Filter;

/// Customers are listed by when they were recorded.
pub(super) const ORDER: ListOrder = ListOrder { name: "CUSTOMER_CREATED_AT", value: ValueKind::Instant };

/// One page of a list of customers.
pub(super) struct CustomerConnection {
    page: Page,
    filter: Filter,
    rows: RowsPage<customer::Model>,
}

impl CustomerConnection {
    /// A page of what the filter has.
    pub(super) async fn of_all(ctx: &Context<'_>, filter: Filter, page: Page) -> Result<Self, Failure> {
        let (tenant, reader) = request(ctx)?.loaders.reader();
        let (rows, more) = store::customer::list(tenant, reader, &filter, &page).await?;
        request(ctx)?.charge(rows.len())?;
        let rows = rows.into_iter().map(Arc::new).collect();
        Ok(Self { page, filter, rows: (rows, more) })
    }
}

/// A page of customers.
#[Object]
impl CustomerConnection {
    /// The customers with their cursors.
    fn edges(&self) -> Vec<CustomerEdge> {
        let edge = |row| CustomerEdge { cursor: cursor(row), node: Customer(Arc::clone(row)) };
        self.rows.0.iter().map(edge).collect()
    }

    /// The customers.
    fn nodes(&self) -> Vec<Customer> {
        self.rows.0.iter().cloned().map(Customer).collect()
    }

    /// Where the page stands in the list.
    fn page_info(&self) -> PageInfo {
        let ends = self.rows.0.first().zip(self.rows.0.last());
        page_info(&self.page, self.rows.1, ends.map(|(first, last)| (cursor(first), cursor(last))))
    }

    /// How many customers match the filter, on all pages. Counted only when asked for.
    async fn total_count(&self, ctx: &Context<'_>) -> Nullable<i32> {
        nullable(async {
            let (tenant, reader) = request(ctx)?.loaders.reader();
            let count = store::customer::count(tenant, reader, &self.filter).await?;
            Ok(Some(i32::try_from(count).unwrap_or(i32::MAX)))
        })
        .await
    }
}

fn cursor(row: &Arc<customer::Model>) -> String {
    ORDER.cursor(&store::customer::place(row))
}

/// A customer in a page.
#[derive(SimpleObject)]
pub(super) struct CustomerEdge {
    /// Where it stands: give it as `after` or `before` to go on from here.
    cursor: String,
    /// The customer.
    node: Customer,
}
