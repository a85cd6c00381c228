//! Content negotiation of GraphQL over HTTP.
//!
//! Two media types are spoken. A client that names `application/graphql-response+json` gets it, with statuses that
//! tell a refused document from an answered one; everyone else (no `Accept`, `*/*`, `application/*`) gets
//! `application/json`, as clients from before that type expect, and as the public audit of servers asks.

use axum::http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName};

/// In which of the two types an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Media {
    /// `application/graphql-response+json`.
    GraphqlResponse,
    /// `application/json`.
    Json,
}

impl Media {
    /// The type as `content-type` states it.
    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
        }
    }

    const fn subtype(self) -> &'static str {
        match self {
            Self::GraphqlResponse => "graphql-response+json",
            Self::Json => "json",
        }
    }
}

/// The type that the client likes best; absent when it accepts neither.
pub(super) fn accepted(headers: &HeaderMap) -> Option<Media> {
    let mut ranges = items(headers, &ACCEPT).peekable();
    if ranges.peek().is_none() {
        return Some(Media::Json);
    }
    let (mut graphql, mut json) = (Liking::default(), Liking::default());
    for range in ranges {
        graphql.consider(range, Media::GraphqlResponse);
        json.consider(range, Media::Json);
    }
    let graphql_first = graphql.weight > json.weight || (graphql.weight == json.weight && graphql.is_named());
    match (graphql.weight, json.weight) {
        (0, 0) => None,
        _ if graphql_first => Some(Media::GraphqlResponse),
        _ => Some(Media::Json),
    }
}

/// The type an answer is written in before, or although, nothing was agreed on.
pub(super) fn accepted_or_json(headers: &HeaderMap) -> Media {
    accepted(headers).unwrap_or(Media::Json)
}

/// Whether the body is said to be JSON in UTF-8, not compressed.
pub(super) fn is_json_body(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let (Some(stated), None) = (types.next(), types.next()) else {
        return false;
    };
    let Ok(stated) = stated.to_str() else { return false };
    let mut parts = stated.split(';').map(str::trim);
    let is_json = parts.next().is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"));
    let is_utf8 = parts.all(|parameter| match parameter.split_once('=') {
        Some((name, value)) if name.eq_ignore_ascii_case("charset") => {
            value.trim_matches('"').eq_ignore_ascii_case("utf-8")
        }
        _ => true,
    });
    let is_plain = items(headers, &CONTENT_ENCODING).all(|coding| coding.eq_ignore_ascii_case("identity"));
    is_json && is_utf8 && is_plain
}

/// How much a client likes one type, by the most specific range that covers it.
#[derive(Clone, Copy, Default)]
struct Liking {
    specificity: u8,
    /// Thousandths; 0 is "not at all".
    weight: u16,
}

impl Liking {
    const NAMED: u8 = 3;

    const fn is_named(self) -> bool {
        self.specificity == Self::NAMED
    }

    fn consider(&mut self, range: &str, media: Media) {
        let mut parts = range.split(';').map(str::trim);
        let Some((kind, subtype)) = parts.next().and_then(|essence| essence.split_once('/')) else {
            return;
        };
        let specificity = match (kind, subtype) {
            ("*", "*") => 1,
            (kind, "*") if kind.eq_ignore_ascii_case("application") => 2,
            (kind, subtype)
                if kind.eq_ignore_ascii_case("application") && subtype.eq_ignore_ascii_case(media.subtype()) =>
            {
                Self::NAMED
            }
            _ => return,
        };
        let weight = parts.find_map(|parameter| parameter.strip_prefix("q=").or_else(|| parameter.strip_prefix("Q=")));
        let weight = weight.map_or(1_000, thousandths);
        if (specificity, weight) > (self.specificity, self.weight) {
            *self = Self { specificity, weight };
        }
    }
}

/// Reads `0.25` as 250. What cannot be read counts as 1, as if it were not there.
fn thousandths(quality: &str) -> u16 {
    let (whole, digits) = quality.split_once('.').unwrap_or((quality, ""));
    match (whole, digits.len()) {
        ("0", 0..=3) => format!("{digits:0<3}").parse().unwrap_or(1_000),
        _ => 1_000,
    }
}

/// The comma-separated items of a header that may be given several times.
fn items<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> + use<'a> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).filter(|item| !item.is_empty())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn accept(values: &[&str]) -> Option<Media> {
        accepted(&headers(&ACCEPT, values))
    }

    fn headers(name: &HeaderName, values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (name.clone(), HeaderValue::from_str(value).unwrap())).collect()
    }

    #[test]
    fn clients_get_the_type_they_name() {
        for (header, expected) in [
            ("application/graphql-response+json", Media::GraphqlResponse),
            ("application/graphql-response+json, application/json", Media::GraphqlResponse),
            ("application/json, application/graphql-response+json", Media::GraphqlResponse),
            (
                "application/graphql-response+json; charset=utf-8, application/json; charset=utf-8",
                Media::GraphqlResponse,
            ),
            ("application/graphql-response+json, */*", Media::GraphqlResponse),
            ("application/json", Media::Json),
            ("APPLICATION/JSON", Media::Json),
            ("application/json;q=0.9, application/graphql-response+json;q=0.8", Media::Json),
            ("application/json;q=0.8, application/graphql-response+json;q=0.9", Media::GraphqlResponse),
            ("application/json, */*;q=0.1", Media::Json),
            ("text/html, */*;q=0.8", Media::Json),
            ("*/*", Media::Json),
            ("application/*", Media::Json),
            ("*/*, application/json;q=0", Media::GraphqlResponse),
            ("application/json; q=1.000", Media::Json),
            ("application/json; q=nonsense", Media::Json),
        ] {
            assert_eq!(accept(&[header]), Some(expected), "{header}");
        }
        assert_eq!(accept(&["text/html", "application/json"]), Some(Media::Json));
    }

    #[test]
    fn clients_that_accept_neither_get_neither() {
        for header in ["text/html", "application/xml, text/*", "*/*;q=0", "application/json;q=0.000", "json"] {
            assert_eq!(accept(&[header]), None, "{header}");
        }
    }

    #[test]
    fn clients_that_say_nothing_get_json() {
        assert_eq!(accept(&[]), Some(Media::Json));
        assert_eq!(accept(&[""]), Some(Media::Json));
        assert_eq!(accepted_or_json(&headers(&ACCEPT, &["text/html"])), Media::Json);
    }

    #[test]
    fn bodies_are_json_in_utf_8() {
        for good in ["application/json", "Application/JSON; charset=UTF-8", "application/json;charset=\"utf-8\"; v=1"] {
            assert!(is_json_body(&headers(&CONTENT_TYPE, &[good])), "{good}");
        }
        for bad in [
            "",
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/graphql",
            "application/jsonp",
            "application/json, text/plain",
            "application/json; charset=iso-8859-1",
            "application/json; charset=utf-16",
        ] {
            assert!(!is_json_body(&headers(&CONTENT_TYPE, &[bad])), "{bad}");
        }
        assert!(!is_json_body(&HeaderMap::new()));
        assert!(!is_json_body(&headers(&CONTENT_TYPE, &["application/json", "application/json"])));
        let mut compressed = headers(&CONTENT_TYPE, &["application/json"]);
        compressed.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        assert!(!is_json_body(&compressed));
    }
}
