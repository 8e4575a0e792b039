//! Methods: the cards that describe them, and the tables in which a family lists them.

use serde::Serialize;

use crate::options::{Options, tuned_tables};
use crate::{OptionMap, OptionSchema, Problem, Result};

/// Where a method was published.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Paper {
    /// The paper's slug in `papers/`.
    pub slug: &'static str,
    /// Its title.
    pub title: &'static str,
    /// Its arXiv identifier, or another locator where there is none.
    pub arxiv: &'static str,
}

/// What a method is.
#[derive(Debug, Clone, Serialize)]
pub struct MethodCard {
    /// Its name, such as `double-dqn`.
    pub name: &'static str,
    /// What it does, in one sentence.
    pub summary: &'static str,
    /// When to pick it, and when not.
    pub when: &'static str,
    /// The wing it belongs to.
    pub wing: &'static str,
    /// The family within the wing.
    pub family: &'static str,
    /// Where it was published.
    pub paper: Option<Paper>,
    /// True if it is here as a rival for other methods rather than for its own sake.
    pub is_baseline: bool,
    /// Its options: names, types, ranges, defaults, descriptions.
    pub options: OptionSchema,
    /// Option values tuned for single problems, by problem name; they apply unless the user asks for the defaults.
    pub tuned: Vec<(String, OptionMap)>,
}

/// What a method file says about its method, besides the options.
#[derive(Debug, Clone, Copy)]
pub struct About {
    /// The method's name, such as `double-dqn`.
    pub name: &'static str,
    /// What it does, in one sentence.
    pub summary: &'static str,
    /// When to pick it, and when not.
    pub when: &'static str,
    /// The wing it belongs to.
    pub wing: &'static str,
    /// The family within the wing.
    pub family: &'static str,
    /// Where it was published, if it counts as that paper's method.
    pub paper: Option<Paper>,
    /// True if it is here as a rival for other methods rather than for its own sake.
    pub is_baseline: bool,
    /// The text of the TOML file of tuned options beside the method, one table a problem; empty if there is none.
    pub tuned: &'static str,
}

impl About {
    /// The card of the method, whose options are `O`.
    ///
    /// # Panics
    /// If `tuned` is not valid; a test over the whole registry makes every card.
    pub fn card<O: Options>(&self) -> MethodCard {
        self.card_with(OptionSchema::of::<O>())
    }

    fn card_with(&self, options: OptionSchema) -> MethodCard {
        MethodCard {
            name: self.name,
            summary: self.summary,
            when: self.when,
            wing: self.wing,
            family: self.family,
            paper: self.paper,
            is_baseline: self.is_baseline,
            options,
            tuned: tuned_tables(self.tuned),
        }
    }
}

impl MethodCard {
    /// The values tuned for `problem`; empty if there are none.
    pub fn tuned_for(&self, problem: &str) -> OptionMap {
        self.tuned
            .iter()
            .find(|(name, _)| name == problem)
            .map(|(_, options)| options.clone())
            .unwrap_or_default()
    }
}

/// A row of a family's table of methods.
pub struct Entry<M> {
    /// The method's name.
    pub name: &'static str,
    /// The card.
    pub card: fn() -> MethodCard,
    /// What makes the method, as its family needs it.
    pub make: M,
}

impl<M> Entry<M> {
    /// The cards of a table.
    pub fn cards(table: &[Entry<M>]) -> Vec<MethodCard> {
        table.iter().map(|entry| (entry.card)()).collect()
    }

    /// The row of the method with this name. Fails if `problem` does not have it.
    ///
    /// # Panics
    /// If `problem` has a method that is not in `table`, from which its cards are made.
    pub fn find<'table>(
        table: impl IntoIterator<Item = &'table Entry<M>>,
        problem: &dyn Problem,
        name: &str,
    ) -> Result<&'table Entry<M>> {
        problem.method(name)?;
        Ok(table.into_iter().find(|entry| entry.name == name).expect("a problem's cards come from the table"))
    }
}
