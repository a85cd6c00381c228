//! `stripe backfill`: takes over what Stripe says of the invoices of a time.

use std::time::Duration;

use entity::{Instant, TenantId};
use serde::Serialize;
use serde_json::{Value, json};

use super::super::progress::Cover;
use super::super::{CliError, output};
use super::{PATIENCE_MAX, moment, shown, tenant};
use crate::app::backfill::{Became, Options, Progress, Span, Summary, WHOLE, backfill};
use crate::app::config::Settings;
use crate::app::{AppError, wiring};
use crate::stripe::StripeInvoiceId;

/// Where there is no terminal to draw a bar on, a line is written each time so many more invoices are done.
const INVOICES_PER_LINE: u64 = 1_000;

/// The JSON lists so many invoices; the others are only counted, so that it can be held in memory.
const LISTED_MAX: usize = 1_000;

/// Take over what Stripe says of every invoice that was made since then
///
/// For webhooks that were lost, or never came. Stripe's invoices are listed page by page, newest first, and each is taken
/// over by the same rules as its webhooks, with its payments. Invoices of Stripe that are none of ours are counted and
/// named, and nothing is made of them. Beside running servers it takes the fifth of Stripe's limits that they leave.
///
/// Whatever ends it, the same command goes on behind the last page that was finished. Exit codes: 0 everything was taken
/// over, 1 it ended before (and goes on with the same command) or some invoices could not be taken over, 2 used wrongly.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  billing-gateway stripe backfill --since 2026-06-01 \
    --database-url sqlite://billing-demo.db")]
pub(super) struct Args {
    /// Invoices that were made at Stripe on this day (UTC) or at this instant, or later
    #[arg(long, value_name = "DATE|INSTANT", value_parser = moment)]
    since: Instant,
    /// Only those that were made before
    #[arg(long, value_name = "DATE|INSTANT", value_parser = moment)]
    until: Option<Instant>,
    /// Only those of this tenant; otherwise of every account that a key opens
    #[arg(long, value_name = "ID", value_parser = tenant)]
    tenant: Option<TenantId>,
    /// Write nothing, and print what would change
    #[arg(long)]
    dry_run: bool,
    /// Begin anew where an earlier run with the same time was interrupted
    #[arg(long)]
    restart: bool,
    /// For how many seconds Stripe is asked again when it does not answer
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u64).range(..=PATIENCE_MAX))]
    patience: u64,
    /// Print the counts and the first 1,000 invoices that are not as they were as JSON
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    complete: bool,
    dry_run: bool,
    since: String,
    until: Option<String>,
    #[serde(flatten)]
    summary: &'a Summary,
    /// The first of them.
    listed: Vec<Value>,
}

pub(super) async fn run(args: &Args, settings: &Settings) -> Result<(), CliError> {
    let config = settings.upstream()?;
    let options = Options {
        span: Span { since: Some(args.since), until: args.until },
        tenant: args.tenant.clone(),
        dry_run: args.dry_run,
        restart: args.restart,
        patience: Duration::from_secs(args.patience),
    };
    let mut seen = Shown { cover: Cover::by(INVOICES_PER_LINE), json: args.json, listed: Vec::new() };
    let mut summary = Summary::default();
    let stop = wiring::stop_signal().map_err(AppError::Serve)?;
    let ended = backfill(&config, &options, &mut summary, stop, |progress| seen.tell(progress)).await;
    seen.cover.finish();
    if args.json {
        output::json(&Report {
            complete: ended.is_ok(),
            dry_run: args.dry_run,
            since: shown(args.since),
            until: args.until.map(shown),
            summary: &summary,
            listed: seen.listed,
        });
    } else if ended.is_ok() || summary.seen > 0 {
        summarize(&summary, args.dry_run);
    }
    match ended {
        Err(why) if summary.seen > 0 && !args.dry_run => {
            Err(CliError::Interrupted { so_far: summary.seen, why: why.into() })
        }
        Err(why) => Err(why.into()),
        Ok(()) if summary.failed > 0 => Err(CliError::NotTaken(summary.failed)),
        Ok(()) => Ok(()),
    }
}

fn summarize(summary: &Summary, dry_run: bool) {
    let Summary { seen, created, changed, unchanged, unknown, other_mode, failed, fields } = summary;
    let would = if dry_run { ", if this were no dry run" } else { "" };
    output::line(format_args!(
        "{seen} invoices at Stripe: {created} mirrors made, {changed} changed, {unchanged} unchanged, {unknown} unknown, \
         {other_mode} of the other mode, {failed} failed{would}"
    ));
    for (field, times) in fields {
        output::line(format_args!("{times:>9}  {field}"));
    }
}

/// What is seen of it while it runs.
struct Shown {
    cover: Cover,
    json: bool,
    listed: Vec<Value>,
}

impl Shown {
    fn tell(&mut self, progress: Progress<'_>) {
        match progress {
            Progress::Begun(accounts) => self.cover.set_whole(accounts.saturating_mul(WHOLE)),
            Progress::GoesOn(tenant, earlier) => self.note(&format!(
                "{tenant}: goes on behind {} invoices that are done; --restart begins anew",
                earlier.seen
            )),
            Progress::Elsewhere(tenant) => {
                self.note(&format!("{tenant}: another backfill runs, or was killed a moment ago; waiting for it"));
            }
            Progress::Waiting(error, pause) => {
                self.note(&format!("{error}; asked again in {} s", pause.as_secs()));
            }
            Progress::Invoice(tenant, invoice, became) => self.invoice(tenant, invoice, became),
            Progress::Page { covered, so_far, back_to } => {
                let back = back_to.map(|at| format!(" back to {}", shown(at))).unwrap_or_default();
                self.cover.reach(covered, so_far.seen, format!("{} invoices{back}", so_far.seen));
            }
        }
    }

    fn note(&self, line: &str) {
        self.cover.aside(|| output::note(line));
    }

    fn invoice(&mut self, tenant: &TenantId, invoice: &StripeInvoiceId, became: &Became) {
        let (word, ours, fields) = match became {
            Became::Created(id, fields) => ("created", Some(id), fields.join(", ")),
            Became::Changed(id, fields) => ("changed", Some(id), fields.join(", ")),
            Became::Unknown => ("unknown", None, String::new()),
            Became::OtherMode => ("other mode", None, String::new()),
            Became::Failed(why) => ("failed", None, (*why).to_owned()),
            Became::Unchanged => return,
        };
        if !self.json {
            let ours = ours.map(|id| format!(" {id}")).unwrap_or_default();
            let fields = if fields.is_empty() { fields } else { format!(": {fields}") };
            self.cover.aside(|| output::line(format_args!("{tenant} {invoice}{ours} {word}{fields}")));
        } else if self.listed.len() < LISTED_MAX {
            let (fields, why) = match became {
                Became::Failed(why) => (Vec::new(), Some(*why)),
                Became::Created(_, fields) | Became::Changed(_, fields) => (fields.clone(), None),
                _ => (Vec::new(), None),
            };
            self.listed.push(json!({ "tenant": tenant, "stripeInvoice": invoice.as_str(), "invoice": ours,
                "outcome": word.replace(' ', "_").to_uppercase(), "fields": fields, "reason": why }));
        }
    }
}
