//! The decisions, as tables and against a model of the table.
use std::{collections::HashMap, vec::Vec};

use proptest::prelude::*;

use super::*;
use crate::{
    abi::direction::{FROM_POD, TO_POD},
    craft::{Flow, Tcp},
    packet,
};

const SYN: u8 = flag::SYN;
const RST: u8 = flag::RST;
const ACK: u8 = flag::ACK;

/// What a table remembers of a SYN.
fn pending(isn: u32, payload: u32) -> Pending {
    Pending {
        first_ns: 10,
        last_ns: 10,
        isn,
        syns: 1,
        payload,
        pad: 0,
    }
}

fn read(frame: &[u8]) -> Segment {
    packet::parse(frame).expect("a packet of interest")
}

/// What a TCP packet from one side does to an entry.
fn meet(side: Side, tcp: Tcp, entry: Option<Pending>) -> Step {
    let flow = Flow::v4();
    let frame = if matches!(side, Side::Client) {
        flow.to_server(tcp)
    } else {
        flow.to_client(tcp)
    };
    step(&read(&frame), side, entry.as_ref(), 50)
}

fn tcp(seq: u32, ack: u32, flags: u8) -> Tcp {
    Tcp {
        seq,
        ack,
        flags,
        ..Tcp::default()
    }
}

#[test]
fn a_first_syn_is_inserted_without_an_event() {
    let step = meet(
        Side::Client,
        Tcp {
            payload: 7,
            ..tcp(5, 0, SYN)
        },
        None,
    );
    let new = Pending {
        first_ns: 50,
        last_ns: 50,
        isn: 5,
        syns: 1,
        payload: 7,
        pad: 0,
    };
    assert_eq!(
        step,
        Step {
            table: Table::Insert(new),
            event: 0,
            count: None
        }
    );
}

#[test]
fn the_same_isn_again_is_a_retransmission() {
    for (before, now, expect) in [(0, 0, 0), (100, 0, 100), (0, 100, 100)] {
        let step = meet(
            Side::Client,
            Tcp {
                payload: now,
                ..tcp(5, 0, SYN)
            },
            Some(pending(5, before)),
        );
        let new = Pending {
            last_ns: 50,
            syns: 2,
            payload: expect,
            ..pending(5, 0)
        };
        assert_eq!(
            step,
            Step {
                table: Table::Update(new),
                event: kind::RETRANSMITTED,
                count: None
            }
        );
    }
    let full = Pending {
        syns: u32::MAX,
        ..pending(5, 0)
    };
    let step = meet(Side::Client, tcp(5, 0, SYN), Some(full));
    assert!(
        matches!(step.table, Table::Update(Pending { syns: u32::MAX, .. })),
        "{step:?}"
    );
}

#[test]
fn another_isn_is_another_attempt() {
    for isn in [4, 6, 0, u32::MAX] {
        let step = meet(Side::Client, tcp(isn, 0, SYN), Some(pending(5, 0)));
        let new = Pending {
            first_ns: 50,
            last_ns: 50,
            ..pending(isn, 0)
        };
        assert_eq!(
            step,
            Step {
                table: Table::Replace(new),
                event: kind::SUPERSEDED,
                count: None
            }
        );
    }
}

/// Whether a number `offset` after the ISN, from that side, ends a handshake whose SYN carried `payload` bytes.
fn ends(side: Side, flags: u8, isn: u32, payload: u32, offset: u32) -> Step {
    let number = isn.wrapping_add(offset);
    let packet = if matches!(side, Side::Client) {
        tcp(number, 0, flags)
    } else {
        tcp(9, number, flags)
    };
    meet(side, packet, Some(pending(isn, payload)))
}

#[test]
fn an_answer_acknowledges_the_syn_and_at_most_its_payload() {
    // ISNs around the wrap: the window itself wraps.
    for isn in [5, 0, u32::MAX - 1, u32::MAX, 0x7fff_ffff, 0x8000_0000] {
        for (payload, offset, fits) in [
            (0, 1, true),
            (0, 0, false),
            (0, 2, false),
            (0, u32::MAX, false),
            (0, 0x8000_0000, false),
            (100, 0, false),
            (100, 1, true),
            (100, 50, true),
            (100, 101, true),
            (100, 102, false),
        ] {
            let about = std::format!("ISN {isn}, {payload} bytes, offset {offset}");
            let answered = ends(Side::Server, SYN | ACK, isn, payload, offset);
            let expect = if fits {
                just(Table::Remove, kind::ANSWERED)
            } else {
                just(Table::Keep, kind::ANSWERED_AGAIN)
            };
            assert_eq!(answered, expect, "SYN-ACK, {about}");
            let reset = ends(Side::Server, RST | ACK, isn, payload, offset);
            let expect = if fits {
                just(Table::Remove, kind::RESET)
            } else {
                count(Counter::ResetsOutside)
            };
            assert_eq!(reset, expect, "RST, {about}");
        }
    }
}

#[test]
fn a_reset_without_an_acknowledgement_refuses_nothing() {
    // Even if its sequence number is that of the SYN: a client in SYN-SENT drops it.
    for seq in [0, 5, 6] {
        assert_eq!(
            meet(Side::Server, tcp(seq, 6, RST), Some(pending(5, 0))),
            count(Counter::ResetsOutside)
        );
    }
}

#[test]
fn a_client_aborts_with_its_own_sequence_number() {
    for (payload, offset, fits) in [
        (0, 0, true),
        (0, 1, true),
        (0, 2, false),
        (0, u32::MAX, false),
        (10, 11, true),
        (10, 12, false),
    ] {
        for isn in [5, u32::MAX] {
            for flags in [RST, RST | ACK] {
                let expect = if fits {
                    just(Table::Remove, kind::ABORTED)
                } else {
                    count(Counter::ResetsOutside)
                };
                assert_eq!(
                    ends(Side::Client, flags, isn, payload, offset),
                    expect,
                    "ISN {isn} + {offset}"
                );
            }
        }
    }
}

#[test]
fn resets_and_errors_without_an_entry() {
    assert_eq!(meet(Side::Server, tcp(0, 6, RST | ACK), None), just(Table::Keep, 0));
    assert_eq!(meet(Side::Client, tcp(6, 0, RST), None), just(Table::Keep, 0));
    assert_eq!(
        meet(Side::Server, tcp(9, 6, SYN | ACK), None),
        just(Table::Keep, kind::ANSWERED_AGAIN)
    );
    let error = read(&Flow::v4().error(Flow::v4().server.ip(), 3, 3, 5, 28));
    assert_eq!(step(&error, Side::Server, None, 50), count(Counter::IcmpUnmatched));
}

#[test]
fn an_error_must_quote_the_very_syn() {
    let flow = Flow::v4();
    let meets = |frame: &[u8], isn| step(&read(frame), Side::Server, Some(&pending(isn, 0)), 50);
    for quoted in [28, 60] {
        let frame = flow.error(flow.server.ip(), 3, 13, 5, quoted);
        assert_eq!(meets(&frame, 5), just(Table::Remove, kind::REJECTED));
        assert_eq!(meets(&frame, 4), count(Counter::IcmpUnmatched));
    }
    // The SYN-ACK's or a data packet's quote has the same sequence number only by chance; its flags tell.
    let mut frame = flow.error(flow.server.ip(), 3, 13, 5, 60);
    let flags_at = frame.len() - 40 + 13;
    assert_eq!(frame[flags_at], SYN);
    for (flags, expect) in [(ACK, false), (SYN | ACK, false), (RST, false), (SYN | 0xc0, true)] {
        frame[flags_at] = flags;
        let expect = if expect {
            just(Table::Remove, kind::REJECTED)
        } else {
            count(Counter::IcmpUnmatched)
        };
        assert_eq!(meets(&frame, 5), expect, "quoted flags {flags:#04x}");
    }
}

#[test]
fn the_key_is_oriented_by_the_syn() {
    let flow = Flow::v6();
    let syn = read(&flow.syn(5));
    for (hook, back) in [(FROM_POD, TO_POD), (TO_POD, FROM_POD)] {
        let expect = key(&syn, Side::Client, 3, hook);
        assert_eq!((expect.client_port, expect.server_port), (40000, 80));
        assert_eq!((expect.direction, expect.ifindex), (hook, 3));
        assert_eq!(key(&read(&flow.syn_ack(6)), Side::Server, 3, back), expect);
        assert_eq!(key(&read(&flow.reset(6)), Side::Server, 3, back), expect);
        assert_eq!(
            key(&read(&flow.error(flow.server.ip(), 1, 4, 5, 60)), Side::Server, 3, back),
            expect
        );
        assert_eq!(
            key(&read(&flow.to_server(tcp(6, 0, RST))), Side::Client, 3, hook),
            expect
        );
    }
    // A hairpin: both points on one veth, apart by direction.
    assert_ne!(key(&syn, Side::Client, 3, FROM_POD), key(&syn, Side::Client, 3, TO_POD));
}

/// The table as the kernel has it, with room for few.
#[derive(Default)]
struct Model {
    table: HashMap<Key, Pending>,
    events: Vec<(u8, u32)>,
    counts: HashMap<&'static str, u64>,
    room: usize,
}

impl Model {
    fn new(room: usize) -> Self {
        Self {
            room,
            ..Self::default()
        }
    }

    fn add(&mut self, name: &'static str) {
        *self.counts.entry(name).or_default() += 1;
    }

    fn get(&self, name: &str) -> u64 {
        self.counts.get(name).copied().unwrap_or(0)
    }

    fn pass(&mut self, frame: &[u8], hook: u8, now: u64) {
        let segment = read(frame);
        if !self.apply(&segment, sent_by(segment.what), hook, now) && segment.what == What::Reset {
            self.apply(&segment, Side::Client, hook, now);
        }
    }

    fn apply(&mut self, segment: &Segment, side: Side, hook: u8, now: u64) -> bool {
        let key = key(segment, side, 1, hook);
        let old = self.table.get(&key).copied();
        let step = step(segment, side, old.as_ref(), now);
        match step.table {
            Table::Keep => {}
            Table::Insert(new) => self.insert(key, new),
            Table::Update(new) => assert_eq!(self.table.insert(key, new).map(|p| p.isn), Some(new.isn)),
            Table::Replace(new) => {
                self.remove(&key);
                self.insert(key, new);
            }
            Table::Remove => self.remove(&key),
        }
        if step.event != 0 {
            self.events.push((step.event, old.map_or(isn(segment), |old| old.isn)));
        }
        old.is_some()
    }

    fn insert(&mut self, key: Key, new: Pending) {
        self.add("wanted");
        if self.table.len() < self.room {
            assert_eq!(self.table.insert(key, new), None);
            self.add("inserted");
        } else {
            self.add("lost");
        }
    }

    fn remove(&mut self, key: &Key) {
        assert!(self.table.remove(key).is_some());
        self.add("finished");
    }

    fn sweep(&mut self, before: u64) {
        let all = self.table.len();
        self.table.retain(|_, pending| pending.first_ns >= before);
        *self.counts.entry("expired").or_default() += (all - self.table.len()) as u64;
    }
}

#[test]
fn a_port_reused_while_the_server_is_in_time_wait() {
    let flow = Flow::v4();
    let mut model = Model::new(8);
    model.pass(&flow.syn(1000), FROM_POD, 1);
    // The server's bare ACK for the old connection passes unseen; the client resets that old number, then tries again.
    assert_eq!(
        packet::parse(&flow.to_client(tcp(70, 555, ACK))[..]),
        Err(packet::Skip::Other)
    );
    model.pass(&flow.to_server(tcp(555, 0, RST)), FROM_POD, 2);
    model.pass(&flow.syn(1000), FROM_POD, 3);
    model.pass(&flow.syn_ack(1001), TO_POD, 4);
    assert_eq!(model.events, [(kind::RETRANSMITTED, 1000), (kind::ANSWERED, 1000)]);
}

#[test]
fn a_simultaneous_open_is_two_answered_attempts() {
    let ours = Flow::v4();
    let theirs = Flow {
        client: ours.server,
        server: ours.client,
    };
    let mut model = Model::new(8);
    model.pass(&ours.syn(1000), FROM_POD, 1);
    model.pass(&theirs.syn(2000), TO_POD, 2);
    // Each side's SYN-ACK has its own ISN again and acknowledges the other's.
    model.pass(&ours.to_server(tcp(1000, 2001, SYN | ACK)), FROM_POD, 3);
    model.pass(&ours.to_client(tcp(2000, 1001, SYN | ACK)), TO_POD, 4);
    assert_eq!(model.events, [(kind::ANSWERED, 2000), (kind::ANSWERED, 1000)]);
    assert!(model.table.is_empty());
}

#[test]
fn fast_open() {
    let flow = Flow::v4();
    let syn = |payload| {
        flow.to_server(Tcp {
            payload,
            ..tcp(1000, 0, SYN)
        })
    };
    for ack in [1001, 1051, 1101] {
        let mut model = Model::new(8);
        // The retransmission leaves the data out, the answer is for the first.
        model.pass(&syn(100), FROM_POD, 1);
        model.pass(&syn(0), FROM_POD, 2);
        model.pass(&flow.syn_ack(ack), TO_POD, 3);
        assert_eq!(model.events, [(kind::RETRANSMITTED, 1000), (kind::ANSWERED, 1000)]);
    }
}

#[test]
fn a_reset_after_the_answer_changes_nothing() {
    let flow = Flow::v4();
    let mut model = Model::new(8);
    model.pass(&flow.syn(1000), FROM_POD, 1);
    model.pass(&flow.syn_ack(1001), TO_POD, 2);
    model.pass(&flow.to_server(tcp(1001, 0, RST)), FROM_POD, 3);
    model.pass(&flow.reset(1001), TO_POD, 3);
    assert_eq!(model.events, [(kind::ANSWERED, 1000)]);
}

#[test]
fn a_stale_reset_does_not_end_a_new_attempt() {
    let flow = Flow::v4();
    let mut model = Model::new(8);
    model.pass(&flow.syn(1000), FROM_POD, 1);
    model.pass(&flow.reset(778), TO_POD, 2);
    model.pass(&flow.syn_ack(1001), TO_POD, 3);
    assert_eq!(model.events, [(kind::ANSWERED, 1000)]);
}

/// One thing that happens to the model.
#[derive(Clone, Debug)]
enum Happens {
    Syn { port: u16, isn: u32 },
    SynAck { port: u16, ack: u32 },
    Reset { port: u16, ack: u32 },
    Abort { port: u16, seq: u32 },
    Error { port: u16, isn: u32 },
    Sweep { age: u64 },
}

fn happens() -> impl Strategy<Value = Happens> {
    let (port, number) = (0..6u16, prop_oneof![0..4u32, (u32::MAX - 3)..=u32::MAX]);
    let one = (0..6u8, port, number, 0..40u64);
    one.prop_map(|(what, port, number, age)| match what {
        0 | 1 => Happens::Syn { port, isn: number },
        2 => Happens::SynAck { port, ack: number },
        3 => Happens::Reset { port, ack: number },
        4 => Happens::Error { port, isn: number },
        _ if age < 8 => Happens::Sweep { age },
        _ => Happens::Abort { port, seq: number },
    })
}

proptest! {
    #[test]
    fn no_handshake_vanishes(story in proptest::collection::vec((happens(), any::<bool>()), 0..200), room in 0..6usize) {
        let mut model = Model::new(room);
        for (now, (happening, to_pod)) in story.into_iter().enumerate() {
            let now = now as u64;
            let (there, back) = if to_pod { (TO_POD, FROM_POD) } else { (FROM_POD, TO_POD) };
            let flow = |port: u16| { let mut flow = Flow::v4(); flow.client.set_port(port); flow };
            match happening {
                Happens::Syn { port, isn } => model.pass(&flow(port).syn(isn), there, now),
                Happens::SynAck { port, ack } => model.pass(&flow(port).syn_ack(ack), back, now),
                Happens::Reset { port, ack } => model.pass(&flow(port).reset(ack), back, now),
                Happens::Abort { port, seq } => model.pass(&flow(port).to_server(tcp(seq, 0, RST)), there, now),
                Happens::Error { port, isn } => model.pass(&flow(port).error(Flow::v4().server.ip(), 3, 3, isn, 28), back, now),
                Happens::Sweep { age } => model.sweep(now.saturating_sub(age)),
            }
            prop_assert_eq!(model.get("wanted"), model.get("inserted") + model.get("lost"));
            prop_assert_eq!(model.get("inserted"), model.get("finished") + model.get("expired") + model.table.len() as u64);
            let ends = [kind::ANSWERED, kind::RESET, kind::ABORTED, kind::REJECTED, kind::SUPERSEDED];
            let told = model.events.iter().filter(|(event, _)| ends.contains(event)).count();
            prop_assert_eq!(model.get("finished"), told as u64, "each finished handshake is told once");
        }
    }
}
