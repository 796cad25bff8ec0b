//! Who is named in text: `namespace/pod`, `node n`, `svc namespace/name`, else the address.

use super::record::{Destination, Party, PartyKind, Record, ServiceRecord};

/// The source, without its port.
pub(super) fn source(record: &Record) -> String {
    name(&record.source)
}

/// The destination with the port that its application sees, and the Service that led there.
pub(super) fn destination(to: &Destination) -> String {
    let port = to.backend.as_ref().map_or(to.party.port, |backend| backend.port);
    let mut text = match to.party.kind {
        PartyKind::Service => match &to.backend {
            Some(backend) => with_port(&backend.ip.to_string(), port),
            None => {
                return to
                    .service
                    .as_ref()
                    .map_or_else(|| with_port(&name(&to.party), port), svc);
            }
        },
        _ => with_port(&name(&to.party), port),
    };
    if let Some(service) = &to.service {
        text.push_str(&format!(" ({})", svc(service)));
    } else if let Some(service) = &to.perhaps_via {
        text.push_str(&format!(" (perhaps {})", svc(service)));
    }
    text
}

fn svc(service: &ServiceRecord) -> String {
    format!("svc {}/{}:{}", service.namespace, service.name, service.port)
}

/// IPv6 addresses need brackets before a port.
fn with_port(name: &str, port: u16) -> String {
    if name.contains(':') {
        format!("[{name}]:{port}")
    } else {
        format!("{name}:{port}")
    }
}

fn name(party: &Party) -> String {
    match (party.kind, &party.namespace, &party.name) {
        (PartyKind::Pod, Some(namespace), Some(name)) => format!("{namespace}/{name}"),
        (PartyKind::Service, Some(namespace), Some(name)) => format!("svc {namespace}/{name}"),
        (PartyKind::Node, _, Some(name)) => format!("node {name}"),
        _ => party.ip.to_string(),
    }
}
