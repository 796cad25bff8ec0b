//! Who is attached to a link, as the kernel tells it, and foreign programs to share it with.

use anyhow::{Context as _, Result};
use aya::programs::tc::{SchedClassifierLinkId, TcAttachOptions};
use aya::programs::{LinkOrder, SchedClassifier, TcAttachType};
use aya::{Ebpf, EbpfLoader};
use object::write::{Object, Symbol, SymbolSection};
use object::{Architecture, BinaryFormat, Endianness, SectionKind, SymbolFlags, SymbolKind, SymbolScope};

use super::netns::NetNs;

/// The names of the TCX programs on a link, from both hooks.
pub fn tcx_programs(namespace: &NetNs, link: &str) -> Result<Vec<String>> {
    namespace.enter(|| {
        let mut names = Vec::new();
        for hook in [TcAttachType::Ingress, TcAttachType::Egress] {
            let (_, programs) = SchedClassifier::query_tcx(link, hook).with_context(|| format!("asking {link}"))?;
            names.extend(
                programs
                    .iter()
                    .map(|program| program.name_as_str().unwrap_or("?").to_owned()),
            );
        }
        Ok(names)
    })
}

/// The legacy filters on a link's two hooks, as `tc` shows them; empty where there are none.
pub fn clsact_filters(namespace: &NetNs, link: &str) -> Result<String> {
    let show = |hook| namespace.run("tc", &["filter", "show", "dev", link, hook], "");
    Ok(format!("{}{}", show("ingress")?, show("egress")?))
}

/// A foreign filter, as a CNI's older agent may have: what goes to the pod on `port` is dropped by it.
pub fn add_foreign_clsact_drop(namespace: &NetNs, link: &str, port: u16) -> Result<()> {
    let commands = format!(
        "qdisc add dev {link} clsact\n\
         filter add dev {link} egress protocol ip prio 5 bpf da bytecode '4,40 0 0 36,21 0 1 {port},6 0 0 2,6 0 0 4294967295'\n"
    );
    namespace.run("tc", &["-batch", "-"], &commands).map(drop)
}

/// A foreign TCX program that drops all IPv4 to the pod, attached until dropped.
#[derive(Debug)]
pub struct ForeignTcx {
    _ebpf: Ebpf,
    _link: SchedClassifierLinkId,
}

/// The name by which the kernel shows the foreign program.
pub const FOREIGN: &str = "foreign";

impl ForeignTcx {
    /// Attaches it behind what is there already.
    pub fn drop_ipv4_to_pod(namespace: &NetNs, link: &str) -> Result<Self> {
        let mut ebpf = EbpfLoader::new()
            .load(&object_that_drops_ipv4()?)
            .context("loading the foreign object")?;
        let program: &mut SchedClassifier = ebpf
            .program_mut(FOREIGN)
            .context("the foreign program is missing")?
            .try_into()?;
        program.load().context("loading the foreign program")?;
        let options = TcAttachOptions::TcxOrder(LinkOrder::last());
        let attached = namespace
            .enter(|| program.attach_with_options(link, TcAttachType::Egress, options))
            .with_context(|| format!("attaching the foreign program to {link}"))?;
        Ok(Self {
            _ebpf: ebpf,
            _link: attached,
        })
    }
}

/// `if (skb->protocol == htons(ETH_P_IP)) return TC_ACT_SHOT; return TCX_NEXT;` as an ELF object.
fn object_that_drops_ipv4() -> Result<Vec<u8>> {
    // linux/bpf.h: struct __sk_buff keeps `protocol` at 16; TCX_NEXT is -1, TCX_DROP is 2.
    let instructions: [[u8; 8]; 5] = [
        [0x61, 0x12, 16, 0, 0, 0, 0, 0],            // r2 = *(u32 *)(r1 + 16)
        [0xb7, 0x00, 0, 0, 0xff, 0xff, 0xff, 0xff], // r0 = -1
        [0x55, 0x02, 1, 0, 8, 0, 0, 0],             // if r2 != 8 goto exit
        [0xb7, 0x00, 0, 0, 2, 0, 0, 0],             // r0 = 2
        [0x95, 0x00, 0, 0, 0, 0, 0, 0],             // exit
    ];
    let mut elf = Object::new(BinaryFormat::Elf, Architecture::Bpf, Endianness::Little);
    let license = elf.add_section(Vec::new(), b"license".to_vec(), SectionKind::Data);
    elf.append_section_data(license, b"MIT\0", 1);
    let code = elf.add_section(Vec::new(), b"classifier".to_vec(), SectionKind::Text);
    elf.append_section_data(code, &instructions.concat(), 8);
    elf.add_symbol(Symbol {
        name: FOREIGN.into(),
        value: 0,
        size: 40,
        kind: SymbolKind::Text,
        scope: SymbolScope::Dynamic,
        weak: false,
        section: SymbolSection::Section(code),
        flags: SymbolFlags::None,
    });
    elf.write().context("writing the foreign object")
}
