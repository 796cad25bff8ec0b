//! Pods as network namespaces: the lab, the scenarios and the demo that run on the real kernel.
//!
//! ```text
//! lab/       namespaces, veths, Services as DNAT, enforcement as nftables, sockets, the observer under test
//! testrun    the kernel programs under BPF_PROG_TEST_RUN, with packets made by hand
//! ```
#![forbid(unsafe_code)]

pub mod lab;
pub mod testrun;
