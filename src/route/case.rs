//! Which requests a chain is for.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use super::{Catalogues, Route};

#[cfg(test)]
mod tests;

/// What a request is, as far as chains are chosen by it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// What it holds.
    pub has: BTreeSet<Trait>,
    /// The tokens of its prompt, roughly.
    pub tokens: u64,
    /// What it is for.
    pub kind: Kind,
}

/// Something that a request can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trait {
    /// A picture among its messages.
    Images,
    /// Tools to call.
    Tools,
    /// Sound among its messages, or asked for.
    Audio,
    /// A schema for the answer.
    JsonSchema,
}

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    /// A person waits for the answer.
    #[default]
    Chat,
    /// A title, tags, follow-ups and the like, which may just as well fail.
    Task,
}

/// What a request must be, all of it; the empty one fits every request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Criteria {
    /// The fewest tokens of its prompt.
    pub min_tokens: Option<u32>,
    /// The most tokens of its prompt.
    pub max_tokens: Option<u32>,
    /// What it holds, beside anything else.
    pub has: BTreeSet<Trait>,
    /// What it is for.
    pub kind: Option<Kind>,
    /// Who asks: one of these mail addresses or ids.
    pub users: Option<BTreeSet<String>>,
}

/// A chain of its own for some requests.
#[derive(Debug, Clone)]
pub struct Case {
    /// For which.
    pub criteria: Criteria,
    /// The route with that chain, and without cases.
    pub route: Arc<Route>,
}

impl Case {
    /// The same with whoever is in its chain now.
    pub(super) fn looked_up(&self, catalogues: &Catalogues) -> Self {
        Self { criteria: self.criteria.clone(), route: self.route.looked_up(catalogues) }
    }
}

impl Criteria {
    /// Whether a request fits; `asks` says whether somebody is who asks.
    pub fn fit(&self, facts: &Facts, asks: &dyn Fn(&str) -> bool) -> bool {
        self.min_tokens.is_none_or(|least| facts.tokens >= u64::from(least))
            && self.max_tokens.is_none_or(|most| facts.tokens <= u64::from(most))
            && self.has.is_subset(&facts.has)
            && self.kind.is_none_or(|kind| kind == facts.kind)
            && self.users.as_ref().is_none_or(|users| users.iter().any(|user| asks(user)))
    }

    /// Whether they fit every request.
    pub fn fit_all(&self) -> bool {
        self.covers(&Self::default())
    }

    /// Whether they fit all that `other` fits, as far as that shows without asking who somebody is.
    pub fn covers(&self, other: &Self) -> bool {
        self.min_tokens.unwrap_or(0) <= other.min_tokens.unwrap_or(0)
            && self.max_tokens.unwrap_or(u32::MAX) >= other.max_tokens.unwrap_or(u32::MAX)
            && self.has.is_subset(&other.has)
            && self.kind.is_none_or(|kind| other.kind == Some(kind))
            && match (&self.users, &other.users) {
                (None, _) => true,
                (Some(users), Some(others)) => others.is_subset(users),
                (Some(_), None) => false,
            }
    }
}

/// Such as `a task with images and tools`.
impl fmt::Display for Criteria {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            _ if self.fit_all() => "any request",
            Some(Kind::Chat) => "a chat",
            Some(Kind::Task) => "a task",
            None => "a request",
        })?;
        let tokens = match (self.min_tokens, self.max_tokens) {
            (Some(least), Some(most)) => Some(format!("{least} to {most} tokens")),
            (Some(least), None) => Some(format!("{least} tokens or more")),
            (None, Some(most)) => Some(format!("{most} tokens or fewer")),
            (None, None) => None,
        };
        let has: Vec<_> = self.has.iter().map(|has| has.in_words().to_owned()).chain(tokens).collect();
        if !has.is_empty() {
            write!(f, " with {}", has.join(" and "))?;
        }
        match &self.users {
            Some(users) if users.is_empty() => f.write_str(" from nobody"),
            Some(users) => {
                let users: Vec<_> = users.iter().map(String::as_str).collect();
                write!(f, " from {}", users.join(" or "))
            }
            None => Ok(()),
        }
    }
}

impl Trait {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Images, Self::Tools, Self::Audio, Self::JsonSchema];

    /// What a configuration calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Images => "images",
            Self::Tools => "tools",
            Self::Audio => "audio",
            Self::JsonSchema => "json-schema",
        }
    }

    fn in_words(self) -> &'static str {
        match self {
            Self::JsonSchema => "a JSON schema",
            other => other.name(),
        }
    }
}

impl Route {
    /// The number, from 1, of the first case that a request fits, and its route; nothing where the route's own
    /// chain is for it.
    pub fn case(&self, facts: &Facts, asks: &dyn Fn(&str) -> bool) -> Option<(usize, Arc<Self>)> {
        let fits = |case: &&Case| case.criteria.fit(facts, asks);
        let found = self.cases.iter().zip(1..).find(|(case, _)| fits(case));
        found.map(|(case, number)| (number, Arc::clone(&case.route)))
    }
}
