//! Which fields of a flow a client wants (`GetFlowsRequest.field_mask`).

use observer_api::flow::{Endpoint, Flow};
use prost_types::FieldMask;

/// Fields of the public message that are never filled here: asking for them is no mistake.
const NEVER_FILLED: [&str; 18] = [
    "aggregate",
    "auth_type",
    "cgroup_id",
    "debug_capture_point",
    "destination_names",
    "ethernet",
    "file",
    "ip_trace_id",
    "l7",
    "node_labels",
    "policy_log",
    "policy_match_type",
    "proxy_port",
    "sock_xlate_point",
    "socket_cookie",
    "source_names",
    "trace_context",
    "tunnel",
];

/// The wanted fields. The default wants all.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Mask {
    /// Paths as `time` or `source.pod_name`; none: everything.
    paths: Vec<String>,
}

/// More paths are refused: each is looked at for each field of each flow.
const MAX_PATHS: usize = 100;

/// Why a mask is not applied.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BadMask {
    /// A path that names no field.
    #[error("field_mask: a flow has no field `{0}`")]
    NoSuchField(String),
    /// It costs too much.
    #[error("field_mask: at most {MAX_PATHS} paths are taken: a path without parts stands for all of a field")]
    TooMany,
}

/// Clears each field that the mask does not want.
macro_rules! fields {
    ($($path:literal: $($field:ident).+),* $(,)?) => {
        /// Fields that may be filled.
        const FILLED: &[&str] = &[$($path),*];

        fn clear_unwanted(mask: &Mask, flow: &mut Flow) {
            $(if !mask.wants($path) {
                flow.$($field).+ = Default::default();
            })*
        }
    };
}

fields! {
    "time": time, "uuid": uuid, "emitter": emitter, "verdict": verdict, "drop_reason": drop_reason, "IP": ip, "l4": l4,
    "source": source, "destination": destination, "Type": r#type, "node_name": node_name, "reply": reply, "event_type": event_type,
    "source_service": source_service, "destination_service": destination_service, "traffic_direction": traffic_direction,
    "trace_observation_point": trace_observation_point, "trace_reason": trace_reason, "drop_reason_desc": drop_reason_desc,
    "is_reply": is_reply, "interface": interface, "Summary": summary, "extensions": extensions,
    "egress_allowed_by": egress_allowed_by, "ingress_allowed_by": ingress_allowed_by,
    "egress_denied_by": egress_denied_by, "ingress_denied_by": ingress_denied_by,
}

impl Mask {
    /// Reads a mask. An empty one wants everything.
    ///
    /// # Errors
    ///
    /// A path whose first part is no field of the public message, or more paths than a flow has.
    pub fn new(mask: Option<FieldMask>) -> Result<Self, BadMask> {
        let paths = mask.map(|mask| mask.paths).unwrap_or_default();
        if paths.len() > MAX_PATHS {
            return Err(BadMask::TooMany);
        }
        for path in &paths {
            let field = path.split('.').next().unwrap_or_default();
            if !FILLED.contains(&field) && !NEVER_FILLED.contains(&field) {
                return Err(BadMask::NoSuchField(path.clone()));
            }
        }
        Ok(Self { paths })
    }

    /// Whether a field is wanted, or a part of it.
    #[must_use]
    pub fn wants(&self, field: &str) -> bool {
        self.paths.is_empty() || self.paths.iter().any(|path| path.split('.').next() == Some(field))
    }

    /// Leaves the wanted fields. Parts are told apart in endpoints, which are large; other messages are left whole.
    pub(super) fn apply(&self, flow: &mut Flow) {
        if self.paths.is_empty() {
            return;
        }
        clear_unwanted(self, flow);
        for (field, endpoint) in [("source", &mut flow.source), ("destination", &mut flow.destination)] {
            if let Some(endpoint) = endpoint {
                self.apply_to_endpoint(field, endpoint);
            }
        }
    }

    fn apply_to_endpoint(&self, field: &str, endpoint: &mut Endpoint) {
        let wanted = |part: &str| {
            self.paths.iter().any(|path| match path.split_once('.') {
                Some((whole, rest)) => whole == field && rest.split('.').next() == Some(part),
                None => path == field,
            })
        };
        let all = std::mem::take(endpoint);
        if wanted("identity") {
            endpoint.identity = all.identity;
        }
        if wanted("namespace") {
            endpoint.namespace = all.namespace;
        }
        if wanted("pod_name") {
            endpoint.pod_name = all.pod_name;
        }
        if wanted("labels") {
            endpoint.labels = all.labels;
        }
        if wanted("workloads") {
            endpoint.workloads = all.workloads;
        }
    }
}

#[cfg(test)]
mod tests {
    use observer_api::flow::Verdict;

    use super::*;

    fn mask(paths: &[&str]) -> Result<Mask, BadMask> {
        let paths = paths.iter().map(|path| (*path).to_owned()).collect();
        Mask::new(Some(FieldMask { paths }))
    }

    #[test]
    fn only_the_wanted_fields_stay() {
        let endpoint = || {
            Some(Endpoint {
                namespace: "shop".into(),
                pod_name: "web".into(),
                identity: 2,
                labels: vec!["k8s:app=web".into()],
                ..Endpoint::default()
            })
        };
        let whole = Flow {
            verdict: Verdict::Dropped as i32,
            uuid: "7".into(),
            source: endpoint(),
            destination: endpoint(),
            ..Flow::default()
        };
        let mut flow = whole.clone();
        mask(&["verdict", "source.pod_name", "source.namespace", "destination", "l7"])
            .expect("fields")
            .apply(&mut flow);
        let expect = Flow {
            uuid: String::new(),
            source: Some(Endpoint {
                namespace: "shop".into(),
                pod_name: "web".into(),
                ..Endpoint::default()
            }),
            ..whole.clone()
        };
        assert_eq!(flow, expect);
        for everything in [Mask::default(), mask(&[]).expect("empty")] {
            let mut flow = whole.clone();
            everything.apply(&mut flow);
            assert_eq!(flow, whole);
        }
    }

    #[test]
    fn a_path_that_is_no_field_is_refused_by_name() {
        let error = mask(&["time", "sauce.pod_name"]).expect_err("no field");
        assert_eq!(error.to_string(), "field_mask: a flow has no field `sauce.pod_name`");
    }

    #[test]
    fn paths_are_bounded() {
        assert!(mask(&["l7"; MAX_PATHS]).is_ok());
        assert_eq!(mask(&["l7"; MAX_PATHS + 1]), Err(BadMask::TooMany));
    }
}
