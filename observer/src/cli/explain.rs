//! `observer explain [CODE]`: what a cause, a lint or another code means.

use std::fmt::Write as _;
use std::io::Write;

use clap::Args;

use crate::diagnosis::pages::{self, Topic};
use crate::policy::lint;

/// The heading of the lints' codes.
const LINTS: &str = "Lints: what `observer lint` finds";

/// The arguments.
#[derive(Args, Debug)]
pub struct Explain {
    /// A code from the output: a cause, an outcome, an origin, a reach, a confidence, the reason for an open answer, or a lint
    code: Option<String>,
}

/// Why nothing can be explained.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No page has this code.
    #[error("nothing is called `{code}`{}; `observer explain` lists everything", suggestion(.nearest))]
    UnknownCode {
        /// What was asked for, without control characters.
        code: String,
        /// What was perhaps meant.
        nearest: Option<&'static str>,
    },
}

fn suggestion(nearest: &Option<&'static str>) -> String {
    nearest
        .map(|code| format!(", did you mean `{code}`?"))
        .unwrap_or_default()
}

impl Explain {
    /// Prints the page, or the list of all.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownCode`], or what writing brings.
    pub fn run(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        let text = match &self.code {
            Some(code) => explain(code)?,
            None => list(),
        };
        out.write_all(text.as_bytes())?;
        out.flush()?;
        Ok(())
    }
}

/// Every page of a code.
fn explain(code: &str) -> Result<String, Error> {
    let of_lints = lint::Code::of(code).and_then(lint::page);
    let pages = pages::find(code).into_iter().map(|page| page.to_string());
    let pages: Vec<String> = pages.chain(of_lints.map(|page| page.to_string())).collect();
    if pages.is_empty() {
        return Err(Error::UnknownCode {
            code: crate::report::clean(code).into_owned(),
            nearest: pages::nearest(code).or_else(|| lint::nearest(code).map(lint::Code::code)),
        });
    }
    Ok(pages.join("\n"))
}

/// Every code with its line, by topic.
fn list() -> String {
    let codes = pages::all()
        .map(|page| page.code)
        .chain(lint::pages().map(|page| page.code));
    let width = codes.map(str::len).max().unwrap_or(0);
    let mut text = String::new();
    for topic in Topic::ALL {
        if !text.is_empty() {
            text.push('\n');
        }
        let _ = writeln!(text, "{}", topic.title());
        for page in pages::of(topic) {
            let _ = writeln!(text, "  {:width$}  {}", page.code, page.summary);
        }
    }
    let _ = writeln!(text, "\n{LINTS}");
    for page in lint::pages() {
        let _ = writeln!(text, "  {:width$}  {}", page.code, page.summary);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_its_parts() {
        let text = explain("policy-egress").expect("a page");
        assert!(text.starts_with("policy-egress (cause)\nA policy of the source denies it.\n"));
        for part in pages::PARTS {
            assert!(text.contains(&format!("\n{part}:\n  ")), "{part}");
        }
    }

    #[test]
    fn a_word_of_two_topics_gets_both_pages() {
        let text = explain("unknown").expect("pages");
        assert!(text.contains("unknown (origin)") && text.contains("unknown (reach)"));
    }

    #[test]
    fn the_list_has_every_code() {
        let text = list();
        let codes = pages::all().map(|page| page.code);
        for code in codes.chain(lint::Code::ALL.map(lint::Code::code)) {
            assert!(text.contains(&format!("\n  {code} ")), "{code}");
        }
    }

    #[test]
    fn a_lint_has_its_page_here_too_and_no_name_of_another() {
        for code in lint::Code::ALL {
            assert!(pages::find(code.code()).is_empty(), "{code}");
            assert_eq!(explain(code.code()).ok(), lint::page(code).map(|page| page.to_string()));
        }
    }

    #[test]
    fn an_unknown_code_is_an_error_with_a_suggestion() {
        let error = |code| explain(code).expect_err("unknown").to_string();
        assert_eq!(
            error("tiemout"),
            "nothing is called `tiemout`, did you mean `timeout`?; `observer explain` lists everything"
        );
        assert_eq!(
            error("shadow"),
            "nothing is called `shadow`, did you mean `shadowed`?; `observer explain` lists everything"
        );
        assert_eq!(
            error("x\u{1b}[2J"),
            "nothing is called `x\\u{1b}[2J`; `observer explain` lists everything"
        );
    }
}
