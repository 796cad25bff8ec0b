//! Every seed and every crash that was ever found, once more.
#![forbid(unsafe_code)]

use std::fs;
use std::path::{Path, PathBuf};

use observer_fuzz::TARGETS;

/// The files of a folder of this package; none if there is no such folder.
fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let Ok(entries) = fs::read_dir(&folder) else {
        return Vec::new();
    };
    entries
        .map(|entry| entry.expect("the folder can be read").path())
        .collect()
}

#[test]
fn every_target_survives_its_seeds_and_its_old_crashes() {
    for (name, target) in TARGETS {
        let seeds = files(&format!("seeds/{name}"));
        assert!(
            !seeds.is_empty(),
            "{name} has no seeds: the engine would have to invent the format"
        );
        for file in seeds.into_iter().chain(files(&format!("crashes/{name}"))) {
            println!("{}", file.display());
            target(&fs::read(&file).expect("the file can be read"));
        }
    }
}

#[test]
fn every_folder_belongs_to_a_target() {
    for folder in files("seeds")
        .into_iter()
        .chain(files("crashes"))
        .filter(|path| path.is_dir())
    {
        let name = folder.file_name().expect("a name").to_string_lossy().into_owned();
        assert!(
            TARGETS.iter().any(|(target, _)| *target == name),
            "{} is replayed by nobody",
            folder.display()
        );
    }
}

#[test]
fn every_crash_has_a_name_that_says_what_it_is() {
    for (name, _) in TARGETS {
        for file in files(&format!("crashes/{name}")) {
            let file = file.file_name().expect("a name").to_string_lossy().into_owned();
            let unnamed = ["crash-", "timeout-", "oom-", "leak-", "slow-unit-"];
            assert!(
                !unnamed.iter().any(|prefix| file.starts_with(prefix)),
                "rename {file}: what does it hold?"
            );
        }
    }
}
