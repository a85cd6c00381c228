//! Accepts connections. An answer may be to close the connection, which no handler can do by itself.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::guard::HangUp;

/// Serves until it is dropped, and its connections with it.
pub(crate) async fn serve(listener: TcpListener, router: Router) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((stream, _address)) = listener.accept() => {
                connections.spawn(converse(stream, router.clone()));
            }
            Some(_ended) = connections.join_next() => {}
        }
    }
}

async fn converse(stream: TcpStream, router: Router) {
    // Refused only when the connection is closed already.
    let _closed = stream.set_nodelay(true);
    let router = TowerToHyperService::new(router);
    let answer = service_fn(move |request: Request<Incoming>| {
        let answer = router.call(request);
        async move {
            let response: axum::http::Response<Body> = answer.await.map_err(std::io::Error::other)?;
            let hang_up = response.extensions().get::<HangUp>().is_some();
            if hang_up { Err(std::io::Error::other("the connection is closed on purpose")) } else { Ok(response) }
        }
    });
    // Connections break on purpose here, and callers go away.
    let _ended = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
}
