//! Backstop from outside: real sockets, simulated providers, one file a topic.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod cancel;
mod cases;
mod chaos;
mod config;
mod connections;
mod cooldown;
mod demo;
mod discovery;
mod drain;
mod early;
mod endpoints;
mod ends;
mod explain;
mod faults;
mod fidelity;
mod files;
mod headers;
mod hedge;
mod load;
mod log;
mod matrix;
mod panics;
mod pipe_parity;
mod pools;
mod progress;
mod quota;
mod readers;
mod resume;
mod schedule;
mod server;
mod storm;
mod support;
mod tasks;
mod tool_calls;
mod users;
mod verified;
mod walls;
