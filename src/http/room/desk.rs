//! Places to work, and a queue in front of them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use super::queue::{Queue, Refused, Rule};
use crate::stats::DeskStats;

/// Places to work. Whoever waits longest gets the next.
#[derive(Debug)]
pub(super) struct Desk {
    places: Arc<Semaphore>,
    size: usize,
    queue: Mutex<Queue>,
    stats: DeskStats,
}

/// A place to work, until it is dropped.
#[derive(Debug)]
pub(in super::super) struct Taken {
    desk: Arc<Desk>,
    since: Instant,
    _place: OwnedSemaphorePermit,
}

/// Someone who waits, until it is dropped.
struct Waiting<'a> {
    desk: &'a Desk,
    since: Instant,
}

impl Desk {
    /// So many free places, and so many to wait for one.
    pub(super) fn new(rule: Rule, places: usize, waiting_max: usize, stats: DeskStats) -> Arc<Self> {
        let size = places.min(Semaphore::MAX_PERMITS);
        let queue = Mutex::new(Queue::new(rule, size, waiting_max));
        Arc::new(Self { places: Arc::new(Semaphore::new(size)), size, queue, stats })
    }

    /// Whether a place is taken.
    pub(super) fn is_used(&self) -> bool {
        self.places.available_permits() < self.size
    }

    /// Free places.
    pub(super) fn free(&self) -> usize {
        self.places.available_permits()
    }

    /// A place, at once or after a wait that the queue allows, until `deadline` at most.
    ///
    /// # Errors
    /// [`Refused`] when there is none.
    pub(super) async fn place(self: &Arc<Self>, deadline: Instant) -> Result<Taken, Refused> {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            self.queue().found();
            return Ok(self.taken(place));
        }
        self.wait(deadline).await.inspect_err(|why| match why {
            Refused::Full => self.stats.full(),
            Refused::Hopeless => self.stats.hopeless(),
            Refused::Waited => self.stats.waited_in_vain(),
        })
    }

    async fn wait(self: &Arc<Self>, deadline: Instant) -> Result<Taken, Refused> {
        let since = Instant::now();
        let until = self.queue().join(since, deadline)?;
        self.stats.waits();
        let _waiting = Waiting { desk: self, since };
        match timeout_at(until, Arc::clone(&self.places).acquire_owned()).await {
            Ok(Ok(place)) => Ok(self.taken(place)),
            Ok(Err(_)) | Err(_) => Err(Refused::Waited),
        }
    }

    fn taken(self: &Arc<Self>, place: OwnedSemaphorePermit) -> Taken {
        self.stats.works();
        Taken { desk: Arc::clone(self), since: Instant::now(), _place: place }
    }

    /// Each change is one step, so a panic of a holder leaves nothing half done.
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.desk.queue().freed(self.since.elapsed());
        self.desk.stats.worked();
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.desk.queue().leave();
        self.desk.stats.waited(self.since.elapsed());
    }
}
