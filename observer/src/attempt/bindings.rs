//! Which addresses live behind which observed interface, and what absence there proves.

use std::collections::HashMap;
use std::net::IpAddr;

use super::types::{Hook, Point};
use crate::objects::Str;
use crate::time::Time;

/// A pod has few addresses. An interface that shows more sources than this forwards for others (a gateway pod): what is
/// seen there says nothing about whose an address is.
const MAX_LEARNT: usize = 8;

/// The observed interfaces and their addresses.
#[derive(Default)]
pub(super) struct Bindings {
    /// Interface index → what is known of it. Written by the probe's points, removed when they go: as many as there are
    /// interfaces.
    points: HashMap<u32, Known>,
    /// Address → interfaces that the probe says it is routed to.
    told: HashMap<IpAddr, Vec<u32>>,
    /// Address → interfaces whose pod was seen to use it: at most [`MAX_LEARNT`] for each interface.
    learnt: HashMap<IpAddr, Vec<u32>>,
}

struct Known {
    point: Point,
    learnt: Vec<IpAddr>,
    forwards: bool,
    seen_to_pod: bool,
    /// An answer from beyond this node's own stack was seen on its way to the pod.
    seen_answer: bool,
}

impl Bindings {
    /// Takes what the probe says of an interface, new or changed.
    pub(super) fn set(&mut self, mut point: Point) {
        point.addresses.sort_unstable();
        point.addresses.dedup();
        let index = point.ifindex;
        if let Some(known) = self.points.get(&index) {
            remove(&mut self.told, &known.point.addresses, index);
        }
        for address in &point.addresses {
            self.told.entry(*address).or_default().push(index);
        }
        match self.points.get_mut(&index) {
            Some(known) => known.point = point,
            None => {
                self.points.insert(
                    index,
                    Known {
                        point,
                        learnt: Vec::new(),
                        forwards: false,
                        seen_to_pod: false,
                        seen_answer: false,
                    },
                );
            }
        }
    }

    /// Forgets an interface.
    pub(super) fn gone(&mut self, index: u32) {
        if let Some(known) = self.points.remove(&index) {
            remove(&mut self.told, &known.point.addresses, index);
            remove(&mut self.learnt, &known.learnt, index);
        }
    }

    /// The pod behind this interface used `address` as its own: it sent a SYN from it, or answered one with it.
    pub(super) fn learn(&mut self, index: u32, address: IpAddr) {
        let Some(known) = self.points.get_mut(&index) else {
            return;
        };
        if known.forwards || known.learnt.contains(&address) {
            return;
        }
        if known.learnt.len() == MAX_LEARNT {
            known.forwards = true;
            let learnt = std::mem::take(&mut known.learnt);
            remove(&mut self.learnt, &learnt, index);
            return;
        }
        known.learnt.push(address);
        self.learnt.entry(address).or_default().push(index);
    }

    /// A packet to the pod was seen here, so the hook works.
    pub(super) fn saw_to_pod(&mut self, index: u32) {
        if let Some(known) = self.points.get_mut(&index) {
            known.seen_to_pod = true;
        }
    }

    /// A SYN-ACK from beyond this node's own stack was seen on its way to the pod: whatever others run here, they do not lead
    /// answers past the hook.
    pub(super) fn saw_answer(&mut self, index: u32) {
        if let Some(known) = self.points.get_mut(&index) {
            known.seen_answer = true;
        }
    }

    /// Whether the pod behind this interface owns `address`. What the probe says wins over what was learnt, and an address
    /// learnt at two interfaces belongs to neither.
    pub(super) fn bound(&self, index: u32, address: IpAddr) -> bool {
        match self.told.get(&address) {
            Some(told) => told.contains(&index),
            None => self
                .learnt
                .get(&address)
                .is_some_and(|learnt| learnt.as_slice() == [index]),
        }
    }

    /// Whether the pod behind this interface sent from `address`, as far as is known: bound to it, or nothing is known of
    /// this interface and nobody else has the address.
    pub(super) fn may_own(&self, index: u32, address: IpAddr) -> bool {
        if self.bound(index, address) {
            return true;
        }
        let unknown = self
            .points
            .get(&index)
            .is_some_and(|known| known.point.addresses.is_empty() && known.learnt.is_empty() && !known.forwards);
        unknown && self.owners(address).is_empty()
    }

    /// What absence proves of packets to `address`, the first of which was sent at `first`; `None` where it is bound to no
    /// observed interface.
    pub(super) fn hook(&self, address: IpAddr, first: Time) -> Option<Hook> {
        let owners = self.owners(address);
        owners
            .iter()
            .filter_map(|index| self.points.get(index))
            .filter(|known| self.bound(known.point.ifindex, address))
            .map(|known| match known.point.to_pod {
                // It may have passed before we came.
                _ if first < known.point.since => Hook::Blind,
                Hook::Assumed if known.seen_to_pod && !known.point.bypassed => Hook::Proven,
                hook => hook,
            })
            .min()
    }

    /// Whether answers to a SYN that left the pod behind this interface at `first` may reach it unseen.
    pub(super) fn hides_answers(&self, index: u32, first: Time) -> bool {
        let blind = |known: &Known| {
            !known.seen_answer && (known.point.bypassed || known.point.to_pod == Hook::Blind && !known.seen_to_pod)
        };
        self.points
            .get(&index)
            .is_some_and(|known| blind(known) || first < known.point.since)
    }

    /// Whether what left the pod behind this interface at `at` was seen.
    pub(super) fn attached(&self, index: u32, at: Time) -> bool {
        self.points.get(&index).is_some_and(|known| known.point.since <= at)
    }

    /// Whether foreign programs run on the to-pod side of this interface.
    pub(super) fn foreign(&self, index: u32) -> bool {
        self.points.get(&index).is_some_and(|known| known.point.foreign)
    }

    /// The interface's name now; a made-up one if the interface was not told of.
    pub(super) fn name(&self, index: u32) -> Str {
        match self.points.get(&index) {
            Some(known) => known.point.name.clone(),
            None => format!("if{index}").into(),
        }
    }

    fn owners(&self, address: IpAddr) -> &[u32] {
        self.told
            .get(&address)
            .or_else(|| self.learnt.get(&address))
            .map_or(&[], Vec::as_slice)
    }
}

fn remove(map: &mut HashMap<IpAddr, Vec<u32>>, addresses: &[IpAddr], index: u32) {
    for address in addresses {
        if let Some(indexes) = map.get_mut(address) {
            indexes.retain(|&other| other != index);
            if indexes.is_empty() {
                map.remove(address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    fn point(ifindex: u32, addresses: &[IpAddr], to_pod: Hook) -> Point {
        Point {
            ifindex,
            name: format!("veth{ifindex}").into(),
            since: Time(10),
            addresses: addresses.to_vec(),
            from_pod: Hook::Proven,
            to_pod,
            foreign: false,
            bypassed: false,
        }
    }

    #[test]
    fn what_the_probe_says_wins_over_what_was_learnt() {
        let mut bindings = Bindings::default();
        bindings.set(point(1, &[ip(1)], Hook::Proven));
        bindings.set(point(2, &[], Hook::Proven));
        bindings.learn(2, ip(1));
        assert!(bindings.bound(1, ip(1)));
        assert!(!bindings.bound(2, ip(1)));
        // The route moves to the other interface.
        bindings.set(point(1, &[], Hook::Proven));
        assert!(bindings.bound(2, ip(1)));
        bindings.gone(2);
        assert!(!bindings.bound(2, ip(1)));
        assert_eq!(bindings.hook(ip(1), Time(10)), None);
    }

    #[test]
    fn an_address_learnt_at_two_interfaces_belongs_to_neither() {
        let mut bindings = Bindings::default();
        bindings.set(point(1, &[], Hook::Proven));
        bindings.set(point(2, &[], Hook::Proven));
        bindings.learn(1, ip(1));
        assert_eq!(bindings.hook(ip(1), Time(10)), Some(Hook::Proven));
        bindings.learn(2, ip(1));
        assert_eq!(bindings.hook(ip(1), Time(10)), None);
        bindings.gone(2);
        assert!(bindings.bound(1, ip(1)));
    }

    #[test]
    fn an_interface_with_many_sources_forwards_and_owns_none_of_them() {
        let mut bindings = Bindings::default();
        bindings.set(point(1, &[ip(200)], Hook::Proven));
        for last in 0..=MAX_LEARNT {
            bindings.learn(1, ip(u8::try_from(last).expect("small")));
        }
        assert!(!bindings.bound(1, ip(0)));
        assert!(bindings.bound(1, ip(200)));
        bindings.learn(1, ip(0));
        assert!(!bindings.bound(1, ip(0)));
    }

    #[test]
    fn an_assumed_hook_is_proven_by_a_packet_and_a_blind_one_is_not() {
        let mut bindings = Bindings::default();
        bindings.set(point(1, &[ip(1)], Hook::Assumed));
        bindings.set(point(2, &[ip(2)], Hook::Blind));
        assert_eq!(bindings.hook(ip(1), Time(10)), Some(Hook::Assumed));
        bindings.saw_to_pod(1);
        bindings.saw_to_pod(2);
        assert_eq!(bindings.hook(ip(1), Time(10)), Some(Hook::Proven));
        assert_eq!(bindings.hook(ip(2), Time(10)), Some(Hook::Blind));
    }

    #[test]
    fn where_others_may_lead_packets_past_a_hook_one_packet_proves_nothing_of_the_next() {
        let mut bindings = Bindings::default();
        bindings.set(Point {
            bypassed: true,
            ..point(1, &[ip(1)], Hook::Assumed)
        });
        bindings.saw_to_pod(1);
        assert_eq!(bindings.hook(ip(1), Time(10)), Some(Hook::Assumed));
        assert!(bindings.hides_answers(1, Time(10)));
        // An answer that came from a pod or from outside shows that answers come by here.
        bindings.saw_answer(1);
        assert!(!bindings.hides_answers(1, Time(10)));
    }

    #[test]
    fn what_passed_before_we_were_attached_went_unseen() {
        let mut bindings = Bindings::default();
        bindings.set(point(1, &[ip(1)], Hook::Proven));
        assert_eq!(bindings.hook(ip(1), Time(9)), Some(Hook::Blind));
        assert_eq!(bindings.hook(ip(1), Time(10)), Some(Hook::Proven));
        assert!(bindings.hides_answers(1, Time(9)));
        assert!(!bindings.hides_answers(1, Time(10)));
        assert!(!bindings.attached(1, Time(9)));
        assert!(bindings.attached(1, Time(10)));
    }

    #[test]
    fn a_pod_of_which_nothing_is_known_may_own_what_nobody_has() {
        let mut bindings = Bindings::default();
        bindings.set(point(1, &[], Hook::Proven));
        bindings.set(point(2, &[ip(2)], Hook::Proven));
        assert!(bindings.may_own(1, ip(1)));
        assert!(!bindings.may_own(1, ip(2)));
        assert!(!bindings.may_own(2, ip(1)));
        assert!(!bindings.may_own(3, ip(1)));
    }
}
