//! What the kernel programs and the observer share: the wire structs ([`abi`]) and the packet and handshake logic,
//! generic over where the bytes come from so that the host can test and fuzz the very code that runs in the kernel.
//!
//! ```text
//! bytes::Bytes → packet::Segment → handshake::key → (look up) → handshake::step → (act, emit)
//!   where from     what it says       which entry                  what to do
//! ```
//!
//! It does not own maps, entry points or anything that needs a kernel: those are in `observer-ebpf`. Nothing here may
//! panic or allocate, and every loop has a constant bound: the kernel's verifier reads it.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(any(test, feature = "craft"))]
extern crate std;

pub mod abi;
pub mod bytes;
#[cfg(any(test, feature = "craft"))]
pub mod craft;
#[cfg(any(test, feature = "craft"))]
pub mod fuzz;
pub mod handshake;
pub mod packet;
