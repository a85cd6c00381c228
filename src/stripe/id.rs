//! Ids of things at Stripe. One that was not checked cannot be made, so none can break out of a path or a query.

use std::fmt;

/// How long an id may be after its prefix.
const REST_MAX: usize = 250;

/// A text that is not the id it should be. The text itself is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no id of Stripe that starts with {prefix}")]
pub struct BadId {
    /// What it should start with.
    pub prefix: &'static str,
}

fn check(text: &str, prefix: &'static str) -> Result<(), BadId> {
    let rest = text.strip_prefix(prefix).unwrap_or_default();
    let fits =
        (1..=REST_MAX).contains(&rest.len()) && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if fits { Ok(()) } else { Err(BadId { prefix }) }
}

macro_rules! checked_id {
    ($($(#[$about:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The id, if it starts with its prefix and goes on with 1 to 250 letters, digits and underscores.
            ///
            /// # Errors
            /// [`BadId`] when it does not.
            pub fn parse(text: &str) -> Result<Self, BadId> {
                check(text, $prefix)?;
                Ok(Self(text.to_owned()))
            }

            /// The id as Stripe writes it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

checked_id! {
    /// An account, `acct_…`.
    StripeAccountId = "acct_";
    /// A customer, `cus_…`.
    StripeCustomerId = "cus_";
    /// An invoice, `in_…`.
    StripeInvoiceId = "in_";
    /// A payment intent, `pi_…`.
    PaymentIntentId = "pi_";
    /// A charge, `ch_…`.
    ChargeId = "ch_";
    /// An event, `evt_…`.
    StripeEventId = "evt_";
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_the_form_that_stripe_gives_is_an_id() {
        assert_eq!(StripeInvoiceId::parse("in_1Ab_9").unwrap().as_str(), "in_1Ab_9");
        assert!(StripeInvoiceId::parse(&format!("in_{}", "a".repeat(250))).is_ok());
        assert!(StripeInvoiceId::parse(&format!("in_{}", "a".repeat(251))).is_err());
        let refused =
            ["", "in_", "in", "IN_1", "cus_1", "in_1/..", "in_1?x", "in_1#", "in_é", "in_1 ", " in_1", "in_1\n"];
        for text in refused {
            assert_eq!(StripeInvoiceId::parse(text), Err(BadId { prefix: "in_" }), "{text:?}");
        }
        assert!(StripeCustomerId::parse("cus_1").is_ok() && ChargeId::parse("ch_1").is_ok());
        assert!(PaymentIntentId::parse("pi_1").is_ok() && StripeEventId::parse("evt_1").is_ok());
    }

    proptest! {
        #[test]
        fn what_is_an_id_stays_one_segment_of_a_path(text in "\\PC{0,40}") {
            if StripeInvoiceId::parse(&format!("in_{text}")).is_ok() {
                prop_assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'));
            }
        }
    }
}
