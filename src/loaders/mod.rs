//! Batching: what one request reads, one statement per relation.
//!
//! [`Loaders`] is made for one request around the caller's tenant and is never shared between requests: a cache that
//! outlives a request, keyed by id alone, would be a data leak. Rows are shared (`Arc`), not copied per key. A
//! relation with arguments (the first lines, one page) costs one statement per distinct set of arguments.

pub mod batch;

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use entity::{
    CredentialId, CustomerId, Instant, InvoiceEventId, InvoiceId, LineItemId, PaymentId, PaymentMethodId, PriceId,
    ProductId, RentalId, SessionId, SourceDocumentId, SourceSystem, SubLineId, SubscriptionId, browser_session,
    credential, customer, customer_snapshot, discount, invoice, invoice_change, invoice_event, line_item, payment,
    payment_method, price, product, rental, source_document, sub_line, subscription, tax, upstream_invoice,
};

use self::batch::Batch;
use crate::domain::viewer::Tenant;
use crate::links::{Asker, LinkKey, Links, Seen, UpstreamStats};
use crate::store::{self, Page, Reader, StoreError};
use crate::stripe::Deadline;

/// Why a value could not be loaded.
pub type LoadError = batch::LoadError<StoreError>;

/// A value that a relation gives.
pub type Loaded<V> = Result<V, LoadError>;

/// A row, or nothing where the id is unknown or not the caller's.
pub type Row<M> = Option<Arc<M>>;

/// The rows under a parent; empty where there are none.
pub type Rows<M> = Arc<[Arc<M>]>;

/// One page of the rows under a parent, and whether there are more.
pub type RowsPage<M> = (Rows<M>, bool);

/// The sub lines of an invoice, by line.
pub type SubLinesByLine = Arc<HashMap<LineItemId, Vec<Arc<sub_line::Model>>>>;

type Relation<K, V> = Batch<K, V, StoreError>;

/// What batches read with.
struct Source {
    tenant: Tenant,
    reader: Reader,
}

/// What links are resolved with.
#[derive(Clone, Debug)]
pub struct LinkSource {
    /// Who resolves them.
    pub links: Arc<Links>,
    /// For whom, told apart from everyone else of the tenant: pay links are counted by it.
    pub subject: Arc<str>,
    /// The billing clock's time.
    pub now: Instant,
    /// When the request stops waiting for Stripe.
    pub deadline: Deadline,
    /// What of Stripe the request needed so far.
    pub stats: Arc<UpstreamStats>,
}

impl LinkSource {
    /// For a request that begins now.
    pub fn new(links: Arc<Links>, subject: &str, now: Instant) -> Self {
        let deadline = Deadline::after(links.patience());
        Self { links, subject: subject.into(), now, deadline, stats: Arc::default() }
    }
}

/// The relations of one request.
pub struct Loaders {
    source: Arc<Source>,
    invoices: Relation<InvoiceId, Row<invoice::Model>>,
    invoices_by_number: Relation<(String, SourceSystem), Row<invoice::Model>>,
    invoices_by_external_id: Relation<(String, SourceSystem), Row<invoice::Model>>,
    payment_states: Relation<InvoiceId, Option<store::invoice::PaymentState>>,
    invoices_of_rentals: Relation<(RentalId, u64), Rows<invoice::Model>>,
    invoices_of_customers: Relation<(CustomerId, Arc<store::invoice::List>), RowsPage<invoice::Model>>,
    invoice_counts: Relation<(CustomerId, Arc<store::invoice::Filter>), i64>,
    invoice_totals: Relation<(CustomerId, Arc<store::invoice::Filter>), Rows<store::invoice::CurrencyTotals>>,
    line_items: Relation<LineItemId, Row<line_item::Model>>,
    lines_of_invoices: Relation<(InvoiceId, store::line_item::Part), Rows<line_item::Model>>,
    line_counts: Relation<InvoiceId, i64>,
    sub_lines: Relation<SubLineId, Row<sub_line::Model>>,
    sub_lines_of_invoices: Relation<InvoiceId, SubLinesByLine>,
    taxes: Relation<InvoiceId, Rows<tax::Model>>,
    discounts: Relation<InvoiceId, Rows<discount::Model>>,
    changes: Relation<InvoiceId, Rows<invoice_change::Model>>,
    snapshots: Relation<InvoiceId, Row<customer_snapshot::Model>>,
    payments: Relation<PaymentId, Row<payment::Model>>,
    payments_of_invoices: Relation<InvoiceId, Rows<payment::Model>>,
    refunds: Relation<PaymentId, Rows<payment::Model>>,
    payment_methods: Relation<PaymentMethodId, Row<payment_method::Model>>,
    methods_of_customers: Relation<CustomerId, Rows<payment_method::Model>>,
    rentals: Relation<RentalId, Row<rental::Model>>,
    rentals_of_customers: Relation<(CustomerId, Page), RowsPage<rental::Model>>,
    rental_counts: Relation<CustomerId, i64>,
    customers: Relation<CustomerId, Row<customer::Model>>,
    subscriptions: Relation<SubscriptionId, Row<subscription::Model>>,
    products: Relation<ProductId, Row<product::Model>>,
    prices: Relation<PriceId, Row<price::Model>>,
    mirrors: Relation<InvoiceId, Row<upstream_invoice::Model>>,
    events: Relation<InvoiceEventId, Row<invoice_event::Model>>,
    events_of_invoices: Relation<(InvoiceId, u64), Rows<invoice_event::Model>>,
    documents: Relation<SourceDocumentId, Row<source_document::Model>>,
    documents_of_invoices: Relation<InvoiceId, Row<source_document::Model>>,
    api_keys: Relation<CredentialId, Row<credential::Model>>,
    sessions: Relation<SessionId, Row<browser_session::Model>>,
    links: Relation<LinkKey, Seen>,
}

/// A relation with arguments: one read per distinct set of arguments.
macro_rules! relation_per {
    ($origin:expr, |$source:ident, $arguments:ident, $parents:ident| $read:expr, $wrap:expr) => {{
        let origin = Arc::clone($origin);
        Batch::new(move |keys| {
            let origin = Arc::clone(&origin);
            async move {
                let $source = &*origin;
                let mut all = HashMap::new();
                for ($arguments, $parents) in parents_by_arguments(keys) {
                    let found = noted($read.await)?;
                    all.extend(found.into_iter().map(|(parent, value)| ((parent, $arguments.clone()), $wrap(value))));
                }
                Ok(all)
            }
        })
    }};
}

/// A relation: the name of the store function, and how its values are wrapped.
macro_rules! relation {
    ($source:expr, $read:path, $wrap:expr) => {{
        let source = Arc::clone($source);
        Batch::new(move |keys| {
            let source = Arc::clone(&source);
            async move { Ok(wrapped(noted($read(&source.tenant, &source.reader, &keys).await)?, $wrap)) }
        })
    }};
}

impl Loaders {
    /// Loaders of one request: everything is read as `tenant`, through `reader`, and links through `links`.
    #[expect(clippy::too_many_lines, reason = "a table: one row per relation")]
    pub fn new(tenant: Tenant, reader: Reader, links: LinkSource) -> Self {
        let source = Arc::new(Source { tenant, reader });
        let from = &source;
        Self {
            invoices: relation!(from, store::invoice::by_ids, row),
            invoices_by_number: relation_per!(
                from,
                |source, system, numbers| store::invoice::by_numbers(&source.tenant, &source.reader, system, &numbers),
                row
            ),
            invoices_by_external_id: relation_per!(
                from,
                |source, system, ids| store::invoice::by_external_ids(&source.tenant, &source.reader, system, &ids),
                row
            ),
            payment_states: relation!(from, store::invoice::payment_states_of, Some),
            invoices_of_rentals: relation_per!(
                from,
                |source, limit, rentals| store::invoice::of_rentals(&source.tenant, &source.reader, &rentals, limit),
                rows
            ),
            invoices_of_customers: relation_per!(
                from,
                |source, list, ids| store::invoice::list_of_customers(
                    &source.tenant,
                    &source.reader,
                    &ids,
                    Arc::as_ref(&list)
                ),
                page
            ),
            invoice_counts: relation_per!(
                from,
                |source, filter, ids| store::invoice::count_of_customers(
                    &source.tenant,
                    &source.reader,
                    &ids,
                    Arc::as_ref(&filter)
                ),
                std::convert::identity
            ),
            invoice_totals: relation_per!(
                from,
                |source, filter, ids| {
                    store::invoice::totals_of_customers(&source.tenant, &source.reader, &ids, Arc::as_ref(&filter))
                },
                rows
            ),
            line_items: relation!(from, store::line_item::by_ids, row),
            lines_of_invoices: relation_per!(
                from,
                |source, part, invoices| store::line_item::of_invoices(
                    &source.tenant,
                    &source.reader,
                    &invoices,
                    &part
                ),
                rows
            ),
            line_counts: relation!(from, store::line_item::count_of_invoices, std::convert::identity),
            sub_lines: relation!(from, store::sub_line::by_ids, row),
            sub_lines_of_invoices: relation!(from, store::sub_line::of_invoices, by_line),
            taxes: relation!(from, store::invoice_parts::taxes, rows),
            discounts: relation!(from, store::invoice_parts::discounts, rows),
            changes: relation!(from, store::invoice_parts::changes, rows),
            snapshots: relation!(from, store::invoice_parts::customer_snapshots, row),
            payments: relation!(from, store::payment::by_ids, row),
            payments_of_invoices: relation!(from, store::payment::of_invoices, rows),
            refunds: relation!(from, store::payment::refunds_of, rows),
            payment_methods: relation!(from, store::payment_method::by_ids, row),
            methods_of_customers: relation!(from, store::payment_method::of_customers, rows),
            rentals: relation!(from, store::rental::by_ids, row),
            rentals_of_customers: relation_per!(
                from,
                |source, part, ids| store::rental::list_of_customers(&source.tenant, &source.reader, &ids, &part),
                page
            ),
            rental_counts: relation!(from, store::rental::count_of_customers, std::convert::identity),
            customers: relation!(from, store::customer::by_ids, row),
            subscriptions: relation!(from, store::subscription::by_ids, row),
            products: relation!(from, store::product::by_ids, row),
            prices: relation!(from, store::price::by_ids, row),
            mirrors: relation!(from, store::upstream_invoice::of_invoices, row),
            events: relation!(from, store::invoice_event::by_ids, row),
            events_of_invoices: relation_per!(
                from,
                |source, limit, ids| store::invoice_event::of_invoices(&source.tenant, &source.reader, &ids, limit),
                rows
            ),
            documents: relation!(from, store::source_document::by_ids, row),
            documents_of_invoices: relation!(from, store::source_document::of_invoices, row),
            api_keys: relation!(from, store::credential::by_ids, row),
            sessions: relation!(from, store::browser_session::by_ids, row),
            links: links_of(from, links),
            source,
        }
    }

    /// What lists, which have no key, are read with.
    pub fn reader(&self) -> (&Tenant, &Reader) {
        (&self.source.tenant, &self.source.reader)
    }
}

/// Links are no rows: one round of questions is resolved together, at Stripe where that is needed.
fn links_of(source: &Arc<Source>, asked: LinkSource) -> Relation<LinkKey, Seen> {
    let source = Arc::clone(source);
    Batch::new(move |keys| {
        let (source, asked) = (Arc::clone(&source), asked.clone());
        async move {
            let LinkSource { links, subject, now, deadline, stats } = &asked;
            let caller = Asker { tenant: &source.tenant, subject, now: *now, deadline: *deadline };
            Ok(links.resolve(caller, keys, stats).await)
        }
    })
}

/// One method per relation: its question is its name.
macro_rules! questions {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $type:ty),*) -> $value:ty = $relation:ident;)*) => {
        impl Loaders {$(
            $(#[$doc])*
            ///
            /// # Errors
            /// [`LoadError`], the same for everyone who asked in this batch.
            pub async fn $name(&self, $($argument: $type),*) -> Loaded<$value> {
                self.$relation.load(($($argument),*)).await
            }
        )*}
    };
}

questions! {
    /// What is asked of an invoice's links.
    link(key: LinkKey) -> Seen = links;
    /// An invoice.
    invoice(id: InvoiceId) -> Row<invoice::Model> = invoices;
    /// The API key of that id.
    api_key(id: CredentialId) -> Row<credential::Model> = api_keys;
    /// The session of that id.
    session(id: SessionId) -> Row<browser_session::Model> = sessions;
    /// The line of that id.
    line_item(id: LineItemId) -> Row<line_item::Model> = line_items;
    /// Part of the lines of an invoice.
    line_items_of(invoice: InvoiceId, part: store::line_item::Part) -> Rows<line_item::Model> = lines_of_invoices;
    /// How many lines an invoice has.
    line_item_count_of(invoice: InvoiceId) -> i64 = line_counts;
    /// The sub line of that id.
    sub_line(id: SubLineId) -> Row<sub_line::Model> = sub_lines;
    /// All sub lines of an invoice, by line.
    sub_lines_of(invoice: InvoiceId) -> SubLinesByLine = sub_lines_of_invoices;
    /// Where an invoice stands with its payments.
    payment_state_of(invoice: InvoiceId) -> Option<store::invoice::PaymentState> = payment_states;
    /// The newest invoices that bill a rental.
    invoices_of_rental(rental: RentalId, limit: u64) -> Rows<invoice::Model> = invoices_of_rentals;
    /// A page of a customer's invoices.
    invoices_of_customer(customer: CustomerId, list: Arc<store::invoice::List>) -> RowsPage<invoice::Model> = invoices_of_customers;
    /// How many invoices of a customer a filter has.
    invoice_count_of_customer(customer: CustomerId, filter: Arc<store::invoice::Filter>) -> i64 = invoice_counts;
    /// The sums of a filter of a customer's invoices, by currency.
    invoice_totals_of_customer(customer: CustomerId, filter: Arc<store::invoice::Filter>) -> Rows<store::invoice::CurrencyTotals> = invoice_totals;
    /// Taxes of an invoice.
    taxes_of(invoice: InvoiceId) -> Rows<tax::Model> = taxes;
    /// Discounts of an invoice and of its lines.
    discounts_of(invoice: InvoiceId) -> Rows<discount::Model> = discounts;
    /// Prorated changes of an invoice.
    changes_of(invoice: InvoiceId) -> Rows<invoice_change::Model> = changes;
    /// The customer as printed on an invoice.
    customer_snapshot_of(invoice: InvoiceId) -> Row<customer_snapshot::Model> = snapshots;
    /// The payment of that id.
    payment(id: PaymentId) -> Row<payment::Model> = payments;
    /// Payments and refunds of an invoice, oldest first.
    payments_of(invoice: InvoiceId) -> Rows<payment::Model> = payments_of_invoices;
    /// Refunds of a payment, oldest first.
    refunds_of(payment: PaymentId) -> Rows<payment::Model> = refunds;
    /// The means of payment of that id.
    payment_method(id: PaymentMethodId) -> Row<payment_method::Model> = payment_methods;
    /// A customer's usable means of payment.
    payment_methods_of(customer: CustomerId) -> Rows<payment_method::Model> = methods_of_customers;
    /// The rental of that id.
    rental(id: RentalId) -> Row<rental::Model> = rentals;
    /// A page of a customer's rentals.
    rentals_of_customer(customer: CustomerId, page: Page) -> RowsPage<rental::Model> = rentals_of_customers;
    /// How many rentals a customer has.
    rental_count_of_customer(customer: CustomerId) -> i64 = rental_counts;
    /// The customer of that id.
    customer(id: CustomerId) -> Row<customer::Model> = customers;
    /// The subscription of that id.
    subscription(id: SubscriptionId) -> Row<subscription::Model> = subscriptions;
    /// The product of that id.
    product(id: ProductId) -> Row<product::Model> = products;
    /// The price of that id.
    price(id: PriceId) -> Row<price::Model> = prices;
    /// An invoice's mirror at Stripe.
    mirror_of(invoice: InvoiceId) -> Row<upstream_invoice::Model> = mirrors;
    /// The entry of that id in an invoice's history.
    invoice_event(id: InvoiceEventId) -> Row<invoice_event::Model> = events;
    /// The newest entries of an invoice's history.
    events_of(invoice: InvoiceId, limit: u64) -> Rows<invoice_event::Model> = events_of_invoices;
    /// The imported document of that id.
    source_document(id: SourceDocumentId) -> Row<source_document::Model> = documents;
    /// The document an invoice was last imported from.
    source_document_of(invoice: InvoiceId) -> Row<source_document::Model> = documents_of_invoices;
    /// The issued invoice of that number.
    invoice_by_number(number: String, system: SourceSystem) -> Row<invoice::Model> = invoices_by_number;
    /// The invoice of that id in its source system.
    invoice_by_external_id(external_id: String, system: SourceSystem) -> Row<invoice::Model> = invoices_by_external_id;
}

/// A read, its failure logged once for all who asked.
fn noted<T>(read: Result<T, StoreError>) -> Result<T, StoreError> {
    read.inspect_err(StoreError::log)
}

/// The parents of each distinct set of arguments.
fn parents_by_arguments<P, A: Eq + Hash>(keys: Vec<(P, A)>) -> HashMap<A, Vec<P>> {
    let mut groups: HashMap<A, Vec<P>> = HashMap::new();
    for (parent, arguments) in keys {
        groups.entry(arguments).or_default().push(parent);
    }
    groups
}

#[expect(clippy::unnecessary_wraps, reason = "the value of a relation that may have nothing")]
fn row<M>(model: M) -> Row<M> {
    Some(Arc::new(model))
}

fn rows<M>(models: Vec<M>) -> Rows<M> {
    models.into_iter().map(Arc::new).collect()
}

fn page<M>((models, more): (Vec<M>, bool)) -> RowsPage<M> {
    (rows(models), more)
}

fn by_line(models: Vec<sub_line::Model>) -> SubLinesByLine {
    let mut lines: HashMap<LineItemId, Vec<Arc<sub_line::Model>>> = HashMap::new();
    for model in models {
        lines.entry(model.line_item_id.clone()).or_default().push(Arc::new(model));
    }
    Arc::new(lines)
}

fn wrapped<K: Eq + Hash, T, V>(found: HashMap<K, T>, wrap: impl Fn(T) -> V) -> HashMap<K, V> {
    found.into_iter().map(|(key, value)| (key, wrap(value))).collect()
}
