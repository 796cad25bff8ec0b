//! Which files there are under a path.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::read::Format;

/// Tells a file's versions apart without reading it. A symbolic link has that of what it leads to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Signature {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl Signature {
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let metadata = fs::metadata(path)?;
        Ok(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        })
    }
}

impl Signature {
    /// Whether it is the same file or folder, changed or not.
    pub(super) fn is_same_file(self, other: Self) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }

    /// The file's size in bytes.
    pub(super) fn size(self) -> u64 {
        self.size
    }
}

/// How a file is written, by its name: `.json` is JSON, everything else YAML. `None`: no manifest.
pub(super) fn format(path: &Path) -> Option<Format> {
    match path.extension()?.to_str()? {
        "yaml" | "yml" => Some(Format::Yaml),
        "json" => Some(Format::Json),
        _ => None,
    }
}

fn is_hidden(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

/// The manifests under `root`, in order: `root` itself if it is a file, else every `.yaml`, `.yml` and `.json` file in it and
/// its folders. Hidden ones are left out; so are the timestamped folders of a mounted ConfigMap, whose files are reached by
/// their links. Symbolic links are followed, each folder once.
///
/// # Errors
/// The path that cannot be read.
pub(super) fn manifests(root: &Path) -> Result<Vec<PathBuf>, (PathBuf, io::Error)> {
    let failed = |error| (root.to_owned(), error);
    if fs::metadata(root).map_err(failed)?.is_file() {
        return Ok(vec![root.to_owned()]);
    }
    let mut files = Vec::new();
    let mut seen = BTreeSet::new();
    walk(root, &mut seen, &mut files)?;
    files.sort();
    Ok(files)
}

fn walk(folder: &Path, seen: &mut BTreeSet<PathBuf>, files: &mut Vec<PathBuf>) -> Result<(), (PathBuf, io::Error)> {
    let failed = |error| (folder.to_owned(), error);
    if !seen.insert(folder.canonicalize().map_err(failed)?) {
        return Ok(());
    }
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if is_hidden(&path) {
            continue;
        }
        match fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() => walk(&path, seen, files)?,
            Ok(metadata) if metadata.is_file() && format(&path).is_some() => files.push(path),
            // Gone since the folder was read, or a link that leads nowhere: nothing to read; or a socket or the like.
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err((path, error)),
        }
    }
    Ok(())
}
