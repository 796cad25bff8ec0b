//! A channel to one agent: by TCP, a Unix socket, or the API server's port-forward to its pod.

use std::io;
use std::time::Duration;

use http::Uri;
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::client::UpgradeConnectionError;
use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio::time::timeout;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};
use tower::service_fn;

use super::address::Address;
use super::error::Refusal;
use crate::cluster::reason;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);

/// How often a connection is tried while nothing comes, and how long an answer may take: a node that died says nothing.
const PING: Duration = Duration::from_secs(10);

/// How an agent is reached.
#[derive(Clone, Debug)]
pub(super) enum Way {
    /// Directly.
    Server(Address),
    /// Through the API server.
    Pod(Box<Forward>),
}

/// How long the API server may take to say why a port-forward broke.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A channel, and what the way says when it breaks.
pub(super) struct Dialled {
    pub(super) channel: Channel,
    trouble: Trouble,
}

/// What the API server said of the port: `None` while it may still say something, then `Some(None)` if it said nothing.
type Trouble = watch::Receiver<Option<Option<String>>>;

impl Dialled {
    /// What the way says of its end, if it says something.
    pub(super) async fn last_words(&mut self) -> Option<String> {
        last_words(&mut self.trouble).await
    }
}

async fn last_words(trouble: &mut Trouble) -> Option<String> {
    let said = timeout(LAST_WORDS, trouble.wait_for(Option::is_some)).await;
    said.ok()?.ok()?.clone().flatten()
}

/// Dials.
///
/// # Errors
///
/// Why the agent cannot be reached.
pub(super) async fn dial(way: &Way, tls: Option<&ClientTlsConfig>) -> Result<Dialled, Refusal> {
    let is_direct = matches!(way, Way::Server(_));
    let (says, mut trouble) = watch::channel(is_direct.then_some(None));
    let channel = match way {
        Way::Server(Address::Tcp { host, port, .. }) => endpoint(&format!("{host}:{port}"), tls)?.connect().await,
        Way::Server(Address::Unix(path)) => {
            let path = path.clone();
            let connect = service_fn(move |_: Uri| {
                let path = path.clone();
                async move { UnixStream::connect(path).await.map(TokioIo::new) }
            });
            endpoint("localhost", tls)?.connect_with_connector(connect).await
        }
        Way::Pod(forward) => {
            let (forward, says) = (forward.clone(), says.clone());
            let connect = service_fn(move |_: Uri| forward.clone().open(says.clone()));
            endpoint("localhost", tls)?.connect_with_connector(connect).await
        }
    };
    match channel {
        Ok(channel) => Ok(Dialled { channel, trouble }),
        Err(error) => {
            drop(says);
            let said = last_words(&mut trouble).await;
            Err(Refusal::of_connection(&error).with_last_words(said))
        }
    }
}

fn endpoint(authority: &str, tls: Option<&ClientTlsConfig>) -> Result<Endpoint, Refusal> {
    let scheme = if tls.is_some() { "https" } else { "http" };
    let endpoint = Endpoint::from_shared(format!("{scheme}://{authority}"))
        .map_err(|error| Refusal::Unreachable(error.to_string()))?
        .connect_timeout(CONNECT)
        .http2_keep_alive_interval(PING)
        .keep_alive_timeout(PING)
        .keep_alive_while_idle(true);
    match tls {
        Some(tls) => endpoint
            .tls_config(tls.clone())
            .map_err(|error| Refusal::Tls(words(&error))),
        None => Ok(endpoint),
    }
}

/// An error and what is behind it.
fn words(error: &dyn std::error::Error) -> String {
    error
        .source()
        .map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}

/// A port-forward to be opened.
#[derive(Clone, Debug)]
pub(super) struct Forward {
    /// The pods of its namespace.
    pub(super) pods: Api<Pod>,
    /// That namespace.
    pub(super) namespace: String,
    /// The pod's name.
    pub(super) name: String,
    /// The port within it.
    pub(super) port: u16,
}

impl Forward {
    async fn open(
        self: Box<Self>,
        says: watch::Sender<Option<Option<String>>>,
    ) -> io::Result<TokioIo<tokio::io::DuplexStream>> {
        let ports = [self.port];
        let mut forward = self
            .pods
            .portforward(&self.name, &ports)
            .await
            .map_err(|error| io::Error::other(self.refusal(error)))?;
        let (Some(stream), Some(error)) = (forward.take_stream(self.port), forward.take_error(self.port)) else {
            return Err(io::Error::other("the port-forward gives no stream"));
        };
        tokio::spawn(async move {
            let said = error.await.map(|said| said.trim().to_owned());
            says.send_replace(Some(said));
            // Ends when either side closes the stream; what broke it is told by the error, or by the stream itself.
            let _ = forward.join().await;
        });
        Ok(TokioIo::new(stream))
    }

    fn refusal(&self, error: kube::Error) -> Refusal {
        match error {
            kube::Error::UpgradeConnection(UpgradeConnectionError::ProtocolSwitch(status)) => match status.as_u16() {
                403 => Refusal::Forbidden(self.namespace.clone()),
                404 => Refusal::Unreachable(format!("pod {} is gone", self.name)),
                code => Refusal::Unreachable(format!("the API server answers the port-forward with {code}")),
            },
            kube::Error::Api(status) if status.code == 403 => Refusal::Forbidden(self.namespace.clone()),
            error => Refusal::Unreachable(reason(&error)),
        }
    }
}
