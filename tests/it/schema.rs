//! The schema, as both engines hold it after all migrations: what the rows expect, kept within its tenant, and
//! refusing what may not be.

mod catalogue;
mod rows;

use std::collections::{BTreeMap, BTreeSet};

use migration::{Migrator, MigratorTrait};
use sea_orm::{
    ColumnTrait, ColumnType, ConnectionTrait, DatabaseConnection, DbErr, EntityTrait, IdenStatic, IntoActiveModel,
    Iterable, TransactionTrait, sea_query::StringLen,
};

use catalogue::{Column, checks, columns, indexes, query, references, text};

use crate::support::database::{Engine, TestDatabase, for_each_engine};

// ---- Up and down ------------------------------------------------------------------------------------------------

#[tokio::test]
async fn migrations_go_up_down_and_up_again() {
    for_each_engine(async |engine| {
        let database = TestDatabase::empty(engine).await;
        let connection = database.connect().await;

        up(&connection).await;
        let first = columns(&connection).await;
        assert!(!first.is_empty(), "no tables were made");

        down(&connection).await;
        assert_eq!(columns(&connection).await, Vec::new(), "tables are left");

        up(&connection).await;
        assert_eq!(columns(&connection).await, first);
    })
    .await;
}

async fn up(connection: &DatabaseConnection) {
    let tx = connection.begin().await.expect("a transaction");
    Migrator::up(&tx, None).await.expect("the migrations apply");
    tx.commit().await.expect("a commit");
}

async fn down(connection: &DatabaseConnection) {
    let tx = connection.begin().await.expect("a transaction");
    Migrator::down(&tx, None).await.expect("the migrations can be taken back");
    tx.commit().await.expect("a commit");
}

// ---- Rows -------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn columns_are_those_of_the_rows() {
    let expected = row_shapes();
    for_each_engine(async |engine| {
        let database = TestDatabase::new(engine).await;
        let mut found: BTreeMap<String, BTreeMap<String, Column>> = BTreeMap::new();
        for column in columns(&database.connect().await).await {
            found.entry(column.table.clone()).or_default().insert(column.name.clone(), column);
        }
        let names: Vec<_> = found.keys().cloned().collect();
        let expected_names: Vec<_> = expected.keys().map(|name| (*name).to_owned()).collect();
        assert_eq!(names, expected_names, "tables");

        for (table, shape) in &expected {
            let columns = &found[*table];
            let names: BTreeSet<_> = columns.keys().cloned().collect();
            assert_eq!(names, shape.iter().map(|field| field.name.clone()).collect(), "columns of {table}");
            for field in shape {
                let column = &columns[&field.name];
                assert_eq!(column.nullable, field.nullable, "nullability of {table}.{}", field.name);
                assert!(fits(engine, &field.kind, &column.kind), "{table}.{} is {}", field.name, column.kind);
            }
        }
    })
    .await;
}

#[tokio::test]
async fn rows_come_back_as_they_were_written() {
    for_each_engine(async |engine| {
        let database = TestDatabase::new(engine).await;
        let connection = database.connect().await;
        rows::insert_all(&connection, "ten_1").await;
        rows::assert_all(&connection, "ten_1").await;
    })
    .await;
}

#[tokio::test]
async fn ids_and_numbers_sort_by_their_bytes() {
    for_each_engine(async |engine| {
        let database = TestDatabase::new(engine).await;
        let connection = database.connect().await;
        insert(&connection, rows::tenant("ten_1")).await;
        for id in ["cus_a", "cus_B", "cus_é", "cus_Z", "cus_-", "cus_0"] {
            insert(&connection, entity::customer::Model { id: id.into(), ..rows::customer("ten_1") }).await;
        }
        let sorted = query(&connection, "SELECT id FROM customers ORDER BY id").await;
        let sorted: Vec<String> = sorted.iter().map(|row| text(row, "id")).collect();
        assert_eq!(sorted, ["cus_-", "cus_0", "cus_B", "cus_Z", "cus_a", "cus_é"]);
    })
    .await;
}

#[tokio::test]
async fn every_word_made_by_machines_sorts_by_its_bytes_on_postgres() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let language_dependent = query(
        &database.connect().await,
        "SELECT table_name::text AS t, column_name::text AS c FROM information_schema.columns
         WHERE table_schema = 'public' AND table_name <> 'seaql_migrations'
           AND data_type = 'character varying' AND collation_name IS DISTINCT FROM 'C'",
    )
    .await;
    let names: Vec<_> = language_dependent.iter().map(|row| (text(row, "t"), text(row, "c"))).collect();
    assert_eq!(names, Vec::new());
}

// ---- References -------------------------------------------------------------------------------------------------

#[tokio::test]
async fn every_reference_stays_within_its_tenant_and_never_cascades() {
    for_each_engine(async |engine| {
        let database = TestDatabase::new(engine).await;
        let references = references(&database.connect().await).await;
        assert!(!references.is_empty(), "no foreign keys were found");
        for reference in references {
            assert!(reference.keeps_rows, "{reference:?} deletes or changes rows");
            let key: &[&str] = if reference.parent == "tenants" { &["id"] } else { &["tenant_id", "id"] };
            assert_eq!(reference.to, key, "{reference:?}");
            assert_eq!(reference.from.len(), key.len(), "{reference:?}");
            assert_eq!(reference.from.first().map(String::as_str), Some("tenant_id"), "{reference:?}");
        }
    })
    .await;
}

/// Tables of whoever runs the gateway: their rows are there before a tenant is known, or are the tenants.
const SYSTEM: [&str; 3] = ["tenants", "webhook_events", "seaql_migrations"];

/// Columns by which a credential is looked up before its tenant is known.
const LOOKED_UP: [(&str, &str); 2] = [("credentials", "handle"), ("sessions", "sid_sha256")];

/// Tables with rows of whoever runs the gateway too, whose tenant is empty.
const OPERATORS_TOO: [&str; 2] = ["audit_heads", "audit_log"];

#[tokio::test]
async fn every_table_belongs_to_tenants_and_every_key_begins_with_one() {
    for_each_engine(async |engine| {
        let database = TestDatabase::new(engine).await;
        let connection = database.connect().await;
        let columns = columns(&connection).await;
        let (references, indexes) = (references(&connection).await, indexes(&connection).await);
        let tables: BTreeSet<&str> = columns.iter().map(|column| column.table.as_str()).collect();
        let owned: Vec<&str> = tables.into_iter().filter(|table| !SYSTEM.contains(table)).collect();
        assert!(owned.len() >= 18, "{owned:?}");
        for table in owned {
            let tenant = columns.iter().find(|column| column.table == table && column.name == "tenant_id");
            assert!(tenant.is_some_and(|tenant| !tenant.nullable), "{table} does not say whose its rows are");
            let refers = references.iter().any(|reference| reference.table == table);
            assert!(refers || OPERATORS_TOO.contains(&table), "rows of {table} may be of a tenant that there is not");
            let keys: Vec<_> = indexes.iter().filter(|index| index.table == table && index.unique).collect();
            assert!(!keys.is_empty(), "{table} has no key");
            for key in keys {
                let first = key.columns.first().map(String::as_str);
                let looked_up = first.is_some_and(|column| LOOKED_UP.contains(&(table, column)));
                assert!(first == Some("tenant_id") || looked_up, "{key:?}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn every_reference_has_an_index() {
    for_each_engine(async |engine| {
        let database = TestDatabase::new(engine).await;
        let connection = database.connect().await;
        let indexes = indexes(&connection).await;
        for reference in references(&connection).await {
            // An index may leave out rows without a parent: nobody looks for those by their parent.
            let present = reference.from.last().map(|column| format!("{column} IS NOT NULL"));
            let covered = indexes.iter().any(|index| {
                index.table == reference.table
                    && index.columns.starts_with(&reference.from)
                    && (index.condition.is_none() || index.condition == present)
            });
            assert!(covered, "{reference:?} has no index");
        }
    })
    .await;
}

#[tokio::test]
async fn row_of_another_tenant_cannot_be_referred_to() {
    for_each_engine(async |engine| {
        let database = TestDatabase::new(engine).await;
        let connection = database.connect().await;
        rows::insert_all(&connection, "ten_1").await;
        insert(&connection, rows::tenant("ten_2")).await;

        let foreign = [
            try_insert(&connection, entity::invoice::Model { id: "inv_2".into(), ..rows::invoice("ten_2") }).await,
            try_insert(&connection, entity::line_item::Model { id: "li_2".into(), ..rows::line_item("ten_2") }).await,
            try_insert(&connection, entity::payment::Model { id: "pay_2".into(), ..rows::payment("ten_2") }).await,
            try_insert(&connection, rows::upstream_invoice("ten_2")).await,
        ];
        for outcome in foreign {
            let message = outcome.expect_err("a row refers to another tenant").to_string().to_lowercase();
            assert!(message.contains("foreign key constraint"), "{message}");
        }
    })
    .await;
}

// ---- Unique keys ------------------------------------------------------------------------------------------------

#[tokio::test]
async fn numbers_are_unique_among_issued_invoices() {
    for_each_engine(async |engine| {
        let database = TestDatabase::new(engine).await;
        let connection = database.connect().await;
        rows::insert_all(&connection, "ten_1").await;
        let draft = |id: &str| entity::invoice::Model {
            id: id.into(),
            status: entity::InvoiceStatus::Draft,
            finalized_at: None,
            paid_at: None,
            ..rows::invoice("ten_1")
        };
        let numbered =
            |id: &str| entity::invoice::Model { external_id: Some(id.to_owned()), legacy_number: None, ..draft(id) };
        insert(&connection, numbered("inv_2")).await;
        insert(&connection, numbered("inv_3")).await;

        let issued = entity::invoice::Model { external_id: None, legacy_number: None, ..rows::invoice("ten_1") };
        let second = try_insert(&connection, entity::invoice::Model { id: "inv_4".into(), ..issued }).await;
        assert!(second.is_err(), "two issued invoices share a number");
    })
    .await;
}

#[tokio::test]
async fn document_is_stored_once_with_and_without_an_external_id() {
    for_each_engine(async |engine| {
        let database = TestDatabase::new(engine).await;
        let connection = database.connect().await;
        insert(&connection, rows::tenant("ten_1")).await;
        for external_id in [Some("in_1".to_owned()), None] {
            let document = |id: &str| entity::source_document::Model {
                id: id.into(),
                external_id: external_id.clone(),
                ..rows::source_document("ten_1")
            };
            let (first, again) = (format!("src_{external_id:?}"), format!("src_{external_id:?}_again"));
            insert(&connection, document(&first)).await;
            assert!(try_insert(&connection, document(&again)).await.is_err(), "stored twice: {external_id:?}");
        }
    })
    .await;
}

// ---- Rules ------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn every_check_refuses_a_bad_row() {
    let unknown = vocabularies().into_iter().map(|Vocabulary { table, column, .. }| {
        // Only invoices of other systems have no rules beside the vocabulary for their status.
        let foreign = if (table, column) == ("invoices", "status") { ", source_system = 'STRIPE'" } else { "" };
        (table, column, format!("{column} = 'NO_SUCH_WORD'{foreign}"))
    });
    let others = REFUSED
        .iter()
        .flat_map(|(table, changes)| changes.iter().map(|(rule, change)| (*table, *rule, (*change).to_owned())));
    let refused: Vec<_> = unknown.chain(others).collect();
    for_each_engine(async |engine| {
        let database = TestDatabase::new(engine).await;
        let connection = database.connect().await;
        rows::insert_all(&connection, "ten_1").await;

        let tried: BTreeSet<_> = refused.iter().map(|(table, rule, _)| format!("ck_{table}_{rule}")).collect();
        let known: BTreeSet<_> = checks(&connection).await.into_keys().collect();
        assert_eq!(tried, known, "rules with a bad row, and rules of the schema");

        for (table, rule, change) in &refused {
            let outcome = connection.execute_unprepared(&format!("UPDATE {table} SET {change}")).await;
            let message = outcome.map(|_| format!("{table}: {change} is accepted")).expect_err("a refusal").to_string();
            let name = format!("ck_{table}_{rule}");
            let named = message.ends_with(&format!(": {name}")) || message.contains(&format!("\"{name}\""));
            assert!(named, "{table}: {change} should break {name}, but: {message}");
        }
    })
    .await;
}

#[tokio::test]
async fn values_at_the_limit_are_accepted() {
    for_each_engine(async |engine| {
        let database = TestDatabase::new(engine).await;
        let connection = database.connect().await;
        rows::insert_all(&connection, "ten_1").await;
        for (table, changes) in ACCEPTED {
            for change in *changes {
                accepts(&connection, table, change).await;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn words_of_the_checks_are_those_of_the_program() {
    let vocabularies = vocabularies();
    let listed: BTreeSet<_> = vocabularies.iter().map(|words| (words.table, words.column.to_owned())).collect();
    let closed: BTreeSet<_> = row_shapes()
        .into_iter()
        .flat_map(|(table, shape)| shape.into_iter().map(move |field| (table, field)))
        .filter(|(_, field)| field.kind == ColumnType::String(StringLen::N(32)))
        .map(|(table, field)| (table, field.name))
        .collect();
    assert_eq!(listed, closed, "columns with a vocabulary, and those listed here");

    for_each_engine(async |engine| {
        let database = TestDatabase::new(engine).await;
        let checks = checks(&database.connect().await).await;
        for Vocabulary { table, column, words } in &vocabularies {
            let definition = &checks[&format!("ck_{table}_{column}")];
            let quoted: Vec<_> = definition.split('\'').skip(1).step_by(2).collect();
            assert_eq!(&quoted, words, "{table}.{column}");
        }
    })
    .await;
}

/// Changes to a good row (a paid invoice of our own, and what belongs to it), by table and by the rule each breaks.
const REFUSED: &[(&str, &[(&str, &str)])] = &[
    ("tenants", &[("default_currency", "default_currency = 'US'")]),
    ("customers", &[("currency", "currency = 'US'"), ("parent_id", "parent_id = id")]),
    ("prices", &[("currency", "currency = ''")]),
    ("subscriptions", &[("current_period", "current_period_end = '2001-01-01T00:00:00+00:00'")]),
    (
        "rentals",
        &[
            ("currency", "currency = 'EU'"),
            ("gpu_count", "gpu_count = 3"),
            ("port", "port = 0"),
            ("port", "port = 65536"),
            ("price_per_hour", "price_per_hour = -1"),
            ("seconds_billed", "seconds_billed = -1"),
            ("total_charged", "total_charged = -1"),
            ("auto_stop_after_hours", "auto_stop_after_hours = -1"),
            ("stopped_at", "stopped_at = '2001-01-01T00:00:00+00:00'"),
        ],
    ),
    (
        "payment_methods",
        &[
            ("card_last4", "card_last4 = '4242424242424242'"),
            ("exp_month", "exp_month = 0"),
            ("exp_month", "exp_month = 13"),
        ],
    ),
    (
        "invoices",
        &[
            ("currency", "currency = 'E'"),
            ("discount_total", "discount_total = -1"),
            ("total", "total = -1"),
            ("applied_credits", "applied_credits = -1"),
            ("amount_due", "amount_due = -1"),
            ("amount_paid", "amount_paid = -1"),
            ("amount_refunded", "amount_refunded = -1"),
            ("net_terms_days", "net_terms_days = -1"),
            ("version", "version = -1"),
            ("period", "period_end = '2001-01-01T00:00:00+00:00'"),
            ("native_finalized", "status = 'OPEN', finalized_at = NULL, paid_at = NULL"),
            ("native_paid", "paid_at = NULL"),
            ("native_paid", "status = 'OPEN'"),
            ("native_void", "voided_at = paid_at"),
            ("native_void", "status = 'VOID', paid_at = NULL"),
            ("native_uncollectible", "status = 'UNCOLLECTIBLE', paid_at = NULL"),
            ("native_created_first", "created_at = paid_at"),
            ("native_finalized_before_paid", "paid_at = created_at"),
            ("native_finalized_before_void", "status = 'VOID', paid_at = NULL, voided_at = created_at"),
        ],
    ),
    ("invoice_line_items", &[("position", "position = -1"), ("period", "period_start = '2099-01-01T00:00:00+00:00'")]),
    ("invoice_sub_lines", &[("position", "position = -1")]),
    ("invoice_taxes", &[("position", "position = -1"), ("level", "level = 0")]),
    ("invoice_discounts", &[("position", "position = -1")]),
    ("invoice_changes", &[("position", "position = -1")]),
    ("invoice_customer_snapshots", &[("currency", "currency = 'US'")]),
    (
        "payments",
        &[
            ("currency", "currency = 'US'"),
            ("amount_requested", "amount_requested = -1"),
            ("amount_paid", "amount_paid = -1"),
            ("amount_refunded", "amount_refunded = -1"),
            ("refunded_payment_id", "refunded_payment_id = id"),
            ("pm_card_last4", "pm_card_last4 = '42424'"),
        ],
    ),
    ("upstream_invoices", &[("fetch_failures", "fetch_failures = -1")]),
    ("webhook_events", &[("attempts", "attempts = -1")]),
    ("source_documents", &[("sha256", "sha256 = 'abc'")]),
    (
        "credentials",
        &[
            ("secret_sha256", "secret_sha256 = 'abc'"),
            ("last4", "last4 = 'abc'"),
            ("expires_at", "expires_at = created_at"),
        ],
    ),
    ("sessions", &[("sid_sha256", "sid_sha256 = 'abc'"), ("expires_at", "expires_at = created_at")]),
    ("revoked_tokens", &[("jti_sha256", "jti_sha256 = 'abc'")]),
    (
        "idempotency_keys",
        &[
            ("key_sha256", "key_sha256 = 'abc'"),
            ("request_sha256", "request_sha256 = 'abc'"),
            ("expires_at", "expires_at = created_at"),
        ],
    ),
    ("audit_heads", &[("entries", "entries = -1")]),
];

/// Changes that come as near to a rule as they may.
const ACCEPTED: &[(&str, &[&str])] = &[
    (
        "rentals",
        &[
            "gpu_count = 8, port = 1, price_per_hour = 0, stopped_at = started_at",
            "gpu_count = 1, port = 65535, seconds_billed = 9223372036854775807",
        ],
    ),
    ("payment_methods", &["card_last4 = '4242', exp_month = 1", "card_last4 = NULL, exp_month = 12"]),
    ("customers", &["currency = NULL"]),
    (
        "invoices",
        &[
            "total = 0, amount_due = 0, amount_paid = 0, discount_total = 0, version = 0",
            "subtotal = -1, tax_total = -1, balance_start = -1, balance_applied = -1, balance_end = -1",
            "period_end = period_start",
            "finalized_at = created_at, paid_at = created_at",
            "status = 'DRAFT', finalized_at = NULL, paid_at = NULL",
            "status = 'VOID', paid_at = NULL, voided_at = finalized_at",
            "status = 'UNCOLLECTIBLE', paid_at = NULL, uncollectible_at = finalized_at",
            "uncollectible_at = finalized_at",
            "source_system = 'STRIPE', finalized_at = NULL, paid_at = NULL",
            "source_system = 'HOSTUP', status = 'OPEN', voided_at = created_at",
        ],
    ),
    ("invoice_line_items", &["position = 0, subtotal = -1, discount_total = -1, amount = -1, setup_fee = -1"]),
    ("invoice_sub_lines", &["position = 0, amount = -1"]),
    ("invoice_taxes", &["position = 0, level = 1, tax_amount = -1, exemption = NULL"]),
    ("invoice_discounts", &["amount = -1"]),
    ("payments", &["kind = 'REFUND', refunded_payment_id = id, amount_paid = 0, pm_card_last4 = '4242'"]),
];

struct Vocabulary {
    table: &'static str,
    column: &'static str,
    words: Vec<String>,
}

/// Every column that holds words of a closed vocabulary.
fn vocabularies() -> Vec<Vocabulary> {
    use entity as e;
    let systems = ["customers", "products", "prices", "subscriptions", "payment_methods", "invoices"];
    let systems = systems.map(|table| (table, "source_system", e::SourceSystem::words()));
    let others = [
        ("customers", "status", e::CustomerStatus::words()),
        ("rentals", "status", e::RentalStatus::words()),
        ("payment_methods", "kind", e::PaymentMethodType::words()),
        ("invoices", "status", e::InvoiceStatus::words()),
        ("invoices", "billing_reason", e::BillingReason::words()),
        ("invoices", "invoice_type", e::InvoiceType::words()),
        ("invoices", "origin_kind", e::OriginKind::words()),
        ("invoices", "collection_method", e::CollectionMethod::words()),
        ("invoices", "tax_mode", e::TaxMode::words()),
        ("invoice_line_items", "kind", e::LineItemKind::words()),
        ("invoice_line_items", "origin_kind", e::OriginKind::words()),
        ("invoice_taxes", "exemption", e::TaxExemption::words()),
        ("invoice_discounts", "kind", e::DiscountKind::words()),
        ("invoice_customer_snapshots", "status", e::CustomerStatus::words()),
        ("payments", "kind", e::PaymentKind::words()),
        ("payments", "status", e::PaymentStatus::words()),
        ("payments", "reference_kind", e::PaymentReferenceKind::words()),
        ("payments", "pm_type", e::PaymentMethodType::words()),
        ("invoice_events", "from_status", e::InvoiceStatus::words()),
        ("invoice_events", "to_status", e::InvoiceStatus::words()),
        ("invoice_events", "source", e::EventSource::words()),
        ("source_documents", "system", e::SourceSystem::words()),
        ("webhook_events", "status", e::WebhookStatus::words()),
        ("webhook_events", "source", e::InboxSource::words()),
        ("credentials", "kind", e::CredentialKind::words()),
    ];
    systems.into_iter().chain(others).map(|(table, column, words)| Vocabulary { table, column, words }).collect()
}

/// Fails unless the change passes. Nothing of it stays.
async fn accepts(connection: &DatabaseConnection, table: &str, change: &str) {
    let tx = connection.begin().await.expect("a transaction");
    let outcome = tx.execute_unprepared(&format!("UPDATE {table} SET {change}")).await;
    let changed = outcome.unwrap_or_else(|error| panic!("{table}: {change}: {error}")).rows_affected();
    assert_eq!(changed, 1, "{table}: {change}");
    tx.rollback().await.expect("a rollback");
}

// ---- What the rows expect ---------------------------------------------------------------------------------------

struct Field {
    name: String,
    kind: ColumnType,
    nullable: bool,
}

/// The columns of every table, as the rows of the program have them.
fn row_shapes() -> BTreeMap<&'static str, Vec<Field>> {
    use entity as e;
    BTreeMap::from([
        shape::<e::audit_entry::Entity>(),
        shape::<e::audit_head::Entity>(),
        shape::<e::browser_session::Entity>(),
        shape::<e::credential::Entity>(),
        shape::<e::customer::Entity>(),
        shape::<e::customer_snapshot::Entity>(),
        shape::<e::discount::Entity>(),
        shape::<e::idempotency_key::Entity>(),
        shape::<e::invoice::Entity>(),
        shape::<e::invoice_change::Entity>(),
        shape::<e::invoice_event::Entity>(),
        shape::<e::job::Entity>(),
        shape::<e::line_item::Entity>(),
        shape::<e::payment::Entity>(),
        shape::<e::payment_method::Entity>(),
        shape::<e::price::Entity>(),
        shape::<e::product::Entity>(),
        shape::<e::rental::Entity>(),
        shape::<e::revoked_token::Entity>(),
        shape::<e::source_document::Entity>(),
        shape::<e::sub_line::Entity>(),
        shape::<e::subscription::Entity>(),
        shape::<e::tax::Entity>(),
        shape::<e::tenant::Entity>(),
        shape::<e::upstream_facts::Entity>(),
        shape::<e::upstream_invoice::Entity>(),
        shape::<e::webhook_event::Entity>(),
    ])
}

fn shape<E: EntityTrait>() -> (&'static str, Vec<Field>) {
    let fields = E::Column::iter().map(|column| {
        let definition = column.def();
        Field {
            name: column.as_str().to_owned(),
            kind: definition.get_column_type().clone(),
            nullable: definition.is_null(),
        }
    });
    (sea_orm::EntityName::table_name(&E::default()), fields.collect())
}

/// Whether the engine's type can hold what the field holds.
fn fits(engine: Engine, field: &ColumnType, stored: &str) -> bool {
    let spelled = |sqlite: &str, postgres: &str| match engine {
        Engine::Sqlite => sqlite == stored,
        Engine::Postgres | Engine::WalledPostgres => postgres == stored,
    };
    match field {
        ColumnType::String(StringLen::N(length)) => {
            spelled(&format!("varchar({length})"), &format!("character varying({length})"))
        }
        ColumnType::String(StringLen::None) => {
            stored == "text" || stored.starts_with("varchar") || stored.starts_with("character varying")
        }
        ColumnType::Text => stored == "text",
        ColumnType::Integer => stored == "integer",
        ColumnType::BigInteger => spelled("integer", "bigint"),
        ColumnType::Boolean => stored == "boolean",
        ColumnType::Date => spelled("date_text", "date"),
        ColumnType::TimestampWithTimeZone => spelled("timestamp_with_timezone_text", "timestamp with time zone"),
        ColumnType::JsonBinary => spelled("jsonb_text", "jsonb"),
        other => panic!("no rule for {other:?}"),
    }
}

// ---- Writing ------------------------------------------------------------------------------------------------

async fn insert<M>(connection: &DatabaseConnection, model: M)
where
    M: sea_orm::ModelTrait + IntoActiveModel<<M::Entity as EntityTrait>::ActiveModel>,
    <M::Entity as EntityTrait>::ActiveModel: Send,
{
    try_insert(connection, model).await.unwrap_or_else(|error| panic!("a good row is refused: {error}"));
}

async fn try_insert<M>(connection: &DatabaseConnection, model: M) -> Result<(), DbErr>
where
    M: sea_orm::ModelTrait + IntoActiveModel<<M::Entity as EntityTrait>::ActiveModel>,
    <M::Entity as EntityTrait>::ActiveModel: Send,
{
    M::Entity::insert(model.into_active_model()).exec_without_returning(connection).await.map(drop)
}
