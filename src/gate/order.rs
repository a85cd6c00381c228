//! In which order fragments can be worked out: each after those that it spreads.

use std::collections::HashMap;

use super::outline::Definition;

/// Why fragments cannot be written out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endless {
    /// A fragment spreads itself, directly or through others.
    Cycle,
    /// Two fragments have the same name, so a spread does not say which is meant.
    Duplicate,
}

/// Where each fragment stands in `fragments`, those that others spread first.
///
/// A fragment is ready when all its spreads are known (Kahn's order), so nothing recurses and a cycle shows as
/// fragments that never get ready. A spread of a name without a fragment is left to the validators. The work is the
/// number of fragments and spreads in the text.
pub(super) fn order(fragments: &[(&str, Definition<'_>)]) -> Result<Vec<usize>, Endless> {
    let by_name: HashMap<&str, usize> = fragments.iter().enumerate().map(|(at, (name, _))| (*name, at)).collect();
    if by_name.len() < fragments.len() {
        return Err(Endless::Duplicate);
    }
    let mut waiting: Vec<usize> = vec![0; fragments.len()];
    let mut users: Vec<Vec<usize>> = vec![Vec::new(); fragments.len()];
    for ((at, (_, definition)), unknown) in fragments.iter().enumerate().zip(&mut waiting) {
        for spread in definition.spreads.iter().filter_map(|spread| by_name.get(spread.fragment)) {
            users.get_mut(*spread).into_iter().for_each(|users| users.push(at));
            *unknown = unknown.saturating_add(1);
        }
    }
    let mut ready: Vec<usize> =
        waiting.iter().enumerate().filter(|(_, unknown)| **unknown == 0).map(|(at, _)| at).collect();
    let mut order = Vec::with_capacity(fragments.len());
    while let Some(at) = ready.pop() {
        order.push(at);
        for user in users.get_mut(at).map(std::mem::take).unwrap_or_default() {
            let Some(unknown) = waiting.get_mut(user) else { continue };
            *unknown = unknown.saturating_sub(1);
            ready.extend((*unknown == 0).then_some(user));
        }
    }
    if order.len() < fragments.len() {
        return Err(Endless::Cycle);
    }
    Ok(order)
}
