//! Tokens of an identity provider: what is accepted, every forgery that must not be, and a provider that is away.

use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use billing_gateway::auth::{
    AuthConfig, AuthError, AuthFailure, Authenticator, Credential, Jwks, JwksParties, JwksTimes, JwksUrl, JwtKeys,
};
use billing_gateway::domain::browser_session::SessionPolicy;
use billing_gateway::domain::clock::Clock;
use billing_gateway::domain::viewer::Viewer;
use billing_gateway::stats::Registry;
use billing_gateway::store::tenant::System;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::support::app::{SECRET, TestApp};
use crate::support::database::Engine;
use crate::support::gateway::Gateway;
use crate::support::identity::{Mood, Pair, Provider, claims, part};

/// Reads keys again at once.
const EAGER: JwksTimes = JwksTimes {
    refresh: Duration::from_hours(1),
    retry: Duration::ZERO,
    believed: Duration::from_hours(24),
    timeout: Duration::from_millis(500),
};

/// Reads keys again because of tokens only after a while.
const CALM: JwksTimes = JwksTimes { retry: Duration::from_mins(10), ..EAGER };

fn jwks(provider: &Provider, times: JwksTimes) -> Arc<Jwks> {
    let party = || "billing-gateway".to_owned();
    let parties = JwksParties { issuer: party(), audience: party() };
    Arc::new(Jwks::new(JwksUrl::parse(&provider.url).unwrap(), parties, times).unwrap())
}

/// What tells who asks by a provider's keys and by a shared secret.
struct Desk {
    auth: Authenticator,
    _gateway: Gateway,
}

impl Desk {
    async fn at(provider: &Provider, times: JwksTimes) -> Self {
        let gateway = Gateway::new(Engine::Sqlite).await;
        let secret = SecretString::from(SECRET);
        let keys = JwtKeys::new(&secret, "billing-gateway", "billing-gateway", Clock::system()).unwrap();
        let (auth, usage) = Authenticator::new(AuthConfig {
            tokens: Some(keys),
            jwks: Some(jwks(provider, times)),
            store: gateway.store.clone(),
            system: System::operator(),
            clock: Clock::system(),
            sessions: SessionPolicy::default(),
        });
        tokio::spawn(usage.run());
        Self { auth, _gateway: gateway }
    }

    async fn viewer(&self, token: &str) -> Result<Viewer, AuthFailure> {
        self.auth.viewer(Credential::Bearer(token)).await
    }

    async fn is_accepted(&self, token: &str) -> bool {
        self.viewer(token).await.is_ok()
    }

    /// Why a token is refused.
    #[track_caller]
    fn refusal(answered: Result<Viewer, AuthFailure>) -> Arc<AuthError> {
        match answered {
            Err(AuthFailure::Refused(why)) => why,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_token_that_was_verified_is_good_no_longer_than_the_keys_it_was_verified_with() {
    let pair = Pair::p256();
    let provider = Provider::start(Mood::Keys(vec![pair.jwk(pair.algorithm())])).await;
    let desk = Desk::at(&provider, JwksTimes { believed: Duration::from_millis(600), ..EAGER }).await;
    let token = pair.token(pair.algorithm());
    assert!(desk.is_accepted(&token).await);
    provider.set(Mood::Status(500));
    assert!(desk.is_accepted(&token).await, "while the keys are believed");
    tokio::time::sleep(Duration::from_millis(700)).await;
    let answered = desk.viewer(&token).await;
    assert!(matches!(answered, Err(AuthFailure::Provider)), "{answered:?}");
}

#[tokio::test]
async fn keys_of_each_kind_verify_what_they_signed() {
    let pairs = [Pair::rsa(), Pair::p256(), Pair::ed25519()];
    let keys = pairs.iter().map(|pair| pair.jwk(pair.algorithm())).collect();
    let provider = Provider::start(Mood::Keys(keys)).await;
    let desk = Desk::at(&provider, CALM).await;
    for pair in &pairs {
        let viewer = desk.viewer(&pair.token(pair.algorithm())).await.unwrap();
        assert_eq!((viewer.tenant().id().as_str(), viewer.scopes.to_string().as_str()), ("ten_1", "invoices:read"));
    }
    assert_eq!(provider.calls(), 1, "the keys were read once for all of them");
}

#[tokio::test]
async fn attempts_to_read_keys_are_counted_by_how_they_ended_and_credentials_by_what_they_were() {
    let pair = Pair::p256();
    let provider = Provider::start(Mood::Status(500)).await;
    let desk = Desk::at(&provider, EAGER).await;
    for mood in [Mood::Status(500), Mood::Breaks, Mood::Body(b"{".to_vec()), Mood::Body(vec![b' '; 300_000])] {
        provider.set(mood);
        assert!(matches!(desk.viewer(&pair.token("key")).await, Err(AuthFailure::Provider)));
    }
    provider.set(Mood::Keys(vec![pair.jwk("key")]));
    assert!(desk.is_accepted(&pair.token("key")).await);
    assert!(!desk.is_accepted(&Pair::p256().token("key")).await);
    let mut registry = Registry::default();
    desk.auth.stats().register(&mut registry);
    let text = billing_gateway::stats::text(&registry);
    let mut expected =
        vec!["auth_credentials_total{kind=\"token\",outcome=\"unknown\",reason=\"provider\"} 4".to_owned()];
    expected.push("auth_credentials_total{kind=\"token\",outcome=\"accepted\",reason=\"none\"} 1".to_owned());
    expected.push("auth_credentials_total{kind=\"token\",outcome=\"refused\",reason=\"signature\"} 1".to_owned());
    let outcomes = ["status", "no_answer", "unusable", "too_large", "ok"];
    expected.extend(outcomes.map(|outcome| format!("auth_jwks_fetches_total{{outcome=\"{outcome}\"}} 1")));
    for line in expected {
        assert!(text.lines().any(|found| found == line), "{line}: {text}");
    }
}

#[tokio::test]
async fn a_key_is_good_for_its_own_algorithm_only() {
    let (rsa, other) = (Pair::rsa(), Pair::p256());
    let provider = Provider::start(Mood::Keys(vec![rsa.jwk("rsa"), other.jwk("ec")])).await;
    let desk = Desk::at(&provider, CALM).await;
    // None at all, and such as nobody has.
    for name in ["none", "None", "", "RS512", "PS256", "HS512"] {
        let header = json!({"alg": name, "typ": "at+jwt", "kid": "rsa"});
        let signed = rsa.sign(&header, &claims());
        let unsigned = format!("{}.", signed.rsplit_once('.').unwrap().0);
        for token in [&signed, &unsigned] {
            assert!(matches!(&*Desk::refusal(desk.viewer(token).await), AuthError::Algorithm), "{name}");
        }
    }
    // Another key's algorithm.
    let header = json!({"alg": "ES256", "typ": "at+jwt", "kid": "rsa"});
    assert!(matches!(&*Desk::refusal(desk.viewer(&rsa.sign(&header, &claims())).await), AuthError::Algorithm));
    // The public key as if it were a shared secret.
    for secret in [rsa.modulus(), rsa.jwk("rsa").to_string().into_bytes(), part(&rsa.modulus()).into_bytes()] {
        let header = Header { kid: Some("rsa".to_owned()), ..Header::new(Algorithm::HS256) };
        let forged = jsonwebtoken::encode(&header, &claims(), &EncodingKey::from_secret(&secret)).unwrap();
        assert!(matches!(&*Desk::refusal(desk.viewer(&forged).await), AuthError::Signature));
    }
    // Signed with another key than the one that is named.
    let crossed = other.sign(&json!({"alg": "ES256", "typ": "at+jwt", "kid": "rsa"}), &claims());
    assert!(!desk.is_accepted(&crossed).await);
    let foreign = Pair::rsa();
    assert!(matches!(&*Desk::refusal(desk.viewer(&foreign.token("rsa")).await), AuthError::Signature));
}

#[tokio::test]
async fn keys_that_a_token_brings_along_are_not_looked_at() {
    let (ours, theirs) = (Pair::rsa(), Pair::rsa());
    let provider = Provider::start(Mood::Keys(vec![ours.jwk("a")])).await;
    let hostile = Provider::start(Mood::Keys(vec![theirs.jwk("a")])).await;
    let desk = Desk::at(&provider, CALM).await;
    for (name, value) in [
        ("jku", json!(hostile.url)),
        ("x5u", json!(hostile.url)),
        ("jwk", theirs.jwk("a")),
        ("x5c", json!([base64::engine::general_purpose::STANDARD.encode(theirs.modulus())])),
    ] {
        let mut header = theirs.header("a");
        header[name] = value;
        assert!(matches!(&*Desk::refusal(desk.viewer(&theirs.sign(&header, &claims())).await), AuthError::Signature));
    }
    assert_eq!(hostile.calls(), 0, "nobody asks where a token says");
    for kid in ["../../dev/null", "' OR 1=1 --", "a\u{0}", "", &"x".repeat(1_000)] {
        assert!(matches!(&*Desk::refusal(desk.viewer(&theirs.token(kid)).await), AuthError::KeyUnknown), "{kid}");
    }
    let unnamed = json!({"alg": "RS256", "typ": "at+jwt"});
    for header in [unnamed.clone(), json!({"alg": "RS256", "typ": "at+jwt", "kid": ["a"]})] {
        assert!(matches!(&*Desk::refusal(desk.viewer(&ours.sign(&header, &claims())).await), AuthError::NoKeyNamed));
    }
}

#[tokio::test]
async fn a_token_says_that_it_is_an_access_token_and_asks_for_nothing_else() {
    let pair = Pair::ed25519();
    let provider = Provider::start(Mood::Keys(vec![pair.jwk("a")])).await;
    let desk = Desk::at(&provider, CALM).await;
    let with = |name: &str, value: Value| {
        let mut header = pair.header("a");
        header[name] = value;
        pair.sign(&header, &claims())
    };
    for typ in [json!("JWT"), json!("id+jwt"), json!("logout+jwt"), json!(null), json!(1), json!("")] {
        assert!(matches!(&*Desk::refusal(desk.viewer(&with("typ", typ)).await), AuthError::Type));
    }
    let mut untyped = pair.header("a");
    untyped.as_object_mut().unwrap().remove("typ");
    assert!(matches!(&*Desk::refusal(desk.viewer(&pair.sign(&untyped, &claims())).await), AuthError::Type));
    assert!(desk.is_accepted(&with("typ", json!("application/at+jwt"))).await);
    for crit in [json!(["b64"]), json!([]), json!(null)] {
        assert!(matches!(&*Desk::refusal(desk.viewer(&with("crit", crit)).await), AuthError::Critical));
    }
    let signed = |changes: Value| {
        let mut claims = claims();
        claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        pair.sign(&pair.header("a"), &claims)
    };
    let now = Clock::system().now().utc().timestamp();
    for bad in [
        json!({"exp": now + 25 * 3_600}),
        json!({"exp": now - 60, "iat": now - 120}),
        json!({"iss": "another"}),
        json!({"aud": ["another"]}),
        json!({"nbf": now + 120}),
        json!({"padding": "x".repeat(8_192)}),
    ] {
        assert!(!desk.is_accepted(&signed(bad.clone())).await, "{bad}");
    }
}

#[tokio::test]
async fn a_rotated_key_is_read_once_for_all_who_wait_and_the_old_one_ends() {
    let (old, new) = (Pair::ed25519(), Pair::ed25519());
    let provider = Provider::start(Mood::Keys(vec![old.jwk("old")])).await;
    let desk = Desk::at(&provider, EAGER).await;
    let before = old.token("old");
    assert!(desk.is_accepted(&before).await);
    provider.set(Mood::Slow(Duration::from_millis(100), vec![new.jwk("new")]));
    let token = new.token("new");
    let many = futures::future::join_all((0..50).map(|_| desk.is_accepted(&token))).await;
    assert!(many.into_iter().all(|accepted| accepted));
    assert_eq!(provider.calls(), 2, "one call for fifty who asked");
    // It was verified with a key that the provider has no more.
    assert!(!desk.is_accepted(&before).await);
}

#[tokio::test]
async fn unknown_names_make_the_keys_be_read_at_most_every_half_minute() {
    let pair = Pair::ed25519();
    let provider = Provider::start(Mood::Keys(vec![pair.jwk("a")])).await;
    let desk = Desk::at(&provider, CALM).await;
    for number in 0..20 {
        assert!(!desk.is_accepted(&pair.token(&format!("unknown-{number}"))).await);
    }
    assert!(desk.is_accepted(&pair.token("a")).await);
    assert_eq!(provider.calls(), 1);
    assert_eq!(JwksTimes::default().retry, Duration::from_secs(30));
}

#[tokio::test]
async fn a_provider_that_is_away_or_hostile_leaves_the_keys_as_they_were() {
    let (known, unknown) = (Pair::ed25519(), Pair::ed25519());
    let provider = Provider::start(Mood::Keys(vec![known.jwk("known")])).await;
    let hostile = Provider::start(Mood::Keys(vec![unknown.jwk("unknown")])).await;
    let desk = Desk::at(&provider, EAGER).await;
    assert!(desk.is_accepted(&known.token("known")).await);
    let many: Vec<_> = (0..51).map(|number| unknown.jwk(&format!("unknown-{number}"))).collect();
    for mood in [
        Mood::Status(500),
        Mood::Status(404),
        Mood::Redirect(hostile.url.clone()),
        Mood::Body(b"<html>".to_vec()),
        Mood::Body(json!({ "keys": [] }).to_string().into_bytes()),
        Mood::Body(vec![b' '; 300 * 1_024]),
        Mood::Keys([many, vec![unknown.jwk("unknown")]].concat()),
        Mood::Keys(vec![json!({"kty": "oct", "kid": "unknown", "k": part(b"secret")})]),
        Mood::Keys(vec![unknown.jwk("unknown"), unknown.jwk("unknown")]),
        Mood::Breaks,
        Mood::Hangs,
    ] {
        provider.set(mood.clone());
        let begun = Instant::now();
        assert!(matches!(&*Desk::refusal(desk.viewer(&unknown.token("unknown")).await), AuthError::KeyUnknown));
        assert!(begun.elapsed() < EAGER.timeout + Duration::from_secs(3), "{mood:?} took {:?}", begun.elapsed());
        assert!(desk.is_accepted(&known.token("known")).await, "{mood:?}");
    }
    assert_eq!(hostile.calls(), 0, "a redirection is not followed");
}

#[tokio::test]
async fn while_no_keys_are_known_a_token_may_be_good_and_a_shared_secret_is() {
    let pair = Pair::p256();
    let provider = Provider::start(Mood::Status(503)).await;
    let app = TestApp::with_jwks(jwks(&provider, EAGER)).await;
    let ask = async |token: &str| {
        let request = app.client.post(app.url("/graphql")).bearer_auth(token);
        request.json(&json!({ "query": "{ viewer { tenantId } }" })).send().await.unwrap()
    };
    let answer = ask(&pair.token("a")).await;
    assert_eq!((answer.status().as_u16(), answer.headers().contains_key("retry-after")), (503, true));
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["errors"][0]["extensions"]["code"], "UPSTREAM_UNAVAILABLE", "{body}");
    assert_eq!(ask(&app.token("merchant")).await.status(), 200);
    // The server is ready: its other credentials are.
    let ready: Value = app.client.get(app.url("/readyz")).send().await.unwrap().json().await.unwrap();
    assert_eq!((&ready["status"], &ready["checks"][3]["name"]), (&json!("ok"), &json!("jwks")), "{ready}");
    assert_eq!(ready["checks"][3]["ok"], false);
    provider.set(Mood::Keys(vec![pair.jwk("a")]));
    assert_eq!(ask(&pair.token("a")).await.status(), 200);
}
