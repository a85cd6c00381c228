//! `stripe verify`: says where Stripe and the store tell different stories.

use std::time::Duration;

use entity::{Instant, TenantId};
use serde::Serialize;

use super::super::progress::Progress as Bar;
use super::super::{CliError, output};
use super::{PATIENCE_MAX, moment, plain, tenant};
use crate::app::config::Settings;
use crate::app::stripe_verify::{Compared, Difference, Options, Progress, Span, verify};

/// Where there is no terminal to draw a bar on, a line is written each time so many more invoices were looked at.
const INVOICES_PER_LINE: u64 = 10_000;

/// The JSON lists so many differences; the others are only counted, so that it can be held in memory.
const LISTED_MAX: usize = 1_000;

/// Compare every mirrored invoice with Stripe's, and change nothing
///
/// Prints a line for each invoice and field that differ: tenant, invoice, Stripe's id, field, ours, theirs. Amounts are
/// minor units; of links it says whether there is one. The field `invoice` tells of invoices that only one side has,
/// `upstream` of those that are here without being Stripe's mirror. Stripe is asked for pages of a hundred. What changes
/// while it looks may seem to differ: look again.
///
/// Exit codes: 0 nothing differs, 1 something does, 2 it could not find out, or was used wrongly.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  billing-gateway stripe verify --since 2026-06-14T12:00:00Z \
    --database-url sqlite://billing-demo.db")]
pub(super) struct Args {
    /// Only invoices that were made on this day (UTC) or at this instant, or later
    #[arg(long, value_name = "DATE|INSTANT", value_parser = moment)]
    since: Option<Instant>,
    /// Only those that were made before
    #[arg(long, value_name = "DATE|INSTANT", value_parser = moment)]
    until: Option<Instant>,
    /// Only those of this tenant; otherwise of every account that a key opens
    #[arg(long, value_name = "ID", value_parser = tenant)]
    tenant: Option<TenantId>,
    /// For how many seconds Stripe is asked again when it does not answer
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(..=PATIENCE_MAX))]
    patience: u64,
    /// Print the counts and the first 1,000 differences as JSON
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    #[serde(flatten)]
    compared: Compared,
    /// The first of them.
    listed: Vec<Difference>,
}

pub(super) async fn run(args: &Args, settings: &Settings) -> Result<(), CliError> {
    let config = settings.upstream().map_err(|faults| CliError::Incomparable(Box::new(faults.into())))?;
    let options = Options {
        span: Span { since: args.since, until: args.until },
        tenant: args.tenant.clone(),
        patience: Duration::from_secs(args.patience),
    };
    let mut seen = Shown { bar: Bar::of("invoices", INVOICES_PER_LINE), json: args.json, listed: Vec::new() };
    let compared = verify(&config, &options, |progress| seen.tell(progress)).await;
    seen.bar.finish();
    let compared = compared.map_err(|why| CliError::Incomparable(Box::new(why)))?;
    let differences = compared.differences;
    if args.json {
        output::json(&Report { compared, listed: seen.listed });
    } else {
        let Compared { compared, differing, only_at_stripe, only_here, not_asked, other_mode, .. } = compared;
        output::line(format_args!(
            "{compared} invoices compared, {differing} of them differ; {only_at_stripe} only at Stripe, {only_here} only \
             here, {not_asked} not asked about, {other_mode} of the other mode"
        ));
    }
    if differences == 0 { Ok(()) } else { Err(CliError::Differs { differences }) }
}

/// What is seen of it while it runs.
struct Shown {
    bar: Bar,
    json: bool,
    listed: Vec<Difference>,
}

impl Shown {
    fn tell(&mut self, progress: Progress<'_>) {
        match progress {
            Progress::Begun(invoices) => self.bar.set_length(invoices),
            Progress::Found(difference) if self.json => {
                if self.listed.len() < LISTED_MAX {
                    self.listed.push(difference.clone());
                }
            }
            Progress::Found(difference) => self.bar.aside(|| print(difference)),
            Progress::Looked(invoices) => self.bar.advance(invoices),
            Progress::Waiting(error, pause) => {
                self.bar.aside(|| output::note(format_args!("{error}; asked again in {} s", pause.as_secs())));
            }
        }
    }
}

fn print(difference: &Difference) {
    let Difference { tenant, invoice, stripe_invoice, field, ours, theirs } = difference;
    let invoice = invoice.as_ref().map_or("-", |id| id.as_str());
    let ours = ours.as_deref().map_or_else(|| "not here".to_owned(), plain);
    let theirs =
        theirs.as_deref().map_or_else(|| "Stripe has none".to_owned(), |it| format!("Stripe says {}", plain(it)));
    output::line(format_args!("{tenant} {invoice} {stripe_invoice} {field}: {ours}, {theirs}"));
}
