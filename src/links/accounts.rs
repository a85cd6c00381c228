//! Which account at Stripe knows a tenant's invoices.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use entity::{TenantId, tenant, upstream_invoice};

use crate::stripe::{StripeAccountId, StripeClient, StripeConfig};

/// An account that can be asked.
#[derive(Clone, Debug)]
pub struct Account {
    /// What tells it from all others here.
    pub(super) name: Arc<str>,
    pub(super) client: StripeClient,
}

/// The accounts of all tenants: some have keys of their own, and a platform's key opens the accounts connected to it.
#[derive(Debug)]
pub struct Accounts {
    own: HashMap<TenantId, Account>,
    platform: Option<StripeConfig>,
    /// Accounts that were asked through the platform's key.
    connected: Mutex<HashMap<StripeAccountId, Account>>,
    /// Whether a tenant's bills are about real money, as far as that is known. A key of the other mode is not used.
    modes: Mutex<HashMap<TenantId, bool>>,
}

impl Accounts {
    /// The accounts of tenants with keys of their own and, for everyone else, those that a platform's key opens: an
    /// invoice's mirror names the account.
    pub fn new(own: impl IntoIterator<Item = (TenantId, StripeClient)>, platform: Option<StripeConfig>) -> Self {
        let named = own.into_iter().map(|(tenant, client)| {
            let account = Account { name: tenant.0.as_str().into(), client };
            (tenant, account)
        });
        Self { own: named.collect(), platform, connected: Mutex::default(), modes: Mutex::default() }
    }

    /// Takes note of which tenants' bills are about real money: whose key is of the other mode is not asked about.
    pub fn know_modes(&self, tenants: &[tenant::Model]) {
        let mut modes = self.modes.lock().unwrap_or_else(PoisonError::into_inner);
        modes.extend(tenants.iter().map(|row| (row.id.clone(), row.livemode)));
    }

    /// Whether there is a key for a tenant, of its mode as far as that is known.
    pub fn serve(&self, tenant: &TenantId) -> bool {
        let own = self.own.get(tenant).map(|account| account.client.livemode());
        let key = own.or_else(|| self.platform.as_ref().map(|platform| platform.key.livemode()));
        let modes = self.modes.lock().unwrap_or_else(PoisonError::into_inner);
        key.is_some_and(|live| modes.get(tenant).is_none_or(|known| *known == live))
    }

    /// The client that can be asked about a tenant's account, which a platform's key needs to know.
    pub fn client(&self, tenant: &TenantId, account: Option<&str>) -> Option<StripeClient> {
        self.account(tenant, account).map(|account| account.client)
    }

    /// How many accounts are asked, and how many of them are left alone for now, because too many calls failed.
    pub fn breakers(&self) -> (usize, usize) {
        let connected = self.connected.lock().unwrap_or_else(PoisonError::into_inner);
        let accounts = self.own.values().chain(connected.values());
        let (open, closed): (Vec<_>, Vec<_>) = accounts.partition(|account| account.client.is_open());
        (closed.len(), open.len())
    }

    /// The account that knows a mirror.
    pub(super) fn knowing(&self, tenant: &TenantId, mirror: &upstream_invoice::Model) -> Option<Account> {
        self.account(tenant, mirror.stripe_account_id.as_deref())
    }

    fn account(&self, tenant: &TenantId, account: Option<&str>) -> Option<Account> {
        if !self.serve(tenant) {
            return None;
        }
        if let Some(account) = self.own.get(tenant) {
            return Some(account.clone());
        }
        let id = StripeAccountId::parse(account?).ok()?;
        let platform = self.platform.as_ref()?;
        let mut connected = self.connected.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(account) = connected.get(&id) {
            return Some(account.clone());
        }
        let config = StripeConfig { account: Some(id.clone()), ..platform.clone() };
        let client = StripeClient::new(config).ok()?;
        let account = Account { name: id.as_str().into(), client };
        connected.insert(id, account.clone());
        Some(account)
    }
}
