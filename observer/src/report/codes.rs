//! The words of a record by their codes, in both directions: `#[serde(with = "codes")]`, and `codes::or_null` where there may be none.

use serde::de::{Error, Unexpected};
use serde::{Deserialize, Deserializer, Serializer};

use crate::attempt::{Origin, Outcome, Reach};
use crate::diagnosis::{Cause, Confidence};
use crate::policy::{Decision, Direction};

/// A word of a closed list.
pub(super) trait Coded: Copy + 'static {
    /// Every word there is.
    const ALL: &'static [Self];
    /// What a code of the list is called, for errors.
    const EXPECTED: &'static str;
    /// The stable code.
    fn code(self) -> &'static str;
}

macro_rules! coded {
    ($($type:ty: $all:expr, $expected:literal;)*) => {$(
        impl Coded for $type {
            const ALL: &'static [Self] = &$all;
            const EXPECTED: &'static str = $expected;
            fn code(self) -> &'static str {
                self.code()
            }
        }
    )*};
}

coded! {
    Outcome: Self::ALL, "an outcome that is known here";
    Origin: Self::ALL, "an origin that is known here";
    Reach: Self::ALL, "a reach that is known here";
    Cause: Self::ALL, "a cause that is known here";
    Confidence: Self::ALL, "a confidence that is known here";
    Decision: Self::ALL, "a decision that is known here";
    Direction: Self::ALL, "`egress` or `ingress`";
}

/// The word with this code.
fn word<T: Coded, E: Error>(code: &str) -> Result<T, E> {
    let known = T::ALL.iter().copied().find(|word| word.code() == code);
    known.ok_or_else(|| E::invalid_value(Unexpected::Str(code), &T::EXPECTED))
}

pub(super) fn serialize<T: Coded, S: Serializer>(word: &T, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(word.code())
}

pub(super) fn deserialize<'de, T: Coded, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    word(&std::borrow::Cow::<str>::deserialize(from)?)
}

/// For what may be `null`.
pub(super) mod or_null {
    use super::{Coded, Deserialize, Deserializer, Serializer, word};

    pub(in crate::report) fn serialize<T: Coded, S: Serializer>(value: &Option<T>, to: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(word) => to.serialize_str(word.code()),
            None => to.serialize_none(),
        }
    }

    pub(in crate::report) fn deserialize<'de, T: Coded, D: Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
        let code = Option::<std::borrow::Cow<'de, str>>::deserialize(from)?;
        code.map(|code| word(&code)).transpose()
    }
}
