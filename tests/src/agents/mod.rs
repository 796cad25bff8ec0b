//! Agents without a kernel: each a real hub behind a real gRPC server in this process, told by the test what it observed.
//!
//! ```text
//! test ─ Call ─→ Hub ─→ Grpc ─ loopback ─→ observer tail --server
//!                              └─ FakeApi's port-forward ─→ observer tail --kubeconfig
//! ```

mod call;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use observer::agent::Output;
use observer::flows::Limits;
use observer::serve::grpc::{Grpc, Listen};
use observer::serve::hub::Hub;
use tokio::runtime::{Builder, Runtime};

pub use call::Call;

use crate::fake_api::{FakeApi, Target};

/// What an agent remembers.
const LIMITS: Limits = Limits::of(4_096, Duration::from_secs(900));

/// Where the agents' pods are, and the port that they seem to listen at.
const NAMESPACE: &str = "observer";
const PORT: u16 = 4245;

/// The agents of some nodes.
#[derive(Debug)]
pub struct Agents {
    nodes: BTreeMap<String, Mutex<Agent>>,
}

#[derive(Debug)]
struct Agent {
    hub: Hub,
    address: SocketAddr,
    /// Takes every connection along when it ends; `None` while nobody listens.
    serving: Option<Runtime>,
}

impl Agents {
    /// Starts one for each node.
    ///
    /// # Errors
    ///
    /// No port.
    pub fn start<'a>(nodes: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let started = nodes.into_iter().map(|node| {
            let hub = Hub::new(node.into(), LIMITS, None);
            let (address, serving) = serve(&hub, anywhere)?;
            let serving = Some(serving);
            let agent = Agent { hub, address, serving };
            Ok((node.to_owned(), Mutex::new(agent)))
        });
        let nodes = started.collect::<Result<_>>()?;
        Ok(Self { nodes })
    }

    /// What the agent of `node` tells.
    pub fn tell(&self, node: &str, output: &Output) {
        self.with(node, |agent| agent.hub.publish(output));
    }

    /// Where the agent of `node` listens.
    #[must_use]
    pub fn address(&self, node: &str) -> SocketAddr {
        self.with(node, |agent| agent.address)
    }

    /// Breaks every connection to the agent of `node`, which listens no more. It goes on observing.
    pub fn away(&self, node: &str) {
        if let Some(serving) = self.with(node, |agent| agent.serving.take()) {
            serving.shutdown_background();
        }
    }

    /// Listens again, at the same address.
    ///
    /// # Errors
    ///
    /// Somebody else took the port.
    pub fn back(&self, node: &str) -> Result<()> {
        let (hub, address) = self.with(node, |agent| (agent.hub.clone(), agent.address));
        let (_, serving) = serve(&hub, address)?;
        self.with(node, |agent| agent.serving = Some(serving));
        Ok(())
    }

    /// A cluster of these agents, reached by port-forward, and of `others`, nodes without an agent.
    ///
    /// # Errors
    ///
    /// No API server can be made.
    pub fn cluster(&self, others: &[&str]) -> Result<FakeApi> {
        let unseen = others.iter().map(|node| (*node, None));
        let seen = self.nodes.keys().map(|node| (&**node, Some(self.target(node))));
        cluster(unseen.chain(seen))
    }

    fn target(&self, node: &str) -> Target {
        Target::Tcp(self.address(node))
    }

    /// Makes the pod of the agent of `node`.
    ///
    /// # Errors
    ///
    /// The API server takes no pod.
    pub fn join(&self, api: &FakeApi, node: &str) -> Result<()> {
        agent_pod(api, node, self.target(node))
    }

    fn with<T>(&self, node: &str, act: impl FnOnce(&mut Agent) -> T) -> T {
        let Some(agent) = self.nodes.get(node) else {
            panic!("no agent was started for {node}");
        };
        act(&mut agent.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A cluster of these nodes: where the port-forward to a node's agent leads, if it has one.
///
/// # Errors
///
/// No API server can be made.
pub fn cluster<'a>(nodes: impl IntoIterator<Item = (&'a str, Option<Target>)>) -> Result<FakeApi> {
    let api = FakeApi::start("")?;
    for (node, agent) in nodes {
        api.apply(&format!("apiVersion: v1\nkind: Node\nmetadata: {{name: {node}}}\n"))?;
        if let Some(target) = agent {
            agent_pod(&api, node, target)?;
        }
    }
    Ok(api)
}

fn agent_pod(api: &FakeApi, node: &str, target: Target) -> Result<()> {
    api.apply(&format!(
            "apiVersion: v1\nkind: Pod\n\
             metadata:\n  name: agent-{node}\n  namespace: {NAMESPACE}\n\
             \x20 labels: {{app.kubernetes.io/name: observer, app.kubernetes.io/component: agent}}\n\
             spec: {{nodeName: {node}, hostNetwork: true, containers: [{{name: agent, ports: [{{name: grpc, containerPort: {PORT}}}]}}]}}\n\
             status: {{phase: Running, conditions: [{{type: Ready, status: 'True'}}]}}\n"
        ))?;
    api.forward(&format!("{NAMESPACE}/agent-{node}"), target);
    Ok(())
}

fn serve(hub: &Hub, at: SocketAddr) -> Result<(SocketAddr, Runtime)> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("agent")
        .enable_all()
        .build()
        .context("making a runtime")?;
    let until = Instant::now() + Duration::from_secs(5);
    let listener = loop {
        let _inside = runtime.enter();
        // The sockets of the runtime that ended may take a moment to close.
        match Listen::Tcp(at).bind(false) {
            Ok(listener) => break listener,
            Err(error) if Instant::now() > until => return Err(error).context("listening"),
            Err(_) => std::thread::yield_now(),
        }
    };
    let address = listener.address().parse().context("a TCP address")?;
    let grpc = Grpc::new(hub.clone(), listener, None);
    runtime.spawn(async move {
        // Ends with the runtime.
        let _ = grpc.run().await;
    });
    Ok((address, runtime))
}

impl Drop for Agent {
    fn drop(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.shutdown_background();
        }
    }
}
