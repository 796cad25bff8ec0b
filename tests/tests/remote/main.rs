//! `observer tail` of other nodes as a program: against real gRPC servers, and through a port-forward to them.

mod cluster;
mod nodes;
mod server;
mod unreachable;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use observer::time::Time;
use observer_tests::lab::Observer;
use serde_json::Value;

/// What comes, comes within this on a busy machine.
const SOON: Duration = Duration::from_secs(60);

/// Now, as agents would stamp it.
fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    Time(u64::try_from(since.as_nanos()).expect("before 2554"))
}

/// Waits for the final record of the attempt with this ISN.
fn told(tail: &Observer, isn: u32) -> Value {
    tail.await_attempt(SOON, |record| record["isn"] == isn)
        .expect("the attempt")
}

/// Waits until a tail of a cluster states that these nodes are seen, and those not.
fn states(tail: &Observer, seen: &[&str], unseen: &[&str]) -> Value {
    let names = |fields: &Value| -> Vec<String> {
        let names = fields.as_object().map(|fields| fields.keys().cloned().collect());
        names
            .or_else(|| serde_json::from_value(fields.clone()).ok())
            .unwrap_or_default()
    };
    tail.await_record(SOON, |record| {
        let fields = &record["fields"];
        record["event"] == "nodes" && names(&fields["seen"]) == seen && names(&fields["unseen"]) == unseen
    })
    .expect("a statement")
}

/// The ISNs of the final records, in order.
fn isns(records: &[Value]) -> Vec<u64> {
    let finals = records
        .iter()
        .filter(|record| record["type"] == "attempt" && record["final"] == true);
    finals.filter_map(|record| record["isn"].as_u64()).collect()
}
