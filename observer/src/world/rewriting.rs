//! Whom a backend's policies may see instead of the client: on the way in by a node port, an external or a load balancer's address, a
//! node's address often takes the place of the source's.
//!
//! The NetworkPolicy documentation: "Cluster ingress and egress mechanisms often require rewriting the source or destination IP
//! of packets. In cases where this happens, it is not defined whether this happens before or after NetworkPolicy processing". The
//! Service API: only `externalTrafficPolicy: Local` preserves the client's address. kube-proxy masquerades everything else that is
//! dialled at such an address, whoever dials; what a pod sends to another node, network plugins masquerade too.
//!
//! So ingress is judged with the source as it is and as every node that may stand in for it, and open where that matters. Where
//! the wire shows the source at the destination there is nothing to guess: `world.rs` asks that first.

use std::net::IpAddr;

use super::{World, places};
use crate::endpoint::{ServiceHit, Via};
use crate::objects::Str;
use crate::policy::{Decision, Party, Question, Undecidable, Verdict, Who, combine_open};
use crate::time::Time;

/// An address by which a Service's pod is reached from outside of the Service's own network.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    /// The dialled one.
    address: IpAddr,
    via: Via,
    /// `externalTrafficPolicy: Local`: the way in keeps the source's address.
    kept: bool,
}

impl Entry {
    /// `None` for a cluster address: a pod that dials it keeps its own.
    pub(crate) fn of(address: IpAddr, hit: &ServiceHit) -> Option<Self> {
        let kept = hit.service.as_ref().is_some_and(|service| service.external_local);
        (hit.via != Via::ClusterIp).then_some(Self {
            address,
            via: hit.via,
            kept,
        })
    }
}

impl World {
    /// The verdict of a question whose source came in by `entry`: open for ingress where a node that stands in for it would be
    /// answered otherwise.
    pub(crate) fn judge_by(&self, question: &Question, until: Time, entry: Option<Entry>) -> Verdict {
        let verdict = self.policies.judge_until(question, until);
        let Some(entry) = entry else { return verdict };
        let turned = self.stand_ins(question, entry).into_iter().any(|source| {
            let question = Question {
                source,
                ..question.clone()
            };
            let other = self.policies.decide_until(&question, until).ingress.decision;
            class(other) != class(verdict.ingress.decision)
        });
        if !turned {
            return verdict;
        }
        let open = Verdict {
            ingress: Verdict::undecidable(Undecidable::SourceRewritten).ingress,
            ..verdict.clone()
        };
        combine_open([verdict, open], &Undecidable::SourceRewritten)
            .unwrap_or_else(|| Verdict::undecidable(Undecidable::SourceRewritten))
    }

    /// Every node that the destination may see in the source's place, by each of its addresses.
    fn stand_ins(&self, question: &Question, entry: Entry) -> Vec<Party> {
        let (at, address) = (question.at, question.destination.address);
        let Who::Pod(backend) = &question.destination.who else {
            // Policies ask for the source at pods only.
            return Vec::new();
        };
        let mut nodes: Vec<Str> = Vec::new();
        let masquerading = self.masquerading(question, entry);
        for node in &masquerading {
            match node {
                Some(node) => nodes.push(node.clone()),
                None => nodes.extend(self.endpoints.nodes(at).cloned()),
            }
        }
        if masquerading.is_empty() {
            return Vec::new();
        }
        let party = |node: Option<Str>, address| Party {
            address,
            who: Who::Node {
                node,
                // A masqueraded packet is no hostNetwork pod's own.
                candidates: Vec::new(),
            },
        };
        let blocks = || self.policies.blocks_of(&backend.name.namespace, at);
        let anywhere = || places(&blocks(), address.is_ipv4(), address.is_ipv6());
        if nodes.is_empty() {
            return anywhere().into_iter().map(|address| party(None, address)).collect();
        }
        let each = nodes.into_iter().flat_map(|node| {
            let mut addresses = self.endpoints.node_addresses(&node, address.is_ipv6(), at);
            if addresses.is_empty() {
                addresses = anywhere();
            }
            addresses
                .into_iter()
                .map(move |address| party(Some(node.clone()), address))
        });
        each.collect()
    }

    /// The nodes that may masquerade it; `None`: some node.
    fn masquerading(&self, question: &Question, entry: Entry) -> Vec<Option<Str>> {
        let dialled = || self.endpoints.node_at(entry.address, question.at);
        // A pod's node, where its packets leave it untranslated.
        let mut home = None;
        let mut is_node = false;
        match &question.source.who {
            Who::Pod(pod) if !pod.host_network => home = Some(pod.node.clone()),
            Who::Pod(_) | Who::Node { .. } => is_node = true,
            Who::External | Who::Unknown | Who::Rewritten { .. } => {}
        }
        let leaving = || home.clone().filter(|home| home.is_none() || *home != dialled());
        match (entry.via, entry.kept) {
            (Via::ClusterIp, _) | (Via::External, true) => Vec::new(),
            // The client's own node translates; what comes from outside arrives at any.
            (Via::External, false) if is_node => Vec::new(),
            (Via::External, false) => vec![home.flatten()],
            (Via::NodePort, false) => std::iter::once(dialled()).chain(leaving()).collect(),
            // The way in keeps it, but not the way out of the pod's node.
            (Via::NodePort, true) | (Via::HostPort, _) => leaving().into_iter().collect(),
        }
    }
}

fn class(decision: Decision) -> Decision {
    match decision {
        Decision::NotApplicable | Decision::NotIsolated | Decision::Allowed => Decision::Allowed,
        other => other,
    }
}
