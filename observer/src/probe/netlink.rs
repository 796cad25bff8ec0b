//! Netlink as the probe needs it: a question and its answers, and the notifications of a few groups.
//!
//! Questions are blocking: the kernel answers within the system call, a dump of a thousand links in a few milliseconds.
//! Notifications are read when the socket is readable. A socket belongs to the network namespace of the thread that opened it, for ever.

use std::io;
use std::os::fd::{AsRawFd, RawFd};

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkBuffer, NetlinkDeserializable, NetlinkHeader,
    NetlinkMessage, NetlinkPayload, NetlinkSerializable,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

/// Room for one datagram: the kernel fills dumps with up to 32 KB.
const BUFFER: usize = 64 * 1024;
/// How often a dump is asked for again when the kernel says that things changed meanwhile.
const ATTEMPTS: u32 = 5;

/// The multicast groups that are followed (rtnetlink.h).
const GROUPS: &[i32] = &[
    libc::RTNLGRP_LINK as i32,
    libc::RTNLGRP_NEIGH as i32,
    libc::RTNLGRP_TC as i32,
    libc::RTNLGRP_IPV4_IFADDR as i32,
    libc::RTNLGRP_IPV4_ROUTE as i32,
    libc::RTNLGRP_IPV6_IFADDR as i32,
    libc::RTNLGRP_IPV6_ROUTE as i32,
];

/// A socket for questions.
pub struct Requests {
    socket: Socket,
    buffer: Vec<u8>,
    sequence: u32,
}

impl Requests {
    /// Opens one in the network namespace of this thread.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn open() -> io::Result<Self> {
        Self::of_protocol(NETLINK_ROUTE)
    }

    /// Opens one of another protocol than rtnetlink.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn of_protocol(protocol: isize) -> io::Result<Self> {
        let mut socket = Socket::new(protocol)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Self {
            socket,
            buffer: Vec::with_capacity(BUFFER),
            sequence: 0,
        })
    }

    /// Asks for all objects of a kind, and gives each to `each`. Begins anew, after calling `restart`, if the kernel says that
    /// they changed meanwhile.
    ///
    /// # Errors
    ///
    /// What the kernel says, or [`io::ErrorKind::Interrupted`] if they changed all the time.
    pub fn dump<M>(&mut self, question: &M, mut each: impl FnMut(Answer<M>)) -> io::Result<()>
    where
        M: NetlinkSerializable + NetlinkDeserializable + Clone,
    {
        for _ in 0..ATTEMPTS {
            let mut answers = Vec::new();
            if self.converse(question.clone(), NLM_F_DUMP, &mut |answer| answers.push(answer))? {
                answers.into_iter().for_each(each);
                return Ok(());
            }
        }
        // What was read last is as good as it gets; notifications bring the rest.
        self.converse(question.clone(), NLM_F_DUMP, &mut each)?;
        Ok(())
    }

    /// Asks for one object, or for a change. `flags` beyond request and acknowledgement.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn ask<M>(&mut self, question: M, flags: u16) -> io::Result<Option<M>>
    where
        M: NetlinkSerializable + NetlinkDeserializable,
    {
        let mut found = None;
        self.converse(question, flags | NLM_F_ACK, &mut |answer| {
            if let Answer::Message(message) = answer {
                found = Some(message);
            }
        })?;
        Ok(found)
    }

    /// Sends and reads until the kernel has said everything. `false` if a dump was inconsistent.
    fn converse<M>(&mut self, question: M, flags: u16, each: &mut dyn FnMut(Answer<M>)) -> io::Result<bool>
    where
        M: NetlinkSerializable + NetlinkDeserializable,
    {
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | flags;
        header.sequence_number = self.sequence;
        let mut message = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(question));
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        self.socket.send(&bytes, 0)?;

        let mut consistent = true;
        loop {
            self.buffer.clear();
            self.socket.recv(&mut self.buffer, 0)?;
            for part in parts(&self.buffer) {
                let Ok((header, payload)) = part.map(NetlinkMessage::into_parts) else {
                    each(Answer::Unreadable);
                    continue;
                };
                if header.sequence_number != self.sequence {
                    continue;
                }
                consistent &= header.flags & NLM_F_DUMP_INTR == 0;
                match payload {
                    NetlinkPayload::Done(_) => return Ok(consistent),
                    NetlinkPayload::Error(error) => return error.code.map_or(Ok(consistent), |_| Err(error.to_io())),
                    NetlinkPayload::InnerMessage(message) => each(Answer::Message(message)),
                    _ => {}
                }
            }
        }
    }
}

/// One part of what the kernel said.
pub enum Answer<M> {
    /// A message.
    Message(M),
    /// One that could not be read.
    Unreadable,
}

/// A socket that hears what changes in a network namespace.
pub struct Changes {
    socket: Socket,
    buffer: Vec<u8>,
}

impl AsRawFd for Changes {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

impl Changes {
    /// Opens one in the network namespace of this thread. What changes from now on is kept by the kernel until it is read.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.set_non_blocking(true)?;
        // Best effort: the kernel caps it, and an overrun is noticed and mended.
        let _ = socket.set_rx_buf_sz(1_u32 << 20);
        for &group in GROUPS {
            socket.add_membership(group.cast_unsigned())?;
        }
        Ok(Self {
            socket,
            buffer: Vec::with_capacity(BUFFER),
        })
    }

    /// Reads what is there. `false`: some was lost, and the state must be read anew.
    ///
    /// # Errors
    ///
    /// What the kernel says, other than that nothing is there.
    pub fn drain(&mut self, mut each: impl FnMut(Answer<RouteNetlinkMessage>)) -> io::Result<bool> {
        let mut complete = true;
        loop {
            self.buffer.clear();
            match self.socket.recv(&mut self.buffer, 0) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(complete),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                    complete = false;
                    continue;
                }
                Err(error) => return Err(error),
            }
            for part in parts::<RouteNetlinkMessage>(&self.buffer) {
                each(match part.map(|message| message.payload) {
                    Ok(NetlinkPayload::InnerMessage(message)) => Answer::Message(message),
                    Ok(_) => continue,
                    Err(()) => Answer::Unreadable,
                });
            }
        }
    }
}

/// The messages of a datagram. One that cannot be read does not hide the next.
fn parts<M: NetlinkDeserializable>(datagram: &[u8]) -> impl Iterator<Item = Result<NetlinkMessage<M>, ()>> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let len = NetlinkBuffer::new_checked(rest)
            .ok()
            .map_or(rest.len(), |buffer| buffer.length() as usize);
        let (message, after) = rest.split_at(len.min(rest.len()));
        rest = after.get(len.next_multiple_of(4) - len..).unwrap_or_default();
        Some(NetlinkMessage::deserialize(message).map_err(|_| ()))
    })
}
