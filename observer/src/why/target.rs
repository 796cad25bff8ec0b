//! How people write who is meant: `ns/pod`, `ns/deployment/name`, `ns/svc/name`, `svc.ns`, an address; with a port and a protocol
//! for the destination.

use std::net::IpAddr;

use crate::objects::{Name, Protocol, Str};
use crate::time::Time;

/// A question by name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Query {
    /// Who connects.
    pub source: Target,
    /// To whom.
    pub destination: Target,
    /// The port that is dialled; `None` where the destination has only one.
    pub port: Option<PortRef>,
    /// The protocol; `None`: TCP, or that of the only port.
    pub protocol: Option<Protocol>,
    /// As of when.
    pub at: Time,
}

/// Who is meant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Target {
    /// Whoever has this address.
    Address(IpAddr),
    /// A pod.
    Pod(Name),
    /// The pods of a workload.
    Workload {
        /// As the API spells it: `Deployment`.
        kind: &'static str,
        /// Its name.
        name: Name,
    },
    /// A Service.
    Service(Name),
}

/// A port by number or by name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PortRef {
    /// As it is dialled: a Service's own port, or a pod's.
    Number(u16),
    /// The name of a Service's port, or of a container's.
    Name(Str),
}

/// What cannot be read, and how to write it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Syntax {
    /// Nobody can be meant by this.
    #[error("`{0}` names nobody: write ns/pod, ns/deployment/name, ns/svc/name, service.namespace or an address")]
    Target(String),
    /// No such kind of workload.
    #[error(
        "`{0}` is no kind that owns pods: use pod, svc, deployment, statefulset, daemonset, replicaset, job or cronjob"
    )]
    Kind(String),
    /// No port.
    #[error("`{0}` is no port: write a number from 1 to 65535, or a port's name")]
    Port(String),
    /// No protocol.
    #[error("`{0}` is no protocol: use TCP, UDP or SCTP")]
    Protocol(String),
}

/// Kinds that own pods, with the short names that kubectl knows.
const KINDS: [(&str, &[&str]); 6] = [
    ("Deployment", &["deployment", "deployments", "deploy"]),
    ("StatefulSet", &["statefulset", "statefulsets", "sts"]),
    ("DaemonSet", &["daemonset", "daemonsets", "ds"]),
    ("ReplicaSet", &["replicaset", "replicasets", "rs"]),
    ("Job", &["job", "jobs"]),
    ("CronJob", &["cronjob", "cronjobs", "cj"]),
];

/// Reads who is meant, without a port.
///
/// # Errors
/// It is no address and no name of the forms above.
pub fn source(text: &str) -> Result<Target, Syntax> {
    let text = text.trim();
    if let Ok(address) = text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        return Ok(Target::Address(address.to_canonical()));
    }
    let refused = || Syntax::Target(text.to_owned());
    let parts: Vec<&str> = text.split('/').collect();
    // What a name cannot hold has its meaning in a port or an address that is misspelt.
    if parts.iter().any(|part| !is_name(part)) {
        return Err(refused());
    }
    match *parts.as_slice() {
        [host] => service_host(host).ok_or_else(refused),
        [namespace, pod] => Ok(Target::Pod(Name::new(namespace, pod))),
        [namespace, kind, name] => {
            let name = Name::new(namespace, name);
            let kind = kind.to_ascii_lowercase();
            match kind.as_str() {
                "pod" | "pods" | "po" => return Ok(Target::Pod(name)),
                "svc" | "service" | "services" => return Ok(Target::Service(name)),
                _ => {}
            }
            KINDS
                .iter()
                .find(|(_, words)| words.contains(&kind.as_str()))
                .map(|(kind, _)| Target::Workload { kind, name })
                .ok_or(Syntax::Kind(kind))
        }
        _ => Err(refused()),
    }
}

/// Reads `DST[:PORT][/PROTO]`. Without a port, a protocol is recognised by its capitals, which no name has.
///
/// # Errors
/// One of its parts is not what it should be.
pub fn destination(text: &str) -> Result<(Target, Option<PortRef>, Option<Protocol>), Syntax> {
    let text = text.trim();
    // An address may hold colons, and no port then.
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok((Target::Address(address.to_canonical()), None, None));
    }
    if let Some((rest, last)) = text.rsplit_once('/')
        && let Ok(protocol) = protocol(last)
    {
        if let (target, Some(port)) = split_port(rest)? {
            return Ok((target, Some(port), Some(protocol)));
        }
        if last.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Ok((source(rest)?, None, Some(protocol)));
        }
    }
    if let Some((rest, last)) = text.rsplit_once('/')
        && let (_, Some(_)) = split_port(rest).unwrap_or((Target::Pod(Name::new("", "")), None))
    {
        return Err(Syntax::Protocol(last.to_owned()));
    }
    let (target, port) = split_port(text)?;
    Ok((target, port, None))
}

/// `TARGET[:PORT]`, with brackets around an IPv6 address that has a port.
fn split_port(text: &str) -> Result<(Target, Option<PortRef>), Syntax> {
    if text.parse::<IpAddr>().is_ok() {
        return Ok((source(text)?, None));
    }
    match text.rsplit_once(':') {
        Some((target, port)) if !port.ends_with(']') => {
            if target.contains(':') && !target.starts_with('[') {
                return Err(Syntax::Target(text.to_owned()));
            }
            Ok((source(target)?, Some(self::port(port)?)))
        }
        _ => Ok((source(text)?, None)),
    }
}

/// Reads a port: a number or a name.
///
/// # Errors
/// It is neither.
pub fn port(text: &str) -> Result<PortRef, Syntax> {
    let refused = || Syntax::Port(text.to_owned());
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        let number: u16 = text.parse().map_err(|_| refused())?;
        return (number > 0).then_some(PortRef::Number(number)).ok_or_else(refused);
    }
    let is_name = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    is_name.then(|| PortRef::Name(text.into())).ok_or_else(refused)
}

/// Reads a protocol, in any case.
///
/// # Errors
/// It is none.
pub fn protocol(text: &str) -> Result<Protocol, Syntax> {
    match text.to_ascii_uppercase().as_str() {
        "TCP" => Ok(Protocol::Tcp),
        "UDP" => Ok(Protocol::Udp),
        "SCTP" => Ok(Protocol::Sctp),
        _ => Err(Syntax::Protocol(text.to_owned())),
    }
}

fn is_name(part: &str) -> bool {
    !part.is_empty()
        && part
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.')
}

/// `svc.ns`, `svc.ns.svc`, `svc.ns.svc.cluster.local`: whatever the cluster's domain is, with or without a last dot.
fn service_host(host: &str) -> Option<Target> {
    let mut labels = host.strip_suffix('.').unwrap_or(host).split('.');
    let (service, namespace) = (labels.next()?, labels.next()?);
    if labels.next().is_some_and(|label| label != "svc") {
        return None;
    }
    Some(Target::Service(Name::new(namespace, service)))
}
