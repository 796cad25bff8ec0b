//! What reaches a terminal: colours where they are wanted, and never a raw control character.

use std::borrow::Cow;
use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use crate::attempt::Outcome;
use crate::diagnosis::{Cause, Confidence};

/// How text is to look.
#[derive(Clone, Debug)]
pub struct Look {
    /// Colours are wanted.
    pub colour: bool,
    /// The time zone of times of day.
    pub zone: jiff::tz::TimeZone,
}

/// `text` with control characters, and those that turn the direction of writing, as escapes.
#[must_use]
pub fn clean(text: &str) -> Cow<'_, str> {
    if !text.contains(hostile) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if hostile(character) {
            let _ = write!(safe, "{}", character.escape_unicode());
        } else {
            safe.push(character);
        }
    }
    Cow::Owned(safe)
}

/// Characters that a terminal may obey. All are below U+10000.
pub(super) fn hostile(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

impl Look {
    /// `text`, cleaned, in `style` where colours are wanted.
    pub(super) fn paint(&self, style: Style, text: &str) -> String {
        let text = clean(text);
        if self.colour && style != Style::new() {
            format!("{style}{text}{style:#}")
        } else {
            text.into_owned()
        }
    }

    /// [`Self::paint`], then spaces up to `width` characters. Colours take no width.
    pub(super) fn cell(&self, style: Style, text: &str, width: usize) -> String {
        let text = clean(text);
        let spaces = width.saturating_sub(text.chars().count());
        format!("{}{:spaces$}", self.paint(style, &text), "")
    }
}

/// Green for what works, red for what does not, yellow for what lies in between.
pub(super) fn outcome(outcome: Outcome) -> Style {
    let colour = match outcome {
        Outcome::Connected => AnsiColor::Green,
        Outcome::Aborted | Outcome::HalfOpen => AnsiColor::Yellow,
        Outcome::Refused | Outcome::Rejected | Outcome::Unreachable | Outcome::Timeout => AnsiColor::Red,
    };
    colour.on_default()
}

/// Bold, and magenta where the cluster does not do what its policies say.
pub(super) fn cause(cause: Cause) -> Style {
    match cause {
        Cause::NotEnforced => AnsiColor::Magenta.on_default().bold(),
        Cause::Undecidable => AnsiColor::Yellow.on_default(),
        _ => Style::new().bold(),
    }
}

/// Dim where little is known.
pub(super) fn confidence(confidence: Confidence) -> Style {
    match confidence {
        Confidence::Confirmed | Confidence::Probable => Style::new(),
        Confidence::Possible | Confidence::Undecidable => Style::new().dimmed(),
    }
}
