//! A builder of assessments: a silent attempt of a pod at another pod of this node, changed step by step.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::attempt::{
    Attempt, AttemptId, DestinationHook, Direction as Way, Drop, Hook, Icmp, Listener, Origin, Outcome, Place,
    PointFacts, Reach, Segment, Stage,
};
use crate::diagnosis::{Assessment, NodeState};
use crate::endpoint::{Backend, Endpoint, HitPort, Identity, ServiceHit, Unknown, Via};
use crate::objects::{Labels, Name, Phase, Pod, Protocol, Service, ServicePort, TargetPort, Workload};
use crate::policy::{Caveat, Decision, Direction, DirectionVerdict, NearMiss, RuleId, Undecidable, Unmet, Verdict};
use crate::time::Time;

/// When the first SYN of every built attempt was sent: 2026-03-01T12:53:48.042111Z.
pub(crate) const FIRST: Time = Time(1_772_369_628_042_111_000);

/// An assessment under construction.
#[derive(Clone, Debug)]
pub(crate) struct Build(pub(crate) Assessment);

/// A drop of the SYN in the node's namespace.
pub(crate) fn drop(reason: &str, function: &str) -> Drop {
    Drop {
        at: FIRST + Duration::from_micros(80),
        place: Place::Node,
        segment: Segment::Syn,
        client: "10.0.0.1:40000".parse().expect("an address"),
        server: "10.0.0.2:2283".parse().expect("an address"),
        isn: 7,
        reason: Some(reason.into()),
        function: Some(function.into()),
    }
}

fn pod(namespace: &str, name: &str, address: IpAddr, workload: &str) -> Arc<Pod> {
    Arc::new(Pod {
        name: Name::new(namespace, name),
        uid: name.into(),
        labels: Labels::from_iter([("app", workload)]),
        addresses: vec![address],
        node: Some("node-a".into()),
        host_network: false,
        phase: Phase::Running,
        ready: true,
        created: None,
        terminating: None,
        ended: None,
        workload: Some(Workload {
            kind: "Deployment".into(),
            name: workload.into(),
        }),
        ports: Vec::new(),
    })
}

fn direction(decision: Decision) -> DirectionVerdict {
    DirectionVerdict {
        decision,
        undecidable: None,
        policies: Vec::new(),
        rule: None,
        nearest: Vec::new(),
        farther: 0,
    }
}

impl Build {
    /// Silent, not delivered at a hook that works, no drop seen, allowed since nothing isolates.
    pub(crate) fn new() -> Self {
        Self::between("10.0.0.1", "10.0.0.2")
    }

    /// The same over IPv6.
    pub(crate) fn v6() -> Self {
        Self::between("fd00::1", "fd00::2")
    }

    fn between(client: &str, server: &str) -> Self {
        let client = SocketAddr::new(client.parse().expect("an address"), 40000);
        let server = SocketAddr::new(server.parse().expect("an address"), 2283);
        let web = pod("homepage", "homepage-7d9f-x2x4v", client.ip(), "homepage");
        let api = pod("immich", "immich-server-0", server.ip(), "immich-server");
        let attempt = Attempt {
            id: AttemptId {
                first: FIRST.0,
                isn: 7,
                nth: 0,
            },
            stage: Stage::Final,
            isn: 7,
            first: FIRST,
            decided: FIRST + Duration::from_secs(4),
            client,
            server,
            source_observed: true,
            backend: None,
            rewritten: None,
            outcome: Outcome::Timeout,
            origin: None,
            reach: Reach::LeftSource,
            syns: 3,
            handshake: None,
            points: Vec::new(),
            drops: Vec::new(),
            destination: DestinationHook::Observed(Hook::Proven),
            answered_by_destination: false,
            absence_witnessed: true,
            listener: None,
            lost: false,
            recent_reject: None,
            recent_success: None,
        };
        Self(Assessment {
            attempt,
            source: Endpoint {
                address: client,
                identity: Identity::Pod(web),
            },
            destination: Endpoint {
                address: server,
                identity: Identity::Pod(api),
            },
            backend: None,
            perhaps_via: None,
            verdict: Verdict {
                decision: Decision::Allowed,
                egress: direction(Decision::NotIsolated),
                ingress: direction(Decision::NotIsolated),
                caveats: Vec::new(),
                changes: Vec::new(),
            },
            node: NodeState::default(),
            answered_although_denied: 0,
        })
        .point(Way::FromPod, "veth1")
    }

    /// Changes anything.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Assessment)) -> Self {
        change(&mut self.0);
        self
    }

    pub(crate) fn outcome(self, outcome: Outcome, origin: Option<Origin>) -> Self {
        self.with(|all| {
            all.attempt.outcome = outcome;
            all.attempt.origin = origin;
        })
    }

    /// The SYN was seen at an interface.
    pub(crate) fn point(self, way: Way, interface: &str) -> Self {
        self.with(|all| {
            let attempt = &mut all.attempt;
            attempt.points.push(PointFacts {
                ifindex: u32::try_from(attempt.points.len()).expect("few") + 10,
                interface: interface.into(),
                direction: way,
                client: attempt.client,
                server: attempt.backend.unwrap_or(attempt.server),
                first: FIRST + Duration::from_micros(20) * u32::from(way == Way::ToPod),
                syns: attempt.syns,
                answered: None,
                repeats: 0,
                reset: None,
                aborted: None,
                icmp: None,
                bound: way == Way::ToPod,
                foreign: false,
            });
        })
    }

    /// Seen at the destination's own interface.
    pub(crate) fn delivered(self) -> Self {
        self.with(|all| all.attempt.reach = Reach::Delivered)
            .point(Way::ToPod, "veth2")
    }

    /// Connected in 412 µs.
    pub(crate) fn connected(self) -> Self {
        self.outcome(Outcome::Connected, Some(Origin::DestinationPod))
            .delivered()
            .with(|all| {
                let attempt = &mut all.attempt;
                attempt.syns = 1;
                attempt.handshake = Some(Duration::from_micros(412));
                attempt.answered_by_destination = true;
                for point in &mut attempt.points {
                    point.syns = 1;
                    point.answered = Some(FIRST + Duration::from_micros(412));
                }
            })
    }

    /// A RST left the destination pod.
    pub(crate) fn refused(self) -> Self {
        self.outcome(Outcome::Refused, Some(Origin::DestinationPod))
            .delivered()
            .with(|all| {
                all.attempt.syns = 1;
                all.attempt.answered_by_destination = true;
                for point in &mut all.attempt.points {
                    point.syns = 1;
                    point.reset = Some(FIRST + Duration::from_micros(150));
                }
            })
    }

    /// An ICMP error reached the client.
    pub(crate) fn icmp(self, outcome: Outcome, v4: (u8, u8), v6: (u8, u8)) -> Self {
        self.outcome(outcome, Some(Origin::Path)).with(|all| {
            let server = all.attempt.server.ip();
            let (kind, code) = if server.is_ipv4() { v4 } else { v6 };
            all.attempt.syns = 1;
            all.attempt.points[0].syns = 1;
            all.attempt.points[0].icmp = Some(Icmp {
                from: server,
                kind,
                code,
                quoted_ttl: 63,
            });
        })
    }

    /// A filter answered with ICMP port unreachable.
    pub(crate) fn rejected(self) -> Self {
        self.icmp(Outcome::Rejected, (3, 3), (1, 4))
    }

    /// Nothing shows where the destination is.
    pub(crate) fn unobserved(self) -> Self {
        self.with(|all| {
            all.attempt.reach = Reach::Unknown;
            all.attempt.destination = DestinationHook::NotObserved;
        })
    }

    pub(crate) fn dropped(self, reason: &str, function: &str) -> Self {
        self.dropped_at(Place::Node, Segment::Syn, reason, function)
    }

    pub(crate) fn dropped_at(self, place: Place, segment: Segment, reason: &str, function: &str) -> Self {
        self.with(|all| {
            all.attempt.drops.push(Drop {
                place,
                segment,
                client: all.attempt.client,
                server: all.attempt.backend.unwrap_or(all.attempt.server),
                ..drop(reason, function)
            });
        })
    }

    /// Denied for a rule that allows another port.
    pub(crate) fn denied(self, way: Direction) -> Self {
        let (namespace, name) = match way {
            Direction::Egress => ("homepage", "allow-egress"),
            Direction::Ingress => ("immich", "allow-ingress"),
        };
        let policy = Name::new(namespace, name);
        let port = self.0.attempt.backend.unwrap_or(self.0.attempt.server).port();
        let verdict = DirectionVerdict {
            policies: vec![policy.clone()],
            nearest: vec![NearMiss {
                rule: RuleId {
                    policy,
                    direction: way,
                    number: 1,
                },
                unmet: vec![Unmet::Port {
                    allowed: vec!["80".into()],
                    protocol: Protocol::Tcp,
                    target: port,
                    names_service_port: None,
                    by_name: None,
                }],
                change: format!("add TCP {port} to rule 1 of {namespace}/{name}"),
            }],
            ..direction(Decision::Denied)
        };
        self.with(|all| {
            all.verdict.decision = Decision::Denied;
            match way {
                Direction::Egress => all.verdict.egress = verdict,
                Direction::Ingress => all.verdict.ingress = verdict,
            }
        })
    }

    /// The policies' answer is open.
    pub(crate) fn open(self, reason: Undecidable) -> Self {
        self.with(|all| {
            all.verdict.decision = Decision::Undecidable;
            all.verdict.ingress = DirectionVerdict {
                undecidable: Some(reason),
                ..direction(Decision::Undecidable)
            };
        })
    }

    pub(crate) fn caveat(self, caveat: Caveat) -> Self {
        self.with(|all| all.verdict.caveats.push(caveat))
    }

    pub(crate) fn listener(self, queue: u32, limit: u32) -> Self {
        self.with(|all| all.attempt.listener = Some(Some(Listener { queue, limit })))
    }

    /// A Service was dialled, which has port 80 for the pod's 2283.
    pub(crate) fn service(self, port: u16, backends: &[(bool, bool)]) -> Self {
        let api = self.0.destination.pod().cloned();
        let v4 = self.0.attempt.server.is_ipv4();
        let address: IpAddr = if v4 { "10.96.0.10" } else { "fd96::10" }.parse().expect("an address");
        let target = self.0.attempt.server;
        let dialled = SocketAddr::new(address, port);
        let service = Arc::new(Service {
            name: Name::new("immich", "immich"),
            cluster_ips: vec![address],
            headless: false,
            external_ips: Vec::new(),
            proxied_ips: Vec::new(),
            external_name: None,
            ports: vec![ServicePort {
                name: "http".into(),
                port: 80,
                protocol: Protocol::Tcp,
                target: TargetPort::Number(2283),
                node_port: None,
            }],
            selector: Some(Labels::from_iter([("app", "immich-server")])),
            internal_local: false,
            external_local: false,
            publish_not_ready: false,
        });
        self.with(|all| {
            all.attempt.server = dialled;
            all.attempt.points[0].server = dialled;
            all.destination = Endpoint {
                address: dialled,
                identity: Identity::Service(ServiceHit {
                    service: Some(service),
                    via: Via::ClusterIp,
                    backends_known: true,
                    port: (port == 80).then(|| HitPort {
                        name: "http".into(),
                        port,
                        protocol: Protocol::Tcp,
                    }),
                    backends: backends
                        .iter()
                        .map(|&(ready, excluded)| Backend {
                            address: target,
                            pod: api.clone(),
                            ready,
                            local: !excluded,
                            excluded,
                        })
                        .collect(),
                }),
            };
        })
    }

    /// The dialled Service became its pod, as a drop or the destination's point showed.
    pub(crate) fn became(self) -> Self {
        self.with(|all| {
            let (address, pod) = all
                .destination
                .service()
                .and_then(|hit| hit.backends.first())
                .and_then(|backend| Some((backend.address, backend.pod.clone()?)))
                .expect("a backend with a pod");
            all.attempt.backend = Some(address);
            all.backend = Some(Endpoint {
                address,
                identity: Identity::Pod(pod),
            });
        })
    }

    /// Nobody can be named for the destination.
    pub(crate) fn unknown(self, unknown: Unknown) -> Self {
        self.with(|all| all.destination.identity = Identity::Unknown(unknown))
    }

    /// The destination's pod ended 12 s before.
    pub(crate) fn ended(self) -> Self {
        let pod = self.0.destination.pod().cloned().expect("a pod");
        let at = Some(FIRST - Duration::from_secs(12));
        self.unknown(Unknown::Ended { pod, at })
    }

    pub(crate) fn conntrack(self, entries: u64, limit: u64) -> Self {
        self.with(|all| all.node.conntrack = Some((entries, limit)))
    }
}
