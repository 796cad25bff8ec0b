//! `observer agent` as a program: health, metrics, privileges, Events, and how it ends.

mod api;
mod ending;
mod events;
mod flows;
mod health;
mod metrics;
mod privileges;

use std::time::Duration;

use observer_tests::lab::{AgentCommand, Dial, Family, Lab, Listener, Topology, agent, dial, kernel_tests, pod};

/// Enough for a timeout to be decided (4 s) on a busy machine.
const SOON: Duration = Duration::from_secs(30);

/// Denies everything into `shop/api`.
const DENY: &str = "
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { namespace: shop, name: deny-api }
spec: { podSelector: { matchLabels: { app: api } }, policyTypes: [Ingress] }
";

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
    /// An agent with the lab's manifests.
    fn agent(&self) -> AgentCommand {
        agent().arg("--manifests").arg(self.lab.manifests().path())
    }

    /// `shop/cart` dials a port of `shop/api`.
    fn dial(&self, port: u16) -> Dial {
        let to = self.lab.pod("shop/api").at(Family::V4, port);
        dial(self.lab.pod("shop/cart").netns(), to, Duration::from_millis(500))
    }
}

/// The series of attempts in the namespace `shop`.
fn attempts(direction: &str, outcome: &str, cause: &str) -> String {
    format!(
        r#"observer_attempts_total{{direction="{direction}",namespace="shop",outcome="{outcome}",cause="{cause}"}}"#
    )
}
