//! What was found in one object, by field.

use std::fmt;

/// A way from the root of a document to a field.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct FieldPath(pub(super) Vec<Step>);

/// One step of a [`FieldPath`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

impl FieldPath {
    /// The inverse of [`Self`]'s text for plain words and indices.
    pub(super) fn parse(text: &str) -> Self {
        let steps = text
            .split(['.', '[', ']'])
            .filter(|part| !part.is_empty())
            .map(|part| part.parse().map_or_else(|_| Step::Key(part.to_owned()), Step::Index));
        Self(steps.collect())
    }
}

impl fmt::Display for FieldPath {
    /// `spec.ingress[0].from`; keys that are no plain words in brackets: `metadata.labels["a.b/c"]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if key.chars().all(|c| c.is_ascii_alphanumeric()) && !key.is_empty() => {
                    let dot = if nth == 0 { "" } else { "." };
                    write!(f, "{dot}{key}")?;
                }
                Step::Key(key) => write!(f, "[{key:?}]")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// A place while an object is walked through: costs nothing until something is found there.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    parent: Option<&'a At<'a>>,
    step: BorrowedStep<'a>,
}

#[derive(Clone, Copy)]
enum BorrowedStep<'a> {
    Root,
    Key(&'a str),
    Index(usize),
}

impl<'a> At<'a> {
    /// The object itself.
    pub(super) const ROOT: At<'static> = At {
        parent: None,
        step: BorrowedStep::Root,
    };

    /// The field or key `key` here.
    pub(super) fn key(&'a self, key: &'a str) -> At<'a> {
        At {
            parent: Some(self),
            step: BorrowedStep::Key(key),
        }
    }

    /// The element `index` of the list here.
    pub(super) fn index(&'a self, index: usize) -> At<'a> {
        At {
            parent: Some(self),
            step: BorrowedStep::Index(index),
        }
    }

    fn path(&self) -> FieldPath {
        let mut path = self.parent.map_or_else(FieldPath::default, At::path);
        match self.step {
            BorrowedStep::Root => {}
            BorrowedStep::Key(key) => path.0.push(Step::Key(key.to_owned())),
            BorrowedStep::Index(index) => path.0.push(Step::Index(index)),
        }
        path
    }
}

/// Something found at a field.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Finding {
    pub(super) path: FieldPath,
    pub(super) message: String,
}

/// Everything found in an object.
#[derive(Clone, Debug, Default)]
pub(super) struct Findings {
    /// The object is refused.
    pub(super) errors: Vec<Finding>,
    /// The object is taken, and the user should know.
    pub(super) warnings: Vec<Finding>,
}

impl Findings {
    pub(super) fn error(&mut self, at: At<'_>, message: impl Into<String>) {
        self.errors.push(Finding {
            path: at.path(),
            message: message.into(),
        });
    }

    pub(super) fn warn(&mut self, at: At<'_>, message: impl Into<String>) {
        self.warnings.push(Finding {
            path: at.path(),
            message: message.into(),
        });
    }

    /// The value, or `None` and an error at `at`.
    pub(super) fn check<T>(&mut self, at: At<'_>, result: Result<T, String>) -> Option<T> {
        result.map_err(|message| self.error(at, message)).ok()
    }
}
