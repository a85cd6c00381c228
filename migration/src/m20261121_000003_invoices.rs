//! Invoices.
//!
//! Sums may be negative where an adjustment makes them so: `subtotal`, `tax_total` and the balances. What is asked,
//! paid and given back may not. Only native invoices tie their state to their moments: documents of other systems
//! leave some of those out.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, boolean, boolean_null, date, date_null, integer_null, json_binary, json_binary_null,
    text_null, timestamp_with_time_zone as instant, timestamp_with_time_zone_null as instant_null,
};

use crate::parts::{NewTable, Words, drop_tables};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let words = Words::of(manager);
        let table = NewTable::new("invoices")
            .columns(identity(words))
            .columns(amounts())
            .columns(dates())
            .columns(notes(words))
            .columns(history());
        let table = indexes(native_moments(limits(vocabularies(references(table)))));
        table.create(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["invoices"]).await
    }
}

fn identity(words: Words) -> Vec<ColumnDef> {
    vec![
        words.id("tenant_id"),
        words.id("id"),
        words.id("customer_id"),
        words.kind("source_system"),
        words.code_null("external_id"),
        big_integer_null("legacy_number"),
        words.code_null("number"),
        words.code_null("paid_number"),
        words.code_null("proforma_number"),
        words.kind("status"),
        text_null("source_status"),
        text_null("source_payment_status"),
        words.kind("billing_reason"),
        words.kind("invoice_type"),
        words.kind("origin_kind"),
        json_binary("origin_metadata"),
        words.id_null("rental_id"),
        words.id_null("subscription_id"),
        words.kind("collection_method"),
        words.currency("currency"),
        boolean("livemode"),
        boolean("locked"),
        words.kind("tax_mode"),
        json_binary_null("tax_config"),
        boolean("tax_exempt"),
        text_null("exchange_rate"),
        words.code_null("provider_external_id"),
        text_null("provider_name"),
    ]
}

fn amounts() -> Vec<ColumnDef> {
    vec![
        big_integer("subtotal"),
        big_integer_null("subtotal_recurring"),
        big_integer("discount_total"),
        big_integer("tax_total"),
        big_integer("total"),
        big_integer("applied_credits"),
        big_integer_null("balance_start"),
        big_integer_null("balance_applied"),
        big_integer_null("balance_end"),
        big_integer("amount_due"),
        big_integer("amount_paid"),
        big_integer("amount_refunded"),
        boolean("paid_out_of_band"),
    ]
}

fn dates() -> Vec<ColumnDef> {
    vec![
        date("issue_date"),
        date_null("due_date"),
        instant_null("due_at"),
        date_null("pay_by_date"),
        integer_null("net_terms_days"),
        instant_null("period_start"),
        instant_null("period_end"),
        boolean("period_is_date"),
    ]
}

fn notes(words: Words) -> Vec<ColumnDef> {
    vec![
        text_null("description"),
        text_null("memo"),
        text_null("reference"),
        text_null("purchase_order"),
        words.code_null("order_external_id"),
        words.code_null("order_number"),
        boolean_null("is_first_order"),
        words.code_null("recurring_external_id"),
        words.code_null("contact_external_id"),
        words.code_null("brand_external_id"),
        json_binary("metadata"),
        json_binary("external_attributes"),
        json_binary("integrity_issues"),
    ]
}

fn history() -> Vec<ColumnDef> {
    vec![
        json_binary_null("last_finalization_error"),
        instant_null("finalized_at"),
        instant_null("paid_at"),
        instant_null("voided_at"),
        instant_null("uncollectible_at"),
        big_integer("version"),
        instant_null("deleted_at"),
        instant("created_at"),
        instant("updated_at"),
    ]
}

fn references(table: NewTable) -> NewTable {
    table
        .key(&["tenant_id", "id"])
        .references("customer_id", "customers")
        .references("rental_id", "rentals")
        .references("subscription_id", "subscriptions")
}

fn vocabularies(table: NewTable) -> NewTable {
    table
        .one_of("source_system", &["NATIVE", "STRIPE", "GPU_OUTLET", "PAYPERCUT", "METEROID", "USERHUB", "HOSTUP"])
        .one_of("status", &["DRAFT", "OPEN", "PAID", "VOID", "UNCOLLECTIBLE"])
        .one_of(
            "billing_reason",
            &[
                "UNKNOWN",
                "TOPUP_FAILED",
                "OVERAGE",
                "MANUAL",
                "SUBSCRIPTION_CREATE",
                "SUBSCRIPTION_CYCLE",
                "SUBSCRIPTION_UPDATE",
                "SUBSCRIPTION_THRESHOLD",
                "QUOTE_ACCEPT",
                "UPCOMING",
            ],
        )
        .one_of("invoice_type", &["UNKNOWN", "RECURRING", "ONE_OFF", "ADJUSTMENT", "USAGE_THRESHOLD", "TOP_UP"])
        .one_of(
            "origin_kind",
            &[
                "NONE",
                "RENTAL",
                "WALLET",
                "SUBSCRIPTION",
                "SUBSCRIPTION_ITEM",
                "INVOICE_ITEM",
                "QUOTE",
                "ORDER",
                "HOSTING_SERVICE",
            ],
        )
        .one_of("collection_method", &["UNKNOWN", "CHARGE_AUTOMATICALLY", "SEND_INVOICE"])
        .one_of("tax_mode", &["EXCLUSIVE", "INCLUSIVE"])
}

fn limits(table: NewTable) -> NewTable {
    table
        .currency("currency")
        .not_negative(&["discount_total", "total", "applied_credits", "amount_due", "amount_paid", "amount_refunded"])
        .not_negative(&["net_terms_days", "version"])
        .check("period", "period_start <= period_end")
}

/// State and moments agree. That an invoice is not both paid and void follows: it has one state.
fn native_moments(table: NewTable) -> NewTable {
    let native = |condition: &str| format!("source_system <> 'NATIVE' OR {condition}");
    table
        .check("native_finalized", native("status = 'DRAFT' OR finalized_at IS NOT NULL"))
        .check("native_paid", native("(status = 'PAID') = (paid_at IS NOT NULL)"))
        .check("native_void", native("(status = 'VOID') = (voided_at IS NOT NULL)"))
        .check("native_uncollectible", native("status <> 'UNCOLLECTIBLE' OR uncollectible_at IS NOT NULL"))
        .check("native_created_first", native("finalized_at IS NULL OR created_at <= finalized_at"))
        .check("native_finalized_before_paid", native("paid_at IS NULL OR finalized_at <= paid_at"))
        .check("native_finalized_before_void", native("voided_at IS NULL OR finalized_at <= voided_at"))
}

/// One index for each order in which invoices can be listed; the id makes each order total.
fn indexes(table: NewTable) -> NewTable {
    table
        .unique(&["source_system", "external_id"])
        .unique(&["legacy_number"])
        .unique_where(&["source_system", "number"], "status <> 'DRAFT'")
        .index(&["created_at", "id"])
        .index(&["customer_id", "created_at", "id"])
        .index(&["issue_date", "id"])
        .index(&["due_at", "id"])
        .index(&["paid_at", "id"])
        .index(&["amount_due", "id"])
        .index(&["number", "id"])
        .index(&["updated_at", "id"])
        .index(&["status", "due_at"])
        .index_present(&["rental_id", "created_at", "id"])
        .index_present(&["subscription_id", "created_at", "id"])
}
