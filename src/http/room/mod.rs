//! How many requests are worked on at the same time, in all and of each tenant, and how many wait.
//!
//! Who finds no place waits a moment; when as many wait as may, the next is refused at once, and so is who would wait in
//! vain (`queue.rs` says how long one may). A tenant waits for its own places first, in a queue of its own: one that has
//! all of them keeps nobody else waiting. Health has no part in this, and webhooks have a room of their own. A place is
//! taken when the whole body is there, so that slow clients hold none.

mod desk;
mod queue;

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use entity::TenantId;
use tokio::time::Instant;

use super::accept::places::{NoPlace, Place, Places};
use super::budget::{Budget, Held, Of};
use super::transport::Transport;
use crate::stats::{DeskStats, RoomStats};
use desk::{Desk, Taken};
use queue::Rule;

/// Tenants that are remembered before those without requests are forgotten.
const TENANTS_KEPT: usize = 1024;

/// The room that requests are worked on in.
pub struct Room {
    everyone: Arc<Desk>,
    webhooks: Arc<Desk>,
    tenants: Mutex<HashMap<TenantId, Arc<Desk>>>,
    per_tenant: usize,
    rule: Rule,
    forwarded: Arc<Places>,
    of_tenants: DeskStats,
    stats: RoomStats,
    bodies: Arc<Budget>,
}

/// A place to work, for a request of a tenant, until it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    _of_all: Taken,
    _of_tenant: Taken,
}

/// There is no place, and none became free in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

impl From<queue::Refused> for Full {
    fn from(_why: queue::Refused) -> Self {
        Self
    }
}

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Room").field("free", &self.everyone.free()).finish_non_exhaustive()
    }
}

impl Room {
    /// An empty room, whose requests are counted in `stats`.
    pub fn new(transport: &Transport, stats: &RoomStats) -> Self {
        let rule = Rule::Brisk(transport.queue_timeout);
        // Stripe sends again what is refused, but hours later: to wait is better.
        let webhooks = Rule::Patient(transport.queue_timeout);
        let hooks_max = transport.webhooks_executing_max;
        Self {
            everyone: Desk::new(rule, transport.executing_max, transport.queue_max, stats.desk("all")),
            webhooks: Desk::new(webhooks, hooks_max, hooks_max, stats.desk("webhooks")),
            tenants: Mutex::default(),
            per_tenant: transport.executing_per_tenant,
            rule,
            forwarded: Places::new(usize::MAX, transport.connections_per_address),
            of_tenants: stats.desk("tenant"),
            stats: stats.clone(),
            bodies: Budget::new(transport.body_memory_bytes),
        }
    }

    /// A place for a request of `tenant`.
    pub(super) async fn enter(&self, tenant: &TenantId) -> Result<Seat, Full> {
        let deadline = Instant::now() + self.rule.longest();
        let desk = self.desk(tenant);
        let of_tenant = desk.place(deadline).await?;
        Ok(Seat { _of_all: self.everyone.place(deadline).await?, _of_tenant: of_tenant })
    }

    /// A place for a webhook.
    pub(super) async fn enter_inbox(&self) -> Result<Taken, Full> {
        Ok(self.webhooks.place(Instant::now() + self.rule.longest()).await?)
    }

    /// A place among the requests of an address that comes through a proxy.
    pub(super) fn forwarded(&self, address: Option<IpAddr>) -> Result<Place, NoPlace> {
        self.forwarded.take(address).inspect_err(|_full| self.stats.address_refused())
    }

    /// Memory for a body that an address sends.
    pub(super) fn body(&self, of: Of, address: Option<IpAddr>) -> Held {
        self.bodies.body(of, address)
    }

    fn desk(&self, tenant: &TenantId) -> Arc<Desk> {
        // Whoever panicked with the lock has changed nothing or everything.
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        if tenants.len() >= TENANTS_KEPT {
            tenants.retain(|_tenant, desk| desk.is_used());
        }
        let places = self.per_tenant;
        let desk = tenants.entry(tenant.clone());
        Arc::clone(desk.or_insert_with(|| Desk::new(self.rule, places, places, self.of_tenants.clone())))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::FutureExt;

    use super::*;

    fn room(executing_max: usize, executing_per_tenant: usize, queue_max: usize) -> Room {
        let transport = Transport { executing_max, executing_per_tenant, queue_max, ..Transport::default() };
        Room::new(&transport, &RoomStats::default())
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
        let room = Room::new(&Transport { queue_timeout: Duration::ZERO, ..transport }, &RoomStats::default());
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
