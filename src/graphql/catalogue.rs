//! What invoices are made from: subscriptions, products and prices.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};
use entity::{SubscriptionId, price, product, subscription};

use super::context::request;
use super::error::Failure;
use super::money::{MetadataEntry, metadata};
use super::scalars::{CurrencyCode, Decimal, Json};

/// A subscription.
pub(super) struct BillingSubscription(pub(super) Arc<subscription::Model>);

impl BillingSubscription {
    /// The subscription that a row refers to.
    pub(super) async fn load(ctx: &Context<'_>, id: Option<&SubscriptionId>) -> Result<Option<Self>, Failure> {
        match id {
            Some(id) => Ok(request(ctx)?.loaders.subscription(id.clone()).await?.map(Self)),
            None => Ok(None),
        }
    }
}

/// A subscription that invoices are made from.
#[Object]
impl BillingSubscription {
    /// The id here: `sub_` and a ULID.
    pub(super) async fn id(&self) -> ID {
        ID(self.0.id.0.clone())
    }

    /// The id in the source system.
    fn external_id(&self) -> Option<&String> {
        self.0.external_id.as_ref()
    }

    /// The state, as the source words it.
    fn status(&self) -> Option<&String> {
        self.0.status.as_ref()
    }

    /// The name of the plan.
    fn plan_name(&self) -> Option<&String> {
        self.0.plan_name.as_ref()
    }

    /// What the merchant attached, ordered by key.
    fn metadata(&self, #[graphql(desc = "Only these keys.")] keys: Option<Vec<String>>) -> Vec<MetadataEntry> {
        metadata(&self.0.metadata, keys)
    }
}

/// A price.
pub(super) struct Price(pub(super) Arc<price::Model>);

/// What a product costs.
#[Object]
impl Price {
    /// The id here: `price_` and a ULID.
    pub(super) async fn id(&self) -> ID {
        ID(self.0.id.0.clone())
    }

    /// The id in the source system.
    fn external_id(&self) -> Option<&String> {
        self.0.external_id.as_ref()
    }

    /// The currency.
    fn currency(&self) -> CurrencyCode {
        CurrencyCode(self.0.currency.clone())
    }

    /// The price of a unit in major units, with as many digits as it needs.
    fn unit_amount(&self) -> Option<Decimal> {
        self.0.unit_amount.as_ref().map(Decimal::from)
    }

    /// How it is billed, as the source words it.
    fn billing_mode(&self) -> Option<&String> {
        self.0.billing_mode.as_ref()
    }

    /// How often it is billed, as the source states it.
    fn interval(&self) -> Option<Json> {
        self.0.interval.clone().map(Json)
    }

    /// What the source states besides. Null when there is nothing.
    fn details(&self) -> Option<Json> {
        let empty = self.0.details.as_object().is_none_or(serde_json::Map::is_empty);
        (!empty).then(|| Json(self.0.details.clone()))
    }
}

/// A product.
pub(super) struct Product(pub(super) Arc<product::Model>);

/// What is sold.
#[Object]
impl Product {
    /// The id here: `prod_` and a ULID.
    pub(super) async fn id(&self) -> ID {
        ID(self.0.id.0.clone())
    }

    /// The id in the source system.
    fn external_id(&self) -> Option<&String> {
        self.0.external_id.as_ref()
    }

    /// The merchant's own id.
    fn unique_id(&self) -> Option<&String> {
        self.0.unique_id.as_ref()
    }

    /// The name.
    fn display_name(&self) -> &String {
        &self.0.display_name
    }
}
