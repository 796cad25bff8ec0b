//! Values of filters: addresses, ports, label selectors, protocols, TCP flags.

use std::net::IpAddr;

use ipnetwork::IpNetwork;
use observer_api::flow::TcpFlags;

use crate::flows::side::Side;
use crate::objects::{Requirement, Selector};
use crate::report::Record;

/// An address or a block.
#[derive(Debug)]
pub(super) struct Address(IpNetwork);

impl Address {
    pub(super) fn read(text: String) -> Result<Self, String> {
        let block = match text.parse::<IpAddr>() {
            Ok(address) => Ok(address.into()),
            Err(_) => text.parse(),
        };
        block
            .map(Self)
            .map_err(|_| format!("`{text}` is not an address (10.0.0.1, fd00::1) nor a block (10.0.0.0/8)"))
    }

    pub(super) fn holds(&self, ip: IpAddr) -> bool {
        self.0.contains(ip)
    }

    /// As dialled; and of the destination as what it became.
    pub(super) fn is_of(&self, record: &Record, side: Side) -> bool {
        let became = record
            .destination
            .backend
            .as_ref()
            .filter(|_| side == Side::Destination);
        self.holds(side.of(record).ip) || became.is_some_and(|backend| self.holds(backend.ip))
    }
}

pub(super) fn port(text: String) -> Result<u16, String> {
    text.parse()
        .map_err(|_| format!("`{text}` is no port: a number from 0 to 65535"))
}

/// A label selector whose keys may say where a label comes from, as Cilium's do: `k8s:app=web`, `reserved:world`. A key without that
/// is taken from anywhere.
#[derive(Debug)]
pub(super) struct LabelSelector(Vec<Requirement>);

impl LabelSelector {
    pub(super) fn read(text: String) -> Result<Self, String> {
        let mut selector = Selector::parse(&text).map_err(|error| error.to_string())?;
        for requirement in &mut selector.requirements {
            // What is neither of these keeps its prefix, and is no label that anything has.
            let plain = requirement
                .key
                .strip_prefix("k8s:")
                .or_else(|| requirement.key.strip_prefix("any:"));
            if let Some(plain) = plain {
                requirement.key = plain.into();
            }
        }
        Ok(Self(selector.requirements))
    }

    pub(super) fn selects<'a>(&self, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.0
            .iter()
            .all(|requirement| requirement.operator.accepts(label(&requirement.key)))
    }
}

/// Whether this is TCP.
///
/// # Errors
///
/// No protocol that Hubble knows.
pub(super) fn protocol(name: &str) -> Result<bool, String> {
    match name.to_lowercase().as_str() {
        "tcp" => Ok(true),
        "udp" | "sctp" | "icmp" | "icmpv4" | "icmpv6" | "vrrp" | "igmp" | "dns" | "http" | "kafka" => Ok(false),
        _ => Err(format!("`{name}` is no protocol; tcp is observed")),
    }
}

/// Whether a SYN has all of these flags.
pub(super) fn flags_of_a_syn(flags: &TcpFlags) -> bool {
    let syn = TcpFlags {
        syn: flags.syn,
        ..TcpFlags::default()
    };
    *flags == syn
}

/// Types of events.
pub(super) mod event {
    use observer_api::flow::EventTypeFilter;

    use crate::flows::verdict;
    use crate::report::Record;

    /// What there is.
    pub(in crate::flows::filter) const GIVEN: &str = "attempts are told as drop (1) and trace (4)";

    /// Whether there are events of this type. 0 is any.
    pub(in crate::flows::filter) fn is_given(wanted: &EventTypeFilter) -> bool {
        [0, verdict::DROP, verdict::TRACE].contains(&wanted.r#type)
    }

    /// Whether the attempt is told so. One that was dropped for a reason without a number is asked for as a drop too.
    pub(in crate::flows::filter) fn is_of(record: &Record, wanted: &EventTypeFilter) -> bool {
        let told = verdict::event(record);
        let is_type = wanted.r#type == 0 || wanted.r#type == told.r#type;
        let is_drop = wanted.r#type == verdict::DROP && verdict::is_dropped(record);
        let is_sub_type = !wanted.match_sub_type || (is_type && wanted.sub_type == told.sub_type);
        (is_type || is_drop) && is_sub_type
    }
}
