//! The table of unfinished handshakes, filled by the programs under test-run and read as the probe reads it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use aya::maps::PerCpuArray;
use aya::programs::SchedClassifier;
use aya::{Ebpf, TestRun as _, TestRunOptions};
use observer::probe::convert::monotonic;
use observer::probe::counters::{Counters, Reader};
use observer::probe::load::{FROM_POD, Sizes, TO_POD, load};
use observer::probe::sweep::{EXPIRE_AFTER, Table};
use observer_common::abi::Counter;
use observer_tests::lab::kernel_tests;
use observer_tests::testrun::IFINDEX;

const SYN: u8 = 2;
const SYN_ACK: u8 = 18;

struct Bench {
    ebpf: Ebpf,
    table: Table,
    counters: Reader,
}

impl Bench {
    fn new(sizes: Sizes) -> Option<Self> {
        kernel_tests().ok()?;
        let mut ebpf = load(sizes, 0).expect("the programs").ebpf;
        let mut take = |name| ebpf.take_map(name).expect("the map");
        let table = Table::new(take("HANDSHAKES"), take("INTERFACES"), take("EXPIRED")).expect("the table");
        let counters = Reader::new(PerCpuArray::try_from(take("COUNTERS")).expect("the counters"));
        Some(Self { ebpf, table, counters })
    }

    fn run(&mut self, program: &str, packet: &[u8]) {
        let program: &mut SchedClassifier = self
            .ebpf
            .program_mut(program)
            .expect("it")
            .try_into()
            .expect("a classifier");
        let options = TestRunOptions {
            data_in: Some(packet),
            ..TestRunOptions::default()
        };
        program.test_run(options).expect("a run");
    }

    fn syn(&mut self, client: u16) {
        self.run(FROM_POD, &packet(false, client, SYN));
    }

    fn answer(&mut self, client: u16) {
        self.run(TO_POD, &packet(true, client, SYN_ACK));
    }

    /// What a sweep tells: client port → SYNs.
    fn sweep(&mut self, now: u64) -> BTreeMap<u16, u32> {
        let mut told = BTreeMap::new();
        self.table
            .sweep(&self.counters, now, |key, pending| {
                assert_eq!(told.insert(key.client_port, pending.syns), None, "told twice");
            })
            .expect("a sweep");
        told
    }

    /// Nothing vanishes.
    fn account(&self) -> Counters {
        let counters = self.counters.all().expect("counters");
        assert_eq!(
            counters.get(Counter::Inserted),
            counters.get(Counter::Finished) + self.table.expired() + self.table.present().expect("the table"),
            "{counters:?}"
        );
        counters
    }
}

/// Ethernet, IPv4 and TCP: from the client 10.0.0.1 to 10.0.0.2 port 80, or backward. The client's ISN is 1000.
fn packet(backward: bool, client: u16, flags: u8) -> [u8; 54] {
    let mut bytes = [0; 54];
    bytes[12] = 0x08;
    bytes[14..18].copy_from_slice(&[0x45, 0, 0, 40]);
    bytes[22..24].copy_from_slice(&[64, 6]);
    let (client_end, server_end) = (([10, 0, 0, 1], client), ([10, 0, 0, 2], 80));
    let (from, to) = if backward {
        (server_end, client_end)
    } else {
        (client_end, server_end)
    };
    bytes[26..30].copy_from_slice(&from.0);
    bytes[30..34].copy_from_slice(&to.0);
    bytes[34..36].copy_from_slice(&from.1.to_be_bytes());
    bytes[36..38].copy_from_slice(&to.1.to_be_bytes());
    let (seq, ack) = if backward { (7_u32, 1001_u32) } else { (1000, 0) };
    bytes[38..42].copy_from_slice(&seq.to_be_bytes());
    bytes[42..46].copy_from_slice(&ack.to_be_bytes());
    bytes[46] = 5 << 4;
    bytes[47] = flags;
    bytes
}

#[test]
fn each_count_of_syns_is_told_once() {
    let Some(mut bench) = Bench::new(Sizes::default()) else {
        return;
    };
    let now = monotonic();
    assert_eq!(bench.sweep(now), BTreeMap::new());
    bench.syn(1);
    bench.syn(2);
    assert_eq!(bench.sweep(now), BTreeMap::from([(1, 1), (2, 1)]));
    assert_eq!(bench.sweep(now), BTreeMap::new());
    bench.syn(2);
    assert_eq!(bench.sweep(now), BTreeMap::from([(2, 2)]));
    bench.answer(1);
    bench.answer(2);
    assert_eq!(bench.sweep(now), BTreeMap::new());
    // The same ports again are other handshakes.
    bench.syn(1);
    assert_eq!(bench.sweep(now), BTreeMap::from([(1, 1)]));
    bench.account();
}

#[test]
fn a_table_of_many_pieces_is_told_whole() {
    let sizes = Sizes {
        share: 5000,
        ..Sizes::default()
    };
    let Some(mut bench) = Bench::new(sizes) else { return };
    for port in 1..=3000 {
        bench.syn(port);
    }
    let told = bench.sweep(monotonic());
    assert!(told.keys().copied().eq(1..=3000), "{} told", told.len());
    assert_eq!(bench.account().get(Counter::Inserted), 3000);
}

#[test]
fn old_entries_go_and_are_accounted_for() {
    let sizes = Sizes {
        share: 10,
        ..Sizes::default()
    };
    let Some(mut bench) = Bench::new(sizes) else { return };
    for port in 1..=12 {
        bench.syn(port);
    }
    let counters = bench.account();
    assert_eq!(
        (counters.get(Counter::Inserted), counters.get(Counter::LostShare)),
        (10, 2)
    );
    assert_eq!(counters.lost(), 2);
    bench.answer(1);
    bench.sweep(monotonic());
    assert_eq!((bench.table.expired(), bench.table.present().expect("it")), (0, 9));

    bench.syn(20);
    let later = monotonic() + EXPIRE_AFTER;
    assert_eq!(bench.sweep(later), BTreeMap::new());
    assert_eq!((bench.table.expired(), bench.table.present().expect("it")), (10, 0));
    bench.account();
    // The interface has its share again.
    for port in 31..=40 {
        bench.syn(port);
    }
    assert_eq!(bench.account().get(Counter::LostShare), 2);
    assert_eq!(bench.sweep(monotonic()).len(), 10);
}

#[test]
fn nothing_is_kept_of_an_interface_that_went() {
    let Some(mut bench) = Bench::new(Sizes::default()) else {
        return;
    };
    bench.syn(1);
    assert!(bench.table.seen(IFINDEX)[0] > 0);
    bench.table.interface_gone(IFINDEX);
    assert_eq!(bench.sweep(monotonic()), BTreeMap::new());
    assert_eq!(bench.table.present().expect("it"), 0);
    assert_eq!(bench.table.seen(IFINDEX), [0, 0]);
    bench.account();
}

/// `cargo test -p observer-tests --release --test probe_table -- --ignored --nocapture` prints what a sweep costs.
#[test]
#[ignore = "prints numbers; nothing can fail"]
fn what_a_sweep_costs() {
    let sizes = Sizes {
        share: 60_000,
        ..Sizes::default()
    };
    let Some(mut bench) = Bench::new(sizes) else { return };
    let mut filled = 0;
    for entries in [0, 1, 1000, 10_000, 50_000] {
        while filled < entries {
            filled += 1;
            bench.syn(filled);
        }
        bench.sweep(monotonic());
        let fastest = (0..20)
            .map(|_| {
                let started = Instant::now();
                bench.sweep(monotonic());
                started.elapsed()
            })
            .min()
            .unwrap_or(Duration::ZERO);
        println!("a sweep of {entries} pending handshakes: {fastest:?}");
    }
}
