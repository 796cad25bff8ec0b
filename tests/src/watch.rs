//! Runs a probe inside a namespace of the lab.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use nix::sched::{CloneFlags, setns};

use crate::lab::NetNs;
use observer::attempt::{Observation, Point};
use observer::endpoint::OwnNode;
use observer::probe::attach::Mode;
use observer::probe::coverage::Coverage;
use observer::probe::{Options, Probe, ProbeEvent};

const DEADLINE: Duration = Duration::from_secs(10);

/// Attach in this way, to everything.
pub fn options(attach: Mode) -> Options {
    Options {
        attach,
        ..Options::default()
    }
}

/// A running probe and what it has told so far.
pub struct Watch {
    /// The probe.
    pub probe: Probe,
    /// Every observation, in order.
    pub seen: Vec<Observation>,
    /// The node's addresses, as last told.
    pub node: Option<OwnNode>,
    /// The last statement.
    pub told_coverage: Option<Coverage>,
}

/// Starts a probe in the namespace and runs `work` with it.
///
/// # Panics
///
/// If it does not start, or says nothing.
pub fn watch(namespace: &NetNs, options: Options, work: impl AsyncFnOnce(&mut Watch) + Send) {
    in_namespace(namespace.name(), options, work);
}

/// As [`watch`], where the lab is changed meanwhile: by the namespace's name.
///
/// # Panics
///
/// As [`watch`].
pub fn in_namespace(name: &str, options: Options, work: impl AsyncFnOnce(&mut Watch) + Send) {
    let namespace = File::open(Path::new("/run/netns").join(name)).expect("the namespace");
    std::thread::scope(|scope| {
        let worker = scope.spawn(|| {
            setns(&namespace, CloneFlags::CLONE_NEWNET).expect("entering the namespace");
            run(options, work);
        });
        worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
}

fn run(options: Options, work: impl AsyncFnOnce(&mut Watch)) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let mut watch = Watch {
            probe: Probe::start(options).unwrap_or_else(|error| panic!("the probe does not start: {error}")),
            seen: Vec::new(),
            node: None,
            told_coverage: None,
        };
        watch
            .until("the first statement", |watch| watch.told_coverage.is_some())
            .await;
        work(&mut watch).await;
        watch.probe.stop();
    });
}

impl Watch {
    /// Takes in what the probe tells until `done`.
    ///
    /// # Panics
    ///
    /// When the time is over, or when the probe warns.
    pub async fn until(&mut self, what: &str, mut done: impl FnMut(&Self) -> bool) {
        let wait = async {
            while !done(self) {
                match self.probe.next().await {
                    ProbeEvent::Observations(mut seen) => self.seen.append(&mut seen),
                    ProbeEvent::Node(node) => self.node = Some(node),
                    ProbeEvent::Coverage(coverage) => self.told_coverage = Some(coverage),
                    ProbeEvent::Warning(line) => panic!("{line}"),
                }
            }
        };
        if tokio::time::timeout(DEADLINE, wait).await.is_err() {
            panic!(
                "waited for {what}; coverage {:?}; seen {:?}",
                self.probe.coverage(),
                self.seen
            );
        }
    }

    /// Reads the table.
    pub fn sweep(&mut self) -> Vec<Observation> {
        self.probe.sweep()
    }

    /// What is observed now.
    pub fn coverage(&self) -> Coverage {
        self.probe.coverage()
    }

    /// The observed interfaces as they are now.
    pub fn points(&self) -> Vec<Point> {
        self.probe.points().cloned().collect()
    }
}
