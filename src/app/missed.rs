//! Fetches events that never came from Stripe's list of the last 30 days.
//!
//! The list is read newest first, page by page, and each page is taken in one transaction. What is in the inbox already is
//! left alone, so a run that was interrupted is simply begun again.

use std::time::Duration;

use entity::{Instant, TenantId};
use serde::Serialize;

use super::config::{StoreConfig, StripeAccess};
use super::listing::{Patience, Source, Sources, sources};
use super::{AppError, wiring};
use crate::actions::take_missed::{Missed, take_missed};
use crate::domain::actor::Actor;
use crate::domain::clock::Clock;
use crate::store::Store;
use crate::store::tenant::System;
use crate::stripe::{Event, EventsAsked, ListedEvent, StripeError};

/// Types of events that an endpoint is subscribed to, by what they begin with. An account has many others, of which
/// nothing would follow.
const SUBSCRIBED: [&str; 8] = [
    "invoice.",
    "invoice_payment.paid",
    "charge.refunded",
    "charge.updated",
    "charge.dispute.",
    "refund.",
    "credit_note.",
    "payment_intent.payment_failed",
];

/// What is to be fetched.
#[derive(Clone, Debug)]
pub struct Options {
    /// Events that happened then or later; absent: all that Stripe has.
    pub since: Option<Instant>,
    /// Only those of this tenant.
    pub tenant: Option<TenantId>,
    /// The endpoint whose worker is to work on them.
    pub endpoint: String,
    /// Whether nothing is written.
    pub dry_run: bool,
    /// For how long Stripe is asked again when it does not answer.
    pub patience: Duration,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Events in Stripe's list.
    pub seen: u64,
    /// Of other types than an endpoint is subscribed to.
    pub other_type: u64,
    /// About real money where the tenant's bills are test data, or the reverse.
    pub other_mode: u64,
    /// In the inbox already.
    pub known: u64,
    /// Taken into the inbox now.
    pub taken: u64,
}

/// Fetches what never came. What came of it is added to `summary`, also when it ends with an error.
///
/// # Errors
/// [`AppError::Asking`] when Stripe does not answer for too long; those of finding the accounts and of the store. Pages
/// that were taken stay.
pub async fn fetch(
    config: &(StoreConfig, StripeAccess),
    options: &Options,
    summary: &mut Summary,
    mut tell: impl FnMut(&StripeError, Duration),
) -> Result<(), AppError> {
    let (store_config, access) = config;
    let store = wiring::open(store_config).await?;
    let Sources { all, .. } = sources((store_config, access), &store, options.tenant.as_ref()).await?;
    let mut done = Ok(());
    for source in &all {
        done = of_account(&store, source, options, summary, &mut tell).await;
        if done.is_err() {
            break;
        }
    }
    store.close().await?;
    done
}

async fn of_account(
    store: &Store,
    source: &Source,
    options: &Options,
    summary: &mut Summary,
    tell: &mut impl FnMut(&StripeError, Duration),
) -> Result<(), AppError> {
    let actor = Actor::operator();
    let mut asked = EventsAsked { since: options.since, after: None };
    loop {
        let page = source.events(&asked, Patience(options.patience), &mut *tell).await;
        let page = page.map_err(|error| source.failed(error))?;
        let wanted: Vec<&ListedEvent> =
            page.items.iter().filter(|listed| is_wanted(&listed.event, source.livemode, summary)).collect();
        let missed = Missed {
            tenant: &source.tenant,
            account: source.account.as_deref(),
            livemode: source.livemode,
            endpoint: &options.endpoint,
            actor: &actor,
            dry_run: options.dry_run,
            now: Clock::system().now(),
        };
        let taken = take_missed(store, &System::operator(), &missed, &wanted).await?;
        summary.taken += taken;
        summary.known += (wanted.len() as u64).saturating_sub(taken);
        match page.items.last() {
            Some(last) if page.has_more => asked.after = Some(last.event.id.clone()),
            _ => return Ok(()),
        }
    }
}

/// Whether something could follow from an event; what could not is counted by its reason.
fn is_wanted(event: &Event, livemode: bool, summary: &mut Summary) -> bool {
    summary.seen += 1;
    if !SUBSCRIBED.iter().any(|begin| event.kind.starts_with(begin)) {
        summary.other_type += 1;
        return false;
    }
    if event.livemode.is_some_and(|its| its != livemode) {
        summary.other_mode += 1;
        return false;
    }
    true
}
