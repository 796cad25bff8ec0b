//! `observer why SRC DST[:PORT][/PROTO]`: may it, and if not, what is missing? Without any traffic.

mod lines;
mod patch;

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::SystemTime;

use anyhow::{Result, anyhow, bail};
use clap::{Args, ValueEnum};

use super::objects::ObjectFlags;
use crate::cluster::Snapshot;
use crate::objects::{Change, Object};
use crate::policy::{self, Decision};
use crate::report::clean;
use crate::time::Time;
use crate::why::{self, AnswerRecord, Query};
use crate::world::World;

/// Exit status where the answers of `--stdin` were not all read: the shell's for a program that SIGPIPE ended.
const UNREAD: u8 = 141;

/// The arguments of `observer why`.
#[derive(Debug, Args)]
pub struct Why {
    /// Who connects: ns/pod, ns/deployment/name, ns/svc/name, service.namespace or an address
    #[arg(required_unless_present = "stdin")]
    src: Option<String>,

    /// To whom: the same, with :PORT and /PROTO, as in shop/svc/api:80 or 10.0.0.7:53/UDP
    #[arg(value_name = "DST[:PORT][/PROTO]", required_unless_present = "stdin")]
    dst: Option<String>,

    #[command(flatten)]
    objects: ObjectFlags,

    /// How to print the answer
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: Format,

    /// Print the changed NetworkPolicies that would allow it, as YAML
    #[arg(long, conflicts_with_all = ["stdin", "output"])]
    patch: bool,

    /// Read queries from standard input, one JSON object a line, and answer each with one
    #[arg(long, conflicts_with_all = ["src", "dst"])]
    stdin: bool,
}

/// A form of output.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// One JSON object
    Json,
}

impl Why {
    /// Answers on `out`. The status says the decision: 0 allowed, 1 denied, 3 undecidable; with `--stdin` 0 if every line was
    /// answered and every answer written.
    ///
    /// # Errors
    /// Invalid objects (nothing is answered then), a name that nobody has, output that cannot be written.
    pub fn run(self, out: &mut dyn Write) -> Result<ExitCode> {
        let found = self.objects.read(&[])?;
        let mut world = load(&found);
        if self.stdin {
            return Ok(ExitCode::from(
                match lines::answer(&world, io::stdin().lock(), out, now()) {
                    Ok(true) => 0,
                    Ok(false) => super::USAGE,
                    Err(error) if super::is_broken_pipe(&error) => UNREAD,
                    Err(error) => return Err(error),
                },
            ));
        }
        let (Some(src), Some(dst)) = (&self.src, &self.dst) else {
            bail!("give SRC and DST, or --stdin");
        };
        let query = query(src, dst)?;
        if self.patch {
            return patch::print(&mut world, &found, &query, out);
        }
        let answer = why::ask(&world, &query).map_err(|error| explained(&world, &error))?;
        let text = match self.output {
            Format::Text => why::text(&answer),
            Format::Json => AnswerRecord::new(&answer).line(),
        };
        // A reader that has seen enough changes nothing of the answer.
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
            _ => Ok(status(answer.decision())),
        }
    }
}

fn load(found: &Snapshot) -> World {
    for warning in &found.warnings {
        // Without a standard error there is nobody to tell.
        let _ = writeln!(io::stderr(), "observer: {}", clean(warning));
    }
    // What is in files is in force: nothing is on its way.
    let mut world = World::new(policy::Config {
        window: std::time::Duration::ZERO,
        ..policy::Config::default()
    });
    for change in &found.changes {
        world.apply(change, Time::BEGINNING);
    }
    // Manifests that people write hold Deployments rather than pods: a workload without pods is judged as the pod it would make.
    for pod in &found.templates {
        let made = pod.workload.as_ref().and_then(|workload| {
            let endpoints = world.endpoints();
            endpoints.pods_of(&pod.name.namespace, workload, Time::BEGINNING).next()
        });
        if made.is_none() && world.endpoints().pod(&pod.name, Time::BEGINNING).is_none() {
            world.apply(&Change::Set(Object::Pod(pod.clone().into())), Time::BEGINNING);
        }
    }
    world
}

/// An error with the name that was perhaps meant.
fn explained(world: &World, error: &why::Error) -> anyhow::Error {
    match why::perhaps(world, error, now()) {
        Some(name) => anyhow!("{error}; did you mean {name}?"),
        None => anyhow!("{error}"),
    }
}

fn query(src: &str, dst: &str) -> Result<Query> {
    let (destination, port, protocol) = why::destination(dst)?;
    Ok(Query {
        source: why::source(src)?,
        destination,
        port,
        protocol,
        at: now(),
    })
}

fn now() -> Time {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    Time::BEGINNING + since
}

fn status(decision: Decision) -> ExitCode {
    ExitCode::from(match decision {
        Decision::Allowed | Decision::NotIsolated | Decision::NotApplicable => 0,
        Decision::Denied => 1,
        Decision::Undecidable => 3,
    })
}
