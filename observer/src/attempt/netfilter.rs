//! Whether netfilter freed a packet: by the reason, or by the function where the kernel gives no reason (none before 5.17,
//! `NOT_SPECIFIED` where it was not thought of).

use super::Drop;

/// Which part of netfilter.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Netfilter {
    /// A hook's verdict, whoever wrote the rule.
    Verdict,
    /// A program that decides for a queue (NFQUEUE).
    Queue,
}

/// Kernel functions that free a packet for a verdict.
const VERDICT: [&str; 5] = [
    "nf_hook_slow",
    "nf_hook_slow_list",
    "nft_do_chain",
    "ipt_do_table",
    "ip6t_do_table",
];

/// Kernel functions that free a packet that a queue's program refused.
const QUEUE: [&str; 3] = ["nfqnl_reinject", "nf_reinject", "nfqnl_recv_verdict"];

impl Drop {
    /// The reason, where the kernel gives one that says something.
    #[must_use]
    pub fn stated_reason(&self) -> Option<&str> {
        self.reason.as_deref().filter(|reason| *reason != "NOT_SPECIFIED")
    }

    /// The function's name without what the compiler appended (`.isra.0`).
    #[must_use]
    pub fn function_name(&self) -> Option<&str> {
        self.function.as_deref()?.split(['.', '+', ' ']).next()
    }

    /// The part of netfilter that freed it; `None` if something else did, or nobody knows.
    #[must_use]
    pub fn netfilter(&self) -> Option<Netfilter> {
        if let Some(reason) = self.stated_reason() {
            return (reason == "NETFILTER_DROP").then_some(Netfilter::Verdict);
        }
        let name = self.function_name()?;
        if VERDICT.contains(&name) {
            Some(Netfilter::Verdict)
        } else {
            QUEUE.contains(&name).then_some(Netfilter::Queue)
        }
    }
}
