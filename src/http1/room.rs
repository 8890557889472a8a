//! Where the sockets of a thread are read into.

use std::cell::RefCell;

/// How much is read at once, in bytes: what a peer sends in one go, mostly, so that it goes on in one go too.
pub const READ: usize = 64 * 1024;

thread_local! {
    static READ_INTO: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ].into_boxed_slice());
}

/// Lends the [`READ`] bytes that all sockets of this thread share, so that none holds a buffer while it waits.
/// What is worth keeping is copied out.
pub fn lend<T>(to: impl FnOnce(&mut [u8]) -> T) -> T {
    READ_INTO.with_borrow_mut(|room| to(room))
}
