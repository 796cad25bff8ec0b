//! The parser's result as a number. Functions of their own cannot return it as it is: the kernel refuses the BTF of a
//! prototype with a Rust enum that has fields.
use observer_common::packet::Skip;

/// What was looked for is there.
pub(crate) const FOUND: u32 = 0;
/// [`Skip::Other`].
const OTHER: u32 = 1;
/// [`Skip::Fragment`].
pub(crate) const FRAGMENT: u32 = 2;
/// [`Skip::Unparsed`].
pub(crate) const UNPARSED: u32 = 3;

#[inline(always)]
pub(crate) fn of(result: Result<(), Skip>) -> u32 {
    match result {
        Ok(()) => FOUND,
        Err(Skip::Other) => OTHER,
        Err(Skip::Fragment) => FRAGMENT,
        Err(Skip::Unparsed) => UNPARSED,
    }
}
