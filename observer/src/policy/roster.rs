//! The pods as they are now, in one table: found by the very object that a question carries, without reading its name.
//!
//! ```text
//! object → Indexed ─┐
//! object → Indexed ─┼→ Profile (labels; which policies apply) → Surroundings (the namespace's labels)
//! object → Indexed ─┘
//! ```
//!
//! What pods of one namespace with the same labels have in common is kept once: it is what verdicts read, and fits a cache.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::FixedState;

use super::cluster_policies::Applying;
use super::space::Selection;
use super::terms::LabelSet;
use crate::objects::Pod;
use crate::time::Time;

/// Where a profile is in a [`Roster`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Place(u32);

/// Names a pod's object for as long as a [`Roster`] holds it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct Handle(usize);

/// All pods of all namespaces.
#[derive(Debug, Default)]
pub(super) struct Roster {
    /// Grows to the most profiles that ever were at once; [`Self::free`] are empty. Written and deleted by `Space`.
    profiles: Vec<Option<Profile>>,
    free: Vec<Place>,
    /// Address of a pod's object → the pod. The entry holds the object, so the address is no other's for as long as it is
    /// there. The addresses are ours, so nobody can make them collide.
    pods: HashMap<Handle, Indexed, FixedState>,
}

/// A pod as it is now.
#[derive(Debug)]
pub(super) struct Indexed {
    pub(super) pod: Arc<Pod>,
    /// As of the pod: told here without reading it.
    pub(super) host_network: bool,
    pub(super) profile: Place,
    /// Since when it has these labels.
    pub(super) since: Time,
}

/// What pods of one namespace with the same labels have in common.
#[derive(Debug)]
pub(super) struct Profile {
    pub(super) labels: LabelSet,
    pub(super) selection: Selection,
    pub(super) applying: Applying,
    /// Since when these policies apply.
    pub(super) since: Time,
    pub(super) namespace: Arc<Surroundings>,
    /// How many pods have it. Without any it is deleted.
    pub(super) pods: u32,
}

/// What a namespace is to its pods.
#[derive(Debug, Default)]
pub(super) struct Surroundings {
    /// The namespace's labels as they are now, the built-in one included.
    pub(super) labels: LabelSet,
    /// Since when they are.
    pub(super) since: Time,
}

impl Handle {
    fn of(pod: &Pod) -> Self {
        Self(std::ptr::from_ref(pod).addr())
    }
}

impl Indexed {
    /// Whether it is the same pod with the same labels.
    pub(super) fn is(&self, pod: &Pod) -> bool {
        let same = |own: &Pod| own.uid == pod.uid && own.labels == pod.labels && own.host_network == pod.host_network;
        std::ptr::eq(&*self.pod, pod) || same(&self.pod)
    }
}

impl Roster {
    /// The pod of this very object.
    pub(super) fn of(&self, pod: &Pod) -> Option<&Indexed> {
        self.get(Handle::of(pod))
    }

    pub(super) fn get(&self, pod: Handle) -> Option<&Indexed> {
        self.pods.get(&pod)
    }

    pub(super) fn profile(&self, place: Place) -> Option<&Profile> {
        self.profiles.get(place.0 as usize)?.as_ref()
    }

    pub(super) fn profile_mut(&mut self, place: Place) -> Option<&mut Profile> {
        self.profiles.get_mut(place.0 as usize)?.as_mut()
    }

    /// Every profile of every namespace.
    pub(super) fn profiles_mut(&mut self) -> impl Iterator<Item = &mut Profile> {
        self.profiles.iter_mut().flatten()
    }

    pub(super) fn insert_profile(&mut self, profile: Profile) -> Place {
        let place = self.free.pop().unwrap_or_else(|| {
            self.profiles.push(None);
            Place(u32::try_from(self.profiles.len() - 1).expect("fewer than four billion pods fit in memory"))
        });
        self.profiles[place.0 as usize] = Some(profile);
        place
    }

    /// A pod joins its profile.
    pub(super) fn insert(&mut self, pod: &Arc<Pod>, profile: Place, since: Time) -> Handle {
        if let Some(profile) = self.profile_mut(profile) {
            profile.pods += 1;
        }
        let handle = Handle::of(pod);
        let indexed = Indexed {
            pod: pod.clone(),
            host_network: pod.host_network,
            profile,
            since,
        };
        self.pods.insert(handle, indexed);
        handle
    }

    /// A pod leaves; its profile too where it was the last that had it.
    pub(super) fn remove(&mut self, pod: Handle) -> Option<Profile> {
        let place = self.pods.remove(&pod)?.profile;
        let profile = self.profiles.get_mut(place.0 as usize)?;
        let pods = &mut profile.as_mut()?.pods;
        *pods -= 1;
        if *pods > 0 {
            return None;
        }
        self.free.push(place);
        profile.take()
    }

    /// The newest copy of a pod, so that it is known again without comparing labels.
    pub(super) fn replace(&mut self, old: Handle, pod: &Arc<Pod>) -> Handle {
        let new = Handle::of(pod);
        if let Some(mut indexed) = self.pods.remove(&old) {
            indexed.pod = pod.clone();
            self.pods.insert(new, indexed);
        }
        new
    }
}
