//! What is told about the API server, in a line each, with what to do.

use std::time::Duration;

use kube::runtime::watcher;

use super::kinds::Followed;
use crate::objects::{Change, Kind, Str};
use crate::time::Time;

/// Why a request did not bring what was asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Why {
    /// 401: who we are is not known.
    Stranger,
    /// 403: we lack the right.
    Forbidden,
    /// 404: the kind is not served.
    NotServed,
    /// 410: what was known is too old to go on from.
    TooOld,
    /// The server does not do lists as streams.
    NoStreams,
    /// Nobody answers, or an error of the server.
    Trouble,
}

/// Reads a watcher's error.
pub(super) fn why(error: &watcher::Error) -> Why {
    let streams = matches!(error, watcher::Error::WatchStartFailed(_));
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => match why_not(error) {
            // As servers with the feature off say, and those that never heard of it.
            Why::Trouble if streams && matches!(code(error), Some(400 | 422)) => Why::NoStreams,
            why => why,
        },
        watcher::Error::WatchError(status) => by_code(status.code),
        watcher::Error::NoResourceVersion => Why::Trouble,
    }
}

/// Reads a request's error.
pub(super) fn why_not(error: &kube::Error) -> Why {
    code(error).map_or(Why::Trouble, by_code)
}

fn code(error: &kube::Error) -> Option<u16> {
    match error {
        kube::Error::Api(status) => Some(status.code),
        _ => None,
    }
}

fn by_code(code: u16) -> Why {
    match code {
        401 => Why::Stranger,
        403 => Why::Forbidden,
        404 => Why::NotServed,
        410 => Why::TooOld,
        _ => Why::Trouble,
    }
}

/// What the server said, or the bottom of what went wrong on the way there.
pub(crate) fn reason(error: &(dyn std::error::Error + 'static)) -> String {
    let mut bottom = error;
    while let Some(cause) = bottom.source() {
        bottom = cause;
    }
    let said = [error, bottom].into_iter().find_map(|error| {
        let of_watch = error.downcast_ref::<watcher::Error>().and_then(|error| match error {
            watcher::Error::WatchError(status) => Some(status.message.clone()),
            watcher::Error::InitialListFailed(error)
            | watcher::Error::WatchStartFailed(error)
            | watcher::Error::WatchFailed(error) => said(error),
            watcher::Error::NoResourceVersion => None,
        });
        of_watch.or_else(|| error.downcast_ref::<kube::Error>().and_then(said))
    });
    said.unwrap_or_else(|| bottom.to_string())
}

fn said(error: &kube::Error) -> Option<String> {
    match error {
        kube::Error::Api(status) => Some(status.message.clone()),
        _ => None,
    }
}

/// What of the work stops without a kind.
fn needed_for(followed: &Followed) -> &'static str {
    match followed.role {
        Some(Kind::Service | Kind::EndpointSlice) => {
            "attempts through a Service, and those to or from addresses that no pod has, are undecidable (objects-in-doubt)"
        }
        Some(Kind::Node) => "attempts to or from addresses that no pod has are undecidable (objects-in-doubt)",
        Some(_) => "every attempt is undecidable (objects-in-doubt)",
        None => "every attempt is undecidable (foreign-policy), since such a policy may select any pod",
    }
}

/// 403.
pub(super) fn forbidden(followed: &Followed) -> String {
    format!(
        "the API server does not let the observer list and watch {}: add {} to its ClusterRole; until then {}",
        followed.resource(),
        followed.rule(),
        needed_for(followed)
    )
}

/// A kind that was in doubt as a whole can be read.
pub(super) fn readable(followed: &Followed) -> String {
    format!("{} can be listed now", followed.resource())
}

/// The directory of the API cannot be read.
pub(super) fn no_directory(why: Why, reason: &str) -> String {
    let advice = match why {
        Why::Forbidden => "bind the ClusterRole system:discovery to it",
        _ => "it is asked again",
    };
    format!(
        "which policy kinds the API server serves is not known ({reason}): {advice}; until then every attempt is undecidable (foreign-policy)"
    )
}

/// A group that is registered does not answer.
pub(super) fn silent_group(group: &str, reason: &str) -> String {
    format!(
        "the API group {group} is served and does not answer ({reason}): until it does, every attempt is undecidable (foreign-policy), since its policies may select any pod"
    )
}

/// Nobody answers, or nobody knows us, and the first list is not complete.
pub(super) fn not_yet(followed: &Followed, why: Why, reason: &str) -> String {
    let advice = match why {
        Why::Stranger => "renew the kubeconfig's or the service account's credentials",
        Why::NotServed => "the API server must serve this kind",
        _ => "it is tried again",
    };
    format!(
        "the cluster's objects cannot be read yet ({}: {reason}): {advice}; until then every attempt is undecidable (not-synced)",
        followed.resource()
    )
}

/// The server has gone.
pub(super) fn unheard(since: Time, what: &str, reason: &str) -> String {
    format!(
        "nothing was heard of {what} since {since} ({reason}): going on with what is known; verdicts tell the age of that view"
    )
}

/// The server is back.
pub(super) fn heard(gap: Duration) -> String {
    format!(
        "the API server is heard of again after {} s, and what had changed meanwhile is known",
        gap.as_secs()
    )
}

/// Policies that are not evaluated: a line each, or one for many.
pub(super) fn foreign<'a>(changes: impl Iterator<Item = &'a Change>) -> Vec<String> {
    let names: Vec<&Str> = changes
        .filter_map(|change| match change {
            Change::Foreign { policy, .. } => Some(policy),
            _ => None,
        })
        .collect();
    let consequence = "attempts that they may concern are undecidable (foreign-policy)";
    match names.as_slice() {
        few if few.len() <= 3 => few
            .iter()
            .map(|policy| {
                format!("{policy} is of a kind that is not evaluated: attempts that it may concern are undecidable (foreign-policy)")
            })
            .collect(),
        [] => Vec::new(),
        [first, rest @ ..] => vec![format!(
            "{first} and {} others are of kinds that are not evaluated: {consequence}",
            rest.len()
        )],
    }
}
