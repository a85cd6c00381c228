//! Whether a request with a cookie was meant by the page that its owner looks at.
//!
//! A browser sends a cookie with whatever any page makes it send. What another site's page cannot do without asking
//! first is a body of JSON and a header of its own; and it cannot hide where it is from. So all of that is demanded of
//! requests that have nothing but a cookie to show. A token in a header needs none of it: no page has it by accident.

use axum::http::header::{HOST, HeaderMap, HeaderName, ORIGIN};

use super::error::Refusal;
use super::media;

/// The cookie of a session. Browsers take it only over TLS, for this host alone and for every path.
pub(super) const SESSION_COOKIE: &str = "__Host-sid";

/// Headers that no page may send to another site without asking first: one of them must be there.
const MARKS: [HeaderName; 2] =
    [HeaderName::from_static("x-csrf-token"), HeaderName::from_static("graphql-require-preflight")];

/// Where browsers say how the page is related to us.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whether a request that may change something was meant.
///
/// `origins` are those of other sites that may ask.
///
/// # Errors
/// [`Refusal::CrossSite`]; [`Refusal::BodyType`] when the body is not said to be JSON.
pub(super) fn check(headers: &HeaderMap, origins: &[String]) -> Result<(), Refusal> {
    if !media::is_json_body(headers) {
        return Err(Refusal::BodyType);
    }
    if has_mark(headers) && is_known_origin(headers, origins) && !comes_from(headers, &["cross-site"]) {
        Ok(())
    } else {
        Err(Refusal::CrossSite)
    }
}

/// Whether a request that only reads comes from a page of ours, or was typed into the address bar.
///
/// # Errors
/// [`Refusal::CrossSite`].
pub(super) fn check_read(headers: &HeaderMap, origins: &[String]) -> Result<(), Refusal> {
    // Browsers from before that header have the marks only.
    let is_ours =
        comes_from(headers, &["same-origin", "none"]) || (!headers.contains_key(FETCH_SITE) && has_mark(headers));
    if is_ours && is_known_origin(headers, origins) { Ok(()) } else { Err(Refusal::CrossSite) }
}

fn has_mark(headers: &HeaderMap) -> bool {
    MARKS.iter().any(|mark| headers.get(mark).is_some_and(|value| !value.is_empty()))
}

/// Whether the browser says exactly once how the page is related to us, and in one of these words.
fn comes_from(headers: &HeaderMap, words: &[&str]) -> bool {
    headers.get_all(FETCH_SITE).iter().any(|stated| words.iter().any(|word| stated == word))
}

/// Whether the page is of our own origin, or of one in the settings. Without a page there is none. `null` is the origin
/// of pages that have none, which anyone can make.
fn is_known_origin(headers: &HeaderMap, origins: &[String]) -> bool {
    let mut stated = headers.get_all(ORIGIN).iter();
    let (Some(origin), None) = (stated.next(), stated.next()) else {
        return !headers.contains_key(ORIGIN);
    };
    let Ok(origin) = origin.to_str() else { return false };
    let own = headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    let is_own = host.zip(own).is_some_and(|(host, own)| host.eq_ignore_ascii_case(own));
    is_own || origins.iter().any(|known| known == origin)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    /// What a page of ours sends.
    const OURS: [(&str, &str); 6] = [
        ("host", "bills.example.com"),
        ("cookie", "theme=dark; __Host-sid=secret"),
        ("content-type", "application/json"),
        ("origin", "https://bills.example.com"),
        ("sec-fetch-site", "same-origin"),
        ("x-csrf-token", "1"),
    ];

    /// The same with some headers changed; those without a value are left out.
    fn page(changes: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in OURS.iter().chain(changes) {
            let name = HeaderName::from_static(name);
            if value.is_empty() {
                headers.remove(name);
            } else {
                headers.insert(name, HeaderValue::from_static(value));
            }
        }
        headers
    }

    fn origins() -> Vec<String> {
        vec!["https://app.example.com".to_owned()]
    }

    fn post(changes: &[(&'static str, &'static str)]) -> Result<(), Refusal> {
        check(&page(changes), &origins())
    }

    fn get(changes: &[(&'static str, &'static str)]) -> Result<(), Refusal> {
        check_read(&page(&[("content-type", "")]), &[]).unwrap();
        check_read(&page(changes), &origins())
    }

    #[test]
    fn pages_of_ours_and_of_known_origins_may_ask() {
        post(&[]).unwrap();
        post(&[("x-csrf-token", ""), ("graphql-require-preflight", "1")]).unwrap();
        post(&[("origin", "https://app.example.com"), ("sec-fetch-site", "same-site")]).unwrap();
        post(&[("origin", "HTTPS://BILLS.example.com")]).unwrap_err();
        post(&[("origin", "https://Bills.example.com")]).unwrap();
        post(&[("origin", ""), ("sec-fetch-site", "")]).unwrap();
    }

    #[test]
    fn a_body_that_is_not_json_is_refused_as_every_page_may_send_it() {
        for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
            assert!(matches!(post(&[("content-type", kind)]), Err(Refusal::BodyType)), "{kind}");
        }
        assert!(matches!(post(&[("content-type", "")]), Err(Refusal::BodyType)));
    }

    #[test]
    fn without_a_header_of_its_own_a_page_is_refused() {
        assert!(matches!(post(&[("x-csrf-token", "")]), Err(Refusal::CrossSite)));
    }

    #[test]
    fn other_origins_are_refused_and_so_is_none() {
        for origin in [
            "null",
            "https://evil.example",
            "https://bills.example.com.evil.example",
            "https://bills.example.com:8443",
            "https://sub.app.example.com",
            "http://app.example.com",
            "file://bills.example.com",
            "bills.example.com",
        ] {
            assert!(matches!(post(&[("origin", origin)]), Err(Refusal::CrossSite)), "{origin}");
            assert!(matches!(get(&[("origin", origin)]), Err(Refusal::CrossSite)), "{origin}");
        }
        let mut two = page(&[]);
        two.append(ORIGIN, HeaderValue::from_static("https://bills.example.com"));
        assert!(matches!(check(&two, &[]), Err(Refusal::CrossSite)));
    }

    #[test]
    fn a_browser_that_says_cross_site_is_believed_whatever_else_it_says() {
        assert!(matches!(post(&[("sec-fetch-site", "cross-site")]), Err(Refusal::CrossSite)));
        let mut two = page(&[]);
        two.append(FETCH_SITE, HeaderValue::from_static("cross-site"));
        assert!(matches!(check(&two, &[]), Err(Refusal::CrossSite)));
    }

    #[test]
    fn queries_by_get_are_for_pages_of_ours() {
        get(&[("origin", "")]).unwrap();
        get(&[("origin", ""), ("sec-fetch-site", "none"), ("x-csrf-token", "")]).unwrap();
        get(&[("sec-fetch-site", "")]).unwrap();
        for site in ["cross-site", "same-site", "whatever"] {
            assert!(matches!(get(&[("sec-fetch-site", site)]), Err(Refusal::CrossSite)), "{site}");
        }
        assert!(matches!(get(&[("sec-fetch-site", ""), ("x-csrf-token", "")]), Err(Refusal::CrossSite)));
    }
}
