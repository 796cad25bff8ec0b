//! Asks again and again which policy kinds are served, and with that whether the server answers at all: while it does not, it
//! is asked more often, by this alone.

use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{sleep, timeout};

use super::Timing;
use super::kinds::{Directory, directory};
use super::words::Why;

/// So long is waited at the least between two looks, however often one is wanted.
const GAP: Duration = Duration::from_secs(2);

/// How often a server is asked that did not answer.
const AGAIN: Duration = Duration::from_secs(4);

/// What a look brought: what is served, or why that is not known.
pub(super) type Answer = Result<Directory, (Why, String)>;

/// The task that looks. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Discovery {
    answers: mpsc::Receiver<Answer>,
    sooner: Arc<Notify>,
    away: watch::Receiver<bool>,
}

impl Discovery {
    /// Begins to look, at once and then at an interval.
    pub(super) fn start(client: Client, timing: Timing) -> Self {
        let (sender, answers) = mpsc::channel(1);
        let sooner = Arc::new(Notify::new());
        let wanted = sooner.clone();
        let (tell_away, away) = watch::channel(false);
        tokio::spawn(async move {
            loop {
                let answer = directory(&client, timing.answer).await;
                let is_away = matches!(answer, Err((Why::Trouble, _)));
                if sender.send(answer).await.is_err() {
                    return;
                }
                // Nobody may wait for it.
                tell_away.send_replace(is_away);
                sleep(GAP.min(timing.look)).await;
                let rest = if is_away { AGAIN.min(timing.look) } else { timing.look };
                // In time or sooner, both are a reason to look.
                let _ = timeout(rest.saturating_sub(GAP), wanted.notified()).await;
            }
        });
        Self { answers, sooner, away }
    }

    /// The next answer. Cancel-safe.
    pub(super) async fn next(&mut self) -> Option<Answer> {
        self.answers.recv().await
    }

    /// Whether the server does not answer, as it becomes known.
    pub(super) fn away(&self) -> watch::Receiver<bool> {
        self.away.clone()
    }

    /// Something that was served no longer is, or the server may be away.
    pub(super) fn look_sooner(&self) {
        self.sooner.notify_one();
    }
}
