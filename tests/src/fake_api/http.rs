//! Paths and methods.

use std::collections::HashMap;
use std::time::Instant;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State as Extracted};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::kinds::{self, Resource};
use super::state::{Asked, Fault, key};
use super::{Shared, lists, lock, portforward, watches};

/// Requests are no larger.
const MAX_BODY: usize = 16 << 20;

/// The parameters of a query.
pub(super) type Query = HashMap<String, String>;

pub(super) fn routes(server: Shared) -> Router {
    Router::new().fallback(answer).with_state(server)
}

/// What a path names.
struct Named {
    resource: Resource,
    namespace: Option<String>,
    name: Option<String>,
}

async fn answer(Extracted(server): Extracted<Shared>, request: Request) -> Response {
    let uri = request.uri().clone();
    let parts: Vec<&str> = uri.path().split('/').filter(|part| !part.is_empty()).collect();
    let query = query(uri.query().unwrap_or_default());
    let (group, version, rest) = match parts.as_slice() {
        ["api", version, rest @ ..] => ("", *version, rest),
        ["apis", group, version, rest @ ..] => (*group, *version, rest),
        _ => ("", "", parts.as_slice()),
    };
    let named = name(group, version, rest);
    let forwarded = portforward::pod(rest);
    let plural = match &forwarded {
        Some(_) => portforward::PLURAL,
        None if rest.is_empty() => group,
        None => named.as_ref().map_or("", |named| named.resource.plural),
    };
    let (fails, serves) = {
        let mut state = lock(&server);
        state.asked.push(Asked {
            at: Instant::now(),
            plural: plural.to_owned(),
            uri: uri.to_string(),
        });
        server.progress.notify_all();
        let fails = |fault| state.fails(plural, fault);
        let fails = [
            Fault::Hangs,
            Fault::Unauthorized,
            Fault::Forbidden,
            Fault::Missing,
            Fault::Broken,
        ]
        .map(fails);
        (fails, state.serves(group))
    };
    let [hangs, unauthorized, forbidden, missing, broken] = fails;
    if hangs {
        watches::until_healed(&server, plural).await;
    }
    if unauthorized {
        return status(StatusCode::UNAUTHORIZED, "Unauthorized", "Unauthorized");
    }
    if broken {
        return status(
            StatusCode::INTERNAL_SERVER_ERROR,
            "InternalError",
            "etcdserver: request timed out",
        );
    }
    if forbidden {
        let text =
            format!("{plural} is forbidden: User \"fake\" cannot list resource \"{plural}\" at the cluster scope");
        return status(StatusCode::FORBIDDEN, "Forbidden", &text);
    }
    if parts.as_slice() == ["version"] {
        return ok(&json!({ "major": "1", "minor": "36", "gitVersion": "v1.36.0" }));
    }
    if parts.as_slice() == ["apis"] {
        let served = lock(&server);
        return ok(&kinds::groups(|group| served.serves(group)));
    }
    if missing || !serves {
        return not_found();
    }
    if rest.is_empty() && !version.is_empty() {
        return kinds::resources(group, version).map_or_else(not_found, |resources| ok(&resources));
    }
    if let Some(pod) = forwarded {
        let target = lock(&server).forwards.get(&pod).cloned();
        return match target {
            Some(target) => portforward::answer(request, target).await,
            None => not_found(),
        };
    }
    let Some(named) = named else {
        return not_found();
    };
    act(server, named, &query, request).await
}

async fn act(server: Shared, named: Named, query: &Query, request: Request) -> Response {
    let Named {
        resource,
        namespace,
        name,
    } = named;
    let method = request.method().clone();
    if method == Method::GET {
        return match name {
            None if query.get("watch").is_some_and(|watch| watch == "true" || watch == "1") => {
                watches::watch(server, resource, namespace, query)
            }
            None => lists::list(server, resource, namespace, query).await,
            Some(name) => match lock(&server).shelves[resource.plural]
                .objects
                .get(&full(namespace.as_deref(), &name))
            {
                Some(object) => ok(object),
                None => not_found(),
            },
        };
    }
    if method == Method::POST
        && namespace
            .as_deref()
            .is_some_and(|namespace| lock(&server).ends(namespace))
    {
        return terminating(resource.plural, &namespace.unwrap_or_default());
    }
    let bytes = to_bytes(request.into_body(), MAX_BODY).await.unwrap_or_default();
    let mut body: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    if let (Some(namespace), Some(_)) = (&namespace, body.as_object()) {
        body["metadata"]["namespace"] = json!(namespace);
    }
    match (method, name) {
        (Method::POST, None) => {
            if let Some(prefix) = body["metadata"]["generateName"].as_str() {
                body["metadata"]["name"] = json!(format!("{prefix}{}", lock(&server).version));
            }
            let taken = lock(&server).shelves[resource.plural].objects.contains_key(&key(&body));
            if taken {
                return status(StatusCode::CONFLICT, "AlreadyExists", "it exists already");
            }
            (StatusCode::CREATED, ok(&lock(&server).apply(resource, body))).into_response()
        }
        (Method::PUT, Some(_)) => ok(&lock(&server).apply(resource, body)),
        (Method::PATCH, Some(name)) => {
            let mut state = lock(&server);
            let name = full(namespace.as_deref(), &name);
            let Some(mut object) = state.shelves[resource.plural].objects.get(&name).cloned() else {
                return not_found();
            };
            merge(&mut object, body);
            ok(&state.apply(resource, object))
        }
        (Method::DELETE, Some(name)) => {
            lock(&server).delete(resource.plural, &full(namespace.as_deref(), &name));
            ok(&json!({ "kind": "Status", "apiVersion": "v1", "status": "Success" }))
        }
        _ => status(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", "not here"),
    }
}

fn full(namespace: Option<&str>, name: &str) -> String {
    namespace.map_or_else(|| name.to_owned(), |namespace| format!("{namespace}/{name}"))
}

/// RFC 7396.
fn merge(into: &mut Value, patch: Value) {
    match patch {
        Value::Object(patch) => {
            if !into.is_object() {
                *into = json!({});
            }
            for (key, value) in patch {
                if value.is_null() {
                    into.as_object_mut().map(|map| map.remove(&key));
                } else {
                    merge(&mut into[&key], value);
                }
            }
        }
        other => *into = other,
    }
}

fn name(group: &str, version: &str, rest: &[&str]) -> Option<Named> {
    let (namespace, plural, name) = match rest {
        ["namespaces", namespace, plural] => (Some(*namespace), *plural, None),
        ["namespaces", namespace, plural, name] => (Some(*namespace), *plural, Some(*name)),
        [plural] => (None, *plural, None),
        [plural, name] => (None, *plural, Some(*name)),
        _ => return None,
    };
    Some(Named {
        resource: Resource::at(group, version, plural)?,
        namespace: namespace.map(str::to_owned),
        name: name.map(str::to_owned),
    })
}

/// Percent-encoded pairs.
fn query(text: &str) -> Query {
    let decoded = |text: &str| {
        let mut bytes = Vec::new();
        let mut rest = text.bytes();
        while let Some(byte) = rest.next() {
            bytes.push(match byte {
                b'+' => b' ',
                b'%' => {
                    let digits = [rest.next(), rest.next()].map(Option::unwrap_or_default);
                    let digits = std::str::from_utf8(&digits).unwrap_or_default();
                    u8::from_str_radix(digits, 16).unwrap_or_default()
                }
                byte => byte,
            });
        }
        String::from_utf8_lossy(&bytes).into_owned()
    };
    text.split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(key, value)| (decoded(key), decoded(value)))
        .collect()
}

pub(super) fn ok(value: &Value) -> Response {
    (
        [(header::CONTENT_TYPE, "application/json")],
        Body::from(value.to_string()),
    )
        .into_response()
}

fn not_found() -> Response {
    status(
        StatusCode::NOT_FOUND,
        "NotFound",
        "the server could not find the requested resource",
    )
}

/// Nothing is made in a namespace that ends.
fn terminating(plural: &str, namespace: &str) -> Response {
    let text = format!(
        "{plural} is forbidden: unable to create new content in namespace {namespace} because it is being terminated"
    );
    let mut failure = failure(StatusCode::FORBIDDEN.as_u16(), "Forbidden", &text);
    failure["details"] =
        json!({ "kind": plural, "causes": [{ "reason": "NamespaceTerminating", "field": "metadata.namespace" }] });
    (StatusCode::FORBIDDEN, ok(&failure)).into_response()
}

/// An error as the API has it.
pub(super) fn failure(code: u16, reason: &str, message: &str) -> Value {
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code,
    })
}

pub(super) fn status(code: StatusCode, reason: &str, message: &str) -> Response {
    (code, ok(&failure(code.as_u16(), reason, message))).into_response()
}
