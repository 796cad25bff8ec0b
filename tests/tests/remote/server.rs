//! One agent by its address.

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
