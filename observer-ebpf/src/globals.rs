//! What the loader tells the programs: constants to the verifier, which prunes the branches that they rule out.
//!
//! Names and meanings are part of the ABI (`observer_common::abi`).
use aya_ebpf::Global;
use observer_common::abi;

/// The version of the structs that this object speaks. Only to be read.
#[unsafe(no_mangle)]
pub(crate) static OBSERVER_ABI: Global<u32> = Global::new(abi::ABI_VERSION);

/// The most handshakes that one interface may have pending.
#[unsafe(no_mangle)]
pub(crate) static SHARE: Global<u32> = Global::new(abi::SHARE_DEFAULT);

/// Drop reasons of which no event is made.
#[unsafe(no_mangle)]
pub(crate) static IGNORED_REASONS: Global<[u32; abi::IGNORED_REASONS_LEN]> =
    Global::new([u32::MAX; abi::IGNORED_REASONS_LEN]);

macro_rules! offsets {
    ($($name:ident),*) => {
        $(
            /// A byte offset in the running kernel, see `abi::OFFSETS`.
            #[unsafe(no_mangle)]
            pub(crate) static $name: Global<u32> = Global::new(0);
        )*

        const _: () = {
            let here = [$(stringify!($name)),*];
            assert!(here.len() == abi::OFFSETS.len());
            let mut at = 0;
            while at < here.len() {
                assert!(same(here[at], abi::OFFSETS[at].global));
                at += 1;
            }
        };
    };
}

offsets!(
    OFFSET_SK_BUFF_HEAD,
    OFFSET_SK_BUFF_TAIL,
    OFFSET_SK_BUFF_NETWORK_HEADER,
    OFFSET_SK_BUFF_PROTOCOL,
    OFFSET_SK_BUFF_DEV,
    OFFSET_SK_BUFF_SK,
    OFFSET_NET_DEVICE_IFINDEX,
    OFFSET_NET_DEVICE_NET,
    OFFSET_SOCK_NET,
    OFFSET_NET_INUM
);

const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut at = 0;
    while at < a.len() {
        if a[at] != b[at] {
            return false;
        }
        at += 1;
    }
    true
}
