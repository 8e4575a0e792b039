//! Family: learn to act from nothing but which of two trajectories somebody likes better.
//!
//! Rewards exist but are never seen. Every round a learner names two policies, sees one trajectory of each, and may ask which is
//! better; the answer is the first with probability Φ(r(τ⁰) - r(τ¹)), Φ the logistic function. Answers cost, so it is scored twice: by its
//! regret, Σ_t ( 2 V* - V^{π⁰} - V^{π¹} ), computed exactly, and by its questions. r(τ) = Σ_h φ(s_h, a_h)·θ_h.
//!
//! | file | what it holds |
//! |---|---|
//! | [`pr_lsvi`] | PR-LSVI: rewards of maximum likelihood and least-squares values, both with noise |
//! | [`pbts`] | PbTS: rewards and models drawn from their posteriors |
//! | [`baselines`] | no noise, and rewards that are known |
//! | [`comparisons`] | pairs, answers and the likelihood |
//! | [`query`] | when to ask |
//! | [`worlds`], [`problem`], [`run`] | the worlds, the problems, a run |

pub mod baselines;
pub mod comparisons;
pub mod pbts;
pub mod pr_lsvi;
pub mod problem;
pub mod query;
pub mod run;
pub mod worlds;

use std::sync::Arc;

use quire_core::{About, Entry, OptionMap, Options, Result, Seeds, options};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use problem::problems;

use crate::linear::Features;
use crate::staged::StagedMdp;

/// What a learner is told at its start.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The number of states S.
    pub states: usize,
    /// The number of actions A.
    pub actions: usize,
    /// Steps of a trajectory H.
    pub horizon: usize,
    /// How many rounds there will be, T.
    pub rounds: u64,
    /// φ(s, a), the same at every stage; a trajectory's features are those of its stages one after the other.
    pub features: Arc<Features>,
    /// The greatest reward of a step.
    pub greatest_reward: f64,
    /// Expected rewards, `[H, S, A]`, for methods that are told.
    pub rewards: Option<Arc<Vec<f64>>>,
    /// A class of models and one of rewards with the truth in them, where the problem has any.
    pub candidates: Option<Arc<Candidates>>,
    /// Where its random streams come from.
    pub seeds: Seeds,
}

impl Setting {
    /// The number of state-action pairs.
    pub fn pairs(&self) -> usize {
        self.states * self.actions
    }
}

/// A class of models and a class of rewards.
#[derive(Debug, Clone)]
pub struct Candidates {
    /// Transitions; their rewards mean nothing.
    pub models: Vec<StagedMdp>,
    /// Rewards, `[H, S, A]` each.
    pub rewards: Vec<Vec<f64>>,
}

/// One step of a trajectory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The state.
    pub state: usize,
    /// The action.
    pub action: usize,
    /// The state that followed.
    pub next: usize,
}

/// Two trajectories, of the first and of the second policy, a step a stage.
pub type Pair<'a> = [&'a [Step]; 2];

/// Which policy the second trajectory is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Comparator {
    /// The first policy of the round before; in the first round, that of the round itself.
    Previous,
    /// The first policy once more, which says little about what would be better.
    Same,
}

/// The role: name two policies, ask or don't, learn.
pub trait Learner: Send {
    /// Fills the two policies of the next round, actions `[H, S]`.
    ///
    /// # Errors
    /// A system of equations without a solution.
    fn plan(&mut self, policies: [&mut [usize]; 2]) -> Result<()>;

    /// Whether to ask which trajectory is better.
    ///
    /// # Errors
    /// As [`Learner::plan`].
    fn asks(&mut self, pair: Pair) -> Result<bool>;

    /// Takes in the trajectories and, if it asked, whether the first is better.
    ///
    /// # Errors
    /// As [`Learner::plan`].
    fn observe(&mut self, pair: Pair, first_is_better: Option<bool>) -> Result<()>;

    /// The whole state, generators included.
    fn save(&self) -> Vec<u8>;

    /// Goes on from what [`Learner::save`] returned.
    fn restore(&mut self, saved: &[u8]) -> Result<()>;
}

/// A method of this family: a learner that is made from typed options.
pub trait Method: Learner + Sized + 'static {
    /// Its options.
    type Options: Options;

    /// Name, summary, source.
    const ABOUT: About;

    /// Whether it is to be told the rewards.
    const KNOWS_REWARDS: bool = false;

    /// Makes the learner. Fails if the options don't suit the setting.
    fn new(setting: &Setting, options: Self::Options) -> Result<Self>;
}

/// What the table says of a method besides its card.
pub struct Maker {
    /// Whether it is to be told the rewards.
    pub knows_rewards: bool,
    /// Makes the learner from the options that the user has set, laid over the defaults.
    pub learner: fn(&Setting, &OptionMap) -> Result<Box<dyn Learner>>,
}

const fn entry<M: Method>() -> Entry<Maker> {
    Entry {
        name: M::ABOUT.name,
        card: || M::ABOUT.card::<M::Options>(),
        make: Maker {
            knows_rewards: M::KNOWS_REWARDS,
            learner: |setting, set| Ok(Box::new(M::new(setting, options::resolve(&[set])?)?)),
        },
    }
}

/// The methods of this family.
pub const METHODS: &[Entry<Maker>] = &[
    entry::<pr_lsvi::PrLsvi>(),
    entry::<pbts::Pbts>(),
    entry::<baselines::GreedyPreferenceLsvi>(),
    entry::<baselines::TrueRewardRlsvi>(),
];

#[cfg(test)]
mod tests;
