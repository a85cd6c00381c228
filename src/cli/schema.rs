//! `schema`: the GraphQL schema as text, and whether a file still holds it.

use std::path::{Path, PathBuf};

use super::{CliError, output};
use crate::graphql;

/// Print the GraphQL schema, or check that a file holds it
#[derive(clap::Args)]
#[command(after_help = "Example:\n  billing-gateway schema print")]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Print the schema in the GraphQL schema language
    #[command(after_help = "Example:\n  billing-gateway schema print")]
    Print,
    /// Fail when a file does not hold the schema of this program
    #[command(after_help = "Example:\n  billing-gateway schema check --file schema.graphql")]
    Check {
        /// The file to compare with
        #[arg(long, value_name = "FILE", default_value = "schema.graphql")]
        file: PathBuf,
    },
}

pub(super) fn run(args: &Args) -> Result<(), CliError> {
    let sdl = graphql::sdl();
    match &args.command {
        Command::Print => {
            output::text(&sdl);
            Ok(())
        }
        Command::Check { file } => check(file, &sdl),
    }
}

fn check(path: &Path, sdl: &str) -> Result<(), CliError> {
    let text =
        std::fs::read_to_string(path).map_err(|source| CliError::Unreadable { path: path.to_owned(), source })?;
    if text == sdl {
        output::line(format_args!("{} is the schema of this program.", path.display()));
        return Ok(());
    }
    let same = text.lines().zip(sdl.lines()).take_while(|(kept, current)| kept == current);
    Err(CliError::SchemaDrift { path: path.to_owned(), line: same.count().saturating_add(1) })
}
