//! The examples: each is asked as whoever it is for, and its whole answer on the demo is kept as a snapshot.
//!
//! The clock stands still at the demo's own instant, so that what depends on age is the same in every run.

use std::collections::BTreeSet;
use std::path::Path;

use billing_gateway::demo::{Principal, principals};
use billing_gateway::domain::viewer::Viewer;
use entity::{InvoiceStatus, invoice};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};

use crate::demo::load;
use crate::support::database::{Engine, for_each_engine};
use crate::support::gateway::{Gateway, viewer};

/// Who asks the examples of each group. An operator is one of the company's own people.
const ASKED_BY: [(&str, &str); 5] = [
    ("customer", "customer"),
    ("everyone", "merchant"),
    ("merchant", "merchant"),
    ("operator", "merchant"),
    ("partner", "partner"),
];

/// An example as the explorer offers it.
struct Example {
    name: String,
    asked_by: Principal,
    query: String,
    variables: Value,
}

impl Example {
    fn viewer(&self) -> Viewer {
        let Principal { kind, tenant, scopes, customers, .. } = &self.asked_by;
        viewer(*kind, tenant, *scopes, customers.clone())
    }

    /// What its snapshot is called: its file's name without the ending.
    fn slug(&self) -> String {
        self.name.to_lowercase().replace(' ', "-")
    }
}

/// The demo in a store of its own, its clock stopped, and every example that is offered.
async fn offered(engine: Engine) -> (Gateway, Vec<Example>) {
    let mut gateway = Gateway::new(engine).await;
    let demo = load(&gateway).await;
    gateway.now = demo.plan.now;
    let config = demo.explorer_config("/graphql");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let examples = config["examples"].as_array().unwrap().iter().map(|example| Example {
        name: text(&example["name"]),
        asked_by: principal(&text(&example["group"])),
        query: text(&example["query"]),
        variables: example["variables"].clone(),
    });
    (gateway, examples.collect())
}

/// The principal that asks the examples of a group.
fn principal(group: &str) -> Principal {
    let (_, name) = ASKED_BY.into_iter().find(|(known, _)| *known == group).expect("someone asks for every group");
    principals().into_iter().find(|principal| principal.name == name).expect("a principal of the demo")
}

#[tokio::test]
async fn every_example_answers_as_its_snapshot_shows() {
    for_each_engine(async |engine| {
        let (gateway, examples) = offered(engine).await;
        for example in examples {
            let answer = gateway.ask(&example.viewer(), &example.query, example.variables.clone()).await;
            assert_eq!(answer.errors, Vec::<Value>::new(), "{}", example.name);
            let shown = json!({
                "asked by": example.asked_by.name,
                "variables": example.variables,
                "data": answer.data,
            });
            insta::assert_json_snapshot!(example.slug(), shown);
        }
    })
    .await;
}

/// The files in a folder that end so, without that ending and without `prefix`.
fn names(folder: &str, prefix: &str, ending: &str) -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    files.filter_map(|file| Some(file.strip_prefix(prefix)?.strip_suffix(ending)?.to_owned())).collect()
}

#[tokio::test]
async fn every_example_is_offered_says_why_and_has_its_snapshot() {
    let (_gateway, examples) = offered(Engine::Sqlite).await;
    for example in &examples {
        assert!(example.query.starts_with("# "), "{}: the first line says who asks this and why", example.name);
    }
    let offered: BTreeSet<String> = examples.iter().map(Example::slug).collect();
    assert_eq!(offered, names("examples", "", ".graphql"));
    // Whatever way snapshots are written in, one that is missing or left over fails.
    assert_eq!(offered, names("tests/it/snapshots", "it__examples__", ".snap"));
}

/// The ids of all pages, page by page, each page asked for with the `endCursor` of the one before.
async fn pages(gateway: &Gateway, example: &Example, mut variables: Value) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    loop {
        let answer = gateway.ask(&example.viewer(), &example.query, variables.clone()).await;
        let list = &answer.ok()["invoices"];
        let ids = list["nodes"].as_array().unwrap().iter().map(|node| node["id"].as_str().unwrap().to_owned());
        pages.push(ids.collect());
        if list["pageInfo"]["hasNextPage"] == false {
            return pages;
        }
        variables["after"] = list["pageInfo"]["endCursor"].clone();
    }
}

/// The ids that an export of everything must give, read past the API.
async fn stored(gateway: &Gateway, example: &Example) -> BTreeSet<String> {
    let issued = invoice::Entity::find()
        .filter(invoice::Column::TenantId.eq(example.asked_by.tenant.clone()))
        .filter(invoice::Column::Status.ne(InvoiceStatus::Draft));
    let rows = issued.all(&gateway.database.connect().await).await.unwrap();
    rows.into_iter().map(|row| row.id.0).collect()
}

#[tokio::test]
async fn the_pages_of_an_export_hold_every_invoice_once() {
    for_each_engine(async |engine| {
        let (gateway, examples) = offered(engine).await;
        let export = examples.iter().find(|example| example.slug() == "partner-export").expect("the export");
        let offered = pages(&gateway, export, export.variables.clone()).await;
        assert!(offered.len() > 1, "what is offered shows how to go on");
        let ever = json!({ "from": "2000-01-01T00:00:00Z", "until": "2100-01-01T00:00:00Z" });
        let all = stored(&gateway, export).await;
        for first in [Value::Null, json!(1), json!(7), json!(100)] {
            let mut variables = ever.clone();
            // Absent, not null: only then does the default of the example hold.
            if !first.is_null() {
                variables["first"] = first.clone();
            }
            let pages = pages(&gateway, export, variables).await;
            let size = first.as_u64().map_or(3, |first| usize::try_from(first).unwrap());
            let (last, full) = pages.split_last().unwrap();
            assert!(full.iter().all(|page| page.len() == size) && !last.is_empty(), "{first}: {pages:?}");
            let ids: Vec<String> = pages.into_iter().flatten().collect();
            assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{first}: an invoice came twice");
            assert_eq!(ids.into_iter().collect::<BTreeSet<_>>(), all, "{first}");
        }
    })
    .await;
}
