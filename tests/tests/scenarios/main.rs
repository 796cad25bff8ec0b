//! Every row of the cause table and of the wire, against the real kernel, in IPv4 and IPv6: what `observer tail -o json` must say.
//!
//! All scenarios of one topology share a lab and an observer and are played at once, since a timeout takes four seconds.
//! `SCENARIO=name cargo test --test scenarios` plays one.

mod bridge;
mod denied;
mod elsewhere;
mod handshakes;
mod open;
mod rejected;
mod services;
mod silent;

use observer_tests::lab::{Topology, kernel_tests};
use observer_tests::scenario::{Scenario, run_all};

fn check(topology: Topology, scenarios: Vec<Scenario>) {
    if kernel_tests().is_err() {
        return;
    }
    if let Err(wrong) = run_all(topology, scenarios) {
        panic!("{wrong:#}");
    }
}

#[test]
fn routed_pods() {
    let all = [
        open::scenarios(),
        denied::scenarios(),
        rejected::scenarios(),
        services::scenarios(),
        elsewhere::scenarios(),
        silent::scenarios(),
        handshakes::scenarios(),
    ];
    check(Topology::Routed, all.into_iter().flatten().collect());
}

#[test]
fn bridged_pods() {
    check(Topology::Bridge, bridge::scenarios());
}

#[test]
fn point_to_point_pods() {
    check(
        Topology::PointToPoint,
        [open::scenarios(), denied::scenarios()].concat(),
    );
}
