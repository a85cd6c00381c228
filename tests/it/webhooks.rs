//! Webhooks of Stripe: what is taken, what follows from it, and that nothing is lost or done twice.

mod crash;
mod effects;
mod leases;
mod money;
mod pace;
mod prune;
mod route;
