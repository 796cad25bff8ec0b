//! Deliberate faults of the compiled evaluator, each of which the comparison with the reference must find.
//!
//! A fault is a place of the code that says `faulty!(Name)`: `false`, and in tests whether that fault is on for the thread. A
//! release build holds nothing of it. `tests/mutations.rs` turns on each of `Fault::ALL` and demands a counterexample. By
//! what is wrong:
//!
//! - selectors: the value of a label is not compared; only the first value of `In` counts; `NotIn` wants the key; `Exists`
//!   and `DoesNotExist` always hold; only the first requirement counts;
//! - ports: the protocol is not compared; either end of a range is left out; a rule without ports matches none; any name
//!   fits; a peer or a port is enough;
//! - peers: a rule without peers matches none; exceptions of a block are ignored; blocks miss pods; a `namespaceSelector`
//!   is ignored; a `podSelector` beside one is; a `podSelector` alone reaches all namespaces;
//! - policies: only the first that isolates counts; `policyTypes` are ignored; ingress and egress rules are swapped; a pod
//!   cannot reach itself; its own node cannot reach it;
//! - tiers: priorities are ignored; policies of one priority have an order; later rules count too; Pass is no match;
//!   NetworkPolicies are not final before the baseline; the baseline is left out; ports are ignored; what is not understood is
//!   skipped; any node will do; networks miss pods; domain names resolve to nothing; hostNetwork pods are subjects, or
//!   peers; the subject's pod selector is ignored; a pod and itself are judged;
//! - time: a changed pod keeps its old policies; a changed policy is not indexed, nor a cluster-wide one; a namespace keeps
//!   its old labels, or the cluster-wide policies for them; a node keeps its old labels, a policy its old numbers;
//!   changes open no window.

macro_rules! faulty {
    ($fault:ident) => {{
        #[cfg(test)]
        let on = $crate::policy::faults::Fault::$fault.is_on();
        #[cfg(not(test))]
        let on = false;
        on
    }};
}
pub(super) use faulty;

#[cfg(test)]
macro_rules! faults {
    ($($fault:ident)*) => {
        /// One fault.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub(super) enum Fault {
            $($fault,)*
        }

        impl Fault {
            pub(super) const ALL: &[Self] = &[$(Self::$fault,)*];
        }
    };
}

#[cfg(test)]
faults! {
    IgnoreValue FirstValueOnly NotInWantsKey ExistsAlways DoesNotExistAlways FirstRequirementOnly
    IgnoreProtocol LeaveOutFirstPort LeaveOutLastPort NoPortsMatchNone AnyNameFits PeerOrPort
    NoPeersMatchNone IgnoreExceptions BlocksMissPods IgnoreNamespaceSelector IgnorePodSelectorBeside AllNamespaces
    FirstPolicyOnly IgnorePolicyTypes SwapDirections NotItself NotOwnNode
    IgnorePriority EqualsInOrder LaterRulesToo PassIsNoMatch NetworkPoliciesAreNotFinal NoBaseline IgnoreTierPorts FailOpen
    AnyNode NetworksMissPods NamesResolveToNothing HostPodsAreSubjects HostPodsArePeers IgnoreSubjectPods TiersWithinPod
    KeepSelection KeepIndex KeepApplying KeepNamespaceLabels KeepApplyingWithNamespace KeepNodeLabels KeepNumbers NoWindow
}

#[cfg(test)]
std::thread_local! {
    static ON: std::cell::Cell<Option<Fault>> = const { std::cell::Cell::new(None) };
}

#[cfg(test)]
impl Fault {
    pub(super) fn is_on(self) -> bool {
        ON.get() == Some(self)
    }

    /// Does it with this fault, then without any.
    pub(super) fn during<T>(self, it: impl FnOnce() -> T) -> T {
        ON.set(Some(self));
        let result = it();
        ON.set(None);
        result
    }
}
