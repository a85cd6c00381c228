//! Custom scalars: exact numbers, moments and days, codes and links.

use async_graphql::{Description, InputValueError, InputValueResult, Scalar, ScalarType, Value};
use chrono::{DateTime as ChronoDateTime, NaiveDate, SecondsFormat};
use entity::{CurrencyCode as Code, DecimalText, Instant};

use crate::domain::decimal::SAFE_INTEGER_MAX;
use crate::domain::money;

/// A whole number that JavaScript holds exactly: a JSON number between -(2^53 - 1) and 2^53 - 1. As an input a
/// string of digits is taken too.
#[derive(Clone, Copy, Debug, Description, Eq, PartialEq)]
pub(super) struct SafeInt(pub(super) i64);

#[Scalar(name = "SafeInt", use_type_description)]
impl ScalarType for SafeInt {
    fn parse(value: Value) -> InputValueResult<Self> {
        let number = match &value {
            Value::Number(number) => number.as_i64(),
            Value::String(text) => text.parse().ok(),
            _ => None,
        };
        match number {
            Some(number) if number.unsigned_abs() <= SAFE_INTEGER_MAX.unsigned_abs() => Ok(Self(number)),
            _ => Err(InputValueError::custom("A SafeInt is a whole number between -(2^53 - 1) and 2^53 - 1.")),
        }
    }

    fn to_value(&self) -> Value {
        Value::from(self.0)
    }
}

/// A decimal number as a string, exact to the last digit: `"12"`, `"0.000777"`, `"-3.50"`.
#[derive(Clone, Debug, Description, Eq, PartialEq)]
pub(super) struct Decimal(pub(super) String);

#[Scalar(name = "Decimal", use_type_description)]
impl ScalarType for Decimal {
    fn parse(value: Value) -> InputValueResult<Self> {
        match value {
            Value::String(text) if crate::domain::decimal::Decimal::parse(&text).is_ok() => Ok(Self(text)),
            _ => Err(InputValueError::custom("A Decimal is a string that holds a decimal number.")),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.clone())
    }
}

impl From<&DecimalText> for Decimal {
    fn from(text: &DecimalText) -> Self {
        Self(text.0.clone())
    }
}

/// A moment in UTC with milliseconds, as RFC 3339 writes it: `2026-06-15T00:00:00.000Z`. As an input any offset is
/// taken.
#[derive(Clone, Copy, Debug, Description, Eq, PartialEq)]
pub(super) struct DateTime(pub(super) Instant);

#[Scalar(
    name = "DateTime",
    use_type_description,
    specified_by_url = "https://scalars.graphql.org/andimarek/date-time.html"
)]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        let parsed = match &value {
            Value::String(text) => ChronoDateTime::parse_from_rfc3339(text).ok(),
            _ => None,
        };
        let moment = parsed.map(|moment| moment.to_utc()).filter(|moment| in_years(moment.date_naive()));
        match moment {
            Some(moment) => Ok(Self(Instant::new(moment))),
            None => Err(InputValueError::custom("A DateTime is an RFC 3339 moment like 2026-06-15T00:00:00Z.")),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.utc().to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

impl From<Instant> for DateTime {
    fn from(at: Instant) -> Self {
        Self(at)
    }
}

/// A calendar day without a time zone: `2026-06-15`.
#[derive(Clone, Copy, Debug, Description, Eq, PartialEq)]
pub(super) struct Date(pub(super) NaiveDate);

#[Scalar(name = "Date", use_type_description)]
impl ScalarType for Date {
    fn parse(value: Value) -> InputValueResult<Self> {
        let day = match &value {
            Value::String(text) => NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|day| in_years(*day)),
            _ => None,
        };
        day.map(Self).ok_or_else(|| InputValueError::custom("A Date is a calendar day like 2026-06-15."))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.format("%Y-%m-%d").to_string())
    }
}

/// Whether both databases can hold and order the day.
pub(super) fn in_years(day: NaiveDate) -> bool {
    use chrono::Datelike;
    (1..=9999).contains(&day.year())
}

/// A currency as ISO 4217 codes it: three upper-case letters. Codes that ISO has retired may appear on old invoices.
#[derive(Clone, Debug, Description, Eq, PartialEq)]
pub(super) struct CurrencyCode(pub(super) Code);

#[Scalar(
    name = "CurrencyCode",
    use_type_description,
    specified_by_url = "https://www.iso.org/iso-4217-currency-codes.html"
)]
impl ScalarType for CurrencyCode {
    fn parse(value: Value) -> InputValueResult<Self> {
        let code = match &value {
            Value::String(text) => money::parse_currency(text),
            _ => None,
        };
        code.map(Self).ok_or_else(|| InputValueError::custom("A CurrencyCode is three letters like USD."))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.0.clone())
    }
}

/// A country, as ISO 3166-1 codes it (two letters) wherever the source did so.
#[derive(Clone, Debug, Description, Eq, PartialEq)]
pub(super) struct CountryCode(pub(super) String);

#[Scalar(name = "CountryCode", use_type_description)]
impl ScalarType for CountryCode {
    fn parse(value: Value) -> InputValueResult<Self> {
        match value {
            Value::String(text) if text.len() == 2 => Ok(Self(text)),
            _ => Err(InputValueError::custom("A CountryCode is two letters like SE.")),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.clone())
    }
}

/// An absolute https link. Links to bills are secrets: whoever has one can see and pay the bill.
#[derive(Clone, Debug, Description, Eq, PartialEq)]
pub(super) struct Link(pub(super) String);

#[Scalar(name = "URL", use_type_description, specified_by_url = "https://url.spec.whatwg.org/")]
impl ScalarType for Link {
    fn parse(value: Value) -> InputValueResult<Self> {
        match value {
            Value::String(text) => Ok(Self(text)),
            _ => Err(InputValueError::custom("A URL is a string.")),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.clone())
    }
}

/// Any JSON value, as a system that is not ours stated it.
#[derive(Clone, Debug, Description, PartialEq)]
pub(super) struct Json(pub(super) serde_json::Value);

#[Scalar(name = "JSON", use_type_description)]
impl ScalarType for Json {
    fn parse(value: Value) -> InputValueResult<Self> {
        Ok(Self(value.into_json()?))
    }

    fn to_value(&self) -> Value {
        Value::from_json(self.0.clone()).unwrap_or_default()
    }
}
