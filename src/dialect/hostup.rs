//! Documents of HostUp, which bills with HostBill: `GET /api/billing/invoice/{id}`.
//!
//! Amounts are major units, as numbers or as texts; flags are `"0"` and `"1"`; `"0"` refers to nothing. The client
//! stands there twice: `client` is the customer as known now, `metadata.client` the copy on the invoice. Much of it has
//! no column and stays an attribute, among it data about logins, which only internal scopes may read.

use entity::{
    CollectionMethod, CurrencyCode, CustomerStatus, DecimalText, DiscountKind, InvoiceStatus, InvoiceType, Json,
    LineItemKind, Minor, OriginKind, PaymentKind, PaymentReferenceKind, PaymentStatus, TaxMode, customer,
    customer_snapshot, discount, invoice, line_item, payment, tax,
};
use serde_json::json;

use super::reader::{
    LINES_MAX, Read, Reader, Unit, Written, day_of, end_of_day, midnight, refuse_duplicates, sum, whole_number,
};
use super::{DialectError, Draft, ImportContext};
use crate::domain::bill::{Bill, BillLine, BillPayment};
use crate::domain::decimal::Decimal;
use crate::domain::integrity::{self, Statement, code};
use crate::domain::money;

/// Under which name its payments are known.
const PROVIDER: &str = "hostup";

/// What stands where a reference to something else could: nothing is referred to.
const NOTHING: &str = "0";

const STATUSES: [(&str, InvoiceStatus); 9] = [
    ("Unpaid", InvoiceStatus::Open),
    ("Payment Pending", InvoiceStatus::Open),
    ("Paid", InvoiceStatus::Paid),
    ("Refunded", InvoiceStatus::Paid),
    ("Credited", InvoiceStatus::Paid),
    ("Cancelled", InvoiceStatus::Void),
    ("Canceled", InvoiceStatus::Void),
    ("Draft", InvoiceStatus::Draft),
    ("Collections", InvoiceStatus::Uncollectible),
];

/// The word that says that what was paid went back.
const REFUNDED: &str = "refunded";

const CLIENT_STATUSES: [(&str, CustomerStatus); 3] =
    [("Active", CustomerStatus::Active), ("Inactive", CustomerStatus::Inactive), ("Closed", CustomerStatus::Closed)];

const TAX_MODES: [(&str, TaxMode); 2] = [("exclusive", TaxMode::Exclusive), ("inclusive", TaxMode::Inclusive)];

/// The words are those of `TaxRounding` in the API.
const TAX_ROUNDINGS: [(&str, &str); 6] = [
    ("line", "PER_LINE"),
    ("item", "PER_LINE"),
    ("per_line", "PER_LINE"),
    ("invoice", "PER_INVOICE"),
    ("total", "PER_INVOICE"),
    ("per_invoice", "PER_INVOICE"),
];

/// What every part of a document needs to know of the whole.
struct Frame<'a> {
    context: &'a ImportContext<'a>,
    external_id: String,
    currency: CurrencyCode,
    unit: Unit,
}

/// What is known of an invoice before the payments beside it are read.
struct Stated<'a> {
    frame: Frame<'a>,
    bill: Bill,
    statement: Statement,
}

/// Reads an invoice of HostUp.
pub(super) fn import(mut root: Reader, context: &ImportContext<'_>) -> Read<Draft> {
    drop_envelope(&mut root)?;
    let Some(stated) = root.within("data", |data| read_data(data, context))? else {
        return Err(missing(&root, "data"));
    };
    let Stated { frame, mut bill, .. } = stated;
    keep_envelope(&mut root, &mut bill.invoice);
    Ok(Draft {
        external_id: frame.external_id,
        customer_external_id: bill.customer.as_ref().and_then(|customer| customer.external_id.clone()),
        updated_at: None,
        issues: root.into_issues(),
        bill,
    })
}

/// Drops what belongs to the answer and not to the invoice.
fn drop_envelope(root: &mut Reader) -> Read<()> {
    drop_success(root)?;
    root.text("timestamp")?;
    root.id("requestId")?;
    Ok(())
}

fn drop_success(reader: &mut Reader) -> Read<()> {
    if reader.boolean("success")? == Some(false) {
        reader.keep("success", Json::Bool(false));
    }
    Ok(())
}

/// What nobody knows around the invoice stays with it, under a name that no field has.
fn keep_envelope(root: &mut Reader, invoice: &mut invoice::Model) {
    let around = root.leftover();
    let empty = around.as_object().is_some_and(serde_json::Map::is_empty);
    if let (Json::Object(attributes), false) = (&mut invoice.external_attributes, empty) {
        attributes.insert("$envelope".to_owned(), around);
    }
}

fn missing(reader: &Reader, key: &str) -> DialectError {
    DialectError::Missing { path: reader.path(key) }
}

fn read_data<'a>(data: &mut Reader, context: &'a ImportContext<'a>) -> Read<Stated<'a>> {
    drop_success(data)?;
    let Some(mut stated) = data.within("invoice", |invoice| read_invoice(invoice, context))? else {
        return Err(missing(data, "invoice"));
    };
    read_payments(data, &stated.frame, &mut stated.bill)?;
    settle(data, &mut stated.bill)?;
    data.add_issues(integrity::check(&stated.bill, &stated.statement));
    Ok(stated)
}

fn read_invoice<'a>(reader: &mut Reader, context: &'a ImportContext<'a>) -> Read<Stated<'a>> {
    let external_id = reader.required_id("id")?;
    let currency = read_currency(reader, context)?;
    let digits = money::exponent(&currency);
    let frame = Frame { context, external_id, unit: Unit::Major(digits), currency };
    let mut bill = Bill { invoice: head(reader, &frame)?, ..Default::default() };
    read_order(reader, &mut bill.invoice)?;
    let client_id = reference(reader, "client_id")?;
    let copy = read_metadata(reader, &frame, &mut bill.invoice)?;
    let line_amounts = read_lines(reader, &frame, &mut bill)?;
    bill.discounts = read_discounts(reader)?;
    bill.customer = read_customer(reader, &frame, client_id, copy.as_ref(), &bill.invoice)?;
    bill.snapshot = copy;
    bill.taxes = read_tax_map(reader, frame.unit)?;
    let statement = Statement { digits, line_amounts, ..read_amounts(reader, &mut bill, frame.unit)? };
    bill.invoice.external_attributes = reader.leftover();
    Ok(Stated { frame, bill, statement })
}

// Currencies and references.

/// The currency of the invoice, by the tenant's table; `"0"` is the tenant's own.
fn read_currency(reader: &mut Reader, context: &ImportContext<'_>) -> Read<CurrencyCode> {
    if !reader.has("currency_id") {
        reader.issue(code::CURRENCY_UNKNOWN, "currency_id", None, Some(&context.currency.0));
    }
    let currency = listed_currency(reader, context)?;
    Ok(currency.unwrap_or_else(|| context.currency.clone()))
}

/// The currency that `currency_id` names; an id that is not in the table is an issue.
fn listed_currency(reader: &mut Reader, context: &ImportContext<'_>) -> Read<Option<CurrencyCode>> {
    let Some(id) = reader.id("currency_id")? else {
        return Ok(None);
    };
    let currency = context.currency_ids.get(&id).or((id == NOTHING).then_some(context.currency));
    if currency.is_none() {
        let expected = Some(context.currency.0.as_str());
        reader.issue(code::CURRENCY_UNKNOWN, "currency_id", Some(&id), expected);
    }
    // Several ids may stand for one currency, so the id itself is kept.
    reader.keep_raw("currency_id", Json::String(id));
    Ok(currency.cloned())
}

/// An id of something else, or none: `"0"` refers to nothing and stays under `$raw`.
fn reference(reader: &mut Reader, key: &str) -> Read<Option<String>> {
    let stated = reader.peek(key);
    let id = reader.id(key)?;
    if id.as_deref() == Some(NOTHING) {
        reader.keep_raw(key, stated.unwrap_or_default());
        return Ok(None);
    }
    Ok(id)
}

// The invoice itself.

fn head(reader: &mut Reader, frame: &Frame<'_>) -> Read<invoice::Model> {
    let (status, source_status) = reader.status("status", &STATUSES)?;
    let recurring_external_id = reference(reader, "recurring_id")?;
    if !reader.has("date") {
        reader.issue(code::CREATED_UNKNOWN, "date", None, None);
    }
    let issued = reader.day("date")?;
    let created_at = issued.map_or(frame.context.now, midnight);
    let due_date = reader.day("duedate")?;
    let row = invoice::Model {
        legacy_number: read_legacy_number(reader, &frame.external_id),
        paid_number: reader.id("paid_id")?,
        proforma_number: reference(reader, "proforma_id")?,
        status,
        source_status,
        invoice_type: match recurring_external_id {
            Some(_) => InvoiceType::Recurring,
            None => InvoiceType::OneOff,
        },
        recurring_external_id,
        collection_method: CollectionMethod::SendInvoice,
        currency: frame.currency.clone(),
        livemode: frame.context.livemode,
        tax_exempt: reader.flag("taxexempt")?.unwrap_or_default(),
        exchange_rate: reader.decimal("rate", Written::Either)?,
        provider_external_id: reference(reader, "payment_module")?,
        provider_name: reader.text("gateway")?,
        issue_date: day_of(created_at),
        due_date,
        due_at: due_date.map(end_of_day),
        pay_by_date: reader.day("paybefore")?,
        memo: reader.text("notes")?,
        contact_external_id: reference(reader, "contact_id")?,
        brand_external_id: reference(reader, "brand_id")?,
        paid_at: reader.moment("datepaid")?,
        created_at,
        updated_at: created_at,
        ..Default::default()
    };
    keep_lock(reader)?;
    Ok(row)
}

/// The number by which the system asks for invoices: the id, where it is an integer from 1.
fn read_legacy_number(reader: &mut Reader, external_id: &str) -> Option<i64> {
    let number = whole_number(external_id).filter(|number| *number >= 1);
    if number.is_none() {
        reader.issue(code::UNREADABLE_INTEGER, "id", Some(external_id), None);
    }
    number
}

/// Every imported invoice is locked; where the document says otherwise, that stays beside it.
fn keep_lock(reader: &mut Reader) -> Read<()> {
    let stated = reader.peek("locked");
    if reader.flag("locked")? == Some(false) {
        reader.keep_raw("locked", stated.unwrap_or_default());
    }
    Ok(())
}

fn read_order(reader: &mut Reader, invoice: &mut invoice::Model) -> Read<()> {
    invoice.order_external_id = reference(reader, "order_id")?;
    invoice.order_number = reference(reader, "order_number")?;
    invoice.is_first_order = reader.flag("is_first")?;
    if invoice.order_external_id.is_some() {
        invoice.origin_kind = OriginKind::Order;
    }
    Ok(())
}

/// Reads the data kept with the invoice. Gives the copy of the client.
fn read_metadata(
    reader: &mut Reader,
    frame: &Frame<'_>,
    invoice: &mut invoice::Model,
) -> Read<Option<customer_snapshot::Model>> {
    reader.drop_empty_list("metadata");
    let mut currencies = None;
    let copy = reader.within("metadata", |metadata| {
        read_same_order(metadata, invoice)?;
        metadata.drop_empty_list("taxconfig");
        let config = metadata.within("taxconfig", |config| read_tax_config(config, invoice))?;
        invoice.tax_config = config;
        currencies = metadata.json("currencies");
        metadata.drop_empty_list("client");
        metadata.within("client", |client| read_client(client, frame))
    })?;
    if let Some(currencies) = currencies {
        reader.keep("currencies", currencies);
    }
    Ok(copy.flatten())
}

/// The order stands in the metadata once more; it fills what is missing, and another one is an issue.
fn read_same_order(metadata: &mut Reader, invoice: &mut invoice::Model) -> Read<()> {
    let stated = metadata.peek("order_id");
    let order_id = reference(metadata, "order_id")?;
    if let (Some(again), Some(order_id)) = (order_id.as_deref(), invoice.order_external_id.as_deref()) {
        if again != order_id {
            metadata.issue(code::REFERENCE_MISMATCH, "order_id", Some(again), Some(order_id));
        }
        metadata.keep_raw("order_id", stated.unwrap_or_default());
    } else if order_id.is_some() {
        invoice.order_external_id = order_id;
        invoice.origin_kind = OriginKind::Order;
    }
    let stated = metadata.peek("first_order");
    let is_first = metadata.flag("first_order")?;
    if is_first.is_some() && invoice.is_first_order.is_some_and(|first| Some(first) != is_first) {
        metadata.keep_raw("first_order", stated.unwrap_or_default());
    }
    invoice.is_first_order = invoice.is_first_order.or(is_first);
    Ok(())
}

fn read_tax_config(config: &mut Reader, invoice: &mut invoice::Model) -> Read<Json> {
    let mode = config.word("TaxType", &TAX_MODES)?.value;
    invoice.tax_mode = mode.unwrap_or_default();
    Ok(json!({
        "mode": mode,
        "rounding": config.word("TaxRounding", &TAX_ROUNDINGS)?.value,
        "compound_level2": config.flag("CompoundL2")?,
        "allow_negative": config.flag("AllowNegativeTax")?,
        "tax_credits": config.flag("TaxCredited")?,
    }))
}

/// Discounts are texts of no known shape: their text is the name, and what they are worth is not known.
fn read_discounts(reader: &mut Reader) -> Read<Vec<discount::Model>> {
    let texts = reader.texts("discounts")?;
    if !texts.is_empty() {
        reader.keep("discounts", texts.iter().cloned().map(Json::String).collect());
    }
    let rows =
        texts.into_iter().map(|name| discount::Model { kind: DiscountKind::Unknown, name, ..Default::default() });
    Ok(rows.collect())
}

// Lines.

/// Reads the lines; gives what each is stated to add to the invoice.
fn read_lines(reader: &mut Reader, frame: &Frame<'_>, bill: &mut Bill) -> Read<Vec<Option<integrity::Stated>>> {
    let mut position = 0;
    let lines = reader.rows("items", |item| {
        let line = read_line(item, frame, position)?;
        position += 1;
        Ok(line)
    })?;
    let place = reader.path("items");
    refuse_duplicates(&place, "id", lines.iter().map(|(line, _)| line.row.external_id.as_ref()))?;
    let (lines, amounts) = lines.into_iter().unzip();
    bill.lines = lines;
    Ok(amounts)
}

fn read_line(item: &mut Reader, frame: &Frame<'_>, position: i32) -> Read<(BillLine, Option<integrity::Stated>)> {
    item.same_id("invoice_id", &frame.external_id)?;
    let source_kind = item.text("type")?;
    let (kind, origin_kind) = source_kind.as_deref().map(line_kind).unwrap_or_default();
    let period_start = item.day("period_start")?;
    let period_end = item.day("period_end")?;
    let (period_start, period_end) = item.ordered_days(("period_start", period_start), ("period_end", period_end));
    let mut row = line_item::Model {
        external_id: item.id("id")?,
        kind,
        source_kind,
        description: item.text("description")?.unwrap_or_default(),
        details: item.text("description2")?,
        origin_kind,
        origin_external_id: reference(item, "item_id")?,
        group_external_id: reference(item, "group_id")?,
        quantity: item.decimal("qty", Written::Either)?.unwrap_or_else(one),
        unit_price: item.decimal("amount", Written::Either)?,
        discount_total: item.amount("discount", frame.unit)?.unwrap_or_default(),
        setup_fee: item.amount("setup_fee", frame.unit)?,
        taxable: item.flag("taxed")?.unwrap_or_default(),
        tax_rate: item.decimal("tax_rate", Written::Either)?,
        tax_total: item.amount("tax", frame.unit)?,
        period_start,
        period_end,
        period_is_date: true,
        ..Default::default()
    };
    let amount = item.amount("linetotal", frame.unit)?;
    rate(item, &mut row, amount, &frame.currency)?;
    keep_position(item, position)?;
    row.external_attributes = item.leftover();
    let stated = item.stated("linetotal", amount);
    let line = BillLine { row, ..Default::default() };
    Ok((line, stated))
}

/// What a line bills, and what it was made from. Words that are not known are nothing in particular.
fn line_kind(word: &str) -> (LineItemKind, OriginKind) {
    let word = word.to_ascii_lowercase();
    match word.as_str() {
        "hosting" | "addon" | "domain renew" => (LineItemKind::Recurring, OriginKind::HostingService),
        "domain" | "domain register" | "domain transfer" | "upgrade" | "fieldupgrade" => {
            (LineItemKind::OneOff, OriginKind::HostingService)
        }
        "credit" | "discount" => (LineItemKind::Credit, OriginKind::None),
        "latefee" | "late fee" | "setup" => (LineItemKind::Fee, OriginKind::None),
        _ => (LineItemKind::Other, OriginKind::None),
    }
}

/// Gives a line its subtotal: quantity times unit price plus setup fee, where the unit price is known.
fn rate(item: &Reader, row: &mut line_item::Model, amount: Option<Minor>, currency: &CurrencyCode) -> Read<()> {
    let digits = money::exponent(currency);
    let unit_price = row.unit_price.as_ref();
    let rated = unit_price.and_then(|unit_price| integrity::rate(&row.quantity, unit_price, digits));
    let setup_fee = row.setup_fee.unwrap_or_default();
    let before_discount = [amount.unwrap_or_default(), row.discount_total];
    row.subtotal = match rated {
        Some(rated) => sum(&item.path("amount"), [rated, setup_fee])?,
        None => sum(&item.path("linetotal"), before_discount)?,
    };
    let less_discount = [row.subtotal, Minor(-row.discount_total.0)];
    row.amount = amount.unwrap_or(sum(&item.path("amount"), less_discount)?);
    Ok(())
}

/// Lines are numbered as they stand; another number stays beside it.
fn keep_position(item: &mut Reader, position: i32) -> Read<()> {
    let stated = item.peek("position");
    if item.integer("position", Written::Either)?.is_some_and(|number| number != position) {
        item.keep_raw("position", stated.unwrap_or_default());
    }
    Ok(())
}

fn one() -> DecimalText {
    Decimal::from_integer(1).text()
}

// The client.

/// Reads a client, live or copied: both have the same fields.
fn read_client(client: &mut Reader, frame: &Frame<'_>) -> Read<customer_snapshot::Model> {
    let id = reference(client, "id")?;
    let again = match &id {
        Some(id) => {
            client.same_id("client_id", id)?;
            None
        }
        None => reference(client, "client_id")?,
    };
    let status = client.word("status", &CLIENT_STATUSES)?;
    let mut row = customer_snapshot::Model {
        customer_external_id: id.or(again),
        parent_external_id: reference(client, "parent_id")?,
        first_name: client.text("firstname")?,
        last_name: client.text("lastname")?,
        company_name: client.text("companyname")?,
        is_company: client.flag("company")?,
        email: client.text("email")?,
        phone: client.text("phonenumber")?,
        organization_number: client.text("orgno")?,
        line1: client.text("address1")?,
        line2: client.text("address2")?,
        city: client.text("city")?,
        state: client.text("state")?,
        postal_code: client.text("postcode")?,
        country: client.country("country")?,
        locale: client.text("language")?,
        currency: listed_currency(client, frame.context)?,
        source_status: status.stated.clone(),
        status: status.stated.map(|_| status.value.unwrap_or_default()),
        tax_exempt: client.flag("taxexempt")?,
        tax_rate: client.decimal("taxrate", Written::Either)?,
        tax_rate_override_enabled: client.flag("taxrateoverride")?,
        brand_external_id: reference(client, "brand_id")?,
        brand_name: client.text("brand")?,
        billing_contact_external_id: reference(client, "billing_contact_id")?,
        notes: client.text("notes")?,
        source_created_on: client.day("datecreated")?,
        ..Default::default()
    };
    row.name = client_name(&row);
    row.external_attributes = client.leftover();
    Ok(row)
}

/// The company, else first and last name, else the id.
fn client_name(row: &customer_snapshot::Model) -> String {
    let person: Vec<&str> = [&row.first_name, &row.last_name].into_iter().filter_map(|name| name.as_deref()).collect();
    let person = Some(person.join(" ")).filter(|name| !name.is_empty());
    let name = row.company_name.clone().or(person);
    name.or_else(|| row.customer_external_id.clone()).unwrap_or_default()
}

/// The customer: the live client, else the copy of it, else no more than its id.
fn read_customer(
    reader: &mut Reader,
    frame: &Frame<'_>,
    client_id: Option<String>,
    copy: Option<&customer_snapshot::Model>,
    invoice: &invoice::Model,
) -> Read<Option<customer::Model>> {
    reader.drop_empty_list("client");
    let live = reader.within("client", |client| {
        let row = read_client(client, frame)?;
        if let (Some(id), Some(named)) = (row.customer_external_id.as_deref(), client_id.as_deref())
            && id != named
        {
            client.issue(code::REFERENCE_MISMATCH, "id", Some(id), Some(named));
            client.keep_raw("id", Json::String(id.to_owned()));
        }
        Ok(row)
    })?;
    let of_live = live.as_ref().and_then(|client| client.customer_external_id.clone());
    let of_copy = copy.and_then(|client| client.customer_external_id.clone());
    let Some(external_id) = client_id.or(of_live).or(of_copy) else {
        return Ok(None);
    };
    let known = live.or_else(|| copy.map(without_attributes)).unwrap_or_default();
    let mut row = customer_of(known);
    row.name = Some(row.name).filter(|name| !name.is_empty()).unwrap_or_else(|| external_id.clone());
    row.external_id = Some(external_id);
    row.livemode = frame.context.livemode;
    row.created_at = row.source_created_on.map_or(invoice.created_at, midnight);
    row.updated_at = row.created_at;
    Ok(Some(row))
}

/// The attributes of the copy, `$raw` among them, belong to the copy alone.
fn without_attributes(copy: &customer_snapshot::Model) -> customer_snapshot::Model {
    customer_snapshot::Model { external_attributes: Json::Null, ..copy.clone() }
}

fn customer_of(client: customer_snapshot::Model) -> customer::Model {
    customer::Model {
        external_id: client.customer_external_id,
        name: client.name,
        first_name: client.first_name,
        last_name: client.last_name,
        company_name: client.company_name,
        is_company: client.is_company,
        email: client.email,
        phone: client.phone,
        organization_number: client.organization_number,
        tax_exempt: client.tax_exempt,
        tax_rate: client.tax_rate,
        tax_rate_override_enabled: client.tax_rate_override_enabled,
        line1: client.line1,
        line2: client.line2,
        city: client.city,
        state: client.state,
        postal_code: client.postal_code,
        country: client.country,
        locale: client.locale,
        currency: client.currency,
        status: client.status.unwrap_or_default(),
        source_status: client.source_status,
        parent_external_id: client.parent_external_id,
        billing_contact_external_id: client.billing_contact_external_id,
        brand_external_id: client.brand_external_id,
        brand_name: client.brand_name,
        notes: client.notes,
        external_attributes: client.external_attributes,
        source_created_on: client.source_created_on,
        ..Default::default()
    }
}

// Taxes.

/// Reads the map of taxes: its keys are the rates.
fn read_tax_map(reader: &mut Reader, unit: Unit) -> Read<Vec<tax::Model>> {
    reader.drop_empty_list("taxes");
    let place = reader.path("taxes");
    let rows = reader.within("taxes", |map| {
        let keys = map.keys();
        if keys.len() > LINES_MAX {
            return Err(DialectError::TooManyLines { path: place, count: keys.len(), max: LINES_MAX });
        }
        let rows = keys.iter().map(|key| map.within(key, |entry| read_tax(entry, key, unit)));
        rows.filter_map(Result::transpose).collect()
    })?;
    Ok(rows.unwrap_or_default())
}

fn read_tax(entry: &mut Reader, key: &str, unit: Unit) -> Read<tax::Model> {
    let keyed = Decimal::parse(key).ok().map(Decimal::text);
    let stated = entry.decimal("rate", Written::Either)?;
    if let (Some(rate), Some(keyed)) = (&stated, &keyed)
        && rate != keyed
    {
        entry.issue(code::TAX_MISMATCH, "rate", Some(&rate.0), Some(&keyed.0));
    }
    Ok(tax::Model {
        level: 1,
        source_key: Some(key.to_owned()),
        name: entry.text("name")?.unwrap_or_default(),
        rate: stated.or(keyed).unwrap_or_default(),
        taxable_amount: entry.amount("subtotal", unit)?.unwrap_or_default(),
        tax_amount: entry.amount("tax", unit)?.unwrap_or_default(),
        gross_amount: entry.amount("total", unit)?,
        ..Default::default()
    })
}

/// One of the two levels of tax as the invoice itself states it.
struct StatedTax {
    level: i32,
    key: &'static str,
    rate: DecimalText,
    amount: Minor,
    /// Both fields as they stand, where they are there.
    raw: [(&'static str, Option<Json>); 2],
}

impl StatedTax {
    fn is_zero(&self) -> bool {
        self.amount.0 == 0 && self.rate == DecimalText::default()
    }

    fn keep_raw(&self, reader: &mut Reader) {
        for (key, value) in &self.raw {
            if let Some(value) = value {
                reader.keep_raw(key, value.clone());
            }
        }
    }
}

fn read_level(
    reader: &mut Reader,
    level: i32,
    (key, rate_key): (&'static str, &'static str),
    unit: Unit,
) -> Read<Option<StatedTax>> {
    let raw = [key, rate_key].map(|key| (key, reader.peek(key)));
    let rate = reader.decimal(rate_key, Written::Either)?.unwrap_or_default();
    let amount = reader.amount(key, unit)?;
    Ok(amount.map(|amount| StatedTax { level, key, rate, amount, raw }))
}

/// Compares the tax of a level with the row of its rate, else adds one, unless the rows hold that tax already.
///
/// A map of several rates has a row of each; there the stated tax is that of all of them, `listed`.
fn merge_level(reader: &mut Reader, bill: &mut Bill, stated: &StatedTax, listed: Minor, unit: Unit) {
    let mapped = bill.taxes.iter().any(|row| row.source_key.is_some());
    let known = bill.taxes.iter_mut().find(|row| row.rate == stated.rate);
    if let Some(row) = known {
        row.level = row.level.max(stated.level);
        if stated.amount == row.tax_amount {
            return;
        }
        stated.keep_raw(reader);
        if stated.amount != listed {
            let text = |amount| Decimal::from_minor(amount, unit.digits()).text().0;
            let (found, expected) = (text(stated.amount), text(row.tax_amount));
            reader.issue(code::TAX_MISMATCH, stated.key, Some(&found), Some(&expected));
        }
    } else if mapped && stated.amount == listed {
        stated.keep_raw(reader);
    } else if !stated.is_zero() {
        bill.taxes.push(tax::Model {
            level: stated.level,
            name: stated.key.to_owned(),
            rate: stated.rate.clone(),
            taxable_amount: bill.invoice.subtotal,
            tax_amount: stated.amount,
            ..Default::default()
        });
    }
}

// Amounts.

/// Reads the amounts of the invoice and says which of them are to be checked. What is not stated follows from the rest.
fn read_amounts(reader: &mut Reader, bill: &mut Bill, unit: Unit) -> Read<Statement> {
    let subtotal = reader.amount("subtotal", unit)?;
    let credit = reader.positive_amount("credit", unit)?.unwrap_or_default();
    let due = reader.positive_amount("total", unit)?;
    let total = reader.positive_amount("grandtotal", unit)?;
    if due.is_none() && total.is_none() {
        reader.issue(code::AMOUNT_UNKNOWN, "total", None, None);
    }
    let lines = bill.lines.iter().map(|line| (line.row.subtotal, line.row.discount_total));
    let lines = lines.flat_map(|(subtotal, discount)| [subtotal, Minor(-discount.0)]);
    bill.invoice.subtotal = subtotal.unwrap_or(sum(&reader.path("items"), lines)?);
    read_levels(reader, bill, unit)?;
    let row = &mut bill.invoice;
    row.applied_credits = credit;
    // Before the credit; older versions state only what is left after it.
    let before_credit = sum(&reader.path("total"), [due.unwrap_or_default(), credit])?;
    row.total = total.unwrap_or(before_credit);
    row.amount_due = due.unwrap_or(Minor(row.total.0.saturating_sub(credit.0).max(0)));
    let total = match total {
        Some(total) => reader.stated("grandtotal", Some(total)),
        None => reader.stated("total", due.map(|_| before_credit)),
    };
    Ok(Statement {
        subtotal: reader.stated("subtotal", subtotal),
        total,
        amount_due: reader.stated("total", due),
        ..Default::default()
    })
}

/// Reads both levels of tax into the rows of the map and gives the invoice its tax.
fn read_levels(reader: &mut Reader, bill: &mut Bill, unit: Unit) -> Read<()> {
    let place = reader.path("taxes");
    let total = |rows: &[tax::Model]| sum(&place, rows.iter().map(|row| row.tax_amount));
    let listed = total(&bill.taxes)?;
    let first = read_level(reader, 1, ("tax", "taxrate"), unit)?;
    let second = read_level(reader, 2, ("tax2", "taxrate2"), unit)?;
    let second = second.filter(|second| !second.is_zero());
    let stated: Vec<Minor> = [&first, &second].into_iter().flatten().map(|level| level.amount).collect();
    for level in [&first, &second].into_iter().flatten() {
        merge_level(reader, bill, level, listed, unit);
    }
    bill.invoice.tax_total = if first.is_some() { sum(&reader.path("tax"), stated)? } else { total(&bill.taxes)? };
    Ok(())
}

// Payments.

/// A payment with the id of the one it returns.
type Returned = (BillPayment, Option<String>);

/// Reads the payments that stand beside the invoice, and finds for each refund what it returns.
fn read_payments(data: &mut Reader, frame: &Frame<'_>, bill: &mut Bill) -> Read<()> {
    let customer = bill.customer.as_ref().and_then(|customer| customer.external_id.clone());
    let rows: Vec<Returned> = data.rows("transactions", |row| {
        if let Some(customer) = &customer {
            row.same_id("client_id", customer)?;
        }
        read_payment(row, frame, &bill.invoice)
    })?;
    let place = data.path("transactions");
    refuse_duplicates(&place, "id", rows.iter().map(|(payment, _)| payment.row.external_id.as_ref()))?;
    let (payments, returned): (Vec<BillPayment>, Vec<Option<String>>) = rows.into_iter().unzip();
    bill.payments = payments;
    for (position, of) in returned.into_iter().enumerate() {
        if let Some(of) = of {
            link_refund(data, bill, position, &of);
        }
    }
    Ok(())
}

/// Points a refund to its payment. A refund of something else is an issue and keeps the id it names.
fn link_refund(data: &mut Reader, bill: &mut Bill, position: usize, of: &str) {
    let original = bill
        .payments
        .iter()
        .position(|payment| payment.row.kind == PaymentKind::Payment && payment.row.external_id.as_deref() == Some(of));
    let Some(refund) = bill.payments.get_mut(position) else {
        return;
    };
    if let (Some(original), PaymentKind::Refund) = (original, refund.row.kind) {
        refund.refund_of = Some(original);
        let amount = refund.row.amount_paid.0;
        if let Some(payment) = bill.payments.get_mut(original) {
            payment.row.amount_refunded = Minor(payment.row.amount_refunded.0.saturating_add(amount));
        }
        return;
    }
    if let Json::Object(attributes) = &mut refund.row.external_attributes {
        attributes.insert("refund_of".to_owned(), Json::String(of.to_owned()));
    }
    let path = format!("transactions[{position}].refund_of");
    data.issue(code::REFERENCE_MISMATCH, &path, Some(of), None);
}

fn read_payment(reader: &mut Reader, frame: &Frame<'_>, invoice: &invoice::Model) -> Read<Returned> {
    reader.same_id("invoice_id", &frame.external_id)?;
    same_currency(reader, frame)?;
    let paid = reader.positive_amount("in", frame.unit)?.unwrap_or_default();
    let returned = reader.peek("out");
    let out = reader.positive_amount("out", frame.unit)?.unwrap_or_default();
    let is_refund = paid.0 == 0 && out.0 > 0;
    if let (false, true, Some(returned)) = (is_refund, out.0 > 0, returned) {
        reader.keep("out", returned);
    }
    let amount = if is_refund { out } else { paid };
    let date = reader.moment("date")?;
    let provider_payment_id = reader.id("trans_id")?;
    let of = reference(reader, "refund_of")?;
    let happened_at = date.unwrap_or(invoice.created_at);
    let row = payment::Model {
        external_id: reader.id("id")?,
        kind: if is_refund { PaymentKind::Refund } else { PaymentKind::Payment },
        status: PaymentStatus::Succeeded,
        currency: frame.currency.clone(),
        amount_requested: amount,
        amount_paid: amount,
        reference_kind: match provider_payment_id {
            Some(_) => PaymentReferenceKind::PaymentRecord,
            None => PaymentReferenceKind::OutOfBand,
        },
        provider_payment_id,
        provider: PROVIDER.to_owned(),
        processed_at: date,
        paid_at: date,
        created_at: happened_at,
        updated_at: happened_at,
        external_attributes: reader.leftover(),
        ..Default::default()
    };
    let payment = BillPayment { row, ..Default::default() };
    Ok((payment, of))
}

/// Refuses a payment in another currency than its invoice; `"0"` names none.
fn same_currency(reader: &mut Reader, frame: &Frame<'_>) -> Read<()> {
    let Some(id) = reference(reader, "currency_id")? else {
        return Ok(());
    };
    match frame.context.currency_ids.get(&id) {
        Some(currency) if *currency != frame.currency => Err(DialectError::CurrencyMismatch {
            path: reader.path("currency_id"),
            expected: frame.currency.0.clone(),
            found: currency.0.clone(),
        }),
        Some(_) => Ok(()),
        None => {
            let expected = Some(frame.currency.0.as_str());
            reader.issue(code::CURRENCY_UNKNOWN, "currency_id", Some(&id), expected);
            reader.keep_raw("currency_id", Json::String(id));
            Ok(())
        }
    }
}

/// Gives the invoice what was paid and refunded. One that is paid without payments counts as paid in full.
fn settle(data: &mut Reader, bill: &mut Bill) -> Read<()> {
    let place = data.path("transactions");
    let amounts = |kind| {
        let rows = bill.payments.iter().filter(move |payment| payment.row.kind == kind);
        sum(&place, rows.map(|payment| payment.row.amount_paid))
    };
    let paid = amounts(PaymentKind::Payment)?;
    let refunded = amounts(PaymentKind::Refund)?;
    let row = &mut bill.invoice;
    let settled = row.status == InvoiceStatus::Paid;
    row.amount_paid = if settled && paid.0 == 0 { row.amount_due } else { paid };
    if settled && row.amount_paid.0 < row.amount_due.0 {
        let digits = money::exponent(&row.currency);
        let text = |amount| Decimal::from_minor(amount, digits).text().0;
        let (stated, expected) = (text(row.amount_paid), text(row.amount_due));
        data.issue(code::AMOUNT_PAID_MISMATCH, "transactions", Some(&stated), Some(&expected));
    }
    let all_back = row.source_status.as_deref().is_some_and(|word| word.eq_ignore_ascii_case(REFUNDED));
    row.amount_refunded = if all_back && refunded.0 == 0 { row.amount_paid } else { refunded };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::System;
    use super::super::tests::{at, changed, codes, import, issue};
    use super::*;

    const SAMPLE: &str = include_str!("../../tests/it/fixtures/hostup.json");

    const DOCUMENT: &str = r#"{
        "success": true, "timestamp": "2026-03-01T12:00:00Z", "requestId": "req_1",
        "data": {"success": true, "invoice": {
            "id": "47185", "paid_id": "", "recurring_id": "12", "status": "Unpaid", "client_id": "6",
            "contact_id": "0", "date": "2026-02-01", "duedate": "2026-02-15", "paybefore": "0000-00-00",
            "datepaid": "0000-00-00 00:00:00", "subtotal": 258.9, "credit": 0, "tax": "64.73", "taxrate": 25,
            "tax2": 0, "taxrate2": 0, "taxexempt": "0", "total": 323.63, "grandtotal": "323.63",
            "payment_module": "22", "currency_id": "1", "rate": 1, "rate2": 0, "notes": "", "locked": "0",
            "order_id": "9", "order_number": "990001", "is_first": true, "brand_id": "1", "flags": "32",
            "metadata": {
                "taxconfig": {"CompoundL2": "0", "TaxType": "exclusive", "AllowNegativeTax": "1"},
                "currencies": "SEK", "first_order": true, "order_id": 9
            },
            "items": [
                {"id": "118", "invoice_id": "47185", "type": "Hosting", "item_id": "10", "description": "Web L",
                 "amount": "199.00", "discount": "0.00", "setup_fee": "0.00", "period_start": "2026-02-01",
                 "period_end": "2026-02-28", "taxed": "1", "tax_rate": 25, "tax": "49.75", "qty": "1",
                 "position": 0, "group_id": "0", "linetotal": 199},
                {"id": "119", "invoice_id": "47185", "type": "Domain Renew", "item_id": "11",
                 "description": "example.se", "amount": "29.95", "discount": "0.00", "taxed": "1", "tax_rate": 25,
                 "tax": "14.98", "qty": "2", "position": 1, "linetotal": 59.9}
            ],
            "discounts": [],
            "proforma_id": "P-77",
            "taxes": {"25": {"subtotal": "258.90", "name": "Moms", "rate": 25, "total": "323.63", "tax": "64.73"}},
            "gateway": "Stripe"
        }}
    }"#;

    /// An invoice as the system writes it: one hosting service and one domain, with 25 % tax, not paid yet.
    fn document() -> Json {
        let mut document: Json = serde_json::from_str(DOCUMENT).unwrap();
        let invoice = &mut document["data"]["invoice"];
        invoice["client"] = client();
        invoice["metadata"]["client"] = client();
        document
    }

    fn client() -> Json {
        json!({
            "id": "6", "client_id": "6", "email": "jane@example.se", "status": "Active", "loginattempts": "3",
            "mfamodule": "7", "browser": "x", "privileges": null, "captchav2": "1", "group_id": "2",
            "reset_token": "canary", "reset_expiry": "2026-01-01", "parent_id": "0", "firstname": "Jane",
            "lastname": "Blå", "companyname": "", "address1": "Storgatan 1", "city": "Lund", "postcode": "222 22",
            "country": "SE", "phonenumber": "+46701234567", "datecreated": "2020-05-06", "language": "swedish",
            "company": "0", "taxexempt": "0", "currency_id": "1", "taxrateoverride": "0", "taxrate": "0",
            "brand": "HostUp", "orgno": "556677-8899"
        })
    }

    fn imported(document: &Json) -> super::super::Imported {
        import(System::Hostup, &document.to_string()).unwrap()
    }

    fn refused(document: &Json) -> String {
        import(System::Hostup, &document.to_string()).unwrap_err().to_string()
    }

    /// The document with a part of its invoice replaced; `pointer` starts at the invoice.
    fn with(changes: &[(&str, Json)]) -> Json {
        let mut document = document();
        for (pointer, value) in changes {
            let (parent, key) = pointer.rsplit_once('/').unwrap();
            let parent = document.pointer_mut(&format!("/data/invoice{parent}")).unwrap();
            parent[key] = value.clone();
        }
        document
    }

    fn paid(transactions: Json) -> Json {
        let mut document = with(&[("/status", json!("Paid")), ("/datepaid", json!("2026-02-03 10:11:12"))]);
        document["data"]["transactions"] = transactions;
        document
    }

    fn payment(id: &str, paid: &str, out: &str) -> Json {
        json!({"id": id, "client_id": "6", "invoice_id": "47185", "module": "22", "date": "2026-02-03 10:11:12",
               "description": "", "in": paid, "fee": "0.00", "out": out, "trans_id": format!("pi_{id}"),
               "rate": "1.0000", "currency_id": "1"})
    }

    #[test]
    fn the_sample_is_read_with_exactly_these_issues() {
        let imported = import(System::Hostup, SAMPLE).unwrap();
        let of_client = [
            (code::UNKNOWN_WORD, "status"),
            (code::UNREADABLE_FLAG, "company"),
            (code::UNREADABLE_TEXT, "country"),
            (code::CURRENCY_UNKNOWN, "currency_id"),
            (code::UNREADABLE_FLAG, "taxexempt"),
            (code::UNREADABLE_DECIMAL, "taxrate"),
            (code::UNREADABLE_FLAG, "taxrateoverride"),
            (code::UNREADABLE_DATE, "datecreated"),
        ];
        let client = |place: &'static str| of_client.map(|(code, key)| (code, format!("{place}{key}")));
        let of = |code, path: &str| (code, path.to_owned());
        let mut wanted = vec![
            of(code::CURRENCY_UNKNOWN, "currency_id"),
            of(code::UNKNOWN_WORD, "status"),
            of(code::UNREADABLE_DATE, "date"),
            of(code::UNREADABLE_DATE, "duedate"),
            of(code::UNREADABLE_INTEGER, "id"),
            of(code::UNREADABLE_FLAG, "taxexempt"),
            of(code::UNREADABLE_DATE, "paybefore"),
            of(code::UNREADABLE_DATE, "datepaid"),
            of(code::UNREADABLE_FLAG, "locked"),
            of(code::UNKNOWN_WORD, "metadata.taxconfig.TaxType"),
            of(code::UNKNOWN_WORD, "metadata.taxconfig.TaxRounding"),
            of(code::UNREADABLE_FLAG, "metadata.taxconfig.CompoundL2"),
            of(code::UNREADABLE_FLAG, "metadata.taxconfig.AllowNegativeTax"),
            of(code::UNREADABLE_FLAG, "metadata.taxconfig.TaxCredited"),
        ];
        wanted.extend(client("metadata.client."));
        wanted.extend([
            of(code::UNREADABLE_DATE, "items[0].period_start"),
            of(code::UNREADABLE_DATE, "items[0].period_end"),
            of(code::UNREADABLE_DECIMAL, "items[0].qty"),
            of(code::UNREADABLE_DECIMAL, "items[0].amount"),
            of(code::UNREADABLE_DECIMAL, "items[0].discount"),
            of(code::UNREADABLE_DECIMAL, "items[0].setup_fee"),
            of(code::UNREADABLE_FLAG, "items[0].taxed"),
            of(code::UNREADABLE_DECIMAL, "items[0].tax"),
        ]);
        wanted.extend(client("client."));
        wanted.extend([
            of(code::TAX_MISMATCH, "taxes.25.rate"),
            of(code::UNREADABLE_DECIMAL, "taxes.25.subtotal"),
            of(code::UNREADABLE_DECIMAL, "taxes.25.tax"),
            of(code::UNREADABLE_DECIMAL, "taxes.25.total"),
        ]);
        let wanted: Vec<(&str, String)> =
            wanted.into_iter().map(|(code, path)| (code, format!("data.invoice.{path}"))).collect();
        let found: Vec<(&str, String)> =
            codes(&imported).into_iter().map(|(code, path)| (code, path.to_owned())).collect();
        assert_eq!(found, wanted);
    }

    #[test]
    fn what_the_sample_states_is_kept() {
        let imported = import(System::Hostup, SAMPLE).unwrap();
        assert_eq!(imported.external_id, "string");
        assert_eq!(imported.customer_external_id.as_deref(), Some("string"));
        let bill = &imported.bill;
        let row = &bill.invoice;
        assert_eq!((row.legacy_number, row.status), (None, InvoiceStatus::Open));
        assert_eq!(row.source_status.as_deref(), Some("string"));
        assert_eq!(row.currency.0, "USD");
        assert_eq!(row.created_at, at("2026-01-01T00:00:00Z"));
        assert_eq!(row.order_external_id.as_deref(), Some("string"));
        assert_eq!(row.is_first_order, Some(true));
        let attributes = &row.external_attributes;
        assert_eq!(attributes["rate2"], json!(0));
        assert_eq!(attributes["currencies"], "string");
        assert_eq!((&attributes["flags"], &attributes["sortid"]), (&json!("string"), &json!("string")));
        assert_eq!(attributes["discounts"], json!(["string"]));
        let raw = &attributes["$raw"];
        assert_eq!(raw["data.invoice.date"], "string");
        assert_eq!(raw["data.invoice.metadata.order_id"], json!(0));
        assert_eq!(raw["data.invoice.taxes.25.tax"], "string");
        assert_eq!(bill.lines[0].row.quantity.0, "1");
        assert_eq!(bill.lines[0].row.external_attributes["$raw"]["data.invoice.items[0].qty"], "string");
        assert_eq!(bill.discounts[0].name, "string");
        let keys: Vec<Option<&str>> = bill.taxes.iter().map(|tax| tax.source_key.as_deref()).collect();
        assert_eq!(keys, [Some("0"), Some("25")]);
        let customer = bill.customer.as_ref().unwrap();
        let copy = bill.snapshot.as_ref().unwrap();
        for (attributes, status) in
            [(&customer.external_attributes, Some(customer.status)), (&copy.external_attributes, copy.status)]
        {
            assert_eq!(status, Some(CustomerStatus::Unknown));
            assert_eq!(attributes["loginattempts"], "string");
            assert_eq!(attributes["overideduenotices"], json!(true));
        }
    }

    #[test]
    fn reset_credentials_of_both_clients_are_redacted() {
        let imported = imported(&document());
        let wanted = [
            "data.invoice.client.reset_expiry",
            "data.invoice.client.reset_token",
            "data.invoice.metadata.client.reset_expiry",
            "data.invoice.metadata.client.reset_token",
        ];
        let mut found = imported.redacted_paths.clone();
        found.sort();
        assert_eq!(found, wanted);
        assert!(!format!("{imported:?}").contains("canary"));
    }

    #[test]
    fn an_open_invoice_is_read_without_an_issue() {
        let imported = imported(&document());
        assert_eq!(imported.issues, []);
        let row = &imported.bill.invoice;
        assert_eq!((row.legacy_number, row.status), (Some(47_185), InvoiceStatus::Open));
        assert_eq!(row.currency.0, "SEK");
        assert_eq!((row.subtotal, row.tax_total), (Minor(25_890), Minor(6_473)));
        assert_eq!((row.total, row.amount_due, row.amount_paid), (Minor(32_363), Minor(32_363), Minor(0)));
        assert_eq!((row.issue_date.to_string().as_str(), row.pay_by_date), ("2026-02-01", None));
        assert_eq!(row.due_at, Some(at("2026-02-15T23:59:59Z")));
        assert_eq!((row.paid_at, row.paid_number.as_deref()), (None, None));
        assert_eq!(row.proforma_number.as_deref(), Some("P-77"));
        assert_eq!((row.invoice_type, row.origin_kind), (InvoiceType::Recurring, OriginKind::Order));
        assert_eq!(row.collection_method, CollectionMethod::SendInvoice);
        assert_eq!(row.contact_external_id, None);
        let config = row.tax_config.as_ref().unwrap();
        assert_eq!((&config["mode"], &config["allow_negative"]), (&json!("EXCLUSIVE"), &json!(true)));
        assert!(row.locked);
        assert_eq!(row.external_attributes["$raw"]["data.invoice.locked"], "0");
        assert_eq!(row.external_attributes["flags"], "32");
    }

    #[test]
    fn lines_taxes_and_both_clients_are_read() {
        let bill = imported(&document()).bill;
        let line = &bill.lines[1].row;
        assert_eq!((line.subtotal, line.amount), (Minor(5_990), Minor(5_990)));
        assert_eq!((line.quantity.0.as_str(), line.taxable), ("2", true));
        assert_eq!(line.unit_price.as_ref().unwrap().0, "29.95");
        assert_eq!(line.kind, LineItemKind::Recurring);
        let line = &bill.lines[0].row;
        assert_eq!((line.origin_kind, line.origin_external_id.as_deref()), (OriginKind::HostingService, Some("10")));
        assert_eq!((line.period_end, line.period_is_date), (Some(at("2026-02-28T00:00:00Z")), true));
        assert_eq!(line.group_external_id, None);
        assert_eq!(bill.taxes.len(), 1);
        let tax = &bill.taxes[0];
        assert_eq!((tax.rate.0.as_str(), tax.tax_amount, tax.level), ("25", Minor(6_473), 1));
        assert_eq!((tax.taxable_amount, tax.gross_amount), (Minor(25_890), Some(Minor(32_363))));
        let customer = bill.customer.unwrap();
        assert_eq!((customer.name.as_str(), customer.status), ("Jane Blå", CustomerStatus::Active));
        assert_eq!((customer.is_company, customer.parent_external_id), (Some(false), None));
        assert_eq!(customer.created_at, at("2020-05-06T00:00:00Z"));
        assert_eq!(customer.external_attributes["mfamodule"], "7");
        let copy = bill.snapshot.unwrap();
        assert_eq!((copy.name.as_str(), copy.country.as_deref()), ("Jane Blå", Some("SE")));
        assert_eq!(copy.customer_external_id.as_deref(), Some("6"));
    }

    #[test]
    fn a_paid_invoice_without_payments_counts_as_paid_in_full() {
        let imported = imported(&paid(json!([])));
        assert_eq!(imported.issues, []);
        let row = &imported.bill.invoice;
        assert_eq!((row.status, row.amount_paid), (InvoiceStatus::Paid, Minor(32_363)));
        assert_eq!(row.paid_at, Some(at("2026-02-03T10:11:12Z")));
    }

    #[test]
    fn payments_beside_the_invoice_are_read() {
        let imported = imported(&paid(json!([payment("5", "300.00", "0.00"), payment("6", "23.63", "0.00"),])));
        assert_eq!(imported.issues, []);
        assert_eq!(imported.bill.invoice.amount_paid, Minor(32_363));
        let first = &imported.bill.payments[0].row;
        assert_eq!((first.kind, first.status), (PaymentKind::Payment, PaymentStatus::Succeeded));
        assert_eq!((first.amount_paid, first.provider_payment_id.as_deref()), (Minor(30_000), Some("pi_5")));
        assert_eq!(first.paid_at, Some(at("2026-02-03T10:11:12Z")));
        assert_eq!(first.external_attributes["module"], "22");
        let short = super::tests::imported(&paid(json!([payment("5", "300.00", "0.00")])));
        let wanted = issue(code::AMOUNT_PAID_MISMATCH, "data.transactions", Some("300"), Some("323.63"));
        assert_eq!(short.issues, [wanted]);
    }

    #[test]
    fn a_refund_points_to_its_payment() {
        let mut refund = payment("6", "0.00", "23.63");
        refund["refund_of"] = json!("5");
        let bill = imported(&paid(json!([payment("5", "323.63", "0.00"), refund.clone()]))).bill;
        assert_eq!(bill.payments[1].row.kind, PaymentKind::Refund);
        assert_eq!(bill.payments[1].refund_of, Some(0));
        assert_eq!(bill.payments[0].row.amount_refunded, Minor(2_363));
        assert_eq!((bill.invoice.amount_paid, bill.invoice.amount_refunded), (Minor(32_363), Minor(2_363)));
        refund["refund_of"] = json!("99");
        let strange = imported(&paid(json!([payment("5", "323.63", "0.00"), refund])));
        let path = "data.transactions[1].refund_of";
        assert_eq!(strange.issues, [issue(code::REFERENCE_MISMATCH, path, Some("99"), None)]);
        assert_eq!(strange.bill.payments[1].row.external_attributes["refund_of"], "99");
    }

    #[test]
    fn words_give_the_state_of_the_invoice() {
        let state = |word: &str| {
            let row = imported(&with(&[("/status", json!(word))])).bill.invoice;
            (row.status, row.amount_paid.0, row.amount_refunded.0)
        };
        assert_eq!(state("payment pending"), (InvoiceStatus::Open, 0, 0));
        assert_eq!(state("Cancelled"), (InvoiceStatus::Void, 0, 0));
        assert_eq!(state("Draft"), (InvoiceStatus::Draft, 0, 0));
        assert_eq!(state("Collections"), (InvoiceStatus::Uncollectible, 0, 0));
        assert_eq!(state("Credited"), (InvoiceStatus::Paid, 32_363, 0));
        assert_eq!(state("Refunded"), (InvoiceStatus::Paid, 32_363, 32_363));
        let strange = imported(&with(&[("/status", json!("Chargeback"))]));
        let wanted = issue(code::UNKNOWN_WORD, "data.invoice.status", Some("Chargeback"), None);
        assert_eq!(strange.issues, [wanted]);
        assert_eq!(strange.bill.invoice.status, InvoiceStatus::Open);
    }

    #[test]
    fn what_the_credit_pays_is_not_due() {
        let document = with(&[("/credit", json!("23.63")), ("/total", json!(300))]);
        let imported = imported(&document);
        assert_eq!(imported.issues, []);
        let row = &imported.bill.invoice;
        assert_eq!((row.total, row.applied_credits, row.amount_due), (Minor(32_363), Minor(2_363), Minor(30_000)));
        let mut older = document.clone();
        older["data"]["invoice"].as_object_mut().unwrap().remove("grandtotal");
        let older = super::tests::imported(&older);
        assert_eq!(older.issues, []);
        assert_eq!(older.bill.invoice.total, Minor(32_363));
        let wrong = super::tests::imported(&with(&[("/credit", json!("23.63"))]));
        let wanted = issue(code::AMOUNT_DUE_MISMATCH, "data.invoice.total", Some("323.63"), Some("300"));
        assert_eq!(wrong.issues, [wanted]);
    }

    #[test]
    fn a_tax_without_a_row_of_its_rate_gets_one() {
        let older = imported(&with(&[("/taxes", json!([]))]));
        assert_eq!(older.issues, []);
        let tax = &older.bill.taxes[0];
        assert_eq!((tax.name.as_str(), tax.rate.0.as_str(), tax.tax_amount), ("tax", "25", Minor(6_473)));
        assert_eq!((tax.taxable_amount, tax.source_key.as_deref()), (Minor(25_890), None));
        let both = imported(&with(&[
            ("/tax2", json!(10)),
            ("/taxrate2", json!("6.00")),
            ("/total", json!(333.63)),
            ("/grandtotal", json!(333.63)),
        ]));
        assert_eq!(both.issues, []);
        assert_eq!((both.bill.taxes[1].level, both.bill.taxes[1].tax_amount), (2, Minor(1_000)));
        assert_eq!(both.bill.invoice.tax_total, Minor(7_473));
    }

    #[test]
    fn a_tax_that_contradicts_its_row_is_an_issue() {
        let imported = imported(&with(&[("/taxes/25/tax", json!("60.00"))]));
        let wanted = issue(code::TAX_MISMATCH, "data.invoice.tax", Some("64.73"), Some("60"));
        assert_eq!(imported.issues, [wanted]);
        assert_eq!(imported.bill.invoice.tax_total, Minor(6_473));
    }

    #[test]
    fn the_tax_of_several_rates_is_their_sum() {
        let taxes = json!({
            "0": {"subtotal": 0, "name": "", "rate": 0, "total": 0, "tax": 0},
            "12": {"subtotal": "59.90", "name": "Moms", "rate": 12, "total": "67.09", "tax": "7.19"},
            "25": {"subtotal": "199.00", "name": "Moms", "rate": 25, "total": "248.75", "tax": "49.75"}
        });
        let imported = imported(&with(&[
            ("/taxes", taxes),
            ("/tax", json!("56.94")),
            ("/total", json!("315.84")),
            ("/grandtotal", json!("315.84")),
        ]));
        assert_eq!(imported.issues, []);
        assert_eq!(imported.bill.taxes.len(), 3);
        let raw = &imported.bill.invoice.external_attributes["$raw"];
        assert_eq!(raw["data.invoice.tax"], "56.94");
    }

    #[test]
    fn a_usual_rate_that_no_line_has_adds_nothing() {
        let taxes = json!({"0": {"subtotal": 258.9, "name": "", "rate": 0, "total": 258.9, "tax": 0}});
        let imported = imported(&with(&[
            ("/taxes", taxes),
            ("/tax", json!(0)),
            ("/total", json!(258.9)),
            ("/grandtotal", json!(258.9)),
        ]));
        assert_eq!(imported.issues, []);
        assert_eq!(imported.bill.taxes.len(), 1);
    }

    #[test]
    fn currencies_are_looked_up() {
        let known = |id: Json| {
            let imported = imported(&with(&[("/currency_id", id)]));
            (imported.bill.invoice.currency.0.clone(), imported.issues.len())
        };
        assert_eq!(known(json!("1")), ("SEK".to_owned(), 0));
        assert_eq!(known(json!("0")), ("USD".to_owned(), 0));
        assert_eq!(known(json!("7")), ("USD".to_owned(), 1));
        assert_eq!(known(json!(null)), ("USD".to_owned(), 1));
    }

    #[test]
    fn references_to_something_else_are_issues() {
        let imported = imported(&with(&[
            ("/client/id", json!("8")),
            ("/client/client_id", json!("8")),
            ("/items/0/invoice_id", json!("1")),
            ("/metadata/order_id", json!(10)),
        ]));
        let place = |path: &str| format!("data.invoice.{path}");
        let wanted = [
            issue(code::REFERENCE_MISMATCH, &place("metadata.order_id"), Some("10"), Some("9")),
            issue(code::REFERENCE_MISMATCH, &place("items[0].invoice_id"), Some("1"), Some("47185")),
            issue(code::REFERENCE_MISMATCH, &place("client.id"), Some("8"), Some("6")),
        ];
        assert_eq!(imported.issues, wanted);
        assert_eq!(imported.customer_external_id.as_deref(), Some("6"));
    }

    #[test]
    fn an_inclusive_total_holds_its_tax() {
        let imported = imported(&with(&[
            ("/metadata/taxconfig/TaxType", json!("Inclusive")),
            ("/total", json!(258.9)),
            ("/grandtotal", json!(258.9)),
        ]));
        assert_eq!(imported.issues, []);
        assert_eq!(imported.bill.invoice.tax_mode, TaxMode::Inclusive);
    }

    #[test]
    fn what_nobody_knows_is_kept() {
        let mut document = with(&[("/odd", json!({"a": [1]})), ("/items/1/odd", json!("b"))]);
        document["call"] = json!("getInvoiceDetails");
        document["data"]["server_time"] = json!(1);
        let bill = imported(&document).bill;
        assert_eq!(bill.invoice.external_attributes["odd"], json!({"a": [1]}));
        assert_eq!(bill.lines[1].row.external_attributes["odd"], "b");
        let envelope = json!({"call": "getInvoiceDetails", "data": {"server_time": 1}});
        assert_eq!(bill.invoice.external_attributes["$envelope"], envelope);
    }

    #[test]
    fn broken_documents_are_refused() {
        let cases = [
            (json!({"success": true}), "data: required, but absent"),
            (json!({"data": {}}), "data.invoice: required, but absent"),
            (json!({"data": {"invoice": []}}), "data.invoice: expected an object, found a list"),
            (json!({"data": {"invoice": {"total": 1}}}), "data.invoice.id: required, but absent"),
            (with(&[("/total", json!(true))]), "data.invoice.total: expected a number, also as text, found a boolean"),
            (with(&[("/items/1/id", json!("118"))]), "data.invoice.items[1].id: 118 occurs twice"),
            (
                with(&[("/total", json!("90071992547409.92"))]),
                "data.invoice.total: 90071992547409.92 does not fit: amounts stop at 2^53 - 1 minor units",
            ),
        ];
        for (document, wanted) in cases {
            assert_eq!(refused(&document), wanted);
        }
        let mut dollars = payment("5", "1.00", "0.00");
        dollars["currency_id"] = json!("1");
        let mut document = paid(json!([dollars]));
        document["data"]["invoice"]["currency_id"] = json!("0");
        let wanted = "data.transactions[0].currency_id: currency SEK, but the invoice is in USD";
        assert_eq!(refused(&document), wanted);
    }

    #[test]
    fn an_amount_with_too_many_digits_is_rounded() {
        let text = changed(&document().to_string(), &[("\"linetotal\":199,", "\"linetotal\":199.004,")]);
        let imported = import(System::Hostup, &text).unwrap();
        let path = "data.invoice.items[0].linetotal";
        assert_eq!(imported.issues, [issue(code::ROUNDED_AMOUNT, path, Some("199.004"), Some("199"))]);
        let raw = &imported.bill.lines[0].row.external_attributes["$raw"];
        assert_eq!(raw[path], json!(199.004));
    }
}
