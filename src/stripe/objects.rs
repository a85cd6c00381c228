//! Objects of Stripe, as far as the gateway looks at them.
//!
//! Every field but the id may be absent, and a word that nobody knows is kept as it is: Stripe adds both without
//! notice. Amounts are minor units of the object's currency. A link is checked when it is read; a bad one is an error
//! of that link only, and its host is all that is ever logged of it.

use std::collections::BTreeMap;
use std::fmt;

use chrono::DateTime;
use entity::Instant;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use super::id::{BadId, ChargeId, PaymentIntentId, StripeCustomerId, StripeInvoiceId};
use crate::domain::link::LinkHosts;

/// How much of a host that may not be linked to is logged, in characters.
const HOST_SHOWN: usize = 100;

/// The longest word that is kept, in bytes.
const WORD_MAX: usize = 100;

/// How much of a sentence is kept, in characters.
const SENTENCE_MAX: usize = 200;

/// A link that leads where links may lead. Whoever has it can use it, so it is not printed.
#[derive(Clone)]
pub struct Link(SecretString);

impl Link {
    /// The address, to be stored or given to whom it belongs.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Link(…)")
    }
}

impl PartialEq for Link {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for Link {}

/// A link that leads where links may not lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the link may not be shown")]
pub struct BadLink;

fn link(stated: Option<String>, hosts: &LinkHosts) -> Result<Option<Link>, BadLink> {
    let Some(text) = stated else { return Ok(None) };
    if hosts.allow(&text) {
        return Ok(Some(Link(text.into())));
    }
    let url = Url::parse(&text).ok();
    let host = url.as_ref().and_then(Url::host_str).unwrap_or("none");
    let host: String = host.chars().take(HOST_SHOWN).collect();
    tracing::warn!(link.host = host, "Stripe gave a link that may not be shown");
    Err(BadLink)
}

fn moment(seconds: Option<i64>) -> Option<Instant> {
    DateTime::from_timestamp(seconds?, 0).map(Instant::new)
}

/// One of Stripe's words for programs; anything else is left out.
fn word(stated: Option<String>) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    stated.filter(|word| (1..=WORD_MAX).contains(&word.len()) && word.bytes().all(plain))
}

/// A sentence for people, as far as it is not too long.
fn sentence(stated: Option<String>) -> Option<String> {
    let text: String = stated?.chars().filter(|c| !c.is_control()).take(SENTENCE_MAX).collect();
    (!text.is_empty()).then_some(text)
}

macro_rules! open_enum {
    ($(#[$about:meta])* $name:ident { $($(#[$word_about:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
        #[serde(from = "String")]
        pub enum $name {
            $($(#[$word_about])* $variant,)*
            /// A word that was not known when this was written.
            Other(String),
        }

        impl From<String> for $name {
            fn from(word: String) -> Self {
                match word.as_str() {
                    $($word => Self::$variant,)*
                    _ => Self::Other(word),
                }
            }
        }

        impl $name {
            /// The word that Stripe uses.
            pub fn word(&self) -> &str {
                match self {
                    $(Self::$variant => $word,)*
                    Self::Other(word) => word,
                }
            }
        }
    };
}

open_enum! {
    /// The state of an invoice at Stripe.
    InvoiceStatus {
        /// Not finalized.
        Draft = "draft",
        /// To be paid.
        Open = "open",
        /// Paid; final.
        Paid = "paid",
        /// Given up, but it may still be paid.
        Uncollectible = "uncollectible",
        /// Void; final.
        Void = "void",
    }
}

open_enum! {
    /// Whether the money of a payment came.
    InvoicePaymentStatus {
        /// Not yet.
        Open = "open",
        /// It came.
        Paid = "paid",
        /// It will not come.
        Canceled = "canceled",
    }
}

open_enum! {
    /// How far a refund is.
    RefundStatus {
        /// It is under way.
        Pending = "pending",
        /// Somebody has to do something before it goes on.
        RequiresAction = "requires_action",
        /// The money went back.
        Succeeded = "succeeded",
        /// It did not arrive.
        Failed = "failed",
        /// It was given up.
        Canceled = "canceled",
    }
}

/// When an invoice changed its state, to the second.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatusTransitions {
    /// It became open.
    pub finalized_at: Option<Instant>,
    /// It was paid.
    pub paid_at: Option<Instant>,
    /// It became void.
    pub voided_at: Option<Instant>,
    /// It was given up.
    pub marked_uncollectible_at: Option<Instant>,
}

/// An invoice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invoice {
    /// Its id.
    pub id: StripeInvoiceId,
    /// Whose it is; absent also when Stripe writes something that is no id.
    pub customer: Option<StripeCustomerId>,
    /// Its state.
    pub status: Option<InvoiceStatus>,
    /// Whether it is about real money.
    pub livemode: Option<bool>,
    /// Three small letters.
    pub currency: Option<String>,
    /// What is printed on it; absent on drafts.
    pub number: Option<String>,
    /// Why it was made, in Stripe's words.
    pub billing_reason: Option<String>,
    /// Everything, tax included; minor units.
    pub total: Option<i64>,
    /// What is to be paid of it; minor units.
    pub amount_due: Option<i64>,
    /// What was paid; minor units.
    pub amount_paid: Option<i64>,
    /// What remains; minor units.
    pub amount_remaining: Option<i64>,
    /// What came beyond what was due; minor units.
    pub amount_overpaid: Option<i64>,
    /// What credit notes took off what is due, before it was paid; minor units.
    pub pre_payment_credit_notes_amount: Option<i64>,
    /// The intent that collects it; only versions of the API before 2025 say so.
    pub payment_intent: Option<PaymentIntentId>,
    /// How often payment was tried.
    pub attempt_count: Option<i64>,
    /// When it was made.
    pub created: Option<Instant>,
    /// When it is due.
    pub due_date: Option<Instant>,
    /// When it changed its state.
    pub status_transitions: StatusTransitions,
    /// Texts of the merchant.
    pub metadata: BTreeMap<String, String>,
    /// The pay page; absent on drafts.
    pub hosted_invoice_url: Result<Option<Link>, BadLink>,
    /// The PDF; absent on drafts.
    pub invoice_pdf: Result<Option<Link>, BadLink>,
    /// Its payments; none unless they were asked for.
    pub payments: InvoicePayments,
}

/// The payments that came with an invoice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InvoicePayments {
    /// The newest.
    pub items: Vec<InvoicePayment>,
    /// Whether there are others.
    pub has_more: bool,
}

/// A charge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    /// Its id.
    pub id: ChargeId,
    /// The intent it belongs to.
    pub payment_intent: Option<PaymentIntentId>,
    /// Whom it charges.
    pub customer: Option<StripeCustomerId>,
    /// Three small letters.
    pub currency: Option<String>,
    /// What was charged; minor units.
    pub amount: Option<i64>,
    /// What was given back of it; minor units.
    pub amount_refunded: Option<i64>,
    /// Whether all of it was given back.
    pub refunded: Option<bool>,
    /// When it was made.
    pub created: Option<Instant>,
    /// Its receipt.
    pub receipt_url: Result<Option<Link>, BadLink>,
}

/// A refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refund {
    /// Its id, `re_…` or `pyr_…`.
    pub id: String,
    /// The charge that it gives back of.
    pub charge: Option<ChargeId>,
    /// The intent of that.
    pub payment_intent: Option<PaymentIntentId>,
    /// How far it is.
    pub status: Option<RefundStatus>,
    /// Three small letters.
    pub currency: Option<String>,
    /// So much; minor units.
    pub amount: Option<i64>,
    /// When it was begun.
    pub created: Option<Instant>,
    /// Why it did not arrive: a word in small letters.
    pub failure_reason: Option<String>,
}

/// A payment intent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentIntent {
    /// Its id.
    pub id: PaymentIntentId,
    /// What it pays; only versions of the API before 2025 say so.
    pub invoice: Option<StripeInvoiceId>,
    /// Whom it charges.
    pub customer: Option<StripeCustomerId>,
    /// Why the last attempt failed.
    pub last_error: Option<PaymentError>,
}

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentError {
    /// The charge that failed.
    pub charge: Option<ChargeId>,
    /// The reason: a word in small letters, the bank's where it said one.
    pub code: Option<String>,
    /// The same in a sentence for the payer.
    pub message: Option<String>,
}

/// What a payment of an invoice is made of. The charge is there where Stripe was asked to write it out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PaidBy {
    /// A payment intent, with its latest charge.
    Intent(PaymentIntentId, Option<Box<Charge>>),
    /// A charge without an intent.
    Charge(ChargeId, Option<Box<Charge>>),
    /// Money that came outside Stripe, or something that was not known when this was written.
    Other,
}

/// A payment of an invoice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvoicePayment {
    /// Its id, `inpay_…`.
    pub id: String,
    /// What it pays.
    pub invoice: Option<StripeInvoiceId>,
    /// Whether the money came.
    pub status: Option<InvoicePaymentStatus>,
    /// Three small letters.
    pub currency: Option<String>,
    /// What came; minor units.
    pub amount_paid: Option<i64>,
    /// When it came.
    pub paid_at: Option<Instant>,
    /// What it is made of.
    pub paid_by: PaidBy,
}

/// The receipt of one payment of an invoice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// When the money came.
    pub paid_at: Option<Instant>,
    /// The intent; absent for charges without one.
    pub payment_intent: Option<PaymentIntentId>,
    /// The charge; absent while there is none.
    pub charge: Option<ChargeId>,
    /// The receipt; absent for money that came outside Stripe.
    pub url: Result<Option<Link>, BadLink>,
}

/// The receipts of an invoice: one for each payment that Stripe took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipts(Vec<Receipt>);

impl Receipts {
    pub(super) fn of(payments: Vec<InvoicePayment>) -> Self {
        let paid = payments.into_iter().filter(|payment| payment.status == Some(InvoicePaymentStatus::Paid));
        let mut receipts: Vec<Receipt> = paid.filter_map(Receipt::of).collect();
        receipts.sort_by_key(|receipt| std::cmp::Reverse(receipt.paid_at));
        Self(receipts)
    }

    /// All of them, the newest payment first.
    pub fn all(&self) -> &[Receipt] {
        &self.0
    }

    /// That of the newest payment; none when Stripe took no payment.
    pub fn newest(&self) -> Option<&Receipt> {
        self.0.first()
    }

    /// That of a payment intent.
    pub fn of_payment_intent(&self, id: &PaymentIntentId) -> Option<&Receipt> {
        self.0.iter().find(|receipt| receipt.payment_intent.as_ref() == Some(id))
    }

    /// That of a charge.
    pub fn of_charge(&self, id: &ChargeId) -> Option<&Receipt> {
        self.0.iter().find(|receipt| receipt.charge.as_ref() == Some(id))
    }
}

impl Receipt {
    fn of(payment: InvoicePayment) -> Option<Self> {
        let (payment_intent, charge, written) = match payment.paid_by {
            PaidBy::Intent(intent, charge) => (Some(intent), charge.as_ref().map(|charge| charge.id.clone()), charge),
            PaidBy::Charge(id, charge) => (None, Some(id), charge),
            PaidBy::Other => return None,
        };
        let url = written.map_or(Ok(None), |charge| charge.receipt_url);
        Some(Self { paid_at: payment.paid_at, payment_intent, charge, url })
    }
}

/// Objects as they come, before ids and links are checked.
pub(super) mod wire {
    use super::{
        BTreeMap, BadId, Charge, ChargeId, Deserialize, Invoice, InvoicePayment, InvoicePaymentStatus, InvoicePayments,
        InvoiceStatus, LinkHosts, PaidBy, PaymentError, PaymentIntent, PaymentIntentId, Refund, RefundStatus,
        StatusTransitions, StripeCustomerId, StripeInvoiceId, link, moment, sentence, word,
    };

    /// Another object: its id, or the object itself where Stripe was asked to write it out.
    #[derive(Deserialize)]
    #[serde(untagged)]
    pub(in crate::stripe) enum Reference<T> {
        Id(String),
        Object(Box<T>),
    }

    /// Of an object only its id.
    #[derive(Deserialize)]
    pub(in crate::stripe) struct Named {
        id: String,
    }

    impl Reference<Named> {
        pub(in crate::stripe) fn id(&self) -> &str {
            match self {
                Self::Id(id) => id,
                Self::Object(named) => &named.id,
            }
        }
    }

    #[derive(Default, Deserialize)]
    #[serde(default)]
    #[expect(clippy::struct_field_names, reason = "the names are Stripe's")]
    struct Transitions {
        finalized_at: Option<i64>,
        paid_at: Option<i64>,
        voided_at: Option<i64>,
        marked_uncollectible_at: Option<i64>,
    }

    impl From<Option<Transitions>> for StatusTransitions {
        fn from(stated: Option<Transitions>) -> Self {
            let stated = stated.unwrap_or_default();
            Self {
                finalized_at: moment(stated.finalized_at),
                paid_at: moment(stated.paid_at),
                voided_at: moment(stated.voided_at),
                marked_uncollectible_at: moment(stated.marked_uncollectible_at),
            }
        }
    }

    #[derive(Deserialize)]
    pub(in crate::stripe) struct InvoiceObject {
        id: String,
        customer: Option<Reference<Named>>,
        status: Option<InvoiceStatus>,
        livemode: Option<bool>,
        currency: Option<String>,
        number: Option<String>,
        billing_reason: Option<String>,
        total: Option<i64>,
        amount_due: Option<i64>,
        amount_paid: Option<i64>,
        amount_remaining: Option<i64>,
        amount_overpaid: Option<i64>,
        pre_payment_credit_notes_amount: Option<i64>,
        payment_intent: Option<Reference<Named>>,
        attempt_count: Option<i64>,
        created: Option<i64>,
        due_date: Option<i64>,
        status_transitions: Option<Transitions>,
        metadata: Option<BTreeMap<String, String>>,
        hosted_invoice_url: Option<String>,
        invoice_pdf: Option<String>,
        payments: Option<List<InvoicePaymentObject>>,
    }

    impl InvoiceObject {
        pub(in crate::stripe) fn checked(self, hosts: &LinkHosts) -> Result<Invoice, BadId> {
            let payments = match self.payments {
                None => InvoicePayments::default(),
                Some(list) => {
                    let items = list.data.into_iter().map(|object| object.checked(hosts));
                    InvoicePayments { items: items.collect::<Result<_, _>>()?, has_more: list.has_more }
                }
            };
            Ok(Invoice {
                id: StripeInvoiceId::parse(&self.id)?,
                customer: self.customer.and_then(|customer| StripeCustomerId::parse(customer.id()).ok()),
                status: self.status,
                livemode: self.livemode,
                currency: self.currency,
                number: self.number,
                billing_reason: self.billing_reason,
                total: self.total,
                amount_due: self.amount_due,
                amount_paid: self.amount_paid,
                amount_remaining: self.amount_remaining,
                amount_overpaid: self.amount_overpaid,
                pre_payment_credit_notes_amount: self.pre_payment_credit_notes_amount,
                payment_intent: named(self.payment_intent.as_ref(), PaymentIntentId::parse),
                attempt_count: self.attempt_count,
                created: moment(self.created),
                due_date: moment(self.due_date),
                status_transitions: self.status_transitions.into(),
                metadata: self.metadata.unwrap_or_default(),
                hosted_invoice_url: link(self.hosted_invoice_url, hosts),
                invoice_pdf: link(self.invoice_pdf, hosts),
                payments,
            })
        }
    }

    #[derive(Deserialize)]
    pub(in crate::stripe) struct ChargeObject {
        id: String,
        payment_intent: Option<Reference<Named>>,
        customer: Option<Reference<Named>>,
        currency: Option<String>,
        amount: Option<i64>,
        amount_refunded: Option<i64>,
        refunded: Option<bool>,
        created: Option<i64>,
        receipt_url: Option<String>,
    }

    impl ChargeObject {
        pub(in crate::stripe) fn checked(self, hosts: &LinkHosts) -> Result<Charge, BadId> {
            Ok(Charge {
                id: ChargeId::parse(&self.id)?,
                payment_intent: self.payment_intent.and_then(|intent| PaymentIntentId::parse(intent.id()).ok()),
                customer: self.customer.and_then(|customer| StripeCustomerId::parse(customer.id()).ok()),
                currency: self.currency,
                amount: self.amount,
                amount_refunded: self.amount_refunded,
                refunded: self.refunded,
                created: moment(self.created),
                receipt_url: link(self.receipt_url, hosts),
            })
        }
    }

    /// An object that is only named, if what names it is an id.
    fn named<T>(reference: Option<&Reference<Named>>, parse: fn(&str) -> Result<T, BadId>) -> Option<T> {
        reference.and_then(|reference| parse(reference.id()).ok())
    }

    #[derive(Deserialize)]
    pub(in crate::stripe) struct RefundObject {
        id: String,
        charge: Option<Reference<Named>>,
        payment_intent: Option<Reference<Named>>,
        status: Option<RefundStatus>,
        currency: Option<String>,
        amount: Option<i64>,
        created: Option<i64>,
        failure_reason: Option<String>,
    }

    impl RefundObject {
        pub(in crate::stripe) fn checked(self) -> Result<Refund, BadId> {
            Ok(Refund {
                id: word(Some(self.id)).ok_or(BadId { prefix: "re_" })?,
                charge: named(self.charge.as_ref(), ChargeId::parse),
                payment_intent: named(self.payment_intent.as_ref(), PaymentIntentId::parse),
                status: self.status,
                currency: self.currency,
                amount: self.amount,
                created: moment(self.created),
                failure_reason: word(self.failure_reason),
            })
        }
    }

    #[derive(Deserialize)]
    pub(in crate::stripe) struct PaymentIntentObject {
        id: String,
        invoice: Option<Reference<Named>>,
        customer: Option<Reference<Named>>,
        last_payment_error: Option<ErrorObject>,
    }

    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct ErrorObject {
        charge: Option<Reference<Named>>,
        code: Option<String>,
        decline_code: Option<String>,
        message: Option<String>,
    }

    impl PaymentIntentObject {
        pub(in crate::stripe) fn checked(self) -> Result<PaymentIntent, BadId> {
            let last_error = self.last_payment_error.map(|error| PaymentError {
                charge: named(error.charge.as_ref(), ChargeId::parse),
                code: word(error.decline_code).or_else(|| word(error.code)),
                message: sentence(error.message),
            });
            Ok(PaymentIntent {
                id: PaymentIntentId::parse(&self.id)?,
                invoice: named(self.invoice.as_ref(), StripeInvoiceId::parse),
                customer: named(self.customer.as_ref(), StripeCustomerId::parse),
                last_error,
            })
        }
    }

    #[derive(Deserialize)]
    struct IntentObject {
        id: String,
        latest_charge: Option<Reference<ChargeObject>>,
    }

    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct PaidByObject {
        payment_intent: Option<Reference<IntentObject>>,
        charge: Option<Reference<ChargeObject>>,
    }

    impl PaidByObject {
        fn checked(self, hosts: &LinkHosts) -> Result<PaidBy, BadId> {
            let written = |charge: Option<Reference<ChargeObject>>| match charge {
                Some(Reference::Object(charge)) => charge.checked(hosts).map(|charge| Some(Box::new(charge))),
                _ => Ok(None),
            };
            match (self.payment_intent, self.charge) {
                (Some(Reference::Id(id)), _) => Ok(PaidBy::Intent(PaymentIntentId::parse(&id)?, None)),
                (Some(Reference::Object(intent)), _) => {
                    Ok(PaidBy::Intent(PaymentIntentId::parse(&intent.id)?, written(intent.latest_charge)?))
                }
                (None, Some(Reference::Id(id))) => Ok(PaidBy::Charge(ChargeId::parse(&id)?, None)),
                (None, Some(Reference::Object(charge))) => {
                    let charge = charge.checked(hosts)?;
                    Ok(PaidBy::Charge(charge.id.clone(), Some(Box::new(charge))))
                }
                (None, None) => Ok(PaidBy::Other),
            }
        }
    }

    #[derive(Deserialize)]
    pub(in crate::stripe) struct InvoicePaymentObject {
        id: String,
        invoice: Option<Reference<Named>>,
        status: Option<InvoicePaymentStatus>,
        currency: Option<String>,
        amount_paid: Option<i64>,
        status_transitions: Option<Transitions>,
        payment: Option<PaidByObject>,
    }

    impl InvoicePaymentObject {
        pub(in crate::stripe) fn checked(self, hosts: &LinkHosts) -> Result<InvoicePayment, BadId> {
            Ok(InvoicePayment {
                id: self.id,
                invoice: self.invoice.and_then(|invoice| StripeInvoiceId::parse(invoice.id()).ok()),
                status: self.status,
                currency: self.currency,
                amount_paid: self.amount_paid,
                paid_at: StatusTransitions::from(self.status_transitions).paid_at,
                paid_by: self.payment.unwrap_or_default().checked(hosts)?,
            })
        }
    }

    /// A list.
    #[derive(Deserialize)]
    pub(in crate::stripe) struct List<T> {
        pub(in crate::stripe) data: Vec<T>,
        #[serde(default)]
        pub(in crate::stripe) has_more: bool,
    }
}

#[cfg(test)]
mod tests {
    use super::wire::{InvoiceObject, InvoicePaymentObject};
    use super::*;

    fn invoice(json: &str) -> Invoice {
        let object: InvoiceObject = serde_json::from_str(json).unwrap();
        object.checked(&LinkHosts::default()).unwrap()
    }

    fn payment(json: &str) -> InvoicePayment {
        let object: InvoicePaymentObject = serde_json::from_str(json).unwrap();
        object.checked(&LinkHosts::default()).unwrap()
    }

    #[test]
    fn an_id_suffices() {
        let bare = invoice(r#"{ "id": "in_1" }"#);
        assert_eq!(bare.id.as_str(), "in_1");
        assert_eq!((bare.status, bare.hosted_invoice_url), (None, Ok(None)));
        assert_eq!(payment(r#"{ "id": "inpay_1" }"#).paid_by, PaidBy::Other);
    }

    #[test]
    fn words_and_fields_that_nobody_knows_do_no_harm() {
        let odd =
            invoice(r#"{ "id": "in_1", "status": "pondering", "new": 1.5, "customer": { "id": "cus_1", "a": [] } }"#);
        assert_eq!(odd.status, Some(InvoiceStatus::Other("pondering".to_owned())));
        assert_eq!(odd.status.as_ref().map(InvoiceStatus::word), Some("pondering"));
        assert_eq!(odd.customer.as_ref().map(StripeCustomerId::as_str), Some("cus_1"));
    }

    #[test]
    fn an_amount_is_a_whole_number() {
        assert_eq!(
            invoice(r#"{ "id": "in_1", "amount_due": -9007199254740993 }"#).amount_due,
            Some(-9_007_199_254_740_993)
        );
        for amount in ["1.5", "1e3", "\"1\"", "9223372036854775808"] {
            let text = format!("{{ \"id\": \"in_1\", \"amount_due\": {amount} }}");
            assert!(serde_json::from_str::<InvoiceObject>(&text).is_err(), "{amount}");
        }
    }

    #[test]
    fn a_bad_link_is_an_error_of_its_own_and_a_good_one_is_not_printed() {
        let mixed = invoice(
            r#"{ "id": "in_1", "hosted_invoice_url": "https://invoice.stripe.com/i/secret",
                 "invoice_pdf": "https://evil.example/secret" }"#,
        );
        assert_eq!(mixed.invoice_pdf, Err(BadLink));
        assert_eq!(mixed.hosted_invoice_url.clone().unwrap().unwrap().expose(), "https://invoice.stripe.com/i/secret");
        assert!(!format!("{mixed:?}").contains("secret"));
    }

    #[test]
    fn why_an_attempt_failed_is_a_plain_word_and_a_short_sentence() {
        let read = |json: &str| {
            let object: wire::PaymentIntentObject = serde_json::from_str(json).unwrap();
            object.checked().unwrap().last_error
        };
        let error = read(
            r#"{ "id": "pi_1", "last_payment_error": { "charge": "ch_1", "code": "card_declined",
                 "decline_code": "insufficient_funds", "message": "Not\nenough." } }"#,
        );
        let error = error.unwrap();
        assert_eq!(error.code.as_deref(), Some("insufficient_funds"));
        assert_eq!(error.message.as_deref(), Some("Notenough."));
        let odd = read(r#"{ "id": "pi_1", "last_payment_error": { "code": "<b>", "message": "" } }"#).unwrap();
        assert_eq!(odd, PaymentError { charge: None, code: None, message: None });
        assert_eq!(read(r#"{ "id": "pi_1" }"#), None);
        let long = format!(r#"{{ "id": "pi_1", "last_payment_error": {{ "message": "{}" }} }}"#, "a".repeat(999));
        assert_eq!(read(&long).unwrap().message.unwrap().len(), SENTENCE_MAX);
    }

    #[test]
    fn an_id_that_breaks_out_refuses_the_object() {
        let object: InvoiceObject = serde_json::from_str(r#"{ "id": "in_1/../../x" }"#).unwrap();
        assert!(object.checked(&LinkHosts::default()).is_err());
    }

    #[test]
    fn a_payment_names_what_it_is_made_of() {
        let by_id =
            payment(r#"{ "id": "inpay_1", "payment": { "type": "payment_intent", "payment_intent": "pi_1" } }"#);
        assert_eq!(by_id.paid_by, PaidBy::Intent(PaymentIntentId::parse("pi_1").unwrap(), None));
        let charge = payment(
            r#"{ "id": "inpay_1", "status": "paid", "payment": { "type": "charge", "charge": { "id": "ch_1",
                 "receipt_url": "https://pay.stripe.com/receipts/1" } } }"#,
        );
        let receipts = Receipts::of(vec![charge]);
        let receipt = receipts.of_charge(&ChargeId::parse("ch_1").unwrap()).unwrap();
        assert_eq!(receipt.url.clone().unwrap().unwrap().expose(), "https://pay.stripe.com/receipts/1");
        let record = payment(r#"{ "id": "inpay_1", "status": "paid", "payment": { "type": "payment_record" } }"#);
        assert!(Receipts::of(vec![record]).newest().is_none());
    }
}
