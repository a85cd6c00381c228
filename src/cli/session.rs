//! `session`: sessions of customers' browsers, listed and ended by whoever runs the gateway. In production the company's
//! login opens them; here they are opened for development.

use entity::{CustomerId, Instant, SessionId, TenantId, browser_session};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::given::{moment, scopes, used};
use super::{CliError, output};
use crate::actions::open_session::SessionWanted;
use crate::app::config::Settings;
use crate::app::credentials;
use crate::domain::clock::Clock;
use crate::domain::credential_state::CredentialState;

/// List and end sessions of customers, and open some for development
#[derive(clap::Args)]
#[command(after_help = "Example:\n  billing-gateway session issue --tenant ten_01JGK3WEM0Q0YSX78NY50N8Z0C \
    --customer cus_01KGJ4VEW0A4PQJ9X0HAM2C08F --scope invoices:read --database-url sqlite://billing-demo.db")]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Open a session and print what its cookie holds, once
    #[command(after_help = "Example:\n  billing-gateway session issue --tenant ten_01JGK3WEM0Q0YSX78NY50N8Z0C \
        --customer cus_01KGJ4VEW0A4PQJ9X0HAM2C08F --scope 'invoices:read payments:read' \
        --database-url sqlite://billing-demo.db --json")]
    Issue {
        /// The tenant
        #[arg(long, value_name = "ID")]
        tenant: String,
        /// Whose session
        #[arg(long, value_name = "ID")]
        customer: String,
        /// What it opens: scopes with spaces between them, repeatable
        #[arg(long, value_name = "SCOPES")]
        scope: Vec<String>,
        /// Who it is, for people
        #[arg(long, value_name = "NAME", default_value = "development")]
        subject: String,
        /// Print the session as JSON
        #[arg(long)]
        json: bool,
    },
    /// List the sessions of a tenant, newest first, and those that ended within a week
    #[command(
        after_help = "Example:\n  billing-gateway session list --tenant ten_01JGK3WEM0Q0YSX78NY50N8Z0C --active \
        --database-url sqlite://billing-demo.db"
    )]
    List {
        /// The tenant
        #[arg(long, value_name = "ID")]
        tenant: String,
        /// Only those of this customer
        #[arg(long, value_name = "ID")]
        customer: Option<String>,
        /// Only those that last still
        #[arg(long)]
        active: bool,
        /// Print the sessions as JSON
        #[arg(long)]
        json: bool,
    },
    /// End a session; its cookie is refused everywhere within five seconds
    #[command(after_help = "Example:\n  billing-gateway session revoke --tenant ten_01JGK3WEM0Q0YSX78NY50N8Z0C \
        \"$(billing-gateway session issue --tenant ten_01JGK3WEM0Q0YSX78NY50N8Z0C --customer cus_01KGJ4VEW0A4PQJ9X0HAM2C08F \
        --database-url sqlite://billing-demo.db --json | sed -n 's/.*\"id\": \"\\(.*\\)\".*/\\1/p')\" \
        --database-url sqlite://billing-demo.db")]
    Revoke {
        /// The session: `ses_…`
        #[arg(value_name = "SESSION")]
        id: String,
        /// The tenant
        #[arg(long, value_name = "ID")]
        tenant: String,
        /// Print when it ended as JSON
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(args: &Args, settings: &Settings) -> Result<(), CliError> {
    let config = settings.store()?;
    match &args.command {
        Command::Issue { tenant, customer, scope, subject, json } => {
            let wanted = SessionWanted {
                customer: CustomerId::from(customer.as_str()),
                scopes: scopes(scope)?,
                subject: subject.clone(),
                policy: settings.sessions()?,
            };
            let opened = credentials::open_session(&config, &TenantId::from(tenant.as_str()), wanted).await?;
            if *json {
                output::json(&json!({
                    "id": opened.row.id,
                    "sid": opened.sid.expose_secret(),
                    "customer": opened.row.customer_id,
                    "scope": opened.row.scopes,
                    "expiresAt": moment(opened.row.expires_at),
                }));
            } else {
                output::line(opened.sid.expose_secret());
            }
        }
        Command::List { tenant, customer, active, json } => {
            let (tenant, customer) = (TenantId::from(tenant.as_str()), customer.as_deref().map(CustomerId::from));
            let (rows, now) =
                (credentials::sessions(&config, &tenant, customer, *active).await?, Clock::system().now());
            if *json {
                output::json(&rows.iter().map(|row| shown(row, now)).collect::<Vec<_>>());
            } else if rows.is_empty() {
                output::line("There are none.");
            } else {
                for row in &rows {
                    output::line(line(row, now));
                }
            }
        }
        Command::Revoke { id, tenant, json } => {
            let (id, tenant) = (SessionId::from(id.as_str()), TenantId::from(tenant.as_str()));
            let row = credentials::end_session(&config, &tenant, &id).await?;
            if *json {
                output::json(&json!({ "id": row.id, "revokedAt": row.revoked_at.map(moment) }));
            } else {
                output::line(format_args!("{} is ended.", row.id));
            }
        }
    }
    Ok(())
}

fn shown(row: &browser_session::Model, now: Instant) -> Value {
    json!({
        "id": row.id,
        "customer": row.customer_id,
        "subject": row.subject,
        "state": CredentialState::of_session(row, now).word(),
        "scope": row.scopes,
        "createdBy": row.created_by,
        "createdAt": moment(row.created_at),
        "lastUsedAt": row.last_used_at.map(moment),
        "idleUntil": moment(row.idle_until),
        "expiresAt": moment(row.expires_at),
        "revokedAt": row.revoked_at.map(moment),
    })
}

fn line(row: &browser_session::Model, now: Instant) -> String {
    let (state, used) = (CredentialState::of_session(row, now).word(), used(row.last_used_at));
    let (opened, ends) = (moment(row.created_at), moment(row.idle_until));
    format!("{}  {}  {state:7}  opened {opened}  {used}  ends {ends}  {}", row.id, row.customer_id, row.subject)
}
