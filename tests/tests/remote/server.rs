//! One agent by its address.

use std::collections::BTreeSet;
use std::time::Duration;

use observer::remote::{Ask, Place, Said, Session};
use observer_tests::agents::{Agents, Call};
use observer_tests::lab::Tail;

use super::{SOON, isns, now, told};

#[test]
fn one_agent_is_followed_and_waited_for_when_it_goes() {
    let agents = Agents::start(["a"]).expect("agents");
    let address = agents.address("a").to_string();
    agents.tell("a", &Call::new(1, now()).at_source());
    let tail = Tail::json()
        .args(["--server", &address, "--since", "5m", "-f"])
        .spawn_here()
        .expect("a tail");
    told(&tail, 1);
    // What only the destination's node saw waits for nobody here.
    agents.tell("a", &Call::new(2, now()).at_destination());
    told(&tail, 2);
    agents.away("a");
    tail.await_record(SOON, |record| {
        record["event"] == "nodes" && record["fields"]["seen"] == serde_json::json!([])
    })
    .expect("a statement");
    agents.back("a").expect("the same port");
    agents.tell("a", &Call::new(3, now()).at_source());
    told(&tail, 3);
    let ended = tail.interrupt().expect("an end");
    assert_eq!((ended.code(), isns(&ended.records)), (0, vec![1, 2, 3]));
}

#[test]
fn a_stream_that_breaks_while_it_tells_the_past_goes_on_there() {
    const CALLS: u32 = 3_400;
    let agents = Agents::start(["a"]).expect("agents");
    let begin = now() - Duration::from_secs(120);
    for isn in 0..CALLS {
        let mut call = Call::new(isn, begin + Duration::from_millis(isn.into()));
        // When an attempt was decided says nothing of how much of the past was told.
        if isn % 2 == 1 {
            call.took = Duration::from_secs(60);
        }
        agents.tell("a", &call.at_source());
    }
    let address = agents.address("a").to_string().parse().expect("an address");
    let place = Place::Server { address, tls: None };
    let ask = Ask {
        follow: true,
        since: Some(begin),
        ..Ask::default()
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let told = runtime.block_on(async {
        let (session, mut said) = Session::start(place, ask).await.expect("a session");
        let read = async {
            let mut told = BTreeSet::new();
            let mut broken = false;
            while told.len() < CALLS as usize {
                let next = tokio::time::timeout(SOON, said.recv()).await;
                let Ok(Some(next)) = next else { break };
                if let Said::Record(record) = next {
                    told.insert(record.isn);
                    // Most of it waits in the agent: less fits between it and here.
                    if !std::mem::replace(&mut broken, true) {
                        agents.away("a");
                        agents.back("a").expect("the same port");
                    }
                }
            }
            told
        };
        tokio::select! {
            told = read => told,
            ended = session.run(std::future::pending()) => panic!("{ended:?}"),
        }
    });
    assert_eq!(told, (0..CALLS).collect());
}

#[test]
fn the_text_is_that_of_a_local_tail() {
    let agents = Agents::start(["a"]).expect("agents");
    agents.tell("a", &Call::new(1, now()).at_source());
    let address = agents.address("a").to_string();
    let ended = Tail::text()
        .args(["--server", &address, "--last", "5"])
        .spawn_here()
        .expect("a tail")
        .finish(SOON)
        .expect("an end");
    assert_eq!(ended.code(), 0, "{:?}", ended.errors);
    let [line] = ended.lines.as_slice() else {
        panic!("one line: {:?}", ended.lines);
    };
    assert!(
        line.ends_with("connected   shop/cart → shop/api:8080   412 µs"),
        "{line}"
    );
    assert!(
        ended.errors.iter().any(|line| line == "1 attempt: 1 connected"),
        "{:?}",
        ended.errors
    );
}
