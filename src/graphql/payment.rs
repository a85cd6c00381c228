//! Payments, refunds and the means they use.

use std::sync::Arc;

use async_graphql::{Context, ID, Object, SimpleObject};
use entity::{PaymentId, payment, payment_method};

use super::context::{Nullable, guarded, link, nullable, request};
use super::error::Failure;
use super::invoice::Invoice;
use super::kinds::{PaymentKind, PaymentMethodType, PaymentReferenceKind, PaymentStatus, UrlFreshness};
use super::money::Money;
use super::scalars::{DateTime, Link};
use crate::links::{Ask, Seen};

/// A payment or a refund.
#[derive(Clone)]
pub(super) struct Payment(pub(super) Arc<payment::Model>);

impl Payment {
    /// The payment of that id: there for whoever may see its invoice.
    pub(super) async fn load(ctx: &Context<'_>, id: PaymentId) -> Result<Option<Self>, Failure> {
        let loaders = &request(ctx)?.loaders;
        let Some(row) = loaders.payment(id).await? else {
            return Ok(None);
        };
        let invoice = loaders.invoice(row.invoice_id.clone()).await?;
        Ok(invoice.map(|_visible| Self(row)))
    }
}

/// One attempt to pay an invoice, or one refund.
#[Object]
impl Payment {
    /// The id here: `pay_` and a ULID.
    pub(super) async fn id(&self) -> ID {
        ID(self.0.id.0.clone())
    }

    /// The id in the source system.
    fn external_id(&self) -> Option<&String> {
        self.0.external_id.as_ref()
    }

    /// Whether money came in or went back.
    fn kind(&self) -> PaymentKind {
        self.0.kind.into()
    }

    /// The state of the attempt.
    fn status(&self) -> PaymentStatus {
        self.0.status.into()
    }

    /// The state as the source words it.
    fn source_status(&self) -> Option<&String> {
        self.0.source_status.as_ref()
    }

    /// Whether the provider treats it as the invoice's own payment.
    fn is_default(&self) -> bool {
        self.0.is_default
    }

    /// What was asked for.
    fn amount_requested(&self) -> Money {
        Money::new(self.0.amount_requested, &self.0.currency)
    }

    /// What was paid, or for a refund what went back; zero until it succeeded.
    fn amount_paid(&self) -> Money {
        Money::new(self.0.amount_paid, &self.0.currency)
    }

    /// What of it went back.
    fn amount_refunded(&self) -> Money {
        Money::new(self.0.amount_refunded, &self.0.currency)
    }

    /// What it refers to at the provider.
    fn reference(&self) -> PaymentReference {
        PaymentReference {
            kind: self.0.reference_kind.into(),
            payment_intent_id: self.0.payment_intent_id.clone(),
            payment_id: self.0.provider_payment_id.clone(),
            charge_id: self.0.charge_id.clone(),
        }
    }

    /// The provider, such as `stripe`.
    fn provider(&self) -> &String {
        &self.0.provider
    }

    /// The stored means of payment that was used. Null when none was, or it is not known any more.
    async fn payment_method(&self, ctx: &Context<'_>) -> Nullable<PaymentMethod> {
        nullable(async {
            match &self.0.payment_method_id {
                Some(id) => Ok(request(ctx)?.loaders.payment_method(id.clone()).await?.map(PaymentMethod)),
                None => Ok(None),
            }
        })
        .await
    }

    /// The means of payment as it was then; stays when the stored one is removed.
    fn payment_method_snapshot(&self) -> Option<PaymentMethodSnapshot> {
        let row = &self.0;
        let known = row.pm_type.is_some()
            || [&row.pm_card_brand, &row.pm_card_last4, &row.pm_account_hint].iter().any(|part| part.is_some());
        known.then(|| PaymentMethodSnapshot {
            r#type: row.pm_type.unwrap_or_default().into(),
            card_brand: row.pm_card_brand.clone(),
            card_last4: row.pm_card_last4.clone(),
            account_hint: row.pm_account_hint.clone(),
        })
    }

    /// Why it failed. Null when it did not.
    fn failure(&self) -> Option<PaymentFailure> {
        let (code, message) = (self.0.failure_code.clone(), self.0.failure_message.clone());
        let retryable = code.as_deref().map(|code| RETRYABLE.contains(&code));
        (code.is_some() || message.is_some()).then_some(PaymentFailure { code, message, retryable })
    }

    /// What the customer must do. Null when there is nothing to do.
    fn next_action(&self) -> Option<PaymentNextAction> {
        let action = self.0.next_action.as_ref()?;
        let text = |key: &str| action.get(key).and_then(entity::Json::as_str).map(str::to_owned);
        Some(PaymentNextAction { r#type: text("type").unwrap_or_default(), redirect: text("redirect_url") })
    }

    /// For a refund: the payment that it returns.
    async fn refund_of(&self, ctx: &Context<'_>) -> Nullable<Payment> {
        nullable(async {
            match &self.0.refunded_payment_id {
                Some(id) => Ok(request(ctx)?.loaders.payment(id.clone()).await?.map(Payment)),
                None => Ok(None),
            }
        })
        .await
    }

    /// Refunds of this payment, oldest first.
    async fn refunds(&self, ctx: &Context<'_>) -> Nullable<Vec<Payment>> {
        nullable(async {
            let rows = request(ctx)?.loaders.refunds_of(self.0.id.clone()).await?;
            request(ctx)?.charge(rows.len())?;
            Ok(Some(rows.iter().cloned().map(Payment).collect()))
        })
        .await
    }

    /// The receipt at Stripe. May change between calls. Null when there is none. Needs the scope
    /// `invoices.links:read`.
    async fn receipt_url(
        &self,
        ctx: &Context<'_>,
        #[graphql(default, desc = "How current it is to be.")] freshness: UrlFreshness,
    ) -> Nullable<Link> {
        guarded(ctx, ("Payment", "receiptUrl"), async {
            let request = request(ctx)?;
            if !request.links.are_live() {
                return Ok(request.links.stored_receipt(&self.0).map(Link));
            }
            let Some(invoice) = request.loaders.invoice(self.0.invoice_id.clone()).await? else { return Ok(None) };
            let ask = Ask::PaymentReceipt(Arc::clone(&self.0), freshness.into());
            match request.link(&invoice, ask).await? {
                Seen::Nothing => Ok(request.links.stored_receipt(&self.0).map(Link)),
                seen => link(seen),
            }
        })
        .await
    }

    /// The invoice that is paid. Needs the scope `invoices:read`.
    async fn invoice(&self, ctx: &Context<'_>) -> Nullable<Invoice> {
        guarded(ctx, ("Payment", "invoice"), async {
            Ok(Invoice::some(request(ctx)?.loaders.invoice(self.0.invoice_id.clone()).await?))
        })
        .await
    }

    /// When it was started.
    fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// When the provider decided it.
    fn processed_at(&self) -> Option<DateTime> {
        self.0.processed_at.map(DateTime)
    }

    /// When the money arrived, or went back.
    fn paid_at(&self) -> Option<DateTime> {
        self.0.paid_at.map(DateTime)
    }

    /// When it failed.
    fn failed_at(&self) -> Option<DateTime> {
        self.0.failed_at.map(DateTime)
    }

    /// When it was given up.
    fn canceled_at(&self) -> Option<DateTime> {
        self.0.canceled_at.map(DateTime)
    }
}

/// Failures after which the same means of payment may work later.
const RETRYABLE: [&str; 4] = ["insufficient_funds", "authentication_required", "processing_error", "try_again_later"];

/// What a payment refers to at its provider.
#[derive(SimpleObject)]
pub(super) struct PaymentReference {
    /// The sort of thing.
    kind: PaymentReferenceKind,
    /// The payment intent.
    payment_intent_id: Option<String>,
    /// The payment or transaction.
    payment_id: Option<String>,
    /// The charge.
    charge_id: Option<String>,
}

/// A means of payment as it was when it was used.
#[derive(SimpleObject)]
pub(super) struct PaymentMethodSnapshot {
    /// The sort.
    r#type: PaymentMethodType,
    /// The card's brand.
    card_brand: Option<String>,
    /// The card's last four digits.
    card_last4: Option<String>,
    /// The end of the account's number, or another hint.
    account_hint: Option<String>,
}

/// Why a payment failed.
#[derive(SimpleObject)]
pub(super) struct PaymentFailure {
    /// The provider's code, such as `card_declined`.
    code: Option<String>,
    /// The provider's sentence.
    message: Option<String>,
    /// Whether the same means of payment may work later. Null when the code says nothing.
    retryable: Option<bool>,
}

/// What a customer must do for a payment to go on.
pub(super) struct PaymentNextAction {
    r#type: String,
    redirect: Option<String>,
}

/// What a customer must do for a payment to go on.
#[Object]
impl PaymentNextAction {
    /// The sort of action, such as `redirect_to_url`.
    fn r#type(&self) -> &String {
        &self.r#type
    }

    /// Where the customer does it; null when it leads to a host that is not known. Needs the scope `invoices.links:read`.
    async fn redirect_url(&self, ctx: &Context<'_>) -> Nullable<Link> {
        guarded(ctx, ("PaymentNextAction", "redirectUrl"), async {
            let links = &request(ctx)?.links;
            Ok(self.redirect.as_deref().and_then(|link| links.shown(link)).map(Link))
        })
        .await
    }
}

/// A stored means of payment.
pub(super) struct PaymentMethod(pub(super) Arc<payment_method::Model>);

/// A stored means of payment. Numbers of cards and accounts are never stored.
#[Object]
impl PaymentMethod {
    /// The id here: `pm_` and a ULID.
    pub(super) async fn id(&self) -> ID {
        ID(self.0.id.0.clone())
    }

    /// The sort.
    fn r#type(&self) -> PaymentMethodType {
        self.0.kind.into()
    }

    /// The card's brand.
    fn card_brand(&self) -> Option<&String> {
        self.0.card_brand.as_ref()
    }

    /// The card's last four digits.
    fn card_last4(&self) -> Option<&String> {
        self.0.card_last4.as_ref()
    }

    /// The month in which the card expires, 1 to 12.
    fn exp_month(&self) -> Option<i32> {
        self.0.exp_month
    }

    /// The year in which the card expires.
    fn exp_year(&self) -> Option<i32> {
        self.0.exp_year
    }

    /// The end of the account's number, or another hint.
    fn account_hint(&self) -> Option<&String> {
        self.0.account_hint.as_ref()
    }

    /// Whether it is used when none is named.
    fn is_default(&self) -> bool {
        self.0.is_default
    }
}
