//! What is wrong with a manifest, and where.

use std::{fmt, io};

use crate::objects::Str;

/// One thing that is wrong, in one line.
#[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub struct Problem {
    /// The file, as it was found under the path that was given.
    pub file: Str,
    /// The document in the file, from 1, empty ones not counted.
    pub document: Option<u32>,
    /// The line in the file, from 1, where the reader can tell.
    pub line: Option<u64>,
    /// Kind and name of the object, as far as they can be read.
    pub object: Option<String>,
    /// The field, as `spec.ingress[0].ports[1].port`.
    pub field: Option<String>,
    /// What is wrong and what to do.
    pub message: String,
}

impl Problem {
    /// A problem of a whole file.
    pub(super) fn of_file(file: &Str, message: impl Into<String>) -> Self {
        Self {
            file: file.clone(),
            document: None,
            line: None,
            object: None,
            field: None,
            message: message.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(document) = self.document {
            write!(f, ", document {document}")?;
        }
        if let Some(line) = self.line {
            write!(f, ", line {line}")?;
        }
        for part in [&self.object, &self.field].into_iter().flatten() {
            write!(f, ": {part}")?;
        }
        write!(f, ": {}", self.message)
    }
}

/// Everything that is wrong with the manifests, in order of file and place. Never empty.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub struct Errors(pub Vec<Problem>);

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, problem) in self.0.iter().enumerate() {
            if nth > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

/// Why a file cannot be read, and what to do.
pub(super) fn unreadable(error: &io::Error) -> String {
    let advice = match error.kind() {
        io::ErrorKind::NotFound => "check the path",
        io::ErrorKind::PermissionDenied => "give the observer the right to read it",
        _ => "make it readable or remove it",
    };
    format!("it cannot be read ({error}): {advice}")
}
