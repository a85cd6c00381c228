//! The part of Stripe's API that is there, under its real paths.

use axum::extract::{Path, RawQuery, State};
use axum::http::{Method, Uri};
use axum::routing::get;
use axum::{Extension, Json, Router, middleware};
use serde_json::Value;

use crate::Shared;
use crate::error::Refusal;
use crate::expand::expand;
use crate::guard::guard;
use crate::query::Query;
use crate::state::Permission;
use crate::world::Caller;

type Answer = Result<Json<Value>, Refusal>;

/// The most types that a list of events may be limited to.
const TYPES_MAX: usize = 20;

/// The routes below `/v1`.
pub(crate) fn routes(shared: &Shared) -> Router<Shared> {
    Router::new()
        .route("/v1/invoices/{id}", get(invoice).fallback(unrecognized))
        .route("/v1/invoices", get(invoices).fallback(unrecognized))
        .route("/v1/invoice_payments", get(invoice_payments).fallback(unrecognized))
        .route("/v1/charges/{id}", get(charge).fallback(unrecognized))
        .route("/v1/events", get(events).fallback(unrecognized))
        .route("/v1/{*rest}", get(unrecognized).fallback(unrecognized))
        .layer(middleware::from_fn_with_state(shared.clone(), guard))
}

async fn unrecognized(method: Method, uri: Uri) -> Refusal {
    Refusal::unrecognized(method.as_str(), uri.path())
}

async fn invoice(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Answer {
    let query = Query::read(query.as_deref().unwrap_or_default(), &["expand[]"])?;
    let mut world = shared.world();
    let missing = || Refusal::missing("invoice", &id, "invoice");
    world.view(&caller).invoice(&id).ok_or_else(missing)?;
    world.read_link(&id);
    let view = world.view(&caller);
    let mut value = view.invoice(&id).ok_or_else(missing)?;
    expand(&view, &mut value, &query.all("expand[]"))?;
    Ok(Json(value))
}

/// Newest first.
async fn invoices(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Answer {
    let known = [
        "customer",
        "status",
        "limit",
        "starting_after",
        "created[gte]",
        "created[gt]",
        "created[lte]",
        "created[lt]",
        "expand[]",
    ];
    let query = Query::read(query.as_deref().unwrap_or_default(), &known)?;
    let mut world = shared.world();
    let mut found = Vec::new();
    for (index, invoice) in world.view(&caller).invoices().enumerate() {
        let status = serde_json::to_value(invoice.status).unwrap_or_default();
        let wanted = query.get("customer").is_none_or(|customer| invoice.customer.as_deref() == Some(customer))
            && query.get("status").is_none_or(|wanted| status == wanted)
            && query.admits(invoice.created.unwrap_or_default())?;
        if wanted {
            found.push((invoice.created, index, invoice.id.clone()));
        }
    }
    found.sort_by(|left, right| right.cmp(left));
    let rows: Vec<(String, Value)> = found.into_iter().map(|(_, _, id)| (id.clone(), id.into())).collect();
    let mut page = query.page(&rows, "/v1/invoices")?;
    // Only what is on the page was read.
    for element in page.get_mut("data").and_then(Value::as_array_mut).into_iter().flatten() {
        let id = element.as_str().unwrap_or_default().to_owned();
        world.read_link(&id);
        *element = world.view(&caller).invoice(&id).unwrap_or_default();
    }
    expand(&world.view(&caller), &mut page, &query.all("expand[]"))?;
    Ok(Json(page))
}

/// Newest first.
async fn invoice_payments(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Answer {
    let intent = "payment[payment_intent]";
    let known = ["invoice", "status", "payment[type]", intent, "limit", "starting_after", "expand[]"];
    let query = Query::read(query.as_deref().unwrap_or_default(), &known)?;
    let world = shared.world();
    let view = world.view(&caller);
    let wanted: Vec<String> = match query.get("invoice") {
        Some(id) if view.invoice(id).is_none() => return Err(Refusal::missing("invoice", id, "invoice")),
        Some(id) => vec![id.to_owned()],
        None => view.invoices().map(|invoice| invoice.id.clone()).collect(),
    };
    let mut found: Vec<_> = wanted.iter().flat_map(|id| view.payments(id)).collect();
    found.retain(|row| {
        query.get("status").is_none_or(|status| row.json.get("status").is_some_and(|known| known == status))
    });
    let of_intent = |row: &Value, wanted: &str| row.pointer("/payment/payment_intent").is_some_and(|it| it == wanted);
    found.retain(|row| query.get(intent).is_none_or(|wanted| of_intent(&row.json, wanted)));
    found.reverse();
    found.sort_by_key(|row| std::cmp::Reverse(row.created));
    let rows: Vec<(String, Value)> = found.into_iter().map(|row| (row.id, row.json)).collect();
    let mut page = query.page(&rows, "/v1/invoice_payments")?;
    expand(&view, &mut page, &query.all("expand[]"))?;
    Ok(Json(page))
}

async fn charge(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Answer {
    let query = Query::read(query.as_deref().unwrap_or_default(), &["expand[]"])?;
    let world = shared.world();
    let view = world.view(&caller);
    let mut value = view.charge(&id).ok_or_else(|| Refusal::missing("charge", &id, "id"))?;
    expand(&view, &mut value, &query.all("expand[]"))?;
    Ok(Json(value))
}

/// Newest first.
async fn events(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Answer {
    let known = [
        "type",
        "types[]",
        "delivery_success",
        "limit",
        "starting_after",
        "created[gte]",
        "created[gt]",
        "created[lte]",
        "created[lt]",
    ];
    let query = Query::read(query.as_deref().unwrap_or_default(), &known)?;
    let types = query.all("types[]");
    if types.len() > TYPES_MAX {
        return Err(Refusal::invalid(format!("You may pass up to {TYPES_MAX} event types."), "types"));
    }
    let world = shared.world();
    let mut rows = Vec::new();
    for event in world.view(&caller).events().rev() {
        // Events that are still on their way count as failed.
        let delivered = if event.delivered == Some(true) { "true" } else { "false" };
        let wanted = query.get("type").is_none_or(|kind| event.kind == kind)
            && (types.is_empty() || types.contains(&event.kind))
            && query.get("delivery_success").is_none_or(|wanted| wanted == delivered)
            && query.admits(event.created)?;
        if wanted {
            rows.push((event.id.clone(), event.body.clone()));
        }
    }
    Ok(Json(query.page(&rows, "/v1/events")?))
}

/// What a key needs for an endpoint.
pub(crate) const fn needed(endpoint: crate::Endpoint) -> Option<Permission> {
    use crate::Endpoint;
    match endpoint {
        Endpoint::Invoice | Endpoint::Invoices | Endpoint::InvoicePayments => Some(Permission::Invoices),
        Endpoint::Charge => Some(Permission::Charges),
        Endpoint::Events => Some(Permission::Events),
        Endpoint::Other => None,
    }
}
