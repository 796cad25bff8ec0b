//! clsact filters: who has some on an interface, which of them a dead observer left, and removing those.
//!
//! A filter of ours has a handle of its own kind: an upper half that nobody else uses, and in the lower half a number that the
//! observer reserved with an abstract socket. The kernel releases the socket with the process, whatever ends it; a filter whose
//! number is free was left behind. Abstract sockets belong to a network namespace, as the filters do.

use std::collections::BTreeSet;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::tc::{TcAttribute, TcFilterBpfOption, TcHandle, TcMessage, TcOption};

use super::load::{FROM_POD, TO_POD};
use super::netlink::{Answer, Requests};

/// The upper half of our filters' handles.
const MARK: u16 = 0x0b5e;

/// A hook of the clsact qdisc.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Side {
    /// Packets from the pod.
    Ingress,
    /// Packets to the pod.
    Egress,
}

impl Side {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Ingress, Self::Egress];

    fn parent(self) -> TcHandle {
        TcHandle {
            major: 0xffff,
            minor: match self {
                Self::Ingress => TcHandle::MIN_INGRESS,
                Self::Egress => TcHandle::MIN_EGRESS,
            },
        }
    }
}

/// A filter on one side of an interface.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Filter {
    /// Filters of a lower priority number run first.
    pub priority: u16,
    protocol: u16,
    handle: u32,
    /// `bpf`, `u32`, `flower`, …
    pub kind: String,
    /// The name that a `bpf` filter was given.
    pub name: String,
    /// Hash of its program's instructions.
    pub tag: Option<[u8; 8]>,
}

impl Filter {
    /// The number of the observer that it belongs to, if it is an observer's.
    #[must_use]
    pub fn owner(&self) -> Option<u16> {
        let ours = self.kind == "bpf"
            && self.handle >> 16 == u32::from(MARK)
            && (self.name.starts_with(FROM_POD) || self.name.starts_with(TO_POD));
        // The lower half.
        ours.then_some(self.handle as u16)
    }
}

/// The number by which this process marks its filters, reserved as long as this lives.
#[derive(Debug)]
pub struct Number {
    number: u16,
    _socket: UnixListener,
}

impl Number {
    /// Reserves one that is free in the network namespace of this thread.
    ///
    /// # Errors
    ///
    /// If no socket can be made.
    pub fn reserve() -> io::Result<Self> {
        // Any will do; beginning at the process's id makes a clash rare.
        let start = std::process::id() as u16;
        for number in (0..=u16::MAX).map(|n| start.wrapping_add(n)).filter(|&n| n != 0) {
            match bind(number) {
                Ok(socket) => {
                    return Ok(Self {
                        number,
                        _socket: socket,
                    });
                }
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AddrInUse.into())
    }

    /// The handle for a filter.
    #[must_use]
    pub fn handle(&self) -> (u16, u16) {
        (MARK, self.number)
    }
}

fn bind(number: u16) -> io::Result<UnixListener> {
    UnixListener::bind_addr(&SocketAddr::from_abstract_name(format!("observer-filters-{number}"))?)
}

/// Nobody holds this number: whoever did is dead.
fn is_orphan(number: u16) -> bool {
    bind(number).is_ok()
}

/// The interfaces that have a clsact (or ingress) qdisc: only these can have filters.
///
/// # Errors
///
/// What the kernel says.
pub fn interfaces(requests: &mut Requests) -> io::Result<BTreeSet<u32>> {
    let mut found = BTreeSet::new();
    let question = RouteNetlinkMessage::GetQueueDiscipline(TcMessage::default());
    requests.dump(&question, |answer| {
        if let Answer::Message(RouteNetlinkMessage::NewQueueDiscipline(qdisc)) = answer
            && qdisc.header.parent == TcHandle::INGRESS
        {
            found.extend(u32::try_from(qdisc.header.index));
        }
    })?;
    Ok(found)
}

/// The filters of one side, in the order in which they run.
///
/// # Errors
///
/// What the kernel says.
pub fn list(requests: &mut Requests, ifindex: u32, side: Side) -> io::Result<Vec<Filter>> {
    let mut message = TcMessage::default();
    message.header.index = ifindex.cast_signed();
    message.header.parent = side.parent();
    let mut found = Vec::new();
    requests.dump(&RouteNetlinkMessage::GetTrafficFilter(message), |answer| match answer {
        // Without a handle it is the head of a priority, not a filter.
        Answer::Message(RouteNetlinkMessage::NewTrafficFilter(filter)) if filter.header.handle != TcHandle::UNSPEC => {
            found.push(read(&filter));
        }
        Answer::Message(_) => {}
        // Whatever it is, it is there.
        Answer::Unreadable => found.push(Filter {
            priority: 0,
            protocol: 0,
            handle: 0,
            kind: "unknown".to_owned(),
            name: String::new(),
            tag: None,
        }),
    })?;
    found.sort_by_key(|filter| filter.priority);
    Ok(found)
}

fn read(message: &TcMessage) -> Filter {
    let mut filter = Filter {
        priority: (message.header.info >> 16) as u16,
        protocol: message.header.info as u16,
        handle: message.header.handle.into(),
        kind: String::new(),
        name: String::new(),
        tag: None,
    };
    for attribute in &message.attributes {
        match attribute {
            TcAttribute::Kind(kind) => filter.kind.clone_from(kind),
            TcAttribute::Options(options) => {
                for option in options {
                    match option {
                        TcOption::Bpf(TcFilterBpfOption::ProgName(name)) => filter.name.clone_from(name),
                        TcOption::Bpf(TcFilterBpfOption::ProgTag(tag)) => filter.tag = Some(*tag),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    filter
}

/// The lowest priority number that no filter uses.
#[must_use]
pub fn free_priority(filters: &[Filter]) -> u16 {
    (1..u16::MAX)
        .find(|priority| !filters.iter().any(|filter| filter.priority == *priority))
        .unwrap_or(u16::MAX)
}

/// Removes what dead observers left on an interface, and its qdisc if it is empty then. How many filters it were.
///
/// # Errors
///
/// What the kernel says.
pub fn remove_orphans(requests: &mut Requests, ifindex: u32) -> io::Result<usize> {
    let mut removed = 0;
    for side in Side::BOTH {
        for filter in list(requests, ifindex, side)? {
            if filter.owner().is_some_and(is_orphan) {
                remove(requests, ifindex, side, &filter)?;
                removed += 1;
            }
        }
    }
    if removed > 0 {
        remove_empty_qdisc(requests, ifindex)?;
    }
    Ok(removed)
}

fn remove(requests: &mut Requests, ifindex: u32, side: Side, filter: &Filter) -> io::Result<()> {
    let mut message = TcMessage::default();
    message.header.index = ifindex.cast_signed();
    message.header.parent = side.parent();
    message.header.handle = filter.handle.into();
    message.header.info = u32::from(filter.priority) << 16 | u32::from(filter.protocol);
    message.attributes.push(TcAttribute::Kind(filter.kind.clone()));
    requests.ask(RouteNetlinkMessage::DelTrafficFilter(message), 0)?;
    Ok(())
}

/// Removes the clsact qdisc of an interface unless somebody has a filter on it. The kernel cannot do both in one step; a filter added
/// between them is lost, which is why this is only done for a qdisc of our own making or that held an orphan of ours.
///
/// # Errors
///
/// What the kernel says.
pub fn remove_empty_qdisc(requests: &mut Requests, ifindex: u32) -> io::Result<()> {
    for side in Side::BOTH {
        if !list(requests, ifindex, side)?.is_empty() {
            return Ok(());
        }
    }
    let mut message = TcMessage::default();
    message.header.index = ifindex.cast_signed();
    message.header.parent = TcHandle::INGRESS;
    message.header.handle = TcHandle {
        major: 0xffff,
        minor: 0,
    };
    message.attributes.push(TcAttribute::Kind("clsact".to_owned()));
    requests.ask(RouteNetlinkMessage::DelQueueDiscipline(message), 0)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(priority: u16, handle: u32, name: &str) -> Filter {
        Filter {
            priority,
            protocol: 0x0300,
            handle,
            kind: "bpf".to_owned(),
            name: name.to_owned(),
            tag: None,
        }
    }

    #[test]
    fn ours_is_known_by_handle_and_name() {
        let check = |handle, name, expect| assert_eq!(filter(1, handle, name).owner(), expect, "{handle:x} {name}");
        check(0x0b5e_0007, "from_pod", Some(7));
        check(0x0b5e_0007, "to_pod", Some(7));
        check(0x0b5e_0007, "cil_from_container", None);
        check(0x0000_0001, "from_pod", None);
    }

    #[test]
    fn the_lowest_free_priority() {
        let check = |used: &[u16], expect| {
            let filters: Vec<Filter> = used.iter().map(|&priority| filter(priority, 1, "x")).collect();
            assert_eq!(free_priority(&filters), expect, "{used:?}");
        };
        check(&[], 1);
        check(&[1], 2);
        check(&[2, 49152], 1);
        check(&[1, 2, 4], 3);
    }

    #[test]
    fn a_number_is_held_as_long_as_its_owner_lives() {
        let number = Number::reserve().expect("a free number");
        let (_, low) = number.handle();
        assert!(!is_orphan(low));
        drop(number);
        assert!(is_orphan(low));
    }
}
