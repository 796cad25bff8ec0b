//! What the kernel programs and the observer share: the wire structs ([`abi`]) and the packet and handshake logic,
//! generic over where the bytes come from so that the host can test and fuzz the very code that runs in the kernel.
//!
//! It does not own maps, entry points or anything that needs a kernel: those are in `observer-ebpf`.
#![no_std]
#![forbid(unsafe_code)]

pub mod abi;
