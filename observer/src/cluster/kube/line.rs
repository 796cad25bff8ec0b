//! One kind's line to the API server: its own client, which notes whether a watch is open, and paces what is asked.
//!
//! ```text
//! watcher → Client of the line → (wait while the server is away, or watches keep ending at once) → shared Client → API server
//!                 └─ answers pass through: open, down since when, ended how soon; until hung up
//! ```
//!
//! A watcher tells of objects and errors only: that a watch is open and nothing changes, or that it ends
//! as soon as it began, is known here.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use http::{Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use kube::Client;
use kube::client::Body;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout};
use tower::{BoxError, service_fn};

use super::now;
use crate::time::Time;

/// A watch that ended sooner than this was a short one. Servers end them after five to ten minutes.
const SHORT: Duration = Duration::from_secs(10);

/// The waits before a watch after two, three … short ones double from here …
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// … to here.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// So long at most is waited for a server that is away, before it is asked all the same.
const AWAY: Duration = Duration::from_secs(300);

/// So long a server may take to begin an answer, or to go on with a list.
const ANSWER: Duration = Duration::from_secs(60);

/// What is known of a line. Numbers only, which the client's tasks write and the loop reads.
#[derive(Debug)]
pub(super) struct Line {
    /// Since when no watch is open, in nanoseconds since the epoch; 0: one is.
    down: AtomicU64,
    /// How many watches in a row were short.
    short: AtomicU32,
    requests: AtomicU64,
    hang_up: Notify,
    /// The server does not answer: to ask it would only make the wait until it is asked again longer.
    away: watch::Receiver<bool>,
}

impl Line {
    pub(super) fn new(away: watch::Receiver<bool>) -> Arc<Self> {
        Arc::new(Self {
            down: AtomicU64::new(now().0),
            short: AtomicU32::new(0),
            requests: AtomicU64::new(0),
            hang_up: Notify::new(),
            away,
        })
    }

    /// A client whose requests go this way.
    pub(super) fn client(self: &Arc<Self>, shared: &Client) -> Client {
        let line = self.clone();
        let client = shared.clone();
        let namespace = shared.default_namespace().to_owned();
        let service = service_fn(move |request: Request<Body>| line.clone().ask(client.clone(), request));
        Client::new(service, namespace)
    }

    /// Since when no watch is open.
    pub(super) fn down(&self) -> Option<Time> {
        Some(Time(self.down.load(Ordering::Relaxed))).filter(|down| *down > Time::BEGINNING)
    }

    /// How many requests were made.
    pub(super) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Ends a watch that may be dead without knowing it. The watcher opens another one, where this one ended.
    pub(super) fn hang_up(&self) {
        self.hang_up.notify_waiters();
    }

    async fn ask(
        self: Arc<Self>,
        client: Client,
        request: Request<Body>,
    ) -> Result<Response<StreamBody<Frames>>, BoxError> {
        let query = request.uri().query().unwrap_or_default();
        let watches = query.split('&').any(|part| part == "watch=true" || part == "watch=1");
        if watches {
            self.pace().await;
        }
        // In time or not, it is asked then.
        let _ = timeout(AWAY, self.away.clone().wait_for(|away| !away)).await;
        self.requests.fetch_add(1, Ordering::Relaxed);
        let answer = timeout(ANSWER, client.send(request)).await??;
        let opens = watches && answer.status().is_success();
        if watches && answer.status() == StatusCode::GONE {
            // The list that follows is answered, and must not be asked for without end.
            self.short.fetch_add(1, Ordering::Relaxed);
        }
        Ok(answer.map(|body| StreamBody::new(self.listen(body, opens, (!opens).then_some(ANSWER)))))
    }

    /// Waits if watches keep ending as soon as they began.
    async fn pace(&self) {
        // The first may have been chance.
        if let Some(doublings) = self.short.load(Ordering::Relaxed).checked_sub(2) {
            sleep(LONGEST_WAIT.min(FIRST_WAIT.saturating_mul(1 << doublings.min(5)))).await;
        }
    }

    /// The answer as it comes. `opens`: it is a watch, whose end is noted. `patience`: how long to wait for more of it.
    fn listen(self: Arc<Self>, body: Body, opens: bool, patience: Option<Duration>) -> Frames {
        let open = opens.then(|| Open::new(self.clone()));
        let line = self.clone();
        let hung_up = async move { line.hang_up.notified().await };
        let frames = stream::unfold((body, open, self), move |(mut body, mut open, line)| async move {
            let next = match patience {
                None => body.frame().await,
                Some(patience) => match timeout(patience, body.frame()).await {
                    Ok(next) => next,
                    Err(elapsed) => return Some((Err(elapsed.into()), (Body::empty(), open, line))),
                },
            };
            match next {
                Some(Ok(frame)) => Some((Ok(frame), (body, open, line))),
                ended => {
                    if let Some(open) = open.take() {
                        open.ended();
                    }
                    let error = ended?.map_err(BoxError::from);
                    Some((error, (Body::empty(), None, line)))
                }
            }
        });
        frames.take_until(Box::pin(hung_up)).boxed()
    }
}

/// The frames of an answer.
type Frames = BoxStream<'static, Result<Frame<Bytes>, BoxError>>;

/// A watch that is open.
struct Open {
    line: Arc<Line>,
    since: Instant,
}

impl Open {
    fn new(line: Arc<Line>) -> Self {
        line.down.store(0, Ordering::Relaxed);
        Self {
            line,
            since: Instant::now(),
        }
    }

    /// The server ended it.
    fn ended(self) {
        if self.since.elapsed() < SHORT {
            self.line.short.fetch_add(1, Ordering::Relaxed);
        } else {
            self.line.short.store(0, Ordering::Relaxed);
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.line.down.store(now().0, Ordering::Relaxed);
    }
}
