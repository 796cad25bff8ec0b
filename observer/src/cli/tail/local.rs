//! This node, observed in this process.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;

use crate::agent::Agent;
use crate::attempt;
use crate::cli::node::{duration, host_name, stop_signal};
use crate::cli::show::Shower;
use crate::cluster::{Access, Origin, Source};
use crate::engine::{Engine, Input};
use crate::objects::Str;
use crate::policy;
use crate::probe::attach::Mode;
use crate::probe::kernel_log::Level;
use crate::probe::{Options, Probe};
use crate::time::Time;

/// What only this node can be told. Any of it means `--local`.
#[derive(Debug, Args)]
#[command(next_help_heading = "This node")]
pub(super) struct Local {
    /// Observe this node in this process, whatever cluster a kubeconfig names.
    #[arg(long, conflicts_with_all = ["server", "agent_namespace"])]
    local: bool,

    /// Read Pods, Namespaces, Services, EndpointSlices, Nodes and NetworkPolicies from this folder or file, and watch it
    /// (repeatable). Without it, and without --kubeconfig or --context, attempts are shown by address, and no policy is judged.
    #[arg(long, value_name = "PATH", conflicts_with_all = ["server", "agent_namespace", "kubeconfig", "context"])]
    manifests: Vec<PathBuf>,

    /// Observe only interfaces of this name or pattern, such as 'veth*' (repeatable). Default: every pod's.
    #[arg(long, value_name = "GLOB", conflicts_with = "server")]
    interface: Vec<String>,

    /// Name of this node's Node object. Default: the host's name.
    #[arg(long, value_name = "NAME", env = "NODE_NAME")]
    node_name: Option<String>,

    /// How long an attempt may stay unanswered before it is a timeout. [default: 4s]
    #[arg(long, value_name = "DURATION", value_parser = duration, conflicts_with = "server")]
    timeout: Option<Duration>,

    /// How long a changed policy may take to be enforced; attempts within it are undecidable where the change matters. [default: 0s,
    /// with objects of a cluster 3s]
    #[arg(long, value_name = "DURATION", value_parser = duration, conflicts_with = "server")]
    propagation_window: Option<Duration>,

    /// How to attach to interfaces. [default: auto]
    #[arg(long, value_name = "MODE", conflicts_with = "server")]
    attach: Option<Mode>,

    /// Print the kernel programs' own debug lines of this level. [default: off]
    #[arg(long, value_name = "LEVEL", conflicts_with = "server")]
    kernel_log: Option<Level>,
}

impl Local {
    /// Whether something was said that only this node can be told. The node's name may come from the environment of a pod.
    pub(super) fn is_meant(&self) -> bool {
        self.local
            || !self.manifests.is_empty()
            || !self.interface.is_empty()
            || self.timeout.is_some()
            || self.propagation_window.is_some()
            || self.attach.is_some()
            || self.kernel_log.is_some()
    }

    pub(super) fn node(&self) -> Result<Str> {
        Ok(self.node_name.clone().map_or_else(host_name, Ok)?.into())
    }

    /// Observes until Ctrl-C, or until nothing more is to be shown. Objects come from the manifests, else from the cluster of `access`.
    pub(super) async fn run(self, node: Str, access: Option<Access>, shower: Shower) -> Result<()> {
        let (origin, window) = match access {
            _ if !self.manifests.is_empty() => (Origin::Manifests(self.manifests), Duration::ZERO),
            Some(access) => (Origin::Cluster(access), policy::Config::default().window),
            None => (Origin::Nowhere, Duration::ZERO),
        };
        let attempts = attempt::Config::default();
        let mut engine = Engine::new(
            attempt::Config {
                deadline: self.timeout.unwrap_or(attempts.deadline),
                ..attempts
            },
            policy::Config {
                window: self.propagation_window.unwrap_or(window),
                ..policy::Config::default()
            },
        );
        let (objects, loaded) = Source::open(&origin).await?;
        for warning in loaded.warnings {
            shower.warn(&warning).context("cannot write to standard output")?;
        }
        engine.input(Input::Loaded(loaded.changes), Time::BEGINNING);
        let probe = Probe::start(Options {
            interfaces: self.interface,
            attach: self.attach.unwrap_or_default(),
            kernel_log: self.kernel_log.unwrap_or_default(),
            node: Some(node.clone()),
            ..Options::default()
        })?;
        let stop = stop_signal()?;
        let (agent, outputs) = Agent::new(engine, probe, objects, node);
        let showing = shower.spawn(outputs)?;
        agent.run(stop).await;
        showing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}
