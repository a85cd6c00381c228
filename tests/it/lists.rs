//! Lists: every order on both engines, pages that miss and repeat nothing, and what may be asked for.

mod edges;
mod filters;
mod world;

use std::cmp::Ordering;
use std::sync::Mutex;

use billing_gateway::domain::viewer::Viewer;
use billing_gateway::store::Whose;
use billing_gateway::store::bill;
use entity::invoice;
use serde_json::{Value, json};

use crate::support::database::for_each_engine;
use crate::support::gateway::{Answer, Gateway, merchant};
use crate::support::seed::minutes;

use world::World;

/// Pages whose last one is short, the whole list, and more than that.
const SIZES: [usize; 3] = [7, 59, 100];

const DIRECTIONS: [&str; 2] = ["ASC", "DESC"];

/// A value to order by; values of one list are all of the same sort.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Number(i64),
    Text(String),
}

type KeyOf = fn(&invoice::Model) -> Option<Key>;

const FIELDS: [(&str, KeyOf); 7] = [
    ("CREATED_AT", |row| Some(moment(row.created_at))),
    ("ISSUE_DATE", |row| Some(Key::Text(row.issue_date.to_string()))),
    ("DUE_AT", |row| row.due_at.map(moment)),
    ("PAID_AT", |row| row.paid_at.map(moment)),
    ("AMOUNT_DUE", |row| Some(Key::Number(row.amount_due.0))),
    ("NUMBER", |row| row.number.clone().map(Key::Text)),
    ("UPDATED_AT", |row| Some(moment(row.updated_at))),
];

fn moment(at: entity::Instant) -> Key {
    Key::Number(at.utc().timestamp_millis())
}

/// The ids in the order of a list: by value, then by id, both in its direction; without a value last in any.
fn expected(world: &World, key_of: KeyOf, direction: &str) -> Vec<String> {
    let mut rows: Vec<_> = world.bills.iter().map(|bill| (key_of(&bill.invoice), &bill.invoice.id.0)).collect();
    let turned = |order: Ordering| if direction == "ASC" { order } else { order.reverse() };
    rows.sort_by(|left, right| match (&left.0, &right.0) {
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (left_key, right_key) => turned(left_key.cmp(right_key).then(left.1.cmp(right.1))),
    });
    rows.into_iter().map(|(_, id)| id.clone()).collect()
}

/// A list at the root that is read page by page.
struct Paged<'a> {
    gateway: &'a Gateway,
    viewer: Viewer,
    query: String,
    variables: Value,
}

impl<'a> Paged<'a> {
    /// Invoices of every state in an order.
    fn invoices(gateway: &'a Gateway, world: &World, field: &str, direction: &str) -> Self {
        Self {
            gateway,
            viewer: merchant(&world.tenant),
            query: query(
                "invoices",
                ", $orderBy: InvoiceOrder!",
                ", filter: { includeDrafts: true }, orderBy: $orderBy",
            ),
            variables: json!({ "orderBy": { "field": field, "direction": direction } }),
        }
    }

    /// A list in the one order it has.
    fn of(gateway: &'a Gateway, world: &World, list: &str) -> Self {
        Self { gateway, viewer: merchant(&world.tenant), query: query(list, "", ""), variables: json!({}) }
    }

    async fn ask(&self, page: Value) -> Answer {
        let mut variables = self.variables.clone();
        for (name, value) in page.as_object().expect("an object") {
            variables[name] = value.clone();
        }
        self.gateway.ask(&self.viewer, &self.query, variables).await
    }

    /// One page: ids, cursors and where it stands, after making sure that these agree.
    async fn page(&self, page: Value) -> Page {
        let list = self.ask(page).await.ok()["list"].clone();
        let edges = list["edges"].as_array().expect("edges");
        let of = |name: &str| edges.iter().map(|edge| edge[name].clone()).collect::<Vec<_>>();
        let cursors = of("cursor");
        assert_eq!(list["nodes"].as_array(), Some(&of("node")));
        let none = Value::Null;
        let info = &list["pageInfo"];
        assert_eq!(&info["startCursor"], cursors.first().unwrap_or(&none));
        assert_eq!(&info["endCursor"], cursors.last().unwrap_or(&none));
        Page {
            ids: of("node").iter().map(id).collect(),
            cursors,
            next: info["hasNextPage"] == true,
            previous: info["hasPreviousPage"] == true,
        }
    }

    /// The whole list from its start, in pages.
    async fn forward(&self, size: usize) -> Vec<String> {
        let mut ids = Vec::new();
        let mut after = Value::Null;
        loop {
            let page = self.page(json!({ "first": size, "after": after })).await;
            assert_eq!(page.previous, !after.is_null());
            ids.extend(page.ids);
            if !page.next {
                return ids;
            }
            assert_eq!(page.cursors.len(), size, "a page before the last one is full");
            after = page.cursors[size - 1].clone();
        }
    }

    /// The whole list from its end, in pages.
    async fn backward(&self, size: usize) -> Vec<String> {
        let mut ids = Vec::new();
        let mut before = Value::Null;
        loop {
            let page = self.page(json!({ "last": size, "before": before })).await;
            assert_eq!(page.next, !before.is_null());
            ids.splice(0..0, page.ids);
            if !page.previous {
                return ids;
            }
            assert_eq!(page.cursors.len(), size, "a page before the last one is full");
            before = page.cursors[0].clone();
        }
    }
}

fn query(list: &str, variables: &str, arguments: &str) -> String {
    format!(
        "query Q($first: Int, $after: String, $last: Int, $before: String{variables}) {{ \
            list: {list}(first: $first, after: $after, last: $last, before: $before{arguments}) {{ \
            edges {{ cursor node {{ id }} }} nodes {{ id }} \
            pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} }} }}"
    )
}

struct Page {
    ids: Vec<String>,
    cursors: Vec<Value>,
    next: bool,
    previous: bool,
}

fn id(node: &Value) -> String {
    node["id"].as_str().expect("an id").to_owned()
}

// ---- Orders and pages -------------------------------------------------------------------------------------------

#[tokio::test]
async fn every_order_is_total_and_its_pages_join_without_gaps_in_either_way() {
    let sequences = Mutex::new(Vec::new());
    for_each_engine(async |engine| {
        let gateway = Gateway::new(engine).await;
        let world = world::world(&gateway.store).await;
        let mut seen = Vec::new();
        for (field, key_of) in FIELDS {
            for direction in DIRECTIONS {
                let expected = expected(&world, key_of, direction);
                let list = Paged::invoices(&gateway, &world, field, direction);
                for size in SIZES {
                    assert_eq!(list.forward(size).await, expected, "{field} {direction} by {size}");
                    assert_eq!(list.backward(size).await, expected, "{field} {direction} by {size} from the end");
                }
                seen.push(expected);
            }
        }
        sequences.lock().unwrap().push(seen);
    })
    .await;
    let sequences = sequences.into_inner().unwrap();
    assert_eq!(sequences[0], sequences[1], "the engines differ");
}

#[tokio::test]
async fn pages_of_one_entry_cross_from_values_to_none() {
    for_each_engine(async |engine| {
        let gateway = Gateway::new(engine).await;
        let world = world::world(&gateway.store).await;
        for direction in DIRECTIONS {
            let list = Paged::invoices(&gateway, &world, "PAID_AT", direction);
            let expected = expected(&world, FIELDS[3].1, direction);
            assert_eq!(list.forward(1).await, expected);
            assert_eq!(list.backward(1).await, expected);
        }
    })
    .await;
}

#[tokio::test]
async fn two_cursors_bound_a_page_on_both_sides() {
    for_each_engine(async |engine| {
        let gateway = Gateway::new(engine).await;
        let world = world::world(&gateway.store).await;
        for (field, _) in FIELDS {
            let list = Paged::invoices(&gateway, &world, field, "ASC");
            let all = list.page(json!({ "first": 100 })).await;
            let bounds = json!({ "after": all.cursors[9], "before": all.cursors[40] });
            let with = |name: &str, count: usize| {
                let mut page = bounds.clone();
                page[name] = json!(count);
                page
            };
            let between = list.page(with("first", 100)).await;
            assert_eq!(between.ids, all.ids[10..40], "{field}");
            assert_eq!(list.page(with("first", 5)).await.ids, all.ids[10..15], "{field}");
            assert_eq!(list.page(with("last", 5)).await.ids, all.ids[35..40], "{field}");
        }
    })
    .await;
}

#[tokio::test]
async fn rows_that_arrive_while_a_list_is_read_move_nothing() {
    for_each_engine(async |engine| {
        let gateway = Gateway::new(engine).await;
        let world = world::world(&gateway.store).await;
        let list = Paged::invoices(&gateway, &world, "CREATED_AT", "DESC");
        let there = expected(&world, FIELDS[0].1, "DESC");
        let mut seen = Vec::new();
        let mut after = Value::Null;
        for arriving in 100.. {
            let page = list.page(json!({ "first": 7, "after": after })).await;
            seen.extend(page.ids);
            if !page.next {
                break;
            }
            after = page.cursors[6].clone();
            // One before everything, one at the same moment as others, one at the end.
            for (n, at) in [(0, 1_000), (1, 8), (2, 0)] {
                let mut arriving = world.bill(arriving * 3 + n);
                arriving.invoice.created_at = minutes(at);
                arriving.invoice.finalized_at = Some(minutes(1_000));
                arriving.invoice.paid_at = arriving.invoice.paid_at.map(|_| minutes(1_000));
                arriving.invoice.voided_at = arriving.invoice.voided_at.map(|_| minutes(1_000));
                let tx = gateway.store.begin(Whose::Everyones).await.unwrap();
                bill::insert(&tx, arriving).await.unwrap();
                tx.commit().await.unwrap();
            }
        }
        let mut once = seen.clone();
        once.sort();
        once.dedup();
        assert_eq!(once.len(), seen.len(), "an entry came twice");
        seen.retain(|id| there.contains(id));
        assert_eq!(seen, there);
    })
    .await;
}

// ---- What may be asked for --------------------------------------------------------------------------------------

#[tokio::test]
async fn pages_have_one_to_a_hundred_entries_from_one_end() {
    for_each_engine(async |engine| {
        let gateway = Gateway::new(engine).await;
        let world = world::world(&gateway.store).await;
        for list in ["invoices", "rentals", "customers"] {
            let list = Paged::of(&gateway, &world, list);
            for good in [json!({}), json!({ "first": 1 }), json!({ "last": 100 }), json!({ "first": null })] {
                assert!(!list.page(good).await.ids.is_empty());
            }
            for bad in [
                json!({ "first": 0 }),
                json!({ "first": -1 }),
                json!({ "first": 101 }),
                json!({ "last": 0 }),
                json!({ "last": -1 }),
                json!({ "last": 101 }),
                json!({ "first": 1, "last": 1 }),
            ] {
                let answer = list.ask(bad.clone()).await;
                assert_eq!(answer.codes(), ["BAD_USER_INPUT"], "{bad}");
                assert_eq!(answer.data, json!({ "list": null }));
                assert_eq!(answer.statements, 0, "{bad}");
            }
        }
        let defaults = Paged::of(&gateway, &world, "invoices").page(json!({})).await;
        assert_eq!((defaults.ids.len(), defaults.next), (20, true));
    })
    .await;
}

/// A cursor with this content.
fn cursor(content: &Value) -> String {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(content.to_string())
}

#[tokio::test]
async fn what_is_no_cursor_of_the_list_is_refused() {
    for_each_engine(async |engine| {
        let gateway = Gateway::new(engine).await;
        let world = world::world(&gateway.store).await;
        let of = |field| Paged::invoices(&gateway, &world, field, "ASC");
        let first = |page: Page| page.cursors[0].clone();
        let foreign = [
            first(of("DUE_AT").page(json!({})).await),
            first(Paged::of(&gateway, &world, "rentals").page(json!({})).await),
            first(Paged::of(&gateway, &world, "customers").page(json!({})).await),
        ];
        let garbage = [
            String::new(),
            "!!!".to_owned(),
            "null".to_owned(),
            "\u{0}".to_owned(),
            "A".repeat(5_000),
            cursor(&json!({})),
            cursor(&json!([])),
            cursor(&json!(["CREATED_AT", "yesterday", "inv_1"])),
            cursor(&json!(["CREATED_AT", 1.5, "inv_1"])),
            cursor(&json!(["CREATED_AT", i64::MAX, "inv_1"])),
            cursor(&json!(["CREATED_AT", 0, "inv_\u{0}"])),
            cursor(&json!(["CREATED_AT", 0, "inv_1", 2])),
        ];
        let created = of("CREATED_AT");
        for cursor in foreign.into_iter().chain(garbage.map(Value::String)) {
            for side in ["after", "before"] {
                let answer = created.ask(json!({ side: cursor })).await;
                assert_eq!(answer.codes(), ["BAD_USER_INPUT"], "{cursor}");
                assert_eq!(answer.statements, 0);
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_forged_cursor_is_refused_or_a_place_and_never_a_failure() {
    for_each_engine(async |engine| {
        let gateway = Gateway::new(engine).await;
        let world = world::world(&gateway.store).await;
        // The ends of what a clock of the program can hold, which is more than a database can.
        let (earliest, latest) = (chrono::DateTime::<chrono::Utc>::MIN_UTC, chrono::DateTime::<chrono::Utc>::MAX_UTC);
        let forged = [
            ("CREATED_AT", json!(earliest.timestamp_millis())),
            ("CREATED_AT", json!(latest.timestamp_millis())),
            ("CREATED_AT", json!(null)),
            ("ISSUE_DATE", json!(earliest.date_naive())),
            ("ISSUE_DATE", json!(latest.date_naive())),
            ("ISSUE_DATE", json!("-0001-01-01")),
            ("AMOUNT_DUE", json!(i64::MIN)),
            ("AMOUNT_DUE", json!(i64::MAX)),
            ("NUMBER", json!("")),
            ("NUMBER", json!("\u{10ffff}'\"\\%_")),
            ("NUMBER", json!("9".repeat(600))),
        ];
        for (ordered_by, value) in forged {
            for direction in DIRECTIONS {
                let list = Paged::invoices(&gateway, &world, ordered_by, direction);
                for (side, id) in [("after", ""), ("before", "zzz"), ("after", "\u{10ffff}")] {
                    let cursor = cursor(&json!([ordered_by, value, id]));
                    let answer = list.ask(json!({ side: cursor })).await;
                    let fine = answer.errors.is_empty() || answer.codes() == ["BAD_USER_INPUT"];
                    assert!(fine, "{ordered_by} {value}: {:?}", answer.errors);
                }
            }
        }
    })
    .await;
}
