//! Attaches the tc programs to an interface, and looks at who else runs there.
//!
//! TCX where the kernel has it (6.6): first at ingress, last at egress; such a link goes with the process, however it ends. Else
//! clsact filters, which survive their process: those are recognised and removed at the next start (`filters`).
//!
//! Under TCX an interface takes about 30 ms, both to attach and to detach: the kernel waits for an RCU grace period after each program, holding
//! the lock of all interfaces (`tcx_entry_sync`, include/net/tcx.h). clsact takes well under 1 ms. `cargo test -p observer-tests --release --test
//! probe_attach -- --ignored --nocapture what_attaching_costs` prints both.

use std::collections::HashMap;
use std::io;

use aya::Ebpf;
use aya::programs::tc::{NlOptions, SchedClassifierLink, TcAttachOptions, TcError, TcHandle, qdisc_add_clsact};
use aya::programs::{LinkOrder, ProgramError, SchedClassifier, TcAttachType};

use super::coverage::{Foreign, How};
use super::filters::{self, Filter, Number, Side};
use super::load::{FROM_POD, TO_POD};
use super::netlink::Requests;
use super::syscall::{self, ProgramId};

/// Where our filter runs among the clsact filters at egress: behind all that leave a place.
const LAST_PRIORITY: u16 = 0xfff0;

/// How to attach.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, clap::ValueEnum)]
pub enum Mode {
    /// TCX, or clsact where the kernel has none.
    #[default]
    Auto,
    /// TCX only.
    Tcx,
    /// clsact only.
    Clsact,
}

/// Why an interface could not be attached to.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// The interface went away or got another name meanwhile; whoever follows the links hears of it.
    #[error("the interface is gone")]
    Gone,
    /// The kernel has no TCX, and nothing else is allowed.
    #[error("this kernel has no TCX (it came with Linux 6.6): use --attach auto or clsact")]
    NoTcx,
    /// The kernel refuses this process.
    #[error("attaching to interfaces is not permitted: run as root, or grant CAP_NET_ADMIN")]
    NotPermitted,
    /// The kernel refuses.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// The kernel refuses.
    #[error(transparent)]
    Tc(#[from] TcError),
    /// The kernel refuses.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Our programs on an interface. They are detached when this is dropped.
#[derive(Debug)]
pub struct Attachment {
    ifindex: u32,
    how: How,
    links: Option<[SchedClassifierLink; 2]>,
    made_qdisc: bool,
}

impl Attachment {
    /// How.
    #[must_use]
    pub fn how(&self) -> How {
        self.how
    }

    /// Takes our programs off, and a qdisc that we made and nobody else uses.
    pub fn detach(mut self, requests: &mut Requests) {
        drop(self.links.take());
        if self.made_qdisc
            && let Err(error) = filters::remove_empty_qdisc(requests, self.ifindex)
            && error.raw_os_error() != Some(libc::ENODEV)
        {
            tracing::debug!(ifindex = self.ifindex, %error, "the clsact qdisc stays");
        }
    }
}

/// Attaches.
#[derive(Debug)]
pub struct Attacher {
    mode: Mode,
    has_tcx: bool,
    /// Marks our clsact filters; reserved with the first.
    number: Option<Number>,
    /// Our programs, as the kernel knows them.
    own: [(u32, ProgramId); 2],
    known: HashMap<u32, ProgramId>,
}

impl Attacher {
    /// For loaded programs.
    ///
    /// # Errors
    ///
    /// If they are not loaded.
    pub fn new(ebpf: &mut Ebpf, mode: Mode) -> Result<Self, ProgramError> {
        Ok(Self {
            mode,
            has_tcx: mode != Mode::Clsact,
            number: None,
            own: [identify(ebpf, FROM_POD)?, identify(ebpf, TO_POD)?],
            known: HashMap::new(),
        })
    }

    /// The kernel was found to have no TCX.
    #[must_use]
    pub fn lacks_tcx(&self) -> bool {
        self.mode == Mode::Auto && !self.has_tcx
    }

    /// Attaches both programs.
    ///
    /// # Errors
    ///
    /// [`AttachError`]. Then nothing of ours is left on it.
    pub fn attach(
        &mut self,
        ebpf: &mut Ebpf,
        requests: &mut Requests,
        ifindex: u32,
        name: &str,
    ) -> Result<Attachment, AttachError> {
        let attached = if self.has_tcx {
            match tcx(ebpf, ifindex, name) {
                Err(error) if is_unknown_to_kernel(&error) => {
                    if self.mode == Mode::Tcx {
                        return Err(AttachError::NoTcx);
                    }
                    self.has_tcx = false;
                    self.clsact(ebpf, requests, ifindex, name)
                }
                other => other,
            }
        } else {
            self.clsact(ebpf, requests, ifindex, name)
        };
        // aya attaches by name, and names move.
        match attached {
            Ok(attachment) if index_of(name) == Some(ifindex) => Ok(attachment),
            Ok(attachment) => {
                attachment.detach(requests);
                Err(AttachError::Gone)
            }
            Err(_) if index_of(name) != Some(ifindex) => Err(AttachError::Gone),
            Err(error) if os_error(&error) == Some(libc::EPERM) => Err(AttachError::NotPermitted),
            Err(error) => Err(error),
        }
    }

    fn clsact(
        &mut self,
        ebpf: &mut Ebpf,
        requests: &mut Requests,
        ifindex: u32,
        name: &str,
    ) -> Result<Attachment, AttachError> {
        let (major, minor) = match &self.number {
            Some(number) => number.handle(),
            None => self.number.insert(Number::reserve()?).handle(),
        };
        let handle = TcHandle::new(major, minor);
        let made_qdisc = match qdisc_add_clsact(name) {
            Ok(()) => true,
            Err(error) if os_error(&error) == Some(libc::EEXIST) => false,
            Err(error) => return Err(error.into()),
        };
        let mut attachment = Attachment {
            ifindex,
            how: How::Clsact,
            links: None,
            made_qdisc,
        };
        let links = filters::list(requests, ifindex, Side::Ingress)
            .map_err(AttachError::from)
            .and_then(|others| {
                let options = |priority| {
                    TcAttachOptions::Netlink(NlOptions {
                        priority,
                        handle,
                        classid: None,
                    })
                };
                let from_pod = link(
                    ebpf,
                    FROM_POD,
                    name,
                    TcAttachType::Ingress,
                    options(filters::free_priority(&others)),
                )?;
                let to_pod = link(ebpf, TO_POD, name, TcAttachType::Egress, options(LAST_PRIORITY))?;
                Ok([from_pod, to_pod])
            });
        match links {
            Ok(links) => {
                attachment.links = Some(links);
                Ok(attachment)
            }
            Err(error) => {
                attachment.detach(requests);
                Err(error)
            }
        }
    }

    /// The others' programs on one side of an interface, in the order in which they run. `filters`: the interface has a clsact qdisc.
    ///
    /// # Errors
    ///
    /// What the kernel says, `ENODEV` if the interface is gone.
    pub fn foreign(
        &mut self,
        requests: &mut Requests,
        ifindex: u32,
        side: Side,
        how: How,
        filters: bool,
    ) -> io::Result<Vec<Foreign>> {
        let ids = syscall::tcx_programs(ifindex, side == Side::Egress)?;
        let own_id = self.own[side as usize].0;
        // Every TCX program runs before every filter.
        let mut before = how == How::Clsact || ids.contains(&own_id);
        let mut found = Vec::new();
        for id in ids {
            if id == own_id {
                before = false;
                continue;
            }
            let program = self.program(id);
            if !self.is_sibling(&program.name, Some(program.tag)) {
                found.push(Foreign {
                    by: "tcx",
                    name: program.name,
                    before,
                });
            }
        }
        if filters {
            let list = filters::list(requests, ifindex, side)?;
            let number = self.number.as_ref().map(|number| number.handle().1);
            let own = list
                .iter()
                .position(|filter| number.is_some() && filter.owner() == number);
            for (nth, filter) in list.iter().enumerate() {
                if filter.owner().is_none() && !self.is_sibling(&filter.name, filter.tag) {
                    found.push(Foreign {
                        by: "clsact",
                        name: name_of(filter),
                        before: how == How::Clsact && own.is_some_and(|own| nth < own),
                    });
                }
            }
        }
        // One u32 filter is listed with its tables.
        found.dedup();
        Ok(found)
    }

    /// Another observer's program: it does what ours does, and passes no verdict.
    fn is_sibling(&self, name: &str, tag: Option<[u8; 8]>) -> bool {
        self.own.iter().any(|(_, own)| own.name == name && tag == Some(own.tag))
    }

    /// What a program is; without the privilege to ask only its number.
    fn program(&mut self, id: u32) -> ProgramId {
        self.known
            .entry(id)
            .or_insert_with(|| {
                syscall::program(id).unwrap_or_else(|_| ProgramId {
                    name: format!("program {id}"),
                    tag: [0; 8],
                })
            })
            .clone()
    }

    /// Forgets programs of which nothing was heard: ids are not used again for a long time, but not never.
    pub fn forget_programs(&mut self) {
        self.known.clear();
    }
}

/// Removes the filters that dead observers left in this network namespace. Gives the interfaces and how many each had.
///
/// # Errors
///
/// What the kernel says.
pub fn clean() -> io::Result<Vec<(u32, usize)>> {
    let mut requests = Requests::open()?;
    let mut removed = Vec::new();
    for ifindex in filters::interfaces(&mut requests)? {
        match filters::remove_orphans(&mut requests, ifindex) {
            Ok(0) => {}
            Ok(count) => removed.push((ifindex, count)),
            // It went away meanwhile, and its filters with it.
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(removed)
}

fn tcx(ebpf: &mut Ebpf, ifindex: u32, name: &str) -> Result<Attachment, AttachError> {
    let order = TcAttachOptions::TcxOrder;
    let from_pod = link(ebpf, FROM_POD, name, TcAttachType::Ingress, order(LinkOrder::first()))?;
    let to_pod = link(ebpf, TO_POD, name, TcAttachType::Egress, order(LinkOrder::last()))?;
    Ok(Attachment {
        ifindex,
        how: How::Tcx,
        links: Some([from_pod, to_pod]),
        made_qdisc: false,
    })
}

fn link(
    ebpf: &mut Ebpf,
    program: &str,
    interface: &str,
    side: TcAttachType,
    options: TcAttachOptions,
) -> Result<SchedClassifierLink, AttachError> {
    let program = classifier(ebpf, program)?;
    let id = program.attach_with_options(interface, side, options)?;
    Ok(program.take_link(id)?)
}

fn classifier<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut SchedClassifier, ProgramError> {
    ebpf.program_mut(name).ok_or(ProgramError::NotLoaded)?.try_into()
}

fn identify(ebpf: &mut Ebpf, name: &str) -> Result<(u32, ProgramId), ProgramError> {
    let info = classifier(ebpf, name)?.info()?;
    let program = ProgramId {
        name: name.to_owned(),
        tag: info.tag().to_be_bytes(),
    };
    Ok((info.id(), program))
}

fn name_of(filter: &Filter) -> String {
    if filter.name.is_empty() {
        filter.kind.clone()
    } else {
        filter.name.clone()
    }
}

fn index_of(name: &str) -> Option<u32> {
    nix::net::if_::if_nametoindex(name).ok()
}

/// The kernel does not know the attach type (before 6.6).
fn is_unknown_to_kernel(error: &AttachError) -> bool {
    os_error(error) == Some(libc::EINVAL)
}

/// The error number of the kernel, somewhere in the chain.
fn os_error(error: &(dyn std::error::Error + 'static)) -> Option<i32> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return error.raw_os_error();
        }
        next = error.source();
    }
    None
}
