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
    // krew's index wants the licences beside the program.
    let licences =
        ["LICENSE-APACHE", "LICENSE-MIT"].map(|name| fs::read(shell::root().join(name)).map(|text| (name, text)));
    let licences = licences.into_iter().collect::<Result<Vec<_>, _>>()?;
    let program = (PLUGIN.to_owned(), binary.as_slice(), 0o755);
    let licences = licences
        .iter()
        .map(|(name, text)| ((*name).to_owned(), text.as_slice(), 0o644));
    let bytes = archive::gzip(&archive::tar([program].into_iter().chain(licences))?)?;

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
