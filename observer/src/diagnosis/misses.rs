//! Nearest misses in words: what a rule allows, and what this attempt has instead.

use std::net::IpAddr;

use crate::objects::{Operator, Protocol, Requirement};
use crate::policy::{Closeness, Direction, LabelMiss, MeantService, NamedPort, NearMiss, Unmet};

/// The port of DNS.
const DNS: u16 = 53;

/// `rule 1 of a/b allows this peer, but only TCP 80; the target port is 2283`; without `of a/b` where it was just named.
pub(crate) fn near_miss(miss: &NearMiss, policy_is_clear: bool) -> String {
    let mut rule = format!("rule {}", miss.rule.number);
    if !policy_is_clear {
        rule.push_str(&format!(" of {}", miss.rule.policy));
    }
    if let [denies @ Unmet::Denies { .. }] = miss.unmet.as_slice() {
        return format!("{rule} {}", unmet(denies, miss.rule.direction));
    }
    let (port, peer): (Vec<_>, Vec<_>) = miss.unmet.iter().partition(|unmet| is_port(unmet));
    let direction = miss.rule.direction;
    let mut clauses: Vec<String> = peer.iter().map(|what| unmet(what, direction)).collect();
    match port.as_slice() {
        // One thing to people: `only UDP 53; this is TCP 80`.
        [
            Unmet::Protocol { actual, .. },
            Unmet::Port {
                allowed,
                protocol,
                target,
                names_service_port,
                by_name,
            },
        ] => {
            let allowed = super::words::list(allowed, 4);
            let hint = port_hint(*protocol, *names_service_port, *by_name);
            clauses.push(format!("only {protocol} {allowed}; this is {actual} {target}{hint}"));
        }
        _ => clauses.extend(port.iter().map(|what| unmet(what, direction))),
    }
    let lacks = clauses.join("; and ");
    if peer.is_empty() {
        format!("{rule} allows this peer, but {lacks}")
    } else if port.is_empty() {
        format!("{rule} allows this port, but {lacks}")
    } else {
        format!("{rule} allows {lacks}")
    }
}

/// One unmet requirement: what is allowed, then what is there.
pub(crate) fn unmet(unmet: &Unmet, direction: Direction) -> String {
    let way = match direction {
        Direction::Ingress => "from",
        Direction::Egress => "to",
    };
    match unmet {
        Unmet::PeerNamespace { namespace, miss } => format!(
            "only {way} namespaces with {}; namespace {namespace} {}",
            requirement(&miss.wanted),
            actual(miss)
        ),
        Unmet::OtherNamespace { wanted, actual } => {
            format!("only {way} pods of its own namespace {wanted}; the peer is in {actual}")
        }
        Unmet::PeerLabels(miss) => format!(
            "only {way} pods with {}; the peer {}",
            requirement(&miss.wanted),
            actual(miss)
        ),
        Unmet::Block {
            cidr,
            except,
            address,
            meant,
        } => {
            let exception = except.map(|hole| format!(" except {hole}")).unwrap_or_default();
            let seen = match (except, meant) {
                (Some(_), _) => format!("{address} is in the exception"),
                (None, Some(MeantService::Dialled)) => {
                    format!("it holds the Service's address, but policies see what is behind it, {address}")
                }
                (None, Some(MeantService::ApiServer)) => format!(
                    "it holds the API server's cluster IP, but policies see the address and port of its node, {address}"
                ),
                (None, None) => format!("{address}{} is outside", link_local(*address)),
            };
            format!("only {way} {cidr}{exception}; {seen}")
        }
        Unmet::NotAPod { address } => {
            format!("only {way} pods; {address}{} is not a pod", link_local(*address))
        }
        Unmet::Port {
            allowed,
            protocol,
            target,
            names_service_port,
            by_name,
        } => {
            let hint = port_hint(*protocol, *names_service_port, *by_name);
            let allowed = super::words::list(allowed, 4);
            format!("only {protocol} {allowed}; the target port is {target}{hint}")
        }
        Unmet::Denies { tier, priority, rule } => {
            let named = rule.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
            let priority = priority
                .map(|number| format!(", priority {number}"))
                .unwrap_or_default();
            format!("denies it{named}: {tier} tier{priority}")
        }
        Unmet::Protocol { allowed, actual, port } => {
            let retried = if (*allowed, *actual, *port) == (Protocol::Udp, Protocol::Tcp, DNS) {
                " (DNS asks again over TCP where an answer does not fit into a packet)"
            } else {
                ""
            };
            format!("only {allowed}; this is {actual}{retried}")
        }
    }
}

/// What a rule's port was taken for.
fn port_hint(protocol: Protocol, names_service_port: Option<u16>, by_name: Option<NamedPort>) -> String {
    match (names_service_port, by_name) {
        (Some(port), _) => format!(" ({port} is the Service's port, which policies never see)"),
        (None, Some(NamedPort::Is(number))) => format!(" (that name is port {number} there)"),
        (None, Some(NamedPort::Missing)) => format!(" (there is no {protocol} port of that name there)"),
        (None, None) => String::new(),
    }
}

/// The stable code of a kind of miss, for JSON.
pub(crate) fn code(unmet: &Unmet) -> &'static str {
    match unmet {
        Unmet::PeerNamespace { .. } => "peer-namespace",
        Unmet::OtherNamespace { .. } => "other-namespace",
        Unmet::PeerLabels(_) => "peer-labels",
        Unmet::Block { .. } => "block",
        Unmet::NotAPod { .. } => "not-a-pod",
        Unmet::Port { .. } => "port",
        Unmet::Denies { .. } => "denies",
        Unmet::Protocol { .. } => "protocol",
    }
}

fn is_port(unmet: &Unmet) -> bool {
    matches!(unmet, Unmet::Port { .. } | Unmet::Protocol { .. })
}

/// What a link-local address is likely to be in a cluster.
fn link_local(address: IpAddr) -> &'static str {
    match address {
        IpAddr::V4(address) if address.octets() == [169, 254, 169, 254] => " (link-local: the cloud's metadata)",
        IpAddr::V4(address) if address.is_link_local() => " (link-local, as a node's DNS cache is)",
        IpAddr::V6(address) if address.is_unicast_link_local() => " (link-local)",
        _ => "",
    }
}

/// A requirement as `kubectl` writes selectors.
fn requirement(requirement: &Requirement) -> String {
    let key = &requirement.key;
    match &requirement.operator {
        Operator::In(values) if values.len() == 1 => format!("{key}={}", values[0]),
        Operator::In(values) => format!("{key} in ({})", values.join(", ")),
        Operator::NotIn(values) if values.len() == 1 => format!("{key}!={}", values[0]),
        Operator::NotIn(values) => format!("{key} notin ({})", values.join(", ")),
        Operator::Exists => format!("label {key}"),
        Operator::DoesNotExist => format!("no label {key}"),
    }
}

/// What the object has instead.
fn actual(miss: &LabelMiss) -> String {
    let key = &miss.wanted.key;
    let has = match (&miss.close, &miss.actual) {
        (Some(close), _) if close.how == Closeness::OtherKey => {
            format!("has no label {key}, but {}={}", close.key, close.value)
        }
        (Some(close), _) => format!("has {}={}", close.key, close.value),
        (None, Some(value)) => format!("has {key}={value}"),
        (None, None) => format!("has no label {key}"),
    };
    if miss.unmet > 1 {
        format!("{has}, and lacks {} more", miss.unmet - 1)
    } else {
        has
    }
}
