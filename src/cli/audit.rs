//! `audit`: reads the audit log, and verifies that nothing in it was changed, put in or taken out.

use entity::{TenantId, audit_entry};
use serde_json::{Value, json};

use super::given::moment;
use super::{CliError, output};
use crate::app::audit::{self, Followed};
use crate::app::config::Settings;

/// Entries of one list.
const LIMIT_MAX: u64 = 10_000;

/// Read the audit log, or verify it
#[derive(clap::Args)]
#[command(after_help = "Example:\n  billing-gateway audit verify --database-url sqlite://billing-demo.db")]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Follow each tenant's chain from its first entry to its last
    ///
    /// Prints the number and the hash of each last entry. Noted elsewhere and given with `--expect-head` later, such a
    /// hash shows whether the end of a chain was cut off. Exit code 1 names the first entry that does not fit.
    #[command(after_help = "Example:\n  billing-gateway audit verify --json --database-url sqlite://billing-demo.db")]
    Verify {
        /// Only the chain of this tenant
        #[arg(long, value_name = "ID")]
        tenant: Option<String>,
        /// A chain, as it was printed, and the hash that its last entry had: the entry must still be there. May be
        /// repeated
        #[arg(long = "expect-head", value_name = "CHAIN=HASH", value_parser = noted)]
        noted: Vec<(TenantId, String)>,
        /// Print the chains as JSON
        #[arg(long)]
        json: bool,
    },
    /// List entries, newest first
    #[command(after_help = "Example:\n  billing-gateway audit list --tenant ten_01JGK3WEM0Q0YSX78NY50N8Z0C --json \
        --database-url sqlite://billing-demo.db")]
    List {
        /// Of this tenant; without it, of what was done to no tenant in particular
        #[arg(long, value_name = "ID")]
        tenant: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=LIMIT_MAX))]
        limit: u64,
        /// Print the entries as JSON
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(args: &Args, settings: &Settings) -> Result<(), CliError> {
    let config = settings.store()?;
    match &args.command {
        Command::Verify { tenant, noted, json } => {
            let tenant = tenant.as_deref().map(TenantId::from);
            let chains = audit::verify(&config, tenant.as_ref(), noted).await?;
            if *json {
                output::json(&chains.iter().map(followed).collect::<Vec<_>>());
            } else if chains.is_empty() {
                output::line("There are no entries.");
            } else {
                for chain in &chains {
                    output::line(chain_line(chain));
                }
            }
            let broken = chains.iter().find_map(|chain| Some((name(&chain.tenant), chain.broken.clone()?)));
            broken.map_or(Ok(()), |(chain, why)| Err(CliError::BrokenChain(chain.to_owned(), why)))
        }
        Command::List { tenant, limit, json } => {
            let tenant = tenant.as_deref().map(TenantId::from);
            let entries = audit::list(&config, tenant.as_ref(), *limit).await?;
            if *json {
                output::json(&entries.iter().map(shown).collect::<Vec<_>>());
            } else if entries.is_empty() {
                output::line("There are none.");
            } else {
                for entry in &entries {
                    output::line(line(entry));
                }
            }
            Ok(())
        }
    }
}

/// What the chain is called that is no tenant's.
const OPERATOR: &str = "operator";

/// Whose a chain is.
fn name(tenant: &TenantId) -> &str {
    if tenant.as_str().is_empty() { OPERATOR } else { tenant.as_str() }
}

/// The end of a chain as it was noted.
fn noted(text: &str) -> Result<(TenantId, String), &'static str> {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let (chain, hash) = text.split_once('=').ok_or("it is not CHAIN=HASH")?;
    if chain.is_empty() || hash.len() != 64 || !hash.bytes().all(is_digit) {
        return Err("it is not CHAIN=HASH, where the hash has 64 digits from 0 to f");
    }
    let tenant = if chain == OPERATOR { "" } else { chain };
    Ok((TenantId::from(tenant), hash.to_owned()))
}

fn followed(chain: &Followed) -> Value {
    json!({
        "chain": name(&chain.tenant),
        "entries": chain.entries,
        "hash": chain.hash,
        "broken": chain.broken.as_ref().map(ToString::to_string),
    })
}

fn chain_line(chain: &Followed) -> String {
    let state = chain.broken.as_ref().map_or_else(|| "whole".to_owned(), |why| format!("BROKEN: {why}"));
    format!("{}  {} entries  {}  {state}", name(&chain.tenant), chain.entries, chain.hash)
}

fn shown(entry: &audit_entry::Model) -> Value {
    let state = |text: &Option<String>| text.as_ref().and_then(|text| serde_json::from_str::<Value>(text).ok());
    json!({
        "sequence": entry.sequence,
        "at": moment(entry.at),
        "actorKind": entry.actor_kind,
        "actor": entry.actor_id,
        "credential": entry.credential_id,
        "application": entry.application_id,
        "action": entry.action,
        "objectType": entry.object_type,
        "objectId": entry.object_id,
        "before": state(&entry.state_before),
        "after": state(&entry.state_after),
        "requestId": entry.request_id,
        "address": entry.address,
        "previousHash": entry.previous_hash,
        "hash": entry.hash,
    })
}

fn line(entry: &audit_entry::Model) -> String {
    let (at, who) = (moment(entry.at), format!("{} {}", entry.actor_kind, entry.actor_id));
    let of = format!("{} {}", entry.object_type, entry.object_id);
    format!("{:6}  {at}  {who}  {}  {of}", entry.sequence, entry.action)
}
