//! The worlds of this family: fixed transitions, and losses that flip.

use std::sync::Arc;

use quire_core::{Result, Rng, Seeds};
use rand::RngExt;

use crate::finite::FiniteMdp;
use crate::linear::{Features, LinearMdp};
use crate::posterior::GammaTable;
use crate::staged::StagedMdp;

/// Stages of all worlds.
pub const HORIZON: usize = 2;
/// Actions of all worlds.
pub const ACTIONS: usize = 4;

/// Where episodes are played. Losses are b in the first quarter of a run, 1 - b afterwards.
#[derive(Debug, Clone)]
pub struct World {
    /// The transitions; their rewards are 0.
    pub transitions: Arc<StagedMdp>,
    /// φ(s, a).
    pub features: Arc<Features>,
    /// b and 1 - b, `[H, S, A]`.
    losses: [Vec<f64>; 2],
}

impl World {
    /// 3 states and 4 actions a stage, one feature a pair; next states are Dirichlet(1), b uniform in [0, 1].
    ///
    /// # Errors
    /// None for a world drawn like this.
    pub fn one_hot(seed: u64) -> Result<Self> {
        let mut rng = Seeds::new(seed).child("world").stream("one-hot");
        let (states, pairs) = (3, 3 * ACTIONS);
        let stage = |_| {
            let transitions = dirichlets(pairs, states, 1.0, &mut rng);
            FiniteMdp::from_dense(states, ACTIONS, &transitions, vec![0.0; pairs], start(states))
        };
        let stages = (0..HORIZON).map(stage).collect::<Result<_>>()?;
        let losses = (0..HORIZON * pairs).map(|_| rng.random()).collect();
        Ok(World::new(StagedMdp::new(stages)?, Features::one_hot(pairs), losses))
    }

    /// The same sizes with 6 features for the 12 pairs of a stage: a linear MDP, so that the action values of every policy
    /// are linear, whatever the losses.
    ///
    /// # Errors
    /// None for a world drawn like this.
    pub fn dense(seed: u64) -> Result<Self> {
        World::linear(3, 6, seed)
    }

    /// A linear MDP of mixtures: φ(s, a) is Dirichlet(1) over `dimension` latent pairs, each with next states that are
    /// Dirichlet(0.3), b linear with weights uniform in [0, 1]. As the features of a pair sum to 1, 1 - b is linear too.
    ///
    /// # Errors
    /// None for a world drawn like this.
    pub fn linear(states: usize, dimension: usize, seed: u64) -> Result<Self> {
        let mut rng = Seeds::new(seed).child("world").stream("linear");
        let features = Features::new(dimension, dirichlets(states * ACTIONS, dimension, 1.0, &mut rng))?;
        let mut losses = Vec::new();
        let mut stages = Vec::new();
        for _ in 0..HORIZON {
            stages.push((vec![0.0; dimension], dirichlets(dimension, states, 0.3, &mut rng)));
            let weights: Vec<f64> = (0..dimension).map(|_| rng.random()).collect();
            losses.extend(features.dot(&weights));
        }
        let linear = LinearMdp::new(features, ACTIONS, &stages, start(states))?;
        let features = Arc::unwrap_or_clone(linear.features);
        Ok(World::new(linear.mdp, features, losses))
    }

    fn new(transitions: StagedMdp, features: Features, losses: Vec<f64>) -> Self {
        let flipped = losses.iter().map(|loss| 1.0 - loss).collect();
        World { transitions: Arc::new(transitions), features: Arc::new(features), losses: [losses, flipped] }
    }

    /// The losses of `episode` (from 0) of `episodes`, `[H, S, A]`.
    pub fn losses(&self, episode: u64, episodes: u64) -> &[f64] {
        &self.losses[usize::from(episode >= episodes / 4)]
    }

    /// The losses of the first `played` of `episodes`, summed, `[H, S, A]`.
    pub fn total_losses(&self, played: u64, episodes: u64) -> Vec<f64> {
        let before = played.min(episodes / 4);
        let (first, second) = (before as f64, (played - before) as f64);
        self.losses[0].iter().zip(&self.losses[1]).map(|(b, flipped)| first * b + second * flipped).collect()
    }

    /// What the best fixed policy loses where a pair costs `losses`, `[H, S, A]`.
    ///
    /// # Errors
    /// Losses that are not finite.
    pub fn least_loss(&self, losses: &[f64]) -> Result<f64> {
        let pairs = self.features.pairs();
        let stage = |(stage, losses): (usize, &[f64])| {
            let gains = losses.iter().map(|loss| -loss).collect();
            self.transitions.stage(stage).clone().with_rewards(gains)
        };
        let paid = StagedMdp::new(losses.chunks_exact(pairs).enumerate().map(stage).collect::<Result<_>>()?)?;
        Ok(-paid.at_start(&paid.backward_induction().values[..paid.states()]))
    }
}

/// Episodes start in any state.
fn start(states: usize) -> Vec<f64> {
    vec![1.0 / states as f64; states]
}

/// `rows` draws from a symmetric Dirichlet distribution over `width`.
fn dirichlets(rows: usize, width: usize, concentration: f64, rng: &mut Rng) -> Vec<f64> {
    let mut table = GammaTable::default();
    let mut all = vec![concentration; rows * width];
    all.chunks_exact_mut(width).for_each(|row| table.dirichlet(row, rng));
    all
}
