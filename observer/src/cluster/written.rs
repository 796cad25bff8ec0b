//! One object as it is written in a file, for who changes it there.

use serde_json::Value;

use super::document::{Tree, is_list};
use super::read::{Format, Spot, yaml_options};
use crate::objects::Name;

/// The object of that kind and name in a document of a file. `None` where it is not there any more.
pub(super) fn written(mut text: &[u8], format: Format, spot: Spot, kind: &str, name: &Name) -> Option<Value> {
    let at = usize::try_from(spot.document).ok()?.checked_sub(1)?;
    let document = match format {
        Format::Yaml => serde_saphyr::read_with_options::<_, Tree>(&mut text, yaml_options())
            .nth(at)?
            .ok()?,
        Format::Json => serde_json::Deserializer::from_slice(text)
            .into_iter::<Tree>()
            .nth(at)?
            .ok()?,
    };
    find(document.0, kind, name)
}

/// The object, or that item of a list, or of a list in it.
fn find(value: Value, kind: &str, name: &Name) -> Option<Value> {
    let Value::Object(mut object) = value else { return None };
    if is_list(&object) {
        let Some(Value::Array(items)) = object.remove("items") else {
            return None;
        };
        return items.into_iter().find_map(|item| find(item, kind, name));
    }
    let metadata = object.get("metadata")?;
    let text = |key: &str| metadata.get(key).and_then(Value::as_str);
    let is_it = text("name") == Some(&*name.name)
        && text("namespace").filter(|namespace| !namespace.is_empty()).unwrap_or("default") == &*name.namespace
        // The items of a typed list do not say what they are.
        && object.get("kind").and_then(Value::as_str).is_none_or(|of| of == kind);
    is_it.then_some(Value::Object(object))
}
