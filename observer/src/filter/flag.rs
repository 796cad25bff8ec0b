//! The flags: their names and what they take. A [`Test`] is displayed as the value that it was read from.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnetwork::IpNetwork;

use super::test::{Labelled, Qualified, Side, Test};
use crate::attempt::Outcome;
use crate::diagnosis::{Cause, Confidence};
use crate::objects::Selector;

/// A flag that tests something.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Flag {
    /// Either side's namespace.
    Namespace,
    /// Either side's pod.
    Pod,
    /// The source pod.
    FromPod,
    /// The destination pod.
    ToPod,
    /// Either side's labels.
    Label,
    /// Any address.
    Ip,
    /// The destination's port.
    Port,
    /// The dialled Service.
    Service,
    /// How it ended.
    Outcome,
    /// Why.
    Cause,
    /// How sure the cause is.
    Confidence,
    /// A policy that had a say.
    Policy,
    /// The transport protocol.
    Protocol,
}

/// A filter that cannot be read.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unreadable {
    /// Another version may have it.
    #[error("no filter is called `{0}` here")]
    Flag(String),
    /// A value that the flag does not take.
    #[error("`{value}` is no value for {flag}: {why}")]
    Value {
        /// The flag.
        flag: Flag,
        /// What was given.
        value: String,
        /// What is possible.
        why: String,
    },
}

impl Flag {
    /// Every flag, in the order of the help.
    pub const ALL: [Self; 13] = [
        Self::Namespace,
        Self::Pod,
        Self::FromPod,
        Self::ToPod,
        Self::Label,
        Self::Ip,
        Self::Port,
        Self::Service,
        Self::Outcome,
        Self::Cause,
        Self::Confidence,
        Self::Policy,
        Self::Protocol,
    ];

    /// As on the command line, without dashes before it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Namespace => "namespace",
            Self::Pod => "pod",
            Self::FromPod => "from-pod",
            Self::ToPod => "to-pod",
            Self::Label => "label",
            Self::Ip => "ip",
            Self::Port => "port",
            Self::Service => "service",
            Self::Outcome => "outcome",
            Self::Cause => "cause",
            Self::Confidence => "confidence",
            Self::Policy => "policy",
            Self::Protocol => "protocol",
        }
    }

    /// The only values that it takes, where they can be listed.
    #[must_use]
    pub fn codes(self) -> Option<Vec<&'static str>> {
        match self {
            Self::Outcome => Some(Outcome::ALL.map(Outcome::code).to_vec()),
            Self::Cause => Some(Cause::ALL.map(Cause::code).to_vec()),
            Self::Confidence => Some(Confidence::ALL.map(Confidence::code).to_vec()),
            Self::Protocol => Some(vec!["tcp"]),
            _ => None,
        }
    }

    /// Reads one value.
    ///
    /// # Errors
    ///
    /// [`Unreadable::Value`]: says what is possible.
    pub fn read(self, value: &str) -> Result<Test, Unreadable> {
        let read = match self {
            Self::Namespace => name(value).map(Test::Namespace),
            Self::Pod => qualified(value).map(|name| Test::Pod(Side::Either, name)),
            Self::FromPod => qualified(value).map(|name| Test::Pod(Side::From, name)),
            Self::ToPod => qualified(value).map(|name| Test::Pod(Side::To, name)),
            Self::Label => labelled(value).map(Test::Label),
            Self::Ip => block(value).map(Test::Ip),
            Self::Port => port(value).map(Test::Port),
            Self::Service => qualified(value).map(Test::Service),
            Self::Outcome => code(Outcome::ALL, Outcome::code, value).map(Test::Outcome),
            Self::Cause => code(Cause::ALL, Cause::code, value).map(Test::Cause),
            Self::Confidence => code(Confidence::ALL, Confidence::code, value).map(Test::Confidence),
            Self::Policy => qualified(value).map(Test::Policy),
            Self::Protocol => code([()], |()| "tcp", value).map(|()| Test::Protocol),
        };
        read.map_err(|why| Unreadable::Value {
            flag: self,
            value: value.into(),
            why,
        })
    }
}

impl fmt::Display for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "--{}", self.name())
    }
}

impl FromStr for Flag {
    type Err = Unreadable;

    fn from_str(name: &str) -> Result<Self, Unreadable> {
        let known = Self::ALL.into_iter().find(|flag| flag.name() == name);
        known.ok_or_else(|| Unreadable::Flag(name.into()))
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Namespace(name) => f.write_str(name),
            Self::Pod(_, name) | Self::Service(name) | Self::Policy(name) => write!(f, "{name}"),
            Self::Label(labelled) => f.write_str(&labelled.text),
            Self::Ip(block) => write!(f, "{block}"),
            Self::Port(port) => write!(f, "{port}"),
            Self::Outcome(outcome) => f.write_str(outcome.code()),
            Self::Cause(cause) => f.write_str(cause.code()),
            Self::Confidence(confidence) => f.write_str(confidence.code()),
            Self::Protocol => f.write_str("tcp"),
        }
    }
}

impl fmt::Display for Qualified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(namespace) = &self.namespace {
            write!(f, "{namespace}/")?;
        }
        f.write_str(&self.name)
    }
}

/// One of the codes only.
fn code<T: Copy, const N: usize>(all: [T; N], code: fn(T) -> &'static str, text: &str) -> Result<T, String> {
    let known = all.into_iter().find(|value| code(*value) == text);
    known.ok_or_else(|| format!("possible are {}", all.map(code).join(", ")))
}

fn port(text: &str) -> Result<u16, String> {
    match text.parse() {
        Ok(port) if port > 0 => Ok(port),
        _ => Err("a port is a number from 1 to 65535".into()),
    }
}

fn name(text: &str) -> Result<String, String> {
    if text.is_empty() {
        Err("a name is missing".into())
    } else if text.contains('/') {
        Err("a namespace has no `/`".into())
    } else {
        Ok(text.into())
    }
}

/// `name`, `namespace/name` or, for everything in a namespace, `namespace/`.
fn qualified(text: &str) -> Result<Qualified, String> {
    let (namespace, name) = match text.split_once('/') {
        Some(("", _)) => return Err("a namespace is missing before the `/`".into()),
        Some((namespace, name)) => (Some(namespace.to_owned()), name),
        None if text.is_empty() => return Err("a name is missing".into()),
        None => (None, text),
    };
    if name.contains('/') {
        return Err("there can be one `/`: NAMESPACE/NAME".into());
    }
    Ok(Qualified {
        namespace,
        name: name.into(),
    })
}

fn labelled(text: &str) -> Result<Labelled, String> {
    let selector = Selector::parse(text).map_err(|error| error.to_string())?;
    Ok(Labelled {
        text: text.into(),
        selector,
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
