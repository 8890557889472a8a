//! What the made-up providers do: `openrouter=429x12,nvidia=hang`.

use std::collections::VecDeque;
use std::fmt;
use std::num::NonZeroU32;
use std::ops::Range;
use std::time::Duration;

use crate::config::text;
use crate::retry::Words;
use crate::route::{Candidate, nearest};

/// One way to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// A response with this status, and how long it asks to be left alone.
    Status(u16, Option<Duration>),
    /// No connection: the `connect` limit passes.
    Timeout,
    /// No response head: the `first_byte` limit passes.
    Hang,
    /// A head and no payload: the `first_token` limit passes.
    Silent,
    /// The connection is refused.
    Refuse,
    /// The connection closes before the head.
    Reset,
    /// The answer is cut before its first payload.
    Cut,
    /// A whole answer with nothing in it.
    Empty,
}

/// The failures that have a word.
pub const WORDS: [(&str, Failure); 7] = [
    ("timeout", Failure::Timeout),
    ("hang", Failure::Hang),
    ("silent", Failure::Silent),
    ("refuse", Failure::Refuse),
    ("reset", Failure::Reset),
    ("cut", Failure::Cut),
    ("empty", Failure::Empty),
];

const WHAT: &str = "a status from 300 to 599 (`429`, with a wait `429@30s`) or one of `timeout`, `hang`, `silent`, \
                    `refuse`, `reset`, `cut`, `empty`";

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status, None) => write!(f, "{status}"),
            Self::Status(status, Some(after)) => write!(f, "{status}@{}", Words(*after)),
            word => f.write_str(WORDS.iter().find(|row| row.1 == *word).map_or("?", |row| row.0)),
        }
    }
}

/// What is wrong with a text of failures, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    message: String,
    hint: String,
    text: String,
    /// The part at fault, in bytes.
    at: Range<usize>,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let before = self.text[..self.at.start].chars().count();
        let carets = "^".repeat(self.text[self.at.clone()].chars().count().max(1));
        writeln!(f, "`--fail`: {}", self.message)?;
        writeln!(f, "  {}", self.text.replace(char::is_control, " "))?;
        writeln!(f, "  {}{carets}", " ".repeat(before))?;
        write!(f, "hint: {}", self.hint)
    }
}

/// The failures that are to come, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// A provider, or a provider and a model.
    pub who: String,
    /// Each with how often it happens; without a number it never ends.
    pub steps: VecDeque<(Failure, Option<NonZeroU32>)>,
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (failure, count)) in self.steps.iter().enumerate() {
            let then = if index == 0 { "" } else { ", then " };
            match count.map(NonZeroU32::get) {
                None => return write!(f, "{then}{failure} for ever"),
                Some(1) => write!(f, "{then}{failure} once")?,
                Some(count) => write!(f, "{then}{failure} {count} times")?,
            }
        }
        f.write_str(", then answers")
    }
}

/// What each candidate of a chain does. The models of a provider share what the provider does, but for
/// those that are named themselves.
#[derive(Debug, Clone)]
pub struct Failures {
    plans: Vec<Plan>,
    /// Which plan a candidate follows; without one it answers.
    of: Vec<Option<usize>>,
    /// Whether nobody said what fails.
    pub assumed: bool,
}

impl Failures {
    /// Every provider of `candidates` is down for good.
    pub fn all_down(candidates: &[Candidate]) -> Self {
        let mut plans: Vec<Plan> = Vec::new();
        for candidate in candidates {
            if !plans.iter().any(|plan| plan.who == *candidate.provider_name) {
                let steps = VecDeque::from([(Failure::Status(503, None), None)]);
                plans.push(Plan { who: candidate.provider_name.to_string(), steps });
            }
        }
        Self { assumed: true, ..Self::of(plans, candidates) }
    }

    /// Reads `who=what`, separated by commas.
    ///
    /// # Errors
    ///
    /// The first part that makes no sense, or names nobody of `candidates`.
    pub fn parse(text: &str, candidates: &[Candidate]) -> Result<Self, Mistake> {
        let mut plans: Vec<Plan> = Vec::new();
        for entry in parts(text, 0..text.len(), ',') {
            let mistake = |at: Range<usize>, message: String, hint: String| Mistake {
                message,
                hint,
                text: text.to_owned(),
                at,
            };
            // A model may have `=` in its name, a failure has not.
            let Some(sign) = text[entry.clone()].rfind('=').map(|sign| entry.start + sign) else {
                let hint = "write who fails and how, such as `openrouter=429x12`".to_owned();
                return Err(mistake(entry, "this is not `who=what`".to_owned(), hint));
            };
            let who = trim(text, entry.start..sign);
            let name = text[who.clone()].to_owned();
            if !candidates.iter().any(|candidate| names(&name, candidate)) {
                return Err(mistake(
                    who,
                    format!("nobody in this route is called `{name}`"),
                    people(&name, candidates),
                ));
            }
            let index = plans.iter().position(|plan| plan.who == name).unwrap_or_else(|| {
                plans.push(Plan { who: name, steps: VecDeque::new() });
                plans.len() - 1
            });
            let steps = &mut plans[index].steps;
            for what in parts(text, sign + 1..entry.end, '+') {
                let step = step(&text[what.clone()])
                    .map_err(|(message, hint)| mistake(what.clone(), message, hint))?;
                if let Some((endless, None)) = steps.back() {
                    let message = format!("this never comes: `{endless}` before it goes on for ever");
                    return Err(mistake(what, message, format!("say how often, such as `{endless}x3`")));
                }
                steps.push_back(step);
            }
        }
        Ok(Self::of(plans, candidates))
    }

    fn of(plans: Vec<Plan>, candidates: &[Candidate]) -> Self {
        let plan_of = |candidate: &Candidate| {
            let named = |own: bool| {
                plans.iter().position(|plan| {
                    names(&plan.who, candidate) && (plan.who != *candidate.provider_name) == own
                })
            };
            named(true).or_else(|| named(false))
        };
        let of = candidates.iter().map(plan_of).collect();
        Self { plans, of, assumed: false }
    }

    /// What candidate `index` is to do, if it is to fail.
    pub fn plan(&self, index: usize) -> Option<&Plan> {
        self.of[index].map(|plan| &self.plans[plan])
    }

    /// How the next attempt at candidate `index` fails, or that it is answered.
    pub fn next(&mut self, index: usize) -> Option<Failure> {
        let steps = &mut self.plans[self.of[index]?].steps;
        let (failure, count) = steps.front_mut()?;
        let failure = *failure;
        if let Some(left) = count {
            match NonZeroU32::new(left.get() - 1) {
                Some(fewer) => *left = fewer,
                None => _ = steps.pop_front(),
            }
        }
        Some(failure)
    }
}

/// Reads a failure with its count: `429@30sx12`.
fn step(text: &str) -> Result<(Failure, Option<NonZeroU32>), (String, String)> {
    let (what, count) = match text.split_once('x') {
        Some((what, count)) => (what, Some(how_often(count)?)),
        None => (text, None),
    };
    let unknown = || {
        let near =
            nearest(what, WORDS.iter().map(|row| row.0)).map(|word| format!("did you mean `{word}`? "));
        let message = if what.is_empty() {
            "nothing is said here".to_owned()
        } else {
            format!("`{what}` is no way to fail")
        };
        (message, format!("{}write {WHAT}", near.unwrap_or_default()))
    };
    if let Some((_, failure)) = WORDS.iter().find(|row| row.0 == what) {
        return Ok((*failure, count));
    }
    let (status, after) = match what.split_once('@') {
        Some((status, wait)) => {
            let wait = text::positive_duration(wait).map_err(|problem| {
                (format!("`{wait}`: {}", problem.message), "such as `429@30s`".to_owned())
            })?;
            (status, Some(wait))
        }
        None => (what, None),
    };
    match status.parse() {
        Ok(status @ 300..=599) => Ok((Failure::Status(status, after), count)),
        _ => Err(unknown()),
    }
}

fn how_often(count: &str) -> Result<NonZeroU32, (String, String)> {
    count.parse().map_err(|_| {
        let hint = "write a number from 1 behind the `x`, or leave both out: for ever".to_owned();
        (format!("`{count}` does not say how often"), hint)
    })
}

/// Whether `who` is the provider of `candidate`, or both its names.
fn names(who: &str, candidate: &Candidate) -> bool {
    who == &*candidate.provider_name
        || who.split_once('/') == Some((&*candidate.provider_name, &*candidate.model))
}

/// Who there is, and who may have been meant.
fn people(who: &str, candidates: &[Candidate]) -> String {
    let mut known: Vec<String> = Vec::new();
    for candidate in candidates {
        let provider = candidate.provider_name.to_string();
        for name in [provider.clone(), format!("{provider}/{}", candidate.model)] {
            if !known.contains(&name) {
                known.push(name);
            }
        }
    }
    if let Some(near) = nearest(who, known.iter().map(String::as_str)) {
        return format!("did you mean `{near}`?");
    }
    let known: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
    format!("there are {}", known.join(", "))
}

/// The places of the parts of `text[range]` between `separator`s, without the space around them.
fn parts(text: &str, range: Range<usize>, separator: char) -> Vec<Range<usize>> {
    let mut start = range.start;
    let parts = text[range].split(separator).map(|part| {
        let place = start..start + part.len();
        start = place.end + separator.len_utf8();
        trim(text, place)
    });
    parts.collect()
}

fn trim(text: &str, range: Range<usize>) -> Range<usize> {
    let part = &text[range.clone()];
    let start = range.start + (part.len() - part.trim_start().len());
    start..start + part.trim().len()
}

#[cfg(test)]
pub(super) mod tests;
