//! The program `fake-stripe`: serves a state file until it is told to stop.

use std::convert::Infallible;
use std::error::Error;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use fake_stripe::{FakeStripe, State, Webhook};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

/// How often a file that is followed is looked at.
const LOOKED_AT: Duration = Duration::from_millis(100);

/// A fake of Stripe for demos and tests: it serves the invoices of a file under the real paths
#[derive(Debug, Parser)]
#[command(name = "fake-stripe", version)]
#[command(after_help = "Example:\n  fake-stripe --listen 127.0.0.1:12111")]
struct Cli {
    /// Address and port to listen on; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:12111", value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// A JSON file with the invoices; without one there are none
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Read the file again whenever it is written; until it is there, there are no invoices
    #[arg(long, requires = "state")]
    follow: bool,
    /// Send events there as they happen, until they are taken; goes before what the file says
    #[arg(long, value_name = "URL", requires = "webhook_secret")]
    webhook: Option<String>,
    /// What these are signed with, `whsec_…`
    #[arg(
        long,
        value_name = "SECRET",
        requires = "webhook",
        env = "FAKE_STRIPE_WEBHOOK_SECRET",
        hide_env_values = true
    )]
    webhook_secret: Option<String>,
    /// Say where it listens as one line of JSON
    #[arg(long)]
    json: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to try when this fails.
            let _written = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: &Cli) -> Result<(), Box<dyn Error>> {
    let state =
        cli.state.as_deref().filter(|path| !cli.follow || path.exists()).map(|path| cli.read(path)).transpose()?;
    let state = state.unwrap_or_else(|| cli.with_webhook(State::default()));
    let fake = FakeStripe::listen(cli.listen, state).await?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let line = if cli.json {
        json!({ "url": fake.url(), "pid": std::process::id() }).to_string()
    } else {
        format!("fake-stripe listens at {}", fake.url())
    };
    let mut out = std::io::stdout();
    writeln!(out, "{line}")?;
    out.flush()?;
    let followed = cli.follow.then_some(cli);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        never = follow(&fake, followed) => match never {},
    }
    Ok(())
}

/// Serves what the file says, as often as it is written. A file that cannot be read changes nothing.
async fn follow(fake: &FakeStripe, cli: Option<&Cli>) -> Infallible {
    let Some((cli, path)) = cli.and_then(|cli| Some((cli, cli.state.as_deref()?))) else {
        return std::future::pending().await;
    };
    let written = || std::fs::metadata(path).and_then(|file| file.modified()).ok();
    let mut seen = written();
    loop {
        tokio::time::sleep(LOOKED_AT).await;
        let now = written();
        if now != seen {
            seen = now;
            match cli.read(path) {
                Ok(state) => fake.replace(state),
                Err(error) => {
                    let _told = writeln!(std::io::stderr(), "{error}");
                }
            }
        }
    }
}

impl Cli {
    fn read(&self, path: &Path) -> Result<State, Box<dyn Error>> {
        read(path).map(|state| self.with_webhook(state))
    }

    fn with_webhook(&self, state: State) -> State {
        let given = self.webhook.clone().zip(self.webhook_secret.clone());
        let given = given.map(|(url, secret)| Webhook { url, secret });
        State { webhook: given.or(state.webhook.clone()), ..state }
    }
}

fn read(path: &Path) -> Result<State, Box<dyn Error>> {
    let named = |error: &dyn Error| format!("{}: {error}", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| named(&error))?;
    Ok(serde_json::from_str(&text).map_err(|error| named(&error))?)
}
