//! `observer agent` under test: started inside the node's namespace, asked by HTTP from there.

use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::netns::NetNs;
use super::observer::{Finished, Observer, binary};
use super::topology::Lab;

/// How long an agent may take to attach, or to show what it saw, on a busy machine.
const SOON: Duration = Duration::from_secs(30);

/// How often is asked again. HTTP answers once; only asking again shows a change.
const AGAIN: Duration = Duration::from_millis(50);

/// How to start `observer agent`.
#[derive(Clone, Debug, Default)]
pub struct AgentCommand {
    arguments: Vec<OsString>,
}

/// A running agent.
#[derive(Debug)]
pub struct Agent<'lab> {
    node: &'lab NetNs,
    http: SocketAddr,
    grpc: SocketAddr,
    process: Observer,
}

/// Starts to describe an agent: node name, JSON logs and where it serves are set; where its objects come from is not.
pub fn agent() -> AgentCommand {
    AgentCommand::default()
}

impl AgentCommand {
    /// Adds an argument.
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Adds arguments.
    pub fn args<const N: usize>(self, arguments: [&str; N]) -> Self {
        arguments.into_iter().fold(self, Self::arg)
    }

    /// Starts it inside `node` without waiting for anything.
    pub fn spawn(self, node: &NetNs) -> Result<Agent<'_>> {
        let [http, grpc] = node.enter(free_addresses)?;
        self.spawn_at(node, http, grpc)
    }

    /// Waits for the end of another, starts this one in its place, as a container is restarted, and waits until it is ready.
    pub fn restart<'lab>(self, before: Agent<'lab>) -> Result<Agent<'lab>> {
        let Agent {
            node,
            http,
            grpc,
            process,
        } = before;
        process.finish(SOON)?;
        let agent = self.spawn_at(node, http, grpc)?;
        agent.await_answer("/readyz", |status, _| status == 200)?;
        Ok(agent)
    }

    fn spawn_at(self, node: &NetNs, http: SocketAddr, grpc: SocketAddr) -> Result<Agent<'_>> {
        let mut command = Command::new(binary()?);
        command
            .arg("agent")
            .args(&self.arguments)
            // Flags go before.
            .env("NODE_NAME", Lab::NODE)
            .env("OBSERVER_LOG_FORMAT", "json")
            .env("OBSERVER_LISTEN", grpc.to_string())
            .env("OBSERVER_METRICS_LISTEN", http.to_string());
        let process = Observer::start(command, node)?;
        Ok(Agent {
            node,
            http,
            grpc,
            process,
        })
    }

    /// Starts it inside `node` and waits until it is ready.
    pub fn start(self, node: &NetNs) -> Result<Agent<'_>> {
        let agent = self.spawn(node)?;
        agent.await_answer("/readyz", |status, _| status == 200)?;
        Ok(agent)
    }
}

impl Agent<'_> {
    /// Where it serves metrics and health.
    pub fn http(&self) -> SocketAddr {
        self.http
    }

    /// Where it serves attempts.
    pub fn grpc(&self) -> SocketAddr {
        self.grpc
    }

    /// The process.
    pub fn process(&self) -> &Observer {
        &self.process
    }

    /// Ends it by SIGINT and waits.
    pub fn interrupt(self) -> Result<Finished> {
        self.process.interrupt()
    }

    /// Waits for its end.
    pub fn finish(self, deadline: Duration) -> Result<Finished> {
        self.process.finish(deadline)
    }

    /// Asks for a path: status, headers and body.
    pub fn get(&self, path: &str) -> Result<(u16, String)> {
        let answer = self.node.enter(|| ask(self.http, path))?;
        let (head, body) = answer.split_once("\r\n\r\n").context("no head")?;
        let status = head.split(' ').nth(1).context("no status")?;
        Ok((status.parse().context("no number")?, body.to_owned()))
    }

    /// Asks again and again until `wanted` accepts status and body, which it gives.
    pub fn await_answer(&self, path: &str, wanted: impl Fn(u16, &str) -> bool) -> Result<String> {
        let until = Instant::now() + SOON;
        loop {
            let answer = self.get(path);
            match &answer {
                Ok((status, body)) if wanted(*status, body) => return Ok(body.clone()),
                _ if Instant::now() > until => {
                    let errors = self.process.errors().join("\n");
                    bail!("{path} stays {answer:?}; it had logged\n{errors}");
                }
                _ => std::thread::sleep(AGAIN),
            }
        }
    }

    /// Waits until a metric's series has this value: `await_metric(r#"observer_interfaces"#, 2.0)`.
    pub fn await_metric(&self, series: &str, value: f64) -> Result<()> {
        self.await_answer("/metrics", |_, text| sample(text, series) == Some(value))
            .with_context(|| format!("waiting for {series} to be {value}"))
            .map(drop)
    }

    /// A metric's value now.
    pub fn metric(&self, series: &str) -> Result<Option<f64>> {
        Ok(sample(&self.get("/metrics")?.1, series))
    }

    /// Waits for a log line whose message has these words, and gives it.
    pub fn await_log(&self, words: &str) -> Result<Value> {
        self.process
            .await_output(SOON, |_, _, errors| logged(errors, words))
            .with_context(|| format!("waiting for a log line {words:?}"))
    }
}

/// The log line whose message has these words.
pub fn logged(errors: &[String], words: &str) -> Option<Value> {
    let parsed = errors
        .iter()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    parsed
        .into_iter()
        .find(|line| line["message"].as_str().is_some_and(|message| message.contains(words)))
}

/// The value of a series in an exposition.
fn sample(text: &str, series: &str) -> Option<f64> {
    let of_series = |line: &str| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok();
    text.lines().find_map(of_series)
}

/// Addresses where nobody listens. Nobody else is in the namespace to take them.
fn free_addresses() -> Result<[SocketAddr; 2]> {
    let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("finding a free port");
    let (one, other) = (bind()?, bind()?);
    Ok([one.local_addr()?, other.local_addr()?])
}

fn ask(at: SocketAddr, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect_timeout(&at, SOON)?;
    stream.set_read_timeout(Some(SOON))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: agent\r\nconnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
