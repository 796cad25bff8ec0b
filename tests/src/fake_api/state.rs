//! What the server holds: objects, the log of their changes, faults, and who asked for what.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::watch;

use super::kinds::{ALL, BUILT_IN, Resource};
use super::portforward::Target;

/// So many changes of a resource are remembered.
const LOG: usize = 100_000;

/// A way to fail.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// 403, as for a missing right.
    Forbidden,
    /// 401, as for credentials that ran out.
    Unauthorized,
    /// 404, as for a kind that is not served.
    Missing,
    /// 500.
    Broken,
    /// Each page of a list takes so long.
    Slow(Duration),
    /// Watches end as soon as they began.
    Drops,
    /// 410 to watches that go on from a version, as an answer and not as an event.
    Gone,
    /// 422 to lists as streams, as servers without that feature say.
    NoStreams,
    /// Lists as streams begin and never say that they are complete, as servers before 1.27 do.
    EndlessStreams,
    /// The connection is taken, and never answered.
    Hangs,
}

/// A request.
#[derive(Clone, Debug)]
pub struct Asked {
    /// When.
    pub at: Instant,
    /// The resource's name in the path; of the directory the group, or nothing.
    pub plural: String,
    /// The path and the query.
    pub uri: String,
}

/// One change of a resource.
#[derive(Clone, Debug)]
pub(super) struct Logged {
    pub(super) version: u64,
    /// `ADDED`, `MODIFIED`, `DELETED`.
    pub(super) what: &'static str,
    pub(super) object: Value,
}

/// One resource.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    /// By `namespace/name`, or the name.
    pub(super) objects: BTreeMap<String, Value>,
    pub(super) log: VecDeque<Logged>,
    /// Changes up to here are forgotten.
    pub(super) forgotten: u64,
}

/// All of it.
#[derive(Debug)]
pub(super) struct State {
    /// The version of the newest change.
    pub(super) version: u64,
    pub(super) shelves: HashMap<&'static str, Shelf>,
    faults: Vec<(String, Fault)>,
    served: BTreeSet<String>,
    pub(super) asked: Vec<Asked>,
    /// The rest of lists that were begun, by the token that goes on with them.
    pub(super) pages: HashMap<String, (u64, VecDeque<Value>)>,
    /// The version that the last bookmark of a resource named.
    pub(super) bookmarked: HashMap<&'static str, u64>,
    /// Says that something changed: the version, and how often watches were cut.
    pub(super) changed: watch::Sender<(u64, u64)>,
    cuts: u64,
    /// Where the port-forward to a pod leads, by `namespace/name`.
    pub(super) forwards: HashMap<String, Target>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            version: 1,
            shelves: ALL.iter().map(|resource| (resource.plural, Shelf::default())).collect(),
            faults: Vec::new(),
            served: BUILT_IN.iter().map(ToString::to_string).collect(),
            asked: Vec::new(),
            pages: HashMap::new(),
            bookmarked: HashMap::new(),
            changed: watch::Sender::new((1, 0)),
            cuts: 0,
            forwards: HashMap::new(),
        }
    }
}

/// `namespace/name`, or the name.
pub(super) fn key(object: &Value) -> String {
    let text = |field: &str| object["metadata"][field].as_str();
    let name = text("name").unwrap_or_default();
    text("namespace").map_or_else(|| name.to_owned(), |namespace| format!("{namespace}/{name}"))
}

impl State {
    pub(super) fn apply(&mut self, resource: Resource, mut object: Value) -> Value {
        self.version += 1;
        let version = self.version;
        if resource.namespaced && object["metadata"]["namespace"].is_null() {
            object["metadata"]["namespace"] = json!("default");
        }
        let name = key(&object);
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.insert("resourceVersion".into(), json!(version.to_string()));
            metadata
                .entry("uid")
                .or_insert_with(|| json!(format!("{}-{name}", resource.plural)));
        }
        let shelf = self.shelves.entry(resource.plural).or_default();
        let known = shelf.objects.insert(name, object.clone()).is_some();
        shelf.note(version, if known { "MODIFIED" } else { "ADDED" }, object.clone());
        self.tell();
        object
    }

    pub(super) fn delete(&mut self, plural: &str, name: &str) {
        let Some(shelf) = self.shelves.get_mut(plural) else {
            return;
        };
        let Some(mut object) = shelf.objects.remove(name) else {
            return;
        };
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        shelf.note(self.version, "DELETED", object);
        self.tell();
    }

    pub(super) fn objects(&self, plural: &str) -> Vec<Value> {
        let shelf = self.shelves.get(plural);
        shelf
            .map(|shelf| shelf.objects.values().cloned().collect())
            .unwrap_or_default()
    }

    /// Whether a namespace is being deleted.
    pub(super) fn ends(&self, namespace: &str) -> bool {
        let namespace = self.shelves["namespaces"].objects.get(namespace);
        namespace.is_some_and(|namespace| namespace["metadata"]["deletionTimestamp"].is_string())
    }

    pub(super) fn fault(&mut self, plural: &str, fault: Fault) {
        self.faults.push((plural.to_owned(), fault));
    }

    pub(super) fn heal(&mut self, plural: &str) {
        self.faults.retain(|(of, _)| plural != "*" && of != plural);
        // Who hangs looks again.
        self.tell();
    }

    pub(super) fn fails(&self, plural: &str, fault: Fault) -> bool {
        self.faults
            .iter()
            .any(|(of, is)| (of == plural || of == "*") && *is == fault)
    }

    /// How long a page of a list takes.
    pub(super) fn delay(&self, plural: &str) -> Option<Duration> {
        self.faults.iter().find_map(|(of, fault)| match fault {
            Fault::Slow(delay) if of == plural || of == "*" => Some(*delay),
            _ => None,
        })
    }

    pub(super) fn serves(&self, group: &str) -> bool {
        self.served.contains(group)
    }

    pub(super) fn serve_group(&mut self, group: &str, served: bool) {
        if served {
            self.served.insert(group.to_owned());
            return;
        }
        self.served.remove(group);
        for resource in ALL.iter().filter(|resource| resource.group == group) {
            let names: Vec<_> = self.shelves[resource.plural].objects.keys().cloned().collect();
            for name in names {
                self.delete(resource.plural, &name);
            }
        }
        self.cut();
    }

    pub(super) fn cut(&mut self) {
        self.cuts += 1;
        self.tell();
    }

    pub(super) fn forget(&mut self) {
        for shelf in self.shelves.values_mut() {
            shelf.log.clear();
            shelf.forgotten = self.version;
        }
        // As a server's own activity does: a version from before is now an older one.
        self.version += 1;
    }

    fn tell(&self) {
        self.changed.send_replace((self.version, self.cuts));
    }
}

impl Shelf {
    fn note(&mut self, version: u64, what: &'static str, object: Value) {
        self.log.push_back(Logged { version, what, object });
        while self.log.len() > LOG {
            self.forgotten = self.log.pop_front().map_or(self.forgotten, |logged| logged.version);
        }
    }
}
