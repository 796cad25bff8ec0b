//! One document of a file → the objects in it. Lists are taken apart while they are read, so that a list of thousands of
//! pods is never in memory as a whole.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::convert::{Read, Reader};
use super::findings::{FieldPath, Step};

/// What one document holds.
#[derive(Debug, Default)]
pub(super) struct Document(pub(super) Vec<Read>);

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DocumentVisitor)
    }
}

struct DocumentVisitor;

impl DocumentVisitor {
    fn not_an_object(what: &str) -> Document {
        let mut reader = Reader::default();
        reader.refuse(
            FieldPath::default(),
            format!("this is {what}, not a Kubernetes object: an object is a map with apiVersion, kind and metadata"),
        );
        Document(reader.found)
    }
}

impl<'de> Visitor<'de> for DocumentVisitor {
    type Value = Document;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a Kubernetes object")
    }

    fn visit_unit<E: Error>(self) -> Result<Document, E> {
        Ok(Document::default())
    }

    fn visit_none<E: Error>(self) -> Result<Document, E> {
        Ok(Document::default())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Document, E> {
        Ok(Self::not_an_object("a boolean"))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Document, E> {
        Ok(Self::not_an_object("a number"))
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Document, E> {
        Ok(Self::not_an_object("a number"))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Document, E> {
        Ok(Self::not_an_object("a number"))
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Document, E> {
        Ok(Self::not_an_object("text"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Document, A::Error> {
        while seq.next_element::<Tree>()?.is_some() {}
        Ok(Self::not_an_object("a list"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Document, A::Error> {
        let mut head = Map::new();
        let mut items: Option<Items> = None;
        while let Some(key) = map.next_key::<String>()? {
            if head.contains_key(&key) || (key == "items" && items.is_some()) {
                return Err(twice(&key));
            }
            if key == "items" {
                let listed = list_of(&head);
                items = Some(map.next_value_seed(ItemsSeed { listed })?);
            } else {
                head.insert(key, map.next_value::<Tree>()?.0);
            }
        }
        let mut reader = Reader::default();
        match items {
            Some(items) if is_list(&head) => {
                let listed = list_of(&head);
                reader.found = items.read.found;
                for (index, value) in items.held {
                    reader.read(value, &item(index), listed.as_ref());
                }
                if let Some(value) = items.not_a_list {
                    head.insert("items".to_owned(), value);
                    reader.refuse(item_list(), "this is no list");
                }
            }
            Some(_) => {
                // Whatever it is, it has a field `items` at its top; the kind decides whether that may be.
                head.insert("items".to_owned(), Value::Array(Vec::new()));
                reader.read(Value::Object(head), &FieldPath::default(), None);
            }
            None if is_list(&head) => {}
            None => reader.read(Value::Object(head), &FieldPath::default(), None),
        }
        Ok(Document(reader.found))
    }
}

fn twice<E: Error>(key: &str) -> E {
    E::custom(format!("the key {key:?} is there twice: remove one"))
}

fn item_list() -> FieldPath {
    FieldPath(vec![Step::Key("items".to_owned())])
}

fn item(index: usize) -> FieldPath {
    FieldPath(vec![Step::Key("items".to_owned()), Step::Index(index)])
}

pub(super) fn is_list(head: &Map<String, Value>) -> bool {
    head.get("kind")
        .and_then(Value::as_str)
        .is_some_and(|kind| kind.ends_with("List"))
}

/// `apiVersion` and `kind` of the items of a typed list (`PodList`), whose items need not say.
pub(super) fn list_of(head: &Map<String, Value>) -> Option<(String, String)> {
    let kind = head.get("kind")?.as_str()?.strip_suffix("List")?;
    let version = head.get("apiVersion")?.as_str()?;
    (!kind.is_empty()).then(|| (version.to_owned(), kind.to_owned()))
}

/// The items of a list while it is read.
#[derive(Default)]
struct Items {
    read: Reader,
    /// Items without a kind, until the list's kind is known.
    held: Vec<(usize, Value)>,
    not_a_list: Option<Value>,
}

struct ItemsSeed {
    listed: Option<(String, String)>,
}

impl<'de> DeserializeSeed<'de> for ItemsSeed {
    type Value = Items;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Items, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ItemsSeed {
    type Value = Items;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of objects")
    }

    fn visit_unit<E: Error>(self) -> Result<Items, E> {
        Ok(Items::default())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Items, E> {
        Ok(Items {
            not_a_list: Some(text.into()),
            ..Items::default()
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Items, A::Error> {
        Ok(Items {
            not_a_list: Some(TreeVisitor.visit_map(map)?),
            ..Items::default()
        })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Items, A::Error> {
        let mut items = Items::default();
        let mut index = 0;
        while let Some(Tree(value)) = seq.next_element()? {
            if self.listed.is_some() || value.get("kind").is_some() {
                items.read.read(value, &item(index), self.listed.as_ref());
            } else {
                items.held.push((index, value));
            }
            index += 1;
        }
        Ok(items)
    }
}

/// Any value, in which no map has a key twice.
pub(super) struct Tree(pub(super) Value);

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor).map(Tree)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("this number is not finite"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Tree(value)) = seq.next_element()? {
            list.push(value);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            if object.contains_key(&key) {
                return Err(twice(&key));
            }
            object.insert(key, map.next_value::<Tree>()?.0);
        }
        Ok(Value::Object(object))
    }
}
