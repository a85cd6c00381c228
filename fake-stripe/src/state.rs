//! What the fake is told at its start, and what it gives back: the format of the state file.
//!
//! JSON, one object. Amounts are in minor units of the invoice's currency, times are seconds since 1970 as Stripe
//! writes them. Everything but the ids has a default. A key that is not listed here is refused, so that a misspelt one
//! is noticed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The version of the API whose shapes the fake serves.
pub const API_VERSION: &str = "2026-04-22.dahlia";

/// The account of everything that names none.
pub const ACCOUNT: &str = "acct_fake";

/// The key that a state without keys knows.
pub const KEY: &str = "rk_test_fake";

/// Calls per second that Stripe allows to one endpoint of one account.
pub const RATE_PER_SECOND: u32 = 25;

/// Everything the fake serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct State {
    /// The version that events are written in.
    pub api_version: String,
    /// Whether objects say that they are live.
    pub livemode: bool,
    /// What time it is when the state is loaded; it runs on from there. Absent: the system's time.
    pub now: Option<i64>,
    /// Where links lead, as scheme, host and port. Absent: to Stripe's own hosts.
    pub links: Links,
    /// Calls per second and endpoint and account; 0 for no limit.
    pub rate_per_second: u32,
    /// Keys that are known.
    pub keys: Vec<Key>,
    /// The account of invoices and keys that name none.
    pub account: String,
    /// Invoices, in any order.
    pub invoices: Vec<Invoice>,
    /// Where events are sent as they happen. Absent: nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook: Option<Webhook>,
}

/// A place that events are sent to as they happen, again and again until it takes them.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// Where it is, `http://…`.
    pub url: String,
    /// What signatures are made with.
    pub secret: String,
}

impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Webhook").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Default for State {
    fn default() -> Self {
        Self {
            api_version: API_VERSION.to_owned(),
            livemode: false,
            now: None,
            links: Links::Stripe,
            rate_per_second: RATE_PER_SECOND,
            keys: vec![Key::new(KEY)],
            account: ACCOUNT.to_owned(),
            invoices: Vec::new(),
            webhook: None,
        }
    }
}

impl State {
    /// A state that can be served: without an account or a key, the usual one.
    #[must_use]
    pub fn with(invoices: impl IntoIterator<Item = Invoice>) -> Self {
        Self { invoices: invoices.into_iter().collect(), ..Self::default() }
    }

    /// The invoice with an id, of whatever account.
    #[must_use]
    pub fn invoice(&self, id: &str) -> Option<&Invoice> {
        self.invoices.iter().find(|invoice| invoice.id == id)
    }

    pub(crate) fn invoice_mut(&mut self, id: &str) -> Option<&mut Invoice> {
        self.invoices.iter_mut().find(|invoice| invoice.id == id)
    }

    /// Writes the account, the creation and the amounts into everything that left them out.
    pub(crate) fn settle(&mut self, now: i64) {
        for key in self.keys.iter_mut().filter(|key| key.account.is_empty()) {
            key.account.clone_from(&self.account);
        }
        for invoice in &mut self.invoices {
            invoice.settle(&self.account, now);
        }
    }
}

/// Where the links in invoices lead.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Links {
    /// To `https://invoice.stripe.com` and `https://pay.stripe.com`.
    #[default]
    Stripe,
    /// To the fake itself, which serves a page for each.
    Fake,
    /// To this scheme, host and port.
    Base(String),
}

/// A key that callers show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// The key.
    pub key: String,
    /// The account it belongs to. Empty: that of the state.
    #[serde(default)]
    pub account: String,
    /// Further accounts that it may name in `Stripe-Account`.
    #[serde(default)]
    pub connected: Vec<String>,
    /// What it may read.
    #[serde(default = "Permission::all")]
    pub permissions: Vec<Permission>,
    /// Whether it was revoked.
    #[serde(default)]
    pub revoked: bool,
}

impl Key {
    /// A key that may read everything in the state's account.
    #[must_use]
    pub fn new(key: &str) -> Self {
        Self {
            key: key.to_owned(),
            account: String::new(),
            connected: Vec::new(),
            permissions: Permission::all(),
            revoked: false,
        }
    }
}

/// What a restricted key may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// Invoices and their payments.
    Invoices,
    /// Charges, also where they are expanded.
    Charges,
    /// Payment intents, where they are expanded.
    PaymentIntents,
    /// Events.
    Events,
}

impl Permission {
    fn all() -> Vec<Self> {
        vec![Self::Invoices, Self::Charges, Self::PaymentIntents, Self::Events]
    }

    /// What Stripe calls it when it is missing.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Invoices => "rak_invoice_read",
            Self::Charges => "rak_charge_read",
            Self::PaymentIntents => "rak_payment_intent_read",
            Self::Events => "rak_event_read",
        }
    }
}

/// The state of an invoice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Not finalized: it has no number and no links.
    #[default]
    Draft,
    /// To be paid.
    Open,
    /// Paid; final.
    Paid,
    /// Given up, but it may still be paid.
    Uncollectible,
    /// Void; final.
    Void,
}

/// One invoice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Invoice {
    /// `in_…`.
    pub id: String,
    /// `cus_…`.
    pub customer: Option<String>,
    /// Whose invoice it is, `acct_…`. Empty: the state's account.
    pub account: String,
    /// Its state.
    pub status: Status,
    /// Three small letters. Empty: `usd`.
    pub currency: String,
    /// The sum before and after tax.
    pub total: i64,
    /// What is to be paid of it. Absent: the total.
    pub amount_due: Option<i64>,
    /// What was paid. Absent: the sum of its paid payments.
    pub amount_paid: Option<i64>,
    /// What remains. Absent: due without paid, and nothing once paid or void.
    pub amount_remaining: Option<i64>,
    /// What came beyond what was due.
    pub amount_overpaid: i64,
    /// What credit notes took off what is due.
    pub credited: i64,
    /// What is printed on it; drafts show none.
    pub number: Option<String>,
    /// Why it was made, in Stripe's words.
    pub billing_reason: Option<String>,
    /// When it was made. Absent: when the state was loaded.
    pub created: Option<i64>,
    /// When it is due.
    pub due_date: Option<i64>,
    /// How often payment was tried.
    pub attempt_count: u32,
    /// When it changed its state.
    pub status_transitions: Transitions,
    /// Texts of the merchant.
    pub metadata: BTreeMap<String, String>,
    /// Payments and attempts, oldest first.
    pub payments: Vec<Payment>,
    /// Its links.
    pub link: Link,
}

impl Invoice {
    /// An invoice of USD that is open.
    #[must_use]
    pub fn open(id: &str, total: i64) -> Self {
        Self { id: id.to_owned(), status: Status::Open, total, number: Some(format!("F-{id}")), ..Self::default() }
    }

    /// An invoice of USD that is a draft.
    #[must_use]
    pub fn draft(id: &str, total: i64) -> Self {
        Self { id: id.to_owned(), total, ..Self::default() }
    }

    /// An invoice of USD that was paid with one payment, at `paid_at`. Ids of the payment derive from the invoice's.
    #[must_use]
    pub fn paid(id: &str, total: i64, paid_at: i64) -> Self {
        let mut invoice = Self::open(id, total);
        invoice.status = Status::Paid;
        invoice.status_transitions = Transitions { paid_at: Some(paid_at), ..Transitions::default() };
        invoice.payments.push(Payment::paid(&format!("{}_1", id.trim_start_matches("in_")), total, paid_at));
        invoice
    }

    /// The same for a customer.
    #[must_use]
    pub fn of(mut self, customer: &str) -> Self {
        self.customer = Some(customer.to_owned());
        self
    }

    /// The same with a link that changes after every `reads`.
    #[must_use]
    pub fn rotating(mut self, reads: u32) -> Self {
        self.link.rotate_every = Some(reads);
        self
    }

    fn settle(&mut self, account: &str, now: i64) {
        if self.account.is_empty() {
            account.clone_into(&mut self.account);
        }
        if self.currency.is_empty() {
            "usd".clone_into(&mut self.currency);
        }
        let created = *self.created.get_or_insert(now);
        if self.status != Status::Draft {
            self.status_transitions.finalized_at.get_or_insert(created);
        }
        let moment = match self.status {
            Status::Draft | Status::Open => None,
            Status::Paid => Some(&mut self.status_transitions.paid_at),
            Status::Uncollectible => Some(&mut self.status_transitions.marked_uncollectible_at),
            Status::Void => Some(&mut self.status_transitions.voided_at),
        };
        if let Some(moment) = moment {
            moment.get_or_insert(created);
        }
        for payment in &mut self.payments {
            payment.created.get_or_insert(payment.paid_at.unwrap_or(created));
        }
        let due = *self.amount_due.get_or_insert(self.total);
        let collected = self.payments.iter().filter(|payment| payment.status == PaymentStatus::Paid);
        let collected: i64 = collected.map(|payment| payment.amount).sum();
        let paid = *self.amount_paid.get_or_insert(collected);
        let over = matches!(self.status, Status::Paid | Status::Void);
        self.amount_remaining.get_or_insert(if over { 0 } else { due.saturating_sub(paid).max(0) });
    }
}

/// When an invoice changed its state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Transitions {
    /// It became open. Absent although it is no draft: when it was made.
    pub finalized_at: Option<i64>,
    /// It was given up.
    pub marked_uncollectible_at: Option<i64>,
    /// It was paid.
    pub paid_at: Option<i64>,
    /// It became void.
    pub voided_at: Option<i64>,
}

/// One payment of an invoice, or an attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Payment {
    /// `inpay_…`.
    pub id: String,
    /// Whether the money came.
    pub status: PaymentStatus,
    /// So much.
    pub amount: i64,
    /// When it was begun. Absent: when it was paid, or the invoice was made.
    pub created: Option<i64>,
    /// When the money came.
    pub paid_at: Option<i64>,
    /// What it is made of.
    pub kind: PaymentKind,
    /// `pi_…`, for payments by intent.
    pub payment_intent: Option<String>,
    /// `ch_…`. Absent while an intent has no charge yet.
    pub charge: Option<String>,
    /// The receipt of the charge.
    pub receipt: Receipt,
    /// What was given back of it, in all.
    pub amount_refunded: i64,
    /// Refunds that were made since the state was loaded, oldest first.
    pub refunds: Vec<Refund>,
}

/// One refund.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Refund {
    /// `re_…`.
    pub id: String,
    /// So much.
    pub amount: i64,
    /// When it was made.
    pub created: i64,
    /// Whether the money came again.
    pub failed: bool,
}

impl Payment {
    /// A payment by intent and charge whose ids are `inpay_`, `pi_` and `ch_` before `name`.
    #[must_use]
    pub fn paid(name: &str, amount: i64, paid_at: i64) -> Self {
        Self {
            id: format!("inpay_{name}"),
            status: PaymentStatus::Paid,
            amount,
            paid_at: Some(paid_at),
            payment_intent: Some(format!("pi_{name}")),
            charge: Some(format!("ch_{name}")),
            ..Self::default()
        }
    }
}

/// Whether the money of a payment came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentStatus {
    /// Not yet, or the last attempt failed.
    #[default]
    Open,
    /// It came.
    Paid,
    /// It will not come.
    Canceled,
}

/// What a payment of an invoice is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentKind {
    /// A payment intent with its latest charge.
    #[default]
    PaymentIntent,
    /// A charge without an intent.
    Charge,
    /// Money that came outside Stripe. It has no receipt.
    PaymentRecord,
}

/// The receipt of a charge.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Receipt {
    /// A link made from the account and the charge.
    #[default]
    Generated,
    /// There is none.
    None,
    /// Exactly this link.
    Url(String),
}

/// The links of an invoice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Link {
    /// Part of the link. Links of lower generations are dead.
    pub generation: u64,
    /// After how many reads through the API the next generation begins. Absent: never by itself.
    pub rotate_every: Option<u32>,
    /// Reads of this generation so far.
    pub reads: u32,
}

impl Default for Link {
    fn default() -> Self {
        Self { generation: 1, rotate_every: None, reads: 0 }
    }
}

impl Link {
    pub(crate) const fn rotate(&mut self) {
        self.generation = self.generation.saturating_add(1);
        self.reads = 0;
    }

    /// Notes a read, before the invoice is written out.
    pub(crate) fn read(&mut self) {
        if self.rotate_every.is_some_and(|every| self.reads >= every.max(1)) {
            self.rotate();
        }
        self.reads = self.reads.saturating_add(1);
    }
}
