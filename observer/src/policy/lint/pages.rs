//! The page of each code: Markdown, each with the same three parts.
//!
//! ```text
//! pages.md: # code, a line, then ## What it means, ## Example, ## What to do
//! ```

use std::fmt;

use super::Code;

/// The parts that every page has, in order.
pub const PARTS: [&str; 3] = ["What it means", "Example", "What to do"];

const TEXT: &str = include_str!("pages.md");

/// One page.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Page {
    /// What it explains.
    pub code: &'static str,
    /// One line.
    pub summary: &'static str,
    /// The parts with their titles, as Markdown.
    pub body: &'static str,
}

impl fmt::Display for Page {
    /// As it is printed, with a final line end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} (lint)\n{}", self.code, self.summary)?;
        for line in self.body.lines() {
            match line.strip_prefix("## ") {
                Some(title) => writeln!(f, "{title}:")?,
                None if line.is_empty() => writeln!(f)?,
                None => writeln!(f, "  {line}")?,
            }
        }
        Ok(())
    }
}

/// Every page, in the order of [`Code::ALL`].
pub fn pages() -> impl Iterator<Item = Page> {
    TEXT.split("\n# ")
        .filter_map(|text| split(text.strip_prefix("# ").unwrap_or(text)))
}

/// The page of a code.
#[must_use]
pub fn page(code: Code) -> Option<Page> {
    pages().find(|page| page.code == code.code())
}

/// The code that looks most like `text`, if one is close.
#[must_use]
pub fn nearest(text: &str) -> Option<Code> {
    let text = text.to_ascii_lowercase().replace(['_', ' '], "-");
    Code::ALL
        .into_iter()
        .map(|code| (strsim::osa_distance(&text, code.code()), code))
        .min()
        .filter(|(distance, code)| *distance <= code.code().len() / 3)
        .map(|(_, code)| code)
}

fn split(text: &'static str) -> Option<Page> {
    let (code, rest) = text.split_once('\n')?;
    let (summary, body) = rest.split_once('\n')?;
    Some(Page { code, summary, body })
}
