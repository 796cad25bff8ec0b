//! The probe follows what changes on the node: links, addresses, names.

use std::collections::BTreeSet;
use std::time::Duration;

use observer::attempt::{Observation, Point};
use observer::probe::attach::Mode;
use observer::probe::convert::Clock;
use observer::probe::{Options, Probe};
use observer_tests::lab::{Family, Lab, Topology, addresses, dial, kernel_tests, pod};
use observer_tests::watch::{Watch, in_namespace, options, watch};

fn lab() -> Option<Lab> {
    kernel_tests().ok()?;
    let mut lab = Lab::new(Topology::Routed).expect("a lab");
    lab.add_pod(pod("shop/cart")).expect("a pod");
    Some(lab)
}

fn names(watch: &Watch) -> Vec<String> {
    watch.points().iter().map(|point| point.name.to_string()).collect()
}

fn last_told<'a>(watch: &'a Watch, name: &str) -> Option<&'a Point> {
    watch.seen.iter().rev().find_map(|observation| match observation {
        Observation::Point(point) if &*point.name == name => Some(point),
        _ => None,
    })
}

#[test]
fn pods_come_and_go() {
    let Some(mut lab) = lab() else { return };
    for mode in [Mode::Tcx, Mode::Clsact] {
        let node = lab.node().name().to_owned();
        in_namespace(&node, options(mode), async |watch| {
            assert_eq!(names(watch), ["veth2"]);
            for round in 0..5 {
                let added = Clock::read().now();
                let link = lab.add_pod(pod("shop/api")).expect("a pod").link().to_owned();
                watch
                    .until("the new pod", |watch| last_told(watch, &link).is_some())
                    .await;
                let address = lab.pod("shop/api").ip(Family::V4);
                watch
                    .until("its address", |watch| {
                        last_told(watch, &link).is_some_and(|point| point.addresses.contains(&address))
                    })
                    .await;
                let index = last_told(watch, &link).expect("told").ifindex;
                let told = watch.seen.iter().filter_map(|observation| match observation {
                    Observation::Point(point) if point.ifindex == index => Some(point.since),
                    _ => None,
                });
                let since: BTreeSet<_> = told.collect();
                assert_eq!(since.len(), 1, "the time of attaching stays the same: {since:?}");
                assert!(since.iter().all(|since| (added..Clock::read().now()).contains(since)));
                // Seen at once: the programs are there.
                dial(
                    lab.pod("shop/api").netns(),
                    lab.pod("shop/cart").at(Family::V4, 9),
                    Duration::from_secs(1),
                );
                watch
                    .until("its SYN", |watch| {
                        watch
                            .seen
                            .iter()
                            .any(|seen| matches!(seen, Observation::Sighting(seen) if seen.client.ip() == address))
                    })
                    .await;
                let ifindex = last_told(watch, &link).map(|point| point.ifindex).expect("told");
                lab.remove_pod("shop/api").expect("it goes");
                watch
                    .until("its end", |watch| {
                        watch
                            .seen
                            .iter()
                            .any(|seen| matches!(seen, Observation::PointGone { ifindex: gone } if *gone == ifindex))
                    })
                    .await;
                assert_eq!(names(watch), ["veth2"], "round {round}");
                watch.seen.clear();
            }
            assert_eq!(watch.coverage().degraded, []);
        });
    }
}

#[test]
fn a_link_that_is_renamed_stays_observed() {
    let Some(lab) = lab() else { return };
    watch(lab.node(), options(Mode::Auto), async |watch| {
        let before = watch.points()[0].clone();
        lab.node().ip("link set veth2 name renamed").expect("a new name");
        watch
            .until("the new name", |watch| last_told(watch, "renamed").is_some())
            .await;
        assert_eq!(watch.points()[0].ifindex, before.ifindex);
        assert!(
            !watch
                .seen
                .iter()
                .any(|seen| matches!(seen, Observation::PointGone { .. }))
        );
    });
}

#[test]
fn a_link_that_becomes_an_uplink_is_let_go() {
    let Some(lab) = lab() else { return };
    watch(lab.node(), options(Mode::Auto), async |watch| {
        lab.node().ip("addr add 192.0.2.1/24 dev veth2").expect("an address");
        watch
            .until("the end of the point", |watch| {
                watch
                    .seen
                    .iter()
                    .any(|seen| matches!(seen, Observation::PointGone { .. }))
            })
            .await;
        let expected = "192.0.2.1".parse().expect("an address");
        watch
            .until("the node's new address", |watch| {
                watch
                    .node
                    .as_ref()
                    .is_some_and(|node| node.addresses.contains(&expected))
            })
            .await;
        lab.node().ip("addr del 192.0.2.1/24 dev veth2").expect("no address");
        watch.until("the point again", |watch| names(watch) == ["veth2"]).await;
    });
}

#[test]
fn routes_are_followed() {
    let Some(lab) = lab() else { return };
    let address = "198.51.100.7".parse().expect("an address");
    watch(lab.node(), options(Mode::Auto), async |watch| {
        let has = |watch: &Watch| watch.points()[0].addresses.contains(&address);
        assert!(!has(watch));
        lab.node().ip("route add 198.51.100.7/32 dev veth2").expect("a route");
        watch.until("the new address", has).await;
        lab.node().ip("route del 198.51.100.7/32 dev veth2").expect("no route");
        watch.until("the address gone", |watch| !has(watch)).await;
    });
}

/// More changes than the socket holds: the kernel drops the rest and says so (ENOBUFS).
#[test]
fn more_changes_than_fit_are_read_anew() {
    let Some(lab) = lab() else { return };
    let addresses: Vec<String> = (0..5000).map(|n| format!("198.18.{}.{}", n / 250, n % 250)).collect();
    let add: String = addresses
        .iter()
        .map(|a| format!("route add {a}/32 dev veth2\n"))
        .collect();
    watch(lab.node(), options(Mode::Auto), async |watch| {
        let before = watch.points()[0].addresses.len();
        lab.node().ip(&add).expect("routes");
        watch
            .until("every route", |watch| {
                watch.points()[0].addresses.len() == before + addresses.len()
            })
            .await;
        lab.node().ip(&add.replace("add", "del")).expect("no routes");
        watch
            .until("no route", |watch| watch.points()[0].addresses.len() == before)
            .await;
    });
}

#[test]
fn the_nodes_own_addresses_are_told() {
    let Some(lab) = lab() else { return };
    watch(lab.node(), options(Mode::Auto), async |watch| {
        watch.until("the node", |watch| watch.node.is_some()).await;
        let node = watch.node.clone().expect("told");
        for family in Family::ALL {
            assert!(node.addresses.contains(&addresses::node(family)), "{node:?}");
            assert!(!node.addresses.contains(&lab.pod("shop/cart").ip(family)), "{node:?}");
        }
    });
}

#[test]
fn an_unknown_interface_is_refused_by_name() {
    let Some(lab) = lab() else { return };
    let error = lab.node().enter(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let options = Options {
                interfaces: vec!["veth2".to_owned(), "veth99".to_owned()],
                ..Options::default()
            };
            Probe::start(options).err().map(|error| error.to_string())
        })
    });
    assert!(
        error.as_deref().is_some_and(|text| text.contains("veth99")),
        "{error:?}"
    );
}

#[test]
fn patterns_narrow() {
    let Some(mut lab) = lab() else { return };
    lab.add_pod(pod("shop/api")).expect("a pod");
    let options = Options {
        interfaces: vec!["*3".to_owned()],
        ..Options::default()
    };
    watch(lab.node(), options, async |watch| {
        assert_eq!(names(watch), ["veth3"]);
        let coverage = watch.coverage();
        let left: Vec<&str> = coverage.not_observed.iter().map(|link| link.name.as_str()).collect();
        assert_eq!(left, ["eth0", "veth2"]);
    });
}
