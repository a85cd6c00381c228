//! Who is simulated: a person or a company, at a place, with habits.

use chrono::TimeDelta;
use entity::{Instant, subscription};
use serde_json::json;

use super::{
    chance::Chance,
    habits::{ENTERPRISE, GHOST, HOBBYIST, Habits, LAB, STARTUP},
    names::{COMPANY_HEADS, FIRST_NAMES, LAST_NAMES, STREETS},
    places::{AMERICA, PLACES, Place},
};
use crate::demo::{
    Plan,
    calendar::{after, days_before, month_of, text},
    draft::reserved_plan,
    person::{Facts, GRIDLIGHT, Means, Person, SHOPS, Shop},
};

/// One customer in so many belongs to another company than the demo's own.
const ELSEWHERE: u32 = 8;

/// Days of history, for the customers up to a number. The first ones are young, so that small demos stay small.
const HISTORY: [(u32, i64); 3] = [(8, 150), (100, 220), (2_000, 280)];

/// Days of history of all others.
const LONG_HISTORY: i64 = 360;

/// Brands of cards; one is commoner than the others.
const BRANDS: [&str; 4] = ["visa", "mastercard", "amex", "visa"];

/// A simulated customer.
pub(super) struct Customer {
    /// Its number, from 0.
    pub(super) number: u32,
    /// The customer with what its bills need to know.
    pub(super) person: Person,
    /// How it uses the marketplace.
    pub(super) habits: Habits,
    /// When it came.
    pub(super) since: Instant,
    /// What its invoice numbers start with.
    pub(super) prefix: String,
    /// Reserved capacity, and how many GPUs.
    pub(super) reserved: Option<(subscription::Model, i64)>,
}

impl Customer {
    /// What the names of its things start with: `g17`.
    pub(super) fn mark(&self) -> String {
        format!("g{}", self.number)
    }
}

/// The customer with this number.
pub(super) fn customer(plan: &Plan, number: u32) -> Customer {
    let mut chance = Chance::of(plan.seed, "customer", number);
    let habits = chance.mostly(HOBBYIST, &[(250, STARTUP), (120, LAB), (50, ENTERPRISE), (30, GHOST)]);
    let place = chance.mostly(AMERICA, &PLACES);
    let shop = shop(plan, number);
    let history = HISTORY.into_iter().find(|(below, _)| number < *below).map_or(LONG_HISTORY, |(_, days)| days);
    let since = days_before(plan.now, history, chance.below(40 * 86_400));
    let mut person = person(&shop, &mut chance, &habits, &place, number, since);
    if chance.per_mille(300) {
        person.add_spare(card(&mut chance, &digits(number + 3_571)));
    }
    let reserved = chance.per_mille(habits.reserved).then(|| {
        let mark = format!("sub_demo_g{number}");
        let month = month_of(plan.now);
        (reserved_plan(&person, &mark, "Reserved H100", since, month), chance.any(&[1, 1, 2, 4]))
    });
    Customer { number, person, habits, since, prefix: format!("{}-{}", shop.prefix, code(number)), reserved }
}

/// Most customers are the demo's own company's; the others are spread over all others.
fn shop(plan: &Plan, number: u32) -> Shop {
    let others = plan.tenants.saturating_sub(1).max(1);
    let place = if number % ELSEWHERE == ELSEWHERE - 1 { 1 + (number / ELSEWHERE) % others } else { 0 };
    usize::try_from(place).ok().and_then(|place| SHOPS.get(place)).copied().unwrap_or(GRIDLIGHT)
}

fn person(shop: &Shop, chance: &mut Chance, habits: &Habits, place: &Place, number: u32, since: Instant) -> Person {
    let (first, last) = (chance.any(&FIRST_NAMES), chance.any(&LAST_NAMES));
    let company = (!habits.tails.is_empty()).then(|| {
        let (head, tail) = (chance.any(&COMPANY_HEADS), chance.any(habits.tails));
        format!("{head} {tail}")
    });
    let key = format!("{}-{number}", slug(company.as_deref().unwrap_or(last)));
    let digits = digits(number);
    let method = if habits.by_mail { Means::Debit(&digits) } else { card(chance, &digits) };
    let mut person = Person::new(
        shop,
        &Facts {
            key: &key,
            first,
            last,
            company: company.as_deref(),
            phone: &format!("{} {:02} {:04}", place.calling, number % 100, chance.below(10_000)),
            tax_id: company.as_ref().map(|_| format!("{}000{number:06}", place.country)).as_deref(),
            lines: [&format!("{} {}", chance.between(1, 240), chance.any(&STREETS)), ""],
            city: chance.any(place.cities),
            state: place.state,
            postal_code: &format!("{:05}", chance.below(100_000)),
            country: place.country,
            locale: place.locale,
            currency: place.currency,
            since: &text(since),
            levies: place.levies,
            method,
        },
    );
    person.row.metadata = json!({ "segment": habits.kind });
    person
}

fn card<'a>(chance: &mut Chance, digits: &'a str) -> Means<'a> {
    Means::Card(chance.any(&BRANDS), digits)
}

/// Four digits that look like any.
fn digits(number: u32) -> String {
    format!("{:04}", u64::from(number) * 7_919 % 10_000)
}

/// Lower case, with hyphens, ASCII only.
fn slug(name: &str) -> String {
    let lower = name.to_lowercase();
    let plain = lower.chars().map(|letter| match letter {
        'ö' => 'o',
        other if other.is_ascii_alphanumeric() => other,
        _ => '-',
    });
    plain.collect()
}

/// Five letters and digits that no other customer has, without those that are mistaken for others.
fn code(number: u32) -> String {
    const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    // An odd factor maps the numbers below 2^25 onto each other.
    let mut rest = (u64::from(number) * 11_400_715 + 7_046_029) % (1 << 25);
    let mut letters = Vec::new();
    for _ in 0..5 {
        let place = usize::try_from(rest % 32).unwrap_or_default();
        letters.extend(LETTERS.get(place).copied().map(char::from));
        rest /= 32;
    }
    letters.into_iter().collect()
}

/// Minor units of a currency for a round amount of US dollars, round itself.
pub(super) fn round_amount(person: &Person, dollars: i64) -> i64 {
    dollars
        * match person.currency().0.as_str() {
            "JPY" => 150,
            "KWD" => 300,
            "SEK" => 1_000,
            _ => 100,
        }
}

/// The first instant of the simulation that a customer can do something: an hour after it came.
pub(super) fn first_hour(customer: &Customer) -> Instant {
    let since = customer.since.utc();
    let into_hour = since.timestamp().rem_euclid(3_600);
    after(customer.since, TimeDelta::seconds(3_600 - into_hour))
}
