//! Who changes something: what the audit log says of them.

use super::viewer::Viewer;

/// Who changes something, by which credential, from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The sort of principal, as the credential says; `operator` for whoever runs the gateway.
    pub kind: &'static str,
    /// Who it is, as the credential's subject names it.
    pub subject: String,
    /// Who is behind the credential, as a text that nobody else of the tenant has.
    pub principal: String,
    /// The id of the key or session, or the token's own id.
    pub credential: Option<String>,
    /// The id of the application's key, where they came through one.
    pub application: Option<String>,
    /// The request it was done in.
    pub request_id: Option<String>,
    /// The address that the request came from.
    pub address: Option<String>,
}

impl Actor {
    /// Whoever runs the gateway, at the command line.
    pub fn operator() -> Self {
        Self {
            kind: "operator",
            subject: "command line".to_owned(),
            principal: "operator".to_owned(),
            credential: None,
            application: None,
            request_id: None,
            address: None,
        }
    }

    /// A caller.
    pub fn of(viewer: &Viewer) -> Self {
        Self {
            kind: viewer.own_kind().name(),
            subject: viewer.subject.clone(),
            principal: viewer.principal(),
            credential: viewer.credential().map(str::to_owned),
            application: viewer.application().and_then(Viewer::credential).map(str::to_owned),
            request_id: None,
            address: None,
        }
    }

    /// The same in a request.
    #[must_use]
    pub fn in_request(self, id: Option<String>, address: Option<String>) -> Self {
        Self { request_id: id, address, ..self }
    }
}
