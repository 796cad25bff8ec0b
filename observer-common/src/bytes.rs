//! Where the bytes of a packet come from: the linear part by direct access, a helper call, kernel memory, or a slice in
//! a test. The parser does not know which.

/// A packet that can be read in pieces.
pub trait Bytes {
    /// Copies the bytes from `at` on. `false` where the packet, or the part of it that this source can reach, ends before all
    /// are there; `into` is then of no value.
    fn fill<const N: usize>(&self, at: u32, into: &mut [u8; N]) -> bool;

    /// The `N` bytes from `at` on, if they are there.
    #[inline(always)]
    fn read<const N: usize>(&self, at: u32) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        self.fill(at, &mut bytes).then_some(bytes)
    }
}

impl Bytes for [u8] {
    fn fill<const N: usize>(&self, at: u32, into: &mut [u8; N]) -> bool {
        let found = usize::try_from(at).ok().and_then(|at| self.get(at..at.checked_add(N)?));
        found.is_some_and(|found| {
            into.copy_from_slice(found);
            true
        })
    }
}
