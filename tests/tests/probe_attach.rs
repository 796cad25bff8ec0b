//! Attaching beside others, and leaving nothing behind.

use std::time::Duration;

use aya::programs::tc::TcAttachOptions;
use aya::programs::{LinkOrder, SchedClassifier, TcAttachType};
use observer::attempt::{Hook, Observation, Seen};
use observer::probe::attach::{Mode, clean};
use observer::probe::coverage::How;
use observer::probe::load::{Sizes, load};
use observer::probe::syscall::tcx_programs;
use observer_tests::lab::{Dial, Family, Lab, Listener, NetNs, Topology, dial, kernel_tests, pod};
use observer_tests::watch::{Watch, options, watch};

const PATIENCE: Duration = Duration::from_secs(2);
const BOTH: [Mode; 2] = [Mode::Tcx, Mode::Clsact];

fn lab() -> Option<Lab> {
    kernel_tests().ok()?;
    let mut lab = Lab::new(Topology::Routed).expect("a lab");
    lab.add_pod(pod("shop/cart")).expect("a pod");
    lab.add_pod(pod("shop/api")).expect("a pod");
    Some(lab)
}

fn connect(lab: &Lab) -> Dial {
    let api = lab.pod("shop/api");
    dial(lab.pod("shop/cart").netns(), api.at(Family::V4, 8080), PATIENCE)
}

/// Both filters and qdisc of an interface, as `tc` shows them.
fn tc(node: &NetNs, link: &str) -> String {
    ["ingress", "egress"]
        .map(|side| node.run("tc", &["filter", "show", "dev", link, side], "").expect("tc"))
        .join("")
        + &node
            .run("tc", &["qdisc", "show", "dev", link, "clsact"], "")
            .expect("tc")
}

/// Classic BPF programs that return `TC_ACT_OK` and `TC_ACT_SHOT`: both end the chain.
const PASS: &str = "1,6 0 0 0";
const DROP: &str = "1,6 0 0 2";

/// Adds a filter of somebody else to `veth3`, which has a clsact qdisc.
fn filter(node: &NetNs, side: &str, priority: u16, bytecode: &str) {
    let priority = priority.to_string();
    let arguments = [
        "filter",
        "add",
        "dev",
        "veth3",
        side,
        "prio",
        &priority,
        "protocol",
        "ip",
        "bpf",
        "direct-action",
        "bytecode",
        bytecode,
    ];
    node.run("tc", &arguments, "").expect("a filter");
}

async fn sees_an_answer(watch: &mut Watch, dialled: &Dial) {
    watch
        .until("the answer", |watch| {
            watch.seen.iter().any(|seen| {
                matches!(seen, Observation::Sighting(seen)
                    if seen.what == Seen::Answered && seen.client == dialled.local)
            })
        })
        .await;
}

#[test]
fn nothing_is_left_when_it_stops() {
    let Some(lab) = lab() else { return };
    for mode in BOTH {
        watch(lab.node(), options(mode), async |watch| {
            let how = if mode == Mode::Tcx { How::Tcx } else { How::Clsact };
            assert!(watch.coverage().interfaces.iter().all(|link| link.how == how));
            assert_eq!(tc(lab.node(), "veth2").contains("from_pod"), mode == Mode::Clsact);
        });
        assert_eq!(tc(lab.node(), "veth2"), "", "{mode:?}");
    }
}

#[test]
fn two_observers_see_the_same() {
    let Some(lab) = lab() else { return };
    let _listener = Listener::accepting(lab.pod("shop/api").netns(), 8080).expect("a listener");
    for (first, second) in BOTH.into_iter().flat_map(|first| BOTH.map(|second| (first, second))) {
        watch(lab.node(), options(first), async |one| {
            let inner = lab.node();
            std::thread::scope(|scope| {
                let other = scope.spawn(|| {
                    watch(inner, options(second), async |two| {
                        let dialled = connect(&lab);
                        assert_eq!(dialled.errno(), None);
                        sees_an_answer(two, &dialled).await;
                        // Another observer is not somebody who may drop packets.
                        let links = two.coverage().interfaces;
                        assert!(links.iter().all(|link| link.from_pod.foreign.is_empty()), "{links:?}");
                        assert!(two.points().iter().all(|point| point.from_pod != Hook::Blind));
                    });
                });
                other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            });
            // The second has stopped; the first goes on.
            let dialled = connect(&lab);
            sees_an_answer(one, &dialled).await;
        });
        assert_eq!(tc(lab.node(), "veth2"), "", "{first:?} {second:?}");
    }
}

#[test]
fn foreign_filters_go_on_and_are_told() {
    let Some(lab) = lab() else { return };
    let _listener = Listener::accepting(lab.pod("shop/api").netns(), 8080).expect("a listener");
    let node = lab.node();
    node.run("tc", &["qdisc", "add", "dev", "veth3", "clsact"], "")
        .expect("a qdisc");
    for mode in BOTH {
        watch(node, options(mode), async |watch| {
            let point = |watch: &Watch| {
                watch
                    .points()
                    .into_iter()
                    .find(|point| &*point.name == "veth3")
                    .expect("it")
            };
            assert!(!point(watch).foreign);
            // Behind ours in either way of attaching.
            filter(node, "egress", 65530, DROP);
            watch.until("the filter at egress", |watch| point(watch).foreign).await;
            assert_ne!(point(watch).from_pod, Hook::Blind);
            // It drops behind us: seen, and not answered.
            let dialled = dial(
                lab.pod("shop/cart").netns(),
                lab.pod("shop/api").at(Family::V4, 8080),
                Duration::from_millis(200),
            );
            assert!(dialled.result.is_err());
            let swept = watch.sweep();
            let ifindex = point(watch).ifindex;
            assert!(
                swept.iter().any(|seen| matches!(seen, Observation::Sighting(seen)
                    if seen.ifindex == ifindex && seen.client == dialled.local && seen.what == Seen::Pending)),
                "{mode:?} {swept:?}"
            );
            let coverage = watch.coverage();
            let side = &coverage
                .interfaces
                .iter()
                .find(|link| link.name == "veth3")
                .expect("it")
                .to_pod;
            assert_eq!((side.foreign[0].by, side.foreign[0].before), ("clsact", false));
        });
        // Ours went, theirs stayed.
        let left = tc(node, "veth3");
        assert!(
            left.contains(DROP) && left.contains("qdisc clsact") && !left.contains("from_pod"),
            "{left}"
        );
        node.run("tc", &["filter", "del", "dev", "veth3", "egress"], "")
            .expect("it goes");
    }
}

#[test]
fn a_filter_before_ours_makes_ingress_blind() {
    let Some(lab) = lab() else { return };
    let node = lab.node();
    node.run("tc", &["qdisc", "add", "dev", "veth3", "clsact"], "")
        .expect("a qdisc");
    filter(node, "ingress", 1, PASS);
    let check = |mode, expect| {
        watch(node, options(mode), async |watch| {
            let points = watch.points();
            let point = points.iter().find(|point| &*point.name == "veth3").expect("it");
            assert_eq!((point.from_pod, point.to_pod), (expect, Hook::Blind), "{mode:?}");
        });
    };
    check(Mode::Clsact, Hook::Blind);
    check(Mode::Tcx, Hook::Assumed);
}

/// An observer in a process of its own, this test's binary once more, that has attached.
struct Other(std::process::Child);

impl Other {
    fn attached(node: &NetNs, mode: &str) -> Self {
        let mut child = std::process::Command::new(std::env::current_exe().expect("own path"));
        child
            .args(["--exact", "attach_and_wait", "--ignored", "--nocapture"])
            .env("OBSERVER_TEST_ATTACH", mode)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped());
        let mut child = node.enter(|| child.spawn()).expect("a process");
        let output = child.stdout.take().expect("its output");
        let attached = std::io::BufRead::lines(std::io::BufReader::new(output))
            .any(|line| line.is_ok_and(|line| line.contains("attached")));
        assert!(attached);
        Self(child)
    }

    /// As `kill -9` does.
    fn kill(mut self) {
        self.0.kill().expect("it dies");
        self.0.wait().expect("it is dead");
    }
}

#[test]
fn what_a_killed_observer_left_is_removed() {
    let Some(lab) = lab() else { return };
    let node = lab.node();
    let other = Other::attached(node, "clsact");
    assert!(tc(node, "veth2").contains("from_pod"));
    // While it lives, its filters are not ours to remove.
    assert_eq!(node.enter(clean).expect("clean"), []);

    other.kill();
    assert!(
        tc(node, "veth2").contains("from_pod"),
        "clsact filters survive their process"
    );
    let removed = node.enter(clean).expect("clean");
    assert_eq!(removed.iter().map(|(_, count)| count).collect::<Vec<_>>(), [&2, &2]);
    assert_eq!(tc(node, "veth2"), "");
}

#[test]
fn the_next_start_removes_what_was_left() {
    let Some(lab) = lab() else { return };
    let node = lab.node();
    Other::attached(node, "clsact").kill();
    assert!(tc(node, "veth2").contains("from_pod"));
    watch(node, options(Mode::Auto), async |_| assert_eq!(tc(node, "veth2"), ""));
}

#[test]
fn a_killed_observer_leaves_nothing_of_tcx() {
    let Some(lab) = lab() else { return };
    let programs = || {
        let index = nix::net::if_::if_nametoindex("veth2").expect("its index");
        [false, true].map(|egress| tcx_programs(index, egress).expect("a query").len())
    };
    let other = Other::attached(lab.node(), "tcx");
    assert_eq!(lab.node().enter(programs), [1, 1]);
    other.kill();
    assert_eq!(lab.node().enter(programs), [0, 0]);
}

/// Somebody's TCX programs: `empty` of our own object, which is not ours by name.
#[test]
fn foreign_tcx_programs_are_told_and_followed() {
    let Some(lab) = lab() else { return };
    let mut others = load(Sizes::default(), 0).expect("the programs").ebpf;
    let program: &mut SchedClassifier = others
        .program_mut("empty")
        .expect("the program")
        .try_into()
        .expect("a classifier");
    program.load().expect("it loads");
    let mut attach = |side, order| {
        let program = &mut *program;
        lab.node().enter(move || {
            let options = TcAttachOptions::TcxOrder(order);
            program.attach_with_options("veth3", side, options).expect("attached")
        })
    };
    let point = |watch: &Watch| {
        let points = watch.points();
        points.into_iter().find(|point| &*point.name == "veth3").expect("it")
    };
    watch(lab.node(), options(Mode::Tcx), async |watch| {
        assert_eq!(point(watch).from_pod, Hook::Assumed);
        attach(TcAttachType::Egress, LinkOrder::last());
        watch
            .until("the program behind ours", |watch| point(watch).foreign)
            .await;
        assert_eq!(
            (point(watch).from_pod, point(watch).to_pod),
            (Hook::Assumed, Hook::Blind)
        );
        attach(TcAttachType::Ingress, LinkOrder::first());
        watch
            .until("the program before ours", |watch| point(watch).from_pod == Hook::Blind)
            .await;
        let coverage = watch.coverage();
        let link = coverage
            .interfaces
            .iter()
            .find(|link| link.name == "veth3")
            .expect("it");
        assert_eq!(
            (link.from_pod.foreign[0].name.as_str(), link.from_pod.foreign[0].before),
            ("empty", true)
        );
        assert!(
            watch
                .points()
                .iter()
                .any(|point| &*point.name == "veth2" && !point.foreign)
        );
    });
}

#[test]
#[ignore = "a process for what_a_killed_observer_left_is_removed"]
fn attach_and_wait() {
    let mode = match std::env::var("OBSERVER_TEST_ATTACH").as_deref() {
        Ok("tcx") => Mode::Tcx,
        Ok("clsact") => Mode::Clsact,
        _ => return,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let _probe = observer::probe::Probe::start(options(mode)).expect("a probe");
        println!("attached");
        // Until it is killed; or the parent is gone, which closes the pipe.
        let _ = std::io::Read::read(&mut std::io::stdin(), &mut [0]);
    });
}

/// What the probe says in a process with these capabilities only.
fn says_with(node: &NetNs, capabilities: &str) -> String {
    let mut child = std::process::Command::new("setpriv");
    child
        .args(["--bounding-set", &format!("-all{capabilities}"), "--inh-caps", "-all"])
        .arg(std::env::current_exe().expect("own path"))
        .args(["--exact", "start_and_tell", "--ignored", "--nocapture"])
        .env("OBSERVER_TEST_ATTACH", "tell");
    let output = node.enter(|| child.output()).expect("setpriv runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn missing_permission_is_an_error_or_degrades() {
    let Some(lab) = lab() else { return };
    let check = |capabilities, expect: &[&str]| {
        let text = says_with(lab.node(), capabilities);
        for part in expect {
            assert!(text.contains(part), "{capabilities} {part}: {text}");
        }
    };
    check("", &["not permitted", "CAP_BPF"]);
    check(",+bpf,+perfmon", &["not permitted", "CAP_NET_ADMIN"]);
    check(
        ",+bpf,+perfmon,+net_admin",
        &["observing 2 interfaces (2 by TCX)", "hides its addresses", "CAP_SYSLOG"],
    );
    check(",+bpf,+net_admin", &["not permitted", "CAP_PERFMON"]);
}

#[test]
#[ignore = "a process for missing_permission_is_an_error_or_degrades"]
fn start_and_tell() {
    if std::env::var("OBSERVER_TEST_ATTACH").as_deref() != Ok("tell") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        match observer::probe::Probe::start(options(Mode::Auto)) {
            Ok(probe) => println!("{}", probe.coverage().lines().join("\n")),
            Err(error) => println!("{error}"),
        }
    });
}

/// `cargo test -p observer-tests --release --test probe_attach -- --ignored --nocapture what` prints what attaching costs.
#[test]
#[ignore = "prints numbers; nothing can fail"]
fn what_attaching_costs() {
    let Some(lab) = lab() else { return };
    let pods = NetNs::new(&format!("{}-many", lab.node().name())).expect("a namespace");
    let links: String = (0..100)
        .map(|nth| format!("link add pod{nth} type veth peer name eth{nth} netns {}\n", pods.name()))
        .collect();
    lab.node().ip(&links).expect("links");
    let start = |interfaces: &str, mode| {
        lab.node().enter(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let started = std::time::Instant::now();
                let options = observer::probe::Options {
                    interfaces: vec![interfaces.to_owned()],
                    ..options(mode)
                };
                let probe = observer::probe::Probe::start(options).expect("a probe");
                let took = started.elapsed();
                let started = std::time::Instant::now();
                let count = probe.points().count();
                probe.stop();
                (count, took, started.elapsed())
            })
        })
    };
    for mode in BOTH {
        for interfaces in ["veth2", "*"] {
            let (count, took, stopped) = start(interfaces, mode);
            println!("{mode:?}: started on {count} interfaces in {took:?}, stopped in {stopped:?}");
        }
    }
    let status = std::fs::read_to_string("/proc/self/status").expect("status");
    let resident = status
        .lines()
        .find(|line| line.starts_with("VmRSS"))
        .unwrap_or_default();
    println!("resident after that: {resident}");
}
