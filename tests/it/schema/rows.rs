//! One good row for every table: a paid invoice with all that can belong to one.

use entity as e;
use sea_orm::{DatabaseConnection, EntityTrait, ModelTrait};
use serde_json::json;

use super::insert;

/// Midnight on a day of January 2026.
fn day(day: u32) -> e::Instant {
    let day = e::Day::from_ymd_opt(2026, 1, day).expect("a day").and_hms_milli_opt(0, 0, 0, 7).expect("a time");
    e::Instant::new(day.and_utc())
}

pub(super) fn tenant(tenant: &str) -> e::tenant::Model {
    e::tenant::Model {
        id: tenant.into(),
        name: "Tenant".to_owned(),
        settings: json!({ "currency_ids": { "1": "USD" } }),
        created_at: day(1),
        updated_at: day(1),
        ..Default::default()
    }
}

pub(super) fn customer(tenant: &str) -> e::customer::Model {
    e::customer::Model {
        tenant_id: tenant.into(),
        id: "cus_1".into(),
        name: "Customer".to_owned(),
        is_company: Some(true),
        tax_rate: Some(e::DecimalText("19.5".to_owned())),
        extra_lines: Some(json!(["Third line"])),
        metadata: json!({}),
        external_attributes: json!({}),
        source_created_on: e::Day::from_ymd_opt(2025, 12, 31),
        created_at: day(1),
        updated_at: day(1),
        ..Default::default()
    }
}

fn product(tenant: &str) -> e::product::Model {
    e::product::Model { tenant_id: tenant.into(), id: "prod_1".into(), created_at: day(1), ..Default::default() }
}

fn price(tenant: &str) -> e::price::Model {
    e::price::Model {
        tenant_id: tenant.into(),
        id: "price_1".into(),
        product_id: Some("prod_1".into()),
        unit_amount: Some(e::DecimalText("0.000777".to_owned())),
        details: json!({}),
        created_at: day(1),
        ..Default::default()
    }
}

fn subscription(tenant: &str) -> e::subscription::Model {
    e::subscription::Model {
        tenant_id: tenant.into(),
        id: "sub_1".into(),
        customer_id: "cus_1".into(),
        metadata: json!({}),
        current_period_start: Some(day(1)),
        current_period_end: Some(day(31)),
        created_at: day(1),
        updated_at: day(1),
        ..Default::default()
    }
}

fn rental(tenant: &str) -> e::rental::Model {
    e::rental::Model {
        tenant_id: tenant.into(),
        id: "rent_1".into(),
        customer_id: "cus_1".into(),
        gpu_family: "H100".to_owned(),
        gpu_count: 8,
        port: Some(22),
        price_per_hour: e::Minor(280),
        seconds_billed: 3_600,
        total_charged: e::Minor(2_240),
        auto_stop_after_hours: Some(24),
        started_at: day(2),
        stopped_at: Some(day(3)),
        created_at: day(2),
        updated_at: day(3),
        ..Default::default()
    }
}

fn payment_method(tenant: &str) -> e::payment_method::Model {
    e::payment_method::Model {
        tenant_id: tenant.into(),
        id: "pm_1".into(),
        customer_id: "cus_1".into(),
        kind: e::PaymentMethodType::Card,
        card_last4: Some("4242".to_owned()),
        exp_month: Some(12),
        exp_year: Some(2030),
        created_at: day(1),
        ..Default::default()
    }
}

pub(super) fn invoice(tenant: &str) -> e::invoice::Model {
    e::invoice::Model {
        tenant_id: tenant.into(),
        id: "inv_1".into(),
        customer_id: "cus_1".into(),
        legacy_number: Some(7),
        number: Some("INV-7".to_owned()),
        status: e::InvoiceStatus::Paid,
        origin_kind: e::OriginKind::Rental,
        origin_metadata: json!({}),
        rental_id: Some("rent_1".into()),
        subscription_id: Some("sub_1".into()),
        subtotal: e::Minor(2_240),
        total: e::Minor(2_240),
        amount_due: e::Minor(2_240),
        amount_paid: e::Minor(2_240),
        issue_date: e::Day::from_ymd_opt(2026, 1, 5).expect("a day"),
        net_terms_days: Some(14),
        period_start: Some(day(2)),
        period_end: Some(day(3)),
        finalized_at: Some(day(5)),
        paid_at: Some(day(6)),
        metadata: json!({ "purpose": "test" }),
        external_attributes: json!({}),
        integrity_issues: json!([]),
        version: 1,
        created_at: day(4),
        updated_at: day(6),
        ..Default::default()
    }
}

pub(super) fn line_item(tenant: &str) -> e::line_item::Model {
    e::line_item::Model {
        tenant_id: tenant.into(),
        id: "li_1".into(),
        invoice_id: "inv_1".into(),
        customer_id: "cus_1".into(),
        rental_id: Some("rent_1".into()),
        subscription_id: Some("sub_1".into()),
        product_id: Some("prod_1".into()),
        price_id: Some("price_1".into()),
        quantity: e::DecimalText("8".to_owned()),
        unit_price: Some(e::DecimalText("2.80".to_owned())),
        subtotal: e::Minor(2_240),
        amount: e::Minor(i64::MAX),
        period_start: Some(day(2)),
        period_end: Some(day(3)),
        metadata: json!({}),
        external_attributes: json!({}),
        ..Default::default()
    }
}

fn sub_line(tenant: &str) -> e::sub_line::Model {
    e::sub_line::Model {
        tenant_id: tenant.into(),
        id: "sli_1".into(),
        line_item_id: "li_1".into(),
        invoice_id: "inv_1".into(),
        attributes: json!({}),
        ..Default::default()
    }
}

fn tax(tenant: &str) -> e::tax::Model {
    e::tax::Model {
        tenant_id: tenant.into(),
        id: "tax_1".into(),
        invoice_id: "inv_1".into(),
        level: 1,
        ..Default::default()
    }
}

fn discount(tenant: &str) -> e::discount::Model {
    e::discount::Model {
        tenant_id: tenant.into(),
        id: "dis_1".into(),
        invoice_id: "inv_1".into(),
        line_item_id: Some("li_1".into()),
        ..Default::default()
    }
}

fn invoice_change(tenant: &str) -> e::invoice_change::Model {
    e::invoice_change::Model {
        tenant_id: tenant.into(),
        id: "chg_1".into(),
        invoice_id: "inv_1".into(),
        occurred_at: day(3),
        start_item_ids: json!([]),
        end_item_ids: json!(["li_1"]),
        ..Default::default()
    }
}

fn customer_snapshot(tenant: &str) -> e::customer_snapshot::Model {
    e::customer_snapshot::Model {
        tenant_id: tenant.into(),
        invoice_id: "inv_1".into(),
        external_attributes: json!({}),
        snapshot_at: Some(day(5)),
        ..Default::default()
    }
}

pub(super) fn payment(tenant: &str) -> e::payment::Model {
    e::payment::Model {
        tenant_id: tenant.into(),
        id: "pay_1".into(),
        invoice_id: "inv_1".into(),
        customer_id: "cus_1".into(),
        status: e::PaymentStatus::Succeeded,
        amount_requested: e::Minor(2_240),
        amount_paid: e::Minor(2_240),
        provider: "stripe".to_owned(),
        payment_method_id: Some("pm_1".into()),
        pm_type: Some(e::PaymentMethodType::Card),
        pm_card_last4: Some("4242".to_owned()),
        external_attributes: json!({}),
        paid_at: Some(day(6)),
        created_at: day(6),
        updated_at: day(6),
        ..Default::default()
    }
}

pub(super) fn upstream_invoice(tenant: &str) -> e::upstream_invoice::Model {
    e::upstream_invoice::Model {
        tenant_id: tenant.into(),
        invoice_id: "inv_1".into(),
        provider: "stripe".to_owned(),
        upstream_amount_due: Some(e::Minor(2_240)),
        links_fetched_at: Some(day(6)),
        updated_at: day(6),
        ..Default::default()
    }
}

fn invoice_event(tenant: &str) -> e::invoice_event::Model {
    e::invoice_event::Model {
        tenant_id: tenant.into(),
        id: "iev_1".into(),
        invoice_id: "inv_1".into(),
        kind: "paid".to_owned(),
        from_status: Some(e::InvoiceStatus::Open),
        to_status: Some(e::InvoiceStatus::Paid),
        actor_kind: "system".to_owned(),
        data: json!({}),
        occurred_at: day(6),
        recorded_at: day(6),
        ..Default::default()
    }
}

pub(super) fn source_document(tenant: &str) -> e::source_document::Model {
    e::source_document::Model {
        tenant_id: tenant.into(),
        id: "src_1".into(),
        entity_type: "invoice".to_owned(),
        entity_id: "inv_1".to_owned(),
        sha256: "0".repeat(64),
        document: "{ \"amount\": 1.10 }".to_owned(),
        redacted_paths: json!([]),
        issues: json!([]),
        imported_at: day(7),
        ..Default::default()
    }
}

fn upstream_facts(tenant: &str) -> e::upstream_facts::Model {
    e::upstream_facts::Model { tenant_id: tenant.into(), invoice_id: "inv_1".into(), facts: json!({ "stated": {} }) }
}

fn job(tenant: &str) -> e::job::Model {
    e::job::Model {
        tenant_id: tenant.into(),
        name: "stripe.backfill".to_owned(),
        leased_by: Some("01JOB".to_owned()),
        leased_until: Some(day(6)),
        state: Some(json!({ "after": "in_1" })),
    }
}

/// Its key is the endpoint's: two tenants have one each.
fn webhook_event(tenant: &str) -> e::webhook_event::Model {
    e::webhook_event::Model {
        endpoint: tenant.to_owned(),
        event_id: "evt_1".to_owned(),
        tenant_id: Some(tenant.into()),
        provider: "stripe".to_owned(),
        kind: "invoice.paid".to_owned(),
        event_created: day(6),
        payload: "{ \"id\": \"evt_1\" }".to_owned(),
        next_attempt_at: Some(day(6)),
        received_at: day(6),
        ..Default::default()
    }
}

/// Handles are unique over tenants: two tenants have one each.
fn credential(tenant: &str) -> e::credential::Model {
    e::credential::Model {
        tenant_id: tenant.into(),
        id: "key_1".into(),
        handle: tenant.to_owned(),
        secret_sha256: "0".repeat(64),
        last4: "abcd".to_owned(),
        name: "Key".to_owned(),
        customer_ids: Some(json!(["cus_1"])),
        created_at: day(1),
        expires_at: day(2),
        revoked_at: Some(day(2)),
        ..Default::default()
    }
}

fn browser_session(tenant: &str) -> e::browser_session::Model {
    e::browser_session::Model {
        tenant_id: tenant.into(),
        id: "ses_1".into(),
        customer_id: "cus_1".into(),
        sid_sha256: "0".repeat(64),
        created_at: day(1),
        idle_until: day(2),
        expires_at: day(3),
        last_used_at: Some(day(1)),
        ..Default::default()
    }
}

fn revoked_token(tenant: &str) -> e::revoked_token::Model {
    e::revoked_token::Model {
        tenant_id: tenant.into(),
        jti_sha256: "0".repeat(64),
        revoked_at: day(1),
        expires_at: day(2),
        ..Default::default()
    }
}

fn idempotency_key(tenant: &str) -> e::idempotency_key::Model {
    e::idempotency_key::Model {
        tenant_id: tenant.into(),
        key_sha256: "0".repeat(64),
        request_sha256: "1".repeat(64),
        object_id: Some("key_1".to_owned()),
        created_at: day(1),
        expires_at: day(2),
    }
}

fn audit_head(tenant: &str) -> e::audit_head::Model {
    e::audit_head::Model { tenant_id: tenant.into(), entries: 1, hash: "0".repeat(64) }
}

fn audit_entry(tenant: &str) -> e::audit_entry::Model {
    e::audit_entry::Model {
        tenant_id: tenant.into(),
        sequence: 1,
        at: day(1),
        state_after: Some("{ \"b\": 1, \"a\": 2 }".to_owned()),
        application_id: Some("key_1".to_owned()),
        previous_hash: "0".repeat(64),
        hash: "0".repeat(64),
        ..Default::default()
    }
}

/// Writes one row into every table.
pub(super) async fn insert_all(connection: &DatabaseConnection, id: &str) {
    insert(connection, tenant(id)).await;
    insert(connection, customer(id)).await;
    insert(connection, product(id)).await;
    insert(connection, price(id)).await;
    insert(connection, subscription(id)).await;
    insert(connection, rental(id)).await;
    insert(connection, payment_method(id)).await;
    insert(connection, invoice(id)).await;
    insert(connection, line_item(id)).await;
    insert(connection, sub_line(id)).await;
    insert(connection, tax(id)).await;
    insert(connection, discount(id)).await;
    insert(connection, invoice_change(id)).await;
    insert(connection, customer_snapshot(id)).await;
    insert(connection, payment(id)).await;
    insert(connection, upstream_invoice(id)).await;
    insert(connection, invoice_event(id)).await;
    insert(connection, source_document(id)).await;
    insert(connection, upstream_facts(id)).await;
    insert(connection, webhook_event(id)).await;
    insert(connection, job(id)).await;
    insert(connection, credential(id)).await;
    insert(connection, browser_session(id)).await;
    insert(connection, revoked_token(id)).await;
    insert(connection, idempotency_key(id)).await;
    insert(connection, audit_head(id)).await;
    insert(connection, audit_entry(id)).await;
}

/// Fails unless every table holds exactly what [`insert_all`] wrote.
pub(super) async fn assert_all(connection: &DatabaseConnection, id: &str) {
    assert_stored(connection, tenant(id)).await;
    assert_stored(connection, customer(id)).await;
    assert_stored(connection, product(id)).await;
    assert_stored(connection, price(id)).await;
    assert_stored(connection, subscription(id)).await;
    assert_stored(connection, rental(id)).await;
    assert_stored(connection, payment_method(id)).await;
    assert_stored(connection, invoice(id)).await;
    assert_stored(connection, line_item(id)).await;
    assert_stored(connection, sub_line(id)).await;
    assert_stored(connection, tax(id)).await;
    assert_stored(connection, discount(id)).await;
    assert_stored(connection, invoice_change(id)).await;
    assert_stored(connection, customer_snapshot(id)).await;
    assert_stored(connection, payment(id)).await;
    assert_stored(connection, upstream_invoice(id)).await;
    assert_stored(connection, invoice_event(id)).await;
    assert_stored(connection, source_document(id)).await;
    assert_stored(connection, upstream_facts(id)).await;
    assert_stored(connection, webhook_event(id)).await;
    assert_stored(connection, job(id)).await;
    assert_stored(connection, credential(id)).await;
    assert_stored(connection, browser_session(id)).await;
    assert_stored(connection, revoked_token(id)).await;
    assert_stored(connection, idempotency_key(id)).await;
    assert_stored(connection, audit_head(id)).await;
    assert_stored(connection, audit_entry(id)).await;
}

async fn assert_stored<M>(connection: &DatabaseConnection, expected: M)
where
    M: ModelTrait + PartialEq,
    M::Entity: EntityTrait<Model = M>,
{
    let stored = M::Entity::find().all(connection).await.expect("the row can be read");
    assert_eq!(stored, [expected]);
}
