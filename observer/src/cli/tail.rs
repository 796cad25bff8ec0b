//! `observer tail`: a live view of connection attempts: of a cluster, of one agent, or of this node in this process.
//!
//! ```text
//! place: where from? ─┬─ local: Agent ─→ Output ─┬─→ filter ─→ Renderer ─→ standard output      (a thread of its own:
//!                     └─ remote: Session ─→ Said ┘└─ coverage, warnings, losses, summary           a slow reader blocks
//!                                                     ─→ standard error, or records in JSON        only that)
//! ```

mod local;
mod place;
mod remote;

use std::num::NonZeroU64;

use anyhow::Result;
use clap::{Args, ValueEnum};

use self::local::Local;
use self::place::{Chosen, Place};
use self::remote::Past;
use super::filter::Filters;
use super::node::{LogFormat, log_to_stderr};
use super::show::{Colour, Shower};
use crate::objects::Str;
use crate::report;

/// The arguments of `observer tail`.
#[derive(Debug, Args)]
#[command(after_help = place::HELP)]
pub struct Tail {
    /// How to print attempts.
    #[arg(short, long, value_name = "FORMAT", default_value = "compact")]
    output: Format,

    /// When to colour the output. NO_COLOR is honoured.
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    color: Colour,

    /// Of agents: show the last N attempts of the recent past and end, unless --follow. Local, where nothing is kept: end after N.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    last: Option<NonZeroU64>,

    /// Attempts of every namespace: they are shown anyway, unless --namespace is given. For hands that are used to kubectl.
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    all_namespaces: bool,

    #[command(flatten)]
    past: Past,

    #[command(flatten)]
    place: Place,

    #[command(flatten)]
    local: Local,

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

fn at_least_one(text: &str) -> Result<NonZeroU64, String> {
    text.parse().map_err(|_| "it is a number, and at least 1".to_owned())
}

impl Tail {
    /// Runs until Ctrl-C, the end of the reader, or the end of what was asked for.
    ///
    /// # Errors
    ///
    /// Invalid manifests, an unknown interface, no right or no means to load the programs, no cluster, no agents or no way to them: each
    /// says what to do.
    pub fn run(self) -> Result<()> {
        log_to_stderr(LogFormat::Text, "warn")?;
        // One thread owns all state; showing has another.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        match self.place.choose(self.local.is_meant()) {
            Chosen::Local(access) => {
                self.past.refuse_locally()?;
                let node = self.local.node()?;
                let shower = self.shower(node.clone(), self.last);
                runtime.block_on(self.local.run(node, access, shower))
            }
            Chosen::Remote(place) => {
                let ask = self.past.ask(self.last, self.filter.0.clone())?;
                let shower = self.shower("".into(), None);
                runtime.block_on(remote::run(place, ask, shower))
            }
        }
    }

    fn shower(&self, node: Str, last: Option<NonZeroU64>) -> Shower {
        Shower::new(self.output.into(), self.color, node, self.filter.0.clone(), last)
    }
}
