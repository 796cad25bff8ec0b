//! `observer lint PATH…`: what is probably not meant in NetworkPolicies, of manifests or of a cluster.
//!
//! ```text
//! paths → Snapshot → Objects → policy::lint → chosen codes → places → compact, JSON or SARIF
//! ```

mod sarif;
#[cfg(test)]
mod tests;

use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::objects::ObjectFlags;
use crate::cluster::{Place, Snapshot};
use crate::policy::lint::{self, Code, Finding, Objects, Severity};
use crate::report::clean;

/// Exit status where something was found that fails the check.
const FOUND: u8 = 1;

/// The number of the JSON's shape.
const SCHEMA: u32 = 1;

/// The arguments of `observer lint`.
#[derive(Args, Debug)]
pub struct Lint {
    /// Manifests: files or folders, instead of a cluster
    #[arg(value_name = "PATH", conflicts_with_all = ["kubeconfig", "context"])]
    paths: Vec<PathBuf>,

    #[command(flatten)]
    objects: ObjectFlags,

    /// How to print findings
    #[arg(short, long, value_name = "FORMAT", default_value = "compact")]
    output: Format,

    /// The least severity that makes the exit status 1
    #[arg(long, value_name = "SEVERITY", default_value = "warning")]
    fail_on: FailOn,

    /// Leave out findings of this code (repeatable)
    #[arg(long, value_name = "CODE", value_parser = code)]
    allow: Vec<Code>,

    /// Look for this code only (repeatable)
    #[arg(long, value_name = "CODE", value_parser = code)]
    only: Vec<Code>,

    /// Explain a code; `all` lists them
    #[arg(long, value_name = "CODE", conflicts_with_all = ["paths", "manifests"])]
    explain: Option<String>,
}

/// How findings are printed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Format {
    /// Place, severity, code and message; what to do below
    Compact,
    /// One JSON object a line
    Json,
    /// SARIF 2.1.0, which code hosts and editors read
    Sarif,
}

/// The values of `--fail-on`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum FailOn {
    /// What cannot work as it is written
    Error,
    /// What is probably not meant
    Warning,
    /// Anything
    Note,
}

impl FailOn {
    fn severity(self) -> Severity {
        match self {
            Self::Error => Severity::Error,
            Self::Warning => Severity::Warning,
            Self::Note => Severity::Note,
        }
    }
}

/// A finding and where it is.
#[derive(Debug)]
struct Placed {
    finding: Finding,
    place: Option<Place>,
}

impl Lint {
    /// Prints what is found: findings to `out`, warnings about the manifests to `err`.
    ///
    /// # Errors
    ///
    /// Invalid manifests, all of them; an unknown code; what writing brings.
    pub fn run(&self, out: &mut dyn Write, err: &mut dyn Write) -> Result<ExitCode> {
        if let Some(code) = &self.explain {
            out.write_all(explain(code)?.as_bytes())?;
            out.flush()?;
            return Ok(ExitCode::SUCCESS);
        }
        let snapshot = self.objects.read(&self.paths)?;
        for warning in &snapshot.warnings {
            writeln!(err, "observer: {}", clean(warning))?;
        }
        if !snapshot.has_policies() {
            bail!("nothing was checked: without the right to list NetworkPolicies there is nothing to say of them");
        }
        let findings = self.find(&snapshot);
        let text = match self.output {
            Format::Compact => compact(&findings),
            Format::Json => findings.iter().map(|found| format!("{}\n", record(found))).collect(),
            Format::Sarif => format!("{:#}\n", sarif::log(&findings)),
        };
        // A reader that has seen enough changes nothing of what was found.
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => return Err(error.into()),
            _ => {}
        }
        let fails = self.fail_on.severity();
        let failed = findings.iter().any(|found| found.finding.severity >= fails);
        Ok(if failed {
            ExitCode::from(FOUND)
        } else {
            ExitCode::SUCCESS
        })
    }

    /// The findings that are wanted, by place.
    fn find(&self, snapshot: &Snapshot) -> Vec<Placed> {
        let objects = Objects {
            operated: snapshot.operated.clone(),
            ..Objects::new(&snapshot.changes, &snapshot.templates)
        };
        let wanted = |code| !self.allow.contains(&code) && (self.only.is_empty() || self.only.contains(&code));
        let mut findings: Vec<Placed> = lint::lint(&objects)
            .into_iter()
            .filter(|finding| wanted(finding.code))
            .map(|finding| Placed {
                place: snapshot.place(&finding.kind, &finding.name, &finding.field),
                finding,
            })
            .collect();
        findings.sort_by(|a, b| (&a.place, &a.finding).cmp(&(&b.place, &b.finding)));
        findings
    }
}

fn code(text: &str) -> Result<Code, String> {
    Code::of(text).ok_or_else(|| unknown(text))
}

fn unknown(text: &str) -> String {
    let near = lint::nearest(text).map(|code| format!(", did you mean `{code}`?"));
    format!(
        "no lint is called `{}`{}; `observer lint --explain all` lists them",
        clean(text),
        near.unwrap_or_default()
    )
}

/// The page of a code, or the list of all.
fn explain(text: &str) -> Result<String> {
    if text == "all" {
        let width = Code::ALL.map(|code| code.code().len()).into_iter().max().unwrap_or(0);
        let lines = lint::pages().map(|page| format!("{:width$}  {}\n", page.code, page.summary));
        return Ok(lines.collect());
    }
    match Code::of(text).and_then(lint::page) {
        Some(page) => Ok(page.to_string()),
        None => bail!(unknown(text)),
    }
}

/// `file:line: severity code: Kind namespace/name field`, message and help below; a count at the end.
fn compact(findings: &[Placed]) -> String {
    let mut text = String::new();
    for Placed { finding, place } in findings {
        let place = match place {
            Some(Place {
                file, line: Some(line), ..
            }) => format!("{file}:{line}: "),
            Some(Place {
                file,
                document,
                line: None,
            }) => format!("{file}, document {document}: "),
            None => String::new(),
        };
        let Finding {
            kind,
            name,
            field,
            code,
            severity,
            message,
            help,
        } = finding;
        let head = format!("{place}{} {code}: {kind} {name} {field}", severity.word());
        text.push_str(&format!(
            "{}\n  {}.\n  To do: {}.\n",
            clean(&head),
            clean(message),
            clean(help)
        ));
    }
    let count = |severity: Severity| {
        let found = findings
            .iter()
            .filter(|found| found.finding.severity == severity)
            .count();
        format!("{found} {}{}", severity.word(), if found == 1 { "" } else { "s" })
    };
    let counts = [Severity::Error, Severity::Warning, Severity::Note].map(count);
    text.push_str(&format!("{}\n", counts.join(", ")));
    text
}

fn record(Placed { finding, place }: &Placed) -> Value {
    json!({
        "schema": SCHEMA,
        "type": "finding",
        "code": finding.code.code(),
        "severity": finding.severity.word(),
        "object": { "kind": &*finding.kind, "namespace": &*finding.name.namespace, "name": &*finding.name.name },
        "field": finding.field,
        "file": place.as_ref().map(|place| &*place.file),
        "document": place.as_ref().map(|place| place.document),
        "line": place.as_ref().and_then(|place| place.line),
        "message": finding.message,
        "help": finding.help,
    })
}
