//! Nothing secret is written down: canaries in everything that clients, Stripe, settings and the store bring, at the
//! level that says most, on both engines and in both formats, when all is well and when it is not. Then standard
//! output, standard error, metrics and problem documents are searched.

use std::collections::BTreeSet;
use std::process::Command;

use fake_stripe::{Fault, FaultKind, Hostile, signature};
use jsonwebtoken::{EncodingKey, Header};
use reqwest::{Method, RequestBuilder, Response};
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::database::{Engine, TestDatabase, for_each_engine};
use crate::support::hooks::{event, now, object};
use crate::support::program::{program, run};
use crate::support::served::{Served, WEBHOOK_SECRET};

/// What everything contains that is planted.
const CANARY: &str = "Canary7";

/// What tokens are signed with.
const JWT_SECRET: &str = "Canary7 secret of the tests, longer than 32 bytes";

/// What must not be found anywhere: what is planted, and what the program made or read that is secret.
struct Secrets(BTreeSet<String>);

impl Secrets {
    fn new() -> Self {
        Self(BTreeSet::from([CANARY.to_lowercase()]))
    }

    /// Takes up every text in an answer, however deep; short ones occur by chance.
    fn learn(&mut self, answer: &Value) {
        match answer {
            Value::String(text) if text.len() > 5 => {
                self.0.insert(text.to_lowercase());
            }
            Value::Array(values) => values.iter().for_each(|value| self.learn(value)),
            Value::Object(fields) => fields.values().for_each(|value| self.learn(value)),
            _ => {}
        }
    }

    /// The lines of a text in which one of them is.
    fn in_lines<'a>(&self, text: &'a str) -> Vec<&'a str> {
        let told = |line: &&str| {
            let line = line.to_lowercase();
            self.0.iter().any(|secret| line.contains(secret))
        };
        text.lines().filter(told).collect()
    }
}

/// The URL of a database with a password in it, which nobody asks for.
fn with_password(url: &str) -> String {
    let Some((scheme, rest)) = url.strip_prefix("postgres").and_then(|_| url.split_once("://")) else {
        return url.to_owned();
    };
    let (user, place) = rest.split_once('@').unwrap_or(("postgres", rest));
    let user = user.split(':').next().unwrap_or_default();
    format!("{scheme}://{user}:{CANARY}password@{place}")
}

fn talkative(command: &mut Command, format: &str) {
    command.env("BILLING_LOG_LEVEL", "trace").env("BILLING_LOG_FORMAT", format);
    command.env("BILLING_JWT_SECRET", JWT_SECRET);
}

/// Places that nobody answers at, with secrets in their addresses; proxies that are believed; documents that are trusted.
fn surrounded(command: &mut Command, folder: &TempDir) {
    command.env("BILLING_RATE_SHARED_URL", format!("redis://{CANARY}user:{CANARY}password@127.0.0.1:1/0"));
    command.env("BILLING_JWKS_URL", format!("http://127.0.0.1:1/keys?code={CANARY}query"));
    command.env("BILLING_TRUSTED_PROXIES", "127.0.0.1");
    let file = folder.path().join("trusted.json");
    let text = format!("query {CANARY} {{ {CANARY}: viewer {{ kind }} }}");
    std::fs::write(&file, json!({ format!("{CANARY}id"): text }).to_string()).unwrap();
    command.env("BILLING_TRUSTED_DOCUMENTS", file);
}

/// A token whose signature is good and whose claims are canaries.
fn odd_token(claims: &Value) -> String {
    let mut all = json!({ "iss": "billing-gateway", "aud": "billing-gateway", "sub": CANARY, "jti": CANARY,
        "iat": now() - 1, "exp": now() + 60, "tid": CANARY, "kind": "merchant", "scope": CANARY });
    all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
    jsonwebtoken::encode(&Header::default(), &all, &EncodingKey::from_secret(JWT_SECRET.as_bytes())).unwrap()
}

/// What went over HTTP; problem documents are kept to be searched.
struct Talk<'a> {
    served: &'a Served,
    problems: Vec<String>,
}

impl Talk<'_> {
    fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let request = self.served.client.request(method, self.served.url(path));
        request.header("cookie", format!("sid={CANARY}cookie")).header("x-api-key", format!("{CANARY}apikey"))
    }

    async fn keep(&mut self, answer: Response) -> Value {
        let problem = answer.headers().get("content-type").is_some_and(|kind| kind == "application/problem+json");
        let text = answer.text().await.unwrap();
        if problem {
            self.problems.push(text.clone());
        }
        serde_json::from_str(&text).unwrap_or_default()
    }

    async fn send(&mut self, request: RequestBuilder) -> Value {
        let answer = request.send().await.unwrap();
        self.keep(answer).await
    }

    async fn ask(&mut self, query: &str, variables: Value) -> Value {
        let answer = self.served.ask(query, variables).await;
        self.keep(answer).await
    }
}

async fn credentials(talk: &mut Talk<'_>) {
    let parts = format!("{CANARY}header.{CANARY}payload.{CANARY}signature");
    let none = "eyJhbGciOiJub25lIiwia2lkIjoiQ2FuYXJ5NyJ9.eyJzdWIiOiJDYW5hcnk3In0.Q2FuYXJ5Nw";
    let tokens = [
        format!("Bearer {CANARY}"),
        format!("Bearer {parts}"),
        format!("Bearer {none}"),
        format!("Basic {CANARY}"),
        CANARY.to_owned(),
        format!("Bearer {}", odd_token(&json!({}))),
        format!("Bearer {}", odd_token(&json!({ "kind": CANARY }))),
        format!("Bearer {}", odd_token(&json!({ "iss": CANARY }))),
        format!("Bearer {}", odd_token(&json!({ "aud": [CANARY] }))),
        format!("Bearer {}", odd_token(&json!({ "cus": [CANARY] }))),
        format!("Bearer {}", odd_token(&json!({ "exp": CANARY }))),
        format!("Bearer {}", odd_token(&json!({ "exp": now() - 90_000, "iat": now() - 90_060 }))),
    ];
    for token in tokens {
        for path in ["/graphql", "/v1/billing/invoices/Canary7/pay-url"] {
            let method = if path == "/graphql" { "POST" } else { "GET" };
            let request = talk.request(method, path).header("authorization", token.clone());
            talk.send(request.json(&json!({ "query": format!("{{ {CANARY} }}") }))).await;
        }
    }
}

async fn addresses(talk: &mut Talk<'_>) {
    let merchant = format!("Bearer {}", talk.served.token("merchant"));
    let paths = [
        "/Canary7/user@Canary7.example?token=Canary7",
        "/livez?token=Canary7",
        "/readyz?token=Canary7",
        "/assets/Canary7.js?x=Canary7",
        "/explorer/Canary7",
        "/webhooks/stripe/Canary7?x=Canary7",
        "/webhooks/stripe/%FF%FECanary7",
        "/v1/billing/invoices/Canary7/pay-url?x=Canary7",
        "/v1/billing/invoices/%FFCanary7/pay-url",
        "/graphql?query=%7BCanary7%7D&variables=%7B%22Canary7%22%3A1%7D&operationName=Canary7",
        "/graphql?query=%7Bviewer%7Bkind%7D%7D&variables=Canary7",
    ];
    for path in paths {
        for method in ["GET", "POST", "PUT", "CANARY7"] {
            let request = talk.request(method, path).header("authorization", &merchant);
            talk.send(request.header("content-type", "text/Canary7").body(CANARY)).await;
        }
    }
    let large = CANARY.repeat(200_000);
    for path in ["/webhooks/stripe/default", "/graphql"] {
        let request = talk.request("POST", path).header("authorization", &merchant);
        // The server may close before it has read everything.
        if let Ok(answer) = request.header("content-type", "application/json").body(large.clone()).send().await {
            talk.keep(answer).await;
        }
    }
}

/// Headers that proxies add, and who they say the client is.
async fn forwarded(talk: &mut Talk<'_>) {
    let merchant = format!("Bearer {}", talk.served.token("merchant"));
    for (name, value) in [
        ("x-forwarded-for", format!("{CANARY}, 203.0.113.7")),
        ("x-forwarded-for", format!("203.0.113.7, {CANARY}")),
        ("x-forwarded-for", format!("{CANARY}@203.0.113.7:80")),
        ("forwarded", format!("for={CANARY};host={CANARY}.example;proto=https")),
        ("x-forwarded-host", format!("{CANARY}.example")),
        ("x-forwarded-proto", CANARY.to_owned()),
        ("x-real-ip", CANARY.to_owned()),
        ("via", format!("1.1 {CANARY}")),
        ("x-amzn-trace-id", format!("Root={CANARY}")),
        ("traceparent", format!("00-{CANARY}-{CANARY}-01")),
        ("proxy-authorization", format!("Basic {CANARY}")),
    ] {
        for path in ["/graphql", "/nothing"] {
            let request = talk.served.client.post(talk.served.url(path)).header("authorization", &merchant);
            talk.send(request.header(name, &value).json(&json!({ "query": "{ viewer { kind } }" }))).await;
        }
    }
}

/// Hashes and ids of documents: made-up ones, those of others, and those of trusted documents.
async fn persisted(talk: &mut Talk<'_>) {
    let text = format!("query {CANARY} {{ viewer {{ kind }} }}");
    let hash = billing_gateway::domain::secret::sha256(&text);
    let by_hash = |hash: &str| json!({ "persistedQuery": { "version": 1, "sha256Hash": hash } });
    let long = CANARY.repeat(2_000);
    for body in [
        json!({ "extensions": by_hash(&format!("{CANARY}hash")) }),
        json!({ "extensions": by_hash(&long) }),
        json!({ "extensions": by_hash(&hash) }),
        json!({ "query": text, "extensions": by_hash(&hash) }),
        json!({ "extensions": by_hash(&hash) }),
        json!({ "query": format!("{text} "), "extensions": by_hash(&hash) }),
        json!({ "query": text, "extensions": by_hash(CANARY) }),
        json!({ "extensions": { "persistedQuery": { "version": CANARY, "sha256Hash": CANARY } } }),
        json!({ "extensions": { CANARY: CANARY } }),
        json!({ "documentId": CANARY }),
        json!({ "documentId": long }),
        json!({ "documentId": format!("{CANARY}id") }),
        json!({ "documentId": format!("{CANARY}id"), "query": text }),
    ] {
        let request = talk.served.client.post(talk.served.url("/graphql")).bearer_auth(talk.served.token("merchant"));
        talk.send(request.json(&body)).await;
    }
}

async fn documents(talk: &mut Talk<'_>) {
    let id = talk.served.invoice("overage-week").to_owned();
    let documents = [
        (format!("query {CANARY}($id: ID!) {{ {CANARY}: invoice(id: $id) {{ {CANARY}: id }} }}"), json!({ "id": id })),
        (format!("query {CANARY} {{ invoice(id: \"{CANARY}\") {{ id }} }}"), json!({})),
        (format!("query {CANARY} {{ invoiceByNumber(number: \"{CANARY}\") {{ id }} }}"), json!({})),
        (format!("query {CANARY} {{ invoice(id: \"{CANARY}\\u0000\") {{ id }} }}"), json!({})),
        (format!("{{ {CANARY} }} # {CANARY}"), json!({})),
        (format!("{{ viewer {{ kind(id: \"{CANARY}\") }} }}"), json!({})),
        (format!("query Q($id: {CANARY}) {{ invoice(id: $id) {{ id }} }}"), json!({ "id": CANARY })),
        ("query Q($id: ID!) { invoice(id: $id) { id } }".to_owned(), json!({ "id": { CANARY: CANARY } })),
        ("query Q($id: ID!) { invoice(id: $id) { id } }".to_owned(), json!({ "id": CANARY, CANARY: CANARY })),
        ("query Q($n: Int!) { invoices(first: $n) { nodes { id } } }".to_owned(), json!({ "n": CANARY })),
        (format!("query Q {{ invoices(first: 1, after: \"{CANARY}\") {{ nodes {{ id }} }} }}"), json!({})),
        (
            "query Q($f: InvoiceFilter) { invoices(filter: $f) { nodes { id } } }".to_owned(),
            json!({ "f": { "numberPrefix": CANARY } }),
        ),
        (
            "query Q($f: InvoiceFilter) { invoices(filter: $f) { nodes { id } } }".to_owned(),
            json!({ "f": { CANARY: CANARY } }),
        ),
        (
            "query Q($f: CustomerFilter) { customers(filter: $f) { nodes { id } } }".to_owned(),
            json!({ "f": { "email": format!("{CANARY}@example.com") } }),
        ),
        (
            "mutation M($id: ID!) { refreshPayUrl(input: { invoiceId: $id }) { url } }".to_owned(),
            json!({ "id": CANARY }),
        ),
        (format!("{{ {CANARY} {{{{ \"{CANARY}"), json!({})),
        (format!("{} {CANARY}", "{a".repeat(100)), json!({})),
        (format!("{{ a: viewer {{ kind }} {} }}", format!("{CANARY}: viewer {{ kind }} ").repeat(60)), json!({})),
    ];
    for (document, variables) in documents {
        talk.ask(&document, variables).await;
    }
}

/// Everything that is personal or a link, as it is in the store and at Stripe.
async fn learn(talk: &mut Talk<'_>, secrets: &mut Secrets) {
    let query = "{ customers(first: 50) { nodes { email phone taxId organizationNumber \
        billingAddress { line1 line2 postalCode } } } }";
    let answer = talk.ask(query, json!({})).await;
    assert!(answer["errors"].is_null(), "{answer}");
    let before = secrets.0.len();
    secrets.learn(&answer);
    assert!(secrets.0.len() > before + 5, "{answer}");
    let names = ["overage-week", "declined-topup"];
    for name in names {
        let id = talk.served.invoice(name).to_owned();
        for freshness in ["CACHED", "PREFER_FRESH", "REQUIRE_FRESH"] {
            let query = format!(
                "query L($id: ID!) {{ invoice(id: $id) {{ hostedInvoiceUrl(freshness: {freshness}) \
                    invoicePdfUrl(freshness: {freshness}) receiptUrl(freshness: {freshness}) payUrl }} }}"
            );
            let answer = talk.ask(&query, json!({ "id": id })).await;
            secrets.learn(&answer["data"]);
        }
        let pay = "mutation M($id: ID!) { refreshPayUrl(input: { invoiceId: $id }) { url } }";
        let answer = talk.ask(pay, json!({ "id": id })).await;
        secrets.learn(&answer["data"]);
        let request = talk.request("GET", &format!("/v1/billing/invoices/{id}/pay-url"));
        let answer =
            talk.send(request.header("authorization", format!("Bearer {}", talk.served.token("merchant")))).await;
        secrets.learn(&answer["url"]);
    }
    assert!(secrets.0.iter().any(|secret| secret.contains("/i/")), "no link was learned: {:?}", secrets.0);
    for principal in talk.served.ready["tokens"].as_object().unwrap().values() {
        let token = principal.as_str().unwrap();
        secrets.0.insert(token.rsplit('.').next().unwrap().to_lowercase());
    }
}

async fn stripe_fails(talk: &mut Talk<'_>) {
    let faults = [
        FaultKind::status(500),
        FaultKind::status(429),
        FaultKind::status(401),
        FaultKind::Reset,
        FaultKind::Garbage,
        FaultKind::Truncated,
        FaultKind::Body(
            json!({ "id": CANARY, "hosted_invoice_url": format!("https://{CANARY}.example/pay") }).to_string(),
        ),
        FaultKind::Body(format!("{{ \"error\": {{ \"message\": \"{CANARY}\" }} }}")),
        FaultKind::Redirect(format!("http://127.0.0.1:1/{CANARY}")),
        FaultKind::HostileUrl(Hostile::Exactly(format!("https://user:{CANARY}@hostile.example/{CANARY}"))),
    ];
    let id = talk.served.invoice("overage-week").to_owned();
    let query = "query L($id: ID!) { invoice(id: $id) { hostedInvoiceUrl(freshness: REQUIRE_FRESH) payUrl } }";
    for kind in faults {
        talk.served.fake.fault(Fault::new(kind));
        talk.ask(query, json!({ "id": id })).await;
        talk.served.fake.clear_faults();
    }
}

async fn webhooks(talk: &mut Talk<'_>) {
    let secret_object = json!({ "id": "in_nobody", "object": "invoice", "status": "open", "currency": "usd",
        "customer": "cus_nobody", "customer_email": format!("{CANARY}@example.com"),
        "customer_address": { "line1": CANARY }, "customer_phone": CANARY, "metadata": { CANARY: CANARY },
        "hosted_invoice_url": format!("https://invoice.stripe.com/i/{CANARY}"), "amount_due": CANARY });
    let bodies = [
        event("evt_1", "invoice.paid", now(), &secret_object).to_string(),
        event("evt_2", "invoice.updated", now(), &json!({ "id": CANARY, "object": CANARY })).to_string(),
        event("evt_3", "charge.refunded", now(), &object("in_nobody", CANARY, 1)).to_string(),
        json!({ "type": CANARY, "data": CANARY }).to_string(),
        format!("{{ \"{CANARY}\""),
        CANARY.to_owned(),
    ];
    for body in bodies {
        for header in [
            signature(&[WEBHOOK_SECRET], body.as_bytes(), now()),
            signature(&[CANARY], body.as_bytes(), now()),
            signature(&[WEBHOOK_SECRET], body.as_bytes(), now() - 1_000),
            format!("t={CANARY},v1={CANARY}"),
            CANARY.to_owned(),
        ] {
            let answer = talk.served.webhook(body.clone(), &header).await;
            talk.keep(answer).await;
        }
    }
    // The worker has a look at what was taken.
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
}

/// Rows that cannot be read as what they should be, and then a database that is gone.
async fn store_fails(talk: &mut Talk<'_>, database: &TestDatabase, engine: Engine) {
    if engine == Engine::Sqlite {
        let connection = database.connect().await;
        let people = "{ customers(first: 50) { nodes { id status } } }";
        let invoices = "{ invoices(first: 50) { nodes { id integrity { issues { code } } } } }";
        let rentals = "{ rentals(first: 50) { nodes { id status } } }";
        for (table, column, query) in [
            ("customers", "status", people),
            ("rentals", "created_at", rentals),
            ("invoices", "integrity_issues", invoices),
        ] {
            let spoil = format!("PRAGMA ignore_check_constraints = ON; UPDATE {table} SET {column} = '{CANARY}'");
            connection.execute_unprepared(&spoil).await.unwrap();
            let answer = talk.ask(query, json!({})).await;
            assert_eq!(answer["errors"][0]["extensions"]["code"], "INTERNAL", "{table}: {answer}");
        }
        connection.execute_unprepared(&format!("ALTER TABLE payments RENAME TO \"{CANARY}\"")).await.unwrap();
    } else {
        database.take_connections(false).await;
    }
    let id = talk.served.invoice("overage-week").to_owned();
    let query = format!("query {CANARY}($id: ID!) {{ invoice(id: $id) {{ id payments {{ id }} payUrl }} }}");
    talk.ask(&query, json!({ "id": id })).await;
    let request = talk.request("GET", &format!("/v1/billing/invoices/{id}/pay-url"));
    talk.send(request.header("authorization", format!("Bearer {}", talk.served.token("merchant")))).await;
    let body =
        event("evt_9", "invoice.paid", now(), &json!({ "id": "in_nobody", "metadata": { "a": CANARY } })).to_string();
    let answer = talk.served.webhook(body.clone(), &signature(&[WEBHOOK_SECRET], body.as_bytes(), now())).await;
    talk.keep(answer).await;
    let request = talk.request("GET", "/readyz");
    talk.send(request).await;
}

#[tokio::test]
async fn nothing_secret_is_logged_counted_or_told_in_a_problem_document() {
    for_each_engine(async |engine| {
        let database = TestDatabase::new(engine).await;
        let format = if engine == Engine::Sqlite { "text" } else { "json" };
        let folder = TempDir::with_prefix("billing-gateway-canaries-").unwrap();
        let served = Served::demo(|command| {
            command.env("DATABASE_URL", with_password(&database.url));
            talkative(command, format);
            surrounded(command, &folder);
        })
        .await;
        let mut secrets = Secrets::new();
        let mut talk = Talk { served: &served, problems: Vec::new() };
        learn(&mut talk, &mut secrets).await;
        credentials(&mut talk).await;
        addresses(&mut talk).await;
        documents(&mut talk).await;
        forwarded(&mut talk).await;
        persisted(&mut talk).await;
        Box::pin(webhooks(&mut talk)).await;
        stripe_fails(&mut talk).await;
        store_fails(&mut talk, &database, engine).await;
        let problems = talk.problems.join("\n");
        let metrics = served.metrics().await;
        let (out, err) = served.stop();

        let is_own = |line: &&str| line.contains("DEBUG") && line.contains("billing_gateway::");
        let own = err.lines().filter(is_own).count();
        assert!(own > 5, "the level is not the one that was asked for: {own} lines");
        assert!(problems.lines().count() > 20 && metrics.len() > 5_000, "{problems}");
        for (name, text) in [("out", &out), ("err", &err), ("metrics", &metrics), ("problems", &problems)] {
            let found = secrets.in_lines(text);
            assert!(
                found.is_empty(),
                "{engine:?} {name}: {} lines, such as {:#?}",
                found.len(),
                &found[..found.len().min(8)]
            );
        }
        assert!(!err.contains("panicked") && !err.contains("a defect: "), "{err}");
    })
    .await;
}

#[tokio::test]
async fn what_is_told_on_purpose_is_found() {
    let served = Served::demo(|command| talkative(command, "text")).await;
    let id = format!("{CANARY}-on-purpose");
    let answer = served.client.get(served.url("/nothing")).header("x-request-id", &id).send().await.unwrap();
    let problem = answer.text().await.unwrap();
    let token = served.token("merchant").rsplit('.').next().unwrap().to_owned();
    let (_, err) = served.stop();
    let mut secrets = Secrets::new();
    assert_eq!(secrets.in_lines(&problem).len(), 1, "{problem}");
    assert!(!secrets.in_lines(&err).is_empty(), "{err}");
    secrets.learn(&json!({ "a": [token] }));
    assert_eq!(secrets.in_lines(&format!("a\nauthorization: Bearer x.y.{token}\nb")).len(), 1);
}

/// Arguments of a command, and its settings.
type Failing<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)]);

#[tokio::test]
async fn commands_that_fail_do_not_tell_their_settings() {
    let folder = TempDir::with_prefix("billing-gateway-canaries-").unwrap();
    let document = include_str!("fixtures/userhub.json");
    let person = document.replace("+12125550123", CANARY).replace("[email protected]", "Canary7@example.com");
    assert_ne!(person, document);
    std::fs::write(folder.path().join("person.json"), &person).unwrap();
    std::fs::write(folder.path().join("broken.json"), person.replace(": \"", ": [\"")).unwrap();
    std::fs::write(folder.path().join("settings.toml"), format!("jwt_secret = \"{CANARY}\nx")).unwrap();
    let gone = format!("postgres://user:{CANARY}@127.0.0.1:1/db");
    let odd = format!("postgres://user:{CANARY}@[::1/db?password={CANARY}");
    let redis = format!("redis://{CANARY}:{CANARY}@127.0.0.1:6379/0");
    let keys = format!("https://id.example.com/keys?code={CANARY}");
    let complete = [("DATABASE_URL", gone.as_str()), ("BILLING_JWT_SECRET", JWT_SECRET)];
    let with = |name: &'static str, value: &'static str| [complete[0], complete[1], (name, value)];
    let user = with("BILLING_JWKS_URL", "https://user:Canary7@id.example.com/keys");
    let fragment = with("BILLING_JWKS_URL", "https://id.example.com/keys#Canary7");
    let odd_redis = with("BILLING_RATE_SHARED_URL", "Canary7://Canary7@");
    let no_file = with("BILLING_TRUSTED_DOCUMENTS", "broken-documents.json");
    std::fs::write(folder.path().join("broken-documents.json"), format!("{{ \"{CANARY}\": [\"{CANARY}\"")).unwrap();
    let shown = [complete[0], complete[1], ("BILLING_RATE_SHARED_URL", redis.as_str()), ("BILLING_JWKS_URL", &keys)];
    let cases: [Failing<'_>; 17] = [
        (&["config", "print"], &shown),
        (&["config", "check"], &user),
        (&["config", "check"], &fragment),
        (&["config", "check"], &odd_redis),
        (&["serve"], &no_file),
        (&["serve"], &[("DATABASE_URL", &gone), ("BILLING_JWT_SECRET", JWT_SECRET)]),
        (&["serve"], &[("DATABASE_URL", &odd), ("BILLING_JWT_SECRET", JWT_SECRET)]),
        (&["serve"], &[("DATABASE_URL", CANARY), ("BILLING_JWT_SECRET", CANARY)]),
        (&["serve", "--demo"], &[("BILLING_STRIPE_KEY", CANARY)]),
        (
            &["serve", "--demo"],
            &[("BILLING_STRIPE_KEY", "sk_live_Canary7"), ("BILLING_STRIPE_BASE_URL", "http://example.com")],
        ),
        (&["serve", "--demo"], &[("BILLING_WEBHOOK_SECRETS", CANARY), ("BILLING_WEBHOOK_LIVEMODE", "perhaps")]),
        (&["config", "print", "--config", "settings.toml"], &[]),
        (
            &["config", "print"],
            &[("DATABASE_URL", &gone), ("BILLING_JWT_SECRET", JWT_SECRET), ("BILLING_STRIPE_KEY", "rk_test_Canary7")],
        ),
        (&["migrate", "up"], &[("DATABASE_URL", &gone)]),
        (&["tenant", "list"], &[("DATABASE_URL", &gone)]),
        (&["import", "--system", "userhub", "--tenant", "ten_x", "person.json"], &[("DATABASE_URL", &gone)]),
        (&["verify"], &[("DATABASE_URL", &odd)]),
    ];
    let secrets = Secrets::new();
    for (arguments, settings) in cases {
        let mut command = program(folder.path());
        command.args(arguments).envs(settings.iter().copied()).env("BILLING_LOG_LEVEL", "trace");
        let said = run(command);
        let all = format!("{}{}", said.out, said.err);
        assert!(!all.is_empty(), "{arguments:?}");
        assert_eq!(secrets.in_lines(&all), [""; 0], "{arguments:?} {settings:?}");
    }
    let with_store = |arguments: &[&str]| {
        let mut command = program(folder.path());
        command.args(arguments).env("DATABASE_URL", "sqlite://canaries.db");
        run(command)
    };
    with_store(&["migrate", "up"]).ok();
    let made: Value = serde_json::from_str(&with_store(&["tenant", "create", "--name", "x", "--json"]).ok()).unwrap();
    let tenant = made["id"].as_str().unwrap_or_else(|| panic!("{made}"));
    let owner = ["--customer", "cus_x", "--create-customer", "--tenant", tenant, "--json"];
    for file in ["person.json", "broken.json"] {
        let said = with_store(&[&["import", "--system", "userhub"], &owner[..], &[file]].concat());
        assert_eq!(said.code, Some(i32::from(file == "broken.json")), "{said:?}");
        assert_eq!(secrets.in_lines(&format!("{}{}", said.out, said.err)), [""; 0], "{file}");
    }
}
