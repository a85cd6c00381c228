//! Whether a request says one thing only about whom it is for and how its body is sent.
//!
//! A proxy in front may take the other reading of two, and then see other requests on the connection than we do.

use axum::extract::Request;
use axum::http::Version;
use axum::http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};

use super::error::Refusal;

/// Refuses what can be read in two ways.
///
/// # Errors
/// [`Refusal::Ambiguous`].
pub(super) fn check(request: &Request) -> Result<(), Refusal> {
    let (headers, address) = (request.headers(), request.uri());
    let mut hosts = headers.get_all(HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() {
        return Err(Refusal::Ambiguous("The request has several `host` headers; send one."));
    }
    if host.is_none() && request.version() >= Version::HTTP_11 {
        return Err(Refusal::Ambiguous("The request has no `host` header."));
    }
    if let (Some(stated), Some(host)) = (address.authority(), host)
        && !host.as_bytes().eq_ignore_ascii_case(stated.as_str().as_bytes())
    {
        return Err(Refusal::Ambiguous("The request is for one host by its address, and for another by its header."));
    }
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let Some(coding) = codings.next() else { return Ok(()) };
    let is_plain = codings.next().is_none() && coding.as_bytes().eq_ignore_ascii_case(b"chunked");
    if is_plain && !headers.contains_key(CONTENT_LENGTH) {
        return Ok(());
    }
    Err(Refusal::Ambiguous("The body may be sent with a `content-length`, or with `transfer-encoding: chunked`, once."))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn refused(version: Version, address: &str, headers: &[(&str, &str)]) -> bool {
        let mut request = Request::builder().uri(address).version(version);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        check(&request.body(Body::empty()).unwrap()).is_err()
    }

    #[test]
    fn a_request_has_one_host() {
        let (old, new, newer) = (Version::HTTP_10, Version::HTTP_11, Version::HTTP_2);
        let host = ("host", "Gateway:8080");
        assert!(!refused(new, "/livez", &[host]));
        assert!(refused(new, "/livez", &[]));
        assert!(!refused(old, "/livez", &[]), "older clients know no such header");
        for version in [old, new, newer] {
            assert!(refused(version, "/livez", &[host, host]));
            assert!(refused(version, "/livez", &[host, ("host", "another")]));
            assert!(!refused(version, "http://gateway:8080/livez", &[host]));
            for address in ["http://another:8080/livez", "http://gateway/livez", "http://user@gateway:8080/livez"] {
                assert!(refused(version, address, &[host]), "{address}");
            }
        }
    }

    #[test]
    fn a_body_is_chunked_once_or_has_a_length() {
        let refused = |headers: &[(&str, &str)]| {
            let headers = [&[("host", "gateway")], headers].concat();
            refused(Version::HTTP_11, "/graphql", &headers)
        };
        assert!(!refused(&[("content-length", "5")]));
        assert!(!refused(&[("transfer-encoding", "chunked")]));
        assert!(!refused(&[("transfer-encoding", "Chunked")]));
        for coding in ["gzip, chunked", "chunked, chunked", "identity", "", "xchunked", "chunked;q=1"] {
            assert!(refused(&[("transfer-encoding", coding)]), "{coding}");
        }
        assert!(refused(&[("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")]));
        assert!(refused(&[("transfer-encoding", "chunked"), ("content-length", "5")]));
    }
}
