//! Pure rules: money, ids, the clock, what an invoice's numbers mean, who asks and
//! who changed what. No I/O.

pub mod actor;
pub mod api_key;
pub mod audit;
pub mod bill;
pub mod browser_session;
pub mod clock;
pub mod credential_state;
pub mod decimal;
pub mod drift;
pub mod ids;
pub mod integrity;
pub mod invoice;
pub mod link;
pub mod money;
pub mod rate;
pub mod rights;
pub mod secret;
pub mod trail;
pub mod upstream;
pub mod viewer;
