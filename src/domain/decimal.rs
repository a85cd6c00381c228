//! Exact decimal numbers: quantities, rates, unit prices, and amounts as foreign documents write them.
//!
//! Read from text and written as text; nothing here passes through a float. At most 38 significant digits.

use entity::{DecimalText, Minor};

/// Digits left and right of the point that a value may have.
const DIGITS_MAX: u32 = 38;

/// The largest amount a JavaScript client can hold exactly, 2^53 - 1.
pub const SAFE_INTEGER_MAX: i64 = 9_007_199_254_740_991;

/// A decimal number: `unscaled` / 10^`scale`, without trailing zeros behind the point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal {
    unscaled: i128,
    scale: u32,
}

/// Why a text is not a number here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// Not a decimal number at all.
    #[error("not a decimal number")]
    Malformed,
    /// A number, but with more digits than can be held.
    #[error("a number of more than {DIGITS_MAX} digits")]
    TooLarge,
}

/// An amount read from decimal text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// The text names a whole number of minor units.
    Exact(Minor),
    /// It has more digits than the currency; rounded half away from zero.
    Rounded(Minor),
}

impl Rounding {
    /// The amount, however it came about.
    pub fn amount(self) -> Minor {
        match self {
            Self::Exact(minor) | Self::Rounded(minor) => minor,
        }
    }
}

impl Decimal {
    /// A whole number.
    pub const fn from_integer(value: i64) -> Self {
        // Widening: every i64 is an i128.
        Self { unscaled: value as i128, scale: 0 }
    }

    /// `minor` units of a currency with `exponent` digits, in major units.
    pub fn from_minor(minor: Minor, exponent: u32) -> Self {
        Self { unscaled: i128::from(minor.0), scale: exponent }.trimmed()
    }

    /// Reads `12`, `-0.5`, `1.250`, `1e3` (JSON's number grammar, leading zeros allowed).
    ///
    /// # Errors
    /// [`DecimalError`] when the text is no number, or one of more than 38 digits.
    pub fn parse(text: &str) -> Result<Self, DecimalError> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, power)) => (mantissa, parse_power(power)?),
            None => (text, 0),
        };
        let (negative, digits) = match mantissa.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, mantissa),
        };
        let (whole, fraction) = digits.split_once('.').map_or((digits, None), |(w, f)| (w, Some(f)));
        let well_formed = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !well_formed(whole) || fraction.is_some_and(|part| !well_formed(part)) {
            return Err(DecimalError::Malformed);
        }
        let fraction = fraction.unwrap_or_default().trim_end_matches('0');
        let significant = format!("{whole}{fraction}");
        let significant = significant.trim_start_matches('0');
        if significant.is_empty() {
            return Ok(Self { unscaled: 0, scale: 0 });
        }
        let fraction_digits = i64::try_from(fraction.len()).map_err(|_source| DecimalError::TooLarge)?;
        let unscaled: i128 = significant.parse().map_err(|_source| DecimalError::TooLarge)?;
        let unscaled = if negative { -unscaled } else { unscaled };
        Self::with_scale(unscaled, fraction_digits - i64::from(exponent))
    }

    fn with_scale(unscaled: i128, scale: i64) -> Result<Self, DecimalError> {
        let limit = i64::from(DIGITS_MAX);
        if !(-limit..=limit).contains(&scale) {
            return Err(DecimalError::TooLarge);
        }
        match u32::try_from(scale) {
            Ok(scale) => Ok(Self { unscaled, scale }.trimmed()),
            Err(_negative) => {
                let shift = u32::try_from(-scale).map_err(|_source| DecimalError::TooLarge)?;
                let factor = 10_i128.checked_pow(shift).ok_or(DecimalError::TooLarge)?;
                let unscaled = unscaled.checked_mul(factor).ok_or(DecimalError::TooLarge)?;
                Ok(Self { unscaled, scale: 0 })
            }
        }
    }

    fn trimmed(mut self) -> Self {
        while self.scale > 0 && self.unscaled % 10 == 0 {
            self.unscaled /= 10;
            self.scale -= 1;
        }
        self
    }

    /// The number times 10^`places`, exactly; negative places divide. A fraction becomes percent with 2.
    ///
    /// # Errors
    /// [`DecimalError::TooLarge`] when the result has too many digits.
    pub fn shifted(self, places: i32) -> Result<Self, DecimalError> {
        Self::with_scale(self.unscaled, i64::from(self.scale) - i64::from(places))
    }

    /// The product, exactly.
    ///
    /// # Errors
    /// [`DecimalError::TooLarge`] when the result has too many digits.
    pub fn times(self, other: Self) -> Result<Self, DecimalError> {
        let unscaled = self.unscaled.checked_mul(other.unscaled).ok_or(DecimalError::TooLarge)?;
        Self::with_scale(unscaled, i64::from(self.scale) + i64::from(other.scale))
    }

    /// The amount in minor units of a currency with `exponent` digits.
    ///
    /// # Errors
    /// [`DecimalError::TooLarge`] beyond ±(2^53 - 1) minor units.
    pub fn to_minor(self, exponent: u32) -> Result<Rounding, DecimalError> {
        let shift = 10_i128.checked_pow(exponent.abs_diff(self.scale)).ok_or(DecimalError::TooLarge)?;
        let (minor, exact) = if exponent >= self.scale {
            (self.unscaled.checked_mul(shift).ok_or(DecimalError::TooLarge)?, true)
        } else {
            let (quotient, rest) = (self.unscaled / shift, self.unscaled % shift);
            let away = if rest.abs().saturating_mul(2) >= shift { rest.signum() } else { 0 };
            (quotient + away, rest == 0)
        };
        let minor = i64::try_from(minor).map_err(|_source| DecimalError::TooLarge)?;
        if minor.unsigned_abs() > SAFE_INTEGER_MAX.unsigned_abs() {
            return Err(DecimalError::TooLarge);
        }
        Ok(if exact { Rounding::Exact(Minor(minor)) } else { Rounding::Rounded(Minor(minor)) })
    }

    /// The canonical text as it is stored: no exponent, no trailing zeros, no `-0`.
    pub fn text(self) -> DecimalText {
        DecimalText(self.with_digits(self.scale))
    }

    /// The text with at least `digits` digits behind the point.
    pub fn with_digits(self, digits: u32) -> String {
        let sign = if self.unscaled < 0 { "-" } else { "" };
        let padding = digits.saturating_sub(self.scale);
        let width = usize::try_from(self.scale.max(1)).unwrap_or(1) + usize::from(self.scale > 0);
        let all = format!("{:0width$}", self.unscaled.unsigned_abs());
        let point = all.len().saturating_sub(usize::try_from(self.scale).unwrap_or(0));
        let (whole, fraction) = all.split_at(point);
        let zeros = "0".repeat(usize::try_from(padding).unwrap_or(0));
        if fraction.is_empty() && zeros.is_empty() {
            format!("{sign}{whole}")
        } else {
            format!("{sign}{whole}.{fraction}{zeros}")
        }
    }
}

fn parse_power(text: &str) -> Result<i32, DecimalError> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(DecimalError::Malformed);
    }
    text.trim_start_matches('+').parse().map_err(|_source| DecimalError::TooLarge)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> String {
        Decimal::parse(text).unwrap().text().0
    }

    #[test]
    fn numbers_become_their_shortest_text() {
        let cases = [
            ("0", "0"),
            ("-0", "0"),
            ("0.0", "0"),
            ("007", "7"),
            ("1.250", "1.25"),
            ("-0.5", "-0.5"),
            ("1e3", "1000"),
            ("12E-1", "1.2"),
            ("0.000777", "0.000777"),
            ("12345678901.123456789012345678", "12345678901.123456789012345678"),
        ];
        for (given, wanted) in cases {
            assert_eq!(canonical(given), wanted, "{given}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["", "-", ".", "1.", ".5", "1e", "+1", "0x1", "1,5", "string", "１", "1 ", "--1", "1e+-2"] {
            assert_eq!(Decimal::parse(text), Err(DecimalError::Malformed), "{text}");
        }
        assert_eq!(Decimal::parse("1e400"), Err(DecimalError::TooLarge));
        assert_eq!(Decimal::parse(&"9".repeat(40)), Err(DecimalError::TooLarge));
    }

    #[test]
    fn amounts_round_half_away_from_zero_and_say_so() {
        let minor = |text: &str, exponent| Decimal::parse(text).unwrap().to_minor(exponent);
        assert_eq!(minor("9", 2), Ok(Rounding::Exact(Minor(900))));
        assert_eq!(minor("1.005", 2), Ok(Rounding::Rounded(Minor(101))));
        assert_eq!(minor("-1.005", 2), Ok(Rounding::Rounded(Minor(-101))));
        assert_eq!(minor("1.004", 2), Ok(Rounding::Rounded(Minor(100))));
        assert_eq!(minor("500", 0), Ok(Rounding::Exact(Minor(500))));
        assert_eq!(minor("90071992547409.91", 2), Ok(Rounding::Exact(Minor(SAFE_INTEGER_MAX))));
        assert_eq!(minor("90071992547409.92", 2), Err(DecimalError::TooLarge));
    }

    #[test]
    fn a_fraction_becomes_percent_and_back() {
        let rate = Decimal::parse("0.0875").unwrap();
        assert_eq!(rate.shifted(2).unwrap().text().0, "8.75");
        assert_eq!(rate.shifted(2).unwrap().shifted(-2).unwrap(), rate);
    }

    #[test]
    fn money_text_has_the_digits_of_its_currency() {
        assert_eq!(Decimal::from_minor(Minor(10_000), 2).with_digits(2), "100.00");
        assert_eq!(Decimal::from_minor(Minor(-5), 2).with_digits(2), "-0.05");
        assert_eq!(Decimal::from_minor(Minor(500), 0).with_digits(0), "500");
        assert_eq!(Decimal::from_minor(Minor(1_250), 3).with_digits(3), "1.250");
        assert_eq!(Decimal::from_minor(Minor(0), 2).with_digits(2), "0.00");
    }
}
