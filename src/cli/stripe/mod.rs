//! `stripe`: what the gateway heard from Stripe.

mod events;

use super::{CliError, Settings};

/// Look at the webhooks that Stripe sent, and work on them again
#[derive(clap::Args)]
#[command(after_help = "Example:\n  billing-gateway stripe events list --database-url sqlite://billing-demo.db")]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Events(events::Args),
}

pub(super) async fn run(args: &Args, settings: &Settings) -> Result<(), CliError> {
    match &args.command {
        Command::Events(args) => events::run(args, settings).await,
    }
}
