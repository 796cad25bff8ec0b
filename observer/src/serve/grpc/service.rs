//! The calls of `observer.Observer`.

use std::pin::Pin;
use std::sync::Arc;

use futures_util::stream::{self, Stream};
use observer_api::observer::observer_server::Observer;
use observer_api::observer::{
    GetAgentEventsRequest, GetAgentEventsResponse, GetDebugEventsRequest, GetDebugEventsResponse, GetFlowsRequest,
    GetFlowsResponse, GetNamespacesRequest, GetNamespacesResponse, GetNodesRequest, GetNodesResponse, Namespace, Node,
    ServerStatusRequest, ServerStatusResponse, Tls,
};
use observer_api::relay::NodeState;
use tokio::sync::Semaphore;
use tonic::{Request, Response, Status};

use super::asked::Asked;
use super::{Listener, STREAMS, stream as flows};
use crate::serve::hub::Hub;

/// Requests that look through the past at once: each may take a moment of a thread, and metrics and health share the threads.
const LOOKING: usize = 2;

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// What answers.
pub(super) struct Service {
    hub: Hub,
    /// Where it is reached.
    address: String,
    tls: bool,
    streams: Arc<Semaphore>,
    looking: Semaphore,
}

impl Service {
    pub(super) fn new(hub: Hub, listener: &Listener, tls: bool) -> Self {
        Self {
            hub,
            address: listener.address(),
            tls,
            streams: Arc::new(Semaphore::new(STREAMS)),
            looking: Semaphore::new(LOOKING),
        }
    }
}

fn version() -> String {
    format!("observer v{}", env!("CARGO_PKG_VERSION"))
}

#[tonic::async_trait]
impl Observer for Service {
    type GetFlowsStream = Answers<GetFlowsResponse>;
    type GetAgentEventsStream = stream::Empty<Result<GetAgentEventsResponse, Status>>;
    type GetDebugEventsStream = stream::Empty<Result<GetDebugEventsResponse, Status>>;

    async fn get_flows(&self, request: Request<GetFlowsRequest>) -> Result<Response<Self::GetFlowsStream>, Status> {
        let asked = Asked::read(request.into_inner())?;
        let place = self.streams.clone().try_acquire_owned().map_err(|_| {
            Status::resource_exhausted(format!(
                "{STREAMS} streams are open, which is all there may be: close one"
            ))
        })?;
        // Never closed.
        let _turn = self
            .looking
            .acquire()
            .await
            .map_err(|_| Status::unavailable("the agent stops"))?;
        let hub = self.hub.clone();
        let told = tokio::task::spawn_blocking(move || flows::tell(&hub, asked, place));
        let told = told
            .await
            .map_err(|_| Status::internal("looking through the past failed"))?;
        Ok(Response::new(Box::pin(told)))
    }

    async fn get_agent_events(
        &self,
        _: Request<GetAgentEventsRequest>,
    ) -> Result<Response<Self::GetAgentEventsStream>, Status> {
        Err(Status::unimplemented(
            "there are no events of Cilium's agent here: ask for flows",
        ))
    }

    async fn get_debug_events(
        &self,
        _: Request<GetDebugEventsRequest>,
    ) -> Result<Response<Self::GetDebugEventsStream>, Status> {
        Err(Status::unimplemented(
            "there are no debug events of Cilium here: ask for flows",
        ))
    }

    async fn get_nodes(&self, _: Request<GetNodesRequest>) -> Result<Response<GetNodesResponse>, Status> {
        let fill = self.hub.fill();
        let node = Node {
            name: self.hub.node().to_string(),
            version: version(),
            address: self.address.clone(),
            state: NodeState::NodeConnected as i32,
            tls: Some(Tls {
                enabled: self.tls,
                server_name: String::new(),
            }),
            uptime_ns: nanoseconds(fill.uptime),
            num_flows: fill.held as u64,
            max_flows: fill.limits.attempts as u64,
            seen_flows: fill.counters.seen,
        };
        Ok(Response::new(GetNodesResponse { nodes: vec![node] }))
    }

    async fn get_namespaces(
        &self,
        _: Request<GetNamespacesRequest>,
    ) -> Result<Response<GetNamespacesResponse>, Status> {
        let namespaces = self.hub.namespaces().into_iter().map(|name| Namespace {
            cluster: String::new(),
            namespace: name.to_string(),
        });
        Ok(Response::new(GetNamespacesResponse {
            namespaces: namespaces.collect(),
        }))
    }

    async fn server_status(&self, _: Request<ServerStatusRequest>) -> Result<Response<ServerStatusResponse>, Status> {
        let fill = self.hub.fill();
        Ok(Response::new(ServerStatusResponse {
            num_flows: fill.held as u64,
            max_flows: fill.limits.attempts as u64,
            seen_flows: fill.counters.seen,
            uptime_ns: nanoseconds(fill.uptime),
            num_connected_nodes: Some(1),
            num_unavailable_nodes: Some(0),
            unavailable_nodes: Vec::new(),
            version: version(),
            flows_rate: fill.rate,
        }))
    }
}

fn nanoseconds(span: std::time::Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}
