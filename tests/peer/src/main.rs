//! Listens and dials in the pods of the cluster test, and says what an application would notice. An image of its own, so that the
//! observer's has nothing in it for tests. It uses the standard library alone.
//!
//! ```text
//! observer-e2e-peer listen PORT          accepts and keeps
//! observer-e2e-peer fill PORT            accepts one connection, fills its accept queue, and only then closes that connection
//! observer-e2e-peer dial ADDRESS SECONDS prints what came of it and the local port: `connected 41234`
//! observer-e2e-peer wait ADDRESS SECONDS the same, and waits until the other side closes
//! ```
#![forbid(unsafe_code)]

use std::error::Error;
use std::io::{ErrorKind, Read as _};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// How long an own dial may take before the accept queue counts as full: over the loopback it takes microseconds.
const FULL: Duration = Duration::from_millis(500);

/// More than any system lets wait.
const MOST: usize = 65_536;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        ["listen", port] => listen(port),
        ["fill", port] => fill(port),
        ["dial", address, seconds] => dial(address, seconds, false),
        ["wait", address, seconds] => dial(address, seconds, true),
        _ => Err("usage: observer-e2e-peer listen|fill PORT, or dial|wait ADDRESS SECONDS".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("observer-e2e-peer: {error}");
            ExitCode::from(2)
        }
    }
}

/// Both families, or IPv4 where there is no IPv6.
fn bind(port: &str) -> Result<TcpListener> {
    let port = port.parse()?;
    let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, port));
    Ok(listener.or_else(|_| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)))?)
}

fn listen(port: &str) -> Result<()> {
    let listener = bind(port)?;
    let mut kept = Vec::new();
    for stream in listener.incoming() {
        kept.push(stream?);
    }
    Ok(())
}

fn fill(port: &str) -> Result<()> {
    let listener = bind(port)?;
    let own = SocketAddr::from((Ipv4Addr::LOCALHOST, listener.local_addr()?.port()));
    let (first, _) = listener.accept()?;
    let waiting: Vec<TcpStream> = (0..MOST)
        .map_while(|_| TcpStream::connect_timeout(&own, FULL).ok())
        .collect();
    println!("full with {}", waiting.len());
    drop(first);
    loop {
        std::thread::park();
    }
}

fn dial(address: &str, seconds: &str, until_closed: bool) -> Result<()> {
    let address: SocketAddr = address.parse()?;
    let patience = Duration::from_secs(seconds.parse()?);
    let outcome = match TcpStream::connect_timeout(&address, patience) {
        Ok(mut stream) => {
            let port = stream.local_addr()?.port();
            if until_closed {
                stream.set_read_timeout(Some(patience))?;
                stream.read_to_end(&mut Vec::new())?;
            }
            format!("connected {port}")
        }
        Err(error) => match error.kind() {
            ErrorKind::ConnectionRefused => "refused".to_owned(),
            ErrorKind::TimedOut => "timeout".to_owned(),
            ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => "unreachable".to_owned(),
            _ => return Err(error.into()),
        },
    };
    println!("{outcome}");
    Ok(())
}
