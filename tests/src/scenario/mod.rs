//! A scenario: objects, enforcement, traffic, and what must be said of it. Data, so that a table of them can be read.
//!
//! ```text
//! Scenario { pods, services, policies, rules, listeners, steps } → runner → lab + observer tail -o json → mismatches
//! ```
//!
//! Texts may name what only the lab knows. `{ip}` is nft's word for the family, `{shop/cart}` a pod's address, `{svc shop/api}`
//! a Service's, `{node}`, `{router}` and `{external}` the lab's own.

mod matching;
mod runner;
mod text;

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use nix::errno::Errno;
use serde_json::Value;

use crate::lab::{Chain, Family, Lab, Listener, PodSpec, ServiceSpec, TcpFlavour};

pub use matching::mismatches;
pub use runner::{Played, Prepared, play, prepare, run_all};
pub use text::fill;

/// What an application at a port does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Listening {
    /// Accepts and closes.
    Accepting,
    /// Keeps connections and accepts none.
    Holding,
    /// Its accept queue is full from the start.
    Full,
    /// Its accept queue is full after one connection.
    FullAfterOne,
}

/// Who dials.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum From {
    /// A pod, by `namespace/name`.
    Pod(&'static str),
    /// The node, as the kubelet does.
    Node,
    /// A host outside of the cluster.
    Outside,
}

/// One `connect`, what the application reads, and what the observer must say.
#[derive(Clone, Debug)]
pub struct Dialling {
    /// Who dials.
    pub from: From,
    /// Whom, as text: `{shop/api}`.
    pub to: &'static str,
    /// The port dialled.
    pub port: u16,
    /// A source port of choice; 0 for any.
    pub source_port: u16,
    /// How long the application waits.
    pub patience: Duration,
    /// How it opens the connection.
    pub flavour: TcpFlavour,
    /// What it reads: `None` for a connection.
    pub reads: Option<Errno>,
    /// What it reads in IPv6, where that is another error.
    pub reads_in_ipv6: Option<Errno>,
    /// The final record must hold this ([`mismatches`]); `null` where nothing is expected of it.
    pub says: Value,
}

/// Traffic that no dial describes: does it, and names the attempts that were made of it, as `(client, dialled)`. What must be said
/// is of the first.
pub type Wire = fn(&Lab, Family) -> Result<Vec<(SocketAddr, SocketAddr)>>;

/// What happens, in order.
#[derive(Clone)]
pub enum Step {
    /// An application dials.
    Dial(Dialling),
    /// Something else on the wire, and what must be said.
    Wire(Wire, Value),
    /// A change to the lab.
    Do(fn(&Lab, Family) -> Result<()>),
}

impl fmt::Debug for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dial(dialling) => dialling.fmt(formatter),
            Self::Wire(_, says) => formatter.debug_tuple("Wire").field(says).finish(),
            Self::Do(_) => formatter.write_str("Do"),
        }
    }
}

/// Objects, traffic and what must be said.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// A unique name. By convention it is also the Kubernetes namespace of its objects.
    pub name: &'static str,
    /// The families it is played in.
    pub families: &'static [Family],
    /// Namespaces with labels; others come by themselves.
    pub namespaces: Vec<(&'static str, Vec<(&'static str, &'static str)>)>,
    /// Pods.
    pub pods: Vec<PodSpec>,
    /// Services.
    pub services: Vec<ServiceSpec>,
    /// NetworkPolicies, as YAML.
    pub policies: Vec<&'static str>,
    /// Rules of the node, made once for each family.
    pub rules: Vec<(Chain, &'static str)>,
    /// Rules inside pods: pod, `input` or `output`, rule.
    pub pod_rules: Vec<(&'static str, &'static str, &'static str)>,
    /// Applications: pod, port, what they do.
    pub listeners: Vec<(&'static str, u16, Listening)>,
    /// What happens.
    pub steps: Vec<Step>,
}

impl Scenario {
    /// A scenario without anything, played in both families.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            families: &Family::ALL,
            namespaces: Vec::new(),
            pods: Vec::new(),
            services: Vec::new(),
            policies: Vec::new(),
            rules: Vec::new(),
            pod_rules: Vec::new(),
            listeners: Vec::new(),
            steps: Vec::new(),
        }
    }

    /// Plays it in one family only.
    pub fn only(mut self, families: &'static [Family]) -> Self {
        self.families = families;
        self
    }

    /// Adds a namespace with labels.
    pub fn namespace(mut self, name: &'static str, labels: &[(&'static str, &'static str)]) -> Self {
        self.namespaces.push((name, labels.to_vec()));
        self
    }

    /// Adds a pod.
    pub fn pod(mut self, spec: PodSpec) -> Self {
        self.pods.push(spec);
        self
    }

    /// Adds a Service.
    pub fn service(mut self, spec: ServiceSpec) -> Self {
        self.services.push(spec);
        self
    }

    /// Adds a NetworkPolicy.
    pub fn policy(mut self, yaml: &'static str) -> Self {
        self.policies.push(yaml);
        self
    }

    /// Adds a rule of the node.
    pub fn rule(mut self, chain: Chain, rule: &'static str) -> Self {
        self.rules.push((chain, rule));
        self
    }

    /// Adds a rule inside a pod.
    pub fn pod_rule(mut self, pod: &'static str, way: &'static str, rule: &'static str) -> Self {
        self.pod_rules.push((pod, way, rule));
        self
    }

    /// Adds an application that accepts.
    pub fn listens(self, pod: &'static str, port: u16) -> Self {
        self.listens_as(pod, port, Listening::Accepting)
    }

    /// Adds an application.
    pub fn listens_as(mut self, pod: &'static str, port: u16, how: Listening) -> Self {
        self.listeners.push((pod, port, how));
        self
    }

    /// Adds a dial.
    pub fn dial(mut self, dialling: Dialling) -> Self {
        self.steps.push(Step::Dial(dialling));
        self
    }

    /// Adds other traffic.
    pub fn wire(mut self, wire: Wire, says: Value) -> Self {
        self.steps.push(Step::Wire(wire, says));
        self
    }

    /// Adds a change to the lab.
    pub fn then(mut self, change: fn(&Lab, Family) -> Result<()>) -> Self {
        self.steps.push(Step::Do(change));
        self
    }
}

/// A dial from a pod. The application waits for 4.5 s: longer than the observer's deadline and than a failed neighbour.
pub fn dial(from: &'static str, to: &'static str, port: u16) -> Dialling {
    Dialling {
        from: From::Pod(from),
        to,
        port,
        source_port: 0,
        patience: Duration::from_millis(4500),
        flavour: TcpFlavour::Plain,
        reads: None,
        reads_in_ipv6: None,
        says: Value::Null,
    }
}

impl Dialling {
    /// Dials from elsewhere than a pod.
    pub fn by(mut self, from: From) -> Self {
        self.from = from;
        self
    }

    /// Dials from a source port of choice.
    pub fn source_port(mut self, port: u16) -> Self {
        self.source_port = port;
        self
    }

    /// Sets how long the application waits.
    pub fn patience(mut self, milliseconds: u64) -> Self {
        self.patience = Duration::from_millis(milliseconds);
        self
    }

    /// Sets how the connection is opened.
    pub fn flavour(mut self, flavour: TcpFlavour) -> Self {
        self.flavour = flavour;
        self
    }

    /// Sets the error that the application reads.
    pub fn reads(mut self, errno: Errno) -> Self {
        self.reads = Some(errno);
        self
    }

    /// Sets the error that the application reads in IPv6, where that is another.
    pub fn reads_in_ipv6(mut self, errno: Errno) -> Self {
        self.reads_in_ipv6 = Some(errno);
        self
    }

    /// What the application must read.
    fn must_read(&self, family: Family) -> Option<Errno> {
        match family {
            Family::V4 => self.reads,
            Family::V6 => self.reads_in_ipv6.or(self.reads),
        }
    }

    /// Sets what must be said.
    pub fn says(mut self, says: Value) -> Self {
        self.says = says;
        self
    }
}

/// Starts the applications of a scenario.
fn listen(scenario: &Scenario, lab: &Lab) -> Result<Vec<Listener>> {
    let start = |&(pod, port, how): &(&str, u16, Listening)| {
        let namespace = lab.pod(pod).netns();
        match how {
            Listening::Accepting => Listener::accepting(namespace, port),
            Listening::Holding => Listener::holding(namespace, port),
            Listening::Full => Listener::full(namespace, port),
            Listening::FullAfterOne => Listener::full_after_one(namespace, port),
        }
    };
    scenario.listeners.iter().map(start).collect()
}
