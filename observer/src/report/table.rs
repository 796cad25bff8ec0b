//! `-o table`: columns of a fixed width, since the rows come one by one. A longer cell pushes the rest of its row.

use anstyle::Style;

use super::names;
use super::paint::{self, Look};
use super::record::Record;

/// Titles and widths; the last column has none.
const COLUMNS: [(&str, usize); 7] = [
    ("TIME", 12),
    ("SOURCE", 34),
    ("DESTINATION", 52),
    ("OUTCOME", 11),
    ("CAUSE", 23),
    ("CONFIDENCE", 11),
    ("WIRE", 0),
];

/// The titles, with a final line end.
pub(super) fn header() -> String {
    let titles = COLUMNS.map(|(title, width)| format!("{title:width$}"));
    format!("{}\n", titles.join("  ").trim_end())
}

/// The row, with a final line end.
pub(super) fn entry(record: &Record, look: &Look) -> String {
    let plain = Style::new();
    let cells = [
        (plain, super::time_of_day(record.time, look)),
        (plain, names::source(record)),
        (plain, names::destination(&record.destination)),
        (paint::outcome(record.outcome), record.outcome.code().into()),
        (
            record.cause.map_or(plain, paint::cause),
            record.cause.map_or("-", |cause| cause.code()).into(),
        ),
        (
            record.confidence.map_or(plain, paint::confidence),
            record.confidence.map_or("-", |confidence| confidence.code()).into(),
        ),
        (plain, record.wire.clone()),
    ];
    let row: Vec<String> = cells
        .into_iter()
        .zip(COLUMNS)
        .map(|((style, text), (_, width))| look.cell(style, &text, width))
        .collect();
    format!("{}\n", row.join("  "))
}
