//! The people of the demo whose bills are written by hand: invented names, mail at `example.com`, telephone numbers with
//! 555.

use serde_json::json;

use crate::demo::person::{
    CONSUMPTION_TAX, Facts, GRIDLIGHT, MOMS, Means, NORTHFOLD, Person, QUEBEC, REVERSED, UK_VAT,
};

const MARA: Facts<'static> = Facts {
    key: "mara",
    first: "Mara",
    last: "Okonjo",
    company: Some("Okonjo Vision"),
    phone: "+1 503 555 0142",
    tax_id: None,
    lines: ["418 Alder Street", "Studio 7"],
    city: "Portland",
    state: Some("OR"),
    postal_code: "97205",
    country: "US",
    locale: "en-US",
    currency: "USD",
    since: "2026-02-03T16:20:00Z",
    levies: &[],
    method: Means::Card("visa", "0341"),
};
const TOBIAS: Facts<'static> = Facts {
    key: "tobias",
    first: "Tobias",
    last: "Wren",
    company: None,
    phone: "+1 406 555 0117",
    lines: ["9 Quarry Road", ""],
    city: "Missoula",
    state: Some("MT"),
    postal_code: "59801",
    since: "2025-11-20T21:05:00Z",
    method: Means::Card("mastercard", "4418"),
    ..MARA
};
const HALDEN: Facts<'static> = Facts {
    key: "halden",
    first: "Ingrid",
    last: "Sollie",
    company: Some("Halden Institute for Materials"),
    phone: "+47 555 01 163",
    tax_id: Some("NO 000 000 174 MVA"),
    lines: ["Fjellveien 12", "Building C"],
    city: "Halden",
    state: None,
    postal_code: "1771",
    country: "NO",
    locale: "nb-NO",
    since: "2025-03-11T08:00:00Z",
    method: Means::Card("visa", "7702"),
    ..MARA
};
const BRIGHTWATER: Facts<'static> = Facts {
    key: "brightwater",
    first: "Renee",
    last: "Castellan",
    company: Some("Brightwater Logistics Inc."),
    phone: "+1 216 555 0190",
    tax_id: Some("00-0000190"),
    lines: ["2200 Harbour Front", "Accounts Payable"],
    city: "Cleveland",
    state: Some("OH"),
    postal_code: "44114",
    since: "2025-06-02T13:00:00Z",
    method: Means::Debit("6789"),
    ..MARA
};
const BRIGHTWATER_CANADA: Facts<'static> = Facts {
    key: "brightwater-canada",
    first: "Luc",
    last: "Perreault",
    company: Some("Brightwater Logistics Canada ULC"),
    phone: "+1 514 555 0128",
    tax_id: Some("000000128RT0001"),
    lines: ["75 rue du Port", ""],
    city: "Montréal",
    state: Some("QC"),
    postal_code: "H2Y 0A1",
    country: "CA",
    locale: "fr-CA",
    currency: "CAD",
    since: "2025-09-15T13:00:00Z",
    levies: &QUEBEC,
    method: Means::Card("visa", "2209"),
};
const PIET: Facts<'static> = Facts {
    key: "piet",
    first: "Piet",
    last: "Averink",
    company: None,
    phone: "+1 702 555 0155",
    lines: ["Unit 14, 60 Sagebrush Lane", ""],
    city: "Reno",
    state: Some("NV"),
    postal_code: "89501",
    since: "2025-10-01T04:44:00Z",
    method: Means::Card("visa", "0002"),
    ..MARA
};
const KUMO: Facts<'static> = Facts {
    key: "kumo",
    first: "Aiko",
    last: "Tanabe",
    company: Some("Kumo Rendering KK"),
    phone: "+81 3 5550 0171",
    tax_id: Some("T0000000000171"),
    lines: ["2-11 Minamicho", "4F"],
    city: "Tokyo",
    state: None,
    postal_code: "105-0000",
    country: "JP",
    locale: "ja-JP",
    currency: "JPY",
    since: "2025-12-08T01:30:00Z",
    levies: &CONSUMPTION_TAX,
    method: Means::Card("jcb", "0505"),
};
const NOOR: Facts<'static> = Facts {
    key: "noor",
    first: "Huda",
    last: "Al-Rashed",
    company: Some("Dar Al Noor Analytics"),
    phone: "+965 555 00186",
    lines: ["Block 3, Street 18", ""],
    city: "Kuwait City",
    state: None,
    postal_code: "13001",
    country: "KW",
    locale: "ar-KW",
    currency: "KWD",
    since: "2026-01-19T06:00:00Z",
    method: Means::Card("mastercard", "3330"),
    ..MARA
};
const FALKENRIED: Facts<'static> = Facts {
    key: "falkenried",
    first: "Jonas",
    last: "Ehlers",
    company: Some("Falkenried Robotik GmbH"),
    phone: "+49 40 5550 0133",
    tax_id: Some("DE000000133"),
    lines: ["Falkenrieder Weg 8", ""],
    city: "Hamburg",
    state: None,
    postal_code: "20251",
    country: "DE",
    locale: "de-DE",
    currency: "EUR",
    since: "2025-08-25T07:15:00Z",
    levies: &REVERSED,
    method: Means::Card("visa", "3184"),
};
const TIDEPOOL: Facts<'static> = Facts {
    key: "tidepool",
    first: "Sana",
    last: "Whitlock",
    company: Some("Tidepool Genomics"),
    phone: "+1 858 555 0109",
    tax_id: Some("00-0000109"),
    lines: ["3100 Mesa Terrace", "Suite 210"],
    city: "San Diego",
    state: Some("CA"),
    postal_code: "92121",
    since: "2025-07-14T17:00:00Z",
    method: Means::Card("amex", "1005"),
    ..MARA
};
const NORRSKEN: Facts<'static> = Facts {
    key: "norrsken",
    first: "Elin",
    last: "Brask",
    company: Some("Norrsken Ljud AB"),
    phone: "+46 8 555 001 94",
    tax_id: Some("SE000000019401"),
    lines: ["Varvsgatan 31", ""],
    city: "Umeå",
    state: None,
    postal_code: "903 00",
    country: "SE",
    locale: "sv-SE",
    currency: "SEK",
    since: "2026-01-07T10:00:00Z",
    levies: &MOMS,
    method: Means::Card("mastercard", "5454"),
};
const CASTOR: Facts<'static> = Facts {
    key: "castor",
    first: "Bea",
    last: "Marchetti",
    company: Some("Castor Ceramics Srl"),
    phone: "+39 02 5550 0121",
    tax_id: Some("IT00000000121"),
    lines: ["Via del Forno 4", ""],
    city: "Faenza",
    postal_code: "48018",
    country: "IT",
    locale: "it-IT",
    since: "2025-05-05T08:00:00Z",
    method: Means::Card("visa", "0380"),
    ..FALKENRIED
};
const PENHALLOW: Facts<'static> = Facts {
    key: "penhallow",
    first: "Gwen",
    last: "Penhallow",
    company: None,
    phone: "+44 20 5550 0177",
    tax_id: None,
    lines: ["3 Chandlers Yard", ""],
    city: "Falmouth",
    postal_code: "TR11 0AA",
    country: "GB",
    locale: "en-GB",
    currency: "GBP",
    since: "2025-10-10T08:00:00Z",
    levies: &UK_VAT,
    method: Means::Card("visa", "8260"),
    ..FALKENRIED
};

/// Everybody who is billed in the demo.
#[derive(Clone, Debug)]
pub(super) struct People {
    /// A start-up: two bills it cannot pay at once.
    pub(super) mara: Person,
    /// A hobbyist with a good card.
    pub(super) tobias: Person,
    /// A laboratory with week-long runs.
    pub(super) halden: Person,
    /// An enterprise: monthly invoices, bank debit, thirty days.
    pub(super) brightwater: Person,
    /// Its Canadian subsidiary, with two taxes.
    pub(super) brightwater_canada: Person,
    /// A hobbyist whose card is always declined.
    pub(super) piet: Person,
    /// Pays in yen, which have no decimals.
    pub(super) kumo: Person,
    /// Pays in dinar, which have three.
    pub(super) noor: Person,
    /// A company in the EU that accounts for the tax itself.
    pub(super) falkenried: Person,
    /// A start-up with reserved capacity.
    pub(super) tidepool: Person,
    /// Pays in kronor, with tax.
    pub(super) norrsken: Person,
    /// A customer of the other company.
    pub(super) castor: Person,
    /// Another customer of the other company.
    pub(super) penhallow: Person,
}

/// Everybody, with their means of payment.
pub(super) fn people() -> People {
    let brightwater = Person::new(&GRIDLIGHT, &BRIGHTWATER);
    let mut brightwater_canada = Person::new(&GRIDLIGHT, &BRIGHTWATER_CANADA);
    brightwater_canada.row.parent_id = Some(brightwater.row.id.clone());
    let mut halden = Person::new(&GRIDLIGHT, &HALDEN);
    halden.row.tax_exempt = Some(true);
    halden.row.external_attributes = json!({ "crm": { "account": "A-1174", "segment": "research" } });
    let mut tidepool = Person::new(&GRIDLIGHT, &TIDEPOOL);
    tidepool.add_spare(Means::Card("visa", "1119"));
    let mut piet = Person::new(&GRIDLIGHT, &PIET);
    piet.add_spare(Means::Card("mastercard", "9095"));
    piet.row.notes = Some("Promised to pay by the end of the month, twice.".to_owned());
    let mut mara = Person::new(&GRIDLIGHT, &MARA);
    mara.row.metadata = json!({ "plan": "startup", "auto_topup": "25/100" });
    People {
        mara,
        tobias: Person::new(&GRIDLIGHT, &TOBIAS),
        halden,
        brightwater,
        brightwater_canada,
        piet,
        kumo: Person::new(&GRIDLIGHT, &KUMO),
        noor: Person::new(&GRIDLIGHT, &NOOR),
        falkenried: Person::new(&GRIDLIGHT, &FALKENRIED),
        tidepool,
        norrsken: Person::new(&GRIDLIGHT, &NORRSKEN),
        castor: Person::new(&NORTHFOLD, &CASTOR),
        penhallow: Person::new(&NORTHFOLD, &PENHALLOW),
    }
}

impl People {
    /// Everybody, parents before their subsidiaries.
    pub(super) fn all(&self) -> [&Person; 13] {
        [
            &self.mara,
            &self.tobias,
            &self.halden,
            &self.brightwater,
            &self.brightwater_canada,
            &self.piet,
            &self.kumo,
            &self.noor,
            &self.falkenried,
            &self.tidepool,
            &self.norrsken,
            &self.castor,
            &self.penhallow,
        ]
    }
}
