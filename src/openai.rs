//! The wire format: what we read of a request and of an answer, and the errors we write.

pub mod catalogue;
pub mod chunk;
pub mod completion;
pub mod continuation;
pub mod envelope;
pub mod error;
mod layout;
mod literal;
pub mod models;
mod patch;
pub mod progress;
mod scan;
pub mod sse;
#[cfg(test)]
mod testing;
pub mod transcript;
pub mod usage;
