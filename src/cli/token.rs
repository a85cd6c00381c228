//! `token`: tokens for development, signed with the configured secret (in production they come from elsewhere), and
//! tokens that are refused before they expire.

use chrono::TimeDelta;
use clap::builder::PossibleValuesParser;
use entity::{CustomerId, Instant, TenantId};
use serde_json::json;

use super::given::{scopes, time};
use super::{CliError, output};
use crate::app::AppError;
use crate::app::config::Settings;
use crate::app::credentials;
use crate::app::wiring;
use crate::auth::NewToken;
use crate::domain::clock::Clock;
use crate::domain::viewer::PrincipalKind;

/// Make tokens for development, or refuse some before they expire
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
    /// Refuse a token from now on, everywhere within five seconds
    #[command(after_help = "Example:\n  billing-gateway token revoke --tenant ten_01JGK3WEM0Q0YSX78NY50N8Z0C \
        --jti 01KTJ915Y0RM9WQDSV6VTKV6XG --database-url sqlite://billing-demo.db")]
    Revoke(Revoke),
}

#[derive(clap::Args)]
struct Revoke {
    /// The tenant it belongs to
    #[arg(long, value_name = "ID")]
    tenant: String,
    /// The token's own id: its claim `jti`
    #[arg(long, value_name = "ID")]
    jti: String,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
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

pub(super) async fn run(args: &Args, settings: &Settings) -> Result<(), CliError> {
    match &args.command {
        Command::Sign(sign) => sign_token(sign, settings),
        Command::Revoke(revoke) => revoke_token(revoke, settings).await,
    }
}

async fn revoke_token(revoke: &Revoke, settings: &Settings) -> Result<(), CliError> {
    let tenant = TenantId::from(revoke.tenant.as_str());
    let new = credentials::revoke_token(&settings.store()?, &tenant, &revoke.jti).await?.is_new;
    if revoke.json {
        output::json(&json!({ "jti": revoke.jti, "new": new }));
    } else if new {
        output::line("The token is refused from now on.");
    } else {
        output::line("The token was refused before.");
    }
    Ok(())
}

fn sign_token(sign: &Sign, settings: &Settings) -> Result<(), CliError> {
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
