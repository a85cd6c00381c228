//! Works on one event of the inbox: its effect, its entries in the history and its row of the inbox are one
//! transaction, so that it is done once or not at all.
//!
//! What only names an invoice, and what leaves a doubt that only Stripe can settle, is asked for between two
//! transactions. Without anyone to ask, the former is parked and the latter is settled by the rules of
//! `domain::upstream`.

use std::time::Duration;

use chrono::TimeDelta;
use entity::{EventSource, Instant, InvoiceId, TenantId, WebhookStatus, webhook_event};

use super::mirror_invoice::{self, Answer, answered};
use super::take_event::{Endpoint, Owner};
use super::upstream_news::{self, Subject, Unfit, remark};
use crate::domain::upstream::{News, Stored, Told, reduce};
use crate::domain::viewer::Tenant;
use crate::links::Accounts;
use crate::store::tenant::System;
use crate::store::webhook_event::Finish;
use crate::store::{self, Store, StoreError, Tx};
use crate::stripe::{
    self, Deadline, Event, PaymentIntentId, StripeAccountId, StripeClient, StripeError, StripeInvoiceId,
};

/// How long Stripe may take to answer a question that an event leaves open.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Why an event is ignored whose mode is not that of its endpoint.
pub const OTHER_MODE: &str = "it is of the other mode than its endpoint";

const NO_TENANT: &str = "there is no such tenant";

const OTHER_ACCOUNT: &str = "it is of another account";

const NO_OWNER: &str = "nobody has its account";

const NO_ACCOUNT: &str = "it names no account";

/// Why an event is ignored that is nobody's here.
pub const FOREIGN: [&str; 4] = [NO_TENANT, OTHER_ACCOUNT, NO_OWNER, NO_ACCOUNT];

/// How often it is looked whether the payment of a charge came meanwhile, before the charge counts as foreign.
const ATTEMPTS_OF_CHARGES: i32 = 3;

/// Why a payment that failed is of no interest.
const PAYS_NOTHING: &str = "it pays no invoice";

/// When an event that could not be worked on is taken up again.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    /// After the first attempt; it doubles from then on.
    pub first: Duration,
    /// The longest wait.
    pub longest: Duration,
    /// After so long in all, it is given up.
    pub give_up: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first: Duration::from_secs(5), longest: Duration::from_hours(1), give_up: Duration::from_hours(24) }
    }
}

impl Backoff {
    /// How long to wait after so many attempts; none when it is given up.
    pub fn after(self, attempts: u32) -> Option<Duration> {
        let mut waited = Duration::ZERO;
        let mut next = self.first;
        for _ in 1..attempts {
            waited += next;
            next = (next * 2).min(self.longest);
            if waited >= self.give_up {
                return None;
            }
        }
        Some(next)
    }
}

/// With what events are worked on.
#[derive(Clone, Copy, Debug)]
pub struct Work<'a> {
    /// The database.
    pub store: &'a Store,
    /// The right to the inbox.
    pub system: &'a System,
    /// Where the event came to.
    pub endpoint: &'a Endpoint,
    /// Who answers what an event leaves open; nobody where no key is configured.
    pub accounts: Option<&'a Accounts>,
    /// How attempts are spaced.
    pub backoff: Backoff,
    /// The time on the clock that leases go by.
    pub now: Instant,
    /// The time on the billing clock.
    pub billing_now: Instant,
}

/// What became of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Its status now; absent when the lease was lost and another server works on it.
    pub status: Option<WebhookStatus>,
    /// Why it is not processed.
    pub reason: Option<String>,
    /// The invoice it changed: whatever is cached of its links is not current any more.
    pub invoice: Option<(TenantId, InvoiceId)>,
}

/// What a look at the stored rows came to.
enum Step {
    /// It ends like this.
    End(Ending),
    /// Stripe has to be asked about this invoice.
    Ask(StripeInvoiceId),
    /// Stripe has to be asked what this intent pays.
    AskFor(PaymentIntentId),
}

/// How the work on an event ends.
struct Ending {
    status: WebhookStatus,
    reason: Option<String>,
    tenant: Option<TenantId>,
    invoice: Option<InvoiceId>,
}

impl Ending {
    fn ignored(why: &str, tenant: Option<&Tenant>) -> Self {
        Self::of(WebhookStatus::Ignored, why, tenant)
    }

    fn parked(why: &str, tenant: &Tenant) -> Self {
        Self::of(WebhookStatus::Parked, why, Some(tenant))
    }

    fn of(status: WebhookStatus, why: &str, tenant: Option<&Tenant>) -> Self {
        Self { status, reason: Some(why.to_owned()), tenant: tenant.map(|tenant| tenant.id().clone()), invoice: None }
    }
}

/// One event being worked on.
struct Job<'a> {
    work: &'a Work<'a>,
    leased: &'a webhook_event::Model,
    event: &'a Event,
    subject: Subject<'a>,
    tenant: &'a Tenant,
    stripe: Option<StripeClient>,
    /// What the intent of the event pays, once Stripe said so.
    pays: Option<StripeInvoiceId>,
}

/// What Stripe answered.
struct Asked {
    invoice: stripe::Invoice,
    as_of: Option<Instant>,
    read_at: Instant,
}

/// Works on a leased event.
///
/// # Errors
/// Those of [`StoreError`]; nothing was written then, and [`fail_event`] may say so.
pub async fn apply_event(work: &Work<'_>, leased: &webhook_event::Model) -> Result<Applied, StoreError> {
    let Ok(event) = work.endpoint.webhook.reread(leased.payload.as_bytes()) else {
        return end(work, leased, Ending::ignored("it cannot be read as an event", None)).await;
    };
    let (tenant, account) = match owner(work, &event).await? {
        Ok(owner) => owner,
        Err(ending) => return end(work, leased, ending).await,
    };
    let stripe = work.accounts.and_then(|accounts| accounts.client(tenant.id(), account.as_deref()));
    let mut job =
        Job { work, leased, event: &event, subject: Subject::of(&event), tenant: &tenant, stripe, pays: None };
    let mut looked = job.attempt(None).await?;
    if let Looked::AskFor(intent) = &looked {
        match job.ask_for(intent).await {
            Ok(Some(invoice)) => job.pays = Some(invoice),
            Ok(None) => return end(work, leased, Ending::ignored(PAYS_NOTHING, Some(&tenant))).await,
            Err(error) => return end(work, leased, unanswered(&error, &tenant)).await,
        }
        looked = job.attempt(None).await?;
    }
    let invoice = match looked {
        Looked::Done(applied) => return Ok(applied),
        Looked::Ask(invoice) => invoice,
        Looked::AskFor(_) => return end(work, leased, Ending::ignored(PAYS_NOTHING, Some(&tenant))).await,
    };
    let asked = match job.ask(&invoice).await? {
        Ok(asked) => asked,
        Err(error) => return end(work, leased, unanswered(&error, &tenant)).await,
    };
    match job.attempt(Some(&asked)).await? {
        Looked::Done(applied) => Ok(applied),
        // An answer leaves nothing open.
        Looked::Ask(_) | Looked::AskFor(_) => {
            end(work, leased, Ending::parked("Stripe's answer does not settle it", &tenant)).await
        }
    }
}

/// Notes that an event could not be worked on, and when it is taken up again.
///
/// # Errors
/// Those of [`StoreError`]; its lease then runs out by itself.
pub async fn fail_event(work: &Work<'_>, leased: &webhook_event::Model, why: &str) -> Result<Applied, StoreError> {
    let ending = Ending {
        status: WebhookStatus::Failed,
        reason: Some(why.to_owned()),
        tenant: leased.tenant_id.clone(),
        invoice: None,
    };
    end(work, leased, ending).await
}

/// Whose an event is, and of which account at Stripe.
async fn owner(work: &Work<'_>, event: &Event) -> Result<Result<(Tenant, Option<String>), Ending>, StoreError> {
    if event.livemode.is_some_and(|livemode| livemode != work.endpoint.livemode) {
        return Ok(Err(Ending::ignored(OTHER_MODE, None)));
    }
    let reader = work.store.reader(work.system, &std::sync::Arc::default());
    let account = event.account.as_ref().map(StripeAccountId::as_str);
    match (&work.endpoint.owner, account) {
        (Owner::Tenant(id), account) => {
            let tenant = Tenant::whole(id.clone());
            let Some(row) = store::tenant::find(&tenant, &reader).await? else {
                return Ok(Err(Ending::ignored(NO_TENANT, None)));
            };
            if row.livemode != work.endpoint.livemode {
                return Ok(Err(Ending::ignored("it is of the other mode than its tenant", Some(&tenant))));
            }
            let same =
                account.is_none() || row.stripe_account_id.is_none() || row.stripe_account_id.as_deref() == account;
            let account = account.map(str::to_owned).or(row.stripe_account_id);
            Ok(if same { Ok((tenant, account)) } else { Err(Ending::ignored(OTHER_ACCOUNT, Some(&tenant))) })
        }
        (Owner::Connect, Some(account)) => {
            let row = store::tenant::find_by_stripe_account(work.system, &reader, account).await?;
            if row.as_ref().is_some_and(|row| row.livemode != work.endpoint.livemode) {
                return Ok(Err(Ending::ignored("it is of the other mode than its tenant", None)));
            }
            let owner = row.map(|row| (Tenant::whole(row.id), Some(account.to_owned())));
            Ok(owner.ok_or_else(|| Ending::ignored(NO_OWNER, None)))
        }
        (Owner::Connect, None) => Ok(Err(Ending::ignored(NO_ACCOUNT, None))),
    }
}

/// What an attempt came to.
enum Looked {
    Done(Applied),
    Ask(StripeInvoiceId),
    AskFor(PaymentIntentId),
}

async fn end(work: &Work<'_>, leased: &webhook_event::Model, ending: Ending) -> Result<Applied, StoreError> {
    commit(work, work.store.begin(work.system).await?, leased, ending).await
}

/// Writes how it ended beside what was changed. A lost lease takes all of it back.
async fn commit(work: &Work<'_>, tx: Tx, leased: &webhook_event::Model, ending: Ending) -> Result<Applied, StoreError> {
    let over = matches!(ending.status, WebhookStatus::Processed | WebhookStatus::Ignored);
    let wait = work.backoff.after(u32::try_from(leased.attempts).unwrap_or(u32::MAX));
    let next = wait.filter(|_| !over).and_then(|wait| TimeDelta::from_std(wait).ok());
    let finish = Finish {
        status: ending.status,
        next_attempt_at: next.map(|wait| Instant::new(work.now.utc() + wait)),
        error: ending.reason.clone(),
        tenant: ending.tenant.clone(),
        invoice: ending.invoice.clone(),
        at: work.now,
    };
    let ours = store::webhook_event::finish(work.system, &tx, leased, &finish).await?;
    if !ours {
        return Ok(Applied { status: None, reason: None, invoice: None });
    }
    tx.commit().await?;
    Ok(Applied { status: Some(ending.status), reason: ending.reason, invoice: ending.tenant.zip(ending.invoice) })
}

impl Job<'_> {
    /// One transaction: look, change, and end; or find out that Stripe has to be asked, and change nothing.
    async fn attempt(&self, asked: Option<&Asked>) -> Result<Looked, StoreError> {
        let tx = self.work.store.begin(self.tenant).await?;
        match Box::pin(self.change(&tx, asked)).await? {
            Step::Ask(invoice) => Ok(Looked::Ask(invoice)),
            Step::AskFor(intent) => Ok(Looked::AskFor(intent)),
            Step::End(ending) => Ok(Looked::Done(commit(self.work, tx, self.leased, ending).await?)),
        }
    }

    /// Asks Stripe, with no transaction open.
    async fn ask(&self, invoice: &StripeInvoiceId) -> Result<Result<Asked, StripeError>, StoreError> {
        let Some(stripe) = &self.stripe else {
            return Ok(Err(StripeError::new(stripe::StripeErrorKind::NotConfigured)));
        };
        let known = mirror_invoice::as_of(self.work.store, self.tenant, invoice).await?;
        let answer = stripe.invoice(invoice, Deadline::after(ANSWER_TIMEOUT)).await;
        let (as_of, read_at) = (known.max(Some(self.event.created)), self.work.billing_now);
        Ok(answer.map(|invoice| Asked { invoice, as_of, read_at }))
    }

    /// Asks Stripe what an intent pays, with no transaction open.
    async fn ask_for(&self, intent: &PaymentIntentId) -> Result<Option<StripeInvoiceId>, StripeError> {
        let nobody = || StripeError::new(stripe::StripeErrorKind::NotConfigured);
        let stripe = self.stripe.as_ref().ok_or_else(nobody)?;
        stripe.invoice_of_intent(intent, Deadline::after(ANSWER_TIMEOUT)).await
    }

    async fn change(&self, tx: &Tx, asked: Option<&Asked>) -> Result<Step, StoreError> {
        let found = match &self.subject {
            Subject::Nothing(why) => return Ok(self.ignored(why)),
            Subject::Charge(_) | Subject::Dispute { .. } | Subject::Refund(_) | Subject::Failure(_) => {
                self.find_by_money(tx).await?
            }
            Subject::Invoice(shown) => {
                mirror_invoice::find(self.tenant, tx, Some(shown.id.as_str()), Some(shown)).await?
            }
            Subject::Payment(invoice, _) => self.find_named(tx, invoice, asked).await?,
            Subject::Named(invoice) | Subject::CreditNote(invoice) => self.find_named(tx, invoice, asked).await?,
        };
        let Some(before) = found else { return self.unknown(tx, asked).await };
        // What came too early, or seemed foreign, is looked at again once it is known what it belongs to.
        let mut known = Vec::new();
        known.extend(self.subject.object().filter(|_| before.mirror.is_none()));
        let new = |intent: &&str| !before.payments.iter().any(|row| row.payment_intent_id.as_deref() == Some(*intent));
        known.extend(self.subject.intent().filter(new));
        // Boxed: an invoice with all its rows is large, and every caller would carry its room along.
        let step = Box::pin(self.apply(tx, before, asked)).await?;
        if matches!(&step, Step::End(ending) if ending.status == WebhookStatus::Processed) {
            for object in known {
                store::webhook_event::wake(self.work.system, tx, object, self.work.now).await?;
            }
        }
        Ok(step)
    }

    /// The invoice that a charge or an intent paid, by what is stored, by what the event says, or by what Stripe said.
    async fn find_by_money(&self, tx: &Tx) -> Result<Option<Stored>, StoreError> {
        let (charge, intent) = self.subject.money().unwrap_or_default();
        let (charge, intent) = (charge.map(stripe::ChargeId::as_str), intent.map(PaymentIntentId::as_str));
        if let Some(invoice) = store::payment::find_invoice_of_charge(self.tenant, tx, charge, intent).await? {
            return mirror_invoice::load(self.tenant, tx, &invoice).await;
        }
        match self.pays.as_ref().or_else(|| self.subject.invoice()) {
            Some(invoice) => self.find_named(tx, invoice, None).await,
            None => Ok(None),
        }
    }

    async fn find_named(
        &self,
        tx: &Tx,
        invoice: &StripeInvoiceId,
        asked: Option<&Asked>,
    ) -> Result<Option<Stored>, StoreError> {
        let shown = asked.map(|asked| &asked.invoice);
        mirror_invoice::find(self.tenant, tx, Some(invoice.as_str()), shown).await
    }

    /// Applies what the event says, and then what Stripe answered.
    async fn apply(&self, tx: &Tx, before: Stored, asked: Option<&Asked>) -> Result<Step, StoreError> {
        let news = match news(&self.subject, self.event, &before) {
            Ok(news) => news,
            Err(Unfit(why)) => return Ok(self.ignored(why)),
        };
        let can_ask = asked.is_none() && self.stripe.is_some();
        let ask = self.subject.invoice().filter(|_| can_ask).cloned();
        if news.is_none() && asked.is_none() {
            return Ok(match (&self.subject, ask) {
                (Subject::Payment(..), _) => self.ignored("no money came yet"),
                (Subject::Refund(_) | Subject::Failure(_), _) => self.ignored("it does not say what happened"),
                (_, Some(invoice)) => Step::Ask(invoice),
                (_, None) => self.parked("Stripe has to be asked, and no key is configured"),
            });
        }
        if matches!(self.subject, Subject::CreditNote(_)) && asked.is_none() {
            // It says what it takes off, and not what all of them do.
            let asking = ask.map(Step::Ask);
            return Ok(asking.unwrap_or_else(|| self.parked("Stripe has to be asked, and no key is configured")));
        }
        let mut stored = before;
        if let Some(news) = &news {
            let change = reduce(&stored, &self.told(), news);
            if let (Some(_doubt), Some(invoice)) = (change.doubt, ask) {
                return Ok(Step::Ask(invoice));
            }
            stored = mirror_invoice::write(self.tenant, tx, &stored, change).await?.0;
        }
        if let Some(asked) = asked {
            let Asked { invoice, as_of, read_at } = asked;
            let answer = Answer { invoice, as_of: *as_of, read_at: *read_at, source: EventSource::Webhook, by: None };
            match answered(&stored, &answer) {
                Ok(change) => stored = mirror_invoice::write(self.tenant, tx, &stored, change).await?.0,
                Err(Unfit(why)) => return Ok(self.ignored(why)),
            }
        }
        Ok(Step::End(Ending {
            status: WebhookStatus::Processed,
            reason: None,
            tenant: Some(self.tenant.id().clone()),
            invoice: Some(stored.invoice.id),
        }))
    }

    fn told(&self) -> Told<'_> {
        Told {
            stripe_invoice: self.subject.invoice().map(StripeInvoiceId::as_str),
            account: self.event.account.as_ref().map(StripeAccountId::as_str),
            at: self.event.created,
            read_at: None,
            source: EventSource::Webhook,
            event_id: Some(self.event.id.as_str()),
            remark: remark(&self.event.kind),
            now: self.work.billing_now,
        }
    }

    /// Whether something that belongs to no invoice of ours may do so later, or is foreign.
    async fn unknown(&self, tx: &Tx, asked: Option<&Asked>) -> Result<Step, StoreError> {
        let customer = self.subject.customer();
        let (customer, named) = match (&self.subject, asked) {
            (Subject::Invoice(shown), _) => (customer, upstream_news::named(&shown.metadata).is_some()),
            (Subject::Failure(intent), _) if self.pays.is_none() && self.stripe.is_some() => {
                return Ok(Step::AskFor(intent.id.clone()));
            }
            (Subject::Charge(_) | Subject::Dispute { .. } | Subject::Refund(_) | Subject::Failure(_), _) => {
                // Its payment may be worked on at this moment.
                (customer, self.leased.attempts <= ATTEMPTS_OF_CHARGES)
            }
            (_, Some(Asked { invoice, .. })) => {
                (invoice.customer.as_ref(), upstream_news::named(&invoice.metadata).is_some())
            }
            (subject, None) => {
                let ask = subject.invoice().filter(|_| self.stripe.is_some()).cloned();
                return Ok(ask.map_or_else(|| self.parked("its invoice is not known yet"), Step::Ask));
            }
        };
        let known = match customer {
            Some(customer) => is_known(self.tenant, tx, customer.as_str()).await?,
            None => false,
        };
        let expected = known || named;
        Ok(if expected { self.parked("its invoice is not known yet") } else { self.ignored("it is not one of ours") })
    }

    fn ignored(&self, why: &str) -> Step {
        Step::End(Ending::ignored(why, Some(self.tenant)))
    }

    fn parked(&self, why: &str) -> Step {
        Step::End(Ending::parked(why, self.tenant))
    }
}

/// What an event says by itself; nothing when it only names an invoice, or shows a state that is not known.
fn news(subject: &Subject<'_>, event: &Event, before: &Stored) -> Result<Option<News>, Unfit> {
    match subject {
        Subject::Invoice(invoice) => mirror_invoice::shown(invoice, &event.kind, before),
        Subject::Payment(_, payment) => upstream_news::of_payment(payment, &before.invoice.currency),
        Subject::Charge(charge) => upstream_news::of_charge(charge, &before.invoice.currency).map(Some),
        Subject::Refund(refund) => upstream_news::of_refund(refund, &before.invoice.currency),
        Subject::Failure(intent) => Ok(upstream_news::of_failure(intent, event.created)),
        Subject::Dispute { .. } | Subject::CreditNote(_) => Ok(Some(News::Remark)),
        Subject::Named(_) | Subject::Nothing(_) => Ok(None),
    }
}

async fn is_known(tenant: &Tenant, tx: &Tx, customer: &str) -> Result<bool, StoreError> {
    Ok(store::customer::has_stripe_customer(tenant, tx, customer).await?
        || store::upstream_invoice::has_customer(tenant, tx, customer).await?)
}

fn unanswered(error: &StripeError, tenant: &Tenant) -> Ending {
    match error.kind() {
        stripe::StripeErrorKind::NotFound => Ending::ignored("Stripe does not know its invoice", Some(tenant)),
        kind => Ending::parked(&kind.to_string(), tenant),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_an_hour_and_end_after_a_day() {
        let backoff = Backoff::default();
        let seconds: Vec<_> = (1..=12).filter_map(|attempts| backoff.after(attempts)).map(|it| it.as_secs()).collect();
        assert_eq!(seconds, [5, 10, 20, 40, 80, 160, 320, 640, 1_280, 2_560, 3_600, 3_600]);
        let all: Duration = (1..100).map_while(|attempts| backoff.after(attempts)).sum();
        assert!(all >= Duration::from_hours(24) && all < Duration::from_hours(26), "{all:?}");
    }
}
