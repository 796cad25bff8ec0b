//! What a filter's value tests of a record.

use std::net::IpAddr;

use ipnetwork::IpNetwork;

use crate::attempt::Outcome;
use crate::diagnosis::{Cause, Confidence};
use crate::objects::Selector;
use crate::report::{Party, PartyKind, Record, ServiceRecord};

/// One value of one flag.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Test {
    /// A side or the dialled Service is in this namespace.
    Namespace(String),
    /// The name of a side's pod begins so.
    Pod(Side, Qualified),
    /// The labels of a side's pod.
    Label(Labelled),
    /// An address of either side, as dialled or translated, is in this block.
    Ip(IpNetwork),
    /// The destination's port, as dialled or translated.
    Port(u16),
    /// The Service that was dialled, or perhaps was.
    Service(Qualified),
    /// How it ended.
    Outcome(Outcome),
    /// Why it ended so.
    Cause(Cause),
    /// How sure the cause is.
    Confidence(Confidence),
    /// A policy that isolates or allows.
    Policy(Qualified),
    /// TCP, the only protocol there is.
    Protocol,
}

/// Which side of an attempt.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Side {
    /// Who dialled.
    From,
    /// Who was dialled.
    To,
    /// Either.
    Either,
}

/// A name, perhaps in a namespace.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Qualified {
    /// Its namespace; `None`: any.
    pub namespace: Option<String>,
    /// Empty: every name.
    pub name: String,
}

/// A label selector, and how it was written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Labelled {
    /// As it was written.
    pub text: String,
    /// What must hold of one side's labels.
    pub selector: Selector,
}

impl Qualified {
    fn begins(&self, namespace: &str, name: &str) -> bool {
        self.in_namespace(namespace) && name.starts_with(&self.name)
    }

    fn is(&self, namespace: &str, name: &str) -> bool {
        self.in_namespace(namespace) && (self.name.is_empty() || self.name == name)
    }

    fn in_namespace(&self, namespace: &str) -> bool {
        self.namespace.as_ref().is_none_or(|wanted| wanted == namespace)
    }
}

impl Test {
    /// Whether the record has it.
    pub fn holds(&self, record: &Record) -> bool {
        let to = &record.destination;
        match self {
            Self::Namespace(wanted) => {
                let sides = [&record.source.namespace, &to.party.namespace];
                let service = to.service.as_ref().map(|service| &service.namespace);
                let mut known = sides.into_iter().flatten().chain(service);
                known.any(|namespace| **namespace == **wanted)
            }
            Self::Pod(side, wanted) => {
                let from = matches!(side, Side::From | Side::Either);
                let into = matches!(side, Side::To | Side::Either);
                (from && pod(&record.source, wanted)) || (into && pod(&to.party, wanted))
            }
            Self::Label(wanted) => [&record.source, &to.party]
                .into_iter()
                .any(|party| labelled(party, wanted)),
            Self::Ip(block) => addresses(record).any(|address| block.contains(address)),
            Self::Port(port) => {
                let backend = to.backend.as_ref().map(|backend| backend.port);
                to.party.port == *port || backend == Some(*port)
            }
            Self::Service(wanted) => {
                let is = |service: &ServiceRecord| wanted.is(&service.namespace, &service.name);
                to.service.as_ref().or(to.perhaps_via.as_ref()).is_some_and(is)
            }
            Self::Outcome(outcome) => record.outcome == *outcome,
            Self::Cause(cause) => record.cause == Some(*cause),
            Self::Confidence(confidence) => record.confidence == Some(*confidence),
            Self::Policy(wanted) => policies(record).any(|policy| {
                let (namespace, name) = policy.split_once('/').unwrap_or(("", policy));
                wanted.is(namespace, name)
            }),
            Self::Protocol => true,
        }
    }
}

fn pod(party: &Party, wanted: &Qualified) -> bool {
    party.kind == PartyKind::Pod
        && match (&party.namespace, &party.name) {
            (Some(namespace), Some(name)) => wanted.begins(namespace, name),
            _ => false,
        }
}

fn labelled(party: &Party, wanted: &Labelled) -> bool {
    party.kind == PartyKind::Pod && wanted.selector.matches(&party.labels)
}

fn addresses(record: &Record) -> impl Iterator<Item = IpAddr> {
    let to = &record.destination;
    let backend = to.backend.as_ref().map(|backend| backend.ip);
    [record.source.ip, to.party.ip].into_iter().chain(backend)
}

fn policies(record: &Record) -> impl Iterator<Item = &str> {
    let verdict = &record.verdict;
    [&verdict.egress, &verdict.ingress]
        .into_iter()
        .flat_map(|direction| &direction.policies)
        .map(String::as_str)
}
