//! One attempt between two pods on different nodes, as either node's agent sees it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use observer::agent::Output;
use observer::attempt::{
    Attempt, AttemptId, DestinationHook, Direction, Hook, Origin, Outcome, PointFacts, Reach, Stage,
};
use observer::diagnosis::{Assessment, NodeState, diagnose};
use observer::endpoint::{Endpoint, Identity};
use observer::engine::Diagnosed;
use observer::objects::{Labels, Name, Phase, Pod};
use observer::policy::{Decision, DirectionVerdict, Verdict};
use observer::time::Time;

/// One attempt, connected unless it is said otherwise.
#[derive(Clone, Debug)]
pub struct Call {
    /// Initial sequence number.
    pub isn: u32,
    /// The first SYN.
    pub first: Time,
    /// From the first SYN until its end.
    pub took: Duration,
    /// How it ended.
    pub outcome: Outcome,
    /// How sure that is.
    pub stage: Stage,
    /// Who dialled: `namespace/name`.
    pub from: &'static str,
    /// Who was dialled.
    pub to: &'static str,
    /// The port that was dialled.
    pub port: u16,
}

impl Call {
    /// From `shop/cart` to `shop/api`.
    #[must_use]
    pub fn new(isn: u32, first: Time) -> Self {
        Self {
            isn,
            first,
            took: Duration::from_micros(412),
            outcome: Outcome::Connected,
            stage: Stage::Final,
            from: "shop/cart",
            to: "shop/api",
            port: 8080,
        }
    }

    /// As the client's node sees it.
    #[must_use]
    pub fn at_source(&self) -> Output {
        self.seen(Direction::FromPod)
    }

    /// As the destination's node sees it.
    #[must_use]
    pub fn at_destination(&self) -> Output {
        self.seen(Direction::ToPod)
    }

    fn seen(&self, direction: Direction) -> Output {
        let client = SocketAddr::new(address(self.from), 40_000);
        let server = SocketAddr::new(address(self.to), self.port);
        let at_source = direction == Direction::FromPod;
        let connected = self.outcome == Outcome::Connected;
        let end = self.first + self.took;
        let point = PointFacts {
            ifindex: 7,
            interface: "veth7".into(),
            direction,
            client,
            server,
            first: self.first,
            syns: 1,
            answered: connected.then_some(end),
            repeats: 0,
            reset: (self.outcome == Outcome::Refused).then_some(end),
            aborted: None,
            icmp: None,
            bound: !at_source,
            foreign: false,
        };
        let attempt = Attempt {
            id: AttemptId {
                first: self.first.0,
                isn: self.isn,
                nth: 0,
            },
            stage: self.stage,
            isn: self.isn,
            first: self.first,
            decided: end,
            client,
            server,
            source_observed: at_source,
            backend: None,
            rewritten: None,
            outcome: self.outcome,
            origin: match self.outcome {
                Outcome::Refused if at_source => Some(Origin::Unknown),
                Outcome::Connected | Outcome::Refused => Some(Origin::DestinationPod),
                _ => None,
            },
            reach: if at_source { Reach::Unknown } else { Reach::Delivered },
            syns: 1,
            handshake: (connected && at_source).then_some(self.took),
            points: vec![point],
            drops: Vec::new(),
            destination: if at_source {
                DestinationHook::NotObserved
            } else {
                DestinationHook::Observed(Hook::Proven)
            },
            answered_by_destination: !at_source && connected,
            absence_witnessed: true,
            listener: None,
            lost: false,
            recent_reject: None,
            recent_success: None,
        };
        let assessment = Assessment {
            attempt,
            source: endpoint(self.from, client),
            destination: endpoint(self.to, server),
            backend: None,
            perhaps_via: None,
            verdict: Verdict {
                decision: Decision::Allowed,
                egress: not_isolated(),
                ingress: not_isolated(),
                caveats: Vec::new(),
                changes: Vec::new(),
            },
            node: NodeState::default(),
            answered_although_denied: 0,
        };
        let diagnosis = diagnose(&assessment);
        Output::Attempt(Box::new(Diagnosed { assessment, diagnosis }))
    }
}

/// Each name has an address of its own.
fn address(name: &str) -> IpAddr {
    let sum: u32 = name
        .bytes()
        .map(u32::from)
        .fold(7, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte));
    let [_, b, c, d] = sum.to_be_bytes();
    IpAddr::from([10, b, c, d])
}

fn endpoint(name: &str, at: SocketAddr) -> Endpoint {
    let (namespace, name) = name.split_once('/').unwrap_or(("default", name));
    let pod = Pod {
        name: Name::new(namespace, name),
        uid: name.into(),
        labels: Labels::from_iter([("app", name)]),
        addresses: vec![at.ip()],
        node: None,
        host_network: false,
        phase: Phase::Running,
        ready: true,
        created: None,
        terminating: None,
        ended: None,
        workload: None,
        ports: Vec::new(),
    };
    Endpoint {
        address: at,
        identity: Identity::Pod(Arc::new(pod)),
    }
}

fn not_isolated() -> DirectionVerdict {
    DirectionVerdict {
        decision: Decision::NotIsolated,
        undecidable: None,
        policies: Vec::new(),
        rule: None,
        nearest: Vec::new(),
        farther: 0,
    }
}
