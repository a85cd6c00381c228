//! `tenant`: makes a tenant, or lists those there are.

use entity::tenant;
use serde_json::{Value, json};

use super::{CliError, output};
use crate::actions::create_tenant::NewTenant;
use crate::app::config::Settings;
use crate::app::wiring;
use crate::domain::clock::Clock;
use crate::domain::money;

/// Characters of a tenant's name.
const NAME_MAX: usize = 200;

/// Make a tenant, or list those there are
#[derive(clap::Args)]
#[command(after_help = "Example:\n  billing-gateway tenant list --database-url sqlite://billing-demo.db")]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Make a tenant and print its id
    #[command(
        after_help = "Example:\n  billing-gateway tenant create --name Acme --database-url sqlite://billing-demo.db"
    )]
    Create(Create),
    /// List every tenant, oldest first
    #[command(after_help = "Example:\n  billing-gateway tenant list --database-url sqlite://billing-demo.db --json")]
    List {
        /// Print the tenants as JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(clap::Args)]
struct Create {
    /// What it is called
    #[arg(long)]
    name: String,
    /// The currency of documents that name none
    #[arg(long, value_name = "CODE", default_value = "USD")]
    currency: String,
    /// Its bills are real; without this they are test data
    #[arg(long)]
    live: bool,
    /// Print the tenant as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &Args, settings: &Settings) -> Result<(), CliError> {
    let config = settings.store()?;
    match &args.command {
        Command::Create(create) => {
            let id = wiring::create_tenant(&config, new_tenant(create)?).await?;
            if create.json {
                output::json(&json!({ "id": id }));
            } else {
                output::line(id);
            }
        }
        Command::List { json } => {
            let tenants = wiring::tenants(&config).await?;
            if *json {
                output::json(&tenants.iter().map(shown).collect::<Vec<_>>());
            } else {
                for row in &tenants {
                    let bills = if row.livemode { "live" } else { "test" };
                    output::line(format_args!("{}  {}  {bills}  {}", row.id, row.default_currency.0, row.name));
                }
            }
        }
    }
    Ok(())
}

fn new_tenant(create: &Create) -> Result<NewTenant, CliError> {
    let name = create.name.trim();
    if name.is_empty() || name.chars().count() > NAME_MAX || name.contains(char::is_control) {
        return Err(CliError::UnfitName);
    }
    let currency = money::parse_currency(&create.currency);
    Ok(NewTenant {
        name: name.to_owned(),
        currency: currency.ok_or_else(|| CliError::UnknownCurrency(create.currency.clone()))?,
        livemode: create.live,
        now: Clock::system().now(),
    })
}

fn shown(row: &tenant::Model) -> Value {
    json!({ "id": row.id, "name": row.name, "currency": row.default_currency, "livemode": row.livemode })
}
