//! What async-graphql counts, caps, hints at and tells by itself.

use async_graphql::connection::{Connection, Edge};
use async_graphql::{EmptyMutation, EmptySubscription, Object, Request, Schema};
use billing_gateway::gate::{self, Limits};
use billing_gateway::graphql::{self, Mutation, Query};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::database::{Engine, TestDatabase};

struct Plain;

#[Object]
impl Plain {
    async fn number(&self) -> i32 {
        1
    }

    /// As in the library's book.
    async fn numbers(&self, first: Option<i32>) -> async_graphql::Result<Connection<usize, usize>> {
        async_graphql::connection::query(
            None,
            None,
            first,
            None,
            async |_: Option<usize>, _, first: Option<usize>, _| {
                let mut page = Connection::new(false, false);
                page.edges.extend((0..first.unwrap_or_default()).map(|n| Edge::new(n, n)));
                Ok::<_, async_graphql::Error>(page)
            },
        )
        .await
    }

    /// As `?` makes an error of a driver's.
    #[expect(clippy::unused_self, reason = "a field is of an object")]
    fn stored(&self) -> async_graphql::Result<i32> {
        Err(DbErr::Custom("no such column: secret_column".to_owned()))?;
        Ok(1)
    }
}

async fn execute(builder: async_graphql::SchemaBuilder<Plain, EmptyMutation, EmptySubscription>, of: Request) -> Value {
    serde_json::to_value(builder.finish().execute(of).await).unwrap()
}

fn plain() -> async_graphql::SchemaBuilder<Plain, EmptyMutation, EmptySubscription> {
    Schema::build(Plain, EmptyMutation, EmptySubscription)
}

fn message(answer: &Value) -> &str {
    answer["errors"][0]["message"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn without_costs_of_our_own_operations_that_do_not_run_are_counted() {
    let aliases = (0..10).map(|n| format!("a{n}: number ")).collect::<Vec<_>>().concat();
    let of =
        |chosen: &str| Request::new(format!("query A {{ number }} query B {{ {aliases} }}")).operation_name(chosen);
    assert_eq!(message(&execute(plain().limit_complexity(5), of("A")).await), "Query is too complex.");
    assert_eq!(execute(plain().limit_complexity(50), of("A")).await["data"], json!({ "number": 1 }));
    let costs = graphql::cost::table(&graphql::schema()).unwrap();
    let document = "query A { invoice(id: 1) { id } } query B { invoices(first: 100) { nodes { payUrl } } }";
    let (_, plan) = gate::examine(document, &Limits::default(), &costs).unwrap();
    let cost = |name: &str| plan.cost(Some(name), |_| None);
    assert!(cost("A") == 1 && cost("B") > 1_000, "{} {}", cost("A"), cost("B"));
}

/// Lists count as one, whatever they are asked for.
#[tokio::test]
async fn without_costs_of_our_own_a_list_costs_as_much_as_one_of_it() {
    let page = Request::new("{ numbers(first: 1000) { edges { node } } }");
    let answer = execute(plain().limit_complexity(3), page).await;
    assert_eq!(answer["data"]["numbers"]["edges"].as_array().map(Vec::len), Some(1_000));
}

#[tokio::test]
async fn without_a_cap_of_our_own_a_page_has_as_many_entries_as_are_asked_for() {
    let answer = execute(plain(), Request::new("{ numbers(first: 101) { edges { node } } }")).await;
    assert_eq!(answer["data"]["numbers"]["edges"].as_array().map(Vec::len), Some(101));
    let app = TestApp::new().await;
    let answer = app.ask(&app.token("merchant"), "{ invoices(first: 101) { nodes { id } } }", json!({})).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT", "{answer}");
}

#[tokio::test]
async fn without_the_word_hints_tell_what_there_is() {
    let hinting = Schema::build(Query, Mutation, EmptySubscription).finish();
    for query in ["{ invoics { nodes { id } } }", "{ invoices(firs: 1) { nodes { id } } }"] {
        let hint = hinting.execute(query).await.errors[0].message.clone();
        assert!(hint.contains("Did you mean"), "{hint}");
        let silent = graphql::schema().execute(query).await.errors[0].message.clone();
        assert!(!silent.contains("mean"), "{silent}");
    }
}

#[tokio::test]
async fn without_codes_of_our_own_what_a_driver_says_is_told_to_clients() {
    let answer = execute(plain(), Request::new("{ stored }")).await;
    assert!(message(&answer).contains("secret_column"), "{answer}");
    let app = TestApp::new().await;
    let connection = app.database.connect().await;
    connection.execute_unprepared("ALTER TABLE customers RENAME COLUMN name TO secret_column").await.unwrap();
    let answer = app.ask(&app.token("merchant"), "{ customers(first: 1) { nodes { id name } } }", json!({})).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "INTERNAL", "{answer}");
    let told = answer.to_string();
    assert!(!told.contains("secret_column") && !told.contains("no such"), "{told}");
}

/// The mode in which the library leaves out most rules is for documents that passed them all before.
#[tokio::test]
async fn without_every_rule_a_document_that_does_not_fit_is_executed() {
    let wrong = "query($unused: Int) { __typename @nothing }";
    let known = graphql::schema_for_known_documents().execute(wrong).await;
    assert!(known.errors.is_empty(), "{:?}", known.errors);
    let app = TestApp::new().await;
    for _ in 0..3 {
        let answer = app.ask(&app.token("merchant"), wrong, json!({})).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "GRAPHQL_VALIDATION_FAILED", "{answer}");
        assert_eq!(answer.get("data"), None);
    }
}

#[tokio::test]
async fn without_a_look_at_texts_nul_is_a_failure_of_postgres() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let connection = database.connect().await;
    let asked =
        |text: &str| Statement::from_sql_and_values(DbBackend::Postgres, "SELECT $1::text AS it", [text.into()]);
    assert!(connection.query_one_raw(asked("a")).await.is_ok());
    let failure = connection.query_one_raw(asked("a\0b")).await.unwrap_err();
    assert!(failure.to_string().contains("invalid byte sequence"), "{failure}");
}
