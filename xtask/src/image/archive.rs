//! An image with one layer and one program, as a tar file: an OCI image layout (image-layout.md of the OCI image specification 1.1),
//! with the `manifest.json` that `docker load` wants beside it. Pure, and the same bytes for the same contents.

use std::env;

use anyhow::{Context as _, Result};
use flate2::{Compression, GzBuilder};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// What an image is made of.
pub(super) struct Contents<'a> {
    /// The program's name; it lies at the root and is the entry point.
    pub(super) program: &'a str,
    /// The program.
    pub(super) binary: &'a [u8],
    /// Name and tag.
    pub(super) reference: &'a str,
    /// Labels of the image, in order.
    pub(super) labels: &'a [(&'a str, &'a str)],
}

/// An image's archive.
pub(super) struct Archive {
    /// The tar file.
    pub(super) bytes: Vec<u8>,
    /// The manifest's digest, by which the image can be named too.
    pub(super) digest: String,
    /// Size of the compressed layer, in bytes.
    pub(super) layer: usize,
}

/// A blob and what names it.
struct Blob {
    bytes: Vec<u8>,
    kind: &'static str,
}

impl Blob {
    fn json(kind: &'static str, value: &Value) -> Self {
        Self {
            bytes: value.to_string().into_bytes(),
            kind,
        }
    }

    fn descriptor(&self) -> Value {
        json!({"mediaType": self.kind, "digest": digest(&self.bytes), "size": self.bytes.len()})
    }

    fn path(&self) -> String {
        format!("blobs/{}", digest(&self.bytes).replace(':', "/"))
    }
}

/// Makes the archive.
pub(super) fn write(contents: &Contents<'_>) -> Result<Archive> {
    let files = tar([(contents.program.to_owned(), contents.binary, 0o755)])?;
    let layer = Blob {
        bytes: gzip(&files)?,
        kind: "application/vnd.oci.image.layer.v1.tar+gzip",
    };
    let labels: serde_json::Map<String, Value> = contents
        .labels
        .iter()
        .map(|(label, value)| ((*label).to_owned(), json!(value)))
        .collect();
    let config = Blob::json(
        "application/vnd.oci.image.config.v1+json",
        &json!({
            "architecture": architecture(),
            "os": "linux",
            "created": "1970-01-01T00:00:00Z",
            "config": {
                "User": "0:0",
                "WorkingDir": "/",
                "Entrypoint": [format!("/{}", contents.program)],
                "Labels": labels,
            },
            "rootfs": {"type": "layers", "diff_ids": [digest(&files)]},
            "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "cargo xtask image"}],
        }),
    );
    let manifest = Blob::json(
        "application/vnd.oci.image.manifest.v1+json",
        &json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": config.descriptor(),
            "layers": [layer.descriptor()],
        }),
    );
    let (_, tag) = contents
        .reference
        .rsplit_once(':')
        .context("an image's name has a tag")?;
    let mut entry = manifest.descriptor();
    entry["platform"] = json!({"architecture": architecture(), "os": "linux"});
    // containerd takes the whole name from its own annotation; the specification's holds a tag.
    entry["annotations"] = json!({
        "io.containerd.image.name": contents.reference,
        "org.opencontainers.image.ref.name": tag,
    });
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [entry],
    });
    let docker = json!([{"Config": config.path(), "RepoTags": [contents.reference], "Layers": [layer.path()]}]);
    let text = |value: Value| value.to_string().into_bytes();
    let (index, docker, layout) = (text(index), text(docker), text(json!({"imageLayoutVersion": "1.0.0"})));
    let bytes = tar([
        (config.path(), &config.bytes[..], 0o644),
        (layer.path(), &layer.bytes, 0o644),
        (manifest.path(), &manifest.bytes, 0o644),
        ("index.json".to_owned(), &index, 0o644),
        ("manifest.json".to_owned(), &docker, 0o644),
        ("oci-layout".to_owned(), &layout, 0o644),
    ])?;
    Ok(Archive {
        bytes,
        digest: digest(&manifest.bytes),
        layer: layer.bytes.len(),
    })
}

/// The processor as images name it.
pub(crate) fn architecture() -> &'static str {
    match env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// As OCI writes it: `sha256:` and hexadecimal digits.
pub(crate) fn digest(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes)
        .iter()
        .fold("sha256:".to_owned(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// Files of root, of no time: path, bytes and mode of each.
pub(crate) fn tar<'a>(files: impl IntoIterator<Item = (String, &'a [u8], u32)>) -> Result<Vec<u8>> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, bytes, mode) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        builder.append_data(&mut header, path, bytes)?;
    }
    Ok(builder.into_inner()?)
}

pub(crate) fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    use std::io::Write as _;
    // Without a name and a time in the header.
    let mut writer = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    writer.write_all(bytes)?;
    Ok(writer.finish()?)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Read as _;

    use super::*;

    fn contents(binary: &[u8]) -> Contents<'_> {
        Contents {
            program: "observer",
            binary,
            reference: "localhost/observer:1.2.3",
            labels: &[("org.opencontainers.image.version", "1.2.3")],
        }
    }

    /// Each file of a tar file, with its mode.
    fn unpack(bytes: &[u8]) -> BTreeMap<String, (Vec<u8>, u32)> {
        let mut archive = tar::Archive::new(bytes);
        let entries = archive.entries().expect("entries").map(|entry| {
            let mut entry = entry.expect("an entry");
            let header = entry.header();
            assert_eq!((header.uid().expect("uid"), header.mtime().expect("mtime")), (0, 0));
            let mode = header.mode().expect("mode");
            let path = entry.path().expect("a path").to_string_lossy().into_owned();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).expect("its bytes");
            (path, (bytes, mode))
        });
        entries.collect()
    }

    #[test]
    fn every_digest_leads_to_what_it_names() {
        let archive = write(&contents(b"\x7fELF program")).expect("an archive");
        let files = unpack(&archive.bytes);
        let json = |path: &str| -> Value { serde_json::from_slice(&files[path].0).expect(path) };
        let follow = |descriptor: &Value| -> Vec<u8> {
            let named = descriptor["digest"].as_str().expect("a digest");
            let bytes = files[&format!("blobs/{}", named.replace(':', "/"))].0.clone();
            assert_eq!(digest(&bytes), named);
            assert_eq!(descriptor["size"], bytes.len());
            bytes
        };
        assert_eq!(json("oci-layout")["imageLayoutVersion"], "1.0.0");
        let entry = json("index.json")["manifests"][0].clone();
        assert_eq!(entry["digest"], archive.digest);
        assert_eq!(
            entry["annotations"]["io.containerd.image.name"],
            "localhost/observer:1.2.3"
        );
        let manifest: Value = serde_json::from_slice(&follow(&entry)).expect("a manifest");
        let config: Value = serde_json::from_slice(&follow(&manifest["config"])).expect("a config");
        let mut layer = Vec::new();
        let packed = follow(&manifest["layers"][0]);
        flate2::read::GzDecoder::new(&packed[..])
            .read_to_end(&mut layer)
            .expect("a layer");
        assert_eq!(config["rootfs"]["diff_ids"][0], digest(&layer));
        assert_eq!(config["config"]["Entrypoint"], json!(["/observer"]));
        assert_eq!(unpack(&layer)["observer"], (b"\x7fELF program".to_vec(), 0o755));
        let docker = json("manifest.json")[0].clone();
        assert_eq!(docker["RepoTags"], json!(["localhost/observer:1.2.3"]));
        for path in [&docker["Config"], &docker["Layers"][0]] {
            assert!(files.contains_key(path.as_str().expect("a path")), "{path}");
        }
    }

    #[test]
    fn the_same_contents_give_the_same_bytes() {
        let make = |binary: &[u8]| write(&contents(binary)).expect("an archive").bytes;
        assert_eq!(make(b"a"), make(b"a"));
        assert_ne!(make(b"a"), make(b"b"));
    }

    /// Whoever builds with docker gets the same image.
    #[test]
    fn the_dockerfile_says_the_same() {
        let file = include_str!("../../../deploy/Dockerfile");
        let lines: Vec<&str> = file
            .lines()
            .filter(|line| !line.starts_with('#') && !line.is_empty())
            .collect();
        let archive = write(&contents(b"x")).expect("an archive");
        let files = unpack(&archive.bytes);
        let config = files
            .values()
            .filter_map(|(bytes, _)| serde_json::from_slice::<Value>(bytes).ok());
        let config = config
            .into_iter()
            .find(|json| json["rootfs"].is_object())
            .expect("a config")["config"]
            .clone();
        assert_eq!(
            lines,
            [
                "FROM scratch",
                "COPY --chown=0:0 --chmod=755 observer /observer",
                &format!("USER {}", config["User"].as_str().expect("a user")),
                &format!("ENTRYPOINT {}", config["Entrypoint"]),
            ]
        );
    }
}
