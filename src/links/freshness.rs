//! How current a link is, and what has to be done for one that is as current as wanted.

use chrono::Duration;
use entity::{Instant, upstream_invoice};

/// How long a link that Stripe handed out works for certain.
const GUARANTEED: Duration = Duration::days(10);

/// The age below which the mirror's links are as good as Stripe's: a day less than guaranteed. Beyond, a stored link is
/// not given as one that works.
pub(super) const LINKS_KEPT: Duration = Duration::days(9);

/// The same for receipts. Stripe's expire within 30 days.
pub(super) const RECEIPT_KEPT: Duration = Duration::days(25);

/// The age up to which nothing is asked at all.
const NEW: Duration = Duration::minutes(10);

/// The age up to which whoever prefers a fresh link gets the mirror's.
const BRAND_NEW: Duration = Duration::seconds(60);

/// The age up to which the mirror's link is given while a newer one is fetched behind the answer.
const RECENT: Duration = Duration::hours(24);

/// How long whoever prefers a fresh link waits for it.
const PREFERENCE: std::time::Duration = std::time::Duration::from_millis(800);

/// How current a link is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Read from Stripe for this answer.
    Live,
    /// Read so lately that it still works.
    Fresh,
    /// Older; it may have died since.
    Stale,
    /// Never read.
    NeverFetched,
}

/// How current a link is to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Wanted {
    /// The mirror's, as long as it works; beyond, Stripe's.
    #[default]
    Cached,
    /// Stripe's, if it comes soon; else the mirror's.
    PreferFresh,
    /// Stripe's or none.
    RequireFresh,
}

/// What is done for a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Course {
    /// The mirror's link is given.
    Keep,
    /// The mirror's link is given, and a newer one fetched behind the answer.
    KeepAndRefresh,
    /// Stripe is asked, within this time at most.
    Fetch {
        /// Absent: as long as the request may ask at all.
        within: Option<std::time::Duration>,
        /// Whether the mirror's link is given when Stripe does not answer.
        or_keep: bool,
    },
}

/// What is done for a link that was read so long ago, absent for one that never was. `kept` says how long the mirror's
/// may be given.
pub(super) fn course(age: Option<Duration>, wanted: Wanted, kept: Duration) -> Course {
    let works = age.is_some_and(|age| age < kept);
    let younger = |limit: Duration| age.is_some_and(|age| age < limit);
    match wanted {
        Wanted::Cached if younger(NEW) => Course::Keep,
        Wanted::Cached if younger(RECENT) => Course::KeepAndRefresh,
        Wanted::PreferFresh if younger(BRAND_NEW) => Course::Keep,
        Wanted::PreferFresh => Course::Fetch { within: Some(PREFERENCE), or_keep: works },
        Wanted::Cached => Course::Fetch { within: None, or_keep: works },
        Wanted::RequireFresh => Course::Fetch { within: None, or_keep: false },
    }
}

/// The age of what was read then; a moment in the future is no age at all.
pub(super) fn age(read_at: Option<Instant>, now: Instant) -> Option<Duration> {
    read_at.map(|at| (now.utc() - at.utc()).max(Duration::zero()))
}

/// How current the pay page and the PDF of a mirror are.
pub fn links_freshness(mirror: &upstream_invoice::Model, now: Instant) -> Freshness {
    freshness(mirror.links_fetched_at, LINKS_KEPT, now)
}

/// How current the receipt of a mirror is.
pub fn receipt_freshness(mirror: &upstream_invoice::Model, now: Instant) -> Freshness {
    freshness(mirror.receipt_fetched_at, RECEIPT_KEPT, now)
}

/// Until when the links that were read at `fetched_at` work for certain.
pub fn guaranteed_until(fetched_at: Instant) -> Instant {
    fetched_at.utc().checked_add_signed(GUARANTEED).map_or(fetched_at, Instant::new)
}

fn freshness(fetched_at: Option<Instant>, limit: Duration, now: Instant) -> Freshness {
    match age(fetched_at, now) {
        None => Freshness::NeverFetched,
        Some(age) if age < limit => Freshness::Fresh,
        Some(_) => Freshness::Stale,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASK: Course = Course::Fetch { within: None, or_keep: false };

    #[test]
    fn the_age_of_the_mirrors_link_decides() {
        let soon = |or_keep| Course::Fetch { within: Some(PREFERENCE), or_keep };
        let or_mirror = Course::Fetch { within: None, or_keep: true };
        let table = [
            (Some(Duration::seconds(59)), Course::Keep, Course::Keep),
            (Some(Duration::seconds(61)), Course::Keep, soon(true)),
            (Some(Duration::minutes(11)), Course::KeepAndRefresh, soon(true)),
            (Some(Duration::hours(25)), or_mirror, soon(true)),
            (Some(Duration::days(9)), ASK, soon(false)),
            (None, ASK, soon(false)),
        ];
        for (age, cached, preferred) in table {
            assert_eq!(course(age, Wanted::Cached, LINKS_KEPT), cached, "{age:?}");
            assert_eq!(course(age, Wanted::PreferFresh, LINKS_KEPT), preferred, "{age:?}");
            assert_eq!(course(age, Wanted::RequireFresh, LINKS_KEPT), ASK, "{age:?}");
        }
        assert_eq!(course(Some(Duration::days(24)), Wanted::Cached, RECEIPT_KEPT), or_mirror);
    }
}
