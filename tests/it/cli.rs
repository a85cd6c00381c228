//! The command line as it is used: examples, output for programs, exit codes, and a demo that starts and stops.

use std::path::Path;
use std::time::Duration;

use billing_gateway::auth::JwtKeys;
use billing_gateway::cli;
use billing_gateway::demo::Plan;
use billing_gateway::domain::clock::Clock;
use billing_gateway::domain::viewer::{PrincipalKind, Scope};
use billing_gateway::graphql;
use fake_stripe::FakeStripe;
use secrecy::SecretString;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::database::{Engine, TestDatabase, for_each_engine};
use crate::support::program::{Running, program, run, shell};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

const DOCUMENTS: [&str; 5] = ["gpu-outlet", "hostup", "meteroid", "paypercut", "userhub"];

const TOKENS: [&str; 10] = [
    "customer",
    "expired",
    "merchant",
    "other_tenant",
    "partner",
    "partner_two_customers",
    "partner_without_links",
    "partner_without_payments",
    "revoked_key",
    "service_key",
];

fn folder() -> TempDir {
    TempDir::with_prefix("billing-gateway-cli-").unwrap()
}

// ---- Examples ---------------------------------------------------------------------------------------------------

/// The path and the help of every command.
fn helps() -> Vec<(String, String)> {
    fn visit(path: &str, command: &mut clap::Command, found: &mut Vec<(String, String)>) {
        found.push((path.to_owned(), command.render_long_help().to_string()));
        for below in command.get_subcommands_mut() {
            visit(&format!("{path} {}", below.get_name()), below, found);
        }
    }
    let mut command = cli::command();
    command.build();
    let mut found = Vec::new();
    visit("billing-gateway", &mut command, &mut found);
    found
}

/// The example at the end of a help text: the lines behind the only `Example:`.
fn example<'a>(path: &str, help: &'a str) -> &'a str {
    let mut parts = help.split("Example:\n");
    parts.next();
    let example = parts.next().unwrap_or_else(|| panic!("{path}: the help has no example"));
    assert_eq!(parts.next(), None, "{path}: the help has more than one example");
    let example = example.trim();
    assert!(!example.contains('\n'), "{path}: the help does not end with its example: {example}");
    assert!(example.contains("billing-gateway "), "{path}: {example}");
    example
}

#[test]
fn every_command_has_one_example_of_itself_or_of_a_command_below() {
    let helps = helps();
    assert!(helps.len() >= 15, "{helps:?}");
    for (path, help) in helps {
        let example = example(&path, &help);
        assert!(example.contains(&path), "{path}: {example}");
    }
}

/// A folder as the examples expect it: after a demo has run in it, with this project's files.
fn workplace() -> TempDir {
    let folder = folder();
    let fixtures = folder.path().join("tests/it/fixtures");
    std::fs::create_dir_all(&fixtures).unwrap();
    for name in DOCUMENTS {
        let file = format!("{name}.json");
        std::fs::copy(Path::new(ROOT).join("tests/it/fixtures").join(&file), fixtures.join(&file)).unwrap();
    }
    std::fs::write(folder.path().join("schema.graphql"), graphql::sdl()).unwrap();
    std::os::unix::fs::symlink(Path::new(ROOT).join("examples"), folder.path().join("examples")).unwrap();
    let documents = run(shell(folder.path(), "billing-gateway documents hash examples")).ok();
    std::fs::write(folder.path().join("documents.json"), documents).unwrap();
    let mut demo = program(folder.path());
    demo.args(["serve", "--demo", "--demo-size", "tiny", "--json", "--listen", "127.0.0.1:0"]);
    let mut demo = Running::start(demo);
    demo.line(|line| line.starts_with('{'));
    demo.stop();
    folder
}

/// The Stripe of the demo as the first example leaves it: in the size that is served when nothing is said.
async fn stripe() -> FakeStripe {
    let (_, customers) = Plan::SIZES.into_iter().find(|(name, _)| *name == "small").unwrap();
    FakeStripe::start(serde_json::from_value(Plan::of(customers).stripe_state()).unwrap()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_example_in_the_help_runs() {
    let folder = workplace();
    let stripe = stripe().await;
    let postgres = TestDatabase::new(Engine::Postgres).await;
    for (path, help) in helps() {
        let example = example(&path, &help);
        if example.contains("billing-gateway serve") {
            let mut server = shell(folder.path(), &format!("exec {example}"));
            // Only where the example does not say otherwise.
            server.env("BILLING_LISTEN", "127.0.0.1:0");
            let mut server = Running::start(server);
            server.line(|line| line.contains("http://") && line.contains("/graphql"));
            server.stop();
        } else {
            let mut command = shell(folder.path(), example);
            // The settings that ask the demo's Stripe.
            command.env("BILLING_STRIPE_KEY", "rk_test_demo").env("BILLING_STRIPE_BASE_URL", stripe.url());
            command.env("POSTGRES_URL", &postgres.url);
            let said = run(command);
            assert_eq!(said.code, Some(0), "{example}: {said:?}");
            assert_eq!(said.err, "", "{example}");
            assert_ne!(said.out, "", "{example}");
        }
    }
}

// ---- Documents --------------------------------------------------------------------------------------------------

#[test]
fn documents_that_cannot_be_executed_are_all_listed_with_their_ids() {
    let folder = folder();
    let documents = r#"{
        "fine": "{ viewer { kind } }",
        "wrong field": "{ viewer { kind } }",
        "b": "{ viewer { nothing } }",
        "c": "{",
        "d": "{ a { a { a { a { a { a { a { a { a { a { a { a { a } } } } } } } } } } } } }"
    }"#;
    let file = folder.path().join("documents.json");
    std::fs::write(&file, documents).unwrap();
    let check = || run(shell(folder.path(), "billing-gateway documents check documents.json"));
    let said = check();
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("the id \"wrong field\""), "{said:?}");
    std::fs::write(&file, documents.replace("wrong field", "a")).unwrap();
    let said = check();
    assert_eq!((said.code, said.out.as_str()), (Some(1), ""));
    let lines: Vec<_> = said.err.lines().collect();
    assert!(lines[0].starts_with("b: line 1, column 12: Unknown field"), "{said:?}");
    assert!(lines[1].starts_with("c: syntax error at line 1"), "{said:?}");
    assert!(lines[2].starts_with("d: fields are nested too deep"), "{said:?}");
    assert_eq!(lines[3], "error: 3 faults; none of these documents may be served");
    let mut serve = program(folder.path());
    serve.args(["serve", "--demo", "--trusted-documents", "documents.json", "--listen", "127.0.0.1:0"]);
    let said = run(serve);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("b: line 1") && said.err.contains("c: syntax") && said.err.contains("d: fields"));
}

#[test]
fn files_are_made_into_trusted_documents_each_once_by_its_hash() {
    let folder = folder();
    std::fs::create_dir(folder.path().join("app")).unwrap();
    for (name, text) in [
        ("app/b.graphql", "query B { viewer { kind } }\n"),
        ("app/a.gql", "mutation { refreshPayUrl(input: {invoiceId: \"x\"}) { url } }"),
        ("app/c.txt", "no document"),
    ] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let said = run(shell(folder.path(), "billing-gateway documents hash app app/b.graphql")).ok();
    let manifest: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&manifest["format"], &manifest["version"]), (&"apollo-persisted-query-manifest".into(), &1.into()));
    let operations = manifest["operations"].as_array().unwrap();
    assert_eq!(operations.len(), 2);
    assert_eq!((&operations[0]["type"], &operations[0]["name"]), (&"mutation".into(), &"".into()));
    assert_eq!(operations[1]["body"], "query B { viewer { kind } }");
    assert_eq!(operations[1]["id"].as_str().map(str::len), Some(64));
    std::fs::write(folder.path().join("app/bad.graphql"), "{ nothing }").unwrap();
    let said = run(shell(folder.path(), "billing-gateway documents hash app"));
    assert_eq!((said.code, said.out.as_str()), (Some(1), ""));
    assert!(said.err.starts_with("app/bad.graphql: line 1, column 3: "), "{said:?}");
}

// ---- The demo ---------------------------------------------------------------------------------------------------

fn demo(folder: &Path, database: &str) -> (Running, Value) {
    let mut command = program(folder);
    command.args([
        "serve",
        "--demo",
        "--demo-size",
        "tiny",
        "--listen",
        "127.0.0.1:0",
        "--json",
        "--database-url",
        database,
    ]);
    let mut running = Running::start(command);
    let line = running.line(|_first| true);
    (running, serde_json::from_str(&line).expect("the first line is JSON"))
}

fn keys(object: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

#[test]
fn a_demo_prints_one_line_of_json_when_it_answers_and_stops_in_time() {
    let folder = folder();
    let (running, ready) = demo(folder.path(), "sqlite://new.db");
    let all =
        ["characters", "cookie", "database", "explorer", "graphql", "imported", "metrics", "pid", "tokens", "url"];
    assert_eq!(keys(&ready), all);
    assert_eq!(keys(&ready["tokens"]), TOKENS);
    assert_eq!(keys(&ready["imported"]), DOCUMENTS);
    assert!(ready["characters"]["declined-topup"].as_str().unwrap().starts_with("inv_"));
    assert_eq!(ready["database"], "sqlite://new.db");
    assert_eq!(ready["graphql"], format!("{}/graphql", ready["url"].as_str().unwrap()));
    let address = ready["url"].as_str().unwrap().trim_start_matches("http://").to_owned();
    std::net::TcpStream::connect(address).expect("it takes connections");
    assert_eq!(running.stop(), "", "standard output has nothing but that line");
}

#[test]
fn a_demo_that_starts_again_keeps_its_data() {
    let folder = folder();
    let database = "sqlite://demo.db";
    let (running, first) = demo(folder.path(), database);
    running.stop();
    let import = || {
        let mut again = program(folder.path());
        let file = format!("{ROOT}/tests/it/fixtures/paypercut.json");
        let tenant = tenant_of(first["tokens"]["merchant"].as_str().unwrap());
        again.args(["import", "--system", "paypercut", "--json", "--database-url", database]);
        again.args(["--tenant", &tenant, &file]);
        serde_json::from_str::<Value>(&run(again).ok()).unwrap()
    };
    assert_eq!(import()[0]["outcome"], "UNCHANGED");
    let (running, second) = demo(folder.path(), database);
    running.stop();
    for what in ["characters", "imported"] {
        assert_eq!(first[what], second[what]);
    }
    assert_ne!(first["tokens"], second["tokens"], "the secret is made anew");
    assert_eq!(import()[0]["invoiceId"], first["imported"]["paypercut"]);
}

#[test]
fn a_demo_of_another_size_grows_and_a_reset_begins_anew() {
    let folder = folder();
    let start = |arguments: &[&str]| {
        let mut command = program(folder.path());
        command.args(["serve", "--demo", "--json", "--listen", "127.0.0.1:0", "--database-url", "sqlite://demo.db"]);
        command.args(arguments);
        let mut running = Running::start(command);
        running.line(|line| line.starts_with('{'));
        running.stop();
        customers(folder.path())
    };
    let tiny = start(&["--demo-size", "tiny"]);
    let grown = start(&["--demo-size", "21"]);
    assert_eq!(grown, tiny + 13);
    // A smaller one is there already.
    assert_eq!(start(&["--demo-size", "tiny"]), grown);
    assert_eq!(start(&["--demo-size", "tiny", "--reset"]), tiny);
    let mut without_demo = program(folder.path());
    without_demo.args(["serve", "--reset"]);
    assert_eq!(run(without_demo).code, Some(2));
}

/// How many customers the demo in a folder has.
fn customers(folder: &Path) -> u64 {
    let mut generate = program(folder);
    generate.args(["demo", "generate", "--size", "0", "--json", "--database-url", "sqlite://demo.db"]);
    let said = run(generate);
    let held = said.err.split("(seed 42, ").nth(1).and_then(|rest| rest.split(' ').next());
    held.unwrap_or_else(|| panic!("{said:?}")).parse().unwrap()
}

/// The tenant that a token names.
fn tenant_of(token: &str) -> String {
    use base64::Engine as _;
    let claims = token.split('.').nth(1).unwrap();
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(claims).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    claims["tid"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_demo_has_the_same_ids_on_both_engines() {
    let mut worlds = Vec::new();
    for engine in Engine::ALL {
        let database = TestDatabase::empty(engine).await;
        let folder = folder();
        let (running, ready) = demo(folder.path(), &database.url);
        running.stop();
        worlds.push((ready["characters"].clone(), ready["imported"].clone()));
    }
    assert_eq!(worlds[0], worlds[1]);
}

// ---- Failures ---------------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_server_refuses_a_database_without_its_migrations_and_names_the_command() {
    for_each_engine(async |engine| {
        let database = TestDatabase::empty(engine).await;
        let folder = folder();
        let mut serve = program(folder.path());
        serve.args(["serve", "--listen", "127.0.0.1:0", "--database-url", &database.url]);
        let line = run_with_secret(serve).failure();
        assert!(line.contains("migrate up"), "{line}");
    })
    .await;
}

fn run_with_secret(mut command: std::process::Command) -> crate::support::program::Said {
    command.env("BILLING_JWT_SECRET", SECRET);
    run(command)
}

#[tokio::test]
async fn migrations_go_up_and_down_by_command() {
    for_each_engine(async |engine| {
        let database = TestDatabase::empty(engine).await;
        let folder = folder();
        let migrate = |arguments: &[&str]| {
            let mut command = program(folder.path());
            command.arg("migrate").args(arguments).args(["--json", "--database-url", &database.url]);
            let steps: Value = serde_json::from_str(&run(command).ok()).unwrap();
            let steps = steps.as_array().unwrap().clone();
            (steps.len(), steps.iter().filter(|step| step["applied"] == true).count())
        };
        let (all, none) = migrate(&["status"]);
        assert_eq!(none, 0);
        assert_eq!(migrate(&["up"]), (all, all));
        assert_eq!(migrate(&["down", "--steps", "1"]), (all, all - 1));
        assert_eq!(migrate(&["up"]), (all, all));
    })
    .await;
}

#[test]
fn an_address_that_is_taken_is_one_clear_line() {
    let folder = folder();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut serve = program(folder.path());
    serve.args(["serve", "--demo", "--demo-size", "tiny", "--listen", &address]);
    let line = run(serve).failure();
    assert!(line.contains(&address) && line.contains("--listen"), "{line}");
    assert!(!folder.path().join("billing-demo.db").exists(), "nothing was begun");
}

#[test]
fn wrong_use_ends_with_2_and_everything_else_with_1() {
    let folder = folder();
    for arguments in [&["serve", "--nonsense"][..], &["import"], &["migrate", "down"], &[]] {
        let mut wrong = program(folder.path());
        wrong.args(arguments);
        assert_eq!(run(wrong).code, Some(2), "{arguments:?}");
    }
}

// ---- Settings ---------------------------------------------------------------------------------------------------

#[test]
fn all_faults_of_the_settings_are_listed_at_once() {
    let folder = folder();
    std::fs::write(folder.path().join("billing.toml"), "log_format = \"xml\"\ndb_connections = 0\n").unwrap();
    let mut check = program(folder.path());
    check.args(["config", "check", "--config", "billing.toml"]);
    check.env("BILLING_LISTEN", "everywhere").env("BILLING_JWT_SECRET", "short");
    let said = run(check);
    assert_eq!(said.code, Some(1), "{said:?}");
    let names =
        ["DATABASE_URL", "BILLING_DB_CONNECTIONS", "BILLING_LISTEN", "BILLING_JWT_SECRET", "BILLING_LOG_FORMAT"];
    assert_eq!(said.err.lines().count(), names.len(), "{}", said.err);
    for name in names {
        assert!(said.err.contains(&format!("error: {name} ")), "{name}: {}", said.err);
    }
    assert!(!said.err.contains("short"), "{}", said.err);
}

#[test]
fn a_file_with_an_unknown_setting_is_refused_with_its_line() {
    let folder = folder();
    std::fs::write(folder.path().join("billing.toml"), "listen = \"127.0.0.1:0\"\nlissten = \"x\"\n").unwrap();
    let mut serve = program(folder.path());
    serve.args(["serve", "--demo", "--config", "billing.toml"]);
    let line = run(serve).failure();
    assert!(line.contains("billing.toml line 2") && line.contains("lissten"), "{line}");
}

#[test]
fn secrets_are_never_printed() {
    let folder = folder();
    for arguments in [&["config", "print"][..], &["config", "print", "--json"], &["serve", "--help"]] {
        let mut command = program(folder.path());
        command.args(arguments);
        command.env("DATABASE_URL", "postgres://somebody:hunter2@localhost/billing");
        let said = run_with_secret(command).ok();
        assert!(!said.contains("hunter2") && !said.contains(SECRET), "{said}");
    }
}

// ---- Schema and tokens ------------------------------------------------------------------------------------------

#[test]
fn a_schema_that_drifted_is_told_with_the_command_that_mends_it() {
    let folder = folder();
    let sdl = graphql::sdl();
    std::fs::write(folder.path().join("schema.graphql"), sdl.replacen("type ", "type Un", 1)).unwrap();
    let mut check = program(folder.path());
    check.args(["schema", "check"]);
    let line = run(check).failure();
    assert!(line.contains("./dev schema") && line.contains("line "), "{line}");
    let mut print = program(folder.path());
    print.args(["schema", "print"]);
    assert_eq!(run(print).ok(), sdl, "what is printed can be kept as the file");
}

#[test]
fn a_signed_token_is_accepted_as_what_was_asked_for() {
    let folder = folder();
    let mut sign = program(folder.path());
    sign.args([
        "token",
        "sign",
        "--kind",
        "partner",
        "--tenant",
        "ten_1",
        "--customer",
        "cus_1",
        "--customer",
        "cus_2",
    ]);
    sign.args(["--scope", "invoices:read payments:read", "--scope", "rentals:read", "--ttl", "15m"]);
    let token = run_with_secret(sign).ok();
    let name = "billing-gateway";
    let keys = JwtKeys::new(&SecretString::from(SECRET), name, name, Clock::system()).unwrap();
    let viewer = keys.verify(token.trim()).unwrap();
    assert_eq!(viewer.kind, PrincipalKind::Partner);
    assert_eq!(viewer.tenant().id().as_str(), "ten_1");
    assert_eq!(viewer.tenant().customers().map(<[_]>::len), Some(2));
    let scopes: Vec<Scope> = viewer.scopes.iter().collect();
    assert_eq!(scopes, [Scope::InvoicesRead, Scope::PaymentsRead, Scope::RentalsRead]);
    let left = viewer.expires_at - Clock::system().now().utc();
    assert!(left.to_std().unwrap() <= Duration::from_mins(15), "{left}");
}

#[test]
fn a_token_that_would_be_refused_is_not_signed() {
    let folder = folder();
    let cases = [
        (["--kind", "customer", "--scope", "invoices:read"], "cus"),
        (["--kind", "merchant", "--scope", "invoices:all"], "invoices:all"),
        (["--kind", "merchant", "--ttl", "25h"], "lifetime"),
    ];
    for (arguments, reason) in cases {
        let mut sign = program(folder.path());
        sign.args(["token", "sign", "--tenant", "ten_1"]).args(arguments);
        let line = run_with_secret(sign).failure();
        assert!(line.contains(reason), "{line}");
    }
}
