//! Which attempts are wanted. Values of one flag are alternatives, flags must all hold, a clause may be turned: the same code tests
//! records where they are made (`serve`) and where they are shown (`cli`).
//!
//! ```text
//! flag, values ── Clause ── Filter::matches(&Record)
//! ```
//!
//! It does not own how filters are written on a command line (`cli/filter.rs`) nor how they travel (`serve`, `remote`).

mod flag;
mod test;

#[cfg(test)]
mod tests;

pub use flag::{Flag, Unreadable};
pub use test::{Labelled, Qualified, Side, Test};

use crate::report::Record;

/// Which attempts are wanted. The default wants all.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Filter {
    clauses: Vec<Clause>,
}

/// What was asked for by one flag.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Clause {
    /// The flag.
    pub flag: Flag,
    /// It must not hold.
    pub not: bool,
    /// One of these must hold.
    pub any_of: Vec<Test>,
}

impl Clause {
    /// Reads a flag's values.
    ///
    /// # Errors
    ///
    /// No such flag, or a value that it does not take: both say what is possible.
    pub fn read<'a>(flag: &str, not: bool, values: impl IntoIterator<Item = &'a str>) -> Result<Self, Unreadable> {
        let flag: Flag = flag.parse()?;
        let any_of = values
            .into_iter()
            .map(|value| flag.read(value))
            .collect::<Result<_, _>>()?;
        Ok(Self { flag, not, any_of })
    }
}

impl Filter {
    /// Attempts for which all clauses hold.
    #[must_use]
    pub fn new(clauses: Vec<Clause>) -> Self {
        Self { clauses }
    }

    /// Whether the attempt is wanted.
    #[must_use]
    pub fn matches(&self, record: &Record) -> bool {
        self.clauses.iter().all(|clause| {
            let hit = clause.any_of.iter().any(|test| test.holds(record));
            hit != clause.not
        })
    }

    /// Whether nothing is filtered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.clauses.is_empty()
    }

    /// The namespaces that are asked for.
    pub fn namespaces(&self) -> impl Iterator<Item = &str> {
        let asked = self.clauses.iter().filter(|clause| !clause.not);
        asked.flat_map(|clause| &clause.any_of).filter_map(|test| match test {
            Test::Namespace(name) => Some(name.as_str()),
            _ => None,
        })
    }

    /// What must hold.
    #[must_use]
    pub fn clauses(&self) -> &[Clause] {
        &self.clauses
    }
}
