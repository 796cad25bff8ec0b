//! Every metric that there is: name, type, labels, help. What is exposed is made from this table, `docs/metrics.md` is held to it by
//! a test, and dashboards and alert rules are checked against [`names`].

use prometheus_client::metrics::MetricType;

/// A metric.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its family's name, with its unit, without the suffixes that its type adds.
    pub name: &'static str,
    /// Counter, gauge or histogram.
    pub kind: MetricType,
    /// Its labels, in the order in which they are written.
    pub labels: &'static [&'static str],
    /// What it says, as `HELP` and as the table in the documentation have it.
    pub help: &'static str,
}

macro_rules! metrics {
    ($($constant:ident: $kind:ident $name:literal $labels:expr, $help:literal;)*) => {
        $(
            #[doc = $help]
            pub(super) const $constant: Metric = Metric {
                name: $name,
                kind: MetricType::$kind,
                labels: &$labels,
                help: $help,
            };
        )*

        /// All of them, in the order of the documentation.
        pub const ALL: &[Metric] = &[$($constant),*];
    };
}

metrics! {
    ATTEMPTS: Counter "observer_attempts" ["direction", "namespace", "outcome", "cause"],
        "Finished attempts, out of and into each namespace";
    ATTEMPTS_ELSEWHERE: Counter "observer_attempts_elsewhere" [],
        "Finished attempts of pods of other nodes, seen only at their destination here: the agent of the client's node counts them";
    ATTEMPTS_REVISED: Counter "observer_attempts_revised" [],
        "Attempts whose outcome was corrected by a late answer after they were counted";
    HANDSHAKE: Histogram "observer_handshake_duration_seconds" [],
        "Time from the first SYN to the SYN-ACK at the client's interface";
    DNS: Counter "observer_dns_attempts" ["namespace", "outcome"],
        "Finished attempts to TCP port 53, by the namespace that they come from";
    CROSS_NAMESPACE: Counter "observer_cross_namespace_attempts" ["namespace", "outcome"],
        "Finished attempts from pods of this namespace to those of another";
    GAPS: Counter "observer_enforcement_gap_attempts" ["namespace", "policy", "direction"],
        "Attempts that were answered although this policy denies them, from the third in a row on their edge on";
    POLICIES: Gauge "observer_policies" ["namespace"],
        "NetworkPolicies in force";
    POLICIES_CHANGED: Counter "observer_policies_changed" ["namespace"],
        "Times that NetworkPolicies were made, changed or deleted while this agent ran; cluster-wide ones under _cluster";
    OBJECTS: Gauge "observer_objects" ["kind"],
        "Objects of the cluster that are held";
    API_AGE: Gauge "observer_api_view_age_seconds" [],
        "How old the agent's view of the cluster is: time since the last moment of which every change is known";
    API_SYNCED: Gauge "observer_api_synced" [],
        "1 once every kind of object was listed, as far as that is allowed";
    API_REFUSED: Gauge "observer_api_refused_objects" [],
        "Objects of the API that cannot be read, and are left out";
    API_REQUESTS: Counter "observer_api_requests" [],
        "Requests to the API server for objects";
    EVENTS_WRITTEN: Counter "observer_kubernetes_events" ["result"],
        "Kubernetes Events: written, failed, refused, or left out";
    INTERFACES: Gauge "observer_interfaces" [],
        "Interfaces that are observed";
    NODE_PODS: Gauge "observer_node_pods" ["state"],
        "Pods of this node: observed, or why not";
    DEGRADED: Gauge "observer_degraded" ["code"],
        "1 for each thing that this kernel or process lacks";
    LOST: Counter "observer_lost" ["kind"],
        "What was lost or left out, by what it was: while this grows, less can be concluded";
    COUNTED: Counter "observer_counted" ["kind"],
        "What the kernel programs and the tracker count besides, to account for every packet and event";
    TABLE_ENTRIES: Gauge "observer_table_entries" ["table"],
        "Entries of each table of bounded size";
    TABLE_CAPACITY: Gauge "observer_table_capacity" ["table"],
        "How many entries each table may have";
    RING_WAITING: Gauge "observer_ring_waiting_bytes" [],
        "The most that waited in the kernel's ring buffer at once during the last second";
    RING_SIZE: Gauge "observer_ring_size_bytes" [],
        "Size of the kernel's ring buffer";
    CONNTRACK_ENTRIES: Gauge "observer_conntrack_entries" [],
        "Connections that the node tracks";
    CONNTRACK_CAPACITY: Gauge "observer_conntrack_capacity" [],
        "How many connections the node may track";
    LAST_SWEEP: Gauge "observer_last_sweep_timestamp_seconds" [],
        "When the table of unfinished handshakes was last read";
    STREAMS: Gauge "observer_streams" [],
        "Streams of flows that clients follow";
    STREAMS_LAGGED: Counter "observer_stream_messages_lost" [],
        "Messages of streams that clients were too slow to read; each is told how many it lost";
    BUILD: Gauge "observer_build_info" ["version", "kernel"],
        "1, with the version of the observer and of the running kernel";
    CPU: Counter "process_cpu_seconds" [],
        "Processor time that the agent has used";
    RESIDENT: Gauge "process_resident_memory_bytes" [],
        "Memory of the agent that is in use";
    VIRTUAL: Gauge "process_virtual_memory_bytes" [],
        "Addresses that the agent has reserved";
    OPEN_FILES: Gauge "process_open_fds" [],
        "File descriptors that the agent has open";
    MAX_FILES: Gauge "process_max_fds" [],
        "File descriptors that the agent may have open";
    THREADS: Gauge "process_threads" [],
        "Threads of the agent";
    START: Gauge "process_start_time_seconds" [],
        "When the agent started, in seconds since 1970";
}

impl Metric {
    /// The names of its series, as queries use them.
    pub fn series(&self) -> impl Iterator<Item = String> + use<> {
        let suffixes: &[&str] = match self.kind {
            MetricType::Counter => &["_total"],
            MetricType::Histogram => &["_bucket", "_count", "_sum"],
            _ => &[""],
        };
        let name = self.name;
        suffixes.iter().map(move |suffix| format!("{name}{suffix}"))
    }
}

/// The names of all series that an agent may expose, as queries use them.
#[must_use]
pub fn names() -> Vec<String> {
    ALL.iter().flat_map(Metric::series).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The row of the documentation.
    fn row(metric: &Metric) -> String {
        let Metric {
            name,
            kind,
            labels,
            help,
        } = metric;
        let total = if matches!(kind, MetricType::Counter) {
            "_total"
        } else {
            ""
        };
        let labels: Vec<_> = labels.iter().map(|label| format!("`{label}`")).collect();
        let kind = kind.as_str();
        format!("| `{name}{total}` | {kind} | {} | {help} |", labels.join(", "))
    }

    #[test]
    fn the_documentation_has_every_metric_and_no_other() {
        let page = include_str!("../../../../docs/metrics.md");
        let documented: Vec<&str> = page
            .lines()
            .filter(|line| line.starts_with("| `observer_") || line.starts_with("| `process_"))
            .collect();
        let expected: Vec<String> = ALL.iter().map(row).collect();
        assert_eq!(documented, expected);
    }

    #[test]
    fn names_are_as_prometheus_wants_them() {
        for metric in ALL {
            let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            assert!(plain(metric.name), "{metric:?}");
            assert!(metric.labels.iter().all(|label| plain(label)), "{metric:?}");
            assert!(
                ["_total", "_count", "_sum", "_bucket"]
                    .iter()
                    .all(|suffix| !metric.name.ends_with(suffix)),
                "the type adds these: {metric:?}"
            );
            assert!(!metric.help.ends_with('.') && !metric.help.contains('\n'), "{metric:?}");
        }
        let mut names = names();
        names.sort();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
