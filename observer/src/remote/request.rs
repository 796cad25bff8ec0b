//! What is asked of an agent, as its interface takes it.

use observer_api::attempt::v1 as attempt;
use observer_api::observer::GetFlowsRequest;
use prost::Message as _;
use prost_types::{Any, Timestamp};

use crate::filter::Filter;
use crate::time::Time;

/// What is wanted of every agent.
#[derive(Clone, Debug, Default)]
pub struct Ask {
    /// Which attempts.
    pub filter: Filter,
    /// Go on with what happens from now on.
    pub follow: bool,
    /// First SYN not before.
    pub since: Option<Time>,
    /// First SYN not after.
    pub until: Option<Time>,
    /// Of the past at most so many, the last ones.
    pub last: Option<u64>,
}

/// Where a stream that broke is taken up again: everything else was told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Resume {
    /// At what was decided then, and later …
    pub(super) decided: Time,
    /// … and, where the past was being told, at what began then, and later.
    pub(super) first: Option<Time>,
}

impl Ask {
    /// Whether anything of the past is wanted.
    #[must_use]
    pub fn wants_past(&self) -> bool {
        !self.follow || self.since.is_some() || self.last.is_some()
    }

    /// The request. A stream that broke is taken up again where it was.
    pub(super) fn request(&self, resume: Option<Resume>) -> GetFlowsRequest {
        let filter = attempt::Filter {
            clauses: self.filter.clauses().iter().map(clause).collect(),
            // An owner's first word may be provisional, and what the destination saw waits for it.
            provisional: self.follow,
            asides: true,
            decided_since: resume.map(|resume| timestamp(resume.decided)),
            or_first_since: resume.and_then(|resume| resume.first).map(timestamp),
        };
        GetFlowsRequest {
            // What one node saw at a destination may be joined to another's: of twice as many enough are left. With a filter there
            // is no telling: failures of which another node may know more come beside what it wants.
            number: match self.last {
                Some(last) if resume.is_none() && self.filter.is_empty() => last.saturating_mul(2),
                Some(_) if resume.is_none() => u64::MAX,
                _ => 0,
            },
            follow: self.follow,
            since: self.since.map(timestamp),
            until: self.until.map(timestamp),
            extensions: Some(Any {
                type_url: "type.googleapis.com/attempt.v1.Filter".into(),
                value: filter.encode_to_vec(),
            }),
            ..GetFlowsRequest::default()
        }
    }
}

fn clause(clause: &crate::filter::Clause) -> attempt::Clause {
    attempt::Clause {
        flag: clause.flag.name().into(),
        not: clause.not,
        values: clause.any_of.iter().map(ToString::to_string).collect(),
    }
}

fn timestamp(time: Time) -> Timestamp {
    const SECOND: u64 = 1_000_000_000;
    Timestamp {
        seconds: i64::try_from(time.0 / SECOND).unwrap_or(i64::MAX),
        nanos: i32::try_from(time.0 % SECOND).unwrap_or_default(),
    }
}
