//! The Hubble observer API, so that `hubble`, Hubble UI and `observer tail` read attempts from an agent.
//!
//! ```text
//! socket ─→ connections (limit; TLS handshake) ─→ HTTP/2 ─┬─ service: Observer ─→ asked: what exactly ─→ stream ─→ Hub
//!                                                         └─ health, reflection
//! ```
//!
//! What a client can cost is bounded: [`CONNECTIONS`], [`STREAMS`], [`REQUEST`], and what the filters may hold. A client that reads
//! too slowly loses events and is told; nobody waits for it.

mod asked;
mod connections;
mod listen;
mod service;
mod stream;
mod tls;

#[cfg(test)]
mod tests;

use std::time::Duration;

use observer_api::observer::observer_server::ObserverServer;
use tokio::sync::watch;
use tonic::transport::Server;
use tonic_health::ServingStatus;

use super::hub::Hub;
pub use listen::{BadListen, Listen, Listener};
use service::Service;
pub use tls::{BadTls, Files, Tls};

/// Connections at once; one more is closed at once.
pub const CONNECTIONS: usize = 128;

/// Streams of flows at once, of all connections together; one more is refused.
pub const STREAMS: usize = 256;

/// Calls at once on one connection; more wait.
const CALLS: u32 = 64;

/// The longest request, in bytes.
pub const REQUEST: usize = 256 * 1024;

/// The longest headers of a call, in bytes.
const HEADERS: u32 = 16 * 1024;

/// How often a silent client is asked whether it is there, and how long it may take to answer.
const KEEPALIVE: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(20));

/// How long streams may take to end.
const GRACE: Duration = Duration::from_secs(3);

/// The names by which clients ask for the service's health: nothing in particular, ours, and what `hubble status` asks for.
const HEALTHY: [&str; 3] = ["", "observer.Observer", "hubble.server.Observer"];

/// What is served, and where.
#[derive(Debug)]
pub struct Grpc {
    hub: Hub,
    listener: Listener,
    tls: Option<Tls>,
}

/// Serving failed.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The reflection service could not read the descriptors that this program holds.
    #[error("the API's description cannot be read")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// HTTP/2 could not be served.
    #[error("cannot serve gRPC")]
    Transport(#[from] tonic::transport::Error),
}

impl Grpc {
    /// Serves `hub` at `listener`.
    #[must_use]
    pub fn new(hub: Hub, listener: Listener, tls: Option<Tls>) -> Self {
        Self { hub, listener, tls }
    }

    /// Serves until the hub is stopped, then ends every stream. Where it listens it no longer does when this returns.
    ///
    /// # Errors
    ///
    /// [`ServeError`]: nothing of it is the clients' doing.
    pub async fn run(self) -> Result<(), ServeError> {
        let (health, health_service) = tonic_health::server::health_reporter();
        for name in HEALTHY {
            health.set_service_status(name, ServingStatus::Serving).await;
        }
        let reflection = || {
            let describe = tonic_reflection::server::Builder::configure;
            describe()
                .register_encoded_file_descriptor_set(observer_api::DESCRIPTORS)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        };
        let service = Service::new(self.hub.clone(), &self.listener, self.tls.is_some());
        let (sockets, accepting) = connections::accept(self.listener, self.tls);
        let (over, mut is_over) = watch::channel(false);
        let serving = Server::builder()
            .max_concurrent_streams(CALLS)
            .http2_max_header_list_size(HEADERS)
            .http2_keepalive_interval(Some(KEEPALIVE.0))
            .http2_keepalive_timeout(Some(KEEPALIVE.1))
            .add_service(ObserverServer::new(service).max_decoding_message_size(REQUEST))
            .add_service(health_service)
            .add_service(reflection().build_v1()?)
            .add_service(reflection().build_v1alpha()?)
            .serve_with_incoming_shutdown(sockets, async move {
                // Without a sender it is over too.
                let _ = is_over.wait_for(|over| *over).await;
            });
        tokio::pin!(serving);
        let ended = tokio::select! {
            ended = &mut serving => ended,
            () = self.hub.stopped() => {
                for name in HEALTHY {
                    health.set_service_status(name, ServingStatus::NotServing).await;
                }
                over.send_replace(true);
                // A client that does not read its stream's end is not waited for.
                tokio::time::timeout(GRACE, serving).await.unwrap_or(Ok(()))
            }
        };
        accepting.abort();
        Ok(ended?)
    }
}
