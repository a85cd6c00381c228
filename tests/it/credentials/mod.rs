//! Credentials that the gateway hands out: API keys, sessions, revoked tokens, and the log of who did what.

mod audit;
mod keys;
mod once;
mod replicas;
mod sessions;
mod tokens;
