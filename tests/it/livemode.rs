//! Keys and endpoints of real money are not used for test data, nor the reverse.

use entity::WebhookStatus;
use sea_orm::ConnectionTrait;
use serde_json::json;
use tempfile::TempDir;

use crate::support::database::{Engine, for_each_engine};
use crate::support::hooks::{Hooks, event, now, object, quick};
use crate::support::program::{program, run};
use crate::support::upstream::Upstream;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

#[tokio::test]
async fn a_key_of_the_other_mode_is_refused_at_the_start_with_one_line() {
    for_each_engine(async |engine| {
        let world = Upstream::new(Hooks::on(engine).await, &["a"], []).await;
        let folder = TempDir::with_prefix("billing-gateway-mode-").unwrap();
        let tenant = world.hooks.tenant.as_str();
        let commands: [&[&str]; 3] = [
            &["serve", "--listen", "127.0.0.1:0"],
            &["stripe", "backfill", "--since", "2020-01-01"],
            &["stripe", "verify"],
        ];
        let refused = |arguments: &[&str], key: &str| {
            let mut command = program(folder.path());
            command.args(arguments).env("DATABASE_URL", &world.hooks.database.url);
            command.env("BILLING_JWT_SECRET", SECRET).env("BILLING_LOG_LEVEL", "off");
            command.env("BILLING_STRIPE_KEY", key).env("BILLING_STRIPE_TENANT", tenant);
            let said = run(command);
            assert!(matches!(said.code, Some(1 | 2)) && said.err.lines().count() == 1, "{said:?}");
            assert!(!said.err.contains("canary"), "{said:?}");
            said.err
        };
        for arguments in commands {
            let line = refused(arguments, "rk_live_canary");
            let expected = format!("BILLING_STRIPE_KEY is a live key, but {tenant} has test bills: give its test key");
            assert!(line.contains(&expected), "{line}");
        }
        let yes = if engine == Engine::Sqlite { "1" } else { "TRUE" };
        world.sql(&format!("UPDATE tenants SET livemode = {yes}")).await;
        for arguments in commands {
            let line = refused(arguments, "rk_test_canary");
            let expected = format!("is a test key, but {tenant} has live bills: give its live key");
            assert!(line.contains(&expected), "{line}");
        }
        assert_eq!(world.fake.calls().len(), 0);
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_of_the_other_mode_is_refused_at_the_start() {
    let world = Upstream::new(Hooks::on(Engine::Sqlite).await, &[], []).await;
    let folder = TempDir::with_prefix("billing-gateway-mode-").unwrap();
    let mut serve = program(folder.path());
    serve.args(["serve", "--listen", "127.0.0.1:0"]).env("DATABASE_URL", &world.hooks.database.url);
    serve.env("BILLING_JWT_SECRET", SECRET).env("BILLING_WEBHOOK_TENANT", world.hooks.tenant.as_str());
    serve.env("BILLING_WEBHOOK_SECRETS", "whsec_canary").env("BILLING_WEBHOOK_LIVEMODE", "true");
    let line = run(serve).failure();
    assert!(line.contains("webhook_endpoints.default takes live events, but ten_hooks has test bills"), "{line}");
    assert!(line.contains("set its livemode to false") && !line.contains("canary"), "{line}");
}

#[tokio::test]
async fn events_of_the_other_mode_than_their_tenant_are_ignored() {
    for_each_engine(async |engine| {
        let mut hooks = Hooks::on(engine).await;
        let id = hooks.open("a", Some("in_a")).await;
        hooks.start(quick(), None);
        let live = if engine == Engine::Sqlite { "1" } else { "TRUE" };
        let connection = hooks.database.connect().await;
        let change = format!("UPDATE tenants SET livemode = {live}, stripe_account_id = 'acct_1'");
        connection.execute_unprepared(&change).await.unwrap();
        let paid = event("evt_own", "invoice.paid", now(), &object("in_a", "paid", 1_000));
        let mut connected = event("evt_connect", "invoice.paid", now(), &object("in_a", "paid", 1_000));
        connected["account"] = json!("acct_1");
        hooks.send(&paid).await;
        hooks.send_to("connect", &connected).await;
        hooks.settled().await;
        for name in ["evt_own", "evt_connect"] {
            let event = hooks.event(name).await;
            assert_eq!(event.status, WebhookStatus::Ignored, "{event:?}");
            assert_eq!(event.error.as_deref(), Some("it is of the other mode than its tenant"));
        }
        assert_eq!(hooks.invoice(&id).await.status, entity::InvoiceStatus::Open);
        hooks.stop().await;
    })
    .await;
}
