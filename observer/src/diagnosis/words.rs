//! Words for what is told in reasons, evidence and text: addresses, ICMP errors, drops, durations.

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

use super::drops;
use crate::attempt::{Drop, Icmp, Place};
use crate::endpoint::{Endpoint, Identity, Unknown, Via};
use crate::objects::Name;
use crate::policy::Caveat;

/// Joins with commas and a last "and"; past `limit` items the rest is counted.
pub(crate) fn list<T: std::fmt::Display>(items: &[T], limit: usize) -> String {
    let mut parts: Vec<String> = items.iter().take(limit).map(ToString::to_string).collect();
    if items.len() > limit {
        parts.push(format!("{} more", items.len() - limit));
    }
    match parts.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, front)) => format!("{} and {last}", front.join(", ")),
    }
}

/// What an ICMP error says, by type and code (RFC 792, RFC 1122, RFC 1812; RFC 4443 for IPv6).
pub(crate) fn icmp(error: Icmp) -> String {
    let words = match (error.from, error.kind, error.code) {
        (IpAddr::V4(_), 3, 0) => "network unreachable",
        (IpAddr::V4(_), 3, 1) => "host unreachable",
        (IpAddr::V4(_), 3, 2) => "protocol unreachable",
        (IpAddr::V4(_), 3, 3) | (IpAddr::V6(_), 1, 4) => "port unreachable",
        (IpAddr::V4(_), 3, 9 | 10 | 13) | (IpAddr::V6(_), 1, 1) => "administratively prohibited",
        (IpAddr::V4(_), 11, _) | (IpAddr::V6(_), 3, _) => "time exceeded",
        (IpAddr::V6(_), 1, 0) => "no route",
        (IpAddr::V6(_), 1, 3) => "address unreachable",
        (IpAddr::V6(_), 1, 5) => "source address refused",
        (IpAddr::V6(_), 1, 6) => "route rejects",
        (_, kind, code) => return format!("ICMP type {kind} code {code} from {}", error.from),
    };
    let name = if error.from.is_ipv4() { "ICMP" } else { "ICMPv6" };
    format!("{name} {words} from {}", error.from)
}

/// `NETFILTER_DROP in nft_do_chain`, as far as it is known.
pub(crate) fn drop_label(drop: &Drop) -> String {
    match (&drop.reason, &drop.function) {
        (Some(reason), Some(function)) => format!("{reason} in {function}"),
        (Some(reason), None) => reason.to_string(),
        (None, Some(function)) => format!("in {function}"),
        (None, None) => "no reason given".into(),
    }
}

/// The drop as a clause: who, the kernel's own words, where.
pub(crate) fn drop(drop: &Drop) -> String {
    let place = match drop.place {
        Place::Node => "in the node's network namespace",
        Place::Pod { .. } => "in a pod's network namespace",
    };
    format!("{} ({}, {place})", drops::read(drop).words, drop_label(drop))
}

/// What another reading would turn.
pub(crate) fn caveat(caveat: Caveat) -> Cow<'static, str> {
    let text = match caveat {
        Caveat::BlockOnPod => {
            "an ipBlock matched a pod's address, as Kubernetes specifies; Cilium does not do so by default"
        }
        Caveat::BlockOnService => {
            "an ipBlock would answer otherwise for the Service's address; policies see the backend's"
        }
        Caveat::Hairpin => "a pod reaches itself through a Service: implementations differ",
        Caveat::CreatedLater => {
            "a policy that decides was created later, by its creationTimestamp: what it was before is not known"
        }
        Caveat::OldView(age) => {
            let age = span(age);
            return format!("changes in the cluster had not been heard of for {age}: the objects may be others by now")
                .into();
        }
    };
    text.into()
}

/// A duration as people read it: three digits and a unit.
pub(crate) fn span(span: Duration) -> String {
    let seconds = span.as_secs_f64();
    if seconds < 0.001 {
        format!("{} µs", span.as_micros())
    } else if seconds < 0.1 {
        format!("{:.1} ms", seconds * 1e3)
    } else if seconds < 1.0 {
        format!("{:.0} ms", seconds * 1e3)
    } else if seconds < 120.0 {
        format!("{seconds:.1} s")
    } else {
        format!("{:.0} min", seconds / 60.0)
    }
}

/// Who an endpoint is, in a few words, without its port: `pod a/b`, `service a/b`, `node n`, an address.
pub(crate) fn who(endpoint: &Endpoint) -> String {
    let address = endpoint.address.ip();
    match &endpoint.identity {
        Identity::Pod(pod) => format!("pod {}", pod.name),
        Identity::Service(hit) => match (&hit.service, hit.via) {
            (Some(service), _) => format!("service {}", service.name),
            (None, Via::HostPort) => format!("a host port of {address}"),
            (None, _) => address.to_string(),
        },
        Identity::Node { node: Some(node), .. } => format!("node {node}"),
        Identity::Node { own: true, .. } => format!("this node ({address})"),
        Identity::Node { .. } => format!("a node ({address})"),
        Identity::External | Identity::Unknown(_) => address.to_string(),
    }
}

/// The former owner of an address that nobody has any more.
pub(crate) fn former_owner(endpoint: &Endpoint) -> Option<(&Name, Option<crate::time::Time>)> {
    match &endpoint.identity {
        Identity::Unknown(Unknown::Ended { pod, at }) => Some((&pod.name, *at)),
        _ => None,
    }
}
