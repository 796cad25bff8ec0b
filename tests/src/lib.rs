//! Pods as network namespaces: the lab, the scenarios and the demo that run on the real kernel.
//!
//! ```text
//! lab/       namespaces, veths, Services as DNAT, enforcement as nftables, sockets, the observer under test
//! agents/    agents without a kernel: real servers, told what they observed
//! fake_api/  an API server that fails as it is told
//! bench/     figures, and the limits they are held to
//! watch      a probe inside a namespace, and what it tells
//! testrun    the kernel programs under BPF_PROG_TEST_RUN, with packets made by hand
//! scenario/  objects + traffic + what must be said, as data, and the runner
//! demo/      the story that `cargo xtask demo` plays
//! chart/     the Helm chart without helm
//! e2e/       the test of a real cluster
//! ```
#![forbid(unsafe_code)]

pub mod agents;
pub mod bench;
pub mod chart;
pub mod demo;
pub mod e2e;
pub mod fake_api;
pub mod lab;
pub mod scenario;
pub mod testrun;
pub mod watch;
