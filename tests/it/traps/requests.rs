//! Requests: what the library's own way from HTTP to a request takes, which is the whole of its extractor for axum.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_graphql::http::{MultipartOptions, parse_query_string, receive_batch_body};
use async_graphql::{BatchRequest, EmptySubscription, Object, Schema};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, post};
use bytes::Bytes;
use futures::TryStreamExt;
use serde_json::json;
use tower::ServiceExt;

use crate::support::app::TestApp;

const MUTATION: &str = "mutation { count }";

/// What a form of another site can send without being asked for.
const OF_FORMS: [Option<&str>; 3] = [None, Some("text/plain"), Some("application/x-www-form-urlencoded")];

struct Nothing;

#[Object]
impl Nothing {
    async fn nothing(&self) -> bool {
        true
    }
}

/// Counts how often it was run.
struct Counting(Arc<AtomicUsize>);

#[Object]
impl Counting {
    async fn count(&self) -> usize {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }
}

type Counted = Schema<Nothing, Counting, EmptySubscription>;

/// The query string by GET and the body otherwise, whatever its type, executed. This is what the extractors and the
/// service of async-graphql-axum do, by the same functions.
async fn library(State(schema): State<Counted>, request: Request) -> Response {
    let batch = if request.method() == Method::GET {
        parse_query_string(request.uri().query().unwrap_or_default()).map(BatchRequest::Single)
    } else {
        let stated = request.headers().get(CONTENT_TYPE).and_then(|stated| stated.to_str().ok()).map(str::to_owned);
        let body = request.into_body().into_data_stream().map_err(std::io::Error::other).into_async_read();
        receive_batch_body(stated, body, MultipartOptions::default()).await
    };
    match batch {
        Ok(batch) => axum::Json(schema.execute_batch(batch).await).into_response(),
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error:?}")).into_response(),
    }
}

/// The library's way, and how often the mutation was run.
struct Without {
    router: Router,
    count: Arc<AtomicUsize>,
}

impl Without {
    fn new() -> Self {
        let count = Arc::default();
        let schema = Schema::new(Nothing, Counting(Arc::clone(&count)), EmptySubscription);
        let router = Router::new().route("/graphql", any(library)).route("/bytes", post(async |_bytes: Bytes| "read"));
        Self { router: router.with_state(schema), count }
    }

    async fn ask(&self, method: Method, path: &str, content_type: Option<&str>, body: String) -> StatusCode {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(content_type) = content_type {
            request = request.header(CONTENT_TYPE, content_type);
        }
        let request = request.body(Body::from(body)).unwrap();
        self.router.clone().oneshot(request).await.unwrap().status()
    }

    fn counted(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }
}

fn body() -> String {
    json!({ "query": MUTATION }).to_string()
}

/// Our status for the same request, with a valid credential.
async fn ours(app: &TestApp, method: Method, query: &str, content_type: Option<&str>, body: String) -> u16 {
    let mut request =
        app.client.request(method, app.url(&format!("/graphql{query}"))).bearer_auth(app.token("merchant"));
    if let Some(content_type) = content_type {
        request = request.header("content-type", content_type);
    }
    request.body(body).send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn without_a_look_at_the_method_a_mutation_runs_by_get() {
    let (without, app) = (Without::new(), TestApp::new().await);
    let query = "?query=mutation%7Bcount%7D";
    assert_eq!(without.ask(Method::GET, &format!("/graphql{query}"), None, String::new()).await, 200);
    assert_eq!(without.counted(), 1);
    let query = "?query=mutation%7B__typename%7D";
    assert_eq!(ours(&app, Method::GET, query, None, String::new()).await, 405);
}

#[tokio::test]
async fn without_a_look_at_the_content_type_a_form_of_another_site_runs_a_mutation() {
    let (without, app) = (Without::new(), TestApp::new().await);
    for (number, content_type) in OF_FORMS.into_iter().enumerate() {
        assert_eq!(without.ask(Method::POST, "/graphql", content_type, body()).await, 200, "{content_type:?}");
        assert_eq!(without.counted(), number + 1, "{content_type:?}");
        let mutation = json!({ "query": "mutation { __typename }" }).to_string();
        assert_eq!(ours(&app, Method::POST, "", content_type, mutation).await, 415, "{content_type:?}");
    }
}

#[tokio::test]
async fn without_a_limit_on_batches_one_body_runs_thousands_of_operations() {
    let (without, app) = (Without::new(), TestApp::new().await);
    let batch = |query: &str| json!(vec![json!({ "query": query }); 5_000]).to_string();
    assert_eq!(without.ask(Method::POST, "/graphql", Some("application/json"), batch(MUTATION)).await, 200);
    assert_eq!(without.counted(), 5_000);
    let body = batch("{a}");
    assert_eq!(ours(&app, Method::POST, "", Some("application/json"), body).await, 400);
}

/// axum's limit is kept by its own extractors, and the library's is none of them.
#[tokio::test]
async fn without_a_limit_of_our_own_a_body_of_any_size_is_read() {
    let (without, app) = (Without::new(), TestApp::new().await);
    let padded = json!({ "query": MUTATION, "extensions": { "x": "x".repeat(5 << 20) } }).to_string();
    let json = Some("application/json");
    assert_eq!(without.ask(Method::POST, "/bytes", json, padded.clone()).await, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(without.ask(Method::POST, "/graphql", json, padded.clone()).await, 200);
    assert_eq!(without.counted(), 1);
    assert_eq!(ours(&app, Method::POST, "", json, padded).await, 413);
}
