//! Family: what a policy would earn, as a whole distribution, from data that another policy logged.
//!
//! Data are transitions (s, a, r ∈ ℝᵈ, s', done); of the policy in question one only needs to draw actions. An estimator makes
//! a sequence of *fits*, each a model of the law of the return given (s, a) that starts from draws of the one before it:
//! backwards over the stages of a finite horizon, or again and again, on a fresh part of the data, for a discounted endless
//! one. It is scored by the distance of its law of the return from the true one.
//!
//! | file | what it holds |
//! |---|---|
//! | [`fle`] | fitted likelihood estimation, with any model that maximum likelihood can train |
//! | [`density`] | the role of such a model; [`mixture`] and [`diffusion`] play it |
//! | `fit` | what all estimators do alike: rows in batches, one fit after the other |
//! | [`categorical`], [`quantile`] | distributional fitted Q-evaluation on atoms and on quantiles |
//! | [`distance`] | total variation between histograms, Wasserstein distance between samples |
//! | [`combination_lock`] | the problems `combination-lock-1d`, `combination-lock-2d`, `endless-lock` |
//! | [`problem`] | their runs |
//! | [`log`](mod@log), [`own`] | a user's own log, and what a policy would earn by it |

pub mod categorical;
pub mod combination_lock;
pub mod density;
pub mod diffusion;
pub mod distance;
mod fit;
pub mod fle;
pub mod log;
pub mod mixture;
pub mod own;
pub mod problem;
pub mod quantile;

use std::sync::Arc;

use quire_core::{About, Entry, OptionMap, Options, Result, Rng, Seeds, options};
use rand::RngExt;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

pub use problem::problems;

/// Logged transitions: the data of one fit.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Logged {
    /// s, `[N, width]`.
    pub states: Vec<f32>,
    /// a, `[N]`.
    pub actions: Vec<usize>,
    /// r, `[N, d]`.
    pub rewards: Vec<f32>,
    /// s', `[N, width]`.
    pub next: Vec<f32>,
    /// Whether nothing follows. `[N]`.
    pub done: Vec<bool>,
}

impl Logged {
    /// The number of transitions N.
    pub fn len(&self) -> usize {
        self.actions.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.actions.is_empty()
    }
}

/// Fills π(·|s), `[A]`, for a state `[width]`.
pub type Policy = Arc<dyn Fn(&[f32], &mut [f64]) + Send + Sync>;

/// What is to be evaluated: data and policy.
#[derive(Clone)]
pub struct Setting {
    /// Numbers in a state.
    pub width: usize,
    /// The number of actions A.
    pub actions: usize,
    /// Numbers in a reward d.
    pub dimensions: usize,
    /// Discount factor γ per step; 1 for a finite horizon.
    pub discount: f64,
    /// The data of each fit in the order of the fits: the last stage first, or one fold after the other.
    pub data: Vec<Arc<Logged>>,
    /// Fills π(·|s), `[A]`, for a state `[width]` of the policy in question.
    pub policy: Policy,
    /// Where its random streams come from.
    pub seeds: Seeds,
}

impl Setting {
    /// Inputs of a model, a state with the action as one number behind it.
    pub fn input(&self, state: &[f32], action: usize, inputs: &mut Vec<f32>) {
        inputs.extend_from_slice(state);
        inputs.push(action as f32);
    }

    /// Inputs (s, a) of all transitions of a fit, `[N, width + 1]`.
    pub fn inputs(&self, fit: usize) -> Vec<f32> {
        let data = &self.data[fit];
        let mut inputs = Vec::with_capacity(data.len() * (self.width + 1));
        for (state, &action) in data.states.chunks_exact(self.width).zip(&data.actions) {
            self.input(state, action, &mut inputs);
        }
        inputs
    }

    /// Inputs (s', a') of all transitions of a fit with a' drawn from the policy, `[N, width + 1]`.
    pub fn next_inputs(&self, fit: usize, rng: &mut Rng) -> Vec<f32> {
        let data = &self.data[fit];
        let mut inputs = Vec::with_capacity(data.len() * (self.width + 1));
        let mut probabilities = vec![0.0; self.actions];
        for next in data.next.chunks_exact(self.width) {
            (self.policy)(next, &mut probabilities);
            self.input(next, crate::policy::draw(&probabilities, rng), &mut inputs);
        }
        inputs
    }
}

/// The role: fit after fit, then draw returns.
pub trait Estimator: Send {
    /// Begins the next fit: sets its targets by the one before it and makes a model afresh.
    ///
    /// # Errors
    /// Options that the model refuses.
    fn begin(&mut self) -> Result<()>;

    /// One gradient step of the current fit. `false` once it is done.
    fn step(&mut self) -> bool;

    /// Gradient steps of one fit.
    fn steps(&self) -> u64;

    /// Appends draws of the return for each row of `inputs`, `[N, width + 1]`, by the given fit (from 0): `[N, d]`.
    fn sample(&mut self, fit: usize, inputs: &[f32], rng: &mut Rng, draws: &mut Vec<f64>);

    /// The whole state, generators included.
    fn save(&self) -> Vec<u8>;

    /// Goes on from what [`Estimator::save`] returned.
    fn restore(&mut self, saved: &[u8]) -> Result<()>;
}

/// A method of this family, made from typed options.
pub trait Method: Estimator + Sized + 'static {
    /// Its options.
    type Options: Options;

    /// Name, summary, source.
    const ABOUT: About;

    /// Numbers in a reward that it can take, at most.
    const DIMENSIONS: usize;

    /// Makes the estimator. Fails if the options don't suit the setting.
    fn new(setting: Setting, options: Self::Options) -> Result<Self>;
}

/// What the table says of a method besides its card.
pub struct Maker {
    /// Numbers in a reward that it can take, at most.
    pub dimensions: usize,
    /// Makes the estimator from the options that the user has set, laid over the defaults.
    pub estimator: fn(Setting, &OptionMap) -> Result<Box<dyn Estimator>>,
}

const fn entry<M: Method>() -> Entry<Maker> {
    Entry {
        name: M::ABOUT.name,
        card: || M::ABOUT.card::<M::Options>(),
        make: Maker {
            dimensions: M::DIMENSIONS,
            estimator: |setting, set| Ok(Box::new(M::new(setting, options::resolve(&[set])?)?)),
        },
    }
}

/// The methods of this family.
pub const METHODS: &[Entry<Maker>] =
    &[entry::<fle::Fle>(), entry::<categorical::CategoricalFqe>(), entry::<quantile::QuantileFqe>()];

/// Batches without replacement: every row once before any comes again.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Batches {
    order: Vec<u32>,
    place: usize,
}

impl Batches {
    /// Of `rows` rows.
    pub fn new(rows: usize) -> Self {
        Batches { order: (0..rows as u32).collect(), place: rows }
    }

    /// The next `size` rows, or all of them if there are fewer.
    pub fn next(&mut self, size: usize, rng: &mut Rng) -> &[u32] {
        let size = size.min(self.order.len());
        if self.place + size > self.order.len() {
            self.order.shuffle(rng);
            self.place = 0;
        }
        self.place += size;
        &self.order[self.place - size..self.place]
    }
}

/// A standard normal number.
fn normal(rng: &mut Rng) -> f64 {
    rng.sample(rand_distr::StandardNormal)
}

#[cfg(test)]
mod tests;
