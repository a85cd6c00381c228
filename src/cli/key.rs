//! `key`: API keys, issued, listed, rotated and revoked by whoever runs the gateway.

use chrono::TimeDelta;
use clap::builder::PossibleValuesParser;
use entity::{CredentialId, CredentialKind, CustomerId, Instant, TenantId, credential};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::given::{moment, scopes, time, used};
use super::{CliError, output};
use crate::actions::issue_key::{KeyIssued, KeyWanted};
use crate::app::config::Settings;
use crate::app::credentials;
use crate::domain::api_key::prefix;
use crate::domain::browser_session::after;
use crate::domain::clock::Clock;
use crate::domain::credential_state::CredentialState;
use crate::domain::rights::Rights;

/// Issue, list, rotate and revoke API keys
#[derive(clap::Args)]
#[command(after_help = "Example:\n  billing-gateway key list --tenant ten_01JGK3WEM0Q0YSX78NY50N8Z0C \
    --database-url sqlite://billing-demo.db")]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Issue a key and print it, once
    ///
    /// Only a digest of it is kept: it cannot be printed again.
    #[command(after_help = "Example:\n  billing-gateway key issue --tenant ten_01JGK3WEM0Q0YSX78NY50N8Z0C \
        --name 'nightly export' --scope 'invoices:read payments:read' --ttl 90d --database-url sqlite://billing-demo.db")]
    Issue(Issue),
    /// List the keys of a tenant, newest first
    #[command(
        after_help = "Example:\n  billing-gateway key list --tenant ten_01JGK3WEM0Q0YSX78NY50N8Z0C --active --json \
        --database-url sqlite://billing-demo.db"
    )]
    List {
        /// Only those that are good for something still
        #[arg(long)]
        active: bool,
        #[command(flatten)]
        of: Of,
    },
    /// Issue a key in the place of another, with the same rights, and print it, once
    #[command(after_help = "Example:\n  billing-gateway key rotate key_2S6RA9VDNE24Z9VHDS544EFYF4 \
        --tenant ten_01JGK3WEM0Q0YSX78NY50N8Z0C --grace 2h --database-url sqlite://billing-demo.db")]
    Rotate {
        /// The key: `key_…`
        #[arg(value_name = "KEY")]
        id: String,
        /// How long the old one lives on: a number with s, m, h or d behind it, at most 30d
        #[arg(long, value_name = "TIME", default_value = "24h", value_parser = time)]
        grace: TimeDelta,
        #[command(flatten)]
        of: Of,
    },
    /// Revoke a key; it is refused everywhere within five seconds
    #[command(after_help = "Example:\n  billing-gateway key revoke key_2E2YE9EQJPFTE9WK75K8S9RM3E \
        --tenant ten_01JGK3WEM0Q0YSX78NY50N8Z0C --database-url sqlite://billing-demo.db")]
    Revoke {
        /// The key: `key_…`
        #[arg(value_name = "KEY")]
        id: String,
        #[command(flatten)]
        of: Of,
    },
}

#[derive(clap::Args)]
struct Of {
    /// The tenant it belongs to
    #[arg(long, value_name = "ID")]
    tenant: String,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
struct Issue {
    /// What people call it, 1 to 100 characters
    #[arg(long)]
    name: String,
    /// The sort of principal behind it
    #[arg(long, value_name = "KIND", default_value = "partner", value_parser = PossibleValuesParser::new(KINDS.map(|(word, _)| word)))]
    kind: String,
    /// A customer it is limited to, repeatable; without one it is for all
    #[arg(long, value_name = "ID")]
    customer: Vec<String>,
    /// What it opens: scopes with spaces between them, repeatable
    #[arg(long, value_name = "SCOPES")]
    scope: Vec<String>,
    /// How long it lives: a number with s, m, h or d behind it, at most 365d
    #[arg(long, value_name = "TIME", default_value = "90d", value_parser = time)]
    ttl: TimeDelta,
    #[command(flatten)]
    of: Of,
}

const KINDS: [(&str, CredentialKind); 3] = [
    ("partner", CredentialKind::Partner),
    ("merchant", CredentialKind::Merchant),
    ("service", CredentialKind::Service),
];

pub(super) async fn run(args: &Args, settings: &Settings) -> Result<(), CliError> {
    let config = settings.store()?;
    let now = Clock::system().now();
    match &args.command {
        Command::Issue(issue) => {
            let issued = credentials::issue_key(&config, &issue.of.tenant(), issue.wanted(now)?).await?;
            tell(&issued, issue.of.json);
        }
        Command::List { active, of } => {
            let keys = credentials::keys(&config, &of.tenant(), *active).await?;
            if of.json {
                output::json(&keys.iter().map(|row| shown(row, now)).collect::<Vec<_>>());
            } else if keys.is_empty() {
                output::line("There are none.");
            } else {
                for row in &keys {
                    output::line(line(row, now));
                }
            }
        }
        Command::Rotate { id, grace, of } => {
            let id = CredentialId::from(id.as_str());
            tell(&credentials::rotate_key(&config, &of.tenant(), &id, *grace).await?, of.json);
        }
        Command::Revoke { id, of } => {
            let id = CredentialId::from(id.as_str());
            let row = credentials::revoke_key(&config, &of.tenant(), &id).await?;
            if of.json {
                output::json(&shown(&row, now));
            } else {
                output::line(format_args!("{} is revoked.", row.id));
            }
        }
    }
    Ok(())
}

impl Of {
    fn tenant(&self) -> TenantId {
        TenantId::from(self.tenant.as_str())
    }
}

impl Issue {
    fn wanted(&self, now: Instant) -> Result<KeyWanted, CliError> {
        let customers: Vec<CustomerId> = self.customer.iter().map(|id| CustomerId::from(id.as_str())).collect();
        // The parser lets only these words through.
        let kind = KINDS.iter().find(|(word, _)| *word == self.kind).map(|(_, kind)| *kind).unwrap_or_default();
        let customers = if customers.is_empty() { None } else { Some(customers) };
        let rights = Rights { kind, scopes: scopes(&self.scope)?, customers };
        Ok(KeyWanted { name: self.name.clone(), rights, expires_at: after(now, self.ttl), request: None })
    }
}

fn tell(issued: &KeyIssued, json: bool) {
    // Requests of commands have no names, so none is an earlier one.
    let text = issued.text.as_ref().map(ExposeSecret::expose_secret).unwrap_or_default();
    if json {
        let mut told = shown(&issued.row, issued.row.created_at);
        if let Some(told) = told.as_object_mut() {
            told.insert("key".to_owned(), json!(text));
        }
        output::json(&told);
    } else {
        output::line(text);
    }
}

fn shown(row: &credential::Model, now: Instant) -> Value {
    json!({
        "id": row.id,
        "name": row.name,
        "kind": row.kind,
        "state": CredentialState::of_key(row, now).word(),
        "prefix": prefix(row.livemode, &row.handle),
        "last4": row.last4,
        "scope": row.scopes,
        "customers": row.customer_ids,
        "createdBy": row.created_by,
        "replaces": row.replaces,
        "createdAt": moment(row.created_at),
        "expiresAt": moment(row.expires_at),
        "revokedAt": row.revoked_at.map(moment),
        "lastUsedAt": row.last_used_at.map(moment),
    })
}

fn line(row: &credential::Model, now: Instant) -> String {
    let (used, state) = (used(row.last_used_at), CredentialState::of_key(row, now).word());
    let (prefix, ends) = (prefix(row.livemode, &row.handle), moment(row.expires_at));
    format!("{}  {prefix}…{}  {state:7}  ends {ends}  {used}  {}", row.id, row.last4, row.name)
}
