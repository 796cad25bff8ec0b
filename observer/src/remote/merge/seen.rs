//! What a node told already: when a stream is taken up again it repeats a little.

use std::collections::HashMap;
use std::time::Duration;

use crate::objects::Str;
use crate::recent::Recent;
use crate::report::{Record, RecordType};
use crate::time::Time;

/// So many of each node are remembered: what it tells in half a second, were it 8,000 attempts a second.
const CAPACITY: usize = 4_096;

/// The latest records, by node. An attempt may have several provisional records: each was decided at another time.
#[derive(Default)]
pub(super) struct Seen(HashMap<Str, Recent<Telling, ()>>);

/// Tells one record of a node from its others.
#[derive(Clone, Eq, Hash, PartialEq)]
struct Telling {
    id: String,
    decided: Time,
    is_final: bool,
    is_revision: bool,
}

impl Seen {
    /// Whether the node told this for the first time; it is remembered.
    pub(super) fn is_new(&mut self, node: &Str, record: &Record) -> bool {
        let seen = self.0.entry(node.clone()).or_insert_with(|| Recent::new(CAPACITY));
        let key = Telling {
            id: record.id.clone(),
            decided: record.decided,
            is_final: record.is_final,
            is_revision: record.kind == RecordType::Revision,
        };
        let new = seen.get(&key).is_none();
        if new {
            seen.touch(key, record.decided, Duration::MAX);
        }
        new
    }
}

impl std::fmt::Debug for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
