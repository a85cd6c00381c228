//! The hand-made part: each named invoice shows what its name says.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use entity::{CurrencyCode, InvoiceStatus, Minor, PaymentStatus, RentalStatus, rental};

use super::{World, assert_laws};
use crate::demo::{DemoInvoice, Plan, import_targets, principals};
use crate::domain::{
    bill::Bill,
    invoice::{amount_overpaid, amount_remaining, is_overdue},
    viewer::{PrincipalKind, Scope},
};

/// The named invoices and their ids: examples, documentation and tests rely on them.
const CHARACTERS: [(&str, &str); 22] = [
    ("declined-topup", "inv_01KTG4KX9GXSPDWTMZ53X9NNGY"),
    ("overage-week", "inv_01KTJ915Y0RM9WQDSV6VTKV6XG"),
    ("paid-with-receipt", "inv_01KTW617A0QR4W7Q3TXF571FB9"),
    ("receipt-expired", "inv_01KQWRVT002SJQZRZKP39K9BFF"),
    ("rotated-link", "inv_01KT3RZAM03FH6G91FQ4F1PG4V"),
    ("stripe-never-heard", "inv_01KTYEPNC0HWPSFM1036VMDE4Z"),
    ("three-attempts", "inv_01KSQE51R0S0NBPEDPJJCP9FT7"),
    ("sca-required", "inv_01KTJ915Y0E30DDSHX4HEM4VHA"),
    ("bank-debit-processing", "inv_01KT0W90R0XESTB0WF23S3SW71"),
    ("half-paid", "inv_01KQH1YQR0JXYA4XCQABH0XZJ9"),
    ("overpaid", "inv_01KN3T15R0B897RBAZ5PMJG2FF"),
    ("refunded-twice", "inv_01KR9NTH308ZDTY3Z3WPV53ST2"),
    ("voided", "inv_01KS7J1980BV8R2X7KZ6M1QPSH"),
    ("written-off-then-paid", "inv_01KCD6GHJ07GT1H1N4F2NBPMR1"),
    ("yen", "inv_01KTNVV78RTJAFG5A1K9AG8HE5"),
    ("dinar", "inv_01KTKFG1M8ZHZNHZFBQJF83TNC"),
    ("reverse-charge", "inv_01KT0884Y0SXXB0Z8JBCM5PWRQ"),
    ("two-taxes", "inv_01KTCF2880FJE3BH4C9R3E6EK1"),
    ("whale", "inv_01KSYGR10030HVHY53D4Q75YJH"),
    ("empty-draft", "inv_01KV3C2260QASCT3ECWTJCTJAQ"),
    ("drifted", "inv_01KT916M807Y4KQW5AXVGYXQKF"),
    ("other-tenant", "inv_01KTF5F4T0406NKSN9N7X7NA0R"),
];

fn world() -> World {
    super::world(&Plan::of(0))
}

fn character<'a>(world: &'a World, name: &str) -> &'a DemoInvoice {
    let named = world.invoices.iter().find(|entry| entry.character == Some(name));
    named.unwrap_or_else(|| panic!("{name}"))
}

#[test]
fn the_laws_hold_for_the_cast() {
    let world = world();
    assert_laws(&world);
    let numbers: Vec<_> = world.invoices.iter().filter_map(|entry| entry.bill.invoice.number.as_deref()).collect();
    assert!(numbers.contains(&"GRID-2026-0042"), "{numbers:?}");
    assert!(numbers.contains(&"NF-2026-0001"), "{numbers:?}");
    assert!(world.customers.iter().any(|row| row.parent_id.is_some()));
}

#[test]
fn the_world_is_the_same_every_time() {
    assert_eq!(world(), world());
    assert_eq!(principals(), principals());
}

#[test]
fn the_named_invoices_have_their_ids() {
    let world = world();
    let named: Vec<_> = world.invoices.iter().filter(|entry| entry.character.is_some()).collect();
    assert_eq!(named.len(), CHARACTERS.len());
    let found: Vec<_> = CHARACTERS.map(|(name, _)| (name, character(&world, name).bill.invoice.id.as_str())).to_vec();
    assert_eq!(found, CHARACTERS);
}

#[test]
fn mirrors_are_as_old_as_their_characters_say() {
    let world = world();
    let age = |name| {
        let mirror = character(&world, name).bill.upstream.as_ref().unwrap();
        world.now.utc() - mirror.links_fetched_at.unwrap().utc()
    };
    for fresh in ["declined-topup", "overage-week", "paid-with-receipt", "drifted"] {
        assert!(age(fresh) < TimeDelta::hours(24), "{fresh}");
    }
    assert_eq!(age("rotated-link"), TimeDelta::days(3));
    assert!(age("receipt-expired") > TimeDelta::days(39));
    assert_eq!(character(&world, "stripe-never-heard").bill.upstream, None);
    let mirrors = world.invoices.iter().filter_map(|entry| entry.bill.upstream.as_ref());
    let stale = mirrors.filter_map(|mirror| mirror.links_fetched_at);
    let stale = stale.filter(|read_at| world.now.utc() - read_at.utc() > TimeDelta::days(9));
    assert!(stale.count() >= 5);
}

#[test]
fn declined_topup_is_document_a() {
    let world = world();
    let bill = &character(&world, "declined-topup").bill;
    let invoice = &bill.invoice;
    assert_eq!((invoice.amount_due, &invoice.currency), (Minor(10_000), &CurrencyCode("USD".into())));
    assert_eq!(invoice.created_at.utc().to_rfc3339(), "2026-06-07T04:14:22+00:00");
    assert_eq!(invoice.due_at.unwrap().utc().to_rfc3339(), "2026-06-14T04:14:22+00:00");
    let [line] = bill.lines.as_slice() else { panic!("one line") };
    assert_eq!(line.row.description, "Auto-topup of $100.00 (card declined)");
    assert!(invoice.rental_id.is_none() && bill.payments.is_empty());
}

#[test]
fn overage_week_has_every_relation() {
    let world = world();
    let bill = &character(&world, "overage-week").bill;
    assert_eq!(bill.lines.len(), 14);
    assert!(bill.lines.iter().all(|line| !line.sub_lines.is_empty() && line.row.period_end.is_some()));
    let mut lines: BTreeMap<_, usize> = BTreeMap::new();
    for line in &bill.lines {
        *lines.entry(line.row.rental_id.clone()).or_default() += 1;
    }
    assert_eq!(lines.remove(&bill.invoice.rental_id), Some(10));
    assert_eq!(lines.into_values().collect::<Vec<_>>(), [4]);
    let rental: &rental::Model =
        world.rentals.iter().find(|row| Some(&row.id) == bill.invoice.rental_id.as_ref()).unwrap();
    assert_eq!((rental.gpu_family.as_str(), rental.gpu_count), ("h100-80gb", 8));
    assert_eq!(rental.price_per_hour, Minor(2_240));
    let seconds: i64 = bill
        .lines
        .iter()
        .filter(|line| line.row.rental_id == bill.invoice.rental_id)
        .take(7)
        .map(|line| (line.row.period_end.unwrap().utc() - line.row.period_start.unwrap().utc()).num_seconds())
        .sum();
    assert_eq!(seconds, rental.seconds_billed);
    assert!(bill.invoice.amount_paid.0 > 0 && amount_remaining(&bill.invoice).0 > 0);
    assert!(bill.upstream.is_some() && !bill.products.is_empty());
}

#[test]
fn the_other_characters_show_what_they_are_named_for() {
    let world = world();
    let bill = |name| &character(&world, name).bill;
    let statuses = |name| bill(name).payments.iter().map(|payment| payment.row.status).collect::<Vec<_>>();
    assert_eq!(statuses("three-attempts"), [PaymentStatus::Failed, PaymentStatus::Failed, PaymentStatus::Succeeded]);
    assert_eq!(statuses("sca-required"), [PaymentStatus::RequiresAction]);
    assert_eq!(statuses("bank-debit-processing"), [PaymentStatus::Pending]);
    assert_eq!(statuses("refunded-twice"), [PaymentStatus::Succeeded; 3]);
    let half = &bill("half-paid").invoice;
    assert_eq!(half.amount_paid.0, half.amount_due.0 / 2);
    assert!(is_overdue(half, world.now));
    assert_eq!(amount_overpaid(&bill("overpaid").invoice), Minor(5_000));
    assert_eq!(bill("voided").invoice.status, InvoiceStatus::Void);
    let late = &bill("written-off-then-paid").invoice;
    assert!(late.uncollectible_at.is_some() && late.uncollectible_at < late.paid_at);
    for (name, currency) in [("yen", "JPY"), ("dinar", "KWD"), ("two-taxes", "CAD")] {
        assert_eq!(bill(name).invoice.currency.0, currency);
    }
    assert_eq!(bill("reverse-charge").taxes[0].exemption, Some(entity::TaxExemption::ReverseCharge));
    let rates: Vec<_> = bill("two-taxes").taxes.iter().map(|tax| tax.rate.0.as_str()).collect();
    assert_eq!(rates, ["5", "9.975"]);
    assert_eq!(bill("whale").lines.len(), 1_000);
    assert!(bill("empty-draft").lines.is_empty());
    let drifted = bill("drifted");
    assert_ne!(drifted.upstream.as_ref().unwrap().upstream_amount_due, Some(drifted.invoice.amount_due));
    assert_ne!(bill("other-tenant").invoice.tenant_id, half.tenant_id);
}

#[test]
fn rare_parts_of_a_bill_occur() {
    let world = world();
    let has = |what: fn(&Bill) -> bool| world.invoices.iter().any(|entry| what(&entry.bill));
    assert!(has(|bill| !bill.discounts.is_empty() && bill.lines.iter().any(|line| !line.discounts.is_empty())));
    assert!(has(|bill| bill.invoice.applied_credits.0 > 0));
    assert!(has(|bill| bill.invoice.balance_applied.is_some()));
    assert!(has(|bill| bill.invoice.last_finalization_error.is_some()));
    assert!(has(|bill| bill.invoice.paid_out_of_band));
    assert!(has(|bill| !bill.changes.is_empty() && bill.lines.iter().any(|line| line.row.is_proration)));
    let reserved = world
        .invoices
        .iter()
        .filter(|entry| entry.bill.invoice.subscription_id.as_ref() == Some(&world.subscriptions[0].id));
    assert_eq!(reserved.count(), 2);
    for status in [RentalStatus::Running, RentalStatus::Stopped, RentalStatus::Failed] {
        assert!(world.rentals.iter().any(|row| row.status == status), "{status:?}");
    }
    let first = world.invoices.iter().filter(|entry| entry.bill.invoice.tenant_id == world.tenants[0].id);
    let statuses: BTreeSet<_> = first.clone().map(|entry| entry.bill.invoice.status).collect();
    assert_eq!((first.count(), statuses.len()), (64, 5));
}

#[test]
fn principals_are_cut_as_they_are_described() {
    let world = world();
    let all = principals();
    let named = |name| all.iter().find(|principal| principal.name == name).unwrap();
    let own = named("customer").customers.as_deref();
    for bill in ["declined-topup", "overage-week"] {
        assert_eq!(own, Some([character(&world, bill).bill.invoice.customer_id.clone()].as_slice()));
    }
    assert_eq!(named("customer").kind, PrincipalKind::Customer);
    assert_eq!(named("merchant").scopes.iter().count(), Scope::ALL.len());
    let written = named("partner").scopes.iter().filter(|scope| !scope.name().ends_with(":read")).count();
    assert_eq!((written, named("partner").scopes.iter().count()), (0, 11));
    assert!(!named("partner_without_payments").scopes.has(Scope::PaymentsRead));
    assert!(!named("partner_without_links").scopes.has(Scope::InvoicesLinksRead));
    assert_eq!(named("partner_two_customers").customers.as_ref().map(Vec::len), Some(2));
    assert_eq!(named("other_tenant").tenant, world.tenants[1].id);
    assert!(named("expired").lifetime < TimeDelta::zero());
    assert!(all.iter().all(|principal| principal.description.ends_with('.')));
    for target in import_targets() {
        assert_eq!(target.tenant, world.tenants[0].id);
        assert!(target.customer.is_none_or(|id| world.customers.iter().any(|row| row.id == id)));
    }
}
