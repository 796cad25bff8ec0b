//! Loading the manifests, and following them while they are edited.
//!
//! ```text
//! inotify → Events (paths) → a thread: wait until it is quiet, look at the files → Update → next().await
//! ```
//!
//! Files are read on a thread of their own, so that nobody waits for a large one. An event only says that it is time to look:
//! every file is compared with what is known of it, so that replaced links, renamed folders and lost events are the same case.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc as events;
use std::thread;
use std::time::{Duration, Instant};

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

use super::folder::Signature;
use super::problem::Errors;
use super::store::{Difference, Store};
use crate::objects::Change;

/// So long no event must come before the files are read: an editor writes, renames and deletes at one go.
const QUIET: Duration = Duration::from_millis(30);

/// So long at most reading is put off.
const PATIENCE: Duration = Duration::from_millis(500);

/// What is known at once.
#[derive(Debug, Default)]
pub struct Loaded {
    /// To be applied as of [`crate::time::Time::BEGINNING`].
    pub changes: Vec<Change>,
    /// What the user should know: skipped kinds, policies that are not evaluated, older forms. A line each.
    pub warnings: Vec<String>,
}

/// What came later.
#[derive(Debug, Default)]
pub struct Update {
    /// What a first list brought, which held before: to be applied as of [`crate::time::Time::BEGINNING`], before `changes`.
    pub loaded: Vec<Change>,
    /// To be applied in this order, as of now.
    pub changes: Vec<Change>,
    /// What the user should know, a line each: what can no longer be read and why, what can be read again.
    pub messages: Vec<String>,
}

impl Update {
    pub(super) fn is_empty(&self) -> bool {
        self.loaded.is_empty() && self.changes.is_empty() && self.messages.is_empty()
    }
}

/// The manifests under some paths, followed until this is dropped.
#[derive(Debug)]
pub struct Manifests {
    updates: mpsc::UnboundedReceiver<Update>,
    /// Tells the thread to end.
    stop: events::Sender<Event>,
}

impl Drop for Manifests {
    fn drop(&mut self) {
        // An error says that it has ended.
        let _ended = self.stop.send(Event::Stop);
    }
}

impl Manifests {
    /// Reads every manifest under `paths` (files or folders) and begins to follow them.
    ///
    /// # Errors
    /// Everything that is wrong with them: nothing is taken then.
    pub fn load(paths: &[PathBuf]) -> Result<(Self, Loaded), Errors> {
        let (sender, events) = events::channel();
        // Followed first: a change while they are read is not missed.
        let mut followed = Followed::new(paths, &sender);
        let warned = followed.follow();
        let (loaded, reply) = events::channel();
        let (updates, receiver) = mpsc::unbounded_channel();
        let roots = paths.to_owned();
        let reader = thread::Builder::new().name("manifests".to_owned()).spawn(move || {
            let mut store = Store::new(roots);
            let first = store.look(&HashSet::new());
            let go_on = first.refused.is_empty();
            if loaded.send(first).is_ok() && go_on {
                follow(store, followed, &events, &updates);
            }
        });
        let first = reader
            .and_then(|_| reply.recv().map_err(std::io::Error::other))
            .map_err(|error| {
                let file = "manifests".into();
                let message = format!("the thread that reads them cannot run ({error}): allow more threads");
                Errors(vec![super::problem::Problem::of_file(&file, message)])
            })?;
        if !first.refused.is_empty() {
            let mut problems: Vec<_> = first.refused.into_iter().flat_map(|file| file.problems).collect();
            problems.sort();
            return Err(Errors(problems));
        }
        let mut warnings = first.warnings;
        warnings.extend(foreign(&first.changes));
        warnings.extend(warned);
        let loaded = Loaded {
            changes: first.changes,
            warnings,
        };
        let manifests = Self {
            updates: receiver,
            stop: sender,
        };
        Ok((manifests, loaded))
    }

    /// The next update; never returns if the files can't be followed any more. Cancel-safe: an update that was not returned
    /// is returned by the next call.
    pub async fn next(&mut self) -> Update {
        match self.updates.recv().await {
            Some(update) => update,
            None => std::future::pending().await,
        }
    }
}

/// Which paths are watched.
#[derive(Debug)]
struct Followed {
    watcher: Result<RecommendedWatcher, notify::Error>,
    roots: Vec<Root>,
}

#[derive(Debug)]
struct Root {
    path: PathBuf,
    /// The root as it was when it was watched; `None` until it can be.
    watched: Option<Signature>,
}

impl Followed {
    fn new(paths: &[PathBuf], events: &events::Sender<Event>) -> Self {
        let events = events.clone();
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // Reading makes events too (open, close); they say nothing.
            let paths = match event {
                Ok(event) if event.kind.is_access() && !event.need_rescan() => return,
                Ok(event) => event.paths,
                Err(error) => error.paths,
            };
            // Nobody listens any more only when the observer ends.
            let _ended = events.send(Event::Touched(paths));
        });
        let root = |path: &PathBuf| Root {
            path: path.clone(),
            watched: None,
        };
        Self {
            watcher,
            roots: paths.iter().map(root).collect(),
        }
    }

    /// Watches what is not yet watched, and what was replaced since. Gives a line for each path that cannot be followed.
    fn follow(&mut self) -> Vec<String> {
        let watcher = match &mut self.watcher {
            Ok(watcher) => watcher,
            Err(error) => return vec![cannot_follow(Path::new("manifests"), error)],
        };
        let now: Vec<Option<Signature>> = self.roots.iter().map(|root| Signature::of(&root.path).ok()).collect();
        let as_watched = |(root, now): (&Root, &Option<Signature>)| match (root.watched, now) {
            (Some(watched), Some(now)) => watched.is_same_file(*now),
            (None, None) => true,
            _ => false,
        };
        if self.roots.iter().zip(&now).all(as_watched) {
            return Vec::new();
        }
        let mut warnings = Vec::new();
        // The folder around a root tells when the root itself is replaced, as editors and mounted ConfigMaps do; that of what
        // it links to tells when that is changed. Folders come last: to watch one flat ends watching what is in it.
        for root in &self.roots {
            let linked = root.path.canonicalize().ok();
            for path in [Some(&root.path), linked.as_ref()].into_iter().flatten() {
                if let Err(error) = watcher.watch(around(path), RecursiveMode::NonRecursive) {
                    warnings.push(cannot_follow(path, &error));
                }
            }
        }
        for (root, now) in self.roots.iter_mut().zip(now) {
            root.watched = now;
            if root.path.is_dir() {
                // What was here before may be gone, and the watch with it.
                let _none = watcher.unwatch(&root.path);
                if let Err(error) = watcher.watch(&root.path, RecursiveMode::Recursive) {
                    warnings.push(cannot_follow(&root.path, &error));
                }
            }
        }
        warnings
    }
}

fn around(path: &Path) -> &Path {
    match path.parent() {
        Some(around) if around.as_os_str().is_empty() => Path::new("."),
        Some(around) => around,
        None => Path::new("/"),
    }
}

fn cannot_follow(path: &Path, error: &notify::Error) -> String {
    format!(
        "{}: changes cannot be followed ({error}): raise fs.inotify.max_user_watches and max_user_instances, or restart after each change",
        path.display()
    )
}

/// What the thread waits for.
#[derive(Debug)]
enum Event {
    /// Something happened at these paths.
    Touched(Vec<PathBuf>),
    /// Nobody listens any more.
    Stop,
}

/// Tells what changes until nobody listens.
fn follow(
    mut store: Store,
    mut followed: Followed,
    events: &events::Receiver<Event>,
    updates: &mpsc::UnboundedSender<Update>,
) {
    while let Some(touched) = quiet(events) {
        let warnings = followed.follow();
        let mut update = told(store.look(&touched));
        update.messages.extend(warnings);
        if !update.is_empty() && updates.send(update).is_err() {
            return;
        }
    }
}

/// Waits for an event and then until it is quiet. `None` when nobody listens any more.
fn quiet(events: &events::Receiver<Event>) -> Option<HashSet<PathBuf>> {
    let mut touched = match events.recv() {
        Ok(Event::Touched(paths)) => HashSet::from_iter(paths),
        Ok(Event::Stop) | Err(_) => return None,
    };
    let until = Instant::now() + PATIENCE;
    while let Some(left) = until.checked_duration_since(Instant::now()) {
        match events.recv_timeout(QUIET.min(left)) {
            Ok(Event::Touched(paths)) => touched.extend(paths),
            Ok(Event::Stop) => return None,
            Err(_) => break,
        }
    }
    Some(touched)
}

/// A difference in words.
fn told(difference: Difference) -> Update {
    let mut messages = difference.warnings;
    messages.extend(foreign(&difference.changes));
    for refused in difference.refused {
        messages.extend(refused.problems.iter().map(ToString::to_string));
        let meanwhile = if refused.has_earlier {
            "its last good version stays in force"
        } else {
            "it is not used"
        };
        messages.push(format!(
            "{}: until this is corrected {meanwhile}, and attempts that it may concern are undecidable (objects-in-doubt)",
            refused.file
        ));
    }
    for file in difference.recovered {
        messages.push(format!("{file}: it can be read again, or is gone"));
    }
    Update {
        changes: difference.changes,
        messages,
        ..Update::default()
    }
}

/// A line for each policy that is not evaluated.
pub(super) fn foreign(changes: &[Change]) -> impl Iterator<Item = String> {
    changes.iter().filter_map(|change| match change {
        Change::Foreign { policy, .. } => Some(format!(
            "{policy} is of a kind that is not evaluated: attempts that it may concern are undecidable (foreign-policy)"
        )),
        _ => None,
    })
}
