//! `serve`: runs the gateway until SIGTERM or SIGINT.

use std::fmt::Write;
use std::path::PathBuf;

use super::{CliError, output};
use crate::app::config::Settings;
use crate::app::demo::{Demo, stripe_invoice};
use crate::app::log;
use crate::app::wiring::{self, DemoOptions, Ready};
use crate::demo::Plan;
use crate::stripe::BaseUrl;

/// The invoice that somebody can pay with a ready-made command line: it is open.
const PAID_INVOICE: &str = "declined-topup";

/// The invoice that the ready-made command line asks for.
const SHOWN_INVOICE: &str = "overage-week";

/// Serve GraphQL until told to stop; with --demo on a database that fills itself
#[derive(clap::Args)]
#[command(after_help = "Example:\n  billing-gateway serve --demo --listen 127.0.0.1:0")]
pub(super) struct Args {
    /// Migrate the database, fill it with demo data once, and make tokens for it
    #[arg(long)]
    demo: bool,
    /// How much demo data: tiny (8 customers), small (100), medium (2,000), large (20,000), or a number of customers
    #[arg(long, default_value = "small", value_parser = super::demo::size, requires = "demo")]
    demo_size: u32,
    /// Take away everything the demo's database holds, and start anew
    #[arg(long, requires = "demo")]
    reset: bool,
    /// Write what a fake of Stripe is to know of the demo to this file, for `fake-stripe --state`
    #[arg(long, requires = "demo", value_name = "FILE")]
    stripe_state: Option<PathBuf>,
    /// When ready, print one line of JSON and nothing else on standard output
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &Args, settings: &Settings) -> Result<(), CliError> {
    let config = settings.validate(args.demo)?;
    log::start(&config.log);
    let announce = |ready: &Ready, demo: Option<&Demo>| {
        if args.json {
            match serde_json::to_string(ready) {
                Ok(text) => output::line(text),
                Err(failure) => output::error(&failure.to_string()),
            }
        } else {
            let fake = config.stripe.base.as_ref().filter(|_base| args.stripe_state.is_some());
            output::line(for_people(ready, demo, fake));
        }
    };
    let demo = args.demo.then(|| DemoOptions {
        plan: Plan::of(args.demo_size),
        reset: args.reset,
        stripe_state: args.stripe_state.clone(),
    });
    Ok(wiring::serve(&config, demo, announce).await?)
}

/// Tokens first: what is needed most stands last, where the eye is.
fn for_people(ready: &Ready, demo: Option<&Demo>, fake: Option<&BaseUrl>) -> String {
    let mut text = demo.map(|demo| of_demo(ready, demo)).unwrap_or_default();
    if let Some((_demo, fake)) = demo.zip(fake) {
        text.push_str(&of_fake(fake));
    }
    let mut places = vec![("GraphQL", ready.graphql.as_str()), ("Database", ready.database.as_str())];
    if let Some(explorer) = &ready.explorer {
        places.insert(0, ("Explorer", explorer));
    }
    places.extend(ready.metrics.as_deref().map(|metrics| ("Metrics", metrics)));
    text.push_str("\nThe billing gateway is ready. Ctrl+C stops it.\n\n");
    for (what, place) in places {
        // Writing to a string does not fail.
        let _written = writeln!(text, "  {what:9} {place}");
    }
    text
}

fn of_demo(ready: &Ready, demo: &Demo) -> String {
    let mut text = String::from("\nTokens for the next 24 hours:\n");
    for token in &demo.tokens {
        let _written = write!(text, "\n  {}: {}\n  {}\n", token.name, token.description, token.token);
    }
    let _written =
        write!(text, "\n  cookie: The same customer in a browser; goes with `x-csrf-token: 1`.\n  {}\n", demo.cookie);
    if let (Some(merchant), Some(invoice)) = (demo.merchant(), demo.invoice(SHOWN_INVOICE)) {
        let query = "query($id: ID!) { invoice(id: $id) { number status amountDue { formatted } \
            lineItems { description amount { amount } } payments { status amountPaid { amount } } } }";
        let body = serde_json::json!({"query": query, "variables": {"id": invoice}});
        let _written = write!(
            text,
            "\nAsk it:\n\n  curl -s {} -H 'content-type: application/json' \\\n    -H 'authorization: Bearer {}' \\\n    \
             -d '{body}'\n",
            ready.graphql, merchant.token,
        );
    }
    text
}

/// How to let something happen at the fake of Stripe.
fn of_fake(fake: &BaseUrl) -> String {
    let Some(id) = stripe_invoice(PAID_INVOICE) else { return String::new() };
    let base = fake.url().as_str().trim_end_matches('/');
    let change = format!("{base}/_fake/invoices/{id}/change");
    format!(
        "\nSomebody pays the open invoice {PAID_INVOICE} at the fake of Stripe; a webhook makes it PAID here:\n\n  \
         curl -s {change} -H 'content-type: application/json' -d '{{\"change\": \"pay\"}}'\n\nOr open its payUrl in a \
         browser and press the button.\n"
    )
}
