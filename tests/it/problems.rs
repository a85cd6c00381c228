//! Outside GraphQL every refusal is a problem document (RFC 9457) with the id of its request.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::hooks::signed;
use crate::support::served::Served;

/// A request that is refused, and what it is answered.
struct Case {
    method: &'static str,
    path: &'static str,
    prepare: fn(RequestBuilder) -> RequestBuilder,
    status: u16,
    title: &'static str,
    detail: &'static str,
}

const NOTHING: &str = "There is nothing at this path.";
const NO_METHOD: &str = "This path has no such method.";
const NO_TOKEN: &str = "The request needs a valid credential.";

fn plain(request: RequestBuilder) -> RequestBuilder {
    request
}

fn unsigned(request: RequestBuilder) -> RequestBuilder {
    request.header("stripe-signature", "t=1,v1=00").body("{}")
}

fn large(request: RequestBuilder) -> RequestBuilder {
    request.header("stripe-signature", signed("another")).body("x".repeat(1_200_000))
}

fn large_unsigned(request: RequestBuilder) -> RequestBuilder {
    request.header("stripe-signature", "t=1,v1=00").body("x".repeat(1_200_000))
}

fn bad_token(request: RequestBuilder) -> RequestBuilder {
    request.header("authorization", "Bearer a.b.c")
}

const fn case(
    (method, path): (&'static str, &'static str),
    prepare: fn(RequestBuilder) -> RequestBuilder,
    (status, title, detail): (u16, &'static str, &'static str),
) -> Case {
    Case { method, path, prepare, status, title, detail }
}

const PAY_URL: &str = "/v1/billing/invoices/inv_1/pay-url";
const WEBHOOKS: &str = "/webhooks/stripe/default";

const CASES: [Case; 25] = [
    case(("GET", "/nothing"), plain, (404, "Not Found", NOTHING)),
    case(("POST", "/"), plain, (405, "Method Not Allowed", NO_METHOD)),
    case(("DELETE", "/explorer/config.json"), plain, (405, "Method Not Allowed", NO_METHOD)),
    case(("GET", "/explorer/nothing"), plain, (404, "Not Found", NOTHING)),
    case(("GET", "/assets/nothing.js"), plain, (404, "Not Found", NOTHING)),
    case(("GET", "/assets/%FF"), plain, (404, "Not Found", NOTHING)),
    case(("GET", "/metrics"), plain, (404, "Not Found", NOTHING)),
    case(("POST", "/livez"), plain, (405, "Method Not Allowed", NO_METHOD)),
    case(("PUT", "/readyz"), plain, (405, "Method Not Allowed", NO_METHOD)),
    case(("BREW", "/version"), plain, (405, "Method Not Allowed", NO_METHOD)),
    case(("GET", "/graphql/"), plain, (404, "Not Found", NOTHING)),
    case(("GET", PAY_URL), plain, (401, "Unauthorized", NO_TOKEN)),
    case(("GET", PAY_URL), bad_token, (401, "Unauthorized", NO_TOKEN)),
    case(("POST", PAY_URL), plain, (405, "Method Not Allowed", NO_METHOD)),
    case(("GET", "/v1/billing/invoices"), plain, (404, "Not Found", NOTHING)),
    case(("GET", WEBHOOKS), plain, (405, "Method Not Allowed", NO_METHOD)),
    case(("POST", WEBHOOKS), plain, (400, "Bad Request", "invalid_signature")),
    case(("POST", WEBHOOKS), unsigned, (400, "Bad Request", "invalid_signature")),
    case(("POST", WEBHOOKS), large_unsigned, (400, "Bad Request", "invalid_signature")),
    case(("POST", WEBHOOKS), large, (413, "Payload Too Large", "The body is too large.")),
    case(("POST", "/webhooks/stripe/nobody"), unsigned, (404, "Not Found", NOTHING)),
    case(("POST", "/webhooks/stripe/nobody"), large, (404, "Not Found", NOTHING)),
    case(("POST", "/webhooks/stripe/%FF"), unsigned, (404, "Not Found", NOTHING)),
    case(("POST", "/webhooks/stripe/"), unsigned, (404, "Not Found", NOTHING)),
    case(("GET", "/webhooks"), plain, (404, "Not Found", NOTHING)),
];

#[tokio::test]
async fn every_refusal_outside_graphql_is_a_problem_document_with_the_id_of_its_request() {
    let served = Served::demo(|_command| {}).await;
    for (number, case) in CASES.iter().enumerate() {
        let Case { method, path, prepare, status, title, detail } = case;
        let id = format!("request-{number}");
        let of = Method::from_bytes(method.as_bytes()).unwrap();
        let request = served.client.request(of, served.url(path)).header("x-request-id", &id);
        let answer = prepare(request).send().await.unwrap();
        let what = format!("{method} {path}");
        assert_eq!(answer.status(), *status, "{what}");
        let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        assert_eq!(header("content-type"), "application/problem+json", "{what}");
        assert_eq!((header("x-request-id"), header("cache-control")), (id.as_str(), "no-store"), "{what}");
        assert_eq!(header("www-authenticate").is_empty(), *status != 401, "{what}");
        assert_eq!(header("allow").is_empty(), *status != 405, "{what}");
        let mut body: Value = answer.json().await.unwrap();
        // Where a client may have to decide by it there is a code as at `/graphql`.
        let code = body.as_object_mut().and_then(|body| body.remove("code"));
        assert_eq!(code, (*status == 401).then(|| json!("UNAUTHENTICATED")), "{what}");
        let expected =
            json!({ "type": "about:blank", "title": title, "status": status, "detail": detail, "instance": id });
        assert_eq!(body, expected, "{what}");
    }
    // What the caller's invoices are not: with a token, an unknown one and what is no id, too long or no text.
    let (most, long, longer) = ("x".repeat(128), "x".repeat(129), "%C3%A9".repeat(5_000));
    for id in ["inv_01JGK3WEM0Q0YSX78NY50N8Z0C", "%FF", "x", "%00", "a%00b", "%20", &most, &long, &longer] {
        let path = format!("/v1/billing/invoices/{id}/pay-url");
        let request = served.client.get(served.url(&path)).bearer_auth(served.token("merchant"));
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 404, "{id}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json", "{id}");
    }
    // Names in other paths are no text or too long just as well.
    for path in ["/webhooks/stripe/", "/assets/", "/explorer/"] {
        for name in ["%00", &long, &longer] {
            let request = served.client.post(served.url(&format!("{path}{name}")));
            let asked = if path.starts_with("/webhooks") {
                request
            } else {
                served.client.get(served.url(&format!("{path}{name}")))
            };
            let answer = asked.send().await.unwrap();
            assert_eq!(answer.status(), 404, "{path}{name:.20}");
            assert_eq!(answer.headers()["content-type"], "application/problem+json", "{path}{name:.20}");
        }
    }
    served.stop();
}
