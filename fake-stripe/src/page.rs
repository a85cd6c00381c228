//! The pages behind the links: what is to be paid, with a button that pays it; receipts; and what dead links say.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};

use crate::change::{Change, ChangeError};
use crate::state::{Invoice, PaymentStatus, Status};
use crate::{FakeStripe, Shared};

/// Currencies whose smallest unit is the whole, and those with a thousandth; all others have a hundredth.
const WITHOUT_PARTS: [&str; 8] = ["clp", "isk", "jpy", "krw", "pyg", "ugx", "vnd", "xof"];
const IN_THOUSANDTHS: [&str; 5] = ["bhd", "jod", "kwd", "omr", "tnd"];

/// How pages look: plain, in the colours of the reader's choice.
const STYLE: &str = "body{font:1rem/1.5 system-ui,sans-serif;max-width:30rem;margin:4rem auto;padding:0 1rem;\
    color-scheme:light dark}button{font:inherit;padding:.6rem 1.4rem;cursor:pointer}small{opacity:.7}";

/// The routes of the pages.
pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/i/{account}/{token}", get(pay_page))
        .route("/i/{account}/{token}/pay", post(pay))
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

/// A page. `body` is markup; texts in it were made plain before.
fn page(status: StatusCode, title: &str, body: &str) -> Response {
    let title = plain(title);
    let html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title}</title><style>{STYLE}</style><h1>{title}</h1>{body}\
         <p><small>This is a fake of Stripe: no money moves.</small></p></html>\n"
    );
    (status, [("cache-control", "no-store")], Html(html)).into_response()
}

fn unknown() -> Response {
    page(StatusCode::NOT_FOUND, "Unknown link", "<p>No invoice has ever had this link.</p>")
}

fn dead() -> Response {
    let text = "<p>It was replaced by a newer one. Ask for a new link where you found this one.</p>";
    page(StatusCode::GONE, "This link has expired", text)
}

/// Text that cannot be taken for markup.
fn plain(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

/// An amount as people write it.
fn amount(minor: i64, currency: &str) -> String {
    let digits = match currency {
        none if WITHOUT_PARTS.contains(&none) => 0,
        three if IN_THOUSANDTHS.contains(&three) => 3,
        _ => 2,
    };
    let text = format!("{:0>width$}", minor.unsigned_abs(), width = digits + 1);
    let (whole, parts) = text.split_at(text.len().saturating_sub(digits));
    let (sign, dot) = (if minor < 0 { "-" } else { "" }, if digits > 0 { "." } else { "" });
    plain(&format!("{sign}{whole}{dot}{parts} {}", currency.to_uppercase()))
}

async fn pay_page(State(shared): State<Shared>, Path((account, token)): Path<(String, String)>) -> Response {
    match find(&shared, &account, &token) {
        Found::Unknown => unknown(),
        Found::Dead => dead(),
        Found::Live(invoice) => live(&shared, &invoice, &format!("/i/{account}/{token}/pay")),
    }
}

/// What the customer sees: what is owed with a button, or what became of it.
fn live(shared: &Shared, invoice: &Invoice, pay: &str) -> Response {
    let number = invoice.number.as_deref().unwrap_or(&invoice.id);
    let remaining = amount(invoice.amount_remaining.unwrap_or_default(), &invoice.currency);
    let button = || {
        let pay = plain(pay);
        format!("<form method=\"post\" action=\"{pay}\"><button>Pay {remaining}</button></form>")
    };
    let text = match invoice.status {
        Status::Draft => String::new(),
        Status::Open => format!("<p>To be paid: {remaining}</p>{}", button()),
        Status::Uncollectible => format!("<p>Long overdue: {remaining}</p>{}", button()),
        Status::Void => "<p>This invoice is void. Nothing is to be paid.</p>".to_owned(),
        Status::Paid => {
            let paid = amount(invoice.amount_paid.unwrap_or_default(), &invoice.currency);
            let world = shared.world();
            let receipts = invoice.payments.iter().filter_map(|payment| world.writer.receipt_url(invoice, payment));
            let links = receipts.map(|url| format!("<p><a href=\"{}\">Receipt</a></p>", plain(&url)));
            format!("<p><strong>Paid.</strong> {paid}</p>{}", links.collect::<String>())
        }
    };
    page(StatusCode::OK, &format!("Invoice {number}"), &text)
}

/// Pays what remains, and leads back to the page.
async fn pay(State(shared): State<Shared>, Path((account, token)): Path<(String, String)>) -> Response {
    let invoice = match find(&shared, &account, &token) {
        Found::Unknown => return unknown(),
        Found::Dead => return dead(),
        Found::Live(invoice) => invoice,
    };
    match FakeStripe::of(shared).change(&invoice.id, &Change::Pay { amount: None, out_of_band: false }) {
        Ok(_events) => (StatusCode::SEE_OTHER, [(LOCATION, format!("/i/{account}/{token}"))]).into_response(),
        Err(ChangeError::NoInvoice) => unknown(),
        Err(ChangeError::NotAllowed(why)) => {
            page(StatusCode::CONFLICT, "Nothing was paid", &format!("<p>{}</p>", plain(why)))
        }
    }
}

async fn pdf(State(shared): State<Shared>, Path((account, token)): Path<(String, String)>) -> Response {
    match find(&shared, &account, &token) {
        Found::Unknown => unknown(),
        Found::Dead => dead(),
        Found::Live(invoice) => {
            let number = invoice.number.as_deref().unwrap_or(&invoice.id);
            let total = amount(invoice.total, &invoice.currency);
            page(StatusCode::OK, &format!("Invoice {number}"), &format!("<p>Here would be its PDF, over {total}.</p>"))
        }
    }
}

async fn receipt(State(shared): State<Shared>, Path((account, charge)): Path<(String, String)>) -> Response {
    let world = shared.world();
    let of_account = world.state.invoices.iter().filter(|invoice| invoice.account == account);
    let payments = of_account.flat_map(|invoice| invoice.payments.iter().map(move |payment| (invoice, payment)));
    let mut paid = payments.filter(|(_, payment)| payment.status == PaymentStatus::Paid);
    match paid.find(|(_, payment)| payment.charge.as_ref() == Some(&charge)) {
        None => unknown(),
        Some((invoice, payment)) => {
            let paid = amount(payment.amount, &invoice.currency);
            let back = amount(payment.amount_refunded, &invoice.currency);
            page(StatusCode::OK, "Receipt", &format!("<p>Paid: {paid}</p><p>Given back: {back}</p>"))
        }
    }
}
