//! Which files are read.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::super::folder::manifests;

fn found(root: &Path) -> Vec<String> {
    let files = manifests(root).unwrap();
    files
        .iter()
        .map(|file| file.strip_prefix(root).unwrap().display().to_string())
        .collect()
}

#[test]
fn manifests_are_found_in_every_folder_but_hidden_ones() {
    let root = tempfile::tempdir().unwrap();
    let at = |name: &str| root.path().join(name);
    for folder in ["a/b", ".git", "empty"] {
        fs::create_dir_all(at(folder)).unwrap();
    }
    for file in [
        "z.yaml",
        "a/b/c.yml",
        "a/d.json",
        "a/readme.md",
        ".hidden.yaml",
        ".git/x.yaml",
        "noextension",
    ] {
        fs::write(at(file), "").unwrap();
    }
    assert_eq!(found(root.path()), ["a/b/c.yml", "a/d.json", "z.yaml"]);
    // A file that is named is read, whatever it is called.
    assert_eq!(manifests(&at("noextension")).unwrap(), [at("noextension")]);
    let (path, error) = manifests(&at("missing")).unwrap_err();
    assert_eq!((path, error.kind()), (at("missing"), std::io::ErrorKind::NotFound));
}

#[test]
fn a_mounted_configmap_is_read_once_and_circles_end() {
    let root = tempfile::tempdir().unwrap();
    let at = |name: &str| root.path().join(name);
    fs::create_dir(at("..2024")).unwrap();
    fs::write(at("..2024/p.yaml"), "").unwrap();
    symlink("..2024", at("..data")).unwrap();
    symlink("..data/p.yaml", at("p.yaml")).unwrap();
    symlink("nowhere", at("dangling.yaml")).unwrap();
    symlink(".", at("circle")).unwrap();
    assert_eq!(found(root.path()), ["p.yaml"]);
}
