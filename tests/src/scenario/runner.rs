//! Plays scenarios side by side in one lab under one observer, and compares.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use nix::errno::Errno;
use serde_json::Value;

use super::text::{fill, fill_json};
use super::{Dialling, From, Scenario, Step, listen, mismatches};
use crate::lab::{Family, Lab, Listener, Observer, Tail, Topology, dial_from};

/// How long after the traffic the records may take: the observer's deadline of 4 s, and a busy machine.
const WITHIN: Duration = Duration::from_secs(15);

/// A lab with the objects, rules and applications of scenarios.
#[derive(Debug)]
pub struct Prepared {
    /// Applications, ended before the lab.
    _listeners: Vec<Listener>,
    /// The lab.
    pub lab: Lab,
}

/// An attempt that was made, and what must be said of it.
#[derive(Clone, Debug)]
pub struct Played {
    /// The scenario and family, for messages.
    pub title: String,
    /// The client's address and port.
    pub client: SocketAddr,
    /// What was dialled.
    pub dialled: SocketAddr,
    /// How many attempts with the same addresses and ports came before it in its scenario.
    pub nth: usize,
    /// What must be said, with addresses filled in.
    pub says: Value,
    /// What the application read, where it was not as expected.
    pub misread: Option<String>,
}

/// Makes a lab with everything that `scenarios` need.
pub fn prepare(topology: Topology, scenarios: &[Scenario]) -> Result<Prepared> {
    let mut lab = Lab::new(topology)?;
    let mut listeners = Vec::new();
    for scenario in scenarios {
        let made = add(scenario, &mut lab).with_context(|| format!("preparing {}", scenario.name))?;
        listeners.extend(made);
    }
    Ok(Prepared {
        _listeners: listeners,
        lab,
    })
}

fn add(scenario: &Scenario, lab: &mut Lab) -> Result<Vec<Listener>> {
    for (name, labels) in &scenario.namespaces {
        lab.manifests().namespace(name, labels)?;
    }
    for pod in &scenario.pods {
        lab.add_pod(pod.clone())?;
    }
    for service in &scenario.services {
        lab.add_service(service.clone())?;
    }
    for (number, policy) in scenario.policies.iter().enumerate() {
        lab.manifests()
            .write(&format!("policy-{}-{number}.yaml", scenario.name), policy)?;
    }
    for &family in scenario.families {
        for (chain, rule) in &scenario.rules {
            lab.rule(*chain, &fill(rule, lab, family))?;
        }
        for (pod, way, rule) in &scenario.pod_rules {
            lab.pod(pod).rule(way, &fill(rule, lab, family))?;
        }
    }
    listen(scenario, lab)
}

/// Plays one scenario in one family, and returns the attempts it made.
pub fn play(scenario: &Scenario, lab: &Lab, family: Family) -> Result<Vec<Played>> {
    let title = format!("{} {family:?}", scenario.name);
    let mut played: Vec<Played> = Vec::new();
    for step in &scenario.steps {
        let (attempts, says, misread) = match step {
            Step::Do(change) => {
                change(lab, family).with_context(|| title.clone())?;
                continue;
            }
            Step::Wire(wire, says) => (wire(lab, family).with_context(|| title.clone())?, says, None),
            Step::Dial(dialling) => {
                let (client, dialled, read) = dial(dialling, lab, family)?;
                let wanted = dialling.must_read(family);
                let misread = (read != wanted).then(|| format!("the application read {read:?} instead of {wanted:?}"));
                (vec![(client, dialled)], &dialling.says, misread)
            }
        };
        for (at, (client, dialled)) in attempts.into_iter().enumerate() {
            let nth = played
                .iter()
                .filter(|before| (before.client, before.dialled) == (client, dialled))
                .count();
            played.push(Played {
                title: title.clone(),
                client,
                dialled,
                nth,
                says: if at == 0 {
                    fill_json(says, lab, family)
                } else {
                    Value::Null
                },
                misread: misread.clone(),
            });
        }
    }
    Ok(played)
}

fn dial(dialling: &Dialling, lab: &Lab, family: Family) -> Result<(SocketAddr, SocketAddr, Option<Errno>)> {
    let namespace = match dialling.from {
        From::Pod(pod) => lab.pod(pod).netns(),
        From::Node => lab.node(),
        From::Outside => lab.outside(),
    };
    let address = fill(dialling.to, lab, family);
    let address = address
        .parse()
        .with_context(|| format!("{} is no address: {address}", dialling.to))?;
    let peer = SocketAddr::new(address, dialling.port);
    let dial = dial_from(
        namespace,
        dialling.source_port,
        peer,
        dialling.patience,
        dialling.flavour,
    );
    Ok((dial.local, peer, dial.errno()))
}

impl Played {
    /// Waits until `until` for what the observer says of this attempt; returns what is wrong with it.
    pub fn check(&self, observer: &Observer, until: Instant) -> Vec<String> {
        let said = if self.says.is_null() {
            Vec::new()
        } else {
            match self.await_final(observer, until) {
                Ok(record) => {
                    let mut lines = mismatches(&self.says, &record);
                    if !lines.is_empty() {
                        lines.push(format!("  in {record}"));
                    }
                    lines
                }
                Err(error) => vec![error],
            }
        };
        self.misread
            .iter()
            .cloned()
            .chain(said)
            .map(|line| format!("{}: {line}", self.title))
            .collect()
    }

    fn await_final(&self, observer: &Observer, until: Instant) -> Result<Value, String> {
        let ours = |record: &Value| {
            record["type"] == "attempt"
                && record["final"] == true
                && is_at(&record["source"], self.client)
                && is_at(&record["destination"], self.dialled)
        };
        let nth = observer.await_output(until.saturating_duration_since(Instant::now()), |_, records, _| {
            records.iter().filter(|record| ours(record)).nth(self.nth).cloned()
        });
        nth.map_err(|_| {
            format!(
                "no final record for {} → {} (number {})",
                self.client,
                self.dialled,
                self.nth + 1
            )
        })
    }
}

fn is_at(party: &Value, address: SocketAddr) -> bool {
    let ip = party["ip"].as_str().and_then(|ip| ip.parse().ok());
    ip == Some(address.ip()) && party["port"].as_u64() == Some(u64::from(address.port()))
}

/// Plays every scenario in every family at once; an error lists everything that was not said as it must be.
///
/// With `SCENARIO=name` in the environment only that one is played.
pub fn run_all(topology: Topology, scenarios: Vec<Scenario>) -> Result<()> {
    let wanted = std::env::var("SCENARIO").ok();
    let scenarios: Vec<Scenario> = scenarios
        .into_iter()
        .filter(|scenario| wanted.as_deref().is_none_or(|name| name == scenario.name))
        .collect();
    if scenarios.is_empty() {
        return Ok(());
    }
    let prepared = prepare(topology, &scenarios)?;
    let lab = &prepared.lab;
    let links: Vec<&str> = lab.pods().iter().map(crate::lab::Pod::link).collect();
    let manifests = lab.manifests().path();
    let observer = Tail::json()
        .arg("--manifests")
        .arg(manifests)
        .start(lab.node(), &links)?;
    let played = play_all(&scenarios, lab)?;
    let until = Instant::now() + WITHIN;
    let mut wrong: Vec<String> = played
        .iter()
        .flat_map(|played| played.check(&observer, until))
        .collect();
    let finished = observer.interrupt()?;
    wrong.extend(check_stream(&finished.records, &played));
    if finished.code() != 0 {
        wrong.push(format!(
            "the observer ended with code {}: {}",
            finished.code(),
            finished.errors.join("\n")
        ));
    }
    ensure!(
        wrong.is_empty(),
        "{} things were not said as they must be:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    Ok(())
}

fn play_all(scenarios: &[Scenario], lab: &Lab) -> Result<Vec<Played>> {
    thread::scope(|scope| {
        let playing: Vec<_> = scenarios
            .iter()
            .flat_map(|scenario| scenario.families.iter().map(move |&family| (scenario, family)))
            .map(|(scenario, family)| scope.spawn(move || play(scenario, lab, family)))
            .collect();
        let mut played = Vec::new();
        for thread in playing {
            played.extend(thread.join().map_err(|_| anyhow!("a scenario panicked"))??);
        }
        Ok(played)
    })
}

/// What must hold for the records as a whole: every attempt final once, and none that nobody made.
fn check_stream(records: &[Value], played: &[Played]) -> Vec<String> {
    let attempts = || records.iter().filter(|record| record["type"] == "attempt");
    let finals: Vec<&Value> = attempts().filter(|record| record["final"] == true).collect();
    let mut wrong = Vec::new();
    for (at, record) in finals.iter().enumerate() {
        if finals[..at].iter().any(|before| before["id"] == record["id"]) {
            wrong.push(format!("final twice: {record}"));
        }
        if !played.iter().any(|played| is_at(&record["source"], played.client)) {
            wrong.push(format!("an attempt that nobody made: {record}"));
        }
    }
    for record in attempts().filter(|record| record["final"] != true) {
        if !finals.iter().any(|found| found["id"] == record["id"]) {
            wrong.push(format!("never final: {record}"));
        }
    }
    wrong
}
