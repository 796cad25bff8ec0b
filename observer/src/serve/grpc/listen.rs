//! Where gRPC is served: an address of this host, or a Unix socket.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use tokio::net::{TcpListener, UnixListener};

use crate::serve::listen;

/// Where to listen: `127.0.0.1:4245`, `[::1]:4245`, `unix:/run/observer.sock`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Listen {
    /// An address and a port.
    Tcp(SocketAddr),
    /// A socket's path.
    Unix(PathBuf),
}

/// No address to listen at.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("write it like 127.0.0.1:4245, [::1]:4245 or unix:/run/observer/observer.sock")]
pub struct BadListen;

/// Why it cannot be listened there.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Everybody on the network could read every pod's attempts.
    #[error(
        "{0} can be reached from other hosts, so it is served with mutual TLS only: give --tls-cert, --tls-key and --tls-client-ca, \
         or listen at 127.0.0.1 or at unix:PATH"
    )]
    Open(SocketAddr),
    /// Another process listens there.
    #[error("{0} is in use: choose another --listen")]
    InUse(Listen),
    /// The path is taken by something that is no socket.
    #[error("{} is there and is no socket: choose another --listen", .0.display())]
    NotASocket(PathBuf),
    /// Anything else.
    #[error("cannot listen at {at}: choose another --listen")]
    Other {
        /// Where.
        at: Listen,
        /// Why not.
        source: io::Error,
    },
}

/// Listening.
#[derive(Debug)]
pub enum Listener {
    /// At an address.
    Tcp(TcpListener),
    /// At a path. Its socket's file is removed when this is dropped.
    Unix(UnixListener, SocketFile),
}

/// A socket's file, removed when dropped.
#[derive(Debug)]
pub struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // If somebody else has removed it, all the better.
        let _ = std::fs::remove_file(&self.0);
    }
}

impl FromStr for Listen {
    type Err = BadListen;

    fn from_str(text: &str) -> Result<Self, BadListen> {
        match text.strip_prefix("unix:") {
            Some(path) => {
                // `unix:///run/x` is the form of gRPC's own names.
                let path = path.strip_prefix("//").unwrap_or(path);
                if path.starts_with('/') {
                    Ok(Self::Unix(path.into()))
                } else {
                    Err(BadListen)
                }
            }
            None => {
                let named = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
                let address = named.as_deref().unwrap_or(text);
                address.parse().map(Self::Tcp).map_err(|_| BadListen)
            }
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl Listen {
    /// Listens. What other hosts can reach needs TLS; a Unix socket is for this process' user and group alone.
    ///
    /// # Errors
    ///
    /// An address that cannot be had, or is open to other hosts without TLS: each says what to do.
    pub fn bind(&self, with_tls: bool) -> Result<Listener, ListenError> {
        let bound = match self {
            Self::Tcp(address) if !address.ip().is_loopback() && !with_tls => return Err(ListenError::Open(*address)),
            Self::Tcp(address) => listen(*address).map(Listener::Tcp),
            Self::Unix(path) => unix(path)?,
        };
        bound.map_err(|source| match source.kind() {
            ErrorKind::AddrInUse => ListenError::InUse(self.clone()),
            _ => ListenError::Other {
                at: self.clone(),
                source,
            },
        })
    }
}

/// A socket that a killed process left behind is removed; one that somebody listens at is not.
fn unix(path: &Path) -> Result<io::Result<Listener>, ListenError> {
    if let Ok(there) = std::fs::symlink_metadata(path) {
        if !there.file_type().is_socket() {
            return Err(ListenError::NotASocket(path.to_owned()));
        }
        let dead = UnixStream::connect(path).is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused);
        if dead {
            // What hinders this hinders listening too, which then says so.
            let _ = std::fs::remove_file(path);
        }
    }
    let listen = || {
        let listener = UnixListener::bind(path)?;
        let file = SocketFile(path.to_owned());
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o660))?;
        Ok(Listener::Unix(listener, file))
    };
    Ok(listen())
}

impl Listener {
    /// Where it is: with the port that was chosen for port 0.
    #[must_use]
    pub fn address(&self) -> String {
        match self {
            Self::Tcp(listener) => listener
                .local_addr()
                .map_or_else(|_| String::new(), |address| address.to_string()),
            Self::Unix(_, file) => Listen::Unix(file.0.clone()).to_string(),
        }
    }
}
