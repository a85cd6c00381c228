//! How much memory the bodies of all requests take together while they are read and worked on.
//!
//! A body counts with what came of it, not with what it announces: whoever announces much and sends nothing holds
//! nothing. It counts until it is dropped. When there is no more, it is refused, and so is every other that grows. The
//! shares keep some for those who do no harm: the beginning of a body may take what its rest may not, so that short
//! bodies are read while long ones drip; one address does not get all; and webhooks, which anyone may send, leave
//! something for questions.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::accept::places::household;

/// The beginning of a body: most are no longer.
pub(super) const BEGINNING_BYTES: usize = 16 * 1024;

/// What a body is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    /// A question of somebody with a credential.
    Question,
    /// A webhook, or a token that is shown to be revoked: it has no credential before it is read.
    Anyone,
}

/// The memory for bodies.
#[derive(Debug)]
pub(super) struct Budget {
    bytes_max: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    in_all: usize,
    by_anyone: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// What one body takes. It is given back when this is dropped.
#[derive(Debug)]
pub(super) struct Held {
    budget: Arc<Budget>,
    of: Of,
    address: Option<IpAddr>,
    bytes: usize,
}

/// There is no memory for more of this body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct UsedUp;

impl Budget {
    /// `bytes_max` for all bodies together.
    pub(super) fn new(bytes_max: usize) -> Arc<Self> {
        Arc::new(Self { bytes_max, taken: Mutex::default() })
    }

    /// For a body that an address begins to send; one without an address counts only in all.
    pub(super) fn body(self: &Arc<Self>, of: Of, address: Option<IpAddr>) -> Held {
        Held { budget: Arc::clone(self), of, address: address.map(household), bytes: 0 }
    }

    /// So many quarters of it.
    const fn share(&self, quarters: usize) -> usize {
        (self.bytes_max / 4).saturating_mul(quarters)
    }

    /// Counters stay right when a holder panics: they are changed in one step.
    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// Takes so many bytes more.
    pub(super) fn grow(&mut self, bytes: usize) -> Result<(), UsedUp> {
        let own = self.bytes.saturating_add(bytes);
        let (of_all, of_webhooks, of_address) = if own <= BEGINNING_BYTES { (4, 3, 2) } else { (3, 2, 1) };
        let budget = &self.budget;
        let mut taken = budget.lock();
        let in_all = taken.in_all.saturating_add(bytes);
        let by_anyone = taken.by_anyone.saturating_add(if self.of == Of::Anyone { bytes } else { 0 });
        let by_address = self.address.map(|address| (address, taken.of(address).saturating_add(bytes)));
        let fits = in_all <= budget.share(of_all)
            && (self.of != Of::Anyone || by_anyone <= budget.share(of_webhooks))
            && by_address.is_none_or(|(_, bytes)| bytes <= budget.share(of_address));
        if !fits {
            return Err(UsedUp);
        }
        (taken.in_all, taken.by_anyone) = (in_all, by_anyone);
        taken.by_address.extend(by_address);
        drop(taken);
        self.bytes = own;
        Ok(())
    }
}

impl Taken {
    fn of(&self, address: IpAddr) -> usize {
        self.by_address.get(&address).copied().unwrap_or_default()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut taken = self.budget.lock();
        taken.in_all = taken.in_all.saturating_sub(self.bytes);
        if self.of == Of::Anyone {
            taken.by_anyone = taken.by_anyone.saturating_sub(self.bytes);
        }
        let Some(address) = self.address else { return };
        let left = taken.of(address).saturating_sub(self.bytes);
        if left == 0 {
            taken.by_address.remove(&address);
        } else {
            taken.by_address.insert(address, left);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIB: usize = 1024;

    /// As many bodies of so many bytes as there is memory for.
    fn fill(budget: &Arc<Budget>, of: Of, address: &str, bytes: usize) -> Vec<Held> {
        let address = (!address.is_empty()).then(|| address.parse().unwrap());
        let bodies = std::iter::repeat_with(|| {
            let mut body = budget.body(of, address);
            body.grow(bytes).map(|()| body)
        });
        bodies.map_while(Result::ok).collect()
    }

    #[test]
    fn long_bodies_leave_a_quarter_for_the_beginnings_of_others() {
        let budget = Budget::new(1024 * KIB);
        let long = fill(&budget, Of::Question, "", 64 * KIB);
        assert_eq!(long.len(), 768 / 64);
        let short = fill(&budget, Of::Question, "", BEGINNING_BYTES);
        assert_eq!(short.len(), 256 / 16);
        drop(short);
        let mut growing = budget.body(Of::Question, None);
        growing.grow(BEGINNING_BYTES).unwrap();
        assert_eq!(growing.grow(1), Err(UsedUp));
        assert_eq!(growing.bytes, BEGINNING_BYTES);
        drop(long);
        growing.grow(1).unwrap();
    }

    #[test]
    fn one_address_gets_a_quarter_and_its_short_bodies_a_half() {
        let budget = Budget::new(1024 * KIB);
        let long = fill(&budget, Of::Question, "192.0.2.1", 64 * KIB);
        assert_eq!(long.len(), 256 / 64);
        assert_eq!(fill(&budget, Of::Question, "192.0.2.1", BEGINNING_BYTES).len(), 256 / 16);
        assert_eq!(fill(&budget, Of::Question, "192.0.2.2", 64 * KIB).len(), 256 / 64);
        let _first = fill(&budget, Of::Question, "2001:db8:1:2::1", 64 * KIB);
        assert_eq!(fill(&budget, Of::Question, "2001:db8:1:2::9", 64 * KIB).len(), 0);
    }

    #[test]
    fn webhooks_leave_something_for_questions() {
        let budget = Budget::new(1024 * KIB);
        let _long = fill(&budget, Of::Anyone, "", 64 * KIB);
        let _short = fill(&budget, Of::Anyone, "", BEGINNING_BYTES);
        let taken = budget.lock().in_all;
        assert_eq!(taken, 768 * KIB);
        assert_eq!(fill(&budget, Of::Question, "", BEGINNING_BYTES).len(), 256 / 16);
    }

    #[test]
    fn what_is_dropped_comes_back_and_leaves_nothing_behind() {
        let budget = Budget::new(1024 * KIB);
        for of in [Of::Question, Of::Anyone] {
            drop(fill(&budget, of, "192.0.2.1", 10 * KIB));
        }
        let taken = budget.lock();
        assert_eq!((taken.in_all, taken.by_anyone, taken.by_address.len()), (0, 0, 0));
    }
}
