//! A record as a flow: what Hubble's clients read, and what of it they asked for.

use observer_api::flow::{
    Emitter, Flow, FlowType, Ip, IpVersion, Layer4, NetworkInterface, Policy, Service, Tcp, TcpFlags, TraceReason,
    layer4,
};
use prost_types::Timestamp;

use super::side::Side;
use super::{Mask, summary, verdict};
use crate::policy::Decision;
use crate::report::{DirectionRecord, Record, RecordType};
use crate::time::Time;

/// Who makes these flows.
const EMITTER: &str = "observer";

/// The flow of a record, with the fields of `mask`. Its extension is for the caller to add: it depends on who asks.
#[must_use]
pub fn flow(record: &Record, mask: &Mask) -> Flow {
    let reason = verdict::reason(record);
    let (egress_allowed_by, egress_denied_by) = policies(&record.verdict.egress);
    let (ingress_allowed_by, ingress_denied_by) = policies(&record.verdict.ingress);
    let mut flow = Flow {
        time: Some(timestamp(record.time)),
        uuid: record.id.clone(),
        emitter: Some(Emitter {
            name: EMITTER.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }),
        verdict: verdict::verdict(record) as i32,
        drop_reason: reason as u32,
        ip: Some(ip(record)),
        l4: Some(tcp(record)),
        source: Some(Side::Source.endpoint(record)),
        destination: Some(Side::Destination.endpoint(record)),
        r#type: FlowType::L3L4 as i32,
        node_name: record.node.to_string(),
        reply: false,
        event_type: Some(verdict::event(record)),
        // A Service never dials.
        source_service: None,
        destination_service: record.destination.service.as_ref().map(|service| Service {
            name: service.name.to_string(),
            namespace: service.namespace.to_string(),
        }),
        traffic_direction: verdict::direction(record) as i32,
        trace_observation_point: verdict::point(record) as i32,
        trace_reason: TraceReason::New as i32,
        drop_reason_desc: reason as i32,
        is_reply: Some(false),
        interface: record.points.first().map(|point| NetworkInterface {
            index: point.ifindex,
            name: point.interface.to_string(),
        }),
        summary: summary::line(record),
        extensions: None,
        egress_allowed_by,
        ingress_allowed_by,
        egress_denied_by,
        ingress_denied_by,
    };
    mask.apply(&mut flow);
    flow
}

/// A time as the API has it.
#[must_use]
pub fn timestamp(time: Time) -> Timestamp {
    const SECOND: u64 = 1_000_000_000;
    Timestamp {
        // Both fit: at most 2^64 nanoseconds, and less than a second of them.
        seconds: i64::try_from(time.0 / SECOND).unwrap_or(i64::MAX),
        nanos: i32::try_from(time.0 % SECOND).unwrap_or_default(),
    }
}

/// The source's address where the destination saw it, if that was another than the one that dialled.
pub(super) fn rewritten_source(record: &Record) -> Option<std::net::IpAddr> {
    let arrived = record
        .points
        .iter()
        .rev()
        .find(|point| point.direction == "to-pod" && point.bound)?;
    (arrived.client.ip != record.source.ip).then_some(arrived.client.ip)
}

/// Addresses. The destination is what the dialled address became, where that is known: the endpoint is that pod too.
fn ip(record: &Record) -> Ip {
    let to = &record.destination;
    let version = if record.source.ip.is_ipv6() {
        IpVersion::IPv6
    } else {
        IpVersion::IPv4
    };
    Ip {
        source: record.source.ip.to_string(),
        source_xlated: rewritten_source(record).map(|ip| ip.to_string()).unwrap_or_default(),
        destination: to
            .backend
            .as_ref()
            .map_or(to.party.ip, |backend| backend.ip)
            .to_string(),
        ip_version: version as i32,
        encrypted: false,
    }
}

/// Ports, and the flags of the packet that an attempt is named after.
fn tcp(record: &Record) -> Layer4 {
    let to = &record.destination;
    let port = to.backend.as_ref().map_or(to.party.port, |backend| backend.port);
    let tcp = Tcp {
        source_port: record.source.port.into(),
        destination_port: port.into(),
        flags: Some(TcpFlags {
            syn: true,
            ..TcpFlags::default()
        }),
    };
    Layer4 {
        protocol: Some(layer4::Protocol::Tcp(tcp)),
    }
}

/// The policies that allow a direction, and those that deny it.
fn policies(direction: &DirectionRecord) -> (Vec<Policy>, Vec<Policy>) {
    match direction.decision {
        Decision::Allowed => (
            direction.rule.iter().map(|rule| policy(&rule.policy)).collect(),
            Vec::new(),
        ),
        Decision::Denied => (Vec::new(), direction.policies.iter().map(|name| policy(name)).collect()),
        Decision::NotApplicable | Decision::NotIsolated | Decision::Undecidable => (Vec::new(), Vec::new()),
    }
}

/// A policy by its name in a record, with the labels that Cilium gives to one. A cluster-wide policy is of one of three kinds, which
/// its name does not tell.
fn policy(name: &str) -> Policy {
    const KIND: &str = "NetworkPolicy";
    let label = |key: &str, value: &str| format!("k8s:io.cilium.k8s.policy.{key}={value}");
    match name.split_once('/') {
        Some((namespace, name)) => Policy {
            name: name.to_owned(),
            namespace: namespace.to_owned(),
            labels: vec![
                label("derived-from", KIND),
                label("name", name),
                label("namespace", namespace),
            ],
            kind: KIND.to_owned(),
            revision: 0,
        },
        None => Policy {
            name: name.to_owned(),
            labels: vec![label("name", name)],
            ..Policy::default()
        },
    }
}

/// Whether a record corrects an earlier one.
pub(super) fn is_revision(record: &Record) -> bool {
    record.kind == RecordType::Revision
}
