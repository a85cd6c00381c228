//! Webhooks of Stripe: who really sent them, and what they say.
//!
//! A header carries one signature for each secret that is valid at Stripe, two while one is rolled; every one of them
//! is tried with every secret of ours. Nothing is parsed before a signature fits. Retries are signed anew, so the
//! tolerance does not refuse them.

use std::fmt;
use std::time::Duration;

use entity::Instant;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use super::config::StripeConfigError;
use super::event::{Event, NoEvent};
use crate::domain::link::LinkHosts;

/// How far the time of a signature may be from ours.
pub const TOLERANCE: Duration = Duration::from_mins(5);

/// The largest body where nothing else is said, in bytes. Real ones stay well below half of it.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;

/// The longest header, in bytes: room for fifty signatures.
const HEADER_BYTES_MAX: usize = 4 * 1024;

/// The most signatures that are looked at.
const SIGNATURES_MAX: usize = 16;

/// The length of a signature in bytes.
const SIGNATURE_BYTES: usize = 32;

/// Why a webhook is refused. Only for the log: whoever sent it learns nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// The body is too large to be one.
    #[error("the body has {bytes} bytes, {limit} are allowed")]
    TooLarge {
        /// Its length.
        bytes: usize,
        /// The most that is looked at.
        limit: usize,
    },
    /// The header cannot be read.
    #[error("the header is not one of Stripe's")]
    Header,
    /// No signature fits.
    #[error("no signature fits")]
    Signature,
    /// The signature is ours, but of another time.
    #[error("it was signed {seconds} seconds away from now")]
    Time {
        /// How far away; saturated.
        seconds: u64,
    },
    /// It is really Stripe's, but no event.
    #[error(transparent)]
    NoEvent(#[from] NoEvent),
}

/// Verifies and reads webhooks of one endpoint.
#[derive(Clone)]
pub struct Webhook {
    secrets: Vec<SecretString>,
    hosts: LinkHosts,
    body_bytes_max: usize,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").field("secrets", &self.secrets.len()).finish_non_exhaustive()
    }
}

impl Webhook {
    /// Takes what is signed with one of `secrets`, each as Stripe shows it (`whsec_…`). With none, nothing is taken.
    ///
    /// # Errors
    /// [`StripeConfigError::WebhookSecret`] when one is empty: everyone could sign with it.
    pub fn new(secrets: Vec<SecretString>, hosts: LinkHosts) -> Result<Self, StripeConfigError> {
        if secrets.iter().any(|secret| secret.expose_secret().is_empty()) {
            return Err(StripeConfigError::WebhookSecret);
        }
        Ok(Self { secrets, hosts, body_bytes_max: BODY_BYTES_MAX })
    }

    /// The same with another limit on bodies, in bytes.
    #[must_use]
    pub const fn with_bodies_of(mut self, bytes: usize) -> Self {
        self.body_bytes_max = bytes;
        self
    }

    /// Whether Stripe sent `body` with this header `Stripe-Signature`, about `now`.
    ///
    /// Takes the same time for every signature that does not fit.
    ///
    /// # Errors
    /// Every [`WebhookError`] but `NoEvent`.
    pub fn verify(&self, body: &[u8], header: &[u8], now: Instant) -> Result<(), WebhookError> {
        if body.len() > self.body_bytes_max {
            return Err(WebhookError::TooLarge { bytes: body.len(), limit: self.body_bytes_max });
        }
        let signed = Signed::parse(header).ok_or(WebhookError::Header)?;
        let mut fits = false;
        for secret in &self.secrets {
            for signature in &signed.signatures {
                fits |= signed.fits(signature, secret, body);
            }
        }
        if !fits {
            return Err(WebhookError::Signature);
        }
        signed.is_near(now)
    }

    /// The event in `body`, if Stripe sent it.
    ///
    /// # Errors
    /// Every [`WebhookError`].
    pub fn receive(&self, body: &[u8], header: &[u8], now: Instant) -> Result<Event, WebhookError> {
        self.verify(body, header, now)?;
        Ok(Event::read(body, &self.hosts)?)
    }

    /// Reads an event that was verified before and kept.
    ///
    /// # Errors
    /// [`WebhookError::NoEvent`].
    pub fn reread(&self, body: &[u8]) -> Result<Event, WebhookError> {
        Ok(Event::read(body, &self.hosts)?)
    }
}

/// Whether a header may be Stripe's at all: it can be read, has a signature, and is of about `now`. What has no such
/// header need not be read; what has one is not verified yet.
///
/// # Errors
/// [`WebhookError::Header`], [`WebhookError::Signature`] without one, and [`WebhookError::Time`].
pub fn plausible(header: &[u8], now: Instant) -> Result<(), WebhookError> {
    let signed = Signed::parse(header).ok_or(WebhookError::Header)?;
    if signed.signatures.is_empty() {
        return Err(WebhookError::Signature);
    }
    signed.is_near(now)
}

/// The parts of a header.
#[derive(Debug)]
struct Signed<'a> {
    /// The time as it is written, which is part of what is signed.
    time: &'a str,
    at: i64,
    signatures: Vec<[u8; SIGNATURE_BYTES]>,
}

impl<'a> Signed<'a> {
    fn parse(header: &'a [u8]) -> Option<Self> {
        let text = (header.len() <= HEADER_BYTES_MAX).then(|| std::str::from_utf8(header).ok())??;
        let mut time = None;
        let mut signatures = Vec::new();
        for part in text.split(',') {
            match part.split_once('=')? {
                // Two times: nobody knows which was signed.
                ("t", _) if time.is_some() => return None,
                ("t", stated) => time = Some(stated),
                // A signature that is not well formed fits nothing; the others may.
                ("v1", stated) if signatures.len() < SIGNATURES_MAX => signatures.extend(hex(stated)),
                // Signatures by other schemes, and parts that are not known yet.
                _ => {}
            }
        }
        let time = time.filter(|time| !time.is_empty() && time.bytes().all(|byte| byte.is_ascii_digit()))?;
        Some(Self { time, at: time.parse().ok()?, signatures })
    }

    fn is_near(&self, now: Instant) -> Result<(), WebhookError> {
        let seconds = self.at.abs_diff(now.utc().timestamp());
        if seconds > TOLERANCE.as_secs() { Err(WebhookError::Time { seconds }) } else { Ok(()) }
    }

    fn fits(&self, signature: &[u8; SIGNATURE_BYTES], secret: &SecretString, body: &[u8]) -> bool {
        // HMAC takes keys of every length.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()) else { return false };
        mac.update(self.time.as_bytes());
        mac.update(b".");
        mac.update(body);
        mac.verify_slice(signature).is_ok()
    }
}

/// Bytes written as small hexadecimal digits, as Stripe does: each signature has one spelling.
fn hex(text: &str) -> Option<[u8; SIGNATURE_BYTES]> {
    let mut digits = text.bytes().map(digit);
    let mut bytes = [0; SIGNATURE_BYTES];
    for byte in &mut bytes {
        *byte = (digits.next()?? << 4) | digits.next()??;
    }
    digits.next().is_none().then_some(bytes)
}

const fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use fake_stripe::signature;
    use proptest::prelude::*;

    use super::super::event::EventObject;
    use super::super::id::{StripeAccountId, StripeInvoiceId};
    use super::*;

    const AT: i64 = 1_781_481_600;

    const OLD: &str = "whsec_old";

    const NEW: &str = "whsec_new";

    const PAID: &[u8] = br#"{ "id": "evt_1", "object": "event", "type": "invoice.paid", "created": 1781481599,
        "livemode": false, "account": "acct_1", "api_version": "2026-04-22.dahlia", "data": { "object": {
        "id": "in_1", "object": "invoice", "status": "paid", "amount_due": 5,
        "hosted_invoice_url": "https://invoice.stripe.com/i/1" } } }"#;

    fn now() -> Instant {
        at(AT)
    }

    fn at(seconds: i64) -> Instant {
        Instant::new(DateTime::from_timestamp(seconds, 0).unwrap())
    }

    fn webhook(secrets: &[&str]) -> Webhook {
        let secrets = secrets.iter().map(|secret| SecretString::from(*secret)).collect();
        Webhook::new(secrets, LinkHosts::default()).unwrap()
    }

    fn verify(webhook: &Webhook, body: &[u8], header: &str) -> Result<(), WebhookError> {
        webhook.verify(body, header.as_bytes(), now())
    }

    fn read(body: &[u8]) -> Result<Event, WebhookError> {
        let header = signature(&[OLD], body, AT);
        webhook(&[OLD]).receive(body, header.as_bytes(), now())
    }

    #[test]
    fn what_stripe_signed_is_an_event() {
        let event = read(PAID).unwrap();
        assert_eq!((event.id.as_str(), event.kind.as_str()), ("evt_1", "invoice.paid"));
        assert_eq!(event.created, at(AT - 1));
        assert_eq!(event.livemode, Some(false));
        assert_eq!(event.account.as_ref().map(StripeAccountId::as_str), Some("acct_1"));
        assert_eq!(event.api_version.as_deref(), Some("2026-04-22.dahlia"));
        let EventObject::Invoice(invoice) = &event.object else { panic!("{event:?}") };
        assert_eq!((invoice.id.as_str(), invoice.amount_due), ("in_1", Some(5)));
    }

    #[test]
    fn while_a_secret_is_rolled_either_fits_in_any_place() {
        for signing in [[OLD, NEW], [NEW, OLD], ["whsec_x", OLD], [OLD, "whsec_x"]] {
            let header = signature(&signing, PAID, AT);
            assert_eq!(verify(&webhook(&[OLD]), PAID, &header), Ok(()), "{signing:?}");
            assert_eq!(verify(&webhook(&["whsec_y", OLD]), PAID, &header), Ok(()), "{signing:?}");
            assert_eq!(verify(&webhook(&["whsec_y"]), PAID, &header), Err(WebhookError::Signature), "{signing:?}");
        }
        let header = signature(&[OLD], PAID, AT);
        assert_eq!(verify(&webhook(&[]), PAID, &header), Err(WebhookError::Signature));
        assert!(Webhook::new(vec![SecretString::from("")], LinkHosts::default()).is_err());
    }

    #[test]
    fn the_time_is_part_of_the_signature_and_must_be_near() {
        let header = signature(&[OLD], PAID, AT);
        for (seconds, expected) in [
            (300, Ok(())),
            (-300, Ok(())),
            (301, Err(WebhookError::Time { seconds: 301 })),
            (-301, Err(WebhookError::Time { seconds: 301 })),
        ] {
            assert_eq!(webhook(&[OLD]).verify(PAID, header.as_bytes(), at(AT + seconds)), expected, "{seconds}");
        }
        let later = header.replace(&AT.to_string(), &(AT + 301).to_string());
        assert_eq!(webhook(&[OLD]).verify(PAID, later.as_bytes(), at(AT + 301)), Err(WebhookError::Signature));
    }

    #[test]
    fn headers_that_are_none_are_refused() {
        let good = signature(&[OLD], PAID, AT);
        let (_, v1) = good.split_once(',').unwrap();
        let refused = [
            String::new(),
            "t".to_owned(),
            v1.to_owned(),
            format!("t=,{v1}"),
            format!("t=-1,{v1}"),
            format!("t=+{AT},{v1}"),
            format!("t=99999999999999999999,{v1}"),
            format!("t={AT},t={AT},{v1}"),
            format!("{good},x={}", "a".repeat(HEADER_BYTES_MAX)),
        ];
        for header in refused {
            assert_eq!(verify(&webhook(&[OLD]), PAID, &header), Err(WebhookError::Header), "{header}");
            assert_eq!(plausible(header.as_bytes(), now()), Err(WebhookError::Header), "{header}");
        }
        let unsigned = [
            format!("t={AT}"),
            good.replace("v1=", "v0="),
            good.to_uppercase().replace("T=", "t=").replace("V1", "v1"),
        ];
        for header in unsigned {
            assert_eq!(verify(&webhook(&[OLD]), PAID, &header), Err(WebhookError::Signature), "{header}");
            assert_eq!(plausible(header.as_bytes(), now()), Err(WebhookError::Signature), "{header}");
        }
        for header in [format!("v0=abc,{good},v2=x"), format!("{good},v1=short"), format!("v1=zz,{good}")] {
            assert_eq!(verify(&webhook(&[OLD]), PAID, &header), Ok(()), "{header}");
            assert_eq!(plausible(header.as_bytes(), now()), Ok(()), "{header}");
        }
        assert_eq!(plausible(good.as_bytes(), at(AT + 301)), Err(WebhookError::Time { seconds: 301 }));
    }

    #[test]
    fn a_body_of_the_limit_is_looked_at_and_a_larger_one_is_not() {
        let body = vec![b' '; BODY_BYTES_MAX + 1];
        let header = signature(&[OLD], &body[1..], AT);
        assert_eq!(verify(&webhook(&[OLD]), &body[1..], &header), Ok(()));
        let bytes = body.len();
        assert_eq!(
            verify(&webhook(&[OLD]), &body, &header),
            Err(WebhookError::TooLarge { bytes, limit: BODY_BYTES_MAX })
        );
    }

    #[test]
    fn an_event_of_an_unknown_type_or_object_is_kept_as_such() {
        let event = read(
            br#"{ "id": "evt_1", "type": "novel.thing", "created": 1, "data": { "object": { "id": "dp_1",
                 "object": "dispute", "charge": "ch_1", "amount": 1.5 } } }"#,
        )
        .unwrap();
        assert_eq!(event.kind, "novel.thing");
        let EventObject::Other { object, id, charge, invoice, .. } = event.object else { panic!("{event:?}") };
        assert_eq!((object.as_str(), id.as_deref(), invoice), ("dispute", Some("dp_1"), None));
        assert_eq!(charge.unwrap().as_str(), "ch_1");
    }

    #[test]
    fn an_invoice_that_cannot_be_read_still_names_itself() {
        let event = read(
            br#"{ "id": "evt_1", "type": "invoice.paid", "created": 1, "data": { "object": { "id": "in_1",
                 "object": "invoice", "amount_due": "five" } } }"#,
        )
        .unwrap();
        assert!(matches!(event.object, EventObject::Other { .. }));
        assert_eq!(event.invoice().map(StripeInvoiceId::as_str), Some("in_1"));
    }

    #[test]
    fn events_of_the_second_version_name_what_changed() {
        let event = read(
            br#"{ "id": "evt_1", "object": "v2.core.event", "type": "v1.billing.meter.error_report_triggered",
                 "created": "2024-09-17T06:20:52.246Z", "livemode": true, "context": "acct_2",
                 "related_object": { "id": "mtr_1", "type": "billing.meter", "url": "/v1/billing/meters/mtr_1" } }"#,
        )
        .unwrap();
        let related = EventObject::Related { kind: "billing.meter".to_owned(), id: Some("mtr_1".to_owned()) };
        assert_eq!(event.object, related);
        assert_eq!(event.created.utc().timestamp_millis(), 1_726_554_052_246);
        assert_eq!(event.account.unwrap().as_str(), "acct_2");
        let bare = read(br#"{ "id": "evt_1", "object": "v2.core.event", "type": "x", "created": 1 }"#).unwrap();
        assert_eq!(bare.object, EventObject::Related { kind: String::new(), id: None });
    }

    #[test]
    fn what_lacks_an_id_a_type_or_a_time_is_no_event() {
        let refused: [&[u8]; 6] = [
            b"",
            b"[]",
            br#"{ "type": "x", "created": 1 }"#,
            br#"{ "id": "evt_1", "created": 1 }"#,
            br#"{ "id": "evt_1", "type": "x" }"#,
            br#"{ "id": "evt_1/..", "type": "x", "created": 1 }"#,
        ];
        for body in refused {
            assert!(matches!(read(body), Err(WebhookError::NoEvent(_))), "{body:?}");
        }
    }

    #[test]
    fn secrets_are_not_printed() {
        let shown = format!("{:?}", webhook(&[OLD]));
        assert!(!shown.contains(OLD), "{shown}");
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(body: Vec<u8>, header: Vec<u8>, seconds in 0..4_000_000_000_i64) {
            let webhook = webhook(&[OLD]);
            prop_assert!(webhook.verify(&body, &header, at(seconds)).is_err());
            let signed = signature(&[OLD], &body, seconds);
            prop_assert!(webhook.receive(&body, signed.as_bytes(), at(seconds)).is_err());
        }

        #[test]
        fn random_headers_that_look_right_never_panic(header in "(t|v1|v0|=|,|[0-9a-f]){0,80}") {
            prop_assert!(webhook(&[OLD]).verify(PAID, header.as_bytes(), now()).is_err());
        }

        #[test]
        fn a_flipped_bit_never_verifies(place: prop::sample::Index, in_header: bool) {
            let mut body = PAID.to_vec();
            let mut header = signature(&[OLD], PAID, AT).into_bytes();
            let webhook = webhook(&[OLD]);
            prop_assert!(webhook.verify(&body, &header, now()).is_ok());
            let flipped = if in_header { &mut header } else { &mut body };
            let bit = place.index(flipped.len() * 8);
            flipped[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(webhook.verify(&body, &header, now()).is_err());
        }

        #[test]
        fn events_with_random_objects_never_panic(json in "\\PC{0,60}") {
            let body = format!(
                "{{ \"id\": \"evt_1\", \"type\": \"invoice.paid\", \"created\": 1, \"data\": {{ \"object\": {json} }} }}"
            );
            let _read = read(body.as_bytes());
        }
    }
}
