//! How long who finds no place may wait: sums on instants, without a clock and without tasks.
//!
//! A queue is for bursts. One that drains may be as long as its limit and may take all the time there is; one that
//! stands, because more comes than is ever worked on, only makes everyone wait before the same number is refused. So
//! three things are looked at when someone comes: how many wait, how long all places have been taken, and how long the
//! wait would be at the pace of late. Who would wait in vain is told so at once, while there is time to ask elsewhere.

use std::time::Duration;

use tokio::time::Instant;

/// Of the longest wait, the part after which places that were taken all the time are no burst any more.
const STANDING_PART: u32 = 5;

/// Of the longest wait, the part that is allowed from then on.
const SHORT_PART: u32 = 10;

/// How much of the pace of late is the last request's.
const LATEST_PART: u32 = 16;

/// Why nobody waits any longer, or begins to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// As many wait as may.
    Full,
    /// There would be no place in time.
    Hopeless,
    /// There was no place in time.
    Waited,
}

/// Which waits are allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// All, for as long as this. For who comes again much later, and would rather wait.
    Patient(Duration),
    /// As long as this in a burst, and short ones otherwise. For who waits for the answer.
    Brisk(Duration),
}

impl Rule {
    /// The longest wait.
    pub(super) const fn longest(self) -> Duration {
        match self {
            Self::Patient(longest) | Self::Brisk(longest) => longest,
        }
    }
}

/// What is known of the places and of who waits for one.
#[derive(Debug)]
pub(super) struct Queue {
    rule: Rule,
    places: usize,
    waiting_max: usize,
    waiting: usize,
    /// Since when all places have been taken and more were wanted.
    crowded_since: Option<Instant>,
    /// How long a place was taken of late; nothing before the first was given back.
    usual: Duration,
}

impl Queue {
    /// Of places that are all free.
    pub(super) const fn new(rule: Rule, places: usize, waiting_max: usize) -> Self {
        Self { rule, places, waiting_max, waiting: 0, crowded_since: None, usual: Duration::ZERO }
    }

    /// Someone found no place. Gives until when to wait, which is `deadline` at the latest.
    ///
    /// # Errors
    /// [`Refused::Full`] and [`Refused::Hopeless`]: nobody has begun to wait.
    pub(super) fn join(&mut self, now: Instant, deadline: Instant) -> Result<Instant, Refused> {
        let crowded_since = *self.crowded_since.get_or_insert(now);
        if self.waiting >= self.waiting_max {
            return Err(Refused::Full);
        }
        let until = match self.rule {
            Rule::Patient(_) => deadline,
            Rule::Brisk(longest) => {
                let standing = now.duration_since(crowded_since) >= longest / STANDING_PART;
                let until = if standing { deadline.min(now + longest / SHORT_PART) } else { deadline };
                if self.wait_of_next() > until.duration_since(now) {
                    return Err(Refused::Hopeless);
                }
                until
            }
        };
        self.waiting = self.waiting.saturating_add(1);
        Ok(until)
    }

    /// How long the next in the queue will wait at the pace of late, and some more: three deviations, if the times
    /// scatter as those of independent requests do.
    fn wait_of_next(&self) -> Duration {
        let ahead = self.waiting.saturating_add(1);
        let with_scatter = ahead.saturating_add(ahead.isqrt().saturating_mul(3));
        let turns = u32::try_from(with_scatter).unwrap_or(u32::MAX);
        let places = u32::try_from(self.places).unwrap_or(u32::MAX).max(1);
        self.usual.saturating_mul(turns) / places
    }

    /// Someone waits no longer, with a place or without.
    pub(super) const fn leave(&mut self) {
        self.waiting = self.waiting.saturating_sub(1);
    }

    /// Someone found a place without waiting.
    pub(super) const fn found(&mut self) {
        self.crowded_since = None;
    }

    /// A place was given back that was taken for so long.
    pub(super) fn freed(&mut self, taken: Duration) {
        self.usual = if self.usual.is_zero() {
            taken
        } else {
            self.usual.saturating_sub(self.usual / LATEST_PART).saturating_add(taken / LATEST_PART)
        };
        if self.waiting == 0 {
            self.crowded_since = None;
        }
    }
}

#[cfg(test)]
mod tests;
