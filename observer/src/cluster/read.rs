//! The text of one file → objects, problems and what was skipped.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::convert::{Read, What, scope_of};
use super::document::Document;
use super::findings::{FieldPath, Finding, Step};
use super::lines::Lines;
use super::problem::{Errors, Problem};
use crate::objects::{ClusterPolicy, NetworkPolicy, Object, Pod, Scope, Source, Str};

/// No file of manifests is larger: what is, is refused before it is read.
pub(super) const MAX_BYTES: usize = 512 << 20;

/// How a file is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Format {
    Yaml,
    Json,
}

/// Where an object is in its file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Spot {
    /// The document, from 1, empty ones not counted.
    pub(super) document: u32,
    /// The item, from 0, where the document is a list. Lists within lists are told by the outer item.
    pub(super) item: Option<usize>,
}

impl Spot {
    fn new(document: u32, path: &FieldPath) -> Self {
        let item = path.0.iter().find_map(|step| match step {
            Step::Index(index) => Some(*index),
            Step::Key(_) => None,
        });
        Self { document, item }
    }
}

/// What a file holds.
#[derive(Debug, Default)]
pub(super) struct Content {
    /// Valid objects, and where each is.
    pub(super) objects: Vec<(Object, Spot)>,
    /// The pods that workloads would make, with the kind that is named where they are not used.
    pub(super) templates: Vec<(Str, Pod, Spot)>,
    /// Policies of kinds that are not evaluated.
    pub(super) foreign: Vec<(Str, Scope)>,
    /// Kinds that are skipped.
    pub(super) unused: BTreeSet<Str>,
    /// Namespaces of objects that are skipped and that an operator may make pods of.
    pub(super) operated: BTreeSet<Str>,
    /// What is refused. If there is any, the file is not used.
    pub(super) problems: Vec<Problem>,
    /// What the user should know.
    pub(super) warnings: Vec<Problem>,
    /// What the file concerns, as far as it can be read.
    pub(super) scopes: Vec<Scope>,
}

/// How YAML is read: as `kubectl` does (YAML 1.1 booleans and octal numbers), within limits: a hostile file of a few
/// kilobytes must not grow to gigabytes by its anchors.
pub(super) fn yaml_options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        with_snippet: false,
        legacy_octal_numbers: true,
        budget: serde_saphyr::budget! {
            max_reader_input_bytes: Some(MAX_BYTES),
            max_events: 200_000_000,
            max_nodes: 100_000_000,
            max_documents: 1_000_000,
            max_total_scalar_bytes: MAX_BYTES,
            max_depth: 64,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 100_000,
        },
    }
}

/// Reads manifests, YAML or JSON, without a file system: what the folder reader does with each file, for tests and fuzzing.
/// Takes any bytes.
///
/// # Errors
/// Everything that is wrong with them.
pub fn read_manifest(text: &[u8]) -> Result<Vec<Object>, Errors> {
    let json = text.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
    let format = if json { Format::Json } else { Format::Yaml };
    let content = read(&"manifest".into(), text, format);
    if content.problems.is_empty() {
        Ok(content.objects.into_iter().map(|(object, _)| object).collect())
    } else {
        Err(Errors(content.problems))
    }
}

/// Reads a file's text.
pub(super) fn read(file: &Str, text: &[u8], format: Format) -> Content {
    let mut gathering = Gathering {
        file,
        text,
        lines: None,
        content: Content::default(),
    };
    if text.len() > MAX_BYTES {
        let problem = Problem::of_file(file, format!("the file is larger than {MAX_BYTES} bytes: split it"));
        gathering.content.problems.push(problem);
        return gathering.content;
    }
    match format {
        Format::Yaml => gathering.yaml(),
        Format::Json => gathering.json(),
    }
    gathering.content.problems.sort();
    gathering.content.warnings.sort();
    gathering.content
}

struct Gathering<'a> {
    file: &'a Str,
    text: &'a [u8],
    /// Read once something is found.
    lines: Option<Lines>,
    content: Content,
}

impl Gathering<'_> {
    fn yaml(&mut self) {
        let mut text = self.text;
        for (document, result) in (1..).zip(serde_saphyr::read_with_options::<_, Document>(
            &mut text,
            yaml_options(),
        )) {
            match result {
                Ok(found) => self.take(document, found),
                Err(error) => {
                    let error = error.without_snippet();
                    let line = error.location().map(|at| at.line());
                    let text = error.to_string();
                    // The reader says the place in its text too.
                    let message = text.split(" at line ").next().unwrap_or(&text);
                    self.unreadable(document, line, "YAML", message);
                }
            }
        }
    }

    fn json(&mut self) {
        let mut documents = serde_json::Deserializer::from_slice(self.text).into_iter::<Document>();
        for document in 1.. {
            match documents.next() {
                None => break,
                Some(Ok(found)) => self.take(document, found),
                Some(Err(error)) => {
                    let line = u64::try_from(error.line()).ok().filter(|line| *line > 0);
                    let text = error.to_string();
                    let message = text.split(" at line ").next().unwrap_or(&text);
                    self.unreadable(document, line, "JSON", message);
                    break;
                }
            }
        }
    }

    fn unreadable(&mut self, document: u32, line: Option<u64>, what: &str, message: &str) {
        let twice = message
            .strip_prefix("duplicate mapping key: ")
            .and_then(|key| key.split_once(", set DuplicateKeyPolicy"))
            .map(|(key, _)| format!("the key {key:?} is there twice: remove one"));
        let message = twice.as_deref().unwrap_or(message);
        self.content.problems.push(Problem {
            document: Some(document),
            line,
            ..Problem::of_file(self.file, format!("this is no valid {what}: {message}"))
        });
    }

    fn take(&mut self, document: u32, found: Document) {
        for read in found.0 {
            self.take_object(document, read);
        }
    }

    fn take_object(&mut self, document: u32, read: Read) {
        let problem = |this: &mut Self, finding: &Finding| {
            let mut path = read.path.clone();
            path.0.extend(finding.path.0.iter().cloned());
            Problem {
                file: this.file.clone(),
                document: Some(document),
                line: this.line(document, &path),
                object: read.label.clone(),
                field: (!path.0.is_empty()).then(|| path.to_string()),
                message: finding.message.clone(),
            }
        };
        for finding in &read.findings.errors {
            let problem = problem(self, finding);
            self.content.problems.push(problem);
        }
        for finding in &read.findings.warnings {
            let problem = problem(self, finding);
            self.content.warnings.push(problem);
        }
        match read.what {
            What::Object(object) => {
                self.content.scopes.push(scope_of(object.kind(), &object.name()));
                let spot = Spot::new(document, &read.path);
                self.content.objects.push((self.placed(object, document), spot));
            }
            What::Refused => self.content.scopes.push(read.scope),
            What::Unused(kind) => {
                self.content.unused.insert(kind);
                if let Scope::Namespaces(of) = read.scope {
                    self.content.operated.extend(of);
                }
            }
            What::Template(kind, pod) => {
                let spot = Spot::new(document, &read.path);
                self.content.templates.push((kind, *pod, spot));
            }
            What::Foreign(policy) => {
                self.content.scopes.push(read.scope.clone());
                self.content.foreign.push((policy, read.scope));
            }
        }
    }

    fn placed(&self, object: Object, document: u32) -> Object {
        let source = Some(Source {
            file: self.file.clone(),
            document,
        });
        match object {
            Object::NetworkPolicy(policy) => {
                let policy = Arc::unwrap_or_clone(policy);
                Object::NetworkPolicy(NetworkPolicy { source, ..policy }.into())
            }
            Object::ClusterPolicy(policy) => {
                let policy = Arc::unwrap_or_clone(policy);
                Object::ClusterPolicy(ClusterPolicy { source, ..policy }.into())
            }
            other => other,
        }
    }

    fn line(&mut self, document: u32, path: &FieldPath) -> Option<u64> {
        let text = self.text;
        self.lines.get_or_insert_with(|| Lines::of(text)).line(document, path)
    }
}
