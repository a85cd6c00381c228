//! The program serves a state file and says where.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use fake_stripe::State;
use serde_json::Value;

use crate::client;

/// Shows every part of the format.
const STATE: &str = include_str!("../../state.example.json");

#[tokio::test]
async fn the_program_says_where_it_listens_and_serves_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.json");
    std::fs::write(&path, STATE).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_fake-stripe"));
    command.args(["--listen", "127.0.0.1:0", "--json", "--state"]).arg(&path);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let ready: Value = serde_json::from_str(&line).unwrap();
    let url = format!("{}/v1/invoices/in_open", ready["url"].as_str().unwrap());
    let invoice: Value = client().get(url).bearer_auth("rk_test_fake").send().await.unwrap().json().await.unwrap();
    let told = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(told.success() && child.wait().unwrap().success());
    assert_eq!((&invoice["total"], &invoice["currency"]), (&1250.into(), &"eur".into()));
    assert!(invoice["hosted_invoice_url"].as_str().unwrap().starts_with(ready["url"].as_str().unwrap()));
}

#[test]
fn the_example_is_read_back_as_it_is_written() {
    let state: State = serde_json::from_str(STATE).unwrap();
    let again: State = serde_json::from_value(serde_json::to_value(&state).unwrap()).unwrap();
    assert_eq!(again, state);
    assert_eq!(state.invoices.len(), 3);
}

#[test]
fn a_file_that_cannot_be_read_is_said_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.json");
    std::fs::write(&path, r#"{ "invoces": [] }"#).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_fake-stripe")).arg("--state").arg(&path).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.starts_with("error: ") && said.contains("invoces") && said.lines().count() == 1, "{said}");
}
