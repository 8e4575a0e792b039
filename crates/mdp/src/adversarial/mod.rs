//! Family: choose policies against losses that an adversary picks afresh every episode.
//!
//! The transitions stay, the losses l_k(h, s, a) in [0, 1] change as they like, and only those of the pairs that an episode passes
//! are seen. Action values are linear in known features, Q_h(s, a) = φ(s, a)·θ_h. A learner is scored by its regret: its exact
//! expected losses, minus those of the best fixed policy in hindsight.
//!
//! All methods but the uniform one follow the regularized leader in every state by itself, on cumulative estimates of the action
//! values minus bonuses for what is seldom seen.
//!
//! | file | what it holds |
//! |---|---|
//! | [`log_barrier`] | log-barrier policy optimization, whose estimates may be as negative as they like |
//! | [`magnitude_reduced`] | exponential weights on estimates that cannot be very negative |
//! | [`simulator_free`] | the first of these without a simulator, in a linear MDP |
//! | [`baselines`] | exponential weights without and with dilated bonuses, the uniform policy |
//! | [`ftrl`] | the two regularizers |
//! | [`covariance`] | inverse covariances of the features a policy meets: exact, regularized mean, geometric resampling |
//! | [`estimates`] | estimates of action values and bonuses |
//! | [`worlds`], [`problem`], [`run`] | the worlds, the problems, a run |

pub mod baselines;
pub mod covariance;
pub mod estimates;
pub mod ftrl;
pub mod log_barrier;
pub mod magnitude_reduced;
pub mod problem;
pub mod run;
pub mod simulator_free;
pub mod worlds;

use std::sync::Arc;

use quire_core::{About, Entry, OptionMap, Options, Result, Seeds, options};
use serde::{Deserialize, Serialize};

pub use problem::problems;

use crate::linear::Features;
use crate::staged::StagedMdp;

/// What a learner is told at its start.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The number of states S of a stage.
    pub states: usize,
    /// The number of actions A.
    pub actions: usize,
    /// Steps of an episode H.
    pub horizon: usize,
    /// How many episodes there will be, K.
    pub episodes: u64,
    /// φ(s, a), of length at most 1, the same at every stage.
    pub features: Arc<Features>,
    /// The transitions, for methods that are given a simulator; rewards in it mean nothing.
    pub simulator: Option<Arc<StagedMdp>>,
    /// Where its random streams come from.
    pub seeds: Seeds,
}

impl Setting {
    /// The number of state-action pairs of a stage.
    pub fn pairs(&self) -> usize {
        self.states * self.actions
    }

    /// The uniform policy, `[H, S, A]`.
    pub fn uniform(&self) -> Vec<f64> {
        vec![1.0 / self.actions as f64; self.horizon * self.pairs()]
    }
}

/// One step of an episode.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// The state s_h.
    pub state: usize,
    /// The action a_h.
    pub action: usize,
    /// The loss l_h that was paid, in [0, 1].
    pub loss: f64,
}

/// The role: play a policy, see what the pairs on the way cost.
pub trait Learner: Send {
    /// Fills `policy`, action probabilities `[H, S, A]`, for the next episode.
    fn plan(&mut self, policy: &mut [f64]);

    /// Takes in an episode, a step a stage.
    fn observe(&mut self, episode: &[Step]) -> Result<()>;

    /// The least estimate of an action value so far, where there are any.
    fn lowest_estimate(&self) -> Option<f64> {
        None
    }

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

    /// Whether it is to be given a simulator.
    const NEEDS_SIMULATOR: bool = true;

    /// Makes the learner. Fails if the options don't suit the setting.
    fn new(setting: &Setting, options: Self::Options) -> Result<Self>;
}

/// What the table says of a method besides its card.
pub struct Maker {
    /// Whether it is to be given a simulator.
    pub needs_simulator: bool,
    /// Makes the learner from the options that the user has set, laid over the defaults.
    pub learner: fn(&Setting, &OptionMap) -> Result<Box<dyn Learner>>,
}

const fn entry<M: Method>() -> Entry<Maker> {
    Entry {
        name: M::ABOUT.name,
        card: || M::ABOUT.card::<M::Options>(),
        make: Maker {
            needs_simulator: M::NEEDS_SIMULATOR,
            learner: |setting, set| Ok(Box::new(M::new(setting, options::resolve(&[set])?)?)),
        },
    }
}

/// The methods of this family.
pub const METHODS: &[Entry<Maker>] = &[
    entry::<log_barrier::LogBarrierPo>(),
    entry::<magnitude_reduced::MagnitudeReducedPo>(),
    entry::<simulator_free::SimulatorFreePo>(),
    entry::<baselines::DilatedBonusPo>(),
    entry::<baselines::StatewiseExp3>(),
    entry::<baselines::UniformPolicy>(),
];

/// Regularized leaders, one in every stage and state.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Leaders {
    /// Cumulative estimated losses minus bonuses, `[H, S, A]`.
    pub losses: Vec<f64>,
    /// Action probabilities, `[H, S, A]`.
    pub policy: Vec<f64>,
    /// The least estimate so far.
    pub lowest: f64,
}

impl Leaders {
    /// Before any loss: all uniform.
    pub fn new(setting: &Setting) -> Self {
        let policy = setting.uniform();
        Leaders { losses: vec![0.0; policy.len()], policy, lowest: 0.0 }
    }

    /// Adds Q̂ - B, both `[H, S, A]`, and moves every policy to `leader` (of the learning rate, cumulative losses and the
    /// probabilities to be filled, both `[A]`).
    ///
    /// # Errors
    /// Estimates that are not finite.
    pub fn follow(
        &mut self,
        estimates: &[f64],
        bonuses: &[f64],
        learning_rate: f64,
        actions: usize,
        leader: impl Fn(f64, &[f64], &mut [f64]),
    ) -> Result<()> {
        for ((sum, estimate), bonus) in self.losses.iter_mut().zip(estimates).zip(bonuses) {
            *sum += estimate - bonus;
            self.lowest = self.lowest.min(*estimate);
        }
        if self.losses.iter().any(|loss| !loss.is_finite()) {
            let place = "estimates of action values are not finite; use a larger ridge".to_owned();
            return Err(quire_core::Error::Diverged(place));
        }
        for (losses, policy) in self.losses.chunks_exact(actions).zip(self.policy.chunks_exact_mut(actions)) {
            leader(learning_rate, losses, policy);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
