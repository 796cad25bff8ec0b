//! `cargo xtask tidy`: the rules of the structure, checked. The same check is an ordinary test, so `cargo test` makes it too.
//!
//! ```text
//! files of the workspace ──▶ rules::check(path, text) ──▶ findings
//!                              (pure; reads code through source::, which knows comments, strings and `use` trees)
//! ```

mod rules;
mod source;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::shell;

/// One broken rule.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    /// The file, relative to the workspace.
    path: String,
    /// Which rule, and how to keep it.
    what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.what)
    }
}

/// The verb.
pub(crate) fn run() -> Result<()> {
    let findings = check_workspace(shell::root())?;
    for finding in &findings {
        eprintln!("{finding}");
    }
    if !findings.is_empty() {
        bail!("{} rules of the structure are broken", findings.len());
    }
    Ok(())
}

fn check_workspace(root: &Path) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for file in files(root)? {
        // Not text: captured BTF, fuzz inputs.
        let Ok(text) = String::from_utf8(fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?)
        else {
            continue;
        };
        let path = file.strip_prefix(root).unwrap_or(&file).to_string_lossy().into_owned();
        findings.extend(rules::check(&path, &text).into_iter().map(|what| Finding {
            path: path.clone(),
            what,
        }));
    }
    Ok(findings)
}

/// Every file of the workspace that a person wrote, in order.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name == ".git" || name == "Cargo.lock" {
            continue;
        }
        if path.is_dir() {
            if !name.starts_with("target") {
                found.extend(files(&path)?);
            }
        } else if path.is_file() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_keeps_the_rules() {
        let findings = check_workspace(shell::root()).expect("the workspace can be read");
        let list: Vec<_> = findings.iter().map(ToString::to_string).collect();
        assert!(list.is_empty(), "{}", list.join("\n"));
    }

    #[test]
    fn a_broken_rule_in_a_file_is_found_and_build_output_is_not_looked_at() {
        let root = tempfile::tempdir().expect("a folder");
        let write = |path: &str, text: &str| {
            let file = root.path().join(path);
            fs::create_dir_all(file.parent().expect("a parent")).expect("a folder");
            fs::write(file, text).expect("a file");
        };
        write("observer/src/attempt/mod.rs", "//! Attempts.\nuse std::{fmt, fs};\n");
        write("observer/src/attempt/good.rs", "//! Attempts.\nuse std::fmt;\n");
        write("target/debug/build/out.rs", "fn no_header() {}\n");
        let findings = check_workspace(root.path()).expect("the folder can be read");
        assert_eq!(
            findings.iter().map(|f| f.path.as_str()).collect::<Vec<_>>(),
            ["observer/src/attempt/mod.rs"]
        );
    }
}
