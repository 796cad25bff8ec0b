//! Accepts connections, and no more than there may be. A TLS handshake holds up nobody else's.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;

use super::{CONNECTIONS, Listener, Tls};

/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// So much is read of a client that is sent away, in bytes: more than a request.
const UNREAD: u64 = 64 * 1024;

/// How long to wait after a failure to accept: the process has too many files open, and only time mends that.
const PAUSE: Duration = Duration::from_millis(100);

trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A connection, and its place among those that there may be.
pub(super) struct Connection {
    io: Box<dyn Io>,
    _place: OwnedSemaphorePermit,
}

/// The connections, and the task that accepts them until it is aborted.
pub(super) fn accept(listener: Listener, tls: Option<Tls>) -> (ReceiverStream<io::Result<Connection>>, JoinHandle<()>) {
    let (accepted, connections) = mpsc::channel(CONNECTIONS);
    let task = tokio::spawn(accept_all(listener, tls, accepted));
    (ReceiverStream::new(connections), task)
}

async fn accept_all(listener: Listener, tls: Option<Tls>, accepted: mpsc::Sender<io::Result<Connection>>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut was_full = false;
    loop {
        let io = match listener.accept().await {
            Ok(io) => io,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let Ok(place) = places.clone().try_acquire_owned() else {
            if !std::mem::replace(&mut was_full, true) {
                tracing::warn!("there are {CONNECTIONS} connections: more are closed at once");
            }
            continue;
        };
        was_full = false;
        let tls = tls.as_ref().map(Tls::acceptor);
        let accepted = accepted.clone();
        tokio::spawn(async move {
            let io = match tls {
                None => io,
                Some(tls) => match tokio::time::timeout(HANDSHAKE, tls.accept(io).into_fallible()).await {
                    Ok(Ok(io)) => Box::new(io),
                    Ok(Err((error, io))) => {
                        tracing::info!(%error, "a client failed in the TLS handshake");
                        return part(io).await;
                    }
                    Err(_) => return tracing::info!("a client did not finish the TLS handshake"),
                },
            };
            // Nobody takes it when the server stops.
            let _ = accepted.send(Ok(Connection { io, _place: place })).await;
        });
    }
}

/// Ends a connection whose client was told why by TLS. It may have sent more meanwhile, which would make the kernel reset the
/// connection, and the reason would be lost with it: so that is read, up to a bound.
async fn part(mut io: Box<dyn Io>) {
    let parted = async {
        io.shutdown().await?;
        tokio::io::copy(&mut io.take(UNREAD), &mut tokio::io::sink()).await
    };
    // Whatever comes of it, it is over.
    let _ = tokio::time::timeout(HANDSHAKE, parted).await;
}

impl Listener {
    async fn accept(&self) -> io::Result<Box<dyn Io>> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok(Box::new(stream))
            }
            Self::Unix(listener, _) => Ok(Box::new(listener.accept().await?.0)),
        }
    }
}

impl Connected for Connection {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, into)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}
