//! How the loop is doing: what it holds, how full its tables are, what was lost. Told once a second, for metrics and health.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::cluster::Health;
use crate::engine::Engine;
use crate::objects::{Kind, Str};
use crate::time::Time;

/// From here on the clock is said to be off. Slower corrections move the monotonic clock as well.
pub const CLOCK_OFF: Duration = Duration::from_secs(2);

/// A moment of the loop.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// When.
    pub at: Time,
    /// How far the times that are told are from the time of day, which was set since the start.
    pub clock_off: Duration,
    /// When the table of unfinished handshakes was last read.
    pub swept: Time,
    /// Everything that the kernel side and the tracker count, since the start, by name.
    pub counters: BTreeMap<&'static str, u64>,
    /// Tables of bounded size.
    pub tables: Vec<Table>,
    /// The most that waited in the kernel's ring at once since the last figures, and its size; in bytes.
    pub ring: (u64, u64),
    /// Entries in the connection tracking table and its limit; `None` where there is none.
    pub conntrack: Option<(u64, u64)>,
    /// How well the cluster is known; `None` where the objects do not come from one.
    pub api: Option<Health>,
    /// What is known of the cluster.
    pub held: Arc<Held>,
    /// Namespaces whose policies changed since the last figures, once for each change; `None` for cluster-wide policies.
    pub policies_changed: Vec<Option<Str>>,
}

/// How full a table is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Table {
    /// Its name, in snake case.
    pub name: &'static str,
    /// Entries.
    pub used: u64,
    /// The most that it may have.
    pub capacity: u64,
}

/// What is known of the cluster.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Held {
    /// Objects by kind.
    pub objects: BTreeMap<Kind, usize>,
    /// NetworkPolicies by namespace.
    pub policies: BTreeMap<Str, usize>,
}

impl Held {
    /// What `engine` knows at `now`. Costs a look at every object.
    pub(super) fn count(engine: &Engine, now: Time) -> Self {
        let (endpoints, policies) = (engine.world().endpoints(), engine.world().policies());
        let by_namespace: BTreeMap<Str, usize> = policies.in_force().collect();
        let mut objects = policies.objects(now);
        objects.insert(Kind::NetworkPolicy, by_namespace.values().sum());
        objects.extend(endpoints.objects(now));
        Self {
            objects,
            policies: by_namespace,
        }
    }
}
