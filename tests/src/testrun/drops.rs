//! The `kfree_skb` programs, attached to the whole kernel and told which namespaces matter.
use std::{fs, os::linux::fs::MetadataExt as _};

use anyhow::{Context as _, Result};
use aya::{
    Btf as Types, Ebpf, EbpfLoader,
    maps::{HashMap, MapData, RingBuf},
    programs::BtfTracePoint,
};
use observer::probe::{btf::Btf, object::OBJECT};
use observer_common::abi::{self, Event, kind};

use crate::lab::NetNs;

/// One of the programs, attached.
pub struct Drops {
    bpf: Ebpf,
    events: RingBuf<MapData>,
    reasons: std::collections::HashMap<u32, String>,
}

impl Drops {
    /// Loads and attaches `program`, which is to ignore the reasons of these names.
    ///
    /// # Errors
    ///
    /// If the kernel has no BTF, or refuses the program.
    pub fn attach(program: &str, ignored: &[&str]) -> Result<Self> {
        let kernel = Btf::of_running_kernel()?;
        let reasons: std::collections::HashMap<u32, String> = kernel
            .enumerators("skb_drop_reason")?
            .into_iter()
            .map(|(number, name)| (number, name.trim_start_matches("SKB_DROP_REASON_").to_owned()))
            .collect();
        let mut numbers = [u32::MAX; abi::IGNORED_REASONS_LEN];
        for (place, name) in numbers.iter_mut().zip(ignored) {
            let known = reasons.iter().find(|(_, known)| known == name);
            *place = *known.with_context(|| format!("no drop reason {name}"))?.0;
        }
        let mut loader = EbpfLoader::new();
        loader.override_global("AYA_LOG_LEVEL", &0u8, true);
        loader.override_global(abi::IGNORED_REASONS, &numbers, true);
        let offsets = abi::OFFSETS.map(|wanted| Ok((wanted.global, kernel.member(wanted.of, wanted.path)?.offset)));
        let offsets = offsets.into_iter().collect::<Result<Vec<_>>>()?;
        for (global, offset) in &offsets {
            loader.override_global(global, offset, true);
        }
        let mut bpf = loader.load(OBJECT.programs()?)?;
        let tracepoint: &mut BtfTracePoint = bpf
            .program_mut(program)
            .with_context(|| format!("no program {program}"))?
            .try_into()?;
        tracepoint.load("kfree_skb", &Types::from_sys_fs()?)?;
        tracepoint.attach()?;
        let events = RingBuf::try_from(bpf.take_map("EVENTS").context("no map EVENTS")?)?;
        Ok(Self { bpf, events, reasons })
    }

    /// Wants the drops of a namespace; its inode number.
    ///
    /// # Errors
    ///
    /// If the map cannot be written.
    pub fn want(&mut self, namespace: &NetNs) -> Result<u32> {
        let inode = namespace.enter(|| fs::metadata("/proc/thread-self/ns/net"))?.st_ino();
        let inode = u32::try_from(inode)?;
        HashMap::<_, u32, u8>::try_from(self.bpf.map_mut("NETNS").context("no map NETNS")?)?.insert(inode, 1, 0)?;
        Ok(inode)
    }

    /// The drops since the last call, with the names of their reasons.
    ///
    /// # Errors
    ///
    /// If one has another size or is of another kind.
    pub fn told(&mut self) -> Result<Vec<(String, Event)>> {
        let mut told = Vec::new();
        while let Some(item) = self.events.next() {
            let event: Event = super::parse(&item)?;
            anyhow::ensure!(event.kind == kind::DROPPED, "{event:?}");
            told.push((self.reasons.get(&event.reason).cloned().unwrap_or_default(), event));
        }
        Ok(told)
    }
}
