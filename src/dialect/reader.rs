//! Reads the fields of an object one by one and keeps what nobody reads.
//!
//! A field that was read is gone; what is left at the end goes to `external_attributes` of the row it belongs to, so
//! that nothing of a document is lost. A text that is not what its field documents gives nothing, an issue, and stays
//! under `$raw` with its path. A value of the wrong JSON type, or a number that does not fit, refuses the document.
//! `null`, an absent field and an empty text read as nothing; an empty text stays under `$raw`.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime};
use entity::{CurrencyCode, Day, DecimalText, Instant, InvoiceStatus, Json, Minor};
use serde_json::Map;

use super::document::{Object, Value};
use super::error::{DialectError, quoted};
use crate::domain::bill::Issue;
use crate::domain::decimal::{Decimal, DecimalError, Rounding, SAFE_INTEGER_MAX};
use crate::domain::integrity::{Stated, code};
use crate::domain::link::LinkHosts;
use crate::domain::money;

/// The longest foreign id that is kept, in characters.
pub(super) const ID_LENGTH_MAX: usize = 128;

/// The most entries that a list of lines, payments or taxes may have.
pub(super) const LINES_MAX: usize = 1_000;

/// Under which attribute texts stand that could not be read.
const RAW: &str = "$raw";

/// How many digits of a card number may be kept.
const CARD_DIGITS_MAX: usize = 4;

/// What documents of HostBill's kin write for a date that is not set.
const NO_DATES: [&str; 2] = ["0000-00-00", "0000-00-00 00:00:00"];

/// What can be read of a document, or why it is refused.
pub(super) type Read<T> = Result<T, DialectError>;

/// How a document writes amounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// JSON numbers, in minor units.
    Minor,
    /// Texts, in major units of a currency with so many digits.
    MajorText(u32),
    /// Numbers or texts, in major units of a currency with so many digits.
    Major(u32),
}

/// How a document writes decimal numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// As JSON numbers.
    Number,
    /// As texts.
    Text,
    /// As either.
    Either,
}

/// A word of a vocabulary, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word<T> {
    /// What it means; none when it is absent or unknown.
    pub(super) value: Option<T>,
    /// How the document states it.
    pub(super) stated: Option<String>,
}

/// A cursor over one object of a document.
#[derive(Debug)]
pub(super) struct Reader {
    /// Where the object stands; empty for the root.
    place: String,
    /// By key, each with its place in the document.
    fields: HashMap<String, (usize, Value)>,
    /// Attributes without a column.
    kept: Map<String, Json>,
    raw: Map<String, Json>,
    issues: Vec<Issue>,
    /// Whether the system writes ids as numbers, too.
    numeric_ids: bool,
}

impl Reader {
    /// A reader of the document's root. `numeric_ids`: the system writes ids as numbers, too.
    pub(super) fn root(value: Value, numeric_ids: bool) -> Read<Self> {
        match value {
            Value::Object(fields) => Ok(Self::of(String::new(), fields, numeric_ids)),
            other => Err(DialectError::WrongType { path: "$".to_owned(), expected: "an object", found: other.kind() }),
        }
    }

    fn of(place: String, fields: Object, numeric_ids: bool) -> Self {
        let fields = fields.into_iter().enumerate();
        Self {
            place,
            fields: fields.map(|(index, (key, value))| (key, (index, value))).collect(),
            kept: Map::new(),
            raw: Map::new(),
            issues: Vec::new(),
            numeric_ids,
        }
    }

    /// The path of a field in the document.
    pub(super) fn path(&self, key: &str) -> String {
        let key = quoted(key);
        if self.place.is_empty() { key } else { format!("{}.{key}", self.place) }
    }

    /// Takes a field; none when it is absent or `null`.
    pub(super) fn take(&mut self, key: &str) -> Option<Value> {
        let (_, value) = self.fields.remove(key)?;
        (value != Value::Null).then_some(value)
    }

    /// Whether a field is there and not `null`.
    pub(super) fn has(&self, key: &str) -> bool {
        self.field(key).is_some()
    }

    /// A copy of a field as it stands; none when it is absent or `null`.
    pub(super) fn peek(&self, key: &str) -> Option<Json> {
        self.field(key).map(|value| value.clone().json())
    }

    /// Whether a field is an object: for references that may be written out.
    pub(super) fn is_object(&self, key: &str) -> bool {
        matches!(self.field(key), Some(Value::Object(_)))
    }

    /// Whether a field is exactly this text.
    pub(super) fn says(&self, key: &str, text: &str) -> bool {
        matches!(self.field(key), Some(Value::Text(stated)) if stated == text)
    }

    fn field(&self, key: &str) -> Option<&Value> {
        let (_, value) = self.fields.get(key)?;
        (*value != Value::Null).then_some(value)
    }

    /// Keeps an attribute that has no column.
    pub(super) fn keep(&mut self, key: &str, value: Json) {
        self.kept.insert(key.to_owned(), value);
    }

    /// Keeps what a field stated beside its column, for the view of the same system.
    pub(super) fn keep_raw(&mut self, key: &str, stated: Json) {
        self.raw.insert(self.path(key), stated);
    }

    /// Notes that a field is not as it should be. Quotations are clipped.
    pub(super) fn issue(&mut self, code: &str, key: &str, stated: Option<&str>, expected: Option<&str>) {
        self.issues.push(Issue {
            code: code.to_owned(),
            path: self.path(key),
            stated: stated.map(quoted),
            expected: expected.map(quoted),
        });
    }

    /// Adds issues that were found elsewhere.
    pub(super) fn add_issues(&mut self, issues: Vec<Issue>) {
        self.issues.extend(issues);
    }

    /// What is left for `external_attributes` of a row: fields nobody took, kept attributes, and `$raw`.
    pub(super) fn leftover(&mut self) -> Json {
        let mut attributes = std::mem::take(&mut self.kept);
        let mut raw = std::mem::take(&mut self.raw);
        for (key, (_, value)) in std::mem::take(&mut self.fields) {
            if key == RAW {
                raw.insert(self.path(&key), value.json());
            } else {
                attributes.insert(key, value.json());
            }
        }
        if !raw.is_empty() {
            attributes.insert(RAW.to_owned(), Json::Object(raw));
        }
        Json::Object(attributes)
    }

    /// Everything that was found wrong, in the order it was met.
    pub(super) fn into_issues(self) -> Vec<Issue> {
        self.issues
    }

    fn unreadable(&mut self, code: &str, key: &str, text: String) {
        self.issue(code, key, Some(&text), None);
        self.keep_raw(key, Json::String(text));
    }

    fn wrong_type(&self, key: &str, expected: &'static str, found: &Value) -> DialectError {
        DialectError::WrongType { path: self.path(key), expected, found: found.kind() }
    }

    fn out_of_range(&self, key: &str, found: &str, reason: &'static str) -> DialectError {
        DialectError::OutOfRange { path: self.path(key), found: quoted(found), reason }
    }
}

/// Objects and lists inside.
impl Reader {
    /// Reads an object inside that belongs to the same row; none when it is absent.
    ///
    /// What `read` leaves goes to the attributes of this reader, under the same key.
    pub(super) fn within<T>(&mut self, key: &str, read: impl FnOnce(&mut Self) -> Read<T>) -> Read<Option<T>> {
        let Some(value) = self.take(key) else {
            return Ok(None);
        };
        let Value::Object(fields) = value else {
            return Err(self.wrong_type(key, "an object", &value));
        };
        let (result, rest) = self.inside(self.path(key), fields, read)?;
        if !rest.is_empty() {
            self.keep(key, Json::Object(rest));
        }
        Ok(Some(result))
    }

    /// Reads a list of objects, each with its own reader; empty when it is absent.
    ///
    /// A row with its own `external_attributes` takes them with [`Reader::leftover`]; what is left after that goes to
    /// the attributes of this reader, under the key and the index.
    pub(super) fn rows<T>(&mut self, key: &str, mut read: impl FnMut(&mut Self) -> Read<T>) -> Read<Vec<T>> {
        let mut rows = Vec::new();
        let mut rests = Map::new();
        for (index, value) in self.list(key)?.into_iter().enumerate() {
            let place = format!("{key}[{index}]");
            let Value::Object(fields) = value else {
                return Err(self.wrong_type(&place, "an object", &value));
            };
            let (row, rest) = self.inside(self.path(&place), fields, &mut read)?;
            rows.push(row);
            if !rest.is_empty() {
                rests.insert(index.to_string(), Json::Object(rest));
            }
        }
        if !rests.is_empty() {
            self.keep(key, Json::Object(rests));
        }
        Ok(rows)
    }

    /// Takes a list of at most [`LINES_MAX`] entries; empty when it is absent.
    pub(super) fn list(&mut self, key: &str) -> Read<Vec<Value>> {
        let values = match self.take(key) {
            None => Vec::new(),
            Some(Value::List(values)) => values,
            Some(other) => return Err(self.wrong_type(key, "a list", &other)),
        };
        if values.len() > LINES_MAX {
            return Err(DialectError::TooManyLines { path: self.path(key), count: values.len(), max: LINES_MAX });
        }
        Ok(values)
    }

    /// Drops a field that is an empty list, which is how PHP writes a map without entries.
    pub(super) fn drop_empty_list(&mut self, key: &str) {
        if matches!(self.field(key), Some(Value::List(values)) if values.is_empty()) {
            self.fields.remove(key);
        }
    }

    /// Takes a list of texts; empty when it is absent.
    pub(super) fn texts(&mut self, key: &str) -> Read<Vec<String>> {
        let mut texts = Vec::new();
        for (index, value) in self.list(key)?.into_iter().enumerate() {
            match value {
                Value::Text(text) => texts.push(text),
                other => return Err(self.wrong_type(&format!("{key}[{index}]"), "a text", &other)),
            }
        }
        Ok(texts)
    }

    /// The keys that are left, in the order of the document: for objects used as maps.
    pub(super) fn keys(&self) -> Vec<String> {
        let mut keys: Vec<(usize, &String)> = self.fields.iter().map(|(key, (place, _))| (*place, key)).collect();
        keys.sort_unstable();
        keys.into_iter().map(|(_, key)| key.clone()).collect()
    }

    /// Takes a map of texts, such as metadata; empty when it is absent.
    pub(super) fn string_map(&mut self, key: &str) -> Read<Json> {
        let map = self.within(key, |map| {
            let mut texts = Map::new();
            for name in map.keys() {
                match map.taken_text(&name)? {
                    Some(text) => texts.insert(name, Json::String(text)),
                    None => map.kept.insert(name, Json::Null),
                };
            }
            Ok(texts)
        })?;
        Ok(Json::Object(map.unwrap_or_default()))
    }

    fn inside<T>(
        &mut self,
        place: String,
        fields: Object,
        read: impl FnOnce(&mut Self) -> Read<T>,
    ) -> Read<(T, Map<String, Json>)> {
        let mut inner = Self::of(place, fields, self.numeric_ids);
        inner.issues = std::mem::take(&mut self.issues);
        let result = read(&mut inner)?;
        self.raw.append(&mut inner.raw);
        let rest = match inner.leftover() {
            Json::Object(rest) => rest,
            _ => Map::new(),
        };
        self.issues = inner.into_issues();
        Ok((result, rest))
    }
}

/// Texts, words and links.
impl Reader {
    /// An id of the source system: any text of at most 128 characters; a number only where the system writes such ids.
    pub(super) fn id(&mut self, key: &str) -> Read<Option<String>> {
        let text = match self.take(key) {
            None => return Ok(None),
            Some(Value::Text(text)) => text,
            Some(Value::Number(text)) if self.numeric_ids => text,
            Some(other) => return Err(self.wrong_type(key, "an id as text", &other)),
        };
        let length = text.chars().count();
        if length > ID_LENGTH_MAX {
            return Err(DialectError::TooLong { path: self.path(key), length, max: ID_LENGTH_MAX });
        }
        Ok(self.unless_empty(key, text))
    }

    /// An id without which the document means nothing.
    pub(super) fn required_id(&mut self, key: &str) -> Read<String> {
        self.id(key)?.ok_or_else(|| DialectError::Missing { path: self.path(key) })
    }

    /// An id that must be the one of the thing it stands in; another one is an issue and stays under `$raw`.
    pub(super) fn same_id(&mut self, key: &str, expected: &str) -> Read<()> {
        match self.id(key)? {
            Some(id) if id != expected => {
                self.issue(code::REFERENCE_MISMATCH, key, Some(&id), Some(expected));
                self.keep_raw(key, Json::String(id));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// A text.
    pub(super) fn text(&mut self, key: &str) -> Read<Option<String>> {
        let text = self.taken_text(key)?;
        Ok(text.and_then(|text| self.unless_empty(key, text)))
    }

    /// Drops a field that says what is known anyway, such as a type tag. Anything else stays for the attributes.
    pub(super) fn constant(&mut self, key: &str, expected: &str) {
        if self.says(key, expected) {
            self.fields.remove(key);
        }
    }

    /// Takes a value as it stands.
    pub(super) fn json(&mut self, key: &str) -> Option<Json> {
        self.take(key).map(Value::json)
    }

    /// A word of a vocabulary, compared by its letters and digits only and without regard to case.
    ///
    /// A word that is not in `words` is an issue. It stays under `$raw`, and so does one that is spelled differently.
    pub(super) fn word<T: Copy>(&mut self, key: &str, words: &[(&str, T)]) -> Read<Word<T>> {
        let stated = self.text(key)?;
        let Some(text) = &stated else {
            return Ok(Word { value: None, stated });
        };
        let found = words.iter().find(|(word, _)| plain(word) == plain(text));
        match found {
            Some((word, _)) if *word == text.as_str() => {}
            Some(_) => self.keep_raw(key, Json::String(text.clone())),
            None => self.unreadable(code::UNKNOWN_WORD, key, text.clone()),
        }
        Ok(Word { value: found.map(|(_, value)| *value), stated })
    }

    /// The state of the invoice and how it is stated. An absent or unknown word is an issue; the invoice counts as open.
    pub(super) fn status(
        &mut self,
        key: &str,
        words: &[(&str, InvoiceStatus)],
    ) -> Read<(InvoiceStatus, Option<String>)> {
        let word = self.word(key, words)?;
        if word.stated.is_none() {
            self.issue(code::UNKNOWN_WORD, key, None, Some("OPEN"));
        }
        Ok((word.value.unwrap_or(InvoiceStatus::Open), word.stated))
    }

    /// A link to a known host. Another one is an issue that does not quote it, and only the document itself keeps it.
    pub(super) fn link(&mut self, key: &str, hosts: &LinkHosts) -> Read<Option<String>> {
        let link = self.text(key)?;
        let safe = link.as_deref().is_none_or(|link| hosts.allow(link));
        if !safe {
            self.issue(code::UNSAFE_LINK, key, None, None);
        }
        Ok(link.filter(|_| safe))
    }

    /// A country: two letters, kept in upper case. Another text is an issue and stays under `$raw`.
    pub(super) fn country(&mut self, key: &str) -> Read<Option<String>> {
        let Some(text) = self.text(key)? else {
            return Ok(None);
        };
        if text.len() != 2 || !text.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            self.unreadable(code::UNREADABLE_TEXT, key, text);
            return Ok(None);
        }
        let country = text.to_ascii_uppercase();
        if country != text {
            self.keep_raw(key, Json::String(text));
        }
        Ok(Some(country))
    }

    /// The last digits of a card, at most four characters. Another text is an issue and stays under `$raw`, unless it
    /// may be the whole number of a card: that one is not kept.
    pub(super) fn card_last4(&mut self, key: &str) -> Read<Option<String>> {
        let Some(text) = self.text(key)? else {
            return Ok(None);
        };
        if text.chars().count() <= CARD_DIGITS_MAX {
            return Ok(Some(text));
        }
        if text.chars().filter(char::is_ascii_digit).count() > CARD_DIGITS_MAX {
            self.issue(code::UNREADABLE_TEXT, key, None, None);
        } else {
            self.unreadable(code::UNREADABLE_TEXT, key, text);
        }
        Ok(None)
    }

    /// The currency of the invoice; `default` and an issue when it is absent or no currency code.
    pub(super) fn currency(&mut self, key: &str, default: &CurrencyCode) -> Read<CurrencyCode> {
        if !self.has(key) {
            self.issue(code::CURRENCY_UNKNOWN, key, None, Some(&default.0));
        }
        let stated = self.read_currency(key, default)?;
        Ok(stated.unwrap_or_else(|| default.clone()))
    }

    /// The currency of a part of the invoice, which must be that of the invoice.
    pub(super) fn same_currency(&mut self, key: &str, invoice: &CurrencyCode) -> Read<()> {
        match self.read_currency(key, invoice)? {
            Some(currency) if currency != *invoice => Err(DialectError::CurrencyMismatch {
                path: self.path(key),
                expected: invoice.0.clone(),
                found: currency.0,
            }),
            _ => Ok(()),
        }
    }

    fn read_currency(&mut self, key: &str, expected: &CurrencyCode) -> Read<Option<CurrencyCode>> {
        let Some(text) = self.text(key)? else {
            return Ok(None);
        };
        let currency = money::parse_currency(&text);
        match &currency {
            Some(currency) if currency.0 == text => {}
            Some(_) => self.keep_raw(key, Json::String(text)),
            None => {
                self.issue(code::CURRENCY_UNKNOWN, key, Some(&text), Some(&expected.0));
                self.keep_raw(key, Json::String(text));
            }
        }
        Ok(currency)
    }

    fn taken_text(&mut self, key: &str) -> Read<Option<String>> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(other) => Err(self.wrong_type(key, "a text", &other)),
        }
    }

    fn unless_empty(&mut self, key: &str, text: String) -> Option<String> {
        if text.is_empty() {
            self.keep_raw(key, Json::String(text));
            None
        } else {
            Some(text)
        }
    }
}

/// Numbers, amounts and flags.
impl Reader {
    /// An amount. One with more digits than it can have is rounded half away from zero: an issue, and `$raw`.
    pub(super) fn amount(&mut self, key: &str, unit: Unit) -> Read<Option<Minor>> {
        let (written, digits) = unit.parts();
        let Some((value, text)) = self.number(key, written)? else {
            return Ok(None);
        };
        match Decimal::parse(&text).and_then(|decimal| decimal.to_minor(digits)) {
            Ok(Rounding::Exact(amount)) => {
                let decimal = Decimal::from_minor(amount, digits);
                let usual = written == Written::Either && text == decimal.with_digits(digits);
                if !usual {
                    self.keep_spelling(key, value, &decimal.text());
                }
                Ok(Some(amount))
            }
            Ok(Rounding::Rounded(amount)) => {
                let kept = Decimal::from_minor(amount, digits).text().0;
                self.issue(code::ROUNDED_AMOUNT, key, Some(&text), Some(&kept));
                self.keep_raw(key, value.json());
                Ok(Some(amount))
            }
            Err(DecimalError::TooLarge) => Err(self.out_of_range(key, &text, "amounts stop at 2^53 - 1 minor units")),
            Err(DecimalError::Malformed) => {
                self.unreadable(code::UNREADABLE_DECIMAL, key, text);
                Ok(None)
            }
        }
    }

    /// An amount that cannot be negative. One that is counts as 0: an issue, and `$raw`.
    pub(super) fn positive_amount(&mut self, key: &str, unit: Unit) -> Read<Option<Minor>> {
        let amount = self.amount(key, unit)?;
        Ok(amount.map(|amount| self.not_negative(key, amount, unit)))
    }

    /// The amount, or 0 with an issue and `$raw` where it is negative.
    pub(super) fn not_negative(&mut self, key: &str, amount: Minor, unit: Unit) -> Minor {
        if amount.0 >= 0 {
            return amount;
        }
        let (written, digits) = unit.parts();
        let text = Decimal::from_minor(amount, digits).text().0;
        self.issue(code::STATED_AMOUNT_IMPOSSIBLE, key, Some(&text), Some("0"));
        let value = match written {
            Written::Number => Value::Number(text),
            Written::Text | Written::Either => Value::Text(text),
        };
        self.raw.entry(self.path(key)).or_insert_with(|| value.json());
        Minor(0)
    }

    /// The amount with its path, for `integrity::check`.
    pub(super) fn stated(&self, key: &str, amount: Option<Minor>) -> Option<Stated> {
        amount.map(|amount| Stated { path: self.path(key), amount })
    }

    /// A decimal number: a quantity, a rate, a unit price.
    pub(super) fn decimal(&mut self, key: &str, written: Written) -> Read<Option<DecimalText>> {
        let Some((value, text)) = self.number(key, written)? else {
            return Ok(None);
        };
        match Decimal::parse(&text) {
            Ok(decimal) => {
                self.keep_spelling(key, value, &decimal.text());
                Ok(Some(decimal.text()))
            }
            Err(DecimalError::TooLarge) => Err(self.out_of_range(key, &text, "numbers have at most 38 digits")),
            Err(DecimalError::Malformed) => {
                self.unreadable(code::UNREADABLE_DECIMAL, key, text);
                Ok(None)
            }
        }
    }

    /// The amount of a field, or 0 and an issue when it is absent.
    pub(super) fn known_amount(&mut self, key: &str, unit: Unit) -> Read<Minor> {
        if !self.has(key) {
            self.issue(code::AMOUNT_UNKNOWN, key, None, Some("0"));
        }
        Ok(self.amount(key, unit)?.unwrap_or_default())
    }

    /// A text that means the same number, but is spelled in another way, stays under `$raw`.
    fn keep_spelling(&mut self, key: &str, stated: Value, canonical: &DecimalText) {
        if matches!(&stated, Value::Text(text) if *text != canonical.0) {
            self.keep_raw(key, stated.json());
        }
    }

    /// A rate written as a fraction (`0.2`), in percent (`20`).
    pub(super) fn percent(&mut self, key: &str, written: Written) -> Read<Option<DecimalText>> {
        let Some(fraction) = self.decimal(key, written)? else {
            return Ok(None);
        };
        match Decimal::parse(&fraction.0).and_then(|fraction| fraction.shifted(2)) {
            Ok(percent) => Ok(Some(percent.text())),
            Err(_too_many_digits) => Err(self.out_of_range(key, &fraction.0, "numbers have at most 38 digits")),
        }
    }

    /// A whole number of 32 bits.
    pub(super) fn integer(&mut self, key: &str, written: Written) -> Read<Option<i32>> {
        let Some((_, text)) = self.number(key, written)? else {
            return Ok(None);
        };
        match Decimal::parse(&text).and_then(|decimal| decimal.to_minor(0)) {
            Ok(Rounding::Exact(Minor(whole))) => {
                let fits = i32::try_from(whole).ok();
                fits.map(Some).ok_or_else(|| self.out_of_range(key, &text, "whole numbers stop at 2^31 - 1"))
            }
            Err(DecimalError::TooLarge) => Err(self.out_of_range(key, &text, "whole numbers stop at 2^31 - 1")),
            Ok(Rounding::Rounded(_)) | Err(DecimalError::Malformed) => {
                self.unreadable(code::UNREADABLE_INTEGER, key, text);
                Ok(None)
            }
        }
    }

    /// A JSON boolean.
    pub(super) fn boolean(&mut self, key: &str) -> Read<Option<bool>> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(other) => Err(self.wrong_type(key, "a boolean", &other)),
        }
    }

    /// A flag: a boolean, `"0"` or `"1"`, `"true"` or `"false"`, or the number 0 or 1.
    pub(super) fn flag(&mut self, key: &str) -> Read<Option<bool>> {
        let text = match self.take(key) {
            None => return Ok(None),
            Some(Value::Bool(flag)) => return Ok(Some(flag)),
            Some(Value::Text(text) | Value::Number(text)) => text,
            Some(other) => return Err(self.wrong_type(key, "a flag", &other)),
        };
        let Some(text) = self.unless_empty(key, text) else {
            return Ok(None);
        };
        match text.to_ascii_lowercase().as_str() {
            "1" | "true" => Ok(Some(true)),
            "0" | "false" => Ok(Some(false)),
            _ => {
                self.unreadable(code::UNREADABLE_FLAG, key, text);
                Ok(None)
            }
        }
    }

    /// Takes a number and its text.
    fn number(&mut self, key: &str, written: Written) -> Read<Option<(Value, String)>> {
        let expected = match written {
            Written::Number => "a number",
            Written::Text => "a number as text",
            Written::Either => "a number, also as text",
        };
        match (self.take(key), written) {
            (None, _) => Ok(None),
            (Some(Value::Number(text)), Written::Number | Written::Either) => {
                Ok(Some((Value::Number(text.clone()), text)))
            }
            (Some(Value::Text(text)), Written::Text | Written::Either) => {
                let text = self.unless_empty(key, text);
                Ok(text.map(|text| (Value::Text(text.clone()), text)))
            }
            (Some(other), _) => Err(self.wrong_type(key, expected, &other)),
        }
    }
}

/// Days and instants.
impl Reader {
    /// An instant as RFC 3339 writes it.
    pub(super) fn instant(&mut self, key: &str) -> Read<Option<Instant>> {
        self.dated(key, rfc3339)
    }

    /// An instant: RFC 3339, or `YYYY-MM-DD HH:MM:SS` or a day, both in UTC. `0000-00-00` reads as nothing.
    pub(super) fn moment(&mut self, key: &str) -> Read<Option<Instant>> {
        self.dated(key, |text| rfc3339(text).or_else(|| plain_moment(text)).or_else(|| plain_day(text).map(midnight)))
    }

    /// A calendar day, `YYYY-MM-DD`. `0000-00-00` reads as nothing.
    pub(super) fn day(&mut self, key: &str) -> Read<Option<Day>> {
        self.dated(key, plain_day)
    }

    /// Start and end of a period; neither, with an issue and `$raw`, when it ends before it starts.
    pub(super) fn ordered(
        &mut self,
        start: (&str, Option<Instant>),
        end: (&str, Option<Instant>),
    ) -> (Option<Instant>, Option<Instant>) {
        let (Some(from), Some(to)) = (start.1, end.1) else {
            return (start.1, end.1);
        };
        if from <= to {
            return (Some(from), Some(to));
        }
        let text = |at: Instant| at.utc().format("%Y-%m-%dT%H:%M:%SZ").to_string();
        self.issue(code::PERIOD_REVERSED, end.0, Some(&text(to)), Some(&text(from)));
        self.keep_raw(start.0, Json::String(text(from)));
        self.keep_raw(end.0, Json::String(text(to)));
        (None, None)
    }

    /// First and last day of a period; neither, with an issue and `$raw`, when it ends before it starts.
    pub(super) fn ordered_days(
        &mut self,
        start: (&str, Option<Day>),
        end: (&str, Option<Day>),
    ) -> (Option<Instant>, Option<Instant>) {
        if let (Some(from), Some(to)) = (start.1, end.1)
            && to < from
        {
            let (from, to) = (from.to_string(), to.to_string());
            self.issue(code::PERIOD_REVERSED, end.0, Some(&to), Some(&from));
            self.keep_raw(start.0, Json::String(from));
            self.keep_raw(end.0, Json::String(to));
            return (None, None);
        }
        (start.1.map(midnight), end.1.map(midnight))
    }

    fn dated<T>(&mut self, key: &str, read: impl FnOnce(&str) -> Option<T>) -> Read<Option<T>> {
        let Some(text) = self.text(key)? else {
            return Ok(None);
        };
        let value = read(&text);
        if value.is_none() && !NO_DATES.contains(&text.as_str()) {
            self.unreadable(code::UNREADABLE_DATE, key, text);
        } else if value.is_none() || text.contains('.') {
            // Fractions of a second are cut to milliseconds.
            self.keep_raw(key, Json::String(text));
        }
        Ok(value)
    }
}

impl Unit {
    /// Digits behind the point in which amounts are written.
    pub(super) fn digits(self) -> u32 {
        self.parts().1
    }

    /// How numbers are written, and digits behind the point.
    fn parts(self) -> (Written, u32) {
        match self {
            Self::Minor => (Written::Number, 0),
            Self::MajorText(digits) => (Written::Text, digits),
            Self::Major(digits) => (Written::Either, digits),
        }
    }
}

/// The start of a day in UTC.
pub(super) fn midnight(day: Day) -> Instant {
    Instant::new(day.and_time(NaiveTime::MIN).and_utc())
}

/// The last second of a day in UTC: when something due that day becomes overdue.
pub(super) fn end_of_day(day: Day) -> Instant {
    let second = NaiveTime::from_hms_opt(23, 59, 59).unwrap_or_default();
    Instant::new(day.and_time(second).and_utc())
}

/// The day of an instant in UTC.
pub(super) fn day_of(at: Instant) -> Day {
    at.utc().date_naive()
}

/// Refuses a list in which an id occurs twice. `list` is its path, `key` the field of the id.
pub(super) fn refuse_duplicates<'a>(
    list: &str,
    key: &str,
    ids: impl IntoIterator<Item = Option<&'a String>>,
) -> Read<()> {
    let mut known = HashSet::new();
    for (index, id) in ids.into_iter().enumerate() {
        if let Some(id) = id
            && !known.insert(id)
        {
            return Err(DialectError::Duplicate { path: format!("{list}[{index}].{key}"), found: quoted(id) });
        }
    }
    Ok(())
}

/// The sum of amounts of a list; `path` names the list.
///
/// # Errors
/// [`DialectError::OutOfRange`] when the sum is no amount any more.
pub(super) fn sum(path: &str, amounts: impl IntoIterator<Item = Minor>) -> Read<Minor> {
    let total = amounts.into_iter().try_fold(0_i64, |total, amount| total.checked_add(amount.0));
    match total {
        Some(total) if total.unsigned_abs() <= SAFE_INTEGER_MAX.unsigned_abs() => Ok(Minor(total)),
        _ => Err(DialectError::OutOfRange {
            path: path.to_owned(),
            found: "the sum".to_owned(),
            reason: "amounts stop at 2^53 - 1 minor units",
        }),
    }
}

/// A text that is a plain whole number, for ids that are integers.
pub(super) fn whole_number(text: &str) -> Option<i64> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|_| plain)?;
    (number <= SAFE_INTEGER_MAX).then_some(number)
}

fn plain(word: &str) -> String {
    let characters = word.chars().filter(|c| c.is_alphanumeric());
    characters.flat_map(char::to_lowercase).collect()
}

/// Whether a text looks like `pattern`, in which `0` stands for any digit.
fn looks_like(text: &str, pattern: &str) -> bool {
    text.len() == pattern.len()
        && text.bytes().zip(pattern.bytes()).all(|(byte, wanted)| match wanted {
            b'0' => byte.is_ascii_digit(),
            _ => byte == wanted,
        })
}

fn rfc3339(text: &str) -> Option<Instant> {
    let at = DateTime::parse_from_rfc3339(text).ok()?;
    Some(Instant::new(at.to_utc()))
}

fn plain_moment(text: &str) -> Option<Instant> {
    if !looks_like(text, "0000-00-00 00:00:00") {
        return None;
    }
    let at = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").ok()?;
    Some(Instant::new(at.and_utc()))
}

fn plain_day(text: &str) -> Option<Day> {
    if !looks_like(text, "0000-00-00") {
        return None;
    }
    NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::document;
    use super::*;

    fn reader(text: &str) -> Reader {
        Reader::root(document::parse(text).unwrap().root, false).unwrap()
    }

    fn codes(reader: Reader) -> Vec<(String, String)> {
        let issues = reader.into_issues();
        issues.into_iter().map(|issue| (issue.code, issue.path)).collect()
    }

    fn issue(code: &str, path: &str) -> (String, String) {
        (code.to_owned(), path.to_owned())
    }

    #[test]
    fn what_nobody_reads_is_left_over() {
        let mut root = reader(r#"{"a": 1, "inner": {"b": "x", "c": [1.5]}, "rows": [{}, {"d": true}], "n": null}"#);
        assert_eq!(root.amount("a", Unit::Minor).unwrap(), Some(Minor(1)));
        let inner = root.within("inner", |inner| inner.text("b")).unwrap();
        assert_eq!(inner, Some(Some("x".to_owned())));
        assert_eq!(root.rows("rows", |_| Ok(())).unwrap().len(), 2);
        assert_eq!(root.leftover(), json!({"inner": {"c": [1.5]}, "rows": {"1": {"d": true}}, "n": null}));
    }

    #[test]
    fn a_row_with_its_own_attributes_takes_what_is_left_and_its_raw_texts() {
        let mut root = reader(r#"{"rows": [{"on": "string", "more": 1}]}"#);
        let rows = root
            .rows("rows", |row| {
                assert_eq!(row.day("on")?, None);
                Ok(row.leftover())
            })
            .unwrap();
        assert_eq!(rows, [json!({"more": 1, "$raw": {"rows[0].on": "string"}})]);
        assert_eq!(root.leftover(), json!({}));
        assert_eq!(codes(root), [issue(code::UNREADABLE_DATE, "rows[0].on")]);
    }

    #[test]
    fn raw_texts_of_inner_objects_belong_to_the_row_around_them() {
        let mut root = reader(r#"{"period": {"start": "soon"}}"#);
        root.within("period", |period| period.instant("start")).unwrap();
        assert_eq!(root.leftover(), json!({"$raw": {"period.start": "soon"}}));
    }

    #[test]
    fn amounts_are_read_exactly_or_with_an_issue() {
        let mut root =
            reader(r#"{"a": "9", "b": 9.95, "c": "1.005", "d": "string", "e": "", "f": -5, "g": "9.9", "h": "9.90"}"#);
        assert_eq!(root.amount("a", Unit::MajorText(2)).unwrap(), Some(Minor(900)));
        assert_eq!(root.amount("b", Unit::Major(2)).unwrap(), Some(Minor(995)));
        assert_eq!(root.amount("c", Unit::Major(2)).unwrap(), Some(Minor(101)));
        assert_eq!(root.amount("d", Unit::Major(2)).unwrap(), None);
        assert_eq!(root.amount("e", Unit::Major(2)).unwrap(), None);
        assert_eq!(root.positive_amount("f", Unit::Minor).unwrap(), Some(Minor(0)));
        assert_eq!(root.amount("g", Unit::MajorText(2)).unwrap(), Some(Minor(990)));
        assert_eq!(root.amount("h", Unit::Major(2)).unwrap(), Some(Minor(990)));
        assert_eq!(root.amount("absent", Unit::Minor).unwrap(), None);
        assert_eq!(root.leftover(), json!({"$raw": {"c": "1.005", "d": "string", "e": "", "f": -5}}));
        let found = [
            issue(code::ROUNDED_AMOUNT, "c"),
            issue(code::UNREADABLE_DECIMAL, "d"),
            issue(code::STATED_AMOUNT_IMPOSSIBLE, "f"),
        ];
        assert_eq!(codes(root), found);
    }

    #[test]
    fn another_spelling_of_a_number_stays_beside_it() {
        let mut root = reader(r#"{"a": "9.00", "b": "0.50", "c": 0.50, "d": "7"}"#);
        assert_eq!(root.amount("a", Unit::MajorText(2)).unwrap(), Some(Minor(900)));
        for key in ["b", "c"] {
            let decimal = root.decimal(key, Written::Either).unwrap().unwrap();
            assert_eq!(decimal.0, "0.5");
        }
        assert_eq!(root.integer("d", Written::Either).unwrap(), Some(7));
        assert_eq!(root.leftover(), json!({"$raw": {"a": "9.00", "b": "0.50"}}));
    }

    #[test]
    fn wrong_types_and_numbers_that_do_not_fit_are_refused() {
        let mut root =
            reader(r#"{"a": 9, "b": "9", "c": 9007199254740992, "d": [], "e": {}, "f": "1e400", "g": 3e9, "h": 1}"#);
        let refused = [
            root.amount("a", Unit::MajorText(2)).unwrap_err(),
            root.amount("b", Unit::Minor).unwrap_err(),
            root.amount("c", Unit::Minor).unwrap_err(),
            root.id("d").unwrap_err(),
            root.text("e").unwrap_err(),
            root.decimal("f", Written::Text).unwrap_err(),
            root.integer("g", Written::Number).unwrap_err(),
            root.boolean("h").unwrap_err(),
        ];
        let lines = refused.map(|error| error.to_string());
        assert_eq!(
            lines,
            [
                "a: expected a number as text, found a number",
                "b: expected a number, found a text",
                "c: 9007199254740992 does not fit: amounts stop at 2^53 - 1 minor units",
                "d: expected an id as text, found a list",
                "e: expected a text, found an object",
                "f: 1e400 does not fit: numbers have at most 38 digits",
                "g: 3e9 does not fit: whole numbers stop at 2^31 - 1",
                "h: expected a boolean, found a number",
            ]
        );
    }

    #[test]
    fn dates_that_are_not_set_read_as_nothing_without_an_issue() {
        let mut root = reader(
            r#"{"a": "0000-00-00", "b": "0000-00-00 00:00:00", "c": "2024-02-30", "d": "2024-02-29 10:11:12",
                "e": "2024-02-29", "f": "2024-02-29T10:11:12.1234567+02:00", "g": null}"#,
        );
        assert_eq!(root.day("a").unwrap(), None);
        assert_eq!(root.moment("b").unwrap(), None);
        assert_eq!(root.day("c").unwrap(), None);
        let moment = root.moment("d").unwrap().unwrap();
        assert_eq!(moment.utc().to_rfc3339(), "2024-02-29T10:11:12+00:00");
        let day = root.day("e").unwrap().unwrap();
        assert_eq!(end_of_day(day).utc().to_rfc3339(), "2024-02-29T23:59:59+00:00");
        let instant = root.instant("f").unwrap().unwrap();
        assert_eq!(instant.utc().to_rfc3339(), "2024-02-29T08:11:12.123+00:00");
        assert_eq!(root.instant("g").unwrap(), None);
        assert_eq!(codes(root), [issue(code::UNREADABLE_DATE, "c")]);
    }

    #[test]
    fn flags_are_read_in_every_form() {
        let mut root = reader(r#"{"a": "0", "b": "1", "c": true, "d": 0, "e": "False", "f": "maybe", "g": ""}"#);
        let flags = ["a", "b", "c", "d", "e", "f", "g"].map(|key| root.flag(key).unwrap());
        let wanted = [Some(false), Some(true), Some(true), Some(false), Some(false), None, None];
        assert_eq!(flags, wanted);
        assert_eq!(codes(root), [issue(code::UNREADABLE_FLAG, "f")]);
    }

    #[test]
    fn words_are_known_however_they_are_spelled() {
        let words = [("OneOff", 1), ("Recurring", 2)];
        let mut root = reader(r#"{"a": "OneOff", "b": "ONE_OFF", "c": "Odd\nword", "d": null}"#);
        assert_eq!(root.word("a", &words).unwrap().value, Some(1));
        assert_eq!(root.word("b", &words).unwrap().value, Some(1));
        let odd = root.word("c", &words).unwrap();
        assert_eq!((odd.value, odd.stated.as_deref()), (None, Some("Odd\nword")));
        assert_eq!(root.word("d", &words).unwrap().stated, None);
        assert_eq!(root.leftover(), json!({"$raw": {"b": "ONE_OFF", "c": "Odd\nword"}}));
        let issues = root.into_issues();
        assert_eq!(issues.len(), 1);
        assert_eq!(issues[0].stated.as_deref(), Some("Odd\u{fffd}word"));
    }

    #[test]
    fn an_unsafe_link_is_neither_kept_nor_quoted() {
        let mut root = reader(r#"{"a": "https://pay.stripe.com/x", "b": "https://evil.example/x"}"#);
        let hosts = LinkHosts::default();
        assert!(root.link("a", &hosts).unwrap().is_some());
        assert_eq!(root.link("b", &hosts).unwrap(), None);
        assert_eq!(root.leftover(), json!({}));
        let issues = root.into_issues();
        assert_eq!(issues[0].code, code::UNSAFE_LINK);
        assert_eq!(issues[0].stated, None);
    }

    #[test]
    fn another_currency_is_refused_and_an_unreadable_one_is_an_issue() {
        let invoice = CurrencyCode("EUR".to_owned());
        let mut root = reader(r#"{"a": "eur", "b": "<string>", "c": "USD"}"#);
        root.same_currency("a", &invoice).unwrap();
        root.same_currency("b", &invoice).unwrap();
        let error = root.same_currency("c", &invoice).unwrap_err();
        assert_eq!(error.to_string(), "c: currency USD, but the invoice is in EUR");
        assert_eq!(codes(root), [issue(code::CURRENCY_UNKNOWN, "b")]);
    }

    #[test]
    fn ids_are_opaque_short_and_unique() {
        let long = "x".repeat(ID_LENGTH_MAX);
        let mut root = reader(&format!(r#"{{"a": "in_3Q…", "b": "12", "c": "{long}", "d": "{long}é", "e": ""}}"#));
        assert_eq!(root.id("a").unwrap().as_deref(), Some("in_3Q…"));
        assert_eq!(root.id("b").unwrap().as_deref(), Some("12"));
        assert_eq!(root.id("c").unwrap(), Some(long));
        assert_eq!(root.id("d").unwrap_err().to_string(), "d: 129 characters, at most 128 are kept");
        assert_eq!(root.required_id("e").unwrap_err().to_string(), "e: required, but absent");
        let ids = [Some("a".to_owned()), None, None, Some("a".to_owned())];
        let error = refuse_duplicates("rows", "id", ids.iter().map(Option::as_ref)).unwrap_err();
        assert_eq!(error.to_string(), "rows[3].id: a occurs twice");
    }

    #[test]
    fn ids_are_numbers_only_where_the_system_writes_them_so() {
        let inner = |numeric_ids| {
            let document = document::parse(r#"{"inner": {"id": 12}}"#).unwrap();
            let mut root = Reader::root(document.root, numeric_ids).unwrap();
            root.within("inner", |inner| inner.id("id"))
        };
        assert_eq!(inner(true).unwrap(), Some(Some("12".to_owned())));
        let error = inner(false).unwrap_err();
        assert_eq!(error.to_string(), "inner.id: expected an id as text, found a number");
    }

    #[test]
    fn a_large_map_is_read_in_one_pass() {
        let entries: Vec<String> = (0..60_000).map(|index| format!("\"{index}\": \"\"")).collect();
        let mut root = reader(&format!("{{\"map\": {{{}}}}}", entries.join(",")));
        let map = root.string_map("map").unwrap();
        assert_eq!(map.as_object().unwrap().len(), 60_000);
    }

    #[test]
    fn a_thousand_entries_pass_and_one_more_is_refused() {
        let list = |count| format!(r#"{{"rows": [{}]}}"#, vec!["{}"; count].join(","));
        assert_eq!(reader(&list(1_000)).rows("rows", |_| Ok(())).unwrap().len(), 1_000);
        let error = reader(&list(1_001)).rows("rows", |_| Ok(())).unwrap_err();
        assert_eq!(error.to_string(), "rows: 1001 entries, at most 1000 are read");
    }

    #[test]
    fn a_reversed_period_is_dropped_with_an_issue() {
        let mut root = reader(r#"{"start": "2024-02-02T00:00:00Z", "end": "2024-02-01T00:00:00Z"}"#);
        let start = root.instant("start").unwrap();
        let end = root.instant("end").unwrap();
        assert_eq!(root.ordered(("start", start), ("end", start)), (start, start));
        assert_eq!(root.ordered(("start", start), ("end", end)), (None, None));
        assert_eq!(codes(root), [issue(code::PERIOD_REVERSED, "end")]);
    }

    #[test]
    fn metadata_is_a_map_of_texts() {
        let mut root = reader(r#"{"a": {"k": "v", "empty": "", "none": null}, "b": {"k": 1}}"#);
        assert_eq!(root.string_map("a").unwrap(), json!({"k": "v", "empty": ""}));
        assert_eq!(root.string_map("b").unwrap_err().to_string(), "b.k: expected a text, found a number");
        assert_eq!(root.string_map("absent").unwrap(), json!({}));
        assert_eq!(root.leftover(), json!({"a": {"none": null}}));
    }

    #[test]
    fn a_sum_that_is_no_amount_any_more_is_refused() {
        let most = Minor(SAFE_INTEGER_MAX);
        assert_eq!(sum("rows", [most, Minor(-1), Minor(1)]).unwrap(), most);
        let error = sum("rows", [most, Minor(1)]).unwrap_err();
        assert_eq!(error.to_string(), "rows: the sum does not fit: amounts stop at 2^53 - 1 minor units");
    }
}
