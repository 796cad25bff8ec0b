//! `bench [NAME]…`: prints the figures of these benchmarks, or of all. A limit that is not kept is exit code 1.
use std::process::ExitCode;

use anyhow::{Result, bail};
use observer_tests::bench;

/// Prints its figures, and says whether they keep the limits.
type Benchmark = fn() -> Result<bool>;

const ALL: &[(&str, Benchmark)] = &[
    ("kernel", kernel),
    ("latency", latency),
    ("memory", memory),
    ("cluster", cluster),
    ("fleet", fleet),
];

fn fleet() -> Result<bool> {
    let figures = bench::fleet::Figures::measure()?;
    println!("{figures}");
    Ok(figures.within_limits())
}

fn kernel() -> Result<bool> {
    let figures = bench::kernel::Figures::measure()?;
    println!("{figures}");
    Ok(figures.within_limits())
}

fn latency() -> Result<bool> {
    let figures = bench::latency::Figures::measure()?;
    println!("{figures}");
    Ok(figures.within_limits())
}

fn memory() -> Result<bool> {
    let figures = bench::memory::Figures::measure()?;
    println!("{figures}");
    Ok(figures.within_limits())
}

fn cluster() -> Result<bool> {
    let all = bench::cluster::Figures::measure()?;
    all.iter().for_each(|figures| println!("{figures}"));
    Ok(all.iter().all(bench::cluster::Figures::within_limits))
}

fn main() -> Result<ExitCode> {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    if let Some(unknown) = wanted.iter().find(|name| ALL.iter().all(|(known, _)| known != name)) {
        bail!(
            "no benchmark {unknown}; there are: {}",
            ALL.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
        );
    }
    let mut kept = true;
    for (name, run) in ALL {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
            kept &= run()?;
        }
    }
    Ok(if kept { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
