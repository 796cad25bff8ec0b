//! What clients may cost, and where they may come from.

use std::os::unix::fs::PermissionsExt;

use hyper_util::rt::TokioIo;
use observer_api::attempt::v1::{Clause, Filter};
use observer_api::flow::{FlowFilter, LostEventSource};
use observer_api::observer::get_flows_response::ResponseTypes;
use observer_api::observer::observer_client::ObserverClient;
use observer_api::observer::{GetFlowsRequest, ServerStatusRequest};
use prost_types::FieldMask;
use tokio::net::UnixStream;
use tonic::Code;
use tonic::transport::Endpoint;

use super::{Answers, Served, following, soon};
use crate::diagnosis::tests::build::Build;
use crate::serve::grpc::listen::ListenError;
use crate::serve::grpc::{CONNECTIONS, Listen, REQUEST, STREAMS};

#[tokio::test]
async fn a_client_that_does_not_read_loses_and_is_told_how_much() {
    let served = Served::start();
    let mut client = served.client().await;
    let mut answers = Answers::ask(&mut client, following()).await.expect("answers");
    // More than the sockets' buffers and the hub hold.
    const SENT: u64 = 40_000;
    for _ in 0..SENT {
        served.publish(Build::new().connected());
        tokio::task::yield_now().await;
    }
    let (mut got, mut lost) = (0, 0);
    while got + lost < SENT {
        match answers.next().await {
            Ok(Some(ResponseTypes::Flow(_))) => got += 1,
            Ok(Some(ResponseTypes::LostEvents(event))) => {
                assert_eq!(event.source(), LostEventSource::HubbleRingBuffer);
                lost += event.num_events_lost;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(lost > 0, "{got} came");
    assert_eq!(got + lost, SENT);
    let next = served.publish(Build::new().connected());
    assert_eq!(answers.flow().await.uuid, next, "it goes on");
    drop(answers);
    served.stop().await;
}

#[tokio::test]
async fn a_client_that_pauses_in_the_past_holds_none_of_it() {
    let served = Served::start();
    let endpoint = Endpoint::from_shared(format!("http://{}", served.address)).expect("an address");
    // So much may be sent before it reads: less than all.
    let endpoint = endpoint.initial_stream_window_size(65_535);
    let mut client = ObserverClient::new(soon(endpoint.connect()).await.expect("it listens"));
    let publish_all = || (0..100).for_each(|_| drop(served.publish(Build::new().connected())));
    publish_all();
    let held = served.hub.fill().held as u64;
    let mut answers = Answers::ask(&mut client, GetFlowsRequest::default())
        .await
        .expect("answers");
    publish_all();
    let (mut got, mut lost) = (0, 0);
    while let Some(next) = answers.next().await.expect("it ends well") {
        match next {
            ResponseTypes::Flow(_) => got += 1,
            ResponseTypes::LostEvents(event) => {
                assert_eq!(event.source(), LostEventSource::HubbleRingBuffer);
                lost += event.num_events_lost;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(lost > 0, "{got} came");
    assert_eq!((got + lost, served.hub.lagged()), (held, lost));
    served.stop().await;
}

#[tokio::test]
async fn streams_are_bounded_and_a_closed_one_makes_room() {
    let served = Served::start();
    let mut open = Vec::new();
    // The calls of one connection are bounded too, and wait.
    while open.len() < STREAMS {
        let mut client = served.client().await;
        for _ in 0..32 {
            open.push(Answers::ask(&mut client, following()).await.expect("there is room"));
        }
    }
    let mut client = served.client().await;
    let refused = soon(client.get_flows(following())).await.expect_err("it is full");
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert!(
        refused.message().contains(&STREAMS.to_string()),
        "{}",
        refused.message()
    );
    client
        .server_status(ServerStatusRequest {})
        .await
        .expect("other calls are answered");
    drop(open);
    soon(async {
        while client.get_flows(following()).await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    served.stop().await;
}

#[tokio::test]
async fn connections_are_bounded() {
    let served = Served::start();
    let mut open = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut client = served.client().await;
        client
            .server_status(ServerStatusRequest {})
            .await
            .expect("there is room");
        open.push(client);
    }
    let one_more = Endpoint::from_shared(format!("http://{}", served.address)).expect("an address");
    let refused = async {
        let channel = one_more.connect().await?;
        let answer = ObserverClient::new(channel).server_status(ServerStatusRequest {}).await;
        Ok::<_, tonic::transport::Error>(answer)
    };
    assert!(!matches!(soon(refused).await, Ok(Ok(_))), "it is closed at once");
    open[0]
        .server_status(ServerStatusRequest {})
        .await
        .expect("the others go on");
    served.stop().await;
}

#[tokio::test]
async fn requests_are_bounded() {
    let served = Served::start();
    let mut client = served.client().await;
    let with = |filters: usize, values: usize, length: usize| GetFlowsRequest {
        whitelist: vec![
            FlowFilter {
                source_pod: vec!["x".repeat(length); values],
                ..FlowFilter::default()
            };
            filters
        ],
        ..GetFlowsRequest::default()
    };
    let ours = |clauses: usize, values: usize| {
        let clause = Clause {
            flag: "pod".into(),
            not: false,
            values: vec!["x".into(); values],
        };
        let filter = Filter {
            clauses: vec![clause; clauses],
            ..Filter::default()
        };
        GetFlowsRequest {
            extensions: super::flows::ours(&filter),
            ..GetFlowsRequest::default()
        }
    };
    let masked = |paths: usize| GetFlowsRequest {
        field_mask: Some(FieldMask {
            paths: vec!["l7".into(); paths],
        }),
        ..GetFlowsRequest::default()
    };
    let cases = [
        (ours(1, 1000), None),
        (ours(1, 1001), Some(Code::InvalidArgument)),
        (ours(1001, 0), Some(Code::InvalidArgument)),
        (masked(100), None),
        (masked(30_000), Some(Code::InvalidArgument)),
        (with(1, 1000, 10), None),
        (with(1, 1001, 10), Some(Code::InvalidArgument)),
        (with(101, 1, 10), Some(Code::InvalidArgument)),
        (with(100, 10, 10), None),
        (with(1, 1, REQUEST), Some(Code::OutOfRange)),
    ];
    for (request, expect) in cases {
        let answer = soon(client.get_flows(request)).await;
        assert_eq!(answer.err().map(|status| status.code()), expect);
    }
    served.stop().await;
}

#[test]
fn only_this_host_may_come_without_tls() {
    let cases = [
        ("127.0.0.1:4245", Some("127.0.0.1:4245")),
        ("[::1]:4245", Some("[::1]:4245")),
        ("localhost:4245", Some("127.0.0.1:4245")),
        ("unix:/run/observer.sock", Some("unix:/run/observer.sock")),
        ("unix:///run/observer.sock", Some("unix:/run/observer.sock")),
        ("unix:observer.sock", None),
        ("0.0.0.0", None),
        ("4245", None),
        ("", None),
    ];
    for (text, expect) in cases {
        let read = text.parse::<Listen>().ok().map(|listen| listen.to_string());
        assert_eq!(read.as_deref(), expect, "{text}");
    }
    for open in ["0.0.0.0:0", "[::]:0", "192.0.2.1:4245"] {
        let listen: Listen = open.parse().expect("an address");
        let error = listen.bind(false).expect_err("it is open to others");
        assert!(matches!(error, ListenError::Open(_)), "{error}");
        assert!(error.to_string().contains("--tls-cert"), "{error}");
    }
}

#[tokio::test]
async fn a_unix_socket_takes_the_place_of_a_dead_one_and_of_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("observer.sock");
    // A process that was killed leaves its socket behind.
    drop(std::os::unix::net::UnixListener::bind(&path).expect("it is free"));
    let served = Served::at(&format!("unix:{}", path.display()), None, None);
    let mode = std::fs::metadata(&path).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    let dial = path.clone();
    let connector = tower::service_fn(move |_| {
        let dial = dial.clone();
        async move { UnixStream::connect(dial).await.map(TokioIo::new) }
    });
    let channel = Endpoint::from_static("http://observer")
        .connect_with_connector(connector)
        .await;
    let mut client = ObserverClient::new(channel.expect("it listens"));
    client.server_status(ServerStatusRequest {}).await.expect("an answer");

    let listen = Listen::Unix(path.clone());
    let error = listen.bind(false).expect_err("somebody listens there");
    assert!(matches!(error, ListenError::InUse(_)), "{error}");
    served.stop().await;
    assert!(!path.exists(), "it cleans up");
    std::fs::write(&path, "precious").expect("a file");
    let error = listen.bind(false).expect_err("it is no socket");
    assert!(matches!(error, ListenError::NotASocket(_)), "{error}");
    assert_eq!(std::fs::read(&path).expect("it is still there"), b"precious");
}
