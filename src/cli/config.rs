//! `config`: what the settings come to, and everything that is wrong with them.

use serde_json::{Map, Value, json};

use super::{CliError, output};
use crate::app::config::Settings;

/// Check the settings, or print what they come to
#[derive(clap::Args)]
#[command(after_help = "Example:\n  billing-gateway config print --demo")]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// List everything that keeps `serve` from starting with these settings
    #[command(after_help = "Example:\n  billing-gateway config check --demo")]
    Check(How),
    /// Print the effective settings as a TOML file, secrets hidden
    #[command(after_help = "Example:\n  billing-gateway config print --demo --json")]
    Print(How),
}

#[derive(Clone, Copy, clap::Args)]
struct How {
    /// As for `serve --demo`, which brings its own database and secret
    #[arg(long)]
    demo: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, settings: Settings) -> Result<(), CliError> {
    match args.command {
        Command::Check(how) => check(how, settings),
        Command::Print(how) => print(how, settings),
    }
}

fn check(how: How, settings: Settings) -> Result<(), CliError> {
    let checked = settings.with_file().and_then(|settings| settings.validate(how.demo));
    let faults = checked.err().map(|faults| faults.0).unwrap_or_default();
    if how.json {
        let list: Vec<Value> =
            faults.iter().map(|fault| json!({"setting": fault.setting, "problem": fault.problem})).collect();
        output::json(&json!({"ok": faults.is_empty(), "faults": list}));
    } else if faults.is_empty() {
        output::line("The settings are complete.");
    } else {
        for fault in &faults {
            output::error(&fault.to_string());
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(CliError::Told) }
}

fn print(how: How, settings: Settings) -> Result<(), CliError> {
    let config = settings.with_file()?.validate(how.demo)?;
    let shown = config.shown().into_iter().map(|(key, value)| (key.to_owned(), value));
    let shown = shown.chain(config.shown_webhooks());
    if how.json {
        let map: Map<String, Value> = shown.collect();
        output::json(&map);
    } else {
        // Texts, whole numbers and lists of texts are written alike in JSON and TOML.
        for (key, value) in shown {
            output::line(format_args!("{key} = {value}"));
        }
    }
    Ok(())
}
