//! Whether connections that write may lead to a server that takes no writes.
//!
//! A pool keeps its connections for ever. One that was opened in the middle of a failover may lead to a replica, and
//! nothing about it fails but its writes: each of them, also long after the name leads to the new primary. So a write
//! that is refused for this puts every connection of its pool in doubt that is open by then, and those are asked before
//! they are used again (`engine.rs`).

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A connection is left alone for so long, so that a server that takes no writes is not asked for new connections by
/// every write.
const YOUNG: Duration = Duration::from_secs(1);

/// When a write was last refused because the server takes none.
#[derive(Debug)]
pub(super) struct Doubts {
    begun: Instant,
    /// In milliseconds since then; 0 is never.
    raised: AtomicU64,
}

impl Default for Doubts {
    fn default() -> Self {
        Self { begun: Instant::now(), raised: AtomicU64::new(0) }
    }
}

impl Doubts {
    /// A write was refused.
    pub(super) fn raise(&self) {
        self.raised.store(millis(self.begun.elapsed()).max(1), Ordering::Relaxed);
    }

    /// Whether a connection of that age was there when a write was last refused.
    pub(super) fn reach(&self, age: Duration) -> bool {
        let raised = self.raised.load(Ordering::Relaxed);
        let opened = millis(self.begun.elapsed().saturating_sub(age));
        raised > 0 && opened <= raised && age >= YOUNG
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_connections_from_before_a_refused_write_are_in_doubt() {
        let begun = Instant::now().checked_sub(Duration::from_mins(1)).unwrap();
        let doubts = Doubts { begun, raised: AtomicU64::new(0) };
        let old = Duration::from_secs(50);
        assert!(!doubts.reach(old), "nothing was refused");
        doubts.raise();
        assert!(doubts.reach(old) && doubts.reach(YOUNG));
        assert!(!doubts.reach(YOUNG / 2), "it is young");
        // A write was refused half a minute ago; what was opened since is another server's.
        doubts.raised.store(30_000, Ordering::Relaxed);
        assert!(doubts.reach(old) && !doubts.reach(Duration::from_secs(20)));
    }
}
