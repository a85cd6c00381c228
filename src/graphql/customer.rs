//! Customers, as known now.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};
use entity::customer;

use super::connection::PageArguments;
use super::context::{Nullable, guarded, guarded_value, nullable, request};
use super::input::InvoiceFilter;
use super::invoice_connection::{self, InvoiceConnection};
use super::kinds::{CustomerStatus, SourceSystem};
use super::money::{Address, AddressColumns, ExternalAttribute, MetadataEntry, external_attributes, metadata};
use super::payment::PaymentMethod;
use super::rental_connection::{self, RentalConnection};
use super::scalars::{CurrencyCode, Date, DateTime, Decimal};

/// A customer.
#[derive(Clone)]
pub(super) struct Customer(pub(super) Arc<customer::Model>);

impl Customer {
    /// The row as an edge gives it.
    pub(super) fn some(row: Option<Arc<customer::Model>>) -> Option<Self> {
        row.map(Self)
    }
}

/// A customer as known now; what was printed on an invoice is `Invoice.customerSnapshot`.
#[Object]
impl Customer {
    /// The id here: `cus_` and a ULID.
    pub(super) async fn id(&self) -> ID {
        ID(self.0.id.0.clone())
    }

    /// The id in the source system.
    fn external_id(&self) -> Option<&String> {
        self.0.external_id.as_ref()
    }

    /// Where the customer comes from.
    fn source_system(&self) -> SourceSystem {
        self.0.source_system.into()
    }

    /// The merchant's own id for the customer.
    fn alias(&self) -> Option<&String> {
        self.0.alias.as_ref()
    }

    /// The name: of the company, or of the person where there is none.
    fn name(&self) -> &String {
        &self.0.name
    }

    /// The person's first name. Needs the scope `customers.pii:read`.
    fn first_name(&self, ctx: &Context<'_>) -> Nullable<String> {
        guarded_value(ctx, ("Customer", "firstName"), self.0.first_name.clone())
    }

    /// The person's last name. Needs the scope `customers.pii:read`.
    fn last_name(&self, ctx: &Context<'_>) -> Nullable<String> {
        guarded_value(ctx, ("Customer", "lastName"), self.0.last_name.clone())
    }

    /// The company's name.
    fn company_name(&self) -> Option<&String> {
        self.0.company_name.as_ref()
    }

    /// Whether the customer is a company. Null when the source does not say.
    fn is_company(&self) -> Option<bool> {
        self.0.is_company
    }

    /// The e-mail address. Needs the scope `customers.pii:read`.
    fn email(&self, ctx: &Context<'_>) -> Nullable<String> {
        guarded_value(ctx, ("Customer", "email"), self.0.email.clone())
    }

    /// The telephone number. Needs the scope `customers.pii:read`.
    fn phone(&self, ctx: &Context<'_>) -> Nullable<String> {
        guarded_value(ctx, ("Customer", "phone"), self.0.phone.clone())
    }

    /// The tax number. Needs the scope `customers.pii:read`.
    fn tax_id(&self, ctx: &Context<'_>) -> Nullable<String> {
        guarded_value(ctx, ("Customer", "taxId"), self.0.tax_id.clone())
    }

    /// The number in a company register. Needs the scope `customers.pii:read`.
    fn organization_number(&self, ctx: &Context<'_>) -> Nullable<String> {
        guarded_value(ctx, ("Customer", "organizationNumber"), self.0.organization_number.clone())
    }

    /// The billing address. Needs the scope `customers.pii:read`.
    fn billing_address(&self, ctx: &Context<'_>) -> Nullable<Address> {
        let row = &self.0;
        let address = Address::of(AddressColumns {
            line1: row.line1.as_ref(),
            line2: row.line2.as_ref(),
            extra_lines: row.extra_lines.as_ref(),
            city: row.city.as_ref(),
            state: row.state.as_ref(),
            postal_code: row.postal_code.as_ref(),
            country: row.country.as_ref(),
        });
        guarded_value(ctx, ("Customer", "billingAddress"), address)
    }

    /// The language, as the source codes it.
    fn locale(&self) -> Option<&String> {
        self.0.locale.as_ref()
    }

    /// The currency the customer is usually billed in.
    fn currency(&self) -> Option<CurrencyCode> {
        self.0.currency.clone().map(CurrencyCode)
    }

    /// The state of the customer.
    fn status(&self) -> CustomerStatus {
        self.0.status.into()
    }

    /// The state as the source words it.
    fn source_status(&self) -> Option<&String> {
        self.0.source_status.as_ref()
    }

    /// Whether the customer is exempt from tax. Null when the source does not say.
    fn tax_exempt(&self) -> Option<bool> {
        self.0.tax_exempt
    }

    /// The customer's own tax rate in percent.
    fn tax_rate(&self) -> Option<Decimal> {
        self.0.tax_rate.as_ref().map(Decimal::from)
    }

    /// Whether that rate replaces the usual one.
    fn tax_rate_override_enabled(&self) -> Option<bool> {
        self.0.tax_rate_override_enabled
    }

    /// The customer above this one.
    async fn parent(&self, ctx: &Context<'_>) -> Nullable<Customer> {
        nullable(async {
            match &self.0.parent_id {
                Some(id) => Ok(Self::some(request(ctx)?.loaders.customer(id.clone()).await?)),
                None => Ok(None),
            }
        })
        .await
    }

    /// The brand the customer deals with, in the source system.
    fn brand_id(&self) -> Option<&String> {
        self.0.brand_external_id.as_ref()
    }

    /// The name of that brand.
    fn brand_name(&self) -> Option<&String> {
        self.0.brand_name.as_ref()
    }

    /// The contact that is sent the bills, in the source system.
    fn billing_contact_id(&self) -> Option<&String> {
        self.0.billing_contact_external_id.as_ref()
    }

    /// The merchant's notes. Needs the scope `invoices.internal:read`.
    fn notes(&self, ctx: &Context<'_>) -> Nullable<String> {
        guarded_value(ctx, ("Customer", "notes"), self.0.notes.clone())
    }

    /// Whether the customer is real. False for test data.
    fn livemode(&self) -> bool {
        self.0.livemode
    }

    /// What the merchant attached, ordered by key.
    fn metadata(&self, #[graphql(desc = "Only these keys.")] keys: Option<Vec<String>>) -> Vec<MetadataEntry> {
        metadata(&self.0.metadata, keys)
    }

    /// What the source stated and the schema has no field for. Needs the scope `invoices.internal:read`.
    fn external_attributes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only these keys.")] keys: Option<Vec<String>>,
    ) -> Nullable<Vec<ExternalAttribute>> {
        let attributes = external_attributes(&self.0.external_attributes, keys);
        guarded_value(ctx, ("Customer", "externalAttributes"), Some(attributes))
    }

    /// When the customer was recorded here.
    fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// The day on which the source recorded the customer.
    fn source_created_at(&self) -> Option<Date> {
        self.0.source_created_on.map(Date)
    }

    /// The customer's invoices, newest first. Needs the scope `invoices:read`.
    async fn invoices(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many from the start, 1 to 100; 20 when not given.")] first: Option<i32>,
        #[graphql(desc = "Only those behind this cursor.")] after: Option<String>,
        #[graphql(desc = "Only those that match.")] filter: Option<InvoiceFilter>,
    ) -> Nullable<InvoiceConnection> {
        guarded(ctx, ("Customer", "invoices"), async {
            let page = PageArguments { first, after, last: None, before: None };
            let list = invoice_connection::list(page, filter, None, request(ctx)?.now)?;
            Ok(Some(InvoiceConnection::of_customer(ctx, self.0.id.clone(), list).await?))
        })
        .await
    }

    /// The customer's rentals, newest start first. Needs the scope `rentals:read`.
    async fn rentals(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many from the start, 1 to 100; 20 when not given.")] first: Option<i32>,
        #[graphql(desc = "Only those behind this cursor.")] after: Option<String>,
    ) -> Nullable<RentalConnection> {
        guarded(ctx, ("Customer", "rentals"), async {
            let page = PageArguments { first, after, last: None, before: None }.page(rental_connection::ORDER)?;
            Ok(Some(RentalConnection::of_customer(ctx, self.0.id.clone(), page).await?))
        })
        .await
    }

    /// Usable means of payment, the default one first. Needs the scope `payments:read`.
    async fn payment_methods(&self, ctx: &Context<'_>) -> Nullable<Vec<PaymentMethod>> {
        guarded(ctx, ("Customer", "paymentMethods"), async {
            let rows = request(ctx)?.loaders.payment_methods_of(self.0.id.clone()).await?;
            Ok(Some(rows.iter().cloned().map(PaymentMethod).collect()))
        })
        .await
    }
}
