//! Who is simulated: people and companies from word lists, where they live, and how they use the marketplace.

use chrono::TimeDelta;
use entity::{Instant, subscription};
use serde_json::json;

use super::chance::Chance;
use crate::demo::{
    Plan,
    calendar::{after, days_before, month_of, text},
    catalogue::{A100, B200, H100, H200, Item, L40S, MI300X, RTX_3090, RTX_4090},
    draft::reserved_plan,
    person::{
        BTW, CONSUMPTION_TAX, Facts, GRIDLIGHT, Levy, MOMS, Means, NEW_YORK, Person, QUEBEC, REVERSED, SHOPS, Shop,
        UK_VAT, UMSATZSTEUER,
    },
};

/// One customer in so many belongs to another company than the demo's own.
const ELSEWHERE: u32 = 8;

/// Days of history, for the customers up to a number. The first ones are young, so that small demos stay small.
const HISTORY: [(u32, i64); 3] = [(8, 150), (100, 220), (2_000, 280)];

/// Days of history of all others.
const LONG_HISTORY: i64 = 360;

const FIRST_NAMES: [&str; 40] = [
    "Ada", "Bram", "Chioma", "Dmitri", "Elif", "Farah", "Goran", "Hanne", "Ivo", "Jun", "Kaia", "Lior", "Mina", "Nils",
    "Oona", "Priya", "Quentin", "Rosa", "Sven", "Tala", "Ugo", "Vera", "Wanda", "Ximena", "Yara", "Zeno", "Anouk",
    "Basil", "Cleo", "Dario", "Esme", "Femi", "Greta", "Hugo", "Ines", "Jasper", "Kofi", "Leila", "Milan", "Noa",
];
const LAST_NAMES: [&str; 40] = [
    "Abara",
    "Brandt",
    "Castell",
    "Dvorak",
    "Ekström",
    "Fontaine",
    "Galvez",
    "Hartog",
    "Ilves",
    "Jansen",
    "Kovacs",
    "Lindqvist",
    "Marek",
    "Nakata",
    "Ortega",
    "Pelletier",
    "Quist",
    "Rahimi",
    "Sato",
    "Thorne",
    "Ueda",
    "Varga",
    "Whitcombe",
    "Xu",
    "Yilmaz",
    "Zeller",
    "Achterberg",
    "Bellamy",
    "Corrigan",
    "Dufour",
    "Eze",
    "Faulkner",
    "Grieg",
    "Holloway",
    "Iversen",
    "Jovanov",
    "Keane",
    "Lacroix",
    "Moreau",
    "Novak",
];
const COMPANY_HEADS: [&str; 32] = [
    "Amber",
    "Basalt",
    "Cedar",
    "Delta",
    "Ember",
    "Fjord",
    "Granite",
    "Harbor",
    "Indigo",
    "Juniper",
    "Kelp",
    "Larch",
    "Meridian",
    "North Quay",
    "Opal",
    "Pinecone",
    "Quarry",
    "Ridge",
    "Sable",
    "Tundra",
    "Umber",
    "Verdant",
    "Willow",
    "Yarrow",
    "Zephyr",
    "Alder",
    "Bright Field",
    "Copper",
    "Dune",
    "Eastgate",
    "Foxglove",
    "Gale",
];
const STARTUP_TAILS: [&str; 8] =
    ["Labs", "Robotics", "Vision", "Speech", "Agents", "Studio", "Analytics", "Interactive"];
const LAB_TAILS: [&str; 6] =
    ["Institute", "University Hospital", "Centre for Climate", "Materials Group", "Genomics Centre", "Observatory"];
const ENTERPRISE_TAILS: [&str; 6] = ["Logistics", "Insurance", "Motors", "Energy", "Retail Group", "Pharma"];
const STREETS: [&str; 12] = [
    "Mill Lane",
    "Station Road",
    "Elm Street",
    "Harbour View",
    "Market Square",
    "Old Quay",
    "Foundry Street",
    "Orchard Way",
    "Canal Street",
    "Chapel Hill",
    "Garden Row",
    "Bridge Street",
];
const BRANDS: [&str; 4] = ["visa", "mastercard", "amex", "visa"];

/// How a kind of customer uses the marketplace.
#[derive(Clone, Copy, Debug)]
pub(super) struct Habits {
    /// What it is called.
    pub(super) kind: &'static str,
    /// Rentals begun in a thousand days.
    pub(super) rentals: i64,
    /// Hours that one lasts, from and to.
    pub(super) hours: (i64, i64),
    /// What is rented.
    pub(super) families: &'static [Item],
    /// Whether rentals begin in the evening only.
    pub(super) evenings: bool,
    /// Whether usage is billed by mail once a month and debited from a bank account, instead of a wallet.
    pub(super) by_mail: bool,
    /// US dollars below which the wallet is filled by itself; else it is filled by hand before a rental.
    pub(super) auto_topup_below: Option<i64>,
    /// US dollars of a top-up.
    pub(super) topups: &'static [i64],
    /// How many top-ups in a thousand the card refuses.
    pub(super) refused: i64,
    /// How many in a thousand have reserved capacity.
    pub(super) reserved: i64,
    /// How many in a thousand use a machine at the end of the simulation.
    pub(super) at_work: i64,
    tails: &'static [&'static str],
}

const HOBBYIST: Habits = Habits {
    kind: "hobbyist",
    rentals: 80,
    hours: (3, 14),
    families: &[RTX_3090, RTX_4090, RTX_4090, L40S],
    evenings: true,
    by_mail: false,
    auto_topup_below: None,
    topups: &[5, 10, 25],
    refused: 380,
    reserved: 0,
    at_work: 300,
    tails: &[],
};
const STARTUP: Habits = Habits {
    kind: "startup",
    rentals: 105,
    hours: (12, 190),
    families: &[RTX_4090, L40S, A100, H100],
    evenings: false,
    auto_topup_below: Some(25),
    topups: &[100],
    refused: 170,
    reserved: 550,
    at_work: 800,
    tails: &STARTUP_TAILS,
    ..HOBBYIST
};
const LAB: Habits = Habits {
    kind: "lab",
    rentals: 130,
    hours: (72, 200),
    families: &[A100, H100, H200, MI300X],
    auto_topup_below: Some(100),
    topups: &[100, 250, 500],
    refused: 260,
    reserved: 200,
    tails: &LAB_TAILS,
    ..STARTUP
};
const ENTERPRISE: Habits = Habits {
    kind: "enterprise",
    rentals: 60,
    hours: (100, 900),
    families: &[L40S, A100, H100, B200],
    by_mail: true,
    auto_topup_below: None,
    reserved: 800,
    at_work: 1_000,
    tails: &ENTERPRISE_TAILS,
    ..STARTUP
};
const GHOST: Habits = Habits { kind: "ghost", refused: 800, at_work: 0, rentals: 45, ..HOBBYIST };

/// Where a customer lives, and what follows for currency and taxes.
#[derive(Clone, Copy, Debug)]
struct Place {
    country: &'static str,
    locale: &'static str,
    currency: &'static str,
    cities: &'static [&'static str],
    state: Option<&'static str>,
    calling: &'static str,
    levies: &'static [Levy],
}

const AMERICA: Place = Place {
    country: "US",
    locale: "en-US",
    currency: "USD",
    cities: &["Boise", "Tulsa", "Madison", "Raleigh", "Tucson", "Spokane"],
    state: None,
    calling: "+1 555",
    levies: &[],
};
const MANHATTAN: Place = Place { cities: &["New York"], state: Some("NY"), levies: &NEW_YORK, ..AMERICA };
const QUEBEC_CITY: Place = Place {
    country: "CA",
    locale: "fr-CA",
    cities: &["Québec", "Laval", "Gatineau"],
    state: Some("QC"),
    levies: &QUEBEC,
    ..AMERICA
};
const GERMANY: Place = Place {
    country: "DE",
    locale: "de-DE",
    currency: "EUR",
    cities: &["Leipzig", "Kassel", "Rostock"],
    calling: "+49 555",
    levies: &UMSATZSTEUER,
    ..AMERICA
};
const GERMANY_DOLLARS: Place = Place { currency: "USD", ..GERMANY };
const NETHERLANDS: Place = Place {
    country: "NL",
    locale: "nl-NL",
    cities: &["Utrecht", "Breda"],
    calling: "+31 555",
    levies: &BTW,
    ..GERMANY
};
const NETHERLANDS_DOLLARS: Place = Place { currency: "USD", ..NETHERLANDS };
const IRELAND: Place = Place {
    country: "IE",
    locale: "en-IE",
    currency: "USD",
    cities: &["Cork", "Galway"],
    calling: "+353 555",
    levies: &REVERSED,
    ..GERMANY
};
const FRANCE: Place = Place {
    country: "FR",
    locale: "fr-FR",
    cities: &["Nantes", "Lille"],
    calling: "+33 555",
    levies: &REVERSED,
    ..GERMANY
};
const BRITAIN: Place = Place {
    country: "GB",
    locale: "en-GB",
    currency: "GBP",
    cities: &["Leeds", "Bristol", "Dundee"],
    calling: "+44 555",
    levies: &UK_VAT,
    ..AMERICA
};
const BRITAIN_DOLLARS: Place = Place { currency: "USD", ..BRITAIN };
const SWEDEN: Place = Place {
    country: "SE",
    locale: "sv-SE",
    currency: "SEK",
    cities: &["Luleå", "Lund"],
    calling: "+46 555",
    levies: &MOMS,
    ..AMERICA
};
const JAPAN: Place = Place {
    country: "JP",
    locale: "ja-JP",
    currency: "JPY",
    cities: &["Sendai", "Kobe"],
    calling: "+81 555",
    levies: &CONSUMPTION_TAX,
    ..AMERICA
};
const KUWAIT: Place =
    Place { country: "KW", locale: "ar-KW", currency: "KWD", cities: &["Kuwait City"], calling: "+965 555", ..AMERICA };

/// Everywhere but America, so many in a thousand.
const PLACES: [(i64, Place); 13] = [
    (150, MANHATTAN),
    (30, QUEBEC_CITY),
    (15, GERMANY),
    (45, GERMANY_DOLLARS),
    (10, NETHERLANDS),
    (25, NETHERLANDS_DOLLARS),
    (55, IRELAND),
    (15, FRANCE),
    (20, BRITAIN),
    (30, BRITAIN_DOLLARS),
    (10, SWEDEN),
    (20, JAPAN),
    (10, KUWAIT),
];

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
