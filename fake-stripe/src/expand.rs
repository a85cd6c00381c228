//! `expand[]`: ids become the objects they name.

use serde_json::Value;

use crate::error::Refusal;
use crate::object::list;
use crate::state::Permission;
use crate::world::View;

/// How many segments a path may have; `data` of a list counts.
const SEGMENTS_MAX: usize = 4;

/// Elements of a list within an object; the others are asked for as a list of their own.
const WITHIN_MAX: usize = 10;

/// Fields whose id may become an object.
const EXPANDABLE: [&str; 6] = ["customer", "invoice", "payment_intent", "latest_charge", "charge", "payments"];

/// Expands every path in `value`.
///
/// Fails as Stripe does for a path that is too long, names a field that cannot be expanded, or leads to an object
/// that the key may not read.
pub(crate) fn expand(view: &View<'_>, value: &mut Value, paths: &[String]) -> Result<(), Refusal> {
    for path in paths {
        let segments: Vec<&str> = path.split('.').collect();
        if segments.len() > SEGMENTS_MAX {
            let message = format!("You cannot expand more than {SEGMENTS_MAX} levels of a property. Property: {path}");
            return Err(Refusal { code: Some("property_expansion_max_depth"), ..Refusal::invalid(message, "expand") });
        }
        walk(view, value, &segments, path)?;
    }
    Ok(())
}

fn walk(view: &View<'_>, value: &mut Value, segments: &[&str], path: &str) -> Result<(), Refusal> {
    let Some((segment, below)) = segments.split_first() else { return Ok(()) };
    if let Value::Array(elements) = value {
        return elements.iter_mut().try_for_each(|element| walk(view, element, segments, path));
    }
    let refused = || Refusal::invalid(format!("This property cannot be expanded ({path})."), "expand");
    if *segment == "payments" {
        add_payments(view, value);
    }
    let leaf_may_not = below.is_empty() && !EXPANDABLE.contains(segment);
    let Some(field) = value.get_mut(*segment).filter(|_field| !leaf_may_not) else {
        // A payment has only the reference that its type names.
        return if EXPANDABLE.contains(segment) { Ok(()) } else { Err(refused()) };
    };
    if let Value::String(id) = field {
        *field = object(view, segment, id)?.ok_or_else(refused)?;
    }
    if field.is_null() { Ok(()) } else { walk(view, field, below, path) }
}

/// An invoice has its payments only when they are asked for, the newest first.
fn add_payments(view: &View<'_>, value: &mut Value) {
    let Some(fields) = value.as_object_mut().filter(|fields| !fields.contains_key("payments")) else { return };
    let Some(id) = fields.get("id").and_then(Value::as_str).filter(|id| view.invoice(id).is_some()) else { return };
    let mut payments = view.payments(id);
    payments.reverse();
    payments.sort_by_key(|payment| std::cmp::Reverse(payment.created));
    let has_more = payments.len() > WITHIN_MAX;
    let payments: Vec<Value> = payments.into_iter().take(WITHIN_MAX).map(|payment| payment.json).collect();
    fields.insert("payments".to_owned(), list(&payments, has_more, "/v1/invoice_payments"));
}

fn object(view: &View<'_>, segment: &str, id: &str) -> Result<Option<Value>, Refusal> {
    Ok(match segment {
        "customer" => Some(serde_json::json!({ "id": id, "object": "customer" })),
        "invoice" => view.invoice(id),
        "payment_intent" => {
            view.may(Permission::PaymentIntents)?;
            view.payment_intent(id)
        }
        "latest_charge" | "charge" => {
            view.may(Permission::Charges)?;
            view.charge(id)
        }
        _ => None,
    })
}
