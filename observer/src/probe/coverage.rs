//! What is observed, what is not, and why: said at start and whenever it changes.

use std::fmt;

use serde::Serialize;

/// Something that is missing on this kernel or for this process. Watching goes on without.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Degraded {
    /// For programs.
    pub code: Code,
    /// What is missing.
    pub what: String,
    /// What that costs.
    pub lost: String,
    /// What to do.
    pub fix: String,
}

/// Names a [`Degraded`].
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// The kernel shows no type information.
    NoBtf,
    /// `kfree_skb` cannot be attached to.
    NoTracepoint,
    /// `kfree_skb` has no reason argument.
    NoReason,
    /// Kernel addresses are hidden.
    NoSymbols,
    /// The kernel has no TCX.
    NoTcx,
    /// A pod's network namespace cannot be found.
    NoNamespace,
    /// Notifications could not be read.
    Unreadable,
}

/// How programs are attached.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// As TCX links.
    Tcx,
    /// As clsact filters.
    Clsact,
}

/// Another program on an interface.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Foreign {
    /// `tcx`, `clsact` or `xdp`.
    pub by: &'static str,
    /// Its name, as far as it has one.
    pub name: String,
    /// It runs before ours.
    pub before: bool,
}

/// One side of an interface.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Side {
    /// What absence there proves: `blind`, `assumed` or `proven`.
    pub hook: &'static str,
    /// Why it proves nothing, or nothing yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Other programs there, in the order in which they run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub foreign: Vec<Foreign>,
}

/// An observed interface.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Attached {
    /// Its index.
    pub ifindex: u32,
    /// Its name.
    pub name: String,
    /// How.
    pub how: How,
    /// Packets from the pod.
    pub from_pod: Side,
    /// Packets to the pod.
    pub to_pod: Side,
}

/// An interface that is not observed.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct NotObserved {
    /// Its name.
    pub name: String,
    /// Why not.
    pub why: String,
}

/// The whole statement.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Coverage {
    /// Observed interfaces, by index.
    pub attached: Vec<Attached>,
    /// Interfaces that lead to other namespaces and are not observed.
    pub not_observed: Vec<NotObserved>,
    /// What is missing.
    pub degraded: Vec<Degraded>,
}

impl Coverage {
    /// For people: a line each.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![self.summary()];
        for interface in &self.attached {
            for (side, way) in [(&interface.from_pod, "from the pod"), (&interface.to_pod, "to the pod")] {
                if let Some(why) = &side.why {
                    lines.push(format!("{} {way}: {}: {why}", interface.name, side.hook));
                }
            }
        }
        lines.extend(
            self.not_observed
                .iter()
                .map(|link| format!("{} not observed: {}", link.name, link.why)),
        );
        lines.extend(self.degraded.iter().map(ToString::to_string));
        lines
    }

    fn summary(&self) -> String {
        let of = |how| self.attached.iter().filter(|interface| interface.how == how).count();
        let mut parts = Vec::new();
        for (count, name) in [(of(How::Tcx), "TCX"), (of(How::Clsact), "clsact")] {
            if count > 0 {
                parts.push(format!("{count} by {name}"));
            }
        }
        match self.attached.as_slice() {
            [] => "observing no interface yet: no link leads to another network namespace".to_owned(),
            [one] => format!("observing 1 interface ({}): {}", parts.join(", "), one.name),
            many => {
                let names: Vec<&str> = many.iter().map(|interface| interface.name.as_str()).collect();
                format!(
                    "observing {} interfaces ({}): {}",
                    many.len(),
                    parts.join(", "),
                    names.join(", ")
                )
            }
        }
    }
}

impl fmt::Display for Degraded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}; to mend it: {}", self.what, self.lost, self.fix)
    }
}
