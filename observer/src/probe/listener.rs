//! The listening socket at an address inside a pod's network namespace, by `sock_diag` (include/uapi/linux/inet_diag.h).
//!
//! For a listener the kernel gives the length of the accept queue and its limit (`tcp_diag_get_info`, net/ipv4/tcp_diag.c).

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use netlink_packet_core::{NetlinkDeserializable, NetlinkHeader, NetlinkSerializable};
use nix::sched::{CloneFlags, setns};

use super::netlink::{Answer, Requests};
use super::netns::Netns;
use crate::attempt::Listener;

/// `NETLINK_SOCK_DIAG`.
const PROTOCOL: isize = 4;
/// `SOCK_DIAG_BY_FAMILY`.
const BY_FAMILY: u16 = 20;
/// `1 << TCP_LISTEN`.
const LISTEN: u32 = 1 << 10;
/// `INET_DIAG_SKV6ONLY`.
const V6_ONLY: u16 = 11;
/// Sizes of `struct inet_diag_req_v2` and `struct inet_diag_msg`.
const QUESTION_LEN: usize = 56;
const ANSWER_LEN: usize = 72;

/// Reads the listening socket for an address in a namespace. `None`: nobody listens there.
///
/// A thread enters the namespace and ends: no other thread may do so, as sockets and files that it opens belong there.
///
/// # Errors
///
/// If the namespace is gone or cannot be entered (CAP_SYS_ADMIN), or what the kernel says.
pub fn read(netns: &Netns, at: SocketAddr) -> io::Result<Option<Listener>> {
    let namespace = netns.open()?;
    let reader = std::thread::Builder::new().name("listener".to_owned()).spawn(move || {
        setns(namespace, CloneFlags::CLONE_NEWNET)?;
        of_this_namespace(at)
    })?;
    reader
        .join()
        .unwrap_or_else(|_| Err(io::Error::other("the thread that reads sockets panicked")))
}

fn of_this_namespace(at: SocketAddr) -> io::Result<Option<Listener>> {
    let mut requests = Requests::of_protocol(PROTOCOL)?;
    let mut sockets = Vec::new();
    // An IPv4 connection may be for a socket of either family.
    let families: &[i32] = if at.is_ipv4() {
        &[libc::AF_INET, libc::AF_INET6]
    } else {
        &[libc::AF_INET6]
    };
    for &family in families {
        let question = Diag::Question {
            // AF_INET and AF_INET6 are 2 and 10.
            family: family as u8,
            port: at.port(),
        };
        requests.dump(&question, |answer| {
            if let Answer::Message(Diag::Socket(socket)) = answer {
                sockets.push(socket);
            }
        })?;
    }
    Ok(choose(&sockets, at))
}

/// A listening socket.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Socket {
    address: IpAddr,
    port: u16,
    v6_only: bool,
    listener: Listener,
}

/// The socket that the kernel would give a connection to: bound to the very address, else to any. Of several that share
/// the port (SO_REUSEPORT) the one with most room: only if that is full, all are.
fn choose(sockets: &[Socket], at: SocketAddr) -> Option<Listener> {
    let rank = |socket: &Socket| match socket.address {
        address if address == at.ip() => Some(0),
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) if at.is_ipv4() => Some(1),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) if at.is_ipv6() => Some(1),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) if !socket.v6_only => Some(2),
        _ => None,
    };
    sockets
        .iter()
        .filter(|socket| socket.port == at.port())
        .filter_map(|socket| Some((rank(socket)?, socket.listener)))
        .min_by_key(|&(rank, listener)| (rank, i64::from(listener.queue) - i64::from(listener.limit)))
        .map(|(_, listener)| listener)
}

/// A `sock_diag` message.
#[derive(Clone, Debug)]
enum Diag {
    /// All listening TCP sockets of a family and port.
    Question { family: u8, port: u16 },
    /// One of them.
    Socket(Socket),
}

impl NetlinkSerializable for Diag {
    fn message_type(&self) -> u16 {
        BY_FAMILY
    }

    fn buffer_len(&self) -> usize {
        QUESTION_LEN
    }

    fn serialize(&self, buffer: &mut [u8]) {
        buffer.fill(0);
        if let Self::Question { family, port } = self {
            buffer[0] = *family;
            // IPPROTO_TCP is 6.
            buffer[1] = libc::IPPROTO_TCP as u8;
            buffer[4..8].copy_from_slice(&LISTEN.to_ne_bytes());
            buffer[8..10].copy_from_slice(&port.to_be_bytes());
        }
    }
}

impl NetlinkDeserializable for Diag {
    type Error = io::Error;

    fn deserialize(_: &NetlinkHeader, payload: &[u8]) -> io::Result<Self> {
        parse(payload)
            .map(Self::Socket)
            .ok_or_else(|| io::Error::other("not an inet_diag_msg"))
    }
}

fn parse(message: &[u8]) -> Option<Socket> {
    let fixed: &[u8; ANSWER_LEN] = message.first_chunk()?;
    let word = |at: usize| u32::from_ne_bytes([fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]]);
    let source: [u8; 16] = fixed[8..24].try_into().ok()?;
    let address = if i32::from(fixed[0]) == libc::AF_INET {
        IpAddr::from([source[0], source[1], source[2], source[3]])
    } else {
        Ipv6Addr::from(source).to_canonical()
    };
    Some(Socket {
        address,
        port: u16::from_be_bytes([fixed[4], fixed[5]]),
        v6_only: attribute(&message[ANSWER_LEN..], V6_ONLY).is_some_and(|value| value.first() == Some(&1)),
        listener: Listener {
            queue: word(56),
            limit: word(60),
        },
    })
}

/// The value of an attribute (netlink.h, `struct nlattr`).
fn attribute(mut rest: &[u8], wanted: u16) -> Option<&[u8]> {
    while let Some(head) = rest.first_chunk::<4>() {
        let len = usize::from(u16::from_ne_bytes([head[0], head[1]]));
        let value = rest.get(4..len)?;
        if u16::from_ne_bytes([head[2], head[3]]) == wanted {
            return Some(value);
        }
        rest = rest.get(len.next_multiple_of(4)..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_that_a_connection_goes_to() {
        let socket = |address: &str, queue, v6_only| Socket {
            address: address.parse().expect("an address"),
            port: 80,
            v6_only,
            listener: Listener { queue, limit: 10 },
        };
        let check = |sockets: &[Socket], at: &str, expect: Option<u32>| {
            let found = choose(sockets, at.parse().expect("an address"));
            assert_eq!(found.map(|listener| listener.queue), expect, "{at} {sockets:?}");
        };
        check(&[], "10.0.0.1:80", None);
        check(&[socket("0.0.0.0", 1, false)], "10.0.0.1:80", Some(1));
        check(&[socket("0.0.0.0", 1, false)], "10.0.0.1:81", None);
        check(&[socket("0.0.0.0", 1, false)], "[fd00::1]:80", None);
        check(&[socket("::", 1, false)], "10.0.0.1:80", Some(1));
        check(&[socket("::", 1, true)], "10.0.0.1:80", None);
        check(&[socket("::", 1, true)], "[fd00::1]:80", Some(1));
        check(&[socket("127.0.0.1", 1, false)], "10.0.0.1:80", None);
        let several = [socket("0.0.0.0", 1, false), socket("10.0.0.1", 2, false)];
        check(&several, "10.0.0.1:80", Some(2));
        let shared = [socket("0.0.0.0", 11, false), socket("0.0.0.0", 3, false)];
        check(&shared, "10.0.0.1:80", Some(3));
    }

    #[test]
    fn a_real_listener_is_found_with_its_queue() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a socket");
        let at = listener.local_addr().expect("its address");
        let own = Netns::own().expect("own namespace");
        let found = match read(&own, at) {
            Err(error) if error.raw_os_error() == Some(libc::EPERM) => {
                eprintln!("skipped: entering a network namespace needs CAP_SYS_ADMIN");
                assert_ne!(std::env::var("OBSERVER_KERNEL_TESTS").as_deref(), Ok("required"));
                return;
            }
            found => found.expect("sock_diag").expect("it listens"),
        };
        assert_eq!(found.queue, 0);
        assert!(found.limit > 0);
        let _waiting = std::net::TcpStream::connect(at).expect("it accepts");
        let found = read(&own, at).expect("sock_diag").expect("it listens");
        assert_eq!(found.queue, 1);
        drop(listener);
        assert_eq!(read(&own, at).expect("sock_diag"), None);
    }

    #[test]
    fn cut_off_answers_are_refused() {
        for len in 0..ANSWER_LEN {
            assert!(parse(&vec![0; len]).is_none());
        }
        assert_eq!(attribute(&[3, 0, 11, 0], V6_ONLY), None);
        assert_eq!(attribute(&[200, 0, 11, 0, 1], V6_ONLY), None);
    }
}
