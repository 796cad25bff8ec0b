//! The demo: a small cluster, a story of things that go wrong in it, and what the observer says of each.
//!
//! ```text
//! story.rs   the cluster and the scenes, as data
//! live.rs    `observer tail` as an engineer would see it, passed through
//! mod.rs     plays scene after scene, and holds the observer to what each expects
//! ```
//!
//! Two observers look at the same node: one whose text is shown, and one whose JSON tells when a scene is over and whether what was
//! said is right. So the demo is a test, too.

mod live;
mod story;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::lab::{Lab, Observer, Pod, Tail, Topology};
use crate::scenario::{play, prepare};
use live::LiveTail;
pub use story::{Scene, cluster, scenes};

/// A timeout is decided after 4 s.
const SOON: Duration = Duration::from_secs(10);

/// How to play it.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Only these scenes, by name; all where empty.
    pub scenes: Vec<String>,
    /// Keep the cluster and the tail until Ctrl-C when the story is over.
    pub keep: bool,
}

/// How the demo ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ending {
    /// Everything was said as it must be.
    Told,
    /// Ctrl-C.
    Interrupted,
}

/// Plays the story; an error says what the observer did not say as it must.
pub fn run(options: &Options) -> Result<Ending> {
    let started = Instant::now();
    let chosen = choose(options)?;
    println!("A node with its pods is built from network namespaces; Services and enforcement are nftables rules.");
    let interrupt = Interrupt::listen()?;
    let prepared = prepare(Topology::Routed, &[cluster()])?;
    let lab = &prepared.lab;
    interrupt.check()?;
    let links: Vec<&str> = lab.pods().iter().map(Pod::link).collect();
    let manifests = lab.manifests().path();
    let live = LiveTail::start(lab.node(), &manifests)?;
    let witness = Tail::json()
        .arg("--manifests")
        .arg(&manifests)
        .start(lab.node(), &links)?;
    interrupt.end_with(&[live.id(), witness.id()]);
    let told = live
        .await_attached(links.len())
        .and_then(|()| tell(&chosen, lab, &live, &witness));
    if options.keep && told.is_ok() {
        println!(
            "\nThe cluster stays until Ctrl-C. Its node: ip netns exec {} bash",
            lab.node().name()
        );
        interrupt.wait();
    }
    println!();
    let summary = live.finish();
    if interrupt.happened() {
        return Ok(Ending::Interrupted);
    }
    let wrong = told?;
    summary?;
    ensure!(
        wrong.is_empty(),
        "the observer did not say what it must:\n{}",
        wrong.join("\n")
    );
    println!(
        "{} scenes in {:.0} s; every one was told as it must be.",
        chosen.len(),
        started.elapsed().as_secs_f64()
    );
    Ok(Ending::Told)
}

fn choose(options: &Options) -> Result<Vec<Scene>> {
    let all = scenes();
    if let Some(unknown) = options
        .scenes
        .iter()
        .find(|name| all.iter().all(|scene| scene.name != **name))
    {
        let names: Vec<&str> = all.iter().map(|scene| scene.name).collect();
        bail!("there is no scene {unknown}; there are {}", names.join(", "));
    }
    let wanted = |scene: &Scene| options.scenes.is_empty() || options.scenes.iter().any(|name| name == scene.name);
    Ok(all.into_iter().filter(wanted).collect())
}

/// Plays every scene, and returns what was not said as it must be.
fn tell(scenes: &[Scene], lab: &Lab, live: &LiveTail, witness: &Observer) -> Result<Vec<String>> {
    let mut wrong = Vec::new();
    let mut attempts = 0;
    for (number, scene) in scenes.iter().enumerate() {
        println!(
            "\n── {}/{} {} ── {}",
            number + 1,
            scenes.len(),
            scene.name,
            scene.headline
        );
        let played = play(&scene.scenario(), lab, scene.family)?;
        for attempt in &played {
            wrong.extend(attempt.check(witness, Instant::now() + SOON));
        }
        attempts += played.len();
        live.await_attempts(attempts)
            .with_context(|| format!("in scene {}", scene.name))?;
    }
    Ok(wrong)
}

/// Ctrl-C, and what else asks a program to end.
///
/// Children have process groups of their own, so nothing but this program hears a Ctrl-C, and everything is taken down in order.
#[derive(Debug)]
struct Interrupt {
    happened: Arc<AtomicBool>,
    waiting: std::sync::Mutex<std::sync::mpsc::Receiver<()>>,
    observers: Arc<std::sync::Mutex<Vec<Pid>>>,
}

impl Interrupt {
    fn listen() -> Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let happened = Arc::new(AtomicBool::new(false));
        let observers: Arc<std::sync::Mutex<Vec<Pid>>> = Arc::default();
        let (sender, receiver) = std::sync::mpsc::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (mut interrupt, mut terminate, mut hangup) = {
            let _context = runtime.enter();
            (
                signal(SignalKind::interrupt())?,
                signal(SignalKind::terminate())?,
                signal(SignalKind::hangup())?,
            )
        };
        let (flag, ids) = (Arc::clone(&happened), Arc::clone(&observers));
        std::thread::spawn(move || {
            runtime.block_on(async {
                loop {
                    tokio::select! {
                        _ = interrupt.recv() => {}
                        _ = terminate.recv() => {}
                        _ = hangup.recv() => {}
                    }
                    flag.store(true, Ordering::SeqCst);
                    // Both observers end, and so does everything that waits for what they say.
                    for id in ids.lock().unwrap_or_else(std::sync::PoisonError::into_inner).drain(..) {
                        let _ = kill(id, Signal::SIGINT);
                    }
                    if sender.send(()).is_err() {
                        return;
                    }
                }
            });
        });
        Ok(Self {
            happened,
            waiting: std::sync::Mutex::new(receiver),
            observers,
        })
    }

    /// Names the observers to end at a Ctrl-C.
    fn end_with(&self, ids: &[Pid]) {
        let mut observers = self.observers.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        observers.extend(ids);
        if self.happened() {
            for id in observers.drain(..) {
                let _ = kill(id, Signal::SIGINT);
            }
        }
    }

    fn happened(&self) -> bool {
        self.happened.load(Ordering::SeqCst)
    }

    fn check(&self) -> Result<()> {
        if self.happened() {
            Err(anyhow!("interrupted"))
        } else {
            Ok(())
        }
    }

    fn wait(&self) {
        let waiting = self.waiting.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let _ = waiting.recv();
    }
}
