//! Importing documents: once, never backwards, all or nothing. What documents become is the dialects' business.

use std::sync::Arc;

use billing_gateway::actions::import_document::{
    ImportError, ImportReport, ImportRequest, Mode, Outcome, import_document,
};
use billing_gateway::dialect::System;
use billing_gateway::domain::link::LinkHosts;
use billing_gateway::domain::viewer::Tenant;
use billing_gateway::store::{self, StatementStats, Store, Whose};
use entity::{CustomerId, Instant, invoice};
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::database::{Engine, TestDatabase, for_each_engine};
use crate::support::gateway::POOLS;
use crate::support::program::{program, run};
use crate::support::seed::{Seed, Size, minutes, seed};

/// Everything an import may write to.
const TABLES: [&str; 16] = [
    "customers",
    "invoice_changes",
    "invoice_customer_snapshots",
    "invoice_discounts",
    "invoice_events",
    "invoice_line_items",
    "invoice_sub_lines",
    "invoice_taxes",
    "invoices",
    "payment_methods",
    "payments",
    "prices",
    "products",
    "source_documents",
    "subscriptions",
    "upstream_invoices",
];

/// A tenant with two customers and a rental of each, and no invoice.
struct Desk {
    store: Store,
    plain: DatabaseConnection,
    world: Seed,
    tenant: Tenant,
    database: TestDatabase,
}

impl Desk {
    async fn new(engine: Engine) -> Self {
        let database = TestDatabase::new(engine).await;
        let store = Store::open(&database.url.parse().unwrap(), &POOLS).await.unwrap();
        let size = Size { customers: 2, rentals: 2, invoices: 0, lines: 0 };
        let world = seed(&store, "acme", size).await;
        let tenant = Tenant::whole(world.tenant.clone());
        let plain = database.connect().await;
        Self { store, plain, world, tenant, database }
    }

    /// Imports at a moment; the request may be changed before.
    async fn import(
        &self,
        system: System,
        document: &Value,
        at: Instant,
        change: impl FnOnce(&mut ImportRequest<'_>),
    ) -> Result<ImportReport, ImportError> {
        let bytes = document.to_string().into_bytes();
        let hosts = LinkHosts::default();
        let mut request = ImportRequest {
            actor: None,
            system,
            bytes: &bytes,
            customer: None,
            create_customer: false,
            mode: Mode::Lenient,
            dry_run: false,
            now: at,
            link_hosts: &hosts,
        };
        change(&mut request);
        import_document(&self.store, &self.tenant, &request).await
    }

    /// How many rows each table has.
    async fn rows(&self) -> Vec<(&'static str, i64)> {
        let mut counts = Vec::new();
        for table in TABLES {
            let count = self.number(&format!("SELECT count(*) AS n FROM {table}")).await;
            counts.push((table, count));
        }
        counts
    }

    async fn number(&self, sql: &str) -> i64 {
        let statement = Statement::from_string(self.plain.get_database_backend(), sql);
        let row = self.plain.query_one_raw(statement).await.unwrap().unwrap();
        row.try_get("", "n").unwrap()
    }

    async fn invoice(&self, report: &ImportReport) -> invoice::Model {
        let reader = self.store.reader(Whose::Everyones, &Arc::new(StatementStats::default()));
        let id = report.invoice_id.clone();
        let mut found = store::invoice::by_ids(&self.tenant, &reader, &[id]).await.unwrap();
        found.remove(&report.invoice_id).unwrap()
    }
}

fn fixture(system: System) -> Value {
    let file = format!("{}/tests/it/fixtures/{}.json", env!("CARGO_MANIFEST_DIR"), system.name());
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

/// Paypercut's sample, said to have changed on a day of May 2026, with a description of its own.
fn paypercut(day: u32, amount: i64) -> Value {
    let mut document = fixture(System::Paypercut);
    document["updated"] = json!(format!("2026-05-{day:02}T00:00:00Z"));
    document["metadata"] = json!({ "amount": amount.to_string() });
    document
}

// ---- Once, and never backwards ------------------------------------------------------------------------------------

#[tokio::test]
async fn importing_every_sample_twice_is_importing_it_once() {
    for_each_engine(async |engine| {
        let desk = Desk::new(engine).await;
        for system in System::ALL {
            let document = fixture(system);
            let customer = match system {
                System::GpuOutlet | System::Userhub => Some(desk.world.customers[0].clone()),
                _ => None,
            };
            let first = desk
                .import(system, &document, minutes(1), |request| {
                    request.customer.clone_from(&customer);
                })
                .await;
            let first = first.unwrap();
            assert_eq!((first.outcome, first.created), (Outcome::Created, true), "{}", system.name());
            let rows = desk.rows().await;
            let again =
                desk.import(system, &document, minutes(2), |request| request.customer = customer).await.unwrap();
            assert_eq!((again.outcome, again.created), (Outcome::Unchanged, false), "{}", system.name());
            assert_eq!(again.invoice_id, first.invoice_id);
            assert_eq!(again.issues, first.issues);
            assert_eq!(desk.rows().await, rows, "{}", system.name());
        }
    })
    .await;
}

#[tokio::test]
async fn a_newer_document_replaces_the_invoice_and_an_older_one_is_ignored() {
    for_each_engine(async |engine| {
        let desk = Desk::new(engine).await;
        let first = desk.import(System::Paypercut, &paypercut(10, 1), minutes(1), |_| {}).await.unwrap();
        let before = desk.invoice(&first).await;

        let newer = desk.import(System::Paypercut, &paypercut(11, 2), minutes(2), |_| {}).await.unwrap();
        assert_eq!((newer.outcome, newer.created), (Outcome::Updated, false));
        let after = desk.invoice(&newer).await;
        assert_eq!(after.metadata, json!({ "amount": "2" }));
        assert_eq!((after.version, after.created_at), (before.version + 1, before.created_at));

        let rows = desk.rows().await;
        for older in [paypercut(9, 3), paypercut(10, 1)] {
            let ignored = desk.import(System::Paypercut, &older, minutes(3), |_| {}).await.unwrap();
            assert_eq!(ignored.outcome, Outcome::Ignored);
        }
        assert_eq!(desk.invoice(&newer).await, after);
        assert_eq!(desk.rows().await, rows);
        let lines = desk.number("SELECT count(*) AS n FROM invoice_line_items").await;
        assert_eq!(lines, 1, "lines were replaced, not added");
    })
    .await;
}

#[tokio::test]
async fn where_documents_have_no_date_the_last_import_wins() {
    for_each_engine(async |engine| {
        let desk = Desk::new(engine).await;
        let (mut one, mut other) = (fixture(System::GpuOutlet), fixture(System::GpuOutlet));
        one["lineItems"][0]["description"] = json!("one");
        other["lineItems"][0]["description"] = json!("other");
        let mut outcomes = Vec::new();
        for (minute, document) in [&one, &other, &one, &one].into_iter().enumerate() {
            let customer = desk.world.customers[0].clone();
            let whose = |request: &mut ImportRequest<'_>| request.customer = Some(customer);
            let report = desk.import(System::GpuOutlet, document, minutes(minute), whose).await.unwrap();
            outcomes.push(report.outcome);
        }
        assert_eq!(outcomes, [Outcome::Created, Outcome::Updated, Outcome::Updated, Outcome::Unchanged]);
        let ones = "SELECT count(*) AS n FROM invoice_line_items WHERE description = 'one'";
        assert_eq!(desk.number(ones).await, 1);
        assert_eq!(desk.number("SELECT count(*) AS n FROM source_documents").await, 2, "one for each text");
        assert_eq!(desk.number("SELECT count(*) AS n FROM invoice_events").await, 3, "one for each change");
    })
    .await;
}

#[tokio::test]
async fn imports_of_one_document_at_the_same_time_make_one_invoice() {
    for_each_engine(async |engine| {
        let desk = Desk::new(engine).await;
        let document = paypercut(10, 1);
        let import = || Box::pin(desk.import(System::Paypercut, &document, minutes(1), |_| {}));
        let reports = tokio::join!(import(), import(), import());
        let outcomes = [reports.0, reports.1, reports.2].map(|report| report.unwrap().outcome);
        let created = outcomes.iter().filter(|outcome| **outcome == Outcome::Created).count();
        assert_eq!(created, 1, "{outcomes:?}");
        assert_eq!(desk.number("SELECT count(*) AS n FROM invoices").await, 1);
    })
    .await;
}

// ---- Nothing at all -----------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_dry_run_reports_and_writes_nothing() {
    for_each_engine(async |engine| {
        let desk = Desk::new(engine).await;
        let rows = desk.rows().await;
        let dry = |request: &mut ImportRequest<'_>| request.dry_run = true;
        let report = desk.import(System::Meteroid, &fixture(System::Meteroid), minutes(1), dry).await.unwrap();
        assert_eq!((report.outcome, report.created), (Outcome::DryRun, true));
        assert!(!report.issues.is_empty());
        assert_eq!(desk.rows().await, rows);
    })
    .await;
}

#[tokio::test]
async fn a_strict_import_refuses_a_document_with_issues() {
    for_each_engine(async |engine| {
        let desk = Desk::new(engine).await;
        let rows = desk.rows().await;
        let strict = |request: &mut ImportRequest<'_>| request.mode = Mode::Strict;
        let refused = desk.import(System::Meteroid, &fixture(System::Meteroid), minutes(1), strict).await.unwrap_err();
        assert!(matches!(refused, ImportError::Issues { .. }), "{refused}");
        assert_eq!(desk.rows().await, rows);
    })
    .await;
}

#[tokio::test]
async fn a_number_of_another_invoice_is_refused_in_words() {
    for_each_engine(async |engine| {
        let desk = Desk::new(engine).await;
        let mut document = fixture(System::Meteroid);
        document["invoice_number"] = json!("M-1");
        desk.import(System::Meteroid, &document, minutes(1), |_| {}).await.unwrap();
        let rows = desk.rows().await;
        document["id"] = json!("another");
        let refused = desk.import(System::Meteroid, &document, minutes(2), |_| {}).await.unwrap_err();
        assert!(matches!(refused, ImportError::Taken { .. }), "{refused}");
        assert!(refused.to_string().contains("number M-1"), "{refused}");
        assert_eq!(desk.rows().await, rows);
    })
    .await;
}

// ---- Whose it is --------------------------------------------------------------------------------------------------

#[tokio::test]
async fn documents_that_name_no_customer_need_one_who_exists_or_is_made() {
    for_each_engine(async |engine| {
        let desk = Desk::new(engine).await;
        let document = fixture(System::Userhub);
        let import = async |customer: Option<&str>, create: bool| {
            let whose = |request: &mut ImportRequest<'_>| {
                request.customer = customer.map(CustomerId::from);
                request.create_customer = create;
            };
            desk.import(System::Userhub, &document, minutes(1), whose).await
        };
        let refused = import(None, false).await.unwrap_err();
        assert!(matches!(refused, ImportError::CustomerRequired { system: "userhub" }), "{refused}");
        let refused = import(Some("cus_new"), false).await.unwrap_err();
        assert!(matches!(refused, ImportError::CustomerUnknown(_)), "{refused}");
        let refused = import(Some("someone else"), true).await.unwrap_err();
        assert!(matches!(refused, ImportError::CustomerIdUnfit(_)), "{refused}");
        let report = import(Some("cus_new"), true).await.unwrap();
        assert_eq!(desk.invoice(&report).await.customer_id, CustomerId::from("cus_new"));
        let refused = import(Some(desk.world.customers[0].as_str()), false).await.unwrap_err();
        assert!(matches!(refused, ImportError::OtherCustomer { .. }), "{refused}");
    })
    .await;
}

#[tokio::test]
async fn a_newer_document_that_names_another_customer_is_refused() {
    for_each_engine(async |engine| {
        let desk = Desk::new(engine).await;
        let document = |customer: &str, updated: &str| {
            let mut document = fixture(System::Paypercut);
            document["customer"] = json!(customer);
            document["updated"] = json!(updated);
            document
        };
        let import = async |document: Value| desk.import(System::Paypercut, &document, minutes(1), |_| {}).await;
        let first = import(document("someone", "2026-03-02T00:00:00Z")).await.unwrap();
        let refused = import(document("another", "2026-03-03T00:00:00Z")).await.unwrap_err();
        assert!(matches!(refused, ImportError::OtherCustomer { .. }), "{refused}");
        let kept = desk.invoice(&first).await;
        assert_eq!(kept.version, 1);
    })
    .await;
}

#[tokio::test]
async fn a_caller_limited_to_some_customers_imports_for_nobody_else() {
    for_each_engine(async |engine| {
        let mut desk = Desk::new(engine).await;
        let (own, other) = (desk.world.customers[0].clone(), desk.world.customers[1].clone());
        desk.tenant = desk.tenant.clone().limited_to(vec![own]);
        let rows = desk.rows().await;
        let whose = |request: &mut ImportRequest<'_>| request.customer = Some(other);
        let refused = desk.import(System::Userhub, &fixture(System::Userhub), minutes(1), whose).await.unwrap_err();
        assert!(matches!(refused, ImportError::CustomerUnknown(_)), "{refused}");
        let refused = desk.import(System::Paypercut, &paypercut(10, 1), minutes(1), |_| {}).await.unwrap_err();
        assert!(matches!(refused, ImportError::CustomerUnknown(_)), "{refused}");
        assert_eq!(desk.rows().await, rows);
    })
    .await;
}

#[tokio::test]
async fn an_older_document_does_not_change_the_customer_either() {
    for_each_engine(async |engine| {
        let desk = Desk::new(engine).await;
        let document = |id: &str, name: &str, day: u32| {
            let mut document = paypercut(day, 1);
            document["id"] = json!(id);
            document["lines"]["data"][0]["invoice"] = json!(id);
            document["payments"]["data"] = json!([]);
            document["customer"] = json!({ "id": "01KA9SXYZ123456789ABCDEFGH", "object": "customer", "name": name });
            document
        };
        for (id, name, day) in [("one", "Old", 10), ("two", "New", 12), ("three", "Oldest", 9)] {
            desk.import(System::Paypercut, &document(id, name, day), minutes(1), |_| {}).await.unwrap();
        }
        let named = "SELECT count(*) AS n FROM customers WHERE name = 'New' AND source_system = 'PAYPERCUT'";
        assert_eq!(desk.number(named).await, 1);
        assert_eq!(desk.number("SELECT count(*) AS n FROM invoices").await, 3);
    })
    .await;
}

#[tokio::test]
async fn only_rentals_of_the_customer_are_linked() {
    for_each_engine(async |engine| {
        let desk = Desk::new(engine).await;
        let (own, foreign) = (desk.world.rentals[0].clone(), desk.world.rentals[1].clone());
        let mut document = fixture(System::GpuOutlet);
        document["rentalId"] = json!(own);
        document["lineItems"][0]["rentalId"] = json!(foreign);
        let customer = desk.world.customers[0].clone();
        let whose = |request: &mut ImportRequest<'_>| request.customer = Some(customer);
        let report = desk.import(System::GpuOutlet, &document, minutes(1), whose).await.unwrap();
        let found: Vec<_> = report.issues.iter().map(|issue| (issue.code.as_str(), issue.path.as_str())).collect();
        assert_eq!(found, [("RENTAL_UNKNOWN", "lineItems[0].rentalId")]);
        let row = desk.invoice(&report).await;
        assert_eq!(row.rental_id, Some(own));
        assert_eq!(row.integrity_issues[0]["stated"], json!(foreign));
        assert_eq!(desk.number("SELECT count(*) AS n FROM invoice_line_items WHERE rental_id IS NOT NULL").await, 0);
    })
    .await;
}

// ---- By command ---------------------------------------------------------------------------------------------------

/// Broken documents, what is said of them, and where.
fn broken() -> Vec<(&'static str, String, &'static str)> {
    let mut many = fixture(System::Paypercut);
    let line = many["lines"]["data"][0].clone();
    many["lines"]["data"] = (0..1_001)
        .map(|n| {
            let mut line = line.clone();
            line["id"] = json!(format!("line-{n}"));
            line
        })
        .collect();
    let mut deep = fixture(System::Paypercut);
    deep["metadata"] = (0..20).fold(json!("bottom"), |below, _| json!([below]));
    let mut wrong = fixture(System::Paypercut);
    wrong["amount_due"] = json!("2000");
    let large = format!("{}{}", fixture(System::Paypercut), " ".repeat(2 * 1_048_576));
    vec![
        ("not-json.json", "{\"id\": ".to_owned(), "$: not JSON"),
        ("wrong-type.json", wrong.to_string(), "amount_due: expected a number, found a text"),
        ("too-large.json", large, "$: "),
        ("too-many.json", many.to_string(), "lines.data: 1001 entries"),
        ("too-deep.json", deep.to_string(), "nested more than 20 levels"),
    ]
}

#[tokio::test]
async fn a_broken_file_gets_one_line_with_file_path_and_reason_and_changes_nothing() {
    for_each_engine(async |engine| {
        let desk = Desk::new(engine).await;
        let rows = desk.rows().await;
        let folder = TempDir::with_prefix("billing-gateway-import-").unwrap();
        for (name, text, reason) in broken() {
            std::fs::write(folder.path().join(name), text).unwrap();
            let said = run(desk.command(&folder, &[name]));
            assert_eq!(said.out, "", "{name}");
            let line = said.failure();
            assert!(line.starts_with(&format!("error: {name}: ")) && line.contains(reason), "{line}");
            assert_eq!(desk.rows().await, rows, "{name}");
        }
        let missing = run(desk.command(&folder, &["missing.json"])).failure();
        assert!(missing.starts_with("error: missing.json: $: cannot be read"), "{missing}");
    })
    .await;
}

#[tokio::test]
async fn broken_files_do_not_keep_the_others_from_being_imported() {
    for_each_engine(async |engine| {
        let desk = Desk::new(engine).await;
        let folder = TempDir::with_prefix("billing-gateway-import-").unwrap();
        std::fs::write(folder.path().join("broken.json"), "[").unwrap();
        std::fs::write(folder.path().join("good.json"), fixture(System::Paypercut).to_string()).unwrap();
        let said = run(desk.command(&folder, &["broken.json", "good.json", "--json"]));
        assert_eq!((said.code, said.err.lines().count()), (Some(1), 1), "{said:?}");
        let reports: Value = serde_json::from_str(&said.out).unwrap();
        assert_eq!(reports[0]["file"], "broken.json");
        assert!(reports[0]["error"].as_str().unwrap().starts_with("$: not JSON"), "{reports}");
        assert_eq!(reports[1]["outcome"], "CREATED");
        assert_eq!(desk.number("SELECT count(*) AS n FROM invoices").await, 1);
    })
    .await;
}

impl Desk {
    /// `import` of Paypercut's documents into this tenant.
    fn command(&self, folder: &TempDir, arguments: &[&str]) -> std::process::Command {
        let mut command = program(folder.path());
        command.env("DATABASE_URL", &self.database.url);
        command.args(["import", "--system", "paypercut", "--tenant", self.tenant.id().as_str()]).args(arguments);
        command
    }
}
