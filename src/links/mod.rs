//! Links of an invoice at Stripe: the pay page, the PDF and the receipts, and how old what is known of them is.
//!
//! The only place that knows both the mirror of a link and Stripe. What is asked for in one round of a request is
//! settled together (`resolve.rs`): the age of each mirror decides what has to be fetched (`freshness.rs`), calls are
//! shared with other requests (`flights.rs`), and what came is written to the mirror behind the answer
//! (`remember.rs`). The pay link is always live, and each caller may have so
//! many of them a minute (`pace.rs`).
//!
//! A tenant without an account at Stripe gets what the mirror has, and no pay link.

mod accounts;
mod error;
mod flights;
mod freshness;
mod pace;
mod remember;
mod resolve;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use entity::{InvoiceStatus, invoice, payment, upstream_invoice};
use tokio::sync::mpsc;

pub use self::accounts::{Account, Accounts};
pub use self::error::LinkError;
use self::flights::Flights;
pub use self::flights::UpstreamStats;
pub use self::freshness::{Freshness, Wanted, guaranteed_until, links_freshness, receipt_freshness};
pub use self::pace::PayLinkPace;
pub use self::remember::Refresher;
use self::remember::{Refresh, refresher};
pub use self::resolve::{Ask, Asker, LinkKey, Seen, State};
use crate::domain::invoice::amount_remaining;
use crate::domain::link::LinkHosts;
use crate::stats::LinkStats;
use crate::store::Store;

/// How long a request may wait for Stripe in all.
const UPSTREAM_TIME: Duration = Duration::from_millis(1_500);

/// Gives links.
#[derive(Clone, Debug)]
pub struct Links {
    hosts: LinkHosts,
    stripe: Option<Arc<Stripe>>,
    stats: LinkStats,
}

/// What is needed to ask Stripe.
#[derive(Debug)]
struct Stripe {
    accounts: Arc<Accounts>,
    store: Store,
    flights: Flights,
    behind: mpsc::Sender<Refresh>,
    time: Duration,
    pace: PayLinkPace,
}

impl Links {
    /// Links of the mirror only, which lead to `hosts`.
    pub fn new(hosts: LinkHosts) -> Self {
        Self { hosts, stripe: None, stats: LinkStats::default() }
    }

    /// Links of these accounts, mirrored in the store; pay links at this pace. The refresher
    /// fetches behind answers, as long as it runs.
    pub fn live(hosts: LinkHosts, accounts: Arc<Accounts>, store: Store, pace: PayLinkPace) -> (Self, Refresher) {
        let (behind, refreshes) = refresher();
        let stats = LinkStats::default();
        let flights = Flights::new(stats.clone());
        let stripe = Stripe { accounts, store, flights, behind, time: UPSTREAM_TIME, pace };
        let links = Self { hosts, stripe: Some(Arc::new(stripe)), stats };
        // What is refreshed behind answers was not asked for, and is not counted as if it were.
        let behind = Self { stats: LinkStats::default(), ..links.clone() };
        (links, Refresher::new(behind, refreshes))
    }

    /// The accounts that are asked.
    pub fn accounts(&self) -> Option<Arc<Accounts>> {
        self.stripe.as_ref().map(|stripe| Arc::clone(&stripe.accounts))
    }

    /// What is counted of them.
    pub const fn stats(&self) -> &LinkStats {
        &self.stats
    }

    /// Whether there is anyone to ask.
    pub const fn are_live(&self) -> bool {
        self.stripe.is_some()
    }

    /// How long a request may wait for Stripe in all.
    pub fn patience(&self) -> Duration {
        self.stripe.as_ref().map_or(Duration::ZERO, |stripe| stripe.time)
    }

    /// A stored link, if it leads to a host that links may lead to.
    pub fn shown(&self, link: &str) -> Option<String> {
        self.allowed(Some(link))
    }

    /// A stored link to documentation, if it leads where such links may lead.
    pub fn documentation(&self, link: &str) -> Option<String> {
        self.hosts.allow_documentation(link).then(|| link.to_owned())
    }

    /// The receipt of a payment that has no mirror to ask, as it is stored.
    pub fn stored_receipt(&self, payment: &payment::Model) -> Option<String> {
        self.allowed(payment.receipt_url.as_deref())
    }

    fn allowed(&self, link: Option<&str>) -> Option<String> {
        link.filter(|link| self.hosts.allow(link)).map(str::to_owned)
    }
}

/// Whether there is something to pay, and Stripe has the invoice.
fn payable(invoice: &invoice::Model, mirror: &upstream_invoice::Model) -> bool {
    let open = matches!(invoice.status, InvoiceStatus::Open | InvoiceStatus::Uncollectible);
    open && mirror.stripe_invoice_id.is_some() && amount_remaining(invoice).0 > 0
}

/// Whether an invoice may have receipts: something was paid, and not outside Stripe.
fn receipted(invoice: &invoice::Model) -> bool {
    let paid = invoice.status == InvoiceStatus::Paid || invoice.amount_paid.0 > 0;
    paid && !invoice.paid_out_of_band
}
