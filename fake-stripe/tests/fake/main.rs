//! Tests of the fake: one binary, one module per behaviour.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails says so at once"
)]

mod api;
mod changes;
mod delivery;
mod faults;
mod links;
mod program;

use fake_stripe::state::KEY;
use fake_stripe::{FakeStripe, State};
use reqwest::{Client, Response};
use serde_json::Value;

/// A fake and someone who asks it.
pub(crate) struct Asked {
    pub(crate) fake: FakeStripe,
    pub(crate) client: Client,
}

impl Asked {
    pub(crate) async fn new(state: State) -> Self {
        Self { fake: FakeStripe::start(state).await.unwrap(), client: client() }
    }

    /// Asks with the usual key.
    pub(crate) async fn get(&self, path: &str) -> Response {
        self.client.get(format!("{}{path}", self.fake.url())).bearer_auth(KEY).send().await.unwrap()
    }

    /// The body, after making sure of the status.
    #[track_caller]
    pub(crate) fn body(&self, path: &str, status: u16) -> impl Future<Output = Value> {
        let at = std::panic::Location::caller();
        async move {
            let answer = self.get(path).await;
            let found = answer.status();
            let body = answer.json().await.unwrap();
            assert_eq!(found, status, "{at}: {body}");
            body
        }
    }

    pub(crate) async fn ok(&self, path: &str) -> Value {
        self.body(path, 200).await
    }

    /// Sends JSON to the fake's own API, and gives the status and what it answers.
    pub(crate) async fn tell(&self, path: &str, body: &Value) -> (u16, Value) {
        let answer = self.client.post(format!("{}/_fake/{path}", self.fake.url())).json(body).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap_or_default())
    }
}

/// A client that does not follow redirections and needs no certificates.
pub(crate) fn client() -> Client {
    let client = Client::builder().redirect(reqwest::redirect::Policy::none());
    client.tls_certs_only(std::iter::empty()).build().unwrap()
}

/// The ids of a list.
pub(crate) fn ids(list: &Value) -> Vec<&str> {
    list["data"].as_array().unwrap().iter().map(|element| element["id"].as_str().unwrap()).collect()
}
