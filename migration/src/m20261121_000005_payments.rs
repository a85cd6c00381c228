//! Payments of invoices, and refunds.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, boolean, json_binary, json_binary_null, text_null, timestamp_with_time_zone as instant,
    timestamp_with_time_zone_null as instant_null,
};

use crate::parts::{NewTable, Words, drop_tables};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let words = Words::of(manager);
        let table = NewTable::new("payments").columns(identity(words)).columns(means(words)).columns(history());
        indexes(rules(table)).create(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["payments"]).await
    }
}

fn identity(words: Words) -> Vec<ColumnDef> {
    vec![
        words.id("tenant_id"),
        words.id("id"),
        words.id("invoice_id"),
        words.id("customer_id"),
        words.code_null("external_id"),
        words.kind("kind"),
        words.id_null("refunded_payment_id"),
        words.kind("status"),
        text_null("source_status"),
        words.currency("currency"),
        big_integer("amount_requested"),
        big_integer("amount_paid"),
        big_integer("amount_refunded"),
        words.kind("reference_kind"),
        words.code_null("payment_intent_id"),
        words.code_null("provider_payment_id"),
        words.code_null("charge_id"),
        words.code("provider"),
    ]
}

fn means(words: Words) -> Vec<ColumnDef> {
    vec![
        boolean("is_default"),
        words.id_null("payment_method_id"),
        words.kind_null("pm_type"),
        text_null("pm_card_brand"),
        text_null("pm_card_last4"),
        text_null("pm_account_hint"),
    ]
}

fn history() -> Vec<ColumnDef> {
    vec![
        text_null("failure_code"),
        text_null("failure_message"),
        json_binary_null("next_action"),
        text_null("receipt_url"),
        instant_null("receipt_fetched_at"),
        json_binary("external_attributes"),
        instant_null("processed_at"),
        instant_null("paid_at"),
        instant_null("failed_at"),
        instant_null("canceled_at"),
        instant("created_at"),
        instant("updated_at"),
    ]
}

fn rules(table: NewTable) -> NewTable {
    let statuses = ["UNKNOWN", "READY", "PENDING", "REQUIRES_ACTION", "SUCCEEDED", "FAILED", "CANCELED", "REFUNDED"];
    table
        .key(&["tenant_id", "id"])
        .references("invoice_id", "invoices")
        .references("customer_id", "customers")
        .references("refunded_payment_id", "payments")
        .references("payment_method_id", "payment_methods")
        .one_of("kind", &["PAYMENT", "REFUND"])
        .one_of("status", &statuses)
        .one_of("reference_kind", &["OUT_OF_BAND", "PAYMENT_INTENT", "PAYMENT_RECORD", "CHARGE", "WALLET"])
        .one_of("pm_type", &["UNKNOWN", "CARD", "BANK_TRANSFER", "DIRECT_DEBIT", "WALLET", "OTHER"])
        .currency("currency")
        .not_negative(&["amount_requested", "amount_paid", "amount_refunded"])
        .check("refunded_payment_id", "kind = 'REFUND' OR refunded_payment_id IS NULL")
        // Whole card numbers must not be kept, by accident either.
        .check("pm_card_last4", "length(pm_card_last4) <= 4")
}

fn indexes(table: NewTable) -> NewTable {
    table
        .unique(&["provider", "provider_payment_id", "kind"])
        .index(&["invoice_id", "created_at", "id"])
        .index(&["customer_id", "created_at", "id"])
        .index_present(&["payment_intent_id"])
        .index_present(&["refunded_payment_id"])
        .index_present(&["payment_method_id"])
}
