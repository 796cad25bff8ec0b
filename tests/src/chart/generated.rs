//! The manifests that are made from the chart and committed, for those who use no helm.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::Result;
use serde_json::{Value as Json, json};

use super::{Chart, Release, folder};

/// A generated file.
#[derive(Clone, Debug)]
pub struct File {
    /// Where it lies.
    pub path: PathBuf,
    /// What is in it.
    pub text: String,
}

/// As `kubectl apply` would install it.
const RELEASE: Release<'static> = Release {
    name: "observer",
    namespace: "observer",
    service: "kubectl",
};

/// What is generated: the file's name, what its head says, the values, and which kinds are taken (none: all).
fn plan() -> [(&'static str, &'static str, Json, &'static [&'static str]); 2] {
    [
        (
            "observer.yaml",
            "An agent on each node. Set the image, then: kubectl apply -f observer.yaml",
            json!({"createNamespace": true}),
            &[],
        ),
        (
            "prometheusrule.yaml",
            "Alerts, for the Prometheus operator.",
            json!({"prometheusRule": {"enabled": true}}),
            &["PrometheusRule"],
        ),
    ]
}

/// What the generated files have to be.
///
/// # Errors
///
/// If the chart cannot be rendered.
pub fn generated(chart: &Chart) -> Result<Vec<File>> {
    plan()
        .into_iter()
        .map(|(name, head, values, kinds)| {
            let mut text =
                format!("# {head}\n# Generated from deploy/chart by `cargo xtask chart`: change it there.\n");
            for object in chart.render(RELEASE, &values)? {
                if kinds.is_empty() || kinds.iter().any(|kind| object.json["kind"] == *kind) {
                    let _ = write!(text, "{object}");
                }
            }
            Ok(File {
                path: folder().with_file_name(name),
                text,
            })
        })
        .collect()
}
