//! What an object or an event of Stripe means for an invoice of ours, in our words.

use std::collections::BTreeMap;

use entity::{CurrencyCode, Instant, InvoiceStatus, Minor};

use crate::domain::money::{from_stripe_minor, parse_currency};
use crate::domain::upstream::{
    Attempt, ChargeNews, FailureNews, Moments, News, PaymentNews, RefundNews, RefundState, Snapshot, SnapshotLinks,
};
use crate::stripe::{
    self, Charge, ChargeId, EventObject, InvoicePayment, InvoicePaymentStatus, Link, PaidBy, PaymentIntent,
    PaymentIntentId, Refund, RefundStatus, StripeCustomerId, StripeInvoiceId,
};

/// The text of the merchant on a Stripe invoice that names the invoice of ours it stands for.
const INVOICE_METADATA: &str = "billing_invoice_id";

/// Events that only the history keeps, with its words for them.
const REMARKS: [(&str, &str); 10] = [
    ("invoice.sent", "sent"),
    ("invoice.overdue", "overdue"),
    ("invoice.will_be_due", "will_be_due"),
    ("invoice.overpaid", "overpaid"),
    ("invoice.finalization_failed", "finalization_failed"),
    ("charge.dispute.created", "dispute_created"),
    ("charge.dispute.closed", "dispute_closed"),
    ("credit_note.created", "credit_note_created"),
    ("credit_note.updated", "credit_note_updated"),
    ("credit_note.voided", "credit_note_voided"),
];

/// Events about money that no invoice asks for, and why they are not used.
const OF_WALLETS: [&str; 3] = ["payment_intent.", "checkout.session.", "setup_intent."];

/// What the history calls an event that is neither a state nor a payment.
pub(super) fn remark(kind: &str) -> Option<&'static str> {
    REMARKS.iter().find(|(known, _)| *known == kind).map(|(_, remark)| *remark)
}

/// What an event is about, as far as it matters here.
#[derive(Debug)]
pub(super) enum Subject<'a> {
    /// An invoice that it shows.
    Invoice(&'a stripe::Invoice),
    /// A payment of an invoice.
    Payment(&'a StripeInvoiceId, &'a InvoicePayment),
    /// A charge.
    Charge(&'a Charge),
    /// A charge that the bank's customer disputes.
    Dispute { charge: Option<&'a ChargeId>, intent: Option<&'a PaymentIntentId> },
    /// A refund.
    Refund(&'a Refund),
    /// An attempt to collect that failed.
    Failure(&'a PaymentIntent),
    /// An invoice that a credit note took something off, or gave back to.
    CreditNote(StripeInvoiceId),
    /// An invoice that it only names.
    Named(StripeInvoiceId),
    /// Nothing that matters.
    Nothing(&'static str),
}

impl<'a> Subject<'a> {
    pub(super) fn of(event: &'a stripe::Event) -> Self {
        let kind = event.kind.as_str();
        match &event.object {
            EventObject::Invoice(invoice) if kind.starts_with("invoice.") => Self::Invoice(invoice),
            EventObject::InvoicePayment(payment) if kind.starts_with("invoice_payment.") => match &payment.invoice {
                Some(invoice) => Self::Payment(invoice, payment),
                None => Self::Nothing("the payment names no invoice"),
            },
            EventObject::Charge(charge) if matches!(kind, "charge.refunded" | "charge.updated") => Self::Charge(charge),
            EventObject::Other { charge, payment_intent, .. } if kind.starts_with("charge.dispute.") => {
                Self::Dispute { charge: charge.as_ref(), intent: payment_intent.as_ref() }
            }
            EventObject::Refund(refund) if kind.starts_with("refund.") || kind == "charge.refund.updated" => {
                Self::Refund(refund)
            }
            EventObject::PaymentIntent(intent) if kind == "payment_intent.payment_failed" => Self::Failure(intent),
            EventObject::Other { object, invoice: Some(invoice), .. } if object == "credit_note" => {
                Self::CreditNote(invoice.clone())
            }
            EventObject::Other { object, invoice: Some(invoice), .. }
                if object == "invoice" || object == "invoice_payment" =>
            {
                Self::Named(invoice.clone())
            }
            EventObject::Related { kind, id: Some(id) } if kind == "invoice" => match StripeInvoiceId::parse(id) {
                Ok(invoice) => Self::Named(invoice),
                Err(_bad) => Self::Nothing("the invoice's id is none"),
            },
            _ if OF_WALLETS.iter().any(|prefix| kind.starts_with(prefix)) => {
                Self::Nothing("wallets and stored cards are not kept here")
            }
            _ => Self::Nothing("events of this type are not used"),
        }
    }

    /// The charge and the intent by which the invoice is found, for what is about money and names no invoice.
    pub(super) fn money(&self) -> Option<(Option<&ChargeId>, Option<&PaymentIntentId>)> {
        match self {
            Self::Charge(charge) => Some((Some(&charge.id), charge.payment_intent.as_ref())),
            Self::Dispute { charge, intent } => Some((*charge, *intent)),
            Self::Refund(refund) => Some((refund.charge.as_ref(), refund.payment_intent.as_ref())),
            Self::Failure(intent) => Some((None, Some(&intent.id))),
            Self::Invoice(_) | Self::Payment(..) | Self::Named(_) | Self::CreditNote(_) | Self::Nothing(_) => None,
        }
    }

    /// Whom it is about, where it says so.
    pub(super) fn customer(&self) -> Option<&StripeCustomerId> {
        match self {
            Self::Invoice(invoice) => invoice.customer.as_ref(),
            Self::Charge(charge) => charge.customer.as_ref(),
            _ => None,
        }
    }

    /// The invoice at Stripe, where it is named.
    pub(super) fn invoice(&self) -> Option<&StripeInvoiceId> {
        match self {
            Self::Invoice(invoice) => Some(&invoice.id),
            Self::Payment(invoice, _) => Some(invoice),
            Self::Named(invoice) | Self::CreditNote(invoice) => Some(invoice),
            Self::Failure(intent) => intent.invoice.as_ref(),
            Self::Charge(_) | Self::Dispute { .. } | Self::Refund(_) | Self::Nothing(_) => None,
        }
    }

    /// The id that events wait for together: the invoice, or the payment intent of what is about money.
    pub(super) fn object(&self) -> Option<&str> {
        match self.money() {
            Some((charge, intent)) => intent.map(PaymentIntentId::as_str).or_else(|| charge.map(ChargeId::as_str)),
            None => self.invoice().map(StripeInvoiceId::as_str),
        }
    }

    /// The payment intent that it makes known.
    pub(super) fn intent(&self) -> Option<&str> {
        match self {
            Self::Payment(_, InvoicePayment { paid_by: PaidBy::Intent(intent, _), .. }) => Some(intent.as_str()),
            _ => None,
        }
    }
}

/// Why something of Stripe's cannot be used for an invoice of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unfit(pub(crate) &'static str);

/// Reads amounts in the currency of the invoice they are for.
#[derive(Clone, Copy)]
pub(super) struct Amounts<'a>(&'a CurrencyCode);

impl<'a> Amounts<'a> {
    /// For an invoice in `own`, when Stripe does not say another currency.
    pub(super) fn of(own: &'a CurrencyCode, stated: Option<&String>) -> Result<Self, Unfit> {
        let same = stated.is_none_or(|stated| parse_currency(stated).as_ref() == Some(own));
        if same { Ok(Self(own)) } else { Err(Unfit("it is in another currency than the invoice")) }
    }

    fn read(self, stated: Option<i64>) -> Result<Option<Minor>, Unfit> {
        let read = |amount| from_stripe_minor(amount, self.0).ok_or(Unfit("an amount does not fit the currency"));
        stated.map(read).transpose()
    }
}

/// An invoice of Stripe, as news of an invoice of ours in `currency`. None when it does not say its state.
pub(crate) fn of_invoice(
    invoice: &stripe::Invoice,
    kind: &str,
    currency: &CurrencyCode,
) -> Result<Option<News>, Unfit> {
    let amounts = Amounts::of(currency, invoice.currency.as_ref())?;
    let Some(status) = invoice.status.as_ref().and_then(status) else { return Ok(None) };
    let moments = &invoice.status_transitions;
    // What came beyond what was due came all the same, whether Stripe counts it as paid or beside that.
    let overpaid = invoice.amount_overpaid.filter(|beyond| *beyond > 0);
    let in_all = invoice.amount_due.zip(overpaid).map(|(due, beyond)| due.saturating_add(beyond));
    let snapshot = Snapshot {
        status,
        amount_due: amounts.read(invoice.amount_due)?,
        amount_paid: amounts.read(invoice.amount_paid.max(in_all))?,
        amount_remaining: amounts.read(invoice.amount_remaining)?,
        credited: amounts.read(invoice.pre_payment_credit_notes_amount)?,
        attempt_count: invoice.attempt_count,
        number: invoice.number.clone(),
        customer: invoice.customer.as_ref().map(|customer| customer.as_str().to_owned()),
        due_at: invoice.due_date,
        payment_intent: invoice.payment_intent.as_ref().map(|intent| intent.as_str().to_owned()),
        moments: Moments {
            finalized_at: moments.finalized_at,
            paid_at: moments.paid_at,
            voided_at: moments.voided_at,
            uncollectible_at: moments.marked_uncollectible_at,
        },
    };
    let attempt = match kind {
        "invoice.payment_failed" => Some(Attempt::Failed),
        "invoice.payment_action_required" | "invoice.payment_attempt_required" => Some(Attempt::NeedsAction),
        _ => None,
    };
    Ok(Some(News::Invoice {
        snapshot: Box::new(snapshot),
        links: SnapshotLinks {
            hosted_invoice_url: exposed(invoice.hosted_invoice_url.as_ref().ok()),
            invoice_pdf_url: exposed(invoice.invoice_pdf.as_ref().ok()),
        },
        attempt,
        deleted: kind == "invoice.deleted",
    }))
}

/// A payment of Stripe, as news. None when no money came yet.
pub(super) fn of_payment(payment: &InvoicePayment, currency: &CurrencyCode) -> Result<Option<News>, Unfit> {
    let amounts = Amounts::of(currency, payment.currency.as_ref())?;
    let paid = payment.status == Some(InvoicePaymentStatus::Paid);
    let Some(amount) = amounts.read(payment.amount_paid)?.filter(|amount| paid && amount.0 >= 0) else {
        return Ok(None);
    };
    let (payment_intent, charge) = match &payment.paid_by {
        PaidBy::Intent(intent, charge) => (Some(intent.as_str()), charge.as_ref().map(|charge| charge.id.as_str())),
        PaidBy::Charge(charge, _) => (None, Some(charge.as_str())),
        PaidBy::Other => (None, None),
    };
    let news = PaymentNews {
        amount,
        paid_at: payment.paid_at,
        payment_intent: payment_intent.map(str::to_owned),
        charge: charge.map(str::to_owned),
        outside: payment.paid_by == PaidBy::Other,
    };
    Ok(Some(News::Payment { id: payment.id.clone(), payment: news }))
}

/// A charge of Stripe, as news.
pub(super) fn of_charge(charge: &Charge, currency: &CurrencyCode) -> Result<News, Unfit> {
    let amounts = Amounts::of(currency, charge.currency.as_ref())?;
    let news = ChargeNews {
        amount_refunded: amounts.read(charge.amount_refunded)?.unwrap_or_default().max(Minor(0)),
        payment_intent: charge.payment_intent.as_ref().map(|intent| intent.as_str().to_owned()),
    };
    let receipt_url = exposed(charge.receipt_url.as_ref().ok());
    Ok(News::Charge { id: charge.id.as_str().to_owned(), charge: news, receipt_url })
}

/// A refund of Stripe, as news. None when it does not say how far it is, or how much it gives back.
pub(super) fn of_refund(refund: &Refund, currency: &CurrencyCode) -> Result<Option<News>, Unfit> {
    let amounts = Amounts::of(currency, refund.currency.as_ref())?;
    let state = match &refund.status {
        Some(RefundStatus::Pending | RefundStatus::RequiresAction) => RefundState::Pending,
        Some(RefundStatus::Succeeded) => RefundState::Succeeded,
        Some(RefundStatus::Canceled) => RefundState::Canceled,
        Some(RefundStatus::Failed) => RefundState::Failed,
        Some(RefundStatus::Other(_)) | None => return Ok(None),
    };
    let Some(amount) = amounts.read(refund.amount)?.filter(|amount| amount.0 > 0) else { return Ok(None) };
    let news = RefundNews {
        state,
        amount,
        made_at: refund.created,
        charge: refund.charge.as_ref().map(|charge| charge.as_str().to_owned()),
        payment_intent: refund.payment_intent.as_ref().map(|intent| intent.as_str().to_owned()),
        failure: refund.failure_reason.clone(),
    };
    Ok(Some(News::Refund { id: refund.id.clone(), refund: news }))
}

/// A failed attempt, as news. Without a charge it is told apart by its second. None when it does not say why.
pub(super) fn of_failure(intent: &PaymentIntent, at: Instant) -> Option<News> {
    let error = intent.last_error.as_ref()?;
    let charge = error.charge.as_ref().map(ChargeId::as_str);
    let id = charge.map_or_else(|| format!("{} {}", intent.id, at.utc().timestamp()), str::to_owned);
    let failure = FailureNews {
        payment_intent: intent.id.as_str().to_owned(),
        charge: charge.map(str::to_owned),
        code: error.code.clone(),
        message: error.message.clone(),
    };
    Some(News::Failure { id, failure })
}

fn exposed(link: Option<&Option<Link>>) -> Option<String> {
    link.and_then(Option::as_ref).map(|link| link.expose().to_owned())
}

const fn status(stated: &stripe::InvoiceStatus) -> Option<InvoiceStatus> {
    match stated {
        stripe::InvoiceStatus::Draft => Some(InvoiceStatus::Draft),
        stripe::InvoiceStatus::Open => Some(InvoiceStatus::Open),
        stripe::InvoiceStatus::Paid => Some(InvoiceStatus::Paid),
        stripe::InvoiceStatus::Uncollectible => Some(InvoiceStatus::Uncollectible),
        stripe::InvoiceStatus::Void => Some(InvoiceStatus::Void),
        stripe::InvoiceStatus::Other(_) => None,
    }
}

/// The invoice of ours that Stripe's names, if it looks like one.
pub(crate) fn named(metadata: &BTreeMap<String, String>) -> Option<entity::InvoiceId> {
    let id = metadata.get(INVOICE_METADATA)?;
    let plain = id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    (plain && id.starts_with(entity::InvoiceId::PREFIX)).then(|| id.as_str().into())
}

/// The latest moment that an invoice states: it is at least as new as that.
pub(super) fn latest(invoice: &stripe::Invoice) -> Option<Instant> {
    let moments = &invoice.status_transitions;
    [invoice.created, moments.finalized_at, moments.paid_at, moments.voided_at, moments.marked_uncollectible_at]
        .into_iter()
        .flatten()
        .max()
}
