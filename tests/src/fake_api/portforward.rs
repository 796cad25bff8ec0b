//! `pods/portforward` by WebSocket, as the API server passes it on from the kubelet.
//!
//! ```text
//! client ─ binary frames: channel 0 data, channel 1 error, each begun by the port ─ here ─ a socket ─→ what the test put there
//! ```

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{FromRequestParts as _, Request};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, split};
use tokio::net::{TcpStream, UnixStream};

/// Where a port-forward leads.
#[derive(Clone, Debug)]
pub enum Target {
    /// Where this runs.
    Tcp(SocketAddr),
    /// Into whatever network namespace it was made in.
    Unix(PathBuf),
}

trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

impl Target {
    async fn connect(self) -> io::Result<Box<dyn Io>> {
        Ok(match self {
            Self::Tcp(address) => Box::new(TcpStream::connect(address).await?),
            Self::Unix(path) => Box::new(UnixStream::connect(path).await?),
        })
    }
}

/// The subprotocol that carries channels as the first byte of each frame.
const PROTOCOL: &str = "v4.channel.k8s.io";

const DATA: u8 = 0;
const ERROR: u8 = 1;

/// What it is called among the resources.
pub(super) const PLURAL: &str = "pods/portforward";

/// The pod that a path asks to be forwarded to, as `namespace/name`.
pub(super) fn pod(rest: &[&str]) -> Option<String> {
    match rest {
        ["namespaces", namespace, "pods", name, "portforward"] => Some(format!("{namespace}/{name}")),
        _ => None,
    }
}

/// Answers the upgrade, and passes bytes between the client and `target`.
pub(super) async fn answer(request: Request, target: Target) -> Response {
    let query = request.uri().query().unwrap_or_default();
    let port = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("ports=")?.parse().ok());
    let (mut parts, _) = request.into_parts();
    let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &()).await;
    match (upgrade, port) {
        (Ok(upgrade), Some(port)) => upgrade.protocols([PROTOCOL]).on_upgrade(move |socket| async move {
            // Either side may go at any time: then the other one's connection ends with this.
            let _ = pass(socket, target, port).await;
        }),
        (Err(refused), _) => refused.into_response(),
        (Ok(_), None) => StatusCode::BAD_REQUEST.into_response(),
    }
}

type Passed = Result<(), Box<dyn std::error::Error + Send + Sync>>;

async fn pass(mut socket: WebSocket, target: Target, port: u16) -> Passed {
    for channel in [DATA, ERROR] {
        let [low, high] = port.to_le_bytes();
        socket.send(Message::Binary(vec![channel, low, high].into())).await?;
    }
    match target.connect().await {
        Ok(stream) => {
            let (read, write) = split(stream);
            let (to_client, from_client) = socket.split();
            tokio::select! {
                passed = out(read, to_client) => passed,
                passed = into(from_client, write) => passed,
            }
        }
        Err(error) => {
            let text = format!("failed to connect to localhost:{port} inside namespace: {error}");
            let frame = [&[ERROR], text.as_bytes()].concat();
            socket.send(Message::Binary(frame.into())).await?;
            socket.send(Message::Close(None)).await?;
            // To close with something unread would reset the connection, and take back what was said.
            while let Some(Ok(_)) = socket.next().await {}
            Ok(())
        }
    }
}

async fn out(mut read: impl AsyncRead + Unpin, mut to_client: SplitSink<WebSocket, Message>) -> Passed {
    let mut buffer = vec![DATA; 32 << 10];
    loop {
        let count = read.read(&mut buffer[1..]).await?;
        if count == 0 {
            return Ok(to_client.send(Message::Close(None)).await?);
        }
        to_client
            .send(Message::Binary(buffer[..=count].to_vec().into()))
            .await?;
    }
}

async fn into(mut from_client: SplitStream<WebSocket>, mut write: impl AsyncWrite + Unpin) -> Passed {
    while let Some(message) = from_client.next().await {
        if let Message::Binary(frame) = message?
            && let Some((&DATA, bytes)) = frame.split_first()
        {
            write.write_all(bytes).await?;
        }
    }
    Ok(())
}
