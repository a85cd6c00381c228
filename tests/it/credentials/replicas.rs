//! Several servers on one database: what is revoked at one is refused at the other within five seconds.

use serde_json::{Value, json};

use crate::support::app::{SECRET, http_client};
use crate::support::credentials::refused_in_time;
use crate::support::database::{TestDatabase, for_each_engine};
use crate::support::program::{Running, program, run};

#[tokio::test]
async fn what_is_revoked_at_one_server_or_by_a_command_is_refused_at_the_other_in_time() {
    for_each_engine(async |engine| {
        let database = TestDatabase::new(engine).await;
        let folder = tempfile::TempDir::with_prefix("billing-gateway-replicas-").unwrap();
        let start = || {
            let mut command = program(folder.path());
            command.args(["serve", "--demo", "--demo-size", "0", "--listen", "127.0.0.1:0", "--json"]);
            command.args(["--database-url", &database.url]).env("BILLING_JWT_SECRET", SECRET);
            let mut running = Running::start(command);
            let ready: Value = serde_json::from_str(&running.line(|line| line.starts_with('{'))).unwrap();
            (running, ready)
        };
        let ((one, first), (other, second)) = (start(), start());
        let client = http_client();
        let ask = async |ready: &Value, headers: &[(&str, &str)], query: &str| {
            let mut request = client.post(ready["graphql"].as_str().unwrap()).json(&json!({ "query": query }));
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let answer = request.send().await.unwrap();
            (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
        };
        let viewer = "{ viewer { kind } }";
        let token = |ready: &Value, name: &str| format!("Bearer {}", ready["tokens"][name].as_str().unwrap());
        let (merchant, partner) = (token(&first, "merchant"), token(&first, "partner"));
        let key = first["tokens"]["service_key"].as_str().unwrap();
        for (server, headers) in [
            (&first, [("x-api-key", key)]),
            (&second, [("x-api-key", key)]),
            (&second, [("authorization", partner.as_str())]),
        ] {
            assert_eq!(ask(server, &headers, viewer).await.0, 200);
        }
        // A key, by a mutation at the first server.
        let keys = ask(&first, &[("authorization", &merchant)], "{ apiKeys { nodes { id prefix } } }").await.1;
        let nodes = keys["data"]["apiKeys"]["nodes"].as_array().unwrap();
        let ours = nodes.iter().find(|node| key.starts_with(node["prefix"].as_str().unwrap())).unwrap();
        let revoke =
            format!("mutation {{ revokeApiKey(input: {{ id: {} }}) {{ userErrors {{ code }} }} }}", ours["id"]);
        assert_eq!(ask(&first, &[("authorization", &merchant)], &revoke).await.0, 200);
        refused_in_time(async || ask(&second, &[("x-api-key", key)], viewer).await.0).await;
        refused_in_time(async || ask(&first, &[("x-api-key", key)], viewer).await.0).await;
        // A token, by a command.
        let claims = partner.trim_start_matches("Bearer ").split('.').nth(1).unwrap();
        let claims: Value = {
            use base64::Engine as _;
            let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(claims).unwrap();
            serde_json::from_slice(&bytes).unwrap()
        };
        let mut command = program(folder.path());
        command.args(["token", "revoke", "--database-url", &database.url]);
        command.args(["--tenant", claims["tid"].as_str().unwrap(), "--jti", claims["jti"].as_str().unwrap()]);
        run(command).ok();
        for server in [&first, &second] {
            refused_in_time(async || ask(server, &[("authorization", &partner)], viewer).await.0).await;
        }
        // Others of the same principal are good still.
        assert_eq!(ask(&second, &[("authorization", &token(&second, "partner"))], viewer).await.0, 200);
        one.stop();
        other.stop();
    })
    .await;
}
