//! HTTP/1.1 (RFC 9112) as a client speaks it, without a socket: bytes in, decisions out.
//!
//! Only what stands between us and a provider: requests with a body of known length, no `HEAD`, no
//! `CONNECT`, no upgrade. Heads are parsed by `httparse`, as hyper's are. How a message was split
//! on its way never changes what is made of it.
//!
//! | room | what it knows |
//! |---|---|
//! | [`request`] | the head of a request as bytes, and what of a message has not gone out yet |
//! | [`head`] | the head of a response, interim responses skipped |
//! | [`framing`] | where its body ends, and whether the connection can go on after it |
//!
//! Tests feed the same bytes to hyper's client and hold the two against each other. They differ in
//! this: a response with both `transfer-encoding` and `content-length` is read as chunks by both,
//! but its connection is not used again here; trailers are skipped unread here, so a wrong one is
//! no fault; and a head ends at 64 KiB here, interim responses included, which hyper allows 400 KiB
//! each.

pub(super) mod framing;
pub(super) mod head;
pub(super) mod request;

#[cfg(test)]
mod tests;
