//! What is observed, what is not, and why: said at start and whenever it changes.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::attempt::Hook;

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
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
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

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.name())
    }
}

impl Code {
    /// In kebab-case.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NoBtf => "no-btf",
            Self::NoTracepoint => "no-tracepoint",
            Self::NoReason => "no-reason",
            Self::NoSymbols => "no-symbols",
            Self::NoTcx => "no-tcx",
            Self::NoNamespace => "no-namespace",
            Self::Unreadable => "unreadable",
        }
    }
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
    /// What absence there proves.
    #[serde(serialize_with = "hook")]
    pub hook: Hook,
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

impl Attached {
    /// Programs of others run there.
    fn shared(&self) -> bool {
        !self.from_pod.foreign.is_empty() || !self.to_pod.foreign.is_empty()
    }

    /// For people: the sides on which absence proves nothing.
    fn blind(&self) -> impl Iterator<Item = String> {
        let sides = [(&self.from_pod, "from the pod"), (&self.to_pod, "to the pod")];
        sides.into_iter().filter_map(|(side, way)| {
            let why = side.why.as_ref().filter(|_| side.hook == Hook::Blind)?;
            Some(format!("{}: absence of packets {way} proves nothing: {why}", self.name))
        })
    }
}

/// The whole statement.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Coverage {
    /// Observed interfaces, by index.
    pub interfaces: Vec<Attached>,
    /// Interfaces that lead to other namespaces and are not observed.
    pub not_observed: Vec<NotObserved>,
    /// What is missing.
    pub degraded: Vec<Degraded>,
}

/// So many interfaces are named in the summary; the record names all.
const NAMED: usize = 16;

impl Coverage {
    /// For people: a line each.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![self.summary()];
        for interface in &self.interfaces {
            lines.extend(interface.blind());
            if let (Hook::Assumed, true, Some(why)) = (interface.to_pod.hook, interface.shared(), &interface.to_pod.why)
            {
                lines.push(format!(
                    "{}: absence of packets to the pod is probable evidence only: {why}",
                    interface.name
                ));
            }
            let behind = interface.to_pod.foreign.iter().filter(|other| !other.before);
            let behind: Vec<&str> = behind.map(|other| other.name.as_str()).collect();
            if !behind.is_empty() {
                lines.push(format!(
                    "{}: what is delivered to it can still be dropped by {}",
                    interface.name,
                    behind.join(", ")
                ));
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

    /// For people: what less can be concluded from here than from a node on which all works.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        let blind = self.interfaces.iter().flat_map(Attached::blind);
        blind.chain(self.degraded.iter().map(ToString::to_string)).collect()
    }

    /// For people: where absence is only probable evidence yet. It ends by itself, as packets come, and need not be said again.
    #[must_use]
    pub fn unproven(&self) -> Option<String> {
        let assumed = |interface: &&Attached| interface.to_pod.hook == Hook::Assumed && !interface.shared();
        match self.interfaces.iter().filter(assumed).count() {
            0 => None,
            count => Some(format!(
                "no packet was seen yet on its way to {count} of the pods: until then absence there is probable evidence only"
            )),
        }
    }

    fn summary(&self) -> String {
        let by = |how| self.interfaces.iter().filter(|interface| interface.how == how).count();
        let counts = [(by(How::Tcx), "TCX"), (by(How::Clsact), "clsact")];
        let how: Vec<String> = counts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, name)| format!("{count} by {name}"))
            .collect();
        let names: Vec<&str> = self
            .interfaces
            .iter()
            .map(|interface| interface.name.as_str())
            .collect();
        match names.len() {
            0 => "observing no interface: no link of this network namespace leads into a pod's (run it in the node's own)".to_owned(),
            1 => format!("observing 1 interface ({}): {}", how.join(", "), names[0]),
            many if many <= NAMED => format!("observing {many} interfaces ({}): {}", how.join(", "), names.join(", ")),
            many => format!(
                "observing {many} interfaces ({}): {} and {} more",
                how.join(", "),
                names[..NAMED].join(", "),
                many - NAMED
            ),
        }
    }
}

impl fmt::Display for Degraded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}; to mend it: {}", self.what, self.lost, self.fix)
    }
}

fn hook<S: Serializer>(hook: &Hook, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match hook {
        Hook::Blind => "blind",
        Hook::Assumed => "assumed",
        Hook::Proven => "proven",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(hook: Hook, why: Option<&str>, foreign: Vec<Foreign>) -> Side {
        Side {
            hook,
            why: why.map(str::to_owned),
            foreign,
        }
    }

    fn coverage() -> Coverage {
        let after = Foreign {
            by: "clsact",
            name: "enforce".to_owned(),
            before: false,
        };
        Coverage {
            interfaces: vec![
                Attached {
                    ifindex: 4,
                    name: "veth4".to_owned(),
                    how: How::Tcx,
                    from_pod: side(Hook::Proven, None, vec![]),
                    to_pod: side(Hook::Assumed, Some("no packet was seen there yet"), vec![]),
                },
                Attached {
                    ifindex: 5,
                    name: "veth5".to_owned(),
                    how: How::Clsact,
                    from_pod: side(Hook::Blind, Some("redirect (tcx) runs before our program"), vec![]),
                    to_pod: side(
                        Hook::Assumed,
                        Some("redirect (tcx) may lead packets past this hook"),
                        vec![after],
                    ),
                },
            ],
            not_observed: vec![NotObserved {
                name: "eth0".to_owned(),
                why: "the node's default route leads through it".to_owned(),
            }],
            degraded: vec![],
        }
    }

    #[test]
    fn people_read_lines() {
        insta::assert_snapshot!(coverage().lines().join("\n"), @r#"
        observing 2 interfaces (1 by TCX, 1 by clsact): veth4, veth5
        veth5: absence of packets from the pod proves nothing: redirect (tcx) runs before our program
        veth5: absence of packets to the pod is probable evidence only: redirect (tcx) may lead packets past this hook
        veth5: what is delivered to it can still be dropped by enforce
        eth0 not observed: the node's default route leads through it
        "#);
    }

    #[test]
    fn of_many_nodes_people_read_only_what_is_missing() {
        let mut coverage = coverage();
        coverage.degraded.push(Degraded {
            code: Code::NoTcx,
            what: "no TCX".into(),
            lost: "filters stay after a kill".into(),
            fix: "Linux 6.6".into(),
        });
        assert_eq!(
            coverage.missing(),
            [
                "veth5: absence of packets from the pod proves nothing: redirect (tcx) runs before our program",
                "no TCX; filters stay after a kill; to mend it: Linux 6.6",
            ]
        );
    }

    #[test]
    fn programs_read_json() {
        insta::assert_json_snapshot!(coverage().interfaces[1], @r#"
        {
          "ifindex": 5,
          "name": "veth5",
          "how": "clsact",
          "from_pod": {
            "hook": "blind",
            "why": "redirect (tcx) runs before our program"
          },
          "to_pod": {
            "hook": "assumed",
            "why": "redirect (tcx) may lead packets past this hook",
            "foreign": [
              {
                "by": "clsact",
                "name": "enforce",
                "before": false
              }
            ]
          }
        }
        "#);
    }
}
