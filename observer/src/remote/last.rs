//! The last so many attempts of the past, with everything that was said of them.

use std::collections::VecDeque;

use crate::report::{Record, RecordType};

/// The last so many attempts.
pub(super) struct Last {
    wanted: u64,
    /// How many final records are among them.
    finals: u64,
    pub(super) records: VecDeque<Record>,
}

impl Last {
    pub(super) fn new(wanted: u64) -> Self {
        Self {
            wanted,
            finals: 0,
            records: VecDeque::new(),
        }
    }

    pub(super) fn push(mut self, record: Record) -> Self {
        let counts = |record: &Record| u64::from(record.kind == RecordType::Attempt && record.is_final);
        self.finals += counts(&record);
        self.records.push_back(record);
        while self.finals > self.wanted
            && let Some(first) = self.records.pop_front()
        {
            self.finals -= counts(&first);
        }
        self
    }
}
