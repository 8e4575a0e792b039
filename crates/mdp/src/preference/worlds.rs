//! The worlds of this family: small random MDPs whose rewards are sharp enough to be preferred by.

use std::sync::Arc;

use quire_core::{Result, Rng, Seeds};
use rand::RngExt;

use super::Candidates;
use crate::finite::FiniteMdp;
use crate::linear::Features;
use crate::posterior::GammaTable;
use crate::staged::StagedMdp;
use crate::worlds;

/// The greatest reward of a step. A difference of 3 is told from its opposite with probability 0.95.
pub const SHARPNESS: f64 = 3.0;
/// Candidates of each kind in [`World::candidates`].
pub const CLASS: usize = 50;

/// Where trajectories are made.
#[derive(Debug, Clone)]
pub struct World {
    /// The model, rewards included.
    pub mdp: Arc<StagedMdp>,
    /// φ(s, a).
    pub features: Arc<Features>,
    /// The classes with the truth in them.
    pub candidates: Option<Arc<Candidates>>,
}

/// 3 stages of 3 states and 2 actions, from state 0: next states are Dirichlet(0.7), rewards uniform in [0, 3].
fn tabular_model(rng: &mut Rng) -> Result<StagedMdp> {
    let (states, actions) = (3, 2);
    let mut table = GammaTable::default();
    let stage = |_| {
        let mut transitions = vec![0.7; states * actions * states];
        transitions.chunks_exact_mut(states).for_each(|row| table.dirichlet(row, rng));
        let rewards = (0..states * actions).map(|_| SHARPNESS * rng.random::<f64>()).collect();
        FiniteMdp::from_dense(states, actions, &transitions, rewards, vec![1.0, 0.0, 0.0])
    };
    StagedMdp::new((0..3).map(stage).collect::<Result<_>>()?)
}

impl World {
    /// A table, one feature a pair.
    ///
    /// # Errors
    /// None for a world drawn like this.
    pub fn tabular(seed: u64) -> Result<Self> {
        let mdp = tabular_model(&mut Seeds::new(seed).child("world").stream("tabular"))?;
        let features = Features::one_hot(mdp.states() * mdp.actions());
        Ok(World { mdp: Arc::new(mdp), features: Arc::new(features), candidates: None })
    }

    /// A linear MDP of 5 features, 4 stages of 10 states and 3 actions, the same at every stage; rewards in [0, 3].
    ///
    /// # Errors
    /// None for a world drawn like this.
    pub fn linear(seed: u64) -> Result<Self> {
        let (mdp, features) = worlds::mixture(10, 3, 5, seed)?;
        let rewards = mdp.rewards().iter().map(|reward| SHARPNESS * reward).collect();
        let mdp = StagedMdp::new(vec![mdp.with_rewards(rewards)?; 4])?;
        Ok(World { mdp: Arc::new(mdp), features: Arc::new(features), candidates: None })
    }

    /// A table as [`World::tabular`], with 50 models and 50 rewards drawn like its own, which are among them.
    ///
    /// # Errors
    /// None for a world drawn like this.
    pub fn candidates(seed: u64) -> Result<Self> {
        let mut world = World::tabular(seed)?;
        let mut rng = Seeds::new(seed).child("world").stream("candidates");
        let mut models = (1..CLASS).map(|_| tabular_model(&mut rng)).collect::<Result<Vec<_>>>()?;
        models.insert(rng.random_range(0..CLASS), StagedMdp::clone(&world.mdp));
        let mut rewards =
            (1..CLASS).map(|_| Ok(rewards(&tabular_model(&mut rng)?))).collect::<Result<Vec<_>>>()?;
        rewards.insert(rng.random_range(0..CLASS), self::rewards(&world.mdp));
        world.candidates = Some(Arc::new(Candidates { models, rewards }));
        Ok(world)
    }
}

/// The rewards of all stages, `[H, S, A]`.
pub fn rewards(mdp: &StagedMdp) -> Vec<f64> {
    (0..mdp.horizon()).flat_map(|stage| mdp.stage(stage).rewards().iter().copied()).collect()
}
