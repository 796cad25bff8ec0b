//! Packets that test-run cannot make: with headers outside of the linear part of the buffer, and with tags beside it.
#![forbid(unsafe_code)]

use std::{
    collections::BTreeSet,
    io::IoSlice,
    os::fd::AsRawFd as _,
    process, thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use nix::{
    ifaddrs::getifaddrs,
    libc,
    net::if_::if_nametoindex,
    sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, bind, sendmsg, setsockopt, socket},
};
use observer_common::{
    craft::{Flow, Tcp, frame},
    packet::flag,
};
use observer_tests::{
    lab::NetNs,
    testrun::{Programs, Settings, load_or_skip},
};

/// How long a packet may take from one end of a veth to the other.
const DEADLINE: Duration = Duration::from_secs(5);

/// The option that puts a virtio header before each frame (linux/if_packet.h).
#[derive(Clone, Copy)]
struct VirtioHeader;

nix::setsockopt_impl!(
    VirtioHeader,
    libc::SOL_PACKET,
    PACKET_VNET_HDR,
    bool,
    nix::sys::socket::sockopt::SetBool
);

/// Its number (linux/if_packet.h).
const PACKET_VNET_HDR: i32 = 15;

/// A virtio header (linux/virtio_net.h) that says how many bytes belong into the linear part. The kernel obeys if the frame is larger than
/// a page (`packet_alloc_skb`).
fn virtio(linear: u16) -> [u8; 10] {
    let [low, high] = linear.to_le_bytes();
    [0, 0, low, high, 0, 0, 0, 0, 0, 0]
}

/// Sends a frame out of an interface of this thread's namespace.
fn send(interface: &str, linear: u16, frame: &[u8]) -> Result<()> {
    let address = getifaddrs()?
        .filter(|entry| entry.interface_name == interface)
        .find_map(|entry| entry.address?.as_link_addr().copied())
        .context("the interface has no link address")?;
    let socket = socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, None)?;
    setsockopt(&socket, VirtioHeader, &true)?;
    bind(socket.as_raw_fd(), &address)?;
    let header = virtio(linear);
    let parts = [IoSlice::new(&header), IoSlice::new(frame)];
    sendmsg::<()>(socket.as_raw_fd(), &parts, &[], MsgFlags::empty(), None)?;
    Ok(())
}

#[test]
fn headers_outside_of_the_linear_part() -> Result<()> {
    let Some(mut programs) = load_or_skip(Settings::default())? else {
        return Ok(());
    };
    // This one reads the linear part only, so it tells whether the packet is what it is meant to be.
    let Some(mut control) = load_or_skip(Settings::default())? else {
        return Ok(());
    };
    let namespace = NetNs::new(&format!("obs-linear-{}", process::id()))?;
    namespace.ip("link add pod mtu 9000 type veth peer name host mtu 9000\nlink set pod up\nlink set host up")?;
    namespace.enter(|| -> Result<()> {
        programs.attach_egress("to_pod", "host")?;
        control.attach_egress("connection", "host")?;
        let ifindex = if_nametoindex("host")?;
        for (flow, isn) in [(Flow::v4(), 1), (Flow::v6(), 2)] {
            let syn = flow.to_server(Tcp {
                seq: isn,
                flags: flag::SYN,
                payload: 6000,
                ..Tcp::default()
            });
            send("host", 14, &syn)?;
            let found: Vec<_> = programs
                .handshakes()?
                .into_iter()
                .filter(|(_, pending)| pending.isn == isn)
                .collect();
            let [(key, pending)] = found[..] else {
                panic!("not one handshake: {found:?}")
            };
            assert_eq!((key.ifindex, pending.payload), (ifindex, 6000));
            let linear = control.handshakes()?;
            assert!(
                linear.iter().all(|(_, pending)| pending.isn != isn),
                "the headers were in the linear part"
            );
            // The control does see the same packet if the headers are there.
            send("host", 200, &syn)?;
            assert!(control.handshakes()?.iter().any(|(_, pending)| pending.isn == isn));
        }
        Ok(())
    })
}

/// Before the ingress hook the kernel moves the outer tag beside the packet (`skb->vlan_tci`); a second one stays in the bytes.
#[test]
fn tags_beside_the_packet() -> Result<()> {
    let Some(mut programs) = load_or_skip(Settings::default())? else {
        return Ok(());
    };
    // This one reads only frames without a tag in the bytes, so it tells where the tag was.
    let Some(mut control) = load_or_skip(Settings::default())? else {
        return Ok(());
    };
    let namespace = NetNs::new(&format!("obs-tags-{}", process::id()))?;
    namespace.ip("link add pod type veth peer name host\nlink set pod up\nlink set host up")?;
    namespace.enter(|| -> Result<()> {
        // The control comes first, so it has seen what the other one has.
        control.attach_ingress("connection", "host")?;
        programs.attach_ingress("from_pod", "host")?;
        let isns = |programs: &mut Programs| -> Result<BTreeSet<u32>> {
            Ok(programs.handshakes()?.iter().map(|(_, pending)| pending.isn).collect())
        };
        for (flow, one, two) in [(Flow::v4(), 1, 2), (Flow::v6(), 3, 4)] {
            for (isn, tags) in [(one, &[0x8100][..]), (two, &[0x88a8, 0x8100])] {
                let mut flow = flow;
                flow.client.set_port(isn.try_into()?);
                let syn = flow.syn(isn);
                send("pod", 14, &frame(tags, &syn[14..]))?;
                // The kernel may receive it a moment after it was sent.
                let start = Instant::now();
                while !isns(&mut programs)?.contains(&isn) {
                    assert!(start.elapsed() < DEADLINE, "{} tags", tags.len());
                    thread::yield_now();
                }
                assert_eq!(
                    isns(&mut control)?.contains(&isn),
                    tags.len() == 1,
                    "the tag was elsewhere"
                );
            }
        }
        Ok(())
    })
}
