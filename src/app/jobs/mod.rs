//! What runs beside the requests: loops that call actions.

pub mod webhooks;
