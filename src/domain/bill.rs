//! A whole invoice with everything under it: what documents are imported into and rendered from.
//!
//! Its parts are rows, so that nothing is mapped twice. A bill is made without keys; [`Bill::keyed`] gives every row
//! its tenant, its parents and its own id, and from then on it can be written as it stands.

use entity::{
    CustomerId, InvoiceId, Json, PriceId, ProductId, SourceSystem, SubscriptionId, TenantId, customer,
    customer_snapshot, discount, invoice, invoice_change, line_item, payment, payment_method, price, product, sub_line,
    subscription, tax, upstream_invoice,
};
use serde::Serialize;

use super::ids;

/// A whole invoice. Ids and foreign keys of its rows mean nothing before [`Bill::keyed`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bill {
    /// The invoice itself. `external_id` names it in its source system.
    pub invoice: invoice::Model,
    /// Lines in printed order.
    pub lines: Vec<BillLine>,
    /// Taxes in printed order.
    pub taxes: Vec<tax::Model>,
    /// Discounts of the whole invoice; those of a line stand with the line.
    pub discounts: Vec<discount::Model>,
    /// Prorated changes, oldest first.
    pub changes: Vec<invoice_change::Model>,
    /// The customer as printed on the invoice.
    pub snapshot: Option<customer_snapshot::Model>,
    /// Payments and refunds, oldest first.
    pub payments: Vec<BillPayment>,
    /// The subscription the invoice was made from, known by its `external_id`.
    pub subscription: Option<subscription::Model>,
    /// Products that lines name, known by their `external_id`.
    pub products: Vec<product::Model>,
    /// Prices that lines name, known by their `external_id`; `product_id` holds the product's `external_id`.
    pub prices: Vec<price::Model>,
    /// The customer as the source system knows it now, known by its `external_id`.
    pub customer: Option<customer::Model>,
    /// What the document says of the mirror at Stripe.
    pub upstream: Option<upstream_invoice::Model>,
}

/// A line with what belongs to it. References are ids in the source system.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BillLine {
    /// The line.
    pub row: line_item::Model,
    /// Its parts in printed order.
    pub sub_lines: Vec<sub_line::Model>,
    /// Its own discounts.
    pub discounts: Vec<discount::Model>,
    /// The subscription it bills.
    pub subscription: Option<String>,
    /// The product it bills.
    pub product: Option<String>,
    /// The price it was rated with.
    pub price: Option<String>,
}

/// A payment with the stored means it used.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BillPayment {
    /// The payment or refund.
    pub row: payment::Model,
    /// The stored means of payment, known by its `external_id`.
    pub method: Option<payment_method::Model>,
    /// For a refund: the position in [`Bill::payments`] of the payment it returns.
    pub refund_of: Option<usize>,
}

/// Something a document states that does not hold, or could not be kept as stated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Issue {
    /// What sort of difference, in upper case: stable, for programs.
    pub code: String,
    /// Where in the document: `line_items[0].tax_rate`.
    pub path: String,
    /// What the document states.
    pub stated: Option<String>,
    /// What was expected, or what is kept instead.
    pub expected: Option<String>,
}

/// The keys a bill is written under.
#[derive(Clone, Copy, Debug)]
pub struct BillKeys<'a> {
    /// Who owns it.
    pub tenant: &'a TenantId,
    /// The invoice's id.
    pub invoice: &'a InvoiceId,
    /// Whom it bills.
    pub customer: &'a CustomerId,
}

/// The id of something imported: a hash of its natural key, so that importing it again meets the same row.
pub fn imported<Id: ids::TypedId>(tenant: &TenantId, system: SourceSystem, external_id: &str) -> Id {
    ids::derived(&[tenant.as_str(), &system.word(), external_id])
}

impl Bill {
    /// The same bill with every id and foreign key set, positions counted from 0 and empty maps for absent ones.
    #[must_use]
    pub fn keyed(mut self, keys: BillKeys<'_>) -> Self {
        let system = self.invoice.source_system;
        self.key_references(keys, system);
        self.invoice.tenant_id = keys.tenant.clone();
        self.invoice.id = keys.invoice.clone();
        self.invoice.customer_id = keys.customer.clone();
        for map in
            [&mut self.invoice.origin_metadata, &mut self.invoice.metadata, &mut self.invoice.external_attributes]
        {
            fill(map);
        }
        if self.invoice.integrity_issues.is_null() {
            self.invoice.integrity_issues = Json::Array(Vec::new());
        }
        for (position, line) in (0_i32..).zip(&mut self.lines) {
            line.key(keys, system, position);
        }
        self.key_payments(keys, system);
        self.key_parts(keys);
        self
    }

    /// Customer, subscription, products and prices: rows that other invoices may share.
    fn key_references(&mut self, keys: BillKeys<'_>, system: SourceSystem) {
        if let Some(customer) = &mut self.customer {
            customer.tenant_id = keys.tenant.clone();
            customer.id = keys.customer.clone();
            fill(&mut customer.metadata);
            fill(&mut customer.external_attributes);
        }
        if let Some(subscription) = &mut self.subscription {
            let external_id = subscription.external_id.clone().unwrap_or_default();
            subscription.tenant_id = keys.tenant.clone();
            subscription.id = imported(keys.tenant, system, &external_id);
            subscription.customer_id = keys.customer.clone();
            subscription.source_system = system;
            fill(&mut subscription.metadata);
            self.invoice.subscription_id = Some(subscription.id.clone());
        }
        for product in &mut self.products {
            product.tenant_id = keys.tenant.clone();
            product.id = imported(keys.tenant, system, product.external_id.as_deref().unwrap_or_default());
            product.source_system = system;
        }
        for price in &mut self.prices {
            price.tenant_id = keys.tenant.clone();
            price.id = imported(keys.tenant, system, price.external_id.as_deref().unwrap_or_default());
            price.source_system = system;
            price.product_id = price.product_id.take().map(|product| imported(keys.tenant, system, product.as_str()));
            fill(&mut price.details);
        }
    }

    fn key_payments(&mut self, keys: BillKeys<'_>, system: SourceSystem) {
        let ids: Vec<entity::PaymentId> =
            (0..self.payments.len()).map(|index| ids::derived(&[keys.invoice.as_str(), &index.to_string()])).collect();
        for (index, payment) in self.payments.iter_mut().enumerate() {
            payment.row.refunded_payment_id = payment.refund_of.and_then(|of| ids.get(of)).cloned();
            payment.row.id = ids.get(index).cloned().unwrap_or_default();
            payment.row.tenant_id = keys.tenant.clone();
            payment.row.invoice_id = keys.invoice.clone();
            payment.row.customer_id = keys.customer.clone();
            fill(&mut payment.row.external_attributes);
            if let Some(method) = &mut payment.method {
                method.tenant_id = keys.tenant.clone();
                method.id = imported(keys.tenant, system, method.external_id.as_deref().unwrap_or_default());
                method.customer_id = keys.customer.clone();
                method.source_system = system;
                payment.row.payment_method_id = Some(method.id.clone());
            }
        }
    }

    /// Taxes, discounts, changes, snapshot and mirror: rows that belong to this invoice alone.
    fn key_parts(&mut self, keys: BillKeys<'_>) {
        for (position, tax) in (0_i32..).zip(&mut self.taxes) {
            tax.tenant_id = keys.tenant.clone();
            tax.invoice_id = keys.invoice.clone();
            tax.id = ids::derived(&[keys.invoice.as_str(), &position.to_string()]);
            tax.position = position;
        }
        for (position, discount) in (0_i32..).zip(&mut self.discounts) {
            discount.tenant_id = keys.tenant.clone();
            discount.invoice_id = keys.invoice.clone();
            discount.id = ids::derived(&[keys.invoice.as_str(), &position.to_string()]);
            discount.position = position;
        }
        for (position, change) in (0_i32..).zip(&mut self.changes) {
            change.tenant_id = keys.tenant.clone();
            change.invoice_id = keys.invoice.clone();
            change.id = ids::derived(&[keys.invoice.as_str(), &position.to_string()]);
            change.position = position;
        }
        if let Some(snapshot) = &mut self.snapshot {
            snapshot.tenant_id = keys.tenant.clone();
            snapshot.invoice_id = keys.invoice.clone();
            fill(&mut snapshot.external_attributes);
        }
        if let Some(upstream) = &mut self.upstream {
            upstream.tenant_id = keys.tenant.clone();
            upstream.invoice_id = keys.invoice.clone();
        }
    }
}

impl BillLine {
    fn key(&mut self, keys: BillKeys<'_>, system: SourceSystem, position: i32) {
        let id: entity::LineItemId = ids::derived(&[keys.invoice.as_str(), &position.to_string()]);
        self.row.tenant_id = keys.tenant.clone();
        self.row.id = id.clone();
        self.row.invoice_id = keys.invoice.clone();
        self.row.customer_id = keys.customer.clone();
        self.row.position = position;
        fill(&mut self.row.metadata);
        fill(&mut self.row.external_attributes);
        let refer = |external_id: &Option<String>| external_id.clone().unwrap_or_default();
        if self.subscription.is_some() {
            self.row.subscription_id =
                Some(imported::<SubscriptionId>(keys.tenant, system, &refer(&self.subscription)));
        }
        if self.product.is_some() {
            self.row.product_id = Some(imported::<ProductId>(keys.tenant, system, &refer(&self.product)));
        }
        if self.price.is_some() {
            self.row.price_id = Some(imported::<PriceId>(keys.tenant, system, &refer(&self.price)));
        }
        for (position, sub_line) in (0_i32..).zip(&mut self.sub_lines) {
            sub_line.tenant_id = keys.tenant.clone();
            sub_line.invoice_id = keys.invoice.clone();
            sub_line.line_item_id = id.clone();
            sub_line.id = ids::derived(&[id.as_str(), &position.to_string()]);
            sub_line.position = position;
            fill(&mut sub_line.attributes);
        }
        for (position, discount) in (0_i32..).zip(&mut self.discounts) {
            discount.tenant_id = keys.tenant.clone();
            discount.invoice_id = keys.invoice.clone();
            discount.line_item_id = Some(id.clone());
            discount.id = ids::derived(&[id.as_str(), &position.to_string()]);
            discount.position = position;
        }
    }
}

/// An absent map is an empty one.
fn fill(map: &mut Json) {
    if map.is_null() {
        *map = Json::Object(serde_json::Map::new());
    }
}
