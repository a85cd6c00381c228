//! The lines of `overage-week`: two rentals, a line per rental and day, rate bands below every line.

use chrono::{DateTime, Days, NaiveTime, TimeDelta, Utc};
use entity::{CurrencyCode, Instant, LineItemKind, rental};
use serde_json::json;

use super::{
    catalogue::{ADDRESS, EGRESS, Item, VOLUME},
    line::{LineDraft, Part, Quantity, decimal},
    rentals::item_of,
};
use crate::domain::decimal::Decimal;

/// Hours of the night, which are cheaper: before 6:00 and from 22:00, in UTC.
const NIGHT: (i64, i64) = (6, 22);

/// What the night costs of the day's price, in percent.
const NIGHT_PERCENT: i64 = 80;

/// One line for each day that a rental ran, with a band for the day and one for the night.
pub(super) fn daily_lines(rental: &rental::Model) -> Vec<LineDraft> {
    let until = rental.stopped_at.unwrap_or(rental.started_at).utc();
    let mut lines = Vec::new();
    let mut start = rental.started_at.utc();
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
    let parts = vec![
        band("Day, 06:00 to 22:00 UTC", Quantity::hours(gpus, day_seconds), price),
        band("Night, 22:00 to 06:00 UTC", Quantity::hours(gpus, night_seconds), reduced),
    ];
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

/// What else a rental used: storage, traffic, an address; each in bands.
pub(super) fn extra_lines(rental: &rental::Model) -> Vec<LineDraft> {
    let seconds = rental.seconds_billed;
    let currency = &rental.currency;
    let whole = |line: LineDraft| {
        line.billing(rental).during(rental.started_at, rental.stopped_at.unwrap_or(rental.started_at))
    };
    let volume = vec![
        list_band("First 500 GiB", Quantity::hours(500, seconds), VOLUME, currency),
        band("Beyond 500 GiB", Quantity::hours(1_500, seconds), decimal(110, 6)),
    ];
    let traffic = vec![
        list_band("First 1,000 GiB", Quantity::units(1_000), EGRESS, currency),
        band("Beyond 1,000 GiB", Quantity::units(310), decimal(30, 3)),
    ];
    let address = vec![list_band("One address, by the hour", Quantity::hours(1, seconds), ADDRESS, currency)];
    vec![
        whole(LineDraft::banded(LineItemKind::Usage, "NVMe volume, 2,000 GiB", VOLUME, volume)),
        whole(LineDraft::banded(LineItemKind::Usage, "Traffic to the internet, 1,310 GiB", EGRESS, traffic)),
        whole(LineDraft::banded(LineItemKind::Fee, "Public IPv4 address", ADDRESS, address)),
    ]
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
