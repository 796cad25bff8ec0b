//! The Kubernetes API as the source of objects: the same changes as from a folder of manifests.
//!
//! ```text
//! API server ─→ line.rs → watcher → wire.rs → table.rs (differences) ─→ follow.rs ─→ Update → next().await
//!               └─ directory of what is served: kinds.rs, discover.rs ──────┘
//! ```
//!
//! All of it runs on a thread of its own, so that a list of ten thousand pods keeps nobody waiting. What is known stays known
//! while the server is away; what may be wrong with it is told as changes too (`Unsynced`, `Unheard`, `Doubt`, `Foreign`).

mod access;
mod discover;
mod follow;
mod kinds;
mod line;
mod once;
mod settle;
mod table;
mod wire;
mod words;

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, SystemTime};

use tokio::sync::{mpsc, oneshot, watch};

pub use access::{Access, AccessError};
pub use once::ReadError;
pub(super) use once::{everything, written};
pub(crate) use words::reason;

use super::watch::{Loaded, Update};
use crate::objects::{Change, Str};
use crate::time::Time;
use follow::Follower;

/// Updates that may wait for the reader before the API is kept waiting.
const WAITING: usize = 16;

/// How often is looked, and how long is waited.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// How often is asked which policy kinds are served: so late a new one is known at the most.
    pub look: Duration,
    /// So long the server may take for each answer to that.
    pub answer: Duration,
    /// So long a line may be down before that is told.
    pub patience: Duration,
    /// How often the lines are looked at.
    pub tick: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            look: Duration::from_secs(30),
            answer: Duration::from_secs(10),
            patience: Duration::from_secs(5),
            tick: Duration::from_secs(1),
        }
    }
}

/// How well the cluster is known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Health {
    /// Every kind was listed, as far as that is allowed.
    pub synced: bool,
    /// The last time of which every change is known; `None` before the first full list.
    pub current: Option<Time>,
    /// The objects that are known, by kind as `kubectl` names it.
    pub objects: BTreeMap<Str, usize>,
    /// How many of them cannot be read.
    pub refused: usize,
    /// Requests that were made.
    pub requests: u64,
    /// Why nothing is heard, or why there is no full list yet, if that is so.
    pub trouble: Option<String>,
}

/// A cluster, followed until this is dropped.
#[derive(Debug)]
pub struct Cluster {
    updates: mpsc::Receiver<Update>,
    health: watch::Receiver<Health>,
}

impl Cluster {
    /// Begins to follow. What is known at once is that nothing is: the objects come with the first update.
    ///
    /// # Errors
    /// No cluster is named, or its kubeconfig is of no use. That the server does not answer is told by updates.
    pub async fn open(access: &Access, timing: Timing) -> Result<(Self, Loaded), AccessError> {
        let (sender, updates) = mpsc::channel(WAITING);
        let (health_sender, health) = watch::channel(Health::default());
        let (opened, opening) = oneshot::channel();
        let access = access.clone();
        let follow = move || {
            let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => return drop(opened.send(Err(AccessError::NoThread(error)))),
            };
            runtime.block_on(async {
                // The client belongs to this thread's runtime.
                match access.client().await {
                    Ok(client) => {
                        if opened.send(Ok(())).is_ok() {
                            Follower::new(client, timing, sender, health_sender).run().await;
                        }
                    }
                    Err(error) => drop(opened.send(Err(error))),
                }
            });
        };
        let spawned = thread::Builder::new().name("cluster".to_owned()).spawn(follow);
        spawned.map_err(AccessError::NoThread)?;
        opening
            .await
            .map_err(|gone| AccessError::NoThread(std::io::Error::other(gone)))??;
        let loaded = Loaded {
            changes: vec![Change::Unsynced],
            warnings: Vec::new(),
        };
        Ok((Self { updates, health }, loaded))
    }

    /// The next update; never returns if there will be none. Cancel-safe: an update that was not returned is returned by the
    /// next call.
    pub async fn next(&mut self) -> Update {
        match self.updates.recv().await {
            Some(update) => update,
            None => std::future::pending().await,
        }
    }

    /// How well the cluster is known now.
    #[must_use]
    pub fn health(&self) -> Health {
        self.health.borrow().clone()
    }
}

/// The border's clock.
fn now() -> Time {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Time::BEGINNING + since.unwrap_or_default()
}
