//! Stops asking a Stripe that does not answer, and finds out with one call at a time when it does again.
//!
//! Only availability counts: no answer, no connection, an error of Stripe's own. A refusal is an answer.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How long a result counts.
const WINDOW: Duration = Duration::from_secs(10);

/// How many results there must be before they say anything.
const RESULTS_MIN: usize = 10;

/// The share of failures that opens, as one in so many.
const FAILURES_ONE_IN: usize = 2;

/// How long nobody asks.
const OPEN: Duration = Duration::from_secs(2);

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Stripe answered.
    Up,
    /// It did not, or it failed.
    Down,
    /// It says nothing: a call that was cut short, or one too many.
    Uncounted,
}

/// Stripe is not asked for so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Open {
    pub(super) retry_after: Duration,
}

#[derive(Debug)]
enum State {
    /// Results of the last seconds, oldest first; true is a failure.
    Closed(VecDeque<(Instant, bool)>),
    /// Nobody asks until then; then one may.
    Open(Instant),
    /// One is asking.
    Probing,
}

/// The breaker of one account.
#[derive(Debug)]
pub(super) struct Breaker(Mutex<State>);

/// The right to make one call. Dropped without a result, it counts for nothing.
#[derive(Debug)]
pub(super) struct Pass<'a> {
    breaker: &'a Breaker,
    probe: bool,
    settled: bool,
}

impl Breaker {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(State::Closed(VecDeque::new())))
    }

    /// Whether a call would be let through now. Asked before waiting for anything.
    pub(super) fn check(&self, now: Instant) -> Result<(), Open> {
        match *self.state() {
            State::Closed(_) => Ok(()),
            State::Open(until) if until <= now => Ok(()),
            State::Open(until) => Err(Open { retry_after: until.duration_since(now) }),
            State::Probing => Err(Open { retry_after: OPEN }),
        }
    }

    /// Lets a call through.
    ///
    /// # Errors
    /// [`Open`] while Stripe is not asked.
    pub(super) fn admit(&self, now: Instant) -> Result<Pass<'_>, Open> {
        self.check(now)?;
        let mut state = self.state();
        let probe = match *state {
            State::Closed(_) => false,
            State::Open(_) => true,
            // Another probe began between the check and now.
            State::Probing => return Err(Open { retry_after: OPEN }),
        };
        if probe {
            *state = State::Probing;
        }
        Ok(Pass { breaker: self, probe, settled: false })
    }

    /// Whether calls are refused or only probed now.
    pub(super) fn is_open(&self) -> bool {
        !matches!(*self.state(), State::Closed(_))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass<'_> {
    /// Says how the call ended.
    pub(super) fn settle(mut self, outcome: Outcome, now: Instant) {
        self.settled = true;
        let mut state = self.breaker.state();
        if self.probe {
            *state = match outcome {
                Outcome::Up => State::Closed(VecDeque::new()),
                Outcome::Down => State::Open(now + OPEN),
                Outcome::Uncounted => State::Open(now),
            };
            return;
        }
        // A call that began before the breaker opened says nothing about now.
        let State::Closed(results) = &mut *state else { return };
        if outcome != Outcome::Uncounted {
            results.push_back((now, outcome == Outcome::Down));
        }
        while results.front().is_some_and(|(at, _failed)| now.duration_since(*at) > WINDOW) {
            results.pop_front();
        }
        let failures = results.iter().filter(|(_at, failed)| *failed).count();
        if results.len() >= RESULTS_MIN && failures * FAILURES_ONE_IN >= results.len() {
            tracing::warn!(failures, results = results.len(), "Stripe is not asked for a while");
            *state = State::Open(now + OPEN);
        }
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.probe && !self.settled {
            *self.breaker.state() = State::Open(Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(value: u64) -> Duration {
        Duration::from_millis(value)
    }

    fn record(breaker: &Breaker, now: Instant, outcomes: &[Outcome]) {
        for outcome in outcomes {
            breaker.admit(now).unwrap().settle(*outcome, now);
        }
    }

    /// A breaker that opened at the moment given.
    fn opened(now: Instant) -> Breaker {
        let breaker = Breaker::new();
        record(&breaker, now, &[Outcome::Down; 10]);
        assert!(breaker.is_open());
        breaker
    }

    #[test]
    fn half_of_ten_open_it_and_less_do_not() {
        let now = Instant::now();
        let breaker = Breaker::new();
        record(&breaker, now, &[Outcome::Down; 9]);
        assert!(!breaker.is_open(), "nine results say nothing");
        let breaker = Breaker::new();
        record(&breaker, now, &[Outcome::Up; 6]);
        record(&breaker, now, &[Outcome::Down; 5]);
        assert!(!breaker.is_open(), "five of eleven");
        record(&breaker, now, &[Outcome::Down]);
        assert!(breaker.is_open(), "six of twelve");
    }

    #[test]
    fn what_is_long_ago_or_says_nothing_does_not_count() {
        let now = Instant::now();
        let breaker = Breaker::new();
        record(&breaker, now, &[Outcome::Down; 9]);
        record(&breaker, now, &[Outcome::Uncounted; 20]);
        record(&breaker, now + WINDOW + ms(1), &[Outcome::Down]);
        assert!(!breaker.is_open());
    }

    #[test]
    fn after_a_while_one_may_try() {
        let now = Instant::now();
        let breaker = opened(now);
        assert_eq!(breaker.check(now + ms(500)), Err(Open { retry_after: ms(1_500) }));
        let later = now + OPEN;
        let probe = breaker.admit(later).unwrap();
        assert!(breaker.admit(later).is_err(), "only one");
        probe.settle(Outcome::Down, later);
        assert!(breaker.check(later + ms(1_999)).is_err());
        let later = later + OPEN;
        breaker.admit(later).unwrap().settle(Outcome::Up, later);
        assert!(!breaker.is_open());
        record(&breaker, later, &[Outcome::Down; 9]);
        assert!(!breaker.is_open(), "it begins anew");
    }

    #[test]
    fn a_probe_that_was_given_up_lets_the_next_one_try() {
        let now = Instant::now();
        let breaker = opened(now);
        drop(breaker.admit(now + OPEN).unwrap());
        let probe = breaker.admit(now + OPEN + ms(1)).unwrap();
        probe.settle(Outcome::Uncounted, now + OPEN);
        assert!(breaker.admit(now + OPEN).is_ok());
    }

    #[test]
    fn results_of_calls_from_before_do_not_close_it() {
        let now = Instant::now();
        let breaker = Breaker::new();
        let slow = breaker.admit(now).unwrap();
        record(&breaker, now, &[Outcome::Down; 10]);
        slow.settle(Outcome::Up, now);
        assert!(breaker.is_open());
    }
}
