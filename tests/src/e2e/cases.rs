//! The connections that are driven, and what has to be said of each. A case is data; what its application noticed is a second witness.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::api::{DeleteParams, ListParams};
use kube::{Api, ResourceExt as _};
use observer::attempt::Outcome;
use observer::diagnosis::{Cause, Confidence};
use observer::report::Record;
use tokio::time::Instant;

use super::cluster::Cluster;
use super::install;
use super::objects::{CALLERS, PORT, SERVICE_PORT, Stage};
use super::tail::Tail;
use super::{PATIENCE, tell};

/// How long a dial waits, in seconds: longer than an attempt's deadline, so that a timeout is the wire's.
const DIAL: &str = "6";
/// A record comes within the deadline and a little; the rest is for slow machines.
const RECORD: Duration = Duration::from_secs(30);
/// How often a case is tried again while the answer is open because something has just changed.
const TRIES: usize = 10;
/// How long a gap may take to be called probable: a policy that was changed within the last minute is perhaps being applied.
const GAP: Duration = Duration::from_secs(100);
/// How long to wait until the next dial meanwhile.
const AGAIN: Duration = Duration::from_secs(2);

/// What is dialled.
#[derive(Clone, Copy, Debug)]
enum Target {
    Pod(&'static str, u16),
    Service(&'static str, u16),
}

/// What is expected.
#[derive(Clone, Copy, Debug)]
enum Expect {
    /// It connects, and nothing is to be said.
    Connected,
    /// The application is refused, for one of these causes.
    Refused(&'static [Cause]),
    /// However the proxy turns it away, this is the cause.
    Cause(&'static [Cause]),
    /// A policy denies it: `not-enforced` where it connects, else this cause, or that it was rejected.
    Denied(&'static [Cause]),
    /// The application waits in vain, for this cause.
    Timeout(&'static [Cause]),
}

/// A case.
#[derive(Clone, Copy, Debug)]
struct Case {
    name: &'static str,
    from: &'static str,
    verb: &'static str,
    to: Target,
    expect: Expect,
}

const fn case(name: &'static str, from: &'static str, to: Target, expect: Expect) -> Case {
    Case {
        name,
        from,
        verb: "dial",
        to,
        expect,
    }
}

const CALLER: &str = CALLERS[0];
const LOCKED: &str = CALLERS[1];

const GUARDED: Case = case(
    "to a guarded pod",
    CALLER,
    Target::Pod("guarded", PORT),
    Expect::Denied(&[Cause::PolicyIngress]),
);

const CASES: &[Case] = &[
    case(
        "to a pod of the same node",
        CALLER,
        Target::Pod("web", PORT),
        Expect::Connected,
    ),
    case(
        "to a pod of another node",
        CALLER,
        Target::Pod("web-far", PORT),
        Expect::Connected,
    ),
    case(
        "to a Service",
        CALLER,
        Target::Service("web", SERVICE_PORT),
        Expect::Connected,
    ),
    case(
        "to a wrong port",
        CALLER,
        Target::Pod("web", 9),
        Expect::Refused(&[Cause::AppNotListening]),
    ),
    case(
        "to a wrong port on another node",
        CALLER,
        Target::Pod("web-far", 9),
        Expect::Refused(&[Cause::AppNotListening]),
    ),
    case(
        "to a Service without pods",
        CALLER,
        Target::Service("nobody", SERVICE_PORT),
        Expect::Cause(&[Cause::NoEndpoints]),
    ),
    case(
        "to a port that the Service lacks",
        CALLER,
        Target::Service("web", 81),
        Expect::Cause(&[Cause::NoSuchServicePort]),
    ),
    GUARDED,
    case(
        "to a guarded pod of another node",
        CALLER,
        Target::Pod("guarded-far", PORT),
        Expect::Denied(&[Cause::PolicyIngress]),
    ),
    case(
        "from a locked pod",
        LOCKED,
        Target::Pod("web", PORT),
        Expect::Denied(&[Cause::PolicyEgress]),
    ),
    Case {
        verb: "wait",
        ..case(
            "until its accept queue is full",
            CALLER,
            Target::Pod("busy", PORT),
            Expect::Connected,
        )
    },
    case(
        "to a pod whose accept queue is full",
        CALLER,
        Target::Pod("busy", PORT),
        Expect::Timeout(&[Cause::AcceptQueueFull]),
    ),
];

/// Dials until the first record comes: the tail then reaches the agent, and the agent knows the pods.
pub(super) async fn warm_up(cluster: &Cluster, stage: &Stage, tail: &mut Tail) -> Result<()> {
    let case = &CASES[0];
    for _ in 0..TRIES {
        let from = tail.records.len();
        let address = address(cluster, stage, case.to).await?;
        dial(cluster, stage, case, &address).await?;
        let known = |record: &Record| is_of(record, stage, case, &address);
        if tail.find(from, Duration::from_secs(5), known).await?.is_some() {
            return Ok(());
        }
    }
    bail!("the tail says nothing of a connection that was made {TRIES} times")
}

/// A connection that no pod of the dialling namespace takes part in.
pub(super) async fn dial_within_backend(cluster: &Cluster, stage: &Stage) -> Result<()> {
    let address = address(cluster, stage, Target::Pod("guarded", PORT)).await?;
    let command = ["/observer-e2e-peer", "dial", &address, DIAL];
    cluster.exec(&stage.backend, "web", &command).await.map(drop)
}

/// Drives every case, and gives the number that failed.
pub(super) async fn run(cluster: &Cluster, stage: &Stage, tail: &mut Tail) -> Result<usize> {
    println!("connections:");
    let mut failed = 0;
    for case in CASES.iter().filter(|case| stage.has_far() || !case.is_far()) {
        let done = drive(cluster, stage, tail, case).await;
        failed += tell(case.name, done.map(|record| summary(&record)));
    }
    Ok(failed)
}

/// Where the network plugin does not enforce policies: dials until that is no chance any more, and says whether it is so.
pub(super) async fn gap(cluster: &Cluster, stage: &Stage, tail: &mut Tail) -> Result<bool> {
    let until = Instant::now() + GAP;
    loop {
        let record = drive(cluster, stage, tail, &GUARDED).await?;
        if record.cause != Some(Cause::NotEnforced) {
            return Ok(false);
        }
        if record.confidence >= Some(Confidence::Probable) {
            return Ok(true);
        }
        ensure!(
            Instant::now() < until,
            "it is still only possible: {:?}",
            record.reasons
        );
        tokio::time::sleep(AGAIN).await;
    }
}

/// Deletes the agent of the dialling pods' node, and wants its successor to be followed too.
pub(super) async fn after_a_restart(cluster: &Cluster, stage: &Stage, tail: &mut Tail) -> Result<usize> {
    let pods: Api<Pod> = cluster.pods(&stage.agents);
    let on_node = ListParams::default().fields(&format!("spec.nodeName={}", stage.near()));
    let agent = pods.list(&on_node).await?.items.pop().context("no agent on the node")?;
    let uid = agent.uid().unwrap_or_default();
    pods.delete(&agent.name_any(), &DeleteParams::default()).await?;
    let gone = kube::runtime::conditions::is_deleted(&uid);
    cluster.until(pods, &agent.name_any(), "gone", gone, PATIENCE).await?;
    install::rolled_out(cluster, stage, PATIENCE).await?;
    let followed = async {
        warm_up(cluster, stage, tail).await?;
        Ok("its successor is followed".to_owned())
    };
    Ok(tell("after an agent's restart", followed.await))
}

/// No attempt may be told twice, though two nodes saw some.
pub(super) fn each_once(tail: &Tail) -> usize {
    let mut attempts: Vec<_> = tail
        .records
        .iter()
        .map(|record| (record.isn, record.source.port, record.time))
        .collect();
    let all = attempts.len();
    attempts.sort();
    attempts.dedup();
    let once = if attempts.len() == all {
        Ok(format!("{all} records"))
    } else {
        Err(anyhow::anyhow!(
            "{} of {all} records tell of an attempt again",
            all - attempts.len()
        ))
    };
    tell("each attempt once", once)
}

impl Case {
    fn is_far(&self) -> bool {
        matches!(self.to, Target::Pod(name, _) if name.ends_with("-far"))
    }
}

async fn drive(cluster: &Cluster, stage: &Stage, tail: &mut Tail, case: &Case) -> Result<Record> {
    let address = address(cluster, stage, case.to).await?;
    for _ in 0..TRIES {
        let from = tail.records.len();
        let noticed = dial(cluster, stage, case, &address).await?;
        let record = tail
            .find(from, RECORD, |record| is_of(record, stage, case, &address))
            .await?;
        let record = record.with_context(|| format!("the application noticed {noticed:?}, and no record came"))?;
        if is_changing(&record) {
            continue;
        }
        check(stage, case, &noticed, &record).with_context(|| format!("{noticed}; {}", summary(&record)))?;
        return Ok(record);
    }
    bail!("after {TRIES} tries it is still open, since something has just changed")
}

/// What the tail said, in a line.
fn summary(record: &Record) -> String {
    let cause = record.cause.map_or("no cause", Cause::code);
    let how_sure = record.confidence.map_or("", |confidence| confidence.code());
    format!("{} {cause} {how_sure} ({})", record.outcome.code(), record.node)
}

async fn address(cluster: &Cluster, stage: &Stage, target: Target) -> Result<String> {
    Ok(match target {
        Target::Pod(name, port) => {
            let pod = cluster.pods(&stage.backend).get(name).await?;
            let ip = pod
                .status
                .and_then(|status| status.pod_ip)
                .context("the pod has no address")?;
            socket(&ip, port)
        }
        Target::Service(name, port) => {
            let services: Api<Service> = Api::namespaced(cluster.client.clone(), &stage.backend);
            let spec = services.get(name).await?.spec.context("the Service has no spec")?;
            socket(&spec.cluster_ip.context("the Service has no address")?, port)
        }
    })
}

fn socket(ip: &str, port: u16) -> String {
    if ip.contains(':') {
        format!("[{ip}]:{port}")
    } else {
        format!("{ip}:{port}")
    }
}

/// Dials and gives what the application noticed.
async fn dial(cluster: &Cluster, stage: &Stage, case: &Case, address: &str) -> Result<String> {
    let command = ["/observer-e2e-peer", case.verb, address, DIAL];
    Ok(cluster.exec(&stage.shop, case.from, &command).await?.trim().to_owned())
}

/// Whether a record is of this pod and what it dialled.
fn is_of(record: &Record, stage: &Stage, case: &Case, address: &str) -> bool {
    let dialled = socket(&record.destination.party.ip.to_string(), record.destination.party.port);
    record.source.namespace.as_deref() == Some(&*stage.shop)
        && record.source.name.as_deref() == Some(case.from)
        && dialled == address
}

/// The answer is open because policies or objects have changed a moment ago.
fn is_changing(record: &Record) -> bool {
    [&record.verdict.egress, &record.verdict.ingress]
        .iter()
        .filter_map(|direction| direction.undecidable.as_deref())
        .any(|reason| ["policies-changing", "not-synced"].contains(&reason))
}

fn check(stage: &Stage, case: &Case, noticed: &str, record: &Record) -> Result<()> {
    let (word, port) = noticed.split_once(' ').unwrap_or((noticed, ""));
    if word == "connected" {
        ensure!(record.outcome == Outcome::Connected, "it connected");
        ensure!(
            record.source.port.to_string() == port,
            "another attempt, from port {}",
            record.source.port
        );
    } else {
        ensure!(record.outcome != Outcome::Connected, "it did not connect");
    }
    let destination = &record.destination;
    match case.to {
        Target::Pod(name, _) => {
            ensure!(
                destination.party.name.as_deref() == Some(name),
                "the destination is {name}"
            );
            ensure!(
                destination.party.namespace.as_deref() == Some(&*stage.backend),
                "its namespace is {}",
                stage.backend
            );
        }
        Target::Service(name, _) => {
            let named = destination.service.as_ref().map(|service| &*service.name);
            let named = named.or(destination.party.name.as_deref());
            ensure!(named == Some(name), "the Service is {name}, not {named:?}");
        }
    }
    let wanted: &[Cause] = match (case.expect, word) {
        (Expect::Connected, "connected") => &[],
        (Expect::Denied(_), "connected") => &[Cause::NotEnforced],
        (Expect::Denied(_), "refused") => &[Cause::PolicyRejected],
        (Expect::Denied(causes), "timeout") => causes,
        (Expect::Refused(causes), "refused") => causes,
        (Expect::Cause(causes), "refused" | "timeout" | "unreachable") => causes,
        (Expect::Timeout(causes), "timeout") => causes,
        (expect, _) => bail!("expected was {expect:?}"),
    };
    let right = match record.cause {
        Some(cause) => wanted.contains(&cause),
        None => wanted.is_empty(),
    };
    ensure!(
        right,
        "the cause is one of {wanted:?}; the reasons given: {:?}",
        record.reasons
    );
    if let Expect::Denied(_) = case.expect {
        let denied = [&record.verdict.egress, &record.verdict.ingress];
        let ours = denied.iter().flat_map(|direction| &direction.policies).any(|policy| {
            [format!("{}/guard", stage.backend), format!("{}/lock", stage.shop)].contains(&policy.to_string())
        });
        ensure!(ours, "the policy is named");
    }
    Ok(())
}
