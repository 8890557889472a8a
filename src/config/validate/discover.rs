//! Models that are looked up in providers' lists: filters, and who is asked for a list.

use std::time::Duration;

use super::Validation;
use super::candidate::template;
use super::provider::Known;
use crate::config::fault::list;
use crate::config::file::{CandidateTable, DiscoverTable};
use crate::config::spanned::{At, Span};
use crate::route::{Direct, Filter, Offer, Pattern, ProviderId, Source, nearest};

/// How often a list is fetched unless something else is written.
const EVERY: Duration = Duration::from_hours(1);

/// Whoever is asked more often than this counts it as a burden.
const OFTEN: Duration = Duration::from_mins(1);

/// What models understand beside text, as lists call it.
const MODALITIES: [&str; 4] = ["image", "audio", "file", "video"];

/// The keys that say which models of a list are wanted, wherever they stand.
pub(super) struct Wanted<'a> {
    free: Option<&'a At<bool>>,
    only: Option<&'a Vec<At<String>>>,
    except: Option<&'a Vec<At<String>>>,
    min_context: Option<&'a At<u32>>,
    modalities: Option<&'a Vec<At<String>>>,
    tools: Option<&'a At<bool>>,
}

impl<'a> Wanted<'a> {
    pub(super) fn of_candidate(table: &'a CandidateTable) -> Self {
        Self {
            free: table.free.as_ref(),
            only: table.only.as_ref(),
            except: table.except.as_ref(),
            min_context: table.min_context.as_ref(),
            modalities: table.modalities.as_ref(),
            tools: table.tools.as_ref(),
        }
    }

    fn of_provider(table: &'a DiscoverTable) -> Self {
        Self {
            free: table.free.as_ref(),
            only: table.only.as_ref(),
            except: table.except.as_ref(),
            min_context: table.min_context.as_ref(),
            modalities: table.modalities.as_ref(),
            tools: table.tools.as_ref(),
        }
    }

    /// One of the keys that are written, and where its value stands.
    pub(super) fn first(&self, limit: Option<&At<u32>>) -> Option<(&'static str, Span)> {
        let texts = |texts: Option<&'a Vec<At<String>>>| Some(texts?.first()?.span());
        let keys = [
            ("limit", limit.map(At::span)),
            ("free", self.free.map(At::span)),
            ("only", texts(self.only)),
            ("except", texts(self.except)),
            ("min_context", self.min_context.map(At::span)),
            ("modalities", texts(self.modalities)),
            ("tools", self.tools.map(At::span)),
        ];
        keys.into_iter().find_map(|(key, span)| Some((key, span?)))
    }
}

impl<'a> Validation<'a> {
    /// The provider in whose list an entry of a chain looks; its models have their names from there.
    pub(super) fn discovered(
        &mut self,
        table: &CandidateTable,
        discover: &At<String>,
        providers: &[Known<'a>],
    ) -> Option<(usize, &'static str)> {
        if table.target.is_some() {
            self.findings
                .fault(discover.span(), "`use` and `discover` exclude each other")
                .hint("write an entry for each: one names a model, the other looks for some");
            return None;
        }
        if let Some((name, models)) = discover.value().split_once('/') {
            self.findings
                .fault(discover.span(), "this is not the name of a provider alone")
                .hint(format!("write `discover = \"{name}\"`, and `only = [\"{models}\"]` beside it"));
            return None;
        }
        let id = self.provider_called(discover.value(), discover.span(), providers)?;
        self.looked_in.insert(id);
        Some((id, ""))
    }

    /// Which models are wanted.
    pub(super) fn filter(&mut self, wanted: &Wanted<'_>) -> Filter {
        let filter = Filter {
            free: wanted.free.map(|free| *free.value()),
            only: self.patterns(wanted.only),
            except: self.patterns(wanted.except),
            min_context: wanted.min_context.map(|least| *least.value()),
            modalities: self.modalities(wanted.modalities),
            tools: wanted.tools.map(|tools| *tools.value()),
        };
        let except = wanted.except.and_then(|except| except.first());
        if let Some(except) = except.filter(|_| filter.excludes_all()) {
            self.findings
                .warning(except.span(), "no model can be left: `except` covers all that there is")
                .hint("leave out the pattern that is too wide");
        }
        filter
    }

    fn patterns(&mut self, written: Option<&Vec<At<String>>>) -> Vec<Pattern> {
        let mut patterns = Vec::new();
        for text in written.into_iter().flatten() {
            match Pattern::try_new(text.value()) {
                Some(pattern) => patterns.push(pattern),
                None => {
                    self.findings
                        .fault(text.span(), "this pattern fits no model")
                        .hint("write a part of an id with `*` round it, such as `\"*llama*\"`");
                }
            }
        }
        patterns
    }

    fn modalities(&mut self, written: Option<&Vec<At<String>>>) -> Vec<String> {
        let mut modalities = Vec::new();
        for word in written.into_iter().flatten() {
            let (span, word) = (word.span(), word.value().as_str());
            if word == "text" {
                self.findings
                    .warning(span, "`text` has no effect: whoever does not understand it is never wanted")
                    .hint("leave it out");
            } else if MODALITIES.contains(&word) {
                modalities.push(word.to_owned());
            } else {
                let fault = self.findings.fault(span, format!("unknown modality `{}`", word.escape_debug()));
                fault.hint(match nearest(word, MODALITIES) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("write {}", list(MODALITIES)),
                });
            }
        }
        modalities
    }

    /// Every provider whose list is wanted, for routes of its own or for chains that look there.
    pub(super) fn sources(&mut self, providers: &[Known<'a>]) -> Vec<Source> {
        let mut sources = Vec::new();
        for (id, known) in providers.iter().enumerate() {
            let every = known.discover.and_then(|table| table.every.as_ref());
            let offer = known.discover.map(|table| self.offer(id, known, table));
            if offer.is_none() && !self.looked_in.contains(&id) {
                continue;
            }
            let often = self.limit(every).unwrap_or(EVERY);
            if let Some(every) = every.filter(|_| often < OFTEN) {
                self.findings
                    .warning(every.span(), "this asks for the list more than once a minute")
                    .hint("providers count requests, too: lists change once a day or so");
            }
            sources.push(Source { provider: ProviderId(id), every: often, offer });
        }
        sources
    }

    fn offer(&mut self, id: usize, known: &Known<'a>, table: &'a DiscoverTable) -> Offer {
        self.used_providers.insert(known.name);
        Offer {
            filter: self.filter(&Wanted::of_provider(table)),
            prefix: self.affix(table.prefix.as_ref()),
            suffix: self.affix(table.suffix.as_ref()),
            direct: self.direct_to(id, known),
        }
    }

    fn affix(&mut self, written: Option<&At<String>>) -> String {
        let Some(written) = written else { return String::new() };
        if written.value().chars().any(char::is_control) {
            self.findings.fault(written.span(), "this part of a name holds control characters");
        }
        written.value().clone()
    }

    /// What a model of a provider is as a route.
    pub(super) fn direct_to(&self, id: usize, known: &Known<'a>) -> Direct {
        Direct {
            template: template(id, known, &known.policy),
            policy: known.policy.clone(),
            cooldown: self.cooldown,
            notifications: self.notifications,
        }
    }
}
