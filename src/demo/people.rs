//! The companies and the people of the demo: invented names, mail at `example.com`, telephone numbers with 555.

use chrono::TimeDelta;
use entity::{
    CurrencyCode, CustomerStatus, PaymentMethodType, SourceSystem, TaxExemption, TenantId, customer, payment_method,
    tenant,
};
use serde_json::json;

use super::calendar::{after, on};
use crate::domain::{bill, ids};

/// When the tables of the demo began.
const FOUNDED: &str = "2025-01-02T09:00:00Z";

/// A customer with what its bills need to know of it.
#[derive(Clone, Debug)]
pub(super) struct Person {
    /// The customer.
    pub(super) row: customer::Model,
    /// The means of payment its invoices are charged to.
    pub(super) method: payment_method::Model,
    /// A second one, where there is one.
    pub(super) spare: Option<payment_method::Model>,
    /// The Stripe account of its tenant.
    pub(super) account: &'static str,
    /// What is levied on its invoices.
    pub(super) levies: &'static [Levy],
}

impl Person {
    /// The currency its bills are in.
    pub(super) fn currency(&self) -> CurrencyCode {
        self.row.currency.clone().unwrap_or_default()
    }
}

/// A tax on the net amount of an invoice.
#[derive(Clone, Copy, Debug)]
pub(super) struct Levy {
    /// The name printed.
    pub(super) name: &'static str,
    /// Percent, as digits without a point.
    pub(super) rate: i64,
    /// How many of those digits stand behind the point.
    pub(super) scale: u32,
    /// Why it is not charged.
    pub(super) exemption: Option<TaxExemption>,
}

const fn levy(name: &'static str, rate: i64, scale: u32) -> Levy {
    Levy { name, rate, scale, exemption: None }
}

const CONSUMPTION_TAX: [Levy; 1] = [levy("Consumption tax", 10, 0)];
const MOMS: [Levy; 1] = [levy("Moms", 25, 0)];
const UK_VAT: [Levy; 1] = [levy("VAT", 20, 0)];
const QUEBEC: [Levy; 2] = [levy("GST", 5, 0), levy("QST", 9_975, 3)];
const REVERSED: [Levy; 1] =
    [Levy { exemption: Some(TaxExemption::ReverseCharge), ..levy("VAT, reverse charge", 0, 0) }];

/// A company whose bills live in the demo store.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shop {
    key: &'static str,
    name: &'static str,
    currency: &'static str,
    account: &'static str,
    /// What its invoice numbers start with.
    pub(super) prefix: &'static str,
}

/// The marketplace for GPUs: the demo's own company.
pub(super) const GRIDLIGHT: Shop = Shop {
    key: "gridlight",
    name: "Gridlight Compute",
    currency: "USD",
    account: "acct_gridlight_test",
    prefix: "GRID",
};

/// Another company on the same gateway, whose rows nobody else may see.
pub(super) const NORTHFOLD: Shop =
    Shop { key: "northfold", name: "Northfold Hosting", currency: "EUR", account: "acct_northfold_test", prefix: "NF" };

impl Shop {
    /// The tenant's id.
    pub(super) fn id(&self) -> TenantId {
        ids::at(on(FOUNDED), &["demo", self.key])
    }

    /// The tenant's row. `currency_ids` reads the currency numbers in documents of HostBill-like systems.
    pub(super) fn row(&self) -> tenant::Model {
        tenant::Model {
            id: self.id(),
            name: self.name.to_owned(),
            default_currency: CurrencyCode(self.currency.to_owned()),
            livemode: false,
            stripe_account_id: Some(self.account.to_owned()),
            settings: json!({ "currency_ids": { "0": "SEK", "1": "EUR", "2": "USD" } }),
            created_at: on(FOUNDED),
            updated_at: on(FOUNDED),
        }
    }
}

/// What is written down of a customer.
#[derive(Clone, Copy, Debug)]
struct Facts {
    key: &'static str,
    first: &'static str,
    last: &'static str,
    company: Option<&'static str>,
    phone: &'static str,
    tax_id: Option<&'static str>,
    lines: [&'static str; 2],
    city: &'static str,
    state: Option<&'static str>,
    postal_code: &'static str,
    country: &'static str,
    locale: &'static str,
    currency: &'static str,
    since: &'static str,
    levies: &'static [Levy],
    method: Means,
}

/// A means of payment: sort, brand, last digits.
#[derive(Clone, Copy, Debug)]
enum Means {
    Card(&'static str, &'static str),
    Debit(&'static str),
}

const MARA: Facts = Facts {
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
const TOBIAS: Facts = Facts {
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
const HALDEN: Facts = Facts {
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
const BRIGHTWATER: Facts = Facts {
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
const BRIGHTWATER_CANADA: Facts = Facts {
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
const PIET: Facts = Facts {
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
const KUMO: Facts = Facts {
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
const NOOR: Facts = Facts {
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
const FALKENRIED: Facts = Facts {
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
const TIDEPOOL: Facts = Facts {
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
const NORRSKEN: Facts = Facts {
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
const CASTOR: Facts = Facts {
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
const PENHALLOW: Facts = Facts {
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
    let brightwater = person(&GRIDLIGHT, &BRIGHTWATER);
    let mut brightwater_canada = person(&GRIDLIGHT, &BRIGHTWATER_CANADA);
    brightwater_canada.row.parent_id = Some(brightwater.row.id.clone());
    let mut halden = person(&GRIDLIGHT, &HALDEN);
    halden.row.tax_exempt = Some(true);
    halden.row.external_attributes = json!({ "crm": { "account": "A-1174", "segment": "research" } });
    let mut tidepool = person(&GRIDLIGHT, &TIDEPOOL);
    tidepool.spare = Some(method(&tidepool.row, &TIDEPOOL, "spare", Means::Card("visa", "1119")));
    let mut piet = person(&GRIDLIGHT, &PIET);
    piet.spare = Some(method(&piet.row, &PIET, "spare", Means::Card("mastercard", "9095")));
    piet.row.notes = Some("Promised to pay by the end of the month, twice.".to_owned());
    let mut mara = person(&GRIDLIGHT, &MARA);
    mara.row.metadata = json!({ "plan": "startup", "auto_topup": "25/100" });
    People {
        mara,
        tobias: person(&GRIDLIGHT, &TOBIAS),
        halden,
        brightwater,
        brightwater_canada,
        piet,
        kumo: person(&GRIDLIGHT, &KUMO),
        noor: person(&GRIDLIGHT, &NOOR),
        falkenried: person(&GRIDLIGHT, &FALKENRIED),
        tidepool,
        norrsken: person(&GRIDLIGHT, &NORRSKEN),
        castor: person(&NORTHFOLD, &CASTOR),
        penhallow: person(&NORTHFOLD, &PENHALLOW),
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

fn person(shop: &Shop, facts: &Facts) -> Person {
    let row = customer_row(shop, facts);
    Person {
        method: method(&row, facts, "main", facts.method),
        row,
        spare: None,
        account: shop.account,
        levies: facts.levies,
    }
}

fn customer_row(shop: &Shop, facts: &Facts) -> customer::Model {
    let since = on(facts.since);
    let full_name = format!("{} {}", facts.first, facts.last);
    let [line1, line2] = facts.lines;
    customer::Model {
        tenant_id: shop.id(),
        id: ids::at(since, &["demo", facts.key]),
        alias: Some(facts.key.to_owned()),
        name: facts.company.map_or(full_name, str::to_owned),
        first_name: Some(facts.first.to_owned()),
        last_name: Some(facts.last.to_owned()),
        company_name: facts.company.map(str::to_owned),
        is_company: Some(facts.company.is_some()),
        email: Some(format!("{}@{}.example.com", facts.first.to_lowercase(), facts.key)),
        phone: Some(facts.phone.to_owned()),
        tax_id: facts.tax_id.map(str::to_owned),
        tax_exempt: Some(false),
        line1: Some(line1.to_owned()),
        line2: Some(line2.to_owned()).filter(|line| !line.is_empty()),
        city: Some(facts.city.to_owned()),
        state: facts.state.map(str::to_owned),
        postal_code: Some(facts.postal_code.to_owned()),
        country: Some(facts.country.to_owned()),
        locale: Some(facts.locale.to_owned()),
        currency: Some(CurrencyCode(facts.currency.to_owned())),
        status: CustomerStatus::Active,
        stripe_customer_id: Some(format!("cus_demo_{}", facts.key.replace('-', "_"))),
        metadata: json!({}),
        external_attributes: json!({}),
        created_at: since,
        updated_at: since,
        ..Default::default()
    }
}

fn method(owner: &customer::Model, facts: &Facts, which: &str, means: Means) -> payment_method::Model {
    let external_id = format!("pm_demo_{}_{which}", facts.key.replace('-', "_"));
    let (kind, brand, digits) = match means {
        Means::Card(brand, digits) => (PaymentMethodType::Card, Some(brand), digits),
        Means::Debit(digits) => (PaymentMethodType::DirectDebit, None, digits),
    };
    let card = brand.is_some();
    payment_method::Model {
        tenant_id: owner.tenant_id.clone(),
        id: bill::imported(&owner.tenant_id, SourceSystem::Native, &external_id),
        customer_id: owner.id.clone(),
        source_system: SourceSystem::Native,
        external_id: Some(external_id),
        kind,
        card_brand: brand.map(str::to_owned),
        card_last4: card.then(|| digits.to_owned()),
        exp_month: card.then_some(9),
        exp_year: card.then_some(2028),
        account_hint: (!card).then(|| format!("••••{digits}")),
        is_default: which == "main",
        detached_at: None,
        created_at: after(owner.created_at, TimeDelta::minutes(4)),
    }
}
