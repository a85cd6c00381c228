//! A stateful fake of the part of Stripe that serves invoices and their links, over real HTTP.
//!
//! It knows nothing of whoever asks it. Under the real paths it answers as Stripe does, with Stripe's errors, limits
//! and expansion rules; [`Fault`]s make it slow, wrong or hostile; every call is recorded. Links carry a generation:
//! when it changes, the former link is dead, and the fake's own pages say so. Changes of invoices make events, which
//! it sends to a webhook with real signatures: as they happen where a [`Webhook`] is set, and otherwise when asked to.
//!
//! Tests start it in their own process ([`FakeStripe::start`]); the program `fake-stripe` serves a state file. Both can
//! be steered through `/_fake/…`.

mod admin;
mod api;
mod change;
mod clock;
mod deliver;
mod error;
mod event;
mod expand;
mod fault;
mod guard;
mod object;
mod page;
mod query;
mod serve;
mod speak;
pub mod state;
mod world;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::AbortHandle;

pub use crate::change::{Change, ChangeError};
pub use crate::deliver::{Delivered, Delivery, signature};
pub use crate::event::Event;
pub use crate::fault::{Endpoint, Fault, FaultKind, Hostile};
pub use crate::state::{Invoice, Payment, State, Webhook};
use crate::world::World;
pub use crate::world::{Call, Counts};

/// What all handlers share.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    url: Arc<str>,
    world: Arc<Mutex<World>>,
    /// Where events go that shall be sent.
    speaker: UnboundedSender<Event>,
}

impl Shared {
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Everything that changes. A handler that failed does not take the fake along.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running fake. It stops when the value that started it is dropped.
#[derive(Debug)]
pub struct FakeStripe {
    shared: Shared,
    running: Option<AbortHandle>,
}

impl Drop for FakeStripe {
    fn drop(&mut self) {
        if let Some(running) = &self.running {
            running.abort();
        }
    }
}

impl FakeStripe {
    /// Serves `state` on a free port of this machine.
    ///
    /// # Errors
    /// When there is no free port.
    pub async fn start(state: State) -> io::Result<Self> {
        Self::listen(SocketAddr::from(([127, 0, 0, 1], 0)), state).await
    }

    /// Serves `state` at `address`; port 0 takes a free one.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub async fn listen(address: SocketAddr, state: State) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let (speaker, said) = tokio::sync::mpsc::unbounded_channel();
        let world = World::new(state, &url).speaking(speaker.clone());
        let shared = Shared { url: url.into(), world: Arc::new(Mutex::new(world)), speaker };
        let router = api::routes(&shared).merge(admin::routes()).merge(page::routes()).with_state(shared.clone());
        let speaking = speak::speak(shared.clone(), said);
        let serving = serve::serve(listener, router);
        let running = tokio::spawn(async { tokio::join!(serving, speaking) }).abort_handle();
        Ok(Self { shared, running: Some(running) })
    }

    /// A handle that does not stop the fake.
    pub(crate) const fn of(shared: Shared) -> Self {
        Self { shared, running: None }
    }

    /// Where it listens, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> &str {
        self.shared.url()
    }

    /// Forgets everything and serves `state`.
    pub fn replace(&self, state: State) {
        let world = World::new(state, self.url()).speaking(self.shared.speaker.clone());
        let mut former = self.shared.world();
        *former = world.after(&former);
    }

    /// Where events are sent from now on, as they happen; none for nowhere.
    pub fn set_webhook(&self, webhook: Option<Webhook>) {
        self.shared.world().state.webhook = webhook;
    }

    /// What it serves now, every default written out.
    #[must_use]
    pub fn state(&self) -> State {
        self.shared.world().state.clone()
    }

    /// An invoice as it is now; none when it is not there.
    #[must_use]
    pub fn invoice(&self, id: &str) -> Option<Invoice> {
        self.shared.world().state.invoice(id).cloned()
    }

    /// The link to the pay page that is live now, without counting as a read; none for drafts and unknown invoices.
    #[must_use]
    pub fn hosted_invoice_url(&self, id: &str) -> Option<String> {
        let world = self.shared.world();
        world.state.invoice(id).and_then(|invoice| world.writer.hosted_invoice_url(invoice))
    }

    /// Adds an invoice, with the event of its creation, or replaces it without an event.
    pub fn put(&self, invoice: Invoice) -> Vec<Event> {
        self.shared.world().put(invoice)
    }

    /// Lets something happen to an invoice, and gives the events that tell of it, in order.
    ///
    /// # Errors
    /// [`ChangeError`] when the invoice is not there or not in the state for it; nothing changed then.
    pub fn change(&self, id: &str, change: &Change) -> Result<Vec<Event>, ChangeError> {
        self.shared.world().change(id, change)
    }

    /// Makes the links of an invoice anew, and gives their generation; none when it is not there. The former are dead.
    pub fn rotate_link(&self, id: &str) -> Option<u64> {
        let mut world = self.shared.world();
        let invoice = world.state.invoice_mut(id)?;
        invoice.link.rotate();
        Some(invoice.link.generation)
    }

    /// Switches a fault on. Of several that fit a call, it meets the first.
    pub fn fault(&self, fault: Fault) {
        self.shared.world().faults.push(fault);
    }

    /// Switches all faults off. Calls that hang go on hanging.
    pub fn clear_faults(&self) {
        self.shared.world().faults.clear();
    }

    /// Revokes a key; false when it is not known.
    pub fn revoke_key(&self, key: &str) -> bool {
        let mut world = self.shared.world();
        let known = world.state.keys.iter_mut().find(|known| known.key == key);
        known.map(|known| known.revoked = true).is_some()
    }

    /// The calls since the last reset, oldest first: the last ten thousand.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.shared.world().calls.iter().cloned().collect()
    }

    /// How often was called since the last reset.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.shared.world().counts.clone()
    }

    /// How often one endpoint was called since the last reset.
    #[must_use]
    pub fn count(&self, endpoint: Endpoint) -> u64 {
        self.shared.world().counts.by_endpoint.get(&endpoint).copied().unwrap_or_default()
    }

    /// Forgets all calls.
    pub fn reset_counts(&self) {
        self.shared.world().reset_counts();
    }

    /// All events, oldest first.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.shared.world().events.clone()
    }

    /// Adds an event of whatever shape: a type nobody knows, or one of the second version of the API.
    pub fn write_event(&self, body: Value) -> Event {
        self.shared.world().write_event(body)
    }

    /// Sends events to a webhook, and returns when each was taken or given up.
    ///
    /// # Errors
    /// When no client for HTTP can be made.
    pub async fn deliver(&self, delivery: Delivery) -> Result<Delivered, reqwest::Error> {
        deliver::deliver(&self.shared, delivery).await
    }
}
