//! Where one agent listens, as `--server` names it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// The port of an address without one.
const PORT: u16 = 4245;

/// Where an agent listens.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Address {
    /// `host:port`, `tls://host:port`.
    Tcp {
        /// Name or address, an IPv6 address in brackets.
        host: String,
        /// The port.
        port: u16,
        /// The agent is spoken to by TLS.
        tls: bool,
    },
    /// `unix:/path`.
    Unix(PathBuf),
}

/// What is no address.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "`{0}` is no address of an agent: write it like localhost:4245, tls://node-a:4245, [fd00::1]:4245 or unix:/run/observer.sock"
)]
pub struct BadAddress(String);

impl FromStr for Address {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        let bad = || BadAddress(text.into());
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return if path.starts_with('/') {
                Ok(Self::Unix(path.into()))
            } else {
                Err(bad())
            };
        }
        let (tls, place) = match text.split_once("://") {
            Some(("tls", place)) => (true, place),
            Some(("tcp", place)) => (false, place),
            Some(_) => return Err(bad()),
            None => (false, text),
        };
        let (host, port) = match place.rsplit_once(':') {
            // The colons of an IPv6 address stand within brackets.
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().map_err(|_| bad())?),
            _ => (place, PORT),
        };
        let in_brackets = host.starts_with('[') && host.ends_with(']');
        let well =
            !host.is_empty() && port > 0 && (in_brackets || !host.contains([':', '[', ']'])) && !host.contains('/');
        let host = host.to_owned();
        if well {
            Ok(Self::Tcp { host, port, tls })
        } else {
            Err(bad())
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port, tls } => write!(f, "{}{host}:{port}", if *tls { "tls://" } else { "" }),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_hubble_writes_them() {
        let cases = [
            ("localhost:4245", "localhost:4245"),
            ("node-a", "node-a:4245"),
            ("10.0.0.1:80", "10.0.0.1:80"),
            ("[fd00::1]:80", "[fd00::1]:80"),
            ("[fd00::1]", "[fd00::1]:4245"),
            ("tcp://node-a:1", "node-a:1"),
            ("tls://node-a", "tls://node-a:4245"),
            ("unix:/run/a.sock", "unix:/run/a.sock"),
            ("unix:///run/a.sock", "unix:/run/a.sock"),
        ];
        for (text, expect) in cases {
            assert_eq!(
                text.parse::<Address>().map(|address| address.to_string()).as_deref(),
                Ok(expect),
                "{text}"
            );
        }
        for text in [
            "", ":4245", "a:b", "a:0", "a:70000", "fd00::1", "http://a", "unix:a", "unix:", "a/b:1", "[::1:80",
        ] {
            let error = text.parse::<Address>().expect_err(text);
            assert!(error.to_string().contains("localhost:4245"), "{error}");
        }
    }
}
