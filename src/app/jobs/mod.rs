//! What runs beside the requests: loops that call actions.

pub mod lease;
pub mod pruner;
pub mod reconciler;
pub mod webhooks;
