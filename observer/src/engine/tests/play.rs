//! Plays a scenario as the agent does: sweeps, and time that passes with them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::attempt::{
    self, Direction, Drop, Hook, Icmp, Observation, PendingSyn, Place, Point, Seen, Segment, Sighting, Stage,
};
use crate::diagnosis::NodeState;
use crate::endpoint::{Endpoint, Identity, OwnNode};
use crate::engine::{Diagnosed, Engine, Input};
use crate::objects::{
    Change, Kind, Labels, NetworkPolicy, Node, Object, Phase, Pod, Protocol, Scope, Service, ServicePort, TargetPort,
};
use crate::policy;
use crate::policy::tests::fixtures::{labels, name, namespace};
use crate::time::Time;

const START: Time = Time(1_700_000_000_000_000_000);
const SWEEP: Duration = Duration::from_millis(250);

/// The point, the tuple and the ISN of a SYN.
type Key = (u32, bool, SocketAddr, SocketAddr, u32);

/// A scenario that is being played. Times are milliseconds from the start, and must not go back.
pub(super) struct Play {
    engine: Engine,
    now: Time,
    next_sweep: Time,
    pending: BTreeMap<Key, PendingSyn>,
    /// SYNs of each entry that a sweep told.
    told: BTreeMap<Key, u32>,
    seen: Vec<(Time, Diagnosed)>,
}

/// A pod on this node.
pub(super) fn pod_at(of: &str, text: &str, address: &str, uid: u32) -> Object {
    Object::Pod(Arc::new(Pod {
        name: name(of),
        uid: format!("{of}-{uid}").into(),
        labels: labels(text),
        addresses: vec![address.parse().expect("an address")],
        node: Some("here".into()),
        host_network: false,
        phase: Phase::Running,
        ready: true,
        created: None,
        terminating: None,
        ended: None,
        workload: None,
        ports: Vec::new(),
    }))
}

fn service() -> Service {
    Service {
        name: name("shop/api"),
        cluster_ips: vec!["10.96.0.1".parse().expect("an address")],
        headless: false,
        external_ips: Vec::new(),
        proxied_ips: Vec::new(),
        external_name: None,
        ports: vec![ServicePort {
            name: "".into(),
            port: 80,
            protocol: Protocol::Tcp,
            target: TargetPort::Number(8080),
            node_port: None,
        }],
        selector: Some(labels("app=api")),
        internal_local: false,
        external_local: false,
        publish_not_ready: false,
    }
}

impl From<NetworkPolicy> for Object {
    fn from(policy: NetworkPolicy) -> Self {
        Self::NetworkPolicy(Arc::new(policy))
    }
}

impl Play {
    pub(super) fn new() -> Self {
        let mut play = Self {
            engine: Engine::new(attempt::Config::default(), policy::Config::default()),
            now: START,
            next_sweep: START,
            pending: BTreeMap::new(),
            told: BTreeMap::new(),
            seen: Vec::new(),
        };
        play.input(Input::OwnNode(OwnNode {
            name: "here".into(),
            addresses: vec!["192.168.0.1".parse().expect("an address")],
        }));
        for object in [
            namespace("shop", ""),
            pod_at("shop/web", "app=web", "10.0.0.1", 1),
            pod_at("shop/api", "app=api", "10.0.0.2", 1),
            Object::Service(Arc::new(service())),
            Object::Node(Arc::new(Node {
                name: "here".into(),
                labels: Labels::default(),
                addresses: vec!["192.168.0.1".parse().expect("an address")],
                pod_cidrs: Vec::new(),
            })),
        ] {
            play.load(object);
        }
        for (ifindex, address) in [(1, "10.0.0.1"), (2, "10.0.0.2")] {
            play.point(ifindex, address, Hook::Assumed);
        }
        play
    }

    fn point(&mut self, ifindex: u32, address: &str, to_pod: Hook) {
        self.observe(Observation::Point(Point {
            ifindex,
            name: format!("veth{ifindex}").into(),
            since: Time(0),
            addresses: vec![address.parse().expect("an address")],
            from_pod: Hook::Proven,
            to_pod,
            foreign: false,
            bypassed: false,
        }));
    }

    /// A packet passed the to-pod hook of `api`'s interface.
    pub(super) fn prove(&mut self, ifindex: u32) {
        self.point(ifindex, "10.0.0.2", Hook::Proven);
    }

    /// It was there at the first load.
    pub(super) fn load(&mut self, object: impl Into<Object>) {
        self.input(Input::Loaded(vec![Change::Set(object.into())]));
    }

    /// The Service has a node port too, and there is another node.
    pub(super) fn load_node_port(&mut self) {
        let mut service = service();
        service.ports[0].node_port = Some(30080);
        self.load(Object::Service(Arc::new(service)));
        self.load(Object::Node(Arc::new(Node {
            name: "there".into(),
            labels: Labels::default(),
            addresses: vec!["192.168.0.2".parse().expect("an address")],
            pod_cidrs: Vec::new(),
        })));
    }

    /// Something cannot be read.
    pub(super) fn doubt(&mut self, scope: Scope) {
        let source = "endpointslices".into();
        self.input(Input::Loaded(vec![Change::Doubt { source, scope }]));
    }

    /// It changes.
    pub(super) fn change(&mut self, ms: f64, object: impl Into<Object>) {
        self.run(ms);
        self.input(Input::Changed(vec![Change::Set(object.into())]));
    }

    pub(super) fn remove_pod(&mut self, ms: f64, of: &str) {
        self.run(ms);
        self.input(Input::Changed(vec![Change::Remove(Kind::Pod, name(of))]));
    }

    pub(super) fn node_state(&mut self, ms: f64, state: NodeState) {
        self.run(ms);
        self.input(Input::NodeState(state));
    }

    /// A SYN passes `point`.
    pub(super) fn syn(&mut self, ms: f64, point: &str, flow: &str, isn: u32) {
        self.run(ms);
        let key = key(point, flow, isn);
        let now = self.now;
        let pending = self.pending.entry(key).or_insert(PendingSyn {
            first: now,
            last: now,
            syns: 0,
        });
        pending.last = now;
        pending.syns += 1;
        let again = pending.syns > 1;
        // The first SYN makes no event: the next sweep finds it.
        if again {
            self.sighting(key, Seen::Pending);
        }
    }

    pub(super) fn synack(&mut self, ms: f64, point: &str, flow: &str, isn: u32) {
        self.run(ms);
        let key = key(point, flow, isn);
        let what = if self.pending.contains_key(&key) {
            Seen::Answered
        } else {
            Seen::AnsweredAgain
        };
        self.sighting(key, what);
        self.pending.remove(&key);
    }

    pub(super) fn icmp(&mut self, ms: f64, point: &str, flow: &str, isn: u32, (kind, code): (u8, u8)) {
        self.run(ms);
        let key = key(point, flow, isn);
        self.sighting(
            key,
            Seen::Icmp(Icmp {
                from: key.3.ip(),
                kind,
                code,
                quoted_ttl: 63,
            }),
        );
        self.pending.remove(&key);
    }

    /// A SYN dies in the node's namespace.
    pub(super) fn dropped(&mut self, ms: f64, flow: &str, isn: u32, reason: &str, function: &str) {
        self.run(ms);
        let (_, _, client, server, _) = key("from-0", flow, isn);
        self.observe(Observation::Drop(Drop {
            at: self.now,
            place: Place::Node,
            segment: Segment::Syn,
            client,
            server,
            isn,
            reason: Some(reason.into()),
            function: Some(function.into()),
        }));
    }

    /// Plays until then, and compares everything that was said.
    #[track_caller]
    pub(super) fn check(&mut self, until: f64, expected: &str) {
        self.check_after(0.0, until, expected);
    }

    /// The same, of what was said `after` that time.
    #[track_caller]
    pub(super) fn check_after(&mut self, after: f64, until: f64, expected: &str) {
        self.run(until);
        let after = time(after);
        let seen: Vec<String> = self
            .seen
            .iter()
            .filter(|(at, _)| *at >= after)
            .map(|(at, diagnosed)| render(*at, diagnosed))
            .collect();
        let expected: Vec<_> = expected
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .collect();
        assert_eq!(seen, expected, "seen:\n{}", seen.join("\n"));
    }

    /// Whether the last diagnosis has these words among its reasons or in its advice.
    pub(super) fn said(&self, words: &str) -> bool {
        let said = &self.last().diagnosis;
        said.reasons.iter().chain(&said.advice).any(|text| text.contains(words))
    }

    pub(super) fn last(&self) -> &Diagnosed {
        &self.seen.last().expect("something was said").1
    }

    /// Lets time pass, as the agent does.
    fn run(&mut self, ms: f64) {
        let until = time(ms);
        assert!(until >= self.now, "times must not go back");
        loop {
            if self.engine.wants_sweep() {
                self.sweep();
                continue;
            }
            let deadline = self.engine.next_deadline().unwrap_or(until).max(self.now);
            let next = deadline.min(self.next_sweep);
            if next >= until {
                self.now = until;
                return;
            }
            self.now = next;
            self.sweep();
        }
    }

    fn sweep(&mut self) {
        self.next_sweep = self.now + SWEEP;
        self.told.retain(|key, _| self.pending.contains_key(key));
        for (key, pending) in self.pending.clone() {
            if self.told.insert(key, pending.syns) != Some(pending.syns) {
                self.sighting(key, Seen::Pending);
            }
        }
        self.observe(Observation::Swept { at: self.now });
        self.input(Input::Tick);
    }

    fn sighting(&mut self, key: Key, what: Seen) {
        let (ifindex, to_pod, client, server, isn) = key;
        let pending = self.pending.get(&key).copied();
        self.observe(Observation::Sighting(Sighting {
            ifindex,
            direction: if to_pod { Direction::ToPod } else { Direction::FromPod },
            client,
            server,
            isn,
            at: self.now,
            pending,
            what,
        }));
    }

    fn observe(&mut self, observation: Observation) {
        self.input(Input::Observed(vec![observation]));
    }

    fn input(&mut self, input: Input) {
        let said = self.engine.input(input, self.now);
        self.seen
            .extend(said.into_iter().map(|diagnosed| (self.now, diagnosed)));
    }
}

fn time(ms: f64) -> Time {
    START + Duration::from_secs_f64(ms / 1000.0)
}

/// `from-1` or `to-2`, and `client>server`.
fn key(point: &str, flow: &str, isn: u32) -> Key {
    let (direction, ifindex) = point.split_once('-').expect("from-1 or to-1");
    let (client, server) = flow.split_once('>').expect("client>server");
    (
        ifindex.parse().expect("an index"),
        direction == "to",
        client.parse().expect("an address"),
        server.parse().expect("an address"),
        isn,
    )
}

fn who(endpoint: &Endpoint) -> String {
    match &endpoint.identity {
        Identity::Pod(pod) => pod.name.to_string(),
        Identity::Service(hit) => match &hit.service {
            Some(service) => format!("svc {}", service.name),
            None => "host port".to_owned(),
        },
        Identity::Node { .. } => "node".to_owned(),
        Identity::External => "external".to_owned(),
        Identity::Unknown(_) => "unknown".to_owned(),
    }
}

/// When, how final, who, how, and the conclusion.
fn render(at: Time, diagnosed: &Diagnosed) -> String {
    let Diagnosed { assessment, diagnosis } = diagnosed;
    let attempt = &assessment.attempt;
    let stage = match attempt.stage {
        Stage::Provisional => "provisional",
        Stage::Final => "final",
        Stage::Revision => "revision",
    };
    let ms = at.since(START).as_micros() as f64 / 1000.0;
    let mut text = format!(
        "{ms} {stage} {}>{}",
        who(&assessment.source),
        who(&assessment.destination)
    );
    if let Some(backend) = &assessment.backend {
        let _ = write!(text, "={}", who(backend));
    }
    let _ = write!(text, " {}", attempt.outcome.code());
    if let Some(origin) = attempt.origin {
        let _ = write!(text, " by {}", origin.code());
    }
    let _ = write!(text, " {}:", attempt.reach.code());
    match (diagnosis.cause, diagnosis.confidence) {
        (Some(cause), Some(confidence)) => {
            let _ = write!(text, " {} {}", cause.code(), confidence.code());
        }
        _ => text.push_str(" fine"),
    }
    text
}
