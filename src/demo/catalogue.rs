//! What the demo companies sell: GPUs by the hour, storage, traffic, reserved capacity.
//!
//! Prices are written once, in US dollars; other currencies follow from a fixed table of rates.

use entity::{CurrencyCode, Json, price, product};

use super::{calendar::on, line::decimal};
use crate::domain::decimal::Decimal;

/// Something that is sold by the unit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    /// What lines, products and rentals know it by: `h100-80gb`.
    pub(super) key: &'static str,
    /// The name on the product.
    pub(super) title: &'static str,
    /// US dollars per unit, as digits without a point.
    dollars: i64,
    /// How many of those digits stand behind the point.
    scale: u32,
    /// What one unit is.
    pub(super) unit: &'static str,
}

const fn gpu(key: &'static str, title: &'static str, cents: i64) -> Item {
    Item { key, title, dollars: cents, scale: 2, unit: "gpu-hour" }
}

pub(super) const RTX_3090: Item = gpu("rtx-3090", "GeForce RTX 3090, 24 GB", 32);
pub(super) const RTX_4090: Item = gpu("rtx-4090", "GeForce RTX 4090, 24 GB", 65);
pub(super) const L40S: Item = gpu("l40s", "L40S, 48 GB", 95);
pub(super) const A100: Item = gpu("a100-80gb", "A100, 80 GB", 165);
pub(super) const H100: Item = gpu("h100-80gb", "H100, 80 GB", 280);
pub(super) const MI300X: Item = gpu("mi300x", "Instinct MI300X, 192 GB", 310);
pub(super) const H200: Item = gpu("h200", "H200, 141 GB", 390);
pub(super) const B200: Item = gpu("b200", "B200, 192 GB", 560);

/// Every family of GPUs, the cheapest first.
pub(super) const FAMILIES: [Item; 8] = [RTX_3090, RTX_4090, L40S, A100, H100, MI300X, H200, B200];

pub(super) const VOLUME: Item =
    Item { key: "nvme-volume", title: "NVMe volume", dollars: 137, scale: 6, unit: "gib-hour" };
pub(super) const EGRESS: Item =
    Item { key: "egress", title: "Traffic to the internet", dollars: 45, scale: 3, unit: "gib" };
pub(super) const ADDRESS: Item =
    Item { key: "ipv4-address", title: "Public IPv4 address", dollars: 5, scale: 3, unit: "hour" };
pub(super) const RESERVED: Item =
    Item { key: "reserved-h100", title: "Reserved H100, by the month", dollars: 149_000, scale: 2, unit: "gpu-month" };

impl Item {
    /// Major units per unit sold, with as many digits as the rate brings.
    pub(super) fn unit_price(&self, currency: &CurrencyCode) -> Decimal {
        in_currency(self.dollars, self.scale, currency)
    }

    /// The product row, without keys.
    pub(super) fn product(&self) -> product::Model {
        product::Model {
            external_id: Some(self.key.to_owned()),
            unique_id: Some(format!("gpu/{}", self.key)),
            display_name: self.title.to_owned(),
            created_at: on("2025-01-02T09:00:00Z"),
            ..Default::default()
        }
    }

    /// The price row, without keys: names its product by the product's key.
    pub(super) fn price(&self, currency: &CurrencyCode) -> price::Model {
        price::Model {
            product_id: Some(self.key.into()),
            external_id: Some(self.price_key(currency)),
            currency: currency.clone(),
            unit_amount: Some(self.unit_price(currency).text()),
            billing_mode: Some("per_unit".to_owned()),
            details: serde_json::json!({ "unit": self.unit }),
            interval: self.interval(),
            created_at: on("2025-01-02T09:00:00Z"),
            ..Default::default()
        }
    }

    /// What the price is known by: the product's key and the currency.
    pub(super) fn price_key(&self, currency: &CurrencyCode) -> String {
        format!("{}-{}", self.key, currency.0.to_ascii_lowercase())
    }

    fn interval(&self) -> Option<Json> {
        (self.unit == "gpu-month").then(|| serde_json::json!({ "unit": "month", "count": 1 }))
    }
}

/// US dollars, as digits and how many of them stand behind the point, in another currency.
pub(super) fn in_currency(dollars: i64, scale: u32, currency: &CurrencyCode) -> Decimal {
    let dollars = decimal(dollars, scale);
    let (rate, scale) = rate(currency);
    dollars.times(decimal(rate, scale)).unwrap_or(dollars)
}

/// What a dollar costs in the price lists: digits, and how many of them stand behind the point.
fn rate(currency: &CurrencyCode) -> (i64, u32) {
    match currency.0.as_str() {
        "CAD" => (137, 2),
        "EUR" => (92, 2),
        "GBP" => (79, 2),
        "JPY" => (155, 0),
        "KWD" => (307, 3),
        "SEK" => (104, 1),
        _ => (1, 0),
    }
}
