//! Taxes of invoices.

use async_graphql::SimpleObject;
use entity::{CurrencyCode as Code, tax};

use super::kinds::TaxExemption;
use super::money::Money;
use super::scalars::Decimal;

/// A tax of an invoice: one rate on one level.
#[derive(SimpleObject)]
pub(super) struct InvoiceTax {
    /// Its name, such as `VAT`.
    name: String,
    /// The rate in percent.
    rate: Decimal,
    /// 1, or 2 for a tax on top of another.
    level: i32,
    /// What is taxed.
    taxable_amount: Money,
    /// The tax.
    amount: Money,
    /// What is taxed together with the tax, where the source states it.
    gross_amount: Option<Money>,
    /// Why it is not charged. Null when it is.
    exemption: Option<TaxExemption>,
    /// The key under which the source lists it, where it uses a map.
    source_key: Option<String>,
}

impl InvoiceTax {
    pub(super) fn of(row: &tax::Model, currency: &Code) -> Self {
        Self {
            name: row.name.clone(),
            rate: Decimal::from(&row.rate),
            level: row.level,
            taxable_amount: Money::new(row.taxable_amount, currency),
            amount: Money::new(row.tax_amount, currency),
            gross_amount: Money::some(row.gross_amount, currency),
            exemption: row.exemption.map(Into::into),
            source_key: row.source_key.clone(),
        }
    }
}
