//! Keeps what is attached in line with the links that are there: pods come and go, get other addresses, and others attach
//! programs beside ours.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;

use aya::Ebpf;
use aya::maps::{MapData, MapError};

use super::attach::{AttachError, Attacher, Attachment};
use super::convert::{Clock, Converter, monotonic};
use super::coverage::{Attached, Code, Coverage, Degraded, Foreign, NotObserved};
use super::filters::{self, Side};
use super::hooks::{Facts, Judged};
use super::inventory::{Changed, Inventory};
use super::links::{Choice, Patterns, choose};
use super::netlink::{Answer, Changes, Requests};
use super::netns::{self, Netns};
use super::sweep::Table;
use super::{Error, with_causes};
use crate::attempt::{Observation, Point};
use crate::endpoint::OwnNode;
use crate::objects::Str;

/// Every so many ticks is looked for TCX programs of others, for namespaces that were not found, and tried again what failed.
const SELDOM: u64 = 5;

/// So long after it appeared an interface's namespace is looked for at every change, in nanoseconds.
const YOUNG: u64 = 10_000_000_000;

/// An interface that is observed.
#[derive(Debug)]
pub(super) struct Observed {
    /// What was told of it last.
    pub(super) point: Point,
    /// The namespace behind it, if it was found.
    pub(super) netns: Option<Netns>,
    attachment: Attachment,
    peer_netns: Option<i32>,
    xdp: bool,
    facts: Facts,
    /// Monotonic nanoseconds.
    since: u64,
}

impl Observed {
    /// Packets passed these hooks; what that changes.
    pub(super) fn passed(&mut self, passed: [bool; 2]) -> Option<Point> {
        let seen = &mut self.facts.seen;
        let before = *seen;
        seen[0] |= passed[0];
        seen[1] |= passed[1];
        (*seen != before).then(|| self.judge()).flatten()
    }

    /// Its namespace is not found yet, and may be a moment later: a container runtime makes the link first.
    fn is_young_stranger(&self) -> bool {
        self.netns.is_none() && monotonic().saturating_sub(self.since) < YOUNG
    }

    /// Judges the hooks again; the point, if that changed it.
    fn judge(&mut self) -> Option<Point> {
        let Judged {
            from_pod,
            to_pod,
            foreign,
            bypassed,
            ..
        } = self.facts.judge();
        let new = Point {
            from_pod,
            to_pod,
            foreign,
            bypassed,
            ..self.point.clone()
        };
        self.update(new)
    }

    fn update(&mut self, new: Point) -> Option<Point> {
        if new == self.point {
            return None;
        }
        self.point = new;
        Some(self.point.clone())
    }
}

/// The links of the node's namespace and what is attached to them.
pub(super) struct Follow {
    pub(super) inventory: Inventory,
    pub(super) requests: Requests,
    pub(super) attacher: Attacher,
    pub(super) patterns: Patterns,
    /// The kernel side's filter for drops.
    pub(super) namespaces: aya::maps::HashMap<MapData, u32, u8>,
    pub(super) node: Netns,
    pub(super) node_name: Option<Str>,
    pub(super) observed: BTreeMap<u32, Observed>,
    /// Links that could not be attached to.
    pub(super) failed: BTreeMap<u32, (Str, AttachError)>,
    pub(super) degraded: Vec<Degraded>,
    /// Notifications that could not be read.
    pub(super) unreadable: u64,
    pub(super) told_node: Option<OwnNode>,
    pub(super) told_coverage: Option<Coverage>,
}

impl Follow {
    /// Lets drops in the node's own namespace through.
    pub(super) fn admit_node(&mut self) -> Result<(), MapError> {
        self.namespaces.insert(self.node.inode, 1, 0)
    }

    /// Takes in what the kernel notified of.
    pub(super) fn hear(&mut self, changes: &mut Changes) -> io::Result<Changed> {
        let mut changed = Changed::default();
        let (inventory, unreadable) = (&mut self.inventory, &mut self.unreadable);
        let complete = changes.drain(|answer| match answer {
            Answer::Message(message) => changed.merge(inventory.apply(&message)),
            Answer::Unreadable => *unreadable += 1,
        })?;
        if !complete || changed.moved {
            self.inventory = Inventory::read(&mut self.requests)?;
            changed = Changed::everything();
        }
        Ok(changed)
    }

    /// Attaches to what is new, detaches from what is not to be observed any more, and brings points and namespaces up to date.
    pub(super) fn reconcile(
        &mut self,
        changed: Changed,
        ebpf: &mut Ebpf,
        table: &mut Table,
        converter: &mut Converter,
        seen: &mut Vec<Observation>,
    ) {
        let wanted: BTreeMap<u32, Choice> = choose(&self.inventory, &self.patterns)
            .into_iter()
            .filter(|choice| choice.excluded.is_none())
            .map(|choice| (choice.ifindex, choice))
            .collect();
        let gone: Vec<u32> = self
            .observed
            .keys()
            .filter(|ifindex| !wanted.contains_key(ifindex))
            .copied()
            .collect();
        for ifindex in gone {
            if let Some(observed) = self.observed.remove(&ifindex) {
                observed.attachment.detach(&mut self.requests);
                table.interface_gone(ifindex);
                seen.push(Observation::PointGone { ifindex });
            }
        }
        self.failed.retain(|ifindex, _| wanted.contains_key(ifindex));
        let mut new = Vec::new();
        let mut look = changed.filters;
        for choice in wanted.values() {
            if let Some(observed) = self.observed.get_mut(&choice.ifindex) {
                look |= observed.xdp != choice.xdp;
                observed.xdp = choice.xdp;
                if observed.peer_netns != choice.peer_netns {
                    observed.peer_netns = choice.peer_netns;
                    observed.netns = None;
                    observed.since = monotonic();
                }
            } else if self.attach(ebpf, choice, converter.clock) {
                table.interface_here(choice.ifindex);
                new.push(choice.ifindex);
            }
        }
        if look || !new.is_empty() {
            self.look_at_hooks();
        }
        // Each look reads all of /proc; after a while only now and then.
        if self.observed.values().any(Observed::is_young_stranger) || changed == Changed::everything() {
            self.find_namespaces();
        }
        self.admit_pods(converter);
        self.update_points(&wanted, &new, seen);
    }

    /// Looks for what the kernel does not notify of.
    pub(super) fn look_again(
        &mut self,
        tick: u64,
        ebpf: &mut Ebpf,
        table: &mut Table,
        converter: &mut Converter,
        seen: &mut Vec<Observation>,
    ) {
        for (&ifindex, observed) in &mut self.observed {
            if observed.facts.seen != [true; 2] {
                let passed = table.seen(ifindex).map(|at| at > observed.since);
                seen.extend(observed.passed(passed).map(Observation::Point));
            }
        }
        if tick.is_multiple_of(SELDOM) {
            self.attacher.forget_programs();
            self.reconcile(Changed::everything(), ebpf, table, converter, seen);
        } else if self.observed.values().any(Observed::is_young_stranger) {
            self.find_namespaces();
            self.admit_pods(converter);
        }
    }

    /// If something is wanted and nothing could be attached to, why.
    pub(super) fn check_attached(&self) -> Result<(), Error> {
        if self.observed.is_empty()
            && let Some((name, why)) = self.failed.values().next()
        {
            return Err(Error::Attach {
                name: name.to_string(),
                why: with_causes(why),
            });
        }
        Ok(())
    }

    /// Detaches from everything.
    pub(super) fn detach_all(&mut self) {
        for (_, observed) in std::mem::take(&mut self.observed) {
            observed.attachment.detach(&mut self.requests);
        }
    }

    /// The node's addresses, if they changed since the last call.
    pub(super) fn changed_node(&mut self) -> Option<OwnNode> {
        let node = OwnNode {
            name: self.node_name.clone().unwrap_or_default(),
            addresses: self.inventory.node_addresses().into_iter().collect(),
        };
        if self.told_node.as_ref() == Some(&node) {
            return None;
        }
        self.told_node = Some(node.clone());
        Some(node)
    }

    /// The coverage, if it changed since the last call.
    pub(super) fn changed_coverage(&mut self) -> Option<Coverage> {
        let coverage = self.coverage();
        if self.told_coverage.as_ref() == Some(&coverage) {
            return None;
        }
        self.told_coverage = Some(coverage.clone());
        Some(coverage)
    }

    /// What is observed, what is not, and why.
    pub(super) fn coverage(&self) -> Coverage {
        let interfaces = self.observed.values().map(|observed| {
            let [from_pod, to_pod] = observed.facts.judge().sides(&observed.facts);
            Attached {
                ifindex: observed.point.ifindex,
                name: observed.point.name.to_string(),
                how: observed.attachment.how(),
                from_pod,
                to_pod,
            }
        });
        let excluded = choose(&self.inventory, &self.patterns)
            .into_iter()
            .filter_map(|choice| {
                Some(NotObserved {
                    name: choice.name.to_string(),
                    why: choice.excluded?.to_string(),
                })
            });
        let failed = self.failed.values().map(|(name, error)| NotObserved {
            name: name.to_string(),
            why: with_causes(error),
        });
        let mut degraded = self.degraded.clone();
        degraded.extend(self.missing());
        Coverage {
            interfaces: interfaces.collect(),
            not_observed: excluded.chain(failed).collect(),
            degraded,
        }
    }

    fn missing(&self) -> Vec<Degraded> {
        let mut missing = Vec::new();
        if self.attacher.lacks_tcx() {
            missing.push(Degraded {
                code: Code::NoTcx,
                what: "this kernel has no TCX (it came with Linux 6.6); clsact filters are used".to_owned(),
                lost: "filters of others may run before ours, and ours stay if this process is killed".to_owned(),
                fix: "use Linux 6.6 or later; `observer status --clean` removes what was left".to_owned(),
            });
        }
        let unknown: Vec<&str> = self
            .observed
            .values()
            .filter(|observed| observed.netns.is_none())
            .map(|observed| &*observed.point.name)
            .collect();
        if !unknown.is_empty() {
            missing.push(Degraded {
                code: Code::NoNamespace,
                what: format!("the network namespaces behind {} cannot be found", unknown.join(", ")),
                lost: "attempts that die inside these pods, and their listening sockets".to_owned(),
                fix: "run in the host's process namespace (hostPID), or mount the host's /run/netns".to_owned(),
            });
        }
        if self.unreadable + self.inventory.unreadable() > 0 {
            missing.push(Degraded {
                code: Code::Unreadable,
                what: "some of the kernel's messages on network interfaces could not be read".to_owned(),
                lost: "an interface may be missing here".to_owned(),
                fix: "compare with `ip link`, and report it with the output of `uname -r`".to_owned(),
            });
        }
        missing
    }

    fn attach(&mut self, ebpf: &mut Ebpf, choice: &Choice, clock: Clock) -> bool {
        let since = monotonic();
        match self
            .attacher
            .attach(ebpf, &mut self.requests, choice.ifindex, &choice.name)
        {
            Ok(attachment) => {
                self.failed.remove(&choice.ifindex);
                let facts = Facts::default();
                let judged = facts.judge();
                let observed = Observed {
                    point: Point {
                        ifindex: choice.ifindex,
                        name: choice.name.clone(),
                        // Both hooks are attached now.
                        since: clock.now(),
                        addresses: Vec::new(),
                        from_pod: judged.from_pod,
                        to_pod: judged.to_pod,
                        foreign: judged.foreign,
                        bypassed: judged.bypassed,
                    },
                    netns: None,
                    attachment,
                    peer_netns: choice.peer_netns,
                    xdp: choice.xdp,
                    facts,
                    since,
                };
                self.observed.insert(choice.ifindex, observed);
                true
            }
            // The next notification tells.
            Err(AttachError::Gone) => false,
            Err(error) => {
                tracing::warn!(interface = %choice.name, error = with_causes(&error), "cannot attach");
                self.failed.insert(choice.ifindex, (choice.name.clone(), error));
                false
            }
        }
    }

    /// Who else runs on each interface.
    fn look_at_hooks(&mut self) {
        let with_filters = filters::interfaces(&mut self.requests).unwrap_or_else(|error| {
            tracing::warn!(%error, "cannot list queueing disciplines; looking for filters everywhere");
            self.observed.keys().copied().collect()
        });
        for (&ifindex, observed) in &mut self.observed {
            let how = observed.attachment.how();
            let mut others = |side| {
                self.attacher
                    .foreign(&mut self.requests, ifindex, side, how, with_filters.contains(&ifindex))
            };
            match (others(Side::Ingress), others(Side::Egress)) {
                (Ok(mut from_pod), Ok(to_pod)) => {
                    if observed.xdp {
                        from_pod.insert(0, xdp());
                    }
                    observed.facts.from_pod = from_pod;
                    observed.facts.to_pod = to_pod;
                }
                // It is going away; or it stays as it was known.
                (Err(error), _) | (_, Err(error)) => {
                    tracing::debug!(interface = %observed.point.name, %error, "cannot look at its hooks");
                }
            }
        }
    }

    /// Finds the namespaces behind interfaces.
    fn find_namespaces(&mut self) {
        let unknown: BTreeSet<i32> = self
            .observed
            .values()
            .filter(|observed| observed.netns.is_none())
            .filter_map(|observed| observed.peer_netns)
            .collect();
        if unknown.is_empty() {
            return;
        }
        let ids: Vec<i32> = unknown.into_iter().collect();
        let found = netns::behind(&ids, &mut self.requests);
        for observed in self.observed.values_mut().filter(|observed| observed.netns.is_none()) {
            observed.netns = observed.peer_netns.and_then(|id| found.get(&id).cloned());
        }
    }

    /// Lets the drops in the observed pods' namespaces through.
    fn admit_pods(&mut self, converter: &mut Converter) {
        let pods: HashMap<u32, u32> = self
            .observed
            .iter()
            .rev()
            .filter_map(|(&ifindex, observed)| Some((observed.netns.as_ref()?.inode, ifindex)))
            .collect();
        for inode in converter.pods.keys().filter(|inode| !pods.contains_key(inode)) {
            let _ = self.namespaces.remove(inode);
        }
        for inode in pods.keys().filter(|inode| !converter.pods.contains_key(inode)) {
            if let Err(error) = self.namespaces.insert(*inode, 1, 0) {
                tracing::warn!(%error, "drops in a pod's network namespace will not be seen");
            }
        }
        converter.pods = pods;
    }

    fn update_points(&mut self, wanted: &BTreeMap<u32, Choice>, new: &[u32], seen: &mut Vec<Observation>) {
        let mut behind = self.inventory.addresses_behind();
        for (ifindex, observed) in &mut self.observed {
            let Judged {
                from_pod,
                to_pod,
                foreign,
                bypassed,
                ..
            } = observed.facts.judge();
            let point = Point {
                ifindex: *ifindex,
                name: wanted
                    .get(ifindex)
                    .map_or_else(|| observed.point.name.clone(), |choice| choice.name.clone()),
                since: observed.point.since,
                addresses: behind.remove(ifindex).unwrap_or_default().into_iter().collect(),
                from_pod,
                to_pod,
                foreign,
                bypassed,
            };
            let changed = observed.update(point);
            let told = changed.or_else(|| new.contains(ifindex).then(|| observed.point.clone()));
            seen.extend(told.map(Observation::Point));
        }
    }
}

fn xdp() -> Foreign {
    Foreign {
        by: "xdp",
        name: String::new(),
        before: true,
    }
}
