//! The whole server on real sockets, asked by a generated client.

mod bounds;
mod flows;
mod tls;

use std::collections::BTreeSet;
use std::future::Future;
use std::time::Duration;

use observer_api::flow::{Flow, LostEvent};
use observer_api::observer::get_flows_response::ResponseTypes;
use observer_api::observer::observer_client::ObserverClient;
use observer_api::observer::{GetFlowsRequest, GetFlowsResponse};
use tokio::task::JoinHandle;
use tonic::transport::Channel;
use tonic::{Status, Streaming};

use super::{Grpc, Listen, ServeError, Tls};
use crate::agent::Output;
use crate::diagnosis::diagnose;
use crate::diagnosis::tests::build::Build;
use crate::engine::Diagnosed;
use crate::flows::Limits;
use crate::objects::Str;
use crate::serve::hub::{Hub, now};

/// No answer takes this long, however busy the machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server of one node.
struct Served {
    hub: Hub,
    address: String,
    serving: JoinHandle<Result<(), ServeError>>,
}

impl Served {
    fn start() -> Self {
        Self::at("127.0.0.1:0", None, None)
    }

    fn at(listen: &str, tls: Option<Tls>, shown: Option<&[&str]>) -> Self {
        let limits = Limits::of(100, Duration::from_secs(900));
        let shown = shown.map(|names| names.iter().map(|name| Str::from(*name)).collect::<BTreeSet<_>>());
        let hub = Hub::new("node-a".into(), limits, shown);
        let listen: Listen = listen.parse().expect("an address");
        let listener = listen.bind(tls.is_some()).expect("it is free");
        let address = listener.address();
        let serving = tokio::spawn(Grpc::new(hub.clone(), listener, tls).run());
        Self { hub, address, serving }
    }

    async fn client(&self) -> ObserverClient<Channel> {
        let channel = Channel::from_shared(format!("http://{}", self.address)).expect("an address");
        ObserverClient::new(soon(channel.connect()).await.expect("it listens"))
    }

    /// Tells an attempt that happens now, final if the build says no other.
    fn publish(&self, build: Build) -> String {
        let Build(mut assessment) = build;
        let attempt = &mut assessment.attempt;
        attempt.first = now();
        attempt.id.first = attempt.first.0;
        attempt.decided = attempt.first;
        let id = attempt.id.to_string();
        let diagnosis = diagnose(&assessment);
        self.hub
            .publish(&Output::Attempt(Box::new(Diagnosed { assessment, diagnosis })));
        id
    }

    async fn stop(self) {
        self.hub.stop();
        soon(self.serving).await.expect("no panic").expect("it ends well");
    }
}

async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("it takes no minute")
}

/// A stream without the message about its node that comes first.
struct Answers(Streaming<GetFlowsResponse>);

impl Answers {
    async fn ask(client: &mut ObserverClient<Channel>, request: GetFlowsRequest) -> Result<Self, Status> {
        let mut answers = Self(soon(client.get_flows(request)).await?.into_inner());
        let first = answers.next().await?;
        assert!(matches!(first, Some(ResponseTypes::NodeStatus(_))), "{first:?}");
        Ok(answers)
    }

    async fn next(&mut self) -> Result<Option<ResponseTypes>, Status> {
        let next = soon(self.0.message()).await?;
        Ok(next.map(|response| {
            assert_eq!(response.node_name, "node-a");
            assert!(response.time.is_some());
            response.response_types.expect("something")
        }))
    }

    async fn flow(&mut self) -> Flow {
        match self.next().await {
            Ok(Some(ResponseTypes::Flow(flow))) => *flow,
            other => panic!("no flow: {other:?}"),
        }
    }

    async fn lost(&mut self) -> LostEvent {
        match self.next().await {
            Ok(Some(ResponseTypes::LostEvents(lost))) => lost,
            other => panic!("nothing lost: {other:?}"),
        }
    }

    /// Everything until the end.
    async fn all(mut self) -> Vec<Flow> {
        let mut flows = Vec::new();
        while let Some(next) = self.next().await.expect("it ends well") {
            match next {
                ResponseTypes::Flow(flow) => flows.push(*flow),
                other => panic!("no flow: {other:?}"),
            }
        }
        flows
    }
}

/// What happens from now on.
fn following() -> GetFlowsRequest {
    GetFlowsRequest {
        follow: true,
        ..GetFlowsRequest::default()
    }
}
