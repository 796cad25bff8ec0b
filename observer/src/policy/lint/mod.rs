//! What is probably not meant in NetworkPolicies, told from the objects alone: no traffic, no time.
//!
//! ```text
//! objects → Scope (who is there, whom a peer selects) → a file for each family of lints → Finding
//!           scope                selectors, peers, ports, api_server, dns, pairs, breadth, rules, across, types, pods
//! ```
//!
//! What is absent is no evidence: manifests often hold a part of a cluster. A lint that needs pods, namespaces or Services is
//! silent where none of them were read, and says less where it cannot be told whether all were.
//!
//! It does not own where an object is written (`cluster/`), nor how a finding is printed (`cli/`).

mod across;
mod api_server;
mod breadth;
mod dns;
mod pages;
mod pairs;
mod peers;
mod pods;
mod ports;
mod rules;
mod scope;
mod selectors;
mod types;

#[cfg(test)]
mod tests;

use std::fmt;

use crate::objects::{Name, Str};

pub use pages::{PARTS, Page, nearest, page, pages};
pub use scope::Objects;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub enum Severity {
    /// To be known; may well be meant.
    Note,
    /// Probably not meant.
    Warning,
    /// Cannot work as it is written.
    Error,
}

impl Severity {
    /// The word for it, which is also SARIF's.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// What a finding is about. The codes are stable.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub enum Code {
    /// The policy's `podSelector` selects no pod.
    SelectsNoPods,
    /// A peer's `podSelector` selects no pod.
    PeerSelectsNoPods,
    /// A peer's `namespaceSelector` selects no namespace.
    NoSuchNamespace,
    /// `namespaceSelector` and `podSelector` as two peers where one was probably meant.
    SplitPeer,
    /// An empty `namespaceSelector` beside a `podSelector`.
    EveryNamespace,
    /// A Service's port where the pods' port belongs.
    ServicePort,
    /// A block of addresses that are Services'.
    ClusterIpBlock,
    /// Pods that are isolated for egress may not ask DNS.
    NoDns,
    /// DNS over UDP only.
    DnsWithoutTcp,
    /// Egress is allowed, and the destination lets none of it in.
    EgressWithoutIngress,
    /// Ingress is allowed, and no source may go out to it.
    IngressWithoutEgress,
    /// A policy that allows everything.
    AllowsEverything,
    /// The same rule, peer, port or policy twice.
    Duplicate,
    /// A rule that another one covers, of the same policy or of another one of the same pods.
    Shadowed,
    /// Rules of a direction that the policy does not have.
    RulesWithoutEffect,
    /// `policyTypes` missing beside egress rules only.
    ImpliedIngress,
    /// Pods that no policy isolates.
    NotIsolated,
}

impl Code {
    /// Every code, in the order of the documentation.
    pub const ALL: [Self; 17] = [
        Self::SelectsNoPods,
        Self::PeerSelectsNoPods,
        Self::NoSuchNamespace,
        Self::SplitPeer,
        Self::EveryNamespace,
        Self::ServicePort,
        Self::ClusterIpBlock,
        Self::NoDns,
        Self::DnsWithoutTcp,
        Self::EgressWithoutIngress,
        Self::IngressWithoutEgress,
        Self::AllowsEverything,
        Self::Duplicate,
        Self::Shadowed,
        Self::RulesWithoutEffect,
        Self::ImpliedIngress,
        Self::NotIsolated,
    ];

    /// The stable kebab-case code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::SelectsNoPods => "selects-no-pods",
            Self::PeerSelectsNoPods => "peer-selects-no-pods",
            Self::NoSuchNamespace => "no-such-namespace",
            Self::SplitPeer => "split-peer",
            Self::EveryNamespace => "every-namespace",
            Self::ServicePort => "service-port",
            Self::ClusterIpBlock => "cluster-ip-block",
            Self::NoDns => "no-dns",
            Self::DnsWithoutTcp => "dns-without-tcp",
            Self::EgressWithoutIngress => "egress-without-ingress",
            Self::IngressWithoutEgress => "ingress-without-egress",
            Self::AllowsEverything => "allows-everything",
            Self::Duplicate => "duplicate",
            Self::Shadowed => "shadowed",
            Self::RulesWithoutEffect => "rules-without-effect",
            Self::ImpliedIngress => "implied-ingress",
            Self::NotIsolated => "not-isolated",
        }
    }

    /// How bad it is as a rule; less where it is not certain.
    #[must_use]
    pub fn severity(self) -> Severity {
        match self {
            Self::RulesWithoutEffect => Severity::Error,
            Self::DnsWithoutTcp | Self::NotIsolated => Severity::Note,
            Self::SelectsNoPods
            | Self::PeerSelectsNoPods
            | Self::NoSuchNamespace
            | Self::SplitPeer
            | Self::EveryNamespace
            | Self::ServicePort
            | Self::ClusterIpBlock
            | Self::NoDns
            | Self::EgressWithoutIngress
            | Self::IngressWithoutEgress
            | Self::AllowsEverything
            | Self::Duplicate
            | Self::Shadowed
            | Self::ImpliedIngress => Severity::Warning,
        }
    }

    /// The code of that name.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.code() == text)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// One thing that is probably not meant.
#[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub struct Finding {
    /// The object's kind, as in its manifest.
    pub kind: Str,
    /// Its name.
    pub name: Name,
    /// The field, as `spec.ingress[0].from[1]`.
    pub field: String,
    /// What it is about.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong and what follows from it: a sentence without a full stop.
    pub message: String,
    /// What to do: a sentence without a full stop.
    pub help: String,
}

/// Everything that is probably not meant, by object and field.
#[must_use]
pub fn lint(objects: &Objects) -> Vec<Finding> {
    let scope = scope::Scope::new(objects);
    let mut findings = Vec::new();
    for policy in &scope.policies {
        selectors::lint(&scope, policy, &mut findings);
        peers::lint(&scope, policy, &mut findings);
        ports::lint(&scope, policy, &mut findings);
        breadth::lint(policy, &mut findings);
        rules::lint(policy, &mut findings);
        types::lint(policy, &mut findings);
        pairs::lint(&scope, policy, &mut findings);
    }
    rules::lint_policies(&scope, &mut findings);
    across::lint(&scope, &mut findings);
    dns::lint(&scope, &mut findings);
    pods::lint(&scope, &mut findings);
    // One mistake is told once: a split peer is why the second half selects nothing.
    let split: Vec<_> = findings
        .iter()
        .filter(|found| found.code == Code::SplitPeer)
        .map(|found| (found.name.clone(), found.field.clone()))
        .collect();
    findings.retain(|found| {
        found.code != Code::PeerSelectsNoPods
            || !split
                .iter()
                .any(|(name, field)| (name, field) == (&found.name, &found.field))
    });
    findings.sort();
    findings.dedup();
    findings
}
