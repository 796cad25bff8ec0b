//! `observer agent`: the process of a DaemonSet. Watches its node and serves what it finds, until SIGTERM.
//!
//! ```text
//! one thread: Agent (engine, probe) ─→ Output, bounded ─→ threads of their own: the API's watches, serve::Server
//! ```
//!
//! The order of the start matters: attach with every capability, drop those that are needed no more, then start threads.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use tokio::runtime::Builder;

use super::grpc::GrpcArgs;
use super::node::{LogFormat, duration, host_name, log_to_stderr, stop_signal};
use crate::agent;
use crate::attempt;
use crate::cluster::{Access, Origin, Source};
use crate::engine::{Engine, Input};
use crate::events::Events;
use crate::flows::Limits;
use crate::objects::{Change, Str};
use crate::policy;
use crate::privileges;
use crate::probe::attach::Mode;
use crate::probe::kernel_log::Level;
use crate::probe::{Options, Probe};
use crate::report::clean;
use crate::serve::hub::Hub;
use crate::serve::{self, Server};
use crate::time::Time;

/// Threads that serve.
const SERVING: usize = 2;

/// So long what is served may take to end.
const GRACE: Duration = Duration::from_secs(5);

/// The arguments of `observer agent`.
#[derive(Debug, Args)]
pub struct Agent {
    /// Name of this node's Node object. Default: the host's name.
    #[arg(long, value_name = "NAME", env = "NODE_NAME")]
    node_name: Option<String>,

    /// Read the cluster's objects from these folders or files instead of the API, and watch them (repeatable).
    #[arg(long, value_name = "PATH", env = "OBSERVER_MANIFESTS", value_delimiter = ':')]
    manifests: Vec<PathBuf>,

    /// Where metrics and health are served by HTTP.
    #[arg(
        long,
        value_name = "ADDR",
        env = "OBSERVER_METRICS_LISTEN",
        default_value = "[::]:9645"
    )]
    metrics_listen: SocketAddr,

    #[command(flatten)]
    grpc: GrpcArgs,

    /// Keep so many recent attempts for clients that ask for the past; fewer where there is much to say of each.
    #[arg(long, value_name = "N", env = "OBSERVER_RECENT_ATTEMPTS", default_value = "4096")]
    recent_attempts: usize,

    /// Keep them no longer than this.
    #[arg(long, value_name = "DURATION", env = "OBSERVER_RECENT_AGE", default_value = "15m", value_parser = duration)]
    recent_age: Duration,

    /// Show clients only attempts that touch one of these namespaces. Metrics and Events tell of all.
    #[arg(
        long,
        value_name = "NAMESPACES",
        env = "OBSERVER_RESTRICT_NAMESPACES",
        value_delimiter = ','
    )]
    restrict_namespaces: Vec<String>,

    /// Write Kubernetes Events on pods whose attempts fail for a cause that is at least probable.
    #[arg(long, env = "OBSERVER_EVENTS")]
    events: bool,

    /// As kubectl's: this file instead of KUBECONFIG, ~/.kube/config or the pod's service account.
    #[arg(long, value_name = "PATH", env = "OBSERVER_KUBECONFIG")]
    kubeconfig: Option<PathBuf>,

    /// As kubectl's: this context instead of the current one.
    #[arg(long, value_name = "NAME", env = "OBSERVER_CONTEXT")]
    context: Option<String>,

    /// How long an attempt may stay unanswered before it is a timeout.
    #[arg(long, value_name = "DURATION", env = "OBSERVER_TIMEOUT", default_value = "4s", value_parser = duration)]
    timeout: Duration,

    /// How long a changed policy may take to be enforced; attempts within it are undecidable where the change matters.
    #[arg(
        long,
        value_name = "DURATION",
        env = "OBSERVER_PROPAGATION_WINDOW",
        default_value = "3s",
        value_parser = duration
    )]
    propagation_window: Duration,

    /// Observe only interfaces of this name or pattern, such as 'veth*' (repeatable). Default: every pod's.
    #[arg(long, value_name = "GLOB", env = "OBSERVER_INTERFACE", value_delimiter = ',')]
    interface: Vec<String>,

    /// How to attach to interfaces.
    #[arg(long, value_name = "MODE", env = "OBSERVER_ATTACH", default_value = "auto")]
    attach: Mode,

    /// Log the kernel programs' own debug lines of this level.
    #[arg(long, value_name = "LEVEL", env = "OBSERVER_KERNEL_LOG", default_value = "off")]
    kernel_log: Level,

    /// How log lines are written.
    #[arg(long, value_name = "FORMAT", env = "OBSERVER_LOG_FORMAT", default_value = "text")]
    log_format: LogFormat,

    /// What is logged: error, warn, info, debug or trace, also by part as in 'info,kube_client=debug'. RUST_LOG goes before.
    #[arg(long, value_name = "LEVEL", env = "OBSERVER_LOG_LEVEL", default_value = "info")]
    log_level: String,
}

impl Agent {
    /// Runs until SIGTERM or Ctrl-C.
    ///
    /// # Errors
    ///
    /// An address that is in use, objects that cannot be read, or no right or no means to load the programs: each says what to do.
    pub fn run(self) -> Result<()> {
        log_to_stderr(self.log_format, &self.log_level)?;
        let node: Str = self.node_name.clone().map_or_else(host_name, Ok)?.into();
        let watching = Builder::new_current_thread().enable_all().build()?;
        let probe = {
            let _inside = watching.enter();
            Probe::start(Options {
                interfaces: self.interface.clone(),
                attach: self.attach,
                kernel_log: self.kernel_log,
                node: Some(node.clone()),
                ..Options::default()
            })?
        };
        let kept = privileges::drop_unneeded()?;
        tracing::info!(%kept, "dropped every other capability");

        let serving = Builder::new_multi_thread()
            .worker_threads(SERVING)
            .thread_name("serve")
            .enable_all()
            .build()?;
        let (server, objects, loaded, stop) = serving.block_on(self.prepare(&node))?;
        let mut engine = Engine::new(
            attempt::Config {
                deadline: self.timeout,
                ..attempt::Config::default()
            },
            policy::Config {
                window: self.propagation_window,
                ..policy::Config::default()
            },
        );
        engine.input(Input::Loaded(loaded), Time::BEGINNING);
        let (agent, outputs) = agent::Agent::new(engine, probe, objects, node.clone());
        let served = serving.spawn(server.run(outputs));
        tracing::info!(%node, version = env!("CARGO_PKG_VERSION"), metrics = %self.metrics_listen, "watching");
        watching.block_on(agent.run(stop));
        let ended = serving.block_on(served);
        serving.shutdown_timeout(GRACE);
        ended.context("serving failed")
    }

    /// Everything that belongs to the threads that serve: what listens, where objects come from and what is known of them at once, and
    /// the signal to stop, which is heard there even if the loop hangs.
    async fn prepare(&self, node: &Str) -> Result<(Server, Source, Vec<Change>, impl Future<Output = ()> + 'static)> {
        let http = serve::listen(self.metrics_listen).with_context(|| {
            format!(
                "cannot listen at {}: choose another --metrics-listen",
                self.metrics_listen
            )
        })?;
        let access = Access {
            kubeconfig: self.kubeconfig.clone(),
            context: self.context.clone(),
        };
        let origin = if self.manifests.is_empty() {
            Origin::Cluster(access.clone())
        } else {
            Origin::Manifests(self.manifests.clone())
        };
        let (objects, loaded) = Source::open(&origin).await?;
        for warning in &loaded.warnings {
            tracing::warn!("{}", clean(warning));
        }
        let events = if self.events {
            let client = access.client().await.context("--events needs the Kubernetes API")?;
            Some(Events::start(client, node.clone()))
        } else {
            None
        };
        let limits = Limits::of(self.recent_attempts, self.recent_age);
        let shown: BTreeSet<Str> = self
            .restrict_namespaces
            .iter()
            .map(|name| name.as_str().into())
            .collect();
        let shown = Some(shown).filter(|shown| !shown.is_empty());
        let hub = Hub::new(node.clone(), limits, shown);
        let server = Server {
            http,
            grpc: self.grpc.listen(hub.clone())?,
            hub,
            events,
        };
        Ok((server, objects, loaded.changes, stop_signal()?))
    }
}

#[cfg(test)]
mod tests {
    use clap::{Arg, CommandFactory as _};

    use crate::cli::Cli;

    /// The row of the documentation: flag, environment variable, default.
    fn row(arg: &Arg) -> String {
        let value = arg.get_action().takes_values().then(|| arg.get_value_names()?.first());
        let value = value.flatten().map(|name| format!(" {name}")).unwrap_or_default();
        let variable = arg.get_env().expect("each has a variable").to_string_lossy();
        let default = arg.get_default_values().iter().map(|value| value.to_string_lossy());
        let default = default.map(|value| format!("`{value}`")).collect::<Vec<_>>().join(" ");
        let long = arg.get_long().expect("each has a long name");
        format!("| `--{long}{value}` | `{variable}` | {default} |")
    }

    #[test]
    fn the_documentation_has_every_flag_and_no_other() {
        let page = include_str!("../../../docs/agent.md");
        let documented = page.lines().filter(|line| line.starts_with("| `--"));
        let documented: Vec<_> = documented
            .map(|line| line.rsplitn(3, '|').nth(2).expect("four columns").to_owned() + "|")
            .collect();
        let command = Cli::command();
        let agent = command.find_subcommand("agent").expect("the verb");
        let flags = agent.get_arguments().filter(|arg| arg.get_id() != "help");
        assert_eq!(documented, flags.map(row).collect::<Vec<_>>());
    }
}
