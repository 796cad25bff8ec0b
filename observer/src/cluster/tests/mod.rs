//! Manifests as people write them, right and wrong.

mod cluster_policy;
mod defaults;
mod folder;
mod hostile;
mod once;
mod refused;
mod syntax;
mod watch;

use std::sync::Arc;

use super::read::{Content, Format, read};
use crate::objects::{
    EndpointSlice, Kind, Name, Namespace, NetworkPolicy, Node, Object, Operator, Pod, Requirement, Selector, Service,
};

/// What is read of a YAML text, which must be right.
#[track_caller]
fn content(text: &str) -> Content {
    let content = read(&"test.yaml".into(), text.as_bytes(), Format::Yaml);
    assert_eq!(content.problems, [], "{text}");
    content
}

/// The objects in a YAML text, which must be right and without warnings.
#[track_caller]
fn objects(text: &str) -> Vec<Object> {
    let content = content(text);
    assert_eq!(content.warnings, [], "{text}");
    content.objects.into_iter().map(|(object, _)| object).collect()
}

macro_rules! only {
    ($($function:ident: $kind:ident),*) => {$(
        #[track_caller]
        fn $function(text: &str) -> Arc<$kind> {
            match objects(text).as_slice() {
                [Object::$kind(object)] => object.clone(),
                other => panic!("not one {}: {other:?}", stringify!($kind)),
            }
        }
    )*};
}
only!(pod: Pod, namespace: Namespace, service: Service, slice: EndpointSlice, node: Node, policy: NetworkPolicy);

/// Everything that is wrong with a text, a line each.
fn problems(text: &str, format: Format) -> String {
    let content = read(&"test.yaml".into(), text.as_bytes(), format);
    let lines: Vec<_> = content.problems.iter().map(ToString::to_string).collect();
    lines.join("\n")
}
