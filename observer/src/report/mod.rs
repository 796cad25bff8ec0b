//! A diagnosed attempt as lines, a table row, a block or JSON.
//!
//! ```text
//! (Assessment, Diagnosis, node) → Record ── json               one object a line, as `docs/json.md` says
//!                                        └─ compact, table, dict (names, paint)
//! ```
//!
//! Everything said in text is in the record, in the same words. It does not own where text goes, nor whether in colour.

mod build;
mod codes;
mod compact;
mod dict;
mod names;
mod paint;
mod paragraph;
mod record;
mod status;
mod summary;
mod table;

#[cfg(test)]
pub(crate) mod tests;

pub use paint::{Look, clean};
pub use paragraph::paragraph;
pub use record::*;
pub use status::{Event, Status};
pub use summary::Summary;

use crate::time::Time;

/// A form of output.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Format {
    /// Lines for people.
    #[default]
    Compact,
    /// Columns.
    Table,
    /// Everything, a key and a value on each line.
    Dict,
    /// One JSON object a line.
    Json,
}

/// Renders records of one run in one form.
#[derive(Clone, Debug)]
pub struct Renderer {
    format: Format,
    look: Look,
    begun: bool,
}

impl Renderer {
    /// In `format`, looking like `look`.
    #[must_use]
    pub fn new(format: Format, look: Look) -> Self {
        Self {
            format,
            look,
            begun: false,
        }
    }

    /// The record, complete with line ends, and what comes before the first one.
    #[must_use]
    pub fn record(&mut self, record: &Record) -> String {
        let first = !std::mem::replace(&mut self.begun, true);
        let header = match self.format {
            Format::Table if first => table::header(),
            _ => String::new(),
        };
        let entry = match self.format {
            Format::Compact => compact::entry(record, &self.look),
            Format::Table => table::entry(record, &self.look),
            Format::Dict => dict::entry(record, &self.look, first),
            Format::Json => line(record),
        };
        header + &entry
    }
}

/// One JSON object and a line end. What `serde_json` leaves raw and a terminal would obey is escaped too; it can only be
/// within strings, where the escape means the same.
pub(crate) fn line<T: serde::Serialize>(value: &T) -> String {
    // Fails only for maps with keys that are no strings: there are none.
    let mut text = serde_json::to_string(value).unwrap_or_default();
    if text.contains(paint::hostile) {
        text = text
            .chars()
            .map(|character| {
                if paint::hostile(character) {
                    format!("\\u{:04x}", u32::from(character))
                } else {
                    character.to_string()
                }
            })
            .collect();
    }
    text.push('\n');
    text
}

/// Hours to milliseconds, in the zone asked for.
fn time_of_day(time: Time, look: &Look) -> String {
    match jiff::Timestamp::from_nanosecond(i128::from(time.0)) {
        Ok(stamp) => stamp.to_zoned(look.zone.clone()).strftime("%H:%M:%S%.3f").to_string(),
        Err(_) => time.to_string(),
    }
}
