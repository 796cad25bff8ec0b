//! The probe on the real kernel: which interfaces it finds, what it sees there, and that it leaves nothing behind.

use std::time::Duration;

use observer::attempt::{Direction, Hook, Observation, Place, Seen, Segment, Sighting};
use observer::probe::attach::Mode;
use observer_tests::lab::{Chain, Family, Lab, Listener, Topology, dial, kernel_tests, pod};
use observer_tests::watch::{Watch, options, watch};

const PATIENCE: Duration = Duration::from_secs(3);

fn lab(topology: Topology) -> Option<Lab> {
    kernel_tests().ok()?;
    let mut lab = Lab::new(topology).expect("a lab");
    lab.add_pod(pod("shop/cart")).expect("a pod");
    lab.add_pod(pod("shop/api")).expect("a pod");
    Some(lab)
}

fn sightings(seen: &[Observation]) -> impl Iterator<Item = &Sighting> {
    seen.iter().filter_map(|observation| match observation {
        Observation::Sighting(sighting) => Some(sighting),
        _ => None,
    })
}

#[test]
fn pods_are_observed_and_the_uplink_is_not() {
    for topology in [Topology::Routed, Topology::PointToPoint, Topology::Bridge] {
        let Some(lab) = lab(topology) else { return };
        watch(lab.node(), options(Mode::Auto), async |probe| {
            let coverage = probe.coverage();
            let names: Vec<&str> = coverage.interfaces.iter().map(|link| link.name.as_str()).collect();
            assert_eq!(names, ["veth2", "veth3"], "{topology:?}");
            assert_eq!(coverage.not_observed.len(), 1);
            assert_eq!(coverage.not_observed[0].name, "eth0");
            assert_eq!(coverage.degraded, [], "{topology:?}");
        });
    }
}

/// Every address of a pod is bound to its interface, by its route or by neighbour and forwarding entries.
#[test]
fn points_have_the_addresses_behind_them() {
    for topology in [Topology::Routed, Topology::PointToPoint, Topology::Bridge] {
        let Some(lab) = lab(topology) else { return };
        let api = lab.pod("shop/api");
        watch(lab.node(), options(Mode::Auto), async |probe| {
            for family in Family::ALL {
                // On a bridge the node learns who is where when somebody speaks.
                dial(lab.node(), api.at(family, 1), PATIENCE);
                probe
                    .until("its address at its interface", |watch| {
                        watch
                            .points()
                            .iter()
                            .any(|point| &*point.name == api.link() && point.addresses.contains(&api.ip(family)))
                    })
                    .await;
            }
        });
    }
}

#[test]
fn a_connection_is_seen_at_both_ends() {
    let Some(lab) = lab(Topology::Routed) else { return };
    let (cart, api) = (lab.pod("shop/cart"), lab.pod("shop/api"));
    let _listener = Listener::accepting(api.netns(), 8080).expect("a listener");
    for family in Family::ALL {
        watch(lab.node(), options(Mode::Auto), async |probe| {
            let connection = dial(cart.netns(), api.at(family, 8080), PATIENCE);
            assert_eq!(connection.errno(), None);
            let answered = |watch: &Watch, direction| {
                sightings(&watch.seen).any(|seen| {
                    (seen.what, seen.direction, seen.client, seen.server)
                        == (Seen::Answered, direction, connection.local, connection.peer)
                })
            };
            probe
                .until("an answer at both points", |watch| {
                    answered(watch, Direction::FromPod) && answered(watch, Direction::ToPod)
                })
                .await;
            for link in [cart.link(), api.link()] {
                let points = probe.points();
                let point = points.iter().find(|point| &*point.name == link).expect("a point");
                assert_eq!((point.from_pod, point.to_pod), (Hook::Proven, Hook::Proven), "{link}");
            }
        });
    }
}

#[test]
fn a_dropped_syn_is_pending_and_its_drop_is_told() {
    let Some(lab) = lab(Topology::Routed) else { return };
    let (cart, api) = (lab.pod("shop/cart"), lab.pod("shop/api"));
    lab.rule(Chain::Enforce, "tcp dport 8080 drop").expect("a rule");
    for family in Family::ALL {
        watch(lab.node(), options(Mode::Auto), async |probe| {
            let connection = dial(cart.netns(), api.at(family, 8080), Duration::from_millis(300));
            assert!(connection.result.is_err());
            let swept = probe.sweep();
            let pending: Vec<&Sighting> = sightings(&swept)
                .filter(|seen| seen.what == Seen::Pending && seen.client == connection.local)
                .collect();
            assert_eq!(pending.len(), 1, "{swept:?}");
            assert_eq!(pending[0].direction, Direction::FromPod);
            assert_eq!(pending[0].pending.map(|pending| pending.syns), Some(1));
            assert!(matches!(swept.last(), Some(Observation::Swept { at }) if *at > pending[0].at));
            assert!(
                swept.iter().chain(&probe.seen).any(|observation| matches!(
                    observation,
                    Observation::Drop(drop) if drop.client == connection.local
                        && drop.server == connection.peer
                        && drop.place == Place::Node
                        && drop.segment == Segment::Syn
                        && drop.isn == pending[0].isn
                        && drop.reason.as_deref() == Some("NETFILTER_DROP")
                        && drop.function.is_some()
                )),
                "{swept:?} {:?}",
                probe.seen
            );
            // What was told is not told again.
            let again = probe.sweep();
            assert_eq!(sightings(&again).count(), 0, "{again:?}");
        });
    }
}

#[test]
fn a_drop_inside_the_pod_is_the_pods() {
    let Some(lab) = lab(Topology::Routed) else { return };
    let (cart, api) = (lab.pod("shop/cart"), lab.pod("shop/api"));
    cart.rule("output", "tcp dport 8080 drop").expect("a rule");
    watch(lab.node(), options(Mode::Auto), async |probe| {
        let connection = dial(cart.netns(), api.at(Family::V4, 8080), Duration::from_millis(300));
        assert!(connection.result.is_err());
        let points = probe.points();
        let point = points
            .iter()
            .find(|point| &*point.name == cart.link())
            .expect("a point");
        let expected = Place::Pod { ifindex: point.ifindex };
        probe
            .until("the drop in the pod's namespace", |watch| {
                watch.seen.iter().any(|observation| {
                    matches!(observation, Observation::Drop(drop)
                        if drop.server == connection.peer && drop.place == expected)
                })
            })
            .await;
    });
}
