//! Which nodes are seen, and why the others are not. Pure: it is told of nodes, pods and streams.

use std::collections::{BTreeMap, BTreeSet};

use crate::objects::Str;

/// A pod that should be an agent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct AgentPod {
    pub(super) name: Str,
    /// Where it runs.
    pub(super) node: Str,
    /// The port of its interface.
    pub(super) port: u16,
    /// Why it cannot be asked; `None` if it is ready.
    pub(super) unready: Option<String>,
    /// It is being deleted.
    pub(super) ending: bool,
}

/// How far the stream of a node is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Reached {
    /// It is tried for the first time.
    Trying,
    /// It is open, or told everything.
    Yes,
    /// Why not.
    No(String),
}

/// What is known.
#[derive(Debug, Default)]
pub(super) struct Roster {
    /// All nodes of the cluster; `None`: they may not be listed.
    nodes: Option<BTreeSet<Str>>,
    /// The agent of each node.
    agents: BTreeMap<Str, AgentPod>,
    reached: BTreeMap<Str, Reached>,
    /// What was stated last.
    stated: Option<Statement>,
}

/// Which nodes are seen.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Statement {
    pub(super) seen: BTreeSet<Str>,
    /// And why not.
    pub(super) unseen: BTreeMap<Str, String>,
}

impl Roster {
    /// All nodes of the cluster.
    pub(super) fn nodes(&mut self, nodes: BTreeSet<Str>) {
        self.nodes = Some(nodes);
    }

    /// All agents. Of two on one node the one that is ready and stays is meant. Gives those that are to be asked from now on, and the
    /// nodes whose agent is no more.
    pub(super) fn pods(&mut self, pods: Vec<AgentPod>) -> (Vec<AgentPod>, Vec<Str>) {
        let mut agents: BTreeMap<Str, AgentPod> = BTreeMap::new();
        for pod in pods {
            let worth = |pod: &AgentPod| (pod.unready.is_none(), !pod.ending);
            match agents.get(&pod.node) {
                Some(other) if worth(other) >= worth(&pod) => {}
                _ => drop(agents.insert(pod.node.clone(), pod)),
            }
        }
        let mut come = Vec::new();
        let mut gone = Vec::new();
        for (node, before) in &self.agents {
            // A stream that is open tells more than readiness: it goes on while its pod is there.
            if agents.get(node).is_none_or(|now| now.name != before.name) && self.reached.remove(node).is_some() {
                gone.push(node.clone());
            }
        }
        for (node, now) in &agents {
            if now.unready.is_none() && !now.ending && !self.reached.contains_key(node) {
                self.reached.insert(node.clone(), Reached::Trying);
                come.push(now.clone());
            }
        }
        self.agents = agents;
        (come, gone)
    }

    /// How far the stream of `node` is now.
    pub(super) fn reached(&mut self, node: &Str, reached: Reached) {
        self.reached.insert(node.clone(), reached);
    }

    /// Whether a stream was not yet answered in either way.
    pub(super) fn is_trying(&self) -> bool {
        self.reached.values().any(|reached| *reached == Reached::Trying)
    }

    /// Whether all nodes are known.
    pub(super) fn knows_nodes(&self) -> bool {
        self.nodes.is_some()
    }

    /// Which nodes are seen; `None` if that was stated already. A node whose agent is being tried for the first time is neither, unless
    /// something was stated of it before.
    pub(super) fn statement(&mut self) -> Option<Statement> {
        let all = self
            .nodes
            .iter()
            .flatten()
            .chain(self.agents.keys())
            .chain(self.reached.keys());
        let mut statement = Statement::default();
        for node in all {
            let agent = self.agents.get(node);
            let why = match (self.reached.get(node), agent.map(|agent| &agent.unready)) {
                (Some(Reached::Trying), _) => match &self.stated {
                    Some(stated) if stated.seen.contains(node) => "its agent was replaced".to_owned(),
                    Some(Statement { unseen, .. }) if unseen.contains_key(node) => unseen[node].clone(),
                    _ => continue,
                },
                (Some(Reached::Yes), _) => {
                    statement.seen.insert(node.clone());
                    continue;
                }
                (Some(Reached::No(why)), _) => why.clone(),
                (None, Some(Some(why))) => format!("its agent is not ready: {why}"),
                (None, Some(None)) => "its agent ends".to_owned(),
                (None, None) => "no agent runs there".to_owned(),
            };
            statement.unseen.insert(node.clone(), why);
        }
        if self.stated.as_ref() == Some(&statement) {
            return None;
        }
        self.stated = Some(statement.clone());
        Some(statement)
    }

    /// The nodes whose agent was asked and did not answer, and why.
    pub(super) fn failed(&self) -> impl Iterator<Item = (&Str, &String)> {
        self.reached.iter().filter_map(|(node, reached)| match reached {
            Reached::No(why) => Some((node, why)),
            Reached::Trying | Reached::Yes => None,
        })
    }

    /// What was stated last.
    pub(super) fn stated(&self) -> Option<&Statement> {
        self.stated.as_ref()
    }
}

impl Statement {
    /// For people; against what was stated `before` only what changed.
    pub(super) fn text(&self, before: Option<&Self>) -> Vec<String> {
        let mut lines = Vec::new();
        match before {
            None => {
                let all = self.seen.len() + self.unseen.len();
                lines.push(format!("{} of {all} nodes are seen", self.seen.len()));
            }
            Some(before) => {
                let back = self.seen.difference(&before.seen);
                lines.extend(back.map(|node| format!("node {node} is seen")));
                let left = before.seen.iter().chain(before.unseen.keys());
                let left = left.filter(|node| !self.seen.contains(*node) && !self.unseen.contains_key(*node));
                lines.extend(left.map(|node| format!("node {node} has left")));
            }
        }
        let mut new: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (node, why) in &self.unseen {
            if before.and_then(|before| before.unseen.get(node)) != Some(why) {
                new.entry(why).or_default().push(node);
            }
        }
        lines.extend(new.into_iter().map(|(why, nodes)| match nodes.as_slice() {
            [node] => format!("node {node} is not seen: {why}"),
            nodes => format!("nodes {} are not seen: {why}", nodes.join(", ")),
        }));
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(name: &str, node: &str, unready: Option<&str>, ending: bool) -> AgentPod {
        AgentPod {
            name: name.into(),
            node: node.into(),
            port: 4245,
            unready: unready.map(Into::into),
            ending,
        }
    }

    fn names(pods: &[AgentPod]) -> Vec<&str> {
        pods.iter().map(|pod| &*pod.name).collect()
    }

    #[test]
    fn agents_are_asked_when_they_are_ready_and_once() {
        let mut roster = Roster::default();
        let (come, gone) = roster.pods(vec![
            pod("p1", "a", None, false),
            pod("p2", "b", Some("CrashLoopBackOff"), false),
        ]);
        assert_eq!((names(&come), gone.len()), (vec!["p1"], 0));
        assert!(roster.is_trying());
        let (come, gone) = roster.pods(vec![pod("p1", "a", None, false), pod("p2", "b", None, false)]);
        assert_eq!((names(&come), gone.len()), (vec!["p2"], 0));
        // Not ready any more is no reason to let go of a stream.
        let (come, gone) = roster.pods(vec![pod("p1", "a", Some("Pending"), false), pod("p2", "b", None, true)]);
        assert_eq!((come.len(), gone.len()), (0, 0));
        // Another pod on the same node.
        let (come, gone) = roster.pods(vec![pod("p1", "a", None, true), pod("p3", "a", None, false)]);
        assert_eq!(names(&come), ["p3"]);
        assert_eq!(gone, ["a".into(), "b".into()] as [Str; 2]);
    }

    #[test]
    fn what_is_not_seen_is_said_once_and_why() {
        let mut roster = Roster::default();
        roster.nodes(["a", "b", "c", "d", "e"].map(Str::from).into());
        roster.pods(vec![
            pod("p1", "a", None, false),
            pod("p2", "b", None, false),
            pod("p3", "c", Some("ErrImagePull"), false),
        ]);
        roster.reached(&"a".into(), Reached::Yes);
        roster.reached(&"b".into(), Reached::No("it cannot be reached".into()));
        let first = roster.statement().expect("a statement");
        assert_eq!(
            first.text(None),
            [
                "1 of 5 nodes are seen",
                "node b is not seen: it cannot be reached",
                "node c is not seen: its agent is not ready: ErrImagePull",
                "nodes d, e are not seen: no agent runs there",
            ]
        );
        assert_eq!(roster.statement(), None);
        roster.reached(&"b".into(), Reached::Yes);
        roster.nodes(["a", "b", "c"].map(Str::from).into());
        let second = roster.statement().expect("a statement");
        assert_eq!(
            second.text(Some(&first)),
            ["node b is seen", "node d has left", "node e has left"]
        );
        roster.reached(&"b".into(), Reached::No("its agent stopped".into()));
        let third = roster.statement().expect("a statement");
        assert_eq!(third.text(Some(&second)), ["node b is not seen: its agent stopped"]);
    }

    #[test]
    fn an_agent_that_is_replaced_is_seen_again_when_it_answers() {
        for unready in [Some("it starts"), None] {
            let mut roster = Roster::default();
            roster.pods(vec![pod("p1", "a", None, false)]);
            roster.reached(&"a".into(), Reached::Yes);
            roster.statement();
            roster.pods(vec![pod("p2", "a", unready, false)]);
            let gone = roster.statement().expect("a statement");
            roster.pods(vec![pod("p2", "a", None, false)]);
            assert_eq!(roster.statement(), None);
            roster.reached(&"a".into(), Reached::Yes);
            let back = roster.statement().expect("a statement");
            assert_eq!(back.text(Some(&gone)), ["node a is seen"]);
        }
    }

    #[test]
    fn what_is_tried_for_the_first_time_is_not_yet_stated() {
        let mut roster = Roster::default();
        roster.pods(vec![pod("p1", "a", None, false)]);
        assert_eq!(roster.statement(), Some(Statement::default()));
        assert!(!roster.knows_nodes());
    }
}
