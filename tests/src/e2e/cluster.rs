//! What the test does with the API: objects, waiting, commands in pods, requests to their ports.

use std::fmt::Debug;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ApiResource, AttachParams, DeleteParams, DynamicObject, GroupVersionKind, PostParams};
use kube::runtime::wait::{Condition, await_condition};
use kube::{Api, Client, Resource, ResourceExt as _};
use observer::cluster::Access;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

/// The longest that one command in a pod, or one request to it, may take.
const ONE_CALL: Duration = Duration::from_secs(60);

/// A cluster and the right to change it.
#[derive(Clone)]
pub(super) struct Cluster {
    pub(super) client: Client,
}

impl Cluster {
    /// The cluster that `kubectl` would take.
    pub(super) async fn connect() -> Result<Self> {
        let client = Access::default().client().await?;
        let version = client
            .apiserver_version()
            .await
            .context("the API server does not answer")?;
        println!("Kubernetes {}", version.git_version);
        Ok(Self { client })
    }

    /// Makes an object.
    pub(super) async fn create(&self, object: &Json) -> Result<()> {
        let object: DynamicObject = serde_json::from_value(object.clone())?;
        let name = format!(
            "{} {}",
            object.types.clone().unwrap_or_default().kind,
            object.name_any()
        );
        let api = self.api_of(&object)?;
        api.create(&PostParams::default(), &object)
            .await
            .with_context(|| format!("cannot make {name}"))?;
        Ok(())
    }

    /// Deletes an object, and waits until it is gone. One that is not there is as good.
    pub(super) async fn delete(&self, object: &Json, patience: Duration) -> Result<()> {
        let object: DynamicObject = serde_json::from_value(object.clone())?;
        let (api, name) = (self.api_of(&object)?, object.name_any());
        let gone = async {
            match api.delete(&name, &DeleteParams::background()).await {
                Ok(deleted) => {
                    let Some(object) = deleted.left() else { return Ok(()) };
                    let uid = object.uid().unwrap_or_default();
                    let deleted = kube::runtime::conditions::is_deleted(&uid);
                    await_condition(api, &name, deleted).await?;
                    Ok(())
                }
                Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
                Err(error) => Err(anyhow!(error)),
            }
        };
        timeout(patience, gone)
            .await
            .map_err(|_| anyhow!("it is still there after {} s", patience.as_secs()))
            .flatten()
            .with_context(|| format!("cannot delete {name}: delete it yourself"))
    }

    fn api_of(&self, object: &DynamicObject) -> Result<Api<DynamicObject>> {
        let kind = object.types.as_ref().context("an object has a kind")?;
        let resource = ApiResource::from_gvk(&GroupVersionKind::try_from(kind)?);
        Ok(match object.namespace() {
            Some(namespace) => Api::namespaced_with(self.client.clone(), &namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        })
    }

    /// Waits until an object is as wanted.
    pub(super) async fn until<K>(
        &self,
        api: Api<K>,
        name: &str,
        what: &str,
        condition: impl Condition<K>,
        patience: Duration,
    ) -> Result<()>
    where
        K: Clone + Debug + Send + DeserializeOwned + Resource + 'static,
    {
        match timeout(patience, await_condition(api, name, condition)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(anyhow!(error).context(format!("cannot watch {name}"))),
            Err(_) => bail!("{name} is not {what} after {} s", patience.as_secs()),
        }
    }

    pub(super) fn pods(&self, namespace: &str) -> Api<Pod> {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// Runs a command in a pod and gives what it printed.
    pub(super) async fn exec(&self, namespace: &str, pod: &str, command: &[&str]) -> Result<String> {
        let call = async {
            let parameters = AttachParams::default().stderr(true);
            let mut process = self
                .pods(namespace)
                .exec(pod, command.iter().copied(), &parameters)
                .await?;
            let (mut out, mut err) = (String::new(), String::new());
            let (mut stdout, mut stderr) = (process.stdout(), process.stderr());
            let read = async |stream: Option<&mut (dyn tokio::io::AsyncRead + Unpin + Send)>, text: &mut String| {
                match stream {
                    Some(stream) => stream.read_to_string(text).await.map(drop),
                    None => Ok(()),
                }
            };
            let status = process.take_status().context("a status was asked for before")?;
            let (one, two) = tokio::join!(
                read(stdout.as_mut().map(|stream| stream as _), &mut out),
                read(stderr.as_mut().map(|stream| stream as _), &mut err)
            );
            one.and(two)?;
            let status = status.await.context("the command's end was not told")?;
            if status.status.as_deref() != Some("Success") {
                bail!("{}: {err}", status.message.unwrap_or_default());
            }
            Ok(out)
        };
        timeout(ONE_CALL, call)
            .await
            .map_err(|_| anyhow!("no end after {} s", ONE_CALL.as_secs()))
            .flatten()
            .with_context(|| format!("{} in {namespace}/{pod}", command.join(" ")))
    }

    /// Asks a pod's HTTP port through the API server, and gives status and body.
    pub(super) async fn get(&self, namespace: &str, pod: &str, port: u16, path: &str) -> Result<(u16, String)> {
        let call = async {
            let mut forward = self.pods(namespace).portforward(pod, &[port]).await?;
            let mut stream = forward.take_stream(port).context("the port was forwarded")?;
            // Version 1.0, so that the body is neither cut in chunks nor followed by silence.
            let request = format!("GET {path} HTTP/1.0\r\nHost: {pod}\r\n\r\n");
            stream.write_all(request.as_bytes()).await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await?;
            let (head, body) = answer.split_once("\r\n\r\n").context("no HTTP answer")?;
            let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
            Ok((status.context("no HTTP status")?, body.to_owned()))
        };
        timeout(ONE_CALL, call)
            .await
            .map_err(|_| anyhow!("no answer after {} s", ONE_CALL.as_secs()))
            .flatten()
            .with_context(|| format!("GET {path} of {namespace}/{pod}"))
    }
}
