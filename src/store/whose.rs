//! Whose rows a session is for.

use entity::TenantId;

use super::tenant::System;
use crate::domain::viewer::Tenant;

/// Whose rows a session reads and writes. Every statement has it in its own condition as well; where the database has
/// [row-level security](super::row_security), it holds the session to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Those of one tenant.
    Of(TenantId),
    /// Those of every tenant.
    Everyones,
}

impl From<&Tenant> for Whose {
    fn from(tenant: &Tenant) -> Self {
        Self::Of(tenant.id().clone())
    }
}

impl From<&System> for Whose {
    fn from(_system: &System) -> Self {
        Self::Everyones
    }
}
