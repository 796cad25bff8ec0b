//! The kernel programs under `BPF_PROG_TEST_RUN`: the real object in the real kernel, with packets made by a test.
//!
//! ```text
//! Programs::load(Settings) → run("from_pod", packet) → handshakes(), events(), counter(), interface()
//! ```
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow, bail};
use aya::{
    Btf, Ebpf, EbpfLoader, TestRun as _, TestRunOptions,
    maps::{HashMap, MapData, PerCpuArray, RingBuf},
    programs::{BtfTracePoint, LinkOrder, SchedClassifier, TcAttachType, tc::TcAttachOptions},
};
use observer::probe::object::OBJECT;
use observer_common::abi::{self, Counter, Event, Interface, Key, Pending};
use zerocopy::IntoBytes as _;

pub mod drops;

const KEY: usize = size_of::<Key>();
const PENDING: usize = size_of::<Pending>();
const INTERFACE: usize = size_of::<Interface>();

/// The interface index that a packet under test-run has: that of the loopback device (`net/bpf/test_run.c`).
pub const IFINDEX: u32 = 1;

/// What the loader chooses.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Size of the table.
    pub handshakes: u32,
    /// Most entries of one interface.
    pub share: u32,
    /// Bytes of the ring: a power of two, at least a page.
    pub ring: u32,
    /// aya's level for the programs' debug lines: 0 off, 1 error … 5 trace.
    pub log: u8,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            handshakes: abi::HANDSHAKES_DEFAULT,
            share: abi::SHARE_DEFAULT,
            ring: 1 << 20,
            log: 0,
        }
    }
}

/// The tc programs, loaded and not attached.
pub struct Programs {
    bpf: Ebpf,
    events: RingBuf<MapData>,
}

impl Programs {
    /// Loads the embedded object.
    ///
    /// # Errors
    ///
    /// If there is none, or the kernel refuses it.
    pub fn load(settings: Settings) -> Result<Self> {
        let mut bpf = EbpfLoader::new()
            .override_global("AYA_LOG_LEVEL", &settings.log, true)
            .override_global(abi::SHARE, &settings.share, true)
            .map_max_entries("HANDSHAKES", settings.handshakes)
            .map_max_entries("EVENTS", settings.ring)
            .load(OBJECT.programs()?)
            .context("cannot load the object")?;
        for name in ["from_pod", "to_pod", "empty", "connection"] {
            classifier(&mut bpf, name)?
                .load()
                .with_context(|| format!("cannot load {name}"))?;
        }
        let events = bpf.take_map("EVENTS").context("the object has no map EVENTS")?;
        Ok(Self {
            bpf,
            events: RingBuf::try_from(events)?,
        })
    }

    /// Loads one of the `kfree_skb` programs, which is not attached.
    ///
    /// # Errors
    ///
    /// If the kernel refuses it, or has no BTF.
    pub fn load_kfree_skb(&mut self, name: &str) -> Result<()> {
        let program = self
            .bpf
            .program_mut(name)
            .with_context(|| format!("the object has no program {name}"))?;
        let program: &mut BtfTracePoint = program.try_into()?;
        program
            .load("kfree_skb", &Btf::from_sys_fs()?)
            .with_context(|| format!("cannot load {name}"))
    }

    /// Runs a program once; its return value.
    ///
    /// # Errors
    ///
    /// If the kernel cannot run it, for example because the packet is shorter than an Ethernet header.
    pub fn run(&mut self, program: &str, packet: &[u8]) -> Result<i32> {
        let options = TestRunOptions {
            data_in: Some(packet),
            ..TestRunOptions::default()
        };
        let result = classifier(&mut self.bpf, program)?.test_run(options)?;
        Ok(result.return_value.cast_signed())
    }

    /// Attaches a program (TCX) to what leaves by an interface of the calling thread's network namespace. It goes with `self`.
    ///
    /// # Errors
    ///
    /// If there is no such interface, or the kernel has no TCX (before 6.6).
    pub fn attach_egress(&mut self, program: &str, interface: &str) -> Result<()> {
        self.attach(program, interface, TcAttachType::Egress)
    }

    /// The same for what comes in.
    ///
    /// # Errors
    ///
    /// As [`Self::attach_egress`].
    pub fn attach_ingress(&mut self, program: &str, interface: &str) -> Result<()> {
        self.attach(program, interface, TcAttachType::Ingress)
    }

    fn attach(&mut self, program: &str, interface: &str, hook: TcAttachType) -> Result<()> {
        let options = TcAttachOptions::TcxOrder(LinkOrder::default());
        classifier(&mut self.bpf, program)?.attach_with_options(interface, hook, options)?;
        Ok(())
    }

    /// Runs a program `repeat` times on one packet; the time of one run, in nanoseconds. By our clock: the kernel's own figure
    /// is cut to whole nanoseconds, of which an empty program has but a few.
    ///
    /// # Errors
    ///
    /// As [`Self::run`].
    pub fn time(&mut self, program: &str, packet: &[u8], repeat: u32) -> Result<f64> {
        let options = TestRunOptions {
            data_in: Some(packet),
            repeat,
            ..TestRunOptions::default()
        };
        let program = classifier(&mut self.bpf, program)?;
        let start = Instant::now();
        program.test_run(options)?;
        Ok(start.elapsed().as_secs_f64() * 1e9 / f64::from(repeat))
    }

    /// All pending handshakes.
    ///
    /// # Errors
    ///
    /// If the map cannot be read.
    pub fn handshakes(&mut self) -> Result<Vec<(Key, Pending)>> {
        let map: HashMap<_, [u8; KEY], [u8; PENDING]> = HashMap::try_from(self.map("HANDSHAKES")?)?;
        let entries = map.iter().map(|entry| {
            let (key, pending) = entry?;
            Ok((parse::<Key>(&key)?, parse::<Pending>(&pending)?))
        });
        entries.collect()
    }

    /// Removes an entry as the sweep of user space does, and gives its share back.
    ///
    /// # Errors
    ///
    /// If there is no such entry.
    pub fn expire(&mut self, key: &Key) -> Result<()> {
        let bytes: [u8; KEY] = key.as_bytes().try_into()?;
        HashMap::<_, [u8; KEY], [u8; PENDING]>::try_from(self.map("HANDSHAKES")?)?.remove(&bytes)?;
        let mut expired = HashMap::<_, u32, u64>::try_from(self.map("EXPIRED")?)?;
        let before = expired.get(&key.ifindex, 0).unwrap_or(0);
        Ok(expired.insert(key.ifindex, before + 1, 0)?)
    }

    /// The events since the last call.
    ///
    /// # Errors
    ///
    /// If one has another size.
    pub fn events(&mut self) -> Result<Vec<Event>> {
        let mut events = Vec::new();
        while let Some(item) = self.events.next() {
            events.push(parse(&item)?);
        }
        Ok(events)
    }

    /// How many debug lines there are.
    ///
    /// # Errors
    ///
    /// If the map cannot be read.
    pub fn log_lines(&mut self) -> Result<usize> {
        let mut lines = RingBuf::try_from(self.map("AYA_LOGS")?)?;
        Ok(std::iter::from_fn(|| lines.next().map(drop)).count())
    }

    /// A counter, summed over the CPUs.
    ///
    /// # Errors
    ///
    /// If the map cannot be read.
    pub fn counter(&mut self, counter: Counter) -> Result<u64> {
        let map: PerCpuArray<_, u64> = PerCpuArray::try_from(self.map("COUNTERS")?)?;
        Ok(map.get(&(counter as u32), 0)?.iter().sum())
    }

    /// All counters that are not zero.
    ///
    /// # Errors
    ///
    /// If the map cannot be read.
    pub fn counters(&mut self) -> Result<Vec<(Counter, u64)>> {
        let all = Counter::ALL.map(|counter| Ok((counter, self.counter(counter)?)));
        all.into_iter().filter(|entry| !matches!(entry, Ok((_, 0)))).collect()
    }

    /// What the kernel side keeps of the test's interface.
    ///
    /// # Errors
    ///
    /// If no packet got so far.
    pub fn interface(&mut self) -> Result<Interface> {
        let map: HashMap<_, u32, [u8; INTERFACE]> = HashMap::try_from(self.map("INTERFACES")?)?;
        parse(&map.get(&IFINDEX, 0)?)
    }

    fn map(&mut self, name: &str) -> Result<&mut aya::maps::Map> {
        self.bpf
            .map_mut(name)
            .with_context(|| format!("the object has no map {name}"))
    }
}

fn classifier<'a>(bpf: &'a mut Ebpf, name: &str) -> Result<&'a mut SchedClassifier> {
    let program = bpf
        .program_mut(name)
        .with_context(|| format!("the object has no program {name}"))?;
    Ok(program.try_into()?)
}

fn parse<T: zerocopy::FromBytes>(bytes: &[u8]) -> Result<T> {
    T::read_from_bytes(bytes).map_err(|_| anyhow!("{} bytes where {} were expected", bytes.len(), size_of::<T>()))
}

/// Loads the programs for a test. `None` with a printed reason where this machine cannot run them.
///
/// # Errors
///
/// With `OBSERVER_KERNEL_TESTS=required` in the environment, as in CI, where a skipped test is a failed one; and always if the
/// kernel's verifier refuses the programs.
pub fn load_or_skip(settings: Settings) -> Result<Option<Programs>> {
    let reason = match OBJECT.programs() {
        Err(stub) => stub.to_string(),
        Ok(_) if !nix::unistd::geteuid().is_root() => "loading kernel programs needs root".to_owned(),
        Ok(_) => return Programs::load(settings).map(Some),
    };
    if std::env::var_os("OBSERVER_KERNEL_TESTS").is_some_and(|value| value == "required") {
        bail!("kernel tests are required here: {reason}");
    }
    eprintln!("skipped: {reason}");
    Ok(None)
}
