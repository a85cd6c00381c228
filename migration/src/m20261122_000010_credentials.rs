//! Credentials that the gateway hands out: API keys and sessions, and tokens that it takes no more.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    boolean, json_binary_null, text, timestamp_with_time_zone as instant, timestamp_with_time_zone_null as instant_null,
};

use crate::parts::{NewTable, Words, drop_tables};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let words = Words::of(manager);
        credentials(words).create(manager).await?;
        sessions(words).create(manager).await?;
        revoked_tokens(words).create(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["revoked_tokens", "sessions", "credentials"]).await
    }
}

/// A key is looked up by its handle before its tenant is known, so handles are unique over tenants.
fn credentials(words: Words) -> NewTable {
    NewTable::new("credentials")
        .columns([
            words.id("tenant_id"),
            words.id("id"),
            words.code("handle"),
            words.digest("secret_sha256"),
            words.code("last4"),
            words.kind("kind"),
            text("name"),
            boolean("livemode"),
            text("scopes"),
            json_binary_null("customer_ids"),
            text("created_by"),
            words.id_null("replaces"),
            instant("created_at"),
            instant("expires_at"),
            instant_null("last_used_at"),
            instant_null("revoked_at"),
        ])
        .key(&["tenant_id", "id"])
        .of_tenant()
        .one_of("kind", &["PARTNER", "MERCHANT", "SERVICE"])
        .check("secret_sha256", "length(secret_sha256) = 64")
        .check("last4", "length(last4) = 4")
        .check("expires_at", "expires_at > created_at")
        .unique_over_tenants(&["handle"])
        .index(&["created_at", "id"])
}

/// What a cookie holds is looked up by its digest, which is all that is kept of it.
fn sessions(words: Words) -> NewTable {
    NewTable::new("sessions")
        .columns([
            words.id("tenant_id"),
            words.id("id"),
            words.id("customer_id"),
            text("subject"),
            words.digest("sid_sha256"),
            text("scopes"),
            text("created_by"),
            instant("created_at"),
            instant("idle_until"),
            instant("expires_at"),
            instant_null("revoked_at"),
        ])
        .key(&["tenant_id", "id"])
        .references("customer_id", "customers")
        .check("sid_sha256", "length(sid_sha256) = 64")
        .check("expires_at", "expires_at > created_at")
        .unique_over_tenants(&["sid_sha256"])
        .index(&["customer_id"])
        .index_over_tenants(&["expires_at"])
}

fn revoked_tokens(words: Words) -> NewTable {
    NewTable::new("revoked_tokens")
        .columns([
            words.id("tenant_id"),
            words.digest("jti_sha256"),
            text("revoked_by"),
            instant("revoked_at"),
            instant("expires_at"),
        ])
        .key(&["tenant_id", "jti_sha256"])
        .of_tenant()
        .check("jti_sha256", "length(jti_sha256) = 64")
        .index_over_tenants(&["expires_at"])
}
