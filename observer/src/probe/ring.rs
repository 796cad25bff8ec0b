//! The ring of events, read when the kernel says that there is something in it.

use aya::maps::{Map, MapData, MapError, RingBuf};
use observer_common::abi::Event;
use tokio::io::unix::AsyncFd;
use zerocopy::FromBytes as _;

use super::readiness;

/// The most events that are handed on at once, so that a storm costs no more memory than this.
const AT_ONCE: usize = 4096;

/// The map `EVENTS`.
pub struct Ring {
    buffer: AsyncFd<RingBuf<MapData>>,
}

impl Ring {
    /// Of the map. Must be called inside a tokio runtime with I/O enabled.
    ///
    /// # Errors
    ///
    /// If it is no ring, or cannot be waited for.
    pub fn new(map: Map) -> Result<Self, MapError> {
        Ok(Self {
            buffer: readiness::watch(RingBuf::try_from(map)?)?,
        })
    }

    /// Waits for events and gives those that are there to `each`. Cancelling it loses nothing.
    ///
    /// # Errors
    ///
    /// If the runtime cannot wait.
    pub async fn wait(&mut self, each: impl FnMut(&Event)) -> std::io::Result<()> {
        let mut guard = self.buffer.readable_mut().await?;
        if read(guard.get_inner_mut(), each) {
            guard.clear_ready();
        }
        Ok(())
    }

    /// Gives everything that is there now to `each`.
    pub fn drain(&mut self, mut each: impl FnMut(&Event)) {
        while !read(self.buffer.get_mut(), &mut each) {}
    }
}

/// Reads a portion; `true` if nothing is left.
fn read(buffer: &mut RingBuf<MapData>, mut each: impl FnMut(&Event)) -> bool {
    for _ in 0..AT_ONCE {
        let Some(item) = buffer.next() else { return true };
        match Event::ref_from_bytes(&item) {
            Ok(event) => each(event),
            // The ABI version was checked, so this cannot be an older struct.
            Err(_) => tracing::warn!(len = item.len(), "the ring holds something that is no event"),
        }
    }
    false
}
