//! `verify`: checks the whole store and prints what does not hold, as it is found.

use serde::Serialize;

use super::progress::Progress as Bar;
use super::{CliError, output};
use crate::app::config::Settings;
use crate::app::verify::{Progress, Verified, Violation, verify};
use crate::app::{AppError, wiring};

/// Where there is no terminal to draw a bar on, a line is written each time so many more invoices were checked.
const INVOICES_PER_LINE: u64 = 10_000;

/// The JSON lists so many violations; the others are only counted, so that it can be held in memory.
const LISTED_MAX: usize = 1_000;

/// Check that every native invoice in the store adds up
///
/// Reads all tenants and changes nothing. Amounts, states, moments, positions, numbers and histories are checked by
/// the rules in the README. Imported invoices state what their source stated; `integrity` tells their differences.
/// Exit code 1 when a rule does not hold.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  billing-gateway verify --database-url sqlite://billing-demo.db")]
pub(super) struct Args {
    /// Print the counts and the first 1,000 violations as JSON
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    #[serde(flatten)]
    verified: Verified,
    /// The first of them.
    listed: Vec<Violation>,
}

pub(super) async fn run(args: &Args, settings: &Settings) -> Result<(), CliError> {
    let store = wiring::open(&settings.store()?).await?;
    let mut shown = Shown { bar: Bar::of("invoices", INVOICES_PER_LINE), json: args.json, listed: Vec::new() };
    let verified = verify(&store, |progress| shown.tell(progress)).await;
    shown.bar.finish();
    store.close().await.map_err(AppError::from)?;
    let verified = verified?;
    let Verified { tenants, invoices, violations } = verified;
    if args.json {
        output::json(&Report { verified, listed: shown.listed });
    } else if violations == 0 {
        output::line(format_args!("Every rule holds: {invoices} native invoices of {tenants} tenants."));
    }
    if violations == 0 { Ok(()) } else { Err(CliError::Violated { violations, invoices }) }
}

/// What is seen of the check while it runs.
struct Shown {
    bar: Bar,
    json: bool,
    listed: Vec<Violation>,
}

impl Shown {
    fn tell(&mut self, progress: Progress<'_>) {
        match progress {
            Progress::Begun(invoices) => self.bar.set_length(invoices),
            Progress::Violated(violation) if self.json => {
                if self.listed.len() < LISTED_MAX {
                    self.listed.push(violation.clone());
                }
            }
            Progress::Violated(violation) => self.bar.aside(|| print(violation)),
            Progress::Checked(invoices) => self.bar.advance(invoices),
        }
    }
}

fn print(violation: &Violation) {
    let Violation { tenant_id, invoice_id, rule, path, stated, expected } = violation;
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let (stated, expected) = (text(stated), text(expected));
    output::line(format_args!("{tenant_id} {invoice_id} {rule} {path}: {stated}, expected {expected}"));
}
