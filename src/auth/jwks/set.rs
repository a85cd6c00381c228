//! The keys of an identity provider, read from its JSON Web Key Set (RFC 7517).
//!
//! The algorithm follows from the key alone: RSA is RS256, P-256 is ES256, Ed25519 is `EdDSA`. What is no public key for
//! signatures that we know, is weak, has no name, or shares its name with another, is passed over.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::{Map, Value};

/// The largest set, in bytes.
pub(super) const BYTES_MAX: usize = 256 * 1024;

/// The most keys in a set. Providers have two or three.
const KEYS_MAX: usize = 50;

/// The longest name of a key, in bytes.
const KID_BYTES_MAX: usize = 255;

/// Bits of an RSA key.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2_048..=8_192;

/// The longest exponent of an RSA key, in bytes: those in use have three.
const EXPONENT_BYTES_MAX: usize = 8;

/// Bytes of a coordinate of P-256, and of a point of Ed25519.
const POINT_BYTES: usize = 32;

/// Why a set cannot be used. The keys before it stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadSet {
    /// It is no JSON object with a list of keys.
    #[error("it is no key set")]
    Unreadable,
    /// It has more keys than anyone needs.
    #[error("it has {0} keys, at most {KEYS_MAX} are taken")]
    TooMany(usize),
    /// None of its keys can be used.
    #[error("it has no key that can be used")]
    NoKey,
}

/// A public key, and the one algorithm it is good for.
pub(super) struct Key {
    pub(super) decoding: DecodingKey,
    pub(super) algorithm: Algorithm,
    /// The algorithm as headers write it.
    pub(super) name: &'static str,
}

/// Keys by their names.
pub(super) struct KeySet {
    keys: BTreeMap<String, Key>,
    /// What tells whether two sets are the same.
    pub(super) bytes: Vec<u8>,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

impl KeySet {
    /// Reads a set of at most [`BYTES_MAX`] bytes.
    ///
    /// # Errors
    /// [`BadSet`].
    pub(super) fn read(bytes: Vec<u8>) -> Result<Self, BadSet> {
        let document: Document = serde_json::from_slice(&bytes).map_err(|_quoting| BadSet::Unreadable)?;
        if document.keys.len() > KEYS_MAX {
            return Err(BadSet::TooMany(document.keys.len()));
        }
        let objects: Vec<_> = document.keys.iter().filter_map(Value::as_object).collect();
        let kids: Vec<_> = objects.iter().filter_map(|jwk| kid(jwk)).collect();
        let mut seen = BTreeSet::new();
        let repeated: BTreeSet<_> = kids.iter().filter(|kid| !seen.insert(**kid)).collect();
        let named = objects.iter().filter_map(|jwk| kid(jwk).map(|kid| (kid, jwk)));
        let once = named.filter(|(kid, _)| !repeated.contains(kid));
        let keys: BTreeMap<_, _> = once.filter_map(|(kid, jwk)| Some((kid.to_owned(), key(jwk)?))).collect();
        if keys.is_empty() {
            return Err(BadSet::NoKey);
        }
        Ok(Self { keys, bytes })
    }

    /// The key of that name.
    pub(super) fn get(&self, kid: &str) -> Option<&Key> {
        self.keys.get(kid)
    }

    /// How many keys can be used.
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }
}

fn kid(jwk: &Map<String, Value>) -> Option<&str> {
    let kid = jwk.get("kid")?.as_str()?;
    (1..=KID_BYTES_MAX).contains(&kid.len()).then_some(kid)
}

fn key(jwk: &Map<String, Value>) -> Option<Key> {
    let text = |name: &str| jwk.get(name).and_then(Value::as_str);
    let (decoding, algorithm, name) = match (text("kty")?, text("crv")) {
        ("RSA", _) => (rsa(text("n")?, text("e")?)?, Algorithm::RS256, "RS256"),
        ("EC", Some("P-256")) => (p256(text("x")?, text("y")?)?, Algorithm::ES256, "ES256"),
        ("OKP", Some("Ed25519")) => (ed25519(text("x")?)?, Algorithm::EdDSA, "EdDSA"),
        _ => return None,
    };
    let agrees = |field: &str, fits: &dyn Fn(&Value) -> bool| jwk.get(field).is_none_or(fits);
    let for_signatures = agrees("alg", &|alg| alg == name)
        && agrees("use", &|usage| usage == "sig")
        && agrees("key_ops", &|list| list.as_array().is_some_and(|list| list.iter().any(|op| op == "verify")))
        // A set that tells private keys must not be believed about them.
        && !jwk.contains_key("d");
    for_signatures.then_some(Key { decoding, algorithm, name })
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

fn rsa(modulus: &str, exponent: &str) -> Option<DecodingKey> {
    let (n, e) = (bytes(modulus)?, bytes(exponent)?);
    let n: Vec<u8> = n.into_iter().skip_while(|byte| *byte == 0).collect();
    let bits = (n.len() * 8).checked_sub(usize::try_from(n.first()?.leading_zeros()).ok()?)?;
    let odd = e.last().is_some_and(|byte| byte % 2 == 1);
    let small = e.iter().rev().skip(1).all(|byte| *byte == 0) && e.last().is_none_or(|byte| *byte < 3);
    let strong = RSA_BITS.contains(&bits) && odd && !small && e.len() <= EXPONENT_BYTES_MAX;
    strong.then(|| DecodingKey::from_rsa_raw_components(&n, &e))
}

fn p256(x: &str, y: &str) -> Option<DecodingKey> {
    let fits = bytes(x)?.len() == POINT_BYTES && bytes(y)?.len() == POINT_BYTES;
    fits.then(|| DecodingKey::from_ec_components(x, y).ok())?
}

fn ed25519(x: &str) -> Option<DecodingKey> {
    (bytes(x)?.len() == POINT_BYTES).then(|| DecodingKey::from_ed_components(x).ok())?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn b64(bytes: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn modulus(bits: usize) -> String {
        let mut bytes = vec![0xff_u8; bits.div_ceil(8)];
        bytes[0] = 0xff >> ((8 - bits % 8) % 8);
        b64(&bytes)
    }

    fn good(kid: &str) -> Value {
        json!({"kty": "RSA", "kid": kid, "n": modulus(2_048), "e": "AQAB"})
    }

    fn with(changes: &Value) -> Value {
        let mut key = good("a");
        for (name, value) in changes.as_object().unwrap() {
            key[name] = value.clone();
        }
        key
    }

    fn read(keys: &[Value]) -> Result<Vec<(String, &'static str)>, BadSet> {
        let set = KeySet::read(json!({ "keys": keys }).to_string().into_bytes())?;
        Ok(set.keys.iter().map(|(kid, key)| (kid.clone(), key.name)).collect())
    }

    #[test]
    fn the_algorithm_is_the_one_of_the_key() {
        let point = b64(&[7; 32]);
        let keys = [
            good("rsa"),
            json!({"kty": "EC", "crv": "P-256", "kid": "ec", "x": point, "y": point, "alg": "ES256", "use": "sig"}),
            json!({"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": point, "key_ops": ["verify"]}),
        ];
        let read = read(&keys).unwrap();
        let names: Vec<_> = read.iter().map(|(kid, name)| (kid.as_str(), *name)).collect();
        assert_eq!(names, [("ec", "ES256"), ("ed", "EdDSA"), ("rsa", "RS256")]);
    }

    #[test]
    fn keys_that_are_none_of_ours_are_passed_over() {
        let point = b64(&[7; 32]);
        for other in [
            json!({"kty": "oct", "kid": "a", "k": "c2VjcmV0"}),
            json!({"kty": "EC", "crv": "P-384", "kid": "a", "x": point, "y": point}),
            json!({"kty": "EC", "crv": "P-256", "kid": "a", "x": b64(&[7; 31]), "y": point}),
            json!({"kty": "OKP", "crv": "X25519", "kid": "a", "x": point}),
            json!({"kty": "RSA", "n": modulus(2_048), "e": "AQAB"}),
            json!("key"),
            json!(null),
            with(&json!({"kid": ""})),
            with(&json!({"kid": 7})),
            with(&json!({"kid": "x".repeat(256)})),
            with(&json!({"alg": "RS512"})),
            with(&json!({"alg": "none"})),
            with(&json!({"alg": "HS256"})),
            with(&json!({"use": "enc"})),
            with(&json!({"key_ops": ["sign"]})),
            with(&json!({"d": "AQAB"})),
            with(&json!({"e": "AQ"})),
            with(&json!({"e": "AA"})),
            with(&json!({"e": ""})),
            with(&json!({"n": "!"})),
            with(&json!({"n": modulus(2_047)})),
            with(&json!({"n": modulus(1_024)})),
            with(&json!({"n": modulus(8_200)})),
        ] {
            assert_eq!(read(std::slice::from_ref(&other)), Err(BadSet::NoKey), "{other}");
            assert_eq!(read(&[other.clone(), good("b")]).unwrap().len(), 1, "{other}");
        }
        // Leading zeros do not make a short key long.
        let padded = b64(&[&[0_u8; 128][..], &[0xff; 128]].concat());
        assert_eq!(read(&[with(&json!({"n": padded}))]), Err(BadSet::NoKey));
    }

    #[test]
    fn two_keys_of_one_name_are_no_key() {
        assert_eq!(read(&[good("a"), good("a"), good("b")]).unwrap(), [("b".to_owned(), "RS256")]);
        // Whichever of them could have been used.
        assert_eq!(read(&[good("a"), json!({"kty": "oct", "kid": "a"})]), Err(BadSet::NoKey));
    }

    #[test]
    fn a_set_has_fifty_keys_at_most() {
        let keys = |count: usize| (0..count).map(|number| good(&number.to_string())).collect::<Vec<_>>();
        assert_eq!(read(&keys(50)).unwrap().len(), 50);
        assert_eq!(read(&keys(51)), Err(BadSet::TooMany(51)));
    }

    #[test]
    fn what_is_no_set_is_refused() {
        let deep = format!("{{\"keys\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
        for text in ["", "null", "[]", "{}", "{\"keys\":{}}", "{\"keys\":7}", "{\"keys\":[", &deep] {
            assert_eq!(KeySet::read(text.as_bytes().to_vec()).err(), Some(BadSet::Unreadable), "{text:.40}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_that_claim_to_be_a_set_panic(kty in "RSA|EC|OKP|oct", n in "[A-Za-z0-9_-]{0,40}", e in ".{0,8}") {
            let _read = read(&[json!({"kty": kty, "kid": "a", "n": n, "e": e, "x": n, "y": n, "crv": "P-256"})]);
        }
    }
}
