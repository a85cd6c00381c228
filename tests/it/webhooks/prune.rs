//! What was worked on long ago is taken out of the inbox; the rest stays.

use std::collections::BTreeMap;
use std::time::Duration;

use billing_gateway::actions::prune_events::BATCH;
use billing_gateway::app::jobs::pruner::Pruner;
use billing_gateway::domain::clock::Clock;
use chrono::TimeDelta;
use entity::{Instant, WebhookStatus as Status, webhook_event};
use sea_orm::{EntityTrait, IntoActiveModel};

use crate::support::database::for_each_engine;
use crate::support::hooks::Hooks;

const KEEP: Duration = Duration::from_hours(30 * 24);

/// Writes so many events of a status that came so long ago.
async fn write(hooks: &Hooks, status: Status, ago: TimeDelta, number: u64) {
    let at = Instant::new(Clock::system().now().utc() - ago);
    let row = |index: u64| webhook_event::Model {
        endpoint: "default".to_owned(),
        event_id: format!("evt_{}_{}_{index}", status.word(), ago.num_minutes()),
        provider: "stripe".to_owned(),
        kind: "invoice.paid".to_owned(),
        event_created: at,
        payload: "{}".to_owned(),
        status,
        received_at: at,
        processed_at: Some(at),
        ..Default::default()
    };
    let rows: Vec<_> = (0..number).map(|index| row(index).into_active_model()).collect();
    let connection = hooks.database.connect().await;
    for rows in rows.chunks(500) {
        webhook_event::Entity::insert_many(rows.to_vec()).exec_without_returning(&connection).await.unwrap();
    }
}

fn pruner(hooks: &Hooks, later: TimeDelta) -> Pruner {
    let clock = Clock::starting_at(Clock::system().now().utc() + later);
    Pruner { store: hooks.store.clone(), system: hooks.inbox.system, clock, keep: KEEP }
}

async fn left(hooks: &Hooks) -> BTreeMap<String, usize> {
    let mut left = BTreeMap::new();
    for event in hooks.events().await {
        *left.entry(event.status.word()).or_default() += 1;
    }
    left
}

fn counts(of: &[(&str, usize)]) -> BTreeMap<String, usize> {
    of.iter().map(|(status, number)| ((*status).to_owned(), *number)).collect()
}

#[tokio::test]
async fn what_was_worked_on_a_month_ago_goes_and_what_waits_stays() {
    for_each_engine(async |engine| {
        let hooks = Hooks::on(engine).await;
        let (old, young) = (TimeDelta::days(31), TimeDelta::days(29));
        for status in [Status::Processed, Status::Ignored, Status::Parked, Status::Failed, Status::Received] {
            write(&hooks, status, old, 3).await;
            write(&hooks, status, young, 2).await;
        }
        assert_eq!(pruner(&hooks, TimeDelta::zero()).round().await.unwrap(), 6);
        let all = [("FAILED", 5), ("IGNORED", 2), ("PARKED", 5), ("PROCESSED", 2), ("RECEIVED", 5)];
        assert_eq!(left(&hooks).await, counts(&all));
        assert_eq!(pruner(&hooks, TimeDelta::zero()).round().await.unwrap(), 0);
        // Two days on, the others are old as well.
        assert_eq!(pruner(&hooks, TimeDelta::days(2)).round().await.unwrap(), 4);
        assert_eq!(left(&hooks).await, counts(&[("FAILED", 5), ("PARKED", 5), ("RECEIVED", 5)]));
    })
    .await;
}

#[tokio::test]
async fn many_old_events_go_in_batches() {
    for_each_engine(async |engine| {
        let hooks = Hooks::on(engine).await;
        write(&hooks, Status::Processed, TimeDelta::days(40), BATCH + 1).await;
        write(&hooks, Status::Ignored, TimeDelta::days(50), BATCH).await;
        let batch = billing_gateway::actions::prune_events::prune_events;
        let now = Clock::system().now();
        assert_eq!(batch(&hooks.store, &hooks.inbox.system, now).await.unwrap(), BATCH);
        // The oldest went first.
        assert_eq!(left(&hooks).await.keys().collect::<Vec<_>>(), ["PROCESSED"]);
        assert_eq!(pruner(&hooks, TimeDelta::zero()).round().await.unwrap(), BATCH + 1);
        assert!(hooks.events().await.is_empty());
    })
    .await;
}
