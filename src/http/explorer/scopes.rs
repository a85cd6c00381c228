//! The page about scopes: what each opens, under an anchor of its name. The explorer leads here when one is missing.

use std::fmt::Write;
use std::sync::LazyLock;

use crate::domain::viewer::Scope;
use crate::graphql::access::TABLE;

/// Where the list stands in the page.
const LIST: &str = "<!-- scopes -->";

/// The page. Made of the table that access is decided by, so that it cannot say anything else.
pub(super) static PAGE: LazyLock<String> = LazyLock::new(|| {
    let sections: String = Scope::ALL.into_iter().map(section).collect();
    include_str!("scopes.html").replace(LIST, &sections)
});

/// A scope and the fields that it opens, by type. Names of scopes, types and fields need no escaping.
fn section(scope: Scope) -> String {
    let name = scope.name();
    let mut text = format!("<section id=\"{name}\">\n<h2><a href=\"#{name}\">{name}</a></h2>\n");
    let mut opens_nothing = true;
    for row in TABLE {
        let fields: Vec<_> =
            row.scoped.iter().filter(|(_, needed)| *needed == scope).map(|(field, _)| *field).collect();
        if !fields.is_empty() {
            opens_nothing = false;
            // Writing to a string does not fail.
            let _written = writeln!(text, "<p><b>{}</b>: {}</p>", row.name, fields.join(", "));
        }
    }
    if opens_nothing {
        text.push_str("<p>No field in this version.</p>\n");
    }
    text + "</section>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scope_has_an_anchor_and_its_fields() {
        for scope in Scope::ALL {
            assert!(PAGE.contains(&format!("<section id=\"{}\">", scope.name())), "{}", scope.name());
        }
        assert!(PAGE.contains("<b>Invoice</b>: payments, paymentCount, paymentIntent"), "{}", *PAGE);
        assert!(!PAGE.contains(LIST));
    }
}
