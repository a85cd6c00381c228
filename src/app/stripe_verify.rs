//! Compares every invoice that Stripe has with what is stored, and every invoice that is stored with what Stripe has.
//! Changes nothing.
//!
//! Stripe is asked for pages, and only about invoices that stood in none of them one by one: those that it does not
//! know any more.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use entity::{Instant, InvoiceId, TenantId, upstream_invoice};
use serde::Serialize;

use super::config::{StoreConfig, StripeAccess};
pub use super::listing::Span;
use super::listing::{Patience, Place, Source, Sources, alone, sources};
use super::{AppError, wiring};
use crate::actions::upstream_news::{self, Unfit};
use crate::domain::drift::{Drift, drift_now};
use crate::domain::upstream::News;
use crate::domain::viewer::Tenant;
use crate::links::Accounts;
use crate::store::{self, Reader, Store, upstream_invoice as mirrors};
use crate::stripe::{Invoice, StripeError, StripeErrorKind, StripeInvoiceId};

/// Mirrors that are read at a time.
const PAGE_ROWS: u64 = 500;

/// The field of something that only one side has.
const INVOICE: &str = "invoice";

/// The field of an invoice that Stripe has and that is here, but not as its mirror.
const MIRROR: &str = "upstream";

/// What is to be compared.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which invoices: by when they were made at Stripe, and those that are only here by when they were made here.
    pub span: Span,
    /// Only those of this tenant.
    pub tenant: Option<TenantId>,
    /// For how long Stripe is asked again when it does not answer.
    pub patience: Duration,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Compared {
    /// Invoices that both sides have.
    pub compared: u64,
    /// Of these, that differ.
    pub differing: u64,
    /// That only Stripe has.
    pub only_at_stripe: u64,
    /// That only the store has: Stripe does not know them any more.
    pub only_here: u64,
    /// That are stored, and no key opens their account.
    pub not_asked: u64,
    /// Of the other mode than their tenant.
    pub other_mode: u64,
    /// Fields that differ, and invoices that one side lacks.
    pub differences: u64,
}

/// One difference. Amounts are minor units; of links it only says whether there is one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// Whose invoice it is.
    pub tenant: TenantId,
    /// Its id; absent when it is not here.
    pub invoice: Option<InvoiceId>,
    /// What Stripe calls it.
    pub stripe_invoice: String,
    /// The field, or `invoice` when one side lacks it.
    pub field: &'static str,
    /// What is stored; absent when there is nothing.
    pub ours: Option<String>,
    /// What Stripe says; absent when it has nothing.
    pub theirs: Option<String>,
}

/// What happens meanwhile.
#[derive(Clone, Copy, Debug)]
pub enum Progress<'a> {
    /// About so many invoices are to be compared.
    Begun(u64),
    /// Something differs.
    Found(&'a Difference),
    /// So many more were looked at.
    Looked(u64),
    /// Stripe does not answer; it is asked again after so long.
    Waiting(&'a StripeError, Duration),
}

/// Compares, and tells what differs.
///
/// # Errors
/// [`AppError::Asking`] when Stripe does not answer for too long, those of finding the accounts and of the store. Nothing can be
/// said of the rest then.
pub async fn verify(
    config: &(StoreConfig, StripeAccess),
    options: &Options,
    tell: impl FnMut(Progress<'_>) + Send,
) -> Result<Compared, AppError> {
    let (store_config, access) = config;
    let store = wiring::open(store_config).await?;
    let Sources { accounts, all } = sources((store_config, access), &store, options.tenant.as_ref()).await?;
    let mut run = Run { store: &store, options, compared: Compared::default(), tell };
    run.begin(&all).await?;
    let mut rest = all.as_slice();
    while let Some(first) = rest.first() {
        let same = rest.iter().take_while(|source| source.tenant.id() == first.tenant.id()).count();
        let (of_tenant, others) = rest.split_at(same);
        rest = others;
        let mut seen = HashSet::new();
        for source in of_tenant {
            run.account(source, &mut seen).await?;
        }
        run.unseen(first, &accounts, &seen).await?;
    }
    let compared = run.compared;
    close(store).await?;
    Ok(compared)
}

async fn close(store: Store) -> Result<(), AppError> {
    Ok(store.close().await?)
}

/// A comparison that runs.
struct Run<'a, Tell> {
    store: &'a Store,
    options: &'a Options,
    compared: Compared,
    tell: Tell,
}

impl<Tell: FnMut(Progress<'_>) + Send> Run<'_, Tell> {
    async fn begin(&mut self, sources: &[Source]) -> Result<(), AppError> {
        let mut tenants: Vec<&Tenant> = sources.iter().map(|source| &source.tenant).collect();
        tenants.dedup_by_key(|tenant| tenant.id());
        let mut all = 0_u64;
        for tenant in tenants {
            all = all.saturating_add(mirrors::count(tenant, &self.reader(tenant)).await?);
        }
        (self.tell)(Progress::Begun(all));
        Ok(())
    }

    /// Every page of an account.
    async fn account(&mut self, source: &Source, seen: &mut HashSet<String>) -> Result<(), AppError> {
        let mut place: Option<Place> = None;
        loop {
            let (span, patience) = (self.options.span, Patience(self.options.patience));
            let tell = &mut self.tell;
            let page = source.page((span, false), place.as_ref(), patience, |error, pause| {
                tell(Progress::Waiting(error, pause));
            });
            let page = page.await.map_err(|error| source.failed(error))?;
            seen.extend(page.items.iter().map(|invoice| invoice.id.as_str().to_owned()));
            self.compare(source, &page.items).await?;
            let Some(last) = page.items.last().filter(|_| page.has_more) else { return Ok(()) };
            place = Some(Place { after: last.id.clone(), created: last.created });
        }
    }

    async fn compare(&mut self, source: &Source, invoices: &[Invoice]) -> Result<(), AppError> {
        let tenant = &source.tenant;
        let ids: Vec<&str> = invoices.iter().map(|invoice| invoice.id.as_str()).collect();
        let mirrored = mirrors::by_stripe_ids(tenant, &self.reader(tenant), &ids).await?;
        let named = |invoice: &Invoice| match mirrored.get(invoice.id.as_str()) {
            Some(mirror) => Some(mirror.invoice_id.clone()),
            None => upstream_news::named(&invoice.metadata),
        };
        let ours: Vec<InvoiceId> = invoices.iter().filter_map(named).collect();
        let rows = store::invoice::by_ids(tenant, &self.reader(tenant), &ours).await?;
        for invoice in invoices {
            if invoice.livemode.is_some_and(|live| live != source.livemode) {
                self.compared.other_mode += 1;
                continue;
            }
            let row = named(invoice).and_then(|id| rows.get(&id));
            let differences = match (row, mirrored.get(invoice.id.as_str())) {
                (Some(row), Some(mirror)) => {
                    self.compared.compared += 1;
                    let found = differences(row, mirror, invoice);
                    self.compared.differing += u64::from(!found.is_empty());
                    found
                }
                (row, _) => {
                    self.compared.only_at_stripe += 1;
                    vec![not_here(tenant, row.map(|row| row.id.clone()), invoice)]
                }
            };
            self.found(&differences);
        }
        (self.tell)(Progress::Looked(u64::try_from(invoices.len()).unwrap_or(u64::MAX)));
        Ok(())
    }

    fn found(&mut self, differences: &[Difference]) {
        for difference in differences {
            self.compared.differences += 1;
            (self.tell)(Progress::Found(difference));
        }
    }

    /// What is stored and stood in no page.
    async fn unseen(&mut self, source: &Source, accounts: &Accounts, seen: &HashSet<String>) -> Result<(), AppError> {
        let tenant = &source.tenant;
        let mut after: Option<InvoiceId> = None;
        loop {
            let page = mirrors::page(tenant, &self.reader(tenant), after.as_ref(), PAGE_ROWS).await?;
            let unseen = page.iter().filter(|mirror| {
                mirror.stripe_invoice_id.as_ref().is_some_and(|stripe_invoice| !seen.contains(stripe_invoice))
            });
            let unseen: Vec<&upstream_invoice::Model> = unseen.collect();
            let ids: Vec<InvoiceId> = unseen.iter().map(|mirror| mirror.invoice_id.clone()).collect();
            let rows = store::invoice::by_ids(tenant, &self.reader(tenant), &ids).await?;
            for mirror in unseen {
                if let Some(row) = rows.get(&mirror.invoice_id).filter(|row| self.is_wanted(row.created_at)) {
                    self.ask(source, accounts, row, mirror).await?;
                }
            }
            match page.last() {
                Some(last) => after = Some(last.invoice_id.clone()),
                None => return Ok(()),
            }
        }
    }

    fn reader(&self, tenant: &Tenant) -> Reader {
        self.store.reader(tenant, &Arc::default())
    }

    fn is_wanted(&self, created: Instant) -> bool {
        let Span { since, until } = self.options.span;
        since.is_none_or(|since| created >= since) && until.is_none_or(|until| created < until)
    }

    async fn ask(
        &mut self,
        source: &Source,
        accounts: &Accounts,
        row: &entity::invoice::Model,
        mirror: &upstream_invoice::Model,
    ) -> Result<(), AppError> {
        let id = mirror.stripe_invoice_id.as_deref().unwrap_or_default();
        let client = accounts.client(source.tenant.id(), mirror.stripe_account_id.as_deref());
        let (Some(client), Ok(asked)) = (client, StripeInvoiceId::parse(id)) else {
            self.compared.not_asked += 1;
            return Ok(());
        };
        let tell = &mut self.tell;
        let patience = Patience(self.options.patience);
        let answered = alone(&client, &asked, patience, |error, pause| tell(Progress::Waiting(error, pause))).await;
        let found = match answered {
            Ok(invoice) => {
                self.compared.compared += 1;
                let found = differences(row, mirror, &invoice);
                self.compared.differing += u64::from(!found.is_empty());
                found
            }
            Err(error) if *error.kind() == StripeErrorKind::NotFound => {
                self.compared.only_here += 1;
                vec![Difference {
                    tenant: source.tenant.id().clone(),
                    invoice: Some(row.id.clone()),
                    stripe_invoice: id.to_owned(),
                    field: INVOICE,
                    ours: Some(row.status.word().to_lowercase()),
                    theirs: None,
                }]
            }
            Err(error) => return Err(source.failed(error)),
        };
        self.found(&found);
        Ok(())
    }
}

/// An invoice of Stripe's that is not here, or is here without being its mirror.
fn not_here(tenant: &Tenant, named: Option<InvoiceId>, invoice: &Invoice) -> Difference {
    Difference {
        tenant: tenant.id().clone(),
        field: if named.is_some() { MIRROR } else { INVOICE },
        invoice: named,
        stripe_invoice: invoice.id.as_str().to_owned(),
        ours: None,
        theirs: Some(invoice.status.as_ref().map_or("present", |status| status.word()).to_owned()),
    }
}

fn differences(row: &entity::invoice::Model, mirror: &upstream_invoice::Model, stated: &Invoice) -> Vec<Difference> {
    let difference = |field: &'static str, ours: Option<String>, theirs: Option<String>| Difference {
        tenant: row.tenant_id.clone(),
        invoice: Some(row.id.clone()),
        stripe_invoice: stated.id.as_str().to_owned(),
        field,
        ours,
        theirs,
    };
    match upstream_news::of_invoice(stated, "", &row.currency) {
        Ok(Some(News::Invoice { snapshot, links, .. })) => {
            let found = drift_now(row, mirror, &snapshot, &links).into_iter();
            found.map(|Drift { field, local, upstream }| difference(field, Some(local), Some(upstream))).collect()
        }
        Ok(_) => {
            let word = stated.status.as_ref().map(|status| status.word().to_owned());
            vec![difference("status", Some(row.status.word().to_lowercase()), word)]
        }
        Err(Unfit(_)) => vec![difference("currency", Some(row.currency.0.to_lowercase()), stated.currency.clone())],
    }
}
