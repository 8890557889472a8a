//! Heads that come in pieces.

use memchr::memmem;

/// The longest head, in bytes. Clients and providers stay below 8 KiB; nginx allows 4 to 32 KiB unless told
/// otherwise.
pub const LONGEST: usize = 64 * 1024;

/// The most header lines; hyper's limit.
pub const LINES: usize = 100;

/// Whether another look at `held` is worth it, of which `before` bytes were there already and `seen` have been
/// looked at in vain: there is an empty line in what is new, or so much new that looking at all of it once more
/// costs no more than reading it did.
pub fn may_be_whole(held: &[u8], before: usize, seen: usize) -> bool {
    let new = &held[before.saturating_sub(2)..];
    held.len() >= LONGEST
        || held.len() / 2 >= seen
        || memmem::find(new, b"\n\n").is_some()
        || memmem::find(new, b"\n\r\n").is_some()
}
