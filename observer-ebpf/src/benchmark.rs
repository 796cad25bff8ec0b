//! Programs that only the benchmark loads.
use aya_ebpf::{bindings::TC_ACT_UNSPEC, macros::classifier, programs::TcContext};
use observer_common::{
    abi::{CONNECTION_AT, direction},
    packet::{self, Segment},
};

use crate::{bytes::Linear, wire};

/// What a tc program costs that does nothing: the measure for the others.
#[classifier]
fn empty(_ctx: TcContext) -> i32 {
    TC_ACT_UNSPEC
}

/// A whole connection in one packet, since test-run repeats only one: a SYN at the start, its SYN-ACK at [`CONNECTION_AT`].
#[classifier]
fn connection(ctx: TcContext) -> i32 {
    part(&ctx, 0, direction::FROM_POD);
    part(&ctx, CONNECTION_AT, direction::TO_POD);
    TC_ACT_UNSPEC
}

#[inline(always)]
fn part(ctx: &TcContext, start: u32, hook: u8) {
    let mut segment = Segment::default();
    if !packet::leaves_at_once(&Linear { ctx, start }) && wire::read_plain(ctx, start, &mut segment) {
        wire::act(ctx, &segment, hook);
    }
}
