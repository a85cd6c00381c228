//! Who bills and who is billed: the companies of the demo, and customers with their means of payment and their taxes.

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

const fn shop(
    key: &'static str,
    name: &'static str,
    currency: &'static str,
    account: &'static str,
    prefix: &'static str,
) -> Shop {
    Shop { key, name, currency, account, prefix }
}

/// The marketplace for GPUs: the demo's own company.
pub(super) const GRIDLIGHT: Shop = shop("gridlight", "Gridlight Compute", "USD", "acct_gridlight_test", "GRID");

/// Another company on the same gateway, whose rows nobody else may see.
pub(super) const NORTHFOLD: Shop = shop("northfold", "Northfold Hosting", "EUR", "acct_northfold_test", "NF");

/// Every company there can be, in the order in which they join.
pub(super) const SHOPS: [Shop; 10] = [
    GRIDLIGHT,
    NORTHFOLD,
    shop("saltmarsh", "Saltmarsh Cloud", "USD", "acct_saltmarsh_test", "SALT"),
    shop("kestrel", "Kestrel Metal", "GBP", "acct_kestrel_test", "KES"),
    shop("lumenforge", "Lumenforge", "USD", "acct_lumenforge_test", "LUM"),
    shop("drumlin", "Drumlin Data Centres", "EUR", "acct_drumlin_test", "DRU"),
    shop("quayside", "Quayside Compute", "USD", "acct_quayside_test", "QUAY"),
    shop("isobar", "Isobar Research Grid", "EUR", "acct_isobar_test", "ISO"),
    shop("tamarack", "Tamarack Systems", "USD", "acct_tamarack_test", "TAM"),
    shop("brackwater", "Brackwater GPU", "USD", "acct_brackwater_test", "BRW"),
];

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

pub(super) const CONSUMPTION_TAX: [Levy; 1] = [levy("Consumption tax", 10, 0)];
pub(super) const MOMS: [Levy; 1] = [levy("Moms", 25, 0)];
pub(super) const UK_VAT: [Levy; 1] = [levy("VAT", 20, 0)];
pub(super) const UMSATZSTEUER: [Levy; 1] = [levy("Umsatzsteuer", 19, 0)];
pub(super) const BTW: [Levy; 1] = [levy("Btw", 21, 0)];
pub(super) const NEW_YORK: [Levy; 1] = [levy("Sales tax, New York", 8_875, 3)];
pub(super) const QUEBEC: [Levy; 2] = [levy("GST", 5, 0), levy("QST", 9_975, 3)];
pub(super) const REVERSED: [Levy; 1] =
    [Levy { exemption: Some(TaxExemption::ReverseCharge), ..levy("VAT, reverse charge", 0, 0) }];

/// A means of payment: sort, brand, last digits.
#[derive(Clone, Copy, Debug)]
pub(super) enum Means<'a> {
    /// Brand and last four digits.
    Card(&'a str, &'a str),
    /// The last four digits of the account.
    Debit(&'a str),
}

/// What is written down of a customer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts<'a> {
    /// What the customer is known by: lower case, with hyphens.
    pub(super) key: &'a str,
    pub(super) first: &'a str,
    pub(super) last: &'a str,
    pub(super) company: Option<&'a str>,
    pub(super) phone: &'a str,
    pub(super) tax_id: Option<&'a str>,
    pub(super) lines: [&'a str; 2],
    pub(super) city: &'a str,
    pub(super) state: Option<&'a str>,
    pub(super) postal_code: &'a str,
    pub(super) country: &'a str,
    pub(super) locale: &'a str,
    pub(super) currency: &'a str,
    /// When it became a customer, as RFC 3339.
    pub(super) since: &'a str,
    pub(super) levies: &'static [Levy],
    pub(super) method: Means<'a>,
}

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
    /// A customer of a company.
    pub(super) fn new(shop: &Shop, facts: &Facts<'_>) -> Self {
        let row = customer_row(shop, facts);
        let method = method(&row, facts.key, "main", facts.method);
        Self { row, method, spare: None, account: shop.account, levies: facts.levies }
    }

    /// Adds a second means of payment.
    pub(super) fn add_spare(&mut self, means: Means<'_>) {
        let key = self.row.alias.clone().unwrap_or_default();
        self.spare = Some(method(&self.row, &key, "spare", means));
    }

    /// The currency its bills are in.
    pub(super) fn currency(&self) -> CurrencyCode {
        self.row.currency.clone().unwrap_or_default()
    }

    /// Its stored means of payment.
    pub(super) fn methods(&self) -> impl Iterator<Item = payment_method::Model> {
        std::iter::once(self.method.clone()).chain(self.spare.clone())
    }
}

fn customer_row(shop: &Shop, facts: &Facts<'_>) -> customer::Model {
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

fn method(owner: &customer::Model, key: &str, which: &str, means: Means<'_>) -> payment_method::Model {
    let external_id = format!("pm_demo_{}_{which}", key.replace('-', "_"));
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
