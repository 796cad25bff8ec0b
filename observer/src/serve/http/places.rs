//! Places for connections: so many for one address, and so many for all.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Connections of one address at a time: the kubelet, or a Prometheus with several jobs.
const OF_ONE: usize = 8;

/// Connections at a time. The node's own count too, and are admitted beyond it.
const OF_ALL: usize = 64;

/// Who is connected how often. Copies share everything.
#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    /// Address → its connections. Written by [`Self::take`], deleted with its last [`Place`].
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// A connection's place, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Places,
    address: IpAddr,
}

impl Places {
    /// A place for a connection from `address`, which is `here` if it is this node's; `None` if there is none left for it.
    pub(super) fn take(&self, address: IpAddr, here: bool) -> Option<Place> {
        let address = address.to_canonical();
        let mut taken = self.taken();
        let full = !here && taken.values().sum::<usize>() >= OF_ALL;
        if full || taken.get(&address).is_some_and(|own| *own >= OF_ONE) {
            return None;
        }
        *taken.entry(address).or_default() += 1;
        let places = self.clone();
        Some(Place { places, address })
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        if let Some(own) = taken.get_mut(&self.address) {
            *own -= 1;
            if *own == 0 {
                taken.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: &str = "192.0.2.1";

    fn take(places: &Places, address: &str, count: usize) -> Vec<Place> {
        let ip = address.parse().expect("an address");
        (0..count).map_while(|_| places.take(ip, address == NODE)).collect()
    }

    #[test]
    fn one_address_takes_a_few_places_and_gives_them_back() {
        let places = Places::default();
        let mut greedy = take(&places, "10.0.0.1", 1000);
        assert_eq!(greedy.len(), OF_ONE);
        assert!(
            take(&places, "::ffff:10.0.0.1", 1).is_empty(),
            "the same in other words"
        );
        assert_eq!(take(&places, "10.0.0.2", 1).len(), 1);
        greedy.pop();
        greedy.extend(take(&places, "10.0.0.1", 1000));
        assert_eq!(greedy.len(), OF_ONE);
        drop(greedy);
        assert!(places.taken().is_empty());
    }

    #[test]
    fn all_the_others_together_do_not_keep_the_node_itself_out() {
        let places = Places::default();
        let others: Vec<Place> = (1..=200)
            .flat_map(|pod| take(&places, &format!("10.0.0.{pod}"), 1000))
            .collect();
        assert_eq!(others.len(), OF_ALL);
        assert!(take(&places, "10.0.1.1", 1).is_empty());
        assert_eq!(take(&places, NODE, 1000).len(), OF_ONE);
    }
}
