//! Lines for what a rental used: one for all of it, or one per day with rate bands below, and what else it used.

use chrono::{DateTime, Days, NaiveTime, TimeDelta, Utc};
use entity::{CurrencyCode, Instant, LineItemKind, rental};
use serde_json::json;

use super::{
    catalogue::{ADDRESS, EGRESS, Item, VOLUME, in_currency},
    line::{LineDraft, Part, Quantity, decimal},
    machine::item_of,
};
use crate::domain::decimal::Decimal;

/// Hours of the night, which are cheaper: before 6:00 and from 22:00, in UTC.
const NIGHT: (i64, i64) = (6, 22);

/// What the night costs of the day's price, in percent.
const NIGHT_PERCENT: i64 = 80;

/// A line for every GPU of a rental, for every second of a span, at the list price.
pub(super) fn plain_line(kind: LineItemKind, rental: &rental::Model, [start, end]: [Instant; 2]) -> LineDraft {
    let item = item_of(rental);
    let lasted = (end.utc() - start.utc()).num_seconds();
    let description = format!("{}× {} on {}", rental.gpu_count, item.title, rental.name.as_deref().unwrap_or_default());
    let quantity = Quantity::hours(i64::from(rental.gpu_count), lasted);
    LineDraft::of(kind, &description, item, quantity).billing(rental).during(start, end)
}

/// One line for each day of a span in which a rental ran, with a band for the day and one for the night.
pub(super) fn daily_lines(rental: &rental::Model, [from, until]: [Instant; 2]) -> Vec<LineDraft> {
    let until = until.utc();
    let mut lines = Vec::new();
    let mut start = from.utc();
    while start < until {
        let end = next_midnight(start).min(until);
        lines.push(daily_line(rental, start, end));
        start = end;
    }
    lines
}

fn daily_line(rental: &rental::Model, start: DateTime<Utc>, end: DateTime<Utc>) -> LineDraft {
    let item = item_of(rental);
    let gpus = i64::from(rental.gpu_count);
    let night_seconds = night_seconds(start, end);
    let day_seconds = (end - start).num_seconds() - night_seconds;
    let price = item.unit_price(&rental.currency);
    let reduced = price.times(decimal(NIGHT_PERCENT, 2)).unwrap_or(price);
    let bands =
        [("Day, 06:00 to 22:00 UTC", day_seconds, price), ("Night, 22:00 to 06:00 UTC", night_seconds, reduced)];
    let used = bands.into_iter().filter(|(_, seconds, _)| *seconds > 0);
    let parts = used.map(|(name, seconds, price)| band(name, Quantity::hours(gpus, seconds), price)).collect();
    let description = format!(
        "{gpus}× {} on {}: {}",
        item.title,
        rental.name.as_deref().unwrap_or_default(),
        start.format("%-d %B %Y")
    );
    LineDraft::banded(LineItemKind::Overage, &description, item, parts)
        .billing(rental)
        .during(Instant::new(start), Instant::new(end))
        .with(|row| row.metadata = json!({ "gpu_family": item.key, "gpu_count": gpus.to_string() }))
}

/// What a rental uses beside its GPUs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Beside {
    /// GiB of its volume.
    pub(super) volume: i64,
    /// GiB that went to the internet.
    pub(super) traffic: i64,
}

/// What else a rental used in a span: storage, traffic, an address; each in bands.
pub(super) fn extra_lines(rental: &rental::Model, [start, end]: [Instant; 2], beside: Beside) -> Vec<LineDraft> {
    let Beside { volume, traffic } = beside;
    let seconds = (end.utc() - start.utc()).num_seconds();
    let currency = &rental.currency;
    let whole = |line: LineDraft| line.billing(rental).during(start, end);
    let stored = |gib: i64| Quantity::hours(gib, seconds);
    let volumes = vec![
        list_band("First 500 GiB", stored(volume.min(500)), VOLUME, currency),
        cheaper_band("Beyond 500 GiB", stored((volume - 500).max(0)), (110, 6), currency),
    ];
    let sent = vec![
        list_band("First 1,000 GiB", Quantity::units(traffic.min(1_000)), EGRESS, currency),
        cheaper_band("Beyond 1,000 GiB", Quantity::units((traffic - 1_000).max(0)), (30, 3), currency),
    ];
    let address = vec![list_band("One address, by the hour", Quantity::hours(1, seconds), ADDRESS, currency)];
    let used = |parts: Vec<Part>| parts.into_iter().filter(|part| part.quantity != Quantity::default()).collect();
    vec![
        whole(LineDraft::banded(
            LineItemKind::Usage,
            &format!("NVMe volume, {} GiB", grouped(volume)),
            VOLUME,
            used(volumes),
        )),
        whole(LineDraft::banded(
            LineItemKind::Usage,
            &format!("Traffic to the internet, {} GiB", grouped(traffic)),
            EGRESS,
            used(sent),
        )),
        whole(LineDraft::banded(LineItemKind::Fee, "Public IPv4 address", ADDRESS, address)),
    ]
}

/// The number with commas between thousands.
fn grouped(number: i64) -> String {
    if number < 1_000 { number.to_string() } else { format!("{},{:03}", number / 1_000, number % 1_000) }
}

/// A band below the list price: US dollars, as digits and how many of them stand behind the point.
fn cheaper_band(name: &str, quantity: Quantity, (dollars, scale): (i64, u32), currency: &CurrencyCode) -> Part {
    band(name, quantity, in_currency(dollars, scale, currency))
}

fn list_band(name: &str, quantity: Quantity, item: Item, currency: &CurrencyCode) -> Part {
    band(name, quantity, item.unit_price(currency))
}

fn band(name: &str, quantity: Quantity, unit_price: Decimal) -> Part {
    Part { name: name.to_owned(), quantity, unit_price, attributes: json!({ "band": name }) }
}

fn next_midnight(at: DateTime<Utc>) -> DateTime<Utc> {
    let midnight = (at.date_naive() + Days::new(1)).and_time(NaiveTime::MIN);
    midnight.and_utc()
}

/// How much of a span within one day lies in the night.
fn night_seconds(start: DateTime<Utc>, end: DateTime<Utc>) -> i64 {
    let midnight = start.date_naive().and_time(NaiveTime::MIN).and_utc();
    let (morning, evening) = NIGHT;
    let morning = midnight + TimeDelta::hours(morning);
    let evening = midnight + TimeDelta::hours(evening);
    let before = (end.min(morning) - start).num_seconds().max(0);
    let behind = (end - start.max(evening)).num_seconds().max(0);
    before + behind
}
