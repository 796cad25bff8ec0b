//! `cargo xtask chart`: writes what is generated from the chart, or prints the chart with a release's values.
#![forbid(unsafe_code)]

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser;
use observer_tests::chart::{self, Chart, Release, generated};

/// Without a name: writes the manifests that are generated from the chart.
#[derive(Debug, Parser)]
struct Arguments {
    /// Print the objects of a release of this name, as `helm template` does
    name: Option<String>,
    /// Its namespace
    #[arg(short, long, default_value = "observer", requires = "name")]
    namespace: String,
    /// A file with values
    #[arg(short = 'f', long, requires = "name")]
    values: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("chart: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let chart = Chart::read(&chart::folder())?;
    let Some(name) = &arguments.name else {
        for file in generated(&chart)? {
            fs::write(&file.path, &file.text).with_context(|| format!("cannot write {}", file.path.display()))?;
            println!("{}", file.path.display());
        }
        return Ok(());
    };
    let values = match &arguments.values {
        Some(path) => {
            let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
            chart::parse(&text)?
        }
        None => serde_json::json!({}),
    };
    let release = Release {
        name,
        namespace: &arguments.namespace,
        service: "Helm",
    };
    for object in chart.render(release, &values)? {
        print!("{object}");
    }
    Ok(())
}
