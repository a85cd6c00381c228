//! `token`: tokens for development, signed with the configured secret. In production they come from elsewhere.

use chrono::TimeDelta;
use clap::builder::PossibleValuesParser;
use entity::{CustomerId, Instant, TenantId};
use serde_json::json;

use super::{CliError, output};
use crate::app::AppError;
use crate::app::config::Settings;
use crate::app::wiring;
use crate::auth::NewToken;
use crate::domain::clock::Clock;
use crate::domain::viewer::{PrincipalKind, Scope, ScopeSet};

/// Make tokens for development
#[derive(clap::Args)]
#[command(after_help = "Example:\n  BILLING_JWT_SECRET=for-development-only-32-bytes-min \
    billing-gateway token sign --kind merchant --tenant ten_1 --scope invoices:read")]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Sign a token with the configured secret and print it
    #[command(after_help = "Example:\n  BILLING_JWT_SECRET=for-development-only-32-bytes-min \
        billing-gateway token sign --kind customer --tenant ten_1 --customer cus_1 \
        --scope 'invoices:read payments:read' --ttl 15m")]
    Sign(Sign),
}

#[derive(clap::Args)]
struct Sign {
    /// Who it is for
    #[arg(long, value_name = "KIND", value_parser = PossibleValuesParser::new(PrincipalKind::ALL.map(PrincipalKind::name)))]
    kind: String,
    /// The tenant it belongs to
    #[arg(long, value_name = "ID")]
    tenant: String,
    /// A customer it is limited to, repeatable; exactly one for the kind customer
    #[arg(long, value_name = "ID")]
    customer: Vec<String>,
    /// What it opens: scopes with spaces between them, repeatable
    #[arg(long, value_name = "SCOPES")]
    scope: Vec<String>,
    /// How long it lives: a number with s, m or h behind it, at most 24h
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = time)]
    ttl: TimeDelta,
    /// Print the token and what it says as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, settings: &Settings) -> Result<(), CliError> {
    let Command::Sign(sign) = &args.command;
    let keys = wiring::keys(&settings.tokens()?)?;
    let now = Clock::system().now();
    let new = sign.token(now)?;
    let token = keys.sign(&new).map_err(AppError::from)?;
    if sign.json {
        output::json(&json!({
            "token": token,
            "kind": sign.kind,
            "tenant": new.tenant,
            "customers": new.customers,
            "scope": new.scopes.to_string(),
            "expiresAt": (now.utc() + sign.ttl).to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        }));
    } else {
        output::line(token);
    }
    Ok(())
}

impl Sign {
    fn token(&self, now: Instant) -> Result<NewToken, CliError> {
        let customers: Vec<CustomerId> = self.customer.iter().map(|id| CustomerId::from(id.as_str())).collect();
        Ok(NewToken {
            // The parser lets only names of kinds through.
            kind: PrincipalKind::named(&self.kind).unwrap_or(PrincipalKind::Customer),
            tenant: TenantId::from(self.tenant.as_str()),
            customers: if customers.is_empty() { None } else { Some(customers) },
            scopes: scopes(&self.scope)?,
            subject: "development".to_owned(),
            issued_at: now,
            lifetime: self.ttl,
        })
    }
}

fn scopes(given: &[String]) -> Result<ScopeSet, CliError> {
    let names = given.iter().flat_map(|names| names.split_whitespace());
    names
        .map(|name| {
            let all = || Scope::ALL.map(Scope::name).join(", ");
            Scope::named(name).ok_or_else(|| CliError::UnknownScope(name.to_owned(), all()))
        })
        .collect()
}

/// A length of time such as `90s`, `15m` or `24h`.
fn time(text: &str) -> Result<TimeDelta, String> {
    let wrong = || format!("{text:?} is not a number with s, m or h behind it");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        _ => return Err(wrong()),
    };
    let number: i64 = text.trim_end_matches(unit).parse().map_err(|_unreadable| wrong())?;
    number.checked_mul(seconds).and_then(TimeDelta::try_seconds).ok_or_else(wrong)
}
