//! Metrics and health by HTTP: `/metrics`, `/livez`, `/readyz`.
//!
//! Anybody in the cluster may reach this port, and none of them must keep the kubelet out, who would kill the agent: a connection is
//! for one request and ends in time whatever its client does, and nobody waits for a place. One address has a few places; those of
//! the node itself, where the kubelet asks from, nobody else can take.

mod places;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout};

use self::places::Places;
use super::health::Health;
use super::metrics::{CONTENT_TYPE, Metrics};

/// So long a connection lasts at most, from its first byte to its last.
const PATIENCE: Duration = Duration::from_secs(10);

/// So long a request that is being answered may hold up the end.
const GRACE: Duration = Duration::from_secs(1);

/// What is served.
#[derive(Clone, Debug)]
pub struct Served {
    /// The metrics.
    pub metrics: Metrics,
    /// The health. Its lock is held for a moment only.
    pub health: Arc<Mutex<Health>>,
}

/// The paths.
pub fn router(served: Served) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/metrics", get(metrics))
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .with_state(served)
}

/// Serves until `stop` is ready, then answers what was asked and ends.
pub async fn serve(listener: TcpListener, served: Served, stop: impl Future<Output = ()>) {
    let service = TowerToHyperService::new(router(served));
    let mut http = auto::Builder::new(hyper_util::rt::TokioExecutor::new()).http1_only();
    http.http1().keep_alive(false);
    let places = Places::default();
    let graceful = GracefulShutdown::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                let here = stream.local_addr().is_ok_and(|here| here.ip() == peer.ip());
                let Some(place) = places.take(peer.ip(), here) else {
                    continue;
                };
                let connection = http.serve_connection(TokioIo::new(stream), service.clone());
                let connection = graceful.watch(connection.into_owned());
                tokio::spawn(async move {
                    // What goes wrong here concerns one client, which sees it too.
                    let _ = timeout(PATIENCE, connection).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection for metrics and health");
                // Out of descriptors: trying at once again would only burn a core.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    let _ = timeout(GRACE, graceful.shutdown()).await;
}

async fn index() -> &'static str {
    "observer agent\n/metrics\n/livez\n/readyz\n"
}

async fn metrics(State(served): State<Served>) -> Response {
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], served.metrics.text()).into_response()
}

async fn livez(State(served): State<Served>) -> Response {
    let health = served.health.lock().unwrap_or_else(PoisonError::into_inner);
    told(health.dead(Instant::now()).into_iter().collect())
}

async fn readyz(State(served): State<Served>) -> Response {
    let health = served.health.lock().unwrap_or_else(PoisonError::into_inner);
    told(health.unready(Instant::now()))
}

/// `ok`, or what is wrong, a line each.
fn told(wrong: Vec<String>) -> Response {
    if wrong.is_empty() {
        "ok\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, wrong.join("\n") + "\n").into_response()
    }
}
