//! Tokens: what the library accepts by its own rules, and what we refuse all the same.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use billing_gateway::auth::{AuthError, ClaimError, JwtKeys};
use billing_gateway::domain::clock::Clock;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Validation};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::support::app::SECRET;

/// The usual thing: an algorithm, an audience, an issuer.
fn library() -> Validation {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_audience(&["billing-gateway"]);
    validation.set_issuer(&["billing-gateway"]);
    validation
}

fn now() -> i64 {
    Clock::system().now().utc().timestamp()
}

fn good() -> Value {
    json!({
        "iss": "billing-gateway", "aud": "billing-gateway", "sub": "someone", "jti": "1", "iat": now() - 60,
        "exp": now() + 600, "tid": "ten_1", "kind": "merchant", "scope": "invoices:read",
    })
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = good();
    claims[name] = value;
    claims
}

fn without(name: &str) -> Value {
    let mut claims = good();
    claims.as_object_mut().unwrap().remove(name);
    claims
}

/// A token with any header, properly signed.
fn signed(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(header), part(claims));
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), &key, Algorithm::HS256).unwrap();
    format!("{signed}.{signature}")
}

fn plain(claims: &Value) -> String {
    signed(&json!({ "alg": "HS256", "typ": "JWT" }), claims)
}

fn the_library_accepts(token: &str) -> bool {
    let key = DecodingKey::from_secret(SECRET.as_bytes());
    jsonwebtoken::decode::<Value>(token, &key, &library()).is_ok()
}

fn ours() -> JwtKeys {
    JwtKeys::new(&SecretString::from(SECRET), "billing-gateway", "billing-gateway", Clock::system()).unwrap()
}

#[track_caller]
fn we_refuse(token: &str) -> AuthError {
    ours().verify(token).expect_err("we accept it")
}

#[test]
fn without_claims_of_our_own_to_require_a_token_may_lack_whom_it_is_for_and_who_issued_it() {
    assert!(the_library_accepts(&plain(&good())) && ours().verify(&plain(&good())).is_ok());
    for name in ["iss", "aud", "sub", "iat", "jti", "tid", "kind", "scope"] {
        let token = plain(&without(name));
        assert!(the_library_accepts(&token), "{name}");
        assert!(matches!(we_refuse(&token), AuthError::Claim(ClaimError::Missing(missing)) if missing == name));
    }
}

#[test]
fn without_types_of_our_own_a_claim_of_a_wrong_type_counts_as_absent() {
    for name in ["iss", "aud", "iat", "jti", "tid", "scope"] {
        let token = plain(&with(name, json!({ "not": ["a", "text"] })));
        assert!(the_library_accepts(&token), "{name}");
        assert!(matches!(we_refuse(&token), AuthError::Claim(ClaimError::Malformed(wrong)) if wrong == name), "{name}");
    }
    let token = plain(&with("sub", json!("")));
    assert!(the_library_accepts(&token));
    assert!(matches!(we_refuse(&token), AuthError::Claim(ClaimError::Malformed("sub"))));
}

#[test]
fn without_times_of_our_own_a_token_begins_in_the_future_or_lives_for_ever() {
    let later = plain(&with("nbf", json!(now() + 3_600)));
    assert!(the_library_accepts(&later));
    assert!(matches!(we_refuse(&later), AuthError::Claim(ClaimError::NotYetValid)));
    let for_ever = plain(&with("exp", json!(now() + 100 * 365 * 24 * 3_600)));
    assert!(the_library_accepts(&for_ever));
    assert!(matches!(we_refuse(&for_ever), AuthError::Claim(ClaimError::Lifetime)));
    // A minute of patience where we have half of one.
    let ended = plain(&with("exp", json!(now() - 45)));
    assert!(the_library_accepts(&ended));
    assert!(matches!(we_refuse(&ended), AuthError::Claim(ClaimError::Expired)));
}

#[test]
fn without_a_look_at_the_header_what_it_calls_critical_is_passed_over() {
    let token = signed(&json!({ "alg": "HS256", "crit": ["unknown"], "unknown": true }), &good());
    assert!(the_library_accepts(&token));
    assert!(matches!(we_refuse(&token), AuthError::Critical));
    let token = signed(&json!({ "alg": "HS256", "typ": "id+jwt" }), &good());
    assert!(the_library_accepts(&token));
    assert!(matches!(we_refuse(&token), AuthError::Type));
}
