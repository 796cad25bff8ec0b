//! A map of bounded size for what is remembered a while: the least recent goes first.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::time::Duration;

use crate::time::Time;

/// A map of bounded size that gives up the entry that was not touched for longest, nearly (a clock with one hand).
#[derive(Debug)]
pub(crate) struct Recent<K, V> {
    entries: HashMap<K, (V, Time)>,
    /// Every key once, with the time of its last touch when it was put here.
    hand: VecDeque<(Time, K)>,
    capacity: usize,
    given_up: u64,
}

impl<K: Clone + Eq + Hash, V: Default> Recent<K, V> {
    /// At most so many entries.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            entries: HashMap::new(),
            hand: VecDeque::new(),
            capacity: capacity.max(1),
            given_up: 0,
        }
    }

    /// What is remembered.
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(key).map(|(value, _)| value)
    }

    /// What is remembered, to be changed; it counts as untouched.
    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.entries.get_mut(key).map(|(value, _)| value)
    }

    /// The entry, made if need be, which was touched now.
    pub(crate) fn touch(&mut self, key: K, now: Time, keep: Duration) -> &mut V {
        if !self.entries.contains_key(&key) {
            self.expire(now, keep);
            while self.entries.len() >= self.capacity {
                self.give_up_one();
            }
            self.hand.push_back((now, key.clone()));
        }
        let entry = self.entries.entry(key).or_insert_with(|| (V::default(), now));
        entry.1 = entry.1.max(now);
        &mut entry.0
    }

    /// What is remembered, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.entries.iter().map(|(key, (value, _))| (key, value))
    }

    /// How many were given up because there was no room.
    pub(crate) fn given_up(&self) -> u64 {
        self.given_up
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    fn give_up_one(&mut self) {
        while let Some((at, key)) = self.hand.pop_front() {
            match self.entries.get(&key) {
                Some(&(_, touched)) if touched > at => self.hand.push_back((touched, key)),
                _ => {
                    self.entries.remove(&key);
                    self.given_up += 1;
                    return;
                }
            }
        }
    }

    /// Forgets what was not touched for longer than `keep`.
    pub(crate) fn expire(&mut self, now: Time, keep: Duration) {
        while let Some((at, _)) = self.hand.front() {
            if now.since(*at) <= keep {
                return;
            }
            let Some((_, key)) = self.hand.pop_front() else {
                return;
            };
            match self.entries.get(&key) {
                Some(&(_, touched)) if now.since(touched) <= keep => {
                    self.hand.push_back((touched, key));
                }
                _ => {
                    self.entries.remove(&key);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_full_memory_gives_up_what_was_not_touched_for_longest() {
        let mut recent: Recent<u32, u32> = Recent::new(2);
        *recent.touch(1, Time(1), SECOND) = 10;
        *recent.touch(2, Time(2), SECOND) = 20;
        recent.touch(1, Time(3), SECOND);
        *recent.touch(3, Time(4), SECOND) = 30;
        assert_eq!(recent.get(&1), Some(&10));
        assert_eq!(recent.get(&2), None);
        assert_eq!(recent.get(&3), Some(&30));
        assert_eq!(recent.given_up, 1);
        assert_eq!(recent.hand.len(), recent.entries.len());
    }

    #[test]
    fn what_is_old_goes_and_is_not_counted_as_given_up() {
        let mut recent: Recent<u32, u32> = Recent::new(8);
        recent.touch(1, Time(0), SECOND);
        recent.touch(2, Time(0), SECOND);
        recent.touch(2, Time(0) + SECOND, SECOND);
        recent.expire(Time(1) + SECOND, SECOND);
        assert_eq!(recent.get(&1), None);
        assert!(recent.get(&2).is_some());
        assert_eq!(recent.given_up, 0);
        assert_eq!(recent.hand.len(), 1);
    }
}
