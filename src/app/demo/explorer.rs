//! What the explorer is told: tokens to choose from, and examples with values for their variables.

use chrono::Months;
use serde_json::{Map, Value, json};

use super::Demo;
use crate::app::AppError;
use crate::demo::Books;

/// The example that explorers open with.
const FIRST_EXAMPLE: &str = "reference.graphql";

/// The invoice that examples ask for: it has lines, a rental, several payments and every link, and since it is paid
/// there is no pay link to miss.
const EXAMPLE_INVOICE: &str = "written-off-then-paid";

/// The invoice whose rental the examples ask for: one of the customer who has a token.
const EXAMPLE_RENTAL: &str = "overage-week";

/// The kinds of user that examples are grouped by.
const GROUPS: [&str; 4] = ["customer", "merchant", "partner", "operator"];

/// The group of examples that are for all of them.
const FOR_EVERYONE: &str = "everyone";

/// The GraphQL documents that README, explorer and tests share.
#[derive(rust_embed::Embed)]
#[folder = "$CARGO_MANIFEST_DIR/examples"]
#[allow_missing = true]
struct Examples;

impl Demo {
    /// What the explorer is told: tokens to choose from and examples with their variables.
    pub fn explorer_config(&self, endpoint: &str) -> Value {
        let tokens: Vec<Value> = self
            .tokens
            .iter()
            .map(|token| json!({"name": token.name, "token": token.token, "description": token.description}))
            .collect();
        let documents = Examples::iter().filter(|file| file.ends_with(".graphql"));
        let mut files: Vec<String> = documents.map(String::from).collect();
        files.sort_by_key(|file| (file != FIRST_EXAMPLE, file.clone()));
        let examples: Vec<Value> = files.iter().filter_map(|file| self.example(file)).collect();
        json!({"endpoint": endpoint, "demo": true, "tokens": tokens, "examples": examples})
    }

    fn example(&self, file: &str) -> Option<Value> {
        let text = Examples::get(file)?;
        let query = std::str::from_utf8(&text.data).ok()?.trim();
        let declared = |name: &str| query.contains(&format!("${name}:"));
        let variables: Map<String, Value> = self
            .variables
            .iter()
            .filter(|(name, _)| declared(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        Some(json!({"name": title(file), "group": group(file, query), "query": query, "variables": variables}))
    }
}

/// What the explorer of a server is told that is no demo: paste a token.
pub fn plain_explorer_config(endpoint: &str) -> Value {
    json!({"endpoint": endpoint, "demo": false, "tokens": [], "examples": []})
}

/// What the examples ask for: one invoice with everything around it, and the month that it was made in.
pub(super) fn variables(cast: &Books) -> Result<Map<String, Value>, AppError> {
    let entry = cast.invoices.iter().find(|entry| entry.character == Some(EXAMPLE_INVOICE));
    let bill = entry.map(|entry| &entry.bill);
    let bill = bill.ok_or_else(|| AppError::Demo(format!("it has no invoice {EXAMPLE_INVOICE}")))?;
    let invoice = &bill.invoice;
    let customer = cast.customers.iter().find(|row| row.id == invoice.customer_id);
    let rental = cast.invoices.iter().find(|entry| entry.character == Some(EXAMPLE_RENTAL));
    let rental = rental.and_then(|entry| entry.bill.invoice.rental_id.as_ref());
    let month = invoice.created_at.utc().format("%Y-%m-01T00:00:00Z").to_string();
    let next_month = invoice.created_at.utc().checked_add_months(Months::new(1));
    let variables = [
        ("id", json!(invoice.id)),
        ("number", json!(invoice.number)),
        ("stripeInvoiceId", json!(bill.upstream.as_ref().and_then(|mirror| mirror.stripe_invoice_id.as_ref()))),
        ("customer", json!(customer.map(|row| &row.name))),
        ("rental", json!(rental)),
        ("from", json!(month)),
        ("until", json!(next_month.map(|at| at.format("%Y-%m-01T00:00:00Z").to_string()))),
    ];
    Ok(variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// The name of an example, from that of its file: `rental-bills.graphql` is "Rental bills".
fn title(file: &str) -> String {
    let words = file.trim_end_matches(".graphql").replace('-', " ");
    let mut letters = words.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).collect()
}

/// Whose question an example is: the kind of user its file's name begins with, else the one its first line tells of.
fn group(file: &str, query: &str) -> &'static str {
    let told = query.lines().next().unwrap_or_default();
    let named = GROUPS.into_iter().find(|kind| file.starts_with(kind));
    named.or_else(|| GROUPS.into_iter().find(|kind| told.contains(kind))).unwrap_or(FOR_EVERYONE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo;

    #[test]
    fn the_examples_come_with_values_for_the_variables_they_declare() {
        let demo = Demo {
            plan: demo::Plan::of(0),
            tokens: Vec::new(),
            cookie: String::new(),
            characters: Vec::new(),
            imported: Vec::new(),
            variables: variables(&demo::cast()).unwrap(),
        };
        let config = demo.explorer_config("/graphql");
        let examples = config["examples"].as_array().unwrap();
        assert_eq!(examples[0]["name"], "Reference");
        assert!(examples[0]["variables"]["id"].as_str().unwrap().starts_with("inv_"));
        for example in examples {
            let query = example["query"].as_str().unwrap();
            let required = query.match_indices('$').filter_map(|(at, _)| {
                let (name, behind) = query[at + 1..].split_once(':')?;
                let kind = behind.split([',', ')', '\n']).next()?;
                (name.chars().all(char::is_alphanumeric) && kind.trim().ends_with('!')).then_some(name)
            });
            for name in required {
                assert!(!example["variables"][name].is_null(), "{}: ${name}", example["name"]);
            }
        }
        for kind in GROUPS.into_iter().chain([FOR_EVERYONE]) {
            assert!(examples.iter().any(|example| example["group"] == kind), "{kind}");
        }
    }

    #[test]
    fn an_example_is_grouped_by_its_name_else_by_its_first_line() {
        assert_eq!(group("partner-export.graphql", "# What a customer owes."), "partner");
        assert_eq!(group("rental-bills.graphql", "# A customer looks at a machine.\n# A merchant"), "customer");
        assert_eq!(group("reference.graphql", "{ viewer }"), "everyone");
    }
}
