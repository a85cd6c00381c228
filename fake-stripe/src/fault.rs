//! Faults that can be switched on: what a Stripe does that is slow, down, wrong or hostile.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A group of calls that share a limit and can be told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// `GET /v1/invoices/{id}`
    Invoice,
    /// `GET /v1/invoices`
    Invoices,
    /// `GET /v1/invoice_payments`
    InvoicePayments,
    /// `GET /v1/charges/{id}`
    Charge,
    /// `GET /v1/events`
    Events,
    /// Anything else below `/v1`, and every method but `GET`.
    Other,
}

/// Something that goes wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Where. Absent: everywhere.
    #[serde(default)]
    pub endpoint: Option<Endpoint>,
    /// For so many calls. Absent: until faults are cleared.
    #[serde(default)]
    pub times: Option<u32>,
    /// What.
    pub kind: FaultKind,
}

impl Fault {
    /// Everywhere, until faults are cleared.
    #[must_use]
    pub const fn new(kind: FaultKind) -> Self {
        Self { endpoint: None, times: None, kind }
    }

    /// The same for the next `times` calls only.
    #[must_use]
    pub const fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// The same at one endpoint only.
    #[must_use]
    pub const fn at(mut self, endpoint: Endpoint) -> Self {
        self.endpoint = Some(endpoint);
        self
    }
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// The answer is this status with Stripe's error body.
    Status {
        /// 400 to 599.
        status: u16,
        /// The header `Retry-After`, in seconds.
        #[serde(default)]
        retry_after: Option<u64>,
        /// The header `Stripe-Should-Retry`.
        #[serde(default)]
        should_retry: Option<bool>,
        /// With 429, the header `Stripe-Rate-Limited-Reason`. Absent: `endpoint-rate`.
        #[serde(default)]
        reason: Option<String>,
    },
    /// The answer comes so many milliseconds late.
    Delay(u64),
    /// No answer ever comes.
    Hang,
    /// The connection is closed instead of an answer.
    Reset,
    /// A good status with a page for people.
    Garbage,
    /// A good status with exactly this text.
    Body(String),
    /// The connection is closed in the middle of the body.
    Truncated,
    /// A good body with so many bytes of white space after it.
    Oversized(usize),
    /// A redirection to this address. Empty: to another endpoint of the fake.
    Redirect(String),
    /// Links in an otherwise good body are bad.
    HostileUrl(Hostile),
}

impl FaultKind {
    /// Answers with a status, without saying when or whether to try again.
    #[must_use]
    pub const fn status(status: u16) -> Self {
        Self::Status { status, retry_after: None, should_retry: None, reason: None }
    }
}

/// How a link is bad.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hostile {
    /// Not encrypted.
    Http,
    /// To another host.
    OtherHost,
    /// To a host whose name begins like the good one.
    LookAlike,
    /// With a user before the host.
    User,
    /// To another port.
    Port,
    /// With a backslash, which some readers take for a slash.
    Backslash,
    /// With a control character.
    Control,
    /// A script.
    Script,
    /// Longer than any link.
    TooLong,
    /// Exactly this.
    Exactly(String),
}

impl Hostile {
    /// Every way but `Exactly`.
    pub const ALL: [Self; 9] = [
        Self::Http,
        Self::OtherHost,
        Self::LookAlike,
        Self::User,
        Self::Port,
        Self::Backslash,
        Self::Control,
        Self::Script,
        Self::TooLong,
    ];

    fn link(&self) -> String {
        match self {
            Self::Http => "http://invoice.stripe.com/i/acct_fake/test_x".to_owned(),
            Self::OtherHost => "https://evil.example/i/acct_fake/test_x".to_owned(),
            Self::LookAlike => "https://invoice.stripe.com.evil.example/i/acct_fake/test_x".to_owned(),
            Self::User => "https://invoice.stripe.com@evil.example/i/acct_fake/test_x".to_owned(),
            Self::Port => "https://invoice.stripe.com:8443/i/acct_fake/test_x".to_owned(),
            Self::Backslash => "https://invoice.stripe.com\\@evil.example/".to_owned(),
            Self::Control => "https://invoice.stripe.com/i/\u{7}/test_x".to_owned(),
            Self::Script => "javascript:alert(1)".to_owned(),
            Self::TooLong => format!("https://invoice.stripe.com/i/{}", "a".repeat(4096)),
            Self::Exactly(link) => link.clone(),
        }
    }

    /// Replaces every link of an invoice or a charge in `value`.
    pub(crate) fn plant(&self, value: &mut Value) {
        match value {
            Value::Array(elements) => elements.iter_mut().for_each(|element| self.plant(element)),
            Value::Object(fields) => {
                for (key, field) in fields {
                    let link = matches!(key.as_str(), "hosted_invoice_url" | "invoice_pdf" | "receipt_url");
                    if link && field.is_string() {
                        *field = self.link().into();
                    } else {
                        self.plant(field);
                    }
                }
            }
            _ => {}
        }
    }
}
