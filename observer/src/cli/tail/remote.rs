//! Agents elsewhere: what of their past is wanted, and the run.

use std::num::NonZeroU64;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;
use jiff::Timestamp;

use crate::cli::node::{duration, stop_signal};
use crate::cli::show::Shower;
use crate::filter::Filter;
use crate::remote::{Ask, Place, Session};
use crate::time::Time;

/// What of the past is wanted.
#[derive(Debug, Args)]
pub(super) struct Past {
    /// Go on with what happens from now on. Without --since, --until and --last that is what is done anyway.
    #[arg(short, long)]
    follow: bool,

    /// Of agents: attempts from this time on: 5m, 1h30m, or 2026-03-01T12:53:48Z.
    #[arg(long, value_name = "DURATION|TIME", value_parser = when)]
    since: Option<When>,

    /// Of agents: attempts until this time, as for --since.
    #[arg(long, value_name = "DURATION|TIME", value_parser = when, conflicts_with = "follow")]
    until: Option<When>,
}

/// A time as people say it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum When {
    /// So long ago.
    Ago(Duration),
    /// Then.
    At(Time),
}

fn when(text: &str) -> Result<When, String> {
    if let Ok(span) = duration(text) {
        return Ok(When::Ago(span));
    }
    let at = text.parse().map(When::At);
    at.map_err(|_| "write it like 5m, 1h30m or 2026-03-01T12:53:48Z".to_owned())
}

impl Past {
    /// This node remembers nothing.
    pub(super) fn refuse_locally(&self) -> Result<()> {
        if self.since.is_some() || self.until.is_some() {
            bail!(
                "this node is observed in this process, which remembers nothing: --since and --until need agents (--server, or a kubeconfig)"
            );
        }
        Ok(())
    }

    /// What the agents are asked for.
    ///
    /// # Errors
    ///
    /// It begins after its end.
    pub(super) fn ask(&self, last: Option<NonZeroU64>, filter: Filter) -> Result<Ask> {
        let now = Time(u64::try_from(Timestamp::now().as_nanosecond()).unwrap_or_default());
        let at = |when| match when {
            When::Ago(span) => now - span,
            When::At(time) => time,
        };
        let (since, until) = (self.since.map(at), self.until.map(at));
        if let (Some(since), Some(until)) = (since, until)
            && since >= until
        {
            bail!("--since is not before --until: nothing lies between {since} and {until}");
        }
        Ok(Ask {
            filter,
            follow: self.follow || (since.is_none() && until.is_none() && last.is_none()),
            since,
            until,
            last: last.map(NonZeroU64::get),
        })
    }
}

/// Shows what the agents say until Ctrl-C, or until everything was told that was asked for.
pub(super) async fn run(place: Place, ask: Ask, shower: Shower) -> Result<()> {
    let stop = stop_signal()?;
    tokio::pin!(stop);
    let started = tokio::select! {
        started = Session::start(place, ask) => started?,
        // Nothing was shown.
        () = &mut stop => return Ok(()),
    };
    let (session, said) = started;
    let showing = shower.spawn(said)?;
    let told = session.run(stop).await;
    showing
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
    Ok(told?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_span_before_now_or_itself() {
        let at = Some(When::At(Time(1_772_369_628_000_000_000)));
        let cases = [
            ("5m", Some(When::Ago(Duration::from_secs(300)))),
            ("1h30m", Some(When::Ago(Duration::from_secs(5_400)))),
            ("2026-03-01T12:53:48Z", at),
            ("2026-03-01T13:53:48+01:00", at),
            ("-5m", None),
            ("yesterday", None),
        ];
        for (text, expect) in cases {
            assert_eq!(when(text).ok(), expect, "{text}");
        }
    }

    #[test]
    fn what_begins_after_its_end_is_an_error() {
        let asked = |since, until| {
            let span = |seconds| Some(When::Ago(Duration::from_secs(seconds)));
            let past = Past {
                follow: false,
                since: span(since),
                until: span(until),
            };
            past.ask(None, Filter::default())
        };
        assert!(asked(600, 300).is_ok());
        let error = asked(300, 600).expect_err("nothing lies between").to_string();
        assert!(error.starts_with("--since is not before --until"), "{error}");
    }
}
