//! How many connections there are, in all and of each address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Places that are counted. A place is given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Places {
    total_max: usize,
    per_address_max: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoPlace {
    /// There are as many as there may be.
    #[error("there are too many connections")]
    Total,
    /// The address has as many as it may have.
    #[error("the address has too many connections")]
    Address,
}

impl NoPlace {
    /// One word for it.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Total => "total",
            Self::Address => "address",
        }
    }
}

/// One place.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    address: Option<IpAddr>,
}

impl Places {
    /// Empty ones.
    pub(crate) fn new(total_max: usize, per_address_max: usize) -> Arc<Self> {
        Arc::new(Self { total_max, per_address_max, taken: Mutex::default() })
    }

    /// A place for `address`, which is not counted by itself where it is absent.
    ///
    /// # Errors
    /// [`NoPlace`] when there is none; nothing is taken then.
    pub(crate) fn take(self: &Arc<Self>, address: Option<IpAddr>) -> Result<Place, NoPlace> {
        let address = address.map(household);
        let mut taken = self.lock();
        if taken.total >= self.total_max {
            return Err(NoPlace::Total);
        }
        if let Some(address) = address {
            let of_address = taken.by_address.get(&address).copied().unwrap_or_default();
            if of_address >= self.per_address_max {
                return Err(NoPlace::Address);
            }
            taken.by_address.insert(address, of_address.saturating_add(1));
        }
        taken.total = taken.total.saturating_add(1);
        Ok(Place { places: Arc::clone(self), address })
    }

    /// Counters stay right when a holder panics: they are changed in one step.
    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        taken.total = taken.total.saturating_sub(1);
        let Some(address) = self.address else { return };
        let left = taken.by_address.get(&address).copied().unwrap_or_default().saturating_sub(1);
        if left == 0 {
            taken.by_address.remove(&address);
        } else {
            taken.by_address.insert(address, left);
        }
    }
}

/// What counts as one address: of IPv6 the network of 64 bits, since whoever has one address there has all of it.
pub(crate) fn household(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(places: &Arc<Places>, address: &str) -> Result<Place, NoPlace> {
        places.take(Some(address.parse().unwrap()))
    }

    #[test]
    fn places_are_counted_in_all_and_by_address_and_come_back() {
        let places = Places::new(3, 2);
        let first = take(&places, "192.0.2.1").unwrap();
        let _second = take(&places, "192.0.2.1").unwrap();
        assert_eq!(take(&places, "192.0.2.1").unwrap_err(), NoPlace::Address);
        let _other = take(&places, "192.0.2.2").unwrap();
        assert_eq!(take(&places, "192.0.2.3").unwrap_err(), NoPlace::Total);
        drop(first);
        let _again = take(&places, "192.0.2.1").unwrap();
    }

    #[test]
    fn nothing_is_remembered_of_an_address_that_left() {
        let places = Places::new(10, 2);
        drop(take(&places, "192.0.2.1").unwrap());
        assert!(places.lock().by_address.is_empty());
        assert_eq!(places.lock().total, 0);
    }

    #[test]
    fn a_network_of_64_bits_is_one_address_and_so_is_an_ipv4_one_in_either_spelling() {
        let places = Places::new(10, 1);
        let _first = take(&places, "2001:db8:1:2::1").unwrap();
        assert_eq!(take(&places, "2001:db8:1:2:ffff::9").unwrap_err(), NoPlace::Address);
        let _second = take(&places, "2001:db8:1:3::1").unwrap();
        let _third = take(&places, "192.0.2.1").unwrap();
        assert_eq!(take(&places, "::ffff:192.0.2.1").unwrap_err(), NoPlace::Address);
    }

    #[test]
    fn whoever_has_no_address_counts_only_in_all() {
        let places = Places::new(2, 1);
        let _taken = (places.take(None).unwrap(), places.take(None).unwrap());
        assert_eq!(places.take(None).unwrap_err(), NoPlace::Total);
    }
}
