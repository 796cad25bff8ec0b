//! Points in time as the pure part sees them: arguments, never read from a clock.

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A point in time: nanoseconds since the Unix epoch. The shell converts kernel times (`CLOCK_MONOTONIC`) once, at the
/// border, with an offset fixed per process, so that differences are exact.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub struct Time(pub u64);

impl Time {
    /// Before everything that was observed: what the first load of objects brought is valid from here.
    pub const BEGINNING: Self = Self(0);

    /// How long after `earlier` this is; zero if it is not.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(
            self.0
                .saturating_add(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)),
        )
    }
}

impl Sub<Duration> for Time {
    type Output = Self;

    fn sub(self, span: Duration) -> Self {
        Self(
            self.0
                .saturating_sub(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)),
        )
    }
}

impl fmt::Display for Time {
    /// RFC 3339 in UTC with microseconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_nanosecond(i128::from(self.0)) {
            Ok(time) => write!(f, "{time:.6}"),
            Err(_) => f.write_str("invalid time"),
        }
    }
}

/// What was read is no time of RFC 3339, or lies before 1970.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{0}` is not a time like 2026-03-01T12:53:48.042111Z")]
pub struct NoTime(String);

impl FromStr for Time {
    type Err = NoTime;

    /// As [`Time`] is displayed, or with any other offset and precision of RFC 3339.
    fn from_str(text: &str) -> Result<Self, NoTime> {
        let stamp = jiff::Timestamp::from_str(text).ok();
        let nanoseconds = stamp.and_then(|stamp| u64::try_from(stamp.as_nanosecond()).ok());
        nanoseconds.map(Self).ok_or_else(|| NoTime(text.into()))
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(from)?;
        text.parse().map_err(de::Error::custom)
    }
}
