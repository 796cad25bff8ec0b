//! The observer's view of a cluster whose API server fails in every way that they do: what it ends up knowing, what it tells,
//! and how often it asks.

mod appearing;
mod failing;
mod following;
mod once;
mod reading;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use observer::cluster::{Access, Cluster, Health, Timing};
use observer::objects::{Change, Protocol};
use observer::policy::{Config, Undecidable};
use observer::time::Time;
use observer::why::{self, Query};
use observer::world::World;
use observer_tests::fake_api::FakeApi;
use tokio::runtime::Runtime;

/// What comes, comes within this on a busy machine: the longest wait of a watcher is half a minute.
const NEVER: Duration = Duration::from_secs(90);

/// Looks often, so that nobody waits for what is not of interest.
const TIMING: Timing = Timing {
    look: Duration::from_millis(500),
    answer: Duration::from_secs(5),
    patience: Duration::from_millis(500),
    tick: Duration::from_millis(50),
};

/// A shop: two pods, a Service with its slice, a node, and a policy that lets the cart in.
const SHOP: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Node
metadata: {name: worker}
status: {addresses: [{type: InternalIP, address: 192.0.2.1}]}
---
apiVersion: v1
kind: Pod
metadata: {name: cart, namespace: shop, uid: cart-1, labels: {app: cart}}
spec: {nodeName: worker, containers: [{name: app}]}
status: {phase: Running, podIP: 10.0.0.1, podIPs: [{ip: 10.0.0.1}, {ip: 'fd00::1'}]}
---
apiVersion: v1
kind: Pod
metadata: {name: api, namespace: shop, uid: api-1, labels: {app: api}}
spec: {nodeName: worker, containers: [{name: app, ports: [{name: http, containerPort: 8080}]}]}
status: {phase: Running, podIP: 10.0.0.2, podIPs: [{ip: 10.0.0.2}]}
---
apiVersion: v1
kind: Service
metadata: {name: api, namespace: shop}
spec: {clusterIP: 10.96.0.1, clusterIPs: [10.96.0.1], selector: {app: api}, ports: [{port: 80, targetPort: http}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: api-1, namespace: shop, labels: {kubernetes.io/service-name: api}}
addressType: IPv4
endpoints: [{addresses: [10.0.0.2], conditions: {ready: true}}]
ports: [{port: 8080, protocol: TCP}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: api, namespace: shop}
spec: {podSelector: {matchLabels: {app: api}}, ingress: [{from: [{podSelector: {matchLabels: {app: cart}}}]}]}
";

/// What [`SHOP`] becomes.
const SHOP_OBJECTS: &str = "EndpointSlice shop/api-1, Namespace shop, NetworkPolicy shop/api, Node worker, \
                            Pod shop/api, Pod shop/cart, Service shop/api";

/// A pod that is running.
fn pod(name: &str, uid: &str, address: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: shop, uid: {uid}, labels: {{app: {name}}}}}\n\
         spec: {{nodeName: worker, containers: [{{name: app}}]}}\n\
         status: {{phase: Running, podIP: {address}, podIPs: [{{ip: {address}}}]}}\n"
    )
}

/// Who follows, and everything that was told.
struct Follower {
    runtime: Runtime,
    cluster: Cluster,
    world: World,
    /// Objects, doubts and foreign policies that hold now.
    known: BTreeSet<String>,
    /// Every change, in words.
    changes: Vec<String>,
    messages: Vec<String>,
    began: Instant,
}

impl Follower {
    fn of(fake: &FakeApi) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let access = Access {
            kubeconfig: Some(fake.kubeconfig()),
            context: None,
        };
        let (cluster, loaded) = runtime.block_on(Cluster::open(&access, TIMING)).expect("a client");
        let mut follower = Self {
            runtime,
            cluster,
            world: World::new(Config {
                window: Duration::ZERO,
                ..Config::default()
            }),
            known: BTreeSet::new(),
            changes: Vec::new(),
            messages: loaded.warnings,
            began: Instant::now(),
        };
        follower.take(loaded.changes, Time::BEGINNING);
        follower
    }

    fn take(&mut self, changes: Vec<Change>, at: Time) {
        for change in changes {
            self.world.apply(&change, at);
            let (word, what) = match &change {
                Change::Set(object) => ("", format!("{:?} {}", object.kind(), object.name())),
                Change::Remove(kind, name) => ("no ", format!("{kind:?} {name}")),
                Change::Doubt { source, .. } => ("", format!("doubt {source}")),
                Change::Clear { source } => ("no ", format!("doubt {source}")),
                Change::Foreign { policy, .. } => ("", format!("foreign {policy}")),
                Change::ForeignGone { policy } => ("no ", format!("foreign {policy}")),
                Change::Unheard { .. } => ("", "unheard".into()),
                Change::Heard => ("no ", "unheard".into()),
                Change::Unsynced => ("", "unsynced".into()),
                Change::Synced => ("no ", "unsynced".into()),
            };
            if word.is_empty() {
                self.known.insert(what.clone());
            } else {
                assert!(self.known.remove(&what), "{what} was not known, and is gone");
            }
            self.changes.push(format!("{word}{what}"));
        }
    }

    /// Follows until this holds.
    fn until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        let until = Instant::now() + NEVER;
        while !holds(self) {
            let left = until.saturating_duration_since(Instant::now());
            let next = self
                .runtime
                .block_on(async { tokio::time::timeout(left, self.cluster.next()).await });
            let Ok(update) = next else {
                panic!("{what} never came; known: {}; told: {:#?}", self.known(), self.messages);
            };
            self.messages.extend(update.messages);
            self.take(update.loaded, Time::BEGINNING);
            self.take(update.changes, now());
        }
    }

    /// Follows until exactly this is known.
    fn until_known(&mut self, known: &str) {
        self.until(known, |this| this.known() == known);
    }

    /// Follows until something that holds the text was told.
    fn until_told(&mut self, text: &str) {
        self.until(text, |this| this.told(text) > 0);
    }

    /// Takes what comes for so long: to see that nothing does.
    fn stay(&mut self, time: Duration) {
        let until = Instant::now() + time;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let next = self
                .runtime
                .block_on(async { tokio::time::timeout(left, self.cluster.next()).await });
            let Ok(update) = next else { return };
            self.messages.extend(update.messages);
            self.take(update.changes, now());
        }
    }

    fn known(&self) -> String {
        self.known.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
    }

    fn told(&self, text: &str) -> usize {
        self.messages.iter().filter(|message| message.contains(text)).count()
    }

    fn health(&self) -> Health {
        self.cluster.health()
    }

    /// `allowed`, `denied` or why it is open.
    fn verdict(&self, source: &str, destination: &str) -> String {
        let (destination, port, protocol) = why::destination(destination).expect("a destination");
        let query = Query {
            source: why::source(source).expect("a source"),
            destination,
            port,
            protocol,
            at: now(),
        };
        match why::ask(&self.world, &query) {
            Ok(answer) => {
                let verdict = &answer.telling().verdict;
                let open = [&verdict.egress, &verdict.ingress]
                    .into_iter()
                    .find_map(|one| one.undecidable.as_ref());
                match open.filter(|_| answer.decision().code() == "undecidable") {
                    Some(open) => Undecidable::code(open).to_owned(),
                    None => answer.decision().code().to_owned(),
                }
            }
            Err(error) => error.to_string(),
        }
    }

    /// Who an address is, or was.
    fn owner(&self, address: &str, at: Time) -> String {
        let address = std::net::SocketAddr::new(address.parse().expect("an address"), 80);
        let endpoint = self.world.endpoints().resolve(address, Protocol::Tcp, at);
        endpoint
            .pod()
            .map_or_else(|| "nobody".to_owned(), |pod| format!("{} {}", pod.name, pod.uid))
    }
}

fn now() -> Time {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("a clock");
    Time::BEGINNING + since
}
