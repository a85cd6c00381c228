//! Made-up input in masses: whatever comes in from outside, nothing panics, and gate and parser agree.
//!
//! `./dev fuzz N` takes N documents instead of 20,000. An input that fails is printed with its seed; the same seed
//! makes the same input.

mod generate;
pub(crate) mod properties;

use std::time::{Duration, Instant};

use billing_gateway::dialect::System;
use billing_gateway::gate::{self, Limits};
use billing_gateway::graphql::{self, Validator};
use generate::Chance;

/// How many documents, and where their seeds begin.
#[expect(clippy::disallowed_methods, reason = "a test has no settings; ./dev fuzz says how many")]
fn documents() -> std::ops::Range<u64> {
    let number = |name: &str, default| std::env::var(name).map_or(default, |text| text.parse().expect("a number"));
    let first = number("BILLING_FUZZ_SEED", 0);
    first..first + number("BILLING_FUZZ_DOCUMENTS", 20_000)
}

/// Prints an input when the test that looks at it fails.
struct Shown<'a>(u64, &'a [u8]);

impl Drop for Shown<'_> {
    #[expect(clippy::print_stderr, reason = "for whoever reads why the test failed")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {}: {:?}", self.0, String::from_utf8_lossy(self.1));
        }
    }
}

fn examples() -> Vec<String> {
    let folder = std::fs::read_dir(format!("{}/examples", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let mut paths: Vec<_> = folder.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

fn document(seed: u64, examples: &[String]) -> String {
    let mut chance = Chance::of(seed);
    match seed % 8 {
        0 => generate::noise(&mut chance),
        1 | 2 => {
            let example = chance.one_of(examples);
            generate::changed(&mut chance, example)
        }
        3 => generate::hostile(&mut chance),
        4 => {
            let sensible = generate::sensible(&mut chance);
            generate::changed(&mut chance, &sensible)
        }
        _ => generate::sensible(&mut chance),
    }
}

#[test]
fn no_document_panics_and_gate_and_parser_agree_on_its_size_and_its_cost() {
    let examples = examples();
    let seeds = documents();
    let (mut asked, mut agreed) = (0_u64, 0_u64);
    for seed in seeds {
        let document = document(seed, &examples);
        let _shown = Shown(seed, document.as_bytes());
        agreed += u64::from(properties::document(&document));
        asked += 1;
    }
    // Otherwise the documents say nothing about what the two agree on.
    assert!(agreed * 5 > asked, "of {asked} documents both accept {agreed}");
}

/// The validators behind the gate, which walk the document with every fragment written out.
#[tokio::test]
async fn no_document_that_is_admitted_keeps_the_validators_busy() {
    let examples = examples();
    let validator = Validator::new();
    let seeds = documents();
    let mut longest = Duration::ZERO;
    for seed in seeds.clone().take(usize::try_from(seeds.end - seeds.start).unwrap() / 20) {
        let document = document(seed, &examples);
        let _shown = Shown(seed, document.as_bytes());
        if gate::check(&document, &Limits::default()).is_err() {
            continue;
        }
        let Ok(parsed) = async_graphql::parser::parse_query(&document) else { continue };
        let begun = Instant::now();
        let _faults = validator.faults(parsed, None).await;
        longest = longest.max(begun.elapsed());
    }
    assert!(longest < Duration::from_secs(5), "{longest:?}");
}

#[test]
fn no_cursor_no_token_and_no_signature_panics() {
    let seeds = documents();
    for seed in seeds.clone().take(usize::try_from(seeds.end - seeds.start).unwrap() / 4) {
        let mut chance = Chance::of(seed);
        let bytes = chance.bytes(120);
        let text = match seed % 3 {
            0 => String::from_utf8_lossy(&bytes).into_owned(),
            1 => generate::changed(&mut chance, &cursor(seed)),
            _ => generate::changed(&mut chance, TOKEN),
        };
        let _shown = Shown(seed, text.as_bytes());
        properties::cursor(&text);
        properties::token(&text);
        let header = generate::changed(&mut chance, SIGNATURE);
        properties::webhook(generate::changed(&mut chance, EVENT).as_bytes(), header.as_bytes());
        properties::webhook(&bytes, text.as_bytes());
    }
}

/// A token of nobody's: the parts are there, the signature is not ours.
const TOKEN: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0aWQiOiJ0ZW5fMSIsImtpbmQiOiJtZXJjaGFudCIsInNjb3BlIjoiIn0.\
    4ZTyWkF2LdJ1nY8g1o5tZ1x1m8H1pJm3Kq0bVb2l0xE";

const SIGNATURE: &str =
    "t=1781481600,v1=5257a869e7ecebeda32affa62cdca3fa51cad7e77a0e56ff536d0ce8e108d8bd,v0=6ffbb59b2300aae63f272406069a";

const EVENT: &str = r#"{"id":"evt_1","object":"event","type":"invoice.paid","created":1781481600,"livemode":false,
    "data":{"object":{"id":"in_1","object":"invoice","status":"paid","amount_due":-5,"currency":"usd","lines":null}}}"#;

fn cursor(seed: u64) -> String {
    use base64::Engine as _;
    let values = ["1781481600000", "\"2026-06-15\"", "null", "99999999999999999999", "\"\\u0000\"", "{}"];
    let value = values[usize::try_from(seed / 3).unwrap() % values.len()];
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(format!("[\"CREATED_AT\",{value},\"inv_1\"]"))
}

#[test]
fn no_document_of_a_foreign_system_panics() {
    let systems = [System::GpuOutlet, System::Paypercut, System::Meteroid, System::Userhub, System::Hostup];
    let names = ["gpu-outlet", "paypercut", "meteroid", "userhub", "hostup"];
    let file = |name| std::fs::read_to_string(format!("{}/tests/it/fixtures/{name}.json", env!("CARGO_MANIFEST_DIR")));
    let samples: Vec<_> = systems.into_iter().zip(names.map(|name| file(name).unwrap())).collect();
    let seeds = documents();
    for seed in seeds.clone().take(usize::try_from(seeds.end - seeds.start).unwrap() / 20) {
        let mut chance = Chance::of(seed);
        let (system, sample) = chance.one_of(&samples);
        let changed = generate::changed(&mut chance, sample);
        let _shown = Shown(seed, changed.as_bytes());
        properties::dialect(*system, changed.as_bytes());
    }
}

// ---- Time -------------------------------------------------------------------------------------------------------

/// A document of `size` repetitions of something, of each sort that the gate has a pass for.
fn shapes(size: usize) -> Vec<String> {
    let chain = |at: usize| format!("fragment F{at} on Invoice {{ lineItems(first: 3) {{ id }} ...F{} }} ", at + 1);
    vec![
        format!("{{ {} }}", "invoice(id: 1) { payUrl lineItems { id } } ".repeat(size)),
        format!("{{ nodes(ids: [{}]) {{ id }} }}", "\"a\" ".repeat(size)),
        format!("{{ a(x: {}1{}) }}", "[".repeat(size), "]".repeat(size)),
        (0..size).map(chain).collect(),
        (0..size).rev().map(chain).collect(),
        format!("{{ {} }} fragment F on Query {{ invoice(id: 1) {{ id }} }}", "...F ".repeat(size)),
        format!("{{ a(x: \"\"\"{}\"\"\") }}", "\\\"\"\" \" ".repeat(size)),
    ]
}

/// Eight times the document may take three times eight times as long; were it the square, it would be 64 times.
#[test]
fn the_gate_takes_time_in_proportion_to_the_document() {
    const SIZE: usize = 1_000;
    let all = usize::MAX;
    let none = Limits {
        document_bytes: all,
        tokens: all,
        name_bytes: all,
        nesting_brackets: all,
        depth_fields: all,
        introspection_depth_fields: all,
        introspection_lists: all,
        introspections: all,
        introspection_repeats: all,
        selection_levels: all,
        expanded_fields: all,
        height_fields: all,
        expanded_tokens: all,
        aliases: all,
        root_fields: all,
        directives: all,
        field_directives: all,
        operations: all,
        fragments: all,
        variables: all,
    };
    let costs = graphql::cost::table(&graphql::schema()).unwrap();
    let quickest = |document: &str| {
        let time = || {
            let begun = Instant::now();
            let (_, plan) = gate::examine(document, &none, &costs).unwrap();
            let _cost = plan.cost(None, |_| None);
            begun.elapsed()
        };
        (0..7).map(|_| time()).min().unwrap()
    };
    for (small, large) in shapes(SIZE).iter().zip(shapes(8 * SIZE)) {
        let in_proportion = || quickest(&large) < quickest(small) * 8 * 3;
        // On a machine that is busy elsewhere, one comparison may go wrong; with the square of the time, all would.
        assert!((0..5).any(|_| in_proportion()), "{}", &small[..60]);
    }
}
