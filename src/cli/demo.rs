//! `demo`: fills a database with demo data of any size.

use chrono::{DateTime, SecondsFormat};
use clap::Subcommand;
use entity::Instant;
use serde::Serialize;

use super::progress::Progress;
use super::{CliError, output};
use crate::app::config::Settings;
use crate::app::demo::Filled;
use crate::app::wiring;
use crate::demo::{Plan, cast_now};
use crate::store::Dump;

/// Where there is no terminal to draw a bar on, a line is written each time so many more customers are stored.
const CUSTOMERS_PER_LINE: u64 = 100;

/// Demo data of any size
#[derive(clap::Args)]
#[command(after_help = "Example:\n  billing-gateway demo generate --size 30 --database-url sqlite://playground.db")]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Generate(Generate),
}

/// Fill a database with the demo: a GPU marketplace, its customers, rentals and bills
///
/// The same arguments give the same rows in every database. The database is migrated first. What was interrupted goes
/// on where it stopped, and a larger size adds to a smaller one. The named invoices are part of every size.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  billing-gateway demo generate --size tiny --database-url sqlite://generated.db")]
struct Generate {
    /// What chance starts from
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// tiny (8 customers), small (100), medium (2,000), large (20,000), or a number of customers
    #[arg(long, default_value = "tiny", value_parser = size)]
    size: u32,
    /// How many companies share the database, 2 to 10
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(2..=i64::from(Plan::TENANTS_MAX)))]
    tenants: u32,
    /// The instant the simulation runs to, as RFC 3339; not before that of the named invoices
    #[arg(long, default_value_t = shown(cast_now()), value_parser = now)]
    now: String,
    /// Take away everything the database holds of another demo first
    #[arg(long)]
    reset: bool,
    /// Print counts and digest as JSON
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report<'a> {
    seed: u64,
    customers: u32,
    tenants: u32,
    now: String,
    /// Rows by table.
    tables: serde_json::Map<String, serde_json::Value>,
    sha256: &'a str,
}

pub(super) async fn run(args: &Args, settings: &Settings) -> Result<(), CliError> {
    let Command::Generate(generate) = &args.command;
    let config = settings.validate(true)?.store;
    let mut bar = Progress::of("customers", CUSTOMERS_PER_LINE);
    let tell = |filled: Filled| {
        bar.set_length(u64::from(filled.of));
        bar.reach(u64::from(filled.customers));
    };
    let plan = generate.plan();
    let dump = wiring::generate_demo(&config, &plan, generate.reset, tell).await;
    bar.finish();
    let dump = dump?;
    if generate.json {
        output::json(&report(&plan, &dump));
    } else {
        for (table, rows) in &dump.tables {
            output::line(format_args!("{rows:>9}  {table}"));
        }
        output::line(format_args!("SHA-256 {}", dump.sha256));
    }
    Ok(())
}

impl Generate {
    fn plan(&self) -> Plan {
        let now = instant(&self.now).unwrap_or_else(|_| cast_now());
        Plan { seed: self.seed, customers: self.size, tenants: self.tenants, now }
    }
}

fn report<'a>(plan: &Plan, dump: &'a Dump) -> Report<'a> {
    let tables = dump.tables.iter().map(|(table, rows)| (table.clone(), (*rows).into()));
    Report {
        seed: plan.seed,
        customers: plan.customers,
        tenants: plan.tenants,
        now: shown(plan.now),
        tables: tables.collect(),
        sha256: &dump.sha256,
    }
}

/// The number of customers that a size stands for.
pub(super) fn size(text: &str) -> Result<u32, String> {
    let named = Plan::SIZES.into_iter().find(|(name, _)| *name == text).map(|(_, customers)| customers);
    let customers = named.or_else(|| text.parse().ok().filter(|customers| *customers <= Plan::CUSTOMERS_MAX));
    customers.ok_or_else(|| {
        let sizes = Plan::SIZES.map(|(name, _)| name).join(", ");
        format!("sizes are {sizes}, or a number of customers up to {}", Plan::CUSTOMERS_MAX)
    })
}

/// An instant that the simulation can run to, as it was written.
fn now(text: &str) -> Result<String, String> {
    let at = instant(text)?;
    if at < cast_now() {
        return Err(format!("the named invoices stand at {}, and nothing ends before them", shown(cast_now())));
    }
    Ok(shown(at))
}

fn instant(text: &str) -> Result<Instant, String> {
    let at =
        DateTime::parse_from_rfc3339(text).map_err(|_unreadable| "no instant like 2026-06-15T00:00:00Z".to_owned())?;
    Ok(Instant::new(at.to_utc()))
}

fn shown(at: Instant) -> String {
    at.utc().to_rfc3339_opts(SecondsFormat::Secs, true)
}
