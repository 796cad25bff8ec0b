//! What is asked beside the tail: each agent's health and metrics, and the verbs that ask of policies without any traffic.

use std::process::Stdio;

use anyhow::{Context as _, Result, anyhow, ensure};
use kube::ResourceExt as _;
use kube::api::ListParams;
use serde_json::Value as Json;
use tokio::process::Command;

use super::cluster::Cluster;
use super::objects::{CALLERS, PORT, Stage};
use super::{Options, tell};

/// Where agents serve metrics and health.
const HTTP: u16 = 9645;

/// Asks every agent, and gives the number of failed checks. `gap`: policies are not enforced, which has to be counted.
pub(super) async fn agents(cluster: &Cluster, stage: &Stage, gap: bool) -> Result<usize> {
    println!("agents:");
    let mut failed = 0;
    let mut counted = 0.0;
    let mut gaps = 0.0;
    for pod in cluster.pods(&stage.agents).list(&ListParams::default()).await? {
        let name = pod.name_any();
        let node = pod.spec.and_then(|spec| spec.node_name).unwrap_or_default();
        for path in ["/livez", "/readyz"] {
            let done = cluster
                .get(&stage.agents, &name, HTTP, path)
                .await
                .and_then(|(status, body)| {
                    ensure!(status == 200, "{status} {body}");
                    Ok(status.to_string())
                });
            failed += tell(&format!("{path} on {node}"), done);
        }
        let metrics = cluster.get(&stage.agents, &name, HTTP, "/metrics").await;
        let done = metrics.and_then(|(status, text)| {
            ensure!(status == 200, "{status}");
            counted += sum(
                &text,
                "observer_attempts_total",
                &[("direction", "egress"), ("namespace", &stage.shop)],
            );
            let guard = [
                ("namespace", &*stage.backend),
                ("policy", "guard"),
                ("direction", "ingress"),
            ];
            gaps += sum(&text, "observer_enforcement_gap_attempts_total", &guard);
            let interfaces = sum(&text, "observer_interfaces", &[]);
            ensure!(
                sum(&text, "observer_api_synced", &[]) == 1.0,
                "its view of the cluster is not complete"
            );
            ensure!(node != stage.near() || interfaces > 0.0, "it observes no interface");
            ensure!(
                sum(&text, "observer_policies", &[("namespace", &stage.backend)]) == 2.0,
                "it knows two policies of {}",
                stage.backend
            );
            let lost = sum(&text, "observer_lost_total", &[]);
            Ok(format!("{interfaces} interfaces, {lost} lost"))
        });
        failed += tell(&format!("/metrics on {node}"), done);
    }
    let enough = if counted >= 10.0 {
        Ok(format!("{counted}"))
    } else {
        Err(anyhow!("only {counted}"))
    };
    failed += tell("attempts are counted", enough);
    let right = if (gaps > 0.0) == gap {
        Ok(format!("{gaps}"))
    } else {
        Err(anyhow!("{gaps}"))
    };
    Ok(failed + tell("enforcement gaps are counted", right))
}

/// The sum of a metric's series with these labels.
fn sum(text: &str, name: &str, labels: &[(&str, &str)]) -> f64 {
    let is_of = |series: &str| {
        let rest = series.strip_prefix(name)?;
        let has = |(label, value): &(&str, &str)| rest.contains(&format!("{label}=\"{value}\""));
        ((rest.is_empty() || rest.starts_with('{')) && labels.iter().all(has)).then_some(())
    };
    let lines = text.lines().filter_map(|line| line.rsplit_once(' '));
    lines
        .filter(|(series, _)| is_of(series).is_some())
        .filter_map(|(_, value)| value.parse::<f64>().ok())
        .sum()
}

/// Asks what the policies say, of the cluster's objects, and gives the number of failed checks.
pub(super) async fn questions(stage: &Stage, options: &Options) -> Result<usize> {
    println!("questions:");
    let from = format!("{}/{}", stage.shop, CALLERS[0]);
    let why = |to: &str| {
        ask(
            options,
            ["why", "-o", "json", &from, &format!("{}/{to}:{PORT}", stage.backend)]
                .map(str::to_owned)
                .to_vec(),
        )
    };
    let decision = |(status, text): (i32, String), expect: (i32, &str)| -> Result<String> {
        let answer: Json = serde_json::from_str(&text).with_context(|| text.clone())?;
        let decision = answer["verdict"]["decision"].as_str().unwrap_or("nothing").to_owned();
        ensure!((status, &*decision) == expect, "{decision}, exit status {status}");
        Ok(decision)
    };
    let mut failed = tell(
        "why, allowed",
        why("web").await.and_then(|said| decision(said, (0, "allowed"))),
    );
    failed += tell(
        "why, denied",
        why("guarded").await.and_then(|said| decision(said, (1, "denied"))),
    );
    let lint = ask(
        options,
        ["lint", "-o", "json", "--only", "selects-no-pods"]
            .map(str::to_owned)
            .to_vec(),
    )
    .await;
    let typo = format!("{}/typo", stage.backend);
    failed += tell(
        "lint",
        lint.and_then(|(status, text)| {
            ensure!(
                status == 1 && text.contains(&typo) || text.contains("\"typo\""),
                "exit status {status}: {text}"
            );
            Ok("selects-no-pods is found".to_owned())
        }),
    );
    Ok(failed)
}

/// Runs the command and gives its exit status and output.
async fn ask(options: &Options, arguments: Vec<String>) -> Result<(i32, String)> {
    let mut command = Command::new(&options.observer);
    let output = command.args(&arguments).stdin(Stdio::null()).output().await?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let status = output.status.code().context("it was killed")?;
    ensure!(
        status != 2,
        "{}: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok((status, said))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_summed_by_name_and_labels() {
        let text = "# HELP a_total x\na_total{k=\"1\",n=\"x\"} 2\na_total{k=\"2\",n=\"x\"} 3\na_total_more 7\nb 4.5\n";
        for (name, labels, expect) in [
            ("a_total", &[][..], 5.0),
            ("a_total", &[("k", "2")], 3.0),
            ("b", &[], 4.5),
            ("c", &[], 0.0),
        ] {
            assert!((sum(text, name, labels) - expect).abs() < 1e-9, "{name} {labels:?}");
        }
    }
}
