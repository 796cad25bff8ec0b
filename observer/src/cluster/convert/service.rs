//! Services and EndpointSlices.

use std::net::IpAddr;

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::discovery::v1 as discovery;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::metadata;
use crate::cluster::findings::{At, Findings};
use crate::cluster::strings::intern;
use crate::cluster::syntax;
use crate::objects::{EndpointSlice, Name, Service, ServicePort, SliceEndpoint, SlicePort, TargetPort};

/// The label that names the Service of a slice.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// What a headless Service has as its cluster address.
const HEADLESS: &str = "None";

fn ip(text: &str, at: At<'_>, findings: &mut Findings) -> Option<IpAddr> {
    let ip = findings.check(at, syntax::ip(text))?;
    if let Some(warning) = ip.warning {
        findings.warn(at, warning);
    }
    Some(ip.value)
}

fn is_local(policy: Option<&str>, at: At<'_>, findings: &mut Findings) -> bool {
    match policy {
        None | Some("" | "Cluster") => false,
        Some("Local") => true,
        Some(other) => {
            findings.error(at, format!("{other:?} is no traffic policy: use Cluster or Local"));
            false
        }
    }
}

pub(super) fn convert(given: &core::Service, findings: &mut Findings) -> Option<Service> {
    let name = metadata::name(&given.metadata, syntax::dns_label, findings);
    metadata::own_labels(&given.metadata, findings);
    let empty = core::ServiceSpec::default();
    let spec = given.spec.as_ref().unwrap_or(&empty);
    let at = At::ROOT.key("spec");
    let type_ = spec.type_.as_deref().unwrap_or("ClusterIP");
    if !matches!(type_, "ClusterIP" | "NodePort" | "LoadBalancer" | "ExternalName") {
        findings.error(
            at.key("type"),
            format!("{type_:?} is no type: use ClusterIP, NodePort, LoadBalancer or ExternalName"),
        );
    }
    let is_name = type_ == "ExternalName";
    if is_name && spec.external_name.as_deref().is_none_or(str::is_empty) {
        findings.error(at.key("externalName"), "a Service of type ExternalName needs it");
    }
    let (cluster_ips, headless) = cluster_ips(spec, findings);
    let ports = ports(spec, type_, findings);
    if spec.ports.as_ref().is_none_or(Vec::is_empty) && !is_name && !headless {
        findings.error(
            at.key("ports"),
            "a Service needs at least one port, unless it is headless",
        );
    }
    let selector = spec
        .selector
        .as_ref()
        .filter(|selector| !selector.is_empty() && !is_name)
        .map(|selector| metadata::labels(Some(selector), at.key("selector"), findings));
    let (external_ips, proxied_ips) = external_ips(given, spec, findings);
    let internal = at.key("internalTrafficPolicy");
    let external = at.key("externalTrafficPolicy");
    Some(Service {
        cluster_ips: if is_name { Vec::new() } else { cluster_ips },
        headless,
        external_ips,
        proxied_ips,
        external_name: spec.external_name.as_deref().filter(|_| is_name).map(intern),
        ports,
        selector,
        internal_local: is_local(spec.internal_traffic_policy.as_deref(), internal, findings),
        external_local: is_local(spec.external_traffic_policy.as_deref(), external, findings),
        publish_not_ready: spec.publish_not_ready_addresses.unwrap_or(false),
        name: name?,
    })
}

/// The cluster addresses, and whether there are none on purpose.
fn cluster_ips(spec: &core::ServiceSpec, findings: &mut Findings) -> (Vec<IpAddr>, bool) {
    let at = At::ROOT.key("spec");
    let single = spec.cluster_ip.as_deref().filter(|ip| !ip.is_empty());
    let list: Vec<&str> = spec.cluster_ips.iter().flatten().map(String::as_str).collect();
    if let (Some(single), Some(first)) = (single, list.first())
        && single != *first
    {
        findings.error(
            at.key("clusterIP"),
            format!("this is {single}, but clusterIPs begins with {first}: make them equal"),
        );
    }
    if single == Some(HEADLESS) || list.first() == Some(&HEADLESS) {
        if list.len() > 1 {
            findings.error(at.key("clusterIPs"), "a headless Service has nothing beside None");
        }
        return (Vec::new(), true);
    }
    let mut ips: Vec<IpAddr> = Vec::new();
    let place = at.key("clusterIPs");
    for (index, text) in list.iter().enumerate() {
        let at = place.index(index);
        let Some(ip) = ip(text, at, findings) else { continue };
        if ips.iter().any(|other| other.is_ipv4() == ip.is_ipv4()) {
            findings.error(at, "a Service has at most one cluster address of each family");
        }
        ips.push(ip);
    }
    if let (Some(single), true) = (single, list.is_empty()) {
        ips.extend(ip(single, at.key("clusterIP"), findings));
    }
    (ips, false)
}

/// The addresses beyond the cluster's own that nodes translate, and those that only a load balancer does.
fn external_ips(
    given: &core::Service,
    spec: &core::ServiceSpec,
    findings: &mut Findings,
) -> (Vec<IpAddr>, Vec<IpAddr>) {
    let at = At::ROOT.key("spec");
    let at = at.key("externalIPs");
    let (mut ips, mut proxied) = (Vec::new(), Vec::new());
    for (index, text) in spec.external_ips.iter().flatten().enumerate() {
        ips.extend(ip(text, at.index(index), findings));
    }
    let at = At::ROOT.key("status");
    let at = at.key("loadBalancer");
    let at = at.key("ingress");
    let balancer = given.status.as_ref().and_then(|status| status.load_balancer.as_ref());
    let ingress = balancer.and_then(|balancer| balancer.ingress.as_ref());
    for (index, ingress) in ingress.into_iter().flatten().enumerate() {
        if let Some(text) = ingress.ip.as_deref().filter(|ip| !ip.is_empty()) {
            let at = at.index(index);
            let ip = ip(text, at.key("ip"), findings);
            // "Setting this to Proxy indicates that traffic is delivered to the node or pod with the destination set to the
            // node's IP and node port or the pod's IP and port" (LoadBalancerIngress): nodes let it leave to the balancer.
            let list = match ingress.ip_mode.as_deref() {
                Some("Proxy") => &mut proxied,
                _ => &mut ips,
            };
            list.extend(ip.filter(|ip| !list.contains(ip)));
        }
    }
    proxied.retain(|ip| !ips.contains(ip));
    (ips, proxied)
}

fn ports(spec: &core::ServiceSpec, type_: &str, findings: &mut Findings) -> Vec<ServicePort> {
    let at = At::ROOT.key("spec");
    let list = at.key("ports");
    let given = spec.ports.as_deref().unwrap_or_default();
    let mut ports: Vec<ServicePort> = Vec::new();
    for (index, port) in given.iter().enumerate() {
        let at = list.index(index);
        let name = port.name.as_deref().unwrap_or("");
        if name.is_empty() && given.len() > 1 {
            findings.error(at.key("name"), "a Service with several ports needs a name for each");
        } else if !name.is_empty() {
            findings.check(at.key("name"), syntax::dns_label(name));
        }
        if !name.is_empty() && given[..index].iter().any(|other| other.name.as_deref() == Some(name)) {
            findings.error(at.key("name"), format!("{name:?} is there twice"));
        }
        let Some(converted) = service_port(port, type_, at, findings) else {
            continue;
        };
        if ports
            .iter()
            .any(|other| (other.port, other.protocol) == (converted.port, converted.protocol))
        {
            findings.error(
                at,
                format!("port {} {} is there twice", converted.port, converted.protocol),
            );
        }
        ports.push(converted);
    }
    ports
}

fn service_port(given: &core::ServicePort, type_: &str, at: At<'_>, findings: &mut Findings) -> Option<ServicePort> {
    let port = findings.check(at.key("port"), syntax::port(given.port));
    let protocol = findings.check(at.key("protocol"), syntax::protocol(given.protocol.as_deref()));
    let target_at = at.key("targetPort");
    let target = match &given.target_port {
        None | Some(IntOrString::Int(0)) => port.map(TargetPort::Number),
        Some(IntOrString::String(name)) if name.is_empty() => port.map(TargetPort::Number),
        Some(IntOrString::Int(number)) => findings.check(target_at, syntax::port(*number)).map(TargetPort::Number),
        Some(IntOrString::String(name)) => findings
            .check(target_at, syntax::port_name(name))
            .map(|()| TargetPort::Name(intern(name))),
    };
    let node_port = given.node_port.filter(|port| *port != 0);
    if node_port.is_some() && type_ == "ClusterIP" {
        findings.error(
            at.key("nodePort"),
            "only Services of type NodePort or LoadBalancer have one",
        );
    }
    let node_port = node_port.and_then(|port| findings.check(at.key("nodePort"), syntax::port(port)));
    Some(ServicePort {
        name: intern(given.name.as_deref().unwrap_or("")),
        port: port?,
        protocol: protocol?,
        target: target?,
        node_port,
    })
}

pub(super) fn convert_slice(given: &discovery::EndpointSlice, findings: &mut Findings) -> Option<EndpointSlice> {
    let name = metadata::name(&given.metadata, syntax::dns_subdomain, findings);
    let labels = metadata::own_labels(&given.metadata, findings);
    let ipv4 = match given.address_type.as_str() {
        "IPv4" => Some(true),
        "IPv6" => Some(false),
        "FQDN" => None,
        other => {
            findings.error(
                At::ROOT.key("addressType"),
                format!("{other:?} is no address type: use IPv4, IPv6 or FQDN"),
            );
            return None;
        }
    };
    let list = At::ROOT.key("endpoints");
    let endpoints = given
        .endpoints
        .iter()
        .enumerate()
        .map(|(index, endpoint)| slice_endpoint(endpoint, ipv4, list.index(index), findings))
        .collect();
    let list = At::ROOT.key("ports");
    let mut ports: Vec<SlicePort> = Vec::with_capacity(given.ports.as_ref().map_or(0, Vec::len));
    for (index, port) in given.ports.iter().flatten().enumerate() {
        let at = list.index(index);
        let name = port.name.as_deref().unwrap_or("");
        if !name.is_empty() {
            findings.check(at.key("name"), syntax::dns_label(name));
        }
        if ports.iter().any(|other| *other.name == *name) {
            findings.error(at.key("name"), format!("{name:?} is there twice"));
        }
        let number = port
            .port
            .and_then(|port| findings.check(at.key("port"), syntax::port(port)));
        if let Some(protocol) = findings.check(at.key("protocol"), syntax::protocol(port.protocol.as_deref())) {
            ports.push(SlicePort {
                name: intern(name),
                port: number,
                protocol,
            });
        }
    }
    Some(EndpointSlice {
        name: name?,
        service: labels.get(SERVICE_NAME).cloned(),
        ports,
        endpoints,
    })
}

fn slice_endpoint(
    given: &discovery::Endpoint,
    ipv4: Option<bool>,
    at: At<'_>,
    findings: &mut Findings,
) -> SliceEndpoint {
    let list = at.key("addresses");
    if given.addresses.is_empty() {
        findings.error(list, "an endpoint needs at least one address");
    }
    // The API allows a hundred and means one.
    let mut addresses = Vec::with_capacity(given.addresses.len());
    if let Some(ipv4) = ipv4 {
        for (index, text) in given.addresses.iter().enumerate() {
            let at = list.index(index);
            let Some(ip) = ip(text, at, findings) else { continue };
            if ip.is_ipv4() != ipv4 {
                findings.error(at, format!("{text} is not of the slice's addressType"));
            }
            addresses.push(ip);
        }
    }
    let conditions = given.conditions.as_ref();
    let ready = conditions.and_then(|conditions| conditions.ready).unwrap_or(true);
    SliceEndpoint {
        addresses,
        ready,
        serving: conditions.and_then(|conditions| conditions.serving).unwrap_or(ready),
        terminating: conditions
            .and_then(|conditions| conditions.terminating)
            .unwrap_or(false),
        node: given.node_name.as_deref().map(intern),
        pod: given
            .target_ref
            .as_ref()
            .filter(|target| target.kind.as_deref() == Some("Pod"))
            .and_then(|target| {
                Some(Name::new(
                    intern(target.namespace.as_deref()?),
                    intern(target.name.as_deref()?),
                ))
            }),
    }
}
