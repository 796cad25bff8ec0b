//! A scenario as text, and a small model of the kernel's table and of the agent's loop to play it.
//!
//! ```text
//! ms    verb   point   client>server#isn …
//! 0     syn    from-a  a>v                   a SYN passes a's interface; the first of its kind makes no event
//! 0.1   synack to-b    a>b                   its SYN-ACK passes b's interface: an event, and the entry is gone
//! 0.2   rst    from-a  a>v                   likewise; `abort` is the client's RST
//! 0.2   icmp   from-a  a>v port n            an ICMP error by n: port, host, prohibited, ttl, too-big
//! 0.2   drop   node    a>b syn NO_SOCKET     kfree_skb in the node's namespace, or in pod-a's; a function may follow
//! 0     point  b       blind                 what b's to-pod hook is worth: blind, assumed, proven; `nowhere` unbinds b
//! 0     attach b                             b's interface is observed from now on, and its hooks are proven
//! 0     gone   b                             b's interface is not observed any more
//! 5     lost                                 events were lost
//! 5     listener a>b full                    the listener of that attempt was read: full, none
//! 5     mute                                 no sweeps from now on
//! 9     finish                               Ctrl-C
//! 9     end                                  play until then (otherwise ten seconds after the last line)
//! ```
//!
//! a, b, c are pods, v is a Service with the backend b, w one with b and c, e one without backends, n the node, x and y are
//! somewhere outside.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::attempt::*;
use crate::time::Time;

const START: Time = Time(1_700_000_000_000_000_000);
const SWEEP: Duration = Duration::from_millis(250);
const CLIENT_PORT: u16 = 40_000;

/// Plays a scenario with IPv4 and IPv6 and compares the records with `expected`, line by line.
#[track_caller]
pub(super) fn check(scenario: &str, expected: &str) {
    for v6 in [false, true] {
        let seen = play(scenario, v6);
        let expected: Vec<_> = lines(expected).collect();
        let seen: Vec<_> = lines(&seen).collect();
        assert_eq!(
            seen,
            expected,
            "{}, seen:\n{}\n",
            if v6 { "IPv6" } else { "IPv4" },
            seen.join("\n")
        );
    }
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with("//"))
}

fn play(scenario: &str, v6: bool) -> String {
    let mut lab = Lab::new(Names { v6 });
    let mut end = None;
    let mut last = START;
    for line in lines(scenario) {
        let words: Vec<_> = line.split_whitespace().collect();
        let at = START + Duration::from_secs_f64(words[0].parse::<f64>().expect("a time") / 1000.0);
        last = at;
        if words[1] == "end" {
            end = Some(at);
            break;
        }
        lab.run(at);
        lab.line(at, &words[1..]);
    }
    lab.run(end.unwrap_or(last + Duration::from_secs(10)));
    lab.text
}

/// Names of addresses in one family.
#[derive(Clone, Copy)]
pub(super) struct Names {
    pub(super) v6: bool,
}

impl Names {
    const ALL: [&'static str; 9] = ["a", "b", "c", "v", "w", "e", "n", "x", "y"];

    pub(super) fn ip(self, name: &str) -> IpAddr {
        let position = Self::ALL.iter().position(|other| *other == name);
        let last = u8::try_from(position.expect("a known name") + 1).expect("small");
        if self.v6 {
            IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, u16::from(last)])
        } else {
            IpAddr::from([10, 1, 0, last])
        }
    }

    /// Pods listen on 8080, Services on 80; `name:port` says otherwise.
    pub(super) fn server(self, name: &str) -> SocketAddr {
        let (name, port) = match name.split_once(':') {
            Some((name, port)) => (name, port.parse().expect("a port")),
            None if matches!(name, "v" | "w" | "e") => (name, 80),
            None => (name, 8080),
        };
        SocketAddr::new(self.ip(name), port)
    }

    fn client(self, name: &str) -> SocketAddr {
        let (name, port) = match name.split_once(':') {
            Some((name, port)) => (name, port.parse().expect("a port")),
            None => (name, CLIENT_PORT),
        };
        SocketAddr::new(self.ip(name), port)
    }

    fn name(self, address: SocketAddr) -> String {
        let name = Self::ALL.into_iter().find(|name| self.ip(name) == address.ip());
        let name = name.expect("a known address");
        if address == self.server(name) || address == self.client(name) {
            name.to_owned()
        } else {
            format!("{name}:{}", address.port())
        }
    }
}

impl Surroundings for Names {
    fn may_become(&self, dialled: SocketAddr, seen: SocketAddr, at: Time) -> bool {
        dialled == seen || self.destinations(dialled, at).contains(&seen)
    }

    fn is_own_node(&self, address: IpAddr) -> bool {
        address == self.ip("n")
    }

    fn destinations(&self, dialled: SocketAddr, _: Time) -> Vec<SocketAddr> {
        if dialled == self.server("v") || dialled == self.server("n:30080") {
            vec![self.server("b")]
        } else if dialled == self.server("w") {
            vec![self.server("b"), self.server("c")]
        } else if ["a", "b", "c", "n"].iter().any(|name| self.ip(name) == dialled.ip()) {
            vec![dialled]
        } else {
            Vec::new()
        }
    }
}

type Key = (u32, bool, SocketAddr, SocketAddr);

struct Lab {
    names: Names,
    tracker: Tracker,
    /// The kernel's table.
    pending: BTreeMap<Key, (u32, PendingSyn)>,
    /// What sweeps told of it: each entry once for each number of SYNs.
    told: BTreeMap<Key, (u32, u32)>,
    now: Time,
    next_sweep: Time,
    mute: bool,
    ids: BTreeMap<AttemptId, usize>,
    last: BTreeMap<(SocketAddr, SocketAddr), AttemptId>,
    text: String,
}

impl Lab {
    fn new(names: Names) -> Self {
        let mut lab = Self {
            names,
            tracker: Tracker::new(Config::default()),
            pending: BTreeMap::new(),
            told: BTreeMap::new(),
            now: START,
            next_sweep: START,
            mute: false,
            ids: BTreeMap::new(),
            last: BTreeMap::new(),
            text: String::new(),
        };
        for pod in ["a", "b", "c"] {
            lab.point(pod, START, Hook::Proven, true);
        }
        lab
    }

    fn point(&mut self, pod: &str, since: Time, to_pod: Hook, bound: bool) {
        let addresses = if bound { vec![self.names.ip(pod)] } else { Vec::new() };
        self.tell(Observation::Point(Point {
            ifindex: ifindex(pod),
            name: format!("veth-{pod}").into(),
            since,
            addresses,
            from_pod: Hook::Proven,
            to_pod,
            foreign: false,
            bypassed: false,
        }));
    }

    /// Does what the agent does until `until`: sweeps, and ticks when the tracker asks for it.
    fn run(&mut self, until: Time) {
        loop {
            if self.tracker.wants_sweep() && !self.mute {
                self.sweep();
                continue;
            }
            let tick = self.tracker.next_deadline().unwrap_or(until).max(self.now);
            let next = tick.min(self.next_sweep);
            if next >= until {
                self.now = until;
                return;
            }
            self.now = next;
            if next == self.next_sweep {
                self.next_sweep = self.next_sweep + SWEEP;
                if !self.mute {
                    self.sweep();
                }
            }
            let mut out = Vec::new();
            self.tracker.tick(self.now, &self.names, &mut out);
            self.print(out);
        }
    }

    fn sweep(&mut self) {
        self.told.retain(|key, _| self.pending.contains_key(key));
        for (key, (isn, pending)) in self.pending.clone() {
            if self.told.insert(key, (isn, pending.syns)) != Some((isn, pending.syns)) {
                self.sighting(key, isn, Some(pending), Seen::Pending);
            }
        }
        self.tell(Observation::Swept { at: self.now });
    }

    fn tell(&mut self, observation: Observation) {
        let mut out = Vec::new();
        self.tracker.observe(observation, &self.names, &mut out);
        self.print(out);
    }

    fn sighting(&mut self, key: Key, isn: u32, pending: Option<PendingSyn>, what: Seen) {
        let (ifindex, to_pod, client, server) = key;
        self.tell(Observation::Sighting(Sighting {
            ifindex,
            direction: if to_pod { Direction::ToPod } else { Direction::FromPod },
            client,
            server,
            isn,
            at: self.now,
            pending,
            what,
        }));
    }

    fn line(&mut self, at: Time, words: &[&str]) {
        self.now = at;
        match words {
            ["point", pod, "nowhere"] => self.point(pod, START, Hook::Proven, false),
            ["attach", pod] => self.point(pod, at, Hook::Proven, true),
            ["point", pod, hook] => {
                let hook = match *hook {
                    "blind" => Hook::Blind,
                    "assumed" => Hook::Assumed,
                    "proven" => Hook::Proven,
                    other => panic!("no hook {other}"),
                };
                self.point(pod, START, hook, true);
            }
            ["gone", pod] => self.tell(Observation::PointGone { ifindex: ifindex(pod) }),
            ["lost"] => self.tell(Observation::Lost { at, count: 1 }),
            ["mute"] => self.mute = true,
            ["finish"] => {
                let mut out = Vec::new();
                self.tracker.finish(at, &self.names, &mut out);
                self.print(out);
                let unfinished = self.tracker.counters().unfinished;
                let _ = writeln!(self.text, "unfinished {unfinished}");
                self.pending.clear();
                self.mute = true;
            }
            ["listener", flow, state] => {
                let (client, server, _) = self.flow(flow);
                let listener = (*state == "full").then_some(Listener { queue: 2, limit: 1 });
                let id = self.last[&(client, server)];
                self.tell(Observation::Listener { id, listener });
            }
            ["drop", place, flow, segment, rest @ ..] => self.drop(place, flow, segment, rest),
            [verb, point, flow, rest @ ..] => self.packet(verb, point, flow, rest),
            other => panic!("cannot read {other:?}"),
        }
    }

    fn flow(&self, flow: &str) -> (SocketAddr, SocketAddr, u32) {
        let (flow, isn) = flow.split_once('#').unwrap_or((flow, "100"));
        let (client, server) = flow.split_once('>').expect("client>server");
        (
            self.names.client(client),
            self.names.server(server),
            isn.parse().expect("an ISN"),
        )
    }

    fn drop(&mut self, place: &str, flow: &str, segment: &str, rest: &[&str]) {
        let (client, server, isn) = self.flow(flow);
        self.tell(Observation::Drop(Drop {
            at: self.now,
            place: match place.strip_prefix("pod-") {
                Some(pod) => Place::Pod { ifindex: ifindex(pod) },
                None => Place::Node,
            },
            segment: match segment {
                "syn" => Segment::Syn,
                "synack" => Segment::SynAck,
                "rst" => Segment::Rst,
                other => panic!("no segment {other}"),
            },
            client,
            server,
            isn,
            reason: rest
                .first()
                .filter(|reason| **reason != "-")
                .map(|reason| (*reason).into()),
            function: rest.get(1).map(|function| (*function).into()),
        }));
    }

    /// What the kernel side does with a packet.
    fn packet(&mut self, verb: &str, point: &str, flow: &str, rest: &[&str]) {
        let (client, server, isn) = self.flow(flow);
        let (direction, pod) = point.split_once('-').expect("from-x or to-x");
        let key = (ifindex(pod), direction == "to", client, server);
        let entry = self.pending.get(&key).copied();
        if verb == "syn" {
            let mut pending = PendingSyn {
                first: self.now,
                last: self.now,
                syns: 1,
            };
            match entry {
                Some((other, before)) if other == isn => {
                    pending.first = before.first;
                    pending.syns = before.syns + 1;
                    self.sighting(key, isn, Some(pending), Seen::Pending);
                }
                Some((other, before)) => {
                    self.sighting(key, other, Some(before), Seen::Superseded);
                }
                None => {}
            }
            self.pending.insert(key, (isn, pending));
            return;
        }
        let entry = entry.filter(|&(other, _)| other == isn);
        let what = match (verb, entry) {
            ("synack", Some(_)) => Seen::Answered,
            ("synack", None) => Seen::AnsweredAgain,
            // Only an answer to what is pending is an event.
            (_, None) => return,
            ("rst", _) => Seen::Reset { ttl: 64, seq: 0 },
            ("abort", _) => Seen::Aborted,
            ("icmp", _) => Seen::Icmp(self.icmp(rest[0], rest[1])),
            other => panic!("no verb {other:?}"),
        };
        if entry.is_some() {
            self.pending.remove(&key);
        }
        self.sighting(key, isn, entry.map(|(_, pending)| pending), what);
    }

    fn icmp(&self, name: &str, from: &str) -> Icmp {
        let (v4, v6) = match name {
            "port" => ((3, 3), (1, 4)),
            "host" => ((3, 1), (1, 3)),
            "prohibited" => ((3, 13), (1, 1)),
            "ttl" => ((11, 0), (3, 0)),
            "too-big" => ((3, 4), (2, 0)),
            other => panic!("no ICMP error {other}"),
        };
        let (kind, code) = if self.names.v6 { v6 } else { v4 };
        Icmp {
            from: self.names.ip(from),
            kind,
            code,
            quoted_ttl: 63,
        }
    }

    fn print(&mut self, attempts: Vec<Attempt>) {
        for attempt in attempts {
            let count = self.ids.len() + 1;
            let number = *self.ids.entry(attempt.id).or_insert(count);
            self.last.insert((attempt.client, attempt.server), attempt.id);
            let line = render(&attempt, self.names);
            let _ = writeln!(self.text, "{number} {line}");
        }
    }
}

fn ifindex(pod: &str) -> u32 {
    match pod {
        "a" => 1,
        "b" => 2,
        "c" => 3,
        other => panic!("{other} has no interface"),
    }
}

/// When, what, and how; what is as usual is left out.
fn render(attempt: &Attempt, names: Names) -> String {
    let ms = |time: Time| {
        let ms = time.since(START).as_micros() as f64 / 1000.0;
        format!("{ms}")
    };
    let mut text = format!(
        "{} {:?} {}>{} {:?}",
        ms(attempt.decided),
        attempt.stage,
        names.name(attempt.client),
        names.name(attempt.server),
        attempt.outcome
    );
    if let Some(origin) = attempt.origin {
        let _ = write!(text, " by {origin:?}");
    }
    let _ = write!(text, " {:?} syns={}", attempt.reach, attempt.syns);
    let destination = match attempt.destination {
        DestinationHook::NotObserved => "not-observed".to_owned(),
        DestinationHook::Observed(Hook::Proven) => String::new(),
        DestinationHook::Observed(hook) => format!("{hook:?}"),
    };
    let points: Vec<_> = attempt
        .points
        .iter()
        .map(|point| {
            let way = match point.direction {
                Direction::FromPod => "from",
                Direction::ToPod => "to",
            };
            format!("{way}-{}", point.interface.trim_start_matches("veth-"))
        })
        .collect();
    for (label, value) in [
        ("destination", destination),
        ("points", points.join(",")),
        ("backend", attempt.backend.map(|it| names.name(it)).unwrap_or_default()),
        (
            "rewritten",
            attempt.rewritten.map(|it| names.name(it)).unwrap_or_default(),
        ),
        (
            "took",
            attempt
                .handshake
                .map(|it| format!("{}", it.as_micros() as f64 / 1000.0))
                .unwrap_or_default(),
        ),
        (
            "drops",
            attempt
                .drops
                .iter()
                .map(|drop| drop.reason.as_deref().unwrap_or("-"))
                .collect::<Vec<_>>()
                .join(","),
        ),
        (
            "listener",
            attempt
                .listener
                .map(|it| if it.is_some() { "full" } else { "none" }.to_owned())
                .unwrap_or_default(),
        ),
        (
            "recent-reject",
            attempt
                .recent_reject
                .map(|it| if it.is_some() { "icmp" } else { "rst" }.to_owned())
                .unwrap_or_default(),
        ),
        ("recent-success", attempt.recent_success.map(ms).unwrap_or_default()),
    ] {
        if !value.is_empty() {
            let _ = write!(text, " {label}={value}");
        }
    }
    for (label, value) in [
        ("unobserved-source", !attempt.source_observed),
        ("answered", attempt.answered_by_destination),
        ("lost", attempt.lost),
    ] {
        if value {
            let _ = write!(text, " {label}");
        }
    }
    text
}
