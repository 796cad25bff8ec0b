//! How records read and what they hold.

mod json;
mod text;

use crate::diagnosis::diagnose;
use crate::diagnosis::tests::build::Build;
use crate::report::Record;

/// The record of a built assessment.
fn record(build: &Build) -> Record {
    Record::new(&build.0, &diagnose(&build.0), &"node-a".into())
}

pub(crate) use text::cases;
