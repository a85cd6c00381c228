//! How many requests are worked on at the same time, in all and of each tenant, and how many wait.
//!
//! Who finds no place waits a moment; when as many wait as may, the next is refused at once. A tenant waits for its own
//! places first, in a queue of its own: one that has all of them keeps nobody else waiting. Health has no part in this,
//! and webhooks have a room of their own. A place is taken when the whole body is there, so that slow clients hold none.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use entity::TenantId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use super::accept::places::{NoPlace, Place, Places};
use super::transport::Transport;

/// Tenants that are remembered before those without requests are forgotten.
const TENANTS_KEPT: usize = 1024;

/// The room that requests are worked on in.
pub struct Room {
    everyone: Desk,
    webhooks: Desk,
    tenants: Mutex<HashMap<TenantId, Arc<Desk>>>,
    per_tenant: usize,
    patience: Duration,
    forwarded: Arc<Places>,
}

/// Places to work, and places to wait for one.
struct Desk {
    places: Arc<Semaphore>,
    queue: Semaphore,
}

/// A place to work, for a request of a tenant, until it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    _of_tenant: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
}

/// There is no place, and none became free in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Room").field("free", &self.everyone.places.available_permits()).finish_non_exhaustive()
    }
}

impl Room {
    /// An empty room.
    pub fn new(transport: &Transport) -> Self {
        Self {
            everyone: Desk::new(transport.executing_max, transport.queue_max),
            webhooks: Desk::new(transport.webhooks_executing_max, transport.webhooks_executing_max),
            tenants: Mutex::default(),
            per_tenant: transport.executing_per_tenant,
            patience: transport.queue_timeout,
            forwarded: Places::new(usize::MAX, transport.connections_per_address),
        }
    }

    /// A place for a request of `tenant`.
    pub(super) async fn enter(&self, tenant: &TenantId) -> Result<Seat, Full> {
        let deadline = Instant::now() + self.patience;
        let desk = self.desk(tenant);
        let of_tenant = desk.place(deadline).await?;
        Ok(Seat { _of_tenant: of_tenant, _of_all: self.everyone.place(deadline).await? })
    }

    /// A place for a webhook.
    pub(super) async fn enter_inbox(&self) -> Result<OwnedSemaphorePermit, Full> {
        self.webhooks.place(Instant::now() + self.patience).await
    }

    /// A place among the requests of an address that comes through a proxy.
    pub(super) fn forwarded(&self, address: Option<IpAddr>) -> Result<Place, NoPlace> {
        self.forwarded.take(address)
    }

    fn desk(&self, tenant: &TenantId) -> Arc<Desk> {
        // Whoever panicked with the lock has changed nothing or everything.
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        if tenants.len() >= TENANTS_KEPT {
            tenants.retain(|_tenant, desk| desk.places.available_permits() < self.per_tenant);
        }
        let desk = tenants.entry(tenant.clone());
        Arc::clone(desk.or_insert_with(|| Arc::new(Desk::new(self.per_tenant, self.per_tenant))))
    }
}

impl Desk {
    fn new(places: usize, queue: usize) -> Self {
        let size = |wanted: usize| wanted.min(Semaphore::MAX_PERMITS);
        Self { places: Arc::new(Semaphore::new(size(places))), queue: Semaphore::new(size(queue)) }
    }

    async fn place(&self, deadline: Instant) -> Result<OwnedSemaphorePermit, Full> {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            return Ok(place);
        }
        let _waiting = self.queue.try_acquire().map_err(|_none_free| Full)?;
        match timeout_at(deadline, Arc::clone(&self.places).acquire_owned()).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_)) | Err(_) => Err(Full),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn room(executing_max: usize, executing_per_tenant: usize, queue_max: usize) -> Room {
        Room::new(&Transport { executing_max, executing_per_tenant, queue_max, ..Transport::default() })
    }

    fn tenant(name: &str) -> TenantId {
        TenantId(name.to_owned())
    }

    #[tokio::test]
    async fn who_finds_no_place_waits_a_moment_and_is_refused_then() {
        let room = room(1, 10, 10);
        let _seat = room.enter(&tenant("a")).await.unwrap();
        let begun = Instant::now();
        assert_eq!(room.enter(&tenant("a")).await.unwrap_err(), Full);
        assert!(begun.elapsed().as_millis() >= 500);
    }

    #[tokio::test]
    async fn a_place_that_becomes_free_goes_to_who_waits_longest() {
        let room = room(1, 10, 10);
        let seat = room.enter(&tenant("a")).await.unwrap();
        let (b, c) = (tenant("b"), tenant("c"));
        let mut first = Box::pin(room.enter(&b));
        let mut second = Box::pin(room.enter(&c));
        assert!(first.as_mut().now_or_never().is_none() && second.as_mut().now_or_never().is_none());
        drop(seat);
        assert!(second.as_mut().now_or_never().is_none());
        let _seat = first.await.unwrap();
    }

    #[tokio::test]
    async fn where_as_many_wait_as_may_the_next_is_refused_at_once() {
        let room = room(1, 10, 1);
        let _seat = room.enter(&tenant("a")).await.unwrap();
        let b = tenant("b");
        let mut waiting = Box::pin(room.enter(&b));
        assert!(waiting.as_mut().now_or_never().is_none());
        assert_eq!(room.enter(&tenant("c")).now_or_never().unwrap().unwrap_err(), Full);
    }

    #[tokio::test]
    async fn a_tenant_that_has_all_its_places_keeps_nobody_else_waiting() {
        let room = room(4, 2, 1);
        let _seats = (room.enter(&tenant("a")).await.unwrap(), room.enter(&tenant("a")).await.unwrap());
        let a = tenant("a");
        let mut waiting: Vec<_> = (0..2).map(|_n| Box::pin(room.enter(&a))).collect();
        assert!(waiting.iter_mut().all(|waiting| waiting.as_mut().now_or_never().is_none()));
        assert!(room.enter(&a).now_or_never().unwrap().is_err(), "its own queue has an end");
        let _other = (
            room.enter(&tenant("b")).now_or_never().unwrap().unwrap(),
            room.enter(&tenant("b")).now_or_never().unwrap().unwrap(),
        );
    }

    #[tokio::test]
    async fn webhooks_have_a_room_of_their_own() {
        let transport = Transport { executing_max: 1, webhooks_executing_max: 1, ..Transport::default() };
        let room = Room::new(&Transport { queue_timeout: Duration::ZERO, ..transport });
        let _seat = room.enter(&tenant("a")).await.unwrap();
        assert_eq!(room.enter(&tenant("b")).await.unwrap_err(), Full);
        let _webhook = room.enter_inbox().await.unwrap();
        assert_eq!(room.enter_inbox().await.unwrap_err(), Full);
    }

    #[tokio::test]
    async fn what_panics_gives_its_place_back() {
        let room = Arc::new(room(1, 1, 1));
        let seat = room.enter(&tenant("a")).await.unwrap();
        let panicking = tokio::spawn(async move {
            let _seat = seat;
            panic!("on purpose");
        });
        panicking.await.unwrap_err();
        room.enter(&tenant("a")).now_or_never().unwrap().unwrap();
    }

    #[tokio::test]
    async fn tenants_without_requests_are_forgotten() {
        let room = room(10, 1, 1);
        let _seat = room.enter(&tenant("busy")).await.unwrap();
        for n in 0..TENANTS_KEPT * 2 {
            room.enter(&tenant(&n.to_string())).await.unwrap();
        }
        assert!(room.tenants.lock().unwrap().len() <= TENANTS_KEPT);
        assert_eq!(room.enter(&tenant("busy")).await.unwrap_err(), Full);
    }
}
