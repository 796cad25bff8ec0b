//! The rules of the cluster-wide policies.

use super::{given, pods, refuse};
use crate::cluster::convert::metadata;
use crate::cluster::findings::{At, Findings};
use crate::cluster::strings::intern;
use crate::cluster::syntax;
use crate::objects::{Action, ClusterPeer, ClusterPolicyKind, ClusterPort, ClusterRule, PodSet, Protocol};

/// No rule's name is longer.
const MAX_NAME: usize = 100;

/// No peer has more networks, or domain names.
const MAX_ADDRESSES: usize = 25;

/// What the rules of one policy have in common.
#[derive(Clone, Copy)]
pub(super) struct Rules {
    pub(super) kind: ClusterPolicyKind,
    /// An API server has taken it: an empty peer or protocol had a field that is not known here.
    pub(super) exported: bool,
}

impl Rules {
    pub(super) fn ingress(
        self,
        given: Option<&[given::Rule]>,
        at: At<'_>,
        findings: &mut Findings,
    ) -> Vec<ClusterRule> {
        let mut all = Vec::new();
        for (index, rule) in self.counted(given, at, findings) {
            let at = at.index(index);
            refuse(rule.to.is_some(), at.key("to"), findings);
            let list = at.key("from");
            let mut peers = Vec::new();
            for (index, peer) in self.needed(rule.from.as_deref(), list, findings) {
                let at = list.index(index);
                refuse(peer.nodes.is_some(), at.key("nodes"), findings);
                refuse(peer.networks.is_some(), at.key("networks"), findings);
                refuse(peer.domain_names.is_some(), at.key("domainNames"), findings);
                peers.push(self.peer(peer, at, findings));
            }
            all.extend(self.rule(rule, peers, at, findings));
        }
        all
    }

    pub(super) fn egress(self, given: Option<&[given::Rule]>, at: At<'_>, findings: &mut Findings) -> Vec<ClusterRule> {
        let mut all = Vec::new();
        for (index, rule) in self.counted(given, at, findings) {
            let at = at.index(index);
            refuse(rule.from.is_some(), at.key("from"), findings);
            let list = at.key("to");
            let mut peers = Vec::new();
            for (index, peer) in self.needed(rule.to.as_deref(), list, findings) {
                let at = list.index(index);
                let refused = self.kind == ClusterPolicyKind::Baseline && peer.domain_names.is_some();
                refuse(refused, at.key("domainNames"), findings);
                peers.push(self.peer(peer, at, findings));
            }
            let Some(rule) = self.rule(rule, peers, at, findings) else {
                continue;
            };
            let only_pods = rule.peers.iter().all(|peer| matches!(peer, ClusterPeer::Pods(_)));
            let names = rule.ports.iter().any(|port| matches!(port, ClusterPort::Named(_)));
            if names && !only_pods {
                findings.error(
                    at,
                    "only pods have named ports: use numbers for nodes, networks and domainNames, or a rule of their own",
                );
            }
            all.push(rule);
        }
        all
    }

    fn rule(
        self,
        given: &given::Rule,
        peers: Vec<Option<ClusterPeer>>,
        at: At<'_>,
        findings: &mut Findings,
    ) -> Option<ClusterRule> {
        let name = given.name.as_deref().filter(|name| !name.is_empty());
        if name.is_some_and(|name| name.chars().count() > MAX_NAME) {
            findings.error(
                at.key("name"),
                format!("a rule's name has at most {MAX_NAME} characters"),
            );
        }
        let action = self.action(given.action.as_deref(), at.key("action"), findings);
        let newer = self.kind == ClusterPolicyKind::Cluster;
        let (protocols, numbers) = (at.key("protocols"), at.key("ports"));
        refuse(!newer && given.protocols.is_some(), protocols, findings);
        refuse(newer && given.ports.is_some(), numbers, findings);
        let mut ports = Vec::new();
        if given.protocols.is_some() {
            for (index, protocol) in self.needed(given.protocols.as_deref(), protocols, findings) {
                ports.push(self.protocol(protocol, protocols.index(index), findings));
            }
        }
        if given.ports.is_some() {
            for (index, port) in self.needed(given.ports.as_deref(), numbers, findings) {
                ports.push(self.port(port, numbers.index(index), findings));
            }
        }
        Some(ClusterRule {
            name: name.map(intern),
            action: action?,
            fails_closed: peers.contains(&None) || ports.contains(&None),
            peers: peers.into_iter().flatten().collect(),
            ports: ports.into_iter().flatten().collect(),
        })
    }

    fn action(self, given: Option<&str>, at: At<'_>, findings: &mut Findings) -> Option<Action> {
        let accept = match self.kind {
            ClusterPolicyKind::Cluster => "Accept",
            ClusterPolicyKind::Admin | ClusterPolicyKind::Baseline => "Allow",
        };
        let choice = match self.kind {
            ClusterPolicyKind::Baseline => format!("{accept} or Deny"),
            ClusterPolicyKind::Cluster | ClusterPolicyKind::Admin => format!("{accept}, Deny or Pass"),
        };
        match given {
            Some(given) if given == accept => return Some(Action::Accept),
            Some("Deny") => return Some(Action::Deny),
            Some("Pass") if self.kind != ClusterPolicyKind::Baseline => return Some(Action::Pass),
            Some(other) => findings.error(at, format!("{other:?} is no action here: use {choice}")),
            None => findings.error(at, format!("an action is needed: {choice}")),
        }
        None
    }

    /// `None` for a peer of a form that is not known.
    fn peer(self, given: &given::Peer, at: At<'_>, findings: &mut Findings) -> Option<ClusterPeer> {
        let fields = [
            given.namespaces.is_some(),
            given.pods.is_some(),
            given.nodes.is_some(),
            given.networks.is_some(),
            given.domain_names.is_some(),
        ];
        self.one_of("a peer", &fields, at, findings)?;
        if let Some(namespaces) = &given.namespaces {
            return Some(ClusterPeer::Pods(PodSet {
                namespaces: metadata::selector(namespaces, at.key("namespaces"), findings),
                ..PodSet::default()
            }));
        }
        if let Some(given) = &given.pods {
            return Some(ClusterPeer::Pods(pods(given, at.key("pods"), findings)));
        }
        if let Some(nodes) = &given.nodes {
            let nodes = metadata::selector(nodes, at.key("nodes"), findings);
            return Some(ClusterPeer::Nodes(nodes));
        }
        if let Some(networks) = &given.networks {
            let at = at.key("networks");
            count(networks.len(), MAX_ADDRESSES, at, findings);
            let mut blocks = Vec::new();
            for (index, text) in networks.iter().enumerate() {
                let at = at.index(index);
                if let Some(cidr) = findings.check(at, syntax::cidr(text)) {
                    if let Some(warning) = cidr.warning {
                        findings.warn(at, warning);
                    }
                    blocks.push(cidr.value);
                }
            }
            return Some(ClusterPeer::Networks(blocks));
        }
        let names = given.domain_names.as_deref().unwrap_or_default();
        let at = at.key("domainNames");
        count(names.len(), MAX_ADDRESSES, at, findings);
        for (index, name) in names.iter().enumerate() {
            findings.check(at.index(index), syntax::domain_name(name));
        }
        Some(ClusterPeer::Domains(names.iter().map(|name| intern(name)).collect()))
    }

    fn protocol(self, given: &given::Protocol, at: At<'_>, findings: &mut Findings) -> Option<ClusterPort> {
        let numbered = [
            ("tcp", Protocol::Tcp, &given.tcp),
            ("udp", Protocol::Udp, &given.udp),
            ("sctp", Protocol::Sctp, &given.sctp),
        ];
        let [tcp, udp, sctp] = numbered.map(|(_, _, given)| given.is_some());
        let fields = [tcp, udp, sctp, given.destination_named_port.is_some()];
        self.one_of("a protocol", &fields, at, findings)?;
        if let Some(name) = &given.destination_named_port {
            return named(name, at.key("destinationNamedPort"), findings);
        }
        let (field, protocol, given) = numbered.into_iter().find(|(_, _, given)| given.is_some())?;
        let Some(port) = given.as_ref().and_then(|given| given.destination_port.as_ref()) else {
            return Some(ClusterPort::All(protocol));
        };
        let at = at.key(field);
        let at = at.key("destinationPort");
        match (port.number, &port.range) {
            (Some(number), None) => {
                let number = findings.check(at.key("number"), syntax::port(number))?;
                Some(ClusterPort::Range(protocol, number, number))
            }
            (None, Some(range)) => {
                let at = at.key("range");
                refuse(range.protocol.is_some(), at.key("protocol"), findings);
                let (start, end) = ends(range, at, findings)?;
                if start == end {
                    findings.error(at, "a range ends after its start: use number for one port");
                }
                Some(ClusterPort::Range(protocol, start, end))
            }
            (None, None) | (Some(_), Some(_)) => {
                findings.error(at, "a destinationPort is either a number or a range");
                None
            }
        }
    }

    fn port(self, given: &given::Port, at: At<'_>, findings: &mut Findings) -> Option<ClusterPort> {
        let fields = [
            given.port_number.is_some(),
            given.named_port.is_some(),
            given.port_range.is_some(),
        ];
        self.one_of("a port", &fields, at, findings)?;
        if let Some(given) = &given.port_number {
            let at = at.key("portNumber");
            let protocol = findings.check(at.key("protocol"), syntax::protocol(given.protocol.as_deref()));
            let number = number(given.port, at.key("port"), findings)?;
            return Some(ClusterPort::Range(protocol?, number, number));
        }
        if let Some(name) = &given.named_port {
            return named(name, at.key("namedPort"), findings);
        }
        let range = given.port_range.as_ref()?;
        let at = at.key("portRange");
        let protocol = findings.check(at.key("protocol"), syntax::protocol(range.protocol.as_deref()));
        let (start, end) = ends(range, at, findings)?;
        Some(ClusterPort::Range(protocol?, start, end))
    }

    /// Exactly one of the fields must be there; `None` otherwise.
    fn one_of(self, what: &str, fields: &[bool], at: At<'_>, findings: &mut Findings) -> Option<()> {
        match fields.iter().filter(|given| **given).count() {
            1 => return Some(()),
            0 if self.exported => {}
            0 => findings.error(at, format!("{what} needs a field that says what is meant")),
            _ => findings.error(
                at,
                format!("{what} has one field: put the others into {what} of their own"),
            ),
        }
        None
    }

    /// How many rules, peers and protocols a list may have.
    fn most(self) -> usize {
        match self.kind {
            ClusterPolicyKind::Cluster => 25,
            ClusterPolicyKind::Admin | ClusterPolicyKind::Baseline => 100,
        }
    }

    /// The elements of a list that may be missing or empty.
    fn counted<'g, G>(
        self,
        given: Option<&'g [G]>,
        at: At<'_>,
        findings: &mut Findings,
    ) -> impl Iterator<Item = (usize, &'g G)> + use<'g, G> {
        let given = given.unwrap_or_default();
        if given.len() > self.most() {
            count(given.len(), self.most(), at, findings);
        }
        given.iter().enumerate()
    }

    /// The elements of a list that needs one.
    fn needed<'g, G>(
        self,
        given: Option<&'g [G]>,
        at: At<'_>,
        findings: &mut Findings,
    ) -> impl Iterator<Item = (usize, &'g G)> + use<'g, G> {
        let given = given.unwrap_or_default();
        count(given.len(), self.most(), at, findings);
        given.iter().enumerate()
    }
}

fn count(given: usize, most: usize, at: At<'_>, findings: &mut Findings) {
    if given == 0 {
        findings.error(at, "at least one element is needed");
    } else if given > most {
        findings.error(at, format!("{given} elements are too many: at most {most} are allowed"));
    }
}

fn named(name: &str, at: At<'_>, findings: &mut Findings) -> Option<ClusterPort> {
    findings
        .check(at, syntax::port_name(name))
        .map(|()| ClusterPort::Named(intern(name)))
}

fn number(given: Option<i32>, at: At<'_>, findings: &mut Findings) -> Option<u16> {
    let Some(given) = given else {
        findings.error(at, "a port's number is needed");
        return None;
    };
    findings.check(at, syntax::port(given))
}

fn ends(range: &given::Range, at: At<'_>, findings: &mut Findings) -> Option<(u16, u16)> {
    let start = number(range.start, at.key("start"), findings);
    let end = number(range.end, at.key("end"), findings);
    let (start, end) = start.zip(end)?;
    if end < start {
        findings.error(at, format!("the range ends at {end} before it begins at {start}"));
        return None;
    }
    Some((start, end))
}
