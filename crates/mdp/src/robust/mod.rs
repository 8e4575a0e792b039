//! Family: plan from logged steps for a world that will not be quite the one that was logged.
//!
//! A method is given a log of uniformly random actions and the reward function. Its policy is scored in worlds whose slip
//! differs from that of the log.
//!
//! | file | what it holds |
//! |---|---|
//! | [`rfzi`] | RFZI: cautious values by plain regression, as a table |
//! | [`rfzi_network`] | the same with a network |
//! | [`risk_policy_gradient`] | the exact policy gradient of the cautious objective |
//! | [`robust_vi`] | robust value iteration in the estimated model, with a ball around each row |
//! | [`rfqi`] | robust fitted Q-iteration, whose adversary moves mass to a state worth nothing |
//! | [`fqi`] | fitted Q-iteration, which trusts the log |
//! | [`data`] | the log |
//! | [`ring`] | the problem `robust-ring` and its run |

pub mod data;
pub mod fqi;
pub mod rfqi;
pub mod rfzi;
pub mod rfzi_network;
pub mod ring;
pub mod risk_policy_gradient;
pub mod robust_vi;

use std::sync::Arc;

use quire_core::{About, Entry, OptionMap, Options, Paper, Result, Seeds, options};
use quire_optim::GradientNorms;

pub use data::Dataset;
pub use ring::problems;

/// The paper of RFZI and of the gradient.
pub const PAPER: Paper = Paper {
    slug: "rfzi",
    title: "Soft Robust MDPs and Risk-Sensitive MDPs: Equivalence, Policy Gradient, and Sample Complexity",
    arxiv: "2306.11626",
};

/// What a method is given.
#[derive(Clone)]
pub struct Setting {
    /// Discount factor γ per step.
    pub discount: f64,
    /// The log.
    pub data: Arc<Dataset>,
    /// Where its random streams come from.
    pub seeds: Seeds,
}

/// The role: improve values or a policy, again and again, on the same log.
pub trait Planner: Send {
    /// One iteration.
    fn iterate(&mut self) -> Result<()>;

    /// The current policy as action probabilities, `[S, A]`.
    fn policy(&self) -> Vec<f64>;

    /// The mean over states of the values that the method gives its policy, cautious or not.
    fn estimated_value(&self) -> f64;

    /// The norms of its gradients, if its optimizer records them.
    fn gradient_norms(&self) -> Option<&GradientNorms> {
        None
    }

    /// The whole state, generators included.
    fn save(&self) -> Vec<u8>;

    /// Goes on from what [`Planner::save`] returned.
    fn restore(&mut self, saved: &[u8]) -> Result<()>;
}

/// A method of this family: a planner that is made from typed options.
pub trait Method: Planner + Sized + 'static {
    /// Its options.
    type Options: Options;

    /// Name, summary, source.
    const ABOUT: About;

    /// Makes the planner. Fails if the options or the log don't suit it.
    fn new(setting: &Setting, options: Self::Options) -> Result<Self>;
}

/// Makes the planner from the options that the user has set, laid over the defaults.
pub type Make = fn(&Setting, &OptionMap) -> Result<Box<dyn Planner>>;

const fn entry<M: Method>() -> Entry<Make> {
    Entry {
        name: M::ABOUT.name,
        card: || M::ABOUT.card::<M::Options>(),
        make: |setting, set| Ok(Box::new(M::new(setting, options::resolve(&[set])?)?)),
    }
}

/// The methods of this family.
pub const METHODS: &[Entry<Make>] = &[
    entry::<rfzi::Rfzi>(),
    entry::<rfzi_network::RfziNetwork>(),
    entry::<risk_policy_gradient::RiskPolicyGradient>(),
    entry::<robust_vi::RobustVi>(),
    entry::<rfqi::Rfqi>(),
    entry::<fqi::Fqi>(),
];

/// The greatest action value of every state of `q`, `[S, A]`.
fn state_values(q: &[f64], actions: usize) -> impl Iterator<Item = f64> {
    q.chunks_exact(actions).map(|row| row.iter().copied().fold(f64::NEG_INFINITY, f64::max))
}

/// The mean of [`state_values`].
fn mean_value(q: &[f64], actions: usize) -> f64 {
    state_values(q, actions).sum::<f64>() / (q.len() / actions) as f64
}

/// The policy that is greedy in `q`, `[S, A]`; of equal actions the first.
fn greedy(q: &[f64], actions: usize) -> Vec<f64> {
    let best = |row: &[f64]| crate::solve::maximum(row.iter().copied()).0;
    crate::finite::deterministic(&q.chunks_exact(actions).map(best).collect::<Vec<_>>(), actions)
}

#[cfg(test)]
mod tests;
