//! Sends events as they happen, as Stripe does: one after the other, and those that were not taken again later.

use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::Shared;
use crate::deliver::{client, post};
use crate::event::Event;
use crate::state::Webhook;

/// How long to wait before each further attempt; after the last, an event is given up.
const WAITS_MS: [u64; 10] = [200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 300_000, 900_000];

/// Sends what is said until it is dropped. What cannot be sent now waits aside, so that nothing waits for it.
pub(crate) async fn speak(shared: Shared, mut said: UnboundedReceiver<Event>) {
    let Ok(client) = client() else { return };
    let mut again = JoinSet::new();
    loop {
        tokio::select! {
            Some(event) = said.recv() => {
                if !attempt(&shared, &client, &event).await {
                    again.spawn(insist(shared.clone(), client.clone(), event));
                }
            }
            Some(_ended) = again.join_next() => {}
            else => return,
        }
    }
}

async fn insist(shared: Shared, client: reqwest::Client, event: Event) {
    for wait in WAITS_MS {
        sleep(Duration::from_millis(wait)).await;
        if attempt(&shared, &client, &event).await {
            return;
        }
    }
}

/// Whether nothing is left to do for an event: it was taken, or there is nowhere to send it to.
async fn attempt(shared: &Shared, client: &reqwest::Client, event: &Event) -> bool {
    let Some(Webhook { url, secret }) = shared.world().state.webhook.clone() else { return true };
    let status = post(client, &url, &[secret], event).await;
    let taken = (200..300).contains(&status);
    shared.world().delivered(&event.id, taken);
    taken
}
