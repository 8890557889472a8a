//! The models that providers list, as far as they are known.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::ProviderId;
use crate::openai::catalogue::Listed;

/// The latest list of each provider that has given one.
#[derive(Debug, Clone, Default)]
pub struct Catalogues(BTreeMap<usize, Arc<[Listed]>>);

impl Catalogues {
    /// The list of a provider, in its order; `None` if it has never given one.
    pub fn of(&self, provider: ProviderId) -> Option<&[Listed]> {
        self.0.get(&provider.0).map(|models| &**models)
    }

    /// Puts a list in the place of the one before; says whether it is another one.
    pub fn learn(&mut self, provider: ProviderId, models: Vec<Listed>) -> bool {
        let is_news = self.of(provider) != Some(models.as_slice());
        if is_news {
            self.0.insert(provider.0, models.into());
        }
        is_news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_takes_the_place_of_the_one_before() {
        let mut catalogues = Catalogues::default();
        assert_eq!(catalogues.of(ProviderId(1)), None);

        assert!(catalogues.learn(ProviderId(1), Vec::new()), "an empty list is one");
        assert_eq!(catalogues.of(ProviderId(1)), Some(&[][..]));
        assert!(!catalogues.learn(ProviderId(1), Vec::new()));
        assert!(catalogues.learn(ProviderId(1), vec![Listed::new("a")]));
        assert!(!catalogues.learn(ProviderId(1), vec![Listed::new("a")]));
        assert_eq!(catalogues.of(ProviderId(0)), None);
    }
}
