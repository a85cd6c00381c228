use chrono::{DateTime, Duration as Span, Utc};
use entity::{Instant, InvoiceStatus, Minor, TenantId, invoice, upstream_invoice};

use super::*;
use crate::domain::viewer::Tenant;
use crate::stripe::Deadline;

const LINK: &str = "https://invoice.stripe.com/i/acct_test/abc";

fn day(n: i64) -> Instant {
    Instant::new(DateTime::<Utc>::UNIX_EPOCH + Span::days(n))
}

fn mirror(link: &str) -> upstream_invoice::Model {
    upstream_invoice::Model {
        hosted_invoice_url: Some(link.to_owned()),
        receipt_url: Some(link.to_owned()),
        stripe_invoice_id: Some("in_1".to_owned()),
        links_fetched_at: Some(day(0)),
        ..Default::default()
    }
}

fn invoice(status: InvoiceStatus) -> invoice::Model {
    invoice::Model { status, amount_due: Minor(100), ..Default::default() }
}

/// What is seen where nobody can be asked.
async fn seen(invoice: invoice::Model, mirror: upstream_invoice::Model, ask: Ask) -> Seen {
    let links = Links::new(LinkHosts::default());
    let key = LinkKey { invoice: Arc::new(invoice), mirror: Arc::new(mirror), ask };
    let tenant = Tenant::whole(TenantId::default());
    let deadline = Deadline::after(links.patience());
    let asker = Asker { tenant: &tenant, subject: &"someone".into(), now: day(30), deadline };
    let mut seen = links.resolve(asker, vec![key.clone()], &UpstreamStats::default()).await;
    seen.remove(&key).unwrap_or_default()
}

fn is_link(seen: &Seen) -> bool {
    matches!(seen, Seen::Link(link) if link == LINK)
}

#[test]
fn a_mirror_is_fresh_for_nine_days_and_guaranteed_for_ten() {
    let mirror = mirror(LINK);
    assert_eq!(links_freshness(&mirror, day(8)), Freshness::Fresh);
    assert_eq!(links_freshness(&mirror, day(9)), Freshness::Stale);
    assert_eq!(receipt_freshness(&mirror, day(9)), Freshness::NeverFetched);
    assert_eq!(guaranteed_until(day(0)), day(10));
}

#[tokio::test]
async fn without_an_account_the_mirror_is_given_however_old_it_is() {
    let page = || Ask::Page(Wanted::RequireFresh);
    assert!(is_link(&seen(invoice(InvoiceStatus::Open), mirror(LINK), page()).await));
    assert!(matches!(seen(invoice(InvoiceStatus::Draft), mirror(LINK), page()).await, Seen::Nothing));
    let receipt = || Ask::Receipt(Wanted::Cached);
    assert!(matches!(seen(invoice(InvoiceStatus::Open), mirror(LINK), receipt()).await, Seen::Nothing));
    assert!(is_link(&seen(invoice(InvoiceStatus::Paid), mirror(LINK), receipt()).await));
}

#[tokio::test]
async fn a_stored_link_to_another_host_is_never_given() {
    let planted = mirror("https://invoice.stripe.com.evil.example/i");
    assert!(matches!(seen(invoice(InvoiceStatus::Open), planted, Ask::Page(Wanted::Cached)).await, Seen::Nothing));
}

#[tokio::test]
async fn a_pay_link_is_missed_only_when_stripe_has_something_to_be_paid() {
    let open = || invoice(InvoiceStatus::Open);
    assert!(matches!(seen(open(), mirror(LINK), Ask::Pay).await, Seen::Failed(LinkError::NotConfigured)));
    assert!(matches!(seen(invoice(InvoiceStatus::Paid), mirror(LINK), Ask::Pay).await, Seen::Nothing));
    let paid = invoice::Model { amount_paid: Minor(100), ..open() };
    assert!(matches!(seen(paid, mirror(LINK), Ask::Pay).await, Seen::Nothing));
    let unknown = upstream_invoice::Model { stripe_invoice_id: None, ..mirror(LINK) };
    assert!(matches!(seen(open(), unknown, Ask::Pay).await, Seen::Nothing));
}
