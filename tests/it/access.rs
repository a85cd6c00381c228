//! What each scope opens: the one table of access, held against the schema and against what is answered.

use billing_gateway::store::Whose;
use std::collections::{BTreeMap, BTreeSet};

use billing_gateway::domain::viewer::{PrincipalKind, Scope, ScopeSet, Viewer};
use billing_gateway::graphql::access::{NODES, TABLE, TypeAccess};
use entity::InvoiceStatus;
use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::database::{Engine, for_each_engine};
use crate::support::full::{Full, full, plant, tenant};
use crate::support::gateway::{Answer, Gateway, viewer};

/// Scoped fields of objects that cannot be held without the very scope of the field: refused one step above.
const REFUSED_ABOVE: [(&str, &str); 1] = [("LineItem", "invoice")];

/// Scoped fields that fail for another reason, even for those who may ask.
const FAILING: [(&str, &str, &str); 1] = [("Invoice", "payUrl", "UPSTREAM_UNAVAILABLE")];

// ---- The table and the schema -----------------------------------------------------------------------------------

#[tokio::test]
async fn every_field_stands_in_exactly_one_column_of_the_table() {
    let api = Api::read().await;
    let schema: BTreeSet<_> = api
        .objects()
        .flat_map(|(name, fields)| fields.iter().map(move |field| (name.to_owned(), field.name.clone())))
        .collect();
    let rows: Vec<_> =
        TABLE.iter().flat_map(|row| columns(row).map(|field| (row.name.to_owned(), field.to_owned()))).collect();
    let listed: BTreeSet<_> = rows.iter().cloned().collect();
    assert_eq!(listed.len(), rows.len(), "a field is listed twice");
    let unlisted: Vec<_> = schema.difference(&listed).collect();
    assert!(unlisted.is_empty(), "in neither column: {unlisted:?}");
    let unknown: Vec<_> = listed.difference(&schema).collect();
    assert!(unknown.is_empty(), "no such field: {unknown:?}");
}

fn columns(row: &'static TypeAccess) -> impl Iterator<Item = &'static str> {
    let scoped = row.scoped.iter().map(|(field, _)| *field);
    row.open.iter().copied().chain(scoped)
}

#[tokio::test]
async fn every_scoped_field_may_be_null() {
    let api = Api::read().await;
    for (type_name, field, _) in scoped() {
        assert!(!api.field(type_name, field).of.is_required(), "{type_name}.{field}");
    }
    for field in ["node", "nodes"] {
        // The list itself is there; each of its places may be null.
        assert_eq!(api.field("Query", field).of.named(), "Node");
    }
}

#[tokio::test]
async fn every_node_has_a_scope_and_every_scope_of_a_node_a_type() {
    let api = Api::read().await;
    let with_id = api.objects().filter(|(_, fields)| {
        fields.iter().any(|field| field.name == "id" && field.of.is_required() && field.of.named() == "ID")
    });
    let with_id: BTreeSet<_> = with_id.map(|(name, _)| name.to_owned()).collect();
    let listed: BTreeSet<_> = NODES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(with_id, listed);
}

#[tokio::test]
async fn everything_that_a_client_sees_is_described() {
    let api = Api::read().await;
    let mut undescribed = Vec::new();
    let mut note = |place: String, description: Option<&String>| {
        if description.is_none_or(|text| text.trim().is_empty()) {
            undescribed.push(place);
        }
    };
    for (name, one) in &api.types {
        note(name.clone(), one.description.as_ref());
        for field in one.fields.iter().flatten() {
            note(format!("{name}.{}", field.name), field.description.as_ref());
            for argument in &field.args {
                let place = format!("{name}.{}({})", field.name, argument.name);
                note(place, argument.description.as_ref());
            }
        }
        for input in one.input_fields.iter().flatten() {
            note(format!("{name}.{}", input.name), input.description.as_ref());
        }
        for word in one.enum_values.iter().flatten() {
            note(format!("{name}.{}", word.name), word.description.as_ref());
        }
    }
    // What the specification itself defines.
    undescribed.retain(|place| !["Boolean", "Float", "ID", "Int", "String"].contains(&place.as_str()));
    assert!(undescribed.is_empty(), "{undescribed:#?}");
}

#[tokio::test]
async fn money_is_never_an_int_or_a_float() {
    let api = Api::read().await;
    let words = ["amount", "total", "price", "balance", "subtotal", "charge", "fee", "credit", "unitsminor"];
    let counts = ["totalCount"];
    for (name, one) in &api.types {
        let fields = one.fields.iter().flatten().map(|field| (&field.name, field.of.named()));
        let inputs = one.input_fields.iter().flatten().map(|input| (&input.name, input.of.named()));
        for (field, of) in fields.chain(inputs) {
            assert_ne!(of, "Float", "{name}.{field}");
            let spelled = field.to_lowercase();
            let is_money = words.iter().any(|word| spelled.contains(word)) && !counts.contains(&field.as_str());
            assert!(!(is_money && of == "Int"), "{name}.{field}");
        }
    }
}

// ---- Every scoped field, with its scope and without ----------------------------------------------------------------

fn scoped() -> impl Iterator<Item = (&'static str, &'static str, Scope)> {
    TABLE.iter().flat_map(|row| row.scoped.iter().map(|(field, scope)| (row.name, *field, *scope)))
}

/// The way from the root to an object: root fields and edges around it, and where it is in the data.
struct Road {
    before: String,
    place: &'static [&'static str],
}

fn road(type_name: &str, world: &Full) -> Road {
    let (before, place): (String, &[&str]) = match type_name {
        "Query" => (String::new(), &[]),
        "Viewer" => ("viewer".to_owned(), &["viewer"]),
        "Invoice" => (format!("invoice(id: \"{}\")", world.invoice), &["invoice"]),
        "LineItem" => (format!("node(id: \"{}\") {{ ... on LineItem", world.line), &["node"]),
        "Payment" => (format!("payment(id: \"{}\")", world.payment), &["payment"]),
        "PaymentNextAction" => {
            (format!("payment(id: \"{}\") {{ nextAction", world.payment), &["payment", "nextAction"])
        }
        "Rental" => (format!("rental(id: \"{}\")", world.rental), &["rental"]),
        "Customer" => (format!("customer(id: \"{}\")", world.customer), &["customer"]),
        "CustomerSnapshot" => {
            (format!("invoice(id: \"{}\") {{ customerSnapshot", world.invoice), &["invoice", "customerSnapshot"])
        }
        "Session" => (format!("node(id: \"{}\") {{ ... on Session", world.session), &["node"]),
        "UpstreamInvoice" => (format!("invoice(id: \"{}\") {{ upstream", world.invoice), &["invoice", "upstream"]),
        other => panic!("{other} has scoped fields: say here how to get to an object of it"),
    };
    Road { before, place }
}

impl Road {
    fn query(&self, selection: &str) -> String {
        let open = self.before.matches('{').count();
        if self.before.is_empty() {
            return selection.to_owned();
        }
        format!("{{ {} {selection}{} }}", self.before, " }".repeat(open))
    }

    fn pointer(&self) -> String {
        [&[""], self.place].concat().join("/")
    }

    fn path_to(&self, field: &str) -> Value {
        json!([self.place, &[field]].concat())
    }
}

/// The arguments that a field of the root needs.
fn arguments(type_name: &str, field: &str, world: &Full) -> String {
    let id = match (type_name, field) {
        ("Query", "invoice") => &world.invoice.0,
        ("Query", "rental") => &world.rental.0,
        ("Query", "customer") => &world.customer.0,
        ("Query", "payment") => &world.payment.0,
        ("Query", "invoiceByNumber") => return format!("(number: \"N-{}\", system: GPU_OUTLET)", world.name),
        ("Query", "invoiceByExternalId") => return format!("(externalId: \"{}\", system: GPU_OUTLET)", world.name),
        _ => return String::new(),
    };
    format!("(id: \"{id}\")")
}

/// A field and its siblings: all of the object's that do not need the scope of the field.
fn selection(api: &Api, world: &Full, row: &TypeAccess, field: &str, scope: Scope) -> String {
    let others = row.scoped.iter().filter(|(_, other)| *other != scope);
    let others = others.map(|(name, _)| *name).filter(|name| *name != "payUrl");
    // Two need ids, and one tells the scopes themselves.
    let apart = ["node", "nodes", "scopes"];
    let open = row.open.iter().copied().filter(|name| !apart.contains(name));
    let names = open.chain(others).chain([field]);
    let selected: Vec<_> = names.map(|name| api.one(row.name, name, &arguments(row.name, name, world))).collect();
    format!("{{ {} }}", selected.join(" "))
}

fn all_but(scope: Option<Scope>) -> ScopeSet {
    Scope::ALL.into_iter().filter(|one| Some(*one) != scope).collect()
}

/// A customer who asks for what is its own; the same as anyone else, but that it has a customer of its own.
fn own_customer(world: &Full, scopes: ScopeSet) -> Viewer {
    viewer(PrincipalKind::Customer, &world.tenant, scopes, Some(vec![world.customer.clone()]))
}

async fn world(engine: Engine) -> (Gateway, Full) {
    let gateway = Gateway::new(engine).await;
    let tenant = tenant(&gateway.store, "acme").await;
    let world = full(&gateway.store, &tenant, "one", InvoiceStatus::Open).await;
    let tx = gateway.store.begin(Whose::Everyones).await.unwrap();
    plant(&tx, &tenant, "text").await;
    // The keys by which the root finds an invoice stay as they were.
    let keys = format!(
        "UPDATE invoices SET number = 'N-{name}', external_id = '{name}' WHERE id = '{}'",
        world.invoice,
        name = world.name
    );
    sea_orm::ConnectionTrait::execute_unprepared(&tx, &keys).await.unwrap();
    tx.commit().await.unwrap();
    (gateway, world)
}

#[tokio::test]
async fn every_scoped_field_answers_with_its_scope_and_is_refused_alone_without_it() {
    let api = Api::read().await;
    for_each_engine(async |engine| {
        let (gateway, world) = world(engine).await;
        // Mutations have inputs, and tests of their own.
        for row in TABLE.iter().filter(|row| row.name != "Mutation") {
            for (field, scope) in row.scoped {
                let road = road(row.name, &world);
                let query = road.query(&selection(&api, &world, row, field, *scope));
                let full = gateway.ask(&own_customer(&world, all_but(None)), &query, json!({})).await;
                answers(&full, &road, row.name, field);
                let refused = gateway.ask(&own_customer(&world, all_but(Some(*scope))), &query, json!({})).await;
                is_refused_alone(full, &refused, &road, (row.name, field), *scope);
            }
        }
    })
    .await;
}

/// With every scope the field has a value, or the failure that it has for everybody.
fn answers(full: &Answer, road: &Road, type_name: &str, field: &str) {
    let failing = FAILING.iter().find(|(of, name, _)| (*of, *name) == (type_name, field));
    let expected: Vec<_> = failing.iter().map(|(_, _, code)| *code).collect();
    assert_eq!(full.codes(), expected, "{type_name}.{field}: {:?}", full.errors);
    let object = full.data.pointer(&road.pointer()).expect("an object");
    let has_value = !object[field].is_null();
    assert_eq!(has_value, failing.is_none(), "{type_name}.{field} of {object}");
}

fn is_refused_alone(full: Answer, refused: &Answer, road: &Road, place: (&str, &str), scope: Scope) {
    let (type_name, field) = place;
    assert_eq!(refused.codes(), ["FORBIDDEN"], "{type_name}.{field}: {:?}", refused.errors);
    let error = &refused.errors[0];
    assert_eq!(error["extensions"]["requiredScope"], scope.name(), "{type_name}.{field}");
    if REFUSED_ABOVE.contains(&place) {
        assert_eq!(error["path"], json!(road.place), "{type_name}.{field}");
        return;
    }
    assert_eq!(error["path"], road.path_to(field), "{type_name}.{field}");
    let mut expected = full.data;
    expected.pointer_mut(&road.pointer()).expect("an object")[field] = Value::Null;
    assert_eq!(refused.data, expected, "{type_name}.{field}: siblings differ");
}

#[tokio::test]
async fn a_node_needs_the_scope_of_its_type_and_no_other() {
    for_each_engine(async |engine| {
        let (gateway, world) = world(engine).await;
        let ids: BTreeMap<_, _> = world.nodes().into_iter().collect();
        let query = "query Q($id: ID!) { node(id: $id) { __typename id } nodes(ids: [$id]) { __typename id } }";
        for (type_name, scope) in NODES {
            let id = ids.get(type_name).unwrap_or_else(|| panic!("no id of a {type_name}"));
            let only = [*scope].into_iter().collect();
            let node = json!({ "__typename": type_name, "id": id });
            let data = gateway.ask(&own_customer(&world, only), query, json!({ "id": id })).await.ok();
            assert_eq!(data, json!({ "node": node, "nodes": [node] }));

            let without = own_customer(&world, all_but(Some(*scope)));
            let refused = gateway.ask(&without, query, json!({ "id": id })).await;
            assert_eq!(refused.data, json!({ "node": null, "nodes": [null] }), "{type_name}");
            let told: BTreeSet<_> = refused
                .errors
                .iter()
                .map(|error| (error["path"].to_string(), error["extensions"].to_string()))
                .collect();
            let extensions = json!({ "code": "FORBIDDEN", "requiredScope": scope.name() }).to_string();
            let paths = ["[\"node\"]", "[\"nodes\",0]"];
            assert_eq!(told, paths.map(|path| (path.to_owned(), extensions.clone())).into());
        }
    })
    .await;
}

#[tokio::test]
async fn who_may_not_read_addresses_may_not_search_by_them() {
    for_each_engine(async |engine| {
        let (gateway, world) = world(engine).await;
        let query = "query Q($email: String!) { viewer { kind } customers(filter: { email: $email }) { totalCount } }";
        let without = viewer(PrincipalKind::Partner, &world.tenant, all_but(Some(Scope::CustomersPiiRead)), None);
        let there = gateway.ask(&without, query, json!({ "email": format!("text {}", world.customer) })).await;
        let absent = gateway.ask(&without, query, json!({ "email": "nobody@example.com" })).await;
        assert_eq!(there.codes(), ["FORBIDDEN"]);
        assert_eq!(there.errors[0]["extensions"]["requiredScope"], "customers.pii:read");
        assert_eq!((there.data, there.errors), (absent.data, absent.errors));
    })
    .await;
}

#[tokio::test]
async fn a_credential_without_scopes_learns_only_who_it_is() {
    let (gateway, world) = world(Engine::Sqlite).await;
    let nobody = viewer(PrincipalKind::Partner, &world.tenant, ScopeSet::default(), None);
    let answer = gateway.ask(&nobody, "{ viewer { kind scopes tenantId } }", json!({})).await;
    assert_eq!(answer.statements, 0);
    assert_eq!(answer.ok()["viewer"]["scopes"], json!([]));
}
