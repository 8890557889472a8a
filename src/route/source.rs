//! Providers whose models are looked up, and the routes that come of them.

use std::sync::Arc;
use std::time::Duration;

use super::{Card, Direct, Filter, ProviderId, Route};
use crate::openai::catalogue::Listed;

/// The longest description on a card, in characters.
const LONGEST: usize = 200;

/// A provider whose list of models is fetched.
#[derive(Debug, Clone)]
pub struct Source {
    /// Which provider.
    pub provider: ProviderId,
    /// How often.
    pub every: Duration,
    /// The routes that its models become; none if only chains look there.
    pub offer: Option<Offer>,
}

/// Which of the models that a provider lists become routes, and how those look.
#[derive(Debug, Clone)]
pub struct Offer {
    /// Which models.
    pub filter: Filter,
    /// What stands before their names in a picker.
    pub prefix: String,
    /// What stands behind them.
    pub suffix: String,
    /// What such a route is beside its name, which is `provider/model`.
    pub direct: Direct,
}

impl Offer {
    /// A route for each model that is wanted, by the names in a picker.
    pub fn routes(&self, models: &[Listed]) -> Vec<Route> {
        let wanted = models.iter().filter(|model| self.filter.fits(model));
        let mut routes: Vec<_> = wanted.filter_map(|model| self.route(model)).collect();
        routes.sort_by_cached_key(|route| {
            (route.card.title.as_deref().unwrap_or_default().to_lowercase(), Arc::clone(&route.name))
        });
        routes
    }

    fn route(&self, model: &Listed) -> Option<Route> {
        let title = model.name.as_deref().unwrap_or(&model.id);
        let understands =
            |input: &Vec<String>| ("vision".to_owned(), input.iter().any(|word| word == "image"));
        let card = Card {
            title: Some(format!("{}{title}{}", self.prefix, self.suffix)),
            description: model.description.as_deref().map(first_sentence),
            capabilities: model.input.iter().map(understands).collect(),
            created: model.created,
            context: model.context,
            ..Card::default()
        };
        Some(Route { card, ..self.direct.route(&model.id)? })
    }
}

/// The first sentence of `text`, or its beginning.
fn first_sentence(text: &str) -> String {
    let end = text.match_indices(['.', '!', '?']).map(|(at, mark)| at + mark.len()).find(|end| {
        let rest = &text[*end..];
        // An abbreviation is followed by a small letter: `e.g. code`.
        rest.is_empty()
            || rest.strip_prefix(' ').is_some_and(|rest| !rest.starts_with(|char: char| char.is_lowercase()))
    });
    let sentence = &text[..end.unwrap_or(text.len())];
    match sentence.char_indices().nth(LONGEST) {
        Some((cut, _)) => {
            let beginning = &sentence[..cut];
            format!("{}…", beginning.rsplit_once(' ').map_or(beginning, |(words, _)| words))
        }
        None => sentence.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::retry::{Cooldown, Policy};
    use crate::route::Notifications;
    use crate::route::testing::candidate;

    fn offer(filter: Filter, prefix: &str, suffix: &str) -> Offer {
        let direct = Direct {
            template: candidate(0, ""),
            policy: Policy { max_attempts: std::num::NonZeroU32::new(3), ..Policy::default() },
            cooldown: Cooldown::default(),
            notifications: Notifications::default(),
        };
        Offer { filter, prefix: prefix.to_owned(), suffix: suffix.to_owned(), direct }
    }

    fn named(id: &str, name: &str) -> Listed {
        Listed { name: Some(name.to_owned()), ..Listed::new(id) }
    }

    #[test]
    fn a_model_becomes_a_route_with_all_that_is_known() {
        let model = Listed {
            description: Some("It writes. Much more is said.".to_owned()),
            created: Some(1_700_000_000),
            context: Some(8192),
            input: Some(vec!["text".to_owned()]),
            ..named("org/m:free", "Org: M (free)")
        };
        let routes = offer(Filter::default(), "OR-Free/", " (Auto-Retry)").routes(&[model]);

        assert_eq!(routes.len(), 1);
        let route = &routes[0];
        assert_eq!(&*route.name, "p0/org/m:free");
        assert_eq!(&*route.chain.candidates()[0].model, "org/m:free");
        assert_eq!(route.policy.max_attempts.map(std::num::NonZeroU32::get), Some(3));
        let card = Card {
            title: Some("OR-Free/Org: M (free) (Auto-Retry)".to_owned()),
            description: Some("It writes.".to_owned()),
            tags: Vec::new(),
            capabilities: [("vision".to_owned(), false)].into(),
            created: Some(1_700_000_000),
            context: Some(8192),
        };
        assert_eq!(route.card, card);
    }

    #[test]
    fn they_are_sorted_by_name_and_only_those_that_fit() {
        let models = [
            named("c", "beta"),
            Listed::new("d"),
            named("x:free", "Alpha"),
            named("a", "Beta"),
            named("b", "beta"),
        ];
        let titles = |filter| {
            let routes = offer(filter, "", "").routes(&models);
            routes
                .iter()
                .map(|route| format!("{} {}", route.name, route.card.title.as_ref().unwrap()))
                .collect()
        };
        let all: Vec<String> = titles(Filter::default());
        assert_eq!(all, ["p0/x:free Alpha", "p0/a Beta", "p0/b beta", "p0/c beta", "p0/d d"]);
        let free: Vec<String> = titles(Filter { free: Some(true), ..Filter::default() });
        assert_eq!(free, ["p0/x:free Alpha"]);
    }

    #[test]
    fn sentences_end_where_they_end() {
        let long = "word ".repeat(60);
        let clipped = format!("{}…", "word ".repeat(40).trim_end());
        for (text, sentence) in [
            ("One. Two.", "One."),
            ("One! Two", "One!"),
            ("GPT-4.1 is fast. It is.", "GPT-4.1 is fast."),
            ("For code, e.g. Rust programs", "For code, e.g."),
            ("For code, e.g. programs. Not more.", "For code, e.g. programs."),
            ("no end", "no end"),
            ("", ""),
            (long.as_str(), clipped.as_str()),
        ] {
            assert_eq!(first_sentence(text), sentence, "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn a_sentence_is_a_short_beginning(text in "\\PC{0,300}|([a-z.!? ]|ä){0,300}") {
            let sentence = first_sentence(&text);
            prop_assert!(sentence.chars().count() <= LONGEST + 1);
            prop_assert!(text.starts_with(sentence.strip_suffix('…').unwrap_or(&sentence)) || text.starts_with(&sentence));
        }
    }
}
