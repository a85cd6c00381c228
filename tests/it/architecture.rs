//! The layers import downward only, and a few things have one place.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// From top to bottom; folders of one tier do not import each other.
const TIERS: [&[&str]; 11] = [
    &["main"],
    &["cli"],
    &["app"],
    &["http"],
    &["graphql"],
    &["loaders", "actions", "auth"],
    &["links"],
    &["store", "stripe", "dialect", "demo", "rate"],
    &["stats"],
    &["gate"],
    &["domain"],
];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path));
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            all.push(path);
        }
    }
    all
}

/// The layer of a file, and its text without comments.
fn layers() -> Vec<(String, PathBuf, String)> {
    let root = source();
    let of = |path: &Path| {
        let inner = path.strip_prefix(&root).unwrap();
        inner.components().next().unwrap().as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned()
    };
    let code = |text: &str| {
        let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        lines.collect::<Vec<_>>().join("\n")
    };
    let read = |path: PathBuf| (of(&path), path.clone(), code(&std::fs::read_to_string(path).unwrap()));
    files(&root).into_iter().map(read).collect()
}

fn tier(layer: &str) -> usize {
    TIERS.iter().position(|tier| tier.contains(&layer)).unwrap_or_else(|| panic!("{layer} stands in no tier"))
}

/// Layers that a text names through `crate::`, one by one or in a group.
fn imports(text: &str) -> BTreeSet<String> {
    let mut named = BTreeSet::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        let group = rest.strip_prefix('{').and_then(|group| group.split_once("};")).map(|(group, _)| group);
        let heads = group.map_or_else(|| vec![rest], |group| group.split(',').map(str::trim).collect());
        for head in heads {
            let name: String = head.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if source().join(&name).is_dir() {
                named.insert(name);
            }
        }
    }
    named
}

#[test]
fn every_folder_imports_only_from_below() {
    let mut wrong = Vec::new();
    for (layer, path, text) in layers().iter().filter(|(layer, ..)| layer != "lib") {
        for imported in imports(text).iter().filter(|imported| *imported != layer) {
            if tier(imported) <= tier(layer) {
                wrong.push(format!("{} imports {imported}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A crate that only some layers may know.
fn known_only_to(name: &str, allowed: &[&str]) {
    for (layer, path, text) in layers() {
        let uses = text.contains(&format!("{name}::"));
        assert!(!uses || allowed.contains(&layer.as_str()), "{} knows {name}", path.display());
    }
}

#[test]
fn libraries_stay_in_their_layers() {
    known_only_to("async_graphql", &["graphql", "http"]);
    known_only_to("axum", &["http"]);
    known_only_to("sqlx", &["store"]);
    known_only_to("sea_orm", &["store"]);
    known_only_to("jsonwebtoken", &["auth"]);
    known_only_to("clap", &["cli", "app"]);
    known_only_to("indicatif", &["cli"]);
    // Stripe is asked for bills, the identity provider for its keys; nobody else calls another server.
    known_only_to("reqwest", &["stripe", "auth"]);
    known_only_to("aws_lc_rs", &["domain"]);
    known_only_to("crc", &["domain"]);
    known_only_to("hmac", &["stripe"]);
    known_only_to("prometheus_client", &["stats"]);
}

#[test]
fn nothing_is_changed_at_stripe() {
    for (_, path, text) in layers().into_iter().filter(|(layer, ..)| layer == "stripe") {
        for writing in [".post(", ".put(", ".patch(", ".delete(", ".request(", "Method::"] {
            assert!(!text.contains(writing), "{} has {writing}", path.display());
        }
    }
}

#[test]
fn secrets_are_drawn_in_one_place_and_the_identity_provider_is_called_in_one() {
    let naming = |what: &str| {
        let files = layers().into_iter().filter(|(_, _, text)| text.contains(what));
        files.map(|(_, path, _)| path.strip_prefix(source()).unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(naming("aws_lc_rs::"), [Path::new("domain/secret.rs")]);
    let outside_stripe: Vec<_> = naming("reqwest::").into_iter().filter(|path| !path.starts_with("stripe")).collect();
    assert!(outside_stripe.iter().all(|path| path.starts_with("auth/jwks")), "{outside_stripe:?}");
    let callers = naming("Client::builder()");
    let known = [Path::new("stripe/call.rs"), Path::new("auth/jwks/fetch.rs")];
    assert!(callers.iter().all(|path| known.contains(&path.as_path())), "{callers:?}");
}

#[test]
fn one_file_names_the_dataloader_crate() {
    let naming: Vec<_> = layers().into_iter().filter(|(_, _, text)| text.contains("dataloader::")).collect();
    let paths: Vec<_> = naming.iter().map(|(_, path, _)| path.strip_prefix(source()).unwrap()).collect();
    assert_eq!(paths, [Path::new("loaders/batch.rs")]);
}

#[test]
fn one_provider_of_cryptography_is_in_the_tree() {
    let lock = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock")).unwrap();
    let tree = std::process::Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--edges", "normal", "--prefix", "none"])
        .output()
        .unwrap();
    let tree = String::from_utf8(tree.stdout).unwrap();
    assert!(lock.contains("name = \"aws-lc-rs\"") && tree.contains("aws-lc-rs v"));
    assert!(!tree.lines().any(|line| line.starts_with("ring v")), "ring is in the tree: cargo tree -i ring");
}

#[test]
fn nothing_is_read_of_a_token_without_its_signature() {
    for (_, path, text) in layers() {
        assert!(!text.contains("insecure_decode") && !text.contains("jsonwebtoken::dangerous"), "{}", path.display());
    }
    let lints = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(".clippy.toml")).unwrap();
    for name in ["insecure_decode", "insecure_decode_claims"] {
        assert!(lints.contains(&format!("\"jsonwebtoken::dangerous::{name}\"")), "{name} is allowed");
    }
}

#[test]
fn only_the_app_takes_the_right_to_see_every_tenant() {
    for (layer, path, text) in layers() {
        let takes = text.contains("System::operator()");
        assert!(!takes || layer == "app", "{} takes the operator's right", path.display());
    }
}

/// Functions that write whole rows: each row names its tenant, which is part of its key and of everything it refers to.
const OF_WHOLE_ROWS: [(&str, &str); 13] = [
    ("bill", "insert"),
    ("bill", "insert_all"),
    ("bill", "replace"),
    ("bill", "insert_tenants"),
    ("bill", "write_customers"),
    ("bill", "insert_subscriptions"),
    ("bill", "insert_payment_methods"),
    ("bill", "insert_rentals"),
    ("bill", "insert_events"),
    ("invoice", "save"),
    ("payment", "save_all"),
    ("source_document", "keep"),
    ("upstream_invoice", "save"),
];

/// Files of `store` that are about no rows.
const OF_NO_ROWS: [&str; 2] = ["migrate", "engine"];

/// The functions of a text: its name, and everything from its first parameter to the next function.
fn functions(text: &str) -> Vec<(&str, &str)> {
    let starts: Vec<_> = text
        .match_indices("fn ")
        .filter(|(at, _)| {
            let line = text[..*at].rsplit('\n').next().unwrap_or_default();
            line.split_whitespace().all(|word| word.starts_with("pub") || ["async", "const"].contains(&word))
        })
        .map(|(at, _)| at + "fn ".len())
        .collect();
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    starts.iter().zip(ends).filter_map(|(start, end)| text[*start..end].split_once('(')).collect()
}

/// The files of `store` by name, with their text up to the tests.
fn store() -> Vec<(String, String)> {
    let files = layers().into_iter().filter(|(layer, ..)| layer == "store");
    let named = files.map(|(_, path, text)| {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        (name, text.split("#[cfg(test)]").next().unwrap_or_default().to_owned())
    });
    named.filter(|(name, _)| !OF_NO_ROWS.contains(&name.as_str())).collect()
}

fn is_public(text: &str, name: &str) -> bool {
    ["(", "<"].iter().any(|next| text.contains(&format!("pub async fn {name}{next}")))
}

#[test]
fn every_function_of_the_store_on_rows_says_first_whose() {
    let mut whole_rows = BTreeSet::new();
    for (file, text) in store() {
        for (name, rest) in functions(&text) {
            let name = name.split('<').next().unwrap_or_default();
            let asks = rest.contains("ConnectionTrait") || rest.contains("&Tx");
            let parameters = rest.split(')').next().unwrap_or_default();
            let database = ["db: ", "tx: ", "connection: "].iter().any(|named| parameters.contains(named));
            if !asks || !database || !is_public(&text, name) {
                continue;
            }
            let first = parameters.trim_start().trim_start_matches('_');
            if !first.starts_with("tenant: &Tenant") && !first.starts_with("system: &System") {
                whole_rows.insert((file.clone(), name.to_owned()));
            }
        }
    }
    let known: BTreeSet<_> =
        OF_WHOLE_ROWS.iter().map(|(file, name)| ((*file).to_owned(), (*name).to_owned())).collect();
    assert_eq!(whole_rows, known);
}

#[test]
fn nothing_in_the_store_is_found_changed_or_deleted_without_a_word_on_whose_it_is() {
    let reaching = ["::find()", "::find_by_id(", "::update_many()", "::delete_many()", "::delete("];
    let mut found = 0;
    for (file, text) in store() {
        for (name, rest) in functions(&text) {
            if reaching.iter().any(|way| rest.contains(way)) {
                found += 1;
                assert!(rest.contains("tenant") || rest.contains("system"), "store/{file}.rs: {name}");
            }
        }
    }
    assert!(found > 30, "{found}");
}
