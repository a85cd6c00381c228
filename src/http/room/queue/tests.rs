//! The rules by themselves, and places under load that are made up: without a clock, so that nothing here depends on
//! the machine.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::*;

const LONGEST: Duration = Duration::from_millis(500);
const MS: Duration = Duration::from_millis(1);

/// A queue for two places, which are usually taken for so long, at an instant.
fn queue(usual: Duration) -> (Queue, Instant) {
    let mut queue = Queue::new(Rule::Brisk(LONGEST), 2, 10);
    queue.freed(usual);
    (queue, Instant::now())
}

#[test]
fn a_burst_may_wait_as_long_as_there_is_and_as_many_as_may() {
    let (mut queue, now) = queue(10 * MS);
    for _ in 0..10 {
        assert_eq!(queue.join(now, now + LONGEST), Ok(now + LONGEST));
    }
    assert_eq!(queue.join(now, now + LONGEST), Err(Refused::Full));
    queue.leave();
    assert_eq!(queue.join(now, now + LONGEST), Ok(now + LONGEST));
}

#[test]
fn when_places_have_been_taken_for_a_while_waits_are_short() {
    let (mut queue, now) = queue(5 * MS);
    queue.join(now, now + LONGEST).unwrap();
    let later = now + LONGEST / 5;
    assert_eq!(queue.join(later - MS, later + LONGEST), Ok(later + LONGEST));
    assert_eq!(queue.join(later, later + LONGEST), Ok(later + LONGEST / 10));
    assert_eq!(queue.join(later, later + MS * 45), Ok(later + MS * 45), "what was waited elsewhere counts");
}

#[test]
fn a_place_that_nobody_waits_for_ends_a_crowd() {
    let (mut queue, now) = queue(10 * MS);
    queue.join(now, now + LONGEST).unwrap();
    let later = now + LONGEST;
    queue.freed(10 * MS);
    assert_eq!(queue.join(later, later + LONGEST), Ok(later + LONGEST / 10), "there was somebody who waited");
    queue.leave();
    queue.leave();
    queue.freed(10 * MS);
    assert_eq!(queue.join(later, later + LONGEST), Ok(later + LONGEST));
    queue.found();
    let later = later + LONGEST;
    assert_eq!(queue.join(later, later + LONGEST), Ok(later + LONGEST));
}

#[test]
fn who_would_wait_in_vain_is_refused_at_once() {
    // Two places that are taken for 200 ms: the first waits 100 ms, or some more; the third perhaps more than there is.
    let (mut queue, now) = queue(200 * MS);
    assert_eq!(queue.join(now, now + LONGEST), Ok(now + LONGEST));
    assert_eq!(queue.join(now, now + LONGEST), Ok(now + LONGEST));
    assert_eq!(queue.join(now, now + 400 * MS), Err(Refused::Hopeless));
    assert_eq!(queue.join(now, now + LONGEST), Err(Refused::Hopeless));
}

#[test]
fn the_pace_is_learnt_and_forgotten_and_before_the_first_is_done_nobody_knows() {
    let mut queue = Queue::new(Rule::Brisk(LONGEST), 1, 10);
    let now = Instant::now();
    assert!(queue.join(now, now + LONGEST).is_ok());
    queue.freed(Duration::from_secs(2));
    assert_eq!(queue.join(now, now + LONGEST), Err(Refused::Hopeless));
    let quick = (1..100).find(|_n| {
        queue.freed(MS);
        queue.join(now, now + LONGEST).is_ok()
    });
    assert!(quick.is_some_and(|requests| (10..60).contains(&requests)), "{quick:?}");
}

#[test]
fn who_would_rather_wait_waits_however_long_the_queue_stands() {
    let mut queue = Queue::new(Rule::Patient(LONGEST), 1, 3);
    queue.freed(LONGEST * 4);
    let mut now = Instant::now();
    for _ in 0..3 {
        assert_eq!(queue.join(now, now + LONGEST), Ok(now + LONGEST));
        now += LONGEST;
    }
    assert_eq!(queue.join(now, now + LONGEST), Err(Refused::Full));
}

#[test]
fn nothing_overflows() {
    let mut queue = Queue::new(Rule::Brisk(Duration::ZERO), 0, usize::MAX);
    let now = Instant::now();
    queue.freed(Duration::MAX);
    queue.freed(Duration::MAX);
    assert_eq!(queue.join(now, now), Err(Refused::Hopeless));
    queue.leave();
    assert_eq!(queue.waiting, 0);
}

/// Places under load.
#[derive(Clone, Copy, Debug)]
struct Load {
    places: usize,
    waiting_max: usize,
    /// How long a request takes: from nothing to twice as long.
    takes: Duration,
    /// Time between two requests: from nothing to twice as long.
    apart: Duration,
    /// How long they keep coming.
    lasts: Duration,
}

/// What became of the requests: how long those waited that got a place, and those that were refused.
#[derive(Debug, Default)]
struct Outcome {
    served: Vec<Duration>,
    refused: Vec<Duration>,
}

/// A time that so many in a thousand do not pass.
fn permille(times: &[Duration], permille: usize) -> Duration {
    let mut times = times.to_vec();
    times.sort();
    times.get((times.len() * permille / 1000).min(times.len().saturating_sub(1))).copied().unwrap_or_default()
}

/// Numbers that look like chance and are the same each time.
struct Chance(u64);

impl Chance {
    /// From nothing to twice `mean`.
    fn around(&mut self, mean: Duration) -> Duration {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        mean * u32::try_from(self.0 >> 48).unwrap() / 32_768
    }
}

/// Plays a load through: who waits longest gets the next place, and nobody waits longer than was said.
fn play(rule: Rule, load: Load) -> Outcome {
    let (begin, mut chance, mut outcome) = (Instant::now(), Chance(7), Outcome::default());
    let mut queue = Queue::new(rule, load.places, load.waiting_max);
    // Ends of those that are worked on, with their beginnings; and those that wait, with when they came and until when.
    let mut working: BinaryHeap<Reverse<(Instant, Instant)>> = BinaryHeap::new();
    let mut waiting: VecDeque<(Instant, Instant)> = VecDeque::new();
    let mut comes = begin;
    while comes < begin + load.lasts || !working.is_empty() {
        let ends = working.peek().map(|Reverse((end, _))| *end);
        if ends.is_none_or(|end| comes < end) && comes < begin + load.lasts {
            let now = comes;
            comes += chance.around(load.apart);
            give_up(&mut queue, &mut waiting, now, &mut outcome);
            if working.len() < load.places {
                queue.found();
                outcome.served.push(Duration::ZERO);
                working.push(Reverse((now + chance.around(load.takes), now)));
            } else {
                match queue.join(now, now + rule.longest()) {
                    Ok(until) => waiting.push_back((now, until)),
                    Err(_) => outcome.refused.push(Duration::ZERO),
                }
            }
        } else if let Some(Reverse((now, begun))) = working.pop() {
            give_up(&mut queue, &mut waiting, now, &mut outcome);
            queue.freed(now - begun);
            if let Some((came, _)) = waiting.pop_front() {
                queue.leave();
                outcome.served.push(now - came);
                working.push(Reverse((now + chance.around(load.takes), now)));
            }
        }
    }
    outcome
}

fn give_up(queue: &mut Queue, waiting: &mut VecDeque<(Instant, Instant)>, now: Instant, outcome: &mut Outcome) {
    waiting.retain(|(came, until)| {
        if *until <= now {
            queue.leave();
            outcome.refused.push(*until - *came);
        }
        *until > now
    });
}

/// Five times what so many places can do that are taken for so many milliseconds.
fn overloads() -> impl Iterator<Item = Load> {
    let places_and_times = [(1, 2), (1, 20), (1, 100), (4, 20), (4, 100), (64, 100), (64, 500)];
    places_and_times.into_iter().map(|(places, takes)| {
        let takes = MS * takes;
        let apart = takes / u32::try_from(places * 5).unwrap();
        Load { places, waiting_max: places.max(64), takes, apart, lasts: (takes * 200).max(MS * 4_000) }
    })
}

#[test]
fn at_five_times_what_can_be_done_refusals_are_quick_and_as_much_is_done() {
    for load in overloads() {
        let outcome = play(Rule::Brisk(LONGEST), load);
        let done = load.takes * u32::try_from(outcome.served.len()).unwrap();
        let could = load.lasts * u32::try_from(load.places).unwrap();
        assert!(done >= could * 9 / 10, "{load:?}: {done:?} of {could:?}");
        let (p99, waited) = (permille(&outcome.refused, 990), permille(&outcome.served, 990));
        assert!(p99 < LONGEST / 5, "{load:?}: {p99:?}");
        assert!(waited <= LONGEST, "{load:?}: {waited:?}");
    }
}

#[test]
fn without_the_discipline_refusals_take_as_long_as_one_may_wait() {
    let slow = overloads().filter(|load| {
        let outcome = play(Rule::Patient(LONGEST), *load);
        permille(&outcome.refused, 990) >= LONGEST
    });
    assert!(slow.count() >= 3);
}

#[test]
fn a_burst_that_can_be_done_in_time_is_done() {
    // A hundred at once, where ten are worked on at a time for 20 ms each: the last one waits 180 ms.
    let load = Load { places: 10, waiting_max: 512, takes: 20 * MS, apart: MS / 1000, lasts: MS / 10 };
    let outcome = play(Rule::Brisk(LONGEST), load);
    assert!(outcome.served.len() > 90 && outcome.refused.is_empty(), "{outcome:?}");
    assert!(permille(&outcome.served, 990) > 100 * MS, "{outcome:?}");
}
