//! The query of a call, read as Stripe reads it: what is not known is refused.

use serde_json::Value;
use url::form_urlencoded;

use crate::error::Refusal;
use crate::object::list;

/// The most objects on a page.
const LIMIT_MAX: usize = 100;

/// Objects on a page when nothing is said.
const LIMIT: usize = 10;

/// Parameters of one call.
#[derive(Clone, Debug)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads `text`. Only `known` names may stand in it; a list is named with its brackets, `expand[]`.
    pub(crate) fn read(text: &str, known: &[&str]) -> Result<Self, Refusal> {
        let pairs: Vec<(String, String)> = form_urlencoded::parse(text.as_bytes()).into_owned().collect();
        let pairs: Vec<_> = pairs.into_iter().map(|(name, value)| (without_index(&name), value)).collect();
        match pairs.iter().find(|(name, _value)| !known.contains(&name.as_str())) {
            None => Ok(Self(pairs)),
            Some((name, _value)) => Err(Refusal {
                code: Some("parameter_unknown"),
                ..Refusal::invalid(format!("Received unknown parameter: {name}"), name)
            }),
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _value)| known == name).map(|(_name, value)| value.as_str())
    }

    pub(crate) fn all(&self, name: &str) -> Vec<String> {
        self.0.iter().filter(|(known, _value)| known == name).map(|(_name, value)| value.clone()).collect()
    }

    /// Whether `seconds` is in the bounds that `created[…]` sets.
    pub(crate) fn admits(&self, created: i64) -> Result<bool, Refusal> {
        let bound = |name: &str| {
            let stated = self.get(name).map(|text| {
                text.parse::<i64>()
                    .map_err(|error| Refusal::invalid(format!("Invalid integer: {text} ({error})"), name))
            });
            stated.transpose()
        };
        Ok(bound("created[gte]")?.is_none_or(|least| created >= least)
            && bound("created[gt]")?.is_none_or(|below| created > below)
            && bound("created[lte]")?.is_none_or(|most| created <= most)
            && bound("created[lt]")?.is_none_or(|above| created < above))
    }

    fn limit(&self) -> Result<usize, Refusal> {
        let Some(text) = self.get("limit") else { return Ok(LIMIT) };
        let limit = text.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
        limit.ok_or_else(|| {
            Refusal::invalid(format!("Invalid limit: {text}; it must be between 1 and {LIMIT_MAX}"), "limit")
        })
    }

    /// The page of `rows` that is asked for. They are in order, each with its id.
    pub(crate) fn page(&self, rows: &[(String, Value)], path: &str) -> Result<Value, Refusal> {
        let limit = self.limit()?;
        let begin = match self.get("starting_after") {
            None => 0,
            Some(after) => {
                let at = rows.iter().position(|(id, _row)| id == after);
                let missing = || Refusal::missing("object", after, "starting_after");
                at.ok_or_else(missing)?.saturating_add(1)
            }
        };
        let rest = rows.iter().skip(begin);
        let data: Vec<Value> = rest.clone().take(limit).map(|(_id, row)| row.clone()).collect();
        Ok(list(&data, rest.count() > limit, path))
    }
}

/// `expand[0]` is as good as `expand[]`.
fn without_index(name: &str) -> String {
    match name.split_once('[') {
        Some((list, index)) if index.trim_end_matches(']').bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("{list}[]")
        }
        _ => name.to_owned(),
    }
}
