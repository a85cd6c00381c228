//! `stripe`: what the gateway heard from Stripe, and what Stripe says now.

mod backfill;
mod events;
mod verify;

use chrono::{DateTime, NaiveDate, NaiveTime, SecondsFormat};
use entity::{Instant, TenantId};

use super::{CliError, Settings};

/// Look at what Stripe sent, take over what was lost, and compare
#[derive(clap::Args)]
#[command(after_help = "Example:\n  billing-gateway stripe events list --database-url sqlite://billing-demo.db")]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Events(events::Args),
    Backfill(backfill::Args),
    Verify(verify::Args),
}

pub(super) async fn run(args: &Args, settings: &Settings) -> Result<(), CliError> {
    match &args.command {
        Command::Events(args) => events::run(args, settings).await,
        Command::Backfill(args) => backfill::run(args, settings).await,
        Command::Verify(args) => verify::run(args, settings).await,
    }
}

/// The longest that Stripe is asked again, in seconds: a day.
const PATIENCE_MAX: u64 = 86_400;

/// A day, which begins at midnight UTC, or an instant.
fn moment(text: &str) -> Result<Instant, String> {
    if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Ok(Instant::new(day.and_time(NaiveTime::MIN).and_utc()));
    }
    let at = DateTime::parse_from_rfc3339(text);
    let at = at.map_err(|_unreadable| "no day like 2026-06-15, and no instant like 2026-06-15T12:00:00Z".to_owned())?;
    Ok(Instant::new(at.to_utc()))
}

fn tenant(text: &str) -> Result<TenantId, String> {
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let known = text.starts_with(TenantId::PREFIX) && text.len() <= 64 && plain;
    if known { Ok(TenantId::from(text)) } else { Err("no tenant's id such as ten_…".to_owned()) }
}

fn shown(at: Instant) -> String {
    at.utc().to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// What Stripe wrote, without what a terminal could stumble over.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}
