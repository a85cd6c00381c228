//! The pages behind the links: they say whether a link is live or dead.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;

use crate::Shared;
use crate::state::{Invoice, PaymentStatus, Status};

/// The routes of the pages.
pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/i/{account}/{token}", get(pay_page))
        .route("/invoice/{account}/{token}/pdf", get(pdf))
        .route("/receipts/{account}/{charge}", get(receipt))
}

/// What is known of a link to an invoice.
enum Found {
    Live(Box<Invoice>),
    Dead,
    Unknown,
}

fn find(shared: &Shared, account: &str, token: &str) -> Found {
    let world = shared.world();
    let generation = |invoice: &Invoice| -> Option<u64> {
        token.strip_prefix(&world.writer.token_of_any_generation(invoice))?.parse().ok()
    };
    let mut candidates = world.state.invoices.iter().filter(|invoice| invoice.account == account);
    let found = candidates.find_map(|invoice| generation(invoice).map(|generation| (invoice, generation)));
    match found {
        Some((invoice, generation)) if generation == invoice.link.generation && invoice.status != Status::Draft => {
            Found::Live(Box::new(invoice.clone()))
        }
        Some((invoice, generation)) if generation < invoice.link.generation => Found::Dead,
        _ => Found::Unknown,
    }
}

fn page(status: StatusCode, title: &str, text: &str) -> Response {
    let html = format!(
        "<!doctype html><meta charset=\"utf-8\"><title>{title}</title><h1>{title}</h1><p>{text}</p>\
         <p><small>This is a fake of Stripe. Nothing can be paid here.</small></p>\n"
    );
    (status, [("cache-control", "no-store")], Html(html)).into_response()
}

fn unknown() -> Response {
    page(StatusCode::NOT_FOUND, "Unknown link", "No invoice has ever had this link.")
}

fn dead() -> Response {
    page(StatusCode::GONE, "Dead link", "This link was replaced by a newer one.")
}

/// Text that cannot be taken for markup.
fn plain(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

async fn pay_page(State(shared): State<Shared>, Path((account, token)): Path<(String, String)>) -> Response {
    match find(&shared, &account, &token) {
        Found::Unknown => unknown(),
        Found::Dead => dead(),
        Found::Live(invoice) => {
            let state = match invoice.status {
                Status::Draft | Status::Open => "is to be paid",
                Status::Paid => "was paid",
                Status::Uncollectible => "was given up, but can be paid",
                Status::Void => "is void",
            };
            let text = format!(
                "Invoice {} {state}. It remains: {} {} (minor units).",
                plain(invoice.number.as_deref().unwrap_or(&invoice.id)),
                invoice.amount_remaining.unwrap_or_default(),
                plain(&invoice.currency.to_uppercase()),
            );
            page(StatusCode::OK, "Live link", &text)
        }
    }
}

async fn pdf(State(shared): State<Shared>, Path((account, token)): Path<(String, String)>) -> Response {
    match find(&shared, &account, &token) {
        Found::Unknown => unknown(),
        Found::Dead => dead(),
        Found::Live(invoice) => {
            page(StatusCode::OK, "Live link", &format!("Here would be the PDF of {}.", plain(&invoice.id)))
        }
    }
}

async fn receipt(State(shared): State<Shared>, Path((account, charge)): Path<(String, String)>) -> Response {
    let world = shared.world();
    let of_account = world.state.invoices.iter().filter(|invoice| invoice.account == account);
    let mut payments = of_account.flat_map(|invoice| &invoice.payments);
    match payments.find(|payment| payment.charge.as_ref() == Some(&charge) && payment.status == PaymentStatus::Paid) {
        None => unknown(),
        Some(payment) => {
            let text = format!("Paid: {}, given back: {}.", payment.amount, payment.amount_refunded);
            page(StatusCode::OK, "Receipt", &text)
        }
    }
}
