//! What a stream shows while there is no answer, or none any more: what is worth showing, and when.
//!
//! The observer says what happens, and whoever writes the stream takes what is due. Both are polled by the
//! task of the request, one after the other, so nobody has to be woken.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use bytes::{Bytes, BytesMut};
use tokio::time::Instant;

use super::Request;
use crate::openai::progress::{Author, Toast};
use crate::route::{Notifications, ProgressMode};

mod pacer;

pub use pacer::PACE;

use pacer::Pacer;

/// The progress of one request.
#[derive(Debug, Clone)]
pub(super) struct Progress(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    began: Instant,
    voice: Voice,
    state: Mutex<State>,
}

/// How progress is told, beside comments.
#[derive(Debug)]
enum Voice {
    /// Not at all.
    Silent,
    /// Open `WebUI`'s status line and toasts.
    OpenWebui(Author, Notifications),
    /// A folded thinking block.
    Reasoning(Author),
}

#[derive(Debug, Default)]
struct State {
    /// The newest thing worth telling, for comments.
    newest: Newest,
    pacer: Pacer,
    /// They go out with the next line.
    toasts: Vec<(Toast, String)>,
    /// Toasts about who refuses for good, as long as it is open whether the request goes on without them.
    refusals: Vec<String>,
    /// Whether more than one attempt was needed.
    retried: bool,
    /// Whether some of the answer has gone out.
    begun: bool,
    last: Option<Last>,
}

/// The newest thing worth telling, in words when they are asked for: most answers come before that.
#[derive(Debug, Default)]
enum Newest {
    #[default]
    Nothing,
    /// An attempt is under way.
    Attempt {
        number: u32,
        of: u32,
    },
    Said(String),
}

/// What is said in the end.
#[derive(Debug)]
struct Last {
    line: String,
    /// That an answer has come.
    toast: Option<String>,
}

impl Progress {
    pub(super) fn new(request: &Request, began: Instant) -> Self {
        let author = || {
            let created = UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs());
            Author::new(request.asked.id(), created, &request.route.name)
        };
        let voice = match request.progress {
            ProgressMode::Off | ProgressMode::Comments => Voice::Silent,
            ProgressMode::OpenWebui => Voice::OpenWebui(author(), request.route.notifications),
            ProgressMode::Reasoning => Voice::Reasoning(author()),
        };
        Self(Arc::new(Shared { began, voice, state: Mutex::default() }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Duration {
        self.0.began.elapsed()
    }

    /// The attempt `number` of as many goes out; where there is something better to show, `line` says it.
    pub(super) fn attempt(&self, number: u32, of: u32, line: Option<String>) {
        let mut state = self.state();
        state.goes_on();
        state.newest = Newest::Attempt { number, of };
        // Nothing at all when the first one answers.
        if state.retried || state.pacer.speaks() {
            let line = line.unwrap_or_else(|| state.newest.to_string());
            state.pacer.say_if_it_lasts(line, self.now());
        }
    }

    /// A wait begins, or goes on.
    pub(super) fn wait(&self, text: String) {
        let now = self.now();
        let mut state = self.state();
        state.goes_on();
        // A status line knows no Markdown.
        state.pacer.say(text.replace('`', ""), now);
        state.newest = Newest::Said(text);
    }

    /// An attempt failed.
    pub(super) fn failed(&self) {
        self.state().retried = true;
    }

    /// An answer broke off: what was to be said before is over.
    pub(super) fn broke(&self) {
        let now = self.now();
        let mut state = self.state();
        state.pacer.close(now, false);
        state.toasts.clear();
        state.refusals.clear();
        (state.last, state.retried, state.begun) = (None, true, true);
    }

    /// A toast, to go out with the next line in place of older ones of its kind, if that is wanted.
    pub(super) fn toast(&self, kind: Toast, text: String) {
        if self.0.voice.toasts(kind) {
            let mut state = self.state();
            state.toasts.retain(|(other, _)| *other != kind);
            state.toasts.push((kind, text));
        }
    }

    /// A toast about somebody who refuses for good, if the request goes on.
    pub(super) fn refusal(&self, text: String) {
        if self.0.voice.toasts(Toast::Error) {
            self.state().refusals.push(text);
        }
    }

    /// What is said when an answer has come.
    pub(super) fn answered(&self, line: String, toast: Option<String>) {
        let mut state = self.state();
        state.goes_on();
        state.last = Some(Last { line, toast });
    }

    /// What is said when none will. The error that follows is a toast without our help: Open `WebUI` shows it
    /// in the chat and as one.
    pub(super) fn unanswered(&self, line: String) {
        let mut state = self.state();
        state.refusals.clear();
        state.last = Some(Last { line, toast: None });
    }

    /// The newest text, one line.
    pub(super) fn text(&self) -> String {
        self.state().newest.to_string()
    }

    /// Whether nothing is told but comments.
    pub(super) fn is_silent(&self) -> bool {
        matches!(self.0.voice, Voice::Silent)
    }

    /// What is left to do for whoever ends the stream in the place of the relay.
    pub(super) fn parting(&self) -> Option<Parting> {
        (!self.is_silent()).then(|| Parting(self.clone()))
    }

    /// When something is to go out.
    pub(super) fn due(&self) -> Option<Instant> {
        let state = self.state();
        match self.0.voice {
            Voice::Silent => None,
            // A thinking block in the midst of an answer would cut its text in two.
            Voice::Reasoning(_) if state.begun => None,
            Voice::OpenWebui(..) | Voice::Reasoning(_) => state.pacer.due().map(|due| self.0.began + due),
        }
    }

    /// What is to go out now.
    pub(super) fn take(&self) -> Option<Bytes> {
        let now = self.now();
        let mut state = self.state();
        let line = state.pacer.take(now)?;
        let toasts = std::mem::take(&mut state.toasts);
        Some(self.0.voice.tell(&line, false, toasts))
    }

    /// The last that is said, before an answer goes out or goes on, or before the error: if something was
    /// shown that would otherwise stand there for ever, or if the head is `early` and the client has waited
    /// for more than one attempt.
    pub(super) fn close(&self, early: bool) -> Option<Bytes> {
        let now = self.now();
        let mut state = self.state();
        let last = state.last.take();
        let wanted = early && state.retried && last.is_some();
        let shown = state.pacer.close(now, wanted);
        let mut toasts = std::mem::take(&mut state.toasts);
        let Last { line, toast } = last.filter(|_| shown && !matches!(self.0.voice, Voice::Silent))?;
        let toast = toast.filter(|_| self.0.voice.toasts(Toast::Success));
        toasts.extend(toast.map(|text| (Toast::Success, text)));
        Some(self.0.voice.tell(&line, true, toasts))
    }
}

/// What a stream still has to say if it cannot go on; an extension of its response.
#[derive(Debug, Clone)]
pub struct Parting(Progress);

impl Parting {
    /// The events that close what is shown, if anything is.
    pub fn last_words(&self) -> Option<Bytes> {
        self.0.state().last = Some(Last { line: "Stopped by an unexpected error".to_owned(), toast: None });
        self.0.close(false)
    }
}

impl State {
    fn goes_on(&mut self) {
        let refusals = self.refusals.drain(..).map(|text| (Toast::Error, text));
        self.toasts.extend(refusals);
    }
}

impl fmt::Display for Newest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => Ok(()),
            Self::Attempt { number, of } => write!(f, "Attempt {number}/{of} in progress…"),
            Self::Said(text) => f.write_str(text),
        }
    }
}

impl Voice {
    fn tell(&self, line: &str, done: bool, toasts: Vec<(Toast, String)>) -> Bytes {
        match self {
            Self::Silent => Bytes::new(),
            Self::Reasoning(author) => author.reasoning(line),
            Self::OpenWebui(author, _) => {
                let mut events = BytesMut::from(author.status(line, done));
                for (kind, text) in toasts {
                    events.extend_from_slice(&author.toast(kind, &text));
                }
                events.freeze()
            }
        }
    }

    /// Whether toasts of this kind are shown, and wanted.
    fn toasts(&self, kind: Toast) -> bool {
        let Self::OpenWebui(_, wanted) = self else { return false };
        match kind {
            Toast::Success => wanted.success,
            Toast::Warning => wanted.warning,
            Toast::Error => wanted.error,
            Toast::Info => wanted.info,
        }
    }
}
