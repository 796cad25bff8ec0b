//! Waiting for a descriptor of ours.

use std::io;
use std::os::fd::AsRawFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Lets the runtime watch an object until it can be read. Must be called inside a tokio runtime with I/O enabled.
///
/// Only for types that own their descriptor and keep it as long as they live.
pub(super) fn watch<T: OwnsDescriptor>(inner: T) -> io::Result<AsyncFd<T>> {
    // SAFETY: the types below own their descriptor, give the same one each time, and close it only when they are dropped.
    unsafe { AsyncFd::register_with_interest(inner, Interest::READABLE) }.map_err(Into::into)
}

/// Types that own one descriptor as long as they live.
pub(super) trait OwnsDescriptor: AsRawFd {}

impl OwnsDescriptor for aya::maps::RingBuf<aya::maps::MapData> {}
impl OwnsDescriptor for super::netlink::Changes {}
impl<T> OwnsDescriptor for aya_log::EbpfLogger<T> {}
