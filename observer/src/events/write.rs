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
    /// This Event can never be written, which says nothing of others: its namespace ends or has ended, or it is not taken as it is.
    #[error("an Event is left out: {0}")]
    Refused(String),
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
            Ok(Err(error)) => refusal(error, write.exists).map_or(Ok(()), Err),
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

/// What the answer means for an Event that exists, or does not; `None`: that it is written.
fn refusal(error: kube::Error, exists: bool) -> Option<Error> {
    let kube::Error::Api(status) = &error else {
        return Some(Error::Failed(Box::new(error)));
    };
    // `NamespaceTerminatingCause` in Kubernetes' `k8s.io/api/core/v1/types.go`.
    let causes = status.details.iter().flat_map(|details| &details.causes);
    let ends = causes.into_iter().any(|cause| cause.reason == "NamespaceTerminating");
    match status.code {
        404 if exists => Some(Error::Gone),
        404 | 422 => Some(Error::Refused(status.message.clone())),
        403 if ends => Some(Error::Refused(status.message.clone())),
        403 => Some(Error::Forbidden(status.message.clone())),
        // Our answer was lost, not our request.
        409 if !exists => None,
        _ => Some(Error::Failed(Box::new(error))),
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

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    #[test]
    fn what_an_answer_means() {
        let terminating = json!({ "causes": [{ "reason": "NamespaceTerminating", "field": "metadata.namespace" }] });
        let cases = [
            (403, json!(null), false, "Forbidden"),
            (403, terminating, false, "Refused"),
            (404, json!(null), false, "Refused"),
            (404, json!(null), true, "Gone"),
            (422, json!(null), true, "Refused"),
            (409, json!(null), false, "None"),
            (409, json!(null), true, "Failed"),
            (500, json!(null), false, "Failed"),
        ];
        for (code, details, exists, expect) in cases {
            let status: Status = serde_json::from_value(json!({
                "status": "Failure", "code": code, "message": "no", "details": details,
            }))
            .expect("a status");
            let told = match refusal(kube::Error::Api(status.boxed()), exists) {
                None => "None",
                Some(Error::Forbidden(_)) => "Forbidden",
                Some(Error::Gone) => "Gone",
                Some(Error::Refused(_)) => "Refused",
                Some(Error::Failed(_)) => "Failed",
                Some(Error::Silent) => "Silent",
            };
            assert_eq!(told, expect, "{code} {exists}");
        }
    }
}
