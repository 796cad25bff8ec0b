//! Where bytes come from in the kernel.
use aya_ebpf::{
    helpers::{bpf_probe_read_kernel, bpf_probe_read_kernel_buf, bpf_skb_load_bytes},
    programs::TcContext,
};
use observer_common::bytes::Bytes;

/// The linear part of a packet from `start` on, by direct access. Only for constant places: the verifier wants to know where it reads.
pub(crate) struct Linear<'a> {
    pub(crate) ctx: &'a TcContext,
    pub(crate) start: u32,
}

impl Bytes for Linear<'_> {
    #[inline(always)]
    fn fill<const N: usize>(&self, at: u32, into: &mut [u8; N]) -> bool {
        let skb = self.ctx.skb.skb;
        // Volatile, so that the compiler does not hand the pointers to a function of its own as numbers, which the verifier refuses.
        // SAFETY: reads fields of the context, which the verifier checks.
        let (data, end) = unsafe {
            (
                (&raw const (*skb).data).read_volatile(),
                (&raw const (*skb).data_end).read_volatile(),
            )
        };
        let from = data as usize + self.start as usize + at as usize;
        if from + N > end as usize {
            return false;
        }
        // SAFETY: the bytes lie between `data` and `data_end`, as the verifier checks too; an array of bytes has no alignment.
        *into = unsafe { *(from as *const [u8; N]) };
        true
    }
}

/// A whole packet, linear or not, by a helper call.
pub(crate) struct Whole<'a>(pub(crate) &'a TcContext);

impl Bytes for Whole<'_> {
    #[inline(always)]
    fn fill<const N: usize>(&self, at: u32, into: &mut [u8; N]) -> bool {
        // SAFETY: the helper writes N bytes to `into`, or fails.
        unsafe { bpf_skb_load_bytes(self.0.skb.skb.cast(), at, into.as_mut_ptr().cast(), N as u32) == 0 }
    }
}

/// Kernel memory from `start` on, `len` bytes.
pub(crate) struct Kernel {
    pub(crate) start: *const u8,
    pub(crate) len: u32,
}

impl Bytes for Kernel {
    #[inline(always)]
    fn fill<const N: usize>(&self, at: u32, into: &mut [u8; N]) -> bool {
        if u64::from(at) + N as u64 > u64::from(self.len) {
            return false;
        }
        // SAFETY: the helper checks the address and fails instead of faulting.
        unsafe { bpf_probe_read_kernel_buf(self.start.wrapping_add(at as usize), into) }.is_ok()
    }
}

/// A member of a kernel struct.
#[inline(always)]
pub(crate) fn member<T>(of: *const u8, offset: u32) -> Option<T> {
    // SAFETY: the helper checks the address and fails instead of faulting; `T` is an integer or a pointer.
    unsafe { bpf_probe_read_kernel(of.wrapping_add(offset as usize).cast::<T>()) }.ok()
}
