//! The cluster test: installs the chart's objects into a real cluster, drives connections between pods, and wants the tail to say of each
//! what it was. It needs the rights of an administrator's kubeconfig, and both images on the nodes; nothing else on this machine.
//!
//! ```text
//! kubeconfig → install agents → namespaces, pods, policies → tail (the real command) ┐
//!                               cases: exec a dial in a pod ─── what its application noticed, and the record → expected?
//!                               metrics, health, why, lint, an agent's restart → the same agents with TLS → remove all of it
//! ```
//!
//! Whether the network plugin enforces policies is learnt from the dials themselves: what a policy denies and connects all the same has to
//! be reported as `not-enforced`, and what does not connect as the policy's doing.

mod cases;
mod checks;
mod cluster;
mod install;
mod objects;
mod tail;
mod tls;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use cluster::Cluster;
use objects::Stage;
use tail::Tail;

/// The longest that the cluster may take for one step, such as starting a pod.
const PATIENCE: Duration = Duration::from_secs(120);

/// What to do.
#[derive(Clone, Debug)]
pub struct Options {
    /// The `observer` command under test.
    pub observer: PathBuf,
    /// Image of the agents, as the nodes know it.
    pub image: String,
    /// Image of the pods that dial and listen.
    pub peer_image: String,
    /// Leave everything in the cluster, to look at it.
    pub keep: bool,
}

/// Runs the test and removes what it made, also if it failed or was interrupted.
///
/// # Errors
///
/// What was not as expected, or what the cluster refused.
pub async fn run(options: &Options) -> Result<()> {
    let cluster = Cluster::connect().await?;
    let stage = Stage::new(&cluster, options).await?;
    println!("nodes: {}", stage.nodes().collect::<Vec<_>>().join(", "));
    let done = tokio::select! {
        done = play(&cluster, &stage, options) => done,
        signal = tokio::signal::ctrl_c() => signal.context("no signals").and_then(|()| bail!("interrupted")),
    };
    if options.keep {
        println!("kept: namespaces {}", stage.namespaces().join(", "));
        return done;
    }
    let removed = install::remove(&cluster, &stage).await;
    // What failed first says more.
    done.and(removed)
}

async fn play(cluster: &Cluster, stage: &Stage, options: &Options) -> Result<()> {
    install::agents(cluster, stage, options).await?;
    install::pods(cluster, stage, options).await?;
    let mut tail = Tail::start(options, &stage.agents, &[])?;
    let failed = async {
        cases::warm_up(cluster, stage, &mut tail).await?;
        let mut failed = cases::run(cluster, stage, &mut tail).await?;
        let gap = cases::gap(cluster, stage, &mut tail).await?;
        println!(
            "the network plugin {} policies",
            if gap { "does not enforce" } else { "enforces" }
        );
        failed += checks::agents(cluster, stage, gap).await?;
        failed += checks::questions(stage, options).await?;
        failed += cases::after_a_restart(cluster, stage, &mut tail).await?;
        failed += cases::each_once(&tail);
        failed += tls::run(cluster, stage, options).await?;
        anyhow::Ok(failed)
    };
    let failed = failed
        .await
        .with_context(|| format!("the tail said: {}", tail.complaints()))?;
    if failed > 0 {
        bail!("{failed} of the checks failed; the tail said: {}", tail.complaints());
    }
    println!("all is as it should be");
    Ok(())
}

/// Prints how a check ended, and gives 1 if it failed.
fn tell(name: &str, done: Result<String>) -> usize {
    match done {
        Ok(seen) => {
            println!("  ok      {name}: {seen}");
            0
        }
        Err(error) => {
            println!("  FAILED  {name}: {error:#}");
            1
        }
    }
}
