//! Label selectors as people write them: `app=web,tier in (a,b),!legacy`, the form that `kubectl -l` takes.
//!
//! The rule is that of apimachinery's `labels.Parse`, without its numeric comparisons: requirements separated by commas, each
//! `key`, `!key`, `key=value`, `key==value`, `key!=value`, `key in (a,b)` or `key notin (a,b)`.

use super::{Operator, Requirement, Selector};
use crate::objects::Str;

/// What is wrong with a selector.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{what}: a label selector is written as app=web, app!=web, app in (web,api), app notin (web) or !app")]
pub struct BadSelector {
    what: String,
}

fn bad<T>(what: impl Into<String>) -> Result<T, BadSelector> {
    Err(BadSelector { what: what.into() })
}

impl Selector {
    /// Reads a selector. Keys and values are taken as they are: what no label can be matches no label.
    ///
    /// # Errors
    ///
    /// It is empty, or not of that form.
    pub fn parse(text: &str) -> Result<Self, BadSelector> {
        let mut rest = text.trim_start();
        let mut requirements = Vec::new();
        loop {
            let (requirement, after) = requirement(rest)?;
            requirements.push(requirement);
            rest = match after.strip_prefix(',') {
                Some(more) => more.trim_start(),
                None if after.is_empty() => return Ok(Self { requirements }),
                None => return bad(format!("`{after}` is not expected")),
            };
        }
    }
}

/// One requirement, and what comes after it and its spaces.
fn requirement(text: &str) -> Result<(Requirement, &str), BadSelector> {
    if let Some(rest) = text.strip_prefix('!') {
        let (key, rest) = word(rest.trim_start());
        return Ok((new(key, Operator::DoesNotExist)?, rest));
    }
    let (key, rest) = word(text);
    for (sign, negative) in [("!=", true), ("==", false), ("=", false)] {
        if let Some(rest) = rest.strip_prefix(sign) {
            let (value, rest) = word(rest.trim_start());
            let values = vec![value.into()];
            let operator = if negative {
                Operator::NotIn(values)
            } else {
                Operator::In(values)
            };
            return Ok((new(key, operator)?, rest));
        }
    }
    match word(rest) {
        ("in", rest) => {
            let (values, rest) = list(rest)?;
            Ok((new(key, Operator::In(values))?, rest))
        }
        ("notin", rest) => {
            let (values, rest) = list(rest)?;
            Ok((new(key, Operator::NotIn(values))?, rest))
        }
        ("", rest) => Ok((new(key, Operator::Exists)?, rest)),
        (other, _) => bad(format!("`{other}` is no operator")),
    }
}

fn new(key: &str, operator: Operator) -> Result<Requirement, BadSelector> {
    if key.is_empty() {
        return bad("a key is missing");
    }
    Ok(Requirement {
        key: key.into(),
        operator,
    })
}

/// Up to the next sign or space, and what comes after it and its spaces.
fn word(text: &str) -> (&str, &str) {
    let end = text
        .find(|sign: char| sign.is_whitespace() || "=!,()".contains(sign))
        .unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

/// `(a,b)`.
fn list(text: &str) -> Result<(Vec<Str>, &str), BadSelector> {
    let Some((inner, rest)) = text.strip_prefix('(').and_then(|text| text.split_once(')')) else {
        return bad("values stand in parentheses");
    };
    let mut values = Vec::new();
    for value in inner.split(',') {
        match word(value.trim()) {
            (value, "") => values.push(value.into()),
            (_, other) => return bad(format!("`{other}` is not expected")),
        }
    }
    Ok((values, rest.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::Labels;

    #[test]
    fn selectors_select_as_kubectl_does() {
        let labels = Labels::from_iter([("app", "web"), ("app.kubernetes.io/name", "shop"), ("empty", "")]);
        let cases = [
            ("app=web", true),
            ("app==web", true),
            ("app = web", true),
            ("app=api", false),
            ("app!=api", true),
            ("other!=api", true),
            ("app", true),
            ("!app", false),
            ("! other", true),
            ("app in (api, web)", true),
            ("app in (api)", false),
            ("app notin (api,db)", true),
            ("other notin (api)", true),
            ("app.kubernetes.io/name=shop,app", true),
            ("app.kubernetes.io/name=shop , !app", false),
            ("empty=", true),
            ("empty in ()", true),
            ("app=", false),
        ];
        for (text, expect) in cases {
            let selector = Selector::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(selector.matches(&labels), expect, "{text}");
        }
    }

    #[test]
    fn what_is_no_selector_is_refused() {
        for text in [
            "",
            " ",
            "=web",
            "app=web,",
            ",",
            "app in web",
            "app in (web",
            "app near (web)",
            "app=a=b",
            "!",
            "app > 5",
            "app in (a b)",
        ] {
            let error = Selector::parse(text).expect_err(text);
            assert!(
                error.to_string().contains("a label selector is written as"),
                "{text}: {error}"
            );
        }
    }
}
