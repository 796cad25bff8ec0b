//! Field by field: what each demands of a record, or why it is refused.

use observer_api::flow::{FlowFilter, IpVersion, NetworkInterface, Workload, flow_filter::Experimental};

use super::names::{Node, Prefix};
use super::values::{Address, LabelSelector, event, flags_of_a_syn, port, protocol};
use super::{Refused, Test};
use crate::flows::side::Side;
use crate::flows::{told, verdict};
use crate::report::Record;

/// A filter being read.
#[derive(Default)]
pub(super) struct Fields {
    pub(super) tests: Vec<Test>,
    pub(super) values: usize,
}

/// Identities that are given here: none, host, world, remote node.
const IDENTITIES: [u32; 4] = [0, 1, 2, 6];

const NAMES: &str = "names of hosts are not observed; filter by address";
const HTTP: &str = "HTTP is not observed, only connections are";
const PODS: &str = "pods have no security identity here; unknown, world, host and remote-node are told";
const CLUSTER: &str = "the cluster's name is not known to the observer";

impl Fields {
    /// Reads every field that is given.
    pub(super) fn read(&mut self, filter: FlowFilter) -> Result<(), Refused> {
        // Taken apart, so that a field that is added to the message cannot be forgotten here.
        let FlowFilter {
            uuid,
            source_ip,
            source_ip_xlated,
            source_pod,
            source_fqdn,
            source_label,
            source_service,
            source_workload,
            source_cluster_name,
            destination_ip,
            destination_pod,
            destination_fqdn,
            destination_label,
            destination_service,
            destination_workload,
            destination_cluster_name,
            traffic_direction,
            verdict,
            drop_reason_desc,
            interface,
            event_type,
            http_status_code,
            protocol: protocols,
            source_port,
            destination_port,
            reply,
            dns_query,
            source_identity,
            destination_identity,
            http_method,
            http_path,
            http_url,
            http_header,
            tcp_flags,
            node_name,
            node_labels,
            ip_version,
            trace_id,
            ip_trace_id,
            encrypted,
            experimental,
        } = filter;
        let cel = experimental.map(|Experimental { cel_expression }| cel_expression);

        // What cannot be answered is said before what can match nothing, which need not fail.
        unanswerable("source_fqdn", source_fqdn.is_empty(), NAMES)?;
        unanswerable("destination_fqdn", destination_fqdn.is_empty(), NAMES)?;
        unanswerable("source_cluster_name", source_cluster_name.is_empty(), CLUSTER)?;
        unanswerable("destination_cluster_name", destination_cluster_name.is_empty(), CLUSTER)?;
        unanswerable("http_status_code", http_status_code.is_empty(), HTTP)?;
        unanswerable("http_method", http_method.is_empty(), HTTP)?;
        unanswerable("http_path", http_path.is_empty(), HTTP)?;
        unanswerable("http_url", http_url.is_empty(), HTTP)?;
        unanswerable("http_header", http_header.is_empty(), HTTP)?;
        unanswerable(
            "dns_query",
            dns_query.is_empty(),
            "DNS queries are not observed, only connections are",
        )?;
        unanswerable(
            "node_labels",
            node_labels.is_empty(),
            "the labels of nodes are not known here; filter by node_name",
        )?;
        unanswerable(
            "trace_id",
            trace_id.is_empty(),
            "payload is not observed, only connections are",
        )?;
        unanswerable("ip_trace_id", ip_trace_id.is_empty(), "IP options are not observed")?;
        unanswerable(
            "encrypted",
            encrypted.is_empty(),
            "whether a tunnel encrypts is not observed",
        )?;
        unanswerable(
            "experimental.cel_expression",
            cel.unwrap_or_default().is_empty(),
            "expressions are not evaluated; use the other filters",
        )?;

        self.any("uuid", uuid, Ok, |record, id| record.id == *id)?;
        for (field, given, side) in [
            ("source_ip", source_ip, Side::Source),
            ("destination_ip", destination_ip, Side::Destination),
        ] {
            self.any(field, given, Address::read, move |record, wanted| {
                wanted.is_of(record, side)
            })?;
        }
        self.any("source_ip_xlated", source_ip_xlated, Address::read, |record, wanted| {
            told::rewritten_source(record).is_some_and(|ip| wanted.holds(ip))
        })?;
        for (field, given, side) in [
            ("source_pod", source_pod, Side::Source),
            ("destination_pod", destination_pod, Side::Destination),
        ] {
            self.any(field, given, Prefix::read, move |record, wanted| {
                wanted.begins(side.pod(record))
            })?;
        }
        for (field, given, side) in [
            ("source_label", source_label, Side::Source),
            ("destination_label", destination_label, Side::Destination),
        ] {
            self.any(field, given, LabelSelector::read, move |record, wanted| {
                wanted.selects(|key| side.label(record, key))
            })?;
        }
        for (field, given, side) in [
            ("source_workload", source_workload, Side::Source),
            ("destination_workload", destination_workload, Side::Destination),
        ] {
            self.any(field, given, Ok, move |record, wanted| {
                is_of_workload(side, record, wanted)
            })?;
        }
        for (field, given, side) in [
            ("source_identity", source_identity, Side::Source),
            ("destination_identity", destination_identity, Side::Destination),
        ] {
            let known = |id: &u32| IDENTITIES.contains(id);
            self.possible(field, given, known, PODS, move |record, id| {
                side.identity(record) == *id
            })?;
        }
        self.possible(
            "source_service",
            source_service,
            |_| false,
            "Services are dialled, they never dial",
            |_, _| false,
        )?;
        self.any(
            "destination_service",
            destination_service,
            Prefix::read,
            |record, wanted| {
                let to = &record.destination;
                let service = to.service.as_ref().or(to.perhaps_via.as_ref());
                service.is_some_and(|service| wanted.begins((&service.namespace, &service.name)))
            },
        )?;
        self.any("source_port", source_port, port, |record, port| {
            record.source.port == *port
        })?;
        self.any("destination_port", destination_port, port, |record, port| {
            let to = &record.destination;
            to.party.port == *port || to.backend.as_ref().is_some_and(|backend| backend.port == *port)
        })?;
        self.any("traffic_direction", traffic_direction, Ok, |record, wanted| {
            verdict::direction(record) as i32 == *wanted
        })?;
        self.any("verdict", verdict, Ok, |record, wanted| {
            verdict::verdict(record) as i32 == *wanted
        })?;
        self.any("drop_reason_desc", drop_reason_desc, Ok, |record, wanted| {
            verdict::is_dropped(record) && verdict::reason(record) as i32 == *wanted
        })?;
        self.any("interface", interface, Ok, passes)?;
        self.possible("event_type", event_type, event::is_given, event::GIVEN, event::is_of)?;
        self.read_protocols(protocols)?;
        self.possible(
            "reply",
            reply,
            |reply| !reply,
            "attempts are told, no packets: none is a reply",
            |_, _| true,
        )?;
        self.possible(
            "tcp_flags",
            tcp_flags,
            flags_of_a_syn,
            "an attempt is told with the flags of its SYN",
            |_, _| true,
        )?;
        self.any("node_name", node_name, Node::read, |record, wanted| {
            wanted.is(&record.node)
        })?;
        let versions = |version: &i32| [IpVersion::IPv4 as i32, IpVersion::IPv6 as i32].contains(version);
        self.possible(
            "ip_version",
            ip_version,
            versions,
            "every attempt is of IPv4 or IPv6",
            |record, version| record.source.ip.is_ipv6() == (*version == IpVersion::IPv6 as i32),
        )
    }

    fn read_protocols(&mut self, given: Vec<String>) -> Result<(), Refused> {
        let known: Result<Vec<bool>, String> = given.iter().map(|name| protocol(name)).collect();
        let known = known.map_err(|why| Refused::Invalid { field: "protocol", why })?;
        self.possible("protocol", known, |is_tcp| *is_tcp, "only TCP is observed", |_, _| true)
    }

    /// A field that must hold by one of its values.
    fn any<V, R: Send + Sync + 'static>(
        &mut self,
        field: &'static str,
        given: Vec<V>,
        read: impl Fn(V) -> Result<R, String>,
        holds: impl Fn(&Record, &R) -> bool + Send + Sync + 'static,
    ) -> Result<(), Refused> {
        if given.is_empty() {
            return Ok(());
        }
        self.values += given.len();
        let values: Result<Vec<R>, String> = given.into_iter().map(read).collect();
        let values = values.map_err(|why| Refused::Invalid { field, why })?;
        self.tests
            .push(Box::new(move |record| values.iter().any(|value| holds(record, value))));
        Ok(())
    }

    /// The same for a field of which some values match nothing that there is here. If all are such, `what_there_is` says so.
    fn possible<V: Send + Sync + 'static>(
        &mut self,
        field: &'static str,
        given: Vec<V>,
        is_possible: impl Fn(&V) -> bool,
        what_there_is: &'static str,
        holds: impl Fn(&Record, &V) -> bool + Send + Sync + 'static,
    ) -> Result<(), Refused> {
        if !given.is_empty() && !given.iter().any(&is_possible) {
            return Err(Refused::Never {
                field,
                why: what_there_is,
            });
        }
        let given = given.into_iter().filter(is_possible).collect();
        self.any(field, given, Ok, holds)
    }
}

fn unanswerable(field: &'static str, is_missing: bool, why: &'static str) -> Result<(), Refused> {
    if is_missing {
        Ok(())
    } else {
        Err(Refused::Unanswerable { field, why })
    }
}

/// Kind and name; an empty one is any.
fn is_of_workload(side: Side, record: &Record, wanted: &Workload) -> bool {
    side.of(record).workload.as_ref().is_some_and(|workload| {
        (wanted.name.is_empty() || *wanted.name == *workload.name)
            && (wanted.kind.is_empty() || *wanted.kind == *workload.kind)
    })
}

/// Whether the attempt was seen at the interface. An index of 0 or an empty name is any.
fn passes(record: &Record, wanted: &NetworkInterface) -> bool {
    record.points.iter().any(|point| {
        (wanted.index == 0 || wanted.index == point.ifindex)
            && (wanted.name.is_empty() || *wanted.name == *point.interface)
    })
}
