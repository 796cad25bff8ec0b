//! Where in a file a field is. Only asked once something is wrong: the file is then read a second time, with places.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

use super::findings::{FieldPath, Step};
use super::read::yaml_options;

/// The lines of the values in the documents of a file, as [`super::read`] counts them.
#[derive(Debug)]
pub(super) struct Lines(Vec<Option<Spanned<Places>>>);

impl Lines {
    /// Reads the places in `text`, YAML or JSON that is also YAML. What cannot be read has none.
    pub(super) fn of(mut text: &[u8]) -> Self {
        Self(
            serde_saphyr::read_with_options(&mut text, yaml_options())
                .map(Result::ok)
                .collect(),
        )
    }

    /// The line of the value at `path` in a document (from 1), or of the nearest thing around it.
    pub(super) fn line(&self, document: u32, path: &FieldPath) -> Option<u64> {
        let at = usize::try_from(document).ok()?.checked_sub(1)?;
        let mut place = self.0.get(at)?.as_ref()?;
        for step in &path.0 {
            let next = match (&place.value, step) {
                (Places::Map(map), Step::Key(key)) => map.iter().find(|(name, _)| name == key).map(|(_, place)| place),
                (Places::List(list), Step::Index(index)) => list.get(*index),
                _ => None,
            };
            let Some(next) = next else { break };
            place = next;
        }
        Some(place.referenced.line()).filter(|line| *line > 0)
    }
}

/// A value reduced to where its parts are.
#[derive(Debug)]
enum Places {
    Leaf,
    List(Vec<Spanned<Places>>),
    Map(Vec<(String, Spanned<Places>)>),
}

impl<'de> Deserialize<'de> for Places {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PlacesVisitor)
    }
}

struct PlacesVisitor;

impl<'de> Visitor<'de> for PlacesVisitor {
    type Value = Places;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Places, E> {
        Ok(Places::Leaf)
    }

    fn visit_none<E>(self) -> Result<Places, E> {
        Ok(Places::Leaf)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Places, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Places::Leaf)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Places, E> {
        Ok(Places::Leaf)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Places, E> {
        Ok(Places::Leaf)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Places, E> {
        Ok(Places::Leaf)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Places, E> {
        Ok(Places::Leaf)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Places, E> {
        Ok(Places::Leaf)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Places, A::Error> {
        let mut list = Vec::new();
        while let Some(place) = seq.next_element()? {
            list.push(place);
        }
        Ok(Places::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Places, A::Error> {
        let mut places = Vec::new();
        while let Some(entry) = map.next_entry()? {
            places.push(entry);
        }
        Ok(Places::Map(places))
    }
}
