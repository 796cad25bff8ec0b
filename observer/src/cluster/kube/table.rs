//! What is known of one kind's objects, and what each event of its watch changes.
//!
//! ```text
//! Init, InitApply …, InitDone ─→ the list as a whole, against what is known: what is not in it is gone
//! Apply, Delete ───────────────→ one object
//! ```
//!
//! Pure: events in, changes and messages out.

use std::collections::{HashMap, HashSet};

use kube::runtime::watcher::Event;
use serde_json::Value;

use super::kinds::Followed;
use super::wire::Wire;
use crate::cluster::convert::{self, What};
use crate::cluster::findings::Findings;
use crate::objects::{Change, Kind, Name, Object, Scope, Str};

/// What is told.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) changes: Vec<Change>,
    /// What the user should know, a line each.
    pub(super) messages: Vec<String>,
}

/// An object as far as it can be read. What is rare lies apart: there is one of these for every object of the cluster.
#[derive(Clone, Debug, PartialEq)]
enum Item {
    Object(Object),
    /// A policy that is not evaluated, and where the pods are that it may select.
    Foreign(Box<Scope>),
    /// What is wrong with it, a line each, and what it may concern.
    Refused(Box<(Vec<String>, Scope)>),
}

/// What is known of an object.
#[derive(Debug, Default)]
struct Known {
    /// The last version that could be read.
    good: Option<Item>,
    /// Why the newest one cannot.
    refused: Option<Item>,
}

/// One kind's objects.
#[derive(Debug)]
pub(super) struct Table {
    followed: Followed,
    /// Written by events, deleted by a deletion and by a list that does not hold it.
    known: HashMap<Name, Known>,
    /// The list that is being read: the names in it, and what differs from what is known.
    listing: Option<Listing>,
    listed: bool,
}

#[derive(Debug, Default)]
struct Listing {
    names: HashSet<Name>,
    differs: Vec<(Name, Item)>,
}

impl Table {
    pub(super) fn new(followed: Followed) -> Self {
        Self {
            followed,
            known: HashMap::new(),
            listing: None,
            listed: false,
        }
    }

    /// A full list was read at some time.
    pub(super) fn is_listed(&self) -> bool {
        self.listed
    }

    /// A full list is being read.
    pub(super) fn is_listing(&self) -> bool {
        self.listing.is_some()
    }

    /// How many objects are known, and how many of them cannot be read.
    pub(super) fn count(&self) -> (usize, usize) {
        let refused = self.known.values().filter(|known| known.refused.is_some()).count();
        (self.known.len(), refused)
    }

    /// Takes an event.
    pub(super) fn take(&mut self, event: Event<Wire>) -> Told {
        let mut told = Told::default();
        match event {
            Event::Init => self.listing = Some(Listing::default()),
            Event::InitApply(wire) => {
                let (name, item) = self.read(wire.value, &mut told);
                let differs = self.differs(&name, &item);
                let listing = self.listing.get_or_insert_default();
                if differs {
                    listing.differs.push((name.clone(), item));
                }
                listing.names.insert(name);
            }
            Event::InitDone => self.adopt(&mut told),
            Event::Apply(wire) => {
                let (name, item) = self.read(wire.value, &mut told);
                if self.differs(&name, &item) {
                    self.set(name, item, &mut told);
                }
            }
            Event::Delete(wire) => {
                let (name, _) = convert::read_one(wire.value, &self.followed.api_version(), &self.followed.kind);
                self.remove(&name, &mut told);
            }
        }
        told
    }

    /// Everything that is known, as changes from nothing.
    pub(super) fn all(&self) -> Vec<Change> {
        let entries = self.known.iter();
        entries
            .flat_map(|(name, known)| {
                [&known.good, &known.refused]
                    .into_iter()
                    .flatten()
                    .map(|item| self.change(name, item))
            })
            .collect()
    }

    /// The kind is not served any more: so is no object of it.
    pub(super) fn clear(&mut self) -> Told {
        self.listing = Some(Listing::default());
        let mut told = Told::default();
        self.adopt(&mut told);
        told
    }

    /// Makes the list the truth. Removals come first, so that an address is free before it is given again; so do pods that
    /// ended and still name theirs.
    fn adopt(&mut self, told: &mut Told) {
        let mut listing = self.listing.take().unwrap_or_default();
        let gone = self.known.keys().filter(|name| !listing.names.contains(*name));
        for name in gone.cloned().collect::<Vec<_>>() {
            self.remove(&name, told);
        }
        let over = |item: &Item| matches!(item, Item::Object(Object::Pod(pod)) if pod.phase.is_over());
        listing.differs.sort_by_key(|(_, item)| !over(item));
        for (name, item) in listing.differs {
            self.set(name, item, told);
        }
        self.listed = true;
    }

    fn differs(&self, name: &Name, item: &Item) -> bool {
        match (self.known.get(name), item) {
            (None, _) => true,
            (Some(known), Item::Refused(_)) => known.refused.as_ref() != Some(item),
            (Some(known), _) => known.refused.is_some() || known.good.as_ref() != Some(item),
        }
    }

    fn set(&mut self, name: Name, item: Item, told: &mut Told) {
        if let Item::Refused(refused) = &item {
            told.messages.extend(refused.0.iter().cloned());
        }
        told.changes.push(self.change(&name, &item));
        let source = self.source(&name);
        let known = self.known.entry(name).or_default();
        if matches!(item, Item::Refused(_)) {
            known.refused = Some(item);
            return;
        }
        known.good = Some(item);
        if known.refused.take().is_some() {
            told.messages.push(format!("{source}: it can be read again"));
            told.changes.push(Change::Clear { source });
        }
    }

    fn remove(&mut self, name: &Name, told: &mut Told) {
        let Some(known) = self.known.remove(name) else {
            return;
        };
        told.changes.extend(known.good.map(|good| match good {
            Item::Object(object) => Change::Remove(object.kind(), object.name()),
            Item::Foreign(_) | Item::Refused(_) => Change::ForeignGone {
                policy: self.source(name),
            },
        }));
        if known.refused.is_some() {
            told.changes.push(Change::Clear {
                source: self.source(name),
            });
        }
    }

    fn change(&self, name: &Name, item: &Item) -> Change {
        match item {
            Item::Object(object) => Change::Set(object.clone()),
            Item::Foreign(scope) => Change::Foreign {
                policy: self.source(name),
                scope: (**scope).clone(),
            },
            Item::Refused(refused) => Change::Doubt {
                source: self.source(name),
                scope: refused.1.clone(),
            },
        }
    }

    /// How an object is called in what is told of it.
    fn source(&self, name: &Name) -> Str {
        let kind = convert::called(&self.followed.api_version(), &self.followed.kind);
        format!("{kind} {name}").into()
    }

    fn read(&self, value: Value, told: &mut Told) -> (Name, Item) {
        let (name, read) = convert::read_one(value, &self.followed.api_version(), &self.followed.kind);
        let item = match (read.what, self.followed.role) {
            (What::Object(object), Some(_)) => {
                let is_policy = matches!(object, Object::NetworkPolicy(_) | Object::ClusterPolicy(_));
                for warning in &read.findings.warnings {
                    // Of other kinds a newer server has many fields that are of no use here.
                    if is_policy {
                        let text = format!("{}: {}: {}", self.source(&name), warning.path, warning.message);
                        told.messages.push(text);
                    }
                }
                Item::Object(object)
            }
            (What::Foreign(_), None) => Item::Foreign(read.scope.into()),
            _ => self.refused(&name, read.findings, read.scope),
        };
        (name, item)
    }

    fn refused(&self, name: &Name, findings: Findings, scope: Scope) -> Item {
        let source = self.source(name);
        let mut problems: Vec<_> = findings
            .errors
            .iter()
            .map(|error| format!("{source}: {}: {}", error.path, error.message))
            .collect();
        if problems.is_empty() {
            problems.push(format!("{source}: it is of another kind than was asked for"));
        }
        problems.push(format!(
            "{source}: it is skipped, and attempts that it may concern are undecidable (objects-in-doubt)"
        ));
        let scope = match self.followed.role {
            Some(Kind::Pod) => Scope::Addresses(vec![name.namespace.clone()]),
            Some(Kind::Service | Kind::EndpointSlice | Kind::Node) => Scope::Addresses(vec![]),
            _ => scope,
        };
        Item::Refused(Box::new((problems, scope)))
    }
}
