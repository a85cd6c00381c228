//! Tenants, and whom they bill.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::timestamp_with_time_zone as instant;
use sea_orm_migration::schema::{boolean, boolean_null, date_null, json_binary, json_binary_null, text, text_null};

use crate::parts::{NewTable, Words, drop_tables};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let words = Words::of(manager);
        tenants(words).create(manager).await?;
        customers(words).create(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["customers", "tenants"]).await
    }
}

fn tenants(words: Words) -> NewTable {
    NewTable::new("tenants")
        .columns([
            words.id("id"),
            text("name"),
            words.currency("default_currency"),
            boolean("livemode"),
            words.code_null("stripe_account_id"),
            json_binary("settings"),
            instant("created_at"),
            instant("updated_at"),
        ])
        .key(&["id"])
        .currency("default_currency")
        .unique_over_tenants(&["stripe_account_id"])
}

fn customers(words: Words) -> NewTable {
    NewTable::new("customers")
        .columns([words.id("tenant_id"), words.id("id"), words.kind("source_system"), words.code_null("external_id")])
        .columns(person())
        .columns(address())
        .columns(account(words))
        .key(&["tenant_id", "id"])
        .of_tenant()
        .references("parent_id", "customers")
        .one_of("source_system", &["NATIVE", "STRIPE", "GPU_OUTLET", "PAYPERCUT", "METEROID", "USERHUB", "HOSTUP"])
        .one_of("status", &["UNKNOWN", "ACTIVE", "INACTIVE", "CLOSED"])
        .currency("currency")
        .check("parent_id", "parent_id <> id")
        .unique(&["source_system", "external_id"])
        .unique(&["stripe_customer_id"])
        .index(&["created_at", "id"])
        .index(&["email"])
        .index_present(&["parent_id"])
}

fn person() -> Vec<ColumnDef> {
    vec![
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
        boolean_null("tax_exempt"),
        text_null("tax_rate"),
        boolean_null("tax_rate_override_enabled"),
    ]
}

fn address() -> Vec<ColumnDef> {
    vec![
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

fn account(words: Words) -> Vec<ColumnDef> {
    vec![
        words.currency_null("currency"),
        words.kind("status"),
        text_null("source_status"),
        words.id_null("parent_id"),
        words.code_null("parent_external_id"),
        words.code_null("billing_contact_external_id"),
        words.code_null("brand_external_id"),
        text_null("brand_name"),
        text_null("notes"),
        words.code_null("stripe_customer_id"),
        boolean("livemode"),
        json_binary("metadata"),
        json_binary("external_attributes"),
        date_null("source_created_on"),
        instant("created_at"),
        instant("updated_at"),
    ]
}
