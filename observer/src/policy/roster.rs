//! The pods as they are now, in one table: found by the very object that a question carries, without reading its name.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::FixedState;

use super::space::Selection;
use super::terms::Term;
use crate::objects::Pod;
use crate::time::Time;

/// Where a pod is in a [`Roster`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Place(u32);

/// All pods of all namespaces.
#[derive(Debug, Default)]
pub(super) struct Roster {
    /// Grows to the most pods that ever were at once; [`Self::free`] are empty.
    places: Vec<Option<Indexed>>,
    free: Vec<Place>,
    /// Address of a pod's object → its place. The table holds the object, so the address is no other's for as long as the
    /// entry is there; both are written and deleted together. The addresses are ours, so nobody can make them collide.
    by_object: HashMap<usize, Place, FixedState>,
}

/// A pod as it is now.
#[derive(Debug)]
pub(super) struct Indexed {
    pub(super) pod: Arc<Pod>,
    pub(super) labels: Box<[Term]>,
    pub(super) selection: Selection,
    /// Since when labels and selection are so.
    pub(super) since: Time,
    pub(super) namespace: Arc<Surroundings>,
}

/// What a namespace is to its pods.
#[derive(Debug, Default)]
pub(super) struct Surroundings {
    /// The namespace's labels as they are now, the built-in one included.
    pub(super) labels: Box<[Term]>,
    /// Since when they are.
    pub(super) since: Time,
}

impl Indexed {
    /// Whether it is the same pod with the same labels.
    pub(super) fn is(&self, pod: &Pod) -> bool {
        std::ptr::eq(&*self.pod, pod) || (self.pod.uid == pod.uid && self.pod.labels == pod.labels)
    }
}

impl Roster {
    /// The pod of this very object.
    pub(super) fn of(&self, pod: &Pod) -> Option<&Indexed> {
        self.get(*self.by_object.get(&address(pod))?)
    }

    pub(super) fn get(&self, place: Place) -> Option<&Indexed> {
        self.places.get(place.0 as usize)?.as_ref()
    }

    /// Everything of a pod but its object, which [`Self::replace`] changes.
    pub(super) fn get_mut(&mut self, place: Place) -> Option<&mut Indexed> {
        self.places.get_mut(place.0 as usize)?.as_mut()
    }

    pub(super) fn insert(&mut self, indexed: Indexed) -> Place {
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push(None);
            Place(u32::try_from(self.places.len() - 1).expect("fewer than four billion pods fit in memory"))
        });
        self.by_object.insert(address(&indexed.pod), place);
        self.places[place.0 as usize] = Some(indexed);
        place
    }

    pub(super) fn remove(&mut self, place: Place) {
        let removed = self.places.get_mut(place.0 as usize).and_then(Option::take);
        if let Some(removed) = removed {
            self.by_object.remove(&address(&removed.pod));
            self.free.push(place);
        }
    }

    /// The newest copy of a pod, so that it is known again without comparing labels.
    pub(super) fn replace(&mut self, place: Place, pod: &Arc<Pod>) {
        if let Some(indexed) = self.places.get_mut(place.0 as usize).and_then(Option::as_mut) {
            self.by_object.remove(&address(&indexed.pod));
            self.by_object.insert(address(pod), place);
            indexed.pod = pod.clone();
        }
    }
}

fn address(pod: &Pod) -> usize {
    std::ptr::from_ref(pod).addr()
}
