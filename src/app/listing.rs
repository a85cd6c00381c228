//! All invoices of the accounts at Stripe, page by page, newest first: what a backfill takes over and a comparison
//! compares. And their events, for those that never came.

use std::sync::Arc;
use std::time::Duration;

use entity::{Instant, TenantId, tenant};
use tokio::time::{Instant as Moment, sleep};

use super::AppError;
use super::accounts::{self, Pace};
use super::config::{StoreConfig, StripeAccess};
use crate::domain::viewer::Tenant;
use crate::links::Accounts;
use crate::stats::StripeStats;
use crate::store::tenant::System;
use crate::store::{self, Store, StoreError};
use crate::stripe::{
    Deadline, EventsAsked, Invoice, InvoicePayment, InvoicesAsked, ListedEvent, Page, StripeClient, StripeError,
    StripeErrorKind, StripeInvoiceId,
};

/// How long Stripe may take for one page.
const PAGE_TIME: Duration = Duration::from_secs(15);

/// The first pause before a page is asked for again; it doubles from then on.
const PAUSE: Duration = Duration::from_secs(1);

/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// Which invoices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Those that were made at Stripe then or later; absent: all.
    pub since: Option<Instant>,
    /// Those that were made before; absent: all.
    pub until: Option<Instant>,
}

/// An account to be listed, and whose invoices are in it.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) tenant: Tenant,
    pub(super) livemode: bool,
    /// The connected account; absent for a key's own.
    pub(super) account: Option<String>,
    pub(super) client: StripeClient,
}

/// The accounts that can be asked, and everything there is to list in them.
pub(super) struct Sources {
    pub(super) accounts: Accounts,
    /// By tenant, oldest tenant first, and account.
    pub(super) all: Vec<Source>,
}

/// Every account that a key opens, or those of one tenant.
///
/// # Errors
/// [`AppError::NoTenant`], [`AppError::NoKey`] and [`AppError::NoKeys`] when there is nothing to ask; a fault when a key
/// and its tenant disagree about real money; those of the store.
pub(super) async fn sources(
    (config, access): (&StoreConfig, &StripeAccess),
    store: &Store,
    only: Option<&TenantId>,
) -> Result<Sources, AppError> {
    let operator = System::operator();
    let tenants = store::tenant::all(&operator, &store.reader(&operator, &Arc::default())).await?;
    accounts::check_modes(access, &std::collections::BTreeMap::new(), &tenants)?;
    let hosts = accounts::link_hosts(config, access);
    let accounts = accounts::accounts(access, &hosts, Pace::Background, &StripeStats::default())?;
    accounts.know_modes(&tenants);
    let wanted: Vec<tenant::Model> = tenants.into_iter().filter(|row| only.is_none_or(|id| row.id == *id)).collect();
    if let (Some(id), true) = (only, wanted.is_empty()) {
        return Err(AppError::NoTenant(id.clone()));
    }
    let mut all = Vec::new();
    for row in &wanted {
        all.extend(of_tenant(&accounts, store, row).await?);
    }
    match only {
        Some(id) if all.is_empty() => Err(AppError::NoKey(id.clone())),
        None if all.is_empty() => Err(AppError::NoKeys),
        _ => Ok(Sources { accounts, all }),
    }
}

/// A tenant's own account, or those that it and its mirrors name to a platform.
async fn of_tenant(accounts: &Accounts, store: &Store, row: &tenant::Model) -> Result<Vec<Source>, StoreError> {
    let tenant = Tenant::whole(row.id.clone());
    let source = |account: Option<String>| {
        let client = accounts.client(&row.id, account.as_deref())?;
        Some(Source { tenant: tenant.clone(), livemode: row.livemode, account, client })
    };
    if let Some(own) = source(None) {
        return Ok(vec![own]);
    }
    let mut named = store::upstream_invoice::accounts(&tenant, &store.reader(&tenant, &Arc::default())).await?;
    named.extend(row.stripe_account_id.clone());
    named.sort_unstable();
    named.dedup();
    Ok(named.into_iter().filter_map(|account| source(Some(account))).collect())
}

/// How long it is tried.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience(pub(super) Duration);

impl Patience {
    /// Asks until it is answered, or until it does not help or takes too long. `tell` hears of each pause.
    async fn ask<T, F>(
        self,
        mut tell: impl FnMut(&StripeError, Duration),
        ask: impl Fn(Deadline) -> F,
    ) -> Result<T, StripeError>
    where
        F: Future<Output = Result<T, StripeError>>,
    {
        let end = Moment::now() + self.0;
        let mut pause = PAUSE;
        loop {
            let error = match ask(Deadline::after(PAGE_TIME)).await {
                Err(error) if error.retryable() => error,
                answered => return answered,
            };
            let wait = pause.max(error.retry_after().unwrap_or_default());
            if Moment::now() + wait > end {
                return Err(error);
            }
            tell(&error, wait);
            sleep(wait).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }
}

/// Where a listing goes on: behind the last invoice that was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) after: StripeInvoiceId,
    /// When that one was made, for when Stripe does not know it any more.
    pub(super) created: Option<Instant>,
}

impl Source {
    /// The page behind `place`, with the payments of each invoice where they are wanted.
    pub(super) async fn page(
        &self,
        (span, payments): (Span, bool),
        place: Option<&Place>,
        patience: Patience,
        mut tell: impl FnMut(&StripeError, Duration),
    ) -> Result<Page<Invoice>, StripeError> {
        let after = place.map(|place| place.after.clone());
        let asked = InvoicesAsked { since: span.since, until: span.until, after, payments };
        let answered = patience.ask(&mut tell, |deadline| self.client.invoices_made(&asked, deadline)).await;
        let gone =
            |error: &StripeError| matches!(error.kind(), StripeErrorKind::NotFound | StripeErrorKind::BadResponse(_));
        match (answered, place.and_then(|place| place.created)) {
            // The invoice to go on behind was a draft, and is gone: on from its second.
            (Err(error), Some(created)) if gone(&error) => {
                let until = Instant::new(created.utc() + chrono::TimeDelta::seconds(1));
                let asked = InvoicesAsked { until: Some(until), after: None, ..asked };
                patience.ask(tell, |deadline| self.client.invoices_made(&asked, deadline)).await
            }
            (answered, _) => answered,
        }
    }

    /// A page of events behind one, newest first.
    pub(super) async fn events(
        &self,
        asked: &EventsAsked,
        patience: Patience,
        tell: impl FnMut(&StripeError, Duration),
    ) -> Result<Page<ListedEvent>, StripeError> {
        patience.ask(tell, |deadline| self.client.events(asked, deadline)).await
    }

    /// All payments of an invoice, whether they came with it or not.
    pub(super) async fn payments(
        &self,
        invoice: &Invoice,
        patience: Patience,
        tell: impl FnMut(&StripeError, Duration),
    ) -> Result<Vec<InvoicePayment>, StripeError> {
        if !invoice.payments.has_more {
            return Ok(invoice.payments.items.clone());
        }
        patience.ask(tell, |deadline| self.client.payments(&invoice.id, deadline)).await
    }

    pub(super) fn failed(&self, source: StripeError) -> AppError {
        AppError::Asking { tenant: self.tenant.id().clone(), source }
    }
}

/// An invoice at Stripe, asked for alone.
pub(super) async fn alone(
    client: &StripeClient,
    id: &StripeInvoiceId,
    patience: Patience,
    tell: impl FnMut(&StripeError, Duration),
) -> Result<Invoice, StripeError> {
    patience.ask(tell, |deadline| client.invoice(id, deadline)).await
}
