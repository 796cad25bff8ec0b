//! Where attempts come from, as the flags and the environment say.

use std::path::PathBuf;

use clap::Args;

use crate::cluster::Access;
use crate::remote::{self, Address, Tls};

/// What `--help` says of it.
pub(super) const HELP: &str = "\
Where attempts come from, the first that holds:
  --server                              that agent
  --local, or any option of \"This node\"  this node, in this process; objects from --manifests, or from the cluster that
                                        --kubeconfig or --context names
  a kubeconfig, outside a pod           all agents of that cluster, through the API server's port-forward
  else                                  this node, by address

From agents attempts are followed from now on. With --since, --until or --last their recent past is shown instead, and then it ends;
with --follow too, it goes on. This node remembers nothing and is always followed.

Exit status: 0 when all was shown that was asked for, 1 when agents could not be reached, 2 for wrong arguments or input.";

/// Which agents.
#[derive(Debug, Args)]
#[command(next_help_heading = "Agents")]
pub(super) struct Place {
    /// Ask one agent: localhost:4245, tls://node-a:4245 or unix:/run/observer.sock.
    #[arg(long, value_name = "ADDR", conflicts_with_all = ["kubeconfig", "context", "agent_namespace"])]
    server: Option<Address>,

    /// As kubectl's: this file instead of those of KUBECONFIG or ~/.kube/config.
    #[arg(long, value_name = "PATH")]
    kubeconfig: Option<PathBuf>,

    /// As kubectl's: this context instead of the current one.
    #[arg(long, value_name = "NAME")]
    context: Option<String>,

    /// Where the agents' pods are. [default: observer]
    #[arg(long, value_name = "NAMESPACE")]
    agent_namespace: Option<String>,

    /// Speak TLS with the agents: with those of a cluster too, within the port-forward.
    #[arg(long)]
    tls: bool,

    /// Trust agents whose certificate this one signed (PEM). Means --tls.
    #[arg(long, value_name = "PATH")]
    tls_ca: Option<PathBuf>,

    /// Our own certificate (PEM), for agents that ask for one.
    #[arg(long, value_name = "PATH")]
    tls_cert: Option<PathBuf>,

    /// Its key (PEM).
    #[arg(long, value_name = "PATH")]
    tls_key: Option<PathBuf>,

    /// The name in the agents' certificates, if it is not the host's.
    #[arg(long, value_name = "NAME")]
    tls_server_name: Option<String>,
}

/// What was chosen.
#[derive(Debug)]
pub(super) enum Chosen {
    /// This node, with the objects of this cluster.
    Local(Option<Access>),
    /// Agents.
    Remote(remote::Place),
}

impl Place {
    /// Chooses; `local` if something was said that only this node can be told.
    pub(super) fn choose(&self, local: bool) -> Chosen {
        let access = Access {
            kubeconfig: self.kubeconfig.clone(),
            context: self.context.clone(),
        };
        let named = access != Access::default();
        let tls = self.tls_of_flags();
        if let Some(address) = self.server.clone() {
            let tls = match &address {
                Address::Tcp { tls: true, .. } => Some(tls.unwrap_or_default()),
                _ => tls,
            };
            return Chosen::Remote(remote::Place::Server { address, tls });
        }
        if local {
            return Chosen::Local(named.then_some(access));
        }
        if named || self.agent_namespace.is_some() || (!in_a_pod() && a_kubeconfig_exists()) {
            let namespace = self.agent_namespace.clone();
            return Chosen::Remote(remote::Place::Cluster { access, namespace, tls });
        }
        Chosen::Local(None)
    }

    fn tls_of_flags(&self) -> Option<Tls> {
        let tls = Tls {
            ca: self.tls_ca.clone(),
            cert: self.tls_cert.clone(),
            key: self.tls_key.clone(),
            server_name: self.tls_server_name.clone(),
        };
        // Each of them says that TLS is meant; half of what it needs is an error, and never a way without it.
        let meant = tls.ca.is_some() || tls.cert.is_some() || tls.key.is_some() || tls.server_name.is_some();
        (self.tls || meant).then_some(tls)
    }
}

fn in_a_pod() -> bool {
    std::env::var_os("KUBERNETES_SERVICE_HOST").is_some()
}

/// Whether kubectl would find one.
fn a_kubeconfig_exists() -> bool {
    match std::env::var_os("KUBECONFIG").filter(|list| !list.is_empty()) {
        Some(list) => std::env::split_paths(&list).any(|file| file.is_file()),
        None => std::env::home_dir().is_some_and(|home| home.join(".kube/config").is_file()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Arguments {
        #[command(flatten)]
        place: Place,
    }

    #[test]
    fn who_says_anything_of_tls_never_speaks_without_it() {
        let tls = |arguments: &[&str]| {
            let all = ["tail", "--server", "localhost"].iter().chain(arguments);
            match Arguments::parse_from(all).place.choose(false) {
                Chosen::Remote(remote::Place::Server { tls, .. }) => tls,
                other => panic!("{other:?}"),
            }
        };
        assert!(tls(&[]).is_none());
        for arguments in [
            &["--tls"][..],
            &["--tls-ca", "a"],
            &["--tls-cert", "a"],
            &["--tls-key", "a"],
            &["--tls-server-name", "a"],
        ] {
            assert!(tls(arguments).is_some(), "{arguments:?}");
        }
    }
}
