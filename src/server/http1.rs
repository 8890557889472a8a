//! HTTP/1.1 (RFC 9112) as a server speaks it.
//!
//! Only what stands between us and a client: no upgrade, no `CONNECT`, no trailers. Heads are parsed by
//! `httparse`. How a request was split on its way never changes what is made of it, and whatever two readers
//! could take for two different requests is refused.
//!
//! | room | what it knows |
//! |---|---|
//! | [`request`] | the head of a request, and where its body ends |
//! | [`response`] | the head of a response as bytes |
//! | [`outbox`] | what of a response has not gone out yet |
//! | [`wire`] | the socket of a connection, and what has come in before anybody asked for it |
//! | [`incoming`] | the body of a request, read from the socket into the buffer of whoever wants it |

pub mod incoming;
pub(super) mod outbox;
pub(super) mod request;
pub(super) mod response;
pub(super) mod wire;
