//! From an assessment and its diagnosis to the record.

use super::record::{
    Address, BackendRecord, Destination, DirectionRecord, DropRecord, Fact, IcmpRecord, NearestRecord, Party,
    PartyKind, Point, Record, RecordType, RuleRecord, SCHEMA, ServiceRecord, VerdictRecord, WorkloadRecord,
};
use crate::attempt::{Attempt, Place, PointFacts, Stage};
use crate::diagnosis::{Assessment, Diagnosis, misses, telling_drop, wire};
use crate::endpoint::{Endpoint, Identity};
use crate::objects::{Labels, Name, Pod, Str};
use crate::policy::{DirectionVerdict, NearMiss, RuleId, Verdict};

impl Record {
    /// The record of an attempt that `node` observed.
    #[must_use]
    pub fn new(assessment: &Assessment, diagnosis: &Diagnosis, node: &Str) -> Self {
        let attempt = &assessment.attempt;
        Self {
            schema: SCHEMA,
            kind: match attempt.stage {
                Stage::Provisional | Stage::Final => RecordType::Attempt,
                Stage::Revision => RecordType::Revision,
            },
            time: attempt.first,
            decided: attempt.decided,
            node: node.clone(),
            id: attempt.id.to_string(),
            isn: attempt.isn,
            outcome: attempt.outcome,
            origin: attempt.origin,
            reach: attempt.reach,
            is_final: attempt.stage == Stage::Final,
            syns: attempt.syns,
            handshake_us: attempt
                .handshake
                .map(|span| u64::try_from(span.as_micros()).unwrap_or(u64::MAX)),
            source_observed: attempt.source_observed,
            wire: exact(wire::clause(attempt)),
            points: attempt.points.iter().map(point).collect(),
            source: party(&assessment.source),
            destination: destination(assessment, attempt),
            verdict: VerdictRecord::new(&assessment.verdict),
            drop: telling_drop(assessment).map(|drop| DropRecord {
                reason: drop.reason.clone(),
                function: drop.function.clone(),
                place: match drop.place {
                    Place::Node => "node".into(),
                    Place::Pod { .. } => "pod".into(),
                },
            }),
            cause: diagnosis.cause,
            confidence: diagnosis.confidence,
            reasons: diagnosis.reasons.clone(),
            advice: diagnosis.advice.clone(),
            evidence: diagnosis
                .evidence
                .iter()
                .map(|fact| Fact {
                    kind: fact.kind.into(),
                    text: fact.text.clone(),
                })
                .collect(),
        }
    }
}

fn point(facts: &PointFacts) -> Point {
    Point {
        interface: facts.interface.clone(),
        ifindex: facts.ifindex,
        direction: facts.direction.code().into(),
        client: facts.client.into(),
        server: facts.server.into(),
        first: facts.first,
        syns: facts.syns,
        syn_ack: facts.answered,
        syn_ack_repeats: facts.repeats,
        rst: facts.reset,
        client_rst: facts.aborted,
        icmp: facts.icmp.map(|error| IcmpRecord {
            from: error.from,
            kind: error.kind,
            code: error.code,
            quoted_ttl: error.quoted_ttl,
        }),
        bound: facts.bound,
        foreign: facts.foreign,
    }
}

fn party(endpoint: &Endpoint) -> Party {
    let Address { ip, port } = endpoint.address.into();
    let nobody = |kind| Party {
        ip,
        port,
        kind,
        namespace: None,
        name: None,
        workload: None,
        labels: Labels::default(),
    };
    let named = |kind, name: &Name| Party {
        namespace: Some(name.namespace.clone()),
        name: Some(name.name.clone()),
        ..nobody(kind)
    };
    match &endpoint.identity {
        Identity::Pod(pod) => Party {
            workload: workload(pod),
            labels: pod.labels.clone(),
            ..named(PartyKind::Pod, &pod.name)
        },
        Identity::Service(hit) => match &hit.service {
            Some(service) => named(PartyKind::Service, &service.name),
            None => nobody(PartyKind::Node),
        },
        Identity::Node { node, .. } => Party {
            name: node.clone(),
            ..nobody(PartyKind::Node)
        },
        Identity::External => nobody(PartyKind::External),
        Identity::Unknown(_) => nobody(PartyKind::Unknown),
    }
}

fn workload(pod: &Pod) -> Option<WorkloadRecord> {
    pod.workload.as_ref().map(|owner| WorkloadRecord {
        kind: owner.kind.clone(),
        name: owner.name.clone(),
    })
}

/// The address as dialled, and the pod that it became in the place of the Service's name.
fn destination(assessment: &Assessment, attempt: &Attempt) -> Destination {
    let dialled = &assessment.destination;
    let mut who = party(dialled);
    if let Some(backend) = &assessment.backend
        && backend.pod().is_some()
    {
        who = Party {
            ip: who.ip,
            port: who.port,
            ..party(backend)
        };
    }
    let service = dialled.service().and_then(|hit| {
        let service = hit.service.as_ref()?;
        Some(ServiceRecord {
            namespace: service.name.namespace.clone(),
            name: service.name.name.clone(),
            port: hit.port.as_ref().map_or(dialled.address.port(), |port| port.port),
        })
    });
    let perhaps_via = assessment.perhaps_via.as_ref().map(|via| ServiceRecord {
        namespace: via.service.namespace.clone(),
        name: via.service.name.clone(),
        port: via.port.port,
    });
    let address = assessment
        .backend
        .as_ref()
        .map(|backend| backend.address)
        .or(attempt.backend);
    let backend = address.map(|address| {
        let pod = assessment.backend.as_ref().and_then(Endpoint::pod);
        BackendRecord {
            ip: address.ip(),
            port: address.port(),
            namespace: pod.map(|pod| pod.name.namespace.clone()),
            name: pod.map(|pod| pod.name.name.clone()),
        }
    });
    Destination {
        party: who,
        service,
        perhaps_via,
        backend,
    }
}

impl VerdictRecord {
    /// What JSON says of a verdict.
    #[must_use]
    pub fn new(verdict: &Verdict) -> Self {
        Self {
            decision: verdict.decision,
            egress: direction(&verdict.egress),
            ingress: direction(&verdict.ingress),
        }
    }
}

fn direction(verdict: &DirectionVerdict) -> DirectionRecord {
    DirectionRecord {
        decision: verdict.decision,
        undecidable: verdict.undecidable.as_ref().map(|reason| reason.code().into()),
        policies: verdict.policies.iter().map(|name| exact(name.to_string())).collect(),
        rule: verdict.rule.as_ref().map(rule),
        nearest: verdict.nearest.iter().map(nearest).collect(),
        farther: verdict.farther,
    }
}

fn rule(rule: &RuleId) -> RuleRecord {
    RuleRecord {
        policy: exact(rule.policy.to_string()),
        direction: rule.direction,
        number: rule.number,
    }
}

fn nearest(miss: &NearMiss) -> NearestRecord {
    NearestRecord {
        rule: rule(&miss.rule),
        unmet: miss
            .unmet
            .iter()
            .map(|unmet| Fact {
                kind: misses::code(unmet).into(),
                text: exact(misses::unmet(unmet, miss.rule.direction)),
            })
            .collect(),
        change: miss.change.clone(),
    }
}

/// Without the room that was left for writing it: records are kept, many of them.
fn exact(mut text: String) -> String {
    text.shrink_to_fit();
    text
}
