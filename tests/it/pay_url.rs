//! `/v1/billing/invoices/{id}/pay-url`, and the demo against a fake of Stripe that was told about it.

use fake_stripe::{Fault, FaultKind};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

use crate::support::app::{PAY_LINKS, TestApp};

async fn get(app: &TestApp, principal: &str, invoice: &str) -> Response {
    let url = app.url(&format!("/v1/billing/invoices/{invoice}/pay-url"));
    app.client.get(url).bearer_auth(app.token(principal)).send().await.unwrap()
}

/// Status and body, without what tells one request from another.
async fn told(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let mut body: Value = response.json().await.unwrap();
    if let Some(body) = body.as_object_mut() {
        body.remove("instance");
    }
    (status, body)
}

#[tokio::test]
async fn an_open_invoice_has_a_link_that_works_now_and_a_paid_one_has_none() {
    let (app, fake) = TestApp::with_stripe().await;
    let open = app.invoice("declined-topup");
    let response = get(&app, "merchant", &open).await;
    assert_eq!(response.headers()["cache-control"], "no-store");
    let live = fake.hosted_invoice_url("in_demo_declined_topup").unwrap();
    assert_eq!(told(response).await, (200, json!({ "url": live })));
    // The page is there, and gone once the link is replaced.
    assert_eq!(app.client.get(&live).send().await.unwrap().status(), StatusCode::OK);
    fake.rotate_link("in_demo_declined_topup").unwrap();
    assert_eq!(app.client.get(&live).send().await.unwrap().status(), StatusCode::GONE);

    for character in ["paid-with-receipt", "stripe-never-heard", "voided"] {
        let answer = told(get(&app, "merchant", &app.invoice(character)).await).await;
        assert_eq!(answer, (200, json!({ "url": null })), "{character}");
    }
}

#[tokio::test]
async fn unknown_and_foreign_invoices_are_the_same_answer() {
    let (app, fake) = TestApp::with_stripe().await;
    let unknown = told(get(&app, "merchant", "inv_00000000000000000000000000").await).await;
    assert_eq!(unknown.0, 404);
    for (principal, invoice) in [("merchant", "other-tenant"), ("customer", "paid-with-receipt")] {
        assert_eq!(told(get(&app, principal, &app.invoice(invoice)).await).await, unknown, "{invoice}");
    }
    assert_eq!(told(get(&app, "merchant", "%00%ff").await).await, unknown);
    assert_eq!(fake.calls().len(), 0);
}

#[tokio::test]
async fn credentials_and_scopes_are_those_of_graphql() {
    let (app, _fake) = TestApp::with_stripe().await;
    let open = app.invoice("declined-topup");
    let url = app.url(&format!("/v1/billing/invoices/{open}/pay-url"));
    let nobody = app.client.get(&url).send().await.unwrap();
    assert_eq!(nobody.headers()["www-authenticate"], "Bearer");
    assert_eq!(told(nobody).await.0, 401);
    assert_eq!(told(get(&app, "expired", &open).await).await.0, 401);
    let (status, body) = told(get(&app, "partner_without_links", &open).await).await;
    assert_eq!((status, body["detail"].as_str().unwrap()), (403, "This field needs the scope invoices.links:read."));
    let posted = app.client.post(&url).bearer_auth(app.token("merchant")).send().await.unwrap();
    assert_eq!(told(posted).await.0, 405);
}

#[tokio::test]
async fn a_stripe_that_does_not_answer_is_told_with_when_to_try_again() {
    let (app, fake) = TestApp::with_stripe().await;
    let open = app.invoice("declined-topup");
    fake.fault(Fault::new(FaultKind::Hang).times(5));
    assert_eq!(told(get(&app, "merchant", &open).await).await.0, 504);
    fake.clear_faults();
    fake.fault(Fault::new(FaultKind::status(500)));
    let failed = get(&app, "merchant", &open).await;
    assert!(failed.headers().contains_key("retry-after"));
    assert_eq!(told(failed).await.0, 503);

    let mirror_only = TestApp::new().await;
    let (status, body) = told(get(&mirror_only, "merchant", &mirror_only.invoice("declined-topup")).await).await;
    assert_eq!((status, &body["detail"]), (503, &json!("No connection to Stripe is configured.")));
}

/// In GraphQL, by the mutation and here, pay links are counted together; what needs no call is not counted.
#[tokio::test]
async fn pay_links_have_a_limit_for_each_caller_over_all_ways_to_ask() {
    let (app, _fake) = TestApp::with_stripe().await;
    let open = app.invoice("declined-topup");
    let field = "query Q($id: ID!) { invoice(id: $id) { payUrl status } }";
    let refresh = "mutation R($id: ID!) { refreshPayUrl(input: { invoiceId: $id }) { url \
        userErrors { code message retryAfterMs } } }";
    let ask = async |query: &str, invoice: &str| app.ask(&app.token("merchant"), query, json!({ "id": invoice })).await;
    for number in 0..PAY_LINKS.get() {
        match number % 3 {
            0 => assert_eq!(get(&app, "merchant", &open).await.status(), StatusCode::OK),
            1 => assert_eq!(ask(field, &open).await["errors"], Value::Null),
            _ => assert_eq!(ask(refresh, &open).await["data"]["refreshPayUrl"]["userErrors"], json!([])),
        }
        // Nothing is to be paid: nobody is asked.
        assert_eq!(get(&app, "merchant", &app.invoice("voided")).await.status(), StatusCode::OK);
    }
    let refused = get(&app, "merchant", &open).await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    let wait: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=2).contains(&wait), "{wait}");
    assert_eq!(told(refused).await.1["detail"], "You asked for too many pay links.");
    let answer = ask(field, &open).await;
    let error = &answer["errors"][0]["extensions"];
    assert_eq!((&error["code"], &error["retryable"]), (&json!("RATE_LIMITED"), &json!(true)));
    assert!(error["retryAfterMs"].as_u64().unwrap() <= 2_000 && error["upstream"].is_null(), "{answer}");
    assert_eq!(answer["data"]["invoice"], json!({ "payUrl": null, "status": "OPEN" }));
    let payload = &ask(refresh, &open).await["data"]["refreshPayUrl"];
    assert_eq!((&payload["url"], &payload["userErrors"][0]["code"]), (&Value::Null, &json!("RATE_LIMITED")));
    assert!(payload["userErrors"][0]["retryAfterMs"].as_u64().unwrap() <= 2_000, "{payload}");
    // Others are not meant, and other links neither.
    assert_eq!(get(&app, "customer", &open).await.status(), StatusCode::OK);
    let pages = "query Q($id: ID!) { invoice(id: $id) { hostedInvoiceUrl(freshness: REQUIRE_FRESH) } }";
    assert_eq!(ask(pages, &open).await["errors"], Value::Null);
}

#[tokio::test]
async fn the_fake_tells_the_story_of_the_demo() {
    let (app, _fake) = TestApp::with_stripe().await;
    let query = "query Q($id: ID!) { invoice(id: $id) { payUrl hostedInvoiceUrl(freshness: REQUIRE_FRESH) receiptUrl \
        upstream { freshness receiptFreshness lastErrorCode drift { field } } } }";
    let ask =
        async |character: &str| app.ask(&app.token("merchant"), query, json!({ "id": app.invoice(character) })).await;
    let drifted = ask("drifted").await;
    assert_eq!(
        drifted["data"]["invoice"]["upstream"]["drift"],
        json!([{ "field": "amountDue" }, { "field": "amountPaid" }])
    );
    let expired = ask("receipt-expired").await;
    assert_eq!(expired["data"]["invoice"]["upstream"]["receiptFreshness"], "LIVE");
    assert!(expired["data"]["invoice"]["receiptUrl"].as_str().unwrap().contains("/receipts/"), "{expired}");
    let mut others = Vec::new();
    for character in ["overage-week", "half-paid", "yen", "dinar", "three-attempts", "whale"] {
        let answer = ask(character).await;
        assert_eq!(answer["errors"], Value::Null, "{character}");
        assert_eq!(answer["data"]["invoice"]["upstream"]["drift"], json!([]), "{character}");
        others.push(answer["data"]["invoice"]["hostedInvoiceUrl"].clone());
    }
    assert!(others.iter().all(Value::is_string), "{others:?}");
}
