//! What each field costs: the one table, which the document gate is handed at the start.
//!
//! A field follows from what it gives: a leaf or a value that is part of its row costs nothing, a row costs 1, a page
//! of rows as many times that as it asks for, a link 5, a mutation 10. [`FIELDS`] lists those that are otherwise. Every
//! object type stands in [`ROWS`] or in [`VALUES`]; a new one in neither fails a test. Introspection is in no schema, so
//! [`INTROSPECTION`] has all of its fields that lead on.

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{BaseType, FieldDefinition, TypeDefinition, TypeKind, TypeSystemDefinition};

use super::Schema;
use super::connection::{PAGE_DEFAULT, PAGE_MAX};
use super::query::NODES_MAX;
use crate::gate::{CostTable, Rule, Times};

/// Types whose objects are read for themselves: asking for one costs 1.
pub const ROWS: &[&str] = &[
    "Node",
    "Invoice",
    "LineItem",
    "SubLine",
    "InvoiceTax",
    "Discount",
    "InvoiceChange",
    "InvoiceEvent",
    "Payment",
    "PaymentMethod",
    "Rental",
    "Customer",
    "CustomerSnapshot",
    "BillingSubscription",
    "Product",
    "Price",
    "UpstreamInvoice",
    "SourceDocument",
    "ApiKey",
    "Session",
    "AuditEntry",
];

/// Types whose objects come with what they are part of, and cost nothing: values, and the frames of pages and answers.
pub const VALUES: &[&str] = &[
    "Address",
    "ApiKeyConnection",
    "ApiKeyEdge",
    "AuditEntryEdge",
    "AuditLogConnection",
    "CurrencyTotals",
    "CustomerConnection",
    "CustomerEdge",
    "DriftIssue",
    "ExternalAttribute",
    "FinalizationError",
    "Integrity",
    "IntegrityIssue",
    "InvoiceBalance",
    "InvoiceConnection",
    "InvoiceEdge",
    "InvoiceOrigin",
    "IssueApiKeyPayload",
    "IssueSessionPayload",
    "LineOrigin",
    "LinePricing",
    "MetadataEntry",
    "Money",
    "OrderRef",
    "PageInfo",
    "PaymentFailure",
    "RateLimit",
    "PaymentIntentRef",
    "PaymentMethodSnapshot",
    "PaymentNextAction",
    "PaymentProviderRef",
    "PaymentReference",
    "Period",
    "RefreshPayUrlPayload",
    "RentalConnection",
    "RentalConnectionInfo",
    "RentalEdge",
    "RevokeApiKeyPayload",
    "RevokeSessionPayload",
    "RevokeTokenPayload",
    "RotateApiKeyPayload",
    "SessionConnection",
    "SessionEdge",
    "SyncInvoicePayload",
    "TaxConfig",
    "UserError",
    "Viewer",
];

/// A row.
const ROW: u64 = 1;

/// A link: it may mean a call to Stripe.
const LINK: u64 = 5;

/// The pay link, which always means one.
const PAY_LINK: u64 = 10;

/// A mutation, beside what is selected of its answer.
const MUTATION: u64 = 10;

/// The page of a connection, whatever is selected of it: its rows are read in any case.
const PAGE: Times = Times::Counted { arguments: &["first", "last"], default: PAGE_DEFAULT, max: PAGE_MAX };

/// Fields that do not follow from what they give, by type and name.
pub const FIELDS: &[(&str, &str, u64, Times)] = &[
    // Plain lists by how long they usually are, or by what is asked for where that is less.
    ("Invoice", "lineItems", ROW, Times::Counted { arguments: &["first"], default: 10, max: 10 }),
    ("LineItem", "subLines", ROW, Times::Fixed(2)),
    ("Invoice", "payments", ROW, Times::Counted { arguments: &["first"], default: 2, max: 2 }),
    ("Invoice", "payUrl", PAY_LINK, Times::Fixed(1)),
    // A list, but of invoices, and as long as it is asked to be.
    ("Rental", "invoices", ROW, Times::Counted { arguments: &["first"], default: PAGE_DEFAULT, max: PAGE_MAX }),
    ("Query", "nodes", ROW, Times::Listed { argument: "ids", max: NODES_MAX as u64 }),
];

/// One object of the schema.
const SCHEMA_OBJECT: u64 = 1;

/// The types of the schema and the fields of a type, as introspection counts them. Both are so many that the standard
/// query of graphql-js costs 311 points, which is what it takes beside the reference query: decision 0022.
const TYPES: u64 = 20;
const FIELDS_OF_A_TYPE: u64 = 5;

/// Directives of the schema.
const DIRECTIVES: u64 = 5;

/// Fields of introspection, by type and name: price, number, and the type that they give.
pub const INTROSPECTION: &[(&str, &str, u64, u64, &str)] = &[
    ("Query", "__schema", SCHEMA_OBJECT, 1, "__Schema"),
    ("Query", "__type", SCHEMA_OBJECT, 1, "__Type"),
    ("__Schema", "types", SCHEMA_OBJECT, TYPES, "__Type"),
    ("__Schema", "directives", SCHEMA_OBJECT, DIRECTIVES, "__Directive"),
    ("__Schema", "queryType", 0, 1, "__Type"),
    ("__Schema", "mutationType", 0, 1, "__Type"),
    ("__Schema", "subscriptionType", 0, 1, "__Type"),
    ("__Type", "fields", SCHEMA_OBJECT, FIELDS_OF_A_TYPE, "__Field"),
    ("__Type", "inputFields", SCHEMA_OBJECT, 1, "__InputValue"),
    ("__Type", "enumValues", SCHEMA_OBJECT, 1, "__EnumValue"),
    ("__Type", "interfaces", SCHEMA_OBJECT, 1, "__Type"),
    ("__Type", "possibleTypes", SCHEMA_OBJECT, 1, "__Type"),
    ("__Type", "ofType", 0, 1, "__Type"),
    ("__Field", "args", SCHEMA_OBJECT, 1, "__InputValue"),
    ("__Field", "type", 0, 1, "__Type"),
    ("__Directive", "args", SCHEMA_OBJECT, 1, "__InputValue"),
    ("__InputValue", "type", 0, 1, "__Type"),
];

/// The table of `schema`.
///
/// # Errors
/// The one of the parser when the schema cannot be read back, which a test excludes.
pub fn table(schema: &Schema) -> Result<CostTable, async_graphql::parser::Error> {
    let mut table = CostTable::new("Query", "Mutation", "Subscription");
    for definition in parse_schema(schema.sdl())?.definitions {
        if let TypeSystemDefinition::Type(definition) = definition {
            add(&mut table, &definition.node);
        }
    }
    for (type_name, field, own, times, gives) in INTROSPECTION {
        let rule = Rule { own: *own, times: Times::Fixed(*times), gives: (*gives).to_owned() };
        table.insert(type_name, field, rule);
    }
    Ok(table)
}

fn add(table: &mut CostTable, definition: &TypeDefinition) {
    let fields = match &definition.kind {
        TypeKind::Object(object) => &object.fields,
        TypeKind::Interface(interface) => &interface.fields,
        _ => return,
    };
    let type_name = definition.name.node.as_str();
    for field in fields {
        let name = field.node.name.node.as_str();
        table.insert(type_name, name, rule(type_name, name, named(&field.node)));
    }
}

/// What a field gives, lists and non-nulls left out.
fn named(field: &FieldDefinition) -> &str {
    let mut of = &field.ty.node.base;
    loop {
        match of {
            BaseType::Named(name) => return name.as_str(),
            BaseType::List(inner) => of = &inner.base,
        }
    }
}

fn rule(type_name: &str, field: &str, gives: &str) -> Rule {
    let (own, times) = price(type_name, field, gives);
    Rule { own, times, gives: gives.to_owned() }
}

fn price(type_name: &str, field: &str, gives: &str) -> (u64, Times) {
    let listed = FIELDS.iter().find(|(of, name, ..)| (*of, *name) == (type_name, field));
    if let Some((_, _, own, times)) = listed {
        return (*own, *times);
    }
    let is_frame = |name: &str| name.ends_with("Connection") && VALUES.contains(&name);
    let in_page = is_frame(type_name) || (type_name.ends_with("Edge") && VALUES.contains(&type_name));
    match gives {
        _ if type_name == "Mutation" => (MUTATION, Times::Fixed(1)),
        "URL" => (LINK, Times::Fixed(1)),
        page if is_frame(page) => (ROW, PAGE),
        // The page has counted its rows.
        _ if in_page => (0, Times::Fixed(1)),
        row if ROWS.contains(&row) => (ROW, Times::Fixed(1)),
        _ => (0, Times::Fixed(1)),
    }
}
