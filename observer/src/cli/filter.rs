//! Filters as `hubble observe` has them: values of one flag are alternatives, flags must all hold, `--not` turns the next one.
//!
//! ```text
//! arguments ── flags: what each flag takes ── clauses, in order of the command line ── matches(&Record)
//! ```
//!
//! clap's derive forgets the order of flags, which `--not` needs; so [`Filter`] reads the matches itself. Use it with
//! `#[command(flatten)]`.

mod flags;
mod value;

#[cfg(test)]
mod tests;

use clap::error::ErrorKind;
use clap::{ArgMatches, Args, Command, FromArgMatches};

use crate::report::Record;
use value::Test;

/// Which attempts are shown.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    clauses: Vec<Clause>,
}

/// One flag as it was given once, or several times without `--not`.
#[derive(Clone, Debug)]
struct Clause {
    flag: &'static str,
    not: bool,
    any_of: Vec<Test>,
}

impl Filter {
    /// Whether the attempt is to be shown.
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
}

impl Args for Filter {
    fn augment_args(command: Command) -> Command {
        command.args(flags::args().into_iter().map(|arg| arg.help_heading("Filters")))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Filter {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut given = flags::given(matches);
        given.sort_by_key(|occurrence| occurrence.index);
        let mut nots: Vec<usize> = matches.indices_of(flags::NOT).into_iter().flatten().collect();
        nots.sort_unstable();
        let mut clauses: Vec<Clause> = Vec::new();
        for occurrence in given {
            let before = nots.partition_point(|index| *index < occurrence.index);
            let not = nots.drain(..before).count() > 0;
            let same = clauses
                .iter_mut()
                .find(|clause| clause.flag == occurrence.flag && clause.not == not);
            match same {
                Some(clause) => clause.any_of.extend(occurrence.tests),
                None => clauses.push(Clause {
                    flag: occurrence.flag,
                    not,
                    any_of: occurrence.tests,
                }),
            }
        }
        if nots.is_empty() {
            Ok(Self { clauses })
        } else {
            Err(clap::Error::raw(
                ErrorKind::MissingRequiredArgument,
                "--not turns the filter that follows it, and none follows\n",
            ))
        }
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
