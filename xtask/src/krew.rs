//! `cargo xtask krew`: the plugin of kubectl for krew: an archive with the static binary by the plugin's name, and the manifest of it.
//!
//! ```text
//! static binary → target/krew/observer-linux-ARCH.tar.gz ─ its digest ─→ target/krew/observer.yaml ← deploy/krew/observer.yaml
//! ```

use std::fs;

use anyhow::{Context as _, Result};

use crate::image::{self, archive};
use crate::{setup, shell};

/// The name by which kubectl finds it.
const PLUGIN: &str = "kubectl-observer";

/// Its licences, in one file: krew's index wants it installed, and knows it only by names such as this.
const LICENCE: &str = "LICENSE";
const LICENCES: [&str; 2] = [include_str!("../../LICENSE-MIT"), include_str!("../../LICENSE-APACHE")];

/// What is filled in.
const MANIFEST: &str = include_str!("../../deploy/krew/observer.yaml");

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Where the archive will be fetched from, without its name; krew wants https.
    #[arg(long, value_name = "URL", default_value = "https://localhost")]
    uri: String,
}

/// The verb.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    setup::ensure()?;
    let binary = fs::read(image::build("observer")?)?;
    let licence = LICENCES.join("\n");
    let bytes = packed(&binary, licence.as_bytes())?;

    let folder = shell::target().join("krew");
    fs::create_dir_all(&folder)?;
    let name = format!("observer-linux-{}.tar.gz", archive::architecture());
    let path = folder.join(&name);
    fs::write(&path, &bytes).with_context(|| format!("cannot write {}", path.display()))?;
    let uri = format!("{}/{name}", arguments.uri.trim_end_matches('/'));
    let manifest = folder.join("observer.yaml");
    fs::write(&manifest, filled(&uri, &archive::digest(&bytes)))?;
    println!("{}", path.display());
    println!("{}", manifest.display());
    println!(
        "kubectl krew install --manifest={} --archive={}",
        manifest.display(),
        path.display()
    );
    Ok(())
}

/// The archive. All of it is installed, as the manifest names no files.
fn packed(binary: &[u8], licence: &[u8]) -> Result<Vec<u8>> {
    let files = [(PLUGIN.to_owned(), binary, 0o755), (LICENCE.to_owned(), licence, 0o644)];
    archive::gzip(&archive::tar(files)?)
}

/// The manifest. `digest` is that of the archive, as `sha256:…`.
fn filled(uri: &str, digest: &str) -> String {
    // The comment tells of the file that this was.
    let (_, manifest) = MANIFEST.split_once('\n').unwrap_or_default();
    manifest
        .replace("{VERSION}", env!("CARGO_PKG_VERSION"))
        .replace("{ARCH}", archive::architecture())
        .replace("{URI}", uri)
        .replace("{SHA256}", digest.trim_start_matches("sha256:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The value of the line that begins so.
    fn value<'a>(manifest: &'a str, key: &str) -> &'a str {
        let line = manifest
            .lines()
            .find_map(|line| line.trim().strip_prefix(key)?.strip_prefix(": "));
        line.unwrap_or_else(|| panic!("no {key} in {manifest}"))
    }

    #[test]
    fn the_archive_has_the_program_by_the_name_that_the_manifest_says_and_the_licence() {
        use std::io::Read as _;
        let bytes = packed(b"\x7fELF", b"MIT").expect("an archive");
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(&bytes[..]));
        let entries = archive.entries().expect("entries").map(|entry| {
            let mut entry = entry.expect("an entry");
            let path = entry.path().expect("a path").to_string_lossy().into_owned();
            let mut content = String::new();
            entry.read_to_string(&mut content).expect("its content");
            (path, entry.header().mode().expect("a mode"), content)
        });
        let files: Vec<_> = entries.collect();
        let bin = value(&filled("https://example.com", "sha256:0"), "bin").to_owned();
        assert_eq!(
            files,
            [
                (bin, 0o755, "\x7fELF".to_owned()),
                ("LICENSE".to_owned(), 0o644, "MIT".to_owned())
            ]
        );
    }

    #[test]
    fn the_manifest_has_what_krew_demands() {
        let digest = archive::digest(b"archive");
        let manifest = filled("https://example.com/a.tar.gz", &digest);
        assert!(!manifest.contains(['{', '}']), "{manifest}");
        assert_eq!(
            value(&manifest, "apiVersion"),
            "krew.googlecontainertools.github.com/v1alpha2"
        );
        assert_eq!(value(&manifest, "kind"), "Plugin");
        assert_eq!(value(&manifest, "version"), concat!("v", env!("CARGO_PKG_VERSION")));
        assert_eq!(value(&manifest, "uri"), "https://example.com/a.tar.gz");
        assert_eq!(value(&manifest, "bin"), PLUGIN);
        let sha256 = value(&manifest, "sha256");
        assert!(sha256.len() == 64 && digest.ends_with(sha256), "{sha256}");
        // krew's index takes at most 50 characters, and the plugin's name is the file's.
        assert!(value(&manifest, "shortDescription").len() <= 50);
        assert_eq!(value(&manifest, "name"), "observer");
    }
}
