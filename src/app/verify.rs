//! Checks a whole store: every native invoice of every tenant, by the rules of `domain::audit`.
//!
//! Reads only, a page of invoices with everything under them at a time. A bill that is written while its rows are
//! read would look wrong, so what is found is looked at twice, and only what stands both times is told.

use std::collections::HashMap;
use std::sync::Arc;

use entity::{InvoiceId, SourceSystem, TenantId, discount, invoice, invoice_event};
use serde::Serialize;

use super::AppError;
use crate::domain::audit::{self, Subject};
use crate::domain::bill::{Bill, BillLine, BillPayment, Issue};
use crate::domain::viewer::Tenant;
use crate::store::invoice::{Filter, List, OrderField};
use crate::store::line_item::Part;
use crate::store::tenant::System;
use crate::store::{self, Direction, Page, Reader, Store, StoreError, invoice_parts, line_item, payment, sub_line};

/// Invoices in memory at a time.
const PAGE_INVOICES: u64 = 100;

/// More lines, and more entries of its history, than an invoice has.
const ALL: u64 = u32::MAX as u64;

/// What happens while a store is checked.
#[derive(Clone, Copy, Debug)]
pub enum Progress<'a> {
    /// So many invoices are there to check.
    Begun(u64),
    /// Something does not hold.
    Violated(&'a Violation),
    /// So many more were checked.
    Checked(u64),
}

/// A rule that does not hold for an invoice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Violation {
    /// Whose invoice it is.
    pub tenant_id: TenantId,
    /// The invoice.
    pub invoice_id: InvoiceId,
    /// The name of the rule.
    pub rule: String,
    /// Where in the invoice: `lineItems[0].amount`.
    pub path: String,
    /// What is stored.
    pub stated: Option<String>,
    /// What follows from the rest.
    pub expected: Option<String>,
}

/// What a whole store came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verified {
    /// Tenants there are.
    pub tenants: u64,
    /// Native invoices that were checked. Those marked as deleted do not exist.
    pub invoices: u64,
    /// Rules that do not hold, counted for each place.
    pub violations: u64,
}

/// Checks every native invoice in the store and tells what does not hold.
///
/// # Errors
/// [`AppError::Store`] when the database fails; the check is not complete then.
pub async fn verify(store: &Store, mut tell: impl FnMut(Progress<'_>)) -> Result<Verified, AppError> {
    let operator = System::operator();
    let tenants = store::tenant::all(&operator, &store.reader(&operator, &Arc::default())).await?;
    let tenants: Vec<Tenant> = tenants.into_iter().map(|row| Tenant::whole(row.id)).collect();
    let mut begun = 0_u64;
    for tenant in &tenants {
        let count = store::invoice::count(tenant, &store.reader(tenant, &Arc::default()), &native()).await?;
        begun = begun.saturating_add(u64::try_from(count).unwrap_or_default());
    }
    tell(Progress::Begun(begun));
    let mut verified = Verified { tenants: counted(tenants.len()), ..Verified::default() };
    for tenant in &tenants {
        let (mut pages, reader) = (Pages::begin(), store.reader(tenant, &Arc::default()));
        while let Some(rows) = pages.next(tenant, &reader).await? {
            let checked = counted(rows.len());
            let violations = violations(tenant, &reader, rows).await?;
            for violation in &violations {
                tell(Progress::Violated(violation));
            }
            verified.violations = verified.violations.saturating_add(counted(violations.len()));
            verified.invoices = verified.invoices.saturating_add(checked);
            tell(Progress::Checked(checked));
        }
    }
    Ok(verified)
}

fn counted(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

fn native() -> Filter {
    Filter { include_drafts: true, source_system: Some(SourceSystem::Native), ..Filter::default() }
}

/// The native invoices of a tenant, page by page, oldest first.
struct Pages {
    list: List,
    more: bool,
}

impl Pages {
    fn begin() -> Self {
        let list = List {
            filter: native(),
            order: OrderField::CreatedAt,
            direction: Direction::Ascending,
            page: Page { limit: PAGE_INVOICES, ..Page::default() },
        };
        Self { list, more: true }
    }

    async fn next(&mut self, tenant: &Tenant, db: &Reader) -> Result<Option<Vec<invoice::Model>>, StoreError> {
        if !self.more {
            return Ok(None);
        }
        let (rows, more) = store::invoice::list(tenant, db, &self.list).await?;
        self.more = more;
        self.list.page.after = rows.last().map(|row| self.list.order.place(row));
        Ok(Some(rows))
    }
}

/// What does not hold in these invoices, by two looks.
async fn violations(tenant: &Tenant, db: &Reader, rows: Vec<invoice::Model>) -> Result<Vec<Violation>, StoreError> {
    let ids: Vec<InvoiceId> = rows.iter().map(|row| row.id.clone()).collect();
    let first = look(tenant, db, rows).await?;
    if first.is_empty() {
        return Ok(first);
    }
    let mut again = store::invoice::by_ids(tenant, db, &ids).await?;
    let rows = ids.iter().filter_map(|id| again.remove(id)).collect();
    let second = look(tenant, db, rows).await?;
    Ok(second.into_iter().filter(|violation| first.contains(violation)).collect())
}

async fn look(tenant: &Tenant, db: &Reader, rows: Vec<invoice::Model>) -> Result<Vec<Violation>, StoreError> {
    let mut parts = Parts::read(tenant, db, &rows).await?;
    let mut found = Vec::new();
    for row in rows {
        let (bill, events) = parts.take(row);
        let number = bill.invoice.number.as_ref();
        let namesakes = number.and_then(|number| parts.namesakes.get(number)).copied().unwrap_or_default();
        let issues = audit::breaches(&Subject { bill: &bill, events: &events, namesakes });
        found.extend(issues.into_iter().map(|issue| violation(&bill.invoice, issue)));
    }
    Ok(found)
}

fn violation(invoice: &invoice::Model, issue: Issue) -> Violation {
    Violation {
        tenant_id: invoice.tenant_id.clone(),
        invoice_id: invoice.id.clone(),
        rule: issue.code,
        path: issue.path,
        stated: issue.stated,
        expected: issue.expected,
    }
}

/// Everything under some invoices, each kind read by one statement.
struct Parts {
    lines: HashMap<InvoiceId, Vec<entity::line_item::Model>>,
    sub_lines: HashMap<InvoiceId, Vec<entity::sub_line::Model>>,
    taxes: HashMap<InvoiceId, Vec<entity::tax::Model>>,
    discounts: HashMap<InvoiceId, Vec<discount::Model>>,
    payments: HashMap<InvoiceId, Vec<entity::payment::Model>>,
    events: HashMap<InvoiceId, Vec<invoice_event::Model>>,
    namesakes: HashMap<String, i64>,
}

impl Parts {
    async fn read(tenant: &Tenant, db: &Reader, rows: &[invoice::Model]) -> Result<Self, StoreError> {
        let ids: Vec<InvoiceId> = rows.iter().map(|row| row.id.clone()).collect();
        let numbers: Vec<String> = rows.iter().filter_map(|row| row.number.clone()).collect();
        let every = Part { first: ALL, after: None };
        Ok(Self {
            lines: line_item::of_invoices(tenant, db, &ids, &every).await?,
            sub_lines: sub_line::of_invoices(tenant, db, &ids).await?,
            taxes: invoice_parts::taxes(tenant, db, &ids).await?,
            discounts: invoice_parts::discounts(tenant, db, &ids).await?,
            payments: payment::of_invoices(tenant, db, &ids).await?,
            events: store::invoice_event::of_invoices(tenant, db, &ids, ALL).await?,
            namesakes: store::invoice::count_by_numbers(tenant, db, SourceSystem::Native, &numbers).await?,
        })
    }

    /// The bill of an invoice with what its rules speak of, and its history, oldest first.
    fn take(&mut self, invoice: invoice::Model) -> (Bill, Vec<invoice_event::Model>) {
        let id = &invoice.id;
        let mut events = self.events.remove(id).unwrap_or_default();
        events.reverse();
        let mut sub_lines = self.sub_lines.remove(id).unwrap_or_default();
        let (discounts, mut of_lines): (Vec<_>, Vec<_>) =
            self.discounts.remove(id).unwrap_or_default().into_iter().partition(|row| row.line_item_id.is_none());
        let lines = self.lines.remove(id).unwrap_or_default().into_iter().map(|row| BillLine {
            sub_lines: sub_lines.extract_if(.., |part| part.line_item_id == row.id).collect(),
            discounts: of_lines.extract_if(.., |cut| cut.line_item_id.as_ref() == Some(&row.id)).collect(),
            row,
            ..BillLine::default()
        });
        let payments = self.payments.remove(id).unwrap_or_default().into_iter();
        let bill = Bill {
            lines: lines.collect(),
            discounts,
            taxes: self.taxes.remove(id).unwrap_or_default(),
            payments: payments.map(|row| BillPayment { row, ..BillPayment::default() }).collect(),
            invoice,
            ..Bill::default()
        };
        (bill, events)
    }
}
