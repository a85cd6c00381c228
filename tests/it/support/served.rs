//! The program itself serving the demo, beside a fake of Stripe, with its metrics shown.

use std::fs::File;
use std::process::Command;

use billing_gateway::demo::Plan;
use fake_stripe::{FakeStripe, State};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::app::http_client;
use super::program::{Running, program};

/// What the endpoint's webhooks are signed with.
pub(crate) const WEBHOOK_SECRET: &str = "whsec_Canary7webhooksecret";

/// What opens the fake.
pub(crate) const STRIPE_KEY: &str = "rk_test_Canary7stripekey";

/// A running program.
pub(crate) struct Served {
    pub(crate) ready: Value,
    pub(crate) fake: FakeStripe,
    pub(crate) client: reqwest::Client,
    pub(crate) folder: TempDir,
    running: Running,
    /// What it said before it was ready.
    said: String,
}

impl Served {
    /// The demo with the settings that `set` makes.
    pub(crate) async fn demo(set: impl FnOnce(&mut Command)) -> Self {
        let state = Plan::of(0).stripe_state().to_string().replace("rk_test_demo", STRIPE_KEY);
        let state = serde_json::from_str(&state).unwrap();
        let fake = FakeStripe::start(State { rate_per_second: 0, ..state }).await.unwrap();
        let folder = TempDir::with_prefix("billing-gateway-served-").unwrap();
        let mut command = program(folder.path());
        command.args(["serve", "--demo", "--demo-size", "tiny", "--json", "--listen", "127.0.0.1:0"]);
        command.env("BILLING_METRICS_LISTEN", "127.0.0.1:0").env("BILLING_EXPLORER", "fallback");
        command.env("BILLING_STRIPE_KEY", STRIPE_KEY).env("BILLING_STRIPE_BASE_URL", fake.url());
        command.env("BILLING_WEBHOOK_SECRETS", WEBHOOK_SECRET);
        set(&mut command);
        let mut running = Running::telling(command, File::create(folder.path().join("stderr")).unwrap());
        let (ready, said) = tokio::task::spawn_blocking(move || {
            let line = running.line(|line| line.starts_with('{'));
            ((serde_json::from_str::<Value>(&line).unwrap(), running), line)
        })
        .await
        .unwrap();
        let (ready, running) = ready;
        Self { ready, fake, client: http_client(), folder, running, said }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.ready["url"].as_str().unwrap())
    }

    pub(crate) fn token(&self, principal: &str) -> &str {
        self.ready["tokens"][principal].as_str().unwrap()
    }

    pub(crate) fn invoice(&self, name: &str) -> &str {
        self.ready["characters"][name].as_str().unwrap()
    }

    /// Asks as the merchant.
    pub(crate) async fn ask(&self, query: &str, variables: Value) -> Response {
        let request = self.client.post(self.url("/graphql")).bearer_auth(self.token("merchant"));
        request.json(&json!({ "query": query, "variables": variables })).send().await.unwrap()
    }

    /// Sends a webhook with this header for its signature.
    pub(crate) async fn webhook(&self, body: String, signature: &str) -> Response {
        let request = self.client.post(self.url("/webhooks/stripe/default")).header("stripe-signature", signature);
        request.body(body).send().await.unwrap()
    }

    /// What is shown at `/metrics`.
    pub(crate) async fn metrics(&self) -> String {
        let answer = self.client.get(self.ready["metrics"].as_str().unwrap()).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        answer.text().await.unwrap()
    }

    /// Stops it, and gives everything that it wrote: standard output but for the ready line, and standard error.
    pub(crate) fn stop(self) -> (String, String) {
        let Self { folder, running, said, .. } = self;
        assert_eq!(said.lines().count(), 1);
        let out = running.stop();
        (out, std::fs::read_to_string(folder.path().join("stderr")).unwrap())
    }
}
