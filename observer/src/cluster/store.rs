//! What is known from each file, and how it differs from before.
//!
//! A file is good or bad as a whole. Of a bad one the last good version stays in force, and what it concerns is in doubt
//! until it can be read again.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::{fs, io};

use super::convert::scope_of;
use super::folder::{self, Signature};
use super::problem::{Problem, unreadable};
use super::read::{Content, Format, MAX_BYTES, Spot, read};
use super::strings;
use crate::objects::{Change, ClusterPolicy, Kind, Name, NetworkPolicy, Object, Pod, Scope, Str, Written};

type Key = (Kind, Name);

/// The last good version of a file.
#[derive(Debug, Default)]
struct Good {
    /// Objects by kind and name, and where each is.
    objects: BTreeMap<Key, (Object, Spot)>,
    /// The pods that workloads would make, if they are wanted.
    templates: Vec<(Pod, Spot)>,
    foreign: BTreeMap<Str, Scope>,
}

#[derive(Debug, Default)]
struct File {
    /// As it was when it was read last; `None` where it could not be.
    signature: Option<Signature>,
    hash: u64,
    good: Good,
    /// Why the newest version is not used, and what that concerns.
    bad: Option<(Vec<Problem>, Scope)>,
}

/// A file, or a path, whose newest version is not used.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) file: Str,
    pub(super) problems: Vec<Problem>,
    /// An earlier version stays in force.
    pub(super) has_earlier: bool,
}

/// What a look at the files brought.
#[derive(Debug, Default)]
pub(super) struct Difference {
    pub(super) changes: Vec<Change>,
    /// What is wrong now and was not so before.
    pub(super) refused: Vec<Refused>,
    /// What the user should know.
    pub(super) warnings: Vec<String>,
    /// Files that were bad and are good again, or gone.
    pub(super) recovered: Vec<Str>,
    /// Namespaces of skipped objects that an operator may make pods of, in the files that were read.
    pub(super) operated: BTreeSet<Str>,
}

/// What a [`Store`] can tell the place of.
#[derive(Clone, Copy, Debug)]
pub(super) enum Spotted<'a> {
    Object(&'a Object),
    /// A pod that a workload would make.
    Template(&'a Pod),
}

/// Every file under the given paths.
#[derive(Debug)]
pub(super) struct Store {
    roots: Vec<PathBuf>,
    /// Path → file. Written and deleted by [`Self::look`].
    files: BTreeMap<PathBuf, File>,
    /// Roots that cannot be read: their files stay as they were.
    lost: BTreeMap<PathBuf, Problem>,
    /// Kinds that were named as skipped.
    named: BTreeSet<Str>,
    /// Whether the pods that workloads would make are kept.
    with_templates: bool,
}

fn shown(path: &Path) -> Str {
    path.to_string_lossy().into()
}

fn hash(text: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// Equal but for the place and form in which it was read: a policy that moved in its file did not change.
fn same(a: &Object, b: &Object) -> bool {
    match (a, b) {
        (Object::NetworkPolicy(a), Object::NetworkPolicy(b)) => {
            let placeless = |policy: &NetworkPolicy| NetworkPolicy {
                source: None,
                written: Written::default(),
                ..policy.clone()
            };
            placeless(a) == placeless(b)
        }
        (Object::ClusterPolicy(a), Object::ClusterPolicy(b)) => {
            let placeless = |policy: &ClusterPolicy| ClusterPolicy {
                source: None,
                ..policy.clone()
            };
            placeless(a) == placeless(b)
        }
        _ => a == b,
    }
}

impl Store {
    pub(super) fn new(roots: Vec<PathBuf>) -> Self {
        Self {
            roots,
            files: BTreeMap::new(),
            lost: BTreeMap::new(),
            named: BTreeSet::new(),
            with_templates: false,
        }
    }

    /// Keeps the pods that workloads would make too.
    pub(super) fn with_templates(mut self) -> Self {
        self.with_templates = true;
        self
    }

    /// The file and the place of every good object and template.
    pub(super) fn spots(&self) -> impl Iterator<Item = (&Path, Spotted<'_>, Spot)> {
        self.files.iter().flat_map(|(path, file)| {
            let objects = file.good.objects.values();
            let templates = file.good.templates.iter();
            objects
                .map(|(object, spot)| (Spotted::Object(object), *spot))
                .chain(templates.map(|(pod, spot)| (Spotted::Template(pod), *spot)))
                .map(move |(what, spot)| (path.as_path(), what, spot))
        })
    }

    /// Looks at all files, reads those that changed (and those in `touched`, whatever they look like), and tells the
    /// difference to before.
    pub(super) fn look(&mut self, touched: &HashSet<PathBuf>) -> Difference {
        let mut difference = Difference::default();
        let (there, kept) = self.find(&mut difference);
        let mut next: BTreeMap<PathBuf, Candidate> = BTreeMap::new();
        for path in &there {
            let known = self.files.get(path);
            let look_again = touched.contains(path) || known.is_some_and(|file| file.bad.is_some());
            if let Some(candidate) = Candidate::read(path, known, look_again) {
                next.insert(path.clone(), candidate);
            }
        }
        let found: BTreeSet<PathBuf> = there.into_iter().chain(kept).collect();
        let gone: Vec<PathBuf> = self
            .files
            .keys()
            .filter(|path| !found.contains(*path))
            .cloned()
            .collect();
        if next.is_empty() && gone.is_empty() {
            return difference;
        }
        self.check_together(&found, &mut next);
        self.adopt(next, &gone, &mut difference);
        strings::sweep();
        difference
    }

    /// The files that are there, and those that are kept as they were because their root cannot be read.
    fn find(&mut self, difference: &mut Difference) -> (BTreeSet<PathBuf>, Vec<PathBuf>) {
        let mut found = BTreeSet::new();
        let mut kept = Vec::new();
        let mut real = BTreeSet::new();
        for root in &self.roots {
            match folder::manifests(root) {
                Ok(files) => {
                    if self.lost.remove(root).is_some() {
                        difference.recovered.push(shown(root));
                        difference.changes.push(Change::Clear { source: shown(root) });
                    }
                    if files.is_empty() && self.files.is_empty() {
                        difference
                            .warnings
                            .push(format!("{}: there is no .yaml, .yml or .json file in it", shown(root)));
                    }
                    // A file that two roots lead to is one file.
                    found.extend(
                        files
                            .into_iter()
                            .filter(|file| file.canonicalize().map_or(true, |path| real.insert(path))),
                    );
                }
                Err((path, error)) => {
                    let problem = Problem::of_file(&shown(&path), unreadable(&error));
                    kept.extend(self.files.keys().filter(|file| file.starts_with(root)).cloned());
                    if self.lost.insert(root.clone(), problem.clone()).as_ref() != Some(&problem) {
                        difference.refused.push(Refused {
                            file: shown(root),
                            problems: vec![problem],
                            has_earlier: self.files.keys().any(|file| file.starts_with(root)),
                        });
                        difference.changes.push(Change::Doubt {
                            source: shown(root),
                            scope: Scope::Everything,
                        });
                    }
                }
            }
        }
        (found, kept)
    }

    /// Refuses what is right in each file but not together: objects that are there twice, addresses that two pods have.
    fn check_together(&self, found: &BTreeSet<PathBuf>, next: &mut BTreeMap<PathBuf, Candidate>) {
        let mut problems: Vec<(PathBuf, Problem)> = Vec::new();
        {
            let mut places: HashMap<Key, (&Path, u32)> = HashMap::new();
            let mut owners: HashMap<IpAddr, (&Path, u32, &Name)> = HashMap::new();
            // Files that did not change come first, so that the changed ones are blamed.
            let kept = found
                .iter()
                .filter(|path| !next.contains_key(*path))
                .filter_map(|path| Some((path, &self.files.get(path)?.good)))
                .flat_map(|(path, good)| {
                    good.objects
                        .values()
                        .map(move |(object, spot)| (path, object, spot.document))
                });
            let new = next.iter().flat_map(|(path, candidate)| {
                candidate
                    .content
                    .objects
                    .iter()
                    .map(move |(object, spot)| (path, object, spot.document))
            });
            for (path, object, document) in kept.chain(new) {
                let mut blame = |message: String| {
                    let file = shown(path);
                    problems.push((
                        path.clone(),
                        Problem {
                            document: Some(document),
                            object: Some(format!("{:?} {}", object.kind(), object.name())),
                            ..Problem::of_file(&file, message)
                        },
                    ));
                };
                let place = |other: &Path, document: u32| {
                    if other == path.as_path() {
                        format!("document {document} of this file")
                    } else {
                        format!("{}, document {document}", shown(other))
                    }
                };
                match places.entry((object.kind(), object.name())) {
                    std::collections::hash_map::Entry::Vacant(free) => {
                        free.insert((path, document));
                    }
                    std::collections::hash_map::Entry::Occupied(taken) => {
                        let (other, at) = *taken.get();
                        blame(format!("the same object is in {}: remove one", place(other, at)));
                        continue;
                    }
                }
                let Object::Pod(pod) = object else { continue };
                if pod.host_network || pod.phase.is_over() || pod.terminating.is_some() {
                    continue;
                }
                for ip in &pod.addresses {
                    match owners.get(ip) {
                        None => {
                            owners.insert(*ip, (path, document, &pod.name));
                        }
                        Some((other, at, name)) => blame(format!(
                            "its address {ip} is also that of pod {name} in {}: two running pods cannot share one, correct or remove one",
                            place(other, *at)
                        )),
                    }
                }
            }
        }
        for (path, problem) in problems {
            if let Some(candidate) = next.get_mut(&path) {
                candidate.content.problems.push(problem);
            }
        }
    }

    /// Makes the candidates the truth and tells what that changes.
    fn adopt(&mut self, next: BTreeMap<PathBuf, Candidate>, gone: &[PathBuf], difference: &mut Difference) {
        let mut before = Good::default();
        let mut after = Good::default();
        for path in gone {
            if let Some(file) = self.files.remove(path) {
                before.absorb(file.good);
                if file.bad.is_some() {
                    difference.recovered.push(shown(path));
                    difference.changes.push(Change::Clear { source: shown(path) });
                }
            }
        }
        let mut kept = Vec::new();
        for (path, candidate) in next {
            let file = self.files.entry(path.clone()).or_default();
            (file.signature, file.hash) = (candidate.signature, candidate.hash);
            let content = candidate.content;
            for warning in &content.warnings {
                difference.warnings.push(warning.to_string());
            }
            difference.operated.extend(content.operated);
            let mut unused = content.unused;
            let mut templates = Vec::new();
            for (kind, pod, spot) in content.templates {
                if self.with_templates {
                    templates.push((pod, spot));
                } else {
                    unused.insert(kind);
                }
            }
            for kind in unused {
                if self.named.insert(kind.clone()) {
                    difference.warnings.push(format!(
                        "{}: {kind} is not used and skipped, here and elsewhere",
                        shown(&path)
                    ));
                }
            }
            if content.problems.is_empty() {
                before.absorb(std::mem::take(&mut file.good));
                file.good.objects = content
                    .objects
                    .into_iter()
                    .map(|(object, spot)| ((object.kind(), object.name()), (object, spot)))
                    .collect();
                file.good.templates = templates;
                file.good.foreign = content.foreign.into_iter().collect();
                after.copy(&file.good);
                if file.bad.take().is_some() {
                    difference.recovered.push(shown(&path));
                    difference.changes.push(Change::Clear { source: shown(&path) });
                }
            } else {
                kept.push(path.clone());
                let scope = doubted(&file.good, content.scopes);
                let bad = (content.problems, scope);
                if file.bad.as_ref() != Some(&bad) {
                    difference.refused.push(Refused {
                        file: shown(&path),
                        problems: bad.0.clone(),
                        has_earlier: !file.good.objects.is_empty() || !file.good.foreign.is_empty(),
                    });
                    difference.changes.push(Change::Doubt {
                        source: shown(&path),
                        scope: bad.1.clone(),
                    });
                    file.bad = Some(bad);
                }
            }
        }
        // An object that moved away from a file that is bad now is the other file's.
        for path in kept {
            if let Some(file) = self.files.get_mut(&path) {
                file.good.objects.retain(|key, _| !after.objects.contains_key(key));
            }
        }
        difference.changes.extend(before.into_changes(&after));
    }
}

/// What is in doubt with a bad file: what its last good version and the readable part of the new one concern.
fn doubted(good: &Good, scopes: Vec<Scope>) -> Scope {
    let mut namespaces = BTreeSet::new();
    let of_objects = good.objects.keys().map(|(kind, name)| scope_of(*kind, name));
    for scope in of_objects.chain(good.foreign.values().cloned()).chain(scopes) {
        let Some(names) = scope.namespaces() else {
            return Scope::Everything;
        };
        namespaces.extend(names.iter().cloned());
    }
    if namespaces.is_empty() {
        return Scope::Everything;
    }
    Scope::Namespaces(namespaces.into_iter().collect())
}

impl Good {
    fn absorb(&mut self, other: Self) {
        self.objects.extend(other.objects);
        self.foreign.extend(other.foreign);
    }

    fn copy(&mut self, other: &Self) {
        self.objects
            .extend(other.objects.iter().map(|(key, value)| (key.clone(), value.clone())));
        self.foreign
            .extend(other.foreign.iter().map(|(key, value)| (key.clone(), value.clone())));
    }

    /// From this to `after`: removals first, so that an address is free before it is given again.
    fn into_changes(self, after: &Self) -> Vec<Change> {
        let mut changes: Vec<Change> = self
            .objects
            .keys()
            .filter(|key| !after.objects.contains_key(*key))
            .map(|(kind, name)| Change::Remove(*kind, name.clone()))
            .collect();
        changes.extend(
            self.foreign
                .keys()
                .filter(|policy| !after.foreign.contains_key(*policy))
                .map(|policy| Change::ForeignGone { policy: policy.clone() }),
        );
        changes.extend(
            after
                .objects
                .iter()
                .filter(|(key, (object, _))| self.objects.get(*key).is_none_or(|(old, _)| !same(old, object)))
                .map(|(_, (object, _))| Change::Set(object.clone())),
        );
        changes.extend(
            after
                .foreign
                .iter()
                .filter(|(policy, scope)| self.foreign.get(*policy) != Some(scope))
                .map(|(policy, scope)| Change::Foreign {
                    policy: policy.clone(),
                    scope: scope.clone(),
                }),
        );
        changes
    }
}

/// A file that was read again.
#[derive(Debug)]
struct Candidate {
    signature: Option<Signature>,
    hash: u64,
    content: Content,
}

impl Candidate {
    /// `None` if the file is as it was.
    fn read(path: &Path, known: Option<&File>, look_again: bool) -> Option<Self> {
        // Before the text: a change in between is then seen as one.
        let signature = Signature::of(path);
        if let (Ok(signature), Some(known), false) = (&signature, known, look_again)
            && known.signature == Some(*signature)
        {
            return None;
        }
        let file = shown(path);
        let text = signature.and_then(|signature| {
            if signature.size() > MAX_BYTES as u64 {
                return Err(io::Error::other("it is too large for a manifest"));
            }
            Ok((signature, fs::read(path)?))
        });
        match text {
            Ok((signature, text)) => {
                let hash = hash(&text);
                if known.is_some_and(|known| known.hash == hash && known.signature.is_some() && known.bad.is_none()) {
                    return None;
                }
                let format = folder::format(path).unwrap_or(if text.trim_ascii_start().starts_with(b"{") {
                    Format::Json
                } else {
                    Format::Yaml
                });
                Some(Self {
                    signature: Some(signature),
                    hash,
                    content: read(&file, &text, format),
                })
            }
            Err(error) => Some(Self {
                signature: None,
                hash: 0,
                content: Content {
                    problems: vec![Problem::of_file(&file, unreadable(&error))],
                    ..Content::default()
                },
            }),
        }
    }
}
