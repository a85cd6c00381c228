//! `docs/proof.md` is true: each test that it names exists, and each test here is named.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const PROOF: &str = include_str!("../../../docs/proof.md");

/// The rows of all tables: what is promised, its figure, and its tests.
fn rows() -> Vec<Vec<&'static str>> {
    let rows = PROOF.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| promise "));
    rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

/// A test as a row names it: `FILE: NAME`.
fn tests(cell: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let words = cell.split('`').skip(1).step_by(2);
    words.map(|word| word.split_once(": ").unwrap_or_else(|| panic!("`{word}` is not FILE: NAME")))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Whether `text` has a test of this name that is run: its attribute stands in the lines right above.
fn has_test(text: &str, name: &str) -> bool {
    let heads = [format!("fn {name}("), format!("async fn {name}(")];
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let place = lines.iter().position(|line| heads.iter().any(|head| line.starts_with(head)));
    let above = place.map(|place| lines[..place].iter().rev().take_while(|line| line.starts_with("#[")));
    above.is_some_and(|mut attributes| {
        let is_run = !attributes.clone().any(|it| it.starts_with("#[ignore"));
        is_run && attributes.any(|it| it.contains("test]") || it.contains("test("))
    })
}

#[test]
fn every_test_that_the_proof_names_exists() {
    let mut named = 0;
    for row in rows() {
        assert_eq!(row.len(), 3, "{row:?}");
        let mut any = false;
        for (file, name) in tests(row[2]) {
            let text = std::fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
            // Properties are tests that a macro writes.
            let property = text.contains("proptest!") && text.contains(&format!("fn {name}("));
            assert!(has_test(&text, name) || property, "{file} has no test {name}, which {} needs", row[0]);
            (any, named) = (true, named + 1);
        }
        assert!(any, "{} has no test", row[0]);
    }
    assert!(named > 50, "the tables are not read: {named}");
}

#[test]
fn every_promise_that_has_a_file_here_is_in_the_proof() {
    let named: BTreeSet<&str> = rows().into_iter().flat_map(|row| tests(row[2]).map(|(_, name)| name)).collect();
    let folders = ["promises", "traps"].map(|name| root().join("tests/it").join(name));
    let files =
        folders.into_iter().flat_map(|folder| std::fs::read_dir(folder).unwrap()).map(|entry| entry.unwrap().path());
    for file in files.filter(|file| *file != root().join("tests/it/promises/table.rs")) {
        for name in tests_of(&file) {
            assert!(named.contains(name.as_str()), "{name} is not in docs/proof.md");
        }
    }
}

fn tests_of(file: &PathBuf) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap();
    let functions = text.lines().filter_map(|line| {
        let rest = line.strip_prefix("async fn ").or_else(|| line.strip_prefix("fn "))?;
        rest.split('(').next().map(str::to_owned)
    });
    functions.filter(|name| has_test(&text, name)).collect()
}

#[test]
fn a_name_that_is_no_test_is_found_out() {
    let text = "#[test]\nfn one_test() {}\n\nfn no_test() {}\n#[tokio::test(flavor = \"x\")]\nasync fn other() {}\n\
                #[test]\n#[ignore = \"y\"]\nfn left_out() {}\n";
    let names = ["one_test", "no_test", "other", "one", "none", "left_out"];
    assert_eq!(names.map(|name| has_test(text, name)), [true, false, true, false, false, false]);
}
