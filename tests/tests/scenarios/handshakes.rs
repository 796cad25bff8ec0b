//! Handshakes out of the ordinary, none of which is a refusal (row 15 and section 5 of the tracker's rules).

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, anyhow};
use observer_tests::lab::{Chain, Family, Lab, Segment, TcpFlavour, abort, dial_from, pod, send_segment};
use observer_tests::scenario::{Listening, Scenario, dial};
use serde_json::json;

const PATIENCE: Duration = Duration::from_secs(4);

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        aborted(),
        stale_connection(),
        time_wait(),
        simultaneous_open(),
        congestion_notification(),
        fast_open(),
    ]
}

/// The client resets before the answer reaches it.
fn aborted() -> Scenario {
    fn wire(lab: &Lab, family: Family) -> Result<Vec<(SocketAddr, SocketAddr)>> {
        let (cart, api) = (lab.pod("aborted/cart"), lab.pod("aborted/api"));
        let syn = Segment {
            from: cart.at(family, 41_000),
            to: api.at(family, 8080),
            sequence: 1000,
            acknowledgement: 0,
            flags: Segment::SYN,
        };
        send_segment(cart.netns(), &syn)?;
        send_segment(
            cart.netns(),
            &Segment {
                sequence: 1001,
                flags: Segment::RST,
                ..syn
            },
        )?;
        Ok(vec![(syn.from, syn.to)])
    }
    Scenario::new("aborted")
        .pod(pod("aborted/cart"))
        .pod(pod("aborted/api"))
        .rule(
            Chain::Enforce,
            "{ip} saddr {aborted/api} tcp flags & (syn | ack) == (syn | ack) drop",
        )
        .listens("aborted/api", 8080)
        .wire(wire, json!({ "outcome": "aborted", "cause": "aborted-by-client" }))
}

/// Connects, loses the client's end without the server hearing of it, and connects again from the same port.
fn again(lab: &Lab, family: Family, from: &str, to: &str) -> Result<Vec<(SocketAddr, SocketAddr)>> {
    let (from, to) = (lab.pod(from), lab.pod(to).at(family, 8080));
    let connect = || dial_from(from.netns(), 42_000, to, PATIENCE, TcpFlavour::Plain);
    let first = connect()
        .result
        .map_err(|errno| anyhow!("the first connection: {errno}"))?;
    // A table of this family's own: the other family is played at the same time, from the same pod.
    let nft = family.nft();
    let restore = format!("delete table {nft} cut\n");
    from.netns().nft(&format!(
        "add table {nft} cut\n\
         add chain {nft} cut out {{ type filter hook output priority filter; }}\n\
         add rule {nft} cut out tcp sport 42000 tcp flags & (fin | rst) != 0 drop\n"
    ))?;
    abort(first)?;
    from.netns().nft(&restore)?;
    let second = connect();
    second
        .result
        .map_err(|errno| anyhow!("the second connection: {errno}"))?;
    Ok(vec![(second.local, to), (second.local, to)])
}

/// The server still has the old connection: a bare ACK, the client's RST, another SYN, connected.
fn stale_connection() -> Scenario {
    Scenario::new("stale-connection")
        .pod(pod("stale-connection/cart"))
        .pod(pod("stale-connection/api"))
        .listens_as("stale-connection/api", 8080, Listening::Holding)
        .wire(
            |lab, family| again(lab, family, "stale-connection/cart", "stale-connection/api"),
            json!({ "outcome": "connected", "cause": null }),
        )
}

fn time_wait() -> Scenario {
    Scenario::new("time-wait")
        .pod(pod("time-wait/cart"))
        .pod(pod("time-wait/api"))
        .listens("time-wait/api", 8080)
        .wire(
            |lab, family| again(lab, family, "time-wait/cart", "time-wait/api"),
            json!({ "outcome": "connected", "cause": null }),
        )
}

/// Both ends call each other: the first SYN is lost, the second meets a socket that is calling too.
fn simultaneous_open() -> Scenario {
    fn wire(lab: &Lab, family: Family) -> Result<Vec<(SocketAddr, SocketAddr)>> {
        let (left, right) = (lab.pod("simultaneous/left"), lab.pod("simultaneous/right"));
        std::thread::scope(|scope| {
            let calling = scope.spawn(|| {
                dial_from(
                    left.netns(),
                    43_000,
                    right.at(family, 43_001),
                    PATIENCE,
                    TcpFlavour::Plain,
                )
            });
            // The rule that loses left's SYN counts it: then right may call.
            await_counted(lab, "simultaneous")?;
            let answered = dial_from(
                right.netns(),
                43_001,
                left.at(family, 43_000),
                PATIENCE,
                TcpFlavour::Plain,
            );
            let called = calling.join().map_err(|_| anyhow!("the caller panicked"))?;
            called.result.map_err(|errno| anyhow!("left: {errno}"))?;
            answered.result.map_err(|errno| anyhow!("right: {errno}"))?;
            Ok(vec![(answered.local, answered.peer), (called.local, called.peer)])
        })
    }
    Scenario::new("simultaneous")
        .only(&[Family::V4])
        .pod(pod("simultaneous/left"))
        .pod(pod("simultaneous/right"))
        .rule(Chain::Enforce, "{ip} saddr {simultaneous/left} tcp flags & (syn | ack) == syn counter drop comment \"simultaneous\"")
        .wire(wire, json!({ "outcome": { "$in": ["connected", "half-open", "timeout"] }, "cause": { "$not": "app-not-listening" } }))
}

/// Waits until the rule with this comment has met a packet.
fn await_counted(lab: &Lab, comment: &str) -> Result<()> {
    let until = std::time::Instant::now() + PATIENCE;
    loop {
        let rules = lab
            .node()
            .run("nft", &["list", "chain", "inet", "lab", "enforce"], "")?;
        let line = rules
            .lines()
            .find(|line| line.contains(comment))
            .ok_or_else(|| anyhow!("no rule {comment}"))?;
        if !line.contains("packets 0 ") {
            return Ok(());
        }
        anyhow::ensure!(std::time::Instant::now() < until, "no packet met the rule {comment}");
    }
}

/// A SYN with ECE and CWR set is a SYN.
fn congestion_notification() -> Scenario {
    Scenario::new("ecn")
        .pod(pod("ecn/cart"))
        .pod(pod("ecn/api"))
        .listens("ecn/api", 8080)
        .then(|lab, _| {
            lab.pod("ecn/cart").netns().sysctl(&[("ipv4/tcp_ecn", "1")])?;
            lab.pod("ecn/api").netns().sysctl(&[("ipv4/tcp_ecn", "1")])
        })
        .dial(dial("ecn/cart", "{ecn/api}", 8080).says(json!({ "outcome": "connected", "syns": 1, "cause": null })))
}

/// The first connection fetches a cookie; the second sends data in its SYN, which the acknowledgement covers.
fn fast_open() -> Scenario {
    let open = || {
        dial("fast-open/cart", "{fast-open/api}", 8080)
            .flavour(TcpFlavour::FastOpen)
            .says(json!({ "outcome": "connected", "syns": 1, "cause": null }))
    };
    let refused = dial("fast-open/cart", "{fast-open/api}", 8081)
        .flavour(TcpFlavour::FastOpen)
        .reads(nix::errno::Errno::ECONNREFUSED)
        .says(json!({ "outcome": "refused", "origin": "destination-pod", "cause": "app-not-listening" }));
    Scenario::new("fast-open")
        .pod(pod("fast-open/cart"))
        .pod(pod("fast-open/api"))
        .listens("fast-open/api", 8080)
        .then(|lab, _| {
            // Client and server, and every listener without being asked (Documentation/networking/ip-sysctl.rst).
            lab.pod("fast-open/cart")
                .netns()
                .sysctl(&[("ipv4/tcp_fastopen", "1027")])?;
            lab.pod("fast-open/api")
                .netns()
                .sysctl(&[("ipv4/tcp_fastopen", "1027")])
        })
        .dial(open())
        .dial(open())
        .dial(refused)
}
