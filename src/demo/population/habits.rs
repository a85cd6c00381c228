//! How kinds of customers use the marketplace.

use super::names::{ENTERPRISE_TAILS, LAB_TAILS, STARTUP_TAILS};
use crate::demo::catalogue::{A100, B200, H100, H200, Item, L40S, MI300X, RTX_3090, RTX_4090};

/// How a kind of customer uses the marketplace.
#[derive(Clone, Copy, Debug)]
pub(super) struct Habits {
    /// What it is called.
    pub(super) kind: &'static str,
    /// Rentals begun in a thousand days.
    pub(super) rentals: i64,
    /// Hours that one lasts, from and to.
    pub(super) hours: (i64, i64),
    /// What is rented.
    pub(super) families: &'static [Item],
    /// Whether rentals begin in the evening only.
    pub(super) evenings: bool,
    /// Whether usage is billed by mail once a month and debited from a bank account, instead of a wallet.
    pub(super) by_mail: bool,
    /// US dollars below which the wallet is filled by itself; else it is filled by hand before a rental.
    pub(super) auto_topup_below: Option<i64>,
    /// US dollars of a top-up.
    pub(super) topups: &'static [i64],
    /// How many top-ups in a thousand the card refuses.
    pub(super) refused: i64,
    /// How many in a thousand have reserved capacity.
    pub(super) reserved: i64,
    /// How many in a thousand use a machine at the end of the simulation.
    pub(super) at_work: i64,
    /// What the names of its companies end with; empty for private persons.
    pub(super) tails: &'static [&'static str],
}

pub(super) const HOBBYIST: Habits = Habits {
    kind: "hobbyist",
    rentals: 80,
    hours: (3, 14),
    families: &[RTX_3090, RTX_4090, RTX_4090, L40S],
    evenings: true,
    by_mail: false,
    auto_topup_below: None,
    topups: &[5, 10, 25],
    refused: 380,
    reserved: 0,
    at_work: 300,
    tails: &[],
};
pub(super) const STARTUP: Habits = Habits {
    kind: "startup",
    rentals: 105,
    hours: (12, 190),
    families: &[RTX_4090, L40S, A100, H100],
    evenings: false,
    auto_topup_below: Some(25),
    topups: &[100],
    refused: 170,
    reserved: 550,
    at_work: 800,
    tails: &STARTUP_TAILS,
    ..HOBBYIST
};
pub(super) const LAB: Habits = Habits {
    kind: "lab",
    rentals: 130,
    hours: (72, 200),
    families: &[A100, H100, H200, MI300X],
    auto_topup_below: Some(100),
    topups: &[100, 250, 500],
    refused: 260,
    reserved: 200,
    tails: &LAB_TAILS,
    ..STARTUP
};
pub(super) const ENTERPRISE: Habits = Habits {
    kind: "enterprise",
    rentals: 60,
    hours: (100, 900),
    families: &[L40S, A100, H100, B200],
    by_mail: true,
    auto_topup_below: None,
    reserved: 800,
    at_work: 1_000,
    tails: &ENTERPRISE_TAILS,
    ..STARTUP
};
pub(super) const GHOST: Habits = Habits { kind: "ghost", refused: 800, at_work: 0, rentals: 45, ..HOBBYIST };
