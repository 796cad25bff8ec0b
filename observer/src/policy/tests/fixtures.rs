//! Small clusters from short strings, and questions to them in both address families.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use crate::objects::{
    Change, ContainerPort, Labels, Name, Namespace, NetworkPolicy, Object, Operator, Peer, Phase, Pod, PortMatch,
    PortRule, Protocol, Requirement, Rule, Selector, Str, Written,
};
use crate::policy::{Config, Party, Policies, Question, Verdict, Who};
use crate::time::Time;

/// `a=1,b=2`.
pub(crate) fn labels(text: &str) -> Labels {
    text.split(',')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').expect("key=value"))
        .collect()
}

/// As kubectl writes it: `a=1`, `a in (1 2)`, `a notin (1 2)`, `a`, `!a`, joined by `, `; empty selects everything.
pub(crate) fn selector(text: &str) -> Selector {
    let values = |list: &str| {
        list.trim_matches(['(', ')'])
            .split_whitespace()
            .map(Str::from)
            .collect()
    };
    let requirements = text
        .split(", ")
        .filter(|part| !part.is_empty())
        .map(|part| {
            let (key, operator) = if let Some((key, list)) = part.split_once(" in ") {
                (key, Operator::In(values(list)))
            } else if let Some((key, list)) = part.split_once(" notin ") {
                (key, Operator::NotIn(values(list)))
            } else if let Some((key, value)) = part.split_once('=') {
                (key, Operator::In(vec![value.into()]))
            } else if let Some(key) = part.strip_prefix('!') {
                (key, Operator::DoesNotExist)
            } else {
                (part, Operator::Exists)
            };
            Requirement {
                key: key.into(),
                operator,
            }
        })
        .collect();
    Selector { requirements }
}

/// `pods S`, `ns S`, `ns S / pods S`, `block CIDR [except CIDR]…`; S as [`selector`] reads it.
pub(crate) fn peer(text: &str) -> Peer {
    if let Some(block) = text.strip_prefix("block ") {
        let mut parts = block.split(" except ").map(|cidr| cidr.parse().expect(cidr));
        return Peer::Block {
            cidr: parts.next().expect("a block"),
            except: parts.collect(),
        };
    }
    let (mut namespaces, mut pods) = (None, None);
    for part in text.split(" / ") {
        match part.split_once(' ').unwrap_or((part, "")) {
            ("pods", text) => pods = Some(selector(text)),
            ("ns", text) => namespaces = Some(selector(text)),
            other => panic!("{other:?}"),
        }
    }
    Peer::Pods { namespaces, pods }
}

fn protocol(text: &str) -> Protocol {
    match text {
        "TCP" => Protocol::Tcp,
        "UDP" => Protocol::Udp,
        "SCTP" => Protocol::Sctp,
        other => panic!("{other}"),
    }
}

/// `TCP`, `UDP 53`, `TCP 8000-8080`, `TCP http`.
pub(crate) fn port(text: &str) -> PortRule {
    let (kind, which) = text.split_once(' ').unwrap_or((text, ""));
    let port = match which.split_once('-') {
        _ if which.is_empty() => PortMatch::Any,
        Some((first, last)) if first.parse::<u16>().is_ok() => {
            PortMatch::Range(first.parse().expect("a port"), last.parse().expect("a port"))
        }
        _ => which.parse().map_or_else(
            |_| PortMatch::Name(which.into()),
            |number| PortMatch::Range(number, number),
        ),
    };
    PortRule {
        protocol: protocol(kind),
        port,
    }
}

/// A rule of peers and ports, each as [`peer`] and [`port`] read them.
pub(crate) fn rule(peers: &[&str], ports: &[&str]) -> Rule {
    Rule {
        peers: peers.iter().copied().map(peer).collect(),
        ports: ports.iter().copied().map(port).collect(),
    }
}

pub(crate) fn name(text: &str) -> Name {
    let (namespace, name) = text.split_once('/').expect("namespace/name");
    Name::new(namespace, name)
}

fn policy(of: &str, pods: &str) -> NetworkPolicy {
    NetworkPolicy {
        name: name(of),
        created: None,
        pod_selector: selector(pods),
        isolates_ingress: false,
        isolates_egress: false,
        ingress: Vec::new(),
        egress: Vec::new(),
        source: None,
        written: Written::default(),
    }
}

/// A policy with `policyTypes: [Ingress]`.
pub(crate) fn ingress(of: &str, pods: &str, rules: &[Rule]) -> NetworkPolicy {
    NetworkPolicy {
        isolates_ingress: true,
        ingress: rules.to_vec(),
        ..policy(of, pods)
    }
}

/// A policy with `policyTypes: [Egress]`.
pub(crate) fn egress(of: &str, pods: &str, rules: &[Rule]) -> NetworkPolicy {
    NetworkPolicy {
        isolates_egress: true,
        egress: rules.to_vec(),
        ..policy(of, pods)
    }
}

/// A small cluster: every pod has an IPv4 and an IPv6 address, and runs on node `n1` unless it is said otherwise.
pub(crate) struct Cluster {
    pub(crate) policies: Policies,
    pub(crate) pods: Vec<Arc<Pod>>,
}

impl Cluster {
    pub(crate) fn new() -> Self {
        Self {
            policies: Policies::new(Config::default()),
            pods: Vec::new(),
        }
    }

    pub(crate) fn set(&mut self, object: Object, at: Time) {
        self.policies.apply(&Change::Set(object), at);
    }

    pub(crate) fn namespace(mut self, name: &str, text: &str) -> Self {
        self.set(namespace(name, text), Time::BEGINNING);
        self
    }

    pub(crate) fn policy(mut self, policy: NetworkPolicy) -> Self {
        let object = Object::NetworkPolicy(Arc::new(policy));
        self.set(object, Time::BEGINNING);
        self
    }

    pub(crate) fn pod(self, of: &str, text: &str) -> Self {
        self.pod_with(of, text, |_| {})
    }

    pub(crate) fn pod_with(mut self, of: &str, text: &str, change: impl FnOnce(&mut Pod)) -> Self {
        let number = u8::try_from(self.pods.len() + 1).expect("few pods");
        let mut pod = Pod {
            name: name(of),
            uid: of.into(),
            labels: labels(text),
            addresses: vec![
                Ipv4Addr::new(10, 0, 0, number).into(),
                Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, number.into()).into(),
            ],
            node: Some("n1".into()),
            host_network: false,
            phase: Phase::Running,
            ready: true,
            created: None,
            terminating: None,
            ended: None,
            workload: None,
            ports: Vec::new(),
        };
        change(&mut pod);
        let pod = Arc::new(pod);
        self.pods.push(pod.clone());
        self.set(Object::Pod(pod), Time::BEGINNING);
        self
    }

    pub(crate) fn find(&self, of: &str) -> Arc<Pod> {
        let name = name(of);
        self.pods.iter().find(|pod| pod.name == name).expect(of).clone()
    }

    /// `ns/pod`, an address outside, `node NAME [candidate]…`, `unknown`, `rewritten ns/pod`.
    pub(crate) fn party(&self, text: &str, v6: bool) -> Party {
        let node_address = if v6 {
            "fd99::1".parse().expect("an address")
        } else {
            IpAddr::from([192, 168, 0, 1])
        };
        let (who, address) = match text.split_once(' ') {
            Some(("node", rest)) => {
                let mut words = rest.split(' ');
                let node = words.next().filter(|node| *node != "?").map(Str::from);
                let candidates = words.map(|pod| self.find(pod)).collect();
                (Who::Node { node, candidates }, node_address)
            }
            Some(("rewritten", pod)) => (Who::Rewritten { pod: self.find(pod) }, node_address),
            _ if text == "unknown" => (Who::Unknown, "10.0.0.200".parse().expect("an address")),
            _ if text.contains('/') => {
                let pod = self.find(text);
                let address = pod.addresses[usize::from(v6)];
                (Who::Pod(pod), address)
            }
            _ => (Who::External, text.parse().expect("an address")),
        };
        Party { address, who }
    }

    pub(crate) fn question(&self, from: &str, to: &str, on: &str, v6: bool) -> Question {
        let (kind, number) = on.split_once(' ').expect("protocol and port");
        Question {
            source: self.party(from, v6),
            destination: self.party(to, v6),
            port: number.parse().expect("a port"),
            protocol: protocol(kind),
            dialled: None,
            at: Time(1_000_000_000_000),
        }
    }

    pub(crate) fn judge(&self, from: &str, to: &str, on: &str) -> Verdict {
        self.policies.judge(&self.question(from, to, on, false))
    }

    /// Checks lines of `SOURCE -> DESTINATION : PROTOCOL PORT = EGRESS, INGRESS`, in both families where both sides are in
    /// the cluster. Answers: `n/a`, `open` (not isolated), `allowed`, `denied`, or the code of an undecidable.
    #[track_caller]
    pub(crate) fn check(&self, expected: &str) {
        for line in expected.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (question, answer) = line.rsplit_once(" = ").expect("an answer");
            let (parties, on) = question.split_once(" : ").expect("a port");
            let (from, to) = parties.split_once(" -> ").expect("two parties");
            let outside = |party: &str| party.parse::<IpAddr>().ok();
            for v6 in [false, true] {
                if [outside(from), outside(to)]
                    .into_iter()
                    .flatten()
                    .any(|address| address.is_ipv6() != v6)
                {
                    continue;
                }
                let question = self.question(from, to, on, v6);
                assert_eq!(said(&self.policies, &question), answer, "{line} (IPv6: {v6})");
            }
        }
    }
}

pub(crate) fn namespace(name: &str, text: &str) -> Object {
    let built_in = format!("kubernetes.io/metadata.name={name}");
    Object::Namespace(Arc::new(Namespace {
        name: name.into(),
        labels: labels(&format!("{built_in},{text}")),
    }))
}

/// Both directions in short; holds that the explained verdict says the same as the bare decision.
pub(crate) fn said(policies: &Policies, question: &Question) -> String {
    use crate::policy::Decision;
    let verdict = policies.judge(question);
    let decided = policies.decide(question);
    assert_eq!(verdict.decision, decided.decision());
    assert_eq!(verdict.egress.decision, decided.egress.decision);
    assert_eq!(verdict.ingress.decision, decided.ingress.decision);
    [&verdict.egress, &verdict.ingress]
        .map(|direction| {
            assert_eq!(
                direction.undecidable.is_some(),
                direction.decision == Decision::Undecidable
            );
            match (&direction.undecidable, direction.decision) {
                (Some(reason), _) => reason.code(),
                (None, Decision::NotApplicable) => "n/a",
                (None, Decision::NotIsolated) => "open",
                (None, Decision::Allowed) => "allowed",
                (None, _) => "denied",
            }
        })
        .join(", ")
}

/// A pod's container port.
pub(crate) fn container_port(name: &str, port: u16, protocol: Protocol) -> ContainerPort {
    ContainerPort {
        name: Some(name.into()),
        port,
        host_port: None,
        protocol,
    }
}

pub(crate) fn dialled(mut question: Question, address: &str) -> Question {
    question.dialled = Some(address.parse::<SocketAddr>().expect("address:port"));
    question
}
