//! GetFlows and the other calls, as clients use them.

use observer_api::attempt::v1::{Aside, Attempt, Clause, Filter, Stage, aside::Said};
use observer_api::flow::{FlowFilter, LostEventSource, Verdict};
use observer_api::observer::get_flows_response::ResponseTypes;
use observer_api::observer::{
    GetAgentEventsRequest, GetDebugEventsRequest, GetFlowsRequest, GetNamespacesRequest, GetNodesRequest,
    ServerStatusRequest,
};
use observer_api::relay::NodeState;
use prost::Message;
use prost_types::{Any, FieldMask, Timestamp};
use tonic::Code;
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use super::{Answers, Served, following, soon};
use crate::agent::Output;
use crate::attempt::Outcome;
use crate::diagnosis::tests::build::Build;
use crate::policy::Direction;
use crate::report::Record;

/// The types that a client of ours knows.
pub(super) fn ours(filter: &Filter) -> Option<Any> {
    Some(Any {
        type_url: "type.googleapis.com/attempt.v1.Filter".into(),
        value: filter.encode_to_vec(),
    })
}

#[tokio::test]
async fn the_past_by_number_and_time_then_what_comes() {
    let served = Served::start();
    let mut client = served.client().await;
    let ids: Vec<String> = (0..4).map(|_| served.publish(Build::new().connected())).collect();
    let request = |number, first| GetFlowsRequest {
        number,
        first,
        ..GetFlowsRequest::default()
    };
    for (number, first, expect) in [
        (0, false, &ids[..]),
        (2, false, &ids[2..]),
        (2, true, &ids[..2]),
        (u64::MAX, false, &ids),
    ] {
        let flows = Answers::ask(&mut client, request(number, first))
            .await
            .expect("answers")
            .all()
            .await;
        let told: Vec<&str> = flows.iter().map(|flow| flow.uuid.as_str()).collect();
        assert_eq!(told, expect, "{number} {first}");
    }
    let later = GetFlowsRequest {
        since: Some(Timestamp {
            seconds: i64::MAX,
            nanos: 0,
        }),
        ..GetFlowsRequest::default()
    };
    assert!(
        Answers::ask(&mut client, later)
            .await
            .expect("answers")
            .all()
            .await
            .is_empty()
    );

    let mut nothing_of_the_past = Answers::ask(&mut client, following()).await.expect("answers");
    let last_and_more = GetFlowsRequest {
        number: 1,
        ..following()
    };
    let mut last_and_more = Answers::ask(&mut client, last_and_more).await.expect("answers");
    let now = served.publish(Build::new().refused());
    assert_eq!(nothing_of_the_past.flow().await.uuid, now);
    assert_eq!(last_and_more.flow().await.uuid, ids[3]);
    assert_eq!(last_and_more.flow().await.uuid, now);
    served.stop().await;
}

#[tokio::test]
async fn filters_masks_and_extensions_hold_for_what_comes_too() {
    let served = Served::start();
    let mut client = served.client().await;
    let dropped = FlowFilter {
        verdict: vec![Verdict::Dropped as i32],
        ..FlowFilter::default()
    };
    let request = GetFlowsRequest {
        whitelist: vec![dropped],
        field_mask: Some(FieldMask {
            paths: vec!["verdict".into(), "extensions".into()],
        }),
        ..following()
    };
    let mut unmodified = Answers::ask(&mut client, request.clone()).await.expect("answers");
    let filter = Filter {
        clauses: vec![Clause {
            flag: "cause".into(),
            not: false,
            values: vec!["policy-ingress".into()],
        }],
        ..Filter::default()
    };
    let request = GetFlowsRequest {
        extensions: ours(&filter),
        ..request
    };
    let mut knowing = Answers::ask(&mut client, request).await.expect("answers");
    served.publish(Build::new().connected());
    served.publish(Build::new().denied(Direction::Egress));
    let wanted = served.publish(Build::new().denied(Direction::Ingress));

    let flow = knowing.flow().await;
    assert_eq!(flow.verdict(), Verdict::Dropped);
    assert_eq!(flow.uuid, "", "not in the mask");
    let extension = flow.extensions.expect("in the mask");
    assert_eq!(extension.type_url, "type.googleapis.com/attempt.v1.Attempt");
    let attempt = Attempt::decode(extension.value.as_slice()).expect("an attempt");
    let told = (attempt.id.as_str(), attempt.cause.as_str(), attempt.stage());
    assert_eq!(told, (wanted.as_str(), "policy-ingress", Stage::Final));
    assert!(!attempt.nearest_misses.is_empty() && !attempt.evidence.is_empty());
    let record: Record = serde_json::from_slice(&attempt.record).expect("a record");
    assert_eq!(record.id, wanted);

    let extension = unmodified.flow().await.extensions.expect("in the mask");
    assert_eq!(extension.type_url, "type.googleapis.com/google.protobuf.Struct");
    let record = prost_types::Struct::decode(extension.value.as_slice()).expect("a struct");
    assert_eq!(
        record.fields["cause"].kind,
        Some(prost_types::value::Kind::StringValue("policy-egress".into()))
    );
    served.stop().await;
}

#[tokio::test]
async fn a_client_that_merges_nodes_gets_asides() {
    let served = Served::start();
    let mut client = served.client().await;
    served.publish(Build::new().connected());
    let filter = Filter {
        clauses: vec![Clause {
            flag: "outcome".into(),
            not: false,
            values: vec!["refused".into()],
        }],
        asides: true,
        ..Filter::default()
    };
    let request = GetFlowsRequest {
        extensions: ours(&filter),
        number: 10,
        ..following()
    };
    let mut answers = Answers::ask(&mut client, request).await.expect("answers");
    let aside = |flow: observer_api::flow::Flow| {
        let extension = flow.extensions.expect("an aside");
        assert_eq!(extension.type_url, "type.googleapis.com/attempt.v1.Aside");
        Aside::decode(extension.value.as_slice())
            .expect("an aside")
            .said
            .expect("something")
    };
    assert!(
        matches!(aside(answers.flow().await), Said::CaughtUp(_)),
        "what was seen delivered owns nothing elsewhere"
    );
    let connected = Build::new().unobserved().outcome(Outcome::Connected, None);
    let owner = served.publish(connected);
    let Said::Owner(said) = aside(answers.flow().await) else {
        panic!("the filter leaves an owner out")
    };
    assert_eq!(
        (said.id, said.client.as_str(), said.server.as_str()),
        (owner, "10.0.0.1:40000", "10.0.0.2:2283")
    );
    served.hub.publish(&Output::Warning("mind the gap".into()));
    let Said::Status(said) = aside(answers.flow().await) else {
        panic!("a warning is a status")
    };
    assert!(String::from_utf8_lossy(&said).contains("mind the gap"));
    let wanted = served.publish(Build::new().refused());
    assert_eq!(answers.flow().await.uuid, wanted);
    // What failed may read otherwise once it is joined to what another node saw.
    let half = served.publish(Build::new().unobserved());
    assert_eq!(answers.flow().await.uuid, half);
    served.stop().await;
}

#[tokio::test]
async fn losses_are_told_and_the_stop_is() {
    let served = Served::start();
    let mut answers = Answers::ask(&mut served.client().await, following())
        .await
        .expect("answers");
    served.hub.publish(&Output::Lost(7));
    let lost = answers.lost().await;
    assert_eq!(
        (lost.source(), lost.num_events_lost),
        (LostEventSource::PerfEventRingBuffer, 7)
    );
    served.hub.stop();
    let Ok(Some(ResponseTypes::NodeStatus(gone))) = answers.next().await else {
        panic!("the node says that it goes")
    };
    assert_eq!(
        (gone.state_change(), gone.node_names),
        (NodeState::NodeGone, vec!["node-a".to_owned()])
    );
    let end = answers.next().await.expect_err("the stream ends with a reason");
    assert_eq!(end.code(), Code::Unavailable);
    assert!(end.message().contains("node-a stops"), "{}", end.message());
    served.stop().await;
}

#[tokio::test]
async fn what_is_not_understood_is_refused_by_name() {
    let served = Served::start();
    let mut client = served.client().await;
    let filtered = |filter| GetFlowsRequest {
        whitelist: vec![filter],
        ..GetFlowsRequest::default()
    };
    let clause = |flag: &str, value: &str| Filter {
        clauses: vec![Clause {
            flag: flag.into(),
            not: false,
            values: vec![value.into()],
        }],
        ..Filter::default()
    };
    let extended = |extensions| GetFlowsRequest {
        extensions,
        ..GetFlowsRequest::default()
    };
    let cases = [
        (
            filtered(FlowFilter {
                http_status_code: vec!["500".into()],
                ..FlowFilter::default()
            }),
            Code::Unimplemented,
            "http_status_code",
        ),
        (
            filtered(FlowFilter {
                source_ip: vec!["home".into()],
                ..FlowFilter::default()
            }),
            Code::InvalidArgument,
            "source_ip",
        ),
        (
            GetFlowsRequest {
                field_mask: Some(FieldMask {
                    paths: vec!["sauce".into()],
                }),
                ..GetFlowsRequest::default()
            },
            Code::InvalidArgument,
            "field_mask",
        ),
        (
            GetFlowsRequest {
                first: true,
                ..following()
            },
            Code::InvalidArgument,
            "first",
        ),
        (
            GetFlowsRequest {
                until: Some(Timestamp::default()),
                ..following()
            },
            Code::InvalidArgument,
            "until",
        ),
        (
            GetFlowsRequest {
                since: Some(Timestamp { seconds: 1, nanos: -1 }),
                ..GetFlowsRequest::default()
            },
            Code::InvalidArgument,
            "since",
        ),
        (
            extended(ours(&clause("colour", "red"))),
            Code::InvalidArgument,
            "colour",
        ),
        (
            extended(ours(&clause("outcome", "fine"))),
            Code::InvalidArgument,
            "--outcome",
        ),
        (
            extended(Some(Any {
                type_url: "type.googleapis.com/else.Filter".into(),
                value: Vec::new(),
            })),
            Code::InvalidArgument,
            "extensions",
        ),
        (
            extended(Some(Any {
                type_url: "type.googleapis.com/attempt.v1.Filter".into(),
                value: vec![0xff; 9],
            })),
            Code::InvalidArgument,
            "extensions",
        ),
    ];
    for (request, code, names) in cases {
        let refused = soon(client.get_flows(request)).await.expect_err(names);
        assert_eq!(refused.code(), code, "{names}");
        assert!(refused.message().contains(names), "{names}: {}", refused.message());
    }
    let agent_events = client.get_agent_events(GetAgentEventsRequest::default()).await;
    assert_eq!(agent_events.expect_err("there are none").code(), Code::Unimplemented);
    let debug_events = client.get_debug_events(GetDebugEventsRequest::default()).await;
    assert_eq!(debug_events.expect_err("there are none").code(), Code::Unimplemented);
    served.stop().await;
}

#[tokio::test]
async fn status_nodes_namespaces_and_health() {
    let served = Served::start();
    let mut client = served.client().await;
    served.publish(Build::new().connected());
    let status = client
        .server_status(ServerStatusRequest {})
        .await
        .expect("a status")
        .into_inner();
    assert_eq!((status.num_flows, status.max_flows, status.seen_flows), (1, 100, 1));
    assert!(status.uptime_ns > 0 && status.flows_rate > 0.0 && status.version.starts_with("observer v"));
    let nodes = client
        .get_nodes(GetNodesRequest {})
        .await
        .expect("nodes")
        .into_inner()
        .nodes;
    assert_eq!(nodes.len(), 1);
    assert_eq!(
        (nodes[0].name.as_str(), nodes[0].state()),
        ("node-a", NodeState::NodeConnected)
    );
    assert_eq!(nodes[0].address, served.address);
    let namespaces = client
        .get_namespaces(GetNamespacesRequest {})
        .await
        .expect("namespaces")
        .into_inner();
    let names: Vec<String> = namespaces
        .namespaces
        .into_iter()
        .map(|namespace| namespace.namespace)
        .collect();
    assert_eq!(names, ["homepage", "immich"]);
    let channel = tonic::transport::Endpoint::from_shared(format!("http://{}", served.address)).expect("an address");
    let mut health = HealthClient::new(channel.connect().await.expect("it listens"));
    for service in ["", "observer.Observer", "hubble.server.Observer"] {
        let check = HealthCheckRequest {
            service: service.into(),
        };
        let health = health.check(check).await.expect("known").into_inner();
        assert_eq!(health.status().as_str_name(), "SERVING", "{service}");
    }
    served.stop().await;
}

#[tokio::test]
async fn only_namespaces_that_are_shown_are_told_of_by_any_call() {
    let served = Served::at("127.0.0.1:0", None, Some(&["shop", "immich"]));
    let mut client = served.client().await;
    let mut answers = Answers::ask(&mut client, following()).await.expect("answers");
    served.publish(Build::new().with(|all| {
        // From homepage to nobody in the cluster.
        all.destination.identity = crate::endpoint::Identity::External;
    }));
    served.hub.publish(&Output::Lost(7));
    let shown = served.publish(Build::new().connected());
    let lost = answers.lost().await;
    assert_eq!(lost.num_events_lost, 0, "how many would tell of others");
    assert_eq!(answers.flow().await.uuid, shown);
    let status = client
        .server_status(ServerStatusRequest {})
        .await
        .expect("a status")
        .into_inner();
    assert_eq!((status.num_flows, status.seen_flows), (1, 1));
    let namespaces = client
        .get_namespaces(GetNamespacesRequest {})
        .await
        .expect("namespaces")
        .into_inner();
    let names: Vec<String> = namespaces
        .namespaces
        .into_iter()
        .map(|namespace| namespace.namespace)
        .collect();
    assert_eq!(names, ["immich"], "not the other side's");
    served.stop().await;
}

#[tokio::test]
async fn every_service_is_described_and_what_flows_are_made_of_too() {
    use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
    use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
    use tonic_reflection::pb::v1::{ListServiceResponse, ServerReflectionRequest};

    let served = Served::start();
    let channel = Channel::from_shared(format!("http://{}", served.address)).expect("an address");
    let mut client = ServerReflectionClient::new(soon(channel.connect()).await.expect("it listens"));
    let mut ask = async |what: MessageRequest| {
        let request = ServerReflectionRequest {
            host: String::new(),
            message_request: Some(what),
        };
        let stream = client.server_reflection_info(tokio_stream::iter([request])).await;
        let answer = soon(stream.expect("a stream").into_inner().message()).await;
        answer.expect("an answer").and_then(|answer| answer.message_response)
    };
    let Some(MessageResponse::ListServicesResponse(ListServiceResponse { service })) =
        ask(MessageRequest::ListServices(String::new())).await
    else {
        panic!("no list")
    };
    let names: Vec<_> = service.iter().map(|service| service.name.as_str()).collect();
    for name in [
        "observer.Observer",
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
    ] {
        assert!(names.contains(&name), "{name}: {names:?}");
    }
    // The last is what a flow's extension holds.
    for symbol in ["flow.Flow", "attempt.v1.Attempt", "google.protobuf.Struct"] {
        let described = ask(MessageRequest::FileContainingSymbol(symbol.to_owned())).await;
        assert!(
            matches!(described, Some(MessageResponse::FileDescriptorResponse(_))),
            "{symbol}: {described:?}"
        );
    }
    served.stop().await;
}
