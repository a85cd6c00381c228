//! Lines of demo invoices: their amounts are derived here, from quantities and prices, and typed nowhere.

use entity::{
    CurrencyCode, Instant, Json, LineItemKind, Minor, OriginKind, discount, line_item, price, product, rental, sub_line,
};

use super::catalogue::Item;
use crate::domain::{
    bill::BillLine,
    decimal::{Decimal, Rounding},
};

/// Digits behind the point that measured quantities are kept with.
const QUANTITY_DIGITS: u32 = 6;

/// Seconds in an hour.
const HOUR: i64 = 3600;

/// The decimal of these digits, `scale` of them behind the point.
pub(super) fn decimal(digits: i64, scale: u32) -> Decimal {
    Decimal::from_minor(Minor(digits), scale)
}

/// `quantity` × `unit_price` in minor units, rounded half up.
pub(super) fn amount(quantity: Decimal, unit_price: Decimal, exponent: u32) -> Minor {
    // Demo numbers are far from the limits; a test recomputes every amount, so a zero would be found.
    quantity.times(unit_price).and_then(|product| product.to_minor(exponent)).map(Rounding::amount).unwrap_or_default()
}

/// `rate` percent of an amount, rounded half up.
pub(super) fn percent_of(base: Minor, rate: Decimal) -> Minor {
    let fraction = rate.shifted(-2).unwrap_or(rate);
    amount(Decimal::from_integer(base.0), fraction, 0)
}

/// A measured amount of something, in millionths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Quantity(i64);

impl Quantity {
    /// A whole number of units.
    pub(super) fn units(count: i64) -> Self {
        Self(count * 1_000_000)
    }

    /// `count` things used for `seconds`, in hours, rounded half up at six digits.
    pub(super) fn hours(count: i64, seconds: i64) -> Self {
        Self((count * seconds * 1_000_000 * 2 + HOUR) / (HOUR * 2))
    }

    pub(super) fn decimal(self) -> Decimal {
        decimal(self.0, QUANTITY_DIGITS)
    }
}

/// A part of a line: a band with a rate of its own.
#[derive(Clone, Debug)]
pub(super) struct Part {
    /// What the band is.
    pub(super) name: String,
    /// How much of it.
    pub(super) quantity: Quantity,
    /// Major units per unit.
    pub(super) unit_price: Decimal,
    /// Facts about the band, a map.
    pub(super) attributes: Json,
}

/// What one unit of a line costs.
#[derive(Clone, Copy, Debug)]
enum UnitPrice {
    /// Minor units of the invoice's currency.
    Minor(Minor),
    /// The price of this item in the invoice's currency.
    List(Item),
    /// Several rates: the parts know.
    ByPart,
}

/// A line in the making.
#[derive(Clone, Debug)]
pub(super) struct LineDraft {
    row: line_item::Model,
    quantity: Quantity,
    unit_price: UnitPrice,
    parts: Vec<Part>,
    item: Option<Item>,
    reduction: Option<Reduction>,
    subscription: Option<String>,
}

/// A reduction of one line, in percent of its subtotal.
#[derive(Clone, Copy, Debug)]
struct Reduction {
    name: &'static str,
    coupon: &'static str,
    percent: i64,
}

/// A line with the rows it names.
pub(super) struct Resolved {
    /// The line with its parts.
    pub(super) line: BillLine,
    /// The product and the price it names.
    pub(super) item: Option<(product::Model, price::Model)>,
}

impl LineDraft {
    fn new(kind: LineItemKind, description: &str, quantity: Quantity, unit_price: UnitPrice) -> Self {
        let row = line_item::Model {
            kind,
            description: description.to_owned(),
            origin_kind: OriginKind::InvoiceItem,
            taxable: true,
            ..Default::default()
        };
        Self { row, quantity, unit_price, parts: Vec::new(), item: None, reduction: None, subscription: None }
    }

    /// One unit at `price` minor units.
    pub(super) fn flat(kind: LineItemKind, description: &str, price: i64) -> Self {
        Self::new(kind, description, Quantity::units(1), UnitPrice::Minor(Minor(price)))
    }

    /// So many units of an item, at its list price.
    pub(super) fn of(kind: LineItemKind, description: &str, item: Item, quantity: Quantity) -> Self {
        let mut line = Self::new(kind, description, quantity, UnitPrice::List(item));
        line.row.unit = Some(item.unit.to_owned());
        line.item = Some(item);
        line
    }

    /// An item that is billed in bands: quantity and amount are the sums of the parts, there is no one unit price.
    pub(super) fn banded(kind: LineItemKind, description: &str, item: Item, parts: Vec<Part>) -> Self {
        let quantity = Quantity(parts.iter().map(|part| part.quantity.0).sum());
        let mut line = Self::of(kind, description, item, quantity);
        line.unit_price = UnitPrice::ByPart;
        line.parts = parts;
        line
    }

    /// For the use of a rental.
    pub(super) fn billing(mut self, rental: &rental::Model) -> Self {
        self.row.rental_id = Some(rental.id.clone());
        self.row.origin_kind = OriginKind::Rental;
        self
    }

    /// From `start` until before `end`.
    pub(super) fn during(mut self, start: Instant, end: Instant) -> Self {
        self.row.period_start = Some(start);
        self.row.period_end = Some(end);
        self
    }

    /// An item of a subscription, both known by their keys.
    pub(super) fn subscribed(mut self, subscription: &str, item: &str) -> Self {
        self.subscription = Some(subscription.to_owned());
        self.row.origin_kind = OriginKind::SubscriptionItem;
        self.row.subscription_item_external_id = Some(item.to_owned());
        self
    }

    /// Less some percent of its subtotal.
    pub(super) fn reduced(mut self, name: &'static str, coupon: &'static str, percent: i64) -> Self {
        self.reduction = Some(Reduction { name, coupon, percent });
        self
    }

    /// Facts that no amount follows from.
    pub(super) fn with(mut self, change: impl FnOnce(&mut line_item::Model)) -> Self {
        change(&mut self.row);
        self
    }

    /// The line with its amounts, in a currency of `exponent` digits.
    pub(super) fn resolve(self, currency: &CurrencyCode, exponent: u32) -> Resolved {
        let sub_lines: Vec<_> = self.parts.iter().map(|part| part.row(exponent)).collect();
        let mut row = self.row;
        let unit_price = match self.unit_price {
            UnitPrice::Minor(minor) => Some(Decimal::from_minor(minor, exponent)),
            UnitPrice::List(item) => Some(item.unit_price(currency)),
            UnitPrice::ByPart => None,
        };
        let rated = match unit_price {
            Some(price) => amount(self.quantity.decimal(), price, exponent),
            None => Minor(sub_lines.iter().map(|part| part.amount.0).sum()),
        };
        row.quantity = self.quantity.decimal().text();
        row.unit_price = unit_price.map(Decimal::text);
        row.subtotal = Minor(rated.0 + row.setup_fee.unwrap_or_default().0);
        let discounts: Vec<_> = self.reduction.iter().map(|cut| cut.row(row.subtotal)).collect();
        row.discount_total = Minor(discounts.iter().map(|cut| cut.amount.0).sum());
        row.amount = Minor(row.subtotal.0 - row.discount_total.0);
        let line = BillLine {
            row,
            sub_lines,
            discounts,
            subscription: self.subscription,
            product: self.item.map(|item| item.key.to_owned()),
            price: self.item.map(|item| item.price_key(currency)),
        };
        let item = self.item.map(|item| (item.product(), item.price(currency)));
        Resolved { line, item }
    }
}

impl Part {
    fn row(&self, exponent: u32) -> sub_line::Model {
        sub_line::Model {
            name: self.name.clone(),
            quantity: self.quantity.decimal().text(),
            unit_price: self.unit_price.text(),
            amount: amount(self.quantity.decimal(), self.unit_price, exponent),
            attributes: self.attributes.clone(),
            ..Default::default()
        }
    }
}

impl Reduction {
    fn row(self, base: Minor) -> discount::Model {
        discount::Model {
            kind: entity::DiscountKind::Coupon,
            coupon_external_id: Some(self.coupon.to_owned()),
            name: self.name.to_owned(),
            amount: percent_of(base, Decimal::from_integer(self.percent)),
            ..Default::default()
        }
    }
}
