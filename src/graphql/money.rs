//! Money and the small value objects that many types share.

use async_graphql::{Enum, Object, Result, SimpleObject};
use entity::{CurrencyCode as Code, Instant, Minor};

use super::error::Failure;
use super::scalars::{CountryCode, CurrencyCode, DateTime, Decimal, Json, SafeInt};
use crate::domain::decimal::SAFE_INTEGER_MAX;
use crate::domain::money;

/// An amount of money, exact.
pub(super) struct Money(money::Money);

impl Money {
    pub(super) fn new(minor: Minor, currency: &Code) -> Self {
        Self(money::Money::new(minor, currency))
    }

    pub(super) fn some(minor: Option<Minor>, currency: &Code) -> Option<Self> {
        minor.map(|minor| Self::new(minor, currency))
    }
}

/// An amount of money, exact: whole minor units, and the same amount as a decimal string.
#[Object]
impl Money {
    /// The amount in the smallest unit of the currency: cents, yen, fils. `10000` in USD are 100 dollars.
    fn minor_units(&self) -> Result<SafeInt> {
        let fits = self.0.minor.0.unsigned_abs() <= SAFE_INTEGER_MAX.unsigned_abs();
        fits.then_some(SafeInt(self.0.minor.0))
            .ok_or_else(|| Failure::Defect("an amount beyond 2^53 - 1 minor units").into())
    }

    /// The currency.
    fn currency(&self) -> CurrencyCode {
        CurrencyCode(self.0.currency.clone())
    }

    /// The amount in major units with exactly `exponent` digits behind the point: `"100.00"`, `"500"`, `"1.250"`.
    fn amount(&self) -> Decimal {
        Decimal(self.0.amount())
    }

    /// How many digits behind the point the currency has: 2 for USD, 0 for JPY, 3 for KWD.
    fn exponent(&self) -> u32 {
        self.0.exponent()
    }

    /// Currency and amount as text, the same in every locale: `USD 100.00`.
    fn formatted(&self) -> String {
        self.0.formatted()
    }
}

/// A stretch of time that is billed.
#[derive(SimpleObject)]
pub(super) struct Period {
    /// Where it starts, itself included. Null when open.
    start: Option<DateTime>,
    /// Where it ends: excluded for precision INSTANT, the last day included for precision DAY. Null when open.
    end: Option<DateTime>,
    /// Whether start and end are moments or whole days (then given at midnight UTC).
    precision: PeriodPrecision,
}

/// What the bounds of a period mean.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub(super) enum PeriodPrecision {
    /// Moments; the end is not part of the period.
    Instant,
    /// Calendar days; the last day is part of the period.
    Day,
}

impl Period {
    /// The period of a row; null when neither bound is known.
    pub(super) fn of(start: Option<Instant>, end: Option<Instant>, is_date: bool) -> Option<Self> {
        let precision = if is_date { PeriodPrecision::Day } else { PeriodPrecision::Instant };
        (start.is_some() || end.is_some()).then(|| Self {
            start: start.map(DateTime),
            end: end.map(DateTime),
            precision,
        })
    }
}

/// A postal address, as the source gave it.
#[derive(SimpleObject)]
pub(super) struct Address {
    /// Street lines in printed order; `line1` and `line2` are the first two of them.
    lines: Vec<String>,
    /// The first street line.
    line1: Option<String>,
    /// The second street line.
    line2: Option<String>,
    /// City.
    city: Option<String>,
    /// State, province or region.
    state: Option<String>,
    /// Postal code.
    postal_code: Option<String>,
    /// Country.
    country: Option<CountryCode>,
}

/// The address columns of a row.
#[derive(Clone, Copy)]
pub(super) struct AddressColumns<'a> {
    pub(super) line1: Option<&'a String>,
    pub(super) line2: Option<&'a String>,
    pub(super) extra_lines: Option<&'a entity::Json>,
    pub(super) city: Option<&'a String>,
    pub(super) state: Option<&'a String>,
    pub(super) postal_code: Option<&'a String>,
    pub(super) country: Option<&'a String>,
}

impl Address {
    /// The address; null when no part of it is known.
    pub(super) fn of(row: AddressColumns<'_>) -> Option<Self> {
        let extra = row.extra_lines.and_then(entity::Json::as_array).into_iter().flatten();
        let extra = extra.filter_map(|line| line.as_str().map(str::to_owned));
        let lines: Vec<String> = [row.line1, row.line2].into_iter().flatten().cloned().chain(extra).collect();
        let known =
            !lines.is_empty() || [row.city, row.state, row.postal_code, row.country].iter().any(Option::is_some);
        known.then(|| Self {
            lines,
            line1: row.line1.cloned(),
            line2: row.line2.cloned(),
            city: row.city.cloned(),
            state: row.state.cloned(),
            postal_code: row.postal_code.cloned(),
            country: row.country.cloned().map(CountryCode),
        })
    }
}

/// One entry of a string map that the merchant attached.
#[derive(SimpleObject)]
pub(super) struct MetadataEntry {
    /// The key.
    key: String,
    /// The value.
    value: String,
}

/// One value that the source system stated and the schema has no field for.
#[derive(SimpleObject)]
pub(super) struct ExternalAttribute {
    /// The key; `$raw` holds texts that could not be kept as stated, by their path in the document.
    key: String,
    /// The value.
    value: Option<Json>,
}

/// The entries of a string map, those of `keys` only when given, in the order of the keys.
pub(super) fn metadata(map: &entity::Json, keys: Option<Vec<String>>) -> Vec<MetadataEntry> {
    selected(map, keys)
        .map(|(key, value)| MetadataEntry {
            key: key.clone(),
            value: value.as_str().map_or_else(|| value.to_string(), str::to_owned),
        })
        .collect()
}

/// The foreign attributes of a row, those of `keys` only when given.
pub(super) fn external_attributes(map: &entity::Json, keys: Option<Vec<String>>) -> Vec<ExternalAttribute> {
    selected(map, keys)
        .map(|(key, value)| ExternalAttribute { key: key.clone(), value: Some(Json(value.clone())) })
        .collect()
}

fn selected(map: &entity::Json, keys: Option<Vec<String>>) -> impl Iterator<Item = (&String, &entity::Json)> {
    let entries = map.as_object().into_iter().flatten();
    entries.filter(move |(key, _)| keys.as_ref().is_none_or(|keys| keys.contains(key)))
}
