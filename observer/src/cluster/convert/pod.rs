//! Pods.

use std::time::Duration;

use k8s_openapi::api::core::v1 as core;

use super::metadata;
use crate::cluster::findings::{At, Findings};
use crate::cluster::strings::intern;
use crate::cluster::syntax;
use crate::objects::{ContainerPort, Name, Phase, Pod, Workload};
use crate::time::Time;

/// The label by which a ReplicaSet of a Deployment is known.
const TEMPLATE_HASH: &str = "pod-template-hash";

pub(super) fn convert(given: &core::Pod, findings: &mut Findings) -> Option<Pod> {
    let name = metadata::name(&given.metadata, syntax::dns_subdomain, findings);
    let labels = metadata::own_labels(&given.metadata, findings);
    let spec = given.spec.as_ref();
    let status = given.status.as_ref();
    let host_network = spec.and_then(|spec| spec.host_network).unwrap_or(false);
    let ports = spec.map_or_else(Vec::new, |spec| ports(spec, host_network, findings));
    let addresses = status.map_or_else(Vec::new, |status| addresses(status, findings));
    let phase = phase(status, !addresses.is_empty(), findings);
    let name = name?;
    Some(Pod {
        uid: given
            .metadata
            .uid
            .as_deref()
            .map_or_else(|| name.name.clone(), Into::into),
        labels,
        node: spec
            .and_then(|spec| spec.node_name.as_deref())
            .filter(|node| !node.is_empty())
            .map(intern),
        host_network,
        ready: ready(status, phase),
        created: metadata::time(given.metadata.creation_timestamp.as_ref()),
        terminating: metadata::time(given.metadata.deletion_timestamp.as_ref()),
        ended: phase.is_over().then(|| ended(status)).flatten(),
        workload: workload(given, &name),
        phase,
        addresses,
        ports,
        name,
    })
}

fn addresses(status: &core::PodStatus, findings: &mut Findings) -> Vec<std::net::IpAddr> {
    let at = At::ROOT.key("status");
    let list = at.key("podIPs");
    let mut addresses = Vec::new();
    for (index, given) in status.pod_ips.iter().flatten().enumerate() {
        let at = list.index(index);
        let at = at.key("ip");
        let Some(ip) = findings.check(at, syntax::ip(&given.ip)) else {
            continue;
        };
        if let Some(warning) = ip.warning {
            findings.warn(at, warning);
        }
        if addresses
            .iter()
            .any(|other: &std::net::IpAddr| other.is_ipv4() == ip.value.is_ipv4())
        {
            findings.error(at, "a pod has at most one address of each family");
        }
        addresses.push(ip.value);
    }
    let at = at.key("podIP");
    if let Some(single) = status.pod_ip.as_deref().filter(|ip| !ip.is_empty())
        && let Some(ip) = findings.check(at, syntax::ip(single))
    {
        match addresses.first() {
            None => addresses.push(ip.value),
            Some(first) if *first != ip.value => {
                findings.error(
                    at,
                    format!("this is {single}, but podIPs begins with {first}: make them equal"),
                );
            }
            Some(_) => {}
        }
    }
    addresses.shrink_to_fit();
    addresses
}

fn phase(status: Option<&core::PodStatus>, has_address: bool, findings: &mut Findings) -> Phase {
    match status.and_then(|status| status.phase.as_deref()).unwrap_or("") {
        "Pending" => Phase::Pending,
        "Running" => Phase::Running,
        "Succeeded" => Phase::Succeeded,
        "Failed" => Phase::Failed,
        "Unknown" => Phase::Unknown,
        "" if has_address => Phase::Running,
        "" => Phase::Pending,
        other => {
            let at = At::ROOT.key("status");
            findings.error(
                at.key("phase"),
                format!("{other:?} is no phase: use Pending, Running, Succeeded, Failed or Unknown"),
            );
            Phase::Unknown
        }
    }
}

fn ready(status: Option<&core::PodStatus>, phase: Phase) -> bool {
    let condition = status
        .and_then(|status| status.conditions.as_ref())
        .and_then(|conditions| conditions.iter().find(|condition| condition.type_ == "Ready"));
    condition.map_or(phase == Phase::Running, |condition| condition.status == "True")
}

/// When the last container ended, at the latest: `finishedAt` has whole seconds, and what is beyond them was cut off.
fn ended(status: Option<&core::PodStatus>) -> Option<Time> {
    status?
        .container_statuses
        .iter()
        .flatten()
        .filter_map(|container| container.state.as_ref()?.terminated.as_ref())
        .filter_map(|ended| metadata::time(ended.finished_at.as_ref()))
        .max()
        .map(|second| second + Duration::from_nanos(999_999_999))
}

/// The controlling owner. A ReplicaSet that is named after its Deployment and the template's hash is the Deployment.
fn workload(given: &core::Pod, name: &Name) -> Option<Workload> {
    let owner = given
        .metadata
        .owner_references
        .iter()
        .flatten()
        .find(|owner| owner.controller == Some(true))?;
    let hash = given
        .metadata
        .labels
        .as_ref()
        .and_then(|labels| labels.get(TEMPLATE_HASH));
    let deployment = hash
        .filter(|_| owner.kind == "ReplicaSet" && name.name.starts_with(&owner.name))
        .and_then(|hash| owner.name.strip_suffix(hash.as_str())?.strip_suffix('-'));
    Some(deployment.map_or_else(
        || Workload {
            kind: intern(&owner.kind),
            name: intern(&owner.name),
        },
        |deployment| Workload {
            kind: intern("Deployment"),
            name: intern(deployment),
        },
    ))
}

/// The ports of the containers, and of init containers that keep running (sidecars).
fn ports(spec: &core::PodSpec, host_network: bool, findings: &mut Findings) -> Vec<ContainerPort> {
    let at = At::ROOT.key("spec");
    let mut ports = Vec::new();
    let mut add = |field: &'static str, index: usize, container: &core::Container, counts: bool| {
        let (list, mut names) = (at.key(field), Vec::new());
        let of = list.index(index);
        let of = of.key("ports");
        for (index, given) in container.ports.iter().flatten().enumerate() {
            let port = port(given, host_network, of.index(index), findings);
            if let Some(name) = given.name.as_deref().filter(|name| !name.is_empty()) {
                if names.contains(&name) {
                    let at = of.index(index);
                    findings.error(at.key("name"), format!("{name:?} is there twice in this container"));
                }
                names.push(name);
            }
            ports.extend(port.filter(|_| counts));
        }
    };
    for (index, container) in spec.containers.iter().enumerate() {
        add("containers", index, container, true);
    }
    for (index, container) in spec.init_containers.iter().flatten().enumerate() {
        let keeps_running = container.restart_policy.as_deref() == Some("Always");
        add("initContainers", index, container, keeps_running);
    }
    ports.shrink_to_fit();
    ports
}

fn port(given: &core::ContainerPort, host_network: bool, at: At<'_>, findings: &mut Findings) -> Option<ContainerPort> {
    let number = findings.check(at.key("containerPort"), syntax::port(given.container_port));
    let protocol = findings.check(at.key("protocol"), syntax::protocol(given.protocol.as_deref()));
    let given_name = given.name.as_deref().filter(|name| !name.is_empty());
    if let Some(name) = given_name {
        findings.check(at.key("name"), syntax::port_name(name));
    }
    let host = given.host_port.filter(|port| *port != 0);
    let host = host.and_then(|port| findings.check(at.key("hostPort"), syntax::port(port)));
    if host_network && host.is_some() && host != number {
        findings.error(at.key("hostPort"), "with hostNetwork it must be the containerPort");
    }
    // A port on a loopback address leads nowhere from outside the node.
    let loopback = given
        .host_ip
        .as_deref()
        .filter(|ip| !ip.is_empty())
        .and_then(|ip| findings.check(at.key("hostIP"), syntax::ip(ip)))
        .is_some_and(|ip| ip.value.is_loopback());
    Some(ContainerPort {
        name: given_name.map(intern),
        port: number?,
        host_port: host.filter(|_| !loopback),
        protocol: protocol?,
    })
}
