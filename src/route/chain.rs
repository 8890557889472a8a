//! Who may answer, in order of preference; also where that is left to a provider's list.

use std::collections::HashSet;
use std::sync::Arc;

use super::{Candidate, Catalogues, Filter};

/// The most models that an entry without a limit of its own puts into a chain.
const MOST: usize = 1000;

/// At least one candidate.
///
/// Some of it may be left to the list of a provider. As long as it has not been [looked up](Self::looked_up),
/// such a chain is [open](Self::is_open): in place of the models stands a candidate without a name, which is
/// like them in all else and must not be asked.
#[derive(Debug, Clone)]
pub struct Chain {
    candidates: Vec<Candidate>,
    /// Beside each candidate; empty if all of them are fixed.
    live: Vec<Option<Live>>,
}

/// The models of a provider's list that stand in a chain, in the order of that list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Live {
    /// Which of them.
    pub filter: Filter,
    /// How many of them at most; else a thousand.
    pub limit: Option<u32>,
}

/// An entry of a chain as it is written.
#[derive(Debug, Clone)]
pub enum Link {
    /// A candidate.
    Fixed(Candidate),
    /// Models of the provider of a candidate without a name, which are like it in all else.
    Live(Candidate, Live),
}

impl Live {
    /// What it stands for, in words.
    pub fn words(&self, provider: &str) -> String {
        self.filter.words(self.limit, provider)
    }
}

impl Chain {
    /// A chain of `candidates`, or nothing if there are none.
    pub fn try_new(candidates: Vec<Candidate>) -> Option<Self> {
        (!candidates.is_empty()).then(|| Self { candidates, live: Vec::new() })
    }

    /// A chain as it is written, or nothing if there are no links.
    pub fn try_linked(links: Vec<Link>) -> Option<Self> {
        let is_open = links.iter().any(|link| matches!(link, Link::Live(..)));
        let (candidates, live) = links
            .into_iter()
            .map(|link| match link {
                Link::Fixed(candidate) => (candidate, None),
                Link::Live(template, live) => (template, Some(live)),
            })
            .unzip();
        let chain = Self::try_new(candidates)?;
        Some(if is_open { Self { live, ..chain } } else { chain })
    }

    /// The same chain with a `change` of each candidate.
    #[must_use]
    pub fn with_each(&self, change: impl Fn(&mut Candidate)) -> Self {
        let mut chain = self.clone();
        chain.candidates.iter_mut().for_each(change);
        chain
    }

    /// The candidates, in order of preference; never empty.
    pub fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }

    /// What stands at `index` in place of a candidate with a name.
    pub fn live(&self, index: usize) -> Option<&Live> {
        self.live.get(index)?.as_ref()
    }

    /// Whether some of it is still to be looked up.
    pub fn is_open(&self) -> bool {
        !self.live.is_empty()
    }

    /// What is to be looked up, with the candidates in whose places it stands.
    pub fn entries(&self) -> impl Iterator<Item = (&Candidate, &Live)> {
        self.candidates.iter().zip(&self.live).filter_map(|(template, live)| Some((template, live.as_ref()?)))
    }

    /// The part of it that needs no list, if there is any.
    pub fn fixed(&self) -> Option<Self> {
        self.looked_up(&Catalogues::default())
    }

    /// The chain as the lists are now, or nothing if there is nobody in it for the time being. No model of a
    /// provider comes twice, but for those that are written twice.
    pub fn looked_up(&self, catalogues: &Catalogues) -> Option<Self> {
        if !self.is_open() {
            return Some(self.clone());
        }
        let fixed = self.candidates.iter().zip(&self.live).filter(|(_, live)| live.is_none());
        let mut named: HashSet<(usize, Arc<str>)> =
            fixed.map(|(candidate, _)| (candidate.provider.0, Arc::clone(&candidate.model))).collect();
        let mut candidates = Vec::new();
        for (template, live) in self.candidates.iter().zip(&self.live) {
            let Some(Live { filter, limit }) = live else {
                candidates.push(template.clone());
                continue;
            };
            let models = catalogues.of(template.provider).unwrap_or_default();
            let fresh = models
                .iter()
                .filter(|model| filter.fits(model))
                .filter(|model| named.insert((template.provider.0, Arc::clone(&model.id))))
                .take(limit.map_or(MOST, |limit| limit as usize));
            candidates
                .extend(fresh.map(|model| Candidate { model: Arc::clone(&model.id), ..template.clone() }));
        }
        Self::try_new(candidates)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::openai::catalogue::Listed;
    use crate::route::testing::candidate;
    use crate::route::{Pattern, ProviderId};

    fn live(provider: usize, only: &str, limit: Option<u32>) -> Link {
        let filter = Filter { only: Pattern::try_new(only).into_iter().collect(), ..Filter::default() };
        Link::Live(candidate(provider, ""), Live { filter, limit })
    }

    fn fixed(provider: usize, model: &str) -> Link {
        Link::Fixed(candidate(provider, model))
    }

    fn listing(lists: &[(usize, &[&str])]) -> Catalogues {
        lists.iter().fold(Catalogues::default(), |mut catalogues, (provider, ids)| {
            let models = ids.iter().map(|id| Listed::new(*id)).collect();
            catalogues.learn(ProviderId(*provider), models);
            catalogues
        })
    }

    fn names(chain: Option<Chain>) -> Vec<String> {
        let candidates = chain.map(|chain| chain.candidates().to_vec()).unwrap_or_default();
        candidates.iter().map(|candidate| format!("{}/{}", candidate.provider.0, candidate.model)).collect()
    }

    #[test]
    fn fixed_and_live_links_mix_in_their_order() {
        let links = vec![fixed(0, "c"), live(0, "*", Some(2)), fixed(1, "x"), live(1, "*", None)];
        let chain = Chain::try_linked(links).unwrap();
        let lists = listing(&[(0, &["b", "c", "a", "d"]), (1, &["x", "y"])]);

        assert!(chain.is_open());
        assert_eq!(names(chain.looked_up(&lists)), ["0/c", "0/b", "0/a", "1/x", "1/y"]);
        assert!(!chain.looked_up(&lists).unwrap().is_open());
        assert_eq!(names(chain.fixed()), ["0/c", "1/x"]);
        assert_eq!(chain.entries().count(), 2);
    }

    #[test]
    fn nobody_is_repeated_by_a_list() {
        let chain =
            Chain::try_linked(vec![live(0, "a*", None), live(0, "*", Some(1)), fixed(0, "a2")]).unwrap();
        let lists = listing(&[(0, &["a1", "a2", "b", "c"])]);

        assert_eq!(names(chain.looked_up(&lists)), ["0/a1", "0/b", "0/a2"]);
    }

    #[test]
    fn with_nobody_in_it_there_is_no_chain() {
        let chain = Chain::try_linked(vec![live(0, "a*", None)]).unwrap();

        assert!(chain.looked_up(&Catalogues::default()).is_none(), "nothing is known");
        assert!(chain.looked_up(&listing(&[(0, &["b"])])).is_none(), "nothing fits");
        assert!(chain.fixed().is_none());
        assert_eq!(names(chain.looked_up(&listing(&[(0, &["ab"])]))), ["0/ab"]);
        assert!(Chain::try_linked(Vec::new()).is_none());
    }

    #[test]
    fn without_a_live_link_it_is_what_it_is() {
        let chain = Chain::try_linked(vec![fixed(0, "a"), fixed(0, "a")]).unwrap();

        assert!(!chain.is_open() && chain.live(0).is_none());
        assert_eq!(names(chain.looked_up(&Catalogues::default())), ["0/a", "0/a"]);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn fixed_ones_stay_and_lists_repeat_nobody(
            links in prop::collection::vec((0_usize..2, "[a-c]{0,2}|\\*", prop::option::of(1_u32..3), any::<bool>()), 1..5),
            list in prop::collection::hash_set("[a-c]{1,2}", 0..6),
        ) {
            let link = |(provider, text, limit, is_live): (usize, String, _, bool)| {
                if is_live { live(provider, &text, limit) } else { fixed(provider, &format!("f{text}")) }
            };
            let links: Vec<_> = links.into_iter().map(link).collect();
            let written: Vec<_> = links.iter().filter(|link| matches!(link, Link::Fixed(_))).collect();
            let ids: Vec<&str> = list.iter().map(String::as_str).collect();
            let chain = Chain::try_linked(links.clone()).unwrap();
            let found = names(chain.looked_up(&listing(&[(0, &ids)])));

            let from_list: Vec<_> = found.iter().filter(|name| !name.contains("/f")).collect();
            let distinct: std::collections::BTreeSet<_> = from_list.iter().collect();
            prop_assert_eq!(distinct.len(), from_list.len());
            prop_assert_eq!(found.len() - from_list.len(), written.len());
            prop_assert!(from_list.iter().all(|name| name.starts_with("0/")));
        }
    }
}
