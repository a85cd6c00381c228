//! What a client needs to know, checked when it is made and not with every call.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use url::{Host, Url};

use super::error::Endpoint;
use super::id::StripeAccountId;
use crate::domain::link::LinkHosts;
use crate::stats::StripeStats;

/// Where Stripe's API is.
const API: &str = "https://api.stripe.com/";

/// How much of a key may be shown: its kind and mode, nothing of the secret.
const KEY_SHOWN: usize = 8;

/// The longest key, in bytes.
const KEY_BYTES_MAX: usize = 512;

/// Why no client can be made. Keys and addresses are not part of it.
#[derive(Debug, thiserror::Error)]
pub enum StripeConfigError {
    /// The key does not look like one.
    #[error("the key of Stripe must start with rk_test_, rk_live_, sk_test_ or sk_live_")]
    Key,
    /// The address of the API cannot be read.
    #[error("the address of Stripe's API cannot be read")]
    Address(#[from] url::ParseError),
    /// The address of the API is not one that a key may be sent to.
    #[error("the address of Stripe's API {0}")]
    Unfit(&'static str),
    /// A webhook secret is empty.
    #[error("a webhook secret of Stripe is empty")]
    WebhookSecret,
    /// The library for HTTP cannot be set up, for example because this system has no certificates.
    #[error("no client for HTTPS can be made")]
    Http(#[source] reqwest::Error),
}

/// A key of Stripe's API. Restricted keys (`rk_`) that may read invoices, payment intents, charges and events suffice.
#[derive(Clone)]
pub struct ApiKey {
    secret: SecretString,
    livemode: bool,
}

impl ApiKey {
    /// The key, if it looks like one.
    ///
    /// # Errors
    /// [`StripeConfigError::Key`].
    pub fn parse(text: &str) -> Result<Self, StripeConfigError> {
        let secret = text.strip_prefix("rk_").or_else(|| text.strip_prefix("sk_"));
        let mode = secret.and_then(|secret| secret.split_once('_'));
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        match mode {
            Some((mode @ ("test" | "live"), rest))
                if !rest.is_empty() && text.len() <= KEY_BYTES_MAX && rest.bytes().all(plain) =>
            {
                Ok(Self { secret: SecretString::from(text), livemode: mode == "live" })
            }
            _ => Err(StripeConfigError::Key),
        }
    }

    /// Whether it opens real money rather than a sandbox.
    pub const fn livemode(&self) -> bool {
        self.livemode
    }

    pub(super) fn expose(&self) -> &str {
        self.secret.expose_secret()
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: String = self.expose().chars().take(KEY_SHOWN).collect();
        write!(f, "ApiKey({shown}…)")
    }
}

/// Where the API is: only scheme, host and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl(Url);

impl BaseUrl {
    /// Stripe's own.
    ///
    /// # Errors
    /// Never in practice: [`StripeConfigError::Address`] if the constant could not be read.
    pub fn stripe() -> Result<Self, StripeConfigError> {
        Self::parse(API, false)
    }

    /// An address that a key may be sent to: https, or http on this machine where `local` allows that.
    ///
    /// # Errors
    /// [`StripeConfigError::Address`] and [`StripeConfigError::Unfit`].
    pub fn parse(text: &str, local: bool) -> Result<Self, StripeConfigError> {
        let url = Url::parse(text)?;
        let loopback = match url.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        };
        let bare = url.username().is_empty() && url.password().is_none();
        match url.scheme() {
            "https" => {}
            "http" if loopback && local => {}
            "http" if loopback => return Err(StripeConfigError::Unfit("may only be http in development")),
            _ => return Err(StripeConfigError::Unfit("must be https")),
        }
        if !bare || url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(StripeConfigError::Unfit("must be scheme, host and port only"));
        }
        Ok(Self(url))
    }

    /// Whether calls are encrypted.
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// The address.
    pub const fn url(&self) -> &Url {
        &self.0
    }

    pub(super) fn path(&self, path: &str) -> Url {
        let mut url = self.0.clone();
        url.set_path(path);
        url
    }
}

/// How much is asked of Stripe, and how long it is waited for.
#[derive(Clone, Debug)]
pub struct StripeLimits {
    /// Calls per second to one endpoint, of all replicas together. Stripe allows 25.
    pub rate_per_second: NonZeroU32,
    /// How many replicas share the account.
    pub replicas: NonZeroU32,
    /// Calls at the same time.
    pub in_flight: usize,
    /// Longest wait for a connection.
    pub connect_timeout: Duration,
    /// Longest wait for one answer, from the request to the end of the body.
    pub attempt_timeout: Duration,
    /// The same for lists, which Stripe takes longer for. Behind a request, its deadline is earlier than that.
    pub list_timeout: Duration,
}

impl StripeLimits {
    pub(super) const fn timeout(&self, endpoint: Endpoint) -> Duration {
        if endpoint.is_list() { self.list_timeout } else { self.attempt_timeout }
    }
}

impl Default for StripeLimits {
    fn default() -> Self {
        Self {
            // Four fifths of what Stripe allows, so that a burst at the start stays below it.
            rate_per_second: NonZeroU32::MIN.saturating_add(19),
            replicas: NonZeroU32::MIN,
            in_flight: 8,
            connect_timeout: Duration::from_millis(300),
            attempt_timeout: Duration::from_millis(800),
            list_timeout: Duration::from_secs(5),
        }
    }
}

/// Everything that a client needs to know.
#[derive(Clone, Debug)]
pub struct StripeConfig {
    /// Where the API is.
    pub base: BaseUrl,
    /// What opens it.
    pub key: ApiKey,
    /// The connected account that is asked about; absent: the key's own.
    pub account: Option<StripeAccountId>,
    /// Hosts that links may lead to.
    pub hosts: LinkHosts,
    /// Rates and times.
    pub limits: StripeLimits,
    /// What calls are counted in.
    pub stats: StripeStats,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_told_by_their_form_and_never_shown() {
        let key = ApiKey::parse("rk_live_51Abc").unwrap();
        assert!(key.livemode());
        assert_eq!(format!("{key:?}"), "ApiKey(rk_live_…)");
        assert!(!ApiKey::parse("sk_test_1").unwrap().livemode());
        for text in ["", "rk_live_", "pk_live_1", "rk_prod_1", "rk_live_1\n", "rk_live_1 2", "whsec_1"] {
            assert!(ApiKey::parse(text).is_err(), "{text:?}");
        }
        assert!(ApiKey::parse(&format!("rk_live_{}", "a".repeat(KEY_BYTES_MAX))).is_err());
    }

    #[test]
    fn a_key_is_sent_to_https_or_in_development_to_this_machine() {
        assert!(BaseUrl::stripe().unwrap().is_https());
        for text in ["http://127.0.0.1:12111", "http://localhost:1/", "http://[::1]:1"] {
            assert!(BaseUrl::parse(text, true).is_ok() && BaseUrl::parse(text, false).is_err(), "{text}");
        }
        let refused = [
            "http://api.stripe.com",
            "http://127.0.0.1.evil.example",
            "ftp://127.0.0.1",
            "https://user@api.stripe.com",
            "https://api.stripe.com/v1",
            "https://api.stripe.com/?x",
            "api.stripe.com",
        ];
        for text in refused {
            assert!(BaseUrl::parse(text, true).is_err(), "{text}");
        }
    }
}
