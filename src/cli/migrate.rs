//! `migrate`: brings the schema up or down, all of it or nothing, or says where it stands.

use super::{CliError, output};
use crate::app::config::Settings;
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
    };
    let steps = wiring::migrations(&config).await?;
    if output.json {
        output::json(&steps);
    } else {
        steps.iter().for_each(print);
    }
    Ok(())
}

fn print(step: &MigrationState) {
    let state = if step.applied { "applied" } else { "missing" };
    output::line(format_args!("{state}  {}", step.name));
}
