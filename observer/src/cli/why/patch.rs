//! `--patch`: the changed policies as `kubectl apply` takes them, with a comment for each change.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::cluster::Snapshot;
use crate::policy::Decision;
use crate::report::clean;
use crate::why::{self, Patched, Query};
use crate::world::World;

/// Prints what has to change for the query to be allowed. The status is that of the answer without it.
pub(super) fn print(world: &mut World, found: &Snapshot, query: &Query, out: &mut dyn Write) -> Result<ExitCode> {
    let patch = why::patch(world, query).map_err(|error| super::explained(world, &error))?;
    let (before, after) = (patch.before.decision(), patch.after.decision());
    if let Some(hindrance) = patch.hindrance() {
        bail!("{hindrance}\n{}", why::text(&patch.before).trim_end());
    }
    let mut text = String::new();
    if patch.policies.is_empty() {
        text.push_str(&format!("# Nothing to change: it is {}.\n", before.code()));
    }
    for (index, patched) in patch.policies.iter().enumerate() {
        if index > 0 {
            text.push_str("---\n");
        }
        document(patched, found, &mut text)?;
    }
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error.into()),
        _ => {}
    }
    if after == Decision::Undecidable {
        // Without a standard error there is nobody to tell.
        let _ = write!(
            io::stderr(),
            "observer: {} undecidable:\n{}",
            if before == after {
                "it is"
            } else {
                "with this change it is still"
            },
            why::text(&patch.after)
        );
    }
    Ok(super::status(before))
}

/// The policy as it is written in the manifests, and changed there; else as it was read.
fn document(patched: &Patched, found: &Snapshot, text: &mut String) -> Result<()> {
    for change in &patched.changes {
        text.push_str(&format!("# Change: {}.\n", clean(change)));
    }
    let written = found.written("NetworkPolicy", &patched.policy.name);
    if let Some(manager) = written.as_ref().and_then(why::manager) {
        let manager = clean(&manager).into_owned();
        text.push_str(&format!(
            "# {manager} manages it: make the change there too, or it will be undone.\n"
        ));
    }
    let manifest = written
        .and_then(|written| why::edited(written, patched))
        .unwrap_or_else(|| why::manifest(&patched.policy));
    text.push_str(&serde_saphyr::to_string(&manifest).context("cannot write the policy as YAML")?);
    Ok(())
}
