//! The one place where each code is explained: pages of Markdown, each with the same four parts.
//!
//! ```text
//! pages/*.md: # code, a line, then ## What it means, ## What was seen, ## What else could look like it, ## What to do
//! ```

use std::fmt;

/// The parts that every page has, in order.
pub const PARTS: [&str; 4] = [
    "What it means",
    "What was seen",
    "What else could look like it",
    "What to do",
];

/// What a page explains.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Topic {
    /// A cause.
    Cause,
    /// Why the policies' answer is open.
    Undecidable,
    /// An outcome.
    Outcome,
    /// Who ended an attempt.
    Origin,
    /// How far a SYN got.
    Reach,
    /// How sure a cause is.
    Confidence,
}

impl Topic {
    /// Every topic, in the order of the list.
    pub const ALL: [Self; 6] = [
        Self::Cause,
        Self::Undecidable,
        Self::Outcome,
        Self::Origin,
        Self::Reach,
        Self::Confidence,
    ];

    /// One code of this topic, for the title of a page.
    #[must_use]
    pub fn one(self) -> &'static str {
        match self {
            Self::Cause => "cause",
            Self::Undecidable => "reason for an open answer",
            Self::Outcome => "outcome",
            Self::Origin => "origin",
            Self::Reach => "reach",
            Self::Confidence => "confidence",
        }
    }

    /// The title of this topic's list.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Cause => "Causes: why an attempt ended as it did",
            Self::Undecidable => "Reasons for an open answer of the policies",
            Self::Outcome => "Outcomes: how an attempt ended on the wire",
            Self::Origin => "Origins: who ended it",
            Self::Reach => "Reaches: how far the SYN got",
            Self::Confidence => "Confidences: how sure a cause is",
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Cause => include_str!("pages/causes.md"),
            Self::Undecidable => include_str!("pages/undecidable.md"),
            Self::Outcome => include_str!("pages/outcomes.md"),
            Self::Origin => include_str!("pages/origins.md"),
            Self::Reach => include_str!("pages/reaches.md"),
            Self::Confidence => include_str!("pages/confidences.md"),
        }
    }
}

/// One page.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Page {
    /// What it explains.
    pub topic: Topic,
    /// The code.
    pub code: &'static str,
    /// One line.
    pub summary: &'static str,
    /// The four parts with their titles, as Markdown.
    pub body: &'static str,
}

impl fmt::Display for Page {
    /// As `observer explain` prints it, with a final line end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} ({})\n{}", self.code, self.topic.one(), self.summary)?;
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

/// Every page, by topic.
pub fn all() -> impl Iterator<Item = Page> {
    Topic::ALL.into_iter().flat_map(of)
}

/// The pages of one topic, in the order of the documentation.
pub fn of(topic: Topic) -> impl Iterator<Item = Page> {
    topic
        .text()
        .split("\n# ")
        .filter_map(move |text| page(topic, text.strip_prefix("# ").unwrap_or(text)))
}

/// The pages of a code: more than one where topics share a word (`undecidable`, `unknown`).
#[must_use]
pub fn find(code: &str) -> Vec<Page> {
    all().filter(|page| page.code == code).collect()
}

/// The known code that looks most like `code`, if one is close.
#[must_use]
pub fn nearest(code: &str) -> Option<&'static str> {
    let code = code.to_ascii_lowercase().replace(['_', ' '], "-");
    all()
        .map(|page| (distance(&code, page.code), page.code))
        .min()
        .filter(|&(distance, known)| distance <= known.len() / 3)
        .map(|(_, known)| known)
        .or_else(|| {
            let part = |known: &&str| code.len() > 2 && known.contains(code.as_str());
            all().map(|page| page.code).find(part)
        })
}

fn page(topic: Topic, text: &'static str) -> Option<Page> {
    let (code, rest) = text.split_once('\n')?;
    let (summary, body) = rest.split_once('\n')?;
    Some(Page {
        topic,
        code,
        summary,
        body,
    })
}

/// Edits (insert, delete, replace) from `a` to `b`.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attempt::{Origin, Outcome, Reach};
    use crate::diagnosis::{Cause, Confidence};
    use crate::policy::Undecidable;

    #[test]
    fn every_code_has_its_page_and_every_page_its_code() {
        let expect = |topic: Topic, codes: Vec<&str>| {
            let pages: Vec<&str> = of(topic).map(|page| page.code).collect();
            assert_eq!(pages, codes, "{topic:?}");
        };
        expect(Topic::Cause, Cause::ALL.map(Cause::code).to_vec());
        expect(Topic::Undecidable, Undecidable::CODES.to_vec());
        expect(Topic::Outcome, Outcome::ALL.map(Outcome::code).to_vec());
        expect(Topic::Origin, Origin::ALL.map(Origin::code).to_vec());
        expect(Topic::Reach, Reach::ALL.map(Reach::code).to_vec());
        expect(Topic::Confidence, Confidence::ALL.map(Confidence::code).to_vec());
    }

    #[test]
    fn every_reason_for_an_open_answer_is_listed() {
        let samples = [
            Undecidable::NotSynced,
            Undecidable::NoObjects,
            Undecidable::HostNetwork,
            Undecidable::SourceRewritten,
            Undecidable::NamedPort,
            Undecidable::PeerUnknown,
            Undecidable::NoAddress,
            Undecidable::BackendUnknown,
            Undecidable::NoTarget,
            Undecidable::Changing,
            Undecidable::ObjectsInDoubt { source: "f".into() },
            Undecidable::ForeignPolicy { policy: "p".into() },
            Undecidable::DomainName,
            Undecidable::EqualPriority,
        ];
        // A new variant does not compile here until it is listed.
        let position = |reason: &Undecidable| match reason {
            Undecidable::NotSynced => 0,
            Undecidable::NoObjects => 1,
            Undecidable::HostNetwork => 2,
            Undecidable::SourceRewritten => 3,
            Undecidable::NamedPort => 4,
            Undecidable::PeerUnknown => 5,
            Undecidable::NoAddress => 6,
            Undecidable::BackendUnknown => 7,
            Undecidable::NoTarget => 8,
            Undecidable::Changing => 9,
            Undecidable::ObjectsInDoubt { .. } => 10,
            Undecidable::ForeignPolicy { .. } => 11,
            Undecidable::DomainName => 12,
            Undecidable::EqualPriority => 13,
        };
        assert_eq!(samples.len(), Undecidable::CODES.len());
        for reason in &samples {
            assert_eq!(Undecidable::CODES[position(reason)], reason.code());
        }
    }

    #[test]
    fn every_page_has_a_line_and_all_four_parts() {
        for page in all() {
            assert!(page.summary.ends_with('.'), "{}", page.code);
            let parts: Vec<(&str, &str)> = page
                .body
                .split("\n## ")
                .skip(1)
                .filter_map(|part| part.split_once('\n'))
                .collect();
            let titles: Vec<&str> = parts.iter().map(|(title, _)| *title).collect();
            assert_eq!(titles, PARTS, "{}", page.code);
            for (title, text) in parts {
                assert!(text.trim().ends_with('.'), "{}: {title}", page.code);
            }
        }
    }

    #[test]
    fn shared_words_have_more_than_one_page() {
        let topics = |code| find(code).iter().map(|page| page.topic).collect::<Vec<_>>();
        assert_eq!(topics("undecidable"), [Topic::Cause, Topic::Confidence]);
        assert_eq!(topics("unknown"), [Topic::Origin, Topic::Reach]);
        assert_eq!(topics("no-such-code"), []);
    }

    #[test]
    fn a_slip_finds_what_was_meant() {
        assert_eq!(nearest("policy-egres"), Some("policy-egress"));
        assert_eq!(nearest("Not_Enforced"), Some("not-enforced"));
        assert_eq!(nearest("queue"), Some("accept-queue-full"));
        assert_eq!(nearest("zzzzzzzz"), None);
    }
}
