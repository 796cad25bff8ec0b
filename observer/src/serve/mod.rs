//! What an agent serves, beside the loop and on threads of its own.
//!
//! ```text
//! Output ─→ serve ─┬→ health  ─┐
//!                  ├→ metrics ─┴→ http: /metrics, /livez, /readyz
//!                  ├→ hub: the recent past, and who follows ─→ grpc: the Hubble observer API
//!                  ├→ events: Kubernetes Events, if asked for
//!                  └→ say: log lines
//! ```
//!
//! Nothing here holds the loop up: what is done with an output is bounded and waits for nobody.

pub mod grpc;
pub mod health;
pub mod http;
pub mod hub;
pub mod metrics;
mod said;
mod say;

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use self::grpc::Grpc;
use self::health::Health;
use self::http::Served;
use self::hub::Hub;
use self::metrics::Metrics;
use crate::agent::Output;
use crate::events::Events;

/// What an agent serves.
#[derive(Debug)]
pub struct Server {
    /// For metrics and health.
    pub http: TcpListener,
    /// For flows.
    pub grpc: Grpc,
    /// For clients of flows.
    pub hub: Hub,
    /// For Kubernetes Events, where they are written.
    pub events: Option<Events>,
}

/// Listens, in the runtime that this is called in. `[::]` is every address of both families; of IPv4 alone on a host without IPv6.
///
/// # Errors
///
/// Why it cannot.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let bound = match std::net::TcpListener::bind(address) {
        Err(error) if address.ip() == Ipv6Addr::UNSPECIFIED && error.kind() != io::ErrorKind::AddrInUse => {
            std::net::TcpListener::bind((Ipv4Addr::UNSPECIFIED, address.port()))
        }
        bound => bound,
    }?;
    bound.set_nonblocking(true)?;
    TcpListener::from_std(bound)
}

impl Server {
    /// Serves what the loop says until it ends, then ends what is served.
    pub async fn run(self, mut outputs: mpsc::Receiver<Output>) {
        let events = self.events;
        let written = events.as_ref().map(Events::counts);
        let metrics = Metrics::new(self.hub.clone(), written);
        let health = Arc::new(Mutex::new(Health::new(Instant::now())));
        let mut log = say::Log::default();
        let served = Served {
            metrics: metrics.clone(),
            health: health.clone(),
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let http = tokio::spawn(http::serve(self.http, served, async {
            // Either way it is over.
            let _ = stopped.await;
        }));
        let grpc = tokio::spawn({
            let health = health.clone();
            async move {
                if let Err(error) = self.grpc.run().await {
                    tracing::error!(error = &error as &dyn std::error::Error, "attempts are not served");
                    health.lock().unwrap_or_else(PoisonError::into_inner).not_serving();
                }
            }
        });
        while let Some(output) = outputs.recv().await {
            let now = Instant::now();
            health.lock().unwrap_or_else(PoisonError::into_inner).take(&output, now);
            metrics.take(&output);
            log.take(&output);
            if let Some(events) = &events {
                events.take(&output);
            }
            self.hub.publish(&output);
        }
        self.hub.stop();
        drop(stop);
        if let Some(events) = events {
            events.end().await;
        }
        if let Err(panic) = grpc.await {
            tracing::error!(%panic, "serving attempts failed");
        }
        if let Err(panic) = http.await {
            tracing::error!(%panic, "serving metrics and health failed");
        }
    }
}
