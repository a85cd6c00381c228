//! Credentials that the gateway hands out: API keys, sessions, revoked tokens, and the log of who did what.

mod applications;
mod audit;
mod keys;
mod once;
mod possession;
mod replicas;
mod revocations;
mod sessions;
mod tokens;
mod weaker;
