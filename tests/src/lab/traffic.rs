//! Applications: listeners and dials, with what the application reads.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, Backlog, MsgFlags, Shutdown, SockFlag, SockType, SockaddrIn6, SockaddrStorage, bind, connect,
    getsockname, getsockopt, listen, sendto, setsockopt, shutdown, socket, sockopt,
};

use super::netns::NetNs;

/// An application that listens on a port of both families.
#[derive(Debug)]
pub struct Listener {
    socket: Arc<TcpListener>,
    accepting: Option<JoinHandle<()>>,
    /// Connections that fill the queue of a listener that never accepts.
    queued: Vec<TcpStream>,
}

impl Listener {
    /// An application that accepts every connection and closes it.
    pub fn accepting(namespace: &NetNs, port: u16) -> Result<Self> {
        let socket = Arc::new(open_listener(namespace, port, Backlog::MAXCONN)?);
        let incoming = Arc::clone(&socket);
        // Ends when the socket is shut down, which makes accept fail with EINVAL.
        let accepting = std::thread::spawn(move || while incoming.accept().is_ok() {});
        Ok(Self {
            socket,
            accepting: Some(accepting),
            queued: Vec::new(),
        })
    }

    /// An application that keeps every connection open and says nothing: connections wait in its accept queue.
    pub fn holding(namespace: &NetNs, port: u16) -> Result<Self> {
        let socket = Arc::new(open_listener(namespace, port, Backlog::MAXCONN)?);
        Ok(Self {
            socket,
            accepting: None,
            queued: Vec::new(),
        })
    }

    /// An application that hangs: it listens, its accept queue is full, and it accepts nothing.
    ///
    /// The queue is filled over the pod's own loopback, which no observation point sees.
    pub fn full(namespace: &NetNs, port: u16) -> Result<Self> {
        let mut listener = Self::full_after_one(namespace, port)?;
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let first = dial(namespace, loopback, Duration::from_secs(5));
        listener.queued.push(
            first
                .result
                .map_err(|errno| anyhow::anyhow!("filling the accept queue: {errno}"))?,
        );
        let mut waiting = [PollFd::new(listener.socket.as_fd(), PollFlags::POLLIN)];
        ensure!(
            poll(&mut waiting, PollTimeout::from(5000_u16))? == 1,
            "the accept queue did not fill"
        );
        Ok(listener)
    }

    /// An application that hangs, whose accept queue has room for one connection.
    pub fn full_after_one(namespace: &NetNs, port: u16) -> Result<Self> {
        // A backlog of 0 holds one connection (include/net/sock.h, sk_acceptq_is_full).
        let socket = Arc::new(open_listener(namespace, port, Backlog::new(0)?)?);
        Ok(Self {
            socket,
            accepting: None,
            queued: Vec::new(),
        })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = shutdown(self.socket.as_raw_fd(), Shutdown::Both);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

fn open_listener(namespace: &NetNs, port: u16, backlog: Backlog) -> Result<TcpListener> {
    namespace
        .enter(|| {
            let socket = socket(AddressFamily::Inet6, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
            setsockopt(&socket, sockopt::ReuseAddr, &true)?;
            setsockopt(&socket, sockopt::Ipv6V6Only, &false)?;
            let any = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
            bind(socket.as_raw_fd(), &SockaddrStorage::from(any))?;
            listen(&socket, backlog)?;
            Ok::<_, Errno>(TcpListener::from(socket))
        })
        .with_context(|| format!("listening on port {port} in {}", namespace.name()))
}

/// Variations of how an application opens a connection.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum TcpFlavour {
    /// `connect`.
    #[default]
    Plain,
    /// Data in the SYN, with a cookie from an earlier connection (RFC 7413).
    FastOpen,
}

/// One dial and how it ended for the application.
#[derive(Debug)]
pub struct Dial {
    /// The client's own address and port.
    pub local: SocketAddr,
    /// What was dialled.
    pub peer: SocketAddr,
    /// The connection, or the error that the application reads. Patience that ran out is `ETIMEDOUT`.
    pub result: Result<TcpStream, Errno>,
    /// How long the application waited.
    pub elapsed: Duration,
}

impl Dial {
    /// `None` when connected, else the error that the application reads.
    pub fn errno(&self) -> Option<Errno> {
        self.result.as_ref().err().copied()
    }
}

/// Dials `peer` from inside a namespace; gives up, by closing the socket, when `patience` is over.
pub fn dial(namespace: &NetNs, peer: SocketAddr, patience: Duration) -> Dial {
    dial_from(namespace, 0, peer, patience, TcpFlavour::Plain)
}

/// As [`dial`], from a source port of choice (0: any).
///
/// # Panics
/// Where no socket can be had, or the port is taken: mistakes in the test.
pub fn dial_from(namespace: &NetNs, port: u16, peer: SocketAddr, patience: Duration, flavour: TcpFlavour) -> Dial {
    namespace.enter(|| {
        let started = Instant::now();
        let (socket, opening) =
            open(port, peer, flavour).unwrap_or_else(|errno| panic!("no socket from port {port}: {errno}"));
        let local = local_address(&socket);
        let result = match opening {
            // Data in the SYN counts as sent before anybody has answered.
            Ok(()) if flavour == TcpFlavour::FastOpen => wait(&socket, patience),
            Ok(()) => Ok(()),
            Err(Errno::EINPROGRESS) => wait(&socket, patience),
            Err(errno) => Err(errno),
        };
        let result = result.map(|()| TcpStream::from(socket));
        Dial {
            local,
            peer,
            result,
            elapsed: started.elapsed(),
        }
    })
}

/// A socket that has begun to connect, and what beginning it returned.
fn open(port: u16, peer: SocketAddr, flavour: TcpFlavour) -> Result<(OwnedFd, Result<(), Errno>), Errno> {
    let (family, any) = match peer {
        SocketAddr::V4(_) => (AddressFamily::Inet, SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))),
        SocketAddr::V6(_) => (AddressFamily::Inet6, SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))),
    };
    let socket = socket(
        family,
        SockType::Stream,
        SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
        None,
    )?;
    if port != 0 {
        setsockopt(&socket, sockopt::ReuseAddr, &true)?;
        if family == AddressFamily::Inet6 {
            // Or it would take the port in IPv4 as well.
            setsockopt(&socket, sockopt::Ipv6V6Only, &true)?;
        }
        bind(socket.as_raw_fd(), &SockaddrStorage::from(any))?;
    }
    let peer = SockaddrStorage::from(peer);
    let opening = match flavour {
        TcpFlavour::Plain => connect(socket.as_raw_fd(), &peer),
        // MSG_FASTOPEN, which nix does not name (linux/socket.h).
        TcpFlavour::FastOpen => sendto(
            socket.as_raw_fd(),
            b"hello",
            &peer,
            MsgFlags::from_bits_retain(0x2000_0000),
        )
        .map(drop),
    };
    Ok((socket, opening))
}

fn wait(socket: &OwnedFd, patience: Duration) -> Result<(), Errno> {
    let timeout = PollTimeout::try_from(patience).unwrap_or(PollTimeout::MAX);
    if poll(&mut [PollFd::new(socket.as_fd(), PollFlags::POLLOUT)], timeout)? == 0 {
        return Err(Errno::ETIMEDOUT);
    }
    match getsockopt(socket, sockopt::SocketError)? {
        0 => Ok(()),
        code => Err(Errno::from_raw(code)),
    }
}

/// The address that the socket has; the unspecified one where connecting failed before it was chosen.
fn local_address(socket: &OwnedFd) -> SocketAddr {
    let address: io::Result<SockaddrStorage> = getsockname(socket.as_raw_fd()).map_err(io::Error::from);
    let unspecified = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    address.map_or(unspecified, |address| {
        match (address.as_sockaddr_in(), address.as_sockaddr_in6()) {
            (Some(v4), _) => SocketAddr::from((v4.ip(), v4.port())),
            (_, Some(v6)) => socket_address6(v6),
            _ => unspecified,
        }
    })
}

fn socket_address6(address: &SockaddrIn6) -> SocketAddr {
    SocketAddr::from((address.ip(), address.port()))
}

/// Closes a connection by a RST instead of a FIN, and forgets it at once.
pub fn abort(stream: TcpStream) -> Result<()> {
    let linger = nix::libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    setsockopt(&stream, sockopt::Linger, &linger).context("setting SO_LINGER")
}
