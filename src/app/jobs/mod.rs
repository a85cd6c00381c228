//! What runs beside the requests: loops that call actions.

pub mod reconciler;
pub mod webhooks;
