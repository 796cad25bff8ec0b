//! Prints what an agent gives, this process's or others: attempts that pass the filter on standard output, everything about the
//! observer itself on standard error, or as status records where the output is JSON.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{self, BufWriter, ErrorKind, IsTerminal, StdoutLock, Write};
use std::num::NonZeroU64;
use std::thread::JoinHandle;

use anyhow::{Context, Result};
use clap::ValueEnum;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tokio::sync::mpsc::Receiver;
use tokio::sync::mpsc::error::TryRecvError;

use crate::agent::{NodeCoverage, Output};
use crate::filter::Filter;
use crate::objects::Str;
use crate::remote::merge::Counts;
use crate::remote::{Lost, Said};
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
    /// What was missing on each node elsewhere, by its last coverage statement: nor is that said again.
    missing_elsewhere: HashMap<Str, HashSet<String>>,
    /// The end is summed up: of agents elsewhere only when they say what they counted.
    sums_up: bool,
}

/// What can be shown.
pub(super) enum Shown {
    /// Of this process's agent.
    Local(Output),
    /// Of agents elsewhere.
    Remote(Said),
}

impl From<Output> for Shown {
    fn from(output: Output) -> Self {
        Self::Local(output)
    }
}

impl From<Said> for Shown {
    fn from(said: Said) -> Self {
        Self::Remote(said)
    }
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
            sums_up: !node.is_empty(),
            node,
            filter,
            left: last.map(NonZeroU64::get),
            summary: Summary::default(),
            covered: HashSet::new(),
            missing_elsewhere: HashMap::new(),
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

    /// Shows outputs in a thread of its own until there are no more, then the summary. It drops the receiver when nothing more is to be
    /// shown.
    ///
    /// # Errors
    ///
    /// There can be no thread. The thread's: standard output cannot be written; a reader that went away is none.
    pub(super) fn spawn<T>(self, outputs: Receiver<T>) -> io::Result<JoinHandle<Result<()>>>
    where
        T: Into<Shown> + Send + 'static,
    {
        let thread = std::thread::Builder::new().name("show".into());
        thread.spawn(move || self.run(outputs))
    }

    fn run<T: Into<Shown>>(mut self, outputs: Receiver<T>) -> Result<()> {
        let mut to = BufWriter::new(io::stdout().lock());
        let shown = match self.show_all(outputs, &mut to) {
            Ok(()) | Err(End::Enough) if !self.sums_up => to.flush(),
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

    fn show_all<T: Into<Shown>>(
        &mut self,
        mut outputs: Receiver<T>,
        to: &mut BufWriter<StdoutLock<'_>>,
    ) -> Result<(), End> {
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
            match output.into() {
                Shown::Local(output) => self.output(output, to)?,
                Shown::Remote(said) => self.said(said, to)?,
            }
        }
    }

    fn said(&mut self, said: Said, to: &mut impl Write) -> Result<(), End> {
        match said {
            Said::Record(record) => return self.record(&record, to),
            Said::Status(status) if status.event() == Event::Coverage && !self.json => {
                self.coverage_elsewhere(&status, to)?;
            }
            Said::Status(status) => self.status(&status, to)?,
            Said::Lost { node, lost } => self.lost(&node, lost, to)?,
            Said::Counts(counts) => {
                self.summary.set_counters(named(counts));
                self.sums_up = true;
            }
        }
        Ok(())
    }

    fn output(&mut self, output: Output, to: &mut impl Write) -> Result<(), End> {
        match output {
            Output::Attempt(diagnosed) => {
                let record = Record::new(&diagnosed.assessment, &diagnosed.diagnosis, &self.node);
                return self.record(&record, to);
            }
            Output::Coverage(coverage) => self.coverage(&coverage, to)?,
            Output::Warning(text) => self.tell(to, Event::Warning, &text, Map::new())?,
            Output::Lost(count) => self.lost(&self.node.clone(), Lost::Events(Some(count)), to)?,
            Output::Shortfall(counters) => self.shortfall(counters, to)?,
            // For metrics and health.
            Output::Figures(_) => {}
            Output::Counters(counters) => self.summary.set_counters(counters),
        }
        Ok(())
    }

    fn record(&mut self, record: &Record, to: &mut impl Write) -> Result<(), End> {
        if !self.filter.matches(record) {
            return Ok(());
        }
        self.summary.add(record);
        let last_word = record.kind == RecordType::Attempt && record.is_final;
        if self.json || last_word {
            to.write_all(self.renderer.record(record).as_bytes())?;
        }
        if last_word && let Some(left) = &mut self.left {
            *left -= 1;
            if *left == 0 {
                return Err(End::Enough);
            }
        }
        Ok(())
    }

    fn lost(&mut self, node: &Str, lost: Lost, to: &mut impl Write) -> io::Result<()> {
        const LESS_SURE: &str = "what is said of attempts at this time is less sure";
        let (count, at, text) = match lost {
            Lost::Events(Some(count)) => (Some(count), "agent", format!("{count} events were lost: {LESS_SURE}")),
            Lost::Events(None) => (None, "agent", format!("some events were lost: {LESS_SURE}")),
            Lost::Messages(count) => {
                let text = format!(
                    "{count} messages were not read in time and are left out: ask for less with a filter, or let the output be read faster"
                );
                (Some(count), "client", text)
            }
        };
        self.summary.add_lost(count);
        let fields = fields(json!({ "count": count, "at": at }));
        self.status(&Status::new(now(), node, Event::Lost, text, fields), to)
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
            return self.tell(to, Event::Coverage, &lines.join("; "), coverage.fields());
        }
        lines
            .iter()
            .filter(|line| !said.contains(*line))
            .try_for_each(|line| self.tell(to, Event::Coverage, line, Map::new()))
    }

    /// For people, who did not ask for this node: only what is missing there and was not said last time.
    fn coverage_elsewhere(&mut self, status: &Status, to: &mut impl Write) -> io::Result<()> {
        let missing: HashSet<String> = status.list("missing").map(str::to_owned).collect();
        let said = self
            .missing_elsewhere
            .insert(status.node().clone(), missing)
            .unwrap_or_default();
        let new = status.list("missing").filter(|line| !said.contains(*line));
        new.into_iter()
            .map(|line| Status::new(now(), status.node(), Event::Coverage, line, Map::new()))
            .try_for_each(|line| self.status(&line, to))
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
        self.status(&Status::new(now(), &self.node, event, text, fields), to)
    }

    /// Says something about an observer, and which if it is another.
    fn status(&self, status: &Status, to: &mut impl Write) -> io::Result<()> {
        if self.json {
            return to.write_all(status.json().as_bytes());
        }
        to.flush()?;
        let level = if status.event() == Event::Warning {
            "warning: "
        } else {
            ""
        };
        let node = if *status.node() == self.node {
            String::new()
        } else {
            format!("{}: ", clean(status.node()))
        };
        anstream::eprintln!("observer: {level}{node}{}", status.text());
        Ok(())
    }
}

fn now() -> Time {
    Time(u64::try_from(Timestamp::now().as_nanosecond()).unwrap_or_default())
}

/// What the merger counted, by name.
fn named(counts: Counts) -> BTreeMap<&'static str, u64> {
    [
        ("records_told_twice", counts.duplicates),
        ("records_joined", counts.joined),
        ("records_out_of_order", counts.late),
        ("records_not_waited_for", counts.hurried),
        ("owners_forgotten", counts.forgotten),
    ]
    .into()
}

/// The fields of a JSON object.
fn fields(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}
