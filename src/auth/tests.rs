//! Tokens that must be accepted, and every forgery we know that must not.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Duration};
use entity::Instant;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::{AuthConfigError, AuthError, ClaimError, JwtKeys, NewToken, SignError};
use crate::domain::clock::Clock;
use crate::domain::viewer::{PrincipalKind, Scope, ScopeSet};

const SECRET: &str = "a secret of more than thirty-two bytes";

/// The credential clock's time in these tests.
const NOW: i64 = 1_800_000_000;

const DAY: i64 = 24 * 60 * 60;

fn keys() -> JwtKeys {
    JwtKeys::new(&SecretString::from(SECRET), "issuer", "audience", Clock::system()).unwrap()
}

fn at(seconds: i64) -> Instant {
    Instant::new(DateTime::from_timestamp(seconds, 0).unwrap())
}

fn good() -> Value {
    json!({
        "iss": "issuer", "aud": "audience", "sub": "someone", "jti": "1", "iat": NOW - 60, "exp": NOW + 60,
        "tid": "ten_1", "kind": "merchant", "scope": "invoices:read payments:read",
    })
}

fn with(changes: &Value) -> Value {
    let mut claims = good();
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
}

fn without(name: &str) -> Value {
    let mut claims = good();
    claims.as_object_mut().unwrap().remove(name);
    claims
}

fn signed_as(algorithm: Algorithm, secret: &str, claims: &Value) -> String {
    let key = EncodingKey::from_secret(secret.as_bytes());
    jsonwebtoken::encode(&Header::new(algorithm), claims, &key).unwrap()
}

fn signed(claims: &Value) -> String {
    signed_as(Algorithm::HS256, SECRET, claims)
}

/// A token with any header, properly signed with HS256.
fn signed_under(header: &Value) -> String {
    let signing_input = format!("{}.{}", part(header), part(&good()));
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let signature = jsonwebtoken::crypto::sign(signing_input.as_bytes(), &key, Algorithm::HS256).unwrap();
    format!("{signing_input}.{signature}")
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn refusal(token: &str) -> AuthError {
    match keys().verify_at(token, at(NOW)) {
        Ok(viewer) => panic!("accepted: {viewer:?}"),
        Err(error) => error,
    }
}

fn refused_claim(claims: &Value) -> ClaimError {
    match refusal(&signed(claims)) {
        AuthError::Claim(error) => error,
        other => panic!("{other:?} for {claims}"),
    }
}

fn is_accepted(claims: &Value) -> bool {
    keys().verify_at(&signed(claims), at(NOW)).is_ok()
}

#[test]
fn the_viewer_is_what_the_claims_say() {
    let viewer = keys().verify_at(&signed(&good()), at(NOW)).unwrap();
    assert_eq!(viewer.kind, PrincipalKind::Merchant);
    assert_eq!(viewer.subject, "someone");
    assert_eq!(viewer.tenant().id().as_str(), "ten_1");
    assert_eq!(viewer.tenant().customers(), None);
    assert_eq!(viewer.scopes.to_string(), "invoices:read payments:read");
    assert_eq!(viewer.expires_at.timestamp(), NOW + 60);

    let limited = with(&json!({"kind": "partner", "cus": ["cus_1", "cus_2"], "scope": "", "aud": ["x", "audience"]}));
    let viewer = keys().verify_at(&signed(&limited), at(NOW)).unwrap();
    assert_eq!(viewer.kind, PrincipalKind::Partner);
    assert_eq!(viewer.tenant().customers().unwrap().len(), 2);
    assert!(!viewer.scopes.has(Scope::InvoicesRead));
}

#[test]
fn a_token_made_here_is_accepted_here() {
    let token = NewToken {
        kind: PrincipalKind::Customer,
        tenant: "ten_1".into(),
        customers: Some(vec!["cus_1".into()]),
        scopes: ScopeSet::parse("invoices:read"),
        subject: "demo".to_owned(),
        issued_at: Clock::system().now(),
        lifetime: Duration::hours(24),
    };
    let viewer = keys().verify(&keys().sign(&token).unwrap()).unwrap();
    assert_eq!(viewer.own_customer().unwrap().as_str(), "cus_1");

    let yesterday = Instant::new(token.issued_at.utc() - Duration::hours(25));
    let expired = keys().sign(&NewToken { issued_at: yesterday, ..token }).unwrap();
    assert!(matches!(keys().verify(&expired), Err(AuthError::Claim(ClaimError::Expired))));
}

#[test]
fn a_token_that_would_be_refused_is_not_made() {
    let token = NewToken {
        kind: PrincipalKind::Merchant,
        tenant: "ten_1".into(),
        customers: None,
        scopes: ScopeSet::default(),
        subject: "demo".to_owned(),
        issued_at: at(NOW),
        lifetime: Duration::hours(1),
    };
    for bad in [
        NewToken { lifetime: Duration::hours(25), ..token.clone() },
        NewToken { lifetime: Duration::zero(), ..token.clone() },
        NewToken { kind: PrincipalKind::Customer, ..token.clone() },
        NewToken { customers: Some(Vec::new()), ..token.clone() },
        NewToken { subject: String::new(), ..token.clone() },
        NewToken { customers: Some(vec!["c".repeat(64).as_str().into(); 1_000]), ..token },
    ] {
        assert!(matches!(keys().sign(&bad), Err(SignError::Refused(_))), "{bad:?}");
    }
}

#[test]
fn settings_that_are_too_weak_are_refused() {
    let make = |secret: &str, issuer: &str, audience: &str| {
        JwtKeys::new(&SecretString::from(secret), issuer, audience, Clock::system()).map(|_keys| ())
    };
    assert!(make(&"x".repeat(32), "i", "a").is_ok());
    let error = make(&"x".repeat(31), "i", "a").unwrap_err();
    assert!(matches!(error, AuthConfigError::SecretTooShort { bytes: 31 }));
    assert!(matches!(make(SECRET, "", "a"), Err(AuthConfigError::Empty("issuer"))));
    assert!(matches!(make(SECRET, "i", ""), Err(AuthConfigError::Empty("audience"))));
}

#[test]
fn another_algorithm_is_refused_whoever_signed() {
    for name in ["none", "None", "NONE", "", "hs256", "HS384", "HS512", "RS256", "EdDSA"] {
        let header = json!({"alg": name, "typ": "JWT"});
        let unsigned = format!("{}.{}.", part(&header), part(&good()));
        assert!(matches!(refusal(&unsigned), AuthError::Algorithm), "{name}");
        assert!(matches!(refusal(&signed_under(&header)), AuthError::Algorithm), "{name}");
    }
    for header in [json!({"typ": "JWT"}), json!({"alg": null}), json!({"alg": ["HS256"]}), json!({"alg": 256})] {
        assert!(matches!(refusal(&signed_under(&header)), AuthError::Algorithm), "{header}");
    }
    for algorithm in [Algorithm::HS384, Algorithm::HS512] {
        assert!(matches!(refusal(&signed_as(algorithm, SECRET, &good())), AuthError::Algorithm));
    }
}

#[test]
fn critical_headers_and_other_types_are_refused() {
    for crit in [json!(["b64"]), json!([]), json!(null), json!("exp"), json!(false)] {
        let header = json!({"alg": "HS256", "crit": crit});
        assert!(matches!(refusal(&signed_under(&header)), AuthError::Critical), "{header}");
    }
    for typ in [json!("JWE"), json!("id+jwt"), json!(""), json!(null), json!(1)] {
        let header = json!({"alg": "HS256", "typ": typ});
        assert!(matches!(refusal(&signed_under(&header)), AuthError::Type), "{header}");
    }
    for header in [
        json!({"alg": "HS256"}),
        json!({"alg": "HS256", "typ": "JWT"}),
        json!({"alg": "HS256", "typ": "at+jwt"}),
        json!({"alg": "HS256", "kid": "../../dev/null", "jku": "https://evil.example/jwks"}),
    ] {
        assert!(keys().verify_at(&signed_under(&header), at(NOW)).is_ok(), "{header}");
    }
}

#[test]
fn what_is_not_signed_by_us_is_refused() {
    let token = signed(&good());
    let (signing_input, signature) = token.rsplit_once('.').unwrap();
    let (header, _payload) = signing_input.split_once('.').unwrap();
    let richer = part(&with(&json!({"tid": "ten_2"})));
    for forged in [
        signed_as(Algorithm::HS256, "another secret of more than 32 bytes!", &good()),
        format!("{header}.{richer}.{signature}"),
        format!("{signing_input}."),
        format!("{signing_input}.{}", signature.to_lowercase()),
        format!("{header}.not base64.{signature}"),
    ] {
        assert!(matches!(refusal(&forged), AuthError::Signature), "{forged}");
    }
    for unreadable in [format!("{signing_input}.{signature}="), format!("{signing_input}.{}", &signature[1..])] {
        assert!(matches!(refusal(&unreadable), AuthError::Unverifiable(_)), "{unreadable}");
    }
}

#[test]
fn what_is_not_a_token_is_refused() {
    let token = signed(&good());
    let (two, _signature) = token.rsplit_once('.').unwrap();
    let unreadable = ["", ".", "..", "...", "a.b.c", two, &format!("{token}."), &format!(".{token}"), "\u{0}.\u{e9}.x"];
    for text in unreadable {
        assert!(matches!(refusal(text), AuthError::Unreadable), "{text}");
    }
    for header in ["[]", "\"HS256\"", "null", "{\"alg\":", &"[".repeat(1_000)] {
        let text = format!("{}.{}.x", URL_SAFE_NO_PAD.encode(header), part(&good()));
        assert!(matches!(refusal(&text), AuthError::Unreadable), "{header}");
    }
    for payload in ["[]", "1", "{", ""] {
        assert!(matches!(refusal(&signed_payload(payload)), AuthError::Unreadable), "{payload}");
    }
}

fn signed_payload(payload: &str) -> String {
    let header = part(&json!({"alg": "HS256"}));
    let signing_input = format!("{header}.{}", URL_SAFE_NO_PAD.encode(payload));
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let signature = jsonwebtoken::crypto::sign(signing_input.as_bytes(), &key, Algorithm::HS256).unwrap();
    format!("{signing_input}.{signature}")
}

#[test]
fn tokens_are_short() {
    let padded = |length: usize| signed(&with(&json!({"padding": "x".repeat(length)})));
    let fitting = (0..6_144).rev().map(padded).find(|token| token.len() <= 8_192).unwrap();
    assert!(keys().verify_at(&fitting, at(NOW)).is_ok());
    assert!(matches!(refusal(&padded(6_144)), AuthError::TooLong { .. }));
}

#[test]
fn every_claim_is_needed() {
    for name in ["iss", "aud", "sub", "jti", "iat", "exp", "tid", "kind", "scope"] {
        assert_eq!(refused_claim(&without(name)), ClaimError::Missing(name));
    }
}

#[test]
fn every_claim_has_its_type() {
    for name in ["iss", "sub", "jti", "tid", "kind", "scope"] {
        for wrong in [json!(null), json!(1), json!(true), json!(["issuer"]), json!({})] {
            assert_eq!(refused_claim(&with(&json!({name: wrong}))), ClaimError::Malformed(name), "{wrong}");
        }
    }
    for name in ["iss", "sub", "jti", "tid", "kind"] {
        for wrong in [json!(""), json!("x".repeat(256)), json!("ten\u{0}1"), json!("a\nb")] {
            assert_eq!(refused_claim(&with(&json!({name: wrong}))), ClaimError::Malformed(name), "{wrong}");
        }
    }
    for name in ["iat", "exp", "nbf"] {
        for wrong in [json!(null), json!("1800000000"), json!(1.5), json!(u64::MAX), json!([NOW]), json!(false)] {
            assert_eq!(refused_claim(&with(&json!({name: wrong}))), ClaimError::Malformed(name), "{wrong}");
        }
    }
    for wrong in [json!(null), json!(7), json!({"audience": 1}), json!(["audience", 1])] {
        assert_eq!(refused_claim(&with(&json!({"aud": wrong}))), ClaimError::Malformed("aud"), "{wrong}");
    }
    for wrong in [json!(null), json!("cus_1"), json!([]), json!([1]), json!([""]), json!({}), json!(vec!["c"; 1_001])] {
        let claims = with(&json!({"kind": "partner", "cus": wrong}));
        assert_eq!(refused_claim(&claims), ClaimError::Malformed("cus"), "{wrong}");
    }
    assert!(is_accepted(&with(&json!({"kind": "partner", "cus": vec!["c"; 1_000]}))));
}

#[test]
fn values_that_are_not_ours_are_refused() {
    for issuer in ["Issuer", "issuer ", "issuer2"] {
        assert_eq!(refused_claim(&with(&json!({"iss": issuer}))), ClaimError::NotAccepted("iss"));
    }
    for audience in [json!(""), json!("Audience"), json!("audience2"), json!([]), json!(["other"]), json!([""])] {
        assert_eq!(refused_claim(&with(&json!({"aud": audience}))), ClaimError::NotAccepted("aud"), "{audience}");
    }
    for kind in ["admin", "Merchant", "merchant "] {
        assert_eq!(refused_claim(&with(&json!({"kind": kind}))), ClaimError::NotAccepted("kind"));
    }
}

#[test]
fn a_customer_has_exactly_one_customer() {
    let customer = |cus: Value| with(&json!({"kind": "customer", "cus": cus}));
    assert!(is_accepted(&customer(json!(["cus_1"]))));
    assert_eq!(refused_claim(&customer(json!(["cus_1", "cus_2"]))), ClaimError::Customers);
    assert_eq!(refused_claim(&customer(json!([]))), ClaimError::Malformed("cus"));
    assert_eq!(refused_claim(&with(&json!({"kind": "customer"}))), ClaimError::Customers);
}

#[test]
fn times_are_checked_with_thirty_seconds_to_spare() {
    let issued = |iat: i64| with(&json!({"iat": iat, "exp": NOW + 3_600}));
    assert!(is_accepted(&issued(NOW + 30)));
    assert_eq!(refused_claim(&issued(NOW + 31)), ClaimError::IssuedInFuture);

    let expiring = |exp: i64| with(&json!({"iat": NOW - 3_600, "exp": exp}));
    assert!(is_accepted(&expiring(NOW - 29)));
    assert_eq!(refused_claim(&expiring(NOW - 30)), ClaimError::Expired);
    assert_eq!(refused_claim(&expiring(NOW - 31)), ClaimError::Expired);

    let beginning = |nbf: i64| with(&json!({"nbf": nbf}));
    assert!(is_accepted(&beginning(NOW + 30)));
    assert_eq!(refused_claim(&beginning(NOW + 31)), ClaimError::NotYetValid);
}

#[test]
fn a_token_lives_for_a_day_at_most() {
    let living = |iat: i64, exp: i64| with(&json!({"iat": iat, "exp": exp}));
    assert!(is_accepted(&living(NOW, NOW + DAY)));
    for (iat, exp) in [
        (NOW, NOW + DAY + 1),
        (NOW, NOW + 25 * 3_600),
        (NOW, NOW),
        (NOW, NOW - 1),
        (NOW, i64::MAX),
        (i64::MIN, i64::MAX),
        (-1, i64::MAX),
    ] {
        assert_eq!(refused_claim(&living(iat, exp)), ClaimError::Lifetime, "{iat} {exp}");
    }
}
