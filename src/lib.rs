//! Backstop: an OpenAI-compatible reverse proxy that keeps asking until a model answers.
//!
//! A client asks for a *route*. Backstop tries the route's *chain* of *candidates* (a provider
//! and a model each) on a burst/cycle schedule and streams the first good answer straight through.
//!
//! # The rooms, from the ground up
//!
//! Imports point down only; level 0 imports nothing but level 0.
//!
//! | level | room | what it knows |
//! |---|---|---|
//! | 0 | [`route`] | what a client can ask for: routes, chains, candidates, limits; which models of a list they are |
//! | 0 | [`retry`] | fault → verdict → step, the whole schedule; rests, gates and quotas; without a clock |
//! | 0 | [`openai`] | the wire: envelope of a request, events of a stream, the rest of a broken one, progress, error objects, lists of models |
//! | 1 | [`config`] | file < environment < flags, checked into a `Runtime` that cannot be wrong |
//! | 1 | [`telemetry`] | where log lines go |
//! | 1 | [`timers`] | timers that stay set, from one wait to the next |
//! | 1 | [`http1`] | what both ends of HTTP/1.1 need: chunks, what heads say to the connection, the room that sockets are read into |
//! | 2 | [`upstream`] | one attempt: connections, headers, keys, decoding |
//! | 2 | [`sim`] | a provider that misbehaves on purpose; knows no other room |
//! | 3 | [`relay`] | drives a schedule with an upstream: peek, commit, body, progress, resume; what requests know together |
//! | 4 | [`server`], [`app`], [`shutdown`] | sockets, paths, status codes, the end |
//! | 5 | [`cli`], [`demo`], [`explain`] | what a person types |
//!
//! # Invariants
//!
//! * Level 0 never reads a clock, awaits, logs or draws from a shared source of randomness:
//!   `now` and the generator are arguments.
//! * The body of a request is read once and never written again; an attempt sends slices of it.
//! * Nothing of an answer goes out before it has really opened. After that another candidate may only
//!   go on from exactly what the client has: two different answers are never glued together.
//! * Every attempt is sent by leave of `relay::health`; whatever a request holds there, it gives back
//!   when it is dropped. None of its locks is held across an await.
//! * A stream that we end is ended cleanly: an error event and `[DONE]`, never a torn connection.
//! * Cancellation is drop: a client that leaves takes its attempt, pause and body along.
//! * A request takes one snapshot of the routes. Lists of models are fetched by tasks of their own, which
//!   replace the routes as a whole; no request waits for them.
//! * No task is spawned on the way of a request; connections to providers are polled by the
//!   request that uses them.
//! * A connection of a client lives on one thread, with all that its requests wait for. The first thread also
//!   accepts, hears signals and tidies: whatever takes it a millisecond goes to a thread of its own.
//! * Only [`retry::classify`] decides what may be tried again; only `server::error` picks status
//!   codes; only `config::file` spells config keys.

pub mod app;
pub mod cli;
pub mod config;
pub mod demo;
pub mod explain;
pub mod http1;
pub mod openai;
pub mod relay;
pub mod retry;
pub mod route;
pub mod server;
pub mod shutdown;
pub mod sim;
pub mod telemetry;
pub mod timers;
pub mod upstream;
