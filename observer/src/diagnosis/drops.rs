//! What a drop reason and the kernel function that freed a packet mean: one table.
//!
//! Reasons are spelled as `enum skb_drop_reason` of the running kernel spells them, without prefix (include/net/dropreason-core.h;
//! renamed ones under each name they had). Where the reason says nothing (`NOT_SPECIFIED`; none before 5.17), the function does.

use crate::attempt::{Drop, Netfilter};

/// The part of the kernel that freed a packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
pub enum Stage {
    /// Netfilter, an eBPF or tc program, a security module: somebody decided so.
    Filter,
    /// A queue or memory limit.
    Queue,
    /// Neighbour resolution: nobody answered for the next hop's address.
    Neighbour,
    /// Routing: no route, or one that discards.
    Route,
    /// The check of the source address (reverse path filter, martians).
    ReversePath,
    /// TCP or the socket.
    Socket,
    /// Anything else, or unknown.
    Other,
}

/// What a drop means.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Reading {
    /// The part of the kernel.
    pub stage: Stage,
    /// Who dropped it, as a clause that takes the packet as object: "netfilter dropped" … "it".
    pub words: &'static str,
}

/// Netfilter's verdict, whoever wrote the rule.
const NETFILTER: &str = "netfilter dropped it";
const NFQUEUE: &str = "a program that decides for netfilter's queue (NFQUEUE) dropped it";
const TC_IN: &str = "a tc program dropped it on the way into an interface";
const TC_OUT: &str = "a tc program dropped it on the way out of an interface";
const TC_OR_QUEUE: &str = "a tc program or a full queue dropped it at an interface";
const NEIGHBOUR: &str = "neighbour resolution failed: nothing answers for the next hop's address (ARP or NDP)";
const NO_ROUTE: &str = "there is no route to the destination";
const SOURCE_CHECK: &str = "the source address was refused as impossible there";
const NO_SOCKET: &str = "no socket takes it";
const QUEUE: &str = "a queue was full";
const MEMORY: &str = "the kernel was short of memory";

/// By reason, beside netfilter's own.
const REASONS: &[(&str, Stage, &str)] = &[
    ("TC_INGRESS", Stage::Filter, TC_IN),
    ("QDISC_INGRESS", Stage::Filter, TC_IN),
    ("TC_EGRESS", Stage::Filter, TC_OUT),
    ("QDISC_EGRESS", Stage::Filter, TC_OUT),
    ("XDP", Stage::Filter, "an XDP program dropped it"),
    ("BPF_CGROUP_EGRESS", Stage::Filter, "a cgroup's eBPF program dropped it"),
    (
        "SOCKET_FILTER",
        Stage::Filter,
        "a filter at the socket or its cgroup dropped it",
    ),
    ("SECURITY_HOOK", Stage::Filter, "a security module dropped it"),
    ("XFRM_POLICY", Stage::Filter, "the IPsec policy does not let it pass"),
    ("QDISC_DROP", Stage::Queue, QUEUE),
    ("QDISC_OVERLIMIT", Stage::Queue, QUEUE),
    ("QDISC_CONGESTED", Stage::Queue, QUEUE),
    ("CAKE_FLOOD", Stage::Queue, QUEUE),
    ("FQ_BAND_LIMIT", Stage::Queue, QUEUE),
    ("FQ_HORIZON_LIMIT", Stage::Queue, QUEUE),
    ("FQ_FLOW_LIMIT", Stage::Queue, QUEUE),
    ("CPU_BACKLOG", Stage::Queue, QUEUE),
    ("FULL_RING", Stage::Queue, QUEUE),
    ("NOMEM", Stage::Queue, MEMORY),
    ("PROTO_MEM", Stage::Queue, MEMORY),
    ("PFMEMALLOC", Stage::Queue, MEMORY),
    ("NEIGH_FAILED", Stage::Neighbour, NEIGHBOUR),
    ("NEIGH_CREATEFAIL", Stage::Neighbour, NEIGHBOUR),
    ("NEIGH_QUEUEFULL", Stage::Neighbour, NEIGHBOUR),
    ("NEIGH_DEAD", Stage::Neighbour, NEIGHBOUR),
    ("NEIGH_HH_FILLFAIL", Stage::Neighbour, NEIGHBOUR),
    ("IP_OUTNOROUTES", Stage::Route, NO_ROUTE),
    ("IP_INNOROUTES", Stage::Route, NO_ROUTE),
    ("IP_INADDRERRORS", Stage::Route, NO_ROUTE),
    (
        "IP_INVALID_DEST",
        Stage::Route,
        "the destination address is not valid there",
    ),
    ("IPV6DISABLED", Stage::Route, "IPv6 is disabled on the interface"),
    ("IP_RPFILTER", Stage::ReversePath, "the reverse path filter dropped it"),
    ("IP_INVALID_SOURCE", Stage::ReversePath, SOURCE_CHECK),
    ("IP_LOCAL_SOURCE", Stage::ReversePath, SOURCE_CHECK),
    ("IP_LOCALNET", Stage::ReversePath, SOURCE_CHECK),
    ("NO_SOCKET", Stage::Socket, NO_SOCKET),
    ("TCP_LISTEN_OVERFLOW", Stage::Socket, "the listener's queue was full"),
    ("SOCKET_BACKLOG", Stage::Socket, "the socket's backlog was full"),
    ("SOCKET_RCVBUFF", Stage::Socket, "the socket's receive buffer was full"),
    ("SOCKET_CLOSE", Stage::Socket, "the socket was closing"),
    (
        "TCP_MD5NOTFOUND",
        Stage::Socket,
        "the listener demands TCP-MD5 signatures",
    ),
    (
        "TCP_AONOTFOUND",
        Stage::Socket,
        "the listener demands TCP-AO signatures",
    ),
];

/// By function, where the reason says nothing, beside netfilter's own.
const FUNCTIONS: &[(&str, Stage, &str)] = &[
    ("sch_handle_ingress", Stage::Filter, TC_IN),
    ("sch_handle_egress", Stage::Filter, TC_OUT),
    (
        "sk_filter_trim_cap",
        Stage::Filter,
        "a filter at the socket or its cgroup dropped it",
    ),
    ("__netif_receive_skb_core", Stage::Queue, TC_OR_QUEUE),
    ("__dev_queue_xmit", Stage::Queue, TC_OR_QUEUE),
    ("enqueue_to_backlog", Stage::Queue, QUEUE),
    ("neigh_resolve_output", Stage::Neighbour, NEIGHBOUR),
    ("__neigh_event_send", Stage::Neighbour, NEIGHBOUR),
    ("neigh_invalidate", Stage::Neighbour, NEIGHBOUR),
    ("arp_error_report", Stage::Neighbour, NEIGHBOUR),
    ("ndisc_error_report", Stage::Neighbour, NEIGHBOUR),
    ("ip_error", Stage::Route, NO_ROUTE),
    ("ip6_pkt_drop", Stage::Route, NO_ROUTE),
    ("dst_discard", Stage::Route, "a route discards it"),
    ("dst_discard_out", Stage::Route, "a route discards it"),
    (
        "ip_rcv_finish_core",
        Stage::Route,
        "there is no route for it, or the reverse path filter dropped it",
    ),
    ("tcp_v4_rcv", Stage::Socket, "TCP dropped it"),
    ("tcp_v6_rcv", Stage::Socket, "TCP dropped it"),
    ("tcp_v4_do_rcv", Stage::Socket, "TCP dropped it"),
    ("tcp_v6_do_rcv", Stage::Socket, "TCP dropped it"),
    ("tcp_rcv_state_process", Stage::Socket, "TCP dropped it"),
];

/// What `drop` means.
#[must_use]
pub fn read(drop: &Drop) -> Reading {
    let by_netfilter = drop.netfilter().map(|part| Reading {
        stage: Stage::Filter,
        words: match part {
            Netfilter::Verdict => NETFILTER,
            Netfilter::Queue => NFQUEUE,
        },
    });
    let by_name = || by_name(drop.stated_reason(), drop.function_name());
    by_netfilter.or_else(by_name).unwrap_or(Reading {
        stage: Stage::Other,
        words: "the kernel dropped it",
    })
}

/// What the tables say of a reason, else of a function; `None` where they say nothing, as of netfilter's.
#[must_use]
pub fn by_name(reason: Option<&str>, function: Option<&str>) -> Option<Reading> {
    let by_reason = reason.and_then(|name| look_up(REASONS, name));
    by_reason.or_else(|| look_up(FUNCTIONS, function?))
}

/// Whether a full connection tracking table could have made this drop: it drops through `nf_hook_slow`
/// (net/netfilter/nf_conntrack_core.c returns `NF_DROP`), as iptables rules do; an nftables rule or NFQUEUE frees elsewhere.
#[must_use]
pub fn may_be_conntrack(drop: &Drop) -> bool {
    drop.netfilter() == Some(Netfilter::Verdict)
        && drop.function_name().is_none_or(|name| name.starts_with("nf_hook_slow"))
}

fn look_up(table: &[(&str, Stage, &'static str)], name: &str) -> Option<Reading> {
    table
        .iter()
        .find(|(known, _, _)| *known == name)
        .map(|&(_, stage, words)| Reading { stage, words })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::tests::build::drop;

    #[test]
    fn reasons_come_before_functions_and_functions_speak_where_reasons_do_not() {
        let check = |reason: Option<&str>, function: Option<&str>, stage, conntrack| {
            let mut event = drop("NETFILTER_DROP", "nft_do_chain");
            event.reason = reason.map(Into::into);
            event.function = function.map(Into::into);
            let label = format!("{reason:?} {function:?}");
            assert_eq!(read(&event).stage, stage, "{label}");
            assert_eq!(may_be_conntrack(&event), conntrack, "{label}");
        };
        let netfilter = Some("NETFILTER_DROP");
        check(netfilter, Some("nft_do_chain"), Stage::Filter, false);
        check(netfilter, Some("nf_hook_slow"), Stage::Filter, true);
        check(netfilter, Some("nf_hook_slow.isra.0"), Stage::Filter, true);
        check(netfilter, None, Stage::Filter, true);
        check(None, Some("ipt_do_table"), Stage::Filter, false);
        let unsaid = Some("NOT_SPECIFIED");
        check(unsaid, Some("nfqnl_reinject"), Stage::Filter, false);
        check(unsaid, Some("arp_error_report"), Stage::Neighbour, false);
        check(unsaid, Some("__dev_queue_xmit"), Stage::Queue, false);
        check(unsaid, Some("somewhere_new"), Stage::Other, false);
        check(unsaid, None, Stage::Other, false);
        check(Some("TC_EGRESS"), Some("__dev_queue_xmit"), Stage::Filter, false);
        check(Some("NEIGH_FAILED"), None, Stage::Neighbour, false);
        check(Some("IP_RPFILTER"), None, Stage::ReversePath, false);
        check(Some("IP_INADDRERRORS"), None, Stage::Route, false);
        check(Some("NO_SOCKET"), Some("tcp_v4_rcv"), Stage::Socket, false);
        check(Some("A_NEW_REASON"), None, Stage::Other, false);
    }

    #[test]
    fn no_name_is_listed_twice() {
        for table in [REASONS, FUNCTIONS] {
            let mut names: Vec<_> = table.iter().map(|row| row.0).collect();
            names.sort_unstable();
            let all = names.len();
            names.dedup();
            assert_eq!(names.len(), all);
        }
    }
}
