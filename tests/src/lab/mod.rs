//! A Kubernetes node made of network namespaces.
//!
//! ```text
//!  outside (203.0.113.10)          pod ns        pod ns        pod ns
//!     │ 172.18.0.1                 │ eth0        │ eth0        │ eth0
//!     │                            │             │             │
//!     └── eth0 172.18.0.2 ── node namespace ── veth1, veth2, veth3   (routed, or on the bridge cni0)
//!                              nft: Services (DNAT), masquerade, enforcement, host firewall
//! ```
//!
//! Enforcement is written by the caller as nftables rules. It is never derived from the policies, so that what the wire does and
//! what the observer concludes have nothing in common but the packets.
//!
//! Each lab has its own namespaces with names of their own, so labs run side by side; dropping one removes everything.

mod agent;
mod firewall;
mod hooks;
mod manifests;
mod netns;
mod observer;
mod pod;
mod raw;
mod requirements;
mod service;
mod shell;
mod topology;
mod traffic;

pub use agent::{Agent, AgentCommand, agent, logged};
pub use firewall::Chain;
pub use hooks::{FOREIGN, ForeignTcx, add_foreign_clsact_drop, clsact_filters, tcx_programs};
pub use manifests::Manifests;
pub use netns::NetNs;
pub use observer::{Finished, Observer, Tail, binary};
pub use pod::{Pod, PodSpec, pod};
pub use raw::{Segment, send_segment};
pub use requirements::{Skip, kernel_tests};
pub use service::{Service, ServiceSpec, service};
pub use topology::{Family, Lab, Topology, addresses};
pub use traffic::{Dial, Listener, TcpFlavour, abort, dial, dial_from};
