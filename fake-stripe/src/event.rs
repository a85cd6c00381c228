//! Events: what happened, as Stripe tells it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// One event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// `evt_…`.
    pub id: String,
    /// `invoice.paid` and the like.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it happened, in seconds since 1970.
    pub created: i64,
    /// Where it happened.
    pub account: String,
    /// Whether a webhook took it; absent while none was told.
    pub delivered: Option<bool>,
    /// What is sent and listed.
    pub body: Value,
}

/// What all events of a moment share.
#[derive(Clone, Debug)]
pub(crate) struct Origin<'a> {
    pub(crate) api_version: &'a str,
    pub(crate) livemode: bool,
    pub(crate) account: &'a str,
    pub(crate) created: i64,
    /// When the fake was started.
    pub(crate) run: i64,
}

impl Event {
    /// The event with a number that `object` came to be as it is; `previous` are the fields that were different.
    pub(crate) fn snapshot(
        origin: &Origin<'_>,
        number: u64,
        kind: &str,
        object: &Value,
        previous: Option<&Value>,
    ) -> Self {
        // No two runs give an id twice: whoever heard the first would take the second for the same.
        let id = format!("evt_{:011}{number:06}", origin.run);
        let data = match previous {
            None => json!({ "object": object }),
            Some(previous) => json!({ "object": object, "previous_attributes": previous }),
        };
        let body = json!({
            "id": id,
            "object": "event",
            "account": origin.account,
            "api_version": origin.api_version,
            "created": origin.created,
            "data": data,
            "livemode": origin.livemode,
            "pending_webhooks": 1,
            "request": { "id": format!("req_{number:014}"), "idempotency_key": null },
            "type": kind,
        });
        Self {
            id,
            kind: kind.to_owned(),
            created: origin.created,
            account: origin.account.to_owned(),
            delivered: None,
            body,
        }
    }

    /// An event as somebody wrote it, of whatever shape.
    pub(crate) fn written(origin: &Origin<'_>, body: Value) -> Self {
        let text = |key: &str| body.get(key).and_then(Value::as_str);
        Self {
            id: text("id").unwrap_or_default().to_owned(),
            kind: text("type").unwrap_or_default().to_owned(),
            created: body.get("created").and_then(Value::as_i64).unwrap_or(origin.created),
            account: text("account").unwrap_or(origin.account).to_owned(),
            delivered: None,
            body,
        }
    }
}

/// The fields of `before` that `after` has otherwise.
pub(crate) fn previous_attributes(before: &Value, after: &Value) -> Value {
    let (Some(before), Some(after)) = (before.as_object(), after.as_object()) else { return Value::Null };
    let changed = before.iter().filter(|(key, value)| after.get(*key) != Some(value));
    Value::Object(changed.map(|(key, value)| (key.clone(), value.clone())).collect::<Map<_, _>>())
}
