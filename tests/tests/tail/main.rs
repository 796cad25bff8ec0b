//! `observer tail` as a program: links that come and go, other programs on them, how it ends, its filters, and bad input.

mod ending;
mod filters;
mod hooks;
mod input;
mod links;
mod objects;

use std::time::Duration;

use observer_tests::lab::{Dial, Family, Lab, Listener, Observer, Pod, Tail, Topology, dial, kernel_tests, pod};
use serde_json::Value;

/// Enough for a timeout to be decided (4 s) on a busy machine.
const SOON: Duration = Duration::from_secs(15);

/// A lab with the pods `shop/cart` and `shop/api`, and an application on port 8080 of the latter.
struct Shop {
    _listener: Listener,
    lab: Lab,
}

/// `None` where kernel tests cannot run.
fn shop() -> Option<Shop> {
    kernel_tests().ok()?;
    let mut lab = Lab::new(Topology::Routed).expect("a lab");
    lab.add_pod(pod("shop/cart").label("app", "cart")).expect("a pod");
    lab.add_pod(pod("shop/api").label("app", "api")).expect("a pod");
    let listener = Listener::accepting(lab.pod("shop/api").netns(), 8080).expect("a listener");
    Some(Shop {
        _listener: listener,
        lab,
    })
}

impl Shop {
    /// `observer tail -o json` with the lab's manifests.
    fn tail(&self) -> Tail {
        Tail::json().arg("--manifests").arg(self.lab.manifests().path())
    }

    /// Starts a tail and waits until it observes every pod.
    fn observe(&self, tail: Tail) -> Observer {
        tail.start(self.lab.node(), &self.links())
            .expect("an observer that observes every pod")
    }

    fn links(&self) -> Vec<&str> {
        self.lab.pods().iter().map(Pod::link).collect()
    }

    /// `shop/cart` dials a port of `shop/api`.
    fn dial(&self, port: u16) -> Dial {
        let to = self.lab.pod("shop/api").at(Family::V4, port);
        dial(self.lab.pod("shop/cart").netns(), to, Duration::from_millis(500))
    }
}

/// Whether a record tells of this dial.
fn tells_of(record: &Value, dial: &Dial) -> bool {
    record["source"]["port"] == dial.local.port() && record["destination"]["port"] == dial.peer.port()
}

/// The final record of a dial.
fn told(observer: &Observer, dial: &Dial) -> Value {
    observer
        .await_attempt(SOON, |record| tells_of(record, dial))
        .expect("a final record of the dial")
}
