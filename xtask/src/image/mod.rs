//! `cargo xtask image`: the image's file system, and an archive of it that container runtimes import, without any of their tools.
//!
//! ```text
//! static binary → target/image/NAME/rootfs/NAME   what deploy/Dockerfile copies
//!              └→ target/image/NAME.tar           OCI layout, which `docker load` takes too (`archive`)
//! ```

pub(crate) mod archive;

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::{env, fs};

use anyhow::{Context as _, Result, bail};

use crate::{setup, shell};

/// The largest that the observer's image may be, in bytes, unpacked.
const LIMIT: usize = 20_000_000;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The image's name without its tag, which is the workspace's version.
    #[arg(long, default_value = NAME)]
    name: String,
    /// Also the image of the pods of `cargo xtask e2e`.
    #[arg(long)]
    test: bool,
}

/// The image's name where nobody says otherwise. No registry has it.
const NAME: &str = "localhost/observer";

/// The image of the pods of `cargo xtask e2e`.
const PEER: Image<'static> = Image {
    package: "observer-e2e-peer",
    title: "Listens and dials in the pods of the observer's cluster test",
    name: "localhost/observer-e2e-peer",
};

/// What goes into an image.
struct Image<'a> {
    package: &'a str,
    title: &'a str,
    name: &'a str,
}

/// The verb.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    setup::ensure()?;
    make(&observer(&arguments.name))?;
    if arguments.test {
        make(&PEER)?;
    }
    Ok(())
}

/// Both images by their own names, and where their archives are.
pub(crate) fn make_all() -> Result<[PathBuf; 2]> {
    Ok([make(&observer(NAME))?, make(&PEER)?])
}

fn observer(name: &str) -> Image<'_> {
    Image {
        package: "observer",
        title: "Watches TCP connection attempts of pods and names the NetworkPolicy behind each failure",
        name,
    }
}

/// Makes an image, says how large it is, and where its archive is.
fn make(image: &Image<'_>) -> Result<PathBuf> {
    let binary = fs::read(build(image.package)?)?;
    let folder = shell::target().join("image");
    let rootfs = folder.join(image.package).join("rootfs");
    fs::create_dir_all(&rootfs)?;
    let program = rootfs.join(image.package);
    fs::write(&program, &binary)?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;

    let version = env!("CARGO_PKG_VERSION");
    let archive = archive::write(&archive::Contents {
        program: image.package,
        binary: &binary,
        reference: &format!("{}:{version}", image.name),
        labels: &[
            ("org.opencontainers.image.licenses", env!("CARGO_PKG_LICENSE")),
            ("org.opencontainers.image.title", image.title),
            ("org.opencontainers.image.version", version),
        ],
    })?;
    let path = folder.join(format!("{}.tar", image.package));
    fs::write(&path, &archive.bytes).with_context(|| format!("cannot write {}", path.display()))?;
    println!("{}:{version}", image.name);
    println!("  digest    {}", archive.digest);
    println!("  unpacked  {}", megabytes(binary.len()));
    println!("  to pull   {}", megabytes(archive.layer));
    println!("  archive   {}", path.display());
    if binary.len() > LIMIT {
        bail!("the image has {} bytes; at most {LIMIT} are wanted", binary.len());
    }
    Ok(path)
}

fn megabytes(bytes: usize) -> String {
    format!("{}.{:02} MB", bytes / 1_000_000, bytes / 10_000 % 100)
}

/// Builds a package's binary so that it needs no file beside itself, and that it is the same wherever it is built.
pub(crate) fn build(package: &str) -> Result<PathBuf> {
    let target = format!("{}-unknown-linux-gnu", env::consts::ARCH);
    let mut flags = vec!["-Ctarget-feature=+crt-static".to_owned()];
    // Of the observer's 20 MB they save one.
    if shell::output("getconf", &["GNU_LIBC_VERSION"]).is_some_and(|version| packs_relocations(&version)) {
        flags.push("-Clink-arg=-Wl,-z,pack-relative-relocs".to_owned());
    }
    let cargo_home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo"));
    for (place, name) in [
        (cargo_home.or(home), "/cargo"),
        (Some(shell::root().to_owned()), "/observer"),
    ] {
        flags.extend(place.map(|place| format!("--remap-path-prefix={}={name}", place.display())));
    }
    // With a target of its own, so that the flags are not for build scripts and macros.
    let mut command = shell::cargo(["build", "--profile", "image", "--package", package, "--target", &target]);
    shell::run(command.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}")))?;
    Ok(shell::target().join(target).join("image").join(package))
}

/// Whether a static program of this C library (`glibc 2.36`) applies packed relocations at its start: since that version. Those of
/// older ones would crash.
fn packs_relocations(version: &str) -> bool {
    let number = |text: &str| text.parse::<u32>().ok();
    let numbers = version
        .trim()
        .strip_prefix("glibc ")
        .and_then(|version| version.split_once('.'));
    numbers.and_then(|(major, minor)| number(major).zip(number(minor))) >= Some((2, 36))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relocations_are_packed_where_the_c_library_can_read_them() {
        for (version, expect) in [
            ("glibc 2.36\n", true),
            ("glibc 2.41", true),
            ("glibc 3.0", true),
            ("glibc 2.35", false),
            ("musl 1.2", false),
            ("", false),
        ] {
            assert_eq!(packs_relocations(version), expect, "{version}");
        }
    }
}
