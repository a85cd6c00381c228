//! Where customers live, with what follows for currency and taxes.

use crate::demo::person::{BTW, CONSUMPTION_TAX, Levy, MOMS, NEW_YORK, QUEBEC, REVERSED, UK_VAT, UMSATZSTEUER};

/// Where a customer lives, and what follows for currency and taxes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) country: &'static str,
    pub(super) locale: &'static str,
    pub(super) currency: &'static str,
    pub(super) cities: &'static [&'static str],
    pub(super) state: Option<&'static str>,
    pub(super) calling: &'static str,
    pub(super) levies: &'static [Levy],
}

pub(super) const AMERICA: Place = Place {
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
pub(super) const PLACES: [(i64, Place); 13] = [
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
