//! Shared strings: namespaces, labels and the like repeat over thousands of objects.

use std::cell::RefCell;
use std::collections::HashSet;
use std::sync::Arc;

use crate::objects::Str;

thread_local! {
    /// Every string that was interned on this thread. Objects are made in the middle of deserialising, which takes no
    /// argument, so the table belongs to the thread that reads. Strings that nobody holds are deleted by [`sweep`].
    static STRINGS: RefCell<HashSet<Str>> = RefCell::default();
}

/// `text` as a shared string.
pub(super) fn intern(text: &str) -> Str {
    STRINGS.with_borrow_mut(|strings| {
        if let Some(known) = strings.get(text) {
            return known.clone();
        }
        let new: Str = text.into();
        strings.insert(new.clone());
        new
    })
}

/// Forgets the strings of objects that are gone.
pub(super) fn sweep() {
    STRINGS.with_borrow_mut(|strings| strings.retain(|text| Arc::strong_count(text) > 1));
}
