//! What is not the caller's does not exist: another tenant's, another customer's and hidden things are asked for by
//! everything that can name them, and answer to the byte as if they were not there.

mod everything;
mod row_security;
mod webhooks;

use billing_gateway::domain::viewer::{PrincipalKind, Scope, ScopeSet, Viewer};
use billing_gateway::store::Whose;
use entity::{InvoiceStatus, TenantId};
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::database::{Engine, for_each_engine};
use crate::support::full::{Full, full, plant, tenant};
use crate::support::gateway::{Gateway, merchant, viewer};

/// What every text of the foreign tenant contains. No id has small letters or such a mark.
const CANARY: &str = "Zq9!";

/// Everything that can name a thing from outside: ids, and what it is called.
struct Keys {
    ids: Full,
    number: String,
    external_id: String,
    stripe_id: String,
    customer_external_id: String,
    text: String,
    email: String,
}

impl Keys {
    /// The keys of what was written without being changed.
    fn plain(ids: Full) -> Self {
        let name = ids.name.clone();
        Self {
            number: format!("N-{name}"),
            external_id: name.clone(),
            stripe_id: format!("in_{}", ids.invoice),
            customer_external_id: name.clone(),
            text: name.clone(),
            email: format!("{name}@example.com"),
            ids,
        }
    }

    /// The keys of what a word was planted in.
    fn planted(ids: Full, word: &str) -> Self {
        let of_invoice = format!("{word} {}", ids.invoice);
        let of_customer = format!("{word} {}", ids.customer);
        Self {
            number: of_invoice.clone(),
            external_id: of_invoice.clone(),
            stripe_id: of_invoice,
            customer_external_id: of_customer.clone(),
            text: of_customer.clone(),
            email: of_customer,
            ids,
        }
    }
}

/// A query that names one thing, and the variables that do.
struct Probe {
    what: String,
    query: String,
    variables: Value,
}

impl Probe {
    fn new(what: &str, query: String, variables: Value) -> Self {
        Self { what: what.to_owned(), query, variables }
    }
}

/// Everything below an object that is no way around in circles.
fn deep(api: &Api, type_name: &str) -> String {
    let upward = ["invoice", "invoices", "rentals", "payUrl"];
    api.selection(type_name, 2, &|_, field| !upward.contains(&field))
}

/// The scalars of an object.
fn flat(api: &Api, type_name: &str) -> String {
    api.selection(type_name, 0, &|_, _| true)
}

fn probes(api: &Api, keys: &Keys) -> Vec<Probe> {
    let mut probes = by_id(api, &keys.ids);
    probes.extend(by_name(api, keys));
    probes.extend(in_lists(api, keys));
    probes
}

/// Every field of the root that takes an id, and `node` and `nodes` for each type.
fn by_id(api: &Api, ids: &Full) -> Vec<Probe> {
    let root = [
        ("invoice", "Invoice", &ids.invoice.0),
        ("rental", "Rental", &ids.rental.0),
        ("customer", "Customer", &ids.customer.0),
        ("payment", "Payment", &ids.payment.0),
    ];
    let root = root.into_iter().map(|(field, type_name, id)| {
        let query = format!("query Q($id: ID!) {{ {field}(id: $id) {} }}", deep(api, type_name));
        Probe::new(field, query, json!({ "id": id }))
    });
    let nodes = ids.nodes().into_iter().map(|(type_name, id)| {
        let selection = format!("{{ ... on {type_name} {} }}", deep(api, type_name));
        let query = format!("query Q($id: ID!) {{ node(id: $id) {selection} nodes(ids: [$id, $id]) {selection} }}");
        Probe::new(&format!("node: {type_name}"), query, json!({ "id": id }))
    });
    root.chain(nodes).collect()
}

fn by_name(api: &Api, keys: &Keys) -> Vec<Probe> {
    let invoice = deep(api, "Invoice");
    vec![
        Probe::new(
            "invoiceByNumber",
            format!("query Q($text: String!) {{ invoiceByNumber(number: $text, system: GPU_OUTLET) {invoice} }}"),
            json!({ "text": keys.number }),
        ),
        Probe::new(
            "invoiceByExternalId",
            format!(
                "query Q($text: String!) {{ invoiceByExternalId(externalId: $text, system: GPU_OUTLET) {invoice} }}"
            ),
            json!({ "text": keys.external_id }),
        ),
    ]
}

/// Lists filtered by each thing that can be named, with their counts and sums, at the root and below.
fn in_lists(api: &Api, keys: &Keys) -> Vec<Probe> {
    let ids = &keys.ids;
    let invoices = [
        json!({ "ids": [ids.invoice] }),
        json!({ "customerId": [ids.customer] }),
        json!({ "rentalId": [ids.rental] }),
        json!({ "subscriptionId": [ids.subscription] }),
        json!({ "number": keys.number }),
        json!({ "numberPrefix": keys.number }),
        json!({ "externalId": keys.external_id }),
        json!({ "stripeInvoiceId": keys.stripe_id }),
    ];
    let page = format!(
        "{{ totalCount totals {{ currency count total {{ amount }} }} pageInfo {{ endCursor }} nodes {} }}",
        flat(api, "Invoice")
    );
    let invoices = invoices.into_iter().flat_map(|mut filter| {
        filter["includeDrafts"] = json!(true);
        let what = filter.to_string();
        let all = format!("query Q($filter: InvoiceFilter!) {{ invoices(filter: $filter) {page} }}");
        let below = format!(
            "query Q($filter: InvoiceFilter!) {{ customers {{ nodes {{ id invoices(filter: $filter) {page} }} }} }}"
        );
        [
            Probe::new(&what, all, json!({ "filter": filter })),
            Probe::new(&format!("below customers {what}"), below, json!({ "filter": filter })),
        ]
    });
    let rentals = format!(
        "query Q($id: ID!) {{ rentals(filter: {{ customerId: [$id] }}) {{ totalCount nodes {} }} }}",
        flat(api, "Rental")
    );
    let rentals = Probe::new("rentals", rentals, json!({ "id": ids.customer }));
    let customers = [
        json!({ "externalId": keys.customer_external_id }),
        json!({ "search": keys.text }),
        json!({ "email": keys.email }),
    ];
    let customers = customers.into_iter().map(|filter| {
        let query = format!(
            "query Q($filter: CustomerFilter!) {{ customers(filter: $filter) {{ totalCount nodes {} }} }}",
            flat(api, "Customer")
        );
        Probe::new(&filter.to_string(), query, json!({ "filter": filter }))
    });
    invoices.chain([rentals]).chain(customers).collect()
}

/// The whole answer as bytes, and what it cost.
async fn answer(gateway: &Gateway, caller: &Viewer, probe: &Probe) -> (String, u64) {
    let answer = gateway.ask(caller, &probe.query, probe.variables.clone()).await;
    let body = json!({ "data": answer.data, "errors": answer.errors });
    (body.to_string(), answer.statements)
}

/// Two tenants: one with two customers of which one asks, and one that is full of canaries.
struct World {
    gateway: Gateway,
    tenant: TenantId,
    own: Full,
    neighbour: Full,
    foreign: Full,
}

async fn world(engine: Engine) -> World {
    let gateway = Gateway::new(engine).await;
    let store = &gateway.store;
    let (own_tenant, foreign_tenant) = (tenant(store, "acme").await, tenant(store, "other").await);
    let own = full(store, &own_tenant, "own", InvoiceStatus::Open).await;
    let neighbour = full(store, &own_tenant, "neighbour", InvoiceStatus::Open).await;
    let foreign = full(store, &foreign_tenant, "foreign", InvoiceStatus::Open).await;
    let tx = store.begin(Whose::Everyones).await.unwrap();
    plant(&tx, &foreign_tenant, CANARY).await;
    for one in [&own, &neighbour] {
        let named = format!(
            "UPDATE customers SET name = '{name}', email = '{name}@example.com' WHERE id = '{}'",
            one.customer,
            name = one.name
        );
        tx.execute_unprepared(&named).await.unwrap();
    }
    tx.commit().await.unwrap();
    World { gateway, tenant: own_tenant, own, neighbour, foreign }
}

fn limited(world: &World, kind: PrincipalKind) -> Viewer {
    let scopes = Scope::ALL.into_iter().collect();
    viewer(kind, &world.tenant, scopes, Some(vec![world.own.customer.clone()]))
}

#[tokio::test]
async fn what_belongs_to_another_tenant_answers_like_what_nobody_has() {
    let api = Api::read().await;
    for_each_engine(async |engine| {
        let world = Box::pin(world(engine)).await;
        let owner = merchant(&world.foreign.tenant);
        let callers = [
            merchant(&world.tenant),
            limited(&world, PrincipalKind::Partner),
            limited(&world, PrincipalKind::Customer),
        ];
        let foreign = probes(&api, &Keys::planted(world.foreign.clone(), CANARY));
        let unknown = probes(&api, &Keys::plain(Full::named(&world.tenant, "nobody")));
        for (foreign, unknown) in foreign.iter().zip(&unknown) {
            let (seen, _) = answer(&world.gateway, &owner, foreign).await;
            assert!(seen.contains(CANARY), "{} finds nothing for its owner: {seen}", foreign.what);
            for caller in &callers {
                let found = answer(&world.gateway, caller, foreign).await;
                let absent = answer(&world.gateway, caller, unknown).await;
                assert_eq!(found, absent, "{} {:?}", foreign.what, caller.kind);
                assert!(!found.0.contains(CANARY), "{}: {}", foreign.what, found.0);
            }
        }
    })
    .await;
}

#[tokio::test]
async fn what_belongs_to_another_customer_answers_like_what_nobody_has() {
    // What a company sells is for all of its customers.
    let shared = ["node: Product", "node: Price"];
    let api = Api::read().await;
    for_each_engine(async |engine| {
        let world = Box::pin(world(engine)).await;
        let neighbours = probes(&api, &Keys::plain(world.neighbour.clone()));
        let unknown = probes(&api, &Keys::plain(Full::named(&world.tenant, "nobody")));
        for (neighbours, unknown) in neighbours.iter().zip(&unknown) {
            if shared.contains(&neighbours.what.as_str()) {
                continue;
            }
            let seen = answer(&world.gateway, &merchant(&world.tenant), neighbours).await;
            for kind in [PrincipalKind::Partner, PrincipalKind::Customer] {
                let caller = limited(&world, kind);
                let found = answer(&world.gateway, &caller, neighbours).await;
                assert_ne!(found.0, seen.0, "{} finds nothing for the company", neighbours.what);
                let absent = answer(&world.gateway, &caller, unknown).await;
                assert_eq!(found, absent, "{} {kind:?}", neighbours.what);
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_list_without_a_filter_has_nothing_of_others() {
    let api = Api::read().await;
    for_each_engine(async |engine| {
        let world = Box::pin(world(engine)).await;
        let query = format!(
            "{{ invoices(filter: {{ includeDrafts: true }}) {{ totalCount totals {{ count }} nodes {} }} \
                rentals {{ totalCount nodes {} }} customers {{ totalCount nodes {} }} }}",
            deep(&api, "Invoice"),
            deep(&api, "Rental"),
            deep(&api, "Customer"),
        );
        for (caller, things, people) in
            [(merchant(&world.tenant), 2, 4), (limited(&world, PrincipalKind::Partner), 1, 1)]
        {
            let data = world.gateway.ask(&caller, &query, json!({})).await.ok();
            assert!(!data.to_string().contains(CANARY), "{data}");
            assert_eq!(data["invoices"]["totalCount"], things);
            assert_eq!(data["invoices"]["totals"][0]["count"], things);
            assert_eq!(data["rentals"]["totalCount"], things);
            assert_eq!(data["customers"]["totalCount"], people);
            for (list, len) in [("invoices", things), ("rentals", things), ("customers", people)] {
                assert_eq!(data[list]["nodes"].as_array().map(Vec::len), Some(len), "{list}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_cursor_of_another_tenant_is_a_place_in_the_own_list() {
    for_each_engine(async |engine| {
        let world = Box::pin(world(engine)).await;
        for (list, own) in [
            ("invoices", json!([world.own.invoice, world.neighbour.invoice])),
            ("rentals", json!([world.own.rental, world.neighbour.rental])),
        ] {
            let cursors = format!("{{ {list} {{ edges {{ cursor }} }} }}");
            let owner = merchant(&world.foreign.tenant);
            let data = world.gateway.ask(&owner, &cursors, json!({})).await.ok();
            let cursor = &data[list]["edges"][0]["cursor"];
            let query = format!(
                "query Q($cursor: String!) {{ behind: {list}(after: $cursor) {{ nodes {{ id }} }} \
                    before: {list}(before: $cursor) {{ nodes {{ id }} }} }}"
            );
            let mine = merchant(&world.tenant);
            let data = world.gateway.ask(&mine, &query, json!({ "cursor": cursor })).await.ok();
            let found = |side: &str| data[side]["nodes"].as_array().cloned().unwrap_or_default();
            let mut ids: Vec<_> = [found("behind"), found("before")].concat();
            ids.sort_by_key(ToString::to_string);
            let mut own: Vec<_> = own.as_array().expect("ids").iter().map(|id| json!({ "id": id })).collect();
            own.sort_by_key(ToString::to_string);
            assert_eq!(ids, own, "{list}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_line_of_another_invoice_is_no_place_among_the_lines_of_this_one() {
    for_each_engine(async |engine| {
        let world = Box::pin(world(engine)).await;
        let query = "query Q($id: ID!, $after: ID!) { invoice(id: $id) { lineItems(after: $after) { id } } }";
        let unknown = Full::named(&world.tenant, "nobody").line;
        let mut bodies = Vec::new();
        for after in [&world.foreign.line, &world.neighbour.line, &unknown] {
            let variables = json!({ "id": world.own.invoice, "after": after });
            let answer = world.gateway.ask(&merchant(&world.tenant), query, variables).await;
            bodies.push((answer.data.to_string(), answer.errors, answer.statements));
        }
        assert_eq!(bodies[0], bodies[2]);
        assert_eq!(bodies[1], bodies[2]);
    })
    .await;
}

/// What can be asked about an invoice and its parts, by what names them.
fn of_the_invoice(api: &Api, keys: &Keys) -> Vec<Probe> {
    let parts = ["Invoice", "LineItem", "SubLine", "Payment", "InvoiceEvent", "SourceDocument"];
    let is_part = |probe: &Probe| {
        let node = probe.what.strip_prefix("node: ");
        let root = ["invoice", "payment", "invoiceByNumber", "invoiceByExternalId"];
        let filter = probe.what.contains("includeDrafts");
        node.is_some_and(|of| parts.contains(&of)) || root.contains(&probe.what.as_str()) || filter
    };
    probes(api, keys).into_iter().filter(is_part).collect()
}

#[tokio::test]
async fn a_draft_and_its_parts_do_not_exist_for_partners_who_may_not_write() {
    let api = Api::read().await;
    for_each_engine(async |engine| {
        let world = Box::pin(world(engine)).await;
        let draft = full(&world.gateway.store, &world.tenant, "draft", InvoiceStatus::Draft).await;
        let scopes = |without: Option<Scope>| -> ScopeSet {
            Scope::ALL.into_iter().filter(|scope| Some(*scope) != without).collect()
        };
        let partner = |scopes| viewer(PrincipalKind::Partner, &world.tenant, scopes, None);
        let (may, may_not) = (partner(scopes(None)), partner(scopes(Some(Scope::InvoicesWrite))));
        let drafts = of_the_invoice(&api, &Keys::plain(draft.clone()));
        let unknown = of_the_invoice(&api, &Keys::plain(Full::named(&world.tenant, "nobody")));
        for (draft, unknown) in drafts.iter().zip(&unknown) {
            let absent = answer(&world.gateway, &may_not, unknown).await;
            // A draft has no number yet, whatever is written in the column.
            if draft.what != "invoiceByNumber" {
                assert_ne!(answer(&world.gateway, &may, draft).await.0, absent.0, "{}", draft.what);
            }
            assert_eq!(answer(&world.gateway, &may_not, draft).await, absent, "{}", draft.what);
        }
        let query = "query Q($rental: ID!, $customer: ID!) { rental(id: $rental) { invoices { id } } \
            customer(id: $customer) { invoices(filter: { includeDrafts: true }) { totalCount nodes { id } } } }";
        let variables = json!({ "rental": draft.rental, "customer": draft.customer });
        let data = world.gateway.ask(&may_not, query, variables).await.ok();
        assert_eq!(data["rental"]["invoices"], json!([]));
        assert_eq!(data["customer"]["invoices"], json!({ "totalCount": 0, "nodes": [] }));
    })
    .await;
}

#[tokio::test]
async fn a_deleted_invoice_and_its_parts_exist_for_nobody() {
    let api = Api::read().await;
    for_each_engine(async |engine| {
        let world = Box::pin(world(engine)).await;
        let tx = world.gateway.store.begin(Whose::Everyones).await.unwrap();
        let delete = format!("UPDATE invoices SET deleted_at = created_at WHERE id = '{}'", world.neighbour.invoice);
        tx.execute_unprepared(&delete).await.unwrap();
        tx.commit().await.unwrap();
        let deleted = of_the_invoice(&api, &Keys::plain(world.neighbour.clone()));
        let unknown = of_the_invoice(&api, &Keys::plain(Full::named(&world.tenant, "nobody")));
        let caller = merchant(&world.tenant);
        for (deleted, unknown) in deleted.iter().zip(&unknown) {
            let absent = answer(&world.gateway, &caller, unknown).await;
            assert_eq!(answer(&world.gateway, &caller, deleted).await, absent, "{}", deleted.what);
        }
    })
    .await;
}
