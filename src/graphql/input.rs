//! What clients may give: filters, ranges, ids and texts, checked before anything is read.

use async_graphql::{ID, InputObject};
use entity::Instant;

use super::error::Failure;
use super::kinds::{
    BillingReason, CustomerStatus, Direction, InvoiceOrderField, InvoicePaymentStatus, InvoiceStatus, InvoiceType,
    RentalStatus, SourceSystem,
};
use super::scalars::{CurrencyCode, Date, DateTime, SafeInt};
use crate::store::invoice::{Filter, Range};
use crate::store::{customer, rental};

/// Bytes of an id. Ours have at most 32, foreign ones at most 128 characters.
const ID_MAX: usize = 128;

/// Characters of a text to search for.
const TEXT_MAX: usize = 200;

/// Entries of a list in a filter.
const LIST_MAX: usize = 100;

/// Bounds in time; absent bounds are open.
#[derive(Clone, Copy, Debug, Default, InputObject)]
pub(super) struct DateTimeRange {
    /// At this moment or later.
    gte: Option<DateTime>,
    /// Later than this moment.
    gt: Option<DateTime>,
    /// At this moment or earlier.
    lte: Option<DateTime>,
    /// Earlier than this moment.
    lt: Option<DateTime>,
}

/// Bounds in days; absent bounds are open.
#[derive(Clone, Copy, Debug, Default, InputObject)]
pub(super) struct DateRange {
    /// On this day or later.
    gte: Option<Date>,
    /// On this day or earlier.
    lte: Option<Date>,
}

/// Bounds of a whole number; absent bounds are open.
#[derive(Clone, Copy, Debug, Default, InputObject)]
pub(super) struct SafeIntRange {
    /// This number or more.
    gte: Option<SafeInt>,
    /// This number or less.
    lte: Option<SafeInt>,
}

/// Which invoices to list. Given fields must all hold; a list holds when one of its values does.
#[derive(Clone, Debug, Default, InputObject)]
pub(super) struct InvoiceFilter {
    /// These invoices, at most 100.
    ids: Option<Vec<ID>>,
    /// In one of these states. Naming DRAFT includes drafts.
    status: Option<Vec<InvoiceStatus>>,
    /// In one of these payment states.
    payment_status: Option<Vec<InvoicePaymentStatus>>,
    /// Made for one of these reasons.
    billing_reason: Option<Vec<BillingReason>>,
    /// Of one of these types.
    invoice_type: Option<Vec<InvoiceType>>,
    /// Of one of these customers.
    customer_id: Option<Vec<ID>>,
    /// Billing one of these rentals, as a whole or in a line.
    rental_id: Option<Vec<ID>>,
    /// Made from one of these subscriptions.
    subscription_id: Option<Vec<ID>>,
    /// In one of these currencies.
    currency: Option<Vec<CurrencyCode>>,
    /// With exactly this number.
    number: Option<String>,
    /// With a number that starts so; upper and lower case differ.
    number_prefix: Option<String>,
    /// With exactly this reference.
    reference: Option<String>,
    /// With exactly this purchase order.
    purchase_order: Option<String>,
    /// With exactly this id in the source system.
    external_id: Option<String>,
    /// From this system.
    source_system: Option<SourceSystem>,
    /// Made in this time.
    created_at: Option<DateTimeRange>,
    /// Due in this time.
    due_at: Option<DateTimeRange>,
    /// Paid in this time.
    paid_at: Option<DateTimeRange>,
    /// Issued on these days.
    issue_date: Option<DateRange>,
    /// With an amount due in this range, in minor units. Needs `currency` with exactly one entry.
    amount_due: Option<SafeIntRange>,
    /// With so much still to pay, in minor units. Needs `currency` with exactly one entry.
    amount_remaining: Option<SafeIntRange>,
    /// Overdue now: issued, not settled, and past its due moment. False gives all others.
    overdue: Option<bool>,
    /// With something still to pay. False gives those with nothing to pay.
    has_open_balance: Option<bool>,
    /// Drafts too. Partners see them only with the scope `invoices:write`.
    #[graphql(default = false)]
    include_drafts: bool,
    /// Real (true) or test (false) invoices.
    livemode: Option<bool>,
    /// Mirrored by the invoice with this id at Stripe.
    stripe_invoice_id: Option<String>,
}

/// How to order invoices.
#[derive(Clone, Copy, Debug, InputObject)]
pub(super) struct InvoiceOrder {
    /// By what. Invoices without a value come last in either direction.
    pub(super) field: InvoiceOrderField,
    /// Which way.
    pub(super) direction: Direction,
}

/// Which rentals to list. Given fields must all hold; a list holds when one of its values does.
#[derive(Clone, Debug, Default, InputObject)]
pub(super) struct RentalFilter {
    /// In one of these states.
    status: Option<Vec<RentalStatus>>,
    /// Of one of these GPU families, such as `h100-80gb`.
    gpu_family: Option<Vec<String>>,
    /// Of one of these customers.
    customer_id: Option<Vec<ID>>,
    /// Started in this time.
    started_at: Option<DateTimeRange>,
    /// Billed, as a whole or in a line, by an invoice that is still to be paid. False gives all others. Needs the scope
    /// `invoices:read`.
    pub(super) has_open_invoice: Option<bool>,
}

/// Which customers to list. Given fields must all hold.
#[derive(Clone, Debug, Default, InputObject)]
pub(super) struct CustomerFilter {
    /// With exactly this e-mail address, in any case of ASCII letters. Needs the scope `customers.pii:read`.
    pub(super) email: Option<String>,
    /// With exactly this id in the source system.
    external_id: Option<String>,
    /// With this text in the name, company, alias or foreign id, in any case of ASCII letters; 1 to 200 characters.
    search: Option<String>,
    /// In one of these states.
    status: Option<Vec<CustomerStatus>>,
}

impl InvoiceFilter {
    /// The filter as the store knows it; `now` decides what is overdue.
    pub(super) fn checked(self, now: Instant) -> Result<Filter, Failure> {
        let one_currency = self.currency.as_ref().is_some_and(|list| list.len() == 1);
        if (self.amount_due.is_some() || self.amount_remaining.is_some()) && !one_currency {
            return Err(Failure::BadInput("A range of amounts needs currency with exactly one entry.".to_owned()));
        }
        Ok(Filter {
            ids: ids("ids", self.ids)?,
            status: words("status", self.status)?,
            payment_status: words("paymentStatus", self.payment_status)?,
            billing_reason: words("billingReason", self.billing_reason)?,
            invoice_type: words("invoiceType", self.invoice_type)?,
            customer_id: ids("customerId", self.customer_id)?,
            rental_id: ids("rentalId", self.rental_id)?,
            subscription_id: ids("subscriptionId", self.subscription_id)?,
            currency: list("currency", self.currency)?.map(|codes| codes.into_iter().map(|code| code.0).collect()),
            number: text("number", self.number)?,
            number_prefix: text("numberPrefix", self.number_prefix)?,
            reference: text("reference", self.reference)?,
            purchase_order: text("purchaseOrder", self.purchase_order)?,
            external_id: text("externalId", self.external_id)?,
            source_system: self.source_system.map(Into::into),
            created_at: moments(self.created_at),
            due_at: moments(self.due_at),
            paid_at: moments(self.paid_at),
            issue_date: self.issue_date.map_or_else(Range::default, |range| Range {
                gte: range.gte.map(|day| day.0),
                lte: range.lte.map(|day| day.0),
                ..Range::default()
            }),
            amount_due: amounts(self.amount_due),
            amount_remaining: amounts(self.amount_remaining),
            overdue: self.overdue,
            has_open_balance: self.has_open_balance,
            include_drafts: self.include_drafts,
            livemode: self.livemode,
            stripe_invoice_id: text("stripeInvoiceId", self.stripe_invoice_id)?,
            // Only what is asked of the clock depends on it, so that equal filters stay equal.
            now: if self.overdue.is_some() { now } else { Instant::default() },
        })
    }
}

impl RentalFilter {
    pub(super) fn checked(self) -> Result<rental::Filter, Failure> {
        let families = list("gpuFamily", self.gpu_family)?;
        let families = families.map(|all| all.into_iter().map(|one| plain("gpuFamily", one)).collect::<Result<_, _>>());
        Ok(rental::Filter {
            status: words("status", self.status)?,
            gpu_family: families.transpose()?,
            customer_id: ids("customerId", self.customer_id)?,
            started_at: moments(self.started_at),
            has_open_invoice: self.has_open_invoice,
        })
    }
}

impl CustomerFilter {
    pub(super) fn checked(self) -> Result<customer::Filter, Failure> {
        if self.search.as_deref().is_some_and(|search| search.trim().is_empty()) {
            return Err(Failure::BadInput("search must not be empty.".to_owned()));
        }
        Ok(customer::Filter {
            email: text("email", self.email)?,
            external_id: text("externalId", self.external_id)?,
            search: text("search", self.search)?,
            status: words("status", self.status)?,
        })
    }
}

/// An id that a client names. One that cannot be an id here is one that nothing has.
pub(super) fn id<Id: From<String>>(name: &str, ID(id): ID) -> Result<Id, Failure> {
    if id.len() > ID_MAX {
        return Err(Failure::BadInput(format!("{name} must have at most {ID_MAX} bytes.")));
    }
    // NUL is no character of an id, and Postgres refuses it in any text.
    Ok(Id::from(if id.contains('\0') { id.replace('\0', "\u{fffd}") } else { id }))
}

/// Ids that a client lists.
pub(super) fn ids<Id: From<String>>(name: &str, all: Option<Vec<ID>>) -> Result<Option<Vec<Id>>, Failure> {
    list(name, all)?.map(|all| all.into_iter().map(|one| id(name, one)).collect()).transpose()
}

/// A text that a client gives.
pub(super) fn plain(name: &str, text: String) -> Result<String, Failure> {
    if text.chars().count() > TEXT_MAX || text.contains('\0') {
        return Err(Failure::BadInput(format!("{name} must have at most {TEXT_MAX} characters, none of them NUL.")));
    }
    Ok(text)
}

/// A text that a client may give.
pub(super) fn text(name: &str, text: Option<String>) -> Result<Option<String>, Failure> {
    text.map(|text| plain(name, text)).transpose()
}

fn list<T>(name: &str, all: Option<Vec<T>>) -> Result<Option<Vec<T>>, Failure> {
    match all {
        Some(all) if all.len() > LIST_MAX => {
            Err(Failure::BadInput(format!("{name} must have at most {LIST_MAX} entries.")))
        }
        all => Ok(all),
    }
}

fn words<Api: Into<Word>, Word>(name: &str, all: Option<Vec<Api>>) -> Result<Option<Vec<Word>>, Failure> {
    Ok(list(name, all)?.map(|all| all.into_iter().map(Into::into).collect()))
}

fn moments(range: Option<DateTimeRange>) -> Range<Instant> {
    let range = range.unwrap_or_default();
    Range {
        gte: range.gte.map(|at| at.0),
        gt: range.gt.map(|at| at.0),
        lte: range.lte.map(|at| at.0),
        lt: range.lt.map(|at| at.0),
    }
}

fn amounts(range: Option<SafeIntRange>) -> Range<i64> {
    let range = range.unwrap_or_default();
    Range { gte: range.gte.map(|number| number.0), lte: range.lte.map(|number| number.0), ..Range::default() }
}
