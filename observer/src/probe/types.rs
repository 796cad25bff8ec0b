//! What the probe is told at start, what it tells, and why it may refuse.

use std::io;

use super::attach::Mode;
use super::coverage::Coverage;
use super::kernel_log::Level;
use super::load::{LoadError, Sizes};
use crate::attempt::Observation;
use crate::endpoint::OwnNode;
use crate::objects::Str;

/// What the user chooses.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Names or patterns (`*`, `?`) of interfaces; empty for every pod's.
    pub interfaces: Vec<String>,
    /// How to attach.
    pub attach: Mode,
    /// The kernel programs' debug lines.
    pub kernel_log: Level,
    /// Sizes of the tables.
    pub sizes: Sizes,
    /// The name of this node's Node object, if it is known.
    pub node: Option<Str>,
}

/// Why nothing can be watched.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The programs cannot be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// An interface that was named does not exist.
    #[error("there is no interface {0} in this network namespace (`ip link` shows those that there are)")]
    NoInterface(String),
    /// Links cannot be read.
    #[error("cannot read the network interfaces: {0}")]
    Netlink(io::Error),
    /// The own namespace is unknown.
    #[error("cannot find the own network namespace: {0}; /proc must be mounted")]
    OwnNamespace(io::Error),
    /// No interface can be attached to.
    #[error("cannot attach to interface {name}: {why}")]
    Attach {
        /// The interface.
        name: String,
        /// Why.
        why: String,
    },
}

/// What the probe tells.
#[derive(Debug)]
pub enum ProbeEvent {
    /// What was seen, in order.
    Observations(Vec<Observation>),
    /// The node's own addresses changed.
    Node(OwnNode),
    /// What is observed changed.
    Coverage(Coverage),
    /// Something went wrong that is worth a line.
    Warning(String),
}
