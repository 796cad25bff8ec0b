//! What holds for the cluster as a whole: whether it was ever listed, whether it is heard of, and which kinds are in doubt.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::discover::Answer;
use super::follow::Kind;
use super::kinds::Followed;
use super::words::{self, Why};
use super::{Health, now};
use crate::cluster::watch::Update;
use crate::objects::{Change, Scope, Str};
use crate::time::Time;

/// The policies that may exist where the directory cannot be read.
const ANY_OTHER: &str = "a policy of another API";

/// What was told of the whole.
#[derive(Debug)]
pub(super) struct Settled {
    synced: bool,
    /// The directory was read once, or cannot be.
    looked: bool,
    /// Since when the directory cannot be read for lack of an answer.
    unanswered: Option<(Time, String)>,
    /// Since when nothing was heard, as it was told.
    unheard: Option<Time>,
    /// Groups, or the directory itself, that may have policies of kinds that are not known.
    silent: BTreeSet<Str>,
    /// Kinds that are in doubt as a whole.
    doubted: BTreeSet<Followed>,
    /// Kinds whose missing right was told.
    forbidden: BTreeSet<Followed>,
    /// That there is no list yet was told.
    told_waiting: bool,
    /// Requests for kinds that are no longer served: a sum that falls would be taken for a restart.
    ended_requests: u64,
    /// Every line was open at the last look, for the first time since `unheard`.
    open_again: bool,
    began: Time,
    /// How long a line may be down before that is told.
    patience: Duration,
}

impl Settled {
    pub(super) fn new(patience: Duration) -> Self {
        Self {
            synced: false,
            looked: false,
            unanswered: None,
            unheard: None,
            silent: BTreeSet::new(),
            doubted: BTreeSet::new(),
            forbidden: BTreeSet::new(),
            told_waiting: false,
            ended_requests: 0,
            open_again: false,
            began: now(),
            patience,
        }
    }

    /// The objects were told: from here on changes are.
    pub(super) fn is_synced(&self) -> bool {
        self.synced
    }

    /// A kind is served that was not.
    pub(super) fn appeared(&mut self, followed: &Followed, update: &mut Update) {
        if self.synced {
            update.messages.push(format!("{} are served now", followed.resource()));
        }
    }

    /// A kind is not served any more; so many requests were made for it.
    pub(super) fn gone(&mut self, followed: &Followed, requests: u64, update: &mut Update) {
        self.ended_requests += requests;
        self.forbidden.remove(followed);
        if self.doubted.remove(followed) {
            update.changes.push(end_doubt(followed));
        }
        if self.synced {
            update
                .messages
                .push(format!("{} are no longer served", followed.resource()));
        }
    }

    /// The directory was read, or not. Whether the server answers again after it did not.
    pub(super) fn looked(&mut self, answer: Answer, update: &mut Update) -> bool {
        let mut silent = BTreeMap::new();
        let mut back = false;
        match answer {
            Ok(directory) => {
                back = self.unanswered.take().is_some();
                self.looked = true;
                silent.extend(directory.silent.into_iter().map(|(group, reason)| {
                    let told = words::silent_group(&group, &reason);
                    (Str::from(format!("a policy of {group}")), told)
                }));
            }
            Err((Why::Trouble | Why::Stranger, reason)) => {
                self.unanswered.get_or_insert_with(|| (now(), reason));
                return false;
            }
            Err((why, reason)) => {
                self.looked = true;
                silent.insert(ANY_OTHER.into(), words::no_directory(why, &reason));
            }
        }
        for policy in &self.silent {
            if !silent.contains_key(policy) {
                update.changes.push(Change::ForeignGone { policy: policy.clone() });
            }
        }
        for (policy, told) in &silent {
            if !self.silent.contains(policy) {
                update.messages.push(told.clone());
                update.changes.push(Change::Foreign {
                    policy: policy.clone(),
                    scope: Scope::Everything,
                });
            }
        }
        self.silent = silent.into_keys().collect();
        back
    }

    /// Brings what is told in line with what is known.
    pub(super) fn settle(&mut self, kinds: &BTreeMap<Followed, Kind>, update: &mut Update) {
        for (followed, kind) in kinds {
            let forbidden = matches!(kind.trouble, Some((Why::Forbidden, _)));
            if forbidden && self.forbidden.insert(followed.clone()) {
                update.messages.push(words::forbidden(followed));
            }
        }
        if !self.synced {
            if !self.looked || !kinds.iter().all(|(followed, kind)| is_settled(followed, kind)) {
                return;
            }
            self.synced = true;
            update.loaded = kinds.values().flat_map(|kind| kind.table.all()).collect();
            update.changes.push(Change::Synced);
            if self.told_waiting {
                update.messages.push("the cluster's objects are read".to_owned());
            }
        }
        for (followed, kind) in kinds {
            let known = kind.table.is_listed() && !matches!(kind.trouble, Some((Why::Forbidden, _)));
            if known && self.doubted.remove(followed) {
                update.changes.push(end_doubt(followed));
                if self.forbidden.remove(followed) {
                    update.messages.push(words::readable(followed));
                }
            } else if !known && self.doubted.insert(followed.clone()) {
                update.changes.push(doubt(followed));
            }
        }
        let told = update.loaded.iter().chain(&update.changes);
        let is_policy = |change: &&Change| !self.is_about_kinds(change);
        update.messages.extend(words::foreign(told.filter(is_policy)));
    }

    /// What was told of with words of its own.
    fn is_about_kinds(&self, change: &Change) -> bool {
        match change {
            Change::Foreign { policy, .. } => {
                self.silent.contains(policy) || self.doubted.iter().any(|followed| followed.resource() == *policy)
            }
            _ => true,
        }
    }

    /// Tells that nothing is heard, or that something is again.
    pub(super) fn look_at_lines(&mut self, kinds: &BTreeMap<Followed, Kind>, update: &mut Update) {
        let reason = |kind: &Kind| {
            let reason = kind.trouble.as_ref().map(|(_, reason)| reason.clone());
            reason.unwrap_or_else(|| "its watch ended".to_owned())
        };
        if !self.synced {
            let waiting = kinds
                .iter()
                .find(|(followed, kind)| !is_settled(followed, kind) && kind.trouble.is_some());
            if let Some((followed, kind)) = waiting
                && !self.told_waiting
                && now().since(self.began) >= self.patience
            {
                self.told_waiting = true;
                let why = kind.trouble.as_ref().map_or(Why::Trouble, |(why, _)| *why);
                update.messages.push(words::not_yet(followed, why, &reason(kind)));
            }
            return;
        }
        let lost: Vec<_> = kinds
            .iter()
            .filter(|(followed, kind)| kind.table.is_listed() && !self.forbidden.contains(followed))
            .filter_map(|(followed, kind)| Some((kind.line.down()?, followed, kind)))
            .collect();
        let first = lost.iter().min_by_key(|(since, _, _)| *since);
        let down = first.map(|(since, followed, kind)| {
            let what = if lost.len() > 1 {
                "the API server".into()
            } else {
                followed.resource()
            };
            (*since, what, reason(kind))
        });
        let unanswered = self
            .unanswered
            .as_ref()
            .map(|(since, reason)| (*since, Str::from("the API server"), reason.clone()));
        let worst = [down, unanswered].into_iter().flatten().min();
        let listing = kinds.values().any(|kind| kind.table.is_listing());
        let open = worst.is_none() && !listing;
        // A watch that goes on is open before what it missed has come: that takes until the next look.
        let caught_up = open && std::mem::replace(&mut self.open_again, open);
        match (worst, self.unheard) {
            (Some((since, what, reason)), None) if now().since(since) >= self.patience => {
                self.unheard = Some(since);
                update.changes.push(Change::Unheard { since });
                update.messages.push(words::unheard(since, &what, &reason));
            }
            (None, Some(since)) if caught_up => {
                self.unheard = None;
                update.changes.push(Change::Heard);
                update.messages.push(words::heard(now().since(since)));
            }
            _ => {}
        }
    }

    /// Why nothing is heard, or why there is no full list yet.
    fn trouble(&self, kinds: &BTreeMap<Followed, Kind>) -> Option<String> {
        if self.synced && self.unheard.is_none() {
            return None;
        }
        let of_kinds = kinds
            .iter()
            .filter(|(followed, kind)| self.synced || !is_settled(followed, kind))
            .find_map(|(followed, kind)| Some(format!("{}: {}", followed.resource(), kind.trouble.as_ref()?.1)));
        of_kinds.or_else(|| self.unanswered.as_ref().map(|(_, reason)| reason.clone()))
    }

    /// How well the cluster is known.
    pub(super) fn health(&self, kinds: &BTreeMap<Followed, Kind>) -> Health {
        let counts = |(followed, kind): (&Followed, &Kind)| (followed.resource(), kind.table.count().0);
        Health {
            synced: self.synced,
            current: self.synced.then(|| self.unheard.unwrap_or_else(now)),
            objects: kinds.iter().map(counts).collect(),
            refused: kinds.values().map(|kind| kind.table.count().1).sum(),
            requests: self.ended_requests + kinds.values().map(|kind| kind.line.requests()).sum::<u64>(),
            trouble: self.trouble(kinds),
        }
    }
}

/// The first list need not wait for it: it was listed, or may not be, or can do without.
fn is_settled(followed: &Followed, kind: &Kind) -> bool {
    kind.table.is_listed()
        || match &kind.trouble {
            Some((why, _)) => *why == Why::Forbidden || !followed.is_always_served(),
            None => false,
        }
}

/// A kind as a whole cannot be read.
fn doubt(followed: &Followed) -> Change {
    let scope = followed.scope();
    match followed.role {
        Some(_) => Change::Doubt {
            source: followed.resource(),
            scope,
        },
        None => Change::Foreign {
            policy: followed.resource(),
            scope,
        },
    }
}

fn end_doubt(followed: &Followed) -> Change {
    match followed.role {
        Some(_) => Change::Clear {
            source: followed.resource(),
        },
        None => Change::ForeignGone {
            policy: followed.resource(),
        },
    }
}
