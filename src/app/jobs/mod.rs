//! What runs beside the requests: loops that call actions.

pub mod pruner;
pub mod reconciler;
pub mod webhooks;
