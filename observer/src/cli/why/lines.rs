//! `--stdin`: a query a line, an answer a line, in order.

use std::borrow::Cow;
use std::io::{BufRead as _, BufReader, BufWriter, Read, Write};

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::time::Time;
use crate::why::{self, AnswerRecord, ErrorRecord, PortRef, Query};
use crate::world::World;

/// No query is longer; what is, is refused and skipped.
const LONGEST: u64 = 1 << 20;

/// Bytes that are read and written at a time.
const BUFFER: usize = 1 << 16;

/// A query as it is written. Other fields are ignored.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    src: Cow<'a, str>,
    #[serde(borrow)]
    dst: Cow<'a, str>,
    #[serde(default)]
    port: Option<Port<'a>>,
    #[serde(default, borrow)]
    protocol: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    at: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a port is a number from 1 to 65535, or a port's name")]
enum Port<'a> {
    Number(u16),
    Name(Cow<'a, str>),
}

/// Answers every line; `false` where one was no good query. Empty lines are skipped.
pub(super) fn answer(world: &World, queries: impl Read, out: &mut dyn Write, now: Time) -> Result<bool> {
    let mut queries = BufReader::with_capacity(BUFFER, queries);
    let mut out = BufWriter::with_capacity(BUFFER, out);
    let mut line = Vec::new();
    let mut all = true;
    loop {
        line.clear();
        let read = queries.by_ref().take(LONGEST).read_until(b'\n', &mut line);
        if read.context("cannot read standard input")? == 0 {
            break;
        }
        let text = if line.len() as u64 == LONGEST && !line.ends_with(b"\n") {
            skip_line(&mut queries).context("cannot read standard input")?;
            all = false;
            ErrorRecord::new(&format!("a query has at most {LONGEST} bytes")).line()
        } else if line.trim_ascii().is_empty() {
            continue;
        } else {
            match ask(world, line.trim_ascii(), now) {
                Ok(answer) => answer.line(),
                Err(error) => {
                    all = false;
                    ErrorRecord::new(&format_args!("{error:#}")).line()
                }
            }
        };
        out.write_all(text.as_bytes())?;
        // Who waits for this answer before asking again shall have it.
        if queries.buffer().is_empty() {
            out.flush()?;
        }
    }
    out.flush()?;
    Ok(all)
}

/// The rest of a line that is too long.
fn skip_line(queries: &mut BufReader<impl Read>) -> std::io::Result<()> {
    loop {
        let buffer = queries.fill_buf()?;
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let skipped = end.map_or(buffer.len(), |end| end + 1);
        queries.consume(skipped);
        if end.is_some() || skipped == 0 {
            return Ok(());
        }
    }
}

fn ask(world: &World, line: &[u8], now: Time) -> Result<AnswerRecord> {
    let query = query(line, now)?;
    Ok(AnswerRecord::new(&why::ask(world, &query)?))
}

fn query(line: &[u8], now: Time) -> Result<Query> {
    let line: Line<'_> = serde_json::from_slice(line).context("this is no query")?;
    let source = why::source(&line.src).context("src")?;
    let (destination, port, protocol) = why::destination(&line.dst).context("dst")?;
    let port = match line.port {
        Some(Port::Number(0)) => Some(why::port("0").context("port")?),
        Some(Port::Number(number)) => Some(PortRef::Number(number)),
        Some(Port::Name(name)) => Some(why::port(&name).context("port")?),
        None => port,
    };
    let protocol = match line.protocol {
        Some(text) => Some(why::protocol(&text).context("protocol")?),
        None => protocol,
    };
    let at = match line.at {
        Some(text) => {
            time(&text).with_context(|| format!("at: `{text}` is no time: write it like 2026-01-31T12:00:00Z"))?
        }
        None => now,
    };
    Ok(Query {
        source,
        destination,
        port,
        protocol,
        at,
    })
}

/// RFC 3339, from 1970 on.
fn time(text: &str) -> Option<Time> {
    let stamp: jiff::Timestamp = text.parse().ok()?;
    u64::try_from(stamp.as_nanosecond()).ok().map(Time)
}
