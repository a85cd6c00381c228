//! What the tests share.

pub(crate) mod api;
pub(crate) mod app;
pub(crate) mod credentials;
pub(crate) mod database;
pub(crate) mod full;
pub(crate) mod gateway;
pub(crate) mod hooks;
pub(crate) mod identity;
pub(crate) mod program;
pub(crate) mod redis;
pub(crate) mod seed;
pub(crate) mod served;
pub(crate) mod stored;
pub(crate) mod upstream;
