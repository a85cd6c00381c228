//! Revoked tokens, however many: none is pushed out by another's.

use billing_gateway::auth::{AuthConfig, AuthError, AuthFailure, Authenticator, Credential, JwtKeys, NewToken};
use billing_gateway::domain::browser_session::SessionPolicy;
use billing_gateway::domain::clock::Clock;
use billing_gateway::domain::secret;
use billing_gateway::domain::viewer::{PrincipalKind, ScopeSet};
use billing_gateway::store::tenant::System;
use chrono::TimeDelta;
use entity::TenantId;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, EntityTrait, IntoActiveModel};
use secrecy::SecretString;

use crate::support::app::SECRET;
use crate::support::database::for_each_engine;
use crate::support::full::tenant;
use crate::support::gateway::Gateway;

/// More than are read as a list, and more than were ever.
const MANY: u32 = 100_001;

fn keys() -> JwtKeys {
    JwtKeys::new(&SecretString::from(SECRET), "billing-gateway", "billing-gateway", Clock::system()).unwrap()
}

fn token(tenant: &TenantId) -> String {
    let new = NewToken {
        kind: PrincipalKind::Merchant,
        tenant: tenant.clone(),
        customers: None,
        scopes: ScopeSet::default(),
        subject: "test".to_owned(),
        issued_at: Clock::system().now(),
        lifetime: TimeDelta::hours(1),
    };
    keys().sign(&new).unwrap()
}

/// Revokes a token that ends before all those of [`revoke_many`].
async fn revoke(db: &DatabaseConnection, tenant: &TenantId, token: &str) {
    let jti = keys().verify(token).unwrap().credential().unwrap().to_owned();
    let row = entity::revoked_token::Model {
        tenant_id: tenant.clone(),
        jti_sha256: secret::sha256(&jti),
        revoked_by: "test".to_owned(),
        revoked_at: Clock::system().now(),
        expires_at: entity::Instant::new(Clock::system().now().utc() + TimeDelta::hours(2)),
    };
    let insert = entity::revoked_token::Entity::insert(row.into_active_model());
    insert.exec_without_returning(db).await.unwrap();
}

async fn revoke_many(db: &DatabaseConnection, tenant: &TenantId) {
    let (digest, at) = match db.get_database_backend() {
        DbBackend::Postgres => ("md5(n::text) || md5(n::text)", "now()"),
        _ => ("lower(hex(randomblob(32)))", "'2026-01-01T00:00:00.000+00:00'"),
    };
    let insert = format!(
        "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {MANY}) \
         INSERT INTO revoked_tokens (tenant_id, jti_sha256, revoked_by, revoked_at, expires_at) \
         SELECT '{tenant}', {digest}, 'flood', {at}, '2100-01-01T00:00:00.000+00:00' FROM numbers"
    );
    db.execute_unprepared(&insert).await.unwrap();
}

#[tokio::test]
async fn a_tenant_that_revokes_without_end_makes_no_revoked_token_of_another_good_again() {
    for_each_engine(async |engine| {
        let gateway = Gateway::new(engine).await;
        let (ours, theirs) = (tenant(&gateway.store, "acme").await, tenant(&gateway.store, "other").await);
        let db = gateway.database.connect().await;
        let desk = || {
            let (auth, _usage) = Authenticator::new(AuthConfig {
                tokens: Some(keys()),
                jwks: None,
                store: gateway.store.clone(),
                system: System::operator(),
                clock: Clock::system(),
                sessions: SessionPolicy::default(),
            });
            auth
        };
        let (revoked, good) = (token(&ours), token(&ours));
        revoke(&db, &ours, &revoked).await;
        for flooded in [false, true] {
            if flooded {
                revoke_many(&db, &theirs).await;
            }
            let (desk, lookups) = (desk(), || {
                let texts = gateway.statement_texts();
                texts.iter().filter(|text| text.contains("\"revoked_tokens\"") && text.starts_with("SELECT")).count()
            });
            lookups();
            let why = desk.viewer(Credential::Bearer(&revoked)).await;
            let refused = matches!(&why, Err(AuthFailure::Refused(why)) if matches!(**why, AuthError::TokenRevoked));
            assert!(refused, "flooded: {flooded}, {why:?}");
            for _ in 0..20 {
                assert!(desk.viewer(Credential::Bearer(&good)).await.is_ok(), "flooded: {flooded}");
            }
            // One list for all tokens; beyond it, one look-up more for each.
            assert!(lookups() <= if flooded { 3 } else { 1 });
        }
    })
    .await;
}
