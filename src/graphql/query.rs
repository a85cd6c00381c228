//! Where every query starts.

use async_graphql::{Context, ID, Object, Result};

use super::api_key::{self, ApiKeyConnection, ApiKeyFilter};
use super::audit_log::{self, AuditLogConnection, AuditLogFilter};
use super::connection::PageArguments;
use super::context::{Nullable, guarded, nullable, request};
use super::customer::Customer;
use super::customer_connection::{self, CustomerConnection};
use super::error::Failure;
use super::input::{self, CustomerFilter, InvoiceFilter, InvoiceOrder, RentalFilter};
use super::invoice::Invoice;
use super::invoice_connection::{self, InvoiceConnection};
use super::kinds::{Direction, InvoiceOrderField, SourceSystem};
use super::node::Node;
use super::payment::Payment;
use super::rate_limit::RateLimit;
use super::rental::Rental;
use super::rental_connection::{self, RentalConnection};
use super::session::{self, SessionConnection, SessionFilter};
use super::viewer::Viewer;
use crate::domain::viewer::Scope;

/// Ids that `nodes` takes at once.
pub(super) const NODES_MAX: usize = 100;

/// The root of every query.
pub struct Query;

/// Where every query starts. What you may not see does not exist: asking for it gives null without an error, exactly
/// as for an unknown id. A field whose scope is missing is null with the error FORBIDDEN.
#[Object]
impl Query {
    /// Any object by its id. Needs the scope that its type needs.
    async fn node(&self, ctx: &Context<'_>, #[graphql(desc = "The id.")] id: ID) -> Nullable<Node> {
        nullable(Node::load(ctx, id)).await
    }

    /// Objects by their ids, in the order asked for; null where there is none. At most 100.
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The ids, at most 100.")] ids: Vec<ID>,
    ) -> Result<Vec<Nullable<Node>>> {
        if ids.len() > NODES_MAX {
            return Err(Failure::BadInput(format!("ids must have at most {NODES_MAX} entries.")).into());
        }
        Ok(futures::future::join_all(ids.into_iter().map(|id| nullable(Node::load(ctx, id)))).await)
    }

    /// Who asks, and what the credential opens.
    #[expect(clippy::unused_self, reason = "a resolver is a method")]
    fn viewer(&self, ctx: &Context<'_>) -> Result<Viewer> {
        Ok(Viewer(request(ctx)?.viewer.clone()))
    }

    /// What you may still ask for. Null where requests are not counted.
    #[expect(clippy::unused_self, reason = "a resolver is a method")]
    fn rate_limit(&self, ctx: &Context<'_>) -> Result<Option<RateLimit>> {
        Ok(request(ctx)?.charged.map(RateLimit))
    }

    /// An invoice by its id. Needs the scope `invoices:read`.
    async fn invoice(&self, ctx: &Context<'_>, #[graphql(desc = "The id: `inv_…`.")] id: ID) -> Nullable<Invoice> {
        guarded(ctx, ("Query", "invoice"), async {
            Ok(Invoice::some(request(ctx)?.loaders.invoice(input::id("id", id)?).await?))
        })
        .await
    }

    /// An issued invoice by the number printed on it. Needs the scope `invoices:read`.
    async fn invoice_by_number(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The number, exactly as printed.")] number: String,
        #[graphql(default_with = "SourceSystem::Native", desc = "The system whose number it is.")] system: SourceSystem,
    ) -> Nullable<Invoice> {
        guarded(ctx, ("Query", "invoiceByNumber"), async {
            let number = input::plain("number", number)?;
            Ok(Invoice::some(request(ctx)?.loaders.invoice_by_number(number, system.into()).await?))
        })
        .await
    }

    /// An invoice by the id it has in its source system. Needs the scope `invoices:read`.
    async fn invoice_by_external_id(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The source system.")] system: SourceSystem,
        #[graphql(desc = "The id there.")] external_id: String,
    ) -> Nullable<Invoice> {
        guarded(ctx, ("Query", "invoiceByExternalId"), async {
            let external_id = input::plain("externalId", external_id)?;
            Ok(Invoice::some(request(ctx)?.loaders.invoice_by_external_id(external_id, system.into()).await?))
        })
        .await
    }

    /// Invoices, newest first unless ordered otherwise. Drafts only when asked for. Needs the scope `invoices:read`.
    #[expect(clippy::too_many_arguments, reason = "the four of a Relay connection, a filter and an order")]
    async fn invoices(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many from the start, 1 to 100; 20 when neither first nor last is given.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only those behind this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only those before this cursor.")] before: Option<String>,
        #[graphql(desc = "Only those that match.")] filter: Option<InvoiceFilter>,
        #[graphql(
            default_with = "InvoiceOrder { field: InvoiceOrderField::CreatedAt, direction: Direction::Desc }",
            desc = "In which order."
        )]
        order_by: InvoiceOrder,
    ) -> Nullable<InvoiceConnection> {
        guarded(ctx, ("Query", "invoices"), async {
            let page = PageArguments { first, after, last, before };
            let list = invoice_connection::list(page, filter, Some(order_by), request(ctx)?.now)?;
            Ok(Some(InvoiceConnection::of_all(ctx, list).await?))
        })
        .await
    }

    /// A rental by its id. Needs the scope `rentals:read`.
    async fn rental(&self, ctx: &Context<'_>, #[graphql(desc = "The id: `rent_…`.")] id: ID) -> Nullable<Rental> {
        guarded(ctx, ("Query", "rental"), async {
            Ok(Rental::some(request(ctx)?.loaders.rental(input::id("id", id)?).await?))
        })
        .await
    }

    /// Rentals, newest start first. Needs the scope `rentals:read`; a filter by open invoices needs `invoices:read` too.
    async fn rentals(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many from the start, 1 to 100; 20 when neither first nor last is given.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only those behind this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only those before this cursor.")] before: Option<String>,
        #[graphql(desc = "Only those that match.")] filter: Option<RentalFilter>,
    ) -> Nullable<RentalConnection> {
        guarded(ctx, ("Query", "rentals"), async {
            let filter = filter.unwrap_or_default();
            if filter.has_open_invoice.is_some() && !request(ctx)?.viewer.scopes.has(Scope::InvoicesRead) {
                return Err(Failure::Forbidden(Scope::InvoicesRead));
            }
            let page = PageArguments { first, after, last, before }.page(rental_connection::ORDER)?;
            Ok(Some(RentalConnection::of_all(ctx, filter.checked()?, page).await?))
        })
        .await
    }

    /// A customer by its id. Needs the scope `customers:read`.
    async fn customer(&self, ctx: &Context<'_>, #[graphql(desc = "The id: `cus_…`.")] id: ID) -> Nullable<Customer> {
        guarded(ctx, ("Query", "customer"), async {
            Ok(Customer::some(request(ctx)?.loaders.customer(input::id("id", id)?).await?))
        })
        .await
    }

    /// Customers, newest first. Needs the scope `customers:read`; a filter by e-mail needs `customers.pii:read` too.
    async fn customers(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many from the start, 1 to 100; 20 when neither first nor last is given.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only those behind this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only those before this cursor.")] before: Option<String>,
        #[graphql(desc = "Only those that match.")] filter: Option<CustomerFilter>,
    ) -> Nullable<CustomerConnection> {
        guarded(ctx, ("Query", "customers"), async {
            let filter = filter.unwrap_or_default();
            // Whoever may not read an address may not find out by asking for it either.
            if filter.email.is_some() && !request(ctx)?.viewer.scopes.has(Scope::CustomersPiiRead) {
                return Err(Failure::Forbidden(Scope::CustomersPiiRead));
            }
            let page = PageArguments { first, after, last, before }.page(customer_connection::ORDER)?;
            Ok(Some(CustomerConnection::of_all(ctx, filter.checked()?, page).await?))
        })
        .await
    }

    /// A payment or refund by its id. Needs the scope `payments:read`.
    async fn payment(&self, ctx: &Context<'_>, #[graphql(desc = "The id: `pay_…`.")] id: ID) -> Nullable<Payment> {
        guarded(ctx, ("Query", "payment"), async { Payment::load(ctx, input::id("id", id)?).await }).await
    }

    /// API keys of the tenant, newest first, those that have ended included. Who is limited to some customers sees those
    /// that are limited to the same or fewer. Needs the scope `tokens:manage`.
    async fn api_keys(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many from the start, 1 to 100; 20 when neither first nor last is given.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only those behind this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only those before this cursor.")] before: Option<String>,
        #[graphql(desc = "Only those that match.")] filter: Option<ApiKeyFilter>,
    ) -> Nullable<ApiKeyConnection> {
        guarded(ctx, ("Query", "apiKeys"), async {
            let page = PageArguments { first, after, last, before }.page(api_key::ORDER)?;
            let filter = filter.unwrap_or_default().at(request(ctx)?.credentials_now()?);
            Ok(Some(ApiKeyConnection::load(ctx, filter, page).await?))
        })
        .await
    }

    /// Sessions of customers' browsers, newest first; those that have ended too, for a week. Who is limited to some customers
    /// sees theirs. Needs the scope `tokens:manage`.
    async fn sessions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many from the start, 1 to 100; 20 when neither first nor last is given.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only those behind this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only those before this cursor.")] before: Option<String>,
        #[graphql(desc = "Only those that match.")] filter: Option<SessionFilter>,
    ) -> Nullable<SessionConnection> {
        guarded(ctx, ("Query", "sessions"), async {
            let page = PageArguments { first, after, last, before }.page(session::ORDER)?;
            let filter = filter.unwrap_or_default().checked(request(ctx)?.credentials_now()?)?;
            Ok(Some(SessionConnection::load(ctx, filter, page).await?))
        })
        .await
    }

    /// Who changed what, newest first. Empty for who is limited to some customers. Needs the scope `audit:read`.
    async fn audit_log(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many from the start, 1 to 100; 20 when neither first nor last is given.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Only those behind this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only those before this cursor.")] before: Option<String>,
        #[graphql(desc = "Only those that match.")] filter: Option<AuditLogFilter>,
    ) -> Nullable<AuditLogConnection> {
        guarded(ctx, ("Query", "auditLog"), async {
            let page = PageArguments { first, after, last, before }.page(audit_log::ORDER)?;
            let filter = filter.unwrap_or_default().checked()?;
            Ok(Some(AuditLogConnection::load(ctx, &filter, page).await?))
        })
        .await
    }
}
