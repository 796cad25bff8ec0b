//! The kernel programs: entry points, maps and how to reach bytes. What they decide is in `observer-common`.
//!
//! ```text
//! from_pod, to_pod      veth ingress, egress → wire.rs → HANDSHAKES, INTERFACES, EVENTS
//! kfree_skb             any packet freed     → drops.rs → EVENTS
//! ```
//!
//! The tc programs never pass a verdict: they return `TCX_NEXT`, which is also `TC_ACT_UNSPEC`, so that whatever comes after them
//! (the CNI above all) runs as if they were not there.
//!
//! Aggregating connected attempts per edge has its place in `wire.rs`, where an answer was found: instead of an event of
//! kind `ANSWERED` a count in a map by (client, server, port), and an event at most once per edge and interval.
#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]

use aya_ebpf::{
    bindings::TC_ACT_UNSPEC,
    macros::{btf_tracepoint, classifier},
    programs::{BtfTracePointContext, TcContext},
};
use observer_common::abi::direction;

mod benchmark;
mod bytes;
mod drops;
mod globals;
mod maps;
mod outcome;
mod wire;

/// A packet from the pod: the ingress hook of the veth's host side.
#[classifier]
fn from_pod(ctx: TcContext) -> i32 {
    wire::look(&ctx, direction::FROM_POD);
    TC_ACT_UNSPEC
}

/// A packet to the pod: the egress hook of the veth's host side.
#[classifier]
fn to_pod(ctx: TcContext) -> i32 {
    wire::look(&ctx, direction::TO_POD);
    TC_ACT_UNSPEC
}

/// The kernel freed a packet, and says why (5.17 and later).
#[btf_tracepoint(function = "kfree_skb")]
fn kfree_skb(ctx: BtfTracePointContext) -> i32 {
    drops::look(&ctx, ctx.arg::<i32>(2) as u32);
    0
}

/// The kernel freed a packet (older kernels, whose tracepoint has no reason).
#[btf_tracepoint(function = "kfree_skb")]
fn kfree_skb_no_reason(ctx: BtfTracePointContext) -> i32 {
    drops::look(&ctx, u32::MAX);
    0
}

/// The kernel lets only programs that may be distributed under the GPL use the helpers for tracing.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
