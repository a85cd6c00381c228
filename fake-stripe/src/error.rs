//! Errors as Stripe writes them.

use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// A header that says whether the caller may try again.
pub(crate) const SHOULD_RETRY: &str = "stripe-should-retry";

/// A header that says which limit a call ran into.
pub(crate) const LIMITED_REASON: &str = "stripe-rate-limited-reason";

/// A refusal or failure.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) kind: &'static str,
    pub(crate) code: Option<&'static str>,
    pub(crate) param: Option<String>,
    pub(crate) message: String,
    pub(crate) headers: Vec<(&'static str, String)>,
}

impl Refusal {
    /// A request that cannot be answered as it is.
    pub(crate) fn invalid(message: String, param: &str) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            kind: "invalid_request_error",
            code: None,
            param: Some(param.to_owned()),
            message,
            headers: Vec::new(),
        }
    }

    /// An object that this account does not have.
    pub(crate) fn missing(object: &str, id: &str, param: &str) -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            code: Some("resource_missing"),
            ..Self::invalid(format!("No such {object}: '{id}'"), param)
        }
    }

    /// A path or method that Stripe, or this fake of it, does not have.
    pub(crate) fn unrecognized(method: &str, path: &str) -> Self {
        let message = format!("Unrecognized request URL ({method}: {path}).");
        Self { status: StatusCode::NOT_FOUND, param: None, ..Self::invalid(message, "") }
    }

    /// A key that Stripe does not know.
    pub(crate) fn unknown_key(key: Option<&str>) -> Self {
        let message = match key {
            None => "You did not provide an API key.".to_owned(),
            Some(key) => {
                let shown: String = key.chars().take(8).collect();
                format!("Invalid API Key provided: {shown}****")
            }
        };
        Self { status: StatusCode::UNAUTHORIZED, param: None, ..Self::invalid(message, "") }
    }

    /// A key without a permission.
    pub(crate) fn forbidden(permission: &str, account: &str) -> Self {
        let message = format!(
            "The provided key does not have the required permissions for this endpoint on account '{account}'. Having \
             the '{permission}' permission would allow this request to continue."
        );
        Self { status: StatusCode::FORBIDDEN, param: None, ..Self::invalid(message, "") }
    }

    /// A key that may not act for the account it names.
    pub(crate) fn foreign_account(account: &str) -> Self {
        let message = format!("The provided key does not have access to account '{account}'.");
        Self { status: StatusCode::FORBIDDEN, code: Some("account_invalid"), param: None, ..Self::invalid(message, "") }
    }

    /// Too many calls.
    pub(crate) fn limited(reason: &str) -> Self {
        Self {
            status: StatusCode::TOO_MANY_REQUESTS,
            code: Some("rate_limit"),
            param: None,
            headers: vec![(LIMITED_REASON, reason.to_owned())],
            ..Self::invalid("Request rate limit exceeded.".to_owned(), "")
        }
    }

    /// A failure of Stripe's own.
    pub(crate) fn failed(status: StatusCode) -> Self {
        let message = "An error occurred with our connection to the bank of fakes.".to_owned();
        Self { status, kind: "api_error", param: None, ..Self::invalid(message, "") }
    }

    pub(crate) fn body(&self) -> Value {
        let mut error = json!({ "type": self.kind, "message": self.message });
        let Some(fields) = error.as_object_mut() else { return error };
        if let Some(code) = self.code {
            fields.insert("code".to_owned(), code.into());
            let page = format!("https://stripe.com/docs/error-codes/{}", code.replace('_', "-"));
            fields.insert("doc_url".to_owned(), page.into());
        }
        if let Some(param) = &self.param {
            fields.insert("param".to_owned(), param.as_str().into());
        }
        json!({ "error": error })
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status, axum::Json(self.body())).into_response();
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}
