//! Writes Events to the API (`events.k8s.io/v1`): a series is created once, and only its count is changed after that, as everything
//! else of an Event is immutable.

use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::{Event, EventSeries};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::json;
use tokio::time::timeout;

use super::failure::{Failure, ObjectRef};
use super::series::Write;
use crate::objects::Str;
use crate::time::Time;

/// Who says it, as `kubectl get events -o wide` shows.
const CONTROLLER: &str = "observer";

/// What the pod was doing.
const ACTION: &str = "Connect";

/// So long the API may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The most bytes of `reportingInstance`.
const INSTANCE_BYTES: usize = 128;

/// Why an Event was not written.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The role does not allow it.
    #[error(
        "the agent may not write Events ({0}): grant it create and patch on events of the API group events.k8s.io, or start it \
         without --events"
    )]
    Forbidden(String),
    /// It was there and is not any more (Events live an hour by default).
    #[error("the Event is gone")]
    Gone,
    /// The API refuses it or cannot be reached.
    #[error("cannot write Events: {0}")]
    Failed(Box<kube::Error>),
    /// The API does not answer.
    #[error("cannot write Events: no answer within {} s", PATIENCE.as_secs())]
    Silent,
}

/// Writes for one agent.
#[derive(Clone)]
pub(super) struct Writer {
    client: Client,
    instance: String,
}

impl Writer {
    /// For the agent of `node`.
    #[must_use]
    pub(super) fn new(client: Client, node: &Str) -> Self {
        let instance = format!("{CONTROLLER}-{node}");
        let end = instance.floor_char_boundary(INSTANCE_BYTES);
        Self {
            client,
            instance: instance[..end].to_owned(),
        }
    }

    /// Creates the Event, or changes its count.
    ///
    /// # Errors
    ///
    /// [`Error`].
    pub(super) async fn write(&self, write: &Write) -> Result<(), Error> {
        let events: Api<Event> = Api::namespaced(self.client.clone(), &write.failure.pod.namespace);
        let written = async {
            if write.exists {
                let patch = Patch::Merge(json!({ "series": series(write) }));
                events.patch(&write.name, &PatchParams::default(), &patch).await
            } else {
                events.create(&PostParams::default(), &self.event(write)).await
            }
        };
        match timeout(PATIENCE, written).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(kube::Error::Api(status))) if status.code == 403 => Err(Error::Forbidden(status.message.clone())),
            Ok(Err(kube::Error::Api(status))) if status.code == 404 && write.exists => Err(Error::Gone),
            // Our answer was lost, not our request.
            Ok(Err(kube::Error::Api(status))) if status.code == 409 && !write.exists => Ok(()),
            Ok(Err(error)) => Err(Error::Failed(Box::new(error))),
            Err(_) => Err(Error::Silent),
        }
    }

    fn event(&self, write: &Write) -> Event {
        let failure: &Failure = &write.failure;
        Event {
            metadata: ObjectMeta {
                namespace: Some(failure.pod.namespace.to_string()),
                name: Some(write.name.clone()),
                ..ObjectMeta::default()
            },
            event_time: Some(time(write.first)),
            type_: Some("Warning".to_owned()),
            reason: Some(failure.reason()),
            action: Some(ACTION.to_owned()),
            note: Some(failure.note.clone()),
            regarding: Some(reference(&failure.pod)),
            related: failure.related.as_ref().map(reference),
            reporting_controller: Some(CONTROLLER.to_owned()),
            reporting_instance: Some(self.instance.clone()),
            series: (write.count > 1).then(|| series(write)),
            ..Event::default()
        }
    }
}

fn series(write: &Write) -> EventSeries {
    EventSeries {
        count: i32::try_from(write.count).unwrap_or(i32::MAX),
        last_observed_time: time(write.last),
    }
}

fn reference(object: &ObjectRef) -> ObjectReference {
    ObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some(object.kind.to_owned()),
        namespace: Some(object.namespace.to_string()),
        name: Some(object.name.to_string()),
        uid: object.uid.as_deref().map(str::to_owned),
        ..ObjectReference::default()
    }
}

fn time(at: Time) -> MicroTime {
    let stamp = jiff::Timestamp::from_nanosecond(i128::from(at.0));
    MicroTime(stamp.unwrap_or_default())
}
