//! The ring of events, read when the kernel says that there is something in it.

use aya::maps::{Map, MapData, MapError, RingBuf};
use observer_common::abi::Event;
use tokio::io::unix::AsyncFd;
use zerocopy::FromBytes as _;

use super::readiness;

/// The most events that are handed on at once, so that a storm costs no more memory than this.
const AT_ONCE: usize = 4096;

/// What one event takes in the ring: the kernel puts 8 bytes before each (`BPF_RINGBUF_HDR_SZ`, bpf.h) and rounds up to 8.
const RECORD: u64 = (size_of::<Event>() as u64 + 8).next_multiple_of(8);

/// The map `EVENTS`.
pub struct Ring {
    buffer: AsyncFd<RingBuf<MapData>>,
    /// Its size in bytes.
    size: u64,
    waiting: Waiting,
}

/// How much waited in the ring.
#[derive(Default)]
struct Waiting {
    /// Events read since the ring was last found empty.
    run: u64,
    /// The most events in such a run.
    most: u64,
}

impl Ring {
    /// Of the map. Must be called inside a tokio runtime with I/O enabled.
    ///
    /// # Errors
    ///
    /// If it is no ring, or cannot be waited for.
    pub fn new(map: Map) -> Result<Self, MapError> {
        let size = match &map {
            Map::RingBuf(data) => u64::from(data.info()?.max_entries()),
            _ => 0,
        };
        Ok(Self {
            buffer: readiness::watch(RingBuf::try_from(map)?)?,
            size,
            waiting: Waiting::default(),
        })
    }

    /// Waits for events and gives those that are there to `each`. Cancelling it loses nothing.
    ///
    /// # Errors
    ///
    /// If the runtime cannot wait.
    pub async fn wait(&mut self, each: impl FnMut(&Event)) -> std::io::Result<()> {
        let mut guard = self.buffer.readable_mut().await?;
        if read(guard.get_inner_mut(), &mut self.waiting, each) {
            guard.clear_ready();
        }
        Ok(())
    }

    /// Gives everything that is there now to `each`.
    pub fn drain(&mut self, mut each: impl FnMut(&Event)) {
        while !read(self.buffer.get_mut(), &mut self.waiting, &mut each) {}
    }

    /// The most that waited at once since the last call, and the ring's size; in bytes. Events that came while others were read count
    /// as waiting.
    pub fn take_most_waiting(&mut self) -> (u64, u64) {
        let most = std::mem::take(&mut self.waiting.most);
        ((most * RECORD).min(self.size), self.size)
    }
}

/// Reads a portion; `true` if nothing is left.
fn read(buffer: &mut RingBuf<MapData>, waiting: &mut Waiting, mut each: impl FnMut(&Event)) -> bool {
    for _ in 0..AT_ONCE {
        let Some(item) = buffer.next() else {
            waiting.run = 0;
            return true;
        };
        waiting.run += 1;
        waiting.most = waiting.most.max(waiting.run);
        match Event::ref_from_bytes(&item) {
            Ok(event) => each(event),
            // The ABI version was checked, so this cannot be an older struct.
            Err(_) => tracing::warn!(len = item.len(), "the ring holds something that is no event"),
        }
    }
    false
}
