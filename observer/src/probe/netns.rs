//! Network namespaces by inode number: the node's own, and which one lies behind an interface.
//!
//! A link names the namespace of its other end by an id that only its own namespace knows. The kernel translates from a file
//! descriptor to that id and not back, so the candidates are asked one by one: every namespace of a process, and those that
//! are kept under `/run/netns`. No descriptor is kept open: that would keep a dead pod's namespace alive.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::nsid::{NsidAttribute, NsidMessage};

use super::netlink::Requests;

/// Where container runtimes and `ip netns` keep namespaces.
const KEPT: &[&str] = &["/run/netns", "/var/run/docker/netns"];

/// A namespace, and a file that led to it a moment ago.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Netns {
    /// Its inode number, by which the kernel side knows it.
    pub inode: u32,
    /// Where it can be opened. It may be gone, or another by then: compare the inode.
    pub path: PathBuf,
}

impl Netns {
    /// The namespace of this thread.
    ///
    /// # Errors
    ///
    /// If `/proc` is not there.
    pub fn own() -> io::Result<Self> {
        at(PathBuf::from("/proc/thread-self/ns/net"))
    }

    /// Opens it.
    ///
    /// # Errors
    ///
    /// If it is gone, or its file leads to another by now.
    pub fn open(&self) -> io::Result<File> {
        let file = File::open(&self.path)?;
        if inode(&file.metadata()?) != Some(self.inode) {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the network namespace is gone"));
        }
        Ok(file)
    }
}

/// The namespaces behind ids, as far as they can be found. Costs a look at every process, and a question to the kernel
/// for every namespace.
///
/// A candidate that goes away meanwhile, or is no namespace any more (`/run/netns` holds plain files for a moment when one is made or
/// removed), is passed over.
#[must_use]
pub fn behind(ids: &[i32], requests: &mut Requests) -> HashMap<i32, Netns> {
    let mut found = HashMap::new();
    for netns in candidates() {
        if found.len() == ids.len() {
            break;
        }
        let Ok(file) = netns.open() else { continue };
        if let Ok(Some(id)) = id_of(&file, requests)
            && ids.contains(&id)
        {
            found.insert(id, netns);
        }
    }
    found
}

/// The id that this namespace has for another, if it has one.
fn id_of(netns: &File, requests: &mut Requests) -> io::Result<Option<i32>> {
    let mut question = NsidMessage::default();
    question
        .attributes
        .push(NsidAttribute::Fd(netns.as_raw_fd().cast_unsigned()));
    let answer = requests.ask(RouteNetlinkMessage::GetNsId(question), 0)?;
    let Some(RouteNetlinkMessage::NewNsId(answer)) = answer else {
        return Ok(None);
    };
    Ok(answer.attributes.iter().find_map(|attribute| match attribute {
        NsidAttribute::Id(id) if *id >= 0 => Some(*id),
        _ => None,
    }))
}

/// Every namespace that a file leads to, each once.
fn candidates() -> impl Iterator<Item = Netns> {
    let entries = |folder: &str| fs::read_dir(folder).into_iter().flatten().flatten();
    let kept = KEPT
        .iter()
        .flat_map(move |folder| entries(folder).map(|entry| entry.path()));
    let processes = entries("/proc")
        .filter(|entry| entry.file_name().as_encoded_bytes()[0].is_ascii_digit())
        .map(|entry| entry.path().join("ns/net"));
    let mut seen = HashMap::new();
    kept.chain(processes)
        .filter_map(|path| at(path).ok())
        .filter(move |netns| seen.insert(netns.inode, ()).is_none())
}

fn at(path: PathBuf) -> io::Result<Netns> {
    let inode =
        inode(&fs::metadata(&path)?).ok_or_else(|| io::Error::other(format!("{} is no namespace", path.display())))?;
    Ok(Netns { inode, path })
}

/// Namespace inodes are 32 bits (`ns_common.inum`).
fn inode(metadata: &fs::Metadata) -> Option<u32> {
    u32::try_from(metadata.ino()).ok()
}

/// Reads a setting of a namespace's network (`/proc/sys/net/…`): these show the namespace of the thread that reads them.
fn setting(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// Connections tracked in this thread's namespace, and how many may be. `None` where none are tracked.
#[must_use]
pub fn conntrack() -> Option<(u64, u64)> {
    let folder = Path::new("/proc/sys/net/netfilter");
    Some((
        setting(&folder.join("nf_conntrack_count"))?,
        setting(&folder.join("nf_conntrack_max"))?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_namespace_is_among_the_candidates() {
        let own = Netns::own().expect("own namespace");
        assert!(own.inode > 0);
        assert!(candidates().any(|netns| netns.inode == own.inode));
    }

    #[test]
    fn another_namespace_at_the_path_is_refused() {
        let mut own = Netns::own().expect("own namespace");
        own.inode ^= 1;
        assert_eq!(
            own.open().map(|_| ()).map_err(|e| e.kind()),
            Err(io::ErrorKind::NotFound)
        );
    }
}
