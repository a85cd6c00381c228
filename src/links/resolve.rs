//! What one round of a request asks for, settled together.

use std::collections::{BTreeMap, HashMap};
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::{Duration, Instant as Moment};

use entity::{Instant, InvoiceId, InvoiceStatus, PaymentId, invoice, payment, upstream_invoice};
use futures::future::join_all;

use super::accounts::Account;
use super::error::LinkError;
use super::flights::UpstreamStats;
use super::freshness::{Course, Freshness, LINKS_KEPT, RECEIPT_KEPT, Wanted, age, course, links_freshness};
use super::remember::{Fetched, Refresh};
use super::{Links, Stripe, payable, receipted};
use crate::domain::viewer::Tenant;
use crate::stats::LinkResult;
use crate::stripe::{BadLink, InvoiceStatus as UpstreamStatus};
use crate::stripe::{Deadline, Invoice, Link, Receipt, Receipts, StripeCustomerId, StripeInvoiceId};

/// So many invoices of one customer are asked for by one list.
const LISTED_MIN: usize = 3;

/// What is asked of an invoice.
#[derive(Clone, Debug)]
pub enum Ask {
    /// The page where it can be seen and paid.
    Page(Wanted),
    /// The PDF.
    Pdf(Wanted),
    /// The receipt of the newest payment.
    Receipt(Wanted),
    /// The receipt of one payment.
    PaymentReceipt(Arc<payment::Model>, Wanted),
    /// A pay link that works now.
    Pay,
    /// What is known of the mirror once everything else is settled.
    State,
}

impl Ask {
    /// What tells it from other asks of the same invoice; the order in which the one error of an invoice is given.
    fn place(&self) -> (u8, Option<Wanted>, Option<&PaymentId>) {
        match self {
            Self::Page(wanted) => (0, Some(*wanted), None),
            Self::Pdf(wanted) => (1, Some(*wanted), None),
            Self::Receipt(wanted) => (2, Some(*wanted), None),
            Self::PaymentReceipt(payment, wanted) => (3, Some(*wanted), Some(&payment.id)),
            Self::Pay => (4, None, None),
            Self::State => (5, None, None),
        }
    }
}

/// A question about an invoice that has a mirror.
#[derive(Clone, Debug)]
pub struct LinkKey {
    /// The invoice.
    pub invoice: Arc<invoice::Model>,
    /// Its mirror.
    pub mirror: Arc<upstream_invoice::Model>,
    /// What is asked.
    pub ask: Ask,
}

impl PartialEq for LinkKey {
    fn eq(&self, other: &Self) -> bool {
        self.invoice.id == other.invoice.id && self.ask.place() == other.ask.place()
    }
}

impl Eq for LinkKey {}

impl Hash for LinkKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.invoice.id.hash(state);
        self.ask.place().hash(state);
    }
}

/// What is known of a mirror.
#[derive(Clone, Debug)]
pub struct State {
    /// The mirror, with what was fetched for this answer.
    pub mirror: Arc<upstream_invoice::Model>,
    /// How current its pay page and PDF are.
    pub freshness: Freshness,
    /// How current its receipt is.
    pub receipt_freshness: Freshness,
}

/// The answer to a question.
#[derive(Clone, Debug, Default)]
pub enum Seen {
    /// Nothing, without an error.
    #[default]
    Nothing,
    /// A link.
    Link(String),
    /// What is known of the mirror.
    State(State),
    /// No link, and why.
    Failed(LinkError),
}

/// One invoice and all that is asked of it.
struct Subject {
    invoice: Arc<invoice::Model>,
    mirror: Arc<upstream_invoice::Model>,
    asks: Vec<Ask>,
    account: Option<Account>,
    id: Option<StripeInvoiceId>,
    /// How long the caller has to wait for a pay link, where it asked for too many.
    too_often: Option<Duration>,
}

/// For whom links are resolved, and by when.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// Whose invoices these are.
    pub tenant: &'a Tenant,
    /// Who it is there, told apart from everyone else: pay links are counted by it.
    pub subject: &'a Arc<str>,
    /// The billing clock's time.
    pub now: Instant,
    /// Nothing is asked of Stripe later.
    pub deadline: Deadline,
}

/// What has to be fetched of an invoice, and by when.
#[derive(Clone, Copy, Debug, Default)]
struct Need {
    invoice: Option<Deadline>,
    receipts: Option<Deadline>,
    /// Whether the mirror's links are given, and are to be refreshed behind the answer.
    behind: bool,
}

impl Links {
    /// Answers every question.
    pub async fn resolve(&self, asker: Asker<'_>, keys: Vec<LinkKey>, stats: &UpstreamStats) -> HashMap<LinkKey, Seen> {
        let Asker { tenant, now, deadline, .. } = asker;
        let mut subjects = self.subjects(tenant, keys);
        subjects.sort_by(|one, other| one.invoice.id.cmp(&other.invoice.id));
        self.pace(asker, &mut subjects).await;
        let needs: Vec<Need> = subjects.iter().map(|subject| subject.need(now, deadline)).collect();
        let fetched = match &self.stripe {
            Some(stripe) if needs.iter().any(|need| need.invoice.or(need.receipts).is_some()) => {
                let begun = Moment::now();
                let fetched = stripe.fetch(&subjects, &needs, stats).await;
                stats.add_wait(begun.elapsed());
                fetched
            }
            _ => subjects.iter().map(|_| Fetched::default()).collect(),
        };
        let mut answers = HashMap::new();
        let mut refreshes = Vec::new();
        for ((subject, need), fetched) in subjects.iter().zip(&needs).zip(fetched) {
            let after = fetched.mirror(&subject.mirror, now);
            self.answer(subject, &fetched, &after, now, stats, &mut answers);
            let learned = fetched.invoice.is_some() || fetched.receipts.is_some();
            if learned || need.behind {
                refreshes.push(Refresh::of(
                    tenant,
                    &subject.invoice,
                    &subject.mirror,
                    now,
                    learned.then_some((fetched, after)),
                ));
            }
        }
        if let Some(stripe) = &self.stripe {
            for refresh in refreshes {
                // A full queue means that there is more to do than can be done; the mirror stays as it is.
                if stripe.behind.try_send(refresh).is_err() {
                    stripe.flights.stats.dropped();
                }
            }
        }
        answers
    }

    /// Counts the pay links that Stripe is asked for, shared calls too, and marks those that are too many.
    async fn pace(&self, asker: Asker<'_>, subjects: &mut [Subject]) {
        let Some(stripe) = &self.stripe else { return };
        for subject in subjects.iter_mut() {
            let reads = |ask: &Ask| matches!(ask, Ask::Pay) && subject.is_sensible(ask);
            if subject.asks.iter().any(reads) && subject.course(&Ask::Pay, asker.now).is_some() {
                subject.too_often = stripe.pace.take(asker.tenant.id(), asker.subject).await.err();
            }
        }
    }

    fn subjects(&self, tenant: &Tenant, keys: Vec<LinkKey>) -> Vec<Subject> {
        let mut subjects: HashMap<InvoiceId, Subject> = HashMap::new();
        for LinkKey { invoice, mirror, ask } in keys {
            let subject = subjects.entry(invoice.id.clone()).or_insert_with(|| {
                let account = self.stripe.as_ref().and_then(|stripe| stripe.accounts.knowing(tenant.id(), &mirror));
                let id = mirror.stripe_invoice_id.as_deref().and_then(|id| StripeInvoiceId::parse(id).ok());
                Subject { invoice, mirror, asks: Vec::new(), account, id, too_often: None }
            });
            subject.asks.push(ask);
        }
        subjects.into_values().collect()
    }

    /// Answers what is asked of one invoice. Of several failures one is told.
    fn answer(
        &self,
        subject: &Subject,
        fetched: &Fetched,
        after: &Arc<upstream_invoice::Model>,
        now: Instant,
        stats: &UpstreamStats,
        answers: &mut HashMap<LinkKey, Seen>,
    ) {
        let mut asks: Vec<&Ask> = subject.asks.iter().collect();
        asks.sort_by_key(|ask| ask.place().0);
        let mut told = false;
        for ask in asks {
            let seen = match ask {
                Ask::State => Seen::State(fetched.state(after, now)),
                _ => match self.link(subject, ask, fetched, now, stats) {
                    Ok(link) => link.map_or(Seen::Nothing, Seen::Link),
                    Err(_another) if std::mem::replace(&mut told, true) => Seen::Nothing,
                    Err(error) => Seen::Failed(error),
                },
            };
            let key = LinkKey {
                invoice: Arc::clone(&subject.invoice),
                mirror: Arc::clone(&subject.mirror),
                ask: ask.clone(),
            };
            answers.insert(key, seen);
        }
    }

    fn link(
        &self,
        subject: &Subject,
        ask: &Ask,
        fetched: &Fetched,
        now: Instant,
        stats: &UpstreamStats,
    ) -> Result<Option<String>, LinkError> {
        let mirror = &subject.mirror;
        if !subject.is_sensible(ask) {
            return Ok(None);
        }
        let stored = match ask {
            Ask::Page(_) => mirror.hosted_invoice_url.as_deref(),
            Ask::Pdf(_) => mirror.invoice_pdf_url.as_deref(),
            Ask::Receipt(_) => mirror.receipt_url.as_deref(),
            Ask::PaymentReceipt(payment, _) => payment.receipt_url.as_deref(),
            Ask::Pay | Ask::State => None,
        };
        if let (Ask::Pay, Some(wait)) = (ask, subject.too_often) {
            return Err(LinkError::TooOften(wait));
        }
        let Some(course) = subject.course(ask, now) else {
            let missing = matches!(ask, Ask::Pay);
            self.stats.asked(if missing { LinkResult::Failed } else { LinkResult::Hit });
            return if missing { Err(LinkError::NotConfigured) } else { Ok(self.allowed(stored)) };
        };
        let or_keep = match course {
            Course::Fetch { or_keep, .. } => or_keep,
            kept => {
                let behind = matches!(kept, Course::KeepAndRefresh);
                self.stats.asked(if behind { LinkResult::Refreshing } else { LinkResult::Hit });
                return Ok(self.allowed(stored));
            }
        };
        match live(ask, fetched) {
            Ok(link) => {
                self.stats.asked(LinkResult::Miss);
                Ok(link)
            }
            Err(_unanswered) if or_keep => {
                self.stats.asked(LinkResult::Stale);
                stats.add_stale();
                Ok(self.allowed(stored))
            }
            Err(error) => {
                self.stats.asked(LinkResult::Failed);
                Err(error)
            }
        }
    }
}

impl Subject {
    /// Whether there can be such a link at all.
    fn is_sensible(&self, ask: &Ask) -> bool {
        let draft = self.invoice.status == InvoiceStatus::Draft;
        match ask {
            Ask::Page(_) | Ask::Pdf(_) => !draft,
            Ask::Receipt(_) => receipted(&self.invoice),
            Ask::PaymentReceipt(payment, _) => {
                let at_stripe = payment.payment_intent_id.is_some() || payment.charge_id.is_some();
                payment.receipt_url.is_some() || payment.status == entity::PaymentStatus::Succeeded && at_stripe
            }
            Ask::Pay => payable(&self.invoice, &self.mirror),
            Ask::State => true,
        }
    }

    /// What is done for a link; none where there is nobody to ask.
    fn course(&self, ask: &Ask, now: Instant) -> Option<Course> {
        self.account.as_ref()?;
        self.id.as_ref()?;
        let links_age = || age(self.mirror.links_fetched_at, now);
        let receipt = |stored: bool, read_at, wanted| {
            let age = age(read_at, now).filter(|_age| stored);
            course(age, wanted, RECEIPT_KEPT)
        };
        Some(match ask {
            Ask::Page(wanted) | Ask::Pdf(wanted) => course(links_age(), *wanted, LINKS_KEPT),
            Ask::Receipt(wanted) => receipt(self.mirror.receipt_url.is_some(), self.mirror.receipt_fetched_at, *wanted),
            Ask::PaymentReceipt(payment, wanted) => {
                receipt(payment.receipt_url.is_some(), payment.receipt_fetched_at, *wanted)
            }
            Ask::Pay => Course::Fetch { within: None, or_keep: false },
            Ask::State => Course::Keep,
        })
    }

    fn need(&self, now: Instant, deadline: Deadline) -> Need {
        let mut need = Need::default();
        let wanted = |ask: &&Ask| self.is_sensible(ask) && !(matches!(ask, Ask::Pay) && self.too_often.is_some());
        for ask in self.asks.iter().filter(wanted) {
            match self.course(ask, now) {
                Some(Course::Fetch { within, .. }) => {
                    let soon = within.map(Deadline::after).filter(|soon| soon.instant() < deadline.instant());
                    let by = soon.unwrap_or(deadline);
                    let place = if matches!(ask, Ask::Receipt(_) | Ask::PaymentReceipt(..)) {
                        &mut need.receipts
                    } else {
                        &mut need.invoice
                    };
                    // Who wants it most waits longest.
                    *place = Some(place.filter(|other| other.instant() > by.instant()).unwrap_or(by));
                }
                Some(Course::KeepAndRefresh) => need.behind = true,
                Some(Course::Keep) | None => {}
            }
        }
        need
    }
}

/// The link that Stripe gave.
fn live(ask: &Ask, fetched: &Fetched) -> Result<Option<String>, LinkError> {
    let shown = |link: &Result<Option<Link>, BadLink>| match link {
        Ok(link) => Ok(link.as_ref().map(|link| link.expose().to_owned())),
        Err(BadLink) => Err(LinkError::BadUrl),
    };
    let invoice = || fetched.invoice.as_ref().unwrap_or(&Err(LinkError::Timeout)).as_ref().map_err(|error| *error);
    let receipts = || fetched.receipts.as_ref().unwrap_or(&Err(LinkError::Timeout)).as_ref().map_err(|error| *error);
    let of = |receipt: Option<&Receipt>| receipt.map_or(Ok(None), |receipt| shown(&receipt.url));
    match ask {
        Ask::Page(_) => shown(&invoice()?.hosted_invoice_url),
        Ask::Pdf(_) => shown(&invoice()?.invoice_pdf),
        Ask::Receipt(_) => of(receipts()?.newest()),
        Ask::PaymentReceipt(payment, _) => of(receipt_of(receipts()?, payment)),
        Ask::Pay => {
            let invoice = invoice()?;
            let open = matches!(invoice.status, Some(UpstreamStatus::Open | UpstreamStatus::Uncollectible));
            let remains = invoice.amount_remaining.is_none_or(|remaining| remaining > 0);
            if open && remains { shown(&invoice.hosted_invoice_url) } else { Ok(None) }
        }
        Ask::State => Ok(None),
    }
}

/// The receipt of a payment, known by its charge or its intent.
pub(super) fn receipt_of<'a>(receipts: &'a Receipts, payment: &payment::Model) -> Option<&'a Receipt> {
    let same = |ours: &Option<String>, theirs: Option<&str>| ours.is_some() && ours.as_deref() == theirs;
    receipts.all().iter().find(|receipt| {
        let charge = receipt.charge.as_ref().map(crate::stripe::ChargeId::as_str);
        let intent = receipt.payment_intent.as_ref().map(crate::stripe::PaymentIntentId::as_str);
        same(&payment.charge_id, charge) || payment.charge_id.is_none() && same(&payment.payment_intent_id, intent)
    })
}

/// The same customer of the same account.
type Customer = (Arc<str>, StripeCustomerId);

impl Stripe {
    /// Fetches what is needed of each invoice, all at the same time: the client bounds how many calls there are.
    async fn fetch(&self, subjects: &[Subject], needs: &[Need], stats: &UpstreamStats) -> Vec<Fetched> {
        let listed = self.list(subjects, needs, stats);
        let (mut listed, receipts) = futures::join!(listed, self.receipts(subjects, needs, stats));
        let singles = subjects.iter().zip(needs).map(|(subject, need)| {
            let known = listed.remove(&subject.invoice.id);
            async move {
                match (known, subject.asked(need.invoice)) {
                    (Some(known), _) => Some(known),
                    (None, None) => None,
                    (None, Some((account, id, by))) => Some(self.flights.invoice(account, id, by, stats).await),
                }
            }
        });
        let invoices = join_all(singles).await;
        let both = invoices.into_iter().zip(receipts);
        both.map(|(invoice, receipts)| Fetched { invoice, receipts }).collect()
    }

    async fn receipts(
        &self,
        subjects: &[Subject],
        needs: &[Need],
        stats: &UpstreamStats,
    ) -> Vec<Option<Result<Arc<Receipts>, LinkError>>> {
        join_all(subjects.iter().zip(needs).map(|(subject, need)| async move {
            let (account, id, by) = subject.asked(need.receipts)?;
            Some(self.flights.receipts(account, id, by, stats).await)
        }))
        .await
    }

    /// Invoices of customers of whom several are wanted, by lists. What a list does not have is left out, and so is
    /// a customer whose list was refused as such.
    async fn list(
        &self,
        subjects: &[Subject],
        needs: &[Need],
        stats: &UpstreamStats,
    ) -> HashMap<InvoiceId, Result<Arc<Invoice>, LinkError>> {
        let mut customers: BTreeMap<Customer, Vec<(&Subject, Deadline)>> = BTreeMap::new();
        for (subject, need) in subjects.iter().zip(needs) {
            let customer = subject.mirror.stripe_customer_id.as_deref();
            let customer = customer.and_then(|id| StripeCustomerId::parse(id).ok());
            if let (Some((account, _, by)), Some(customer)) = (subject.asked(need.invoice), customer) {
                let key = (Arc::clone(&account.name), customer);
                customers.entry(key).or_default().push((subject, by));
            }
        }
        customers.retain(|_, wanted| wanted.len() >= LISTED_MIN);
        let lists = customers.into_iter().map(|((_, customer), wanted)| async move {
            let ids: Vec<StripeInvoiceId> = wanted.iter().filter_map(|(subject, _)| subject.id.clone()).collect();
            let by = wanted.iter().map(|(_, by)| *by).max_by_key(|by| by.instant())?;
            let account = wanted.first().and_then(|(subject, _)| subject.account.as_ref())?;
            let listed = self.flights.of_customer(account, &customer, &ids, by, stats).await;
            Some(wanted.into_iter().filter_map(move |(subject, _)| {
                let found = match &listed {
                    Ok(found) => Ok(Arc::clone(found.get(subject.id.as_ref()?)?)),
                    Err(LinkError::NotFound) => return None,
                    Err(error) => Err(*error),
                };
                Some((subject.invoice.id.clone(), found))
            }))
        });
        join_all(lists).await.into_iter().flatten().flatten().collect()
    }
}

impl Subject {
    /// Whom to ask for it, under which id, and by when.
    fn asked(&self, by: Option<Deadline>) -> Option<(&Account, &StripeInvoiceId, Deadline)> {
        Some((self.account.as_ref()?, self.id.as_ref()?, by?))
    }
}

impl Fetched {
    /// How current everything is once this was fetched.
    fn state(&self, mirror: &Arc<upstream_invoice::Model>, now: Instant) -> State {
        let live = |fetched: bool, otherwise| if fetched { Freshness::Live } else { otherwise };
        State {
            freshness: live(self.has_live_links(), links_freshness(mirror, now)),
            receipt_freshness: live(
                matches!(self.receipts, Some(Ok(_))),
                super::freshness::receipt_freshness(mirror, now),
            ),
            mirror: Arc::clone(mirror),
        }
    }
}
