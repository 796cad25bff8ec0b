//! `cargo xtask e2e`: runs [`observer_tests::e2e`] against the cluster of the current kubeconfig.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use observer_tests::e2e::{Options, run};

/// Installs agents into a cluster, drives connections, checks what is said of them, and removes everything.
#[derive(Debug, Parser)]
struct Arguments {
    /// Image of the agents, as the nodes know it
    #[arg(long, env = "OBSERVER_E2E_IMAGE", default_value = concat!("localhost/observer:", env!("CARGO_PKG_VERSION")))]
    image: String,
    /// Image of the pods that dial and listen
    #[arg(long, env = "OBSERVER_E2E_PEER_IMAGE", default_value = concat!("localhost/observer-e2e-peer:", env!("CARGO_PKG_VERSION")))]
    peer_image: String,
    /// The `observer` command that asks the cluster
    #[arg(long, env = "OBSERVER_BIN")]
    observer: PathBuf,
    /// Leave everything in the cluster
    #[arg(long)]
    keep: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let options = Options {
        observer: arguments.observer,
        image: arguments.image,
        peer_image: arguments.peer_image,
        keep: arguments.keep,
    };
    match run(&options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("e2e: {error:#}");
            ExitCode::FAILURE
        }
    }
}
