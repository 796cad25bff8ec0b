//! The same agents with mutual TLS, and shown is one namespace only: who is let in, and what is said then.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::apps::v1::DaemonSet;
use kube::Api;
use kube::api::{Patch, PatchParams};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::timeout;

use super::cluster::Cluster;
use super::objects::Stage;
use super::tail::Tail;
use super::{Options, PATIENCE, cases, install, tell};

/// The Secret's name.
const SECRET: &str = "agents-tls";

/// How long a tail may take that is not let in.
const REFUSED: Duration = Duration::from_secs(30);

/// Certificates of one authority, for the agents and for us.
struct Material {
    folder: TempDir,
    secret: Json,
}

impl Material {
    fn new(namespace: &str) -> Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let sign = |name: &str| -> Result<(String, String)> {
            let key = KeyPair::generate()?;
            let cert = CertificateParams::new(vec![name.to_owned()])?.signed_by(&key, &authority)?;
            Ok((cert.pem(), key.serialize_pem()))
        };
        // To that name the API server's port-forward leads.
        let (cert, key) = sign("localhost")?;
        let (our_cert, our_key) = sign("laptop")?;
        let folder = tempfile::tempdir()?;
        for (name, text) in [("ca.crt", authority.pem()), ("tls.crt", our_cert), ("tls.key", our_key)] {
            std::fs::write(folder.path().join(name), text)?;
        }
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": SECRET, "namespace": namespace},
            "stringData": {"ca.crt": authority.pem(), "tls.crt": cert, "tls.key": key},
        });
        Ok(Self { folder, secret })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The tail's flags; who shows no certificate trusts the agents all the same.
    fn flags(&self, shown: bool) -> Vec<String> {
        let mut flags = vec![("--tls-ca", "ca.crt")];
        if shown {
            flags.extend([("--tls-cert", "tls.crt"), ("--tls-key", "tls.key")]);
        }
        let flag = |(flag, file): (&str, &str)| [flag.to_owned(), self.file(file).display().to_string()];
        flags.into_iter().flat_map(flag).collect()
    }
}

/// Gives the agents certificates, and the number of checks that failed then.
pub(super) async fn run(cluster: &Cluster, stage: &Stage, options: &Options) -> Result<usize> {
    println!("with TLS, and one namespace shown:");
    let material = Material::new(&stage.agents)?;
    cluster.create(&material.secret).await?;
    let values = json!({"tls": {"enabled": true, "existingSecret": SECRET}, "restrictNamespaces": [stage.shop]});
    let objects = stage.chart(&options.image, &values)?;
    let set = objects.iter().find(|object| object["kind"] == "DaemonSet");
    let sets: Api<DaemonSet> = Api::namespaced(cluster.client.clone(), &stage.agents);
    let patch = Patch::Merge(set.context("the chart has a DaemonSet")?);
    sets.patch(&stage.agents, &PatchParams::default(), &patch).await?;
    install::rolled_out(cluster, stage, PATIENCE).await?;

    let mut failed = 0;
    for (name, flags, says) in [
        ("without TLS nobody is let in", Vec::new(), "if it speaks TLS"),
        (
            "nor without a certificate",
            material.flags(false),
            "give --tls-cert and --tls-key",
        ),
    ] {
        failed += tell(name, refused(options, stage, &flags, says).await);
    }
    let mut tail = Tail::start(options, &stage.agents, &material.flags(true))?;
    let shown = shown(cluster, stage, &mut tail).await;
    Ok(failed + tell("with one, that namespace is shown", shown))
}

/// The tail ends with status 1, and says this.
async fn refused(options: &Options, stage: &Stage, flags: &[String], says: &str) -> Result<String> {
    let mut command = Command::new(&options.observer);
    command
        .args(["tail", "--last", "1", "--agent-namespace", &stage.agents])
        .args(flags);
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let output = timeout(REFUSED, output).await.context("it does not end")??;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.code() == Some(1) && said.contains(says),
        "{}: {said}",
        output.status
    );
    Ok(says.to_owned())
}

/// Dials within a namespace that is not to be shown, then from the one that is.
async fn shown(cluster: &Cluster, stage: &Stage, tail: &mut Tail) -> Result<String> {
    cases::warm_up(cluster, stage, tail).await?;
    cases::dial_within_backend(cluster, stage).await?;
    let from = tail.records.len();
    cases::warm_up(cluster, stage, tail).await?;
    let is_shown = |namespace: &Option<observer::objects::Str>| namespace.as_deref() == Some(&*stage.shop);
    for record in &tail.records {
        let touches = is_shown(&record.source.namespace) || is_shown(&record.destination.party.namespace);
        ensure!(touches, "{} is of another namespace", record.id);
    }
    Ok(format!(
        "{} records, {} of them after one that is not",
        tail.records.len(),
        tail.records.len() - from
    ))
}
