//! Which models of a provider's list are wanted.

use std::fmt::Write as _;

use super::Pattern;
use crate::openai::catalogue::Listed;

/// What a model must answer in.
const TEXT: &str = "text";

/// Which models of a provider's list are wanted: those that fit all of it. Whatever it is, a model that is
/// known not to answer in text is not wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Whether it must be known to cost nothing, or must not be.
    pub free: Option<bool>,
    /// Patterns, one of which must fit its id; empty for any id.
    pub only: Vec<Pattern>,
    /// Patterns, none of which may fit its id.
    pub except: Vec<Pattern>,
    /// The smallest context window, in tokens; one that is not known is too small.
    pub min_context: Option<u32>,
    /// What it must be known to understand beside text.
    pub modalities: Vec<String>,
    /// Whether it must be known to call tools, or known not to.
    pub tools: Option<bool>,
}

impl Filter {
    /// Whether `model` is wanted.
    pub fn fits(&self, model: &Listed) -> bool {
        let understands = |modality: &String| {
            modality == TEXT || model.input.as_ref().is_some_and(|input| input.contains(modality))
        };
        let any = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.fits(&model.id));
        model.output.as_ref().is_none_or(|output| output.iter().any(|word| word == TEXT))
            && self.free.is_none_or(|free| model.free == free)
            && self.min_context.is_none_or(|least| model.context.is_some_and(|is| is >= u64::from(least)))
            && self.tools.is_none_or(|tools| model.tools == Some(tools))
            && self.modalities.iter().all(understands)
            && (self.only.is_empty() || any(&self.only))
            && !any(&self.except)
    }

    /// Whether no id can pass `only` and `except`.
    pub fn excludes_all(&self) -> bool {
        let excluded = |only: &Pattern| self.except.iter().any(|except| except.covers(only));
        let anything = Pattern::try_new("*");
        let only = if self.only.is_empty() { anything.as_slice() } else { &self.only };
        only.iter().all(excluded)
    }

    /// The models that it stands for, in words: `free models of openrouter that call tools`.
    pub fn words(&self, limit: Option<u32>, provider: &str) -> String {
        let models = if limit == Some(1) { "model" } else { "models" };
        let mut words = match limit {
            Some(limit) => format!("up to {limit} "),
            None => String::new(),
        };
        words += match self.free {
            Some(true) => "free ",
            Some(false) => "paid ",
            None if limit.is_none() => "all ",
            None => "",
        };
        // Writing to a String cannot fail.
        let _ = write!(words, "{models} of {provider}");
        if let Some(least) = self.min_context {
            let _ = write!(words, " with at least {least} tokens of context");
        }
        let modalities = self.modalities.iter().map(|word| match word.as_str() {
            "image" => "images",
            "file" => "files",
            word => word,
        });
        let modalities = modalities.collect::<Vec<_>>().join(" and ");
        let understood = (!modalities.is_empty()).then(|| format!("understand {modalities}"));
        let tools = self.tools.map(|tools| if tools { "call tools" } else { "call no tools" }.to_owned());
        let abilities: Vec<String> = understood.into_iter().chain(tools).collect();
        if !abilities.is_empty() {
            let _ = write!(words, " that {}", abilities.join(" and "));
        }
        if !self.only.is_empty() && !self.only.iter().any(Pattern::is_all) {
            let _ = write!(words, ", only {}", list(&self.only));
        }
        if !self.except.is_empty() {
            let _ = write!(words, ", but not {}", list(&self.except));
        }
        words
    }
}

fn list(patterns: &[Pattern]) -> String {
    patterns.iter().map(|pattern| format!("`{pattern}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn patterns(texts: &[&str]) -> Vec<Pattern> {
        texts.iter().filter_map(|text| Pattern::try_new(text)).collect()
    }

    fn words(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    fn model() -> Listed {
        Listed {
            context: Some(32_000),
            input: Some(words(&["text", "image"])),
            output: Some(words(&["text"])),
            tools: Some(true),
            free: true,
            ..Listed::new("org/model")
        }
    }

    fn unknown() -> Listed {
        Listed::new("org/model")
    }

    #[test]
    fn each_part_counts_and_what_is_unknown_does_not_fit() {
        let all = Filter::default;
        for (filter, model_fits, unknown_fits) in [
            (all(), true, true),
            (Filter { free: Some(true), ..all() }, true, false),
            (Filter { free: Some(false), ..all() }, false, true),
            (Filter { min_context: Some(32_000), ..all() }, true, false),
            (Filter { min_context: Some(32_001), ..all() }, false, false),
            (Filter { tools: Some(true), ..all() }, true, false),
            (Filter { tools: Some(false), ..all() }, false, false),
            (Filter { modalities: vec!["image".to_owned()], ..all() }, true, false),
            (Filter { modalities: vec!["image".to_owned(), "audio".to_owned()], ..all() }, false, false),
            (Filter { modalities: vec!["text".to_owned()], ..all() }, true, true),
            (Filter { only: patterns(&["x/*", "org/*"]), ..all() }, true, true),
            (Filter { only: patterns(&["x/*"]), ..all() }, false, false),
            (Filter { except: patterns(&["*/model"]), ..all() }, false, false),
            (Filter { only: patterns(&["*"]), except: patterns(&["y*"]), ..all() }, true, true),
        ] {
            assert_eq!(filter.fits(&model()), model_fits, "{filter:?}");
            assert_eq!(filter.fits(&unknown()), unknown_fits, "{filter:?}");
        }
    }

    #[test]
    fn who_does_not_answer_in_text_is_never_wanted() {
        let painter = Listed { output: Some(words(&["image"])), ..model() };
        let both = Listed { output: Some(words(&["image", "text"])), ..model() };
        assert!(!Filter::default().fits(&painter));
        assert!(Filter::default().fits(&both));
    }

    #[test]
    fn in_words() {
        let filter = Filter {
            free: Some(true),
            only: patterns(&["a/*"]),
            except: patterns(&["*guard*", "b"]),
            min_context: Some(32_000),
            modalities: vec!["image".to_owned(), "audio".to_owned()],
            tools: Some(true),
        };
        assert_eq!(
            filter.words(Some(5), "openrouter"),
            "up to 5 free models of openrouter with at least 32000 tokens of context that understand images \
             and audio and call tools, only `a/*`, but not `*guard*`, `b`"
        );
        assert_eq!(Filter::default().words(None, "ollama"), "all models of ollama");
        assert_eq!(Filter::default().words(Some(1), "ollama"), "up to 1 model of ollama");
        let paid = Filter { free: Some(false), tools: Some(false), ..Filter::default() };
        assert_eq!(paid.words(None, "p"), "paid models of p that call no tools");
    }

    #[test]
    fn a_contradiction_is_seen() {
        for (only, except, expected) in [
            (&[][..], &["*"][..], true),
            (&["a/*"], &["*"], true),
            (&["a/*"], &["a/*"], true),
            (&["a/*", "b"], &["a/*"], false),
            (&["a/*", "b"], &["a/*", "?"], true),
            (&[], &[], false),
            (&["*"], &[], false),
        ] {
            let filter = Filter { only: patterns(only), except: patterns(except), ..Filter::default() };
            assert_eq!(filter.excludes_all(), expected, "{filter:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn where_all_is_excluded_nothing_fits(
            only in prop::collection::vec("[ab*?]{1,4}", 0..3),
            except in prop::collection::vec("[ab*?]{1,4}", 0..3),
            id in "[ab]{1,5}",
        ) {
            let patterns = |texts: &[String]| texts.iter().filter_map(|text| Pattern::try_new(text)).collect();
            let filter = Filter { only: patterns(&only), except: patterns(&except), ..Filter::default() };
            if filter.excludes_all() {
                prop_assert!(!filter.fits(&Listed::new(id.as_str())));
            }
        }
    }
}
