//! The invoice: what it is for, who paid, where to pay.

use std::sync::Arc;

use async_graphql::{Context, ID, Object, Result, SimpleObject};
use entity::{PaymentStatus as Status, invoice};

use super::catalogue::BillingSubscription;
use super::connection::within;
use super::context::{Nullable, guarded, guarded_value, link, nullable, request};
use super::customer::Customer;
use super::customer_snapshot::CustomerSnapshot;
use super::discount::Discount;
use super::error::Failure;
use super::input;
use super::integrity::Integrity;
use super::invoice_change::InvoiceChange;
use super::invoice_event::InvoiceEvent;
use super::kinds::{
    BillingReason, CollectionMethod, InvoicePaymentStatus, InvoiceStatus, InvoiceType, OriginKind, PaymentKind,
    SourceSystem, TaxMode, UrlFreshness,
};
use super::line_item::LineItem;
use super::money::{ExternalAttribute, MetadataEntry, Money, Period, external_attributes, metadata};
use super::payment::Payment;
use super::rental::Rental;
use super::scalars::{CurrencyCode, Date, DateTime, Decimal, Link};
use super::source_document::SourceDocument;
use super::tax::InvoiceTax;
use super::upstream_invoice::UpstreamInvoice;
use crate::domain::invoice as rules;
use crate::links::{Ask, Links, Seen};
use crate::store::line_item::Part;

/// Lines of one answer at the most.
const LINES_MAX: u64 = 1_000;

/// Payments and entries of the history in one answer at the most.
const ROWS_MAX: u64 = 100;

/// An invoice.
#[derive(Clone)]
pub(super) struct Invoice(pub(super) Arc<invoice::Model>);

impl Invoice {
    /// The row as an edge gives it.
    pub(super) fn some(row: Option<Arc<invoice::Model>>) -> Option<Self> {
        row.map(Self)
    }

    /// A link, if the caller may see links.
    async fn link(&self, ctx: &Context<'_>, field: &'static str, ask: Ask) -> Nullable<Link> {
        guarded(ctx, ("Invoice", field), async { link(request(ctx)?.link(&self.0, ask).await?) }).await
    }

    fn money(&self, minor: entity::Minor) -> Money {
        Money::new(minor, &self.0.currency)
    }
}

/// An invoice: what it bills, what is due, and where to pay it. Amounts are stored as they were stated, never
/// corrected; where an imported document does not add up, `integrity` says so.
#[Object]
impl Invoice {
    /// The id here: `inv_` and a ULID. Ids never change and are never reused.
    pub(super) async fn id(&self) -> ID {
        ID(self.0.id.0.clone())
    }

    /// The id in the source system. Null for invoices made here.
    fn external_id(&self) -> Option<&String> {
        self.0.external_id.as_ref()
    }

    /// Where the invoice comes from.
    fn source_system(&self) -> SourceSystem {
        self.0.source_system.into()
    }

    /// The integer id that HostBill style clients know the invoice by, as text. Null when it has none.
    fn legacy_number(&self) -> Option<String> {
        self.0.legacy_number.map(|number| number.to_string())
    }

    /// The number printed on the invoice. Null while a draft; never changes afterwards.
    fn number(&self) -> Option<&String> {
        self.0.number.as_ref()
    }

    /// The number it got when a pro-forma invoice became final.
    fn paid_number(&self) -> Option<&String> {
        self.0.paid_number.as_ref()
    }

    /// The number of the pro-forma invoice before it.
    fn proforma_number(&self) -> Option<&String> {
        self.0.proforma_number.as_ref()
    }

    /// The state of the invoice.
    fn status(&self) -> InvoiceStatus {
        self.0.status.into()
    }

    /// The state as the source system words it. Null for invoices made here.
    fn source_status(&self) -> Option<&String> {
        self.0.source_status.as_ref()
    }

    /// When the invoice entered its present state. Null when the source does not say.
    fn status_changed_at(&self) -> Option<DateTime> {
        rules::status_changed_at(&self.0).map(DateTime)
    }

    /// Where the invoice stands with its payments.
    async fn payment_status(&self, ctx: &Context<'_>) -> Result<InvoicePaymentStatus> {
        let state = request(ctx)?.loaders.payment_state_of(self.0.id.clone()).await.map_err(Failure::from)?;
        Ok(state.ok_or(Failure::Defect("an invoice without a payment state"))?.into())
    }

    /// Whether money is still owed after the due moment.
    fn is_overdue(&self, ctx: &Context<'_>) -> Result<bool> {
        Ok(rules::is_overdue(&self.0, request(ctx)?.now))
    }

    /// Whole days since the due moment; 0 when not overdue.
    fn days_overdue(&self, ctx: &Context<'_>) -> Result<i32> {
        Ok(i32::try_from(rules::days_overdue(&self.0, request(ctx)?.now)).unwrap_or(i32::MAX))
    }

    /// Why the invoice was made.
    fn billing_reason(&self) -> BillingReason {
        self.0.billing_reason.into()
    }

    /// What sort of invoice it is.
    fn invoice_type(&self) -> InvoiceType {
        self.0.invoice_type.into()
    }

    /// What the invoice was made from.
    fn origin(&self) -> InvoiceOrigin {
        InvoiceOrigin(Arc::clone(&self.0))
    }

    /// How the money is to be collected.
    fn collection_method(&self) -> CollectionMethod {
        self.0.collection_method.into()
    }

    /// The currency of every amount on the invoice.
    fn currency(&self) -> CurrencyCode {
        CurrencyCode(self.0.currency.clone())
    }

    /// Whether the invoice is real. False for test data.
    fn livemode(&self) -> bool {
        self.0.livemode
    }

    /// Whether the invoice is read-only here, as imported ones are.
    fn locked(&self) -> bool {
        self.0.locked
    }

    /// The sum of the lines after their own discounts, before the invoice's discounts and tax.
    fn subtotal(&self) -> Money {
        self.money(self.0.subtotal)
    }

    /// The part of the subtotal that recurs. Null when the source does not tell.
    fn subtotal_recurring(&self) -> Option<Money> {
        Money::some(self.0.subtotal_recurring, &self.0.currency)
    }

    /// Discounts of the whole invoice.
    fn discount_total(&self) -> Money {
        self.money(self.0.discount_total)
    }

    /// The sum of all taxes.
    fn tax_total(&self) -> Money {
        self.money(self.0.tax_total)
    }

    /// What the invoice amounts to, before credits and balances are applied.
    fn total(&self) -> Money {
        self.money(self.0.total)
    }

    /// Credits that were applied to the total.
    fn applied_credits(&self) -> Money {
        self.money(self.0.applied_credits)
    }

    /// The customer's balance around this invoice. Null when the source keeps none.
    fn balance(&self) -> Option<InvoiceBalance> {
        let known = [self.0.balance_start, self.0.balance_applied, self.0.balance_end];
        let [start, applied, end] = known.map(|part| self.money(part.unwrap_or_default()));
        known.iter().any(Option::is_some).then_some(InvoiceBalance { starting: start, applied, ending: end })
    }

    /// What is to be paid in all. Does not shrink when payments arrive: see `amountRemaining`.
    fn amount_due(&self) -> Money {
        self.money(self.0.amount_due)
    }

    /// What was paid. Refunds do not reduce it: see `amountRefunded`.
    fn amount_paid(&self) -> Money {
        self.money(self.0.amount_paid)
    }

    /// What is still to be paid; zero once void.
    fn amount_remaining(&self) -> Money {
        self.money(rules::amount_remaining(&self.0))
    }

    /// What was paid beyond the amount due.
    fn amount_overpaid(&self) -> Money {
        self.money(rules::amount_overpaid(&self.0))
    }

    /// What went back.
    fn amount_refunded(&self) -> Money {
        self.money(self.0.amount_refunded)
    }

    /// Whether the invoice was settled outside the system, such as by a bank transfer.
    fn paid_out_of_band(&self) -> bool {
        self.0.paid_out_of_band
    }

    /// The rate to the merchant's own currency that the source used. Null when none was.
    fn exchange_rate(&self) -> Option<Decimal> {
        self.0.exchange_rate.as_ref().map(Decimal::from)
    }

    /// Whether the customer is exempt from tax on this invoice.
    fn tax_exempt(&self) -> bool {
        self.0.tax_exempt
    }

    /// How the source computed the taxes. Null when it does not say.
    fn tax_config(&self) -> Option<TaxConfig> {
        self.0.tax_config.as_ref().map(|config| TaxConfig::of(self.0.tax_mode.into(), config))
    }

    /// The day printed on the invoice.
    fn issue_date(&self) -> Date {
        Date(self.0.issue_date)
    }

    /// The day by which it is to be paid.
    fn due_date(&self) -> Option<Date> {
        self.0.due_date.map(Date)
    }

    /// The moment after which it is overdue; the end of `dueDate` in UTC when only a day was stated.
    fn due_at(&self) -> Option<DateTime> {
        self.0.due_at.map(DateTime)
    }

    /// A later day that the source grants before it acts.
    fn pay_by_date(&self) -> Option<Date> {
        self.0.pay_by_date.map(Date)
    }

    /// Days from issue to due.
    fn net_terms_days(&self) -> Option<i32> {
        self.0.net_terms_days
    }

    /// The time that the invoice bills. Null when none was stated.
    fn period(&self) -> Option<Period> {
        Period::of(self.0.period_start, self.0.period_end, self.0.period_is_date)
    }

    /// When it was made.
    fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// When it last changed.
    fn updated_at(&self) -> DateTime {
        DateTime(self.0.updated_at)
    }

    /// When it was issued. Null while a draft.
    fn finalized_at(&self) -> Option<DateTime> {
        self.0.finalized_at.map(DateTime)
    }

    /// When it was settled.
    fn paid_at(&self) -> Option<DateTime> {
        self.0.paid_at.map(DateTime)
    }

    /// When it was cancelled.
    fn voided_at(&self) -> Option<DateTime> {
        self.0.voided_at.map(DateTime)
    }

    /// When it was given up on. Stays when it is paid after all.
    fn uncollectible_at(&self) -> Option<DateTime> {
        self.0.uncollectible_at.map(DateTime)
    }

    /// A sentence for the customer.
    fn description(&self) -> Option<&String> {
        self.0.description.as_ref()
    }

    /// A note printed on the invoice.
    fn memo(&self) -> Option<&String> {
        self.0.memo.as_ref()
    }

    /// The reference that the customer gave.
    fn reference(&self) -> Option<&String> {
        self.0.reference.as_ref()
    }

    /// The customer's purchase order.
    fn purchase_order(&self) -> Option<&String> {
        self.0.purchase_order.as_ref()
    }

    /// The order behind the invoice. Null when there is none.
    fn order(&self) -> Option<OrderRef> {
        let row = &self.0;
        let known = row.order_external_id.is_some() || row.order_number.is_some() || row.is_first_order.is_some();
        known.then(|| OrderRef {
            id: row.order_external_id.clone(),
            number: row.order_number.clone(),
            is_first: row.is_first_order,
        })
    }

    /// The template that recurring invoices of the source are made from.
    fn recurring_template_id(&self) -> Option<&String> {
        self.0.recurring_external_id.as_ref()
    }

    /// The brand it was issued under, in the source system.
    fn brand_id(&self) -> Option<&String> {
        self.0.brand_external_id.as_ref()
    }

    /// The contact it was sent to, in the source system.
    fn billing_contact_id(&self) -> Option<&String> {
        self.0.contact_external_id.as_ref()
    }

    /// Who takes the payments, as the source names it.
    fn payment_provider(&self) -> Option<PaymentProviderRef> {
        let (code, name) = (self.0.provider_external_id.clone(), self.0.provider_name.clone());
        (code.is_some() || name.is_some()).then_some(PaymentProviderRef { code, name })
    }

    /// Why the source last failed to issue the invoice. Null when it did not fail.
    fn last_finalization_error(&self, ctx: &Context<'_>) -> Result<Option<FinalizationError>> {
        let links = &request(ctx)?.links;
        Ok(self.0.last_finalization_error.as_ref().map(|error| FinalizationError::of(error, links)))
    }

    /// What the merchant attached, ordered by key.
    fn metadata(&self, #[graphql(desc = "Only these keys.")] keys: Option<Vec<String>>) -> Vec<MetadataEntry> {
        metadata(&self.0.metadata, keys)
    }

    /// The id of the customer; `customer` has the rest.
    fn customer_id(&self) -> ID {
        ID(self.0.customer_id.0.clone())
    }

    /// The customer as known now. Needs the scope `customers:read`.
    async fn customer(&self, ctx: &Context<'_>) -> Nullable<Customer> {
        guarded(ctx, ("Invoice", "customer"), async {
            Ok(Customer::some(request(ctx)?.loaders.customer(self.0.customer_id.clone()).await?))
        })
        .await
    }

    /// The customer as printed on the invoice. Null while a draft. Needs the scope `customers:read`; all but the
    /// name needs `customers.pii:read` as well.
    async fn customer_snapshot(&self, ctx: &Context<'_>) -> Nullable<CustomerSnapshot> {
        guarded(ctx, ("Invoice", "customerSnapshot"), async {
            let row = request(ctx)?.loaders.customer_snapshot_of(self.0.id.clone()).await?;
            Ok(row.map(CustomerSnapshot))
        })
        .await
    }

    /// The id of the rental that the invoice bills as a whole; lines may bill others.
    fn rental_id(&self) -> Option<ID> {
        self.0.rental_id.as_ref().map(|id| ID(id.0.clone()))
    }

    /// The rental that the invoice bills as a whole. Needs the scope `rentals:read`.
    async fn rental(&self, ctx: &Context<'_>) -> Nullable<Rental> {
        guarded(ctx, ("Invoice", "rental"), async {
            match &self.0.rental_id {
                Some(id) => Ok(Rental::some(request(ctx)?.loaders.rental(id.clone()).await?)),
                None => Ok(None),
            }
        })
        .await
    }

    /// The id of the subscription that the invoice was made from.
    fn subscription_id(&self) -> Option<ID> {
        self.0.subscription_id.as_ref().map(|id| ID(id.0.clone()))
    }

    /// The subscription that the invoice was made from.
    async fn subscription(&self, ctx: &Context<'_>) -> Nullable<BillingSubscription> {
        nullable(BillingSubscription::load(ctx, self.0.subscription_id.as_ref())).await
    }

    /// The lines in printed order, at most `first` of them. `lineItemCount` tells when there are more; continue with
    /// the id of the last one as `after`.
    async fn line_items(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 250, desc = "How many, 1 to 1000.")] first: i32,
        #[graphql(desc = "Only lines behind this one.")] after: Option<ID>,
    ) -> Nullable<Vec<LineItem>> {
        nullable(async {
            let after = after.map(|id| input::id("after", id)).transpose()?;
            let part = Part { first: within("first", first, LINES_MAX)?, after };
            let rows = request(ctx)?.loaders.line_items_of(self.0.id.clone(), part).await?;
            request(ctx)?.charge(rows.len())?;
            Ok(Some(rows.iter().map(|row| LineItem::of(row, &self.0)).collect()))
        })
        .await
    }

    /// How many lines the invoice has.
    async fn line_item_count(&self, ctx: &Context<'_>) -> Result<i32> {
        let count = request(ctx)?.loaders.line_item_count_of(self.0.id.clone()).await.map_err(Failure::from)?;
        Ok(i32::try_from(count).unwrap_or(i32::MAX))
    }

    /// Payments, oldest first; with `kind: REFUND` what went back, with `kind: null` both. Needs the scope
    /// `payments:read`.
    async fn payments(
        &self,
        ctx: &Context<'_>,
        #[graphql(default_with = "Some(PaymentKind::Payment)", desc = "Payments or refunds; null for both.")]
        kind: Option<PaymentKind>,
        #[graphql(default = 50, desc = "How many, 1 to 100.")] first: i32,
    ) -> Nullable<Vec<Payment>> {
        guarded(ctx, ("Invoice", "payments"), async {
            let first = within("first", first, ROWS_MAX)?;
            let rows = request(ctx)?.loaders.payments_of(self.0.id.clone()).await?;
            request(ctx)?.charge(rows.len())?;
            let wanted = rows.iter().filter(|row| kind.is_none_or(|kind| kind == row.kind.into()));
            Ok(Some(wanted.take(usize::try_from(first).unwrap_or(usize::MAX)).cloned().map(Payment).collect()))
        })
        .await
    }

    /// How many payments and refunds the invoice has. Needs the scope `payments:read`.
    async fn payment_count(&self, ctx: &Context<'_>) -> Nullable<i32> {
        guarded(ctx, ("Invoice", "paymentCount"), async {
            let rows = request(ctx)?.loaders.payments_of(self.0.id.clone()).await?;
            Ok(Some(i32::try_from(rows.len()).unwrap_or(i32::MAX)))
        })
        .await
    }

    /// The payment intent of the latest attempt that is still open. Null when there is none. Needs the scope
    /// `payments:read`.
    async fn payment_intent(&self, ctx: &Context<'_>) -> Nullable<PaymentIntentRef> {
        guarded(ctx, ("Invoice", "paymentIntent"), async {
            let loaders = &request(ctx)?.loaders;
            let rows = loaders.payments_of(self.0.id.clone()).await?;
            let open = |status| !matches!(status, Status::Succeeded | Status::Canceled | Status::Refunded);
            let latest = rows.iter().rev().find(|row| row.payment_intent_id.is_some() && open(row.status));
            let Some(payment) = latest else { return Ok(None) };
            let mirror = loaders.mirror_of(self.0.id.clone()).await?;
            Ok(Some(PaymentIntentRef {
                provider: payment.provider.clone(),
                account_id: mirror.and_then(|mirror| mirror.stripe_account_id.clone()),
                livemode: self.0.livemode,
                payment_intent_id: payment.payment_intent_id.clone(),
            }))
        })
        .await
    }

    /// Taxes in printed order.
    async fn taxes(&self, ctx: &Context<'_>) -> Nullable<Vec<InvoiceTax>> {
        nullable(async {
            let rows = request(ctx)?.loaders.taxes_of(self.0.id.clone()).await?;
            Ok(Some(rows.iter().map(|row| InvoiceTax::of(row, &self.0.currency)).collect()))
        })
        .await
    }

    /// Discounts of the whole invoice; those of a line stand with the line.
    async fn discounts(&self, ctx: &Context<'_>) -> Nullable<Vec<Discount>> {
        nullable(async {
            let rows = request(ctx)?.loaders.discounts_of(self.0.id.clone()).await?;
            let whole = rows.iter().filter(|row| row.line_item_id.is_none());
            Ok(Some(whole.map(|row| Discount::of(row, &self.0.currency)).collect()))
        })
        .await
    }

    /// Changes in mid-cycle that the invoice prorates, oldest first.
    async fn changes(&self, ctx: &Context<'_>) -> Nullable<Vec<InvoiceChange>> {
        nullable(async {
            let rows = request(ctx)?.loaders.changes_of(self.0.id.clone()).await?;
            Ok(Some(rows.iter().map(|row| InvoiceChange::of(row, &self.0)).collect()))
        })
        .await
    }

    /// Stripe's page where the invoice can be seen and paid. May change between calls; `upstream.freshness` says how
    /// current it is. Null for drafts and for invoices that Stripe never had. Needs the scope `invoices.links:read`.
    async fn hosted_invoice_url(
        &self,
        ctx: &Context<'_>,
        #[graphql(default, desc = "How current it is to be.")] freshness: UrlFreshness,
    ) -> Nullable<Link> {
        self.link(ctx, "hostedInvoiceUrl", Ask::Page(freshness.into())).await
    }

    /// The invoice as a PDF, at Stripe. May change between calls. Null for drafts and for invoices that Stripe never
    /// had. Needs the scope `invoices.links:read`.
    async fn invoice_pdf_url(
        &self,
        ctx: &Context<'_>,
        #[graphql(default, desc = "How current it is to be.")] freshness: UrlFreshness,
    ) -> Nullable<Link> {
        self.link(ctx, "invoicePdfUrl", Ask::Pdf(freshness.into())).await
    }

    /// The receipt of the newest payment, at Stripe; `payments` has one for each. Null while nothing was paid, and
    /// when it was paid outside Stripe. Needs the scope `invoices.links:read`.
    async fn receipt_url(
        &self,
        ctx: &Context<'_>,
        #[graphql(default, desc = "How current it is to be.")] freshness: UrlFreshness,
    ) -> Nullable<Link> {
        self.link(ctx, "receiptUrl", Ask::Receipt(freshness.into())).await
    }

    /// A pay link that works now: Stripe is asked for it every time. Null when there is nothing to pay or Stripe never
    /// had the invoice; null with an error whose code begins with `UPSTREAM_` when Stripe cannot be asked,
    /// `hostedInvoiceUrl` being the next best then. Needs the scope `invoices.links:read`.
    async fn pay_url(&self, ctx: &Context<'_>) -> Nullable<Link> {
        self.link(ctx, "payUrl", Ask::Pay).await
    }

    /// What is known of the invoice's mirror at Stripe, with what was fetched for this answer. Null when it was never
    /// mirrored.
    async fn upstream(&self, ctx: &Context<'_>) -> Nullable<UpstreamInvoice> {
        nullable(async {
            let seen = request(ctx)?.link(&self.0, Ask::State).await?;
            let Seen::State(state) = seen else { return Ok(None) };
            Ok(Some(UpstreamInvoice { state, invoice: Arc::clone(&self.0) }))
        })
        .await
    }

    /// The history of the invoice, newest first. Needs the scope `invoices.internal:read`.
    async fn events(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 50, desc = "How many, 1 to 100.")] first: i32,
    ) -> Nullable<Vec<InvoiceEvent>> {
        guarded(ctx, ("Invoice", "events"), async {
            let first = within("first", first, ROWS_MAX)?;
            let rows = request(ctx)?.loaders.events_of(self.0.id.clone(), first).await?;
            request(ctx)?.charge(rows.len())?;
            Ok(Some(rows.iter().cloned().map(InvoiceEvent).collect()))
        })
        .await
    }

    /// What the source stated and the schema has no field for. Needs the scope `invoices.internal:read`.
    fn external_attributes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only these keys.")] keys: Option<Vec<String>>,
    ) -> Nullable<Vec<ExternalAttribute>> {
        let attributes = external_attributes(&self.0.external_attributes, keys);
        guarded_value(ctx, ("Invoice", "externalAttributes"), Some(attributes))
    }

    /// Whether what was imported adds up, and where it does not. Needs the scope `invoices.internal:read`.
    fn integrity(&self, ctx: &Context<'_>) -> Nullable<Integrity> {
        guarded_value(ctx, ("Invoice", "integrity"), Some(Integrity::of(&self.0.integrity_issues)))
    }

    /// The document that the invoice was imported from, without the credentials it held. Null for invoices made here.
    /// Needs the scope `documents:read`.
    async fn source_document(&self, ctx: &Context<'_>) -> Nullable<SourceDocument> {
        guarded(ctx, ("Invoice", "sourceDocument"), async {
            let row = request(ctx)?.loaders.source_document_of(self.0.id.clone()).await?;
            Ok(row.map(SourceDocument))
        })
        .await
    }
}

/// What an invoice was made from.
pub(super) struct InvoiceOrigin(Arc<invoice::Model>);

/// What an invoice was made from.
#[Object]
impl InvoiceOrigin {
    /// The sort of origin.
    fn kind(&self) -> OriginKind {
        self.0.origin_kind.into()
    }

    /// What was attached to the origin when the invoice was made: a copy, not what it has now.
    fn metadata(&self, #[graphql(desc = "Only these keys.")] keys: Option<Vec<String>>) -> Vec<MetadataEntry> {
        metadata(&self.0.origin_metadata, keys)
    }
}

/// The customer's balance around an invoice, as the source states it; the three need not add up.
#[derive(SimpleObject)]
pub(super) struct InvoiceBalance {
    /// Before the invoice.
    starting: Money,
    /// What the invoice took: negative when the balance paid a part of it.
    applied: Money,
    /// After the invoice.
    ending: Money,
}

/// The order behind an invoice.
#[derive(SimpleObject)]
pub(super) struct OrderRef {
    /// Its id in the source system.
    id: Option<String>,
    /// Its number.
    number: Option<String>,
    /// Whether it was the customer's first.
    is_first: Option<bool>,
}

/// Who takes the payments, as the source names it.
#[derive(SimpleObject)]
pub(super) struct PaymentProviderRef {
    /// The source's code for it.
    code: Option<String>,
    /// Its name.
    name: Option<String>,
}

/// A payment intent at the provider.
#[derive(SimpleObject)]
pub(super) struct PaymentIntentRef {
    /// The provider, such as `stripe`.
    provider: String,
    /// The account at the provider.
    account_id: Option<String>,
    /// Whether it is real.
    livemode: bool,
    /// Its id at the provider.
    payment_intent_id: Option<String>,
}

/// How the source computed the taxes.
#[derive(SimpleObject)]
pub(super) struct TaxConfig {
    /// Whether prices contain the tax.
    mode: TaxMode,
    /// Where it rounds.
    rounding: Option<TaxRounding>,
    /// Whether the second tax is computed on top of the first.
    compound_level2: Option<bool>,
    /// Whether a tax may be negative.
    allow_negative: Option<bool>,
    /// Whether credits are taxed.
    tax_credits: Option<bool>,
}

/// Where taxes are rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, async_graphql::Enum)]
pub(super) enum TaxRounding {
    /// On each line.
    PerLine,
    /// On the invoice.
    PerInvoice,
}

impl TaxConfig {
    fn of(mode: TaxMode, config: &entity::Json) -> Self {
        let flag = |key: &str| config.get(key).and_then(entity::Json::as_bool);
        let rounding = match config.get("rounding").and_then(entity::Json::as_str) {
            Some("PER_LINE") => Some(TaxRounding::PerLine),
            Some("PER_INVOICE") => Some(TaxRounding::PerInvoice),
            _ => None,
        };
        Self {
            mode,
            rounding,
            compound_level2: flag("compound_level2"),
            allow_negative: flag("allow_negative"),
            tax_credits: flag("tax_credits"),
        }
    }
}

/// Why the source failed to issue an invoice, in its own words.
#[derive(SimpleObject)]
pub(super) struct FinalizationError {
    /// A short code.
    code: Option<String>,
    /// A sentence.
    message: Option<String>,
    /// The sort of error.
    r#type: Option<String>,
    /// The parameter that is to blame.
    param: Option<String>,
    /// Where the error is documented; null when the link leads elsewhere than links may.
    doc_url: Option<String>,
    /// Why a card was declined.
    decline_code: Option<String>,
    /// What to do after a decline.
    advice_code: Option<String>,
    /// What the card network advises.
    network_advice_code: Option<String>,
    /// Why the card network declined.
    network_decline_code: Option<String>,
    /// The sort of means of payment.
    payment_method_type: Option<String>,
}

impl FinalizationError {
    fn of(error: &entity::Json, links: &Links) -> Self {
        let text = |key: &str| error.get(key).and_then(entity::Json::as_str).map(str::to_owned);
        Self {
            code: text("code"),
            message: text("message"),
            r#type: text("type"),
            param: text("param"),
            doc_url: text("doc_url").and_then(|link| links.documentation(&link)),
            decline_code: text("decline_code"),
            advice_code: text("advice_code"),
            network_advice_code: text("network_advice_code"),
            network_decline_code: text("network_decline_code"),
            payment_method_type: text("payment_method_type"),
        }
    }
}
