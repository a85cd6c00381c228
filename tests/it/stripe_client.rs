//! The client of Stripe against a Stripe that is well, slow, down, wrong or hostile.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use billing_gateway::domain::link::LinkHosts;
use billing_gateway::stats::StripeStats;
use billing_gateway::stripe::webhook::Webhook;
use billing_gateway::stripe::{
    ApiKey, BadLink, BaseUrl, ChargeId, Deadline, EventObject, EventsAsked, InvoiceStatus, InvoicesAsked,
    PaymentIntentId, STRIPE_VERSION, StripeAccountId, StripeClient, StripeConfig, StripeCustomerId, StripeError,
    StripeErrorKind as Kind, StripeInvoiceId, StripeLimits,
};
use entity::Instant as Moment;
use fake_stripe::state::{Key, Links, PaymentKind};
use fake_stripe::{Change, Endpoint, FakeStripe, Fault, FaultKind, Hostile, Invoice, Payment, State, signature};
use secrecy::SecretString;

/// A key that must never show up anywhere.
const KEY: &str = "rk_test_planted0canary";

/// What may pass beyond a deadline before the caller goes on, on a busy machine.
const SLACK: Duration = Duration::from_millis(900);

const fn ms(value: u64) -> Duration {
    Duration::from_millis(value)
}

fn soon() -> Deadline {
    Deadline::after(ms(1_500))
}

fn in_(name: &str) -> StripeInvoiceId {
    StripeInvoiceId::parse(&format!("in_{name}")).unwrap()
}

fn number(value: u32) -> NonZeroU32 {
    NonZeroU32::new(value).unwrap()
}

/// Limits that do not slow a test down.
fn fast() -> StripeLimits {
    StripeLimits { rate_per_second: number(10_000), ..StripeLimits::default() }
}

fn config(base: &str, limits: StripeLimits) -> StripeConfig {
    StripeConfig {
        base: BaseUrl::parse(base, true).unwrap(),
        key: ApiKey::parse(KEY).unwrap(),
        account: None,
        hosts: LinkHosts::default(),
        limits,
        stats: StripeStats::default(),
    }
}

/// A Stripe without limits of its own, and a client for it.
struct Pair {
    fake: FakeStripe,
    client: StripeClient,
}

impl Pair {
    async fn new(invoices: impl IntoIterator<Item = Invoice>) -> Self {
        Self::with(invoices, fast()).await
    }

    async fn with(invoices: impl IntoIterator<Item = Invoice>, limits: StripeLimits) -> Self {
        let fake = FakeStripe::start(state(invoices)).await.unwrap();
        let client = StripeClient::new(config(fake.url(), limits)).unwrap();
        Self { fake, client }
    }

    async fn read(&self, deadline: Deadline) -> Result<(), StripeError> {
        self.client.invoice(&in_("1"), deadline).await.map(drop)
    }

    async fn fails(&self) -> StripeError {
        self.read(soon()).await.unwrap_err()
    }
}

fn state(invoices: impl IntoIterator<Item = Invoice>) -> State {
    State { keys: vec![Key::new(KEY)], rate_per_second: 0, ..State::with(invoices) }
}

fn status(status: u16) -> FaultKind {
    FaultKind::status(status)
}

fn for_good(status: u16) -> FaultKind {
    FaultKind::Status { status, retry_after: None, should_retry: Some(false), reason: None }
}

// ---- What is asked, and what comes back -------------------------------------------------------------------------

#[tokio::test]
async fn an_invoice_is_one_call_that_says_who_asks() {
    let fake = FakeStripe::start(State {
        keys: vec![Key { connected: vec!["acct_other".to_owned()], ..Key::new(KEY) }],
        account: "acct_own".to_owned(),
        ..State::with([Invoice { account: "acct_other".to_owned(), ..Invoice::open("in_1", 1_250) }.of("cus_1")])
    });
    let fake = fake.await.unwrap();
    let account = StripeAccountId::parse("acct_other").ok();
    let client = StripeClient::new(StripeConfig { account, ..config(fake.url(), fast()) }).unwrap();
    let invoice = client.invoice(&in_("1"), soon()).await.unwrap();
    assert_eq!((invoice.amount_due, invoice.amount_remaining), (Some(1_250), Some(1_250)));
    assert_eq!(invoice.status, Some(InvoiceStatus::Open));
    assert_eq!(invoice.customer.as_ref().map(StripeCustomerId::as_str), Some("cus_1"));
    let hosted = invoice.hosted_invoice_url.unwrap().unwrap();
    assert_eq!(Some(hosted.expose()), fake.hosted_invoice_url("in_1").as_deref());
    assert!(invoice.invoice_pdf.unwrap().is_some());

    let calls = fake.calls();
    assert_eq!(calls.len(), 1);
    assert_eq!((calls[0].method.as_str(), calls[0].path.as_str()), ("GET", "/v1/invoices/in_1"));
    assert_eq!(calls[0].key.as_deref(), Some(KEY));
    assert_eq!(calls[0].account.as_deref(), Some("acct_other"));
    assert_eq!(calls[0].version.as_deref(), Some(STRIPE_VERSION));
    assert!(calls[0].user_agent.as_ref().unwrap().starts_with("billing-gateway/"));
}

#[tokio::test]
async fn a_draft_has_no_links_and_no_error() {
    let pair = Pair::new([Invoice::draft("in_1", 5)]).await;
    let invoice = pair.client.invoice(&in_("1"), soon()).await.unwrap();
    assert_eq!(invoice.status, Some(InvoiceStatus::Draft));
    assert_eq!((invoice.hosted_invoice_url, invoice.invoice_pdf, invoice.number), (Ok(None), Ok(None), None));
}

#[tokio::test]
async fn every_payment_has_its_receipt_and_the_newest_is_first() {
    let mut invoice = Invoice::paid("in_1", 300, 1_000);
    invoice.payments.push(Payment::paid("late", 200, 3_000));
    invoice.payments.push(Payment {
        kind: PaymentKind::Charge,
        payment_intent: None,
        ..Payment::paid("bare", 9, 2_000)
    });
    invoice.payments.push(Payment {
        kind: PaymentKind::PaymentRecord,
        payment_intent: None,
        charge: None,
        ..Payment::paid("outside", 9, 9_000)
    });
    let pair = Pair::new([invoice, Invoice::open("in_2", 5)]).await;
    let receipts = pair.client.receipts(&in_("1"), soon()).await.unwrap();
    let charges: Vec<_> = receipts.all().iter().map(|receipt| receipt.charge.as_ref().map(ChargeId::as_str)).collect();
    assert_eq!(charges, [Some("ch_late"), Some("ch_bare"), Some("ch_1_1")]);
    let url = |receipt: Option<&billing_gateway::stripe::Receipt>| {
        receipt.unwrap().url.clone().unwrap().unwrap().expose().to_owned()
    };
    assert_eq!(url(receipts.newest()), "https://pay.stripe.com/receipts/acct_fake/ch_late");
    let intent = PaymentIntentId::parse("pi_1_1").unwrap();
    assert_eq!(url(receipts.of_payment_intent(&intent)), "https://pay.stripe.com/receipts/acct_fake/ch_1_1");
    let charge = ChargeId::parse("ch_bare").unwrap();
    assert_eq!(url(receipts.of_charge(&charge)), "https://pay.stripe.com/receipts/acct_fake/ch_bare");
    assert!(pair.client.receipts(&in_("2"), soon()).await.unwrap().newest().is_none());

    assert_eq!(pair.fake.count(Endpoint::InvoicePayments), 2);
    let query = &pair.fake.calls()[0].query;
    assert!(query.contains("expand%5B%5D=data.payment.payment_intent.latest_charge"), "{query}");
    let read = pair.client.charge(&charge, soon()).await.unwrap();
    assert_eq!(read.amount, Some(9));
}

#[tokio::test]
async fn the_payment_that_was_paid_last_is_found_on_whatever_page() {
    let mut invoice = Invoice::open("in_1", 300_000);
    // Begun first, so it stands last; paid last.
    invoice.payments.push(Payment { created: Some(1), ..Payment::paid("slow", 5, 9_000) });
    invoice.payments.extend((0..250).map(|n| Payment::paid(&format!("n{n}"), 5, 1_000 + n)));
    let mut many = Invoice::open("in_2", 300_000);
    many.payments.extend((0..700).map(|n| Payment::paid(&format!("m{n}"), 5, 1_000 + n)));
    let pair = Pair::new([invoice, many]).await;
    let receipts = pair.client.receipts(&in_("1"), soon()).await.unwrap();
    assert_eq!(receipts.all().len(), 251);
    assert_eq!(receipts.newest().unwrap().charge.as_ref().map(ChargeId::as_str), Some("ch_slow"));
    assert_eq!(pair.fake.count(Endpoint::InvoicePayments), 3);
    let receipts = pair.client.receipts(&in_("2"), soon()).await.unwrap();
    assert_eq!(receipts.all().len(), 500, "five pages are read, and no more");
    assert_eq!(receipts.newest().unwrap().charge.as_ref().map(ChargeId::as_str), Some("ch_m699"));
    // Each page is within the same deadline.
    pair.fake.fault(Fault::new(FaultKind::Delay(150)).at(Endpoint::InvoicePayments));
    let begun = Instant::now();
    let late = pair.client.receipts(&in_("2"), Deadline::after(ms(400))).await.unwrap_err();
    assert!(matches!(late.kind(), Kind::Timeout | Kind::RateLimited { .. }), "{late:?}");
    assert!(begun.elapsed() < ms(400) + SLACK);
}

#[tokio::test]
async fn invoices_come_with_their_payments_where_that_is_asked_for() {
    let mut invoice = Invoice { created: Some(100), ..Invoice::paid("in_1", 300, 1_000) };
    invoice.payments.extend((0..12).map(|n| Payment::paid(&format!("n{n}"), 5, 2_000 + n)));
    let old = Invoice { created: Some(50), ..Invoice::paid("in_2", 300, 1_000) };
    let pair = Pair::new([invoice, old]).await;
    let moment = |at| Some(Moment::new(chrono::DateTime::from_timestamp(at, 0).unwrap()));
    let asked = InvoicesAsked { since: moment(50), until: moment(100), payments: true, after: None };
    let page = pair.client.invoices_made(&asked, soon()).await.unwrap();
    let [old] = page.items.as_slice() else { panic!("{page:?}") };
    assert_eq!((old.id.as_str(), old.payments.items.len(), old.payments.has_more), ("in_2", 1, false));
    let page = pair.client.invoices_made(&InvoicesAsked { until: None, ..asked }, soon()).await.unwrap();
    assert_eq!((page.items[0].payments.items.len(), page.items[0].payments.has_more), (10, true));
    assert_eq!(pair.client.payments(&in_("1"), soon()).await.unwrap().len(), 13);
}

#[tokio::test]
async fn lists_come_in_pages_of_a_hundred() {
    let invoice = |index: i64| Invoice { created: Some(index), ..Invoice::open(&format!("in_{index}"), 5) }.of("cus_1");
    let pair = Pair::new((0..150).map(invoice)).await;
    let customer = StripeCustomerId::parse("cus_1").unwrap();
    let first = pair.client.invoices_of_customer(&customer, None, soon()).await.unwrap();
    assert_eq!((first.items.len(), first.has_more), (100, true));
    assert_eq!(first.items[0].id, in_("149"));
    let last = first.items.last().map(|invoice| &invoice.id);
    let second = pair.client.invoices_of_customer(&customer, last, soon()).await.unwrap();
    assert_eq!((second.items.len(), second.has_more), (50, false));
    assert_eq!(second.items[49].id, in_("0"));
    let nobody = StripeCustomerId::parse("cus_2").unwrap();
    assert!(pair.client.invoices_of_customer(&nobody, None, soon()).await.unwrap().items.is_empty());
    let since = Moment::new(chrono::DateTime::from_timestamp(140, 0).unwrap());
    let asked = InvoicesAsked { since: Some(since), ..InvoicesAsked::default() };
    let since = pair.client.invoices_made(&asked, soon()).await.unwrap();
    assert_eq!((since.items.len(), since.has_more), (10, false));
    assert!(since.items.iter().all(|invoice| invoice.payments.items.is_empty()), "nobody asked for payments");
    assert_eq!(pair.fake.count(Endpoint::Invoices), 4);
}

#[tokio::test]
async fn events_are_read_by_time_delivery_and_page() {
    let fake = FakeStripe::start(State { now: Some(1_000_000), ..state([Invoice::open("in_1", 5)]) }).await.unwrap();
    let client = StripeClient::new(config(fake.url(), fast())).unwrap();
    fake.change("in_1", &Change::Pay { amount: None, out_of_band: false }).unwrap();
    let page = client.events(&EventsAsked::default(), soon()).await.unwrap();
    let kinds: Vec<_> = page.items.iter().map(|listed| listed.event.kind.as_str()).collect();
    assert_eq!(kinds, ["invoice.payment_succeeded", "invoice.paid", "invoice.updated", "invoice_payment.paid"]);
    let EventObject::InvoicePayment(payment) = &page.items[3].event.object else { panic!("{page:?}") };
    assert_eq!(payment.invoice, Some(in_("1")));
    let EventObject::Invoice(invoice) = &page.items[1].event.object else { panic!("{page:?}") };
    assert_eq!(invoice.status, Some(InvoiceStatus::Paid));
    let after = Some(page.items[2].event.id.clone());
    let rest = client.events(&EventsAsked { after, ..EventsAsked::default() }, soon()).await.unwrap();
    assert_eq!(rest.items.len(), 1);
    let since = Some(Moment::new(chrono::DateTime::from_timestamp(2_000_000, 0).unwrap()));
    let none = client.events(&EventsAsked { since, ..EventsAsked::default() }, soon()).await.unwrap();
    assert!(none.items.is_empty() && !none.has_more);
}

#[tokio::test]
async fn webhooks_of_the_fake_are_taken() {
    let pair = Pair::new([Invoice::draft("in_1", 5)]).await;
    pair.fake.change("in_1", &Change::Finalize).unwrap();
    pair.fake.change("in_1", &Change::Pay { amount: None, out_of_band: false }).unwrap();
    pair.fake.change("in_1", &Change::Refund { charge: None, amount: None }).unwrap();
    let webhook = Webhook::new(vec![SecretString::from("whsec_1")], LinkHosts::default()).unwrap();
    let now = Moment::new(chrono::DateTime::from_timestamp(1_000, 0).unwrap());
    for event in pair.fake.events() {
        let body = event.body.to_string();
        let header = signature(&["whsec_0", "whsec_1"], body.as_bytes(), 1_000);
        let read = webhook.receive(body.as_bytes(), header.as_bytes(), now).unwrap();
        assert_eq!((read.id.as_str(), &read.kind), (event.id.as_str(), &event.kind));
        assert!(!matches!(read.object, EventObject::Other { .. }), "{read:?}");
        let names_invoice = event.kind.starts_with("invoice");
        assert_eq!(read.invoice(), names_invoice.then(|| in_("1")).as_ref(), "{}", event.kind);
        assert_eq!(webhook.reread(body.as_bytes()).unwrap(), read);
    }
}

#[tokio::test]
async fn links_to_a_fake_on_this_machine_pass_where_that_is_wanted() {
    let fake = FakeStripe::start(State { links: Links::Fake, ..state([Invoice::open("in_1", 5)]) }).await.unwrap();
    let plain = config(fake.url(), fast());
    let hosts = LinkHosts::default().and_local(plain.base.url());
    let refused = StripeClient::new(plain.clone()).unwrap().invoice(&in_("1"), soon()).await.unwrap();
    assert_eq!(refused.hosted_invoice_url, Err(BadLink));
    let client = StripeClient::new(StripeConfig { hosts, ..plain }).unwrap();
    let invoice = client.invoice(&in_("1"), soon()).await.unwrap();
    assert!(invoice.hosted_invoice_url.unwrap().unwrap().expose().starts_with(fake.url()));
}

// ---- Failures and their classes ---------------------------------------------------------------------------------

#[tokio::test]
async fn every_failure_has_its_class_and_comes_in_time() {
    let unavailable = Kind::Unavailable { retry_after: None };
    let cases = [
        (status(401), Kind::Auth, 1),
        (status(403), Kind::Auth, 1),
        (status(404), Kind::NotFound, 1),
        (status(400), Kind::BadResponse("it refuses the request"), 1),
        (status(402), Kind::BadResponse("it refuses the request"), 1),
        (status(409), unavailable.clone(), 2),
        (status(500), unavailable.clone(), 2),
        (for_good(500), unavailable.clone(), 1),
        (status(503), unavailable.clone(), 2),
        (FaultKind::Reset, unavailable.clone(), 2),
        (FaultKind::Truncated, unavailable.clone(), 2),
        (FaultKind::Hang, Kind::Timeout, 1),
        (FaultKind::Delay(3_000), Kind::Timeout, 1),
        (FaultKind::Garbage, Kind::BadResponse("it is not the JSON that is documented"), 1),
        (FaultKind::Body("{}".to_owned()), Kind::BadResponse("it is not the JSON that is documented"), 1),
        (
            FaultKind::Body(r#"{"id":"in_2"}"#.to_owned()),
            Kind::BadResponse("it is another object than was asked for"),
            1,
        ),
        (FaultKind::Body(r#"{"id":"../x"}"#.to_owned()), Kind::BadResponse("it has an id that is none"), 1),
        (FaultKind::Oversized(2_000_000), Kind::BadResponse("it is too large"), 1),
        (FaultKind::Redirect(String::new()), Kind::BadResponse("it is a redirection"), 1),
    ];
    for (fault, class, calls) in cases {
        let pair = Pair::new([Invoice::open("in_1", 5)]).await;
        pair.fake.fault(Fault::new(fault.clone()));
        let begun = Instant::now();
        let error = pair.fails().await;
        assert!(begun.elapsed() < ms(1_500) + SLACK, "{fault:?} took {:?}", begun.elapsed());
        assert_eq!(*error.kind(), class, "{fault:?}");
        assert_eq!(pair.fake.count(Endpoint::Invoice), calls, "{fault:?}");
        assert_eq!(pair.fake.counts().total, calls, "{fault:?}: nothing else was asked");
        let answered =
            !matches!(fault, FaultKind::Hang | FaultKind::Delay(_) | FaultKind::Reset | FaultKind::Truncated);
        assert_eq!(error.request_id().is_some(), answered, "{fault:?}");
        let later = matches!(class, Kind::Timeout | Kind::Unavailable { .. });
        assert_eq!(error.retryable(), later, "{fault:?}");
    }
}

#[tokio::test]
async fn what_stripe_says_is_not_kept_but_the_id_of_the_request() {
    let pair = Pair::new([]).await;
    let error = pair.fails().await;
    assert_eq!(*error.kind(), Kind::NotFound);
    assert!(error.request_id().unwrap().starts_with("req_fake"));
    let said = format!("{error} {error:?}");
    assert!(!said.contains("No such invoice") && !said.contains("in_1"), "{said}");
}

#[tokio::test]
async fn the_key_and_the_address_are_never_printed() {
    let pair = Pair::new([Invoice::open("in_1", 5)]).await;
    let mut said = format!("{:?}", pair.client);
    for fault in [status(401), status(500), FaultKind::Reset, FaultKind::Truncated, FaultKind::Garbage] {
        pair.fake.fault(Fault::new(fault).times(2));
        let error = pair.fails().await;
        pair.fake.clear_faults();
        let mut source = std::error::Error::source(&error);
        said = format!("{said}\n{error}\n{error:?}");
        while let Some(cause) = source {
            said = format!("{said}\n{cause}\n{cause:?}");
            source = cause.source();
        }
    }
    assert!(!said.contains("planted0canary"), "{said}");
    assert!(!said.contains("/v1/invoices"), "{said}");
}

#[tokio::test]
async fn a_revoked_key_is_told_at_once() {
    let pair = Pair::new([Invoice::open("in_1", 5)]).await;
    assert!(pair.fake.revoke_key(KEY));
    assert_eq!(*pair.fails().await.kind(), Kind::Auth);
    assert!(!pair.client.is_open());
}

#[tokio::test]
async fn hostile_links_are_errors_of_the_link_only() {
    for hostile in Hostile::ALL {
        let pair = Pair::new([Invoice::paid("in_1", 5, 9)]).await;
        pair.fake.fault(Fault::new(FaultKind::HostileUrl(hostile.clone())));
        let invoice = pair.client.invoice(&in_("1"), soon()).await.unwrap();
        assert_eq!((&invoice.hosted_invoice_url, &invoice.invoice_pdf), (&Err(BadLink), &Err(BadLink)), "{hostile:?}");
        assert_eq!(invoice.amount_paid, Some(5));
        let receipts = pair.client.receipts(&in_("1"), soon()).await.unwrap();
        assert_eq!(receipts.newest().unwrap().url, Err(BadLink), "{hostile:?}");
        assert_eq!(*StripeError::from(BadLink).kind(), Kind::BadUrl);
    }
}

#[tokio::test]
async fn nobody_at_home_is_unavailable() {
    // Nothing on a machine that runs tests listens at port 1.
    let client = StripeClient::new(config("http://127.0.0.1:1", fast())).unwrap();
    let error = client.invoice(&in_("1"), soon()).await.unwrap_err();
    assert_eq!(*error.kind(), Kind::Unavailable { retry_after: None });
    assert_eq!(error.request_id(), None);
}

#[tokio::test]
async fn encryption_has_its_provider_and_who_does_not_speak_it_is_unavailable() {
    let fake = FakeStripe::start(state([Invoice::open("in_1", 5)])).await.unwrap();
    let client = StripeClient::new(config(&fake.url().replace("http://", "https://"), fast())).unwrap();
    let error = client.invoice(&in_("1"), soon()).await.unwrap_err();
    assert_eq!(*error.kind(), Kind::Unavailable { retry_after: None });
    assert_eq!(fake.counts().total, 0);
}

// ---- Time -------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn one_failure_is_repeated_and_two_are_not() {
    for fault in [status(500), status(409), FaultKind::Reset, FaultKind::Truncated] {
        let pair = Pair::new([Invoice::open("in_1", 5)]).await;
        pair.fake.fault(Fault::new(fault.clone()).times(1));
        pair.read(soon()).await.unwrap();
        assert_eq!(pair.fake.count(Endpoint::Invoice), 2, "{fault:?}");
        pair.fake.fault(Fault::new(fault).times(2));
        pair.fails().await;
        assert_eq!(pair.fake.count(Endpoint::Invoice), 4);
    }
}

#[tokio::test]
async fn without_time_nothing_is_repeated_and_nothing_begun() {
    let pair = Pair::new([Invoice::open("in_1", 5)]).await;
    pair.fake.fault(Fault::new(status(500)));
    pair.read(Deadline::after(ms(290))).await.unwrap_err();
    assert_eq!(pair.fake.count(Endpoint::Invoice), 1);
    pair.fake.fault(Fault::new(FaultKind::Hang));
    let error = pair.read(Deadline::after(ms(0))).await.unwrap_err();
    assert_eq!(*error.kind(), Kind::Timeout);
    assert_eq!(pair.fake.count(Endpoint::Invoice), 1);
}

#[tokio::test]
async fn a_stripe_that_hangs_costs_the_deadline_and_not_waves_of_it() {
    let pair = Pair::new([Invoice::open("in_1", 5)]).await;
    pair.fake.fault(Fault::new(FaultKind::Hang));
    let begun = Instant::now();
    let deadline = Deadline::after(ms(1_000));
    let all = futures::future::join_all((0..40).map(|_| pair.read(deadline))).await;
    assert!(begun.elapsed() < ms(1_000) + SLACK, "{:?}", begun.elapsed());
    for result in all {
        let error = result.unwrap_err();
        assert!(matches!(error.kind(), Kind::Timeout | Kind::Unavailable { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn at_most_eight_calls_are_under_way() {
    let pair = Pair::new([Invoice::open("in_1", 5)]).await;
    pair.fake.fault(Fault::new(FaultKind::Delay(40)));
    let all = futures::future::join_all((0..30).map(|_| pair.read(Deadline::after(Duration::from_secs(10))))).await;
    assert!(all.iter().all(Result::is_ok));
    assert_eq!(pair.fake.counts().in_flight_max, 8);
}

#[tokio::test]
async fn callers_who_go_away_leave_their_place() {
    let pair = Pair::new([Invoice::open("in_1", 5)]).await;
    pair.fake.fault(Fault::new(FaultKind::Hang).times(8));
    let hanging = futures::future::join_all((0..8).map(|_| pair.read(Deadline::after(Duration::from_mins(1)))));
    let all_came = async {
        while pair.fake.count(Endpoint::Invoice) < 8 {
            tokio::time::sleep(ms(5)).await;
        }
    };
    tokio::select! {
        _ = hanging => panic!("they hang"),
        () = all_came => {}
    }
    pair.read(soon()).await.unwrap();
}

// ---- Rate and breaker -------------------------------------------------------------------------------------------

#[tokio::test]
async fn the_default_rate_stays_below_what_stripe_allows() {
    let fake = FakeStripe::start(State { rate_per_second: 25, ..state([Invoice::open("in_1", 5)]) }).await.unwrap();
    let client = StripeClient::new(config(fake.url(), StripeLimits::default())).unwrap();
    let begun = Instant::now();
    let deadline = Deadline::after(Duration::from_secs(10));
    let id = in_("1");
    let all = futures::future::join_all((0..45).map(|_| client.invoice(&id, deadline))).await;
    assert!(all.iter().all(Result::is_ok), "none was one too many");
    assert!(begun.elapsed() >= ms(1_900), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn who_cannot_have_a_token_in_time_is_told_at_once() {
    let limits = StripeLimits { rate_per_second: number(1), ..StripeLimits::default() };
    let pair = Pair::with([Invoice::open("in_1", 5)], limits).await;
    pair.read(soon()).await.unwrap();
    let begun = Instant::now();
    let error = pair.read(Deadline::after(ms(500))).await.unwrap_err();
    assert!(begun.elapsed() < ms(400));
    assert!(matches!(error.kind(), Kind::RateLimited { retry_after } if *retry_after <= ms(1_000)), "{error:?}");
    assert_eq!(pair.fake.count(Endpoint::Invoice), 1);
}

#[tokio::test]
async fn one_call_too_many_silences_its_endpoint_for_a_second() {
    let pair = Pair::new([Invoice::paid("in_1", 5, 9)]).await;
    pair.fake.fault(Fault::new(status(429)).times(1));
    let error = pair.fails().await;
    assert_eq!(*error.kind(), Kind::RateLimited { retry_after: ms(1_000) });
    assert_eq!(error.retry_after(), Some(ms(1_000)));
    assert_eq!(pair.fake.count(Endpoint::Invoice), 1, "it is not repeated");
    let error = pair.read(Deadline::after(ms(300))).await.unwrap_err();
    assert!(matches!(error.kind(), Kind::RateLimited { .. }), "{error:?}");
    assert_eq!(pair.fake.count(Endpoint::Invoice), 1, "nor asked again");
    pair.client.charge(&ChargeId::parse("ch_1_1").unwrap(), soon()).await.unwrap();
    pair.read(soon()).await.unwrap();
    assert!(!pair.client.is_open());
}

#[tokio::test]
async fn a_limit_of_the_account_silences_every_endpoint_and_one_of_an_object_none() {
    for (reason, silent) in [("global-rate", true), ("resource-specific", false)] {
        let pair = Pair::new([Invoice::paid("in_1", 5, 9)]).await;
        let reason = Some(reason.to_owned());
        let fault = FaultKind::Status { status: 429, retry_after: None, should_retry: None, reason };
        pair.fake.fault(Fault::new(fault).times(1));
        assert!(matches!(pair.fails().await.kind(), Kind::RateLimited { .. }));
        let charge = pair.client.charge(&ChargeId::parse("ch_1_1").unwrap(), Deadline::after(ms(500))).await;
        assert_eq!(charge.is_err(), silent);
        assert_eq!(pair.fake.count(Endpoint::Charge), u64::from(!silent));
    }
}

#[tokio::test]
async fn stripe_says_how_long_to_be_silent_but_not_too_long() {
    for (stated, kept) in [(2, 2_000), (60, 5_000)] {
        let pair = Pair::new([Invoice::open("in_1", 5)]).await;
        let fault = FaultKind::Status { status: 429, retry_after: Some(stated), should_retry: None, reason: None };
        pair.fake.fault(Fault::new(fault));
        assert_eq!(pair.fails().await.retry_after(), Some(ms(kept)));
    }
}

#[tokio::test]
async fn a_stripe_that_is_down_is_left_alone_and_tried_again_with_one_call() {
    let pair = Pair::new([Invoice::open("in_1", 5)]).await;
    pair.fake.fault(Fault::new(for_good(500)));
    for _ in 0..10 {
        assert_eq!(*pair.fails().await.kind(), Kind::Unavailable { retry_after: None });
    }
    assert!(pair.client.is_open());
    let error = pair.fails().await;
    let wait = error.retry_after().unwrap();
    assert!(matches!(error.kind(), Kind::Unavailable { .. }) && wait <= ms(2_000), "{error:?}");
    assert_eq!(pair.fake.count(Endpoint::Invoice), 10, "nobody asked");

    tokio::time::sleep(wait).await;
    pair.fake.clear_faults();
    pair.fake.fault(Fault::new(FaultKind::Delay(150)));
    let many = futures::future::join_all((0..5).map(|_| pair.read(soon()))).await;
    assert_eq!(many.iter().filter(|result| result.is_ok()).count(), 1, "one tries for all");
    assert_eq!(pair.fake.count(Endpoint::Invoice), 11);
    assert!(!pair.client.is_open());
    pair.read(soon()).await.unwrap();
}

#[tokio::test]
async fn refusals_never_open_the_breaker() {
    for fault in [status(404), status(401), status(400), status(429), FaultKind::Garbage] {
        let pair = Pair::new([Invoice::open("in_1", 5)]).await;
        pair.fake.fault(Fault::new(fault.clone()));
        for _ in 0..15 {
            pair.read(Deadline::after(ms(200))).await.unwrap_err();
        }
        assert!(!pair.client.is_open(), "{fault:?}");
    }
}
