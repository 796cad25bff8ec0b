//! `observer tail`: the live view of this node, in this process, until Ctrl-C.
//!
//! ```text
//! Agent ─→ Output ─→ filter ─→ Renderer ─→ standard output      (a thread of its own: a slow reader blocks only that)
//!                └─ coverage, warnings, losses, summary ─→ standard error, or status records in JSON
//! ```

use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};

use super::filter::Filters;
use super::node::{LogFormat, duration, host_name, log_to_stderr, stop_signal};
use super::show::{Colour, Shower};
use crate::agent::Agent;
use crate::attempt;
use crate::cluster::{Origin, Source};
use crate::engine::{Engine, Input};
use crate::objects::Str;
use crate::policy;
use crate::probe::attach::Mode;
use crate::probe::kernel_log::Level;
use crate::probe::{Options, Probe};
use crate::report;
use crate::time::Time;

/// The arguments of `observer tail`.
#[derive(Debug, Args)]
pub struct Tail {
    /// Read Pods, Namespaces, Services, EndpointSlices, Nodes and NetworkPolicies from this folder or file, and watch it
    /// (repeatable). Without it attempts are shown by address, and no policy is judged.
    #[arg(long, value_name = "PATH")]
    manifests: Vec<PathBuf>,

    /// Observe only interfaces of this name or pattern, such as 'veth*' (repeatable). Default: every pod's.
    #[arg(long, value_name = "GLOB")]
    interface: Vec<String>,

    /// Name of this node's Node object. Default: the host's name.
    #[arg(long, value_name = "NAME", env = "NODE_NAME")]
    node_name: Option<String>,

    /// How long an attempt may stay unanswered before it is a timeout.
    #[arg(long, value_name = "DURATION", default_value = "4s", value_parser = duration)]
    timeout: Duration,

    /// How long a changed policy may take to be enforced; attempts within it are undecidable where the change matters.
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration)]
    propagation_window: Duration,

    /// How to print attempts.
    #[arg(short, long, value_name = "FORMAT", default_value = "compact")]
    output: Format,

    /// When to colour the output. NO_COLOR is honoured.
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    color: Colour,

    /// Accepted for the habit: tail always follows.
    #[arg(short, long)]
    follow: bool,

    /// End after this many attempts were shown.
    #[arg(long, value_name = "N")]
    last: Option<NonZeroU64>,

    /// How to attach to interfaces.
    #[arg(long, value_name = "MODE", default_value = "auto")]
    attach: Mode,

    /// Print the kernel programs' own debug lines of this level.
    #[arg(long, value_name = "LEVEL", default_value = "off")]
    kernel_log: Level,

    #[command(flatten)]
    filter: Filters,
}

/// A form of output.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// Lines for people.
    Compact,
    /// Columns.
    Table,
    /// Everything, a key and a value on each line.
    Dict,
    /// One JSON object a line.
    Json,
}

impl From<Format> for report::Format {
    fn from(format: Format) -> Self {
        match format {
            Format::Compact => Self::Compact,
            Format::Table => Self::Table,
            Format::Dict => Self::Dict,
            Format::Json => Self::Json,
        }
    }
}

impl Tail {
    /// Runs until Ctrl-C, the end of the reader, or `--last`.
    ///
    /// # Errors
    ///
    /// Invalid manifests, an unknown interface, or no right or no means to load the programs: each says what to do.
    pub fn run(self) -> Result<()> {
        log_to_stderr(LogFormat::Text, "warn")?;
        // One thread owns all state; showing has another.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(self.watch())
    }

    async fn watch(self) -> Result<()> {
        let node: Str = self.node_name.clone().map_or_else(host_name, Ok)?.into();
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
        let shower = Shower::new(self.output.into(), self.color, node.clone(), self.filter.0, self.last);
        let origin = if self.manifests.is_empty() {
            Origin::Nowhere
        } else {
            Origin::Manifests(self.manifests)
        };
        let (objects, loaded) = Source::open(&origin).await?;
        for warning in loaded.warnings {
            shower.warn(&warning).context("cannot write to standard output")?;
        }
        engine.input(Input::Loaded(loaded.changes), Time::BEGINNING);
        let probe = Probe::start(Options {
            interfaces: self.interface,
            attach: self.attach,
            kernel_log: self.kernel_log,
            node: Some(node.clone()),
            ..Options::default()
        })?;
        let stop = stop_signal()?;
        let (agent, outputs) = Agent::new(engine, probe, objects, node);
        let showing = std::thread::Builder::new()
            .name("show".into())
            .spawn(move || shower.run(outputs))?;
        agent.run(stop).await;
        showing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}
