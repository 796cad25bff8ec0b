//! Prints what an agent gives: attempts that pass the filter on standard output, everything about the observer itself on
//! standard error, or as status records where the output is JSON.

use std::collections::{BTreeMap, HashSet};
use std::io::{self, BufWriter, ErrorKind, IsTerminal, StdoutLock, Write};
use std::num::NonZeroU64;

use anyhow::{Context, Result};
use clap::ValueEnum;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tokio::sync::mpsc::Receiver;
use tokio::sync::mpsc::error::TryRecvError;

use crate::agent::{NodeCoverage, Output};
use crate::engine::Diagnosed;
use crate::filter::Filter;
use crate::objects::Str;
use crate::report::{Event, Format, Look, Record, RecordType, Renderer, Status, Summary, clean};
use crate::time::Time;

/// When to colour.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Colour {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Colour {
    fn wanted(self) -> bool {
        match self {
            Self::Auto => io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty()),
            Self::Always => true,
            Self::Never => false,
        }
    }
}

/// Shows one run.
pub(super) struct Shower {
    renderer: Renderer,
    json: bool,
    node: Str,
    filter: Filter,
    /// How many more finals to show.
    left: Option<u64>,
    summary: Summary,
    /// The lines of the last coverage statement: only what is new is said again.
    covered: HashSet<String>,
}

/// Nothing more is to be shown.
enum End {
    /// `--last` attempts were shown.
    Enough,
    /// The output cannot be written.
    Output(io::Error),
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl Shower {
    pub(super) fn new(format: Format, colour: Colour, node: Str, filter: Filter, last: Option<NonZeroU64>) -> Self {
        let look = Look {
            colour: colour.wanted(),
            zone: jiff::tz::TimeZone::system(),
        };
        Self {
            renderer: Renderer::new(format, look),
            json: format == Format::Json,
            node,
            filter,
            left: last.map(NonZeroU64::get),
            summary: Summary::default(),
            covered: HashSet::new(),
        }
    }

    /// Something that the user should know before anything is shown.
    ///
    /// # Errors
    ///
    /// Standard output cannot be written.
    pub(super) fn warn(&self, text: &str) -> io::Result<()> {
        self.tell(&mut io::stdout(), Event::Warning, text, Map::new())
    }

    /// Shows outputs until there are no more, then the summary. Dropping the receiver ends the agent.
    ///
    /// # Errors
    ///
    /// Standard output cannot be written. A reader that went away is none.
    pub(super) fn run(mut self, outputs: Receiver<Output>) -> Result<()> {
        let mut to = BufWriter::new(io::stdout().lock());
        let shown = match self.show_all(outputs, &mut to) {
            Ok(()) | Err(End::Enough) => self.sum_up(&mut to),
            Err(End::Output(error)) => Err(error),
        };
        match shown {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                // What is still in the buffer has no reader.
                let _ = to.into_parts();
                Ok(())
            }
            shown => shown.context("cannot write to standard output"),
        }
    }

    fn show_all(&mut self, mut outputs: Receiver<Output>, to: &mut BufWriter<StdoutLock<'_>>) -> Result<(), End> {
        loop {
            let output = match outputs.try_recv() {
                Ok(output) => output,
                Err(TryRecvError::Disconnected) => return Ok(()),
                Err(TryRecvError::Empty) => {
                    to.flush()?;
                    match outputs.blocking_recv() {
                        Some(output) => output,
                        None => return Ok(()),
                    }
                }
            };
            self.show(output, to)?;
        }
    }

    fn show(&mut self, output: Output, to: &mut impl Write) -> Result<(), End> {
        match output {
            Output::Attempt(diagnosed) => return self.attempt(&diagnosed, to),
            Output::Coverage(coverage) => self.coverage(&coverage, to)?,
            Output::Warning(text) => self.tell(to, Event::Warning, &text, Map::new())?,
            Output::Lost(count) => {
                self.summary.add_lost(count);
                let text = format!("{count} events were lost: what is said of attempts at this time is less sure");
                self.tell(to, Event::Lost, &text, fields(json!({ "count": count })))?;
            }
            Output::Shortfall(counters) => self.shortfall(counters, to)?,
            // For metrics and health.
            Output::Figures(_) => {}
            Output::Counters(counters) => self.summary.set_counters(counters),
        }
        Ok(())
    }

    fn attempt(&mut self, diagnosed: &Diagnosed, to: &mut impl Write) -> Result<(), End> {
        let record = Record::new(&diagnosed.assessment, &diagnosed.diagnosis, &self.node);
        if !self.filter.matches(&record) {
            return Ok(());
        }
        self.summary.add(&record);
        let last_word = record.kind == RecordType::Attempt && record.is_final;
        if self.json || last_word {
            to.write_all(self.renderer.record(&record).as_bytes())?;
        }
        if last_word && let Some(left) = &mut self.left {
            *left -= 1;
            if *left == 0 {
                return Err(End::Enough);
            }
        }
        Ok(())
    }

    fn shortfall(&mut self, counters: BTreeMap<&'static str, u64>, to: &mut impl Write) -> io::Result<()> {
        let whole = fields(json!({ "counters": counters }));
        self.summary.set_counters(counters);
        match self.summary.left_out() {
            Some(left_out) => self.tell(to, Event::Counters, &format!("counted so far: {left_out}"), whole),
            None => Ok(()),
        }
    }

    /// The whole statement as a record; for people only the lines that were not said last time.
    fn coverage(&mut self, coverage: &NodeCoverage, to: &mut impl Write) -> io::Result<()> {
        let mut lines = coverage.lines();
        if self.json || self.covered.is_empty() {
            lines.extend(coverage.interfaces.unproven());
        }
        let said = std::mem::replace(&mut self.covered, lines.iter().cloned().collect());
        if self.json {
            let whole = serde_json::to_value(coverage).map_or_else(|_| Map::new(), fields);
            return self.tell(to, Event::Coverage, &lines.join("; "), whole);
        }
        lines
            .iter()
            .filter(|line| !said.contains(*line))
            .try_for_each(|line| self.tell(to, Event::Coverage, line, Map::new()))
    }

    fn sum_up(&self, to: &mut impl Write) -> io::Result<()> {
        if self.json {
            self.tell(to, Event::Summary, &self.summary.to_string(), self.summary.fields())?;
        } else {
            to.flush()?;
            anstream::eprintln!("\n{}", self.summary);
        }
        to.flush()
    }

    /// Says something about the observer itself.
    fn tell(&self, to: &mut impl Write, event: Event, text: &str, fields: Map<String, Value>) -> io::Result<()> {
        if self.json {
            let now = Timestamp::now().as_nanosecond();
            let time = Time(u64::try_from(now).unwrap_or_default());
            to.write_all(Status::new(time, &self.node, event, text, fields).json().as_bytes())
        } else {
            to.flush()?;
            let level = if event == Event::Warning { "warning: " } else { "" };
            anstream::eprintln!("observer: {level}{}", clean(text));
            Ok(())
        }
    }
}

/// The fields of a JSON object.
fn fields(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}
