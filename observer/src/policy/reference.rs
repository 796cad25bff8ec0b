//! A slow, obvious evaluator for tests, written from the text of the NetworkPolicy API reference.
//!
//! It shares no code with the evaluator that it checks: labels are maps, addresses are strings of bits, a party that may be
//! several things is a list of these, and every answer is worked out anew from all objects. Where the API's text is quoted,
//! it is in quotation marks.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::{Decision, Direction, Party, Question, Who};
use crate::objects::{
    Action, ClusterPeer, ClusterPolicy, ClusterPort, ClusterRule, Labels, Namespace, NetworkPolicy, Node, Operator,
    Peer, Pod, PodSet, PortMatch, PortRule, Rule, Selector, Tier,
};

/// A cluster at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Moment {
    pub(crate) namespaces: Vec<Arc<Namespace>>,
    pub(crate) policies: Vec<Arc<NetworkPolicy>>,
    pub(crate) cluster: Vec<Arc<ClusterPolicy>>,
    pub(crate) nodes: Vec<Arc<Node>>,
    /// Pods whose labels are others than in the question.
    pub(crate) pods: Vec<Arc<Pod>>,
}

/// One thing that a party may be.
#[derive(Clone, Debug)]
struct End {
    address: IpAddr,
    /// The pod that selectors see.
    pod: Option<Arc<Pod>>,
    /// It has the address of a node.
    on_node_address: bool,
    /// The node that it is, or is on.
    node: Option<String>,
}

/// The answers of one direction in every possible world; the likeliest first. `anybody`: what an unknown party may be.
pub(crate) fn answers(
    moment: &Moment,
    question: &Question,
    direction: Direction,
    anybody: &[Arc<Pod>],
) -> Vec<Decision> {
    let sources = ends(moment, &question.source, direction, anybody);
    let destinations = ends(moment, &question.destination, direction, anybody);
    let mut answers = Vec::new();
    for source in &sources {
        for destination in &destinations {
            for own_node in own_node(source, destination) {
                answers.extend(answer_of_tiers(
                    moment,
                    question,
                    direction,
                    source,
                    destination,
                    own_node,
                ));
            }
        }
    }
    answers
}

fn ends(moment: &Moment, party: &Party, direction: Direction, anybody: &[Arc<Pod>]) -> Vec<End> {
    let now = |pod: &Arc<Pod>| {
        let same = |other: &&Arc<Pod>| other.name == pod.name && other.uid == pod.uid;
        moment.pods.iter().find(same).unwrap_or(pod).clone()
    };
    let node_name = |node: &Option<crate::objects::Str>| node.as_ref().map(ToString::to_string);
    let pod = |pod: &Arc<Pod>, address| End {
        address,
        node: node_name(&pod.node),
        pod: Some(now(pod)),
        on_node_address: false,
    };
    let node = |node: Option<String>| End {
        address: party.address,
        pod: None,
        on_node_address: true,
        node,
    };
    let host_pod = |pod: &Arc<Pod>, node: Option<String>| End {
        address: party.address,
        node: node.or(node_name(&pod.node)),
        pod: Some(now(pod)),
        on_node_address: true,
    };
    let outside = End {
        address: party.address,
        pod: None,
        on_node_address: false,
        node: None,
    };
    match &party.who {
        Who::Pod(one) if one.host_network => vec![node(node_name(&one.node)), host_pod(one, None)],
        Who::Pod(one) => vec![pod(one, party.address)],
        Who::Node { node: name, candidates } => {
            let mut all = vec![node(node_name(name))];
            all.extend(candidates.iter().map(|candidate| host_pod(candidate, node_name(name))));
            all
        }
        Who::External => vec![outside],
        Who::Unknown => {
            let mut all = vec![outside];
            all.extend(anybody.iter().map(|one| pod(one, party.address)));
            all
        }
        Who::Rewritten { pod: one } => {
            let same_family = |address: &&IpAddr| address.is_ipv6() == party.address.is_ipv6();
            let address = one.addresses.iter().find(same_family);
            let mut all = vec![pod(one, *address.unwrap_or(&party.address))];
            if direction == Direction::Ingress {
                all.push(node(node_name(&one.node)));
            }
            all
        }
    }
}

/// Whether one end is the node that the other, a pod, runs on; both where that is not known.
fn own_node(a: &End, b: &End) -> Vec<bool> {
    let is_node = |end: &End| end.on_node_address;
    let is_pod = |end: &End| end.pod.is_some();
    if !((is_node(a) && is_pod(b)) || (is_node(b) && is_pod(a))) {
        return vec![false];
    }
    match (&a.node, &b.node) {
        (Some(a), Some(b)) => vec![a == b],
        _ => vec![false, true],
    }
}

/// Every answer that some order of the policies of one priority gives, and some way that domain names may resolve; the
/// harmless ones first.
fn answer_of_tiers(
    moment: &Moment,
    question: &Question,
    direction: Direction,
    source: &End,
    destination: &End,
    own_node: bool,
) -> Vec<Decision> {
    let network_policies = answer(moment, question, direction, source, destination, own_node);
    let (subject, peer) = match direction {
        Direction::Egress => (source, destination),
        Direction::Ingress => (destination, source),
    };
    let one_pod = match (&subject.pod, &peer.pod) {
        (Some(a), Some(b)) => a.name == b.name && a.uid == b.uid,
        _ => is_localhost(peer.address),
    };
    // "Note that host-networked pods are not included in subject selection."
    let Some(pod) = subject.pod.as_ref().filter(|_| !subject.on_node_address && !one_pod) else {
        return vec![network_policies];
    };
    let run = |tier| {
        let applying = moment
            .cluster
            .iter()
            .filter(|policy| policy.tier == tier && is_in(moment, &policy.subject, pod));
        let results = orders(applying.cloned().collect()).into_iter().flat_map(|order| {
            let rules: Vec<_> = order
                .iter()
                .flat_map(|policy| match direction {
                    Direction::Ingress => policy.ingress.clone(),
                    Direction::Egress => policy.egress.clone(),
                })
                .collect();
            first_matches(moment, question, &rules, peer, destination)
        });
        results.collect::<Vec<_>>()
    };
    let mut answers = Vec::new();
    for admin in run(Tier::Admin) {
        match admin {
            Some(Action::Accept) => answers.push(Decision::Allowed),
            Some(Action::Deny) => answers.push(Decision::Denied),
            // "v1.NetworkPolicy always makes a final decision for selected pods."
            Some(Action::Pass) | None if network_policies != Decision::NotIsolated => answers.push(network_policies),
            Some(Action::Pass) | None => {
                answers.extend(run(Tier::Baseline).into_iter().map(|baseline| match baseline {
                    Some(Action::Accept) => Decision::Allowed,
                    Some(Action::Deny) => Decision::Denied,
                    Some(Action::Pass) | None => Decision::NotIsolated,
                }));
            }
        }
    }
    answers.sort();
    answers.dedup();
    answers
}

/// "Policies with lower priority values have higher precedence"; with the same, "the implementation can apply any". One
/// without a priority may stand anywhere.
fn orders(policies: Vec<Arc<ClusterPolicy>>) -> Vec<Vec<Arc<ClusterPolicy>>> {
    if policies.is_empty() {
        return vec![Vec::new()];
    }
    let least = policies.iter().filter_map(|policy| policy.priority).min();
    let mut all = Vec::new();
    for (index, first) in policies.iter().enumerate() {
        if first.priority.is_none() || first.priority == least {
            let mut rest = policies.clone();
            rest.remove(index);
            for mut order in orders(rest) {
                order.insert(0, first.clone());
                all.push(order);
            }
        }
    }
    all
}

/// What the first rule that matches does; several where it hangs on what a domain name resolves to.
fn first_matches(
    moment: &Moment,
    question: &Question,
    rules: &[ClusterRule],
    peer: &End,
    destination: &End,
) -> Vec<Option<Action>> {
    let Some((rule, rest)) = rules.split_first() else {
        return vec![None];
    };
    let later = || first_matches(moment, question, rest, peer, destination);
    if rule.fails_closed {
        // "For Accept rules … matching no traffic. For Deny and Pass rules … a Deny all rule."
        return match rule.action {
            Action::Accept => later(),
            Action::Deny | Action::Pass => vec![Some(Action::Deny)],
        };
    }
    let port = rule.ports.is_empty()
        || rule.ports.iter().any(|wanted| match wanted {
            ClusterPort::All(protocol) => *protocol == question.protocol,
            ClusterPort::Range(protocol, first, last) => {
                *protocol == question.protocol && (*first..=*last).any(|number| number == question.port)
            }
            ClusterPort::Named(name) => destination.pod.as_ref().is_some_and(|pod| {
                pod.ports.iter().any(|port| {
                    port.name.as_ref() == Some(name) && port.port == question.port && port.protocol == question.protocol
                })
            }),
        });
    let matches = rule.peers.iter().any(|wanted| match wanted {
        ClusterPeer::Pods(set) => {
            let pod = peer.pod.as_ref().filter(|_| !peer.on_node_address);
            pod.is_some_and(|pod| is_in(moment, set, pod))
        }
        ClusterPeer::Nodes(selector) => moment
            .nodes
            .iter()
            .any(|node| node.addresses.contains(&peer.address) && selects(selector, &map(&node.labels))),
        ClusterPeer::Networks(blocks) => blocks.iter().any(|block| holds(&block.to_string(), peer.address)),
        ClusterPeer::Domains(_) => false,
    });
    let names = rule
        .peers
        .iter()
        .any(|wanted| matches!(wanted, ClusterPeer::Domains(_)));
    match (port, matches, names) {
        (true, true, _) => vec![Some(rule.action)],
        (true, false, true) => {
            let mut all = later();
            all.push(Some(rule.action));
            all
        }
        _ => later(),
    }
}

fn is_in(moment: &Moment, set: &PodSet, pod: &Pod) -> bool {
    let of = pod.name.namespace.to_string();
    let object = moment.namespaces.iter().find(|namespace| *namespace.name == *of);
    let mut labels = object.map(|namespace| map(&namespace.labels)).unwrap_or_default();
    labels.insert("kubernetes.io/metadata.name".into(), of);
    selects(&set.namespaces, &labels) && selects(&set.pods, &map(&pod.labels))
}

fn answer(
    moment: &Moment,
    question: &Question,
    direction: Direction,
    source: &End,
    destination: &End,
    own_node: bool,
) -> Decision {
    let (subject, peer) = match direction {
        Direction::Egress => (source, destination),
        Direction::Ingress => (destination, source),
    };
    let Some(pod) = &subject.pod else {
        return Decision::NotApplicable;
    };
    // "By default, a pod is non-isolated …; a pod is isolated if there is any NetworkPolicy that both selects the pod and has
    // [this direction] in its policyTypes."
    let isolating: Vec<_> = moment
        .policies
        .iter()
        .filter(|policy| match direction {
            Direction::Ingress => policy.isolates_ingress,
            Direction::Egress => policy.isolates_egress,
        })
        .filter(|policy| policy.name.namespace == pod.name.namespace)
        .filter(|policy| selects(&policy.pod_selector, &map(&pod.labels)))
        .collect();
    if isolating.is_empty() {
        return Decision::NotIsolated;
    }
    // "A Pod cannot block access to itself", and "traffic to and from the node where a Pod is running is always allowed".
    let itself = peer
        .pod
        .as_ref()
        .is_some_and(|other| other.name == pod.name && other.uid == pod.uid)
        // "Pods cannot currently block localhost access."
        || is_localhost(peer.address);
    // "… the only allowed connections are those allowed by the ingress [egress] list of some NetworkPolicy."
    let allowed = itself
        || own_node
        || isolating.iter().any(|policy| {
            let rules = match direction {
                Direction::Ingress => &policy.ingress,
                Direction::Egress => &policy.egress,
            };
            rules
                .iter()
                .any(|rule| matches_peers(moment, policy, rule, peer) && matches_ports(rule, question, destination))
        });
    if allowed { Decision::Allowed } else { Decision::Denied }
}

fn is_localhost(address: IpAddr) -> bool {
    let text = address.to_string();
    text.starts_with("127.") || text == "::1"
}

/// "If this field is empty or missing, this rule matches all sources"; else one of them.
fn matches_peers(moment: &Moment, policy: &NetworkPolicy, rule: &Rule, peer: &End) -> bool {
    rule.peers.is_empty()
        || rule.peers.iter().any(|wanted| match wanted {
            Peer::Block { cidr, except } => {
                holds(&cidr.to_string(), peer.address)
                    && except.iter().all(|hole| !holds(&hole.to_string(), peer.address))
            }
            Peer::Pods { namespaces, pods } => {
                let Some(pod) = &peer.pod else { return false };
                let of = pod.name.namespace.to_string();
                // "selects … pods in the policy's own namespace" unless there is a namespaceSelector.
                let namespace = match namespaces {
                    None => of == *policy.name.namespace,
                    Some(selector) => {
                        let object = moment.namespaces.iter().find(|namespace| *namespace.name == *of);
                        let mut labels = object.map(|namespace| map(&namespace.labels)).unwrap_or_default();
                        labels.insert("kubernetes.io/metadata.name".into(), of);
                        selects(selector, &labels)
                    }
                };
                let labels = map(&pod.labels);
                namespace && pods.as_ref().is_none_or(|selector| selects(selector, &labels))
            }
        })
}

/// "If this field is empty or missing, this rule matches all ports"; else one of them.
fn matches_ports(rule: &Rule, question: &Question, destination: &End) -> bool {
    let one = |wanted: &PortRule| {
        let number = match &wanted.port {
            PortMatch::Any => true,
            PortMatch::Range(first, last) => (*first..=*last).any(|number| number == question.port),
            // "… or the name of a port on a pod."
            PortMatch::Name(name) => destination.pod.as_ref().is_some_and(|pod| {
                let named = pod
                    .ports
                    .iter()
                    .find(|port| port.name.as_ref() == Some(name) && port.protocol == wanted.protocol);
                named.is_some_and(|port| port.port == question.port)
            }),
        };
        wanted.protocol == question.protocol && number
    };
    rule.ports.is_empty() || rule.ports.iter().any(one)
}

fn map(labels: &Labels) -> BTreeMap<String, String> {
    labels
        .iter()
        .map(|(key, value)| (key.to_string(), value.to_string()))
        .collect()
}

/// "The requirements are ANDed"; an empty selector matches all objects.
fn selects(selector: &Selector, labels: &BTreeMap<String, String>) -> bool {
    selector.requirements.iter().all(|requirement| {
        let value = labels.get(&*requirement.key);
        let one_of = |values: &[Arc<str>]| values.iter().any(|wanted| Some(&**wanted) == value.map(String::as_str));
        match &requirement.operator {
            Operator::In(values) => one_of(values),
            Operator::NotIn(values) => !one_of(values),
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
        }
    })
}

/// Whether the first bits of the address are those of the block.
fn holds(cidr: &str, address: IpAddr) -> bool {
    let (block, prefix) = cidr.split_once('/').expect("a block has a prefix");
    let block: IpAddr = block.parse().expect("a block has an address");
    let prefix: usize = prefix.parse().expect("a prefix is a number");
    let bits = |address: IpAddr| match address {
        IpAddr::V4(four) => four
            .octets()
            .iter()
            .map(|octet| format!("{octet:08b}"))
            .collect::<String>(),
        IpAddr::V6(six) => six.octets().iter().map(|octet| format!("{octet:08b}")).collect(),
    };
    block.is_ipv4() == address.is_ipv4() && bits(block)[..prefix] == bits(address)[..prefix]
}
