//! Values that mean the same on SQLite and on Postgres: money, decimal text, instants, currencies.

use chrono::{DateTime, Utc};
use sea_orm::{DeriveValueType, sea_query::StringLen};
use serde::{Deserialize, Serialize};

/// A JSON column. Key order and number spelling are not kept; foreign documents are stored as text instead.
pub type Json = serde_json::Value;

/// A calendar day, without a time zone.
pub type Day = chrono::NaiveDate;

/// An amount in minor units of the row's currency (cents, yen, fils).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, DeriveValueType,
)]
#[serde(transparent)]
pub struct Minor(pub i64);

/// A decimal number as canonical text (`12`, `0.000777`, `-3.5`); made by `domain::decimal` only.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, DeriveValueType)]
#[sea_orm(column_type = "Text")]
#[serde(transparent)]
pub struct DecimalText(pub String);

impl Default for DecimalText {
    fn default() -> Self {
        Self("0".to_owned())
    }
}

/// A currency code as ISO 4217 writes it: three upper-case letters. Historic codes are accepted on read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, DeriveValueType)]
#[sea_orm(column_type = "String(StringLen::N(3))")]
#[serde(transparent)]
pub struct CurrencyCode(pub String);

impl Default for CurrencyCode {
    fn default() -> Self {
        Self("USD".to_owned())
    }
}

/// A moment in UTC with millisecond precision.
///
/// Postgres keeps microseconds and SQLite nanoseconds, so the only constructor cuts to milliseconds: both then
/// answer the same, and on SQLite (where it is text) the order of texts is the order of times.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, DeriveValueType,
)]
#[serde(transparent)]
pub struct Instant(DateTime<Utc>);

impl Instant {
    /// The moment, cut (not rounded) to milliseconds.
    pub fn new(at: DateTime<Utc>) -> Self {
        Self(DateTime::from_timestamp_millis(at.timestamp_millis()).unwrap_or_default())
    }

    pub fn utc(self) -> DateTime<Utc> {
        self.0
    }
}
