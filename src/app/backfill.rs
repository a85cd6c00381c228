//! Takes over what Stripe says of all invoices of a time, page by page, newest first.
//!
//! How far it came is written down after each page, in the tenant's job: whatever ends it, the same command goes on
//! behind the last page that was finished. What was taken over twice changes nothing. A lease keeps a second backfill
//! of the tenant from running beside it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use entity::{Instant, InvoiceId, TenantId, upstream_invoice};
use serde::{Deserialize, Serialize};

use super::config::{StoreConfig, StripeAccess};
use super::jobs::lease::Lease;
pub use super::listing::Span;
use super::listing::{Patience, Place, Source, Sources, sources};
use super::{AppError, demo, wiring};
use crate::actions::backfill_invoice::{Backfilled, Listed, backfill_invoice};
use crate::actions::upstream_news;
use crate::domain::clock::Clock;
use crate::store::{self, Store};
use crate::stripe::{Invoice, StripeError, StripeInvoiceId};

/// The name of the job whose lease a backfill takes.
pub const JOB: &str = "stripe.backfill";

/// How long a lease holds without being renewed: so long the next one waits after a backfill was killed.
const LEASE: Duration = Duration::from_secs(10);

/// How often it looks meanwhile.
const LOOK: Duration = Duration::from_millis(250);

/// A whole account, in the parts that its progress is told in.
pub const WHOLE: u64 = 1_000;

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which invoices.
    pub span: Span,
    /// Only those of this tenant.
    pub tenant: Option<TenantId>,
    /// Whether nothing is written.
    pub dry_run: bool,
    /// Whether to begin anew where an earlier one was interrupted.
    pub restart: bool,
    /// For how long Stripe is asked again when it does not answer.
    pub patience: Duration,
}

/// What came of it, of all runs since it was begun.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Summary {
    /// Invoices that Stripe listed.
    pub seen: u64,
    /// Of ours, that had no mirror before.
    pub created: u64,
    /// Of ours, of which something changed.
    pub changed: u64,
    /// Of ours, of which Stripe says what is stored.
    pub unchanged: u64,
    /// Of nobody here.
    pub unknown: u64,
    /// About real money where the tenant's bills are test data, or the reverse.
    pub other_mode: u64,
    /// That could not be taken over.
    pub failed: u64,
    /// How often each field changed.
    pub fields: BTreeMap<String, u64>,
}

impl Summary {
    fn add(&mut self, other: &Self) {
        self.seen += other.seen;
        self.created += other.created;
        self.changed += other.changed;
        self.unchanged += other.unchanged;
        self.unknown += other.unknown;
        self.other_mode += other.other_mode;
        self.failed += other.failed;
        for (field, times) in &other.fields {
            *self.fields.entry(field.clone()).or_default() += times;
        }
    }

    fn count(&mut self, became: &Became) {
        self.seen += 1;
        let (count, fields) = match became {
            Became::Created(_, fields) => (&mut self.created, fields.as_slice()),
            Became::Changed(_, fields) => (&mut self.changed, fields.as_slice()),
            Became::Unchanged => (&mut self.unchanged, [].as_slice()),
            Became::Unknown => (&mut self.unknown, [].as_slice()),
            Became::OtherMode => (&mut self.other_mode, [].as_slice()),
            Became::Failed(_) => (&mut self.failed, [].as_slice()),
        };
        *count += 1;
        for field in fields {
            *self.fields.entry((*field).to_owned()).or_default() += 1;
        }
    }
}

/// What became of one invoice of Stripe's, or would.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Became {
    /// This invoice of ours had no mirror before.
    Created(InvoiceId, Vec<&'static str>),
    /// These fields of this one changed.
    Changed(InvoiceId, Vec<&'static str>),
    /// Nothing that is told.
    Unchanged,
    /// It belongs to no invoice of ours.
    Unknown,
    /// It is of the other mode than the tenant.
    OtherMode,
    /// It cannot be taken over, and why.
    Failed(&'static str),
}

/// What happens meanwhile.
#[derive(Clone, Copy, Debug)]
pub enum Progress<'a> {
    /// So many accounts are listed.
    Begun(u64),
    /// An interrupted backfill of this tenant goes on where it was interrupted.
    GoesOn(&'a TenantId, &'a Summary),
    /// A backfill of this tenant runs, or was killed a moment ago: it is waited for.
    Elsewhere(&'a TenantId),
    /// Stripe does not answer; it is asked again after so long.
    Waiting(&'a StripeError, Duration),
    /// One invoice of Stripe's is done.
    Invoice(&'a TenantId, &'a StripeInvoiceId, &'a Became),
    /// A page is done.
    Page {
        /// How much of all accounts is covered, each counting [`WHOLE`].
        covered: u64,
        /// What came of everything so far.
        so_far: &'a Summary,
        /// When the last invoice of the page was made.
        back_to: Option<Instant>,
    },
}

/// How far a tenant's backfill came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cursor {
    since: Option<Instant>,
    until: Option<Instant>,
    /// The account that is listed; those before it are done.
    account: Option<String>,
    /// The last invoice of the last page that was finished; absent when every account is done.
    after: Option<String>,
    created: Option<Instant>,
    /// When the newest invoice of the account was made.
    newest: Option<Instant>,
    summary: Summary,
}

impl Cursor {
    fn span(&self) -> Span {
        Span { since: self.since, until: self.until }
    }

    fn place(&self) -> Option<Place> {
        let after = StripeInvoiceId::parse(self.after.as_deref()?).ok()?;
        Some(Place { after, created: self.created })
    }
}

/// Takes over what Stripe says of invoices. What came of it is added to `summary`, also when it ends with an error.
///
/// # Errors
/// [`AppError::Asking`] when Stripe does not answer for too long, [`AppError::Running`] when another backfill of a
/// tenant does not end, [`AppError::Interrupted`] when `stop` ends; those of finding the accounts and of the store. What was
/// finished is written down: the same options go on from there.
pub async fn backfill(
    config: &(StoreConfig, StripeAccess),
    options: &Options,
    summary: &mut Summary,
    stop: impl Future<Output = ()>,
    tell: impl FnMut(Progress<'_>) + Send,
) -> Result<(), AppError> {
    let (store_config, access) = config;
    let store = wiring::open(store_config).await?;
    let clock = demo::billing_clock(&store).await?;
    let Sources { all, .. } = sources((store_config, access), &store, options.tenant.as_ref()).await?;
    let mut run = Run { store: &store, clock, options, done: 0, tell };
    (run.tell)(Progress::Begun(counted(all.len())));
    let mut stop = std::pin::pin!(stop);
    let mut rest = all.as_slice();
    let mut leases = Vec::new();
    let mut ended = Ok(());
    while let Some(first) = rest.first() {
        let same = rest.iter().take_while(|source| source.tenant.id() == first.tenant.id()).count();
        let (of_tenant, others) = rest.split_at(same);
        rest = others;
        let lease = Lease::on(&store, &first.tenant, JOB, LEASE);
        ended = run.leased(&lease, of_tenant, summary, stop.as_mut()).await;
        leases.push(lease);
        if ended.is_err() {
            break;
        }
    }
    if ended.is_ok() && !options.dry_run {
        // Only now: what is interrupted later must not begin with the first tenant again.
        for lease in &leases {
            if lease.take().await? {
                lease.save_state(None).await?;
                lease.release().await?;
            }
        }
    }
    store.close().await?;
    ended
}

/// A backfill that runs.
struct Run<'a, Tell> {
    store: &'a Store,
    clock: Clock,
    options: &'a Options,
    /// Accounts that are done.
    done: u64,
    tell: Tell,
}

impl<Tell: FnMut(Progress<'_>) + Send> Run<'_, Tell> {
    /// The accounts of one tenant, under its lease. A dry run takes none: it writes nothing at all.
    async fn leased(
        &mut self,
        lease: &Lease,
        sources: &[Source],
        total: &mut Summary,
        stop: std::pin::Pin<&mut impl Future<Output = ()>>,
    ) -> Result<(), AppError> {
        let Some(first) = sources.first() else { return Ok(()) };
        let id = first.tenant.id();
        if self.options.dry_run {
            return tokio::select! {
                done = self.tenant(None, sources, total) => done,
                () = stop => Err(AppError::Interrupted),
            };
        }
        if !lease.take_patiently(LOOK, || (self.tell)(Progress::Elsewhere(id))).await? {
            return Err(AppError::Running(id.clone()));
        }
        let ended = tokio::select! {
            done = self.tenant(Some(lease), sources, total) => done,
            () = lease.keep() => Err(AppError::Running(id.clone())),
            () = stop => Err(AppError::Interrupted),
        };
        lease.release().await?;
        ended
    }

    async fn tenant(&mut self, lease: Option<&Lease>, sources: &[Source], total: &mut Summary) -> Result<(), AppError> {
        let earlier = match lease.filter(|_| !self.options.restart) {
            Some(lease) => lease.state().await?.and_then(|state| Cursor::deserialize(state).ok()),
            None => None,
        };
        let span = self.options.span;
        let mut cursor = earlier.filter(|cursor| cursor.span() == span).unwrap_or(Cursor {
            since: span.since,
            until: span.until,
            account: None,
            after: None,
            created: None,
            newest: None,
            summary: Summary::default(),
        });
        let goes_on = cursor.summary.seen > 0;
        if let Some(first) = sources.first().filter(|_| goes_on) {
            (self.tell)(Progress::GoesOn(first.tenant.id(), &cursor.summary));
        }
        total.add(&cursor.summary);
        for source in sources {
            // Accounts come in order: those before the one that was interrupted are done.
            let finished = goes_on && (source.account < cursor.account || cursor.after.is_none());
            if !finished {
                self.account(lease, source, &mut cursor, total).await?;
            }
            self.done += 1;
        }
        cursor.after = None;
        save(lease, sources, &cursor).await
    }

    /// The pages of one account, from the cursor on.
    async fn account(
        &mut self,
        lease: Option<&Lease>,
        source: &Source,
        cursor: &mut Cursor,
        total: &mut Summary,
    ) -> Result<(), AppError> {
        if source.account != cursor.account {
            *cursor = Cursor { after: None, created: None, newest: None, ..cursor.clone() };
            cursor.account.clone_from(&source.account);
        }
        let reader = self.store.reader(&source.tenant, &Arc::default());
        let known = store::upstream_invoice::last_event(&source.tenant, &reader).await?;
        let patience = Patience(self.options.patience);
        loop {
            let place = cursor.place();
            let tell = &mut self.tell;
            let page = source.page((self.options.span, true), place.as_ref(), patience, |error, pause| {
                tell(Progress::Waiting(error, pause));
            });
            let page = page.await.map_err(|error| source.failed(error))?;
            let read_at = self.clock.now();
            let came = self.page(source, &page.items, (known, read_at)).await?;
            let Some(last) = page.items.last() else { return Ok(()) };
            cursor.newest = cursor.newest.or_else(|| page.items.first().and_then(|first| first.created));
            cursor.after = Some(last.id.as_str().to_owned());
            cursor.created = last.created;
            cursor.summary.add(&came);
            save(lease, std::slice::from_ref(source), cursor).await?;
            total.add(&came);
            let part = if page.has_more { covered(self.options.span, cursor) } else { WHOLE };
            let covered = self.done.saturating_mul(WHOLE).saturating_add(part);
            (self.tell)(Progress::Page { covered, so_far: total, back_to: last.created });
            if !page.has_more {
                return Ok(());
            }
        }
    }

    async fn page(
        &mut self,
        source: &Source,
        invoices: &[Invoice],
        when: (Option<Instant>, Instant),
    ) -> Result<Summary, AppError> {
        let reader = self.store.reader(&source.tenant, &Arc::default());
        let ids: Vec<&str> = invoices.iter().map(|invoice| invoice.id.as_str()).collect();
        let mirrors = store::upstream_invoice::by_stripe_ids(&source.tenant, &reader, &ids).await?;
        let mut summary = Summary::default();
        for invoice in invoices {
            let became = self.invoice(source, invoice, &mirrors, when).await?;
            summary.count(&became);
            (self.tell)(Progress::Invoice(source.tenant.id(), &invoice.id, &became));
        }
        Ok(summary)
    }

    async fn invoice(
        &mut self,
        source: &Source,
        invoice: &Invoice,
        mirrors: &HashMap<String, upstream_invoice::Model>,
        (known, read_at): (Option<Instant>, Instant),
    ) -> Result<Became, AppError> {
        if invoice.livemode.is_some_and(|live| live != source.livemode) {
            return Ok(Became::OtherMode);
        }
        // Foreign invoices are told without the lock that writing takes.
        if !mirrors.contains_key(invoice.id.as_str()) && upstream_news::named(&invoice.metadata).is_none() {
            return Ok(Became::Unknown);
        }
        let (tell, patience) = (&mut self.tell, Patience(self.options.patience));
        let payments = source.payments(invoice, patience, |error, pause| tell(Progress::Waiting(error, pause)));
        let payments = payments.await.map_err(|error| source.failed(error))?;
        let account = source.account.as_deref();
        let listed = Listed { invoice, payments: &payments, account, known, read_at };
        Ok(match backfill_invoice(self.store, &source.tenant, &listed, !self.options.dry_run).await? {
            Backfilled::Created(id, fields) => Became::Created(id, fields),
            Backfilled::Changed(id, fields) => Became::Changed(id, fields),
            Backfilled::Unchanged(_) => Became::Unchanged,
            Backfilled::Unknown => Became::Unknown,
            Backfilled::Unfit(why) => Became::Failed(why),
        })
    }
}

/// Writes down how far it came, where anything is written.
async fn save(lease: Option<&Lease>, sources: &[Source], cursor: &Cursor) -> Result<(), AppError> {
    let (Some(lease), Some(source)) = (lease, sources.first()) else { return Ok(()) };
    let state = serde_json::to_value(cursor).map_err(store::StoreError::from)?;
    let ours = lease.save_state(Some(state)).await?;
    if ours { Ok(()) } else { Err(AppError::Running(source.tenant.id().clone())) }
}

/// How much of an account is covered, of [`WHOLE`]: Stripe does not say how many invoices there are, but they come
/// newest first, so the time they were made in tells.
fn covered(span: Span, cursor: &Cursor) -> u64 {
    let (Some(since), Some(newest), Some(at)) = (span.since, cursor.newest, cursor.created) else { return 0 };
    let seconds = |from: Instant, to: Instant| u64::try_from((to.utc() - from.utc()).num_seconds()).unwrap_or_default();
    let (done, all) = (seconds(at, newest), seconds(since, newest));
    done.saturating_mul(WHOLE).checked_div(all).unwrap_or_default().min(WHOLE)
}

fn counted(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
