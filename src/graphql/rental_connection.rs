//! Pages of rentals.

use std::sync::Arc;

use async_graphql::{Context, Object, SimpleObject};
use entity::{CustomerId, rental};

use super::connection::{ListOrder, PageInfo, ValueKind, page_info};
use super::context::{Nullable, nullable, request};
use super::error::Failure;
use super::rental::Rental;
use crate::loaders::RowsPage;
use crate::store;
use crate::store::Page;
use crate::store::rental::Filter;

/// Rentals are listed by their start.
pub(super) const ORDER: ListOrder = ListOrder { name: "STARTED_AT", value: ValueKind::Instant };

/// One page of a list of rentals: of those a filter has, or of one customer's.
pub(super) struct RentalConnection {
    page: Page,
    of: Of,
    rows: RowsPage<rental::Model>,
}

enum Of {
    Filter(Filter),
    Customer(CustomerId),
}

impl RentalConnection {
    /// A page of what the filter has.
    pub(super) async fn of_all(ctx: &Context<'_>, filter: Filter, page: Page) -> Result<Self, Failure> {
        let (tenant, reader) = request(ctx)?.loaders.reader();
        let (rows, more) = store::rental::list(tenant, reader, &filter, &page).await?;
        request(ctx)?.charge(rows.len())?;
        let rows = rows.into_iter().map(Arc::new).collect();
        Ok(Self { page, of: Of::Filter(filter), rows: (rows, more) })
    }

    /// A page of one customer's rentals, read together with those of other customers.
    pub(super) async fn of_customer(ctx: &Context<'_>, customer: CustomerId, page: Page) -> Result<Self, Failure> {
        let rows = request(ctx)?.loaders.rentals_of_customer(customer.clone(), page.clone()).await?;
        request(ctx)?.charge(rows.0.len())?;
        Ok(Self { page, of: Of::Customer(customer), rows })
    }
}

/// A page of rentals.
#[Object]
impl RentalConnection {
    /// The rentals with their cursors.
    fn edges(&self) -> Vec<RentalEdge> {
        let edge = |row| RentalEdge { cursor: cursor(row), node: Rental(Arc::clone(row)) };
        self.rows.0.iter().map(edge).collect()
    }

    /// The rentals.
    fn nodes(&self) -> Vec<Rental> {
        self.rows.0.iter().cloned().map(Rental).collect()
    }

    /// Where the page stands in the list.
    fn page_info(&self) -> PageInfo {
        let ends = self.rows.0.first().zip(self.rows.0.last());
        page_info(&self.page, self.rows.1, ends.map(|(first, last)| (cursor(first), cursor(last))))
    }

    /// How many rentals there are on all pages. Counted only when asked for.
    async fn total_count(&self, ctx: &Context<'_>) -> Nullable<i32> {
        nullable(async {
            let loaders = &request(ctx)?.loaders;
            let count = match &self.of {
                Of::Customer(customer) => loaders.rental_count_of_customer(customer.clone()).await?,
                Of::Filter(filter) => {
                    let (tenant, reader) = loaders.reader();
                    store::rental::count(tenant, reader, filter).await?
                }
            };
            Ok(Some(i32::try_from(count).unwrap_or(i32::MAX)))
        })
        .await
    }
}

fn cursor(row: &Arc<rental::Model>) -> String {
    ORDER.cursor(&store::rental::place(row))
}

/// A rental in a page.
#[derive(SimpleObject)]
pub(super) struct RentalEdge {
    /// Where it stands: give it as `after` or `before` to go on from here.
    cursor: String,
    /// The rental.
    node: Rental,
}
