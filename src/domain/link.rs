//! Which links may be stored and shown: a bill must never carry a phishing link.
//!
//! A link is a bearer secret (whoever has it sees and pays the invoice), so it is not printed here, not even in errors.

use url::Url;

/// Hosts of Stripe's pay pages, PDFs and receipts.
pub const STRIPE_HOSTS: [&str; 2] = ["invoice.stripe.com", "pay.stripe.com"];

/// Hosts of Stripe's documentation, which errors of payments link to.
const DOCUMENTATION_HOSTS: [&str; 2] = ["docs.stripe.com", "stripe.com"];

/// The longest link that is kept, in bytes.
const LENGTH_MAX: usize = 2048;

/// The hosts that links may lead to.
#[derive(Clone, Debug)]
pub struct LinkHosts(Vec<String>);

impl Default for LinkHosts {
    fn default() -> Self {
        Self(STRIPE_HOSTS.map(str::to_owned).to_vec())
    }
}

impl LinkHosts {
    /// Stripe's hosts and `more`, each an exact host name.
    pub fn with(more: &[String]) -> Self {
        let mut hosts = Self::default();
        hosts.0.extend(more.iter().map(|host| host.to_ascii_lowercase()));
        hosts
    }

    /// Whether `link` may be shown as one to documentation: like any other, or on the hosts of the documentation.
    pub fn allow_documentation(&self, link: &str) -> bool {
        self.allow(link) || Self(DOCUMENTATION_HOSTS.map(str::to_owned).to_vec()).allow(link)
    }

    /// Whether `link` may be shown: https on its own port, a known host, no user, no control characters, not too long.
    pub fn allow(&self, link: &str) -> bool {
        let clean = link.len() <= LENGTH_MAX && !link.chars().any(|c| c.is_control() || c == '\\' || c == ' ');
        clean && Url::parse(link).is_ok_and(|url| self.allow_url(&url))
    }

    fn allow_url(&self, url: &Url) -> bool {
        let known = url.host_str().is_some_and(|host| self.0.iter().any(|allowed| allowed == host));
        known
            && url.scheme() == "https"
            && url.port().is_none()
            && url.username().is_empty()
            && url.password().is_none()
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
}
