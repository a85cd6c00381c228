//! Pages of other sites: which may ask, and which cannot use a visitor's cookie.

use billing_gateway::http::Transport;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

use crate::support::app::TestApp;

const APP: &str = "https://app.example.com";

async fn cors() -> TestApp {
    TestApp::with_transport(Transport { cors_origins: vec![APP.to_owned()], ..Transport::default() }).await
}

fn header<'a>(answer: &'a Response, name: &str) -> Option<&'a str> {
    answer.headers().get(name).map(|value| value.to_str().unwrap())
}

fn preflight(app: &TestApp, origin: &str) -> RequestBuilder {
    app.client
        .request(Method::OPTIONS, app.url("/graphql"))
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,content-type")
}

fn ask(app: &TestApp) -> RequestBuilder {
    let request = app.client.post(app.url("/graphql")).bearer_auth(app.token("merchant"));
    request.json(&json!({ "query": "{ __typename }" }))
}

#[tokio::test]
async fn by_default_no_other_site_is_told_anything() {
    let app = TestApp::new().await;
    for answer in [preflight(&app, APP).send().await.unwrap(), ask(&app).header("origin", APP).send().await.unwrap()] {
        assert!(answer.headers().keys().all(|name| !name.as_str().starts_with("access-control-")), "{answer:?}");
    }
}

#[tokio::test]
async fn pages_of_listed_origins_may_ask_and_read() {
    let app = cors().await;
    let answer = preflight(&app, APP).send().await.unwrap();
    assert!(answer.status().is_success());
    assert_eq!(header(&answer, "access-control-allow-origin"), Some(APP));
    assert_eq!(header(&answer, "access-control-allow-credentials"), Some("true"));
    assert_eq!(header(&answer, "access-control-max-age"), Some("600"));
    assert_eq!(header(&answer, "access-control-allow-methods"), Some("GET,POST,DELETE"));
    let allowed = header(&answer, "access-control-allow-headers").unwrap();
    for name in ["authorization", "content-type", "x-csrf-token"] {
        assert!(allowed.split(',').any(|stated| stated == name), "{allowed}");
    }
    assert!(header(&answer, "x-request-id").is_some());

    let answer = ask(&app).header("origin", APP).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), header(&answer, "access-control-allow-origin")), (200, Some(APP)));
    let exposed = header(&answer, "access-control-expose-headers").unwrap();
    assert!(exposed.contains("x-request-id") && exposed.contains("retry-after"), "{exposed}");
    let refused = app.client.post(app.url("/graphql")).header("origin", APP).send().await.unwrap();
    assert_eq!((refused.status().as_u16(), header(&refused, "access-control-allow-origin")), (401, Some(APP)));
}

#[tokio::test]
async fn a_page_of_a_listed_origin_may_log_its_customer_out() {
    let app = cors().await;
    let url = app.url("/v1/session");
    let preflight = app.client.request(Method::OPTIONS, &url).header("origin", APP);
    let preflight = preflight
        .header("access-control-request-method", "DELETE")
        .header("access-control-request-headers", "content-type,x-csrf-token");
    let allowed = preflight.send().await.unwrap();
    assert!(header(&allowed, "access-control-allow-methods").unwrap().split(',').any(|method| method == "DELETE"));
    let logout = app.client.delete(&url).header("origin", APP).header("cookie", &app.cookie);
    let logout = logout.header("x-csrf-token", "1").header("content-type", "application/json");
    let answer = logout.send().await.unwrap();
    assert_eq!((answer.status().as_u16(), header(&answer, "access-control-allow-origin")), (204, Some(APP)));
}

#[tokio::test]
async fn other_origins_are_named_nowhere_and_caches_know_that_it_matters() {
    let app = cors().await;
    for origin in ["https://evil.example", "null", "http://app.example.com", "https://app.example.com.evil.example"] {
        let preflight = preflight(&app, origin).send().await.unwrap();
        let asked = ask(&app).header("origin", origin).send().await.unwrap();
        for answer in [preflight, asked] {
            assert_eq!(header(&answer, "access-control-allow-origin"), None, "{origin}");
            let vary: Vec<_> = answer.headers().get_all("vary").iter().map(|value| value.to_str().unwrap()).collect();
            assert!(vary.join(",").contains("origin"), "{vary:?}");
        }
    }
    let asked = ask(&app).send().await.unwrap();
    let vary: Vec<_> = asked.headers().get_all("vary").iter().map(|value| value.to_str().unwrap()).collect();
    let vary = vary.join(",");
    assert!(vary.contains("origin") && vary.contains("authorization"), "{vary}");
}

#[tokio::test]
async fn a_cookie_alone_is_nothing_to_other_sites() {
    let app = cors().await;
    let with_cookie = |origin: &'static str| {
        let request = app.client.post(app.url("/graphql")).header("cookie", "__Host-sid=anything");
        request.header("origin", origin).json(&json!({ "query": "mutation { __typename }" }))
    };
    let code = async |request: RequestBuilder| {
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let body: Value = answer.json().await.unwrap();
        (status, body["errors"][0]["extensions"]["code"].as_str().unwrap_or_default().to_owned())
    };
    let refused = (403, "CSRF_REFUSED".to_owned());
    assert_eq!(code(with_cookie("https://evil.example").header("x-csrf-token", "1")).await, refused);
    assert_eq!(code(with_cookie(APP)).await, refused, "it has no header of its own");
    let cross_site = with_cookie(APP).header("x-csrf-token", "1").header("sec-fetch-site", "cross-site");
    assert_eq!(code(cross_site).await, refused);
    let form = app.client.post(app.url("/graphql")).header("cookie", "__Host-sid=anything");
    assert_eq!(code(form.header("content-type", "application/x-www-form-urlencoded").body("query=x")).await.0, 415);
    let by_get = app.client.get(app.url("/graphql?query=%7B__typename%7D")).header("cookie", "__Host-sid=anything");
    assert_eq!(code(by_get.header("sec-fetch-site", "cross-site")).await, refused);
    // The page is one of ours; that the cookie is nobody's is another question.
    assert_eq!(code(with_cookie(APP).header("x-csrf-token", "1")).await.0, 401);
}
