//! Rentals of the demo, from what is written down of them.

use chrono::TimeDelta;
use entity::{Instant, Minor, RentalStatus, rental};

use super::{
    calendar::after,
    catalogue::{FAMILIES, H100, Item},
    line::{Quantity, amount},
    person::Person,
};
use crate::domain::{decimal::Decimal, ids, money::exponent};

/// Seconds in a week, after which short rentals stop by themselves.
const WEEK: i64 = 168 * 3600;

/// What is written down of a rental.
#[derive(Clone, Copy, Debug)]
pub(super) struct Machine<'a> {
    /// What its id is made from, with the moment it started.
    pub(super) key: &'a str,
    /// The name its owner gave it.
    pub(super) name: &'a str,
    pub(super) family: Item,
    pub(super) gpus: i32,
    pub(super) status: RentalStatus,
    pub(super) template: &'a str,
    pub(super) region: &'a str,
    /// Absent while there is no machine.
    pub(super) host: Option<&'a str>,
    pub(super) started: Instant,
    pub(super) stopped: Option<Instant>,
    pub(super) error: Option<&'a str>,
}

impl Machine<'_> {
    /// The rental's row as it stands at `now`. What is charged counts whole list prices: rate bands and discounts are
    /// the invoice's business.
    pub(super) fn rented_by(&self, owner: &Person, now: Instant) -> rental::Model {
        let currency = owner.currency();
        let digits = exponent(&currency);
        let ran = matches!(self.status, RentalStatus::Running | RentalStatus::Stopping | RentalStatus::Stopped);
        let until = self.stopped.unwrap_or(now);
        let seconds_billed = if ran { (until.utc() - self.started.utc()).num_seconds() } else { 0 };
        let unit_price = self.family.unit_price(&currency);
        let price_per_hour = amount(Quantity::units(i64::from(self.gpus)).decimal(), unit_price, digits);
        let hourly = Decimal::from_minor(price_per_hour, digits);
        rental::Model {
            tenant_id: owner.row.tenant_id.clone(),
            id: ids::at(self.started, &["demo", self.key]),
            customer_id: owner.row.id.clone(),
            name: Some(self.name.to_owned()),
            status: self.status,
            gpu_family: self.family.key.to_owned(),
            gpu_count: self.gpus,
            template: Some(self.template.to_owned()),
            region: Some(self.region.to_owned()),
            provider: Some("gridlight".to_owned()),
            host: self.host.map(str::to_owned),
            port: self.host.map(|_| 22_022),
            total_charged: if ran {
                amount(Quantity::hours(1, seconds_billed).decimal(), hourly, digits)
            } else {
                Minor(0)
            },
            currency,
            price_per_hour,
            seconds_billed,
            auto_stop_after_hours: (seconds_billed > 0 && seconds_billed < WEEK).then_some(168),
            error: self.error.map(str::to_owned),
            started_at: self.started,
            stopped_at: self.stopped,
            created_at: after(self.started, -TimeDelta::seconds(40)),
            updated_at: self.stopped.unwrap_or(self.started),
        }
    }
}

/// What a rental rents, as the catalogue has it.
pub(super) fn item_of(rental: &rental::Model) -> Item {
    let named = FAMILIES.into_iter().find(|family| family.key == rental.gpu_family);
    named.unwrap_or(H100)
}
