//! Money: minor units and a currency. The exponent comes from the currency, never from 100.

use entity::{CurrencyCode, Minor};
use iso_currency::Currency;

use super::decimal::Decimal;

/// Digits behind the point for a currency that ISO 4217 no longer lists; all historic codes met so far had two.
const EXPONENT_DEFAULT: u32 = 2;

/// An amount of money.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Money {
    /// Minor units: cents, yen, fils.
    pub minor: Minor,
    /// ISO 4217 code.
    pub currency: CurrencyCode,
}

impl Money {
    /// `minor` units of `currency`.
    pub fn new(minor: Minor, currency: &CurrencyCode) -> Self {
        Self { minor, currency: currency.clone() }
    }

    /// Digits behind the point, as ISO 4217 lists them.
    pub fn exponent(&self) -> u32 {
        exponent(&self.currency)
    }

    /// Major units with exactly [`Money::exponent`] digits: `100.00`, `500`, `1.250`.
    pub fn amount(&self) -> String {
        let exponent = self.exponent();
        Decimal::from_minor(self.minor, exponent).with_digits(exponent)
    }

    /// Currency and amount for people, the same in every locale: `USD 100.00`.
    pub fn formatted(&self) -> String {
        format!("{} {}", self.currency.0, self.amount())
    }
}

/// Digits behind the point of `currency`, 0 to 4.
pub fn exponent(currency: &CurrencyCode) -> u32 {
    Currency::from_code(&currency.0).and_then(Currency::exponent).map_or(EXPONENT_DEFAULT, u32::from)
}

/// Reads a currency code: three ASCII letters, upper-cased. Codes that ISO 4217 has retired pass.
pub fn parse_currency(text: &str) -> Option<CurrencyCode> {
    let well_formed = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_alphabetic());
    well_formed.then(|| CurrencyCode(text.to_ascii_uppercase()))
}

/// An amount as Stripe writes it, in our minor units. Stripe counts some currencies otherwise than ISO 4217 does.
///
/// None when it has digits that the currency has not, or does not fit.
pub fn from_stripe_minor(amount: i64, currency: &CurrencyCode) -> Option<Minor> {
    match currency.0.as_str() {
        // Two digits at Stripe, none in ISO 4217.
        "ISK" | "UGX" => (amount % 100 == 0).then_some(Minor(amount / 100)),
        // None at Stripe, two in ISO 4217.
        "MGA" => amount.checked_mul(100).map(Minor),
        _ => Some(Minor(amount)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponents_are_those_of_iso_4217() {
        let none = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF";
        let three = "BHD IQD JOD KWD LYD OMR TND";
        let two = "USD EUR GBP SEK MGA MRU HUF TWD HRK SLL STD CNH CUC";
        for (codes, wanted) in [(none, 0), (three, 3), ("CLF UYW", 4), (two, 2)] {
            for code in codes.split(' ') {
                assert_eq!(exponent(&CurrencyCode(code.to_owned())), wanted, "{code}");
            }
        }
    }

    #[test]
    fn amounts_are_written_with_the_digits_of_their_currency() {
        let text = |minor, code: &str| Money::new(Minor(minor), &CurrencyCode(code.to_owned())).formatted();
        assert_eq!(text(10_000, "USD"), "USD 100.00");
        assert_eq!(text(500, "JPY"), "JPY 500");
        assert_eq!(text(-1_250, "KWD"), "KWD -1.250");
    }

    #[test]
    fn a_currency_is_three_letters() {
        assert_eq!(parse_currency("usd").unwrap().0, "USD");
        for text in ["", "US", "USDT", "U1D", "<string>", "ÄÄÄ"] {
            assert_eq!(parse_currency(text), None, "{text}");
        }
    }

    #[test]
    fn amounts_of_stripe_are_counted_as_iso_4217_counts() {
        let minor = |amount, code: &str| from_stripe_minor(amount, &CurrencyCode(code.to_owned()));
        assert_eq!((minor(500, "USD"), minor(500, "JPY")), (Some(Minor(500)), Some(Minor(500))));
        assert_eq!((minor(500, "ISK"), minor(501, "ISK")), (Some(Minor(5)), None));
        assert_eq!((minor(5, "MGA"), minor(i64::MAX, "MGA")), (Some(Minor(500)), None));
    }
}
