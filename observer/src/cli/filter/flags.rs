//! The flags: names, what they take, and what they test.

use std::net::IpAddr;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Arg, ArgAction, ArgMatches, value_parser};
use ipnetwork::IpNetwork;

use super::value::{Qualified, Side, Test};
use crate::attempt::Outcome;
use crate::diagnosis::{Cause, Confidence};

/// The flag that turns the next one.
pub(super) const NOT: &str = "not";

/// Every flag that tests something. Their values are [`Test`]s already when clap has read them.
const FLAGS: [&str; 12] = [
    "namespace",
    "pod",
    "from-pod",
    "to-pod",
    "ip",
    "port",
    "service",
    "outcome",
    "cause",
    "confidence",
    "policy",
    "protocol",
];

/// One flag with the values that it was given at one place of the command line.
pub(super) struct Occurrence {
    pub(super) flag: &'static str,
    /// Where its first value stands.
    pub(super) index: usize,
    pub(super) tests: Vec<Test>,
}

/// The arguments as clap wants them, in the order of [`FLAGS`].
pub(super) fn args() -> Vec<Arg> {
    let pod = |side| move |text: &str| qualified(text).map(|name| Test::Pod(side, name));
    vec![
        flag("namespace", "NAMESPACE", "Attempts from or to this namespace")
            .short('n')
            .value_parser(|text: &str| name(text).map(Test::Namespace)),
        flag(
            "pod",
            "[NAMESPACE/]PREFIX",
            "Attempts from or to pods whose name begins so",
        )
        .value_parser(pod(Side::Either)),
        flag(
            "from-pod",
            "[NAMESPACE/]PREFIX",
            "Attempts from pods whose name begins so",
        )
        .value_parser(pod(Side::From)),
        flag("to-pod", "[NAMESPACE/]PREFIX", "Attempts to pods whose name begins so").value_parser(pod(Side::To)),
        flag(
            "ip",
            "ADDRESS|CIDR",
            "Attempts from or to this address or block, as dialled or translated",
        )
        .value_parser(|text: &str| block(text).map(Test::Ip)),
        flag("port", "PORT", "Attempts to this port, as dialled or translated")
            .value_parser(value_parser!(u16).range(1..).map(Test::Port)),
        flag("service", "[NAMESPACE/]NAME", "Attempts to this Service")
            .value_parser(|text: &str| qualified(text).map(Test::Service)),
        flag("outcome", "OUTCOME", "Attempts that ended so").value_parser(codes(
            Outcome::ALL,
            Outcome::code,
            Test::Outcome,
        )),
        flag("cause", "CAUSE", "Attempts with this cause").value_parser(codes(Cause::ALL, Cause::code, Test::Cause)),
        flag("confidence", "CONFIDENCE", "Attempts whose cause is so sure").value_parser(codes(
            Confidence::ALL,
            Confidence::code,
            Test::Confidence,
        )),
        flag(
            "policy",
            "[NAMESPACE/]NAME",
            "Attempts that this policy allowed or isolates",
        )
        .value_parser(|text: &str| qualified(text).map(Test::Policy)),
        flag(
            "protocol",
            "PROTOCOL",
            "Attempts of this protocol; only tcp is observed",
        )
        .value_parser(PossibleValuesParser::new(["tcp"]).map(|_| Test::Protocol)),
        Arg::new(NOT)
            .long(NOT)
            .action(ArgAction::Append)
            .num_args(0)
            .default_missing_value("true")
            .help("Turn the next filter: hide what it matches"),
    ]
}

/// The filters that were given, in no order.
pub(super) fn given(matches: &ArgMatches) -> Vec<Occurrence> {
    let mut given = Vec::new();
    for flag in FLAGS {
        let Some(occurrences) = matches.get_occurrences::<Test>(flag) else {
            continue;
        };
        let mut indices = matches.indices_of(flag).into_iter().flatten();
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

fn flag(id: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(id)
        .long(id)
        .value_name(value)
        .action(ArgAction::Append)
        .value_delimiter(',')
        .help(help)
}

/// Accepts the codes only; clap lists them in its error.
fn codes<T: Copy + Send + Sync + 'static, const N: usize>(
    all: [T; N],
    code: fn(T) -> &'static str,
    test: fn(T) -> Test,
) -> impl TypedValueParser<Value = Test> {
    PossibleValuesParser::new(all.map(code)).try_map(move |text| {
        let known = all.into_iter().find(|value| code(*value) == text);
        known.map(test).ok_or("unknown code")
    })
}

fn name(text: &str) -> Result<String, &'static str> {
    if text.is_empty() {
        Err("a name is missing")
    } else if text.contains('/') {
        Err("a namespace has no `/`")
    } else {
        Ok(text.into())
    }
}

/// `name`, `namespace/name` or, for everything in a namespace, `namespace/`.
fn qualified(text: &str) -> Result<Qualified, &'static str> {
    let (namespace, name) = match text.split_once('/') {
        Some(("", _)) => return Err("a namespace is missing before the `/`"),
        Some((namespace, name)) => (Some(namespace.to_owned()), name),
        None if text.is_empty() => return Err("a name is missing"),
        None => (None, text),
    };
    if name.contains('/') {
        return Err("there can be one `/`: NAMESPACE/NAME");
    }
    Ok(Qualified {
        namespace,
        name: name.into(),
    })
}

/// An address is a block of one. Host bits do no harm.
fn block(text: &str) -> Result<IpNetwork, String> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(address.into());
    }
    text.parse()
        .map_err(|_| "not an address (10.0.0.1, fd00::1) nor a block (10.0.0.0/8)".into())
}
