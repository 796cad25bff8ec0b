//! Lists, in pages of one version of the world: what is deleted between two pages is on the second one all the same.

use std::collections::VecDeque;

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use super::http::{Query, ok, status};
use super::kinds::Resource;
use super::{Shared, lock};

pub(super) async fn list(server: Shared, resource: Resource, namespace: Option<String>, query: &Query) -> Response {
    let delay = lock(&server).delay(resource.plural);
    if let Some(delay) = delay {
        tokio::time::sleep(delay).await;
    }
    let mut state = lock(&server);
    let (version, mut rest) = match query.get("continue") {
        Some(token) => match state.pages.remove(token) {
            Some(rest) => rest,
            None => {
                return status(
                    StatusCode::GONE,
                    "Expired",
                    "the provided continue parameter is too old",
                );
            }
        },
        None => {
            let wanted = |object: &Value| is_wanted(object, namespace.as_deref(), query);
            let all: VecDeque<Value> = state.objects(resource.plural).into_iter().filter(wanted).collect();
            (state.version, all)
        }
    };
    let limit = query
        .get("limit")
        .and_then(|limit| limit.parse().ok())
        .unwrap_or(usize::MAX);
    let page: Vec<Value> = rest.drain(..limit.min(rest.len())).map(without_kind).collect();
    let mut metadata = json!({ "resourceVersion": version.to_string() });
    if !rest.is_empty() {
        let token = format!("{}-{version}-{}", resource.plural, rest.len());
        metadata["continue"] = json!(token);
        metadata["remainingItemCount"] = json!(rest.len());
        state.pages.insert(token, (version, rest));
    }
    ok(&json!({
        "kind": format!("{}List", resource.kind), "apiVersion": resource.api_version(), "metadata": metadata, "items": page,
    }))
}

/// As in the lists of typed clients: the items do not say what they are.
fn without_kind(mut object: Value) -> Value {
    if let Some(map) = object.as_object_mut() {
        map.remove("kind");
        map.remove("apiVersion");
    }
    object
}

/// In the namespace, and with the labels (`a=b,c=d`).
pub(super) fn is_wanted(object: &Value, namespace: Option<&str>, query: &Query) -> bool {
    let metadata = &object["metadata"];
    let labels = query.get("labelSelector").map_or("", String::as_str);
    namespace.is_none_or(|namespace| metadata["namespace"] == namespace)
        && labels
            .split(',')
            .filter_map(|pair| pair.split_once('='))
            .all(|(key, value)| metadata["labels"][key] == value.trim_start_matches('='))
}
