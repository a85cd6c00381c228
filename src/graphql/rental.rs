//! Rentals of GPUs, which invoices bill.

use std::sync::Arc;

use async_graphql::{Context, ID, Object, SimpleObject};
use entity::rental;

use super::connection::within;
use super::context::{Nullable, guarded, guarded_value, request};
use super::customer::Customer;
use super::invoice::Invoice;
use super::kinds::RentalStatus;
use super::money::Money;
use super::scalars::{DateTime, SafeInt};

/// Invoices of one answer at the most.
const INVOICES_MAX: u64 = 100;

/// A rental.
#[derive(Clone)]
pub(super) struct Rental(pub(super) Arc<rental::Model>);

impl Rental {
    /// The row as an edge gives it.
    pub(super) fn some(row: Option<Arc<rental::Model>>) -> Option<Self> {
        row.map(Self)
    }
}

/// GPUs rented by the hour.
#[Object]
impl Rental {
    /// The id: `rent_` and a ULID.
    pub(super) async fn id(&self) -> ID {
        ID(self.0.id.0.clone())
    }

    /// What the customer calls it, such as `alice/exp-42`.
    fn name(&self) -> Option<&String> {
        self.0.name.as_ref()
    }

    /// The state of the rental.
    fn status(&self) -> RentalStatus {
        self.0.status.into()
    }

    /// The GPUs, such as `h100-80gb`.
    fn gpu_family(&self) -> &String {
        &self.0.gpu_family
    }

    /// How many GPUs: 1, 2, 4 or 8.
    fn gpu_count(&self) -> i32 {
        self.0.gpu_count
    }

    /// Where they stand.
    fn region(&self) -> Option<&String> {
        self.0.region.as_ref()
    }

    /// The image it was started from.
    fn template(&self) -> Option<&String> {
        self.0.template.as_ref()
    }

    /// The price of an hour of the whole rental.
    fn price_per_hour(&self) -> Money {
        Money::new(self.0.price_per_hour, &self.0.currency)
    }

    /// Seconds billed so far.
    fn seconds_billed(&self) -> SafeInt {
        SafeInt(self.0.seconds_billed)
    }

    /// What was charged so far.
    fn total_charged(&self) -> Money {
        Money::new(self.0.total_charged, &self.0.currency)
    }

    /// When it was started.
    fn started_at(&self) -> DateTime {
        DateTime(self.0.started_at)
    }

    /// When it was stopped. Null while it runs.
    fn stopped_at(&self) -> Option<DateTime> {
        self.0.stopped_at.map(DateTime)
    }

    /// Why it failed.
    fn error(&self) -> Option<&String> {
        self.0.error.as_ref()
    }

    /// How to reach it. Null when it has no address. Needs the scope `rentals.connection:read`.
    fn connection(&self, ctx: &Context<'_>) -> Nullable<RentalConnectionInfo> {
        let (host, port) = (self.0.host.clone(), self.0.port);
        let address = (host.is_some() || port.is_some()).then_some(RentalConnectionInfo { host, port });
        guarded_value(ctx, ("Rental", "connection"), address)
    }

    /// The customer who rents. Needs the scope `customers:read`.
    async fn customer(&self, ctx: &Context<'_>) -> Nullable<Customer> {
        guarded(ctx, ("Rental", "customer"), async {
            Ok(Customer::some(request(ctx)?.loaders.customer(self.0.customer_id.clone()).await?))
        })
        .await
    }

    /// Invoices that bill the rental, as a whole or in a line, newest first. Needs the scope `invoices:read`.
    async fn invoices(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 20, desc = "How many, 1 to 100.")] first: i32,
    ) -> Nullable<Vec<Invoice>> {
        guarded(ctx, ("Rental", "invoices"), async {
            let first = within("first", first, INVOICES_MAX)?;
            let rows = request(ctx)?.loaders.invoices_of_rental(self.0.id.clone(), first).await?;
            request(ctx)?.charge(rows.len())?;
            Ok(Some(rows.iter().cloned().map(Invoice).collect()))
        })
        .await
    }
}

/// How to reach a rental.
#[derive(SimpleObject)]
pub(super) struct RentalConnectionInfo {
    /// Host name or address.
    host: Option<String>,
    /// Port.
    port: Option<i32>,
}
