//! A request for flows, read and checked: what is not understood is refused, never ignored.

use std::sync::Arc;

use observer_api::attempt::v1;
use observer_api::observer::GetFlowsRequest;
use prost::Message;
use prost_types::{Any, Timestamp};
use tonic::Status;

use crate::filter::{Clause, Filter};
use crate::flows::{FlowFilters, MAX_VALUES, Mask, Query, Refused, Take, extension};
use crate::remote::merge::is_half;
use crate::report::Record;
use crate::time::Time;

/// What a client wants.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// Of the past; its times hold for what comes, too.
    pub(super) query: Query,
    /// What comes, too.
    pub(super) follow: bool,
    /// Of each flow.
    pub(super) mask: Mask,
    /// The client knows our types.
    pub(super) ours: bool,
    /// What belongs into the stream and is no attempt.
    pub(super) asides: bool,
    wanted: Arc<(FlowFilters, Filter)>,
}

impl Asked {
    /// Reads a request.
    pub(super) fn read(request: GetFlowsRequest) -> Result<Self, Status> {
        let ours = request.extensions.map(ours).transpose()?;
        let (since, until) = (time("since", request.since)?, time("until", request.until)?);
        let follow = request.follow;
        if follow && request.first {
            return Err(Status::invalid_argument("first: cannot be combined with follow"));
        }
        if follow && until.is_some() {
            return Err(Status::invalid_argument("until: cannot be combined with follow"));
        }
        let is_ours = ours.is_some();
        let ours = ours.unwrap_or_default();
        let decided_since = time("extensions.decided_since", ours.decided_since)?;
        let or_first_since = time("extensions.or_first_since", ours.or_first_since)?;
        let from_now_on = follow && since.is_none() && decided_since.is_none();
        let number = usize::try_from(request.number).unwrap_or(usize::MAX);
        let take = match (number, request.first) {
            (0, _) if from_now_on => Take::Last(0),
            (0, _) => Take::All,
            (number, true) => Take::First(number),
            (number, false) => Take::Last(number),
        };
        let filters = FlowFilters::new(request.whitelist, request.blacklist).map_err(refused)?;
        let filter = filter(ours.clauses)?;
        Ok(Self {
            query: Query {
                since,
                until,
                decided_since,
                or_first_since,
                provisional: ours.provisional,
                take,
            },
            follow,
            mask: Mask::new(request.field_mask).map_err(invalid)?,
            ours: is_ours,
            asides: ours.asides,
            wanted: Arc::new((filters, filter)),
        })
    }

    /// Whether the filters want the attempt. A client that merges nodes filters what it joined: another node may know who took part,
    /// and why it failed.
    pub(super) fn wants(&self, record: &Record) -> bool {
        let (filters, filter) = &*self.wanted;
        self.asides && is_half(record) || filters.matches(record) && filter.matches(record)
    }
}

fn ours(extension: Any) -> Result<v1::Filter, Status> {
    let is_filter = extension.type_url.rsplit('/').next() == Some(extension::FILTER);
    if !is_filter {
        let text = format!(
            "extensions: {} is understood, not `{}`",
            extension::FILTER,
            extension.type_url
        );
        return Err(Status::invalid_argument(text));
    }
    v1::Filter::decode(extension.value.as_slice()).map_err(|error| invalid(format!("extensions: {error}")))
}

fn filter(clauses: Vec<v1::Clause>) -> Result<Filter, Status> {
    // A clause without values is looked at too.
    let values: usize = clauses.iter().map(|clause| clause.values.len().max(1)).sum();
    if values > MAX_VALUES {
        let text = format!("extensions: at most {MAX_VALUES} values of all clauses together are taken: ask for less");
        return Err(invalid(text));
    }
    let read = |clause: v1::Clause| Clause::read(&clause.flag, clause.not, clause.values.iter().map(String::as_str));
    let clauses: Result<Vec<_>, _> = clauses.into_iter().map(read).collect();
    let clauses = clauses.map_err(|error| invalid(format!("extensions: {error}")))?;
    Ok(Filter::new(clauses))
}

fn time(field: &str, given: Option<Timestamp>) -> Result<Option<Time>, Status> {
    const SECOND: u32 = 1_000_000_000;
    let Some(given) = given else { return Ok(None) };
    let nanos = u32::try_from(given.nanos).ok().filter(|nanos| *nanos < SECOND);
    let nanos = nanos.ok_or_else(|| invalid(format!("{field}: nanoseconds go from 0 to 999999999")))?;
    // Before 1970 is since ever.
    let seconds = u64::try_from(given.seconds).unwrap_or_default();
    let time = seconds.saturating_mul(SECOND.into()).saturating_add(nanos.into());
    Ok(Some(Time(time)))
}

fn refused(refused: Refused) -> Status {
    match refused {
        Refused::Unanswerable { .. } => Status::unimplemented(refused.to_string()),
        Refused::Invalid { .. } | Refused::Never { .. } | Refused::TooMany => invalid(refused),
    }
}

fn invalid(why: impl ToString) -> Status {
    Status::invalid_argument(why.to_string())
}
