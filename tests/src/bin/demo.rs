//! `cargo xtask demo`: plays the story of [`observer_tests::demo`] on this machine's kernel and leaves nothing behind.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use observer_tests::demo::{Ending, Options, run, scenes};

/// A small cluster of network namespaces, a story of what goes wrong in it, and what the observer says.
#[derive(Debug, Parser)]
struct Arguments {
    /// Play only this scene (repeatable).
    #[arg(long = "scene", value_name = "NAME")]
    scenes: Vec<String>,
    /// Keep the cluster and the tail until Ctrl-C when the story is over.
    #[arg(long)]
    keep: bool,
    /// Name the scenes and end.
    #[arg(long)]
    list: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.list {
        for scene in scenes() {
            println!("{:18} {}", scene.name, scene.headline);
        }
        return ExitCode::SUCCESS;
    }
    match run(&Options {
        scenes: arguments.scenes,
        keep: arguments.keep,
    }) {
        Ok(Ending::Told) => ExitCode::SUCCESS,
        Ok(Ending::Interrupted) => ExitCode::from(130),
        Err(error) => {
            eprintln!("demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}
