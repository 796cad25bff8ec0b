//! Hostile and captured type information, and that of the running kernel.
use proptest::prelude::*;

use super::*;

/// Writes BTF as a kernel would.
#[derive(Default)]
struct Writer {
    types: Vec<u8>,
    names: Vec<u8>,
    count: u32,
}

impl Writer {
    fn new() -> Self {
        Self {
            names: vec![0],
            ..Self::default()
        }
    }

    fn name(&mut self, name: &str) -> u32 {
        if name.is_empty() {
            return 0;
        }
        let at = self.names.len() as u32;
        self.names.extend(name.bytes().chain([0]));
        at
    }

    fn add(&mut self, name: &str, kind: u32, len: usize, flag: bool, size_or_type: u32, rest: &[u32]) -> u32 {
        let name = self.name(name);
        let info = kind << 24 | len as u32 | u32::from(flag) << 31;
        for word in [name, info, size_or_type].iter().chain(rest) {
            self.types.extend(word.to_ne_bytes());
        }
        self.count += 1;
        self.count
    }

    fn members(&mut self, name: &str, kind: u32, flag: bool, size: u32, members: &[(&str, u32, u32)]) -> u32 {
        let rest: Vec<u32> = members
            .iter()
            .flat_map(|&(name, id, bits)| [self.name(name), id, bits])
            .collect();
        self.add(name, kind, members.len(), flag, size, &rest)
    }

    fn finish(self) -> Vec<u8> {
        let mut data = Vec::new();
        data.extend(MAGIC.to_ne_bytes());
        data.extend([1, 0]);
        let lens = [self.types.len() as u32, self.names.len() as u32];
        for word in [HEADER_LEN as u32, 0, lens[0], lens[0], lens[1]] {
            data.extend(word.to_ne_bytes());
        }
        data.extend(self.types);
        data.extend(self.names);
        data
    }
}

/// A kernel in small: a struct with unnamed unions, bit fields and nested structs, an enum and two tracepoints.
fn kernel() -> Vec<u8> {
    let mut btf = Writer::new();
    let word = btf.add("unsigned int", 1, 0, false, 4, &[32]);
    let short = btf.add("short unsigned int", 1, 0, false, 2, &[16]);
    let offset = btf.add("sk_buff_data_t", 8, 0, false, word, &[]);
    let void = btf.add("", 2, 0, false, 0, &[]);
    let inner = btf.members("", 4, false, 8, &[("dev", void, 0)]);
    let union = btf.members("", 5, false, 8, &[("rbnode", word, 0), ("", inner, 0)]);
    let ns = btf.members("ns_common", 4, false, 16, &[("ops", void, 0), ("inum", word, 64)]);
    btf.members(
        "sk_buff",
        4,
        true,
        64,
        &[
            ("next", void, 0),
            ("", union, 64),
            ("cloned", word, 1 << 24 | 128),
            ("network_header", short, 144),
            ("tail", offset, 160),
            ("ns", ns, 192),
        ],
    );
    let names: Vec<u32> = [("SKB_NOT_DROPPED_YET", 0), ("SKB_DROP_REASON_NO_SOCKET", 3)]
        .into_iter()
        .flat_map(|(name, value)| [btf.name(name), value])
        .collect();
    let reason = btf.add("skb_drop_reason", 6, 2, false, 4, &names);
    let old = btf.add("", 13, 3, false, 0, &[0, void, 0, void, 0, void]);
    let pointer = btf.add("", 2, 0, false, old, &[]);
    btf.add("btf_trace_old", 8, 0, false, pointer, &[]);
    let new = btf.add("", 13, 4, false, 0, &[0, void, 0, void, 0, void, 0, reason]);
    let pointer = btf.add("", 2, 0, false, new, &[]);
    btf.add("btf_trace_new", 8, 0, false, pointer, &[]);
    btf.finish()
}

#[test]
fn members_are_found_where_they_lie() {
    let btf = Btf::parse(kernel()).expect("a good blob");
    let check = |path, offset, size| {
        assert_eq!(
            btf.member("sk_buff", path).expect(path),
            Member { offset, size },
            "{path}"
        );
    };
    check("next", 0, 8);
    check("dev", 8, 8);
    check("rbnode", 8, 4);
    check("network_header", 18, 2);
    check("tail", 20, 4);
    check("ns.inum", 32, 4);
}

#[test]
fn what_has_no_offset_is_an_error() {
    let btf = Btf::parse(kernel()).expect("a good blob");
    assert!(matches!(
        btf.member("sk_buff", "cloned"),
        Err(BtfError::BitField { .. })
    ));
    assert!(matches!(btf.member("sk_buff", "head"), Err(BtfError::NoMember { .. })));
    assert!(matches!(
        btf.member("sk_buff", "tail.deeper"),
        Err(BtfError::NoMember { .. })
    ));
    assert!(matches!(btf.member("sock", "head"), Err(BtfError::NoType { .. })));
}

#[test]
fn enumerators_and_prototypes() {
    let btf = Btf::parse(kernel()).expect("a good blob");
    let reasons = btf.enumerators("skb_drop_reason").expect("the enum");
    assert_eq!(reasons[&3], "SKB_DROP_REASON_NO_SOCKET");
    assert_eq!(btf.tracepoint("old").expect("old").len(), 3);
    assert_eq!(btf.tracepoint("new").expect("new").last(), Some(&"skb_drop_reason"));
    assert!(btf.tracepoint("none").is_err());
}

#[test]
fn a_typedef_of_itself_ends() {
    let mut btf = Writer::new();
    let id = btf.add("btf_trace_loop", 8, 0, false, 1, &[]);
    assert_eq!(id, 1);
    let btf = Btf::parse(btf.finish()).expect("well-formed");
    assert!(matches!(btf.tracepoint("loop"), Err(BtfError::Damaged(_))));
}

#[test]
fn an_unnamed_struct_inside_itself_ends() {
    let mut btf = Writer::new();
    btf.members("outer", 4, false, 8, &[("", 1, 0)]);
    let btf = Btf::parse(btf.finish()).expect("well-formed");
    assert!(matches!(btf.member("outer", "x"), Err(BtfError::Damaged(_))));
}

#[test]
fn every_truncation_is_an_error() {
    let whole = kernel();
    for len in 0..whole.len() {
        assert!(Btf::parse(whole[..len].to_vec()).is_err(), "{len} bytes");
    }
}

proptest! {
    /// Whatever the bytes, asking gives an answer or an error.
    #[test]
    fn flipped_bytes_never_panic(flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let mut data = kernel();
        for (at, value) in flips {
            let at = at.index(data.len());
            data[at] = value;
        }
        if let Ok(btf) = Btf::parse(data) {
            let _ = btf.member("sk_buff", "dev");
            let _ = btf.member("sk_buff", "ns.inum");
            let _ = btf.enumerators("skb_drop_reason");
            let _ = btf.tracepoint("new");
        }
    }
}

#[test]
fn the_running_kernel_is_read() {
    if !Path::new(VMLINUX).exists() {
        eprintln!("skipped: this kernel shows no BTF");
        assert_ne!(std::env::var("OBSERVER_KERNEL_TESTS").as_deref(), Ok("required"));
        return;
    }
    let btf = Btf::of_running_kernel().expect("the kernel's own types");
    // sk_buff begins with a union of pointers, and its first pointer is `next` on every kernel.
    assert_eq!(
        btf.member("sk_buff", "next").expect("next"),
        Member { offset: 0, size: 8 }
    );
    for (of, path, size) in [
        ("sk_buff", "head", 8),
        ("sk_buff", "network_header", 2),
        ("sk_buff", "dev", 8),
        ("net_device", "nd_net.net", 8),
        ("sock", "__sk_common.skc_net.net", 8),
        ("net", "ns.inum", 4),
    ] {
        assert_eq!(btf.member(of, path).expect(path).size, size, "{of}.{path}");
    }
    assert!(btf.tracepoint("kfree_skb").expect("the tracepoint").len() >= 3);
}
