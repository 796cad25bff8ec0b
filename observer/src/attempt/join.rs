//! Whether a sighting or a drop event belongs to an attempt: the same ISN, and a plausible destination.

use std::net::SocketAddr;
use std::time::Duration;

use super::open::Open;
use super::types::{Direction, Drop, Sighting, Surroundings};
use crate::time::Time;

/// How well something fits an attempt.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub(super) enum Fit {
    /// Nothing but the ISN and a plausible destination.
    Weak,
    /// The client's address and port are equal.
    Strong,
    /// The server's too.
    Exact,
}

/// The first SYN that a sighting tells of.
pub(super) fn first(sighting: &Sighting) -> Time {
    sighting
        .pending
        .map_or(sighting.at, |pending| pending.first.min(sighting.at))
}

/// Whether `from … to` and the attempt's own SYNs are at most `window` apart.
pub(super) fn near(open: &Open, from: Time, to: Time, window: Duration) -> bool {
    from.since(open.last) <= window && open.first.since(to) <= window
}

/// Whether a SYN to `dialled` may be what arrived at `seen`.
pub(super) fn becomes<S: Surroundings>(dialled: SocketAddr, seen: SocketAddr, at: Time, surroundings: &S) -> bool {
    dialled == seen || surroundings.may_become(dialled, seen, at)
}

/// How a sighting at a point that the attempt was not seen at fits it.
pub(super) fn fit_sighting<S: Surroundings>(
    open: &Open,
    sighting: &Sighting,
    window: Duration,
    surroundings: &S,
) -> Option<Fit> {
    // Another tuple with this ISN at the same point is another attempt.
    if open.leg(sighting.ifindex, sighting.direction).is_some() {
        return None;
    }
    let seen = (sighting.client, sighting.server);
    if open.tuples.contains(&seen) {
        return Some(Fit::Exact);
    }
    let at = first(sighting);
    let (client, plausible) = match (open.dialled(), sighting.direction) {
        (Some((client, server)), Direction::ToPod) => (client, becomes(server, seen.1, open.first, surroundings)),
        // Only behind a gateway pod is a SYN seen to come from two pods, and the client must be the same.
        (Some((client, server)), Direction::FromPod) => (
            client,
            client == seen.0
                && (becomes(server, seen.1, open.first, surroundings)
                    || becomes(seen.1, server, open.first, surroundings)),
        ),
        (None, direction) => {
            let sink = &open.sink()?.facts;
            let plausible = match direction {
                Direction::FromPod => becomes(seen.1, sink.server, at, surroundings),
                // A bridge floods one SYN to many pods, and does not translate it.
                Direction::ToPod => false,
            };
            (sink.client, plausible)
        }
    };
    if !plausible {
        return None;
    }
    if client == seen.0 {
        // However late: a SYN may be delivered for the first time long after others were dropped.
        return Some(Fit::Strong);
    }
    (!open.solo && near(open, at, sighting.at, window)).then_some(Fit::Weak)
}

/// How a drop event fits an attempt. Its header shows the SYN before or after translation.
pub(super) fn fit_drop<S: Surroundings>(open: &Open, drop: &Drop, window: Duration, surroundings: &S) -> Option<Fit> {
    let seen = (drop.client, drop.server);
    if open.tuples.contains(&seen) {
        return Some(Fit::Exact);
    }
    let (client, server) = match open.dialled() {
        Some(dialled) => dialled,
        None => {
            let sink = &open.sink()?.facts;
            (sink.client, sink.server)
        }
    };
    let plausible = becomes(server, drop.server, open.first, surroundings)
        || open.dialled().is_none() && becomes(drop.server, server, open.first, surroundings);
    if !plausible || !near(open, drop.at, drop.at, window) {
        return None;
    }
    if client == drop.client {
        Some(Fit::Strong)
    } else {
        (!open.solo).then_some(Fit::Weak)
    }
}
