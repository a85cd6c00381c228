//! Pure rules: money, ids, the clock, what an invoice's numbers mean, who asks. No I/O.

pub mod audit;
pub mod bill;
pub mod clock;
pub mod decimal;
pub mod drift;
pub mod ids;
pub mod integrity;
pub mod invoice;
pub mod link;
pub mod money;
pub mod rate;
pub mod upstream;
pub mod viewer;
