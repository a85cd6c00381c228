//! What every resolver of one request shares, and the two ways a nullable field is answered.

use std::sync::Arc;

use async_graphql::{Context, Result};
use entity::Instant;

use super::access;
use super::error::Failure;
use crate::domain::viewer::Viewer;
use crate::links::Links;
use crate::loaders::Loaders;
use crate::store::Reader;

/// Who asks, and what is read with. Made anew for each request.
pub struct RequestContext {
    pub(super) viewer: Viewer,
    pub(super) loaders: Loaders,
    pub(super) links: Arc<Links>,
    pub(super) now: Instant,
}

impl RequestContext {
    /// The context of one request: everything is read as `viewer` may, `now` being the billing clock's time.
    pub fn new(viewer: Viewer, reader: Reader, links: Arc<Links>, now: Instant) -> Self {
        let loaders = Loaders::new(viewer.tenant().clone(), reader);
        Self {
            viewer,
            loaders,
            links,
            now,
        }
    }
}

/// A field that may be null. `Some(Err(…))` nulls just this field and leaves its siblings; `Result<Option<T>>` would
/// null the whole parent in this version of the library.
pub(super) type Nullable<T> = Option<Result<T>>;

/// The request a resolver works for.
pub(super) fn request<'a>(ctx: &Context<'a>) -> Result<&'a RequestContext, Failure> {
    ctx.data::<RequestContext>()
        .map_err(|_absent| Failure::Defect("no request context"))
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

fn allowed(ctx: &Context<'_>, field: (&'static str, &'static str)) -> Result<(), Failure> {
    let scope = access::scope_of(field).ok_or(Failure::Defect("a guarded field without a scope"))?;
    if request(ctx)?.viewer.scopes.has(scope) {
        Ok(())
    } else {
        Err(Failure::Forbidden(scope))
    }
}
