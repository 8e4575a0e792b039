//! Planning for a target that no log is of: each log comes from a source, a random perturbation of the target.
//!
//! Sources are drawn independently, so that the mean of their rewards and transition probabilities is the target's. A planner
//! gets what every source has logged of every stage, state and action, and returns one policy for the target.
//!
//! | file | what it holds |
//! |---|---|
//! | [`hetpevi`] | HetPEVI: equal weight for each source, and a penalty for having few samples and one for having few sources |
//! | [`hetpevi_linear`] | HetPEVI-Lin: the same on features |
//! | [`baselines`] | PEVI on the pooled data, and on the best single source |
//! | [`problem`] | the problems `perturbed-trap`, `perturbed-even`, `perturbed-three` and `perturbed-linear`, and their run |
//! | [`worlds`] | targets, sources and logs |
//! | [`games`] | the form for two players |

pub mod baselines;
pub mod games;
pub mod hetpevi;
pub mod hetpevi_linear;
pub mod problem;
pub mod worlds;

use std::sync::Arc;

use quire_core::{About, Entry, OptionMap, Options, Result, options};

pub use problem::problems;

use super::{Plan, Setting};
use crate::linear::Features;

/// What one source has logged.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    /// N(h, s, a), `[H, S, A]`.
    pub visits: Vec<f64>,
    /// Mean of the rewards, `[H, S, A]`; of no meaning without visits.
    pub rewards: Vec<f64>,
    /// How often each next state followed, `[H, S, A, S]`.
    pub next: Vec<f64>,
}

impl Source {
    /// Mean of the values (`[S]`) of the next states that followed `cell`, numbered (h S + s) A + a.
    pub fn mean_next(&self, cell: usize, values: &[f64]) -> f64 {
        let states = values.len();
        let row = &self.next[cell * states..][..states];
        row.iter().zip(values).map(|(n, v)| n * v).sum::<f64>() / self.visits[cell]
    }

    /// All that `sources` have logged, as if from one.
    pub fn pooled(sources: &[Source]) -> Source {
        let mut pool = Source {
            visits: vec![0.0; sources[0].visits.len()],
            rewards: vec![0.0; sources[0].rewards.len()],
            next: vec![0.0; sources[0].next.len()],
        };
        for source in sources {
            for (cell, &visits) in source.visits.iter().enumerate().filter(|(_, visits)| **visits > 0.0) {
                pool.visits[cell] += visits;
                pool.rewards[cell] +=
                    visits / pool.visits[cell] * (source.rewards[cell] - pool.rewards[cell]);
            }
            pool.next.iter_mut().zip(&source.next).for_each(|(sum, n)| *sum += n);
        }
        pool
    }
}

/// The role: plan for the target.
pub trait SourcePlanner: Send {
    /// Plans from what the `sources` have logged, at least one. A planner that leaves the choice among several plans to
    /// somebody who knows the target returns them all: the best is scored.
    ///
    /// # Errors
    /// A regression that cannot be solved.
    fn plan(&self, sources: &[Source]) -> Result<Vec<Plan>>;
}

/// A method of this role, made from typed options.
pub trait Method: SourcePlanner + Sized + 'static {
    /// Its options.
    type Options: Options;

    /// Name, summary, source.
    const ABOUT: About;

    /// Makes the planner.
    fn new(setting: &Setting, options: Self::Options) -> Result<Self>;
}

/// Makes the planner from the options that the user has set, laid over the defaults.
pub type Make = fn(&Setting, &OptionMap) -> Result<Box<dyn SourcePlanner>>;

const fn entry<M: Method>() -> Entry<Make> {
    Entry {
        name: M::ABOUT.name,
        card: || M::ABOUT.card::<M::Options>(),
        make: |setting, set| Ok(Box::new(M::new(setting, options::resolve(&[set])?)?)),
    }
}

/// The methods of this role.
pub const METHODS: &[Entry<Make>] = &[
    entry::<hetpevi::HetPevi>(),
    entry::<hetpevi_linear::HetPeviLinear>(),
    entry::<baselines::PooledPevi>(),
    entry::<baselines::BestSourcePevi>(),
];

/// What planners are told about a target of these sizes.
pub fn setting(states: usize, actions: usize, horizon: usize, features: Arc<Features>) -> Setting {
    Setting { states, actions, horizon, features, class: None }
}

#[cfg(test)]
mod tests;
