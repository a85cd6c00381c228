//! Links have generations: one is live, those before it are dead.

use fake_stripe::state::{Links, Receipt};
use fake_stripe::{Hostile, Invoice, State};
use serde_json::json;

use crate::{Asked, client};

async fn link(asked: &Asked, id: &str) -> String {
    asked.ok(&format!("/v1/invoices/{id}")).await["hosted_invoice_url"].as_str().unwrap().to_owned()
}

async fn status(url: &str) -> u16 {
    client().get(url).send().await.unwrap().status().as_u16()
}

fn on_the_fake(invoices: impl IntoIterator<Item = Invoice>) -> State {
    State { links: Links::Fake, ..State::with(invoices) }
}

#[tokio::test]
async fn a_link_that_was_replaced_is_dead() {
    let asked = Asked::new(on_the_fake([Invoice::open("in_1", 5)])).await;
    let first = link(&asked, "in_1").await;
    assert_eq!(link(&asked, "in_1").await, first);
    assert!(first.starts_with(asked.fake.url()));
    assert_eq!(status(&first).await, 200);
    assert_eq!(asked.tell("invoices/in_1/rotate", &json!({})).await.1["generation"], 2);
    let second = link(&asked, "in_1").await;
    assert_ne!(first, second);
    assert_eq!((status(&first).await, status(&second).await), (410, 200));
    assert_eq!(asked.fake.hosted_invoice_url("in_1"), Some(second.clone()));
    assert_eq!(status(&second.replace("acct_fake", "acct_x")).await, 404);
    assert_eq!(status(&format!("{}9?s=ap", second.trim_end_matches("?s=ap"))).await, 404);
}

#[tokio::test]
async fn links_change_by_themselves_after_so_many_reads() {
    let asked = Asked::new(on_the_fake([Invoice::open("in_1", 5).rotating(2)])).await;
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(link(&asked, "in_1").await);
    }
    let list = asked.ok("/v1/invoices").await;
    seen.push(list["data"][0]["hosted_invoice_url"].as_str().unwrap().to_owned());
    assert!(seen[0] == seen[1] && seen[1] != seen[2] && seen[2] == seen[3] && seen[3] != seen[4], "{seen:?}");
    assert_eq!((status(&seen[3]).await, status(&seen[4]).await), (410, 200));
}

/// The text of a page.
async fn read(url: &str) -> String {
    client().get(url).send().await.unwrap().text().await.unwrap()
}

#[tokio::test]
async fn what_is_owed_is_paid_on_its_page() {
    let mut yen = Invoice::open("in_2", 5_000);
    yen.currency = "jpy".to_owned();
    yen.number = Some("<b>".to_owned());
    let asked = Asked::new(on_the_fake([Invoice::open("in_1", 1_250), yen])).await;
    let page = link(&asked, "in_1").await;
    let text = read(&page).await;
    assert!(text.contains("Invoice F-in_1") && text.contains("<button>Pay 12.50 USD</button>"), "{text}");
    let text = read(&link(&asked, "in_2").await).await;
    assert!(text.contains("Pay 5000 JPY") && text.contains("Invoice &lt;b>"), "{text}");

    let pay = format!("{}/pay", page.trim_end_matches("?s=ap"));
    assert_eq!(status(&pay).await, 405);
    let paid = client().post(&pay).send().await.unwrap();
    assert_eq!(paid.status(), 303);
    let back = format!("{}{}", asked.fake.url(), paid.headers()["location"].to_str().unwrap());
    let text = read(&back).await;
    assert!(
        text.contains("Paid.") && text.contains("/receipts/acct_fake/ch_1_1") && !text.contains("<button"),
        "{text}"
    );
    assert_eq!(asked.fake.invoice("in_1").unwrap().amount_remaining, Some(0));
    assert_eq!(asked.fake.events().len(), 4);
    // Once is enough, and only on a page that is live.
    assert_eq!(client().post(&pay).send().await.unwrap().status(), 409);
    asked.fake.rotate_link("in_1").unwrap();
    assert_eq!(client().post(&pay).send().await.unwrap().status(), 410);
    assert!(read(&page).await.contains("This link has expired"));
    assert_eq!(client().post(pay.replace("test_", "test_0")).send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn pdfs_and_receipts_have_pages_too() {
    let mut given = Invoice::paid("in_2", 5, 9);
    given.payments[0].receipt = Receipt::Url("https://pay.stripe.com/receipts/given".to_owned());
    let mut none = Invoice::paid("in_3", 5, 9);
    none.payments[0].receipt = Receipt::None;
    let asked = Asked::new(on_the_fake([Invoice::paid("in_1", 5, 9), given, none])).await;
    let pdf = asked.ok("/v1/invoices/in_1").await["invoice_pdf"].as_str().unwrap().to_owned();
    assert_eq!(status(&pdf).await, 200);
    let receipt = asked.ok("/v1/charges/ch_1_1").await["receipt_url"].as_str().unwrap().to_owned();
    assert_eq!(status(&receipt).await, 200);
    assert_eq!(status(&receipt.replace("ch_1_1", "ch_none")).await, 404);
    assert_eq!(asked.ok("/v1/charges/ch_2_1").await["receipt_url"], "https://pay.stripe.com/receipts/given");
    assert!(asked.ok("/v1/charges/ch_3_1").await["receipt_url"].is_null());
}

#[tokio::test]
async fn every_hostile_link_takes_the_place_of_a_good_one() {
    let asked = Asked::new(State::with([Invoice::open("in_1", 5)])).await;
    let good = link(&asked, "in_1").await;
    let mut seen = Vec::new();
    for hostile in Hostile::ALL {
        let fault = json!({ "times": 1, "kind": { "hostile_url": hostile } });
        assert_eq!(asked.tell("faults", &fault).await.0, 204);
        seen.push(link(&asked, "in_1").await);
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), Hostile::ALL.len());
    assert!(!seen.contains(&good));
    assert_eq!(link(&asked, "in_1").await, good);
}
