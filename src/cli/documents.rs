//! `documents`: files of trusted documents, made and checked.

use std::path::PathBuf;

use super::{CliError, output};
use crate::app::AppError;
use crate::app::config::Settings;
use crate::app::documents::{DocumentsError, trusted, written};
use crate::http::Manifest;

/// Make a file of trusted documents, or check one
#[derive(clap::Args)]
#[command(after_help = "Example:\n  billing-gateway documents hash examples")]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Check that every document of a file can be executed
    ///
    /// Each must be within the limits and fit the schema of this program. Everything that is wrong is listed with the
    /// id of its document; the exit code is 1 then.
    #[command(after_help = "Example:\n  billing-gateway documents check documents.json")]
    Check {
        /// Apollo's persisted query manifest, or a JSON object of documents by their ids, as Relay writes it
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Print a file of trusted documents, each by the SHA-256 of its text
    ///
    /// The form is Apollo's persisted query manifest. White space around a document does not count.
    #[command(after_help = "Example:\n  billing-gateway documents hash examples")]
    Hash {
        /// Files with a document each, and folders of which all `.graphql` and `.gql` files are taken
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
    },
}

pub(super) async fn run(args: &Args, settings: &Settings) -> Result<(), CliError> {
    let limits = settings.limits()?;
    match &args.command {
        Command::Check { file } => {
            let documents = told(trusted(file, &limits).await)?;
            output::line(format_args!("{} documents can be executed.", documents.len()));
        }
        Command::Hash { files } => {
            let documents = told(written(files, &limits).await)?;
            output::json(&Manifest::write(&documents));
        }
    }
    Ok(())
}

/// Lists what is wrong with documents, a line each.
fn told<T>(result: Result<T, AppError>) -> Result<T, CliError> {
    result.map_err(|error| match error {
        AppError::Documents(DocumentsError::Faults { faults, .. }) => {
            faults.iter().for_each(output::note);
            CliError::UnfitDocuments(faults.len())
        }
        other => CliError::App(other),
    })
}
