//! The counts as OpenMetrics text.

use std::collections::BTreeMap;
use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _, MetricEncoder, NoLabelSet};

use super::counts::{Counts, OTHER, OfNamespace};
use super::process::Process;
use super::table::{self, Metric};
use super::{Fill, State};
use crate::agent::{Figures, Table};
use crate::objects::Str;
use crate::policy::Direction;
use crate::serve::hub::now;

/// What of the counters is a loss: something that should have been seen or kept was not.
const LOSSES: [&str; 10] = [
    "handshakes_lost_table_full",
    "handshakes_lost_share_used",
    "events_lost_ring_full",
    "packets_unparsed",
    "drops_unread",
    "sightings_refused",
    "facts_left_out",
    "drops_given_up",
    "edges_given_up",
    "decisions_unwitnessed",
];

/// Writes families of the table.
struct Writer<'a>(DescriptorEncoder<'a>);

impl Writer<'_> {
    fn family<'s, const N: usize, V>(
        &mut self,
        metric: &Metric,
        series: impl IntoIterator<Item = ([&'s str; N], V)>,
        mut value: impl FnMut(&mut MetricEncoder<'_>, V) -> fmt::Result,
    ) -> fmt::Result {
        debug_assert_eq!(metric.labels.len(), N, "{}", metric.name);
        let mut family = self.0.encode_descriptor(metric.name, metric.help, None, metric.kind)?;
        for (labels, number) in series {
            let labels: Vec<(&str, &str)> = metric.labels.iter().copied().zip(labels).collect();
            if labels.is_empty() {
                value(&mut family, number)?;
            } else {
                value(&mut family.encode_family(&labels)?, number)?;
            }
        }
        Ok(())
    }

    fn counters<'s, const N: usize>(
        &mut self,
        metric: &Metric,
        series: impl IntoIterator<Item = ([&'s str; N], u64)>,
    ) -> fmt::Result {
        self.family(metric, series, |encoder, number| {
            encoder.encode_counter::<NoLabelSet, u64, u64>(&number, None)
        })
    }

    fn gauges<'s, const N: usize>(
        &mut self,
        metric: &Metric,
        series: impl IntoIterator<Item = ([&'s str; N], f64)>,
    ) -> fmt::Result {
        self.family(metric, series, |encoder, number| encoder.encode_gauge(&number))
    }

    fn gauge(&mut self, metric: &Metric, number: Option<f64>) -> fmt::Result {
        self.gauges(metric, number.map(|number| ([], number)))
    }
}

/// Writes everything.
pub(super) fn write(state: &State, counts: &Counts, encoder: DescriptorEncoder<'_>) -> fmt::Result {
    let mut writer = Writer(encoder);
    attempts(counts, &mut writer)?;
    policies(counts, &mut writer)?;
    api(counts.figures.as_ref(), &mut writer)?;
    let events = state.events.iter().flat_map(|counts| counts.named());
    writer.counters(&table::EVENTS_WRITTEN, events.map(|(result, count)| ([result], count)))?;
    coverage(counts, &mut writer)?;
    loop_figures(counts.figures.as_ref(), &state.hub.fill(), &mut writer)?;
    writer.gauge(&table::STREAMS, Some(state.hub.readers() as f64))?;
    writer.counters(&table::STREAMS_LAGGED, [([], state.hub.lagged())])?;
    of_process(&state.process, &mut writer)
}

/// The view of the cluster.
fn api(figures: Option<&Figures>, writer: &mut Writer<'_>) -> fmt::Result {
    let api = figures.and_then(|figures| figures.api.as_ref());
    let current = api.and_then(|api| api.current);
    writer.gauge(
        &table::API_AGE,
        current.map(|current| now().since(current).as_secs_f64()),
    )?;
    writer.gauge(&table::API_SYNCED, api.map(|api| f64::from(u8::from(api.synced))))?;
    writer.gauge(&table::API_REFUSED, api.map(|api| api.refused as f64))?;
    writer.counters(&table::API_REQUESTS, api.map(|api| ([], api.requests)))
}

/// Every namespace by name, then what is beyond the bounds.
fn namespaces(counts: &Counts) -> Vec<(&str, &OfNamespace)> {
    let mut all: Vec<(&str, &OfNamespace)> = counts.namespaces.iter().map(|(name, of)| (&**name, of)).collect();
    all.sort_unstable_by_key(|(name, _)| *name);
    all.push((OTHER, &counts.other));
    all
}

fn attempts(counts: &Counts, writer: &mut Writer<'_>) -> fmt::Result {
    let all = namespaces(counts);
    writer.counters(
        &table::ATTEMPTS,
        all.iter().flat_map(|&(namespace, of)| {
            of.attempts.iter().map(move |(&(direction, outcome, cause), &count)| {
                let cause = cause.map_or("none", |cause| cause.code());
                ([code(direction), namespace, outcome.code(), cause], count)
            })
        }),
    )?;
    writer.counters(&table::ATTEMPTS_ELSEWHERE, [([], counts.elsewhere)])?;
    writer.counters(&table::ATTEMPTS_REVISED, [([], counts.revised)])?;
    let mut handshake = |metric: &Metric| {
        let family = writer
            .0
            .encode_descriptor(metric.name, metric.help, None, metric.kind)?;
        counts.handshake.encode(family)
    };
    handshake(&table::HANDSHAKE)?;
    writer.counters(
        &table::DNS,
        all.iter().flat_map(|&(namespace, of)| {
            let series = of.dns.iter();
            series.map(move |(outcome, &count)| ([namespace, outcome.code()], count))
        }),
    )?;
    writer.counters(
        &table::CROSS_NAMESPACE,
        all.iter().flat_map(|&(namespace, of)| {
            let series = of.cross.iter();
            series.map(move |(outcome, &count)| ([namespace, outcome.code()], count))
        }),
    )
}

fn policies(counts: &Counts, writer: &mut Writer<'_>) -> fmt::Result {
    let all = namespaces(counts);
    writer.counters(
        &table::GAPS,
        all.iter().flat_map(|&(namespace, of)| {
            let series = of.gaps.iter();
            series.map(move |((policy, direction), &count)| ([namespace, policy, code(*direction)], count))
        }),
    )?;
    let held = counts.figures.as_ref().map(|figures| &*figures.held);
    writer.gauges(
        &table::POLICIES,
        held.into_iter()
            .flat_map(|held| bounded(held.policies.iter().map(|(name, count)| (name, *count))))
            .map(|(namespace, count)| ([namespace], count as f64)),
    )?;
    // Zero too: of a series that is born with its first change that change is not seen by `increase()`.
    let unchanged = held
        .into_iter()
        .flat_map(|held| bounded(held.policies.iter().map(|(name, count)| (name, *count))));
    let mut changed: BTreeMap<&str, u64> = unchanged.map(|(namespace, _)| (namespace, 0)).collect();
    for &(namespace, of) in all.iter().filter(|(_, of)| of.policies_changed > 0) {
        *changed.entry(namespace).or_default() += of.policies_changed;
    }
    writer.counters(
        &table::POLICIES_CHANGED,
        changed.iter().map(|(&namespace, &count)| ([namespace], count)),
    )?;
    let objects = held.into_iter().flat_map(|held| &held.objects);
    writer.gauges(
        &table::OBJECTS,
        objects.map(|(kind, count)| ([kind.name()], *count as f64)),
    )
}

/// The namespaces with most, and the sum of the others.
fn bounded<'a>(all: impl Iterator<Item = (&'a Str, usize)>) -> Vec<(&'a str, usize)> {
    let mut all: Vec<(&str, usize)> = all.map(|(name, count)| (&**name, count)).collect();
    all.sort_by_key(|&(name, count)| (std::cmp::Reverse(count), name));
    let rest = all.split_off(all.len().min(super::counts::MAX_NAMESPACES));
    all.sort_unstable();
    if !rest.is_empty() {
        all.push((OTHER, rest.iter().map(|(_, count)| count).sum()));
    }
    all
}

fn coverage(counts: &Counts, writer: &mut Writer<'_>) -> fmt::Result {
    let coverage = counts.coverage.as_deref();
    writer.gauge(
        &table::INTERFACES,
        coverage.map(|coverage| coverage.interfaces.interfaces.len() as f64),
    )?;
    let pods = coverage.map(|coverage| coverage.pods.by_state()).into_iter().flatten();
    writer.gauges(&table::NODE_PODS, pods.map(|(state, count)| ([state], count as f64)))?;
    let mut degraded: Vec<_> = coverage
        .into_iter()
        .flat_map(|coverage| coverage.interfaces.degraded.iter().map(|degraded| degraded.code.name()))
        .collect();
    degraded.sort_unstable();
    degraded.dedup();
    writer.gauges(&table::DEGRADED, degraded.into_iter().map(|code| ([code], 1.0)))
}

fn loop_figures(figures: Option<&Figures>, recent: &Fill, writer: &mut Writer<'_>) -> fmt::Result {
    let counted = |losses: bool| {
        let counters = figures.into_iter().flat_map(|figures| &figures.counters);
        counters
            .filter(move |(name, _)| LOSSES.contains(name) == losses)
            .map(|(name, count)| ([*name], *count))
    };
    writer.counters(&table::LOST, counted(true))?;
    writer.counters(&table::COUNTED, counted(false))?;
    let recent = Table {
        name: "attempts_recent",
        used: recent.held as u64,
        capacity: recent.limits.attempts as u64,
    };
    let tables = || {
        let of_loop = figures.into_iter().flat_map(|figures| &figures.tables);
        of_loop.chain(std::iter::once(&recent))
    };
    writer.gauges(
        &table::TABLE_ENTRIES,
        tables().map(|table| ([table.name], table.used as f64)),
    )?;
    writer.gauges(
        &table::TABLE_CAPACITY,
        tables().map(|table| ([table.name], table.capacity as f64)),
    )?;
    writer.gauge(&table::RING_WAITING, figures.map(|figures| figures.ring.0 as f64))?;
    writer.gauge(&table::RING_SIZE, figures.map(|figures| figures.ring.1 as f64))?;
    let conntrack = figures.and_then(|figures| figures.conntrack);
    writer.gauge(&table::CONNTRACK_ENTRIES, conntrack.map(|(used, _)| used as f64))?;
    writer.gauge(&table::CONNTRACK_CAPACITY, conntrack.map(|(_, limit)| limit as f64))?;
    writer.gauge(
        &table::LAST_SWEEP,
        figures.map(|figures| figures.swept.0 as f64 / 1_000_000_000.0),
    )
}

fn of_process(process: &Process, writer: &mut Writer<'_>) -> fmt::Result {
    writer.gauges(
        &table::BUILD,
        [([env!("CARGO_PKG_VERSION"), process.kernel.as_str()], 1.0)],
    )?;
    let usage = process.usage();
    let usage = usage.as_ref();
    writer.family(
        &table::CPU,
        usage.map(|usage| ([], usage.cpu_seconds)),
        |encoder, number| encoder.encode_counter::<NoLabelSet, f64, f64>(&number, None),
    )?;
    writer.gauge(&table::RESIDENT, usage.map(|usage| usage.resident_bytes as f64))?;
    writer.gauge(&table::VIRTUAL, usage.map(|usage| usage.virtual_bytes as f64))?;
    writer.gauge(
        &table::OPEN_FILES,
        usage.and_then(|usage| usage.open_files).map(|count| count as f64),
    )?;
    writer.gauge(
        &table::MAX_FILES,
        usage.and_then(|usage| usage.max_files).map(|count| count as f64),
    )?;
    writer.gauge(&table::THREADS, usage.map(|usage| usage.threads as f64))?;
    writer.gauge(&table::START, usage.and_then(|usage| usage.started_seconds))
}

fn code(direction: Direction) -> &'static str {
    match direction {
        Direction::Egress => "egress",
        Direction::Ingress => "ingress",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_loss_is_documented_and_counted_by_somebody() {
        let page = include_str!("../../../../docs/metrics.md");
        let kernel = crate::probe::counters::Counters::default();
        let tracker = crate::attempt::Counters::default();
        let counted: Vec<&str> = kernel.named().chain(tracker.named()).map(|(name, _)| name).collect();
        for loss in LOSSES {
            assert!(page.contains(&format!("| `{loss}` |")), "{loss} is not documented");
            assert!(counted.contains(&loss), "nobody counts {loss}");
        }
    }
}
