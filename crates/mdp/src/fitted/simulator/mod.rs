//! Learn a policy for a finite horizon in a simulator that can be started over at will.
//!
//! A learner acts in episodes of T steps, takes in what it saw, and in the end hands over one action for every stage and
//! state. It is scored by the exact expected return of what it would play now, as a share of the optimal one; while a stage
//! has no action yet, that stage is played at random.
//!
//! | file | what it holds |
//! |---|---|
//! | [`sqirl`] | SQIRL: stage after stage, regression of random play and a few steps of fitted Q-iteration |
//! | [`deep_sqirl`] | the same with one network of as many heads as looks |
//! | [`gorp`] | GORP, its ancestor: the same for sequences of actions, blind to states |
//! | [`q_learning`] | Q-learning on a table for every stage |
//! | [`problem`] | traps, Garnets and a grid, with and without sticky actions |
//! | [`run`] | episode after episode |

pub mod deep_sqirl;
pub mod gorp;
pub mod problem;
pub mod q_learning;
pub mod run;
pub mod sqirl;

use quire_core::{About, Entry, OptionMap, Options, Result, Seeds, options};
use quire_optim::GradientNorms;

pub use problem::problems;

/// What a learner is told.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The number of states S.
    pub states: usize,
    /// The number of actions A.
    pub actions: usize,
    /// Steps of an episode T.
    pub horizon: usize,
    /// Features of the states, `[S, d]`, for regressors that do not work on cells.
    pub features: Vec<f64>,
    /// Environment steps of the run; at least 1.
    pub budget: u64,
    /// Where its random streams come from.
    pub seeds: Seeds,
}

impl Setting {
    /// The environment steps by which stage `stage` (from 0) is to be learned, when all stages get the same share.
    pub fn share(&self, stage: usize) -> u64 {
        (u128::from(self.budget) * (stage as u128 + 1) / self.horizon as u128) as u64
    }
}

/// One step of an episode.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// Its number in the episode, from 0.
    pub stage: usize,
    /// The state acted in.
    pub state: usize,
    /// The action chosen.
    pub action: usize,
    /// What was paid.
    pub reward: f64,
    /// The state that followed; `None` if the episode ended there, by itself or because it was the last stage.
    pub next: Option<usize>,
}

/// The role: act, observe, tell what to play.
pub trait Learner: Send {
    /// The action at `stage` (from 0) in `state`.
    fn act(&mut self, stage: usize, state: usize) -> usize;

    /// Takes in one step. `spent` is the number of environment steps so far, this one included.
    ///
    /// # Errors
    /// Those of a regression.
    fn observe(&mut self, step: Step, spent: u64) -> Result<()>;

    /// Called before [`Learner::policy`] is asked: the place to work out what is dear to know at every step.
    fn prepare_policy(&mut self) {}

    /// What it would play: the action, or `None` where it has not learned one yet.
    fn policy(&self, stage: usize, state: usize) -> Option<usize>;

    /// Why there is nothing more to learn, once that is so.
    fn finished(&self) -> Option<String> {
        None
    }

    /// The number of stages that are learned for good.
    fn learned(&self) -> usize;

    /// The norms of its gradients, if its optimizer records them.
    fn gradient_norms(&self) -> Option<&GradientNorms> {
        None
    }

    /// The whole state, generators included.
    fn save(&self) -> Vec<u8>;

    /// Goes on from what [`Learner::save`] returned.
    fn restore(&mut self, saved: &[u8]) -> Result<()>;
}

/// A method of this role, made from typed options.
pub trait Method: Learner + Sized + 'static {
    /// Its options.
    type Options: Options;

    /// Name, summary, source.
    const ABOUT: About;

    /// Makes the learner. Fails if the options don't suit the setting.
    fn new(setting: &Setting, options: Self::Options) -> Result<Self>;
}

/// Makes the learner from the options that the user has set, laid over the defaults.
pub type Make = fn(&Setting, &OptionMap) -> Result<Box<dyn Learner>>;

/// The row of the method `M`.
pub const fn entry<M: Method>() -> Entry<Make> {
    Entry {
        name: M::ABOUT.name,
        card: || M::ABOUT.card::<M::Options>(),
        make: |setting, set| Ok(Box::new(M::new(setting, options::resolve(&[set])?)?)),
    }
}

/// The methods of this role.
pub const METHODS: &[Entry<Make>] = &[
    entry::<sqirl::Sqirl>(),
    entry::<deep_sqirl::DeepSqirl>(),
    entry::<gorp::Gorp>(),
    entry::<q_learning::StageQLearning>(),
];

/// The first of the greatest values.
fn argmax(values: &[f64]) -> usize {
    let mut best = 0;
    for (action, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = action;
        }
    }
    best
}

#[cfg(test)]
mod tests;
