//! What an invoice consists of: lines and their parts, taxes, discounts, changes in mid-cycle, and the customer as
//! printed.
//!
//! Amounts of lines, taxes and discounts have no sign rule: credits and adjustments turn each of them round.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, boolean, boolean_null, date_null, integer, json_binary, json_binary_null, text,
    text_null, timestamp_with_time_zone as instant, timestamp_with_time_zone_null as instant_null,
};

use crate::parts::{NewTable, Words, drop_tables};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let words = Words::of(manager);
        line_items(words).create(manager).await?;
        sub_lines(words).create(manager).await?;
        taxes(words).create(manager).await?;
        discounts(words).create(manager).await?;
        changes(words).create(manager).await?;
        customer_snapshots(words).create(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let parts = [
            "invoice_customer_snapshots",
            "invoice_changes",
            "invoice_discounts",
            "invoice_taxes",
            "invoice_sub_lines",
            "invoice_line_items",
        ];
        drop_tables(manager, &parts).await
    }
}

fn line_items(words: Words) -> NewTable {
    let kinds = ["OTHER", "USAGE", "OVERAGE", "TOP_UP", "RECURRING", "ONE_OFF", "ADJUSTMENT", "CREDIT", "FEE"];
    let origins = [
        "NONE",
        "RENTAL",
        "WALLET",
        "SUBSCRIPTION",
        "SUBSCRIPTION_ITEM",
        "INVOICE_ITEM",
        "QUOTE",
        "ORDER",
        "HOSTING_SERVICE",
    ];
    NewTable::new("invoice_line_items")
        .columns(line_item_origin(words))
        .columns(line_item_amounts())
        .key(&["tenant_id", "id"])
        .references("invoice_id", "invoices")
        .references("customer_id", "customers")
        .references("rental_id", "rentals")
        .references("subscription_id", "subscriptions")
        .references("product_id", "products")
        .references("price_id", "prices")
        .one_of("kind", &kinds)
        .one_of("origin_kind", &origins)
        .not_negative(&["position"])
        .check("period", "period_start <= period_end")
        .unique(&["invoice_id", "position"])
        .index(&["customer_id"])
        .index_present(&["rental_id"])
        .index_present(&["subscription_id"])
        .index_present(&["product_id"])
        .index_present(&["price_id"])
}

fn line_item_origin(words: Words) -> Vec<ColumnDef> {
    vec![
        words.id("tenant_id"),
        words.id("id"),
        words.id("invoice_id"),
        words.id("customer_id"),
        integer("position"),
        words.code_null("external_id"),
        words.kind("kind"),
        text_null("source_kind"),
        text_null("name"),
        text("description"),
        text_null("details"),
        words.id_null("rental_id"),
        words.id_null("subscription_id"),
        words.kind("origin_kind"),
        words.code_null("origin_external_id"),
        words.code_null("subscription_item_external_id"),
        words.id_null("product_id"),
        words.id_null("price_id"),
        words.code_null("group_external_id"),
    ]
}

fn line_item_amounts() -> Vec<ColumnDef> {
    vec![
        text("quantity"),
        text_null("unit_price"),
        big_integer("subtotal"),
        big_integer("discount_total"),
        big_integer_null("setup_fee"),
        text_null("tax_rate"),
        big_integer_null("tax_total"),
        boolean("taxable"),
        big_integer("amount"),
        boolean("amount_includes_tax"),
        boolean("is_proration"),
        text_null("raw_quantity"),
        text_null("unit"),
        instant_null("period_start"),
        instant_null("period_end"),
        boolean("period_is_date"),
        json_binary("metadata"),
        json_binary("external_attributes"),
    ]
}

fn sub_lines(words: Words) -> NewTable {
    NewTable::new("invoice_sub_lines")
        .columns([
            words.id("tenant_id"),
            words.id("id"),
            words.id("line_item_id"),
            words.id("invoice_id"),
            integer("position"),
            words.code_null("external_id"),
            text("name"),
            text("quantity"),
            text("unit_price"),
            big_integer("amount"),
            json_binary("attributes"),
        ])
        .key(&["tenant_id", "id"])
        .references("line_item_id", "invoice_line_items")
        .references("invoice_id", "invoices")
        .not_negative(&["position"])
        .unique(&["line_item_id", "position"])
        .index(&["invoice_id"])
}

fn taxes(words: Words) -> NewTable {
    NewTable::new("invoice_taxes")
        .columns([
            words.id("tenant_id"),
            words.id("id"),
            words.id("invoice_id"),
            integer("position"),
            integer("level"),
            text_null("source_key"),
            text("name"),
            text("rate"),
            big_integer("taxable_amount"),
            big_integer("tax_amount"),
            big_integer_null("gross_amount"),
            words.kind_null("exemption"),
        ])
        .key(&["tenant_id", "id"])
        .references("invoice_id", "invoices")
        .one_of("exemption", &["UNKNOWN", "REVERSE_CHARGE", "TAX_EXEMPT", "NOT_REGISTERED"])
        .not_negative(&["position"])
        .check("level", "level >= 1")
        .unique(&["invoice_id", "position"])
}

fn discounts(words: Words) -> NewTable {
    NewTable::new("invoice_discounts")
        .columns([
            words.id("tenant_id"),
            words.id("id"),
            words.id("invoice_id"),
            words.id_null("line_item_id"),
            integer("position"),
            words.kind("kind"),
            words.code_null("coupon_external_id"),
            text("name"),
            big_integer("amount"),
        ])
        .key(&["tenant_id", "id"])
        .references("invoice_id", "invoices")
        .references("line_item_id", "invoice_line_items")
        .one_of("kind", &["UNKNOWN", "COUPON", "MANUAL"])
        .not_negative(&["position"])
        .index(&["invoice_id", "position"])
        .index_present(&["line_item_id"])
}

fn changes(words: Words) -> NewTable {
    NewTable::new("invoice_changes")
        .columns([
            words.id("tenant_id"),
            words.id("id"),
            words.id("invoice_id"),
            integer("position"),
            instant("occurred_at"),
            text("description"),
            big_integer("subtotal"),
            big_integer("discount"),
            integer("start_quantity"),
            integer("end_quantity"),
            json_binary("start_item_ids"),
            json_binary("end_item_ids"),
        ])
        .key(&["tenant_id", "id"])
        .references("invoice_id", "invoices")
        .not_negative(&["position"])
        .unique(&["invoice_id", "position"])
}

fn customer_snapshots(words: Words) -> NewTable {
    NewTable::new("invoice_customer_snapshots")
        .columns(snapshot_person(words))
        .columns(snapshot_account(words))
        .key(&["tenant_id", "invoice_id"])
        .references("invoice_id", "invoices")
        .one_of("status", &["UNKNOWN", "ACTIVE", "INACTIVE", "CLOSED"])
        .currency("currency")
}

fn snapshot_person(words: Words) -> Vec<ColumnDef> {
    vec![
        words.id("tenant_id"),
        words.id("invoice_id"),
        words.code_null("customer_external_id"),
        words.code_null("parent_external_id"),
        text_null("alias"),
        text("name"),
        text_null("first_name"),
        text_null("last_name"),
        text_null("company_name"),
        boolean_null("is_company"),
        text_null("email"),
        text_null("phone"),
        text_null("tax_id"),
        text_null("organization_number"),
        text_null("line1"),
        text_null("line2"),
        json_binary_null("extra_lines"),
        text_null("city"),
        text_null("state"),
        text_null("postal_code"),
        text_null("country"),
        text_null("locale"),
    ]
}

fn snapshot_account(words: Words) -> Vec<ColumnDef> {
    vec![
        words.currency_null("currency"),
        words.kind_null("status"),
        text_null("source_status"),
        boolean_null("tax_exempt"),
        text_null("tax_rate"),
        boolean_null("tax_rate_override_enabled"),
        words.code_null("brand_external_id"),
        text_null("brand_name"),
        words.code_null("billing_contact_external_id"),
        text_null("notes"),
        date_null("source_created_on"),
        instant_null("snapshot_at"),
        json_binary("external_attributes"),
    ]
}
