//! Webhooks of one tenant about what another one has.

use billing_gateway::store::Store;
use entity::{InvoiceId, InvoiceStatus, TenantId, WebhookStatus};
use sea_orm::{ConnectionTrait, DatabaseConnection};
use serde_json::{Value, json};

use crate::support::database::for_each_engine;
use crate::support::hooks::{Hooks, TOTAL, company, event, now, object, write};

/// Every row of an invoice that a webhook could write.
async fn rows(connection: &DatabaseConnection, tenant: &TenantId, invoice: &InvoiceId) -> Vec<String> {
    let mut rows = Vec::new();
    for (table, key) in [
        ("invoices", "id"),
        ("payments", "invoice_id"),
        ("invoice_events", "invoice_id"),
        ("upstream_invoices", "invoice_id"),
        ("upstream_facts", "invoice_id"),
    ] {
        let query = format!("SELECT * FROM {table} WHERE tenant_id = '{tenant}' AND {key} = '{invoice}' ORDER BY 1, 2");
        let found = connection.query_all_raw(sea_orm::Statement::from_string(connection.get_database_backend(), query));
        rows.extend(found.await.unwrap().iter().map(|row| format!("{table} {row:?}")));
    }
    rows
}

/// A neighbour with an invoice of its own; its customer has the same id at Stripe.
async fn neighbour(store: &Store) -> (TenantId, InvoiceId) {
    let tenant = TenantId::from("ten_neighbour");
    company(store, &tenant).await;
    let invoice = write(store, &tenant, "foreign", Some("in_foreign"), InvoiceStatus::Open).await;
    (tenant, invoice)
}

fn naming(mut object: Value, invoice: &InvoiceId) -> Value {
    object["metadata"] = json!({ "billing_invoice_id": invoice });
    object
}

#[tokio::test]
async fn a_webhook_about_an_invoice_of_another_tenant_changes_nothing_of_it() {
    for_each_engine(async |engine| {
        let hooks = Hooks::working(engine).await;
        let (tenant, foreign) = neighbour(&hooks.store).await;
        let own = hooks.open("own", Some("in_own")).await;
        let connection = hooks.database.connect().await;
        let before = rows(&connection, &tenant, &foreign).await;
        assert!(before.len() >= 3, "{before:#?}");
        let at = now() - 60;
        let payment = json!({ "id": "inpay_1", "object": "invoice_payment", "invoice": "in_foreign", "status": "paid",
            "amount_paid": TOTAL, "currency": "usd", "status_transitions": { "paid_at": at },
            "payment": { "type": "payment_intent", "payment_intent": "pi_1" } });
        let charge = json!({ "id": "ch_1", "object": "charge", "payment_intent": "pi_1", "customer": "cus_stripe",
            "amount": TOTAL, "amount_refunded": TOTAL, "refunded": true, "currency": "usd" });
        let events = [
            event("evt_1", "invoice.paid", at, &object("in_foreign", "paid", TOTAL)),
            event("evt_2", "invoice.voided", at, &naming(object("in_foreign", "void", 0), &foreign)),
            event("evt_3", "invoice.paid", at, &naming(object("in_new", "paid", TOTAL), &foreign)),
            event("evt_4", "invoice_payment.paid", at, &payment),
            event("evt_5", "charge.refunded", at, &charge),
            event("evt_6", "invoice.deleted", at, &object("in_foreign", "draft", 0)),
            event("evt_7", "invoice.sent", at, &object("in_own", "open", 0)),
        ];
        for event in &events {
            hooks.send(event).await;
        }
        let over = |event: &entity::webhook_event::Model| event.status != WebhookStatus::Received;
        hooks.until(|events| events.len() == 7 && events.iter().all(over)).await;
        assert_eq!(rows(&connection, &tenant, &foreign).await, before);
        assert_eq!(hooks.event("evt_7").await.invoice_id, Some(own.clone()));
        for event in hooks.events().await.iter().filter(|event| event.event_id != "evt_7") {
            assert_ne!(event.status, WebhookStatus::Processed, "{event:?}");
            assert_eq!(event.invoice_id, None, "{event:?}");
            assert_eq!(event.tenant_id, Some(hooks.tenant.clone()), "{event:?}");
        }
        assert_eq!(hooks.invoice(&own).await.status, InvoiceStatus::Open);
    })
    .await;
}
