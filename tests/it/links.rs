//! Links at Stripe, asked through GraphQL: what is fetched, what is given instead, and what is remembered.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant as Moment};

use billing_gateway::domain::bill::{Bill, BillKeys};
use billing_gateway::domain::ids;
use billing_gateway::domain::link::LinkHosts;
use billing_gateway::domain::viewer::{PrincipalKind, Scope, Viewer};
use billing_gateway::links::{Accounts, Links, PayLinkPace, Refresher};
use billing_gateway::rate::Limiter;
use billing_gateway::stats::StripeStats;
use billing_gateway::store::Whose;
use billing_gateway::store::bill;
use billing_gateway::stripe::{ApiKey, BaseUrl, StripeClient, StripeConfig, StripeLimits};
use chrono::TimeDelta;
use entity::{CustomerId, Instant, InvoiceId, InvoiceStatus, Minor, TenantId, payment, upstream_invoice};
use fake_stripe::{Change, Endpoint, FakeStripe, Fault, FaultKind, Hostile, Invoice, State};
use serde_json::{Value, json};

use crate::support::database::{Engine, for_each_engine};
use crate::support::gateway::{Answer, Gateway, merchant, viewer};
use crate::support::seed::{customer_row, draft, tenant_row};

pub(crate) const KEY: &str = "rk_test_links";

/// All links of an invoice, and what is known of its mirror.
const LINKS: &str = "query L($id: ID!, $freshness: UrlFreshness) { invoice(id: $id) { number \
    hostedInvoiceUrl(freshness: $freshness) invoicePdfUrl(freshness: $freshness) receiptUrl(freshness: $freshness) \
    upstream { freshness receiptFreshness fetchedAt guaranteedUntil lastErrorCode drift { field local upstream } } } }";

const PAY: &str = "query P($id: ID!) { invoice(id: $id) { payUrl hostedInvoiceUrl } }";

/// A gateway whose tenant has an account at a Stripe of its own.
pub(crate) struct World {
    pub(crate) gateway: Gateway,
    pub(crate) fake: FakeStripe,
    pub(crate) tenant: TenantId,
    pub(crate) viewer: Viewer,
}

/// An invoice of a world: how old what is known of its links is, absent for never read.
#[derive(Clone, Copy)]
pub(crate) struct Given {
    number: usize,
    customer: usize,
    age: Option<TimeDelta>,
    paid: bool,
}

pub(crate) const fn given(number: usize, age: TimeDelta) -> Given {
    Given { number, customer: 0, age: Some(age), paid: false }
}

impl World {
    pub(crate) async fn new(engine: Engine, all: &[Given]) -> Self {
        let mut gateway = Gateway::new(engine).await;
        let tenant: TenantId = ids::derived(&["links"]);
        write(&gateway, &tenant, all).await;
        let invoices = all.iter().map(at_stripe);
        let keys = vec![fake_stripe::state::Key::new(KEY)];
        let fake = FakeStripe::start(State { keys, rate_per_second: 0, ..State::with(invoices) }).await.unwrap();
        let (links, refresher) = live(&gateway, &tenant, fake.url());
        gateway.links = Arc::new(links);
        tokio::spawn(refresher.run());
        Self { viewer: merchant(&tenant), gateway, fake, tenant }
    }

    pub(crate) async fn ask(&self, query: &str, variables: Value) -> Answer {
        self.gateway.ask(&self.viewer, query, variables).await
    }

    async fn links(&self, number: usize, freshness: &str) -> Answer {
        self.ask(LINKS, json!({ "id": id(number), "freshness": freshness })).await
    }

    /// The mirror of an invoice once it is as wanted: it is written behind the answer.
    async fn mirror(
        &self,
        number: usize,
        wanted: impl Fn(&upstream_invoice::Model) -> bool,
    ) -> upstream_invoice::Model {
        use sea_orm::EntityTrait;
        let connection = self.gateway.database.connect().await;
        for _ in 0..250 {
            let key = (self.tenant.clone(), id(number));
            let row = upstream_invoice::Entity::find_by_id(key).one(&connection).await.unwrap().unwrap();
            if wanted(&row) {
                return row;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the mirror of {number} did not become as wanted");
    }

    fn live_page(&self, number: usize) -> Value {
        json!(self.fake.hosted_invoice_url(&format!("in_{number}")))
    }
}

/// Links that are read at that address.
fn live(gateway: &Gateway, tenant: &TenantId, base: &str) -> (Links, Refresher) {
    let hosts = LinkHosts::default();
    let rate_per_second = NonZeroU32::new(10_000).unwrap();
    let client = StripeClient::new(StripeConfig {
        base: BaseUrl::parse(base, true).unwrap(),
        key: ApiKey::parse(KEY).unwrap(),
        account: None,
        hosts: hosts.clone(),
        limits: StripeLimits { rate_per_second, ..StripeLimits::default() },
        stats: StripeStats::default(),
    });
    let accounts = Arc::new(Accounts::new([(tenant.clone(), client.unwrap())], None));
    Links::live(hosts, accounts, gateway.store.clone(), PayLinkPace::new(Arc::new(Limiter::local()), rate_per_second))
}

pub(crate) fn id(number: usize) -> InvoiceId {
    ids::derived(&["links", &number.to_string()])
}

pub(crate) fn now() -> Instant {
    Instant::new("2026-06-15T00:00:00Z".parse().unwrap())
}

fn stored(number: usize) -> String {
    format!("https://invoice.stripe.com/i/stored/{number}")
}

/// The invoice as Stripe has it.
fn at_stripe(given: &Given) -> Invoice {
    let (name, customer) = (format!("in_{}", given.number), format!("cus_{}", given.customer));
    let invoice = if given.paid { Invoice::paid(&name, 500, 1_780_000_000) } else { Invoice::open(&name, 500) };
    invoice.of(&customer)
}

async fn write(gateway: &Gateway, tenant: &TenantId, all: &[Given]) {
    let customer = |number: usize| -> CustomerId { ids::derived(&["links", "customer", &number.to_string()]) };
    let tx = gateway.store.begin(Whose::Everyones).await.unwrap();
    bill::insert_tenants(&tx, vec![tenant_row(tenant, "links")]).await.unwrap();
    let customers = (0..=all.iter().map(|given| given.customer).max().unwrap_or_default()).map(customer);
    let rows = customers.map(|id| customer_row(tenant, &id)).collect();
    bill::write_customers(&tx, rows, bill::Existing::Keep).await.unwrap();
    let bills = all.iter().map(|given| {
        let keys = BillKeys { tenant, invoice: &id(given.number), customer: &customer(given.customer) };
        bill_of(given).keyed(keys)
    });
    bill::insert_all(&tx, bills.collect()).await.unwrap();
    tx.commit().await.unwrap();
}

fn bill_of(given: &Given) -> Bill {
    let read_at = given.age.map(|age| Instant::new(now().utc() - age));
    let mut bill = draft(given.number, 1, &[]);
    let invoice = &mut bill.invoice;
    invoice.status = if given.paid { InvoiceStatus::Paid } else { InvoiceStatus::Open };
    invoice.paid_at = given.paid.then_some(invoice.created_at);
    invoice.amount_due = Minor(500);
    invoice.amount_paid = Minor(if given.paid { 500 } else { 0 });
    bill.payments.truncate(usize::from(given.paid));
    for payment in &mut bill.payments {
        payment.row.status = entity::PaymentStatus::Succeeded;
        payment.row.amount_paid = Minor(500);
        // As the fake names the charge of a paid invoice.
        payment.row.charge_id = Some(format!("ch_{}_1", given.number));
    }
    bill.upstream = Some(upstream_invoice::Model {
        provider: "stripe".to_owned(),
        stripe_invoice_id: Some(format!("in_{}", given.number)),
        stripe_customer_id: Some(format!("cus_{}", given.customer)),
        hosted_invoice_url: read_at.map(|_| stored(given.number)),
        invoice_pdf_url: read_at.map(|_| stored(given.number)),
        links_fetched_at: read_at,
        receipt_url: read_at.filter(|_| given.paid).map(|_| stored(given.number)),
        receipt_fetched_at: read_at.filter(|_| given.paid),
        updated_at: read_at.unwrap_or_default(),
        ..Default::default()
    });
    bill
}

fn code(answer: &Answer) -> Vec<(String, String)> {
    let place = |error: &Value| error["path"].as_array().unwrap().last().unwrap().as_str().unwrap().to_owned();
    let all = answer.errors.iter().zip(answer.codes());
    all.map(|(error, code)| (place(error), code.to_owned())).collect()
}

// ---- What is fetched, by age and wish -----------------------------------------------------------------------------

#[tokio::test]
async fn a_query_without_links_makes_no_call() {
    let world = World::new(Engine::Sqlite, &[given(1, TimeDelta::days(30))]).await;
    let query = "query Q($id: ID!) { invoice(id: $id) { number upstream { freshness fetchedAt drift { field } } \
        payments { status } } }";
    let answer = world.ask(query, json!({ "id": id(1) })).await.ok();
    assert_eq!(answer["invoice"]["upstream"]["freshness"], "STALE");
    assert_eq!(world.fake.calls().len(), 0);
}

#[tokio::test]
async fn a_young_link_is_the_mirrors_and_an_older_one_is_fetched_once_and_remembered() {
    for_each_engine(async |engine| {
        let all = [
            given(1, TimeDelta::minutes(5)),
            given(2, TimeDelta::days(2)),
            Given { age: None, ..given(4, TimeDelta::zero()) },
        ];
        let world = World::new(engine, &all).await;
        let young = world.links(1, "CACHED").await.ok();
        assert_eq!(young["invoice"]["hostedInvoiceUrl"], stored(1));
        assert_eq!(young["invoice"]["upstream"]["freshness"], "FRESH");
        assert_eq!(world.fake.calls().len(), 0);

        for number in [2, 4] {
            let fetched = world.links(number, "CACHED").await;
            assert_eq!(fetched.upstream.calls(), 1);
            let fetched = fetched.ok();
            assert_eq!(fetched["invoice"]["hostedInvoiceUrl"], world.live_page(number));
            assert_eq!(fetched["invoice"]["upstream"]["freshness"], "LIVE");
            assert_eq!(fetched["invoice"]["upstream"]["fetchedAt"], "2026-06-15T00:00:00.000Z");
            let mirror = world.mirror(number, |row| row.links_fetched_at == Some(now())).await;
            assert_eq!(json!(mirror.hosted_invoice_url), world.live_page(number));
        }
        world.fake.reset_counts();
        let again = world.links(2, "CACHED").await.ok();
        assert_eq!(again["invoice"]["upstream"]["freshness"], "FRESH");
        assert_eq!(world.fake.calls().len(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_link_of_some_hours_is_given_at_once_and_refreshed_behind_the_answer() {
    let world = World::new(Engine::Sqlite, &[given(1, TimeDelta::hours(3))]).await;
    let answer = world.links(1, "CACHED").await;
    assert_eq!(answer.upstream.calls(), 0);
    assert_eq!(answer.ok()["invoice"]["hostedInvoiceUrl"], stored(1));
    let mirror = world.mirror(1, |row| row.links_fetched_at == Some(now())).await;
    assert_eq!(json!(mirror.hosted_invoice_url), world.live_page(1));
    assert_eq!(world.fake.count(Endpoint::Invoice), 1);
}

#[tokio::test]
async fn who_requires_a_fresh_link_gets_it_or_none() {
    let world = World::new(Engine::Sqlite, &[given(1, TimeDelta::seconds(30)), given(2, TimeDelta::minutes(5))]).await;
    let preferred = world.links(1, "PREFER_FRESH").await;
    assert_eq!(preferred.upstream.calls(), 0, "less than a minute old");
    let required = world.links(1, "REQUIRE_FRESH").await.ok();
    assert_eq!(required["invoice"]["hostedInvoiceUrl"], world.live_page(1));
    world.fake.fault(Fault::new(FaultKind::Hang));
    let preferred = world.links(2, "PREFER_FRESH").await;
    assert_eq!((preferred.upstream.stale(), preferred.codes().len()), (2, 0));
    assert_eq!(preferred.data["invoice"]["hostedInvoiceUrl"], stored(2));
    let required = world.links(2, "REQUIRE_FRESH").await;
    assert_eq!(code(&required), [("hostedInvoiceUrl".to_owned(), "UPSTREAM_TIMEOUT".to_owned())]);
    assert_eq!(required.data["invoice"]["hostedInvoiceUrl"], Value::Null);
    assert_eq!(required.data["invoice"]["number"], "T-00002");
}

#[tokio::test]
async fn a_pay_link_is_always_live() {
    let paid = Given { paid: true, ..given(3, TimeDelta::minutes(1)) };
    let world =
        World::new(Engine::Sqlite, &[given(1, TimeDelta::minutes(1)), given(2, TimeDelta::minutes(1)), paid]).await;
    let answer = world.ask(PAY, json!({ "id": id(1) })).await.ok();
    assert_eq!(answer["invoice"]["payUrl"], world.live_page(1));
    // The same call answers both: what is live is not given as stored.
    assert_eq!(world.fake.count(Endpoint::Invoice), 1);

    let nothing_due = world.ask(PAY, json!({ "id": id(3) })).await.ok();
    assert_eq!(nothing_due["invoice"]["payUrl"], Value::Null);
    assert_eq!(world.fake.count(Endpoint::Invoice), 1);

    // Paid at Stripe, and the webhook is late.
    world.fake.change("in_2", &Change::Pay { amount: None, out_of_band: false }).unwrap();
    let answer = world.ask(PAY, json!({ "id": id(2) })).await.ok();
    assert_eq!(answer["invoice"]["payUrl"], Value::Null);
    world.mirror(2, |row| row.upstream_status.as_deref() == Some("paid")).await;
    let drift = world.links(2, "CACHED").await.ok();
    assert_eq!(
        drift["invoice"]["upstream"]["drift"][0],
        json!({"field": "status", "local": "open", "upstream": "paid"})
    );
}

#[tokio::test]
async fn a_rotated_link_is_never_given_as_a_pay_link() {
    let world = World::new(Engine::Sqlite, &[given(1, TimeDelta::minutes(1))]).await;
    let first = world.ask(PAY, json!({ "id": id(1) })).await.ok()["invoice"]["payUrl"].clone();
    world.fake.rotate_link("in_1").unwrap();
    // Answers are shared for a second.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let second = world.ask(PAY, json!({ "id": id(1) })).await.ok()["invoice"]["payUrl"].clone();
    assert_ne!(first, second);
    assert_eq!(second, world.live_page(1));
}

#[tokio::test]
async fn what_an_event_brought_meanwhile_is_not_written_over() {
    for_each_engine(async |engine| {
        let world = World::new(engine, &[given(1, TimeDelta::minutes(1)), given(2, TimeDelta::minutes(1))]).await;
        world.fake.fault(Fault::new(FaultKind::Delay(400)));
        let asked = world.ask(PAY, json!({ "id": id(1) }));
        let heard = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let mut row = world.mirror(1, |_| true).await;
            row.upstream_status = Some("paid".to_owned());
            row.last_event_created = Some(now());
            let tx = world.gateway.store.begin(Whose::Everyones).await.unwrap();
            billing_gateway::store::upstream_invoice::save(&tx, row).await.unwrap();
            tx.commit().await.unwrap();
        };
        let (answer, ()) = futures::join!(asked, heard);
        assert_eq!(answer.ok()["invoice"]["payUrl"], world.live_page(1));
        // What is remembered of another invoice comes behind it.
        world.ask(PAY, json!({ "id": id(2) })).await.ok();
        world.mirror(2, |row| row.links_fetched_at == Some(now())).await;
        let kept = world.mirror(1, |_| true).await;
        assert_eq!((kept.upstream_status.as_deref(), kept.last_event_created), (Some("paid"), Some(now())));
    })
    .await;
}

#[tokio::test]
async fn receipts_belong_to_payments_and_are_kept_for_25_days() {
    for_each_engine(async |engine| {
        let paid = |number, age| Given { paid: true, ..given(number, age) };
        let world = World::new(engine, &[paid(1, TimeDelta::days(26)), paid(2, TimeDelta::hours(1))]).await;
        let query = "query R($id: ID!) { invoice(id: $id) { receiptUrl payments { receiptUrl } \
            upstream { receiptFreshness } } }";
        let answer = world.ask(query, json!({ "id": id(1) })).await.ok();
        let receipt = &answer["invoice"]["receiptUrl"];
        assert!(receipt.as_str().unwrap().starts_with("https://pay.stripe.com/receipts/"), "{answer}");
        assert_eq!(answer["invoice"]["payments"][0]["receiptUrl"], *receipt);
        assert_eq!(answer["invoice"]["upstream"]["receiptFreshness"], "LIVE");
        assert_eq!(world.fake.count(Endpoint::InvoicePayments), 1);
        let mirror = world.mirror(1, |row| row.receipt_fetched_at == Some(now())).await;
        assert_eq!(json!(mirror.receipt_url), *receipt);
        let stored = payments(&world, 1).await;
        assert_eq!(json!(stored[0].receipt_url), *receipt);

        let kept = world.ask("query R($id: ID!) { invoice(id: $id) { receiptUrl } }", json!({ "id": id(2) })).await;
        assert_eq!(kept.ok()["invoice"]["receiptUrl"], self::stored(2));
    })
    .await;
}

async fn payments(world: &World, number: usize) -> Vec<payment::Model> {
    use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
    let connection = world.gateway.database.connect().await;
    for _ in 0..100 {
        let of = payment::Column::InvoiceId.eq(id(number));
        let rows = payment::Entity::find().filter(of).all(&connection).await.unwrap();
        if rows.iter().any(|row| row.receipt_url.is_some()) {
            return rows;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("no receipt was written");
}

// ---- Asked for by a mutation ------------------------------------------------------------------------------------------

const REFRESH: &str = "mutation R($id: ID!) { refreshPayUrl(input: { invoiceId: $id, clientMutationId: \"mine\" }) { \
    clientMutationId url expiresAt invoice { number } userErrors { code message field } } }";

#[tokio::test]
async fn a_refreshed_pay_link_is_stripes_or_says_why_not() {
    for_each_engine(async |engine| {
        let paid = Given { paid: true, ..given(2, TimeDelta::minutes(1)) };
        let world = World::new(engine, &[given(1, TimeDelta::minutes(1)), paid, given(3, TimeDelta::minutes(1))]).await;
        let refresh =
            async |number: usize| world.ask(REFRESH, json!({ "id": id(number) })).await.ok()["refreshPayUrl"].clone();
        let live = refresh(1).await;
        assert_eq!((&live["url"], &live["clientMutationId"]), (&world.live_page(1), &json!("mine")));
        assert_eq!((&live["invoice"]["number"], &live["userErrors"]), (&json!("T-00001"), &json!([])));
        assert!(live["expiresAt"].as_str().unwrap() >= "2026-06-25", "guaranteed for ten days: {live}");

        let code = |payload: &Value| payload["userErrors"][0]["code"].clone();
        let done = refresh(2).await;
        assert_eq!(
            (code(&done), &done["url"], &done["expiresAt"]),
            (json!("ALREADY_PAID"), &Value::Null, &Value::Null)
        );
        let unknown = refresh(99).await;
        assert_eq!((code(&unknown), &unknown["invoice"]), (json!("NOT_FOUND"), &Value::Null));
        world.fake.change("in_3", &Change::Void).unwrap();
        assert_eq!(code(&refresh(3).await), "UPSTREAM_REJECTED");
        world.fake.fault(Fault::new(FaultKind::Hang));
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        let hanging = refresh(1).await;
        assert_eq!((code(&hanging), &hanging["url"]), (json!("UPSTREAM_UNAVAILABLE"), &Value::Null));
    })
    .await;
}

#[tokio::test]
async fn a_pay_link_is_refreshed_only_for_those_who_may_see_invoice_and_links() {
    let world = World::new(Engine::Sqlite, &[given(1, TimeDelta::minutes(1))]).await;
    for missing in [Scope::InvoicesRead, Scope::InvoicesLinksRead] {
        let scopes = Scope::ALL.into_iter().filter(|scope| *scope != missing).collect();
        let partner = viewer(PrincipalKind::Partner, &world.tenant, scopes, None);
        let refused = world.gateway.ask(&partner, REFRESH, json!({ "id": id(1) })).await;
        assert_eq!((refused.codes(), &refused.data["refreshPayUrl"]), (vec!["FORBIDDEN"], &Value::Null));
        assert_eq!(refused.errors[0]["extensions"]["requiredScope"], missing.name());
    }
    // Another tenant's invoice, and one that is another customer's, are as unknown as any.
    let unknown = world.ask(REFRESH, json!({ "id": "inv_none" })).await;
    let stranger = merchant(&ids::derived(&["another tenant"]));
    let limited = viewer(
        PrincipalKind::Customer,
        &world.tenant,
        Scope::ALL.into_iter().collect(),
        Some(vec![ids::derived(&["no one"])]),
    );
    for who in [stranger, limited] {
        let foreign = world.gateway.ask(&who, REFRESH, json!({ "id": id(1) })).await;
        assert_eq!((&foreign.data, &foreign.errors), (&unknown.data, &unknown.errors));
    }
    assert_eq!(world.fake.calls().len(), 0);
}

// ---- How many calls -------------------------------------------------------------------------------------------------

const PAGE: &str = "{ invoices(first: 50) { nodes { number hostedInvoiceUrl invoicePdfUrl receiptUrl \
    payments { receiptUrl } upstream { freshness } } } }";

#[tokio::test]
async fn fifty_invoices_of_five_customers_are_five_lists_and_the_receipts_they_need() {
    let all: Vec<Given> = (1..=50)
        .map(|number| Given { customer: number % 5, paid: number % 10 == 0, ..given(number, TimeDelta::days(12)) })
        .collect();
    let world = World::new(Engine::Sqlite, &all).await;
    let answer = world.ask(PAGE, json!({})).await;
    assert_eq!(world.fake.count(Endpoint::Invoices), 5);
    assert_eq!(world.fake.count(Endpoint::Invoice), 0);
    // Five are paid. Their receipts are twelve days old, which is good for 25; those of their payments were never read.
    assert_eq!(world.fake.count(Endpoint::InvoicePayments), 5);
    assert_eq!(answer.upstream.calls(), 10);
    let answer = answer.ok();
    let nodes = answer["invoices"]["nodes"].as_array().unwrap();
    assert_eq!(nodes.len(), 50);
    for node in nodes {
        assert!(node["hostedInvoiceUrl"].as_str().unwrap().starts_with("https://invoice.stripe.com/i/acct"), "{node}");
        assert_eq!(node["upstream"]["freshness"], "LIVE");
    }
}

#[tokio::test]
async fn two_of_a_customer_are_two_calls_and_what_a_list_lacks_is_asked_alone() {
    let all: Vec<Given> =
        (1..=5).map(|number| Given { customer: number / 3, ..given(number, TimeDelta::days(2)) }).collect();
    let world = World::new(Engine::Sqlite, &all).await;
    // The mirror has the wrong customer for one of the three.
    let mut moved = world.fake.invoice("in_5").unwrap();
    moved.customer = Some("cus_other".to_owned());
    world.fake.put(moved);
    world.fake.reset_counts();
    world.ask(PAGE, json!({})).await.ok();
    assert_eq!((world.fake.count(Endpoint::Invoices), world.fake.count(Endpoint::Invoice)), (1, 3));
}

#[tokio::test]
async fn requests_that_ask_the_same_together_share_one_call() {
    let world = World::new(Engine::Sqlite, &[given(1, TimeDelta::minutes(1))]).await;
    world.fake.fault(Fault::new(FaultKind::Delay(150)));
    let all = futures::future::join_all((0..40).map(|_| world.ask(PAY, json!({ "id": id(1) })))).await;
    assert!(all.into_iter().all(|answer| answer.ok()["invoice"]["payUrl"] == world.live_page(1)));
    assert_eq!(world.fake.count(Endpoint::Invoice), 1);
}

// ---- When Stripe is not well ----------------------------------------------------------------------------------------

/// A fault, and the code that it is told by.
fn faults() -> Vec<(FaultKind, &'static str)> {
    let gone = |status| FaultKind::Status { status, retry_after: None, should_retry: Some(false), reason: None };
    vec![
        (FaultKind::Hang, "UPSTREAM_TIMEOUT"),
        (FaultKind::Delay(5_000), "UPSTREAM_TIMEOUT"),
        (gone(500), "UPSTREAM_UNAVAILABLE"),
        (gone(429), "UPSTREAM_RATE_LIMITED"),
        (gone(401), "UPSTREAM_AUTH"),
        (FaultKind::Garbage, "UPSTREAM_BAD_RESPONSE"),
        (FaultKind::Truncated, "UPSTREAM_UNAVAILABLE"),
        (FaultKind::HostileUrl(Hostile::OtherHost), "UPSTREAM_BAD_URL"),
        (FaultKind::HostileUrl(Hostile::User), "UPSTREAM_BAD_URL"),
        (FaultKind::HostileUrl(Hostile::Http), "UPSTREAM_BAD_URL"),
        (FaultKind::HostileUrl(Hostile::Control), "UPSTREAM_BAD_URL"),
    ]
}

#[tokio::test]
async fn whatever_stripe_does_the_rest_of_the_answer_is_there_in_time() {
    for (fault, expected) in faults() {
        let all = [given(1, TimeDelta::days(2)), given(2, TimeDelta::days(12)), given(3, TimeDelta::minutes(1))];
        let world = World::new(Engine::Sqlite, &all).await;
        world.fake.fault(Fault::new(fault.clone()));
        let begun = Moment::now();
        let stale = world.links(1, "CACHED").await;
        assert_eq!(stale.codes(), Vec::<&str>::new(), "{fault:?}");
        assert_eq!(stale.data["invoice"]["hostedInvoiceUrl"], stored(1), "{fault:?}");
        assert_eq!(stale.upstream.stale(), 2);
        let dead = world.links(2, "CACHED").await;
        assert_eq!(code(&dead), [("hostedInvoiceUrl".to_owned(), expected.to_owned())], "{fault:?}");
        assert_eq!(dead.errors[0]["extensions"]["upstream"], "stripe");
        assert_eq!(dead.data["invoice"]["number"], "T-00002");
        assert_eq!(dead.data["invoice"]["upstream"]["freshness"], "STALE");
        let pay = world.ask(PAY, json!({ "id": id(3) })).await;
        assert_eq!(pay.data["invoice"]["payUrl"], Value::Null);
        assert_eq!(pay.codes().len(), 1, "{fault:?}");
        assert!(begun.elapsed() < Duration::from_secs(6), "{fault:?}: {:?}", begun.elapsed());
        let told = format!("{:?}{:?}", dead.errors, pay.errors);
        assert!(!told.contains(KEY) && !told.contains("evil"), "{told}");
        let mirror = world.mirror(2, |row| row.last_error_code.is_some()).await;
        assert_eq!(format!("UPSTREAM_{}", mirror.last_error_code.unwrap()), expected);
    }
}

#[tokio::test]
async fn an_invoice_that_stripe_forgot_has_one_error_and_says_so_later() {
    let world = World::new(Engine::Sqlite, &[given(1, TimeDelta::days(12))]).await;
    world.fake.replace(State { keys: vec![fake_stripe::state::Key::new(KEY)], ..State::default() });
    let dead = world.links(1, "CACHED").await;
    assert_eq!(code(&dead), [("hostedInvoiceUrl".to_owned(), "UPSTREAM_NOT_FOUND".to_owned())]);
    assert_eq!(dead.errors[0]["extensions"]["retryable"], false);
    world.mirror(1, |row| row.fetch_failures == 1).await;
    let query = "query Q($id: ID!) { invoice(id: $id) { upstream { lastErrorCode } } }";
    let known = world.ask(query, json!({ "id": id(1) })).await.ok();
    assert_eq!(known["invoice"]["upstream"]["lastErrorCode"], "NOT_FOUND");
}

#[tokio::test]
async fn a_stripe_that_cannot_be_reached_costs_no_more_than_the_deadline() {
    let all: Vec<Given> =
        (1..=40).map(|number| Given { customer: number, ..given(number, TimeDelta::days(12)) }).collect();
    let world = World::new(Engine::Sqlite, &all).await;
    world.fake.fault(Fault::new(FaultKind::Hang));
    let begun = Moment::now();
    let answer = world.ask(PAGE, json!({})).await;
    assert!(begun.elapsed() < Duration::from_millis(2_400), "{:?}", begun.elapsed());
    assert_eq!(answer.errors.len(), 40, "one for each invoice");
    assert_eq!(answer.data["invoices"]["nodes"].as_array().unwrap().len(), 40);
}

/// The median of so many questions to each of two worlds, in turns.
async fn medians(alone: &World, beside: &World) -> (Duration, Duration) {
    let plain =
        "query Q($id: ID!) { invoice(id: $id) { number status lineItems { description } payments { status } } }";
    let timed = async |world: &World| {
        let begun = Moment::now();
        world.ask(plain, json!({ "id": id(1) })).await.ok();
        begun.elapsed()
    };
    let (mut one, mut other) = (Vec::new(), Vec::new());
    for _ in 0..200 {
        one.push(timed(alone).await);
        other.push(timed(beside).await);
    }
    let median = |mut times: Vec<Duration>| {
        times.sort();
        times[times.len() / 2]
    };
    (median(one), median(other))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queries_without_links_keep_their_latency_while_stripe_hangs() {
    let all = [given(1, TimeDelta::days(12)), given(2, TimeDelta::days(12))];
    let alone = World::new(Engine::Sqlite, &all).await;
    let beside = Arc::new(World::new(Engine::Sqlite, &all).await);
    beside.fake.fault(Fault::new(FaultKind::Hang));
    let asking = Arc::clone(&beside);
    let hanging = tokio::spawn(async move {
        loop {
            asking.ask(PAY, json!({ "id": id(2) })).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    // Whatever else the machine does may be told once or twice, but not three times.
    let mut told = Vec::new();
    for _ in 0..3 {
        let (alone, beside) = medians(&alone, &beside).await;
        told.push((alone, beside));
        if beside * 10 <= alone * 11 {
            hanging.abort();
            return;
        }
    }
    panic!("alone and while Stripe hangs: {told:?}");
}
