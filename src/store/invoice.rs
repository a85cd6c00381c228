//! Invoices, as stored.
//!
//! Source of truth: table `invoices`. Rows marked as deleted do not exist, and drafts exist only for callers
//! who may see them. The payment status is computed here, in one expression that answers the field and filters lists.

use std::collections::HashMap;

use entity::{
    BillingReason, CurrencyCode, CustomerId, Day, Instant, InvoiceId, InvoiceStatus, InvoiceType, Minor, RentalId,
    SourceSystem, SubscriptionId, invoice, invoice::Column, line_item, upstream_invoice,
};
use sea_orm::sea_query::{Expr, ExprTrait, Func, Order, Query, UnionType, WindowStatement};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, FromQueryResult, IntoActiveModel,
    Iterable, QueryFilter, QuerySelect, QueryTrait, Select,
};

use super::count;
use super::page::{self, Direction, Keyset, Ordering, Page, SortValue};
use super::scope::{texts, visible};
use super::{
    StoreError, Tx,
    engine::{any_of, expr_any_of},
};
use crate::domain::viewer::Tenant;

/// The column a list of invoices is ordered by; ties are broken by id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OrderField {
    /// When it was made.
    #[default]
    CreatedAt,
    /// The day printed on it.
    IssueDate,
    /// When it is due.
    DueAt,
    /// When it was paid.
    PaidAt,
    /// What is due, in minor units whatever the currency.
    AmountDue,
    /// Its number, byte by byte.
    Number,
    /// When it last changed.
    UpdatedAt,
}

/// Where an invoice stands with its payments; computed, never stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, sea_orm::EnumIter)]
pub enum PaymentState {
    /// Nothing was paid, or the invoice is void.
    Unpaid,
    /// The last attempt failed and there is no usable means of payment.
    RequiresPaymentMethod,
    /// The customer must confirm the last attempt.
    RequiresAction,
    /// The last attempt is not decided yet.
    Processing,
    /// Less than what is due.
    PartiallyPaid,
    /// The last attempt failed.
    Failed,
    /// The invoice is paid.
    Paid,
    /// Some of what was paid went back.
    PartiallyRefunded,
    /// All of what was paid went back.
    Refunded,
}

impl PaymentState {
    /// The word that the expression below gives.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unpaid => "UNPAID",
            Self::RequiresPaymentMethod => "REQUIRES_PAYMENT_METHOD",
            Self::RequiresAction => "REQUIRES_ACTION",
            Self::Processing => "PROCESSING",
            Self::PartiallyPaid => "PARTIALLY_PAID",
            Self::Failed => "FAILED",
            Self::Paid => "PAID",
            Self::PartiallyRefunded => "PARTIALLY_REFUNDED",
            Self::Refunded => "REFUNDED",
        }
    }
}

/// First match decides. The latest attempt is the youngest payment that is no refund.
const PAYMENT_STATE: &str = "CASE \
    WHEN invoices.status = 'VOID' THEN 'UNPAID' \
    WHEN invoices.amount_paid > 0 AND invoices.amount_refunded >= invoices.amount_paid THEN 'REFUNDED' \
    WHEN invoices.amount_refunded > 0 THEN 'PARTIALLY_REFUNDED' \
    WHEN invoices.status = 'PAID' THEN 'PAID' \
    ELSE CASE coalesce((SELECT p.status FROM payments p WHERE p.tenant_id = invoices.tenant_id \
        AND p.invoice_id = invoices.id AND p.kind = 'PAYMENT' ORDER BY p.created_at DESC, p.id DESC LIMIT 1), 'NONE') \
        WHEN 'PENDING' THEN 'PROCESSING' \
        WHEN 'REQUIRES_ACTION' THEN 'REQUIRES_ACTION' \
        WHEN 'FAILED' THEN CASE \
            WHEN invoices.amount_paid > 0 AND invoices.amount_paid < invoices.amount_due THEN 'PARTIALLY_PAID' \
            WHEN NOT EXISTS (SELECT 1 FROM payment_methods m WHERE m.tenant_id = invoices.tenant_id \
                AND m.customer_id = invoices.customer_id AND m.detached_at IS NULL) THEN 'REQUIRES_PAYMENT_METHOD' \
            ELSE 'FAILED' END \
        ELSE CASE WHEN invoices.amount_paid > 0 AND invoices.amount_paid < invoices.amount_due \
            THEN 'PARTIALLY_PAID' ELSE 'UNPAID' END END END";

const REMAINING: &str = "CASE WHEN invoices.status = 'VOID' OR invoices.amount_paid > invoices.amount_due THEN 0 \
    ELSE invoices.amount_due - invoices.amount_paid END";

/// From one bound to another; an absent bound is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Range<T> {
    /// At least.
    pub gte: Option<T>,
    /// More than.
    pub gt: Option<T>,
    /// At most.
    pub lte: Option<T>,
    /// Less than.
    pub lt: Option<T>,
}

/// Which invoices a list has: given fields all hold, a list holds when one of its values does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Filter {
    /// These invoices.
    pub ids: Option<Vec<InvoiceId>>,
    /// In one of these states.
    pub status: Option<Vec<InvoiceStatus>>,
    /// In one of these payment states.
    pub payment_status: Option<Vec<PaymentState>>,
    /// Made for one of these reasons.
    pub billing_reason: Option<Vec<BillingReason>>,
    /// Of one of these types.
    pub invoice_type: Option<Vec<InvoiceType>>,
    /// Of one of these customers.
    pub customer_id: Option<Vec<CustomerId>>,
    /// That bill one of these rentals, as a whole or in a line.
    pub rental_id: Option<Vec<RentalId>>,
    /// Made from one of these subscriptions.
    pub subscription_id: Option<Vec<SubscriptionId>>,
    /// In one of these currencies.
    pub currency: Option<Vec<CurrencyCode>>,
    /// With exactly this number.
    pub number: Option<String>,
    /// With a number that starts so.
    pub number_prefix: Option<String>,
    /// With exactly this reference.
    pub reference: Option<String>,
    /// With exactly this purchase order.
    pub purchase_order: Option<String>,
    /// With exactly this id in its source system.
    pub external_id: Option<String>,
    /// From this system.
    pub source_system: Option<SourceSystem>,
    /// Made in this time.
    pub created_at: Range<Instant>,
    /// Due in this time.
    pub due_at: Range<Instant>,
    /// Paid in this time.
    pub paid_at: Range<Instant>,
    /// Issued on these days.
    pub issue_date: Range<Day>,
    /// With an amount due in this range of minor units.
    pub amount_due: Range<i64>,
    /// With so much still to pay, in minor units.
    pub amount_remaining: Range<i64>,
    /// Overdue at [`Filter::now`], or not.
    pub overdue: Option<bool>,
    /// With something still to pay, or with nothing.
    pub has_open_balance: Option<bool>,
    /// Drafts too.
    pub include_drafts: bool,
    /// Real or test.
    pub livemode: Option<bool>,
    /// Mirrored by this invoice at Stripe.
    pub stripe_invoice_id: Option<String>,
    /// The moment that decides what is overdue.
    pub now: Instant,
}

/// A list of invoices: which, in what order, and which part of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct List {
    /// Which invoices.
    pub filter: Filter,
    /// By which column.
    pub order: OrderField,
    /// Which way.
    pub direction: Direction,
    /// Which part.
    pub page: Page,
}

/// Invoices by id; ids that are unknown, or not the caller's, are left out.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn by_ids(
    tenant: &Tenant,
    db: &impl ConnectionTrait,
    ids: &[InvoiceId],
) -> Result<HashMap<InvoiceId, invoice::Model>, StoreError> {
    let rows = existing(tenant, db)?.filter(any_of(db.get_database_backend(), Column::Id, texts(ids))?).all(db).await?;
    Ok(rows.into_iter().map(|row| (row.id.clone(), row)).collect())
}

/// An invoice, which nobody else changes before the transaction ends; one that was taken away too.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn lock(tenant: &Tenant, tx: &Tx, id: &InvoiceId) -> Result<Option<invoice::Model>, StoreError> {
    let visible = visible(tx.get_database_backend(), tenant, Column::TenantId, Column::CustomerId)?;
    let row = invoice::Entity::find().filter(visible.add(Column::Id.eq(id.clone())));
    Ok(row.lock_exclusive().one(tx).await?)
}

/// Writes an invoice over the one of the version before, which the caller has locked.
///
/// # Errors
/// Those of [`StoreError`]; [`StoreError::Conflict`] when another version is stored.
pub async fn save(tx: &Tx, row: invoice::Model) -> Result<(), StoreError> {
    let (tenant, id, version) = (row.tenant_id.clone(), row.id.clone(), row.version);
    let update = invoice::Entity::update_many().set(row.into_active_model().reset_all());
    let update = update.filter(Column::TenantId.eq(tenant)).filter(Column::Id.eq(id));
    let written = update.filter(Column::Version.eq(version.saturating_sub(1))).exec(tx).await?;
    if written.rows_affected == 1 { Ok(()) } else { Err(StoreError::Conflict(DbErr::RecordNotUpdated.into())) }
}

/// Issued invoices of one source system by their number.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn by_numbers(
    tenant: &Tenant,
    db: &impl ConnectionTrait,
    system: SourceSystem,
    numbers: &[String],
) -> Result<HashMap<String, invoice::Model>, StoreError> {
    let rows = existing(tenant, db)?
        .filter(Column::SourceSystem.eq(system))
        .filter(any_of(db.get_database_backend(), Column::Number, numbers.to_vec())?)
        // A literal, so that the partial index serves whatever plan is kept.
        .filter(Expr::cust("status <> 'DRAFT'"))
        .all(db)
        .await?;
    Ok(rows.into_iter().filter_map(|row| Some((row.number.clone()?, row))).collect())
}

/// How many issued invoices of one source system have each number.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn count_by_numbers(
    tenant: &Tenant,
    db: &impl ConnectionTrait,
    system: SourceSystem,
    numbers: &[String],
) -> Result<HashMap<String, i64>, StoreError> {
    let counts = existing(tenant, db)?
        .filter(Column::SourceSystem.eq(system))
        .filter(any_of(db.get_database_backend(), Column::Number, numbers.to_vec())?)
        .filter(Expr::cust("status <> 'DRAFT'"))
        .select_only()
        .column(Column::Number)
        .expr_as(Expr::col(Column::Id).count(), "count")
        .group_by(Column::Number)
        .into_tuple::<(String, i64)>()
        .all(db)
        .await?;
    Ok(counts.into_iter().collect())
}

/// Invoices of one source system by the id they have there.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn by_external_ids(
    tenant: &Tenant,
    db: &impl ConnectionTrait,
    system: SourceSystem,
    ids: &[String],
) -> Result<HashMap<String, invoice::Model>, StoreError> {
    let rows = existing(tenant, db)?
        .filter(Column::SourceSystem.eq(system))
        .filter(any_of(db.get_database_backend(), Column::ExternalId, ids.to_vec())?)
        .all(db)
        .await?;
    Ok(rows.into_iter().filter_map(|row| Some((row.external_id.clone()?, row))).collect())
}

/// Where each invoice stands with its payments.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn payment_states_of(
    tenant: &Tenant,
    db: &impl ConnectionTrait,
    ids: &[InvoiceId],
) -> Result<HashMap<InvoiceId, PaymentState>, StoreError> {
    let rows = existing(tenant, db)?
        .filter(any_of(db.get_database_backend(), Column::Id, texts(ids))?)
        .select_only()
        .column(Column::Id)
        .expr_as(Expr::cust(PAYMENT_STATE), "payment_state")
        .into_tuple::<(InvoiceId, String)>()
        .all(db)
        .await?;
    Ok(rows
        .into_iter()
        .filter_map(|(id, word)| Some((id, PaymentState::iter().find(|state| state.word() == word)?)))
        .collect())
}

/// One page of a list, and whether there are more rows in the page's direction.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn list(
    tenant: &Tenant,
    db: &impl ConnectionTrait,
    list: &List,
) -> Result<(Vec<invoice::Model>, bool), StoreError> {
    let rows = list.ordering().paged(filtered(tenant, db, &list.filter)?, &list.page).all(db).await?;
    Ok(page::finish(rows, &list.page))
}

/// The same page of the invoices of each customer, in one statement.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn list_of_customers(
    tenant: &Tenant,
    db: &impl ConnectionTrait,
    customers: &[CustomerId],
    list: &List,
) -> Result<HashMap<CustomerId, (Vec<invoice::Model>, bool)>, StoreError> {
    let of_customers = any_of(db.get_database_backend(), Column::CustomerId, texts(customers))?;
    let select = filtered(tenant, db, &list.filter)?.filter(of_customers);
    let rows = list.ordering().paged_by(db, select, Column::CustomerId, &list.page).await?;
    let mut pages: HashMap<CustomerId, Vec<invoice::Model>> = HashMap::new();
    for row in rows {
        pages.entry(row.customer_id.clone()).or_default().push(row);
    }
    Ok(pages.into_iter().map(|(customer, rows)| (customer, page::finish(rows, &list.page))).collect())
}

/// How many invoices a filter has.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn count(tenant: &Tenant, db: &impl ConnectionTrait, filter: &Filter) -> Result<i64, StoreError> {
    count::rows(db, filtered(tenant, db, filter)?).await
}

/// How many invoices a filter has of each customer.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn count_of_customers(
    tenant: &Tenant,
    db: &impl ConnectionTrait,
    customers: &[CustomerId],
    filter: &Filter,
) -> Result<HashMap<CustomerId, i64>, StoreError> {
    let theirs = any_of(db.get_database_backend(), Column::CustomerId, texts(customers))?;
    count::rows_by(db, filtered(tenant, db, filter)?.filter(theirs), Column::CustomerId).await
}

/// What a list holds in one currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CurrencyTotals {
    /// The currency.
    pub currency: CurrencyCode,
    /// How many invoices.
    pub count: i64,
    /// Sum of their totals, in minor units.
    pub total: Minor,
    /// Sum of what is due.
    pub amount_due: Minor,
    /// Sum of what was paid.
    pub amount_paid: Minor,
    /// Sum of what is still to pay.
    pub amount_remaining: Minor,
}

/// The sums of a filter, one row per currency in alphabetical order.
///
/// # Errors
/// Those of [`StoreError`]; sums that do not fit 64 bits are a defect.
pub async fn totals(
    tenant: &Tenant,
    db: &impl ConnectionTrait,
    filter: &Filter,
) -> Result<Vec<CurrencyTotals>, StoreError> {
    let rows = summed(filtered(tenant, db, filter)?).into_tuple::<Sums>().all(db).await?;
    let mut totals: Vec<_> = rows.into_iter().map(CurrencyTotals::from).collect();
    totals.sort_by(|left, right| left.currency.cmp(&right.currency));
    Ok(totals)
}

/// The sums of a filter for each customer, one row per currency in alphabetical order.
///
/// # Errors
/// Those of [`StoreError`]; sums that do not fit 64 bits are a defect.
pub async fn totals_of_customers(
    tenant: &Tenant,
    db: &impl ConnectionTrait,
    customers: &[CustomerId],
    filter: &Filter,
) -> Result<HashMap<CustomerId, Vec<CurrencyTotals>>, StoreError> {
    let theirs = any_of(db.get_database_backend(), Column::CustomerId, texts(customers))?;
    let rows = summed(filtered(tenant, db, filter)?.filter(theirs))
        .column(Column::CustomerId)
        .group_by(Column::CustomerId)
        .into_tuple::<(CurrencyCode, i64, i64, i64, i64, i64, CustomerId)>()
        .all(db)
        .await?;
    let mut totals: HashMap<CustomerId, Vec<CurrencyTotals>> = HashMap::new();
    for (currency, count, total, due, paid, remaining, customer) in rows {
        totals.entry(customer).or_default().push((currency, count, total, due, paid, remaining).into());
    }
    for rows in totals.values_mut() {
        rows.sort_by(|left, right| left.currency.cmp(&right.currency));
    }
    Ok(totals)
}

type Sums = (CurrencyCode, i64, i64, i64, i64, i64);

impl From<Sums> for CurrencyTotals {
    fn from((currency, count, total, due, paid, remaining): Sums) -> Self {
        Self {
            currency,
            count,
            total: Minor(total),
            amount_due: Minor(due),
            amount_paid: Minor(paid),
            amount_remaining: Minor(remaining),
        }
    }
}

fn summed(select: Select<invoice::Entity>) -> Select<invoice::Entity> {
    let sum = |expression: &str| Expr::cust(format!("CAST(sum({expression}) AS BIGINT)"));
    select
        .select_only()
        .column(Column::Currency)
        .expr_as(Expr::col(Column::Id).count(), "count")
        .expr_as(sum("invoices.total"), "total")
        .expr_as(sum("invoices.amount_due"), "amount_due")
        .expr_as(sum("invoices.amount_paid"), "amount_paid")
        .expr_as(sum(REMAINING), "amount_remaining")
        .group_by(Column::Currency)
}

/// The newest `limit` invoices that bill each rental, as a whole or in a line.
///
/// # Errors
/// Those of [`StoreError`].
pub async fn of_rentals(
    tenant: &Tenant,
    db: &impl ConnectionTrait,
    rentals: &[RentalId],
    limit: u64,
) -> Result<HashMap<RentalId, Vec<invoice::Model>>, StoreError> {
    let backend = db.get_database_backend();
    let mut billed = Query::select();
    billed
        .expr_as(Expr::col(Column::Id), "invoice_id")
        .expr_as(Expr::col(Column::RentalId), "billed_rental_id")
        .from(invoice::Entity)
        .and_where(Column::TenantId.eq(tenant.id().clone()))
        .and_where(any_of(backend, Column::RentalId, texts(rentals))?);
    let lines = Query::select()
        .column(line_item::Column::InvoiceId)
        .column(line_item::Column::RentalId)
        .from(line_item::Entity)
        .and_where(line_item::Column::TenantId.eq(tenant.id().clone()))
        .and_where(any_of(backend, line_item::Column::RentalId, texts(rentals))?)
        .to_owned();
    billed.union(UnionType::Distinct, lines);

    let mut window = WindowStatement::partition_by(("billed", "billed_rental_id"));
    window.order_by(Column::CreatedAt, Order::Desc).order_by(Column::Id, Order::Desc);
    let mut ranked = existing(tenant, db)?.into_query();
    ranked
        .expr_as(Expr::col(("billed", "billed_rental_id")), "billed_rental_id")
        .expr_window_as(Func::cust("row_number"), window, "row_rank")
        .join_subquery(
            sea_orm::JoinType::InnerJoin,
            billed,
            "billed",
            Expr::col(("billed", "invoice_id")).equals((invoice::Entity, Column::Id)),
        );
    let newest = Query::select()
        .columns(Column::iter())
        .column("billed_rental_id")
        .from_subquery(ranked, "ranked")
        .and_where(Expr::col("row_rank").lte(limit))
        .order_by("row_rank", Order::Asc)
        .to_owned();
    let mut found: HashMap<RentalId, Vec<invoice::Model>> = HashMap::new();
    for row in db.query_all(&newest).await? {
        let rental: RentalId = row.try_get("", "billed_rental_id")?;
        found.entry(rental).or_default().push(invoice::Model::from_query_result(&row, "")?);
    }
    Ok(found)
}

impl List {
    fn ordering(&self) -> Ordering<Column> {
        let column = match self.order {
            OrderField::CreatedAt => Column::CreatedAt,
            OrderField::IssueDate => Column::IssueDate,
            OrderField::DueAt => Column::DueAt,
            OrderField::PaidAt => Column::PaidAt,
            OrderField::AmountDue => Column::AmountDue,
            OrderField::Number => Column::Number,
            OrderField::UpdatedAt => Column::UpdatedAt,
        };
        Ordering { column, id: Column::Id, direction: self.direction }
    }
}

impl OrderField {
    /// Where `row` stands in a list of this order.
    pub fn place(self, row: &invoice::Model) -> Keyset {
        let moment = |at: Option<Instant>| at.map_or(SortValue::Absent, SortValue::Instant);
        let value = match self {
            Self::CreatedAt => SortValue::Instant(row.created_at),
            Self::IssueDate => SortValue::Day(row.issue_date),
            Self::DueAt => moment(row.due_at),
            Self::PaidAt => moment(row.paid_at),
            Self::AmountDue => SortValue::Integer(row.amount_due.0),
            Self::Number => row.number.clone().map_or(SortValue::Absent, SortValue::Text),
            Self::UpdatedAt => SortValue::Instant(row.updated_at),
        };
        Keyset { value, id: row.id.0.clone() }
    }
}

/// The invoices that exist for the caller.
fn existing(tenant: &Tenant, db: &impl ConnectionTrait) -> Result<Select<invoice::Entity>, StoreError> {
    let visible = visible(db.get_database_backend(), tenant, Column::TenantId, Column::CustomerId)?;
    let visible = visible.add(Column::DeletedAt.is_null());
    let visible = if tenant.sees_drafts() { visible } else { visible.add(Column::Status.ne(InvoiceStatus::Draft)) };
    Ok(invoice::Entity::find().filter(visible))
}

fn filtered(
    tenant: &Tenant,
    db: &impl ConnectionTrait,
    filter: &Filter,
) -> Result<Select<invoice::Entity>, StoreError> {
    let backend = db.get_database_backend();
    let mut all = Condition::all().add(ranges(filter)).add(computed(filter)).add(texts_equal(filter));
    let drafts_named = filter.status.as_ref().is_some_and(|status| status.contains(&InvoiceStatus::Draft));
    if !filter.include_drafts && !drafts_named {
        all = all.add(Column::Status.ne(InvoiceStatus::Draft));
    }
    for (column, keys) in lists(filter) {
        if let Some(keys) = keys {
            all = all.add(any_of(backend, column, keys)?);
        }
    }
    if let Some(states) = &filter.payment_status {
        let words = states.iter().map(|state| state.word().to_owned()).collect();
        all = all.add(expr_any_of(backend, Expr::cust(format!("({PAYMENT_STATE})")), words)?);
    }
    if let Some(rentals) = &filter.rental_id {
        all = all.add(bills_rental(backend, texts(rentals))?);
    }
    Ok(existing(tenant, db)?.filter(all))
}

/// Columns that must have one of some values.
fn lists(filter: &Filter) -> [(Column, Option<Vec<String>>); 7] {
    let codes = |codes: &Vec<CurrencyCode>| codes.iter().map(|code| code.0.clone()).collect();
    [
        (Column::Id, filter.ids.as_deref().map(texts)),
        (Column::Status, filter.status.as_ref().map(|words| words.iter().map(|word| word.word()).collect())),
        (
            Column::BillingReason,
            filter.billing_reason.as_ref().map(|words| words.iter().map(|word| word.word()).collect()),
        ),
        (Column::InvoiceType, filter.invoice_type.as_ref().map(|words| words.iter().map(|word| word.word()).collect())),
        (Column::CustomerId, filter.customer_id.as_deref().map(texts)),
        (Column::SubscriptionId, filter.subscription_id.as_deref().map(texts)),
        (Column::Currency, filter.currency.as_ref().map(codes)),
    ]
}

fn texts_equal(filter: &Filter) -> Condition {
    let equal = |column: Column, text: &Option<String>| text.as_ref().map(|text| column.eq(text.clone()));
    Condition::all()
        .add_option(equal(Column::Number, &filter.number))
        .add_option(equal(Column::Reference, &filter.reference))
        .add_option(equal(Column::PurchaseOrder, &filter.purchase_order))
        .add_option(equal(Column::ExternalId, &filter.external_id))
        .add_option(filter.source_system.map(|system| Column::SourceSystem.eq(system)))
        .add_option(filter.livemode.map(|live| Column::Livemode.eq(live)))
        .add_option(filter.number_prefix.as_ref().map(|prefix| starts_with(prefix)))
}

fn ranges(filter: &Filter) -> Condition {
    let column = |column: Column| Expr::col((invoice::Entity, column));
    Condition::all()
        .add(in_range(&column(Column::CreatedAt), filter.created_at))
        .add(in_range(&column(Column::DueAt), filter.due_at))
        .add(in_range(&column(Column::PaidAt), filter.paid_at))
        .add(in_range(&column(Column::IssueDate), filter.issue_date))
        .add(in_range(&column(Column::AmountDue), filter.amount_due))
        .add(in_range(&Expr::cust(format!("({REMAINING})")), filter.amount_remaining))
}

/// Conditions on what is computed from amounts and dates, and on the mirror.
fn computed(filter: &Filter) -> Condition {
    let owed = || Expr::cust(format!("({REMAINING})")).gt(0);
    let overdue = || {
        Condition::all()
            .add(Column::Status.is_in([InvoiceStatus::Open, InvoiceStatus::Uncollectible]))
            .add(Column::DueAt.is_not_null())
            .add(Column::DueAt.lt(filter.now))
            .add(owed())
    };
    let mirrored = filter.stripe_invoice_id.as_ref().map(|id| {
        let mirrors = Query::select()
            .column(upstream_invoice::Column::InvoiceId)
            .from(upstream_invoice::Entity)
            .and_where(
                Expr::col((upstream_invoice::Entity, upstream_invoice::Column::TenantId))
                    .equals((invoice::Entity, Column::TenantId)),
            )
            .and_where(upstream_invoice::Column::StripeInvoiceId.eq(id.clone()))
            .to_owned();
        Expr::col((invoice::Entity, Column::Id)).in_subquery(mirrors)
    });
    Condition::all()
        .add_option(filter.overdue.map(|wanted| if wanted { overdue() } else { overdue().not() }))
        .add_option(filter.has_open_balance.map(|wanted| if wanted { owed() } else { owed().not() }))
        .add_option(mirrored)
}

fn bills_rental(backend: sea_orm::DbBackend, rentals: Vec<String>) -> Result<Condition, StoreError> {
    let lines = Query::select()
        .column(line_item::Column::InvoiceId)
        .from(line_item::Entity)
        .and_where(
            Expr::col((line_item::Entity, line_item::Column::TenantId)).equals((invoice::Entity, Column::TenantId)),
        )
        .and_where(any_of(backend, line_item::Column::RentalId, rentals.clone())?)
        .to_owned();
    Ok(Condition::any()
        .add(any_of(backend, Column::RentalId, rentals)?)
        .add(Expr::col((invoice::Entity, Column::Id)).in_subquery(lines)))
}

/// Numbers are compared byte by byte, so those with a prefix lie between it and itself followed by the last character.
fn starts_with(prefix: &str) -> Condition {
    Condition::all().add(Column::Number.gte(prefix)).add(Column::Number.lt(format!("{prefix}{}", char::MAX)))
}

pub(super) fn in_range<T: Copy + Into<sea_orm::Value>>(column: &Expr, range: Range<T>) -> Condition {
    Condition::all()
        .add_option(range.gte.map(|bound| column.clone().gte(bound.into())))
        .add_option(range.gt.map(|bound| column.clone().gt(bound.into())))
        .add_option(range.lte.map(|bound| column.clone().lte(bound.into())))
        .add_option(range.lt.map(|bound| column.clone().lt(bound.into())))
}
