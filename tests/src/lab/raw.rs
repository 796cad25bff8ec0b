//! Single TCP segments, for what no well-behaved stack sends on request: a reset before the answer, a stray one.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd as _;

use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrStorage, bind, sendto, socket,
};

use super::netns::NetNs;

/// A TCP segment without options or payload.
#[derive(Clone, Copy, Debug)]
pub struct Segment {
    /// Sender. The address must be one of the namespace's own.
    pub from: SocketAddr,
    /// Receiver.
    pub to: SocketAddr,
    /// Sequence number.
    pub sequence: u32,
    /// Acknowledgement number.
    pub acknowledgement: u32,
    /// The flags octet.
    pub flags: u8,
}

impl Segment {
    /// The flag SYN.
    pub const SYN: u8 = 0x02;
    /// The flag RST.
    pub const RST: u8 = 0x04;
    /// The flag ACK.
    pub const ACK: u8 = 0x10;

    fn bytes(&self) -> [u8; 20] {
        let mut header = [0; 20];
        header[0..2].copy_from_slice(&self.from.port().to_be_bytes());
        header[2..4].copy_from_slice(&self.to.port().to_be_bytes());
        header[4..8].copy_from_slice(&self.sequence.to_be_bytes());
        header[8..12].copy_from_slice(&self.acknowledgement.to_be_bytes());
        header[12] = 5 << 4;
        header[13] = self.flags;
        header[14..16].copy_from_slice(&64_240_u16.to_be_bytes());
        let checksum = self.checksum(&header);
        header[16..18].copy_from_slice(&checksum.to_be_bytes());
        header
    }

    /// RFC 9293, 3.1: over the pseudo header and the segment.
    fn checksum(&self, header: &[u8]) -> u16 {
        let octets = |address: IpAddr| match address {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        };
        let mut covered = octets(self.from.ip());
        covered.extend(octets(self.to.ip()));
        covered.extend([0, 6, 0, 20]);
        covered.extend(header);
        let mut sum: u32 = covered
            .chunks_exact(2)
            .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])))
            .sum();
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        !u16::try_from(sum).unwrap_or(u16::MAX)
    }
}

/// Sends one segment from inside a namespace.
pub fn send_segment(namespace: &NetNs, segment: &Segment) -> Result<()> {
    namespace
        .enter(|| {
            let family = if segment.to.is_ipv4() {
                AddressFamily::Inet
            } else {
                AddressFamily::Inet6
            };
            let socket = socket(family, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::Tcp)?;
            let (from, to) = (
                SocketAddr::new(segment.from.ip(), 0),
                SocketAddr::new(segment.to.ip(), 0),
            );
            bind(socket.as_raw_fd(), &SockaddrStorage::from(from))?;
            sendto(
                socket.as_raw_fd(),
                &segment.bytes(),
                &SockaddrStorage::from(to),
                MsgFlags::empty(),
            )?;
            Ok::<_, Errno>(())
        })
        .with_context(|| format!("sending {segment:?} from {}", namespace.name()))
}

#[cfg(test)]
mod tests {
    use super::Segment;

    #[test]
    fn a_checksummed_segment_sums_to_zero() {
        let segment = Segment {
            from: ([10, 0, 0, 1], 1000).into(),
            to: ([10, 0, 0, 2], 80).into(),
            sequence: 7,
            acknowledgement: 9,
            flags: Segment::RST,
        };
        assert_eq!(segment.checksum(&segment.bytes()), 0);
    }
}
