//! Who asks.

use async_graphql::{Context, ID, Object};
use entity::Instant;

use super::context::{Nullable, guarded, request};
use super::customer::Customer;
use super::kinds::PrincipalKind;
use super::scalars::DateTime;
use crate::domain::viewer;

/// Who asks.
pub(super) struct Viewer(pub(super) viewer::Viewer);

/// Who asks, and what the credential opens.
#[Object]
impl Viewer {
    /// The sort of principal.
    fn kind(&self) -> PrincipalKind {
        self.0.kind.into()
    }

    /// The tenant whose data is seen.
    fn tenant_id(&self) -> ID {
        ID(self.0.tenant().id().0.clone())
    }

    /// The customer behind a credential of kind CUSTOMER. Null for others. Needs the scope `customers:read`.
    async fn customer(&self, ctx: &Context<'_>) -> Nullable<Customer> {
        guarded(ctx, ("Viewer", "customer"), async {
            match self.0.own_customer() {
                Some(id) => Ok(Customer::some(request(ctx)?.loaders.customer(id.clone()).await?)),
                None => Ok(None),
            }
        })
        .await
    }

    /// What the credential may open, in the order of the documentation.
    fn scopes(&self) -> Vec<&'static str> {
        self.0.scopes.iter().map(crate::domain::viewer::Scope::name).collect()
    }

    /// When the credential ends.
    fn expires_at(&self) -> DateTime {
        DateTime(Instant::new(self.0.expires_at))
    }
}
