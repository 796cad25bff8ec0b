//! Which attempts are worth an Event, and what it says.

use crate::attempt::{Outcome, Reach, Stage};
use crate::diagnosis::{Cause, Confidence};
use crate::endpoint::Identity;
use crate::engine::Diagnosed;
use crate::objects::{Pod, Str};
use crate::report::{Record, paragraph};

/// The most bytes of an Event's note (`ValidateEvent` in Kubernetes' `pkg/apis/core/validation/events.go`).
const NOTE_BYTES: usize = 1024;

/// A failed attempt, as it is told.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Failure {
    /// What makes it the same failure as another.
    pub(super) key: Key,
    /// The pod that dialled.
    pub(super) pod: ObjectRef,
    /// What was dialled, if it is an object.
    pub(super) related: Option<ObjectRef>,
    /// What happened, in a paragraph.
    pub(super) note: String,
}

/// Failures with one key are one series.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct Key {
    /// UID of the pod that dialled.
    pub(super) pod: Str,
    /// Why it failed.
    pub(super) cause: Cause,
    /// What was dialled: a Service, a pod, or an address; with the port.
    pub(super) destination: String,
}

/// Names an object.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct ObjectRef {
    /// `Pod` or `Service`.
    pub(super) kind: &'static str,
    /// Its namespace.
    pub(super) namespace: Str,
    /// Its name.
    pub(super) name: Str,
    /// Its UID, where known.
    pub(super) uid: Option<Str>,
}

impl Failure {
    /// Of a final attempt that failed for a cause that is at least probable, if this node's agent is the one to tell: a pod dialled, at
    /// whose interface it was observed.
    #[must_use]
    pub(super) fn of(diagnosed: &Diagnosed, node: &Str) -> Option<Self> {
        let Diagnosed { assessment, diagnosis } = diagnosed;
        let attempt = &assessment.attempt;
        let cause = diagnosis.cause?;
        let told = attempt.stage == Stage::Final
            && attempt.outcome != Outcome::Connected
            // That the policies are not obeyed is not why it failed.
            && cause != Cause::NotEnforced
            && diagnosis.confidence >= Some(Confidence::Probable)
            && (attempt.source_observed || attempt.reach == Reach::NotSent);
        let pod = assessment.source.pod().filter(|_| told)?;
        let port = attempt.server.port();
        let (destination, related) = match &assessment.destination.identity {
            Identity::Service(hit) if hit.service.is_some() => {
                let service = &hit.service.as_ref()?.name;
                let related = ObjectRef {
                    kind: "Service",
                    namespace: service.namespace.clone(),
                    name: service.name.clone(),
                    uid: None,
                };
                (format!("svc {service}:{port}"), Some(related))
            }
            Identity::Pod(pod) => (format!("{}:{port}", pod.name), Some(ObjectRef::pod(pod))),
            _ => (attempt.server.to_string(), None),
        };
        let record = Record::new(assessment, diagnosis, node);
        Some(Self {
            key: Key {
                pod: pod.uid.clone(),
                cause,
                destination,
            },
            pod: ObjectRef::pod(pod),
            related,
            note: cut(paragraph(&record)),
        })
    }

    /// The cause as an Event's reason: `PolicyIngress`.
    #[must_use]
    pub(super) fn reason(&self) -> String {
        let words = self.key.cause.code().split('-');
        words
            .flat_map(|word| {
                let mut letters = word.chars();
                letters
                    .next()
                    .map(|first| first.to_ascii_uppercase())
                    .into_iter()
                    .chain(letters)
            })
            .collect()
    }
}

impl ObjectRef {
    fn pod(pod: &Pod) -> Self {
        Self {
            kind: "Pod",
            namespace: pod.name.namespace.clone(),
            name: pod.name.name.clone(),
            uid: Some(pod.uid.clone()),
        }
    }
}

/// At most [`NOTE_BYTES`].
fn cut(mut note: String) -> String {
    if note.len() > NOTE_BYTES {
        let end = '…'.len_utf8();
        note.truncate(note.floor_char_boundary(NOTE_BYTES - end));
        note.push('…');
    }
    note
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::diagnose;
    use crate::diagnosis::tests::build::Build;
    use crate::policy::Direction;

    fn failure(build: Build) -> Option<Failure> {
        let diagnosis = diagnose(&build.0);
        let assessment = build.0;
        Failure::of(&Diagnosed { assessment, diagnosis }, &"node-a".into())
    }

    fn denied() -> Build {
        Build::new()
            .denied(Direction::Ingress)
            .dropped("NETFILTER_DROP", "nft_do_chain")
    }

    #[test]
    fn a_failure_names_its_pod_its_cause_and_where_to() {
        let failure = failure(denied()).expect("a failure");
        assert_eq!(&*failure.pod.name, "homepage-7d9f-x2x4v");
        assert_eq!(failure.reason(), "PolicyIngress");
        assert_eq!(failure.key.destination, "immich/immich-server-0:2283");
        assert_eq!(failure.related.as_ref().map(|related| related.kind), Some("Pod"));
        assert_eq!(
            failure.note,
            "timeout to immich/immich-server-0:2283: 3 SYNs in 4.0 s, never delivered. policy-ingress, confirmed: \
             immich/allow-ingress isolates ingress. Nearest: rule 1 allows this peer, but only TCP 80; the target port is 2283. To \
             allow it: add TCP 2283 to rule 1 of immich/allow-ingress."
        );
    }

    #[test]
    fn attempts_by_one_service_are_one_failure_whatever_the_backend() {
        let by_service = |backend: &str| {
            let build = Build::new().service(80, &[(true, true)]).refused();
            failure(build.with(|all| all.attempt.backend = Some(backend.parse().expect("an address"))))
        };
        let (one, other) = (by_service("10.0.0.2:2283"), by_service("10.0.0.3:2283"));
        assert_eq!(
            one.as_ref().map(|failure| failure.key.destination.as_str()),
            Some("svc immich/immich:80")
        );
        assert_eq!(one.map(|failure| failure.key), other.map(|failure| failure.key));
    }

    #[test]
    fn what_is_not_told() {
        let cases: [(&str, Build); 7] = [
            ("it went well", Build::new().connected()),
            (
                "it went well although denied",
                Build::new().connected().denied(Direction::Ingress),
            ),
            (
                "it failed, but not for this cause",
                Build::new()
                    .refused()
                    .denied(Direction::Ingress)
                    .with(|all| all.answered_although_denied = 3),
            ),
            (
                "it may still change",
                denied().with(|all| all.attempt.stage = Stage::Provisional),
            ),
            ("a correction", denied().with(|all| all.attempt.stage = Stage::Revision)),
            (
                "another agent's",
                denied().with(|all| all.attempt.source_observed = false),
            ),
            (
                "no pod dialled",
                denied().with(|all| all.source.identity = Identity::External),
            ),
        ];
        for (why, build) in cases {
            assert_eq!(failure(build), None, "{why}");
        }
        let unsure = Build::new().denied(Direction::Ingress).unobserved();
        assert_eq!(failure(unsure), None, "only possible");
    }

    #[test]
    fn a_long_note_is_cut_between_characters() {
        let note = cut("ö".repeat(600));
        assert!(note.len() <= NOTE_BYTES && note.ends_with("ö…"), "{}", note.len());
        assert_eq!(cut("short".into()), "short");
    }
}
