//! The audit log at the command line: read, and followed from its first entry to its last.

use std::collections::BTreeSet;
use std::sync::Arc;

use entity::{TenantId, audit_entry};

use super::AppError;
use super::config::StoreConfig;
use super::wiring::open;
use crate::domain::trail::{self, Broken, Follower};
use crate::store::tenant::System;
use crate::store::{self, Reader, Store};

/// Entries in memory at a time.
const PAGE: u64 = 1_000;

/// A chain that was followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Followed {
    /// Whose it is; empty for that of the operator.
    pub tenant: TenantId,
    /// How many entries are whole.
    pub entries: i64,
    /// The hash of the last of them.
    pub hash: String,
    /// What is wrong, where something is.
    pub broken: Option<Broken>,
}

/// Hashes of ends of chains that were noted elsewhere, with whose they are.
pub type Noted = [(TenantId, String)];

/// Follows the chain of one tenant, or all of them with the operator's, and in any case those of which something was
/// noted.
///
/// # Errors
/// [`AppError`] when the store is not ready.
pub async fn verify(config: &StoreConfig, tenant: Option<&TenantId>, noted: &Noted) -> Result<Vec<Followed>, AppError> {
    let store = open(config).await?;
    let followed = verify_in(&store, &System::operator(), tenant, noted).await?;
    store.close().await?;
    Ok(followed)
}

/// The same in a store that is open.
///
/// # Errors
/// [`AppError::Store`].
pub async fn verify_in(
    store: &Store,
    system: &System,
    tenant: Option<&TenantId>,
    noted: &Noted,
) -> Result<Vec<Followed>, AppError> {
    let reader = store.reader(system, &Arc::default());
    let mut chains: BTreeSet<_> = if let Some(tenant) = tenant {
        BTreeSet::from([tenant.clone()])
    } else {
        let heads = store::audit_log::heads(system, &reader).await?.into_iter().map(|head| head.tenant_id);
        let written = store::audit_log::chains(system, &reader).await?;
        heads.chain(written).collect()
    };
    chains.extend(noted.iter().map(|(tenant, _)| tenant.clone()));
    let mut followed = Vec::new();
    for chain in chains {
        let hashes = noted.iter().filter(|(tenant, _)| *tenant == chain).map(|(_, hash)| hash.clone());
        followed.push(follow(system, &reader, Follower::expecting(hashes.collect()), chain).await?);
    }
    Ok(followed)
}

async fn follow(
    system: &System,
    reader: &Reader,
    mut follower: Follower,
    chain: TenantId,
) -> Result<Followed, AppError> {
    let broken = loop {
        let rows = store::audit_log::behind(system, reader, &chain, follower.entries(), PAGE).await?;
        if let Err(why) = rows.iter().try_for_each(|row| follower.follow(row)) {
            break Some(why);
        }
        if rows.is_empty() {
            let head = store::audit_log::head(system, reader, &chain).await?;
            let head = head.unwrap_or_else(|| trail::start(&chain));
            match follower.end(&head) {
                // Someone added an entry between the two reads.
                Err(_) if is_behind(system, reader, &chain, &follower).await? => {}
                end => break end.err(),
            }
        }
    };
    Ok(Followed { tenant: chain, entries: follower.entries(), hash: follower.hash().to_owned(), broken })
}

/// Whether entries came meanwhile.
async fn is_behind(system: &System, reader: &Reader, chain: &TenantId, follower: &Follower) -> Result<bool, AppError> {
    Ok(!store::audit_log::behind(system, reader, chain, follower.entries(), 1).await?.is_empty())
}

/// The newest entries of a tenant, newest first; without one, of the operator's own chain.
///
/// # Errors
/// [`AppError`] when the store is not ready.
pub async fn list(
    config: &StoreConfig,
    tenant: Option<&TenantId>,
    limit: u64,
) -> Result<Vec<audit_entry::Model>, AppError> {
    let store = open(config).await?;
    let chain = tenant.cloned().unwrap_or_else(store::audit_log::operator);
    let operator = System::operator();
    let reader = store.reader(&operator, &Arc::default());
    let entries = store::audit_log::newest(&operator, &reader, &chain, limit).await?;
    store.close().await?;
    Ok(entries)
}
