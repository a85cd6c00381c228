//! Settings about credentials: who signs tokens, and how long sessions last.

use chrono::TimeDelta;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::check::Check;
use super::setting::{Area, Number, Setting};
use crate::auth::{JwksUrl, SECRET_BYTES_MIN};
use crate::domain::browser_session::SessionPolicy;

pub(super) static AREA: Area = Area {
    title: "Credentials",
    settings: &[
        &JWT_SECRET,
        &JWT_ISSUER,
        &JWT_AUDIENCE,
        &JWKS_URL,
        &SESSION_IDLE_MINUTES.setting,
        &SESSION_HOURS.setting,
    ],
};

static JWT_SECRET: Setting = Setting::new(
    "jwt_secret",
    "SECRET",
    "The secret that tokens are signed with, at least 32 bytes; the demo makes one, and an identity provider \
     (--jwks-url) does without. Others can see the flag: prefer the environment",
)
.common()
.secret();

static JWT_ISSUER: Setting =
    Setting::new("jwt_issuer", "NAME", "Who signs the tokens that are accepted").default(TOKEN_PARTY);

static JWT_AUDIENCE: Setting =
    Setting::new("jwt_audience", "NAME", "Whom the tokens that are accepted are for").default(TOKEN_PARTY);

static JWKS_URL: Setting = Setting::new(
    "jwks_url",
    "URL",
    "Where an identity provider has the keys of its tokens (a JSON Web Key Set); `http` only on this machine",
);

/// A session that is not used ends soon: the browser may be another person's by then. From one minute to thirty days.
static SESSION_IDLE_MINUTES: Number = Number::new(
    "session_idle_minutes",
    "MINUTES",
    1..=43_200,
    30,
    "How long a session lasts that is not used, in minutes",
);

/// A session ends within a working day, however it is used. From one hour to thirty days.
static SESSION_HOURS: Number =
    Number::new("session_hours", "HOURS", 1..=720, 12, "How long a session lasts in any case, in hours");

/// Who signs tokens, and whom they are for, by default.
const TOKEN_PARTY: &str = "billing-gateway";

/// How tokens are signed and verified.
#[derive(Clone, Debug)]
pub struct TokenConfig {
    /// At least 32 bytes; absent where an identity provider signs all of them.
    pub secret: Option<SecretString>,
    /// Who signs them.
    pub issuer: String,
    /// Whom they are for.
    pub audience: String,
    /// Where an identity provider has its keys.
    pub jwks: Option<JwksUrl>,
}

impl Check<'_> {
    /// Without `signing`, an identity provider does instead of a secret.
    pub(super) fn tokens(&mut self, signing: bool) -> TokenConfig {
        let jwks = self.jwks();
        let provided = self.text(&JWKS_URL).is_some() && !signing;
        let secret = match self.text(&JWT_SECRET) {
            Some(secret) => secret.to_owned(),
            None if self.is_demo() => random_secret(),
            None => String::new(),
        };
        let secret = SecretString::from(secret);
        match secret.expose_secret().len() {
            0 if provided => {}
            0 => self.fault(&JWT_SECRET, format!("is required: at least {SECRET_BYTES_MIN} random bytes")),
            bytes if bytes < SECRET_BYTES_MIN => {
                self.fault(&JWT_SECRET, format!("has {bytes} bytes; it needs at least {SECRET_BYTES_MIN}"));
            }
            _ => {}
        }
        let party = |said: Option<&str>| said.unwrap_or(TOKEN_PARTY).to_owned();
        let (issuer, audience) = (party(self.text(&JWT_ISSUER)), party(self.text(&JWT_AUDIENCE)));
        self.show(&JWT_SECRET, json!("(hidden)"));
        self.show(&JWT_ISSUER, json!(issuer));
        self.show(&JWT_AUDIENCE, json!(audience));
        self.show(&JWKS_URL, json!(jwks.as_ref().map_or("", JwksUrl::as_str)));
        let secret = Some(secret).filter(|secret| !secret.expose_secret().is_empty());
        TokenConfig { secret, issuer, audience, jwks }
    }

    fn jwks(&mut self) -> Option<JwksUrl> {
        match JwksUrl::parse(self.text(&JWKS_URL)?) {
            Ok(url) => Some(url),
            Err(why) => {
                self.fault(&JWKS_URL, why.to_string());
                None
            }
        }
    }

    pub(super) fn sessions(&mut self) -> SessionPolicy {
        let (idle, longest) = (self.number(&SESSION_IDLE_MINUTES), self.number(&SESSION_HOURS));
        let whole = |number: u64| i64::try_from(number).unwrap_or_default();
        SessionPolicy { idle: TimeDelta::minutes(whole(idle)), longest: TimeDelta::hours(whole(longest)) }
    }
}

/// A secret for one run: each ULID brings 80 bits of the operating system's randomness.
pub(super) fn random_secret() -> String {
    (0..4).map(|_| ulid::Ulid::new().to_string()).collect()
}
