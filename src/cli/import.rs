//! `import`: documents of foreign billing systems become invoices, each in a transaction of its own.
//!
//! A broken file gets one line that names file, path and reason, and does not keep the others from being imported.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::builder::PossibleValuesParser;
use entity::{CustomerId, TenantId};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::{CliError, output, told};
use crate::actions::import_document::{ImportReport, ImportRequest, Mode, Outcome, import_document, spelled};
use crate::app::config::Settings;
use crate::app::wiring;
use crate::dialect::{DOCUMENT_BYTES_MAX, DialectError, System};
use crate::domain::actor::Actor;
use crate::domain::clock::Clock;
use crate::domain::link::LinkHosts;
use crate::domain::viewer::Tenant;
use crate::store::Store;

/// Import documents of another billing system as invoices
///
/// Importing a document twice is importing it once; an older document never overwrites a newer one. A file that
/// cannot be imported changes nothing.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  billing-gateway import --system paypercut --tenant ten_01JGK3WEM0Q0YSX78NY50N8Z0C \
    --database-url sqlite://billing-demo.db tests/it/fixtures/paypercut.json"
)]
pub(super) struct Args {
    /// The system that the documents come from
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(System::ALL.map(System::name)))]
    system: String,
    /// The tenant whose invoices they become
    #[arg(long, value_name = "ID")]
    tenant: String,
    /// Whom they bill; required for gpu-outlet and userhub, whose documents do not say
    #[arg(long, value_name = "ID")]
    customer: Option<String>,
    /// Make the customer when there is none with that id
    #[arg(long, requires = "customer")]
    create_customer: bool,
    #[command(flatten)]
    how: How,
    /// The documents, one JSON object each
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

#[derive(clap::Args)]
struct How {
    /// Refuse a document with anything that does not hold, such as a total that does not add up
    #[arg(long)]
    strict: bool,
    /// Do everything but write
    #[arg(long)]
    dry_run: bool,
    /// Print the reports as JSON
    #[arg(long)]
    json: bool,
}

/// What became of one file.
#[derive(Serialize)]
struct Imported {
    file: String,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    report: Option<ImportReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

pub(super) async fn run(args: &Args, settings: &Settings) -> Result<(), CliError> {
    let config = settings.store()?;
    let store = wiring::open(&config).await?;
    let hosts = config.link_hosts();
    let bar = progress(args.files.len());
    let mut results = Vec::new();
    for file in &args.files {
        let result = import(&store, args, file, &hosts).await;
        bar.suspend(|| tell(&result, args.how.json));
        bar.inc(1);
        results.push(result);
    }
    bar.finish_and_clear();
    store.close().await.map_err(crate::app::AppError::from)?;
    if args.how.json {
        output::json(&results);
    }
    if results.iter().any(|result| result.error.is_some()) {
        return Err(CliError::Told);
    }
    Ok(())
}

async fn import(store: &Store, args: &Args, file: &Path, link_hosts: &LinkHosts) -> Imported {
    let name = file.display().to_string();
    let tenant = Tenant::whole(TenantId::from(args.tenant.as_str()));
    let done = match read(file) {
        Ok(bytes) => import_document(store, &tenant, &args.request(&bytes, link_hosts, &Actor::operator()))
            .await
            .map_err(|error| told(&error)),
        Err(reason) => Err(reason),
    };
    match done {
        Ok(report) => Imported { file: name, report: Some(report), error: None },
        Err(reason) => Imported { file: name, report: None, error: Some(reason) },
    }
}

impl Args {
    fn request<'a>(&self, bytes: &'a [u8], link_hosts: &'a LinkHosts, actor: &'a Actor) -> ImportRequest<'a> {
        ImportRequest {
            // The parser lets only names of systems through.
            system: System::from_name(&self.system).unwrap_or(System::GpuOutlet),
            bytes,
            customer: self.customer.as_deref().map(CustomerId::from),
            create_customer: self.create_customer,
            mode: if self.how.strict { Mode::Strict } else { Mode::Lenient },
            dry_run: self.how.dry_run,
            now: Clock::system().now(),
            link_hosts,
            actor: Some(actor),
        }
    }
}

/// The bytes of a file, without taking in more than can be imported.
fn read(path: &Path) -> Result<Vec<u8>, String> {
    let unreadable = |error: std::io::Error| format!("$: cannot be read: {error}");
    let file = File::open(path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    let mut bytes = Vec::new();
    let limit = u64::try_from(DOCUMENT_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    file.take(limit).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > DOCUMENT_BYTES_MAX {
        let refused = DialectError::TooLarge {
            path: "$".to_owned(),
            bytes: usize::try_from(length).unwrap_or(usize::MAX).max(bytes.len()),
            max: DOCUMENT_BYTES_MAX,
        };
        return Err(refused.to_string());
    }
    Ok(bytes)
}

/// A bar for several files. It is not drawn where standard error is no terminal: each file has its line there anyway.
fn progress(files: usize) -> ProgressBar {
    if files < 2 {
        return ProgressBar::hidden();
    }
    let style =
        ProgressStyle::with_template("{bar:40} {pos}/{len} files").unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(u64::try_from(files).unwrap_or(u64::MAX)).with_style(style)
}

/// Says what became of a file: failures on standard error, the rest as lines unless JSON follows.
fn tell(imported: &Imported, json: bool) {
    let file = &imported.file;
    if let Some(reason) = &imported.error {
        output::error(&format!("{file}: {reason}"));
    }
    let Some(report) = imported.report.as_ref().filter(|_| !json) else {
        return;
    };
    let done = match report.outcome {
        Outcome::Created => "created",
        Outcome::Updated => "updated",
        Outcome::Unchanged => "unchanged, imported before",
        Outcome::Ignored => "ignored, older than what is stored",
        Outcome::DryRun if report.created => "would be created",
        Outcome::DryRun => "would be updated",
    };
    output::line(format_args!("{file}: {} {done}", report.invoice_id));
    for path in &report.redacted_paths {
        output::line(format_args!("  credential cut out: {path}"));
    }
    for issue in &report.issues {
        output::line(format_args!("  {}", spelled(issue)));
    }
}
