//! Gets the key set of an identity provider: one plain GET to a fixed address, which carries no credential.

use std::time::Duration;

use reqwest::header::ACCEPT;
use reqwest::{Client, StatusCode};
use url::{Host, Position, Url};

use super::set::BYTES_MAX;

/// The longest address, in bytes.
const URL_BYTES_MAX: usize = 2_048;

/// What a provider calls this program.
const USER_AGENT: &str = concat!("billing-gateway/", env!("CARGO_PKG_VERSION"));

/// Why an address is not one to get keys from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadJwksUrl {
    /// It cannot be read.
    #[error("is no address")]
    Unreadable,
    /// Whoever sits in between could put keys in.
    #[error("must be https; http only on this machine")]
    Scheme,
    /// It has a user, a password or a fragment, or is too long.
    #[error("must have no user, password or fragment, and at most {URL_BYTES_MAX} bytes")]
    Unfit,
}

/// Where an identity provider has its keys. There may be a secret in its query, which is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct JwksUrl(Url);

impl std::fmt::Debug for JwksUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("JwksUrl").field(&self.as_str()).finish()
    }
}

impl JwksUrl {
    /// The address, if keys may be taken from it.
    ///
    /// # Errors
    /// [`BadJwksUrl`].
    pub fn parse(text: &str) -> Result<Self, BadJwksUrl> {
        let url = Url::parse(text).map_err(|_unreadable| BadJwksUrl::Unreadable)?;
        let loopback = match url.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => return Err(BadJwksUrl::Unreadable),
        };
        if url.scheme() != "https" && !(url.scheme() == "http" && loopback) {
            return Err(BadJwksUrl::Scheme);
        }
        let bare = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
        if bare && text.len() <= URL_BYTES_MAX { Ok(Self(url)) } else { Err(BadJwksUrl::Unfit) }
    }

    /// The address as it may be shown: without its query.
    pub fn as_str(&self) -> &str {
        &self.0[..Position::AfterPath]
    }

    fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }
}

/// Why there is no key set.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("there was no answer")]
    NoAnswer(#[source] reqwest::Error),
    #[error("the answer has status {0}")]
    Status(StatusCode),
    #[error("the answer has more than {BYTES_MAX} bytes")]
    TooLarge,
}

/// Gets one key set, again and again.
pub(super) struct Fetcher {
    http: Client,
    url: JwksUrl,
}

impl Fetcher {
    pub(super) fn new(url: JwksUrl, timeout: Duration) -> Result<Self, reqwest::Error> {
        let http = Client::builder()
            .user_agent(USER_AGENT)
            // Keys come from the address that was configured, and from no other.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .retry(reqwest::retry::never())
            .https_only(url.is_https())
            .connect_timeout(timeout)
            .timeout(timeout)
            .pool_max_idle_per_host(0);
        // Certificates of the system are read only where they are needed.
        let http = if url.is_https() { http } else { http.tls_certs_only(std::iter::empty()) };
        Ok(Self { http: http.build()?, url })
    }

    /// The bytes of the set, at most [`BYTES_MAX`].
    pub(super) async fn fetch(&self) -> Result<Vec<u8>, FetchError> {
        let request = self.http.get(self.url.0.clone()).header(ACCEPT, "application/jwk-set+json, application/json");
        let mut response = request.send().await.map_err(|error| FetchError::NoAnswer(error.without_url()))?;
        if response.status() != StatusCode::OK {
            return Err(FetchError::Status(response.status()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| FetchError::NoAnswer(error.without_url()))? {
            if body.len().saturating_add(chunk.len()) > BYTES_MAX {
                return Err(FetchError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_of_an_address_is_not_shown() {
        let url = JwksUrl::parse("https://id.example.com/keys?p=canary").unwrap();
        assert_eq!(url.as_str(), "https://id.example.com/keys");
        assert!(!format!("{url:?}").contains("canary") && url.0.query() == Some("p=canary"));
    }

    #[test]
    fn keys_come_over_https_or_from_this_machine() {
        for good in
            ["https://id.example.com/jwks?v=1", "http://127.0.0.1:9/jwks", "http://[::1]/", "http://localhost:80/"]
        {
            assert!(JwksUrl::parse(good).is_ok(), "{good}");
        }
        let scheme =
            ["http://id.example.com/", "ftp://id.example.com/", "http://127.0.0.1.example.com/", "http://10.0.0.1/"];
        for bad in scheme {
            assert_eq!(JwksUrl::parse(bad), Err(BadJwksUrl::Scheme), "{bad}");
        }
        let long = format!("https://id.example.com/{}", "x".repeat(2_048));
        for bad in ["https://user@id.example.com/", "https://u:p@id.example.com/", "https://id.example.com/#x", &long] {
            assert_eq!(JwksUrl::parse(bad), Err(BadJwksUrl::Unfit), "{bad}");
        }
        for bad in ["", "id.example.com", "file:///etc/passwd"] {
            assert_eq!(JwksUrl::parse(bad), Err(BadJwksUrl::Unreadable), "{bad}");
        }
    }
}
