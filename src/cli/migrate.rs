//! `migrate`: brings the schema up or down, all of it or nothing, or says where it stands.

use super::{CliError, output};
use crate::app::config::{Settings, StoreConfig};
use crate::app::wiring;
use crate::store::MigrationState;

/// Bring the database's schema up or down, or see where it stands
#[derive(clap::Args)]
#[command(after_help = "Example:\n  billing-gateway migrate status --database-url sqlite://billing.db")]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Apply every migration that the database lacks
    #[command(after_help = "Example:\n  billing-gateway migrate up --database-url sqlite://billing.db")]
    Up(Output),
    /// Take back the last migrations, with all data that only they held
    #[command(after_help = "Example:\n  billing-gateway migrate down --steps 1 --database-url sqlite://billing.db")]
    Down {
        /// How many to take back
        #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
        steps: u32,
        #[command(flatten)]
        output: Output,
    },
    /// List every migration and whether the database has it; changes nothing
    #[command(after_help = "Example:\n  billing-gateway migrate status --database-url sqlite://billing.db --json")]
    Status(Output),
    /// Postgres' row-level security: a second wall between tenants, held by the database
    #[command(
        after_help = "Example:\n  billing-gateway migrate row-security status --database-url sqlite://billing.db"
    )]
    RowSecurity {
        #[command(subcommand)]
        command: RowSecurityCommand,
    },
}

#[derive(Clone, Copy, clap::Subcommand)]
enum RowSecurityCommand {
    /// Switch it on for every table whose rows have a tenant; servers that run learn of it by themselves
    #[command(after_help = "Example:\n  billing-gateway migrate row-security on --database-url \"$POSTGRES_URL\"")]
    On(Output),
    /// Switch it off
    #[command(after_help = "Example:\n  billing-gateway migrate row-security off --database-url \"$POSTGRES_URL\"")]
    Off(Output),
    /// List the tables, and say whether the database holds this program to it; changes nothing
    #[command(
        after_help = "Example:\n  billing-gateway migrate row-security status --database-url sqlite://billing.db --json"
    )]
    Status(Output),
}

#[derive(Clone, Copy, clap::Args)]
struct Output {
    /// Print the migrations as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &Args, settings: &Settings) -> Result<(), CliError> {
    let config = settings.store()?;
    let output = match args.command {
        Command::Up(output) => {
            wiring::migrate_up(&config).await?;
            output
        }
        Command::Down { steps, output } => {
            wiring::migrate_down(&config, steps).await?;
            output
        }
        Command::Status(output) => output,
        Command::RowSecurity { command } => return row_security(command, &config).await,
    };
    let steps = wiring::migrations(&config).await?;
    if output.json {
        output::json(&steps);
    } else {
        steps.iter().for_each(print);
    }
    Ok(())
}

async fn row_security(command: RowSecurityCommand, config: &StoreConfig) -> Result<(), CliError> {
    let output = match command {
        RowSecurityCommand::On(output) => {
            wiring::switch_row_security(config, true).await?;
            output
        }
        RowSecurityCommand::Off(output) => {
            wiring::switch_row_security(config, false).await?;
            output
        }
        RowSecurityCommand::Status(output) => output,
    };
    let found = wiring::row_security(config).await?;
    if output.json {
        output::json(&found);
        return Ok(());
    }
    for table in &found.tables {
        output::line(format_args!("{}  {}", if table.held { "on   " } else { "off  " }, table.name));
    }
    match found.gap() {
        None => output::line(format_args!("The database holds {} to it.", found.role)),
        Some(gap) => output::line(format_args!("The database does not hold this program to it: {gap}.")),
    }
    Ok(())
}

fn print(step: &MigrationState) {
    let state = if step.applied { "applied" } else { "missing" };
    output::line(format_args!("{state}  {}", step.name));
}
