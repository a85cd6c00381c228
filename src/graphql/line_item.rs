//! Lines of invoices and their parts.

use std::sync::Arc;

use async_graphql::{Context, ID, Object, Result, SimpleObject};
use entity::{CurrencyCode as Code, invoice, line_item, sub_line};

use super::catalogue::{BillingSubscription, Price, Product};
use super::context::{Nullable, guarded, guarded_value, nullable, request};
use super::discount::Discount;
use super::error::Failure;
use super::invoice::Invoice;
use super::kinds::{LineItemKind, OriginKind};
use super::money::{ExternalAttribute, MetadataEntry, Money, Period, external_attributes, metadata};
use super::rental::Rental;
use super::scalars::{Decimal, Json};

/// A line, with the currency of its invoice.
#[derive(Clone)]
pub(super) struct LineItem {
    pub(super) row: Arc<line_item::Model>,
    currency: Code,
}

impl LineItem {
    pub(super) fn of(row: &Arc<line_item::Model>, invoice: &invoice::Model) -> Self {
        Self { row: Arc::clone(row), currency: invoice.currency.clone() }
    }
}

/// A line of an invoice.
#[Object]
impl LineItem {
    /// The id here: `li_` and a ULID.
    pub(super) async fn id(&self) -> ID {
        ID(self.row.id.0.clone())
    }

    /// The id in the source system.
    fn external_id(&self) -> Option<&String> {
        self.row.external_id.as_ref()
    }

    /// The place among the lines of the invoice, from 0.
    fn position(&self) -> i32 {
        self.row.position
    }

    /// What the line bills.
    fn kind(&self) -> LineItemKind {
        self.row.kind.into()
    }

    /// What the line bills, as the source words it.
    fn source_kind(&self) -> Option<&String> {
        self.row.source_kind.as_ref()
    }

    /// A short name, where the source has one.
    fn name(&self) -> Option<&String> {
        self.row.name.as_ref()
    }

    /// What the line says on the invoice.
    fn description(&self) -> &String {
        &self.row.description
    }

    /// A second text below the description.
    fn details(&self) -> Option<&String> {
        self.row.details.as_ref()
    }

    /// How many units.
    fn quantity(&self) -> Decimal {
        Decimal::from(&self.row.quantity)
    }

    /// How many units were metered, where that differs from what is billed.
    fn raw_quantity(&self) -> Option<Decimal> {
        self.row.raw_quantity.as_ref().map(Decimal::from)
    }

    /// The unit, such as `gpu_hour`.
    fn unit(&self) -> Option<&String> {
        self.row.unit.as_ref()
    }

    /// The price of a unit in major units, with as many digits as it needs.
    fn unit_price(&self) -> Option<Decimal> {
        self.row.unit_price.as_ref().map(Decimal::from)
    }

    /// What the line was rated with. Null when the source names neither price nor product.
    fn pricing(&self) -> Option<LinePricing> {
        (self.row.price_id.is_some() || self.row.product_id.is_some()).then(|| LinePricing(Arc::clone(&self.row)))
    }

    /// Before the line's own discounts and tax.
    fn subtotal(&self) -> Money {
        Money::new(self.row.subtotal, &self.currency)
    }

    /// The line's own discounts.
    fn discount_total(&self) -> Money {
        Money::new(self.row.discount_total, &self.currency)
    }

    /// A one-off part of the subtotal.
    fn setup_fee(&self) -> Option<Money> {
        Money::some(self.row.setup_fee, &self.currency)
    }

    /// Whether the line is taxed.
    fn taxable(&self) -> bool {
        self.row.taxable
    }

    /// The tax rate in percent.
    fn tax_rate(&self) -> Option<Decimal> {
        self.row.tax_rate.as_ref().map(Decimal::from)
    }

    /// The tax of the line, where the source states it by line.
    fn tax_total(&self) -> Option<Money> {
        Money::some(self.row.tax_total, &self.currency)
    }

    /// What the line adds to the invoice.
    fn amount(&self) -> Money {
        Money::new(self.row.amount, &self.currency)
    }

    /// Whether `amount` contains the line's tax.
    fn amount_includes_tax(&self) -> bool {
        self.row.amount_includes_tax
    }

    /// Whether the line prorates a change in mid-cycle.
    fn is_proration(&self) -> bool {
        self.row.is_proration
    }

    /// The time that the line bills.
    fn period(&self) -> Option<Period> {
        Period::of(self.row.period_start, self.row.period_end, self.row.period_is_date)
    }

    /// The id of the rental that the line bills.
    fn rental_id(&self) -> Option<ID> {
        self.row.rental_id.as_ref().map(|id| ID(id.0.clone()))
    }

    /// The rental that the line bills. Needs the scope `rentals:read`.
    async fn rental(&self, ctx: &Context<'_>) -> Nullable<Rental> {
        guarded(ctx, ("LineItem", "rental"), async {
            match &self.row.rental_id {
                Some(id) => Ok(Rental::some(request(ctx)?.loaders.rental(id.clone()).await?)),
                None => Ok(None),
            }
        })
        .await
    }

    /// The subscription that the line bills.
    async fn subscription(&self, ctx: &Context<'_>) -> Nullable<BillingSubscription> {
        nullable(BillingSubscription::load(ctx, self.row.subscription_id.as_ref())).await
    }

    /// What the line was made from.
    fn origin(&self) -> LineOrigin {
        LineOrigin {
            kind: self.row.origin_kind.into(),
            item_id: self.row.origin_external_id.clone(),
            subscription_item_id: self.row.subscription_item_external_id.clone(),
        }
    }

    /// The group of lines that the source prints it in.
    fn group_id(&self) -> Option<&String> {
        self.row.group_external_id.as_ref()
    }

    /// The parts of the line in printed order, such as rate bands.
    async fn sub_lines(&self, ctx: &Context<'_>) -> Result<Vec<SubLine>> {
        let all = request(ctx)?.loaders.sub_lines_of(self.row.invoice_id.clone()).await.map_err(Failure::from)?;
        let own = all.get(&self.row.id);
        request(ctx)?.charge(own.map_or(0, Vec::len))?;
        let own = own.into_iter().flatten();
        Ok(own.map(|row| SubLine { row: Arc::clone(row), currency: self.currency.clone() }).collect())
    }

    /// The line's own discounts.
    async fn discounts(&self, ctx: &Context<'_>) -> Result<Vec<Discount>> {
        let all = request(ctx)?.loaders.discounts_of(self.row.invoice_id.clone()).await.map_err(Failure::from)?;
        let own = all.iter().filter(|row| row.line_item_id.as_ref() == Some(&self.row.id));
        Ok(own.map(|row| Discount::of(row, &self.currency)).collect())
    }

    /// What the merchant attached, ordered by key.
    fn metadata(&self, #[graphql(desc = "Only these keys.")] keys: Option<Vec<String>>) -> Vec<MetadataEntry> {
        metadata(&self.row.metadata, keys)
    }

    /// The invoice that the line is of. Needs the scope `invoices:read`.
    async fn invoice(&self, ctx: &Context<'_>) -> Nullable<Invoice> {
        guarded(ctx, ("LineItem", "invoice"), async {
            Ok(Invoice::some(request(ctx)?.loaders.invoice(self.row.invoice_id.clone()).await?))
        })
        .await
    }

    /// What the source stated and the schema has no field for. Needs the scope `invoices.internal:read`.
    fn external_attributes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only these keys.")] keys: Option<Vec<String>>,
    ) -> Nullable<Vec<ExternalAttribute>> {
        let attributes = external_attributes(&self.row.external_attributes, keys);
        guarded_value(ctx, ("LineItem", "externalAttributes"), Some(attributes))
    }
}

/// What a line was made from, as the source names it.
#[derive(SimpleObject)]
pub(super) struct LineOrigin {
    /// The sort of origin.
    kind: OriginKind,
    /// The item's id in the source system.
    item_id: Option<String>,
    /// The subscription item's id in the source system.
    subscription_item_id: Option<String>,
}

/// What a line was rated with.
pub(super) struct LinePricing(Arc<line_item::Model>);

/// What a line was rated with.
#[Object]
impl LinePricing {
    /// The id of the price.
    fn price_id(&self) -> Option<ID> {
        self.0.price_id.as_ref().map(|id| ID(id.0.clone()))
    }

    /// The price.
    async fn price(&self, ctx: &Context<'_>) -> Nullable<Price> {
        nullable(async {
            match &self.0.price_id {
                Some(id) => Ok(request(ctx)?.loaders.price(id.clone()).await?.map(Price)),
                None => Ok(None),
            }
        })
        .await
    }

    /// The id of the product.
    fn product_id(&self) -> Option<ID> {
        self.0.product_id.as_ref().map(|id| ID(id.0.clone()))
    }

    /// The product.
    async fn product(&self, ctx: &Context<'_>) -> Nullable<Product> {
        nullable(async {
            match &self.0.product_id {
                Some(id) => Ok(request(ctx)?.loaders.product(id.clone()).await?.map(Product)),
                None => Ok(None),
            }
        })
        .await
    }
}

/// A part of a line, with the currency of its invoice.
#[derive(Clone)]
pub(super) struct SubLine {
    row: Arc<sub_line::Model>,
    currency: Code,
}

impl SubLine {
    pub(super) fn of(row: Arc<sub_line::Model>, invoice: &invoice::Model) -> Self {
        Self { row, currency: invoice.currency.clone() }
    }
}

/// A part of a line, such as one rate band of a week's usage.
#[Object]
impl SubLine {
    /// The id here: `sli_` and a ULID.
    pub(super) async fn id(&self) -> ID {
        ID(self.row.id.0.clone())
    }

    /// The id in the source system.
    fn external_id(&self) -> Option<&String> {
        self.row.external_id.as_ref()
    }

    /// What it says on the invoice.
    fn name(&self) -> &String {
        &self.row.name
    }

    /// How many units.
    fn quantity(&self) -> Decimal {
        Decimal::from(&self.row.quantity)
    }

    /// The price of a unit in major units, with as many digits as it needs.
    fn unit_price(&self) -> Decimal {
        Decimal::from(&self.row.unit_price)
    }

    /// What it adds to the line.
    fn amount(&self) -> Money {
        Money::new(self.row.amount, &self.currency)
    }

    /// What the source stated besides.
    fn attributes(&self) -> Option<Json> {
        let empty = self.row.attributes.as_object().is_none_or(serde_json::Map::is_empty);
        (!empty).then(|| Json(self.row.attributes.clone()))
    }
}
