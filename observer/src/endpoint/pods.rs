//! Pods by name, by node and by address, each with its history.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use crate::objects::{Name, Pod, Str, Versioned, Workload};
use crate::time::Time;

/// One version of a pod owned an address from `from` until `until`.
#[derive(Debug)]
struct Claim {
    pod: Arc<Pod>,
    from: Time,
    /// `None` while it lasts. Equal to `from` for a pod that had ended before it was first seen.
    until: Option<Time>,
}

impl Claim {
    fn holds(&self, at: Time) -> bool {
        self.from <= at && self.until.is_none_or(|until| at < until)
    }
}

/// Who owned an address at a time.
#[derive(Debug)]
pub(super) enum Owner<'a> {
    /// This pod.
    Pod(&'a Arc<Pod>),
    /// Several at once.
    Several(Vec<Arc<Pod>>),
    /// Nobody; this pod was the last one that did, until then.
    Former(&'a Arc<Pod>, Time),
    /// Nobody, ever.
    Nobody,
}

/// All pods.
#[derive(Debug, Default)]
pub(super) struct Pods {
    /// Every pod by name. Written by `set` and `remove`, deleted by `prune`.
    pub(super) by_name: Versioned<Name, Arc<Pod>>,
    /// Who claims an address, in order of `from`. Written by `set` and `remove`; `prune` deletes claims that ended. Ordered
    /// by address, so that a range can be asked for.
    owners: BTreeMap<IpAddr, Vec<Claim>>,
    /// Names of the pods that are or were on a node; `prune` deletes those that are gone. What they were at a time is asked of `by_name`.
    by_node: HashMap<Str, HashSet<Name>>,
    /// Names of the pods that are or were in a namespace, each once, as `by_node`.
    by_namespace: HashMap<Str, Vec<Name>>,
    /// Names of the pods that a workload of a namespace has or had, each once, as `by_node`.
    by_workload: HashMap<(Str, Workload), Vec<Name>>,
    /// Names of hostNetwork pods by the address that they share, as `by_node`.
    host_by_address: HashMap<IpAddr, HashSet<Name>>,
}

/// Whether a pod owns its addresses: hostNetwork pods share the node's, completed ones gave theirs back although
/// `status.podIP` keeps it. Terminating pods still do.
fn owns(pod: &Pod) -> bool {
    !pod.host_network && !pod.phase.is_over()
}

impl Pods {
    /// Some pod is or was known.
    pub(super) fn any(&self) -> bool {
        !self.by_namespace.is_empty()
    }

    /// A pod is now like this. Another uid under the same name is another pod: the first one's deletion was not told.
    pub(super) fn set(&mut self, pod: &Arc<Pod>, at: Time) {
        let known = !self.by_name.history(&pod.name).is_empty();
        let before = self.by_name.latest(&pod.name).cloned();
        if before.as_ref().is_some_and(|before| before == pod) {
            return;
        }
        let had_workload = before.as_ref().is_some_and(|before| before.workload == pod.workload);
        let same = before.filter(|before| before.uid == pod.uid);
        // A pod that ended gave its addresses back then, which is before we were told.
        let until = pod.ended.filter(|_| same.is_some()).unwrap_or(at).min(at);
        self.release(&pod.name, until);
        for &address in &pod.addresses {
            self.claim(address, pod, same.as_deref(), at);
        }
        if let Some(node) = &pod.node {
            self.by_node.entry(node.clone()).or_default().insert(pod.name.clone());
        }
        if !known {
            self.by_namespace
                .entry(pod.name.namespace.clone())
                .or_default()
                .push(pod.name.clone());
        }
        if let Some(workload) = pod.workload.clone().filter(|_| !had_workload) {
            let key = (pod.name.namespace.clone(), workload);
            let names = self.by_workload.entry(key).or_default();
            // One that came back may have been there.
            if !known || !names.contains(&pod.name) {
                names.push(pod.name.clone());
            }
        }
        if pod.host_network {
            for &address in &pod.addresses {
                self.host_by_address
                    .entry(address)
                    .or_default()
                    .insert(pod.name.clone());
            }
        }
        self.by_name.set(pod.name.clone(), pod.clone(), at);
    }

    fn claim(&mut self, address: IpAddr, pod: &Arc<Pod>, same: Option<&Pod>, at: Time) {
        if pod.host_network {
            return;
        }
        // Nearly always one.
        let claims = self.owners.entry(address).or_insert_with(|| Vec::with_capacity(1));
        let had_it = same.is_some_and(|same| owns(same) && same.addresses.contains(&address));
        if !owns(pod) {
            if !had_it {
                let ended = pod.ended.unwrap_or(at).min(at);
                claims.push(Claim {
                    pod: pod.clone(),
                    from: ended,
                    until: Some(ended),
                });
            } else if let Some(last) = claims.iter_mut().rev().find(|c| c.pod.uid == pod.uid) {
                // So that the former owner is told as it ended.
                last.pod = pod.clone();
            }
            return;
        }
        // We hear of an address after it was given. A new pod had it since it was created, unless others had it then.
        let from = match (had_it, pod.created) {
            (false, Some(created)) => claims
                .iter()
                .filter_map(|claim| claim.until)
                .fold(created, Time::max)
                .min(at),
            _ => at,
        };
        claims.push(Claim {
            pod: pod.clone(),
            from,
            until: None,
        });
    }

    fn release(&mut self, name: &Name, until: Time) {
        let Some(pod) = self.by_name.latest(name) else {
            return;
        };
        for address in &pod.addresses {
            for claim in self.owners.get_mut(address).into_iter().flatten() {
                if claim.until.is_none() && claim.pod.name == *name {
                    claim.until = Some(until.max(claim.from));
                }
            }
        }
    }

    /// The pod is gone.
    pub(super) fn remove(&mut self, name: &Name, at: Time) {
        self.release(name, at);
        self.by_name.remove(name.clone(), at);
    }

    /// Who owned `address`. Of several claims, one that is not terminating wins over those that are: an address is given again
    /// only after the old pod's network is gone, while its object may linger.
    pub(super) fn owner(&self, address: IpAddr, at: Time) -> Owner<'_> {
        let Some(claims) = self.owners.get(&address) else {
            return Owner::Nobody;
        };
        let mut holding = claims.iter().filter(|claim| claim.holds(at));
        let Some(first) = holding.next() else {
            return claims
                .iter()
                .filter_map(|claim| claim.until.map(|until| (until, claim)))
                .filter(|(until, _)| *until <= at)
                .max_by_key(|(until, _)| *until)
                .map_or(Owner::Nobody, |(until, claim)| Owner::Former(&claim.pod, until));
        };
        let rest: Vec<_> = holding.collect();
        if rest.is_empty() {
            return Owner::Pod(&first.pod);
        }
        let all = || std::iter::once(first).chain(rest.iter().copied());
        let mut staying = all().filter(|claim| claim.pod.terminating.is_none());
        match (staying.next(), staying.next()) {
            (Some(only), None) => Owner::Pod(&only.pod),
            _ => Owner::Several(all().map(|claim| claim.pod.clone()).collect()),
        }
    }

    /// Whether a pod owned an address from `first` to `last` at `at`.
    pub(super) fn any_between(&self, first: IpAddr, last: IpAddr, at: Time) -> bool {
        self.owners
            .range(first..=last)
            .any(|(_, claims)| claims.iter().any(|claim| claim.holds(at)))
    }

    /// The pod of that name.
    pub(super) fn at(&self, name: &Name, at: Time) -> Option<&Arc<Pod>> {
        self.by_name.at(name, at)
    }

    /// The names of all pods that are or were in `namespace`.
    pub(super) fn names_in(&self, namespace: &str) -> &[Name] {
        self.by_namespace.get(namespace).map_or(&[], Vec::as_slice)
    }

    /// The pods of a workload, completed ones too.
    pub(super) fn of_workload<'a>(
        &'a self,
        namespace: &Str,
        workload: &'a Workload,
        at: Time,
    ) -> impl Iterator<Item = &'a Arc<Pod>> + use<'a> {
        self.by_workload
            .get(&(namespace.clone(), workload.clone()))
            .into_iter()
            .flatten()
            .filter_map(move |name| self.by_name.at(name, at))
            .filter(move |pod| pod.workload.as_ref() == Some(workload))
    }

    /// The newest version of the pod of that name.
    pub(super) fn latest(&self, name: &Name) -> Option<&Arc<Pod>> {
        self.by_name.latest(name)
    }

    /// Whether a pod of that name exists or did.
    pub(super) fn knows(&self, name: &Name) -> bool {
        !self.by_name.history(name).is_empty()
    }

    /// The pods of `node` that have not ended, by name.
    pub(super) fn on_node(&self, node: &str, at: Time) -> Vec<Arc<Pod>> {
        let mut pods: Vec<_> = self
            .by_node
            .get(node)
            .into_iter()
            .flatten()
            .filter_map(|name| self.by_name.at(name, at))
            .filter(|pod| pod.node.as_deref() == Some(node) && !pod.phase.is_over())
            .cloned()
            .collect();
        pods.sort_by(|a, b| a.name.cmp(&b.name));
        pods
    }

    /// hostNetwork pods that share `address`, which have not ended.
    pub(super) fn host_at(&self, address: IpAddr, at: Time) -> Vec<Arc<Pod>> {
        self.host_by_address
            .get(&address)
            .into_iter()
            .flatten()
            .filter_map(|name| self.by_name.at(name, at))
            .filter(|pod| pod.host_network && !pod.phase.is_over() && pod.addresses.contains(&address))
            .cloned()
            .collect()
    }

    pub(super) fn prune(&mut self, before: Time) {
        self.by_name.prune(before);
        let by_name = &self.by_name;
        let exists = |name: &Name| !by_name.history(name).is_empty();
        self.owners.retain(|_, claims| {
            claims.retain(|claim| {
                claim.until.is_none_or(|until| until >= before)
                    || by_name
                        .latest(&claim.pod.name)
                        .is_some_and(|pod| *pod == claim.pod && pod.phase.is_over())
            });
            claims.shrink_to_fit();
            !claims.is_empty()
        });
        self.by_namespace.retain(|_, names| {
            names.retain(exists);
            !names.is_empty()
        });
        self.by_workload.retain(|_, names| {
            names.retain(exists);
            !names.is_empty()
        });
        self.by_node.retain(|_, names| {
            names.retain(exists);
            !names.is_empty()
        });
        self.host_by_address.retain(|_, names| {
            names.retain(exists);
            !names.is_empty()
        });
    }
}
