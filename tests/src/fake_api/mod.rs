//! An API server that lies on purpose: lists, watches and takes objects as the real one does, until it is told to fail.
//!
//! ```text
//! test ─ apply, delete, fault, away ─→ State (objects, log of changes, faults) ←─ http.rs ─ loopback ─→ the observer
//! ```
//!
//! For faults only: what a real server means by its objects, real servers say.

mod http;
mod kinds;
mod lists;
mod portforward;
mod state;
mod watches;

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

pub use kinds::Resource;
pub use portforward::Target;
use state::State;
pub use state::{Asked, Fault};

/// So long a test waits for the observer.
const PATIENCE: Duration = Duration::from_secs(90);

/// The state, which requests and the test share, and word that somebody asked or was told something.
#[derive(Debug, Default)]
struct Server {
    state: Mutex<State>,
    progress: Condvar,
}

type Shared = Arc<Server>;

fn lock(server: &Server) -> MutexGuard<'_, State> {
    // A request that panicked left the state whole: each change of it is one step.
    server.state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A server on a port of its own, until it is dropped.
#[derive(Debug)]
pub struct FakeApi {
    server: Shared,
    address: SocketAddr,
    /// `None` while it is away.
    runtime: Mutex<Option<Runtime>>,
    folder: TempDir,
}

impl FakeApi {
    /// Serves these objects (YAML documents).
    ///
    /// # Errors
    ///
    /// Objects that cannot be read; no port, no folder.
    pub fn start(objects: &str) -> Result<Self> {
        let folder = TempDir::with_prefix("observer-fake-api-").context("making a folder for the kubeconfig")?;
        let server = Shared::default();
        apply(&server, objects)?;
        let (runtime, address) = serve(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), server.clone())?;
        let fake = Self {
            server,
            address,
            runtime: Mutex::new(Some(runtime)),
            folder,
        };
        let kubeconfig = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: fake\n\
             clusters: [{{name: fake, cluster: {{server: 'http://{address}'}}}}]\n\
             contexts: [{{name: fake, context: {{cluster: fake, user: fake}}}}]\n\
             users: [{{name: fake, user: {{}}}}]\n"
        );
        fs::write(fake.kubeconfig(), kubeconfig).context("writing the kubeconfig")?;
        Ok(fake)
    }

    /// The file that leads here.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("config")
    }

    /// The folder that the kubeconfig is in.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Creates or replaces objects (YAML documents), garbage too, if it has a kind and a name.
    ///
    /// # Errors
    ///
    /// No YAML, or a kind that is not known here.
    pub fn apply(&self, yaml: &str) -> Result<()> {
        apply(&self.server, yaml)
    }

    /// Creates or replaces an object.
    ///
    /// # Errors
    ///
    /// A kind that is not known here.
    pub fn apply_object(&self, object: Value) -> Result<()> {
        apply_object(&self.server, object)
    }

    /// Deletes an object: `delete("pods", "shop/cart")`. One that is not there stays so.
    pub fn delete(&self, plural: &str, name: &str) {
        lock(&self.server).delete(plural, name);
    }

    /// Everything that is served of a resource now, as the observer or others wrote it: `objects("events")`.
    #[must_use]
    pub fn objects(&self, plural: &str) -> Vec<Value> {
        lock(&self.server).objects(plural)
    }

    /// Fails in this way whenever this resource is asked for, until [`Self::heal`]. `"*"`: whatever is asked for.
    pub fn fault(&self, plural: &str, fault: Fault) {
        lock(&self.server).fault(plural, fault);
        self.cut();
    }

    /// Ends a resource's faults, or all with `"*"`.
    pub fn heal(&self, plural: &str) {
        lock(&self.server).heal(plural);
    }

    /// Begins or ends to serve the kinds of a group: as if its CRDs were made or deleted. What ends takes its objects along.
    pub fn serve_group(&self, group: &str, served: bool) {
        lock(&self.server).serve_group(group, served);
    }

    /// Lets the port-forward to a pod (`namespace/name`) lead there, whatever the port.
    pub fn forward(&self, pod: &str, target: Target) {
        lock(&self.server).forwards.insert(pod.to_owned(), target);
    }

    /// Ends every open watch, cleanly.
    pub fn cut(&self) {
        lock(&self.server).cut();
    }

    /// Forgets the log of changes: who goes on from before now is told 410 Gone.
    pub fn forget(&self) {
        lock(&self.server).forget();
    }

    /// Goes away: nothing listens, and every connection is gone.
    pub fn away(&self) {
        let runtime = self.runtime.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(runtime) = runtime {
            runtime.shutdown_background();
        }
    }

    /// Comes back at the same address.
    ///
    /// # Errors
    ///
    /// Somebody else took the port.
    pub fn back(&self) -> Result<()> {
        let (runtime, _) = serve(self.address, self.server.clone())?;
        *self.runtime.lock().unwrap_or_else(PoisonError::into_inner) = Some(runtime);
        Ok(())
    }

    /// The requests that came, in order.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        lock(&self.server).asked.clone()
    }

    /// How many requests for a resource came since `since`.
    #[must_use]
    pub fn asked_for(&self, plural: &str, since: Instant) -> usize {
        let wanted = |asked: &&Asked| asked.plural == plural && asked.at >= since;
        lock(&self.server).asked.iter().filter(wanted).count()
    }

    /// Waits until so many requests for a resource came since `since`.
    ///
    /// # Errors
    ///
    /// They do not come within a minute and a half.
    pub fn until_asked(&self, plural: &str, since: Instant, count: usize) -> Result<()> {
        let wanted = |asked: &&Asked| asked.plural == plural && asked.at >= since;
        self.until(|state| state.asked.iter().filter(wanted).count() >= count)
            .with_context(|| format!("{count} requests for {plural}"))
    }

    /// Waits until a watch of the resource was told, by a bookmark, that it has everything until now.
    ///
    /// # Errors
    ///
    /// None is told within a minute and a half.
    pub fn until_bookmarked(&self, plural: &str) -> Result<()> {
        self.until(|state| state.bookmarked.get(plural) == Some(&state.version))
            .with_context(|| format!("a bookmark of {plural}"))
    }

    fn until(&self, holds: impl Fn(&State) -> bool) -> Result<()> {
        let waiting = self
            .server
            .progress
            .wait_timeout_while(lock(&self.server), PATIENCE, |state| !holds(state));
        let timed_out = waiting.map_or(true, |(_, waited)| waited.timed_out());
        if timed_out {
            bail!("it never came");
        }
        Ok(())
    }
}

impl Drop for FakeApi {
    fn drop(&mut self) {
        self.away();
    }
}

fn apply(server: &Server, yaml: &str) -> Result<()> {
    let objects = serde_saphyr::from_multiple::<Value>(yaml).context("reading YAML")?;
    objects
        .into_iter()
        .filter(|object| !object.is_null())
        .try_for_each(|object| apply_object(server, object))
}

fn apply_object(server: &Server, object: Value) -> Result<()> {
    let Some(resource) = Resource::of(&object) else {
        bail!("{}/{} is not known here", object["apiVersion"], object["kind"]);
    };
    lock(server).apply(resource, object);
    Ok(())
}

/// Listens on a runtime of its own, which takes every connection along when it ends.
fn serve(address: SocketAddr, server: Shared) -> Result<(Runtime, SocketAddr)> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("fake-api")
        .enable_all()
        .build()
        .context("making a runtime")?;
    let until = Instant::now() + Duration::from_secs(5);
    let listener = loop {
        // The sockets of the runtime that ended may take a moment to close.
        match runtime.block_on(TcpListener::bind(address)) {
            Ok(listener) => break listener,
            Err(error) if Instant::now() > until => return Err(error).context("listening"),
            Err(_) => std::thread::yield_now(),
        }
    };
    let address = listener.local_addr()?;
    runtime.spawn(async move { axum::serve(listener, http::routes(server)).await });
    Ok((runtime, address))
}
