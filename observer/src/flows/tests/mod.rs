//! What the ring keeps and gives up, what is chosen of it, and what attempts are as flows.

mod filter;
mod mapping;
mod ring;

use crate::diagnosis::diagnose;
use crate::diagnosis::tests::build::Build;
use crate::report::Record;

fn record(build: &Build) -> Record {
    Record::new(&build.0, &diagnose(&build.0), &"node-a".into())
}
