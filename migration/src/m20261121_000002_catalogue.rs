//! What invoices are made from: products and prices, subscriptions, rentals, and the means of payment.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, boolean, integer, integer_null, json_binary, json_binary_null, text, text_null,
    timestamp_with_time_zone as instant, timestamp_with_time_zone_null as instant_null,
};

use crate::parts::{NewTable, Words, drop_tables};

const SOURCE_SYSTEMS: &[&str] = &["NATIVE", "STRIPE", "GPU_OUTLET", "PAYPERCUT", "METEROID", "USERHUB", "HOSTUP"];

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let words = Words::of(manager);
        products(words).create(manager).await?;
        prices(words).create(manager).await?;
        subscriptions(words).create(manager).await?;
        rentals(words).create(manager).await?;
        payment_methods(words).create(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["payment_methods", "rentals", "subscriptions", "prices", "products"]).await
    }
}

fn products(words: Words) -> NewTable {
    NewTable::new("products")
        .columns([
            words.id("tenant_id"),
            words.id("id"),
            words.kind("source_system"),
            words.code_null("external_id"),
            words.code_null("unique_id"),
            text("display_name"),
            instant("created_at"),
        ])
        .key(&["tenant_id", "id"])
        .of_tenant()
        .one_of("source_system", SOURCE_SYSTEMS)
        .unique(&["source_system", "external_id"])
}

fn prices(words: Words) -> NewTable {
    NewTable::new("prices")
        .columns([
            words.id("tenant_id"),
            words.id("id"),
            words.kind("source_system"),
            words.id_null("product_id"),
            words.code_null("external_id"),
            words.currency("currency"),
            text_null("unit_amount"),
            text_null("billing_mode"),
            json_binary_null("interval"),
            json_binary("details"),
            instant("created_at"),
        ])
        .key(&["tenant_id", "id"])
        .of_tenant()
        .references("product_id", "products")
        .one_of("source_system", SOURCE_SYSTEMS)
        .currency("currency")
        .unique(&["source_system", "external_id"])
        .index_present(&["product_id"])
}

fn subscriptions(words: Words) -> NewTable {
    NewTable::new("subscriptions")
        .columns([
            words.id("tenant_id"),
            words.id("id"),
            words.id("customer_id"),
            words.kind("source_system"),
            words.code_null("external_id"),
            text_null("status"),
            text_null("plan_name"),
            json_binary("metadata"),
            instant_null("current_period_start"),
            instant_null("current_period_end"),
            instant("created_at"),
            instant("updated_at"),
        ])
        .key(&["tenant_id", "id"])
        .references("customer_id", "customers")
        .one_of("source_system", SOURCE_SYSTEMS)
        .check("current_period", "current_period_start <= current_period_end")
        .unique(&["source_system", "external_id"])
        .index(&["customer_id"])
}

fn rentals(words: Words) -> NewTable {
    NewTable::new("rentals")
        .columns([
            words.id("tenant_id"),
            words.id("id"),
            words.id("customer_id"),
            text_null("name"),
            words.kind("status"),
            text("gpu_family"),
            integer("gpu_count"),
            text_null("template"),
            text_null("region"),
            text_null("provider"),
            text_null("host"),
            integer_null("port"),
            words.currency("currency"),
            big_integer("price_per_hour"),
            big_integer("seconds_billed"),
            big_integer("total_charged"),
            integer_null("auto_stop_after_hours"),
            text_null("error"),
            instant("started_at"),
            instant_null("stopped_at"),
            instant("created_at"),
            instant("updated_at"),
        ])
        .key(&["tenant_id", "id"])
        .references("customer_id", "customers")
        .one_of("status", &["PROVISIONING", "RUNNING", "STOPPING", "STOPPED", "FAILED"])
        .currency("currency")
        .check("gpu_count", "gpu_count IN (1, 2, 4, 8)")
        .check("port", "port BETWEEN 1 AND 65535")
        .not_negative(&["price_per_hour", "seconds_billed", "total_charged", "auto_stop_after_hours"])
        .check("stopped_at", "started_at <= stopped_at")
        .index(&["started_at", "id"])
        .index(&["customer_id", "started_at", "id"])
}

fn payment_methods(words: Words) -> NewTable {
    NewTable::new("payment_methods")
        .columns([
            words.id("tenant_id"),
            words.id("id"),
            words.id("customer_id"),
            words.kind("source_system"),
            words.code_null("external_id"),
            words.kind("kind"),
            text_null("card_brand"),
            text_null("card_last4"),
            integer_null("exp_month"),
            integer_null("exp_year"),
            text_null("account_hint"),
            boolean("is_default"),
            instant_null("detached_at"),
            instant("created_at"),
        ])
        .key(&["tenant_id", "id"])
        .references("customer_id", "customers")
        .one_of("source_system", SOURCE_SYSTEMS)
        .one_of("kind", &["UNKNOWN", "CARD", "BANK_TRANSFER", "DIRECT_DEBIT", "WALLET", "OTHER"])
        // Whole card numbers must not be kept, by accident either.
        .check("card_last4", "length(card_last4) <= 4")
        .check("exp_month", "exp_month BETWEEN 1 AND 12")
        .unique(&["source_system", "external_id"])
        .index(&["customer_id"])
}
