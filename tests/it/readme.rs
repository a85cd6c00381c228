//! The README is true: its tables are those of the code, and its queries and commands work.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use billing_gateway::app::config::Settings;
use billing_gateway::cli;
use billing_gateway::domain::audit::RULES;
use billing_gateway::domain::viewer::Scope;
use billing_gateway::gate::Limits;
use billing_gateway::graphql::access::{NODES, TABLE};
use serde_json::{Map, Value};
use tempfile::TempDir;

use crate::support::app::TestApp;
use crate::support::program::{Running, program, run, shell};

const README: &str = include_str!("../../README.md");

/// The page that lists the settings.
const SETTINGS: &str = include_str!("../../docs/settings.md");

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

// ---- Reading the README -----------------------------------------------------------------------------------------

/// The text below a heading of the second level of the README.
fn section(title: &str) -> &'static str {
    section_of(README, title)
}

/// The same of another page.
fn section_of(page: &'static str, title: &str) -> &'static str {
    let heading = format!("\n## {title}\n");
    let (_, text) = page.split_once(&heading).unwrap_or_else(|| panic!("there is no section {title}"));
    text.split_once("\n## ").map_or(text, |(text, _)| text)
}

/// The cells of the rows below a header, which is given as it is written.
fn table(text: &'static str, header: &str) -> Vec<Vec<&'static str>> {
    let mut lines = text.lines().skip_while(|line| *line != header);
    assert!(lines.next().is_some(), "README has no table {header}");
    let rows = lines.skip(1).take_while(|line| line.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

/// The words in backticks.
fn words(text: &str) -> BTreeSet<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// The fenced blocks in a language.
fn blocks(language: &str) -> Vec<&'static str> {
    let fences: Vec<_> = README.split("\n```").collect();
    let begun = fences.iter().filter_map(|fence| fence.strip_prefix(language));
    begun.filter_map(|block| block.strip_prefix('\n')).collect()
}

/// The commands of all shell blocks, each in one line.
fn commands() -> Vec<String> {
    let joined: Vec<_> = blocks("sh").iter().map(|block| block.replace("\\\n", " ")).collect();
    joined.iter().flat_map(|block| block.lines()).map(str::to_owned).collect()
}

// ---- Tables -----------------------------------------------------------------------------------------------------

/// The files that give errors their codes.
const CODED: [&str; 4] = ["gate/mod.rs", "graphql/error.rs", "http/answer.rs", "http/error.rs"];

/// Words in those files that look like codes and are none that is sent from there.
const NO_CODES: [(&str, &str); 2] = [("graphql/error.rs", "NOT_CONFIGURED"), ("http/answer.rs", "OVERLOADED")];

fn source(file: &str) -> String {
    let text = std::fs::read_to_string(Path::new(ROOT).join("src").join(file)).unwrap();
    text.split("#[cfg(test)]").next().unwrap_or_default().to_owned()
}

fn sent_codes() -> BTreeSet<String> {
    let mut codes = BTreeSet::new();
    for file in CODED {
        let text = source(file);
        let code_like =
            |text: &&str| text.len() > 5 && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
        let literals = text.lines().flat_map(|line| line.split('"').skip(1).step_by(2));
        let found = literals.filter(code_like).filter(|code| !NO_CODES.contains(&(file, code)));
        codes.extend(found.map(str::to_owned));
    }
    codes
}

#[test]
fn every_error_code_has_its_row_and_no_other() {
    let rows = table(section("Error codes"), "| code | when |");
    let told: BTreeSet<String> = rows.iter().map(|row| row[0].trim_matches('`').to_owned()).collect();
    assert_eq!(told, sent_codes());
}

#[test]
fn codes_are_given_in_the_files_that_are_searched_for_them() {
    fn visit(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                visit(&path, found);
            } else if path.extension().is_some_and(|kind| kind == "rs")
                && std::fs::read_to_string(&path).unwrap().contains("set(\"code\"")
            {
                found.push(path);
            }
        }
    }
    let root = Path::new(ROOT).join("src");
    let mut found = Vec::new();
    visit(&root, &mut found);
    assert!(!found.is_empty());
    for path in found {
        let file = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
        assert!(CODED.contains(&file.as_str()), "{file} gives codes of its own");
    }
}

#[test]
fn every_scope_has_its_row_with_exactly_the_fields_it_opens() {
    let rows = table(section("Scopes"), "| scope | opens |");
    let scopes: Vec<_> = rows.iter().map(|row| row[0].trim_matches('`')).collect();
    assert_eq!(scopes, Scope::ALL.map(Scope::name));
    for (row, scope) in rows.iter().zip(Scope::ALL) {
        // `Type`: `field`, `field`; anything said in other words is for people.
        let types = row[1].split("; ").filter_map(|part| part.split_once("`: `"));
        let told: BTreeSet<_> = types
            .flat_map(|(name, fields)| {
                let name = name.trim_start_matches('`');
                fields.split(", ").map(move |field| (name, field.trim_matches('`')))
            })
            .collect();
        let guarded = TABLE.iter().flat_map(|row| row.scoped.iter().map(|(field, scope)| (row.name, *field, *scope)));
        let opened: BTreeSet<_> =
            guarded.filter(|(_, _, needed)| *needed == scope).map(|(name, field, _)| (name, field)).collect();
        assert_eq!(told, opened, "{}", scope.name());
    }
}

#[test]
fn every_type_that_has_an_id_stands_beside_its_scope() {
    let rows = table(section("Scopes"), "| scope | types |");
    let told: BTreeSet<_> =
        rows.iter().flat_map(|row| words(row[1]).into_iter().map(|name| (name, row[0].trim_matches('`')))).collect();
    let known: BTreeSet<_> = NODES.iter().map(|(name, scope)| (*name, scope.name())).collect();
    assert_eq!(told, known);
}

const SETTINGS_HEADER: &str = "| flag | environment | default | bounds | what |";

/// What is said of each setting, by its flag: variable, default, bounds, in what area.
struct Told {
    flag: &'static str,
    variable: &'static str,
    default: &'static str,
    bounds: String,
}

/// The settings of an area, as the page has them.
fn told(area: &str) -> Vec<Told> {
    let rows = table(section_of(SETTINGS, area), SETTINGS_HEADER);
    let told = rows.iter().map(|row| Told {
        flag: row[0].trim_matches('`'),
        variable: row[1].trim_matches('`'),
        default: row[2],
        bounds: row[3].replace(',', ""),
    });
    told.collect()
}

fn serve_arguments() -> Vec<clap::Arg> {
    let mut command = cli::command();
    command.build();
    let serve = command.find_subcommand("serve").unwrap();
    serve.get_arguments().filter(|argument| argument.get_id() != "help").cloned().collect()
}

/// Headings of help in their order.
fn areas() -> Vec<String> {
    let arguments = serve_arguments();
    let areas = arguments.iter().filter_map(|argument| argument.get_help_heading().map(str::to_owned));
    let mut areas: Vec<_> = areas.filter(|area| area != "Settings").collect();
    areas.dedup();
    areas
}

#[test]
fn every_flag_and_variable_of_serve_is_told() {
    let said: BTreeSet<_> = words(section("Settings")).into_iter().chain(words(SETTINGS)).collect();
    for argument in serve_arguments() {
        let flag = format!("--{}", argument.get_long().unwrap());
        assert!(said.contains(flag.as_str()), "{flag}");
        let variable = argument.get_env().map(|name| name.to_str().unwrap());
        assert!(variable.is_none_or(|name| said.contains(name)), "{flag}: {variable:?}");
    }
}

#[test]
fn every_area_of_settings_has_its_table_with_their_bounds() {
    let headings: Vec<_> = SETTINGS.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    assert_eq!(headings, areas());
    for area in headings {
        let arguments = serve_arguments();
        let of_area = arguments.iter().filter(|argument| argument.get_help_heading() == Some(area));
        let held: Vec<_> = of_area.filter(|argument| !argument.is_hide_set()).collect();
        let told = told(area);
        let flags: Vec<_> = told.iter().map(|told| told.flag.to_owned()).collect();
        let held_flags: Vec<_> = held.iter().map(|held| format!("--{}", held.get_long().unwrap())).collect();
        assert_eq!(flags, held_flags);
        for (told, held) in told.iter().zip(held) {
            assert_eq!(Some(told.variable), held.get_env().unwrap().to_str());
            let text = held.get_help().unwrap().to_string();
            let bounds = text.rsplit_once("; ").and_then(|(_, last)| last.strip_suffix(']')).unwrap_or_default();
            let bounds = if bounds.contains(" to ") { bounds } else { "" };
            assert_eq!(told.bounds, bounds, "{}", told.flag);
        }
    }
}

#[test]
fn every_default_is_the_one_that_holds() {
    let rows: BTreeMap<_, _> =
        areas().iter().flat_map(|area| told(area)).map(|told| (told.flag, told.default)).collect();
    let defaults = Settings::default().validate(true).unwrap().shown();
    assert!(defaults.len() >= 14);
    for (key, value) in defaults {
        let flag = format!("--{}", key.replace('_', "-"));
        let told = *rows.get(flag.as_str()).unwrap_or_else(|| panic!("{flag}"));
        let holds = match (key, &value) {
            ("jwt_secret", _) => told.contains("random with `--demo`"),
            ("db_connections", _) => told == "4 per core",
            (_, Value::Array(list)) => list.is_empty() && told == "none",
            (_, Value::String(text)) if text.is_empty() => told == "none",
            (_, Value::String(text)) => words(told).contains(text.as_str()),
            (_, number) => number.is_u64() && number.as_u64() == told.parse().ok(),
        };
        assert!(holds, "{flag} is {value}, not {told}");
    }
}

#[test]
fn every_limit_of_the_gate_has_its_number_in_their_order() {
    let limits = format!("{:?}", Limits::default());
    let held: Vec<String> =
        limits.split(|c: char| !c.is_ascii_digit()).filter(|number| !number.is_empty()).map(str::to_owned).collect();
    let rows = table(section("Limits"), "| in one document | at most | code | setting |");
    let numbers: Vec<String> = rows.iter().map(|row| row[1].replace(',', "")).collect();
    assert_eq!(numbers, held);
    let settings: Vec<_> = rows.iter().map(|row| (row[3].trim_matches('`'), row[1].replace(',', ""))).collect();
    let listed: Vec<_> = told("Limits").iter().map(|told| (told.flag, told.default.to_owned())).collect();
    assert_eq!(settings, listed[..settings.len()]);
}

#[test]
fn every_rule_of_verify_is_told_in_its_words() {
    let rows = table(section("Verify a store"), "| rule | what holds |");
    let told: Vec<_> = rows.iter().map(|row| (row[0].trim_matches('`'), row[1])).collect();
    assert_eq!(told, RULES.map(|rule| (rule.name, rule.says)));
}

#[test]
fn every_command_is_told() {
    fn leaves(path: &str, command: &clap::Command, found: &mut Vec<String>) {
        if command.get_subcommands().next().is_none() {
            found.push(path.trim_start().to_owned());
        }
        for below in command.get_subcommands() {
            leaves(&format!("{path} {}", below.get_name()), below, found);
        }
    }
    let mut found = Vec::new();
    leaves("", &cli::command(), &mut found);
    assert!(found.len() >= 10, "{found:?}");
    for path in found {
        assert!(section("Commands").contains(&format!("`{path}")), "{path}");
    }
}

// ---- Queries ----------------------------------------------------------------------------------------------------

/// A question to the demo as the README puts it to curl.
struct Question {
    file: String,
    token: String,
    variables: Map<String, Value>,
}

/// The file of each `curl` that sends one, the token that the text before it names, and its variables.
fn questions() -> Vec<Question> {
    let asked = commands().into_iter().filter_map(|command| {
        let (_, rest) = command.split_once("query@examples/")?;
        let file = rest.split_whitespace().next()?.to_owned();
        let given = rest.split_once("'variables=").and_then(|(_, rest)| rest.split_once('\''));
        let variables = given.map_or_else(Map::new, |(json, _)| serde_json::from_str(json).unwrap());
        Some((file, variables))
    });
    asked
        .map(|(file, variables)| {
            let named = README.split_once(&format!("(examples/{file}), token"));
            let token = named.and_then(|(_, rest)| rest.split('`').nth(1)).unwrap_or("merchant");
            Question { token: token.to_owned(), file, variables }
        })
        .collect()
}

fn example(file: &str) -> String {
    std::fs::read_to_string(Path::new(ROOT).join("examples").join(file)).unwrap()
}

/// Asserts that nothing failed but the pay link, which the README says cannot be had.
#[track_caller]
fn assert_answered(what: &str, answer: &Value) {
    let none = Vec::new();
    for error in answer["errors"].as_array().unwrap_or(&none) {
        let excused = error["extensions"]["reason"] == "NOT_CONFIGURED"
            && error["path"].as_array().and_then(|path| path.last()) == Some(&Value::from("payUrl"));
        assert!(excused, "{what}: {error}");
    }
    assert!(answer["data"].is_object(), "{what}: {answer}");
}

#[tokio::test]
async fn every_example_is_asked_with_curl_and_answers() {
    let app = TestApp::new().await;
    let questions = questions();
    for Question { file, token, variables } in &questions {
        let answer = app.ask(&app.token(token), &example(file), Value::Object(variables.clone())).await;
        assert_answered(file, &answer);
        for (field, value) in answer["data"].as_object().unwrap() {
            assert!(!value.is_null(), "{file}: {field} is null");
            assert!(value["nodes"] != Value::Array(Vec::new()), "{file}: {field} is empty");
        }
    }
    let asked: BTreeSet<_> = questions.iter().map(|question| question.file.clone()).collect();
    let files = std::fs::read_dir(Path::new(ROOT).join("examples")).unwrap();
    let files: BTreeSet<_> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(asked, files);
}

#[tokio::test]
async fn every_query_answers() {
    let app = TestApp::new().await;
    let variables: Map<String, Value> = questions().into_iter().flat_map(|question| question.variables).collect();
    let queries = blocks("graphql");
    assert!(queries.len() >= 7, "{queries:?}");
    for query in &queries {
        let answer = app.ask(&app.token("merchant"), query, Value::Object(variables.clone())).await;
        assert_answered(query, &answer);
    }
    assert!(example("reference.graphql").contains(queries[0].trim()), "the reference query is the example");
}

#[tokio::test]
async fn the_reference_query_costs_the_statements_it_says() {
    let app = TestApp::new().await;
    let first = questions().into_iter().next().unwrap();
    let asked = Value::Object(first.variables.clone());
    let answer = app.ask(&app.token("merchant"), &example(&first.file), asked).await;
    assert_eq!(first.variables["id"], app.invoice("overage-week"));
    assert_eq!(answer["data"]["invoice"]["lineItems"].as_array().map(Vec::len), Some(14));
    assert_eq!(answer["extensions"]["debug"]["statements"], 7);
    assert_eq!(answer["errors"].as_array().map(Vec::len), Some(1));
    assert!(section("Ask it with curl").contains("14 lines") && section("Ask it with curl").contains(": 7."));
}

// ---- Commands ---------------------------------------------------------------------------------------------------

/// Whether a command can run by itself: it ends, and needs no server and no other program's configuration.
fn runs_here(command: &str) -> bool {
    let program = command.split_whitespace().find(|word| !word.contains('='));
    matches!(program, Some("billing-gateway" | "sed")) && !command.contains(" serve")
}

#[test]
fn every_command_of_the_program_runs() {
    let folder = TempDir::with_prefix("billing-gateway-readme-").unwrap();
    for name in ["tests", "examples", "schema.graphql"] {
        std::os::unix::fs::symlink(Path::new(ROOT).join(name), folder.path().join(name)).unwrap();
    }
    let mut demo = program(folder.path());
    demo.args(["serve", "--demo", "--demo-size", "tiny", "--json", "--listen", "127.0.0.1:0"]);
    let mut demo = Running::start(demo);
    let ready: BTreeMap<String, Value> = serde_json::from_str(&demo.line(|_first| true)).unwrap();
    demo.stop();
    is_the_ready_line(&ready);

    let commands: Vec<_> = commands().into_iter().filter(|command| runs_here(command)).collect();
    assert!(commands.len() >= 5, "{commands:?}");
    for command in commands {
        let mut line = shell(folder.path(), &command);
        line.env("DATABASE_URL", "sqlite://readme.db");
        line.env("BILLING_JWT_SECRET", "a secret of the tests, longer than 32 bytes");
        run(line).ok();
    }
}

/// The ready line has the keys of the README's table, and the demo the tokens that it names.
fn is_the_ready_line(ready: &BTreeMap<String, Value>) {
    let rows = table(section("Start it from a program"), "| key | value |");
    let told: BTreeSet<_> = rows.iter().map(|row| row[0].trim_matches('`')).collect();
    assert_eq!(told, ready.keys().map(String::as_str).collect());
    let said = words(section("Tokens"));
    for name in ready["tokens"].as_object().unwrap().keys() {
        assert!(said.contains(name.as_str()), "{name}");
    }
    for name in ready["imported"].as_object().unwrap().keys() {
        assert!(words(section("Import a document")).contains(name.as_str()), "{name}");
    }
}

#[test]
fn every_file_that_is_linked_is_there() {
    for (page, folder) in [(README, ""), (SETTINGS, "docs")] {
        let links = page.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
        for (link, _) in links.filter(|(link, _)| !link.starts_with('#') && !link.contains("://")) {
            let (file, place) = link.split_once('#').unwrap_or((link, ""));
            let path = Path::new(ROOT).join(folder).join(file);
            let text = std::fs::read_to_string(&path);
            let is_there = text.as_ref().map_or_else(|_| path.exists(), |text| has_heading(text, place));
            assert!(is_there, "{link}");
        }
    }
}

/// Whether a page has a heading that this names, as GitHub names them. Every page has its beginning.
fn has_heading(page: &str, place: &str) -> bool {
    let named = |heading: &str| {
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-'));
        kept.collect::<String>().to_lowercase().replace(' ', "-")
    };
    let mut headings = page.lines().filter(|line| line.starts_with('#'));
    place.is_empty() || headings.any(|line| named(line.trim_start_matches('#').trim()) == place)
}
