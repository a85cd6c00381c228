//! The command line: one file per command. Exit codes: 0 done, 1 failed (one line on standard error says why), 2 used
//! wrongly; `stripe verify` tells with 1 that something differs, and with 2 that it could not find out.
//!
//! Results go to standard output, everything else to standard error. The help of each command ends with one example,
//! which a test runs.

mod audit;
mod config;
mod demo;
mod documents;
mod given;
mod import;
mod key;
mod migrate;
mod output;
mod progress;
mod schema;
mod serve;
mod session;
mod stripe;
mod tenant;
mod token;
mod verify;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::app::config::{Faults, Settings};
use crate::app::{AppError, log};
use crate::domain::trail::Broken;

/// One GraphQL query answers the whole bill: lines, rental, payments and pay links
#[derive(Parser)]
#[command(name = "billing-gateway", version, disable_help_subcommand = true)]
#[command(after_help = "Example:\n  billing-gateway serve --demo")]
struct Cli {
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Serve(serve::Args),
    Migrate(migrate::Args),
    Tenant(tenant::Args),
    Import(import::Args),
    Verify(verify::Args),
    Demo(demo::Args),
    Schema(schema::Args),
    Documents(documents::Args),
    Stripe(stripe::Args),
    Token(token::Args),
    Key(key::Args),
    Session(session::Args),
    Audit(audit::Args),
    Config(config::Args),
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
enum CliError {
    #[error(transparent)]
    App(#[from] AppError),
    #[error(transparent)]
    Settings(#[from] Faults),
    #[error("the program cannot start its threads")]
    Runtime(#[source] std::io::Error),
    #[error("{} cannot be read", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{} is not the schema of this program, first in line {line}; run `./dev schema`", path.display())]
    SchemaDrift { path: PathBuf, line: usize },
    #[error("{0:?} is no currency; write three letters like USD")]
    UnknownCurrency(String),
    #[error("a tenant's name has 1 to 200 characters")]
    UnfitName,
    #[error("there is no scope {0:?}; there are {1}")]
    UnknownScope(String, String),
    #[error("{violations} violations in {invoices} native invoices")]
    Violated { violations: u64, invoices: u64 },
    #[error("{0} faults; none of these documents may be served")]
    UnfitDocuments(usize),
    #[error("the inbox has no event {0:?} that is not being worked on")]
    NoSuchEvent(String),
    #[error("the audit log of {0} is broken")]
    BrokenChain(String, #[source] Broken),
    #[error("{differences} differences from Stripe")]
    Differs { differences: u64 },
    #[error("nothing can be said about the rest: {0}")]
    Incomparable(#[source] Box<AppError>),
    #[error("{}; {so_far} invoices are done, and the same command goes on behind them", told(&**why))]
    Interrupted { so_far: u64, why: Box<AppError> },
    #[error("{0} invoices could not be taken over")]
    NotTaken(u64),
    /// Everything there is to say has been said.
    #[error("see above")]
    Told,
}

/// Every command with its help, for tests and documentation.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs what the arguments of the process ask for.
pub fn run() -> ExitCode {
    log::hide_panics();
    let cli = Cli::parse();
    match dispatch(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if !matches!(error, CliError::Told) {
                output::error(&told(&error));
            }
            if matches!(error, CliError::Incomparable(_)) { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}

fn dispatch(cli: Cli) -> Result<(), CliError> {
    match cli.command {
        Command::Serve(args) => block_on(serve::run(&args, &cli.settings.with_file()?)),
        Command::Migrate(args) => block_on(migrate::run(&args, &cli.settings.with_file()?)),
        Command::Tenant(args) => block_on(tenant::run(&args, &cli.settings.with_file()?)),
        Command::Import(args) => block_on(import::run(&args, &cli.settings.with_file()?)),
        Command::Verify(args) => block_on(verify::run(&args, &cli.settings.with_file()?)),
        Command::Demo(args) => block_on(demo::run(&args, &cli.settings.with_file()?)),
        Command::Schema(args) => schema::run(&args),
        Command::Documents(args) => block_on(documents::run(&args, &cli.settings.with_file()?)),
        Command::Stripe(args) => block_on(stripe::run(&args, &cli.settings.with_file()?)),
        Command::Token(args) => block_on(token::run(&args, &cli.settings.with_file()?)),
        Command::Key(args) => block_on(key::run(&args, &cli.settings.with_file()?)),
        Command::Session(args) => block_on(session::run(&args, &cli.settings.with_file()?)),
        Command::Audit(args) => block_on(audit::run(&args, &cli.settings.with_file()?)),
        Command::Config(args) => config::run(&args, cli.settings),
    }
}

/// The stack of a worker thread. The executor of queries nests a future in a future for each level of a query; the
/// deepest one that passes the gate needs more than the usual 2 MiB in a build without optimisation. Pages that are
/// not touched cost nothing.
const STACK_BYTES: usize = 16 * 1024 * 1024;

/// Runs a command that waits for others, and does not wait for what it left behind.
fn block_on(work: impl Future<Output = Result<(), CliError>>) -> Result<(), CliError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(STACK_BYTES)
        .build()
        .map_err(CliError::Runtime)?;
    let result = runtime.block_on(work);
    runtime.shutdown_background();
    result
}

/// An error and its causes in one line, each cause once.
fn told(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
