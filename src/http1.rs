//! What both ends of HTTP/1.1 (RFC 9112) need: the server towards its clients, the client towards its providers.
//!
//! | room | what it knows |
//! |---|---|
//! | [`chunks`] | the chunked coding |
//! | [`heads`] | how long a head may be, and when looking for its end is worth it |
//! | [`hop`] | what a head says of its body and its connection |
//! | [`numbers`] | numbers on the wire |
//! | [`room`] | where the sockets of a thread are read into, and small writes are joined |
//! | [`turns`] | when a task writes |

pub mod chunks;
pub mod heads;
pub mod hop;
pub mod numbers;
pub mod room;
#[cfg(test)]
pub mod testing;
pub mod turns;
