//! The probe on the real kernel: which interfaces it finds, what it sees there, and that it leaves nothing behind.

use std::time::Duration;

use observer::attempt::{AttemptId, Direction, Hook, Observation, Place, Seen, Segment, Sighting};
use observer::probe::attach::Mode;
use observer::probe::kernel_log::Level;
use observer::probe::load::Sizes;
use observer::probe::{Options, Probe};
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

/// Whoever sweeps before listening hears of the points first.
#[test]
fn a_sweep_overtakes_nothing() {
    let Some(lab) = lab(Topology::Routed) else { return };
    lab.rule(Chain::Enforce, "tcp dport 8080 drop").expect("a rule");
    lab.node().enter(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let mut probe = Probe::start(options(Mode::Auto)).expect("a probe");
            let (cart, api) = (lab.pod("shop/cart"), lab.pod("shop/api"));
            dial(cart.netns(), api.at(Family::V4, 8080), Duration::from_millis(50));
            let swept = probe.sweep();
            assert!(
                matches!(swept[..2], [Observation::Point(_), Observation::Point(_)]),
                "{swept:?}"
            );
            assert!(sightings(&swept).any(|seen| seen.what == Seen::Pending), "{swept:?}");
            assert!(matches!(swept.last(), Some(Observation::Swept { .. })));
        });
    });
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

#[test]
fn the_listener_behind_an_interface_is_read() {
    let Some(lab) = lab(Topology::Routed) else { return };
    let api = lab.pod("shop/api");
    let _full = Listener::full(api.netns(), 8080).expect("a listener");
    let _roomy = Listener::accepting(api.netns(), 8081).expect("a listener");
    watch(lab.node(), options(Mode::Auto), async |probe| {
        let points = probe.points();
        let point = points.iter().find(|point| &*point.name == api.link()).expect("a point");
        for (nth, (port, expect)) in [(8080, Some(true)), (8081, Some(false)), (8082, None)]
            .into_iter()
            .enumerate()
        {
            for family in Family::ALL {
                let id = AttemptId {
                    first: 1,
                    isn: u32::from(port),
                    nth: nth as u32,
                };
                probe.seen.clear();
                probe.probe.read_listener(id, point.ifindex, api.at(family, port));
                probe
                    .until("the listener", |watch| listener(&watch.seen, id).is_some())
                    .await;
                let found = listener(&probe.seen, id).expect("told");
                assert_eq!(
                    found.map(|found| found.queue > found.limit),
                    expect,
                    "{port} {family:?}"
                );
            }
        }
    });
}

fn listener(seen: &[Observation], wanted: AttemptId) -> Option<Option<observer::attempt::Listener>> {
    seen.iter().find_map(|observation| match observation {
        Observation::Listener { id, listener } if *id == wanted => Some(*listener),
        _ => None,
    })
}

#[test]
fn what_is_lost_is_told() {
    let Some(lab) = lab(Topology::Routed) else { return };
    let (cart, api) = (lab.pod("shop/cart"), lab.pod("shop/api"));
    lab.rule(Chain::Enforce, "tcp dport 8080 drop").expect("a rule");
    let options = Options {
        sizes: Sizes {
            share: 1,
            ..Sizes::default()
        },
        ..Options::default()
    };
    watch(lab.node(), options, async |probe| {
        for _ in 0..2 {
            dial(cart.netns(), api.at(Family::V4, 8080), Duration::from_millis(50));
        }
        let swept = probe.sweep();
        let lost = swept
            .iter()
            .position(|seen| matches!(seen, Observation::Lost { count: 1, .. }));
        assert_eq!(lost, Some(swept.len() - 2), "before Swept: {swept:?}");
    });
}

#[test]
fn debug_lines_pass_the_verifier() {
    let Some(lab) = lab(Topology::Routed) else { return };
    let options = Options {
        kernel_log: Level::Trace,
        ..Options::default()
    };
    watch(lab.node(), options, async |probe| {
        let dialled = dial(
            lab.pod("shop/cart").netns(),
            lab.pod("shop/api").at(Family::V4, 9),
            PATIENCE,
        );
        probe
            .until("the reset", |watch| {
                sightings(&watch.seen)
                    .any(|seen| seen.client == dialled.local && matches!(seen.what, Seen::Reset { .. }))
            })
            .await;
    });
}
