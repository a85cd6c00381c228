//! An identity provider over real HTTP: it publishes keys, signs tokens with them, and can be slow, down or hostile.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use billing_gateway::domain::clock::Clock;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A key pair of the provider.
pub(crate) enum Pair {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl Pair {
    pub(crate) fn rsa() -> Self {
        Self::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap())
    }

    pub(crate) fn p256() -> Self {
        Self::P256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    pub(crate) fn ed25519() -> Self {
        Self::Ed25519(Ed25519KeyPair::generate().unwrap())
    }

    pub(crate) fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "RS256",
            Self::P256(_) => "ES256",
            Self::Ed25519(_) => "EdDSA",
        }
    }

    /// The modulus of an RSA key: behind nine bytes of its DER form.
    pub(crate) fn modulus(&self) -> Vec<u8> {
        match self {
            Self::Rsa(pair) => pair.public_key().as_ref()[9..265].to_vec(),
            _ => panic!("only RSA has one"),
        }
    }

    /// The public half under a name, as key sets have it.
    pub(crate) fn jwk(&self, kid: &str) -> Value {
        match self {
            Self::Rsa(_) => json!({"kty": "RSA", "kid": kid, "use": "sig", "n": part(&self.modulus()), "e": "AQAB"}),
            Self::P256(pair) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                json!({"kty": "EC", "crv": "P-256", "kid": kid, "x": part(x), "y": part(y)})
            }
            Self::Ed25519(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": part(pair.public_key().as_ref())})
            }
        }
    }

    /// A token with this header and these claims.
    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        let signed = format!("{}.{}", part(header.to_string().as_bytes()), part(claims.to_string().as_bytes()));
        let random = SystemRandom::new();
        let signature = match self {
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, signed.as_bytes(), &mut signature).unwrap();
                signature
            }
            Self::P256(pair) => pair.sign(&random, signed.as_bytes()).unwrap().as_ref().to_vec(),
            Self::Ed25519(pair) => pair.sign(signed.as_bytes()).as_ref().to_vec(),
        };
        format!("{signed}.{}", part(&signature))
    }

    /// A good token under a name of the key.
    pub(crate) fn token(&self, kid: &str) -> String {
        self.sign(&self.header(kid), &claims())
    }

    pub(crate) fn header(&self, kid: &str) -> Value {
        json!({"alg": self.algorithm(), "typ": "at+jwt", "kid": kid})
    }
}

/// Claims that are good now.
pub(crate) fn claims() -> Value {
    let now = Clock::system().now().utc().timestamp();
    json!({
        "iss": "billing-gateway", "aud": "billing-gateway", "sub": "someone", "jti": format!("jti-{now}"),
        "iat": now, "exp": now + 600, "tid": "ten_1", "kind": "merchant", "scope": "invoices:read",
    })
}

pub(crate) fn part(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// How the provider answers.
#[derive(Clone, Debug)]
pub(crate) enum Mood {
    Keys(Vec<Value>),
    Body(Vec<u8>),
    Status(u16),
    Redirect(String),
    Slow(Duration, Vec<Value>),
    Hangs,
    Breaks,
}

/// The provider.
pub(crate) struct Provider {
    pub(crate) url: String,
    state: Arc<Mutex<(Mood, usize)>>,
}

impl Provider {
    pub(crate) async fn start(mood: Mood) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/jwks", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new((mood, 0)));
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let mood = {
                    let mut state = shared.lock().unwrap();
                    state.1 += 1;
                    state.0.clone()
                };
                tokio::spawn(answer(stream, mood));
            }
        });
        Self { url, state }
    }

    pub(crate) fn set(&self, mood: Mood) {
        self.state.lock().unwrap().0 = mood;
    }

    /// How often it was asked.
    pub(crate) fn calls(&self) -> usize {
        self.state.lock().unwrap().1
    }
}

async fn answer(mut stream: TcpStream, mood: Mood) {
    let mut head = Vec::new();
    while !head.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
        let mut chunk = [0; 1_024];
        match stream.read(&mut chunk).await {
            Ok(read) if read > 0 => head.extend_from_slice(&chunk[..read]),
            _ => return,
        }
    }
    let keys = |keys: &[Value]| json!({ "keys": keys }).to_string().into_bytes();
    let (status, more, body) = match mood {
        Mood::Keys(list) => (200, String::new(), keys(&list)),
        Mood::Body(body) => (200, String::new(), body),
        Mood::Status(status) => (status, String::new(), b"no".to_vec()),
        Mood::Redirect(to) => (302, format!("location: {to}\r\n"), Vec::new()),
        Mood::Slow(time, list) => {
            tokio::time::sleep(time).await;
            (200, String::new(), keys(&list))
        }
        Mood::Hangs => {
            tokio::time::sleep(Duration::from_mins(1)).await;
            return;
        }
        Mood::Breaks => return,
    };
    let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n{more}connection: close\r\n\r\n", body.len());
    // A client that has read enough goes away.
    drop(stream.write_all(&[head.into_bytes(), body].concat()).await);
}
