//! A customer with one of everything: an invoice on which every field has a value, and whatever an id can name.

use billing_gateway::domain::bill::{Bill, BillKeys, BillLine, BillPayment, imported};
use billing_gateway::domain::ids;
use billing_gateway::domain::secret;
use billing_gateway::domain::viewer::Tenant;
use billing_gateway::store::{Store, Tx, Whose, bill, browser_session, credential, source_document as documents};
use entity as e;
use sea_orm::sea_query::StringLen;
use sea_orm::{ColumnTrait, ColumnType, ConnectionTrait, EntityTrait, Iterable, Statement};
use serde_json::{Value, json};

use super::seed::{customer_row, minutes, tenant_row};

const SYSTEM: e::SourceSystem = e::SourceSystem::GpuOutlet;

/// The ids of one customer's things.
#[derive(Clone)]
pub(crate) struct Full {
    pub(crate) tenant: e::TenantId,
    pub(crate) customer: e::CustomerId,
    pub(crate) invoice: e::InvoiceId,
    pub(crate) line: e::LineItemId,
    pub(crate) sub_line: e::SubLineId,
    pub(crate) subscription: e::SubscriptionId,
    pub(crate) product: e::ProductId,
    pub(crate) price: e::PriceId,
    pub(crate) payment: e::PaymentId,
    pub(crate) method: e::PaymentMethodId,
    pub(crate) rental: e::RentalId,
    pub(crate) event: e::InvoiceEventId,
    pub(crate) document: e::SourceDocumentId,
    pub(crate) key: e::CredentialId,
    pub(crate) session: e::SessionId,
    /// The name that every foreign id of the customer's things is made from.
    pub(crate) name: String,
}

impl Full {
    /// The ids that a customer of that name has, or would have if it were there.
    pub(crate) fn named(tenant: &e::TenantId, name: &str) -> Self {
        let key = [tenant.as_str(), name];
        Self {
            tenant: tenant.clone(),
            customer: ids::derived(&key),
            invoice: ids::derived(&key),
            line: ids::derived(&key),
            sub_line: ids::derived(&key),
            subscription: imported(tenant, SYSTEM, name),
            product: imported(tenant, SYSTEM, name),
            price: imported(tenant, SYSTEM, name),
            payment: ids::derived(&key),
            method: imported(tenant, SYSTEM, name),
            rental: ids::derived(&key),
            event: ids::derived(&key),
            document: ids::derived(&key),
            key: ids::derived(&key),
            session: ids::derived(&key),
            name: name.to_owned(),
        }
    }

    /// The id of each type that `node` knows.
    pub(crate) fn nodes(&self) -> [(&'static str, String); 14] {
        [
            ("Invoice", self.invoice.0.clone()),
            ("LineItem", self.line.0.clone()),
            ("SubLine", self.sub_line.0.clone()),
            ("BillingSubscription", self.subscription.0.clone()),
            ("Product", self.product.0.clone()),
            ("Price", self.price.0.clone()),
            ("Payment", self.payment.0.clone()),
            ("PaymentMethod", self.method.0.clone()),
            ("Rental", self.rental.0.clone()),
            ("Customer", self.customer.0.clone()),
            ("InvoiceEvent", self.event.0.clone()),
            ("SourceDocument", self.document.0.clone()),
            ("ApiKey", self.key.0.clone()),
            ("Session", self.session.0.clone()),
        ]
    }
}

/// Writes a tenant without customers.
pub(crate) async fn tenant(store: &Store, name: &str) -> e::TenantId {
    let id: e::TenantId = ids::derived(&[name]);
    let tx = store.begin(Whose::Everyones).await.unwrap();
    bill::insert_tenants(&tx, vec![tenant_row(&id, name)]).await.unwrap();
    tx.commit().await.unwrap();
    id
}

/// Writes a customer of a tenant with one of everything; its invoice is in the state `status`.
pub(crate) async fn full(store: &Store, tenant: &e::TenantId, name: &str, status: e::InvoiceStatus) -> Full {
    let full = Full::named(tenant, name);
    let tx = store.begin(Whose::Everyones).await.unwrap();
    let parent: e::CustomerId = ids::derived(&[tenant.as_str(), name, "parent"]);
    let customers = vec![customer_row(tenant, &parent), customer(&full, parent)];
    bill::write_customers(&tx, customers, bill::Existing::Keep).await.unwrap();
    bill::insert_rentals(&tx, vec![rental(&full)]).await.unwrap();
    let keys = BillKeys { tenant, invoice: &full.invoice, customer: &full.customer };
    let bill = bill_of(&full, status).keyed(keys);
    let full = Full {
        line: bill.lines[0].row.id.clone(),
        sub_line: bill.lines[0].sub_lines[0].id.clone(),
        payment: bill.payments[0].row.id.clone(),
        ..full
    };
    Box::pin(bill::insert(&tx, bill)).await.unwrap();
    history(&tx, &full).await;
    tx.commit().await.unwrap();
    full
}

async fn history(tx: &Tx, full: &Full) {
    let event = e::invoice_event::Model {
        tenant_id: full.tenant.clone(),
        id: full.event.clone(),
        invoice_id: full.invoice.clone(),
        kind: "created".to_owned(),
        to_status: Some(e::InvoiceStatus::Open),
        from_status: Some(e::InvoiceStatus::Draft),
        actor_kind: "system".to_owned(),
        data: json!({}),
        occurred_at: minutes(1),
        recorded_at: minutes(1),
        ..Default::default()
    };
    bill::insert_events(tx, vec![event]).await.unwrap();
    let document = e::source_document::Model {
        tenant_id: full.tenant.clone(),
        id: full.document.clone(),
        system: SYSTEM,
        entity_type: documents::INVOICE.to_owned(),
        entity_id: full.invoice.0.clone(),
        external_id: Some(full.name.clone()),
        sha256: full.document.0.chars().cycle().take(64).collect(),
        document: "{}".to_owned(),
        redacted_paths: json!([]),
        issues: json!([]),
        imported_at: minutes(2),
    };
    documents::keep(tx, document).await.unwrap();
    let key = e::credential::Model {
        tenant_id: full.tenant.clone(),
        id: full.key.clone(),
        handle: full.key.0.clone(),
        secret_sha256: "0".repeat(64),
        last4: "abcd".to_owned(),
        name: full.name.clone(),
        scopes: "invoices:read".to_owned(),
        customer_ids: Some(json!([full.customer])),
        replaces: Some(full.key.clone()),
        created_at: minutes(1),
        expires_at: minutes(9),
        last_used_at: Some(minutes(2)),
        revoked_at: Some(minutes(3)),
        ..Default::default()
    };
    credential::insert(&Tenant::whole(full.tenant.clone()), tx, key).await.unwrap();
    browser_session::insert(&Tenant::whole(full.tenant.clone()), tx, session(full)).await.unwrap();
}

/// A session that was used and then ended.
fn session(full: &Full) -> e::browser_session::Model {
    e::browser_session::Model {
        tenant_id: full.tenant.clone(),
        id: full.session.clone(),
        customer_id: full.customer.clone(),
        subject: full.name.clone(),
        sid_sha256: secret::sha256(full.session.as_str()),
        scopes: "invoices:read".to_owned(),
        created_by: full.name.clone(),
        created_at: minutes(1),
        idle_until: minutes(4),
        expires_at: minutes(9),
        last_used_at: Some(minutes(2)),
        revoked_at: Some(minutes(3)),
    }
}

fn customer(full: &Full, parent: e::CustomerId) -> e::customer::Model {
    e::customer::Model {
        source_system: SYSTEM,
        external_id: Some(full.name.clone()),
        is_company: Some(true),
        tax_exempt: Some(false),
        tax_rate: Some(e::DecimalText("19".to_owned())),
        tax_rate_override_enabled: Some(true),
        extra_lines: Some(json!([])),
        country: Some("SE".to_owned()),
        currency: Some(e::CurrencyCode::default()),
        parent_id: Some(parent),
        source_created_on: Some(minutes(0).utc().date_naive()),
        external_attributes: json!({ "tier": "gold" }),
        created_at: minutes(3),
        ..customer_row(&full.tenant, &full.customer)
    }
}

fn rental(full: &Full) -> e::rental::Model {
    e::rental::Model {
        tenant_id: full.tenant.clone(),
        id: full.rental.clone(),
        customer_id: full.customer.clone(),
        gpu_family: "h100-80gb".to_owned(),
        gpu_count: 8,
        port: Some(22),
        started_at: minutes(0),
        stopped_at: Some(minutes(600)),
        created_at: minutes(0),
        updated_at: minutes(0),
        ..Default::default()
    }
}

fn bill_of(full: &Full, status: e::InvoiceStatus) -> Bill {
    let named = || Some(full.name.clone());
    Bill {
        invoice: invoice(full, status),
        lines: vec![line(full)],
        taxes: vec![e::tax::Model {
            level: 1,
            gross_amount: Some(e::Minor(1)),
            exemption: Some(e::TaxExemption::ReverseCharge),
            ..Default::default()
        }],
        discounts: vec![e::discount::Model::default()],
        changes: vec![e::invoice_change::Model {
            start_item_ids: json!([]),
            end_item_ids: json!([]),
            ..Default::default()
        }],
        snapshot: Some(snapshot()),
        payments: payments(full),
        subscription: Some(e::subscription::Model { external_id: named(), ..Default::default() }),
        products: vec![e::product::Model { external_id: named(), ..Default::default() }],
        prices: vec![e::price::Model {
            external_id: named(),
            product_id: Some(full.name.as_str().into()),
            unit_amount: Some(e::DecimalText("0.5".to_owned())),
            interval: Some(json!({})),
            ..Default::default()
        }],
        upstream: Some(e::upstream_invoice::Model {
            provider: "stripe".to_owned(),
            stripe_invoice_id: Some(format!("in_{}", full.invoice)),
            links_fetched_at: Some(minutes(5)),
            receipt_fetched_at: Some(minutes(5)),
            last_error_code: Some("TIMEOUT".to_owned()),
            last_error_at: Some(minutes(6)),
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn invoice(full: &Full, status: e::InvoiceStatus) -> e::invoice::Model {
    let day = minutes(0).utc().date_naive();
    e::invoice::Model {
        source_system: SYSTEM,
        external_id: Some(full.name.clone()),
        number: Some(format!("N-{}", full.name)),
        status,
        origin_metadata: json!({ "plan": "spot" }),
        rental_id: Some(full.rental.clone()),
        total: e::Minor(1_000),
        subtotal_recurring: Some(e::Minor(1)),
        balance_start: Some(e::Minor(0)),
        amount_due: e::Minor(1_000),
        amount_paid: e::Minor(400),
        tax_config: Some(json!({ "rounding": "PER_LINE" })),
        exchange_rate: Some(e::DecimalText("1.1".to_owned())),
        issue_date: day,
        due_date: Some(day),
        due_at: Some(minutes(10)),
        pay_by_date: Some(day),
        net_terms_days: Some(14),
        period_start: Some(minutes(0)),
        period_end: Some(minutes(9)),
        is_first_order: Some(true),
        last_finalization_error: Some(json!({ "code": "tax" })),
        finalized_at: Some(minutes(1)),
        paid_at: Some(minutes(2)),
        voided_at: Some(minutes(2)),
        uncollectible_at: Some(minutes(2)),
        external_attributes: json!({ "extra": 1 }),
        integrity_issues: json!([{ "code": "SUM", "path": "total", "stated": "1", "expected": "2" }]),
        created_at: minutes(0),
        updated_at: minutes(4),
        ..Default::default()
    }
}

fn line(full: &Full) -> BillLine {
    let named = || Some(full.name.clone());
    BillLine {
        row: e::line_item::Model {
            rental_id: Some(full.rental.clone()),
            unit_price: Some(e::DecimalText("1".to_owned())),
            setup_fee: Some(e::Minor(1)),
            tax_rate: Some(e::DecimalText("25".to_owned())),
            tax_total: Some(e::Minor(1)),
            raw_quantity: Some(e::DecimalText("2".to_owned())),
            period_start: Some(minutes(0)),
            period_end: Some(minutes(9)),
            external_attributes: json!({ "row": 7 }),
            ..Default::default()
        },
        sub_lines: vec![e::sub_line::Model { attributes: json!({ "band": "night" }), ..Default::default() }],
        discounts: vec![e::discount::Model::default()],
        subscription: named(),
        product: named(),
        price: named(),
    }
}

fn snapshot() -> e::customer_snapshot::Model {
    e::customer_snapshot::Model {
        is_company: Some(true),
        extra_lines: Some(json!([])),
        country: Some("SE".to_owned()),
        currency: Some(e::CurrencyCode::default()),
        status: Some(e::CustomerStatus::Active),
        tax_exempt: Some(false),
        tax_rate: Some(e::DecimalText("19".to_owned())),
        tax_rate_override_enabled: Some(true),
        source_created_on: Some(minutes(0).utc().date_naive()),
        snapshot_at: Some(minutes(1)),
        external_attributes: json!({ "tier": "gold" }),
        ..Default::default()
    }
}

/// An attempt that the customer must confirm, and a refund of it.
fn payments(full: &Full) -> Vec<BillPayment> {
    let attempt = e::payment::Model {
        status: e::PaymentStatus::RequiresAction,
        amount_requested: e::Minor(1_000),
        amount_paid: e::Minor(400),
        provider: "stripe".to_owned(),
        pm_type: Some(e::PaymentMethodType::Card),
        next_action: Some(json!({ "type": "redirect", "redirect_url": "https://pay.stripe.com/confirm" })),
        receipt_fetched_at: Some(minutes(1)),
        processed_at: Some(minutes(1)),
        paid_at: Some(minutes(1)),
        failed_at: Some(minutes(1)),
        canceled_at: Some(minutes(1)),
        created_at: minutes(1),
        ..Default::default()
    };
    let refund = e::payment::Model {
        kind: e::PaymentKind::Refund,
        status: e::PaymentStatus::Succeeded,
        provider: "stripe".to_owned(),
        created_at: minutes(2),
        ..Default::default()
    };
    let method = e::payment_method::Model {
        external_id: Some(full.name.clone()),
        exp_month: Some(12),
        exp_year: Some(2030),
        ..Default::default()
    };
    vec![
        BillPayment { row: attempt, method: Some(method), refund_of: None },
        BillPayment { row: refund, method: None, refund_of: Some(0) },
    ]
}

/// The same for what belongs to one customer with one invoice. What a tenant sells belongs to all of its customers.
pub(crate) async fn plant_in_customer(db: &impl ConnectionTrait, of: &Full, word: &str) {
    macro_rules! plant {
        ($($table:ident by $key:literal where $owner:literal = $id:expr),* $(,)?) => {$(
            let condition = format!("{} = '{}' AND tenant_id = '{}'", $owner, $id, of.tenant);
            plant_where::<e::$table::Entity>(db, &condition, word, $key).await;
        )*};
    }
    plant!(
        customer by "id" where "id" = of.customer,
        rental by "id" where "customer_id" = of.customer,
        subscription by "id" where "customer_id" = of.customer,
        payment_method by "id" where "customer_id" = of.customer,
        invoice by "id" where "customer_id" = of.customer,
        line_item by "id" where "invoice_id" = of.invoice,
        sub_line by "id" where "invoice_id" = of.invoice,
        tax by "id" where "invoice_id" = of.invoice,
        discount by "id" where "invoice_id" = of.invoice,
        invoice_change by "id" where "invoice_id" = of.invoice,
        customer_snapshot by "invoice_id" where "invoice_id" = of.invoice,
        payment by "id" where "invoice_id" = of.invoice,
        upstream_invoice by "invoice_id" where "invoice_id" = of.invoice,
        invoice_event by "id" where "invoice_id" = of.invoice,
        source_document by "id" where "entity_id" = of.invoice,
    );
    let own = format!("customer_id = '{}' AND tenant_id = '{}'", of.customer, of.tenant);
    plant_in_sessions(db, &own, word).await;
}

/// Writes `word` (of at most four letters) into every column of a tenant that holds a free text, and into every
/// column that holds JSON of ours to show. Links lead to Stripe's pages and contain it.
pub(crate) async fn plant(db: &impl ConnectionTrait, tenant: &e::TenantId, word: &str) {
    macro_rules! plant {
        ($($table:ident by $key:literal),* $(,)?) => {$(
            plant_in::<e::$table::Entity>(db, tenant, word, $key).await;
        )*};
    }
    plant!(
        customer by "id",
        rental by "id",
        subscription by "id",
        product by "id",
        price by "id",
        payment_method by "id",
        invoice by "id",
        line_item by "id",
        sub_line by "id",
        tax by "id",
        discount by "id",
        invoice_change by "id",
        customer_snapshot by "invoice_id",
        payment by "id",
        upstream_invoice by "invoice_id",
        invoice_event by "id",
        source_document by "id",
        credential by "id",
    );
    plant_in_sessions(db, &format!("tenant_id = '{tenant}'"), word).await;
    let json = json!({ "text": word }).to_string();
    let named = format!("UPDATE source_documents SET document = '{json}' WHERE tenant_id = '{tenant}'");
    db.execute_unprepared(&named).await.unwrap();
    let named = format!("UPDATE tenants SET name = '{word}' WHERE id = '{tenant}'");
    db.execute_unprepared(&named).await.unwrap();
}

/// What is told of a session stands in columns of long texts.
async fn plant_in_sessions(db: &impl ConnectionTrait, condition: &str, word: &str) {
    let set = format!("subject = '{word} ' || id, created_by = '{word} ' || id");
    db.execute_unprepared(&format!("UPDATE sessions SET {set} WHERE {condition}")).await.unwrap();
}

async fn plant_in<E: EntityTrait>(db: &impl ConnectionTrait, tenant: &e::TenantId, word: &str, key: &str) {
    plant_where::<E>(db, &format!("tenant_id = '{tenant}'"), word, key).await;
}

async fn plant_where<E: EntityTrait>(db: &impl ConnectionTrait, condition: &str, word: &str, key: &str) {
    let table = E::default().table_name().to_owned();
    let set: Vec<String> = E::Column::iter().filter_map(|column| planted(&column, word, key)).collect();
    let update = format!("UPDATE {table} SET {} WHERE {condition}", set.join(", "));
    db.execute_raw(Statement::from_string(db.get_database_backend(), update))
        .await
        .unwrap_or_else(|error| panic!("{table}: {error}"));
}

/// What to set a column to; none where it holds no free text.
fn planted(column: &impl ColumnTrait, word: &str, key: &str) -> Option<String> {
    let name = column.as_str();
    let json = |value: Value| format!("\"{name}\" = '{value}'");
    match column.def().get_column_type() {
        // Whom a key is for decides who sees it.
        ColumnType::JsonBinary if name == "customer_ids" => None,
        // Where anything but one certain text would be refused, or filtered out by what reads it.
        ColumnType::String(_) if ["country", "sha256", "secret_sha256", "entity_type", "entity_id"].contains(&name) => {
            None
        }
        ColumnType::String(StringLen::None) if name.ends_with("_url") => {
            Some(format!("\"{name}\" = 'https://invoice.stripe.com/{word}/' || {key}"))
        }
        ColumnType::String(StringLen::None) if name.ends_with("last4") => Some(format!("\"{name}\" = '{word}'")),
        ColumnType::String(StringLen::None) => Some(format!("\"{name}\" = '{word} ' || {key}")),
        ColumnType::JsonBinary if name == "next_action" => {
            Some(json(json!({ "type": word, "redirect_url": format!("https://pay.stripe.com/{word}") })))
        }
        ColumnType::JsonBinary if ["issues", "integrity_issues"].contains(&name) => {
            Some(json(json!([{ "code": word, "path": word, "stated": word, "expected": word }])))
        }
        ColumnType::JsonBinary if name == "last_finalization_error" => {
            Some(json(json!({ "code": word, "message": word })))
        }
        ColumnType::JsonBinary if name.ends_with("_ids") || name.ends_with("_paths") || name == "extra_lines" => {
            Some(json(json!([word])))
        }
        ColumnType::JsonBinary if name == "tax_config" => None,
        ColumnType::JsonBinary => Some(json(json!({ "text": word }))),
        _ => None,
    }
}
