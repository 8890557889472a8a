//! What a client has been given of an answer, and by whom.

use std::sync::Arc;

use crate::openai::continuation::{Continuation, Mode, Part};
use crate::openai::transcript::{Transcript, Why};
use crate::route::Candidate;

/// An answer so far.
#[derive(Debug, Clone)]
pub(super) struct Record {
    transcript: Transcript,
    /// The candidates that took part before the one that is answering.
    before: Vec<Part>,
    /// The one that began it, as long as nobody else has gone on.
    first: Option<(Arc<str>, Arc<str>)>,
}

impl Record {
    /// Nothing yet, of an answer that `candidate` begins.
    pub(super) fn begin(candidate: &Candidate) -> Self {
        Self { transcript: Transcript::new(), before: Vec::new(), first: Some(names(candidate)) }
    }

    /// An event with this data goes to the client.
    pub(super) fn observe(&mut self, data: &[u8]) {
        self.transcript.observe(data);
    }

    /// The text so far.
    pub(super) fn text(&self) -> &str {
        self.transcript.text()
    }

    /// Whether somebody else can go on from here, or else why not.
    pub(super) fn resumable(&self) -> Result<(), Why> {
        self.transcript.resumable()
    }

    /// What makes the rest of it out of the stream of `candidate`.
    pub(super) fn continuation(&self, mode: Mode, candidate: &Candidate) -> Continuation {
        let (provider, model) = names(candidate);
        Continuation::new(&self.transcript, mode).after(self.parts(), provider, model)
    }

    /// The same after a continuation has broken too.
    pub(super) fn with(self, continuation: Continuation) -> Self {
        Self { transcript: self.transcript, before: continuation.into_parts(), first: None }
    }

    fn parts(&self) -> Vec<Part> {
        let first = self.first.clone().map(|(provider, model)| Part {
            provider,
            model,
            usage: self.transcript.usage(),
        });
        self.before.iter().cloned().chain(first).collect()
    }
}

fn names(candidate: &Candidate) -> (Arc<str>, Arc<str>) {
    (Arc::clone(&candidate.provider_name), Arc::clone(&candidate.model))
}
