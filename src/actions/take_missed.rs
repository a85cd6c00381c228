//! Takes events into the inbox that Stripe has in its list and that never came: what a backfill of invoices does not
//! restore. The same worker works on them, by the same rules, so one that comes after all does no harm.

use entity::{InboxSource, Instant};
use serde_json::json;

use super::take_event::{Came, row};
use crate::domain::actor::Actor;
use crate::domain::trail::Deed;
use crate::domain::viewer::Tenant;
use crate::store::tenant::System;
use crate::store::{self, Store, StoreError};
use crate::stripe::ListedEvent;

/// Where events are taken from and to.
#[derive(Clone, Copy, Debug)]
pub struct Missed<'a> {
    /// Whose account it is.
    pub tenant: &'a Tenant,
    /// The connected account; absent for a key's own. Its events come to an endpoint of the platform.
    pub account: Option<&'a str>,
    /// Whether the account is about real money.
    pub livemode: bool,
    /// The endpoint whose worker is to work on them.
    pub endpoint: &'a str,
    /// Who asks for it.
    pub actor: &'a Actor,
    /// Whether nothing is written.
    pub dry_run: bool,
    /// When.
    pub now: Instant,
}

/// Takes the events that are not in the inbox, and gives how many these were.
///
/// # Errors
/// Those of [`StoreError`]; nothing was written then.
pub async fn take_missed(
    store: &Store,
    system: &System,
    missed: &Missed<'_>,
    events: &[&ListedEvent],
) -> Result<u64, StoreError> {
    let tx = store.begin(missed.tenant).await?;
    let mut taken: u64 = 0;
    for listed in events {
        let payload = with_account(&listed.json, missed.account.filter(|_id| listed.event.account.is_none()));
        let came = Came {
            endpoint: missed.endpoint,
            livemode: missed.livemode,
            source: InboxSource::List,
            payload: &payload,
            now: missed.now,
        };
        let tenant = missed.account.is_none().then(|| missed.tenant.id().clone());
        if store::webhook_event::insert(system, &tx, row(&came, tenant, &listed.event)).await? {
            taken = taken.saturating_add(1);
        }
    }
    if missed.dry_run || taken == 0 {
        return Ok(taken);
    }
    let deed = Deed {
        action: "webhook.fetch",
        object_type: "Tenant",
        object_id: missed.tenant.id().0.clone(),
        before: None,
        after: Some(json!({ "endpoint": missed.endpoint, "events": taken })),
    };
    store::audit_log::append(missed.tenant, &tx, missed.actor, deed, missed.now).await?;
    tx.commit().await?;
    Ok(taken)
}

/// The event with the account that it happened in, which lists leave out: the worker finds the tenant by it.
fn with_account(json: &str, account: Option<&str>) -> String {
    match (account, json.trim_start().strip_prefix('{')) {
        (Some(account), Some(rest)) => format!("{{\"account\":{},{rest}", json!(account)),
        _ => json.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_of_a_connected_account_names_it() {
        assert_eq!(with_account("{\"id\":1}", Some("acct_1")), "{\"account\":\"acct_1\",\"id\":1}");
        assert_eq!(with_account("{\"id\":1}", None), "{\"id\":1}");
    }
}
