//! Nodes.

use k8s_openapi::api::core::v1 as core;

use super::metadata;
use crate::cluster::findings::{At, Findings};
use crate::cluster::syntax;
use crate::objects::Node;

pub(super) fn convert(given: &core::Node, findings: &mut Findings) -> Option<Node> {
    let name = metadata::plain_name(&given.metadata, syntax::dns_subdomain, findings);
    let labels = metadata::own_labels(&given.metadata, findings);
    let mut addresses = Vec::new();
    let at = At::ROOT.key("status");
    let at = at.key("addresses");
    let given_addresses = given.status.as_ref().and_then(|status| status.addresses.as_ref());
    for (index, address) in given_addresses.into_iter().flatten().enumerate() {
        if !matches!(address.type_.as_str(), "InternalIP" | "ExternalIP") {
            continue;
        }
        let at = at.index(index);
        let at = at.key("address");
        if let Some(ip) = findings.check(at, syntax::ip(&address.address)) {
            addresses.push(ip.value);
        }
    }
    let at = At::ROOT.key("spec");
    let spec = given.spec.as_ref();
    let mut pod_cidrs = Vec::new();
    let list = at.key("podCIDRs");
    for (index, cidr) in spec
        .and_then(|spec| spec.pod_cidrs.as_ref())
        .into_iter()
        .flatten()
        .enumerate()
    {
        if let Some(cidr) = findings.check(list.index(index), syntax::cidr(cidr)) {
            pod_cidrs.push(cidr.value);
        }
    }
    if let Some(cidr) = spec
        .and_then(|spec| spec.pod_cidr.as_deref())
        .filter(|cidr| !cidr.is_empty())
        && let Some(cidr) = findings.check(at.key("podCIDR"), syntax::cidr(cidr))
        && !pod_cidrs.contains(&cidr.value)
    {
        pod_cidrs.insert(0, cidr.value);
    }
    Some(Node {
        name: name?,
        labels,
        addresses,
        pod_cidrs,
    })
}
