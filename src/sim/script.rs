//! Which act meets which request, and a small language to say so.
//!
//! `429x12,hang,200` reads: twelve times 429, then a request that is never answered, then good
//! answers for ever. The words are those of [`Word`].

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::act::{Act, Finish};
use super::{Request, answer};

/// Which act meets which request.
#[derive(Debug)]
#[must_use]
pub struct Script {
    source: Source,
    /// Which act meets which request for the list of models.
    catalogue: Option<Box<Script>>,
}

enum Source {
    Sequence { acts: Vec<Act>, played: AtomicUsize, repeat_last: bool },
    By(Box<dyn Fn(&Request) -> Act + Send + Sync>),
    ByName { name: fn(&Request) -> String, scripts: Vec<(String, Script)> },
    Until { began: OnceLock<Instant>, time: Duration, scripts: Box<[Script; 2]> },
    AtOnce { places: Arc<Semaphore>, scripts: Box<[Script; 2]> },
}

/// What meets a request.
#[derive(Debug)]
pub(super) struct Cue {
    pub(super) act: Act,
    /// The places it takes up for as long as it is played.
    pub(super) places: Vec<OwnedSemaphorePermit>,
}

impl Script {
    fn new(source: Source) -> Self {
        Self { source, catalogue: None }
    }

    /// Always the same.
    pub fn always(act: Act) -> Self {
        Self::sequence([act])
    }

    /// One act after the other; the last one repeats.
    pub fn sequence(acts: impl IntoIterator<Item = Act>) -> Self {
        let acts = acts.into_iter().collect();
        Self::new(Source::Sequence { acts, played: AtomicUsize::new(0), repeat_last: true })
    }

    /// One act after the other, and no request more.
    pub fn exactly(acts: impl IntoIterator<Item = Act>) -> Self {
        let acts = acts.into_iter().collect();
        Self::new(Source::Sequence { acts, played: AtomicUsize::new(0), repeat_last: false })
    }

    /// Whatever `choose` makes of the request.
    pub fn by(choose: impl Fn(&Request) -> Act + Send + Sync + 'static) -> Self {
        Self::new(Source::By(Box::new(choose)))
    }

    /// A script for each model; a request for another model is unexpected.
    pub fn by_model<N: Into<String>, S: Into<Script>>(scripts: impl IntoIterator<Item = (N, S)>) -> Self {
        Self::by_name(Request::model, scripts)
    }

    /// A script for each key; a request with another key, or none, is unexpected.
    pub fn per_key<N: Into<String>, S: Into<Script>>(scripts: impl IntoIterator<Item = (N, S)>) -> Self {
        Self::by_name(|request| request.key().to_owned(), scripts)
    }

    fn by_name<N: Into<String>, S: Into<Script>>(
        name: fn(&Request) -> String,
        scripts: impl IntoIterator<Item = (N, S)>,
    ) -> Self {
        let scripts = scripts.into_iter().map(|(name, script)| (name.into(), script.into()));
        Self::new(Source::ByName { name, scripts: scripts.collect() })
    }

    /// One script until so much time has passed since the first request, and then another.
    pub fn until(time: Duration, before: impl Into<Script>, then: impl Into<Script>) -> Self {
        let scripts = Box::new([before.into(), then.into()]);
        Self::new(Source::Until { began: OnceLock::new(), time, scripts })
    }

    /// One script for as many requests at a time as there are `places`, and another for those beyond.
    pub fn at_once(places: usize, within: impl Into<Script>, beyond: impl Into<Script>) -> Self {
        let scripts = Box::new([within.into(), beyond.into()]);
        Self::new(Source::AtOnce { places: Arc::new(Semaphore::new(places)), scripts })
    }

    /// Meets every request with `act`, except that one to go on with the assistant's own message is
    /// refused with 400.
    pub fn without_prefill(act: Act) -> Self {
        Self::by(move |request| match request.prefill() {
            Some(_) => Act::status(400).error("assistant prefill is not supported", "invalid_request_error"),
            None => act.clone(),
        })
    }

    /// Lists these models at `/models`.
    pub fn models<'a>(self, names: impl IntoIterator<Item = &'a str>) -> Self {
        let list = answer::models(names);
        self.on_models(Act::answer("").json(list))
    }

    /// Meets requests for the list of models like this.
    pub fn on_models(self, catalogue: impl Into<Script>) -> Self {
        Self { catalogue: Some(Box::new(catalogue.into())), ..self }
    }

    /// What meets `request`, which is for the list of models.
    pub(super) fn catalogue(&self, request: &Request) -> Option<Cue> {
        match &self.catalogue {
            Some(script) => script.next(request),
            None => Some(Cue { act: Act::answer("").json(answer::models(["sim"])), places: Vec::new() }),
        }
    }

    /// What meets `request`, or nothing if it was not expected.
    pub(super) fn next(&self, request: &Request) -> Option<Cue> {
        let act = match &self.source {
            Source::Sequence { acts, played, repeat_last } => {
                let index = played.fetch_add(1, Ordering::Relaxed);
                acts.get(index).or_else(|| acts.last().filter(|_| *repeat_last)).cloned()?
            }
            Source::By(choose) => choose(request),
            Source::ByName { name, scripts } => {
                let name = name(request);
                return scripts.iter().find(|(known, _)| *known == name)?.1.next(request);
            }
            Source::Until { began, time, scripts } => {
                let over = began.get_or_init(Instant::now).elapsed() >= *time;
                return scripts[usize::from(over)].next(request);
            }
            Source::AtOnce { places, scripts } => {
                let [within, beyond] = &**scripts;
                let Ok(place) = Arc::clone(places).try_acquire_owned() else { return beyond.next(request) };
                let mut cue = within.next(request)?;
                cue.places.push(place);
                return Some(cue);
            }
        };
        Some(Cue { act, places: Vec::new() })
    }

    /// How many acts of sequences have not been played.
    pub(super) fn leftover(&self) -> usize {
        match &self.source {
            Source::Sequence { acts, played, .. } => {
                acts.len().saturating_sub(played.load(Ordering::Relaxed))
            }
            Source::By(_) => 0,
            Source::ByName { scripts, .. } => scripts.iter().map(|(_, script)| script.leftover()).sum(),
            Source::Until { scripts, .. } | Source::AtOnce { scripts, .. } => {
                scripts.iter().map(Self::leftover).sum()
            }
        }
    }
}

impl From<Act> for Script {
    fn from(act: Act) -> Self {
        Self::always(act)
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sequence { acts, played, .. } => {
                write!(f, "Sequence({} of {})", played.load(Ordering::Relaxed), acts.len())
            }
            Self::By(_) => f.write_str("By"),
            // A name may be a key.
            Self::ByName { scripts, .. } => write!(f, "ByName({})", scripts.len()),
            Self::Until { time, scripts, .. } => write!(f, "Until({time:?}, {scripts:?})"),
            Self::AtOnce { places, scripts } => {
                write!(f, "AtOnce({} free, {scripts:?})", places.available_permits())
            }
        }
    }
}

/// A word of the small language; each may be followed by `xN` to stand N times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// `429`, or `429:2` with a Retry-After of two seconds; `200` is an answer.
    Status(u16, Option<u32>),
    /// `hang`: no head.
    Hang,
    /// `silent`: a head and no more.
    Silent,
    /// `reset`: a reset in place of a head.
    Reset,
    /// `close`: the end of the connection in place of a head.
    Close,
    /// `empty`: an answer with nothing in it.
    Empty,
    /// `error`: status 200 and an error object.
    Error,
    /// `cut`: a stream that ends in the middle.
    Cut,
    /// `stall`: a stream that falls silent in the middle.
    Stall,
}

const PLAIN: [(&str, Word); 8] = [
    ("hang", Word::Hang),
    ("silent", Word::Silent),
    ("reset", Word::Reset),
    ("close", Word::Close),
    ("empty", Word::Empty),
    ("error", Word::Error),
    ("cut", Word::Cut),
    ("stall", Word::Stall),
];

/// The most times one word can stand.
const MOST: usize = 10_000;

impl Word {
    /// The act it stands for; `good` is the answer.
    pub fn act(self, good: &Act) -> Act {
        match self {
            Self::Status(200, _) => good.clone(),
            Self::Status(status, None) => Act::status(status),
            Self::Status(status, Some(seconds)) => Act::status(status).retry_after(seconds.to_string()),
            Self::Hang => Act::hang(),
            Self::Silent => Act::hang_after_head(),
            Self::Reset => Act::reset(),
            Self::Close => Act::close(),
            Self::Empty => Act::answer(""),
            Self::Error => Act::status(429).with_status(200),
            Self::Cut => good.clone().cut_after(3).then(Finish::Eof),
            Self::Stall => good.clone().cut_after(3).then(Finish::Stall),
        }
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status, None) => write!(f, "{status}"),
            Self::Status(status, Some(seconds)) => write!(f, "{status}:{seconds}"),
            plain => f.write_str(PLAIN.iter().find(|(_, word)| word == plain).map_or("", |(name, _)| name)),
        }
    }
}

/// A text that is no script.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown act: `{0}`\nhint: write a status (`429`, `429:2` with a Retry-After), or one of {known}, each with `xN` to repeat it", known = known())]
pub struct UnknownAct(String);

fn known() -> String {
    PLAIN.map(|(name, _)| format!("`{name}`")).join(", ")
}

impl FromStr for Word {
    type Err = UnknownAct;

    fn from_str(text: &str) -> Result<Self, UnknownAct> {
        if let Some((_, word)) = PLAIN.iter().find(|(name, _)| *name == text) {
            return Ok(*word);
        }
        let unknown = || UnknownAct(text.to_owned());
        let (status, seconds) = match text.split_once(':') {
            Some((status, seconds)) => (status, Some(seconds.parse().map_err(|_| unknown())?)),
            None => (text, None),
        };
        let status = status.parse().ok().filter(|status| (100..1000).contains(status)).ok_or_else(unknown)?;
        Ok(Self::Status(status, seconds))
    }
}

/// Reads a script; `good` is what `200` stands for. The last act repeats.
pub fn parse(text: &str, good: &Act) -> Result<Script, UnknownAct> {
    Ok(Script::sequence(words(text)?.into_iter().map(|word| word.act(good))))
}

fn words(text: &str) -> Result<Vec<Word>, UnknownAct> {
    let mut words = Vec::new();
    for item in text.split(',').map(str::trim) {
        let repeated = item.rsplit_once('x').and_then(|(word, times)| Some((word, times.parse().ok()?)));
        let (word, times) = repeated.unwrap_or((item, 1));
        if times > MOST {
            return Err(UnknownAct(item.to_owned()));
        }
        words.extend(std::iter::repeat_n(word.parse::<Word>()?, times));
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn word() -> impl Strategy<Value = Word> {
        prop_oneof![
            (100u16..1000, any::<Option<u32>>()).prop_map(|(status, after)| Word::Status(status, after)),
            prop::sample::select(&PLAIN[..]).prop_map(|(_, word)| word),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn reads_back_what_it_writes(items in prop::collection::vec((word(), 1usize..5), 1..8)) {
            let text = items.iter().map(|(word, times)| format!("{word}x{times}")).collect::<Vec<_>>().join(", ");
            let expected: Vec<Word> =
                items.iter().flat_map(|(word, times)| std::iter::repeat_n(*word, *times)).collect();

            prop_assert_eq!(words(&text), Ok(expected));
        }

        #[test]
        fn never_panics(text in "[0-9a-z:x, ]*|\\PC*") {
            let _ = words(&text);
        }
    }

    #[test]
    fn says_what_can_be_written() {
        let error = parse("429,hng", &Act::echo()).unwrap_err().to_string();

        assert!(error.starts_with("unknown act: `hng`\nhint: write a status"), "{error}");
        assert!(error.contains("`hang`, `silent`"), "{error}");
        assert!(words("200x10001").is_err());
        assert!(words("").is_err());
    }
}
