//! The functions that the chart's templates use, as helm and sprig define them: the piped value is the last argument.

use std::collections::{BTreeMap, HashMap};

use gtmpl_ng::{Context, Func, FuncError, Template, Value};

/// The root's field with the named templates, which `include` needs. Templates have no reason to name it.
pub(super) const HELPERS: &str = "_helpers";

/// All of them by name, beside those of the template language itself.
pub(super) const ALL: &[(&str, Func)] = &[
    ("contains", contains),
    ("default", default),
    ("filesGet", files_get),
    ("include", include),
    ("indent", indent),
    ("join", join),
    ("nindent", nindent),
    ("quote", quote),
    ("replace", replace),
    ("required", required),
    ("toYaml", to_yaml),
    ("trimSuffix", trim_suffix),
    ("trunc", trunc),
];

type Result = std::result::Result<Value, FuncError>;

fn wrong(what: impl Into<String>) -> FuncError {
    FuncError::Generic(what.into())
}

/// Exactly so many arguments.
fn exactly<'a, const N: usize>(name: &str, arguments: &'a [Value]) -> std::result::Result<&'a [Value; N], FuncError> {
    arguments
        .try_into()
        .map_err(|_| FuncError::ExactlyXArgs(name.to_owned(), N))
}

fn text(value: &Value) -> std::result::Result<&str, FuncError> {
    match value {
        Value::String(text) => Ok(text),
        other => Err(wrong(format!("{other} is not a text"))),
    }
}

fn whole(value: &Value) -> std::result::Result<usize, FuncError> {
    value
        .to_string()
        .parse()
        .map_err(|_| wrong(format!("{value} is not a number of characters")))
}

/// What `if` takes for false.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::NoValue | Value::Nil | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Map(map) | Value::Object(map) => map.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Number(number) => number.to_string() == "0",
        Value::Bool(true) | Value::Function(_) => false,
    }
}

/// A map's field.
fn field<'a>(map: &'a Value, name: &str) -> Option<&'a Value> {
    match map {
        Value::Map(fields) | Value::Object(fields) => fields.get(name),
        _ => None,
    }
}

/// `.Files.Get PATH`, as `filesGet ROOT PATH`: a file of the chart. One that is not there is an error; helm would give an empty text.
fn files_get(arguments: &[Value]) -> Result {
    let [root, path] = exactly("Files.Get", arguments)?;
    let file = field(root, "Files").and_then(|files| field(files, text(path).ok()?));
    file.cloned()
        .ok_or_else(|| wrong(format!("the chart has no file {path}")))
}

/// `include NAME ROOT`: a named template as a text.
fn include(arguments: &[Value]) -> Result {
    let [name, root] = exactly("include", arguments)?;
    let Some(Value::Map(helpers)) = field(root, HELPERS) else {
        return Err(wrong("include wants the root context"));
    };
    let rendered = || -> std::result::Result<String, gtmpl_ng::TemplateError> {
        let mut template = Template::with_name("include");
        template.add_funcs(ALL);
        for (helper, text) in helpers {
            template.add_template(helper.as_str(), text.to_string())?;
        }
        template.parse(format!("{{{{ template {:?} . }}}}", name.to_string()))?;
        Ok(template.render(&Context::from(root.clone()))?)
    };
    rendered()
        .map(Value::String)
        .map_err(|error| wrong(format!("include {name}: {error}")))
}

/// `default OTHERWISE VALUE`.
fn default(arguments: &[Value]) -> Result {
    let [otherwise, value] = exactly("default", arguments)?;
    Ok(if is_empty(value) { otherwise } else { value }.clone())
}

/// `required MESSAGE VALUE`.
fn required(arguments: &[Value]) -> Result {
    let [message, value] = exactly("required", arguments)?;
    if is_empty(value) {
        return Err(wrong(message.to_string()));
    }
    Ok(value.clone())
}

/// `contains PART TEXT`.
fn contains(arguments: &[Value]) -> Result {
    let [part, whole] = exactly("contains", arguments)?;
    Ok(Value::Bool(text(whole)?.contains(text(part)?)))
}

/// `trunc LENGTH TEXT`.
fn trunc(arguments: &[Value]) -> Result {
    let [length, value] = exactly("trunc", arguments)?;
    Ok(Value::String(text(value)?.chars().take(whole(length)?).collect()))
}

/// `trimSuffix SUFFIX TEXT`.
fn trim_suffix(arguments: &[Value]) -> Result {
    let [suffix, value] = exactly("trimSuffix", arguments)?;
    let value = text(value)?;
    let trimmed = value.strip_suffix(text(suffix)?).unwrap_or(value);
    Ok(Value::String(trimmed.to_owned()))
}

/// `replace OLD NEW TEXT`.
fn replace(arguments: &[Value]) -> Result {
    let [old, new, value] = exactly("replace", arguments)?;
    Ok(Value::String(text(value)?.replace(text(old)?, text(new)?)))
}

/// `join SEPARATOR LIST`.
fn join(arguments: &[Value]) -> Result {
    let [separator, list] = exactly("join", arguments)?;
    let Value::Array(items) = list else {
        return Err(wrong(format!("{list} is not a list")));
    };
    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
    Ok(Value::String(items.join(text(separator)?)))
}

/// `quote VALUE`: in double quotes, as a YAML parser reads it.
fn quote(arguments: &[Value]) -> Result {
    let [value] = exactly("quote", arguments)?;
    let quoted = serde_json::to_string(&value.to_string()).map_err(|error| wrong(error.to_string()))?;
    Ok(Value::String(quoted))
}

/// `indent SPACES TEXT`.
fn indent(arguments: &[Value]) -> Result {
    let [spaces, value] = exactly("indent", arguments)?;
    let spaces = " ".repeat(whole(spaces)?);
    let lines: Vec<String> = text(value)?.split('\n').map(|line| format!("{spaces}{line}")).collect();
    Ok(Value::String(lines.join("\n")))
}

/// `nindent SPACES TEXT`: the same on a new line.
fn nindent(arguments: &[Value]) -> Result {
    Ok(Value::String(format!("\n{}", indent(arguments)?)))
}

/// `toYaml VALUE`, its keys in order and without a newline at its end.
fn to_yaml(arguments: &[Value]) -> Result {
    let [value] = exactly("toYaml", arguments)?;
    let yaml = serde_saphyr::to_string(&Sorted::from(value)).map_err(|error| wrong(error.to_string()))?;
    Ok(Value::String(yaml.trim_end_matches('\n').to_owned()))
}

/// A value whose maps have an order.
#[derive(serde::Serialize)]
#[serde(untagged)]
enum Sorted<'a> {
    Map(BTreeMap<&'a str, Self>),
    List(Vec<Self>),
    Scalar(&'a Value),
}

impl<'a> From<&'a Value> for Sorted<'a> {
    fn from(value: &'a Value) -> Self {
        let map =
            |map: &'a HashMap<String, Value>| map.iter().map(|(key, value)| (key.as_str(), value.into())).collect();
        match value {
            Value::Map(fields) | Value::Object(fields) => Self::Map(map(fields)),
            Value::Array(items) => Self::List(items.iter().map(Into::into).collect()),
            scalar => Self::Scalar(scalar),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a template says with some values.
    #[track_caller]
    fn check(template: &str, expect: &str) {
        let mut renderer = Template::default();
        renderer.add_funcs(ALL);
        renderer.parse(template).expect("a template");
        let values: Value = serde_json::from_value(serde_json::json!({
            "name": "a-long-name-", "empty": "", "list": ["a", "b"],
            "tree": {"z": 1, "a": {"quoted": "true", "list": [{"x": "y"}]}},
        }))
        .expect("values");
        assert_eq!(
            renderer.render(&Context::from(values)).expect(template),
            expect,
            "{template}"
        );
    }

    #[test]
    fn functions_do_what_helm_says() {
        check(
            r#"{{ default "x" .empty }}{{ default "x" .name }}{{ default "x" .absent }}"#,
            "xa-long-name-x",
        );
        check(r#"{{ .name | trunc 7 | trimSuffix "-" }}"#, "a-long");
        check(r#"{{ .name | trunc 7 | trimSuffix "g-" }}"#, "a-lon");
        check(r#"{{ if contains "long" .name }}yes{{ end }}"#, "yes");
        check(r#"{{ replace "-" "_" .name | quote }}"#, r#""a_long_name_""#);
        check(r#"{{ join "," .list }}"#, "a,b");
        check(
            "{{ toYaml .tree }}",
            "a:\n  list:\n  - x: \"y\"\n  quoted: \"true\"\nz: 1",
        );
        check("k:{{ toYaml .list | nindent 2 }}", "k:\n  - a\n  - b");
    }

    #[test]
    fn what_is_missing_is_an_error() {
        for template in [
            r#"{{ required "say it" .empty }}"#,
            "{{ toYaml }}",
            r#"{{ include "x" . }}"#,
        ] {
            let mut renderer = Template::default();
            renderer.add_funcs(ALL);
            renderer.parse(template).expect("a template");
            let root = Value::from(HashMap::from([("empty".to_owned(), Value::from(""))]));
            assert!(renderer.render(&Context::from(root)).is_err(), "{template}");
        }
        let mut renderer = Template::default();
        renderer.add_funcs(ALL);
        assert!(
            renderer.parse("{{ semverCompare \">1\" .x }}").is_err(),
            "unknown function"
        );
    }
}
