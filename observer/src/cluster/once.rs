//! Reading everything once: manifests, with the place of everything in them, or a cluster.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use super::findings::{FieldPath, Step};
use super::folder;
use super::kube::{self, Access, AccessError, ReadError};
use super::lines::Lines;
use super::problem::Errors;
use super::read::{Format, Spot};
use super::store::{Spotted, Store};
use crate::objects::{Change, Kind, Name, Pod, Str};

/// How the doubt is called that NetworkPolicies as a whole cannot be read.
const POLICIES: &str = "networkpolicies.networking.k8s.io";

/// Everything in some manifests, or in a cluster, as they are now.
#[derive(Debug)]
pub struct Snapshot {
    /// Their objects.
    pub changes: Vec<Change>,
    /// The pods that Deployments and other workloads would make, named like these.
    pub templates: Vec<Pod>,
    /// Namespaces with objects that are not read and that an operator may make pods of. A cluster has these pods already.
    pub operated: BTreeSet<Str>,
    /// What the user should know, a line each.
    pub warnings: Vec<String>,
    /// By kind (a workload's own) and name: the file and the place in it.
    spots: BTreeMap<(Str, Name), (PathBuf, Spot)>,
    /// The lines of files that were asked for. Read a second time for that, so that who never asks pays nothing.
    lines: RefCell<HashMap<PathBuf, Option<Lines>>>,
    /// The cluster that it was read from, if it was one.
    cluster: Option<Access>,
}

/// Where something is written.
#[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub struct Place {
    /// The file, as it was found under the path that was given.
    pub file: Str,
    /// The document in the file, from 1, empty ones not counted.
    pub document: u32,
    /// The line, from 1, where the reader can tell.
    pub line: Option<u64>,
}

impl Snapshot {
    /// Reads every manifest under `paths` (files or folders).
    ///
    /// # Errors
    /// Everything that is wrong with them: nothing is taken then.
    pub fn read(paths: &[PathBuf]) -> Result<Self, Errors> {
        let mut store = Store::new(paths.to_owned()).with_templates();
        let found = store.look(&HashSet::new());
        if !found.refused.is_empty() {
            let mut problems: Vec<_> = found.refused.into_iter().flat_map(|file| file.problems).collect();
            problems.sort();
            return Err(Errors(problems));
        }
        let mut warnings = found.warnings;
        warnings.extend(super::watch::foreign(&found.changes));
        let mut spots = BTreeMap::new();
        let mut templates = Vec::new();
        for (path, what, spot) in store.spots() {
            let key = match what {
                Spotted::Object(object) => (word(object.kind()), object.name()),
                Spotted::Template(pod) => {
                    templates.push(pod.clone());
                    let kind = pod.workload.as_ref().map_or_else(|| "Pod".into(), |of| of.kind.clone());
                    (kind, pod.name.clone())
                }
            };
            spots.insert(key, (path.to_owned(), spot));
        }
        Ok(Self {
            changes: found.changes,
            templates,
            operated: found.operated,
            warnings,
            spots,
            lines: RefCell::default(),
            cluster: None,
        })
    }

    /// Reads a cluster. What may not be listed, or cannot be read, is among the changes as a doubt.
    ///
    /// # Errors
    /// The cluster is not named, or does not answer.
    pub fn of_cluster(access: Access) -> Result<Self, ReadError> {
        let runtime = runtime().map_err(AccessError::NoThread)?;
        let everything = runtime.block_on(kube::everything(&access))?;
        Ok(Self {
            changes: everything.changes,
            templates: Vec::new(),
            operated: BTreeSet::new(),
            warnings: everything.messages,
            spots: BTreeMap::new(),
            lines: RefCell::default(),
            cluster: Some(access),
        })
    }

    /// Whether NetworkPolicies could be read, be there some or none: a cluster may refuse them.
    #[must_use]
    pub fn has_policies(&self) -> bool {
        let refused = |change: &Change| matches!(change, Change::Doubt { source, .. } if **source == *POLICIES);
        !self.changes.iter().any(refused)
    }

    /// An object as it is written, with what is not read of it too. `None` for one that is not there, any more; of a cluster
    /// NetworkPolicies only.
    #[must_use]
    pub fn written(&self, kind: &str, name: &Name) -> Option<Value> {
        if let Some(access) = self.cluster.as_ref().filter(|_| kind == "NetworkPolicy") {
            return runtime().ok()?.block_on(kube::written(access, name));
        }
        let (path, spot) = self.spots.get(&(kind.into(), name.clone()))?;
        let text = fs::read(path).ok()?;
        let format = folder::format(path).unwrap_or(Format::Yaml);
        super::written::written(&text, format, *spot, kind, name)
    }

    /// Where `field` (as `spec.ingress[0].from`, or the nearest thing around it) of an object is written. `None` for an object
    /// that is not in the manifests.
    #[must_use]
    pub fn place(&self, kind: &str, name: &Name, field: &str) -> Option<Place> {
        let (path, spot) = self.spots.get(&(kind.into(), name.clone()))?;
        let mut lines = self.lines.borrow_mut();
        let lines = lines.entry(path.clone()).or_insert_with(|| {
            // Gone or changed since: a line would be a guess.
            fs::read(path).ok().map(|text| Lines::of(&text))
        });
        let mut steps = Vec::new();
        if let Some(item) = spot.item {
            steps.extend([Step::Key("items".to_owned()), Step::Index(item)]);
        }
        steps.extend(FieldPath::parse(field).0);
        let line = lines
            .as_ref()
            .and_then(|lines| lines.line(spot.document, &FieldPath(steps)));
        Some(Place {
            file: path.to_string_lossy().into(),
            document: spot.document,
            line,
        })
    }
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

fn word(kind: Kind) -> Str {
    format!("{kind:?}").into()
}
