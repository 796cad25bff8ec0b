//! Reads Rust source as far as the rules need it: code without comments and literals, and the paths that it names.

/// The code alone: comments, and what is inside of strings and characters, become blanks; line ends stay.
pub(super) fn code(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let length = skipped(rest, code.chars().next_back());
        if length == 0 {
            code.push(next);
            rest = &rest[next.len_utf8()..];
        } else {
            code.extend(rest[..length].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            rest = &rest[length..];
        }
    }
    code
}

/// The length of the comment or literal that `rest` begins with, in bytes.
fn skipped(rest: &str, before: Option<char>) -> usize {
    let in_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return block_comment(rest);
    }
    if rest.starts_with('"') {
        return quoted(rest, '"');
    }
    if !in_word && let Some(length) = raw_string(rest) {
        return length;
    }
    if rest.starts_with('\'') {
        return character(rest);
    }
    0
}

/// Block comments nest.
fn block_comment(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

/// A literal between two of `mark`, in which a backslash escapes.
fn quoted(rest: &str, mark: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == mark => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// `r"…"`, `r#"…"#`, and the same with `b` or `c` before it.
fn raw_string(rest: &str) -> Option<usize> {
    let after = rest.trim_start_matches(['b', 'c']).strip_prefix('r')?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    let body = after[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(
        body.find(&end)
            .map_or(rest.len(), |at| rest.len() - body.len() + at + end.len()),
    )
}

/// A character literal; a lifetime is none.
fn character(rest: &str) -> usize {
    let mut chars = rest.chars().skip(1);
    match (chars.next(), chars.next()) {
        (Some('\\'), _) => quoted(rest, '\''),
        (Some(c), Some('\'')) => 2 + c.len_utf8(),
        _ => 0,
    }
}

/// Every path in code, with `use` trees unfolded: `use std::{fmt, net::TcpStream};` names `std::fmt` and
/// `std::net::TcpStream`. A single word is a path too.
pub(super) fn paths(code: &str) -> Vec<String> {
    let tokens = tokens(code);
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if is_word(tokens[at]) {
            path(&tokens, &mut at, String::new(), &mut found);
        } else {
            at += 1;
        }
    }
    found
}

/// Words, `::`, and single other characters.
fn tokens(code: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = code.trim_start();
    while let Some(c) = rest.chars().next() {
        let word = rest
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        let length = match word {
            0 if rest.starts_with("::") => 2,
            0 => c.len_utf8(),
            _ => word,
        };
        found.push(&rest[..length]);
        rest = rest[length..].trim_start();
    }
    found
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Reads the path that begins at `at`, and leaves `at` behind it.
fn path(tokens: &[&str], at: &mut usize, mut prefix: String, found: &mut Vec<String>) {
    while let Some(&token) = tokens.get(*at) {
        if token == "{" && prefix.ends_with("::") {
            *at += 1;
            while tokens.get(*at).is_some_and(|token| *token != "}") {
                if tokens[*at] == "as" {
                    *at += 2;
                } else if is_word(tokens[*at]) || tokens[*at] == "*" || tokens[*at] == "{" {
                    path(tokens, at, prefix.clone(), found);
                } else {
                    *at += 1;
                }
            }
            *at += 1;
            return;
        }
        if !is_word(token) && token != "*" {
            break;
        }
        prefix.push_str(token);
        *at += 1;
        if tokens.get(*at) != Some(&"::") {
            break;
        }
        prefix.push_str("::");
        *at += 1;
    }
    found.push(prefix.trim_end_matches("::").to_owned());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_not_code() {
        let cases = [
            ("a // unsafe\nb", "a          \nb"),
            ("a /* x /* y */ z */ b", "a                   b"),
            (r#"f("unsafe \" x") g"#, "f(             ) g"),
            ("f(r#\"un\"safe\"#) g", "f(            ) g"),
            (r"f('\'', 'x') g", "f(    ,    ) g"),
            ("fn f<'a>(x: &'a str)", "fn f<'a>(x: &'a str)"),
            ("for_r\"x\"", "for_r   "),
        ];
        for (text, expect) in cases {
            assert_eq!(code(text), expect, "{text:?}");
        }
    }

    #[test]
    fn use_trees_are_unfolded() {
        let cases: &[(&str, &[&str])] = &[
            ("use std::fs;", &["use", "std::fs"]),
            (
                "use std::{fmt, net::{IpAddr, TcpStream as S}};",
                &["use", "std::fmt", "std::net::IpAddr", "std::net::TcpStream"],
            ),
            ("use std::{self, io::*};", &["use", "std::self", "std::io::*"]),
            (
                "let x = std::time::Instant::now();",
                &["let", "x", "std::time::Instant::now"],
            ),
            ("a::<B>::c()", &["a", "B", "c"]),
            ("struct S { a: std::fs::File }", &["struct", "S", "a", "std::fs::File"]),
            ("use std::{", &["use"]),
        ];
        for (code, expect) in cases {
            assert_eq!(paths(code), *expect, "{code:?}");
        }
    }
}
