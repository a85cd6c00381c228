//! Which links may be stored and shown: a bill must never carry a phishing link.
//!
//! A link is a bearer secret (whoever has it sees and pays the invoice), so it is not printed here, not even in errors.

use url::{Host, Origin, Url};

/// Hosts of Stripe's pay pages, PDFs and receipts.
pub const STRIPE_HOSTS: [&str; 2] = ["invoice.stripe.com", "pay.stripe.com"];

/// Hosts of Stripe's documentation, which errors of payments link to.
const DOCUMENTATION_HOSTS: [&str; 2] = ["docs.stripe.com", "stripe.com"];

/// The longest link that is kept, in bytes.
const LENGTH_MAX: usize = 2048;

/// The hosts that links may lead to.
#[derive(Clone, Debug)]
pub struct LinkHosts {
    names: Vec<String>,
    /// A Stripe for development on this machine, which has no certificate.
    local: Option<Origin>,
}

impl Default for LinkHosts {
    fn default() -> Self {
        Self::only(&STRIPE_HOSTS)
    }
}

impl LinkHosts {
    /// Stripe's hosts and `more`, each an exact host name.
    pub fn with(more: &[String]) -> Self {
        let mut hosts = Self::default();
        hosts.names.extend(more.iter().map(|host| host.to_ascii_lowercase()));
        hosts
    }

    fn only(names: &[&str]) -> Self {
        Self { names: names.iter().map(|name| (*name).to_owned()).collect(), local: None }
    }

    /// The same and one more, for development: a fake of Stripe on this machine, with exactly this scheme, host and
    /// port. An address of another machine changes nothing.
    #[must_use]
    pub fn and_local(mut self, base: &Url) -> Self {
        let loopback = match base.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        };
        self.local = loopback.then(|| base.origin());
        self
    }

    /// Whether `link` may be shown as one to documentation: like any other, or on the hosts of the documentation.
    pub fn allow_documentation(&self, link: &str) -> bool {
        self.allow(link) || Self::only(&DOCUMENTATION_HOSTS).allow(link)
    }

    /// Whether `link` may be shown: https on its own port, a known host, no user, no control characters, not too long.
    pub fn allow(&self, link: &str) -> bool {
        let clean = link.len() <= LENGTH_MAX && !link.chars().any(|c| c.is_control() || c == '\\' || c == ' ');
        clean && Url::parse(link).is_ok_and(|url| self.allow_url(&url))
    }

    fn allow_url(&self, url: &Url) -> bool {
        let known = url.host_str().is_some_and(|host| self.names.iter().any(|allowed| allowed == host));
        let stripe = known && url.scheme() == "https" && url.port().is_none();
        let local = self.local.as_ref().is_some_and(|local| *local == url.origin());
        (stripe || local) && url.username().is_empty() && url.password().is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_links_of_known_hosts_pass() {
        let hosts = LinkHosts::default();
        for link in ["https://invoice.stripe.com/i/acct_test/abc", "https://pay.stripe.com:443/invoice/abc/pdf?s=ap"] {
            assert!(hosts.allow(link), "{link}");
        }
        let refused = [
            "http://invoice.stripe.com/i",
            "https://invoice.stripe.com.evil.example/i",
            "https://evil.example/invoice.stripe.com",
            "https://user@invoice.stripe.com/i",
            "https://invoice.stripe.com:8443/i",
            "https://invoice.stripe.com\\@evil.example/",
            "https://invoice.stripe.com/\u{7}",
            "javascript:alert(1)",
            "//invoice.stripe.com/i",
            "",
            "https://xinvoice.stripe.com/",
        ];
        for link in refused {
            assert!(!hosts.allow(link), "{link}");
        }
        assert!(!hosts.allow(&format!("https://pay.stripe.com/{}", "a".repeat(LENGTH_MAX))));
    }

    #[test]
    fn a_fake_on_this_machine_is_known_by_its_port() {
        let base = |text: &str| Url::parse(text).unwrap();
        let hosts = LinkHosts::default().and_local(&base("http://127.0.0.1:12111"));
        assert!(hosts.allow("http://127.0.0.1:12111/i/acct_test/abc"));
        assert!(hosts.allow("https://invoice.stripe.com/i/acct_test/abc"));
        for link in
            ["http://127.0.0.1/i", "http://127.0.0.1:1/i", "https://127.0.0.1:12111/i", "http://u@127.0.0.1:12111/"]
        {
            assert!(!hosts.allow(link), "{link}");
        }
        let hosts = LinkHosts::default().and_local(&base("http://fake.example:12111"));
        assert!(!hosts.allow("http://fake.example:12111/i"));
    }
}
