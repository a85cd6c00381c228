//! Who asks, as an address, and whether the request may go on at all: before routes, credentials and bodies.
//!
//! Behind a proxy that is trusted the address is the one that the proxy states; everyone else's word is not taken. Such
//! clients share the proxy's connections, so their requests are counted instead.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::header::{CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue};
use axum::http::{Extensions, Version};
use axum::middleware::Next;
use axum::response::Response;

use super::accept::places::Place;
use super::error::{self, Refusal};
use super::request_id::RequestId;
use super::transport::Transport;
use super::{AppState, body, framing, media};

/// Where proxies state whom they ask for: each adds the address that it was asked from.
const FORWARDED: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Addresses of the header that are looked at. Chains of proxies are short.
const HOPS_MAX: usize = 16;

/// The other end of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) IpAddr);

/// The connection's client does not read its answers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clogged;

/// The address of whoever asks; absent where no connection is behind the request.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClientAddress(pub(super) Option<IpAddr>);

/// The address of whoever sent a request with these extensions.
pub(super) fn address_of(extensions: &Extensions) -> Option<IpAddr> {
    extensions.get::<ClientAddress>().and_then(|client| client.0)
}

/// Finds out who asks. On HTTP/2 the host stands in the address alone; afterwards it is in its header too.
pub(super) async fn identify(State(state): State<Arc<AppState>>, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0);
    let address = peer.map(|peer| address(peer, request.headers(), &state.transport));
    request.extensions_mut().insert(ClientAddress(address));
    if request.version() == Version::HTTP_2
        && !request.headers().contains_key(HOST)
        && let Some(host) = request.uri().authority().and_then(|host| HeaderValue::from_str(host.as_str()).ok())
    {
        request.headers_mut().insert(HOST, host);
    }
    next.run(request).await
}

/// Refuses what has too many headers or can be read in two ways, and clients that have too much under way. Says that the
/// connection ends where something of the request is still to come.
pub(super) async fn admit(
    State(state): State<Arc<AppState>>,
    Extension(id): Extension<RequestId>,
    request: Request,
    next: Next,
) -> Response {
    let (request, rest) = body::watched(request);
    let mut response = match place(&state, &request) {
        Ok(_place) => next.run(request).await,
        Err(refusal) => {
            let media = media::accepted_or_json(request.headers());
            error::refused(&refusal, request.uri().path(), media, &id)
        }
    };
    if !response.headers().contains_key(CONNECTION) && rest.goes_unread().await {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// A place among the requests of a client that comes through a proxy; none is needed without one.
fn place(state: &AppState, request: &Request) -> Result<Option<Place>, Refusal> {
    framing::check(request)?;
    let transport = &state.transport;
    if request.headers().len() > transport.headers_max || bytes(request) > transport.headers_bytes_max {
        return Err(Refusal::HeadersTooLarge);
    }
    if request.extensions().get::<Clogged>().is_some() {
        state.stats.room.unread_refused();
        return Err(Refusal::Overloaded);
    }
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0);
    let client = request.extensions().get::<ClientAddress>().and_then(|client| client.0);
    if client == peer || client.is_none() {
        return Ok(None);
    }
    state.room.forwarded(client).map(Some).map_err(|_full| Refusal::Overloaded)
}

/// What the address and the headers of a request come to, with what stands between them.
fn bytes(request: &Request) -> usize {
    let headers = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
    headers.fold(request.uri().to_string().len(), usize::saturating_add)
}

/// From the last stated address to the first: those of trusted proxies are passed over, the next one is the client's.
fn address(peer: IpAddr, headers: &HeaderMap, transport: &Transport) -> IpAddr {
    let lines = headers.get_all(FORWARDED).iter().rev().filter_map(|value| value.to_str().ok());
    let mut stated = lines.flat_map(|line| line.rsplit(',')).map(str::trim).take(HOPS_MAX);
    let mut address = peer;
    while transport.trusts(address) {
        // What cannot be read was not written by a proxy of ours.
        match stated.next().and_then(read) {
            Some(before) => address = before,
            None => break,
        }
    }
    address
}

/// An address, of IPv6 in brackets or not, with a port or not.
fn read(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse::<IpAddr>().ok();
    address
        .or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
        .map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(peer: &str, lines: &[&'static str]) -> String {
        let transport = Transport {
            trusted_proxies: vec!["10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()],
            ..Transport::default()
        };
        let headers = lines.iter().map(|line| (FORWARDED, HeaderValue::from_static(line))).collect();
        address(peer.parse().unwrap(), &headers, &transport).to_string()
    }

    #[test]
    fn a_stranger_is_not_believed() {
        assert_eq!(seen("192.0.2.9", &["198.51.100.1"]), "192.0.2.9");
    }

    #[test]
    fn behind_trusted_proxies_the_last_address_that_is_not_theirs_is_the_client_s() {
        assert_eq!(seen("10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(seen("10.0.0.1", &["203.0.113.66, 198.51.100.1, 10.2.2.2"]), "198.51.100.1");
        assert_eq!(seen("10.0.0.1", &["203.0.113.66", "198.51.100.1:4711", "[2001:db8::1]"]), "198.51.100.1");
        assert_eq!(seen("2001:db8::7", &["::ffff:198.51.100.1"]), "198.51.100.1");
    }

    #[test]
    fn without_a_readable_address_it_is_the_proxy_s() {
        assert_eq!(seen("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(seen("10.0.0.1", &["198.51.100.1, unknown"]), "10.0.0.1");
        assert_eq!(seen("10.0.0.1", &["<script>, 10.0.0.2"]), "10.0.0.2");
    }

    #[test]
    fn chains_without_end_are_not_walked() {
        let chain: &'static str = "198.51.100.1,10.0.0.9,10.0.0.9,10.0.0.9,10.0.0.9,10.0.0.9,10.0.0.9,10.0.0.9,\
             10.0.0.9,10.0.0.9,10.0.0.9,10.0.0.9,10.0.0.9,10.0.0.9,10.0.0.9,10.0.0.9,10.0.0.9";
        assert_eq!(seen("10.0.0.1", &[chain]), "10.0.0.9");
    }
}
