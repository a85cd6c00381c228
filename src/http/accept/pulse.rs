//! What one connection is doing, as far as its time-outs need to know.
//!
//! The socket and the requests tell it what happens; one task of the connection asks it when its time is up. The
//! protocol's own timers would not do: none runs before the first byte, and none while an answer is not read.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// What may be under way to a client that does not read it, in bytes: an answer of the largest kind and some more.
const HELD_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// What takes too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overdue {
    /// The headers of a request.
    Headers,
    /// The next request.
    Idle,
    /// The client, to read an answer.
    Answer,
}

impl Overdue {
    /// One word for it.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Headers => "headers",
            Self::Idle => "idle",
            Self::Answer => "answer",
        }
    }
}

/// How long each may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    pub(super) headers: Duration,
    pub(super) idle: Duration,
    pub(super) answer: Duration,
}

impl Times {
    fn shortest(&self) -> Duration {
        self.headers.min(self.idle).min(self.answer)
    }
}

/// The state of one connection.
#[derive(Debug)]
pub(super) struct Pulse {
    times: Times,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    is_http2: bool,
    /// Requests from their headers to the end of their answer.
    running: usize,
    /// Requests that began.
    requests: u64,
    /// When headers began that are not complete.
    headers_since: Option<Instant>,
    /// When the last request ended.
    idle_since: Instant,
    /// Since when the socket takes nothing.
    blocked_since: Option<Instant>,
    /// Answers under way, in the order in which they began.
    answers: BTreeMap<u64, Instant>,
    next_answer: u64,
    /// Bytes of these answers.
    held: u64,
}

/// A request on the connection, until it is dropped.
#[derive(Debug)]
pub(super) struct Running {
    pulse: Arc<Pulse>,
    answer: Option<u64>,
    held: u64,
}

impl Pulse {
    /// Of a connection that begins now. Its first headers count from here, whether a byte of them comes or not.
    pub(super) fn new(times: Times) -> Arc<Self> {
        let now = Instant::now();
        let state = State {
            is_http2: false,
            running: 0,
            requests: 0,
            headers_since: Some(now),
            idle_since: now,
            blocked_since: None,
            answers: BTreeMap::new(),
            next_answer: 0,
            held: 0,
        };
        Arc::new(Self { times, state: Mutex::new(state) })
    }

    /// Bytes came. Between requests of HTTP/1 they are the next one's headers; on HTTP/2 they may be anything.
    pub(super) fn received(&self) {
        let mut state = self.lock();
        if state.running == 0 && !state.is_http2 {
            state.headers_since.get_or_insert_with(Instant::now);
        }
    }

    /// The socket takes no bytes at the moment.
    pub(super) fn blocked(&self) {
        self.lock().blocked_since.get_or_insert_with(Instant::now);
    }

    /// The socket took bytes.
    pub(super) fn sent(&self) {
        self.lock().blocked_since = None;
    }

    /// The headers of a request are complete.
    pub(super) fn begin(self: &Arc<Self>, is_http2: bool) -> Running {
        let mut state = self.lock();
        state.is_http2 = is_http2;
        state.running = state.running.saturating_add(1);
        state.requests = state.requests.saturating_add(1);
        state.headers_since = None;
        Running { pulse: Arc::clone(self), answer: None, held: 0 }
    }

    /// Whether so many bytes wait for the client to read them that it gets no more.
    pub(super) fn is_clogged(&self) -> bool {
        self.lock().held > HELD_BYTES_MAX
    }

    /// What will be overdue first, and when.
    fn deadline(&self) -> Option<(Instant, Overdue)> {
        let state = self.lock();
        let of_request = match (state.running, state.headers_since) {
            (0, Some(since)) => Some((since + self.times.headers, Overdue::Headers)),
            (0, None) => Some((state.idle_since + self.times.idle, Overdue::Idle)),
            _ => None,
        };
        let oldest = state.answers.values().next().into_iter().chain(&state.blocked_since).min();
        let of_answer = oldest.map(|since| (*since + self.times.answer, Overdue::Answer));
        of_request.into_iter().chain(of_answer).min_by_key(|(at, _what)| *at)
    }

    /// Waits until something is overdue, and gives what.
    pub(super) async fn overdue(&self) -> Overdue {
        loop {
            let now = Instant::now();
            // What begins while this sleeps is overdue after the shortest time at the earliest.
            let look_again = now + self.times.shortest();
            match self.deadline() {
                Some((at, what)) if at <= now => return what,
                Some((at, _what)) => sleep_until(at.min(look_again)).await,
                None => sleep_until(look_again).await,
            }
        }
    }

    /// How many requests began.
    pub(super) fn requests(&self) -> u64 {
        self.lock().requests
    }

    /// Waits until nothing has been under way for so long.
    pub(super) async fn rests_for(&self, time: Duration) {
        loop {
            let now = Instant::now();
            match self.rests_since() {
                Some(since) if since + time <= now => return,
                Some(since) => sleep_until(since + time).await,
                // What ends while this sleeps has rested for long enough at the next look, or soon after it.
                None => sleep_until(now + time).await,
            }
        }
    }

    /// Since when the client has neither asked nor had something to read.
    fn rests_since(&self) -> Option<Instant> {
        let state = self.lock();
        let rests = state.running == 0 && state.headers_since.is_none() && state.blocked_since.is_none();
        rests.then_some(state.idle_since)
    }

    /// Each change is one step, so a panic of a holder leaves nothing half done.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running {
    /// The answer begins; `bytes` are known of it.
    pub(super) fn answering(&mut self, bytes: u64) {
        let mut state = self.pulse.lock();
        let answer = state.next_answer;
        state.next_answer = answer.saturating_add(1);
        state.answers.insert(answer, Instant::now());
        state.held = state.held.saturating_add(bytes);
        (self.answer, self.held) = (Some(answer), bytes);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut state = self.pulse.lock();
        if let Some(answer) = self.answer {
            state.answers.remove(&answer);
        }
        state.held = state.held.saturating_sub(self.held);
        state.running = state.running.saturating_sub(1);
        state.idle_since = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    const TIMES: Times =
        Times { headers: Duration::from_secs(10), idle: Duration::from_secs(75), answer: Duration::from_secs(30) };

    /// So long that two instants are told apart.
    const MOMENT: Duration = Duration::from_millis(5);

    /// What will be overdue first, and in how many seconds, to the nearest.
    fn next(pulse: &Pulse) -> Option<(Overdue, u64)> {
        let (at, what) = pulse.deadline()?;
        Some((what, (at - Instant::now() + Duration::from_millis(500)).as_secs()))
    }

    #[tokio::test]
    async fn the_first_headers_have_their_time_from_the_beginning_however_slowly_they_come() {
        let pulse = Pulse::new(TIMES);
        assert_eq!(next(&pulse), Some((Overdue::Headers, 10)));
        let deadline = pulse.deadline();
        sleep(MOMENT).await;
        pulse.received();
        assert_eq!(pulse.deadline(), deadline);
    }

    #[tokio::test]
    async fn later_headers_have_their_time_from_their_first_byte() {
        let pulse = Pulse::new(TIMES);
        drop(pulse.begin(false));
        assert_eq!(next(&pulse), Some((Overdue::Idle, 75)));
        pulse.received();
        assert_eq!(next(&pulse), Some((Overdue::Headers, 10)));
        let deadline = pulse.deadline();
        sleep(MOMENT).await;
        pulse.received();
        assert_eq!(pulse.deadline(), deadline);
    }

    #[tokio::test]
    async fn a_connection_rests_from_the_end_of_its_last_request() {
        let pulse = Pulse::new(TIMES);
        let (first, second) = (pulse.begin(true), pulse.begin(true));
        drop(first);
        assert_eq!(next(&pulse), None);
        sleep(MOMENT).await;
        let begun = Instant::now();
        drop(second);
        assert_eq!(next(&pulse), Some((Overdue::Idle, 75)));
        assert!(pulse.deadline().is_some_and(|(at, _what)| at >= begun + TIMES.idle));
    }

    #[tokio::test]
    async fn bytes_between_requests_of_http2_are_no_headers() {
        let pulse = Pulse::new(TIMES);
        drop(pulse.begin(true));
        pulse.received();
        assert_eq!(next(&pulse), Some((Overdue::Idle, 75)));
    }

    #[tokio::test]
    async fn the_oldest_answer_that_is_not_read_counts() {
        let pulse = Pulse::new(TIMES);
        let (mut first, mut second) = (pulse.begin(true), pulse.begin(true));
        first.answering(1);
        sleep(MOMENT).await;
        second.answering(1);
        let oldest = pulse.deadline();
        drop(first);
        assert_eq!(next(&pulse), Some((Overdue::Answer, 30)));
        assert_ne!(pulse.deadline(), oldest);
        drop(second);
        assert_eq!(next(&pulse), Some((Overdue::Idle, 75)));
    }

    #[tokio::test]
    async fn a_socket_that_takes_nothing_counts_though_the_answer_left_our_hands() {
        let pulse = Pulse::new(TIMES);
        drop(pulse.begin(false));
        pulse.blocked();
        assert_eq!(next(&pulse), Some((Overdue::Answer, 30)));
        pulse.sent();
        assert_eq!(next(&pulse), Some((Overdue::Idle, 75)));
    }

    #[tokio::test]
    async fn a_connection_rests_when_nothing_was_under_way_for_a_while() {
        let pulse = Pulse::new(TIMES);
        assert!(pulse.rests_since().is_none(), "its first headers are still to come");
        let request = pulse.begin(false);
        assert!(pulse.rests_since().is_none());
        drop(request);
        pulse.blocked();
        assert!(pulse.rests_since().is_none(), "the answer is not read");
        pulse.sent();
        let begun = Instant::now();
        pulse.rests_for(MOMENT * 4).await;
        assert!(begun.elapsed() >= MOMENT * 3, "{:?}", begun.elapsed());
        pulse.received();
        assert!(pulse.rests_since().is_none(), "the next one's headers come");
        assert_eq!(pulse.requests(), 1);
    }

    #[tokio::test]
    async fn what_begins_while_it_waits_is_overdue_in_time() {
        let second = Duration::from_secs(1);
        let pulse = Pulse::new(Times { headers: MOMENT * 10, idle: second * 60, answer: second * 60 });
        drop(pulse.begin(false));
        let talking = async {
            sleep(MOMENT * 3).await;
            pulse.received();
            Instant::now()
        };
        let ((what, at), since) = tokio::join!(async { (pulse.overdue().await, Instant::now()) }, talking);
        assert_eq!(what, Overdue::Headers);
        assert!(at - since >= MOMENT * 9 && at - since < second * 30, "{:?}", at - since);
    }

    #[tokio::test]
    async fn what_is_not_read_clogs_the_connection_until_it_is_gone() {
        let pulse = Pulse::new(TIMES);
        let mut request = pulse.begin(true);
        request.answering(HELD_BYTES_MAX);
        assert!(!pulse.is_clogged());
        let mut other = pulse.begin(true);
        other.answering(1);
        assert!(pulse.is_clogged());
        drop(request);
        assert!(!pulse.is_clogged());
    }
}
