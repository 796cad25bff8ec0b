//! The lab proves its own wire: what an application reads in each situation, before any observer looks at it.

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use observer_tests::lab::{
    Chain, Dial, Family, Lab, Listener, Segment, TcpFlavour, Topology, abort, addresses, dial, dial_from, kernel_tests,
    pod, send_segment, service,
};

/// Longer than a failed neighbour takes (3.05 s).
const PATIENCE: Duration = Duration::from_secs(4);
/// For dials that nobody answers. Longer than one retransmission: an ICMPv6 error that comes back while `connect` still
/// holds the socket is only noted (net/ipv6/tcp_ipv6.c, tcp_v6_err), and it takes the second SYN's to end the attempt.
const SHORT: Duration = Duration::from_millis(1500);

fn lab(topology: Topology) -> Option<Lab> {
    kernel_tests().ok()?;
    let mut lab = Lab::new(topology).expect("a lab");
    lab.add_pod(pod("shop/cart").label("app", "cart")).expect("a pod");
    lab.add_pod(pod("shop/api").label("app", "api")).expect("a pod");
    Some(lab)
}

fn from_cart(lab: &Lab, to: SocketAddr, patience: Duration) -> Dial {
    dial(lab.pod("shop/cart").netns(), to, patience)
}

/// Runs `check` for both families at once: timeouts add up otherwise.
fn both(check: impl Fn(Family) + Sync) {
    thread::scope(|scope| {
        for family in Family::ALL {
            scope.spawn({
                let check = &check;
                move || check(family)
            });
        }
    });
}

fn reach_each_other(topology: Topology) {
    let Some(lab) = lab(topology) else { return };
    let api = lab.pod("shop/api");
    let _listener = Listener::accepting(api.netns(), 8080).expect("a listener");
    let _outside = Listener::accepting(lab.outside(), 443).expect("a listener");
    both(|family| {
        let dial_api = from_cart(&lab, api.at(family, 8080), PATIENCE);
        assert_eq!(dial_api.errno(), None, "{family:?}");
        assert_eq!(dial_api.local.ip(), lab.pod("shop/cart").ip(family));
        let closed = from_cart(&lab, api.at(family, 8081), PATIENCE);
        assert_eq!(closed.errno(), Some(Errno::ECONNREFUSED), "{family:?}");
        let external = from_cart(&lab, SocketAddr::new(addresses::external(family), 443), PATIENCE);
        assert_eq!(external.errno(), None, "{family:?}");
        let from_node = dial(lab.node(), api.at(family, 8080), PATIENCE);
        assert_eq!(from_node.errno(), None, "{family:?}");
    });
}

#[test]
fn routed_pods_reach_each_other_the_node_and_the_outside() {
    reach_each_other(Topology::Routed);
}

#[test]
fn point_to_point_pods_reach_each_other_the_node_and_the_outside() {
    reach_each_other(Topology::PointToPoint);
}

#[test]
fn bridged_pods_reach_each_other_the_node_and_the_outside() {
    reach_each_other(Topology::Bridge);
}

#[test]
fn enforcement_drops_and_rejects() {
    let Some(lab) = lab(Topology::Routed) else { return };
    let api = lab.pod("shop/api");
    let _listeners: Vec<Listener> = (8080..8084)
        .map(|port| Listener::accepting(api.netns(), port).expect("a listener"))
        .collect();
    for (rule, port) in [
        ("drop", 8080),
        ("reject with icmpx port-unreachable", 8081),
        ("reject with icmpx admin-prohibited", 8082),
        ("reject with tcp reset", 8083),
    ] {
        lab.rule(Chain::Enforce, &format!("tcp dport {port} {rule}"))
            .expect("a rule");
    }
    both(|family| {
        let reads = |port| from_cart(&lab, api.at(family, port), SHORT).errno();
        assert_eq!(reads(8080), Some(Errno::ETIMEDOUT), "{family:?}");
        assert_eq!(reads(8081), Some(Errno::ECONNREFUSED), "{family:?}");
        let prohibited = if family == Family::V4 {
            Errno::EHOSTUNREACH
        } else {
            Errno::EACCES
        };
        assert_eq!(reads(8082), Some(prohibited), "{family:?}");
        assert_eq!(reads(8083), Some(Errno::ECONNREFUSED), "{family:?}");
    });
}

#[test]
fn services_translate_masquerade_and_turn_around() {
    let Some(mut lab) = lab(Topology::Routed) else { return };
    lab.add_pod(pod("shop/api-2")).expect("a pod");
    let specs = [
        service("shop/one", 80, 8080).ready("shop/api"),
        service("shop/two", 80, 8080).ready("shop/api").ready("shop/api-2"),
        service("shop/hidden", 80, 8080).ready("shop/api").masquerade(),
        service("shop/self", 80, 8080).ready("shop/cart"),
        service("shop/none", 80, 8080),
        service("shop/starting", 80, 8080).not_ready("shop/api"),
        service("shop/far", 80, 8080)
            .remote([addresses::external(Family::V4), addresses::external(Family::V6)])
            .local(),
    ];
    for spec in specs {
        lab.add_service(spec).expect("a service");
    }
    let _listeners: Vec<Listener> = ["shop/api", "shop/api-2", "shop/cart"]
        .map(|name| Listener::accepting(lab.pod(name).netns(), 8080).expect("a listener"))
        .into();
    both(|family| {
        let reads = |name| from_cart(&lab, lab.service(name).at(family), SHORT).errno();
        for name in ["shop/one", "shop/two", "shop/two", "shop/hidden", "shop/self"] {
            assert_eq!(reads(name), None, "{family:?} {name}");
        }
        assert_eq!(reads("shop/none"), Some(Errno::ECONNREFUSED), "{family:?}");
        assert_eq!(reads("shop/starting"), Some(Errno::ECONNREFUSED), "{family:?}");
        assert_eq!(reads("shop/far"), Some(Errno::ETIMEDOUT), "{family:?}");
    });
}

#[test]
fn a_full_accept_queue_is_silent() {
    let Some(lab) = lab(Topology::Routed) else { return };
    let api = lab.pod("shop/api");
    let _full = Listener::full(api.netns(), 8080).expect("a full queue");
    both(|family| {
        assert_eq!(
            from_cart(&lab, api.at(family, 8080), SHORT).errno(),
            Some(Errno::ETIMEDOUT),
            "{family:?}"
        );
    });
}

#[test]
fn a_dead_neighbour_is_unreachable_after_three_seconds() {
    for topology in [Topology::Routed, Topology::Bridge] {
        let Some(mut lab) = lab(topology) else { return };
        lab.add_pod(pod("shop/gone").dead()).expect("a pod");
        both(|family| {
            let gone = from_cart(&lab, lab.pod("shop/gone").at(family, 80), PATIENCE);
            assert_eq!(gone.errno(), Some(Errno::EHOSTUNREACH), "{topology:?} {family:?}");
            assert!(
                (2900..4000).contains(&gone.elapsed.as_millis()),
                "{topology:?} {family:?} {:?}",
                gone.elapsed
            );
        });
    }
}

#[test]
fn a_missing_route_and_a_reverse_path_filter_lose_packets() {
    let Some(lab) = lab(Topology::Routed) else { return };
    let api = lab.pod("shop/api");
    let _listener = Listener::accepting(api.netns(), 8080).expect("a listener");
    lab.node()
        .ip("route add unreachable 198.51.100.1\nroute add blackhole 198.51.100.2\nroute add prohibit 198.51.100.3\n")
        .expect("routes");
    let reads = |address: [u8; 4]| from_cart(&lab, (address, 80).into(), SHORT).errno();
    assert_eq!(reads([198, 51, 100, 1]), Some(Errno::EHOSTUNREACH));
    assert_eq!(reads([198, 51, 100, 2]), Some(Errno::ETIMEDOUT));
    assert_eq!(reads([198, 51, 100, 3]), Some(Errno::EHOSTUNREACH));
    // Strict reverse path filtering, and the way back to the client leads elsewhere.
    let cart = lab.pod("shop/cart");
    lab.node()
        .sysctl(&[(&format!("ipv4/conf/{}/rp_filter", cart.link()), "1")])
        .expect("a sysctl");
    lab.node()
        .ip(&format!(
            "route replace {}/32 dev {}\n",
            cart.ip(Family::V4),
            api.link()
        ))
        .expect("a route");
    assert_eq!(
        from_cart(&lab, api.at(Family::V4, 8080), SHORT).errno(),
        Some(Errno::ETIMEDOUT)
    );
}

#[test]
fn a_lost_answer_is_silent_and_a_raw_reset_ends_it() {
    let Some(lab) = lab(Topology::Routed) else { return };
    let (cart, api) = (lab.pod("shop/cart"), lab.pod("shop/api"));
    let _listener = Listener::accepting(api.netns(), 8080).expect("a listener");
    lab.rule(Chain::Enforce, "tcp flags & (syn | ack) == (syn | ack) counter drop")
        .expect("a rule");
    both(|family| {
        assert_eq!(
            from_cart(&lab, api.at(family, 8080), SHORT).errno(),
            Some(Errno::ETIMEDOUT),
            "{family:?}"
        );
        let syn = Segment {
            from: cart.at(family, 40_000),
            to: api.at(family, 8080),
            sequence: 1000,
            acknowledgement: 0,
            flags: Segment::SYN,
        };
        send_segment(cart.netns(), &syn).expect("a SYN");
        let reset = Segment {
            sequence: 1001,
            flags: Segment::RST,
            ..syn
        };
        send_segment(cart.netns(), &reset).expect("a RST");
    });
}

/// Connects, lets the client's end vanish without the server hearing of it, and connects again from the same port.
fn connect_again_from_the_same_port(lab: &Lab, port: u16) -> Dial {
    let to = lab.pod("shop/api").at(Family::V4, port);
    let cart = lab.pod("shop/cart").netns();
    let first = dial_from(cart, 40_001, to, PATIENCE, TcpFlavour::Plain);
    let stream = first.result.expect("a first connection");
    lab.rule(Chain::Enforce, "tcp flags & (fin | rst) != 0 drop")
        .expect("a rule");
    abort(stream).expect("a reset");
    lab.flush(Chain::Enforce).expect("no rules");
    dial_from(cart, 40_001, to, PATIENCE, TcpFlavour::Plain)
}

#[test]
fn a_connection_in_time_wait_is_reused_at_once() {
    let Some(lab) = lab(Topology::Routed) else { return };
    let _closing = Listener::accepting(lab.pod("shop/api").netns(), 8080).expect("a listener");
    let again = connect_again_from_the_same_port(&lab, 8080);
    assert_eq!(again.errno(), None);
}

#[test]
fn a_stale_connection_costs_a_second_syn_not_a_refusal() {
    let Some(lab) = lab(Topology::Routed) else { return };
    let _holding = Listener::holding(lab.pod("shop/api").netns(), 8080).expect("a listener");
    let again = connect_again_from_the_same_port(&lab, 8080);
    assert_eq!(again.errno(), None);
    // The server's bare ACK drew a RST that ended the stale connection. The next SYN, which found the listener, follows within
    // milliseconds (net/ipv4/tcp_input.c, tcp_rcv_synsent_state_process: TCP_TIMEOUT_MIN), so time does not tell.
}

#[test]
fn nothing_is_left_behind() {
    let Some(lab) = lab(Topology::Bridge) else { return };
    let names = || {
        let entries = std::fs::read_dir("/run/netns").expect("/run/netns");
        entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .collect::<Vec<_>>()
    };
    let prefix = lab.node().name().trim_end_matches("node").to_owned();
    let manifests = lab.manifests().path();
    assert_eq!(names().iter().filter(|name| name.starts_with(&prefix)).count(), 4);
    drop(lab);
    assert_eq!(names().iter().filter(|name| name.starts_with(&prefix)).count(), 0);
    assert!(!manifests.exists());
}
