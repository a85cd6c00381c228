//! Everything that can be asked, made from the schema: each field of each type, and each argument with what is another
//! tenant's and another customer's. A new argument that can name something and has no case here fails.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use billing_gateway::domain::viewer::{PrincipalKind, Viewer};
use billing_gateway::store::Whose;
use billing_gateway::store::dump;
use billing_gateway::store::tenant::System;
use serde_json::{Map, Value, json};

use super::{CANARY, Keys, Probe, World, answer, limited, world};
use crate::support::api::{Api, Field, Input, TypeRef};
use crate::support::database::{Engine, for_each_engine};
use crate::support::full::{Full, plant_in_customer};
use crate::support::gateway::merchant;

/// What every text of the other customer contains.
const NEIGHBOUR: &str = "Nb8!";

// ---- What arguments can be given --------------------------------------------------------------------------------

/// What an id or a text can be.
enum Case {
    /// The name of something among someone's keys; of several sorts where one argument takes several.
    Names(fn(&Keys) -> Vec<Value>),
    /// A place in a list, which the list gave out.
    Cursor,
    /// A word that names nothing.
    Word(&'static str),
}

/// The one value of a name.
macro_rules! names {
    ($keys:ident => $value:expr) => {
        Case::Names(|$keys| vec![json!($value)])
    };
}

/// The case of an argument of a field, or of a field of an input object, whose type is an id or a text.
fn case(owner: &str, field: &str) -> Option<Case> {
    Some(match (owner, field) {
        ("Query.node", "id") | ("Query.nodes", "ids") => {
            Case::Names(|keys| keys.ids.nodes().into_iter().map(|(_, id)| json!(id)).collect())
        }
        ("Query.invoice", "id")
        | ("InvoiceFilter", "ids")
        | ("RefreshPayUrlInput" | "SyncInvoiceInput", "invoiceId") => names!(keys => keys.ids.invoice),
        ("Query.rental", "id") | ("InvoiceFilter", "rentalId") => names!(keys => keys.ids.rental),
        ("Query.customer", "id") | ("InvoiceFilter" | "RentalFilter" | "SessionFilter", "customerId") => {
            names!(keys => keys.ids.customer)
        }
        ("Query.payment", "id") => names!(keys => keys.ids.payment),
        ("Invoice.lineItems", "after") => names!(keys => keys.ids.line),
        ("InvoiceFilter", "subscriptionId") => names!(keys => keys.ids.subscription),
        ("Query.invoiceByNumber", "number") | ("InvoiceFilter", "number" | "numberPrefix") => {
            names!(keys => keys.number)
        }
        ("Query.invoiceByExternalId", "externalId")
        | ("InvoiceFilter", "reference" | "purchaseOrder" | "externalId") => names!(keys => keys.external_id),
        ("InvoiceFilter", "stripeInvoiceId") => names!(keys => keys.stripe_id),
        ("RentalFilter", "gpuFamily") => {
            names!(keys => keys.text.replace(keys.ids.customer.as_str(), keys.ids.rental.as_str()))
        }
        ("CustomerFilter", "email") => names!(keys => keys.email),
        ("CustomerFilter", "externalId") => names!(keys => keys.customer_external_id),
        ("CustomerFilter", "search") => names!(keys => keys.text),
        ("RotateApiKeyInput" | "RevokeApiKeyInput", "id") => names!(keys => keys.ids.key),
        ("IssueApiKeyInput", "customerIds") | ("IssueSessionInput", "customerId") => {
            names!(keys => keys.ids.customer)
        }
        ("IssueApiKeyInput" | "IssueSessionInput", "scopes") => Case::Word("invoices:read"),
        ("IssueApiKeyInput", "name") | ("IssueSessionInput", "subject") => Case::Word("export"),
        ("RevokeSessionInput", "id") => names!(keys => keys.ids.session),
        // Tokens are written down nowhere: a test of its own asks for another tenant's. None has an empty id.
        ("RevokeTokenInput", "jti") => Case::Word(""),
        ("IssueApiKeyInput" | "RotateApiKeyInput", "idempotencyKey") => Case::Word("once"),
        // Its places are numbers, the same in every tenant's log.
        ("Query.auditLog", "after" | "before") => Case::Word("no cursor"),
        ("AuditLogFilter", "action" | "objectId" | "actor") => Case::Word("nobody"),
        (_, "after" | "before") => Case::Cursor,
        (_, "keys") => Case::Word("text"),
        (_, "clientMutationId") => Case::Word("again"),
        _ => return None,
    })
}

/// What else has to be given so that an argument finds what it names.
fn beside(owner: &str) -> Option<(&'static str, Value)> {
    let by_name = ["Query.invoiceByNumber", "Query.invoiceByExternalId"].contains(&owner);
    by_name.then(|| ("system", json!("GPU_OUTLET")))
}

/// A value of a type that can name nothing.
fn plain(api: &Api, of: &TypeRef) -> Value {
    let name = of.named();
    if let Some(words) = &api.types[name].enum_values {
        let words: Vec<_> = words.iter().map(|word| word.name.as_str()).collect();
        return if of.is_list() { json!(words) } else { json!(words.first()) };
    }
    let one = match name {
        "Int" => json!(5),
        "SafeInt" => json!(1),
        "Boolean" => json!(true),
        "Date" => json!("2026-01-01"),
        "DateTime" => json!("2026-01-01T00:00:00Z"),
        "CurrencyCode" => json!("USD"),
        name => panic!("what can a {name} name?"),
    };
    if of.is_list() { json!([one]) } else { one }
}

/// A way to give an argument: what leads from it to the value, and what the value is.
struct Way {
    /// Fields of input objects.
    path: Vec<String>,
    case: Option<Case>,
    plain: Value,
    is_list: bool,
}

/// Every way to give an argument; those of an input object are its fields'.
fn ways(api: &Api, owner: &str, argument: &Input) -> Vec<Way> {
    let kind = api.types[argument.of.named()].kind.as_str();
    if kind == "INPUT_OBJECT" {
        let of = &api.types[argument.of.named()];
        let fields = of.input_fields.as_deref().unwrap_or_default();
        let below = fields.iter().flat_map(|field| {
            ways(api, &of.name, field).into_iter().map(|mut way| {
                way.path.insert(0, field.name.clone());
                way
            })
        });
        return below.collect();
    }
    let named = ["ID", "String"].contains(&argument.of.named());
    let found = if named { case(owner, &argument.name) } else { None };
    assert!(!named || found.is_some(), "{owner} has the argument {}, which has no case here", argument.name);
    let plain = if named { Value::Null } else { plain(api, &argument.of) };
    vec![Way { path: Vec::new(), case: found, plain, is_list: argument.of.is_list() }]
}

impl Way {
    /// The argument with that value at the end of the way, and with what else its input object needs.
    fn argument(&self, api: &Api, of: &TypeRef, value: Value, keys: &Keys) -> Value {
        let value = if self.is_list && !value.is_array() { json!([value]) } else { value };
        at(api, of, &self.path, value, keys)
    }
}

fn at(api: &Api, of: &TypeRef, path: &[String], value: Value, keys: &Keys) -> Value {
    let Some((first, rest)) = path.split_first() else { return value };
    let mut object = needed(api, of, keys);
    let fields = api.types[of.named()].input_fields.as_deref().unwrap_or_default();
    let field = fields.iter().find(|field| field.name == *first).unwrap();
    object.insert(first.clone(), at(api, &field.of, rest, value, keys));
    Value::Object(object)
}

/// The fields that an input object cannot do without.
fn needed(api: &Api, of: &TypeRef, keys: &Keys) -> Map<String, Value> {
    let fields = api.types[of.named()].input_fields.as_deref().unwrap_or_default();
    let needed = fields.iter().filter(|field| field.is_needed());
    needed.map(|field| (field.name.clone(), required(api, of.named(), field, keys))).collect()
}

/// A value for what must be given, of what is the caller's own.
fn required(api: &Api, owner: &str, argument: &Input, keys: &Keys) -> Value {
    if api.types[argument.of.named()].kind == "INPUT_OBJECT" {
        return Value::Object(needed(api, &argument.of, keys));
    }
    let value = match ["ID", "String"].contains(&argument.of.named()).then(|| case(owner, &argument.name)) {
        Some(Some(Case::Names(names))) => names(keys).remove(0),
        Some(Some(Case::Word(word))) => json!(word),
        Some(_) => panic!("{owner} needs {}", argument.name),
        None => plain(api, &argument.of),
    };
    if argument.of.is_list() && !value.is_array() { json!([value]) } else { value }
}

// ---- Documents --------------------------------------------------------------------------------------------------

/// The fields that lead from a root to a type, the shortest way.
type Paths<'a> = BTreeMap<&'a str, Vec<(&'a str, &'a Field)>>;

fn paths(api: &Api) -> Paths<'_> {
    let mut paths = Paths::from([("Query", Vec::new()), ("Mutation", Vec::new())]);
    let mut open = VecDeque::from(["Query", "Mutation"]);
    while let Some(of) = open.pop_front() {
        for field in api.fields(of) {
            let Some(found) = api.types.get(field.of.named()).filter(|found| found.kind == "OBJECT") else { continue };
            if !paths.contains_key(found.name.as_str()) {
                let path = paths[of].iter().copied().chain([(of, field)]).collect();
                paths.insert(&found.name, path);
                open.push_back(&found.name);
            }
        }
    }
    paths
}

fn inline(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let fields: Vec<_> = fields.iter().map(|(name, value)| format!("{name}: {}", inline(value))).collect();
            format!("{{ {} }}", fields.join(", "))
        }
        other => other.to_string(),
    }
}

/// The arguments that a field cannot do without, and one more that is a variable.
fn arguments(api: &Api, owner: &str, field: &Field, variable: Option<&str>, keys: &Keys) -> String {
    let slot = format!("{owner}.{}", field.name);
    let needed = field.args.iter().filter(|one| one.is_needed() && Some(one.name.as_str()) != variable);
    let mut given: Vec<_> =
        needed.map(|one| format!("{}: {}", one.name, inline(&required(api, &slot, one, keys)))).collect();
    given.extend(variable.map(|name| format!("{name}: $value")));
    let system = beside(&slot).filter(|(name, _)| Some(*name) != variable);
    given.retain(|text| system.is_none() || !text.starts_with("system: "));
    given.extend(system.map(|(name, word)| format!("{name}: {}", word.as_str().unwrap_or_default())));
    if given.is_empty() { String::new() } else { format!("({})", given.join(", ")) }
}

/// What is asked of what a field gives.
fn below(api: &Api, of: &str) -> String {
    let upward = ["invoice", "customer", "rental", "invoices", "rentals", "payUrl"];
    match api.types[of].kind.as_str() {
        "SCALAR" | "ENUM" => String::new(),
        "INTERFACE" | "UNION" => {
            let nodes = Full::named(&"ten_x".into(), "x").nodes();
            let each = nodes.map(|(name, _)| format!("... on {name} {}", api.selection(name, 0, &|_, _| true)));
            format!("{{ __typename {} }}", each.join(" "))
        }
        _ => api.selection(of, 2, &|_, field| !upward.contains(&field)),
    }
}

/// A document that asks for one field, with what leads there.
fn document(api: &Api, paths: &Paths<'_>, (owner, field): (&str, &Field), way: Option<&Input>, keys: &Keys) -> String {
    let path = &paths[owner];
    let root = path.first().map_or(owner, |(root, _)| root);
    let operation = if root == "Mutation" { "mutation" } else { "query" };
    let variable = way.map(|argument| argument.name.as_str());
    let declared = way.map(|argument| format!(" Q($value: {})", argument.of.text())).unwrap_or_default();
    let asked =
        format!("{}{} {}", field.name, arguments(api, owner, field, variable, keys), below(api, field.of.named()));
    let asked = path.iter().rev().fold(asked, |inner, (of, step)| {
        format!("{}{} {{ {inner} }}", step.name, arguments(api, of, step, None, keys))
    });
    format!("{operation}{declared} {{ {asked} }}")
}

/// Every field that there is, by its type.
fn fields(api: &Api) -> Vec<(&str, &Field)> {
    api.objects().flat_map(|(of, fields)| fields.iter().map(move |field| (of, field))).collect()
}

// ---- Worlds -----------------------------------------------------------------------------------------------------

struct Everything {
    world: World,
    own: Keys,
    neighbour: Keys,
    foreign: Keys,
    unknown: Keys,
    callers: [(Viewer, bool); 3],
}

async fn everything(engine: Engine) -> Everything {
    let world = Box::pin(world(engine)).await;
    let tx = world.gateway.store.begin(Whose::Everyones).await.unwrap();
    plant_in_customer(&tx, &world.neighbour, NEIGHBOUR).await;
    tx.commit().await.unwrap();
    Everything {
        own: Keys::plain(world.own.clone()),
        neighbour: Keys::planted(world.neighbour.clone(), NEIGHBOUR),
        foreign: Keys::planted(world.foreign.clone(), CANARY),
        unknown: Keys::plain(Full::named(&world.tenant, "nobody")),
        // Who may see the other customer, and who may not.
        callers: [
            (merchant(&world.tenant), true),
            (limited(&world, PrincipalKind::Partner), false),
            (limited(&world, PrincipalKind::Customer), false),
        ],
        world,
    }
}

impl Everything {
    /// Asks, and makes sure that nothing foreign is in the answer.
    async fn asked(&self, (caller, all): &(Viewer, bool), probe: &Probe) -> (String, u64) {
        let answered = answer(&self.world.gateway, caller, probe).await;
        assert!(!answered.0.contains(CANARY), "{} {:?}: {}", probe.what, caller.kind, answered.0);
        assert!(*all || !answered.0.contains(NEIGHBOUR), "{} {:?}: {}", probe.what, caller.kind, answered.0);
        answered
    }

    /// The cursor of the first thing in a foreign list of that connection.
    async fn foreign_cursor(&self, connection: &str) -> Value {
        let list = match connection {
            "InvoiceConnection" => "invoices",
            "RentalConnection" => "rentals",
            "CustomerConnection" => "customers",
            "ApiKeyConnection" => "apiKeys",
            "SessionConnection" => "sessions",
            other => panic!("{other} is a list that has no case here"),
        };
        let owner = merchant(&self.world.foreign.tenant);
        let data =
            self.world.gateway.ask(&owner, &format!("{{ {list} {{ edges {{ cursor }} }} }}"), json!({})).await.ok();
        let cursor = data[list]["edges"][0]["cursor"].clone();
        assert!(cursor.is_string(), "{data}");
        cursor
    }
}

// ---- Tests ------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn no_field_of_the_schema_shows_anything_foreign() {
    let api = Api::read().await;
    let paths = paths(&api);
    for_each_engine(async |engine| {
        let all = Box::pin(everything(engine)).await;
        let owner = (merchant(&all.world.foreign.tenant), true);
        let (mut asked, mut shown) = (0, 0);
        for (of, field) in fields(&api) {
            let what = format!("{of}.{}", field.name);
            assert!(paths.contains_key(of), "nothing leads to {of}");
            let query = document(&api, &paths, (of, field), None, &all.own);
            let probe = Probe::new(&what, query, json!({}));
            for caller in &all.callers {
                let (body, _) = all.asked(caller, &probe).await;
                assert!(!body.starts_with("{\"data\":null"), "{what} is not executed: {} {body}", probe.query);
            }
            // The same as its owner: this is how much there would be to see.
            let query = document(&api, &paths, (of, field), None, &all.foreign);
            let (body, _) = answer(&all.world.gateway, &owner.0, &Probe::new(&what, query, json!({}))).await;
            asked += 1;
            shown += u32::from(body.contains(CANARY));
        }
        assert!(asked > 250 && shown > 120, "{shown} of {asked} fields have a text that is foreign");
    })
    .await;
}

#[tokio::test]
async fn no_argument_of_the_schema_reaches_anything_foreign() {
    let api = Api::read().await;
    let paths = paths(&api);
    for_each_engine(async |engine| {
        let all = Box::pin(everything(engine)).await;
        let before = dump(&System::operator(), &all.world.gateway.store.reader(Whose::Everyones, &Arc::default()))
            .await
            .unwrap();
        let mut named = 0;
        for (of, field) in fields(&api) {
            let slot = format!("{of}.{}", field.name);
            for argument in &field.args {
                let query = document(&api, &paths, (of, field), Some(argument), &all.own);
                for way in ways(&api, &slot, argument) {
                    let what = format!("{slot}({} {})", argument.name, way.path.join("."));
                    let probe = |value: Value| {
                        let value = way.argument(&api, &argument.of, value, &all.own);
                        Probe::new(&what, query.clone(), json!({ "value": value }))
                    };
                    match &way.case {
                        Some(Case::Names(of)) => named += foreign_is_unknown(&all, *of, &slot, probe).await,
                        Some(Case::Cursor) => {
                            let cursor = all.foreign_cursor(field.of.named()).await;
                            is_harmless(&all, &probe(cursor)).await;
                        }
                        Some(Case::Word(word)) => is_harmless(&all, &probe(json!(word))).await,
                        None => is_harmless(&all, &probe(way.plain.clone())).await,
                    }
                }
            }
        }
        assert!(named > 100, "{named}");
        let after = dump(&System::operator(), &all.world.gateway.store.reader(Whose::Everyones, &Arc::default()))
            .await
            .unwrap();
        assert_eq!(format!("{before:?}"), format!("{after:?}"), "something was changed");
    })
    .await;
}

/// It is executed, and shows nothing foreign.
async fn is_harmless(all: &Everything, probe: &Probe) {
    for caller in &all.callers {
        let (body, _) = all.asked(caller, probe).await;
        assert!(!body.starts_with("{\"data\":null"), "{} is not executed: {} {body}", probe.what, probe.variables);
    }
}

/// What is another's answers like what nobody has, to the byte and with as many statements. Gives how often it did.
async fn foreign_is_unknown(
    all: &Everything,
    names: fn(&Keys) -> Vec<Value>,
    slot: &str,
    probe: impl Fn(Value) -> Probe,
) -> u32 {
    let mut compared = 0;
    let owner = merchant(&all.world.foreign.tenant);
    let unknown = names(&all.unknown);
    let each = names(&all.foreign).into_iter().zip(names(&all.neighbour)).zip(&unknown);
    for (number, ((foreign, neighbour), unknown)) in each.enumerate() {
        let (foreign, neighbour, unknown) = (probe(foreign), probe(neighbour), probe(unknown.clone()));
        if slot.starts_with("Query.") {
            let (seen, _) = answer(&all.world.gateway, &owner, &foreign).await;
            assert!(
                seen.contains(CANARY),
                "{} finds nothing for its owner: {} {seen}",
                foreign.what,
                foreign.variables
            );
        }
        // What a company sells is for all of its customers.
        let kind = all.world.foreign.nodes()[number.min(11)].0;
        let shared = slot.starts_with("Query.node") && ["Product", "Price"].contains(&kind);
        for caller in &all.callers {
            let absent = all.asked(caller, &unknown).await;
            assert_eq!(all.asked(caller, &foreign).await, absent, "{} {}", foreign.what, foreign.variables);
            compared += 1;
            if !caller.1 && !shared {
                assert_eq!(all.asked(caller, &neighbour).await, absent, "{} {}", neighbour.what, neighbour.variables);
                compared += 1;
            }
        }
    }
    compared
}
