//! Any object by its id (Relay's global object identification).

use async_graphql::{Context, ID, Interface};

use super::access;
use super::api_key::ApiKey;
use super::catalogue::{BillingSubscription, Price, Product};
use super::context::request;
use super::customer::Customer;
use super::error::Failure;
use super::input;
use super::invoice::Invoice;
use super::invoice_event::InvoiceEvent;
use super::line_item::{LineItem, SubLine};
use super::payment::{Payment, PaymentMethod};
use super::rental::Rental;
use super::session::Session;
use super::source_document::SourceDocument;

/// Anything with an id of its own.
#[derive(Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "The id: a prefix that names the type, and a ULID."))]
pub(super) enum Node {
    /// An invoice.
    Invoice(Invoice),
    /// A line.
    LineItem(LineItem),
    /// A part of a line.
    SubLine(SubLine),
    /// A subscription.
    BillingSubscription(BillingSubscription),
    /// A product.
    Product(Product),
    /// A price.
    Price(Price),
    /// A payment or refund.
    Payment(Payment),
    /// A stored means of payment.
    PaymentMethod(PaymentMethod),
    /// A rental.
    Rental(Rental),
    /// A customer.
    Customer(Customer),
    /// An entry of an invoice's history.
    InvoiceEvent(InvoiceEvent),
    /// An imported document.
    SourceDocument(SourceDocument),
    /// An API key.
    ApiKey(ApiKey),
    /// A session.
    Session(Session),
}

/// The type whose ids start so; ids of anything else are ids of nothing.
fn type_of(id: &str) -> Option<&'static str> {
    let prefix = id.split_once('_').map(|(prefix, _)| prefix)?;
    Some(match prefix {
        "inv" => "Invoice",
        "li" => "LineItem",
        "sli" => "SubLine",
        "sub" => "BillingSubscription",
        "prod" => "Product",
        "price" => "Price",
        "pay" => "Payment",
        "pm" => "PaymentMethod",
        "rent" => "Rental",
        "cus" => "Customer",
        "iev" => "InvoiceEvent",
        "src" => "SourceDocument",
        "key" => "ApiKey",
        "ses" => "Session",
        _ => return None,
    })
}

impl Node {
    /// The object of that id: nothing when it is unknown or not the caller's.
    pub(super) async fn load(ctx: &Context<'_>, id: ID) -> Result<Option<Self>, Failure> {
        let id: String = input::id("id", id)?;
        let Some(type_name) = type_of(&id) else { return Ok(None) };
        let scope = access::scope_of_node(type_name).ok_or(Failure::Defect("a node without a scope"))?;
        let request = request(ctx)?;
        if !request.viewer.scopes.has(scope) {
            return Err(Failure::Forbidden(scope));
        }
        let loaders = &request.loaders;
        Ok(match type_name {
            "Invoice" => Invoice::some(loaders.invoice(id.into()).await?).map(Self::Invoice),
            "BillingSubscription" => {
                loaders.subscription(id.into()).await?.map(BillingSubscription).map(Self::BillingSubscription)
            }
            "Product" => loaders.product(id.into()).await?.map(Product).map(Self::Product),
            "Price" => loaders.price(id.into()).await?.map(Price).map(Self::Price),
            "Payment" => Payment::load(ctx, id.into()).await?.map(Self::Payment),
            "PaymentMethod" => loaders.payment_method(id.into()).await?.map(PaymentMethod).map(Self::PaymentMethod),
            "Rental" => Rental::some(loaders.rental(id.into()).await?).map(Self::Rental),
            "Customer" => Customer::some(loaders.customer(id.into()).await?).map(Self::Customer),
            "ApiKey" => loaders.api_key(id.into()).await?.map(ApiKey).map(Self::ApiKey),
            "Session" => loaders.session(id.into()).await?.map(Session).map(Self::Session),
            _ => Self::load_part(ctx, type_name, id).await?,
        })
    }

    /// A part of an invoice: there for whoever may see the invoice.
    async fn load_part(ctx: &Context<'_>, type_name: &str, id: String) -> Result<Option<Self>, Failure> {
        let loaders = &request(ctx)?.loaders;
        match type_name {
            "LineItem" => {
                let Some(row) = loaders.line_item(id.into()).await? else {
                    return Ok(None);
                };
                let invoice = loaders.invoice(row.invoice_id.clone()).await?;
                Ok(invoice.map(|invoice| Self::LineItem(LineItem::of(&row, &invoice))))
            }
            "SubLine" => {
                let Some(row) = loaders.sub_line(id.into()).await? else {
                    return Ok(None);
                };
                let invoice = loaders.invoice(row.invoice_id.clone()).await?;
                Ok(invoice.map(|invoice| Self::SubLine(SubLine::of(row, &invoice))))
            }
            "InvoiceEvent" => {
                let Some(row) = loaders.invoice_event(id.into()).await? else {
                    return Ok(None);
                };
                let invoice = loaders.invoice(row.invoice_id.clone()).await?;
                Ok(invoice.map(|_visible| Self::InvoiceEvent(InvoiceEvent(row))))
            }
            "SourceDocument" => {
                let Some(row) = loaders.source_document(id.into()).await? else {
                    return Ok(None);
                };
                let invoice = loaders.invoice(row.entity_id.clone().into()).await?;
                Ok(invoice.map(|_visible| Self::SourceDocument(SourceDocument(row))))
            }
            _ => Err(Failure::Defect("a node that nothing loads")),
        }
    }
}
