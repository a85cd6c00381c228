//! `stripe events`: the inbox of webhooks.

use entity::{Instant, WebhookStatus, webhook_event};
use serde_json::{Value, json};

use super::super::{CliError, output};
use crate::app::config::Settings;
use crate::app::wiring;
use crate::store::webhook_event::Replay;

/// Events of one list.
const LIMIT_MAX: u64 = 10_000;

/// List the webhooks that came, or work on some again
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

pub(super) async fn run(args: &Args, settings: &Settings) -> Result<(), CliError> {
    let config = settings.store()?;
    match &args.command {
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
        "createdAt": moment(event.event_created),
        "receivedAt": moment(event.received_at),
        "nextAttemptAt": event.next_attempt_at.map(moment),
        "processedAt": event.processed_at.map(moment),
    })
}

fn line(event: &webhook_event::Model) -> String {
    let at = moment(event.received_at);
    let reason = event.error.as_deref().map(|reason| format!("  {reason}")).unwrap_or_default();
    let object = event.object_id.as_deref().unwrap_or("-");
    format!("{at}  {}  {:9}  {}  {object}{reason}", event.event_id, event.status.word(), event.kind)
}

/// A moment in UTC.
fn moment(at: Instant) -> String {
    at.utc().to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}
