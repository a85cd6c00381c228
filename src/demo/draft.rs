//! A demo invoice in the making: every amount, timestamp and history entry is derived here, in one place.
//!
//! Call in the order of life: lines, then discounts, taxes and credits, then [`Draft::finalize`], then what happened
//! to it. Each step records its entry of the history.

use chrono::TimeDelta;
use entity::{
    BillingReason, CollectionMethod, EventSource, Instant, InvoiceId, InvoiceStatus, InvoiceType, Json, LineItemKind,
    Minor, OriginKind, SourceSystem, customer, customer_snapshot, discount, invoice, invoice_change, invoice_event,
    payment_method, rental, subscription, tax, upstream_invoice,
};
use serde_json::json;

use super::{
    DemoInvoice,
    calendar::after,
    line::{LineDraft, decimal, percent_of},
    person::Person,
};
use crate::domain::{
    bill::{self, Bill, BillKeys},
    decimal::Decimal,
    ids,
    money::{Money, exponent},
};

/// An invoice in the making, with the history it has so far.
pub(super) struct Draft<'a> {
    pub(super) who: &'a Person,
    pub(super) name: String,
    pub(super) bill: Bill,
    pub(super) method: payment_method::Model,
    id: InvoiceId,
    history: Vec<invoice_event::Model>,
}

/// Who caused an entry of the history.
#[derive(Clone, Copy, Debug)]
pub(super) enum Actor {
    /// The meter, the clock: nobody in person.
    System,
    /// Someone of the company.
    Merchant,
    /// Stripe, by webhook.
    Stripe,
}

impl<'a> Draft<'a> {
    /// An empty draft. The name and the moment make its id.
    pub(super) fn new(who: &'a Person, name: &str, reason: BillingReason, created_at: Instant) -> Self {
        let invoice = invoice::Model {
            billing_reason: reason,
            invoice_type: invoice_type(reason),
            origin_kind: origin(reason),
            collection_method: CollectionMethod::ChargeAutomatically,
            currency: who.currency(),
            issue_date: created_at.utc().date_naive(),
            tax_exempt: who.row.tax_exempt.unwrap_or_default(),
            created_at,
            ..Default::default()
        };
        let mut draft = Self {
            who,
            name: name.to_owned(),
            bill: Bill { invoice, ..Default::default() },
            method: who.method.clone(),
            id: ids::at(created_at, &["demo", name]),
            history: Vec::new(),
        };
        draft.enter(InvoiceStatus::Draft, created_at, "created", Actor::System);
        draft
    }

    /// A top-up that the card refused, now to be paid by hand within a week.
    pub(super) fn topup(who: &'a Person, name: &str, created_at: Instant, amount: Minor) -> Self {
        let money = Money::new(amount, &who.currency());
        let text = match money.currency.0.as_str() {
            "USD" => format!("${}", money.amount()),
            _ => money.formatted(),
        };
        let description = format!("Auto-topup of {text} (card declined)");
        let line = LineDraft::flat(LineItemKind::TopUp, &description, amount.0);
        Self::new(who, name, BillingReason::TopupFailed, created_at).due_in(7).line(line)
    }

    /// From here on the customer's second means of payment is used.
    pub(super) fn with_spare(mut self) -> Self {
        if let Some(spare) = &self.who.spare {
            self.method = spare.clone();
        }
        self
    }

    /// Facts that no amount and no state follows from.
    pub(super) fn with(mut self, change: impl FnOnce(&mut invoice::Model)) -> Self {
        change(&mut self.bill.invoice);
        self
    }

    /// To be paid so many days after it was made.
    pub(super) fn due_in(mut self, days: i64) -> Self {
        let due = after(self.bill.invoice.created_at, TimeDelta::days(days));
        self.bill.invoice.due_at = Some(due);
        self.bill.invoice.due_date = Some(due.utc().date_naive());
        self
    }

    /// Sent by mail, with so many days to pay.
    pub(super) fn net(self, days: i32) -> Self {
        self.due_in(i64::from(days)).with(|invoice| {
            invoice.collection_method = CollectionMethod::SendInvoice;
            invoice.net_terms_days = Some(days);
        })
    }

    /// The rental it bills.
    pub(super) fn rental(self, rental: &rental::Model) -> Self {
        self.with(|invoice| invoice.rental_id = Some(rental.id.clone()))
    }

    /// The subscription it was made from.
    pub(super) fn subscription(mut self, subscription: &subscription::Model) -> Self {
        self.bill.invoice.origin_metadata = subscription.metadata.clone();
        self.bill.subscription = Some(subscription.clone());
        self
    }

    /// One more line.
    pub(super) fn line(mut self, line: LineDraft) -> Self {
        let resolved = line.resolve(&self.bill.invoice.currency, self.digits());
        if let Some((product, price)) = resolved.item {
            if !self.bill.products.contains(&product) {
                self.bill.products.push(product);
            }
            if !self.bill.prices.contains(&price) {
                self.bill.prices.push(price);
            }
        }
        self.bill.lines.push(resolved.line);
        self
    }

    /// More lines.
    pub(super) fn lines(self, lines: impl IntoIterator<Item = LineDraft>) -> Self {
        lines.into_iter().fold(self, Self::line)
    }

    /// A change in the middle of the cycle that lines prorate, named by their foreign ids.
    pub(super) fn change(mut self, change: invoice_change::Model) -> Self {
        self.bill.changes.push(change);
        self
    }

    /// A coupon for the whole invoice, in percent of its lines.
    pub(super) fn coupon(mut self, coupon: &str, name: &str, percent: i64) -> Self {
        self.bill.discounts.push(discount::Model {
            kind: entity::DiscountKind::Coupon,
            coupon_external_id: Some(coupon.to_owned()),
            name: name.to_owned(),
            amount: percent_of(self.subtotal(), Decimal::from_integer(percent)),
            ..Default::default()
        });
        self
    }

    /// Credits that pay so many percent of the lines.
    pub(super) fn credited(self, percent: i64) -> Self {
        let credits = percent_of(self.net_amount(), Decimal::from_integer(percent));
        self.with(|invoice| invoice.applied_credits = credits)
    }

    /// The taxes that are levied on the customer's invoices.
    pub(super) fn taxed(mut self) -> Self {
        let net = self.net_amount();
        for (level, levy) in (1_i32..).zip(self.who.levies) {
            let rate = decimal(levy.rate, levy.scale);
            self.bill.taxes.push(tax::Model {
                level,
                name: levy.name.to_owned(),
                rate: rate.text(),
                taxable_amount: net,
                tax_amount: percent_of(net, rate),
                exemption: levy.exemption,
                ..Default::default()
            });
        }
        if let [only] = self.bill.taxes.as_slice() {
            for line in &mut self.bill.lines {
                line.row.tax_rate = Some(only.rate.clone());
            }
        }
        self
    }

    /// The customer's balance: what it was, and what is taken from it (a negative number) to pay a part.
    pub(super) fn balance(self, starting: i64, applied: i64) -> Self {
        self.with(|invoice| {
            invoice.balance_start = Some(Minor(starting));
            invoice.balance_applied = Some(Minor(applied));
            invoice.balance_end = Some(Minor(starting + applied));
        })
    }

    /// Issued: amounts and customer are frozen.
    pub(super) fn finalize(mut self, at: Instant) -> Self {
        self.derive_totals();
        self.bill.snapshot = Some(snapshot(&self.who.row, at));
        self.bill.invoice.issue_date = at.utc().date_naive();
        self.bill.invoice.finalized_at = Some(at);
        self.enter(InvoiceStatus::Open, at, "finalized", Actor::System);
        self
    }

    /// Withdrawn.
    pub(super) fn void(mut self, at: Instant) -> Self {
        self.bill.invoice.voided_at = Some(at);
        self.enter(InvoiceStatus::Void, at, "voided", Actor::Merchant);
        self
    }

    /// Written off.
    pub(super) fn write_off(mut self, at: Instant) -> Self {
        self.bill.invoice.uncollectible_at = Some(at);
        self.enter(InvoiceStatus::Uncollectible, at, "marked_uncollectible", Actor::Merchant);
        self
    }

    /// Mirrored at Stripe; the links were read at that moment.
    pub(super) fn mirrored(self, read_at: Instant) -> Self {
        let account = self.who.account;
        let hosted = format!("https://invoice.stripe.com/i/{account}/{}", self.name);
        let pdf = format!("https://pay.stripe.com/invoice/{account}/{}/pdf", self.name);
        self.mirror_unread().upstream(|mirror| {
            mirror.hosted_invoice_url = Some(hosted);
            mirror.invoice_pdf_url = Some(pdf);
            mirror.links_fetched_at = Some(read_at);
        })
    }

    /// Mirrored at Stripe, but its links were never read.
    pub(super) fn mirror_unread(mut self) -> Self {
        self.bill.upstream = Some(upstream_invoice::Model {
            provider: "stripe".to_owned(),
            stripe_account_id: Some(self.who.account.to_owned()),
            stripe_invoice_id: Some(self.stripe_id("in")),
            stripe_customer_id: self.who.row.stripe_customer_id.clone(),
            ..Default::default()
        });
        self
    }

    /// Facts about the mirror that differ from what follows from the invoice.
    pub(super) fn upstream(mut self, change: impl FnOnce(&mut upstream_invoice::Model)) -> Self {
        if let Some(mirror) = &mut self.bill.upstream {
            change(mirror);
        }
        self
    }

    /// The receipt of the last payment, read at that moment.
    pub(super) fn receipt(mut self, read_at: Instant) -> Self {
        let link = format!("https://pay.stripe.com/receipts/invoices/{}/{}", self.who.account, self.name);
        if let Some(payment) = self.last_success() {
            payment.row.receipt_url = Some(link.clone());
            payment.row.receipt_fetched_at = Some(read_at);
        }
        let number = self.name.bytes().fold(0_u32, |sum, byte| sum * 7 % 9_000 + u32::from(byte));
        self.upstream(|mirror| {
            mirror.receipt_url = Some(link);
            mirror.receipt_number = Some(format!("2{:03}-{:04}", number % 1_000, number * 31 % 10_000));
            mirror.receipt_fetched_at = Some(read_at);
        })
    }

    /// An entry of the history that changes no state.
    pub(super) fn event(mut self, at: Instant, kind: &str, actor: Actor, data: Json) -> Self {
        self.record(at, kind, actor, data);
        self
    }

    /// The finished bill, with every id but without numbers, which follow from all invoices together.
    pub(super) fn done(mut self, character: Option<&'static str>) -> DemoInvoice {
        self.derive_totals();
        self.derive_period();
        let (tenant, customer) = (self.who.row.tenant_id.clone(), self.who.row.id.clone());
        let updated_at = self.last_change();
        let invoice = &mut self.bill.invoice;
        invoice.version = i64::try_from(self.history.len()).unwrap_or_default();
        invoice.updated_at = updated_at;
        invoice.subscription_id = self.bill.subscription.as_ref().map(|made_from| made_from.id.clone());
        self.derive_mirror();
        let keys = BillKeys { tenant: &tenant, invoice: &self.id, customer: &customer };
        DemoInvoice { character, bill: self.bill.keyed(keys), events: self.history }
    }

    /// When the last entry of the history was made.
    pub(super) fn last_change(&self) -> Instant {
        let created_at = self.bill.invoice.created_at;
        self.history.last().map_or(created_at, |last| last.occurred_at)
    }

    /// Digits behind the point of the invoice's currency.
    fn digits(&self) -> u32 {
        exponent(&self.bill.invoice.currency)
    }

    /// An id as Stripe might give it, unique by the invoice's name.
    pub(super) fn stripe_id(&self, prefix: &str) -> String {
        format!("{prefix}_demo_{}", self.name.replace('-', "_"))
    }

    fn subtotal(&self) -> Minor {
        Minor(self.bill.lines.iter().map(|line| line.row.amount.0).sum())
    }

    /// The lines less the discounts of the whole invoice.
    fn net_amount(&self) -> Minor {
        let reductions: i64 = self.bill.discounts.iter().map(|discount| discount.amount.0).sum();
        Minor(self.subtotal().0 - reductions)
    }

    fn derive_totals(&mut self) {
        let (subtotal, net) = (self.subtotal(), self.net_amount());
        let tax: i64 = self.bill.taxes.iter().map(|tax| tax.tax_amount.0).sum();
        let recurring = self.bill.lines.iter().map(|line| &line.row);
        let recurring = recurring.filter(|row| row.kind == LineItemKind::Recurring);
        let recurring = recurring.map(|row| row.amount.0).sum();
        let invoice = &mut self.bill.invoice;
        invoice.subtotal = subtotal;
        invoice.subtotal_recurring = (recurring != 0).then_some(Minor(recurring));
        invoice.discount_total = Minor(subtotal.0 - net.0);
        invoice.tax_total = Minor(tax);
        invoice.total = Minor(net.0 + tax);
        let balance = invoice.balance_applied.unwrap_or_default();
        invoice.amount_due = Minor((invoice.total.0 - invoice.applied_credits.0 + balance.0).max(0));
    }

    /// From the start of the first line to the end of the last, unless the invoice says otherwise.
    fn derive_period(&mut self) {
        let rows = || self.bill.lines.iter().map(|line| &line.row);
        let start = rows().filter_map(|row| row.period_start).min();
        let end = rows().filter_map(|row| row.period_end).max();
        let invoice = &mut self.bill.invoice;
        invoice.period_start = invoice.period_start.or(start);
        invoice.period_end = invoice.period_end.or(end);
    }

    /// What Stripe knows is what we know, unless it was said otherwise.
    fn derive_mirror(&mut self) {
        let invoice = &self.bill.invoice;
        if let Some(mirror) = &mut self.bill.upstream {
            mirror.upstream_status.get_or_insert(invoice.status.word().to_lowercase());
            mirror.upstream_amount_due.get_or_insert(invoice.amount_due);
            mirror.upstream_amount_paid.get_or_insert(invoice.amount_paid);
            mirror.updated_at = mirror.links_fetched_at.unwrap_or(invoice.updated_at);
        }
    }

    /// Goes into a state and records it: the only way a state changes here.
    pub(super) fn enter(&mut self, to: InvoiceStatus, at: Instant, kind: &str, actor: Actor) {
        let from = self.history.iter().rev().find_map(|entry| entry.to_status);
        self.bill.invoice.status = to;
        self.record(at, kind, actor, json!({}));
        if let Some(entry) = self.history.last_mut() {
            entry.from_status = from;
            entry.to_status = Some(to);
        }
    }

    pub(super) fn record(&mut self, at: Instant, kind: &str, actor: Actor, data: Json) {
        let position = self.history.len().to_string();
        let (source, actor_kind) = match actor {
            Actor::System => (EventSource::System, "system"),
            Actor::Merchant => (EventSource::Api, "merchant"),
            Actor::Stripe => (EventSource::Webhook, "stripe"),
        };
        self.history.push(invoice_event::Model {
            tenant_id: self.who.row.tenant_id.clone(),
            id: ids::at(at, &[self.id.as_str(), &position]),
            invoice_id: self.id.clone(),
            kind: kind.to_owned(),
            source,
            actor_kind: actor_kind.to_owned(),
            data,
            occurred_at: at,
            recorded_at: at,
            ..Default::default()
        });
    }
}

fn invoice_type(reason: BillingReason) -> InvoiceType {
    match reason {
        BillingReason::TopupFailed => InvoiceType::TopUp,
        BillingReason::Overage => InvoiceType::Adjustment,
        BillingReason::SubscriptionCreate | BillingReason::SubscriptionCycle => InvoiceType::Recurring,
        _ => InvoiceType::OneOff,
    }
}

fn origin(reason: BillingReason) -> OriginKind {
    match reason {
        BillingReason::TopupFailed => OriginKind::Wallet,
        BillingReason::Overage => OriginKind::Rental,
        BillingReason::SubscriptionCreate | BillingReason::SubscriptionCycle => OriginKind::Subscription,
        _ => OriginKind::None,
    }
}

/// A subscription to reserved capacity, by the month.
pub(super) fn reserved_plan(
    owner: &Person,
    external_id: &str,
    name: &str,
    since: Instant,
    [start, end]: [Instant; 2],
) -> subscription::Model {
    let tenant = &owner.row.tenant_id;
    subscription::Model {
        tenant_id: tenant.clone(),
        id: bill::imported(tenant, SourceSystem::Native, external_id),
        customer_id: owner.row.id.clone(),
        source_system: SourceSystem::Native,
        external_id: Some(external_id.to_owned()),
        status: Some("active".to_owned()),
        plan_name: Some(name.to_owned()),
        metadata: json!({ "plan": "reserved-h100", "term": "12 months" }),
        current_period_start: Some(start),
        current_period_end: Some(end),
        created_at: since,
        updated_at: after(start, TimeDelta::seconds(5)),
    }
}

/// The customer as printed on an invoice issued now.
fn snapshot(customer: &customer::Model, at: Instant) -> customer_snapshot::Model {
    let customer = customer.clone();
    customer_snapshot::Model {
        customer_external_id: customer.external_id,
        parent_external_id: customer.parent_external_id,
        alias: customer.alias,
        name: customer.name,
        first_name: customer.first_name,
        last_name: customer.last_name,
        company_name: customer.company_name,
        is_company: customer.is_company,
        email: customer.email,
        phone: customer.phone,
        tax_id: customer.tax_id,
        organization_number: customer.organization_number,
        line1: customer.line1,
        line2: customer.line2,
        extra_lines: customer.extra_lines,
        city: customer.city,
        state: customer.state,
        postal_code: customer.postal_code,
        country: customer.country,
        locale: customer.locale,
        currency: customer.currency,
        status: Some(customer.status),
        source_status: customer.source_status,
        tax_exempt: customer.tax_exempt,
        tax_rate: customer.tax_rate,
        tax_rate_override_enabled: customer.tax_rate_override_enabled,
        brand_external_id: customer.brand_external_id,
        brand_name: customer.brand_name,
        billing_contact_external_id: customer.billing_contact_external_id,
        notes: customer.notes,
        source_created_on: customer.source_created_on,
        snapshot_at: Some(at),
        external_attributes: customer.external_attributes,
        ..Default::default()
    }
}
