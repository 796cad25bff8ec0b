//! NetworkPolicies.

use ipnetwork::IpNetwork;
use k8s_openapi::api::networking::v1 as networking;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::metadata;
use crate::cluster::findings::{At, Findings};
use crate::cluster::strings::intern;
use crate::cluster::syntax;
use crate::objects::{NetworkPolicy, Peer, PortMatch, PortRule, Rule, Selector, Written};

pub(super) fn convert(given: &networking::NetworkPolicy, findings: &mut Findings) -> Option<NetworkPolicy> {
    let name = metadata::name(&given.metadata, syntax::dns_subdomain, findings);
    metadata::own_labels(&given.metadata, findings);
    let empty = networking::NetworkPolicySpec::default();
    let spec = given.spec.as_ref().unwrap_or(&empty);
    let at = At::ROOT.key("spec");
    let pod_selector = spec.pod_selector.as_ref().map_or_else(Selector::default, |selector| {
        metadata::selector(selector, at.key("podSelector"), findings)
    });
    let list = at.key("ingress");
    let ingress: Vec<_> = spec
        .ingress
        .iter()
        .flatten()
        .enumerate()
        .map(|(index, given)| {
            let at = list.index(index);
            rule(given.from.as_deref(), given.ports.as_deref(), "from", at, findings)
        })
        .collect();
    let list = at.key("egress");
    let egress: Vec<_> = spec
        .egress
        .iter()
        .flatten()
        .enumerate()
        .map(|(index, given)| {
            let at = list.index(index);
            rule(given.to.as_deref(), given.ports.as_deref(), "to", at, findings)
        })
        .collect();
    let types = spec.policy_types.as_deref().unwrap_or_default();
    let (isolates_ingress, isolates_egress) = if types.is_empty() {
        (true, !egress.is_empty())
    } else {
        policy_types(types, at.key("policyTypes"), findings)
    };
    Some(NetworkPolicy {
        name: name?,
        created: metadata::time(given.metadata.creation_timestamp.as_ref()),
        pod_selector,
        isolates_ingress,
        isolates_egress,
        ingress,
        egress,
        source: None,
        written: Written {
            policy_types: !types.is_empty(),
            ingress: spec.ingress.is_some(),
            egress: spec.egress.is_some(),
        },
    })
}

fn policy_types(types: &[String], at: At<'_>, findings: &mut Findings) -> (bool, bool) {
    if types.len() > 2 {
        findings.error(at, "there are two types at most: Ingress and Egress");
    }
    for (index, type_) in types.iter().enumerate() {
        if type_ != "Ingress" && type_ != "Egress" {
            findings.error(
                at.index(index),
                format!("{type_:?} is no policy type: use Ingress or Egress"),
            );
        }
    }
    let has = |wanted: &str| types.iter().any(|type_| type_ == wanted);
    (has("Ingress"), has("Egress"))
}

fn rule(
    peers: Option<&[networking::NetworkPolicyPeer]>,
    ports: Option<&[networking::NetworkPolicyPort]>,
    peers_field: &'static str,
    at: At<'_>,
    findings: &mut Findings,
) -> Rule {
    let list = at.key(peers_field);
    let peers = peers
        .unwrap_or_default()
        .iter()
        .enumerate()
        .filter_map(|(index, given)| peer(given, list.index(index), findings))
        .collect();
    let list = at.key("ports");
    let ports = ports
        .unwrap_or_default()
        .iter()
        .enumerate()
        .filter_map(|(index, given)| port(given, list.index(index), findings))
        .collect();
    Rule { peers, ports }
}

fn peer(given: &networking::NetworkPolicyPeer, at: At<'_>, findings: &mut Findings) -> Option<Peer> {
    let namespaces = given
        .namespace_selector
        .as_ref()
        .map(|selector| metadata::selector(selector, at.key("namespaceSelector"), findings));
    let pods = given
        .pod_selector
        .as_ref()
        .map(|selector| metadata::selector(selector, at.key("podSelector"), findings));
    let selects = namespaces.is_some() || pods.is_some();
    match &given.ip_block {
        Some(_) if selects => {
            findings.error(
                at,
                "ipBlock stands alone: put podSelector and namespaceSelector into another peer",
            );
            None
        }
        Some(given) => block(given, at.key("ipBlock"), findings),
        None if selects => Some(Peer::Pods { namespaces, pods }),
        None => {
            findings.error(
                at,
                "a peer needs podSelector, namespaceSelector or ipBlock; to allow every peer, leave out the whole list",
            );
            None
        }
    }
}

fn network(text: &str, at: At<'_>, findings: &mut Findings) -> Option<IpNetwork> {
    let cidr = findings.check(at, syntax::cidr(text))?;
    if let Some(warning) = cidr.warning {
        findings.warn(at, warning);
    }
    Some(cidr.value)
}

fn block(given: &networking::IPBlock, at: At<'_>, findings: &mut Findings) -> Option<Peer> {
    let place = at.key("cidr");
    let cidr = if given.cidr.is_empty() {
        findings.error(place, "an ipBlock needs a cidr, such as 10.0.0.0/8");
        None
    } else {
        network(&given.cidr, place, findings)
    };
    let list = at.key("except");
    let mut except = Vec::new();
    for (index, text) in given.except.iter().flatten().enumerate() {
        let at = list.index(index);
        let Some(hole) = network(text, at, findings) else {
            continue;
        };
        if let Some(cidr) = cidr
            && !(holds(cidr, hole) && hole.prefix() > cidr.prefix())
        {
            findings.error(at, format!("{text} must be strictly inside the cidr {cidr}"));
        }
        except.push(hole);
    }
    cidr.map(|cidr| Peer::Block { cidr, except })
}

fn holds(cidr: IpNetwork, hole: IpNetwork) -> bool {
    match (cidr, hole) {
        (IpNetwork::V4(cidr), IpNetwork::V4(hole)) => cidr.contains(hole.network()),
        (IpNetwork::V6(cidr), IpNetwork::V6(hole)) => cidr.contains(hole.network()),
        _ => false,
    }
}

fn port(given: &networking::NetworkPolicyPort, at: At<'_>, findings: &mut Findings) -> Option<PortRule> {
    let protocol = findings.check(at.key("protocol"), syntax::protocol(given.protocol.as_deref()));
    let place = at.key("endPort");
    let port = match &given.port {
        None => {
            if given.end_port.is_some() {
                findings.error(place, "endPort needs a port, where the range begins");
            }
            Some(PortMatch::Any)
        }
        Some(IntOrString::String(name)) => {
            if given.end_port.is_some() {
                findings.error(place, "endPort needs a port that is a number, not a name");
            }
            findings
                .check(at.key("port"), syntax::port_name(name))
                .map(|()| PortMatch::Name(intern(name)))
        }
        Some(IntOrString::Int(number)) => {
            let first = findings.check(at.key("port"), syntax::port(*number));
            let last = match given.end_port {
                None => first,
                Some(last) => findings.check(place, syntax::port(last)),
            };
            if let (Some(first), Some(last)) = (first, last)
                && last < first
            {
                findings.error(place, format!("the range ends at {last} before it begins at {first}"));
            }
            first.zip(last).map(|(first, last)| PortMatch::Range(first, last))
        }
    };
    Some(PortRule {
        protocol: protocol?,
        port: port?,
    })
}
