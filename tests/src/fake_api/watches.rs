//! Watches: what is there already, if that is asked for, then the log from where the client is.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::http::{Query, failure, status};
use super::kinds::Resource;
use super::lists::is_wanted;
use super::state::Fault;
use super::{Shared, lock};

/// Bookmarks come this often where nothing else comes.
const BOOKMARKS: Duration = Duration::from_millis(500);

/// Waits until the server answers again.
pub(super) async fn until_healed(server: &Shared, plural: &str) {
    let mut changed = lock(server).changed.subscribe();
    while lock(server).fails(plural, Fault::Hangs) && changed.changed().await.is_ok() {}
}

/// An open watch.
struct Watch {
    server: Shared,
    resource: Resource,
    namespace: Option<String>,
    query: Query,
    /// Lines that are still to be sent.
    lines: VecDeque<String>,
    /// The version that the client knows.
    at: u64,
    changed: watch::Receiver<(u64, u64)>,
    cuts: u64,
    ends: Instant,
    ended: bool,
}

fn line(what: &str, object: &Value) -> String {
    format!("{}\n", json!({ "type": what, "object": object }))
}

pub(super) fn watch(server: Shared, resource: Resource, namespace: Option<String>, query: &Query) -> Response {
    let mut lines = VecDeque::new();
    let initial = query.get("sendInitialEvents").is_some_and(|initial| initial == "true");
    let number = |name: &str| query.get(name).and_then(|number| number.parse::<u64>().ok());
    let watch = {
        let known = lock(&server);
        let plural = resource.plural;
        if initial && known.fails(plural, Fault::NoStreams) {
            let text = "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled";
            return status(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", text);
        }
        if !initial && known.fails(plural, Fault::Gone) {
            return status(StatusCode::GONE, "Expired", "too old resource version");
        }
        let mut at = number("resourceVersion").unwrap_or_default();
        if at == 0 || initial {
            at = known.version;
            let wanted = |object: &Value| is_wanted(object, namespace.as_deref(), query);
            for object in known.objects(plural).iter().filter(|object| wanted(object)) {
                lines.push_back(line("ADDED", object));
            }
            if initial && !known.fails(plural, Fault::EndlessStreams) {
                lines.push_back(bookmark(resource, at, true));
            }
        }
        let changed = known.changed.subscribe();
        let cuts = changed.borrow().1;
        Watch {
            resource,
            namespace,
            query: query.clone(),
            lines,
            at,
            changed,
            cuts,
            ends: Instant::now() + Duration::from_secs(number("timeoutSeconds").unwrap_or(300)),
            ended: false,
            server: server.clone(),
        }
    };
    let body = stream::unfold(watch, |mut watch| async move {
        let line = watch.next().await?;
        Some((Ok::<_, Infallible>(line), watch))
    });
    ([(header::CONTENT_TYPE, "application/json")], Body::from_stream(body)).into_response()
}

impl Watch {
    /// The next line; `None` ends the watch.
    async fn next(&mut self) -> Option<String> {
        loop {
            if let Some(line) = self.lines.pop_front() {
                return Some(line);
            }
            if self.ended || !self.read() {
                return None;
            }
            if !self.lines.is_empty() {
                continue;
            }
            tokio::select! {
                changed = self.changed.changed() => changed.ok()?,
                () = sleep_until(self.ends) => return None,
                () = tokio::time::sleep(BOOKMARKS) => {
                    // Everything of this resource up to now has been sent: that is what a bookmark says.
                    if !self.read() {
                        return None;
                    }
                    if self.lines.is_empty() {
                        let mut state = lock(&self.server);
                        self.at = state.version;
                        state.bookmarked.insert(self.resource.plural, self.at);
                        self.server.progress.notify_all();
                        drop(state);
                        self.lines.push_back(bookmark(self.resource, self.at, false));
                    }
                }
            }
        }
    }

    /// Takes what is new from the log. Whether the watch goes on.
    fn read(&mut self) -> bool {
        let state = lock(&self.server);
        let plural = self.resource.plural;
        if state.fails(plural, Fault::Drops) || state.changed.borrow().1 != self.cuts {
            return false;
        }
        let shelf = &state.shelves[plural];
        if self.at < shelf.forgotten {
            let text = format!("too old resource version: {} ({})", self.at, state.version);
            self.lines.push_back(line("ERROR", &failure(410, "Expired", &text)));
            self.ended = true;
            return true;
        }
        let from = shelf.log.partition_point(|logged| logged.version <= self.at);
        for logged in shelf.log.range(from..) {
            self.at = logged.version;
            if is_wanted(&logged.object, self.namespace.as_deref(), &self.query) {
                self.lines.push_back(line(logged.what, &logged.object));
            }
        }
        true
    }
}

fn bookmark(resource: Resource, version: u64, ends_initial: bool) -> String {
    let annotations = if ends_initial {
        json!({ "k8s.io/initial-events-end": "true" })
    } else {
        json!({})
    };
    line(
        "BOOKMARK",
        &json!({
            "kind": resource.kind, "apiVersion": resource.api_version(),
            "metadata": { "resourceVersion": version.to_string(), "annotations": annotations },
        }),
    )
}
