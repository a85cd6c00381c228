//! What every resolver of one request shares, and the two ways a nullable field is answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_graphql::{Context, Result};
use entity::{Instant, invoice};

use super::access;
use super::error::Failure;
use super::rate_limit::Charged;
use super::scalars::Link;
use crate::domain::actor::Actor;
use crate::domain::browser_session::SessionPolicy;
use crate::domain::viewer::Viewer;
use crate::links::{Ask, LinkKey, Links, Seen, UpstreamStats};
use crate::loaders::{LinkSource, Loaders};
use crate::store::{Reader, Store};

/// Who asks, and what is read with. Made anew for each request.
pub struct RequestContext {
    pub(super) viewer: Viewer,
    pub(super) loaders: Loaders,
    pub(super) links: Arc<Links>,
    upstream: Arc<UpstreamStats>,
    pub(super) now: Instant,
    /// What mutations write with.
    writes: Option<Writes>,
    /// What the request took of what its caller may ask for.
    pub(super) charged: Option<Charged>,
    /// Objects that the lists of this request may give in all.
    objects_max: usize,
    /// Those that they may still give.
    objects_left: AtomicUsize,
}

/// What mutations write with.
#[derive(Clone, Debug)]
pub struct Writes {
    /// What they write to.
    pub store: Store,
    /// What the audit log says of the caller.
    pub actor: Actor,
    /// The credential clock's time.
    pub credentials_now: Instant,
    /// How long sessions last.
    pub sessions: SessionPolicy,
}

/// Objects that the lists of one answer may have in all where nothing else is said: twice what a page of 100 invoices
/// with 250 lines and their parts needs. A document says how deep an answer is, but only the data say how wide.
pub const OBJECTS_MAX: usize = 100_000;

impl RequestContext {
    /// The context of one request: everything is read as `viewer` may, `now` being the billing clock's time.
    pub fn new(viewer: Viewer, reader: Reader, links: Arc<Links>, now: Instant) -> Self {
        let source = LinkSource::new(Arc::clone(&links), &viewer.principal(), now);
        let upstream = Arc::clone(&source.stats);
        let loaders = Loaders::new(viewer.tenant().clone(), reader, source);
        Self {
            viewer,
            loaders,
            links,
            upstream,
            now,
            writes: None,
            charged: None,
            objects_max: OBJECTS_MAX,
            objects_left: AtomicUsize::new(OBJECTS_MAX),
        }
    }

    /// The same request, whose lists may have so many objects in all.
    #[must_use]
    pub const fn giving(mut self, objects: usize) -> Self {
        self.objects_max = objects;
        self.objects_left = AtomicUsize::new(objects);
        self
    }

    /// The same request, which was counted.
    #[must_use]
    pub const fn charged(mut self, charged: Charged) -> Self {
        self.charged = Some(charged);
        self
    }

    /// The same request, which may write as well.
    #[must_use]
    pub fn writing(mut self, writes: Writes) -> Self {
        self.writes = Some(writes);
        self
    }

    /// What mutations write with.
    pub(super) fn writes(&self) -> Result<&Writes, Failure> {
        self.writes.as_ref().ok_or(Failure::Defect("a mutation without a store"))
    }

    /// The credential clock's time.
    pub(super) fn credentials_now(&self) -> Result<Instant, Failure> {
        Ok(self.writes()?.credentials_now)
    }

    /// What of Stripe the request needs, counted while it runs.
    pub fn upstream(&self) -> Arc<UpstreamStats> {
        Arc::clone(&self.upstream)
    }

    /// What is asked of an invoice's links; nothing when it was never mirrored.
    pub(super) async fn link(&self, invoice: &Arc<invoice::Model>, ask: Ask) -> Result<Seen, Failure> {
        let Some(mirror) = self.loaders.mirror_of(invoice.id.clone()).await? else {
            return Ok(Seen::Nothing);
        };
        Ok(self.loaders.link(LinkKey { invoice: Arc::clone(invoice), mirror, ask }).await?)
    }

    /// Takes a list's objects from what the request may still give.
    pub(super) fn charge(&self, objects: usize) -> Result<(), Failure> {
        let less = |left: usize| left.checked_sub(objects);
        let charged = self.objects_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        charged.map(|_left| ()).map_err(|_left| Failure::TooMany(self.objects_max))
    }
}

/// A field that may be null. `Some(Err(…))` nulls just this field and leaves its siblings; `Result<Option<T>>` would
/// null the whole parent in this version of the library.
pub(super) type Nullable<T> = Option<Result<T>>;

/// The request a resolver works for.
pub(super) fn request<'a>(ctx: &Context<'a>) -> Result<&'a RequestContext, Failure> {
    ctx.data::<RequestContext>().map_err(|_absent| Failure::Defect("no request context"))
}

/// A nullable field that needs no scope beyond those of its object.
pub(super) async fn nullable<T>(read: impl Future<Output = Result<Option<T>, Failure>> + Send) -> Nullable<T> {
    read.await.map_err(Into::into).transpose()
}

/// A nullable field that is listed in [`access`] with a scope: without the scope nothing is read.
pub(super) async fn guarded<T>(
    ctx: &Context<'_>,
    field: (&'static str, &'static str),
    read: impl Future<Output = Result<Option<T>, Failure>> + Send,
) -> Nullable<T> {
    if let Err(forbidden) = allowed(ctx, field) {
        return Some(Err(forbidden.into()));
    }
    nullable(read).await
}

/// A nullable scalar behind a scope.
pub(super) fn guarded_value<T>(
    ctx: &Context<'_>,
    field: (&'static str, &'static str),
    value: Option<T>,
) -> Nullable<T> {
    match allowed(ctx, field) {
        Ok(()) => value.map(Ok),
        Err(forbidden) => Some(Err(forbidden.into())),
    }
}

/// Whether the caller has the scope of a field.
pub(super) fn allowed(ctx: &Context<'_>, field: (&'static str, &'static str)) -> Result<(), Failure> {
    let scope = access::scope_of(field).ok_or(Failure::Defect("a guarded field without a scope"))?;
    if request(ctx)?.viewer.scopes.has(scope) { Ok(()) } else { Err(Failure::Forbidden(scope)) }
}

/// What was seen of a link, as the field's value.
pub(super) fn link(seen: Seen) -> Result<Option<Link>, Failure> {
    match seen {
        Seen::Link(link) => Ok(Some(Link(link))),
        Seen::Failed(error) => Err(error.into()),
        Seen::Nothing | Seen::State(_) => Ok(None),
    }
}
