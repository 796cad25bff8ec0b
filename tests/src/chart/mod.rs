//! Renders the Helm chart without helm, for the plain manifests and the tests.
//!
//! It owns the part of helm that this chart uses: values over defaults, Go templates, a dozen functions. It does not own what is rendered:
//! that is `deploy/chart`. A function that is not here is an error, so the chart stays within it.
//!
//! ```text
//! deploy/chart/{Chart,values}.yaml, templates/, files/ ─┐
//! values of the caller, release ────────────────────────┴→ Chart::render → objects, in the order in which they are applied
//! ```

mod functions;
mod generated;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fmt, fs};

use anyhow::{Context as _, Result, anyhow, bail};
use gtmpl_ng::{Context, Template, Value};
use serde_json::{Value as Json, json};

pub use generated::{File, generated};

/// Kinds in the order in which helm installs them; what is not named comes last.
const ORDER: &[&str] = &[
    "Namespace",
    "ServiceAccount",
    "ConfigMap",
    "ClusterRole",
    "ClusterRoleBinding",
    "Service",
    "DaemonSet",
];

/// A chart, as it lies in its folder.
#[derive(Debug)]
pub struct Chart {
    /// `Chart.yaml`.
    pub metadata: Json,
    /// `values.yaml`.
    pub values: Json,
    /// Each template by its file's name.
    templates: BTreeMap<String, String>,
    /// What templates may read as `.Files`, by path within the chart.
    files: BTreeMap<String, String>,
}

/// Whose objects are rendered.
#[derive(Clone, Copy, Debug)]
pub struct Release<'a> {
    /// Name of the release.
    pub name: &'a str,
    /// Where it is installed.
    pub namespace: &'a str,
    /// Who installs it, as the label `app.kubernetes.io/managed-by` says; helm says `Helm`.
    pub service: &'a str,
}

/// A rendered object.
#[derive(Clone, Debug)]
pub struct Object {
    /// Which template made it.
    pub template: String,
    /// Its text, with the template's comments.
    pub text: String,
    /// What it says.
    pub json: Json,
}

impl fmt::Display for Object {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "---\n# Source: {}\n{}\n", self.template, self.text)
    }
}

/// Where this project's chart is.
#[must_use]
pub fn folder() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(1);
    workspace
        .expect("the package lies in the workspace")
        .join("deploy/chart")
}

impl Chart {
    /// Reads a chart's folder.
    ///
    /// # Errors
    ///
    /// If a file cannot be read, or is not YAML where it has to be.
    pub fn read(folder: &Path) -> Result<Self> {
        let yaml = |name: &str| -> Result<Json> {
            let path = folder.join(name);
            let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            parse(&text).with_context(|| format!("{} is not YAML", path.display()))
        };
        Ok(Self {
            metadata: yaml("Chart.yaml")?,
            values: yaml("values.yaml")?,
            templates: texts(folder, "templates")?
                .into_iter()
                .map(|(path, text)| (path.trim_start_matches("templates/").to_owned(), text))
                .collect(),
            files: texts(folder, "files")?,
        })
    }

    /// The objects of a release, in the order in which they are applied.
    ///
    /// # Errors
    ///
    /// If a template is wrong or refuses the values, or does not give YAML.
    pub fn render(&self, release: Release<'_>, values: &Json) -> Result<Vec<Object>> {
        let root = self.root(release, values)?;
        let mut objects = Vec::new();
        for (name, text) in self.templates.iter().filter(|(name, _)| name.ends_with(".yaml")) {
            let text = self.template(name, text, &root)?;
            let text = text.trim();
            if text.is_empty() {
                continue;
            }
            let json = parse(text).with_context(|| format!("{name} does not give YAML:\n{text}"))?;
            objects.push(Object {
                template: format!("observer/templates/{name}"),
                text: text.to_owned(),
                json,
            });
        }
        objects.sort_by_key(|object| {
            let kind = object.json["kind"].as_str().unwrap_or_default();
            ORDER.iter().position(|known| *known == kind).unwrap_or(ORDER.len())
        });
        Ok(objects)
    }

    /// What helm prints after an installation.
    ///
    /// # Errors
    ///
    /// As [`Self::render`].
    pub fn notes(&self, release: Release<'_>, values: &Json) -> Result<String> {
        let text = self.templates.get("NOTES.txt").context("the chart has no NOTES.txt")?;
        self.template("NOTES.txt", text, &self.root(release, values)?)
    }

    fn template(&self, name: &str, text: &str, root: &Value) -> Result<String> {
        let wrong = |error: &dyn fmt::Display| anyhow!("template {name}: {error}");
        let mut template = Template::with_name(name);
        template.add_funcs(functions::ALL);
        for (helper, text) in self.helpers() {
            template
                .add_template(helper.as_str(), text.as_str())
                .map_err(|error| wrong(&error))?;
        }
        // The engine has no methods with arguments.
        let text = text.replace(".Files.Get ", "filesGet $ ");
        template.parse(text).map_err(|error| wrong(&error))?;
        template
            .render(&Context::from(root.clone()))
            .map_err(|error| wrong(&error))
    }

    /// The files of named templates.
    fn helpers(&self) -> impl Iterator<Item = (&String, &String)> {
        self.templates.iter().filter(|(name, _)| name.ends_with(".tpl"))
    }

    /// What the dot is at a template's top.
    fn root(&self, release: Release<'_>, values: &Json) -> Result<Value> {
        let mut all = self.values.clone();
        merge(&mut all, values, "")?;
        let metadata = |key: &str| self.metadata[key].clone();
        let root = serde_json::from_value(json!({
            "Values": all,
            "Chart": {"Name": metadata("name"), "Version": metadata("version"), "AppVersion": metadata("appVersion")},
            "Release": {"Name": release.name, "Namespace": release.namespace, "Service": release.service},
            "Files": self.files,
            functions::HELPERS: self.helpers().collect::<BTreeMap<_, _>>(),
        }))?;
        Ok(root)
    }
}

/// Reads one YAML document.
///
/// # Errors
///
/// What the parser says.
pub fn parse(text: &str) -> Result<Json> {
    Ok(serde_saphyr::from_str(text)?)
}

/// Every file of a folder within the chart, by path from the chart.
fn texts(chart: &Path, folder: &str) -> Result<BTreeMap<String, String>> {
    let path = chart.join(folder);
    let entries = fs::read_dir(&path).with_context(|| format!("cannot read {}", path.display()))?;
    entries
        .map(|entry| {
            let entry = entry?;
            let name = format!("{folder}/{}", entry.file_name().to_string_lossy());
            let text = fs::read_to_string(entry.path()).with_context(|| format!("cannot read {name}"))?;
            Ok((name, text))
        })
        .collect()
}

/// Lays values over defaults as helm does: maps are merged, everything else is replaced, null removes. A name that the chart does not have
/// at its top is an error.
fn merge(into: &mut Json, from: &Json, at: &str) -> Result<()> {
    match (into, from) {
        (Json::Object(into), Json::Object(from)) => {
            for (key, value) in from {
                if at.is_empty() && !into.contains_key(key) {
                    bail!("the chart has no value {key}");
                }
                if value.is_null() {
                    into.remove(key);
                } else {
                    merge(into.entry(key).or_insert(Json::Null), value, key)?;
                }
            }
        }
        (into, from) => *into = from.clone(),
    }
    Ok(())
}

#[cfg(test)]
mod tests;
