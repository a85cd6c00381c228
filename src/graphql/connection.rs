//! Relay connections: pages of a list, opaque cursors, and the rules of asking for them.

use async_graphql::SimpleObject;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use entity::{Day, Instant};
use serde_json::{Value, json};

use super::error::Failure;
use super::scalars::in_years;
use crate::store::{Keyset, Page, SortValue};

/// Entries of a page when neither `first` nor `last` is given.
pub(super) const PAGE_DEFAULT: u64 = 20;

/// Entries of the largest page.
pub(super) const PAGE_MAX: u64 = 100;

/// Characters of a cursor. Ours are far shorter; only numbers of invoices, at most 128 characters, vary.
const CURSOR_MAX: usize = 1_024;

/// Where a page stands in its list.
#[derive(SimpleObject)]
pub(super) struct PageInfo {
    /// Whether there are entries behind this page.
    has_next_page: bool,
    /// Whether there are entries before this page.
    has_previous_page: bool,
    /// Cursor of the first entry; null when the page is empty.
    start_cursor: Option<String>,
    /// Cursor of the last entry; null when the page is empty.
    end_cursor: Option<String>,
}

/// How a client asks for a page.
pub(super) struct PageArguments {
    pub(super) first: Option<i32>,
    pub(super) after: Option<String>,
    pub(super) last: Option<i32>,
    pub(super) before: Option<String>,
}

impl PageArguments {
    /// The page that is asked for, of a list ordered by `order`.
    pub(super) fn page(self, order: ListOrder) -> Result<Page, Failure> {
        let (count, backward) = match (self.first, self.last) {
            (Some(_), Some(_)) => return Err(Failure::BadInput("Give first or last, not both.".to_owned())),
            (None, Some(last)) => (Some(("last", last)), true),
            (first, None) => (first.map(|first| ("first", first)), false),
        };
        let limit = match count {
            None => PAGE_DEFAULT,
            Some((name, count)) => within(name, count, PAGE_MAX)?,
        };
        let place = |cursor: Option<String>| cursor.map(|cursor| order.place(&cursor)).transpose();
        Ok(Page { after: place(self.after)?, before: place(self.before)?, limit, backward })
    }
}

/// `count`, when it is between 1 and `max`.
pub(super) fn within(name: &str, count: i32, max: u64) -> Result<u64, Failure> {
    match u64::try_from(count) {
        Ok(count) if (1..=max).contains(&count) => Ok(count),
        _ => Err(Failure::BadInput(format!("{name} must be between 1 and {max}."))),
    }
}

/// What a list is ordered by: its name in cursors, and how its values are read back.
#[derive(Clone, Copy, Debug)]
pub(super) struct ListOrder {
    pub(super) name: &'static str,
    pub(super) value: ValueKind,
}

/// The sort of value that a list is ordered by.
#[derive(Clone, Copy, Debug)]
pub(super) enum ValueKind {
    Instant,
    Day,
    Integer,
    Text,
}

impl ListOrder {
    /// The cursor of an entry: opaque to clients, and good for lists of the same order only.
    pub(super) fn cursor(self, place: &Keyset) -> String {
        let value = match &place.value {
            SortValue::Absent => Value::Null,
            SortValue::Instant(at) => json!(at.utc().timestamp_millis()),
            SortValue::Day(day) => json!(day),
            SortValue::Integer(number) => json!(number),
            SortValue::Text(text) => json!(text),
        };
        BASE64.encode(json!([self.name, value, place.id]).to_string())
    }

    fn place(self, cursor: &str) -> Result<Keyset, Failure> {
        self.read(cursor).ok_or_else(|| Failure::BadInput("The cursor is not one of this list.".to_owned()))
    }

    fn read(self, cursor: &str) -> Option<Keyset> {
        let (name, place) = self.value.read(cursor)?;
        (name == self.name).then_some(place)
    }
}

impl ValueKind {
    const ALL: [Self; 4] = [Self::Instant, Self::Day, Self::Integer, Self::Text];

    /// The name of the order, and the place in it.
    fn read(self, cursor: &str) -> Option<(String, Keyset)> {
        let bytes = (cursor.len() <= CURSOR_MAX).then(|| BASE64.decode(cursor).ok())??;
        let (name, value, id): (String, Value, String) = serde_json::from_slice(&bytes).ok()?;
        let value = match (self, value) {
            (_, Value::Null) => SortValue::Absent,
            (Self::Instant, value) => {
                let at = chrono::DateTime::from_timestamp_millis(value.as_i64()?);
                SortValue::Instant(Instant::new(at.filter(|at| in_years(at.date_naive()))?))
            }
            (Self::Day, value) => {
                let day = serde_json::from_value::<Day>(value).ok();
                SortValue::Day(day.filter(|day| in_years(*day))?)
            }
            (Self::Integer, value) => SortValue::Integer(value.as_i64()?),
            (Self::Text, value) => SortValue::Text(value.as_str().filter(|text| !text.contains('\0'))?.to_owned()),
        };
        (!id.contains('\0')).then_some((name, Keyset { value, id }))
    }
}

/// Whether a text is a cursor of a list in some order.
pub(super) fn is_cursor(text: &str) -> bool {
    ValueKind::ALL.into_iter().any(|kind| kind.read(text).is_some())
}

/// A page with the cursors of its ends.
pub(super) fn page_info(page: &Page, more: bool, ends: Option<(String, String)>) -> PageInfo {
    let (start_cursor, end_cursor) = ends.unzip();
    PageInfo {
        has_next_page: if page.backward { page.before.is_some() } else { more },
        has_previous_page: if page.backward { more } else { page.after.is_some() },
        start_cursor,
        end_cursor,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ORDER: ListOrder = ListOrder { name: "NUMBER", value: ValueKind::Text };

    fn asked(first: Option<i32>, last: Option<i32>) -> Result<Page, Failure> {
        PageArguments { first, last, after: None, before: None }.page(ORDER)
    }

    #[test]
    fn pages_have_twenty_entries_by_default_and_a_hundred_at_most() {
        assert_eq!(asked(None, None).unwrap().limit, 20);
        assert_eq!(asked(Some(100), None).unwrap().limit, 100);
        assert!(asked(None, Some(1)).unwrap().backward);
        for refused in [asked(Some(101), None), asked(Some(0), None), asked(Some(-1), None), asked(Some(1), Some(1))] {
            assert!(matches!(refused, Err(Failure::BadInput(_))));
        }
    }

    #[test]
    fn a_cursor_of_another_order_is_refused() {
        let place = Keyset { value: SortValue::Integer(7), id: "inv_1".to_owned() };
        let cursor = ListOrder { name: "AMOUNT_DUE", value: ValueKind::Integer }.cursor(&place);
        assert!(ORDER.read(&cursor).is_none());
    }

    proptest! {
        #[test]
        fn cursors_come_back_as_they_were(text in proptest::option::of("[^\0]{0,60}"), id in "[a-zA-Z0-9_]{1,40}") {
            let place = Keyset { value: text.map_or(SortValue::Absent, SortValue::Text), id };
            prop_assert_eq!(ORDER.read(&ORDER.cursor(&place)), Some(place));
        }

        #[test]
        fn no_text_that_claims_to_be_a_cursor_panics(text in ".{0,80}") {
            let _read = ORDER.read(&text);
        }
    }
}
