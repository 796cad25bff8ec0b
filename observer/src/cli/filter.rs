//! Filters as `hubble observe` writes them: values of one flag are alternatives, flags must all hold, `--not` turns the next one.
//!
//! clap's derive forgets the order of flags, which `--not` needs; so [`Filters`] reads the matches itself. Use it with
//! `#[command(flatten)]`. What a filter means is [`crate::filter`]'s.

#[cfg(test)]
mod tests;

use clap::builder::{PossibleValuesParser, TypedValueParser, ValueParser};
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use crate::filter::{Clause, Filter, Flag, Test, Unreadable};

/// The flag that turns the next one.
const NOT: &str = "not";

/// The filters of a command line.
#[derive(Clone, Debug, Default)]
pub struct Filters(pub Filter);

/// One flag with the values that it was given at one place of the command line.
struct Occurrence {
    flag: Flag,
    /// Where its first value stands.
    index: usize,
    tests: Vec<Test>,
}

impl Args for Filters {
    fn augment_args(command: Command) -> Command {
        let not = Arg::new(NOT)
            .long(NOT)
            .action(ArgAction::Append)
            .num_args(0)
            .default_missing_value("true")
            .help("Turn the next filter: hide what it matches");
        let args = Flag::ALL.into_iter().map(arg).chain([not]);
        command.args(args.map(|arg| arg.help_heading("Filters")))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Filters {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut given = given(matches);
        given.sort_by_key(|occurrence| occurrence.index);
        let mut nots: Vec<usize> = matches.indices_of(NOT).into_iter().flatten().collect();
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
            Ok(Self(Filter::new(clauses)))
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

/// The argument as clap wants it; what it gives are [`Test`]s.
fn arg(flag: Flag) -> Arg {
    let (value, help) = words(flag);
    let arg = Arg::new(flag.name())
        .long(flag.name())
        .value_name(value)
        .action(ArgAction::Append)
        .value_parser(parser(flag))
        .help(help);
    match flag {
        // Its commas join what must hold together.
        Flag::Label => arg.short('l'),
        Flag::Namespace => arg.short('n').value_delimiter(','),
        _ => arg.value_delimiter(','),
    }
}

/// Of codes clap lists the possible ones in its error; else it quotes flag and value, so that only the reason is told.
fn parser(flag: Flag) -> ValueParser {
    let read = move |value: &str| {
        flag.read(value).map_err(|unreadable| match unreadable {
            Unreadable::Value { why, .. } => why,
            other => other.to_string(),
        })
    };
    match flag.codes() {
        Some(codes) => PossibleValuesParser::new(codes).try_map(move |code| read(&code)).into(),
        None => ValueParser::new(read),
    }
}

/// What stands for the value, and the help.
fn words(flag: Flag) -> (&'static str, &'static str) {
    match flag {
        Flag::Namespace => ("NAMESPACE", "Attempts from or to this namespace"),
        Flag::Pod => ("[NAMESPACE/]PREFIX", "Attempts from or to pods whose name begins so"),
        Flag::FromPod => ("[NAMESPACE/]PREFIX", "Attempts from pods whose name begins so"),
        Flag::ToPod => ("[NAMESPACE/]PREFIX", "Attempts to pods whose name begins so"),
        Flag::Label => (
            "SELECTOR",
            "Attempts from or to pods with these labels, as kubectl -l takes them: app=web,tier!=db",
        ),
        Flag::Ip => (
            "ADDRESS|CIDR",
            "Attempts from or to this address or block, as dialled or translated",
        ),
        Flag::Port => ("PORT", "Attempts to this port, as dialled or translated"),
        Flag::Service => ("[NAMESPACE/]NAME", "Attempts to this Service"),
        Flag::Outcome => ("OUTCOME", "Attempts that ended so"),
        Flag::Cause => ("CAUSE", "Attempts with this cause"),
        Flag::Confidence => ("CONFIDENCE", "Attempts whose cause is so sure"),
        Flag::Policy => ("[NAMESPACE/]NAME", "Attempts that this policy allowed or isolates"),
        Flag::Protocol => ("PROTOCOL", "Attempts of this protocol; only tcp is observed"),
    }
}

/// The filters that were given, in no order.
fn given(matches: &ArgMatches) -> Vec<Occurrence> {
    let mut given = Vec::new();
    for flag in Flag::ALL {
        let Some(occurrences) = matches.get_occurrences::<Test>(flag.name()) else {
            continue;
        };
        let mut indices = matches.indices_of(flag.name()).into_iter().flatten();
        for values in occurrences {
            let tests: Vec<Test> = values.cloned().collect();
            let Some(index) = indices.by_ref().take(tests.len()).min() else {
                continue;
            };
            given.push(Occurrence { flag, index, tests });
        }
    }
    given
}
