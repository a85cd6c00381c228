//! `stripe events`: the inbox of webhooks.

use std::time::Duration;

use entity::{Instant, TenantId, WebhookStatus, webhook_event};
use serde_json::{Value, json};

use super::super::{CliError, output};
use super::{PATIENCE_MAX, moment, tenant};
use crate::app::config::Settings;
use crate::app::missed::{Options, Summary, fetch};
use crate::app::wiring;
use crate::store::webhook_event::Replay;
use crate::stripe::StripeError;

/// Events of one list.
const LIMIT_MAX: u64 = 10_000;

/// List the webhooks that came, fetch those that did not, or work on some again
#[derive(clap::Args)]
#[command(after_help = "Example:\n  billing-gateway stripe events list --status parked --json \
    --database-url sqlite://billing-demo.db")]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// List events, newest first
    #[command(after_help = "Example:\n  billing-gateway stripe events list --status failed --limit 10 --json \
        --database-url sqlite://billing-demo.db")]
    List {
        /// Only those that are received (and wait), processed, ignored, parked (for something to come first) or failed
        #[arg(long, value_parser = status, value_name = "STATUS")]
        status: Option<WebhookStatus>,
        /// At most so many
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=LIMIT_MAX))]
        limit: u64,
        /// Print the events as JSON
        #[arg(long)]
        json: bool,
    },
    /// Take the events that never came from Stripe's list of the last 30 days
    ///
    /// For what a backfill of invoices does not restore: failed attempts, refunds, disputes and credit notes. A running
    /// server works on them like on webhooks. What is in the inbox already is left alone.
    #[command(after_help = "Example:\n  billing-gateway stripe events fetch --since 2026-06-01 --dry-run \
        --database-url sqlite://billing-demo.db")]
    Fetch(Fetch),
    /// Make events due, so that a running server works on them again
    ///
    /// What was done before is not done twice.
    #[command(after_help = "Example:\n  billing-gateway stripe events replay --parked \
        --database-url sqlite://billing-demo.db")]
    Replay {
        /// The event with this id, whatever became of it
        #[arg(value_name = "EVENT_ID", required_unless_present = "parked", conflicts_with = "parked")]
        event: Option<String>,
        /// All that are parked or failed
        #[arg(long)]
        parked: bool,
        /// Print the number as JSON
        #[arg(long)]
        json: bool,
    },
}

/// What is fetched.
#[derive(clap::Args)]
struct Fetch {
    /// Events that happened on this day (UTC) or at this instant, or later; without it all that Stripe has
    #[arg(long, value_name = "DATE|INSTANT", value_parser = moment)]
    since: Option<Instant>,
    /// Only those of this tenant; otherwise of every account that a key opens
    #[arg(long, value_name = "ID", value_parser = tenant)]
    tenant: Option<TenantId>,
    /// The webhook endpoint whose servers are to work on them
    #[arg(long, value_name = "NAME", default_value = "default")]
    endpoint: String,
    /// Write nothing, and say how many would be taken
    #[arg(long)]
    dry_run: bool,
    /// For how many seconds Stripe is asked again when it does not answer
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u64).range(..=PATIENCE_MAX))]
    patience: u64,
    /// Print the counts as JSON
    #[arg(long)]
    json: bool,
}

async fn fetch_events(args: &Fetch, settings: &Settings) -> Result<(), CliError> {
    let options = Options {
        since: args.since,
        tenant: args.tenant.clone(),
        endpoint: args.endpoint.clone(),
        dry_run: args.dry_run,
        patience: Duration::from_secs(args.patience),
    };
    let mut summary = Summary::default();
    let tell = |error: &StripeError, pause: Duration| {
        output::note(format_args!("{error}; asked again in {} s", pause.as_secs()));
    };
    let ended = fetch(&settings.upstream()?, &options, &mut summary, tell).await;
    if args.json {
        output::json(&json!({ "complete": ended.is_ok(), "dryRun": args.dry_run, "counts": summary }));
    } else if ended.is_ok() || summary.seen > 0 {
        let Summary { seen, other_type, other_mode, known, taken } = summary;
        let would = if args.dry_run { ", if this were no dry run" } else { "" };
        output::line(format_args!(
            "{seen} events at Stripe: {taken} taken, {known} known, {other_type} of other types, \
             {other_mode} of the other mode{would}"
        ));
    }
    Ok(ended?)
}

pub(super) async fn run(args: &Args, settings: &Settings) -> Result<(), CliError> {
    if let Command::Fetch(args) = &args.command {
        return fetch_events(args, settings).await;
    }
    let config = settings.store()?;
    match &args.command {
        Command::Fetch(_) => {}
        Command::List { status, limit, json } => {
            let events = wiring::events(&config, *status, *limit).await?;
            if *json {
                output::json(&events.iter().map(shown).collect::<Vec<_>>());
            } else if events.is_empty() {
                output::line("There are none.");
            } else {
                for event in &events {
                    output::line(line(event));
                }
            }
        }
        Command::Replay { event, json, .. } => {
            let which = event.clone().map_or(Replay::Unfinished, Replay::Event);
            let replayed = wiring::replay(&config, &which).await?;
            if let (Some(event), 0) = (event, replayed) {
                return Err(CliError::NoSuchEvent(event.clone()));
            }
            if *json {
                output::json(&json!({ "replayed": replayed }));
            } else {
                output::line(format_args!("{replayed} events are due again."));
            }
        }
    }
    Ok(())
}

fn status(text: &str) -> Result<WebhookStatus, String> {
    use WebhookStatus as Status;
    let all = [Status::Received, Status::Processed, Status::Ignored, Status::Parked, Status::Failed];
    let known = all.into_iter().find(|status| status.word().eq_ignore_ascii_case(text));
    known.ok_or_else(|| format!("{text:?} is none of received, processed, ignored, parked, failed"))
}

/// Payloads have links in them, which are secrets: they are not shown.
fn shown(event: &webhook_event::Model) -> Value {
    json!({
        "endpoint": event.endpoint,
        "id": event.event_id,
        "type": event.kind,
        "status": event.status,
        "reason": event.error,
        "tenant": event.tenant_id,
        "account": event.account_id,
        "object": event.object_id,
        "invoice": event.invoice_id,
        "attempts": event.attempts,
        "source": event.source,
        "createdAt": at(event.event_created),
        "receivedAt": at(event.received_at),
        "nextAttemptAt": event.next_attempt_at.map(at),
        "processedAt": event.processed_at.map(at),
    })
}

fn line(event: &webhook_event::Model) -> String {
    let at = at(event.received_at);
    let reason = event.error.as_deref().map(|reason| format!("  {reason}")).unwrap_or_default();
    let object = event.object_id.as_deref().unwrap_or("-");
    format!("{at}  {}  {:9}  {}  {object}{reason}", event.event_id, event.status.word(), event.kind)
}

/// A moment in UTC.
fn at(at: Instant) -> String {
    at.utc().to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}
